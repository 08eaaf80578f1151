//! What becomes of records: one fails alone, some are left out and counted, a changed mapping is noticed.

use crate::support_project::{DAYS, Project, Screen, filters, number, sandbox};
use serde_json::Value;
use std::path::Path;

/// Trades of the sandbox; with bad ones, one of each kind.
const TRADES: u64 = 250;

/// Columns that fill the main statement, after `_rid` and `_key`.
const MAIN: &str = "orderNo AS dispatch_id, '1' AS return_status, '' AS return_reason, customerCode AS receive_cust_id,
  '' AS receive_phone, '' AS receive_address, consignTime AS delivery_date, consignTime AS date";
/// The lines of a trade, for the extension.
const LINES: &str = "array_transform(goodsDetail, g -> {goods_id: g['goodsNo'], must_qty: g['sellCount'],
  real_qty: g['sellCount'], unit_id: g['unit'], stock_id: warehouseCode, stock_status: tradeStatus,
  create_time: consignTime}) AS extend_params_1";

/// A project with its trades staged, and their documents as `preview` shows them.
async fn staged(bad: bool) -> (Project, Vec<Value>) {
    let sandbox = sandbox(u32::try_from(TRADES).expect("few"), bad).await;
    let mut project = Project::new();
    project.use_sandbox(&sandbox);
    let mut line = vec!["stage", "jackyun_trades_to_sqlite"];
    line.extend(DAYS);
    let screen = project.dukou(&line).expect(0);
    assert_eq!(screen.count("staged"), TRADES, "{}", screen.stdout);
    let screen = project.dukou(&["preview", "jackyun_trades_to_sqlite", "--limit", "1000", "--json"]).expect(0);
    let documents = screen.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    sandbox.stop().await.expect("stopped");
    (project, documents)
}

fn balanced(screen: Screen, code: i32) -> Screen {
    let screen = screen.expect(code);
    assert!(screen.stdout.contains("the books balance"), "{}", screen.stdout);
    assert_eq!(screen.count("rows in scope"), screen.count("mapped") + screen.count("left out"), "{}", screen.stdout);
    screen
}

fn keys(documents: &[Value]) -> Vec<&str> {
    documents.iter().map(|d| d["key"].as_str().expect("a key")).collect()
}

