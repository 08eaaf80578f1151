//! The auditor's three screens over a workspace made by hand: trace, status, sql.
//!
//! Five trades in two slices: JY1 lost an answer and was accepted at the second attempt, and has a newer version that waits; JY2 was
//! rejected, JY3 blocked, JY4 left out by the mapping, JY5 is staged and no more. A run has no end, as after `kill -9`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, Utc};
use dukou::audit::{self, sql, status, trace};
use dukou::base::Error;
use dukou::base::lifecycle::State;
use dukou::base::record::{Page, Reason, Rid, SliceNo};
use dukou::cli;
use dukou::config::secret::Env;
use dukou::exchange::{Attempt, ExchangeWriter};
use dukou::run::plan::{Plan, Setup};
use dukou::staging::{SliceWriter, TwinSet};
use dukou::state::ledger::{BlockedRow, Write};
use dukou::state::slices::{SealedSlice, SliceAsk, SourceId};
use dukou::state::{Store, Workspace};
use insta::assert_snapshot;
use tempfile::TempDir;

const PIPELINE: &str = r#"description = "吉客云 销售单 → 文件"
[source]
connector  = "jackyun"
method     = "oms.trade.fullinfoget"
table      = "trade"
key        = "tradeNo"
version    = "gmtModified"
url        = "${JACKYUN_URL}"
app_key    = "${JACKYUN_APP_KEY}"
app_secret = "${JACKYUN_APP_SECRET}"
[source.params]
modified_begin = "{{LAST_SYNC_TIME|datetime}}"
modified_end   = "{{CURRENT_TIME|datetime}}"
fields = "tradeNo,gmtModified,totalFee,shopName,goodsDetail"
[mapping]
sql = "mapping/trades.sql"
[sink]
connector = "file"
path = "${OUT}"
target_id = "file:books"
"#;

const DDL: &str = "CREATE TABLE trade (
  tradeNo VARCHAR, -- 订单编号
  gmtModified TIMESTAMP,
  totalFee DECIMAL(18,6),
  shopName VARCHAR,
  goodsDetail STRUCT(goodsNo VARCHAR, sellCount DECIMAL(18,6))[]
);";

const FIRST: &[&str] = &[
    r#"{"tradeNo":"JY1","gmtModified":"2024-06-05 10:00:00","totalFee":12.30,"shopName":"旗舰店","goodsDetail":[{"goodsNo":"A","sellCount":1.5},{"goodsNo":"B","sellCount":"2"}]}"#,
    r#"{"tradeNo":"JY2","gmtModified":"2024-06-05 11:00:00","totalFee":"99999999.10","shopName":"a very long name of a shop"}"#,
    r#"{"tradeNo":"JY3","gmtModified":"2024-06-05 12:00:00","totalFee":null,"goodsDetail":[]}"#,
    r#"{"tradeNo":"JY4","gmtModified":"2024-06-05 13:00:00","totalFee":0,"shopName":"旗舰店"}"#,
];
const SECOND: &[&str] = &[
    r#"{"tradeNo":"JY1","gmtModified":"2024-06-06 10:00:00","totalFee":15,"shopName":"旗舰店","goodsDetail":[{"goodsNo":"A","sellCount":1.5}]}"#,
    r#"{"tradeNo":"JY5","gmtModified":"2024-06-06 11:00:00","totalFee":1e1,"shopName":"旗舰店","goodsDetail":null}"#,
];

