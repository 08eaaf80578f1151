//! Mappings over small tables that look like staging's: `bad.rs` what is refused, `run.rs` what comes out.

mod bad;
mod run;

use super::*;
use crate::base::clock::parse_wall;
use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{MemTable, TableProvider};

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

fn line_fields() -> Fields {
    Fields::from(vec![
        Field::new("_line", DataType::Int64, true),
        Field::new("goodsNo", DataType::Utf8, true),
        Field::new("sellCount", DataType::Decimal128(18, 6), true),
        Field::new("unit", DataType::Utf8, true),
        Field::new("subTradeId", DataType::Int64, true),
    ])
}

fn parent_fields() -> Vec<Field> {
    let text = ["tradeNo", "orderNo", "sellerMemo", "customerCode", "payerAddress", "warehouseCode"];
    let mut fields = vec![Field::new("_rid", DataType::Int64, false)];
    fields.extend(text.map(|name| Field::new(name, DataType::Utf8, true)));
    fields.push(Field::new("tradeStatus", DataType::Int64, true));
    fields.push(Field::new("gmtModified", time(), true));
    fields.push(Field::new("consignTime", time(), true));
    fields.push(Field::new("payment", DataType::Decimal128(18, 6), true));
    fields
}

/// `trade`, as staging shows it.
fn trade_schema() -> SchemaRef {
    let item = Arc::new(Field::new("item", DataType::Struct(line_fields()), true));
    let mut fields = parent_fields();
    fields.push(Field::new("goodsDetail", DataType::List(item), true));
    Arc::new(Schema::new(fields))
}

/// `trade_goodsDetail`.
fn lines_schema() -> SchemaRef {
    let mut fields = parent_fields();
    fields.extend(line_fields().iter().map(|f| f.as_ref().clone()));
    Arc::new(Schema::new(fields))
}

/// One trade; its lines are (goods, count × 10^6).
#[derive(Clone)]
struct Trade {
    rid: i64,
    no: &'static str,
    status: i64,
    payment: Option<i128>,
    lines: Option<Vec<(&'static str, Option<i128>)>>,
}

fn trade(rid: i64, no: &'static str) -> Trade {
    Trade {
        rid,
        no,
        status: 1010,
        payment: Some(100_500_000),
        lines: Some(vec![("A", Some(2_000_000)), ("B", Some(500_000))]),
    }
}

fn decimals(values: impl IntoIterator<Item = Option<i128>>) -> ArrayRef {
    let array: Decimal128Array = values.into_iter().collect();
    Arc::new(array.with_precision_and_scale(18, 6).expect("fits"))
}

fn parents(trades: &[&Trade]) -> Vec<ArrayRef> {
    let text = |value: &dyn Fn(&Trade) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(trades.iter().map(|t| value(t))))
    };
    let stamp = |micros: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![micros; trades.len()])) };
    vec![
        Arc::new(Int64Array::from_iter_values(trades.iter().map(|t| t.rid))),
        text(&|t| Some(t.no.to_owned())),
        text(&|t| Some(format!("ON{}", t.no))),
        text(&|_| Some("少货\n'quoted'".into())),
        text(&|_| Some("C1".into())),
        text(&|_| None),
        text(&|_| Some("WH1".into())),
        Arc::new(Int64Array::from_iter_values(trades.iter().map(|t| t.status))),
        stamp(1_717_586_760_000_000),
        stamp(1_717_586_760_120_000),
        decimals(trades.iter().map(|t| t.payment)),
    ]
}

