//! Mappings that `check` refuses: each with the place and the cure it must name.

use super::*;
use crate::config::model::{Lookup, LookupFormat};

/// Every fault on one line, its hint in brackets.
async fn faults(spec: &MappingSpec) -> Vec<String> {
    let found = check(spec, &tables(&[])).await.err().unwrap_or_default();
    let line = |fault: &Fault| match fault.to_string().split_once("\n  hint: ") {
        Some((fault, hint)) => format!("{fault} ({hint})"),
        None => fault.to_string(),
    };
    found.iter().map(line).collect()
}

/// (mapping, every fault in order; each given text must be in it).
const BAD: &[(&str, &[&[&str]])] = &[
    // Text.
    ("", &[&["m.sql: the mapping is empty"]]),
    ("SELECT _rid,\n  'open AS x FROM trade", &[&["m.sql:2:3: Unterminated string literal"]]),
    ("SELECT _rid\nFRM trade t x", &[&["m.sql:2:", "Expected"]]),
    ("SELECT 1; SELECT 2", &[&["m.sql: 2 statements in one mapping"]]),
    ("DROP TABLE trade", &[&["m.sql:1:1: DROP statements are refused"]]),
    ("CREATE TABLE a (b INT)", &[&["CREATE statements are refused"]]),
    ("INSERT INTO trade VALUES (1)", &[&["INSERT statements are refused"]]),
    ("DELETE FROM trade", &[&["DELETE statements are refused"]]),
    ("SET datafusion.x = 1", &[&["SET statements are refused"]]),
    ("COPY trade TO 'x.csv'", &[&["COPY statements are refused"]]),
    // Names.
    (
        "SELECT _rid, tradeno AS _key,\n  tradeStatu + 1 AS a, lower(orderNo) || sellermemo AS b\nFROM trade WHERE tradestatus = 1",
        &[
            &["m.sql:1:14: no column tradeno (did you mean tradeNo?)"],
            &["m.sql:2:3: no column tradeStatu (did you mean tradeStatus?)"],
            &["m.sql:2:42: no column sellermemo (did you mean sellerMemo?)"],
            &["m.sql:3:18: no column tradestatus (did you mean tradeStatus?)"],
        ],
    ),
    (
        "SELECT _rid, tradeNo AS _key,\n array_transform(goodsDetail, g -> {a: g['goodNo'], b: g['sellcount'], c: warehouse}) AS x FROM trade",
        &[
            &["m.sql:2:42: no member goodNo (did you mean goodsNo?)"],
            &["m.sql:2:58: no member sellcount (did you mean sellCount?)"],
            &["m.sql:2:75: no column warehouse (did you mean warehouseCode?)"],
        ],
    ),
    ("SELECT _rid, tradeNo AS _key FROM trades", &[&["m.sql:1:35: no table trades (did you mean trade?)"]]),
    ("SELECT t._rid, t.tradeNo AS _key, t.orderno AS x FROM trade t", &[&["m.sql:1:35: no column orderno", "orderNo"]]),
    (
        "SELECT _rid, tradeNo AS _key, uper(orderNo) AS x FROM trade",
        &[&["m.sql:1:31: no function uper (did you mean upper?)"]],
    ),
    ("SELECT _rid, tradeNo AS _key, $orgs AS x FROM trade", &[&["m.sql:1:31: no parameter $orgs (did you mean org?)"]]),
    (
        "SELECT _rid, tradeNo AS _key, orderNo AS a, 1 AS a, payment * 2 FROM trade",
        &[&["m.sql:1:45: two columns are called a"], &["m.sql:1:53: this column has no name", "add AS"]],
    ),
    (
        "SELECT _rid, tradeNo AS _key, 'x' AS _rejct FROM trade",
        &[&["m.sql:1:31: _rejct means nothing (did you mean _reject?"]],
    ),
    (
        "SELECT _rid, tradeNo AS _key, array_transform(goodsDetail, G -> {a: G['unit']}) AS x FROM trade",
        &[&["m.sql:1:60: the lambda parameter G has capitals (write g -> …"], &["m.sql:1:69: no column G"]],
    ),
    // Steadiness.
    (
        "SELECT _rid, tradeNo AS _key, now() AS a, CURRENT_DATE AS b,\n random() AS c, uuid() AS d, current_time() AS e, Current_Timestamp AS f FROM trade",
        &[
            &["m.sql:1:31: now gives another value each time (use $run_time"],
            &["m.sql:1:43: current_date gives another value each time (use $run_time"],
            &["m.sql:2:2: random gives another value", "make it from fields of the record"],
            &["m.sql:2:2: c is a float"],
            &["m.sql:2:17: uuid gives another value", "make it from fields of the record"],
            &["m.sql:2:30: current_time gives another value"],
            &["m.sql:2:30: e is a time span"],
            &["m.sql:2:51: current_timestamp gives another value"],
        ],
    ),
    // Lineage and key.
    ("SELECT tradeNo AS _key FROM trade", &[&["m.sql:1:8: the mapping has no column _rid (add _rid"]]),
    ("SELECT CAST(_rid AS VARCHAR) AS _rid, tradeNo AS _key FROM trade", &[&["_rid is Utf8 (select _rid itself"]]),
    (
        "SELECT _rid, orderNo AS x FROM trade",
        &[&["m.sql:1:8: the mapping has no column _key (add the business key AS _key"]],
    ),
    ("SELECT _rid, goodsDetail AS _key FROM trade", &[&["m.sql:1:14: _key is List"]]),
    (
        "SELECT _rid, tradeNo AS _key, tradeStatus = 5010 AS _reject FROM trade",
        &[&["m.sql:1:31: _reject is Boolean (give the reason as text"]],
    ),
    // Floats, at any depth, in every column, beside a fault elsewhere.
    (
        "SELECT _rid, tradeNo AS _key, CAST(payment AS DOUBLE) AS a,\n {n: sqrt(payment)} AS b,\n array_transform(goodsDetail, g -> {q: CAST(g['sellCount'] AS FLOAT)}) AS c, nix AS d FROM trade",
        &[
            &["m.sql:1:36: a is a float (Float64) (money never passes through a float: CAST(… AS DECIMAL(18,2)))"],
            &["m.sql:2:3: b.n is a float (Float64)"],
            &["m.sql:3:37: c[].q is a float (Float32)"],
            &["m.sql:3:78: no column nix"],
        ],
    ),
    // Types.
    (
        "SELECT _rid, tradeNo AS _key,\n  lower(orderNo, 1) AS x FROM trade",
        &[&["m.sql:2:3: Function 'lower' expects 1 arguments"]],
    ),
    (
        "SELECT _rid, tradeNo AS _key, orderNo + tradeNo AS x FROM trade",
        &[&["m.sql:1:31: Cannot coerce arithmetic expression Utf8 + Utf8"]],
    ),
    (
        "SELECT _rid, tradeNo AS _key, sum(payment) AS x, orderNo AS y FROM trade GROUP BY _rid, tradeNo",
        &[&["m.sql:1:50: 'trade.orderNo' must appear in GROUP BY", "Either add"]],
    ),
    (
        "SELECT _rid, tradeNo AS _key, enkode('a') AS y, interval '1 day' AS x FROM trade",
        &[&["no function enkode"], &["x is a time span"]],
    ),
    // One document, one record.
    (
        "SELECT array_agg(_rid) AS _rid, customerCode AS _key, sum(payment) AS x FROM trade GROUP BY customerCode",
        &[&["m.sql: the aggregate's GROUP BY goes over several records", "scope = \"all\""]],
    ),
    (
        "SELECT _rid, tradeNo AS _key, row_number() OVER (ORDER BY tradeNo) AS x FROM trade",
        &[&["a window's PARTITION BY goes over several records"]],
    ),
    ("SELECT _rid, tradeNo AS _key FROM trade LIMIT 5", &[&["LIMIT goes over several records (remove it"]]),
    (
        "SELECT _rid, tradeNo AS _key, (SELECT sum(payment) FROM trade) AS x FROM trade",
        &[&["the aggregate's GROUP BY goes over several records"]],
    ),
    // Reference tables.
    (
        "SELECT _rid, tradeNo AS _key, lookup('stock', 'n', warehouseCode) AS x FROM trade",
        &[&["m.sql:1:38: no reference table stock (declare it as [lookup.stock]"]],
    ),
    (
        "SELECT _rid, tradeNo AS _key, lookup(orderNo, 'n', warehouseCode) AS x FROM trade",
        &[&["m.sql:1:31: lookup takes table and column as quoted text"]],
    ),
];

