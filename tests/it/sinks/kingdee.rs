//! The Kingdee sink against the simulated ERP: what each trouble leaves behind, and that nothing is ever doubled.

use super::states;
use dukou::base::lifecycle::State;
use dukou::base::record::{DocKey, Document, Outcome, Rid};
use dukou::base::value::{Decimal, Object, Value, digest};
use dukou::config::model::{Kingdee, KingdeeAuth, KingdeeOperation, OptionValue};
use dukou::config::secret::{Env, Setting};
use dukou::net::client::HttpClient;
use dukou::net::{ClientOptions, End};
use dukou::sandbox::{Config, Sandbox};
use dukou::sink::kingdee::{KingdeeOptions, KingdeeSink};
use dukou::sink::{Asked, Found, Proof, Sink, Unfinished};
use std::sync::Arc;
use std::time::Duration;

fn settings(auth: KingdeeAuth) -> Kingdee {
    let setting = |key: &str| Setting::new(format!("sink.{key}"), format!("${{{key}}}"));
    let flag = |name: &str| (name.to_string(), OptionValue::Bool(true));
    Kingdee {
        url: setting("url"),
        acct_id: setting("acct_id"),
        username: setting("username"),
        app_id: setting("app_id"),
        app_secret: setting("app_secret"),
        lcid: 2052,
        org_num: "0".into(),
        auth,
        form: "SAL_RETURNSTOCK".into(),
        operation: KingdeeOperation::BatchSave,
        options: vec![flag("IsAutoSubmitAndAudit"), flag("IsVerifyBaseDataField")],
        verify: vec!["FDate".into(), "FRetcustId.FNumber".into()],
        entry: Some("FEntity".into()),
        request_timeout: Duration::from_secs(10),
        max_answer_bytes: 1 << 20,
    }
}

/// A strict server, and a sink that calls it.
async fn pair(faults: &[&str], auth: KingdeeAuth) -> (Sandbox, KingdeeSink) {
    let mut config = Config { trades: 1, ..Config::default() };
    config.kingdee.strict_signature = true;
    config.faults = faults.iter().map(|fault| fault.parse().expect("a fault")).collect();
    let k = config.kingdee.clone();
    let sandbox = Sandbox::start(config, "127.0.0.1:0".parse().expect("an address")).await.expect("a sandbox");
    let url = sandbox.kingdee_url();
    let env = Env::only([
        ("url", url),
        ("acct_id", k.acct_id),
        ("username", k.username),
        ("app_id", k.app_id),
        ("app_secret", k.app_secret),
    ]);
    let (request_timeout, max_answer_bytes) = (Duration::from_secs(10), 1 << 20);
    let client =
        HttpClient::new(ClientOptions { request_timeout, max_answer_bytes, end: End::Sink }).expect("a client");
    let options = KingdeeOptions { lock_wait: Duration::from_millis(1), ..KingdeeOptions::default() };
    let sink = KingdeeSink::new(&settings(auth), &env, Arc::new(client), options).expect("a sink");
    (sandbox, sink)
}

fn document(key: &str, material: &str) -> Document {
    let number = |value: &str| Value::Object(Object::from_pairs([("FNumber", Value::text(value))]));
    let line = |material: &str| {
        Value::Object(Object::from_pairs([
            ("FMaterialId", number(material)),
            ("FRealQty", Value::Decimal(Decimal { unscaled: 150, scale: 2 })),
            ("FTAXPRICE", Value::Decimal(Decimal { unscaled: 1050, scale: 2 })),
            ("FStockId", number("CK001")),
        ]))
    };
    let body = Object::from_pairs([
        ("FBillTypeID", Value::Object(Object::from_pairs([("FNUMBER", Value::text("XSTHD01_SYS"))]))),
        ("FBillNo", Value::text(key)),
        ("FDate", Value::text("2024-06-05")),
        ("FSaleOrgId", number("100")),
        ("FStockOrgId", number("100")),
        ("FRetcustId", number("CUST001")),
        ("SubHeadEntity", Value::Object(Object::from_pairs([("FSettleCurrId", number("PRE001"))]))),
        ("FEntity", Value::List(vec![line(material), line("SKU00002")])),
    ]);
    let key = DocKey::new(key).expect("a key");
    Document { key, digest: digest(&body), version: None, rids: vec![Rid(1)], body }
}

fn batch() -> Vec<Document> {
    ["XT1", "XT2", "XT3", "XT4", "XT5"].iter().map(|key| document(key, "SKU00001")).collect()
}

async fn send(sink: &KingdeeSink, batch: &[Document]) -> Vec<Outcome> {
    sink.send(batch).await.expect("receipts").into_iter().map(|receipt| receipt.outcome).collect()
}

/// One letter per document: Accepted, Present, Behind, Unknown, Missing, Rejected, Conflict; small where it is not ours.
async fn found(sink: &KingdeeSink, batch: &[Document]) -> String {
    let asked: Vec<_> = batch.iter().map(|d| Asked { key: &d.key, document: Some(d), remote: None }).collect();
    let letter = |found: &Found| match found {
        Found::Missing => 'M',
        Found::There { proof: Proof::Foreign(_), .. } => 'f',
        Found::There { state: State::Present, proof: Proof::Agrees, .. } => 'P',
        Found::There { state: State::Behind, proof: Proof::Agrees, .. } => 'B',
        Found::There { .. } => '?',
    };
    sink.find(&asked).await.expect("answers").iter().map(letter).collect()
}