fn line_columns(trades: &[&Trade]) -> Vec<ArrayRef> {
    let lines: Vec<(i64, i64, &str, Option<i128>)> = (trades.iter())
        .flat_map(|t| t.lines.iter().flatten().zip(1..).map(|((goods, count), line)| (t.rid, line, *goods, *count)))
        .collect();
    vec![
        Arc::new(Int64Array::from_iter_values(lines.iter().map(|l| l.1))),
        Arc::new(StringArray::from_iter_values(lines.iter().map(|l| l.2))),
        decimals(lines.iter().map(|l| l.3)),
        Arc::new(StringArray::from_iter_values(lines.iter().map(|_| "件"))),
        Arc::new(Int64Array::from_iter_values(lines.iter().map(|l| l.0 * 10 + l.1))),
    ]
}

fn table(schema: SchemaRef, columns: Vec<ArrayRef>) -> Arc<dyn TableProvider> {
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
    Arc::new(MemTable::try_new(schema, vec![vec![batch]]).expect("a table"))
}

/// The staging tables over some trades.
fn tables(trades: &[&Trade]) -> Providers {
    let mut columns = parents(trades);
    let lengths = trades.iter().map(|t| t.lines.as_ref().map_or(0, Vec::len));
    let nulls = NullBuffer::from_iter(trades.iter().map(|t| t.lines.is_some()));
    let structs = StructArray::new(line_fields(), line_columns(trades), None);
    let item = Arc::new(Field::new("item", DataType::Struct(line_fields()), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    columns.push(Arc::new(arrow::array::ListArray::new(item, offsets, Arc::new(structs), Some(nulls))));
    let repeated: Vec<&Trade> =
        trades.iter().flat_map(|t| std::iter::repeat_n(*t, t.lines.as_ref().map_or(0, Vec::len))).collect();
    let mut flat = parents(&repeated);
    flat.extend(line_columns(trades));
    vec![("trade".into(), table(trade_schema(), columns)), ("trade_goodsDetail".into(), table(lines_schema(), flat))]
}

fn spec(sql: &str) -> MappingSpec {
    MappingSpec {
        name: "test".into(),
        sql_text: sql.into(),
        sql_label: "m.sql".into(),
        params: BTreeMap::from([("org".into(), "100".into())]),
        scope: Scope::Touched,
        lookups: Arc::default(),
        key_field: None,
        allow_empty: Vec::new(),
        contract: None,
        main_table: "trade".into(),
        source_key: "tradeNo".into(),
        source_version: "gmtModified".into(),
        requested: None,
        run_time: parse_wall("2024-06-30 23:59:59").expect("a time"),
    }
}

/// Everything a mapping makes of some trades, in chunks of `chunk` records.
async fn map(spec: MappingSpec, trades: &[Trade], chunk: usize) -> Result<(Mapping, Vec<Mapped>, MapStats)> {
    let mut mapping = Mapping::prepare(spec, &tables(&[])).await?;
    let provide = |rids: &[Rid]| -> Result<Providers> {
        Ok(tables(&trades.iter().filter(|t| rids.contains(&Rid(t.rid))).collect::<Vec<_>>()))
    };
    let rids: Vec<Rid> = trades.iter().map(|t| Rid(t.rid)).collect();
    let (mut out, mut stats) = (Vec::new(), MapStats::default());
    for part in rids.chunks(chunk) {
        let mut emit = |row| {
            out.push(row);
            Ok(())
        };
        stats.add(sendable(mapping.map_rids(part, &provide, &mut emit)).await?);
    }
    Ok((mapping, out, stats))
}

/// A run maps in a task of its own, so the future must be `Send`.
fn sendable<F: Future + Send>(future: F) -> F {
    future
}

/// `rid key` of a document, `rid key [code] field: text` of a blocked row.
fn line(row: &Mapped) -> String {
    let rids: Vec<String> = row.rids().iter().map(ToString::to_string).collect();
    match row {
        Mapped::Document(d) => format!("{} {}", rids.join("+"), d.key),
        Mapped::Blocked { key, reason, .. } => {
            format!("{} {} {reason}", rids.join("+"), key.as_deref().unwrap_or("-"))
        }
    }
}

fn lines(rows: &[Mapped]) -> Vec<String> {
    rows.iter().map(line).collect()
}
