//! What arrives is what the vendor has: hostile text byte for byte, one bad document alone, Parquet that anybody reads.

use super::{TRADES, deliver_to, whole_month};
use crate::support::books::millionths;
use crate::support::database::Database;
use crate::support::project::{MONTH, Project, month};
use crate::support::{skipped, vendor};
use dukou::sandbox::Config;
use std::collections::BTreeMap;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn hostile_memos_arrive_byte_for_byte() {
    let Some(database) = Database::make("hostile values").await else { return };
    let mut project = Project::new(Config { bad: false, days: 1, ..month(600) }).await;
    deliver_to(&mut project, &database);
    project.run("data", &whole_month()).await.expect(0);
    let fields = "tradeNo,orderNo,sellerMemo,payerAddress";
    let (from, to) = ("2024-06-01 00:00:00", "2024-06-02 00:00:00");
    let trades = vendor::trades(&project.sandbox, from, to, 200, fields).await;
    assert_eq!(trades.len(), 200);
    let sql = "SELECT d.doc_key, s.dispatch_id, s.return_reason, s.receive_address \
               FROM dukou_delivery d JOIN sale_return s ON s.id = d.remote";
    type Row = (String, Option<String>, Option<String>, Option<String>);
    let rows: Vec<Row> = database.rows(sql).await;
    let stored: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.0.as_str(), row)).collect();
    let text = |trade: &serde_json::Value, field: &str| trade[field].as_str().map(str::to_string);
    let mut hostile = 0;
    for trade in &trades {
        let key = trade["tradeNo"].as_str().expect("a number");
        let (_, order, memo, address) = stored.get(key).unwrap_or_else(|| panic!("{key} is not there"));
        assert_eq!((order, memo), (&text(trade, "orderNo"), &text(trade, "sellerMemo")), "{key}");
        assert_eq!(address, &text(trade, "payerAddress"), "{key}");
        let marks = ["'); DROP TABLE", "1=1; UPDATE", "🚚", "𠮷", "C:\\temp", "\r\n", "O'Neil", "${HOME}"];
        hostile += usize::from(memo.as_ref().is_some_and(|m| marks.iter().any(|mark| m.contains(mark))));
    }
    assert!(hostile > 20, "only {hostile} memos were hostile");
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_document_of_five_hundred_stays_behind_alone() {
    let Some(database) = Database::make("one bad document").await else { return };
    let mut project = Project::new(Config { bad: false, days: 1, ..month(500) }).await;
    deliver_to(&mut project, &database);
    let truth = project.sandbox.truth();
    let (from, to) = ("2024-06-01 00:00:00", "2024-06-02 00:00:00");
    let trades = vendor::trades(&project.sandbox, from, to, 200, "tradeNo,orderNo").await;
    let (key, order) = (trades[123]["tradeNo"].as_str(), trades[123]["orderNo"].as_str().expect("a number"));
    let refuse = format!("ALTER TABLE sale_return ADD CONSTRAINT not_this_one CHECK (dispatch_id <> '{order}')");
    database.execute(&refuse).await;
    let report = project.run("data", &whole_month()).await.expect(1).json();
    let states = report["balance"]["states"].to_string();
    assert_eq!(states, r#"{"accepted":499,"rejected":1}"#, "{report}");
    let cause = &report["causes"][0];
    assert_eq!(cause["examples"][0].as_str(), key, "{cause}");
    assert!(cause["text"].as_str().is_some_and(|text| text.contains("not_this_one")), "{cause}");
    assert_eq!(database.delivered().await, 499);

    // The cause is mended: it goes in, and nothing else does.
    database.execute("ALTER TABLE sale_return DROP CONSTRAINT not_this_one").await;
    let report = project.run("data", &["--json", "deliver", TRADES, "--remap"]).await.expect(0).json();
    assert_eq!(report["balance"]["states"].to_string(), r#"{"unchanged":499,"accepted":1}"#, "{report}");
    let target = crate::support::books::Target::of_mysql(&database).await;
    target.check(&truth);
    target.check_ledger(&project.path("data"), &truth);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staged_files_are_read_by_pyarrow_and_duckdb() {
    let Ok(python) = std::env::var("DUKOU_TEST_PYTHON") else {
        return skipped("staged Parquet read by pyarrow and DuckDB (DUKOU_TEST_PYTHON is not set)");
    };
    let project = Project::new(Config { days: 1, ..month(1_000) }).await;
    project.pipeline(TRADES, TRADES, &[]);
    project.run("data", &[&["stage", TRADES], &MONTH[..2], &["--to", "2024-06-02"]].concat()).await.expect(0);
    let truth = project.sandbox.truth();
    let (mut rows, mut lines, mut count) = (0, 0, 0);
    let staging = project.path("data/staging/trade");
    for file in std::fs::read_dir(&staging).expect("a folder") {
        let path = file.expect("a file").path();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/py/read_staged.py");
        let read = Command::new(&python).arg(script).arg(&path).output().expect("python");
        assert!(read.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&read.stderr));
        let seen: serde_json::Value = serde_json::from_slice(&read.stdout).expect("one line of JSON");
        assert_eq!(seen["decimal_type"], "decimal128(18, 6)", "{seen}");
        rows += seen["rows"].as_u64().expect("a count");
        lines += seen["list_lengths"].as_u64().expect("a count");
        count += millionths(seen["list_decimal_sum"].as_str().expect("decimal text"));
    }
    assert_eq!((rows, lines, count), (truth.trades, truth.lines, i128::from(truth.sell_count) * 10_000));
}