#[tokio::test]
async fn every_fault_is_named_with_place_and_cure() {
    let mut wrong = String::new();
    for (sql, expected) in BAD {
        let found = faults(&spec(sql)).await;
        let named = |(fault, parts): (&String, &&[&str])| parts.iter().all(|part| fault.contains(part));
        if found.len() != expected.len() || !found.iter().zip(*expected).all(named) {
            wrong += &format!("{sql}\nwanted {expected:#?}\nfound {found:#?}\n\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn sound_mappings_pass() {
    for sql in [
        include_str!("../../../sql/mapping/jackyun_trades_to_mysql.sql"),
        include_str!("../../../sql/mapping/jackyun_trade_lines_to_mysql.sql"),
        "SELECT _rid, tradeNo AS _key, $run_time AS a, $org AS b FROM trade;",
        "SELECT _rid, tradeNo AS _key, sum(sellCount) AS x FROM trade_goodsDetail GROUP BY _rid, tradeNo",
        "SELECT _rid, tradeNo AS _key, row_number() OVER (PARTITION BY tradeNo ORDER BY _line) AS n FROM trade_goodsDetail",
        "WITH a AS (SELECT DISTINCT _rid, tradeNo FROM trade_goodsDetail) SELECT _rid, tradeNo AS _key FROM a",
        "SELECT _rid, tradeNo AS _key FROM trade UNION ALL SELECT _rid, orderNo FROM trade",
        "SELECT _rid, tradeNo AS _key, CAST(payment * 1.13 AS DECIMAL(18,2)) AS p FROM trade",
    ] {
        assert_eq!(faults(&spec(sql)).await, Vec::<String>::new(), "{sql}");
    }
    let mut all = spec(
        "SELECT array_agg(_rid) AS _rid, customerCode AS _key, sum(payment) AS x FROM trade GROUP BY customerCode",
    );
    all.scope = Scope::All;
    assert_eq!(faults(&all).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_the_vendor_is_not_asked_for_may_not_be_read() {
    let mut spec = spec(
        "SELECT _rid, tradeNo AS _key, gmtModified AS m, orderNo AS o, upper(sellerMemo) AS s,\n\
         array_transform(array_filter(goodsDetail, h -> h['unit'] = 'x'), g -> {a: g['goodsNo'], l: g['_line'], c: g['sellCount']}) AS x\n\
         FROM trade WHERE payment > 0",
    );
    spec.requested = Some(["orderNo", "goodsDetail", "goodsDetail.goodsNo"].map(String::from).to_vec());
    assert_eq!(
        faults(&spec).await,
        [
            "m.sql:1:69: reads sellerMemo, which the vendor is not asked for (add sellerMemo to `fields` in [source.params])",
            "m.sql:2:50: reads goodsDetail.unit, which the vendor is not asked for (add goodsDetail.unit to `fields` in [source.params])",
            "m.sql:2:109: reads goodsDetail.sellCount, which the vendor is not asked for (add goodsDetail.sellCount to `fields` in [source.params])",
            "m.sql:3:18: reads payment, which the vendor is not asked for (add payment to `fields` in [source.params])",
        ]
    );
    spec.requested = Some(["orderNo", "sellerMemo", "payment", "goodsDetail"].map(String::from).to_vec());
    assert_eq!(faults(&spec).await, Vec::<String>::new(), "an array asked for without members comes whole");

    spec.sql_text = "SELECT _rid, tradeNo AS _key, goodsNo AS g, unit AS u FROM trade_goodsDetail".into();
    spec.requested = Some(vec!["goodsDetail.goodsNo".into()]);
    assert_eq!(
        faults(&spec).await,
        [
            "m.sql:1:45: reads unit, which the vendor is not asked for (add goodsDetail.unit to `fields` in [source.params])"
        ]
    );
}

#[tokio::test]
async fn a_contract_is_held_against_the_schema() {
    let mut spec = spec(
        "SELECT _rid, tradeNo AS _key, tradeNo AS bill_no, payment AS custmer, NULL AS org, goodsDetail AS day,\n\
         array_transform(goodsDetail, g -> {goods: g['goodsNo'], qty: g['unit'], note: 'x'}) AS lines FROM trade",
    );
    spec.allow_empty = vec!["day".into(), "linse".into()];
    spec.contract = Some(
        Contract::parse(
            "CREATE TABLE bill (bill_no VARCHAR(20) NOT NULL, customer VARCHAR, org VARCHAR NOT NULL, day DATE,
             amount DECIMAL(18,2) NOT NULL, seq INT NOT NULL DEFAULT 0, lines STRUCT(goods VARCHAR, qty DECIMAL(18,6))[])",
        )
        .expect("a contract"),
    );
    assert_eq!(
        faults(&spec).await,
        [
            "m.sql:1:51: bill has no field custmer (did you mean customer?)",
            "m.sql:1:71: bill requires org, which is always NULL here (give it a value)",
            "m.sql:1:84: day is a list, bill wants a date or time (write the value itself, without { } or [ ])",
            "m.sql:2:57: lines.qty is text, bill wants a number (CAST it, or correct the contract)",
            "m.sql:2:73: bill has no field lines.note (known here: goods, qty)",
            "m.sql: allow_empty names linse, which is no column (did you mean lines?)",
            "m.sql: bill requires amount (add a column … AS \"amount\")",
        ]
    );
    for (ddl, says) in [
        ("SELECT 1", "not one CREATE TABLE"),
        ("CREATE TABLE a (b", "does not parse"),
        ("CREATE TABLE a (b UUID)", "type UUID has no meaning"),
    ] {
        assert!(Contract::parse(ddl).expect_err(says).to_string().contains(says), "{ddl}");
    }
}

#[tokio::test]
async fn a_contract_reaches_into_objects_and_lists() {
    let mut spec = spec("");
    spec.contract = Some(
        Contract::parse(
            "CREATE TABLE BILL (No VARCHAR(20), Cust STRUCT(FNumber VARCHAR(80) NOT NULL) NOT NULL, -- NOT NULL in a comment
               F_Own VARCHAR, Money STRUCT(Org STRUCT(FNumber VARCHAR NOT NULL), Rate DECIMAL(18, 6) NOT NULL),
               Entity STRUCT(Mat STRUCT(FNumber VARCHAR NOT NULL) NOT NULL, Qty DECIMAL(18,6) NOT NULL, Note VARCHAR,
                             Link STRUCT(Id VARCHAR NOT NULL)[], After VARCHAR)[] NOT NULL)",
        )
        .expect("a contract"),
    );
    // (columns, faults); what is sound of a document is in the frame.
    const CASES: &[(&str, &[&str])] = &[
        ("Cust, Entity", &[]),
        (
            "{FNumber: 'a'} AS Cust, {Mat: {FNumber: 'a'}, Qty: 1} AS Entity",
            &[
                "m.sql:2:26: Entity is an object, BILL wants a list (one object is not a list: write [{…}], or array_transform(…))",
            ],
        ),
        (
            "'a' AS Cust,\n array_transform(goodsDetail, g -> {Mat: g['goodsNo'], Qty: CAST(g['sellCount'] AS DOUBLE),\n note: 'x'}) AS Entity",
            &[
                "m.sql:2:1: Cust is text, BILL wants an object (write {FNumber: …})",
                "m.sql:3:37: Entity.Mat is text, BILL wants an object (write {FNumber: …})",
                "m.sql:3:56: Entity[].Qty is a float (Float64) (money never passes through a float: CAST(… AS DECIMAL(18,2)))",
                "m.sql:4:2: BILL has no field Entity.note (did you mean Note?)",
            ],
        ),
        (
            "{FNumber: 'a'} AS Cust, 'x' AS F_Owner, {Org: {Number: 'a'}} AS Money, Entity",
            &[
                "m.sql:2:25: BILL has no field F_Owner (a custom field: declare it in the contract, if the target has it)",
                "m.sql:2:42: BILL requires Money.Rate (add Rate: … to the object)",
                "m.sql:2:48: BILL has no field Money.Org.Number (did you mean FNumber?)",
            ],
        ),
        (
            "Entity, {FNumber: 'a'} AS Cust, 'n' AS No",
            &[
                "m.sql:2:10: Entity stands before Cust, No (BILL acts on fields in their order: move Cust, No before Entity)",
            ],
        ),
        (
            "Cust, array_transform(goodsDetail, g -> {Mat: {FNumber: NULL}, Link: [{Id: 'a'}], Qty: 1, After: 'x'}) AS Entity",
            &[
                "m.sql:2:48: BILL requires Entity.Mat.FNumber, which is always NULL here (give it a value)",
                "m.sql:2:83: Entity.Link stands before Qty (BILL acts on fields in their order: move Qty before Link)",
            ],
        ),
    ];
    let frame =
        "(SELECT *, {FNumber: tradeNo} AS Cust, [{Mat: {FNumber: tradeNo}, Qty: payment}] AS Entity FROM trade)";
    let mut wrong = String::new();
    for (columns, expected) in CASES {
        spec.sql_text = format!("SELECT _rid, tradeNo AS _key,\n{columns} FROM {frame} AS t");
        let found = faults(&spec).await;
        if found != *expected {
            wrong += &format!("{columns}\nwanted {expected:#?}\nfound {found:#?}\n\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn reference_tables_are_checked_when_loaded_and_when_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let load = |csv: &str| {
        std::fs::write(folder.path().join("a.csv"), csv).expect("written");
        let lookup = Lookup { file: "a.csv".into(), format: LookupFormat::Csv, key: "name".into() };
        Lookups::load(&BTreeMap::from([("shop".to_owned(), lookup)]), folder.path())
    };
    for (csv, message) in [
        ("name,no\na,1\n\"b\nc\",2\na,3\n", "[lookup.shop]: a.csv: name a stands twice: lines 2 and 5"),
        ("nam,no\na,1\n", "[lookup.shop]: a.csv: no column name"),
        ("name,no\n,1\n", "[lookup.shop]: a.csv: line 2: name is empty"),
    ] {
        assert_eq!(load(csv).expect_err(message).to_string(), message);
    }
    let mut spec = spec(
        "SELECT _rid, tradeNo AS _key,\n lookup('shop', 'nr', orderNo) AS x, lookup('shp', 'no', 1) AS y FROM trade",
    );
    spec.lookups = Arc::new(load("name,no\na,1\n").expect("loaded"));
    assert_eq!(
        faults(&spec).await,
        [
            "m.sql:2:17: reference table shop has no column nr (known here: name, no)",
            "m.sql:2:45: no reference table shp (did you mean shop?)",
        ]
    );
}

#[tokio::test]
async fn a_wide_mapping_is_answered_within_a_second() {
    let wide: Vec<String> = (0..160).map(|i| format!("coalesce(nullif(order{i}, ''), sellerMemo) AS f{i}")).collect();
    let sql = format!("SELECT _rid, tradeNo AS _key, {} FROM trade", wide.join(",\n"));
    let begun = std::time::Instant::now();
    assert_eq!(faults(&spec(&sql)).await.len(), 160);
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
}
