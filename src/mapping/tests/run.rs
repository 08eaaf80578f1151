//! What mappings make of records: documents, blocked rows, their order and lineage.

use super::*;
use crate::base::value::Value;
use crate::config::model::{Lookup, LookupFormat};

const TRADES: &str = include_str!("../../../sql/mapping/jackyun_trades_to_mysql.sql");
const LINES: &str = include_str!("../../../sql/mapping/jackyun_trade_lines_to_mysql.sql");

fn body(row: &Mapped) -> String {
    match row {
        Mapped::Document(d) => d.body.to_json(false),
        blocked => line(blocked),
    }
}

#[tokio::test]
async fn the_shipped_mapping_makes_one_document_per_trade() {
    let odd = [
        trade(1, "JY1"),
        Trade { status: 5010, ..trade(2, "JY2") },
        Trade { status: 5020, ..trade(3, "JY3") },
        Trade { lines: Some(vec![("A", Some(1)), ("B", None)]), ..trade(4, "JY4") },
        Trade { lines: None, ..trade(5, "JY5") },
        Trade { lines: Some(vec![]), ..trade(6, "JY6") },
        Trade { lines: Some(vec![("A", Some(-1_250_000))]), ..trade(7, "JY7") },
    ];
    let (_, rows, stats) = map(spec(TRADES), &odd, 100).await.expect("mapped");
    assert_eq!(
        lines(&rows),
        [
            "1 JY1",
            "2 JY2 [_reject] 订单已取消 cancelled",
            "4 JY4 [_reject] sellCount is not a number",
            "5 JY5 [contract] extend_params_1: the list has no lines",
            "6 JY6 [contract] extend_params_1: the list has no lines",
            "7 JY7",
        ],
        "5020 is left out"
    );
    assert_eq!(stats, MapStats { documents: 2, blocked: 4, evaluation: 0 });
    assert_eq!(
        body(&rows[0]),
        r#"{"dispatch_id":"ONJY1","return_status":"1","return_reason":"少货\n'quoted'","receive_cust_id":"C1","receive_phone":"","#.to_owned()
            + r#""receive_address":null,"delivery_date":"2024-06-05 11:26:00.12","date":"2024-06-05 11:26:00.12","extend_params_1":["#
            + r#"{"goods_id":"A","must_qty":2.000000,"real_qty":2.000000,"unit_id":"件","stock_id":"WH1","stock_status":1010,"create_time":"2024-06-05 11:26:00.12"},"#
            + r#"{"goods_id":"B","must_qty":0.500000,"real_qty":0.500000,"unit_id":"件","stock_id":"WH1","stock_status":1010,"create_time":"2024-06-05 11:26:00.12"}]}"#
    );
    let (Mapped::Document(first), Mapped::Document(last)) = (&rows[0], &rows[5]) else { panic!("documents") };
    assert!(Arc::ptr_eq(first.body.names(), last.body.names()), "names are shared");
}

