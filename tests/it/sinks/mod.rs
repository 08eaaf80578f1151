//! Every sink passes the same suite (`conformance.rs`); what only one of them can do is tested beside it.

mod conformance;
mod embedded;
mod kingdee;
mod mysql;
mod proxy;

use dukou::base::Result;
use dukou::base::record::{DocKey, Document, Outcome, Rid};
use dukou::base::value::{Decimal, Object, Value, digest};
use dukou::config::model::{InsertIds, Statements};
use dukou::sink::{Asked, Found, Sink};

/// The statements as the order has them, word for word.
pub const MAIN_SQL: &str = "INSERT INTO lehua.sale_return ( dispatch_id, return_status, return_reason, receive_cust_id, receive_phone, receive_address, delivery_date, date) VALUES ( <{dispatch_id: }>, <{return_status: }>, <{return_reason: }>, <{receive_cust_id: }>, <{receive_phone: }>, <{receive_address: }>, <{delivery_date: }>, <{date: }>);";
pub const EXTEND_SQL: &str = "INSERT INTO lehua.sale_return_detail (id, goods_id, must_qty, real_qty, unit_id, stock_id, stock_status, create_time) VALUES (<{lastInsertId: }>, <{goods_id: }>, <{must_qty: }>, <{real_qty: }>, <{unit_id: }>, <{stock_id: }>, <{stock_status: }>, <{create_time: }>);";

pub fn statements() -> Statements {
    Statements { main_sql: MAIN_SQL.into(), extends: vec![(1, EXTEND_SQL.into())], insert_ids: InsertIds::Auto }
}

/// A trade with two lines whose `goods_id` is the trade's key.
pub fn document(key: &str, reason: &str) -> Document {
    let line = |n: i64| {
        Value::Object(Object::from_pairs([
            ("lastInsertId", Value::text(":lastInsertId")),
            ("goods_id", Value::text(key)),
            ("must_qty", Value::Decimal(Decimal { unscaled: 1_500_000, scale: 6 })),
            ("real_qty", Value::Int(n)),
            ("unit_id", Value::text("件")),
            ("stock_status", Value::Bool(true)),
            ("create_time", Value::text("2024-06-05 11:26:00")),
        ]))
    };
    with_lines(key, Value::text(reason), vec![line(1), line(2)])
}

pub fn with_lines(key: &str, reason: Value, lines: Vec<Value>) -> Document {
    body_of(key, Value::text(key), reason, Value::List(lines))
}

pub fn body_of(key: &str, dispatch_id: Value, reason: Value, lines: Value) -> Document {
    let body = Object::from_pairs([
        ("dispatch_id", dispatch_id),
        ("return_status", Value::text("1")),
        ("return_reason", reason),
        ("delivery_date", Value::text("2024-06-05 11:26:00")),
        ("extend_params_1", lines),
    ]);
    let digest = digest(&body);
    Document { key: DocKey::new(key).expect("a key"), digest, version: None, rids: vec![Rid(1)], body }
}

pub fn states(outcomes: &[Outcome]) -> Vec<String> {
    outcomes.iter().map(|o| format!("{:?}", o.state())).collect()
}

/// Sends and gives the outcomes alone.
pub async fn send(sink: &dyn Sink, batch: &[Document]) -> Result<Vec<Outcome>> {
    let receipts = sink.send(batch).await?;
    assert!(receipts.iter().all(|r| !r.exchanges.is_empty()), "what was sent is on record");
    Ok(receipts.into_iter().map(|receipt| receipt.outcome).collect())
}

/// Asks about keys without their documents.
pub async fn find(sink: &dyn Sink, keys: &[DocKey]) -> Result<Vec<Found>> {
    let asked: Vec<_> = keys.iter().map(|key| Asked { key, document: None, remote: None }).collect();
    sink.find(&asked).await
}