fn warehouse(document: &Value) -> &str {
    document["document"]["extend_params_1"][0]["stock_id"].as_str().expect("a warehouse")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_on_which_the_engine_fails_is_rejected_alone() {
    let (mut project, documents) = staged(false).await;
    let guilty = keys(&documents)[100];
    let sql = format!(
        "SELECT _rid, tradeNo AS _key, {MAIN},
           array_transform(goodsDetail, g -> {{goods_id: g['goodsNo'], must_qty: g['sellCount'] / CASE WHEN tradeNo = '{guilty}' THEN 0 ELSE 1 END,
             real_qty: 1, unit_id: g['unit'], stock_id: '', stock_status: '', create_time: consignTime}}) AS extend_params_1
         FROM trade"
    );
    project.own("zero", "jackyun_trades_to_sqlite", &sql);
    let target = project.use_target("zero.db");
    let screen = balanced(project.dukou(&["deliver", "zero"]), 1);
    assert_eq!((screen.count("accepted"), screen.count("blocked")), (TRADES - 1, 1), "{}", screen.stdout);
    let cause = screen.stdout.lines().find(|line| line.contains("evaluation")).expect("the cause");
    assert!(cause.contains("blocked") && cause.to_lowercase().contains("divide by zero"), "{cause}");
    assert_eq!(number(&target, &format!("SELECT count(*) FROM dukou_delivery WHERE doc_key = '{guilty}'")), 0);
    assert_eq!(number(&target, "SELECT count(*) FROM sale_return"), TRADES as i64 - 1);
    // The cure brings it in, and only it.
    project.edit("sql/mapping/zero.sql", "THEN 0", "THEN 1");
    let screen = balanced(project.dukou(&["deliver", "zero", "--key", guilty]), 0);
    assert_eq!(screen.count("accepted"), 1, "{}", screen.stdout);
    assert_eq!(number(&target, "SELECT count(*) FROM sale_return"), TRADES as i64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_a_mapping_loses_are_counted_and_listable() {
    let (mut project, documents) = staged(true).await;
    let sent: Vec<Value> = documents.into_iter().filter(|d| d["document"].is_object()).collect();
    let lost = warehouse(&sent[0]).to_owned();
    let mut known: Vec<&str> = sent.iter().map(warehouse).filter(|code| *code != lost).collect();
    known.sort_unstable();
    known.dedup();
    project.write("sql/lookup/warehouse.csv", &format!("code,name\n{},仓\n", known.join(",仓\n")));
    let lookup = "\n[lookup.warehouse]\ncsv = \"lookup/warehouse.csv\"\nkey = \"code\"\n";

    // An inner join with a reference table.
    let join = format!(
        "SELECT t._rid, t.tradeNo AS _key, {MAIN}, {LINES} FROM trade t JOIN warehouse w ON w.code = t.warehouseCode
         WHERE t.tradeStatus NOT IN (5010, 5020)"
    );
    project.own("joined", "jackyun_trades_to_sqlite", &join);
    project.write("pipelines/joined.toml", &(project.read("pipelines/joined.toml") + lookup));
    project.use_target("joined.db");
    let screen = balanced(project.dukou(&["deliver", "joined"]), 1);
    let left_out = screen.count("left out");
    let gone = sent.iter().filter(|d| warehouse(d) == lost).count() as u64;
    assert!(left_out >= gone && gone > 0 && left_out < TRADES / 2, "{gone} of {left_out}: {}", screen.stdout);
    let listed = project.state("SELECT count(*) FROM unmapped WHERE pipeline = 'joined'");
    assert_eq!(listed, left_out as i64, "each of them can be listed");

    // An unnest over null: the one trade without lines.
    let unnest = "SELECT _rid, tradeNo || '-' || CAST(g['subTradeId'] AS VARCHAR) AS _key, g['goodsNo'] AS goods
         FROM (SELECT _rid, tradeNo, unnest(goodsDetail) AS g FROM trade)";
    project.own("unnested", "jackyun_trades_to_file", unnest);
    project.set("DUKOU_FILE_PATH", project.path("unnested.jsonl").display().to_string());
    let screen = balanced(project.dukou(&["deliver", "unnested"]), 1);
    assert_eq!(screen.count("left out"), 1, "{}", screen.stdout);
    assert!(screen.count("documents") > TRADES, "one for each line: {}", screen.stdout);
    let rid = project.state("SELECT rid FROM unmapped WHERE pipeline = 'unnested'");
    assert!(rid > 0 && screen.stdout.contains("FROM unmapped"), "the screen says how: {}", screen.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_mapping_touches_old_documents_only_when_asked_to() {
    let (mut project, documents) = staged(false).await;
    let shops = "name,no\nnobody,1\n";
    project.write("sql/lookup/shop.csv", shops);
    let sql = format!("SELECT _rid, tradeNo AS _key, {MAIN}, {LINES} FROM trade");
    project.own("changing", "jackyun_trades_to_sqlite", &sql);
    let lookup = "\n[lookup.shop]\ncsv = \"lookup/shop.csv\"\nkey = \"name\"\n";
    project.write("pipelines/changing.toml", &(project.read("pipelines/changing.toml") + lookup));
    let target = project.use_target("changing.db");
    let screen = balanced(project.dukou(&["deliver", "changing"]), 0);
    assert_eq!(screen.count("accepted"), TRADES, "{}", screen.stdout);

    project.edit(
        "sql/mapping/changing.sql",
        "'1' AS return_status",
        "coalesce(lookup('shop', 'no', shopName), '2') AS return_status",
    );
    let screen = balanced(project.dukou(&["deliver", "changing"]), 0);
    assert_eq!(screen.count("documents"), 0, "old keys are left alone: {}", screen.stdout);
    let screen = balanced(project.dukou(&["deliver", "changing", "--remap"]), 1);
    assert_eq!((screen.count("changed"), screen.count("accepted")), (TRADES, 0), "{}", screen.stdout);
    let missed: u64 = screen
        .stdout
        .lines()
        .filter_map(|line| {
            line.strip_prefix("look-up without match: shop: ")?.rsplit_once('(')?.1.strip_suffix(" times)")
        })
        .map(|count| count.parse::<u64>().expect("a count"))
        .sum();
    assert_eq!(missed, documents.len() as u64, "every miss is counted: {}", screen.stdout);
    assert_eq!(number(&target, "SELECT count(*) FROM sale_return WHERE return_status = '1'"), TRADES as i64);

    project.write("sql/mapping/changing.sql", &sql);
    let screen = balanced(project.dukou(&["deliver", "changing", "--remap"]), 0);
    assert_eq!(screen.count("unchanged"), TRADES, "{}", screen.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_document_of_several_records_needs_the_scope_all() {
    let (mut project, _) = staged(false).await;
    let sql = "SELECT array_agg(_rid) AS _rid, warehouseCode AS _key, count(*) AS trades, sum(payment) AS paid
         FROM trade GROUP BY warehouseCode";
    project.own("sums", "jackyun_trades_to_file", sql);
    project.set("DUKOU_FILE_PATH", project.path("sums.jsonl").display().to_string());
    let refused = project.dukou(&["deliver", "sums"]).expect(2);
    assert!(refused.stderr.contains("scope = \"all\""), "{}", refused.stderr);
    project.edit("pipelines/sums.toml", "[mapping]\n", "[mapping]\nscope = \"all\"\n");
    let screen = balanced(project.dukou(&["deliver", "sums"]), 0);
    assert_eq!(screen.count("mapped"), TRADES, "{}", screen.stdout);
    assert_eq!(sum_of(&project.path("sums.jsonl"), "trades"), TRADES, "every trade is in one of the sums");
    assert_eq!(balanced(project.dukou(&["deliver", "sums"]), 0).count("accepted"), 0);
}

fn sum_of(file: &Path, field: &str) -> u64 {
    let text = std::fs::read_to_string(file).expect("documents");
    let count = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let document = if line["document"].is_object() { line["document"].clone() } else { line };
        document[field].as_u64().unwrap_or_else(|| panic!("{field} in {document}"))
    };
    text.lines().map(count).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ad_hoc_slice_fetches_what_it_names_and_moves_no_mark() {
    let sandbox = sandbox(40, false).await;
    let mut project = Project::new();
    project.use_sandbox(&sandbox);
    let name = "jackyun_trades_to_sqlite";
    let mut line = vec!["stage", name];
    line.extend(DAYS);
    project.dukou(&line).expect(0);
    let screen = project.dukou(&["preview", name, "--limit", "2", "--json"]).expect(0);
    let documents: Vec<Value> = screen.stdout.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let marks = "SELECT count(*) FROM slice WHERE from_wall IS NOT NULL AND sealed_at IS NOT NULL";
    let before = project.state(marks);
    let set = format!("tradeNo={}", keys(&documents).join(","));
    let screen = project.dukou(&["stage", name, "--set", &set]).expect(0);
    assert_eq!(screen.count("staged"), 2, "{}", screen.stdout);
    assert_eq!(project.state(marks), before, "no window was covered by it");
    assert_eq!(project.state("SELECT count(*) FROM slice WHERE axis = 'adhoc' AND staged = 2"), 1);
    let screen = project.dukou(&["stage", name, "--set", "tradeno=A"]);
    insta::with_settings!({ filters => filters() }, { insta::assert_snapshot!(screen.whole()) });
    sandbox.stop().await.expect("stopped");
}