#[tokio::test]
async fn the_literal_mapping_makes_one_document_per_line() {
    let trades = [
        trade(1, "JY1"),
        Trade { lines: Some(vec![("C", None)]), ..trade(2, "JY2") },
        Trade { lines: None, ..trade(3, "JY3") },
    ];
    let (_, rows, _) = map(spec(LINES), &trades, 100).await.expect("mapped");
    assert_eq!(lines(&rows), ["1 JY1-11", "1 JY1-12", "2 JY2-21 [_reject] sellCount is not a number"]);
    assert!(
        body(&rows[1])
            .contains(r#""extend_params_1":{"lastInsertId":":lastInsertId","goods_id":"B","must_qty":0.500000,"#)
    );
}

#[tokio::test]
async fn a_record_the_engine_fails_on_is_blocked_alone() {
    let trades: Vec<Trade> = (0..1000)
        .map(|i| Trade { payment: Some(if i == 617 || i == 3 { 0 } else { 3_000_000 }), ..trade(i, "JY") })
        .collect();
    let sql = "SELECT _rid, 'K' || _rid AS _key, CAST(1 / payment AS DECIMAL(18,6)) AS x FROM trade WHERE _rid <> 500";
    let (_, rows, stats) = map(spec(sql), &trades, 400).await.expect("mapped");
    let expected: Vec<String> =
        (0..1000)
            .filter(|i| *i != 500)
            .map(|i| {
                if i == 617 || i == 3 {
                    format!("{i} - [evaluation] Divide by zero error")
                } else {
                    format!("{i} K{i}")
                }
            })
            .collect();
    assert_eq!(lines(&rows), expected, "order kept, the others whole");
    assert_eq!(stats, MapStats { documents: 997, blocked: 2, evaluation: 2 });

    let cast = "SELECT _rid, tradeNo AS _key, CAST(tradeNo AS BIGINT) AS n FROM trade";
    let (_, rows, _) = map(spec(cast), &[trade(1, "12"), trade(2, "x2"), trade(3, "13")], 10).await.expect("mapped");
    assert_eq!(lines(&rows)[1], "2 - [evaluation] Cast error: Cannot cast string 'x2' to value of Int64 type");
    assert_eq!(rows.len(), 3);
}

#[tokio::test]
async fn over_all_records_an_evaluation_error_ends_the_run() {
    let sql =
        "SELECT array_agg(_rid) AS _rid, customerCode AS _key, sum(1 / payment) AS x FROM trade GROUP BY customerCode";
    let all = || MappingSpec { scope: Scope::All, ..spec(sql) };
    let sound = [trade(1, "a"), trade(2, "b")];
    let (_, rows, _) = map(all(), &sound, 10).await.expect("mapped");
    assert_eq!(lines(&rows), ["1+2 C1"]);
    let error = map(all(), &[trade(1, "a"), Trade { payment: Some(0), ..trade(2, "b") }], 10).await.err().expect("x/0");
    assert_eq!(error.to_string(), "m.sql: the mapping fails on the data: Divide by zero error");
    assert!(error.cure().is_some_and(|c| c.contains("TRY_CAST")), "{:?}", error.cure());
}

#[tokio::test]
async fn what_a_mapping_leaves_out_shows_in_its_rids() {
    let trades = [
        trade(1, "a"),
        Trade { lines: None, ..trade(2, "b") },
        Trade { lines: Some(vec![]), ..trade(3, "c") },
        trade(4, "d"),
    ];
    let unnest = "SELECT _rid, tradeNo || '-' || l['_line'] AS _key FROM (SELECT _rid, tradeNo, unnest(goodsDetail) AS l FROM trade)";
    let (_, rows, _) = map(spec(unnest), &trades, 10).await.expect("mapped");
    assert_eq!(lines(&rows), ["1 a-1", "1 a-2", "4 d-1", "4 d-2"], "unnest drops null and empty lists");
    let join = "SELECT t._rid, t.tradeNo AS _key, l.goodsNo AS g FROM trade t JOIN trade_goodsDetail l ON l._rid = t._rid AND l.goodsNo = 'B'";
    let (_, rows, _) = map(spec(join), &trades, 10).await.expect("mapped");
    assert_eq!(lines(&rows), ["1 a", "4 d"], "an inner join loses records");
    let outer = "SELECT l._rid AS _rid, t.tradeNo AS _key FROM trade t LEFT JOIN trade_goodsDetail l ON l._rid = t._rid AND l._line = 1";
    let (_, rows, _) = map(spec(outer), &trades[..2], 10).await.expect("mapped");
    assert_eq!(lines(&rows)[0], "1 a");
    assert!(lines(&rows)[1].starts_with(" b [_rid] _rid: _rid is null"), "{:?}", lines(&rows));
    let aggregate = "SELECT array_agg(_rid) AS _rid, tradeNo AS _key, array_agg({g: goodsNo} ORDER BY _line) AS lines FROM trade_goodsDetail GROUP BY tradeNo";
    let (_, rows, _) = map(spec(aggregate), &trades, 10).await.expect("mapped");
    assert_eq!(lines(&rows), ["1+1 a", "4+4 d"]);
    assert_eq!(body(&rows[0]), r#"{"lines":[{"g":"A"},{"g":"B"}]}"#);
}

#[tokio::test]
async fn keys_are_one_per_run_and_agree_with_the_key_field() {
    let mut doubled = spec("SELECT _rid, customerCode AS _key, CASE WHEN _rid = 1 THEN 'no' END AS _reject FROM trade");
    let trades: Vec<Trade> = (1..=4).map(|rid| trade(rid, "x")).collect();
    let (_, rows, _) = map(doubled.clone(), &trades, 2).await.expect("mapped");
    let twice = "[key] _key: the key stands twice in this run: record 2 had it first";
    assert_eq!(
        lines(&rows),
        ["1 C1 [_reject] no".to_owned(), "2 C1".into(), format!("3 C1 {twice}"), format!("4 C1 {twice}")],
        "over chunks; a row that is not sent takes no key"
    );

    doubled.sql_text = "SELECT _rid, nullif(tradeNo, 'n') AS _key, CASE WHEN tradeNo = 'b' THEN 'c' ELSE nullif(tradeNo, 'n') END AS bill FROM trade".into();
    doubled.key_field = Some("bill".into());
    let (_, rows, _) =
        map(doubled.clone(), &[trade(1, "a"), trade(2, "b"), trade(3, "n"), trade(4, " d")], 9).await.expect("mapped");
    let text = lines(&rows);
    assert_eq!(
        text[..3],
        [
            "1 a",
            "2 - [key] bill: _key is 'b', but bill is 'c'",
            "3 - [key] _key: the key is null: a document needs a business key"
        ]
    );
    assert!(text[3].contains("white space"), "{text:?}");

    doubled.sql_text = "SELECT _rid, tradeStatus AS bill FROM trade".into();
    let (_, rows, _) = map(doubled, &[trade(1, "a")], 9).await.expect("mapped");
    assert_eq!(lines(&rows), ["1 1010"], "key_field stands in for _key, numbers as text");
}

#[tokio::test]
async fn numbers_keep_their_digits_and_types_their_spelling() {
    let sql = "SELECT _rid, tradeNo AS _key, $org AS org, $run_time AS run, gmtModified AS _version,
        payment * 1.13 AS a, round(payment * 1.13, 2) AS b, CAST(payment AS DECIMAL(18,2)) AS c, CAST('123456789012345678901234567890.12' AS DECIMAL(38,2)) AS d,
        CAST(gmtModified AS DATE) AS e, tradeStatus = 1010 AS f, NULL AS g, array_length(goodsDetail) AS h, {x: {y: payment}} AS i,
        date_format(gmtModified, '%Y-%m-%d') AS j, [1, NULL] AS k, date_trunc('day', gmtModified) AS l,
        regexp_replace(sellerMemo, '\\s.*', '') AS m
        FROM trade";
    let (_, rows, _) = map(spec(sql), &[trade(1, "a")], 9).await.expect("mapped");
    let Mapped::Document(document) = &rows[0] else { panic!("{:?}", lines(&rows)) };
    assert_eq!(document.version, Some(1_717_586_760_000_000));
    let shown: Vec<String> =
        document.body.iter().map(|(name, value)| format!("{name}={}", value.to_json(false))).collect();
    assert_eq!(
        shown,
        [
            "org=\"100\"",
            "run=\"2024-06-30 23:59:59\"",
            "a=113.56500000",
            "b=113.57",
            "c=100.50",
            "d=123456789012345678901234567890.12",
            "e=\"2024-06-05\"",
            "f=true",
            "g=null",
            "h=2",
            "i={\"x\":{\"y\":100.500000}}",
            "j=\"2024-06-05\"",
            "k=[1,null]",
            "l=\"2024-06-05 00:00:00\"",
            "m=\"少货\"",
        ]
    );
    assert_eq!(document.body.get("g"), Some(&Value::Null));
}

#[tokio::test]
async fn a_contract_is_held_against_each_document() {
    let mut held = spec(
        "SELECT _rid, tradeNo AS _key, tradeNo AS no, nullif(orderNo, 'ONc') AS o, array_transform(goodsDetail, g -> {n: g['goodsNo']}) AS l FROM trade",
    );
    let ddl = "CREATE TABLE t (no VARCHAR(3) NOT NULL, o VARCHAR NOT NULL, l STRUCT(n VARCHAR(2))[])";
    held.contract = Some(Contract::parse(ddl).expect("a contract"));
    let long = Trade { lines: Some(vec![("货品", Some(1)), ("货品一", Some(1))]), ..trade(5, "e") };
    let trades = [
        trade(1, "订单号"),
        trade(2, "订单号码"),
        trade(3, "c"),
        trade(4, "d"),
        long,
        Trade { lines: None, ..trade(6, "f") },
    ];
    let (_, rows, _) = map(held.clone(), &trades, 9).await.expect("mapped");
    assert_eq!(
        lines(&rows),
        [
            "1 订单号",
            "2 订单号码 [contract] no: has 4 characters, at most 3 fit",
            "3 c [contract] o: is required, but null",
            "4 d",
            "5 e [contract] l[2].n: has 3 characters, at most 2 fit",
            "6 f [contract] l: the list has no lines",
        ]
    );
    held.allow_empty = vec!["l".into()];
    let (_, rows, _) = map(held, &trades[5..], 9).await.expect("mapped");
    assert_eq!(lines(&rows), ["6 f"]);
}

#[tokio::test]
async fn look_ups_answer_and_count_what_they_miss_once() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.csv"), "name,no\na,S1\n1010,S2\nb,\n").expect("written");
    let lookup = Lookup { file: "shop.csv".into(), format: LookupFormat::Csv, key: "name".into() };
    let declared = BTreeMap::from([("shop".to_owned(), lookup)]);
    let mut looked = spec(
        "SELECT _rid, tradeNo AS _key, lookup('shop', 'no', tradeNo) AS a, lookup('shop', 'no', tradeStatus) AS b, s.no AS c,
         array_transform(goodsDetail, g -> {x: lookup('shop', 'no', g['goodsNo'])}) AS l, CAST(1 / payment AS DECIMAL(9,2)) AS d
         FROM trade LEFT JOIN shop s ON s.name = trade.tradeNo",
    );
    looked.lookups = Arc::new(Lookups::load(&declared, folder.path()).expect("loaded"));
    let before = looked.lookups.digest();
    let mut trades = vec![trade(1, "a"), trade(2, "b"), trade(3, "c"), Trade { payment: Some(0), ..trade(4, "d") }];
    trades.iter_mut().for_each(|t| t.lines = Some(vec![("a", None), ("z", None)]));
    let (mapping, rows, _) = map(looked, &trades, 9).await.expect("mapped");
    assert_eq!(body(&rows[0]), r#"{"a":"S1","b":"S2","c":"S1","l":[{"x":"S1"},{"x":null}],"d":0.01}"#);
    assert!(body(&rows[1]).starts_with(r#"{"a":null,"b":"S2","c":null"#));
    assert_eq!(lines(&rows)[3], "4 - [evaluation] Divide by zero error");
    let misses: Vec<String> = mapping.misses().by_value.iter().map(|((t, k), n)| format!("{t} {k} {n}")).collect();
    assert_eq!(misses, ["shop c 1", "shop z 3"], "an attempt that failed does not count");

    std::fs::write(folder.path().join("shop.csv"), "name,no\na,S9\n").expect("written");
    assert_ne!(Lookups::load(&declared, folder.path()).expect("loaded").digest(), before);
}

#[tokio::test]
async fn a_miss_that_leaves_a_required_field_null_names_the_table_and_the_key() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.csv"), "name,no\na,S1\nb,S2\nA,G1\n").expect("written");
    let lookup = Lookup { file: "shop.csv".into(), format: LookupFormat::Csv, key: "name".into() };
    let declared = BTreeMap::from([("shop".to_owned(), lookup.clone()), ("man".to_owned(), lookup)]);
    let looked = |sql: &str| {
        let mut looked = spec(sql);
        looked.lookups = Arc::new(Lookups::load(&declared, folder.path()).expect("loaded"));
        let ddl =
            "CREATE TABLE t (shop STRUCT(no VARCHAR NOT NULL) NOT NULL, man STRUCT(no VARCHAR NOT NULL), extra VARCHAR,
                   l STRUCT(g STRUCT(no VARCHAR NOT NULL) NOT NULL, q DECIMAL(18,6) NOT NULL)[])";
        looked.contract = Some(Contract::parse(ddl).expect("a contract"));
        looked
    };
    let sql = "SELECT _rid, tradeNo AS _key, CASE WHEN tradeNo = 'f' THEN 'no' END AS _reject,
         {no: lookup('shop', 'no', tradeNo)} AS shop, {no: lookup('man', 'no', orderNo)} AS man,
         lookup('man', 'no', tradeStatus, NULL) AS extra,
         array_transform(goodsDetail, g -> {g: {no: lookup('shop', 'no', g['goodsNo'])}, q: g['sellCount']}) AS l
         FROM trade WHERE tradeNo <> 'g'";
    let lines_of = |goods: &'static str, count| Some(vec![("A", Some(1)), (goods, count)]);
    let trades = [
        Trade { lines: lines_of("A", Some(1)), ..trade(1, "a") },
        Trade { lines: lines_of("A", Some(1)), ..trade(2, "c") },
        Trade { lines: lines_of("Z", Some(1)), ..trade(3, "b") },
        Trade { lines: lines_of("A", None), ..trade(4, "b") },
        Trade { lines: lines_of("A", Some(1)), ..trade(5, "f") },
        Trade { lines: lines_of("A", Some(1)), ..trade(6, "g") },
    ];
    let (mapping, rows, _) = map(looked(sql), &trades, 9).await.expect("mapped");
    assert_eq!(
        lines(&rows),
        [
            "1 a",
            "2 c [lookup] shop: shop: no row for c",
            "3 b [lookup] l[2].g: shop: no row for Z",
            "4 b [contract] l[2].q: is required, but null",
            "5 f [_reject] no",
        ],
        "a missing man explains neither; a look-up with a default is no miss"
    );
    assert_eq!(body(&rows[0]).split(r#","l":"#).next(), Some(r#"{"shop":{"no":"S1"},"man":{"no":null},"extra":null"#));
    let misses = |mapping: &Mapping| -> Vec<String> {
        mapping.misses().by_value.iter().map(|((t, k), n)| format!("{t} {k} {n}")).collect()
    };
    assert_eq!(misses(&mapping), ["man ONa 1"], "only misses of documents count");

    let sql = "WITH t AS (SELECT *, lookup('shop', 'no', tradeNo) AS found FROM trade)
         SELECT _rid, tradeNo AS _key, {no: found} AS shop FROM t";
    let (_, rows, _) = map(looked(sql), &trades[1..2], 9).await.expect("mapped");
    let told = "2 c [contract] shop: is required, but null (look-ups without a row: shop: no row for c)";
    assert_eq!(lines(&rows), [told]);
}

/// One row missing in a reference table blocks thousands of records: explaining them must not cost thousands of plans.
#[tokio::test]
async fn explaining_blocked_documents_stays_bounded() {
    const ALONE: usize = crate::mapping::blame::MAX_ALONE;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.csv"), "name,no\na,S1\n").expect("written");
    let lookup = Lookup { file: "shop.csv".into(), format: LookupFormat::Csv, key: "name".into() };
    let mut looked = spec(
        "SELECT _rid, tradeNo AS _key, {no: lookup('shop', 'no', tradeNo)} AS shop,
         array_transform(goodsDetail, g -> {g: {no: lookup('shop', 'no', g['goodsNo'])}}) AS l FROM trade",
    );
    let declared = BTreeMap::from([("shop".to_owned(), lookup)]);
    looked.lookups = Arc::new(Lookups::load(&declared, folder.path()).expect("loaded"));
    let ddl = "CREATE TABLE t (shop STRUCT(no VARCHAR NOT NULL) NOT NULL, l STRUCT(g STRUCT(no VARCHAR NOT NULL) NOT NULL)[])";
    looked.contract = Some(Contract::parse(ddl).expect("a contract"));
    // 200 without their shop; then 60 without their goods, whose lines differ; then one document.
    let mut trades: Vec<Trade> = (1..=200).map(|rid| trade(rid, "c")).collect();
    trades.extend((201..=260).map(|rid| {
        let lines = [("a", None), ("Z", None)].into_iter().skip(usize::from(rid % 2 == 0)).collect();
        Trade { lines: Some(lines), ..trade(rid, "a") }
    }));
    trades.push(Trade { lines: Some(vec![("a", None)]), ..trade(261, "a") });

    let mut mapping = Mapping::prepare(looked, &tables(&[])).await.expect("prepared");
    let plans = std::sync::atomic::AtomicUsize::new(0);
    let provide = |rids: &[Rid]| -> Result<Providers> {
        plans.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(tables(&trades.iter().filter(|t| rids.contains(&Rid(t.rid))).collect::<Vec<_>>()))
    };
    let rids: Vec<Rid> = trades.iter().map(|t| Rid(t.rid)).collect();
    let mut rows = Vec::new();
    let mut emit = |row| {
        rows.push(row);
        Ok(())
    };
    mapping.map_rids(&rids, &provide, &mut emit).await.expect("mapped");
    assert_eq!(plans.into_inner(), 1 + 2 * ALONE + 1, "the chunk, the first of each field, all others together");
    let lines = lines(&rows);
    // The lines of these trades miss rows of the same table.
    let alone = format!("{ALONE} c [lookup] shop: shop: no row for A; shop: no row for B; shop: no row for c");
    assert_eq!(lines[ALONE - 1], alone);
    let beyond = format!(
        "200 c [contract] shop: is required, but null (looked up in shop; the missing key is named for {ALONE} documents only)"
    );
    assert_eq!(lines[199], beyond);
    assert_eq!(lines[200], "201 a [lookup] l[2].g: shop: no row for Z");
    assert!(
        lines[259].starts_with("260 a [contract] l[1].g: is required, but null (looked up in shop;"),
        "{}",
        lines[259]
    );
    assert_eq!((lines[260].as_str(), mapping.misses().total()), ("261 a", 0), "misses of blocked rows do not count");
}

#[tokio::test]
async fn lists_are_written_inside_lambdas_and_subqueries_stay_with_their_record() {
    let sql = "SELECT _rid, tradeNo AS _key,
         flatten(array_transform(goodsDetail, g -> array_transform([{n: 1, c: g['sellCount']}, {n: 2, c: NULL}],
           p -> {g: g['goodsNo'], n: p['n'], c: p['c'], o: orderNo}))) AS l,
         (SELECT sum(d.sellCount) FROM trade_goodsDetail d WHERE d._rid = trade._rid) AS s
         FROM trade";
    let (_, rows, _) =
        map(spec(sql), &[trade(1, "a"), Trade { lines: None, ..trade(2, "b") }], 9).await.expect("mapped");
    let expected = r#"{"l":[{"g":"A","n":1,"c":2.000000,"o":"ONa"},{"g":"A","n":2,"c":null,"o":"ONa"},"#.to_owned()
        + r#"{"g":"B","n":1,"c":0.500000,"o":"ONa"},{"g":"B","n":2,"c":null,"o":"ONa"}],"s":2.500000}"#;
    assert_eq!(body(&rows[0]), expected);
    assert_eq!(lines(&rows)[1], "2 b [contract] l: the list has no lines");
}

#[tokio::test]
async fn preparing_a_bad_mapping_says_everything() {
    let error = Mapping::prepare(spec("SELECT nix AS _key FROM trade"), &tables(&[])).await.err().expect("faults");
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    assert!(text.contains("m.sql:1:8: no column nix") && text.contains("no column _rid"), "{text}");
}

/// Memory and order do not depend on how the records are cut into chunks.
#[tokio::test]
async fn chunks_make_no_difference() {
    let trades: Vec<Trade> =
        (0..60).map(|i| Trade { payment: Some(if i % 7 == 0 { 0 } else { 1 }), ..trade(100 - i, "k") }).collect();
    let sql = "SELECT _rid, 'K' || _rid AS _key, CAST(1 / payment AS DECIMAL(18,2)) AS x, array_agg({g: goodsNo} ORDER BY _line) AS l
               FROM trade_goodsDetail GROUP BY _rid, payment ORDER BY _rid";
    let (_, whole, _) = map(spec(sql), &trades, 60).await.expect("mapped");
    let (_, parts, _) = map(spec(sql), &trades, 7).await.expect("mapped");
    assert_eq!(whole, parts);
    assert_eq!(whole.iter().map(|row| row.rids()[0].0).collect::<Vec<_>>(), (41..=100).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_parquet_reference_table_keeps_its_types_in_sql() {
    let folder = tempfile::tempdir().expect("a folder");
    let schema = Arc::new(Schema::new(vec![
        Field::new("status", DataType::Int64, false),
        Field::new("rate", DataType::Decimal128(18, 6), true),
    ]));
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![1010, 5010])), decimals([Some(1_130_000), None])];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
    let file = std::fs::File::create(folder.path().join("rate.parquet")).expect("created");
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, schema, None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    let lookup = Lookup { file: "rate.parquet".into(), format: LookupFormat::Parquet, key: "status".into() };
    let mut looked = spec(
        "SELECT _rid, tradeNo AS _key, lookup('rate', 'rate', tradeStatus) AS a, payment * r.rate AS b
         FROM trade JOIN rate r ON r.status = tradeStatus",
    );
    looked.lookups =
        Arc::new(Lookups::load(&BTreeMap::from([("rate".to_owned(), lookup)]), folder.path()).expect("loaded"));
    let (_, rows, _) = map(looked, &[trade(1, "a"), Trade { status: 5010, ..trade(2, "b") }], 9).await.expect("mapped");
    assert_eq!(body(&rows[0]), r#"{"a":"1.130000","b":113.565000000000}"#);
    assert_eq!(body(&rows[1]), r#"{"a":null,"b":null}"#);
}

#[tokio::test]
async fn members_that_no_document_needs_are_told_and_a_whole_use_forbids_narrowing() {
    let cases = [
        (
            "SELECT _rid, tradeNo AS _key, array_transform(goodsDetail, g -> {n: g['goodsNo'], u: tradeNo}) AS lines FROM trade",
            Some(vec!["goodsNo"]),
        ),
        (
            "SELECT _rid, tradeNo AS _key, array_any_match(goodsDetail, g -> g['sellCount'] IS NULL) AS bad,
             array_transform(goodsDetail, g -> {n: g['goodsNo']}) AS lines FROM trade",
            Some(vec!["goodsNo", "sellCount"]),
        ),
        ("SELECT _rid, tradeNo AS _key, array_length(goodsDetail) AS n FROM trade", Some(vec![])),
        ("SELECT _rid, tradeNo AS _key, goodsDetail AS lines FROM trade", None),
        (
            "SELECT _rid, tradeNo AS _key, array_transform(goodsDetail, g -> {n: g['goodsNo'], all: g}) AS lines FROM trade",
            None,
        ),
        ("SELECT _rid, tradeNo AS _key, goodsDetail[1]['goodsNo'] AS first FROM trade", None),
        (
            "SELECT _rid, tradeNo AS _key, array_transform(array_distinct(goodsDetail), g -> {n: g['goodsNo']}) AS lines FROM trade",
            None,
        ),
        (
            "SELECT _rid, tradeNo AS _key, array_length(goodsDetail) AS n FROM trade WHERE goodsDetail = goodsDetail",
            None,
        ),
        ("SELECT _rid, tradeNo AS _key, orderNo AS o FROM trade", None),
    ];
    for (sql, expected) in cases {
        let mut spec = spec(sql);
        spec.allow_empty = vec![];
        let mapping = Mapping::prepare(spec, &tables(&[])).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let read = mapping.members().get("goodsDetail").map(|m| m.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(read, expected, "{sql}");
    }
}