#[tokio::test]
async fn every_trouble_is_accounted_for_and_nothing_is_doubled() {
    let table: &[(&[&str], &str, &str)] = &[
        // (faults, first letters of the outcomes, what find says then)
        (&[], "AAAAA", "PPPPP"),
        (&["kingdee:lost-reply@1"], "UUUUU", "PPPPP"),
        (&["kingdee:commit-then-500@1"], "UUUUU", "PPPPP"),
        (&["kingdee:http-502@1"], "UUUUU", "MMMMM"),
        (&["kingdee:own=response-error@1"], "UUUUU", "MMMMM"),
        (&["kingdee:own=response-error-after@1"], "UUUUU", "PPPPP"),
        (&["kingdee:own=lost-session=2@1"], "PPAAA", "PPPPP"),
        (&["kingdee:own=no-session@1"], "AAAAA", "PPPPP"),
        (&["kingdee:own=end-sessions@1"], "AAAAA", "PPPPP"),
        (&["kingdee:own=ctx-null@1"], "AAAAA", "PPPPP"),
        (&["kingdee:own=firewall@1"], "AAAAA", "PPPPP"),
        (&["kingdee:own=edit-lock@1"], "AAAAA", "PPPPP"),
        (&["kingdee:own=drop-line@1"], "CAAAA", "fPPPP"),
        (&["kingdee:own=unlisted@1"], "PAAAA", "PPPPP"),
        (&["kingdee:own=not-audited@1"], "BBBBB", "BBBBB"),
        (&["kingdee:own=lost-before-audit@1"], "UUUUU", "BBBBB"),
        (&["kingdee:query/http-502@1"], "AAAAA", "PPPPP"),
    ];
    for auth in [KingdeeAuth::Signature, KingdeeAuth::AppSecret] {
        for (faults, outcomes, there) in table {
            let (sandbox, sink) = pair(faults, auth).await;
            let batch = batch();
            let became: String =
                states(&send(&sink, &batch).await).iter().filter_map(|state| state.chars().next()).collect();
            assert_eq!(became, *outcomes, "{faults:?} {auth:?}");
            assert_eq!(found(&sink, &batch).await, *there, "{faults:?} {auth:?}");
            assert_eq!(sandbox.erp().doubled(), Vec::<String>::new(), "{faults:?}");
            sandbox.stop().await.expect("a stop");
        }
    }
}

#[tokio::test]
async fn what_the_erp_refuses_and_what_is_not_ours() {
    let (sandbox, sink) = pair(&[], KingdeeAuth::Signature).await;
    sink.check().await.expect("all is there");
    let foreign = sandbox.erp().seed_foreign("XT2", &[("FDate", "2024-06-01"), ("FRetcustId", "CUST002")], &[&[]]);
    let mut batch = batch();
    batch[3] = document("XT4", "SKU99001");
    let outcomes = send(&sink, &batch).await;
    assert_eq!(states(&outcomes), ["Accepted", "Conflict", "Accepted", "Rejected", "Accepted"]);
    assert_eq!(outcomes[1].remote(), Some(foreign.to_string().as_str()));
    let reason = outcomes[3].reason().expect("a reason");
    assert!(reason.code == "data" && reason.text.contains("SKU99001"), "{reason}");
    // A second delivery of the same doubles nothing: what is there is shown to be ours.
    let outcomes = send(&sink, &batch).await;
    assert_eq!(states(&outcomes), ["Present", "Conflict", "Present", "Rejected", "Present"]);
    assert_eq!(found(&sink, &batch).await, "PfPMP");
    assert_eq!(sandbox.erp().doubled(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_behind_is_finished_and_a_refused_audit_is_told() {
    let (sandbox, sink) = pair(&["kingdee:own=not-audited@1"], KingdeeAuth::Signature).await;
    let batch = batch();
    let behind: Vec<Unfinished> = send(&sink, &batch)
        .await
        .iter()
        .zip(&batch)
        .map(|(outcome, d)| Unfinished { key: d.key.clone(), remote: outcome.remote().expect("an id").to_string() })
        .collect();
    sandbox.erp().refuse_audit("XT3", "审核失败：价格未审批");
    let receipts = sink.finish(&behind).await.expect("receipts");
    let outcomes: Vec<Outcome> = receipts.iter().map(|receipt| receipt.outcome.clone()).collect();
    assert_eq!(states(&outcomes), ["Accepted", "Accepted", "Rejected", "Accepted", "Accepted"]);
    assert_eq!(outcomes[2].remote(), Some(behind[2].remote.as_str()));
    assert!(outcomes[2].reason().is_some_and(|r| r.text.contains("价格未审批")), "{:?}", outcomes[2]);
    let operations: Vec<&str> = receipts[2].exchanges.iter().map(|e| e.operation).collect();
    assert_eq!(operations, ["ExecuteBillQuery", "Submit", "Audit", "ExecuteBillQuery"]);
    let tries: Vec<u32> = batch.iter().map(|d| sandbox.erp().tries(d.key.as_str())).collect();
    assert_eq!(tries, [1; 5], "never saved again");
}