struct Place {
    _dir: TempDir,
    setup: Setup,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("pipelines/trades.toml", PIPELINE);
    write("sql/staging/trade.sql", DDL);
    write("sql/mapping/trades.sql", "SELECT _rid, tradeNo AS _key, totalFee FROM trade");
    let env =
        Env::only([("JACKYUN_URL", "http://h/"), ("JACKYUN_APP_KEY", "k"), ("JACKYUN_APP_SECRET", "s"), ("OUT", "x")]);
    let setup = Setup { root: dir.path().to_path_buf(), workspace: Workspace::new(dir.path().join("data")), env };
    Place { _dir: dir, setup }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn stage(plan: &Plan, store: &mut Store, source: SourceId, run: i64, day: &str, next: &str, raws: &[&str]) -> SliceNo {
    let window = Some((format!("{day} 00:00:00"), format!("{next} 00:00:00")));
    let ask = SliceAsk { axis: "modified".into(), window, asked: String::new() };
    let slice = store.open_slice(source, run, &ask).unwrap();
    let dir = plan.workspace.staging("trade");
    plan.workspace.make(&dir).unwrap();
    let mut writer =
        SliceWriter::create(&dir, &plan.def, "tradeNo", "gmtModified", slice, &[], TwinSet::default()).unwrap();
    for (number, raw) in raws.iter().enumerate() {
        let page = Page {
            number: u32::try_from(number / 2).unwrap(),
            text: (*raw).to_owned(),
            records: std::iter::once(0..raw.len()).collect(),
            fetched_at: at(&format!("{next}T01:00:00Z")),
        };
        writer.write_page(&page).unwrap();
    }
    let staged = writer.finish().unwrap();
    let rows = u64::from(staged.rows);
    let seal = SealedSlice {
        file: staged.path,
        ddl_digest: plan.def.digest().to_owned(),
        checksum: staged.checksum,
        pages: rows.div_ceil(2),
        fetched: rows,
        staged: rows,
        duplicates: 0,
        announced: Some(rows),
        digest: staged.digest,
        remarks: "{}".into(),
    };
    store.seal_slice(slice, &seal, "2024-06-07T01:00:00.000Z").unwrap();
    slice
}

fn attempt(run: i64, batch: i64, key: &str, state: &'static str, answer: &str, at: &str) -> Attempt {
    Attempt {
        run,
        batch,
        target: "file:books".into(),
        key: key.into(),
        rid: 1,
        operation: "insert",
        request: format!(r#"{{"totalFee":12.300000,"key":"{key}"}}"#),
        answer: answer.into(),
        state,
        remote: (state == "accepted").then(|| "41".into()),
        sent_at: format!("2024-06-07T01:00:{at}.000Z"),
        answered_at: format!("2024-06-07T01:00:{at}.500Z"),
    }
}

/// What two finished runs and one killed run leave.
fn filled() -> Place {
    let place = place();
    let plan = Plan::load(&place.setup, "trades").unwrap();
    let mut store = Store::open(&plan.workspace).unwrap();
    let end = plan.source().unwrap();
    let (source, _) = store.source(&end.source.account(), "trade", &end.source.fingerprint()).unwrap();
    let run = store.begin_run("trades", "dukou run trades", "2024-06-07T01:00:00.000Z").unwrap();
    let first = stage(&plan, &mut store, source, run, "2024-06-05", "2024-06-06", FIRST);
    let rid = |row| Rid::new(first, row);
    let target = store.target("file:books").unwrap();
    let mapping = store.mapping("00112233445566778899aabbccddeeff", "SELECT 1").unwrap();
    let intend =
        |key: &str, row| Write::Intend { key: key.into(), digest: [row; 17], version: Some(5), rid: rid(row.into()) };
    let settle = |key: &str, state, remote: Option<&str>, reason| Write::Settle {
        key: key.into(),
        state,
        remote: remote.map(ToOwned::to_owned),
        reason,
    };
    let too_long = Reason::new("1406", "Data too long for column 'shop' at row 1").on_field("shop");
    let writes = [
        intend("JY1", 0),
        intend("JY2", 1),
        settle("JY1", State::Accepted, Some("41"), None),
        settle("JY2", State::Rejected, None, Some(too_long)),
    ];
    store.record(target, mapping, run, &writes).unwrap();
    let no_fee = Reason::new("contract", "totalFee is null").on_field("totalFee");
    let blocked = BlockedRow { rid: rid(2), key: Some("JY3".into()), reason: no_fee, run };
    store.note_rows("trades", run, &[], &[blocked], &[rid(3)]).unwrap();
    store.mark_done("trades", target, &[first]).unwrap();
    plan.workspace.make(&plan.workspace.exchange()).unwrap();
    let mut exchange = ExchangeWriter::new(&plan.workspace.exchange(), run);
    exchange
        .append(&[
            attempt(run, 1, "JY0", "accepted", "ok", "01"),
            attempt(run, 1, "JY1", "unknown", "connection reset", "01"),
        ])
        .unwrap();
    exchange
        .append(&[
            attempt(run, 2, "JY2", "rejected", "1406", "02"),
            attempt(run, 3, "JY1", "accepted", r#"{"id":41}"#, "03"),
        ])
        .unwrap();
    exchange.finish().unwrap();
    store.end_run(run, "2024-06-07T01:00:07.250Z", 1, r#"{"target":"file:books"}"#).unwrap();
    let killed = store.begin_run("trades", "dukou stage trades", "2024-06-07T02:00:00.000Z").unwrap();
    stage(&plan, &mut store, source, killed, "2024-06-06", "2024-06-07", SECOND);
    place
}

fn told(place: &Place, key: &str) -> String {
    cli::trace::text(&trace::trace(&place.setup, key, None).unwrap(), false)
}

#[test]
fn a_delivered_document_has_its_whole_story() {
    let place = filled();
    assert_snapshot!(told(&place, "JY1"), @r##"
    JY1: accepted at file:books (trades)

    page      page 0 (from 0) of slice 1, asked for modified 2024-06-05 00:00:00 .. 2024-06-06 00:00:00
              fetched 2024-06-06 01:00:00 UTC in run 1 from jackyun oms.trade.fullinfoget 8254c329a92850f6
              staging/trade/trade-00000001.parquet
    record    {
                "tradeNo": "JY1",
                "gmtModified": "2024-06-05 10:00:00",
                "totalFee": 12.30,
                "shopName": "旗舰店",
                "goodsDetail": [
                  {
                    "goodsNo": "A",
                    "sellCount": 1.5
                  },
                  {
                    "goodsNo": "B",
                    "sellCount": "2"
                  }
                ]
              }
    row       _rid 4294967296 = row 0 (from 0) of slice 1 in trade
              newer version: _rid 8589934592 in slice 2, fetched 2024-06-07 01:00:00 UTC
    document  JY1 · digest 000000000000, made by mapping 001122334455, source version 5
    request   attempt 1 of 2, run 1, batch 1, insert sent 2024-06-07T01:00:01.000Z
              {
                "totalFee": 12.300000,
                "key": "JY1"
              }
    answer    unknown, 2024-06-07T01:00:01.500Z
              connection reset
    request   attempt 2 of 2, run 1, batch 3, insert sent 2024-06-07T01:00:03.000Z
              {
                "totalFee": 12.300000,
                "key": "JY1"
              }
    answer    accepted, its id there 41, 2024-06-07T01:00:03.500Z
              {
                "id": 41
              }
    receipt   accepted, its id there 41 (run 1)
    "##);
    let json: serde_json::Value =
        serde_json::from_str(&cli::trace::json(&trace::trace(&place.setup, "JY1", Some("trades")).unwrap())).unwrap();
    assert_eq!(json[0]["origin"]["raw"], FIRST[0], "the record byte for byte");
    assert_eq!(json[0]["attempts"].as_array().unwrap().len(), 2, "no attempt for another key");
}

#[test]
fn what_was_not_delivered_has_a_story_too() {
    let place = filled();
    assert_snapshot!([told(&place, "JY2"), told(&place, "JY3"), told(&place, "JY4"), told(&place, "JY5")].join("\n"), @r##"
    JY2: rejected at file:books (trades)

    page      page 0 (from 0) of slice 1, asked for modified 2024-06-05 00:00:00 .. 2024-06-06 00:00:00
              fetched 2024-06-06 01:00:00 UTC in run 1 from jackyun oms.trade.fullinfoget 8254c329a92850f6
              staging/trade/trade-00000001.parquet
    record    {
                "tradeNo": "JY2",
                "gmtModified": "2024-06-05 11:00:00",
                "totalFee": "99999999.10",
                "shopName": "a very long name of a shop"
              }
    row       _rid 4294967297 = row 1 (from 0) of slice 1 in trade
    document  JY2 · digest 010101010101, made by mapping 001122334455, source version 5
    request   run 1, batch 2, insert sent 2024-06-07T01:00:02.000Z
              {
                "totalFee": 12.300000,
                "key": "JY2"
              }
    answer    rejected, 2024-06-07T01:00:02.500Z
              1406
    receipt   rejected (run 1)
              [1406] shop: Data too long for column 'shop' at row 1
              next: cure the cause, then dukou deliver trades --key JY2

    JY3: blocked: not sent (trades)

    page      page 1 (from 0) of slice 1, asked for modified 2024-06-05 00:00:00 .. 2024-06-06 00:00:00
              fetched 2024-06-06 01:00:00 UTC in run 1 from jackyun oms.trade.fullinfoget 8254c329a92850f6
              staging/trade/trade-00000001.parquet
    record    {
                "tradeNo": "JY3",
                "gmtModified": "2024-06-05 12:00:00",
                "totalFee": null,
                "goodsDetail": []
              }
    row       _rid 4294967298 = row 2 (from 0) of slice 1 in trade
    blocked   [contract] totalFee: totalFee is null (run 1)
              next: correct the record or the mapping, then dukou deliver trades --remap

    JY4: left out by the mapping: no document (trades)

    page      page 1 (from 0) of slice 1, asked for modified 2024-06-05 00:00:00 .. 2024-06-06 00:00:00
              fetched 2024-06-06 01:00:00 UTC in run 1 from jackyun oms.trade.fullinfoget 8254c329a92850f6
              staging/trade/trade-00000001.parquet
    record    {
                "tradeNo": "JY4",
                "gmtModified": "2024-06-05 13:00:00",
                "totalFee": 0,
                "shopName": "旗舰店"
              }
    row       _rid 4294967299 = row 3 (from 0) of slice 1 in trade
    left out  no row of the mapping's result names this record (run 1)
              next: see its WHERE and JOINs; dukou preview trades --key JY4

    JY5: staged, not mapped yet (trades)

    page      page 0 (from 0) of slice 2, asked for modified 2024-06-06 00:00:00 .. 2024-06-07 00:00:00
              fetched 2024-06-07 01:00:00 UTC in run 2 from jackyun oms.trade.fullinfoget 8254c329a92850f6
              staging/trade/trade-00000002.parquet
    record    {
                "tradeNo": "JY5",
                "gmtModified": "2024-06-06 11:00:00",
                "totalFee": 1e1,
                "shopName": "旗舰店",
                "goodsDetail": null
              }
    row       _rid 8589934593 = row 1 (from 0) of slice 2 in trade
    next      dukou deliver trades --key JY5
    "##);
}

#[test]
fn an_unknown_key_names_its_neighbours() {
    let place = filled();
    let error = trace::trace(&place.setup, "JY17", None).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert_snapshot!(shown(&error), @r##"
    nothing is known of JY17: not in the ledgers (file:books), not among blocked rows, not staged (trade.tradeNo)
    hint: nearest keys: JY1; try: dukou trace JY1
    "##);
    let empty = trace::trace(&self::place().setup, "JY17", None).unwrap_err();
    assert!(empty.cure().unwrap().contains("dukou demo"), "{empty}");
}

fn shown(error: &Error) -> String {
    format!("{error}\nhint: {}", error.cure().unwrap_or_default())
}

#[test]
fn the_status_says_what_is_covered_delivered_and_open() {
    let mut place = filled();
    let status = status::status(&place.setup, &[]).unwrap();
    assert_eq!(status.exit_code(), 1);
    assert_snapshot!(cli::status::text(&status), @r##"
    trades  吉客云 销售单 → 文件
      covered   modified 2024-06-05 00:00:00 .. 2024-06-07 00:00:00
      staged    6 rows in 2 slices of trade; 1 slice not delivered yet
      target    file:books
      ledger    accepted 1 · rejected 1
      open      count  state     code      field     for example  text of one of them
                    1  blocked   contract  totalFee  JY3          totalFee is null
                    1  rejected  1406      shop      JY2          Data too long for column 'shop' at row 1
      left out  1 row that the mapping made nothing of: _rid 4294967299
      runs      run  started                   seconds  exit    command
                  2  2024-06-07T02:00:00.000Z           no end  dukou stage trades
                  1  2024-06-07T01:00:00.000Z      7.2  1       dukou run trades
      next      run 2 has no end: it is at work, or it was killed; if so, the same command goes on: dukou stage trades
      next      dukou deliver trades
      next      dukou trace JY3
      next      once the cause is cured: dukou deliver trades --remap
      next      dukou sql "SELECT * FROM trade_history WHERE _rid IN (4294967299)"
    "##);
    let json: serde_json::Value = serde_json::from_str(&cli::status::json(&status)).unwrap();
    assert_eq!(json["pipelines"][0]["ledger"]["rejected"], 1);
    // Without the variables: what the workspace remembers, and a word about it.
    let with = std::mem::replace(&mut place.setup.env, Env::only::<&str, &str>([]));
    let without = status::status(&place.setup, &["trades".to_owned()]).unwrap();
    let (a, b) = (&status.pipelines[0], &without.pipelines[0]);
    assert_eq!((&a.covered, a.rows, &a.target, &a.ledger), (&b.covered, b.rows, &b.target, &b.ledger));
    assert_snapshot!(b.notes.join("\n"), @r##"
    source.url: environment variable JACKYUN_URL is not set: slices of all accounts of table trade are shown
    sink.path: environment variable OUT is not set: the target of the last run is shown
    "##);
    place.setup.env = with;
    assert!(status::status(&place.setup, &["trade".to_owned()]).unwrap_err().cure().unwrap().contains("trades"));
    let empty = status::status(&self::place().setup, &[]).unwrap();
    assert_eq!(empty.exit_code(), 0);
    assert_snapshot!(cli::status::text(&empty), @r##"
    Nothing was staged yet: the workspace is empty.

    next  dukou demo (the whole way, on made-up trades)
          dukou check trades
          dukou stage trades --from 2024-06-01 --to 2024-06-02
    "##);
}

async fn rows(place: &Place, query: &str) -> Result<(String, String), Error> {
    let mut result = sql::query(&place.setup, query).await?;
    let names: Vec<String> = result.schema.fields().iter().map(|f| f.name().clone()).collect();
    let (mut cells, mut lines) = (Vec::new(), String::new());
    while let Some(batch) = result.next().await? {
        cells.extend(cli::sql::cells(&batch, 30)?);
        lines.push_str(&audit::sql::json_lines(&batch)?);
    }
    Ok((cli::sql::table(&names, &cells), lines))
}

#[tokio::test]
async fn one_select_reaches_everything() {
    let place = filled();
    // A process at work does not stand in the way.
    let mut at_work = Store::open(&place.setup.workspace).unwrap();
    let (table, json) = rows(
        &place,
        "SELECT tradeNo, totalFee, shopName, goodsDetail, _fetched_at, totalFee * 1.5 AS x, \
        CAST(1 AS DOUBLE) / 4 AS f FROM trade ORDER BY tradeNo",
    )
    .await
    .unwrap();
    assert_snapshot!(format!("{table}\n{json}"), @r##"
    tradeNo         totalFee  shopName                    goodsDetail                     _fetched_at                           x     f
    JY1            15.000000  旗舰店                      [{goodsNo: A, sellCount: 1.50…  2024-06-07T01:00:00Z         22.5000000  0.25
    JY2      99999999.100000  a very long name of a shop                                  2024-06-06T01:00:00Z  149999998.6500000  0.25
    JY3                                                   []                              2024-06-06T01:00:00Z                     0.25
    JY4             0.000000  旗舰店                                                      2024-06-06T01:00:00Z          0.0000000  0.25
    JY5            10.000000  旗舰店                                                      2024-06-07T01:00:00Z         15.0000000  0.25
    {"tradeNo":"JY1","totalFee":15.000000,"shopName":"旗舰店","goodsDetail":[{"goodsNo":"A","sellCount":1.500000,"_line":1}],"_fetched_at":"2024-06-07T01:00:00Z","x":22.5000000,"f":0.25}
    {"tradeNo":"JY2","totalFee":99999999.100000,"shopName":"a very long name of a shop","goodsDetail":null,"_fetched_at":"2024-06-06T01:00:00Z","x":149999998.6500000,"f":0.25}
    {"tradeNo":"JY3","totalFee":null,"shopName":null,"goodsDetail":[],"_fetched_at":"2024-06-06T01:00:00Z","x":null,"f":0.25}
    {"tradeNo":"JY4","totalFee":0.000000,"shopName":"旗舰店","goodsDetail":null,"_fetched_at":"2024-06-06T01:00:00Z","x":0.0000000,"f":0.25}
    {"tradeNo":"JY5","totalFee":10.000000,"shopName":"旗舰店","goodsDetail":null,"_fetched_at":"2024-06-07T01:00:00Z","x":15.0000000,"f":0.25}
    "##);
    let counts = "SELECT (SELECT count(*) FROM trade_history) AS history, (SELECT count(*) FROM trade_goodsDetail) AS lines,
        (SELECT count(*) FROM exchange WHERE state = 'accepted') AS accepted, (SELECT count(*) FROM blocked) AS blocked,
        (SELECT count(*) FROM unmapped) AS unmapped, (SELECT sum(staged) FROM slice) AS staged, (SELECT max(run) FROM run) AS run";
    assert_snapshot!(rows(&place, counts).await.unwrap().1, @r##"
    {"history":6,"lines":1,"accepted":2,"blocked":1,"unmapped":1,"staged":6,"run":2}
    "##);
    let joined = "SELECT d.key, d.state, d.code, t.shopName, e.answer FROM delivery d JOIN trade t ON t.tradeNo = d.key
        JOIN exchange e ON e.key = d.key AND e.target = d.target ORDER BY d.key, e.sent_at";
    assert_snapshot!(rows(&place, joined).await.unwrap().0, @r##"
    key  state     code  shopName                    answer
    JY1  accepted        旗舰店                      connection reset
    JY1  accepted        旗舰店                      {"id":41}
    JY2  rejected  1406  a very long name of a shop  1406
    "##);
    let many: Vec<Rid> = (0..10_000).map(|row| Rid::new(9, row)).collect();
    at_work.note_rows("other", 2, &[], &[], &many).unwrap();
    let (_, counted) = rows(&place, "SELECT count(*) AS n, count(DISTINCT rid) AS d FROM unmapped").await.unwrap();
    assert_eq!(counted, "{\"n\":10001,\"d\":10001}\n", "more than one batch");
}

#[tokio::test]
async fn anything_but_a_right_select_is_refused_with_place_and_cure() {
    let place = filled();
    let mut refusals = String::new();
    for query in [
        "SELECT tradeno\nFROM trade",
        "SELECT * FROM trades",
        "SELECT d.keys FROM delivery d",
        "SELECT countt(*) FROM trade",
        "SELECT 1 +",
        "SELECT 1; SELECT 2",
        "DROP TABLE trade",
        "INSERT INTO trade VALUES (1)",
        "SET a = 1",
        "COPY trade TO 'x.csv'",
        "SELECT CAST(tradeNo AS INT) FROM trade",
    ] {
        let error = rows(&place, query).await.unwrap_err();
        assert_eq!(error.exit_code(), 2, "{query}: {error}");
        refusals.push_str(&format!("{error}\n"));
    }
    assert_snapshot!(refusals, @r##"
    query:1:8: no column tradeno
      hint: did you mean tradeNo?
    query:1:15: no table trades
      hint: did you mean trade?
    query:1:8: no column keys
      hint: did you mean key?
    query:1:8: no function countt
      hint: did you mean count?
    query: Expected: an expression, found: EOF
    query: 2 statements in one query
      hint: a query is one SELECT
    query:1:1: DROP statements are refused
      hint: a query is one SELECT: it only reads
    query:1:1: INSERT statements are refused
      hint: a query is one SELECT: it only reads
    query:1:1: SET statements are refused
      hint: a query is one SELECT: it only reads
    query:1:1: COPY statements are refused
      hint: a query is one SELECT: it only reads
    query: Cast error: Cannot cast string 'JY2' to value of Int32 type
    "##);
}
