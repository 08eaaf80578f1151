//! Returns from 聚水潭 into the simulated 金蝶 ERP, through the real binary: each document its own outcome, none twice, none lost.

use crate::support::project::{Ended, MONTH, Project};
use dukou::sandbox::{Config, ErpStatus, JushuitanConfig, KingdeeConfig};
use serde_json::Value;
use std::collections::BTreeMap;

/// Good returns only, as fast as they are asked for.
fn good(returns: u32) -> Config {
    Config {
        trades: 1,
        jushuitan: JushuitanConfig {
            returns,
            calls_per_second: None,
            calls_per_minute: None,
            ..JushuitanConfig::default()
        },
        ..Config::default()
    }
}

async fn project(config: Config, changes: &[(&str, &str)]) -> Project {
    let project = Project::new(config).await;
    project.returns(changes);
    project
}

async fn run(project: &Project, data: &str, code: i32) -> Value {
    let line = [&["--json", "run", "returns"][..], &MONTH].concat();
    project.run(data, &line).await.expect(code).json()
}

/// The documents of the run by state.
fn states(report: &Value) -> BTreeMap<String, u64> {
    let states = report["balance"]["states"].as_object().expect("states");
    states.iter().map(|(state, n)| (state.clone(), n.as_u64().expect("a count"))).collect()
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(state, n)| ((*state).to_string(), *n)).collect()
}

/// Keys of the documents that the staged returns make, in their order.
async fn keys(project: &Project, data: &str) -> Vec<String> {
    project.run(data, &[&["stage", "returns"][..], &MONTH].concat()).await.expect(0);
    let query = "SELECT 'XT' || io_id AS key FROM inout ORDER BY _rid";
    let rows = project.run(data, &["--json", "sql", query]).await.expect(0);
    rows.out
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).expect("a row")["key"].as_str().expect("a key").into())
        .collect()
}

/// Nothing doubled, nothing misread, nothing left between the states.
fn is_sound(project: &Project) {
    let erp = project.sandbox.erp();
    assert_eq!(erp.doubled(), Vec::<String>::new());
    for document in erp.documents().iter().filter(|document| !document.foreign) {
        assert!(document.ignored.is_empty(), "{}: the ERP knows no {:?}", document.number, document.ignored);
        assert_eq!(document.status, ErpStatus::Audited, "{}", document.number);
    }
}

#[track_caller]
fn tells(story: &Ended, words: &[&str]) {
    for word in words {
        assert!(story.out.contains(word), "{word} is not in\n{}", story.out);
    }
}

#[tokio::test]
async fn five_at_once_two_refused_each_has_its_own_story() {
    let project = project(good(5), &[]).await;
    let keys = keys(&project, "data").await;
    for (key, text) in [(&keys[1], "期间已关账，不能审核"), (&keys[4], "更新库存出现负库存")] {
        project.sandbox.erp().refuse_audit(key, text);
    }
    let report = run(&project, "data", 1).await;
    assert_eq!(states(&report), counts(&[("accepted", 3), ("rejected", 2)]));
    assert_eq!(project.sandbox.erp().tally().save_calls, 1, "one call for all five");
    is_sound(&project);

    let accepted = project.sandbox.erp().document(&keys[0]).expect("it is there");
    let story = project.run("data", &["-v", "trace", &keys[0]]).await.expect(0);
    let (fid, stored) = (accepted.fid.to_string(), format!("\"Number\":\"{}\"", keys[0]));
    let parts = [
        "page",
        "record",
        "\"io_id\": ",
        "row",
        "document",
        "request",
        "BatchSave",
        "\"FBillNo\": ",
        "answer",
        "receipt",
    ];
    tells(&story, &parts);
    tells(&story, &[&fid, "accepted"]);
    assert!(story.out.replace(' ', "").contains(&stored), "{}", story.out);
    let story = project.run("data", &["-v", "trace", &keys[4]]).await.expect(0);
    tells(&story, &parts);
    tells(&story, &["rejected", "更新库存出现负库存"]);

    let rejected = project.run("data", &["rejected", "returns"]).await.expect(1);
    tells(&rejected, &["2 documents by 2 causes", "期间已关账", "更新库存出现负库存", &keys[1], "cure:"]);
}

/// The script of the order: 530 documents in batches of 50, the connection dropped after every third stored batch, 76 refused
/// inside a 200.
#[tokio::test]
async fn five_hundred_and_thirty_with_lost_answers_and_refusals() {
    let project = project(good(530), &[("batch_docs = 20", "batch_docs = 50")]).await;
    let keys = keys(&project, "data").await;
    assert_eq!(keys.len(), 530);
    let refused: Vec<&String> = keys.iter().step_by(7).take(76).collect();
    for key in &refused {
        project.sandbox.erp().refuse_audit(key, "单据数据不合法，审核不通过");
    }
    let lost = "kingdee:lost-reply@every:3".parse().expect("a fault");
    project.sandbox.set_vendor_faults("kingdee", vec![lost]);
    let report = run(&project, "data", 1).await;
    let became = states(&report);
    let there = became.get("accepted").unwrap_or(&0) + became.get("present").unwrap_or(&0);
    assert_eq!((there, became["rejected"], became.values().sum::<u64>()), (454, 76, 530), "{became:?}");
    assert_eq!(report["balance"]["breaches"], serde_json::json!([]));
    assert_eq!(project.sandbox.erp().count(), 454);
    is_sound(&project);
    let story = project.run("data", &["trace", refused[75]]).await.expect(0);
    tells(&story, &["rejected", "审核不通过"]);

    project.sandbox.set_vendor_faults("kingdee", Vec::new());
    let saves = project.sandbox.erp().tally().save_calls;
    let again = run(&project, "data", 1).await;
    assert_eq!((again["balance"]["documents"].as_u64(), project.sandbox.erp().tally().save_calls), (Some(0), saves));
    let back: BTreeMap<String, u64> = serde_json::from_value(again["ledger"].clone()).expect("the ledger");
    assert_eq!(back.values().sum::<u64>(), 530, "{back:?}");
}

#[tokio::test]
async fn saved_but_not_audited_is_finished_and_never_saved_again() {
    let kingdee = KingdeeConfig { refused_audit_undoes_save: false, ..KingdeeConfig::default() };
    let project = project(Config { kingdee, ..good(60) }, &[]).await;
    let keys = keys(&project, "data").await;
    project.sandbox.erp().refuse_audit(&keys[3], "审批流未通过");
    let lost = "kingdee:own=lost-before-audit@1".parse().expect("a fault");
    project.sandbox.set_vendor_faults("kingdee", vec![lost]);
    let report = run(&project, "data", 1).await;
    let became = states(&report);
    assert_eq!(became["rejected"], 1, "{became:?}");
    assert_eq!(became.values().sum::<u64>(), 60, "{became:?}");
    let erp = project.sandbox.erp();
    assert_eq!((erp.count(), erp.tally().created), (60, 60));
    assert!(keys.iter().all(|key| erp.tries(key) == 1), "no document was saved twice");
    assert_eq!((erp.count_in(ErpStatus::Audited), erp.doubled()), (59, Vec::new()));

    // The one whose audit was refused is there, and the books say where.
    let fid = erp.document(&keys[3]).expect("saved").fid.to_string();
    let story = project.run("data", &["-v", "trace", &keys[3]]).await.expect(0);
    tells(&story, &["rejected", "审批流未通过", &fid, "Submit", "Audit"]);

    // Once the reason is gone, a retry finishes it by Submit and Audit alone.
    erp.refuse_audit(&keys[3], "");
    project.run("data", &["deliver", "returns", "--key", &keys[3]]).await.expect(0);
    assert_eq!((erp.tries(&keys[3]), erp.count_in(ErpStatus::Audited)), (1, 60));
    run(&project, "data", 0).await;
}

#[tokio::test]
async fn a_lost_workspace_doubles_nothing() {
    let project = project(good(120), &[]).await;
    let report = run(&project, "first", 0).await;
    assert_eq!(states(&report), counts(&[("accepted", 120)]));
    let before = project.sandbox.erp().tally();
    let report = run(&project, "second", 0).await;
    assert_eq!(states(&report), counts(&[("present", 120)]));
    let after = project.sandbox.erp().tally();
    assert_eq!((after.save_calls, after.tried), (before.save_calls, before.tried), "asked first, sent nothing");
    is_sound(&project);
}

#[tokio::test]
async fn less_than_was_sent_and_a_foreign_document_need_a_person() {
    let project = project(good(30), &[]).await;
    let keys = keys(&project, "data").await;
    let erp = project.sandbox.erp();
    erp.drop_line(&keys[2]);
    erp.seed_foreign(
        &keys[7],
        &[("FDate", "2020-01-01"), ("FRetcustId", "CUST030")],
        &[&[("FMaterialId", "SKU00001")]],
    );
    let report = run(&project, "data", 4).await;
    assert_eq!(states(&report), counts(&[("accepted", 28), ("conflict", 2)]));
    for (key, why) in [(&keys[2], "lines"), (&keys[7], "2020-01-01")] {
        let fid = erp.document(key).expect("it is there").fid.to_string();
        let story = project.run("data", &["trace", key]).await.expect(0);
        tells(&story, &["conflict", why, &fid]);
    }
    assert!(erp.tries(&keys[7]) <= 1 && erp.tries(&keys[2]) == 1);
    run(&project, "data", 4).await;
    assert_eq!(erp.tries(&keys[2]), 1, "a conflict is left alone");
    is_sound(&project);

    // Once a person has removed the foreign one, ours is delivered when it is asked for by name.
    erp.remove(&keys[7]);
    project.run("data", &["deliver", "returns", "--key", &keys[7]]).await.expect(4);
    assert_eq!(erp.documents_of(&keys[7]).len(), 1);
    assert!(erp.document(&keys[7]).is_some_and(|document| !document.foreign));
    let report = run(&project, "data", 4).await;
    assert_eq!(report["ledger"]["conflict"], 1, "the one with a lost line is still open: {report}");
    is_sound(&project);
}

/// Of a document with one line nothing is left to be seen: it was stored all the same, and is not stored again.
#[tokio::test]
async fn a_document_that_lost_its_only_line_is_not_saved_again() {
    let project = project(good(60), &[]).await;
    keys(&project, "data").await;
    let query = "SELECT 'XT' || io_id AS key FROM inout WHERE array_length(items) = 1 AND batchs IS NULL LIMIT 1";
    let rows = project.run("data", &["--json", "sql", query]).await.expect(0);
    let row: Value = serde_json::from_str(rows.out.lines().next().expect("one has one line")).expect("a row");
    let key = row["key"].as_str().expect("a key");
    project.sandbox.erp().drop_line(key);
    let report = run(&project, "data", 4).await;
    assert_eq!(states(&report), counts(&[("accepted", 59), ("conflict", 1)]));
    let fid = project.sandbox.erp().document(key).expect("it is there").fid.to_string();
    let story = project.run("data", &["trace", key]).await.expect(0);
    tells(&story, &["conflict", &fid]);
    assert_eq!(project.sandbox.erp().tries(key), 1);
}

/// A field that a look-up left empty is told, and the run is not green.
#[tokio::test]
async fn a_look_up_without_a_match_is_not_green() {
    let (right, wrong) = ("salesman.csv\"\nkey = \"name\"", "salesman.csv\"\nkey = \"fnumber\"");
    let project = project(good(40), &[(right, wrong)]).await;
    let line = [&["run", "returns"][..], &MONTH].concat();
    let screen = project.run("data", &line).await.expect(1);
    tells(&screen, &["look-up without match: salesman: "]);
}

#[tokio::test]
async fn a_canary_goes_first() {
    let project = project(good(40), &[]).await;
    let keys = keys(&project, "data").await;
    let deliver = async |more: &[&str]| {
        let line = [&["--json", "deliver", "returns"][..], more].concat();
        states(&project.run("data", &line).await.expect(0).json())
    };
    assert_eq!(deliver(&["--limit", "5"]).await, counts(&[("accepted", 5)]));
    assert_eq!(project.sandbox.erp().count(), 5);
    assert_eq!(deliver(&["--key", &keys[33]]).await, counts(&[("accepted", 1)]));
    assert_eq!(deliver(&[]).await, counts(&[("accepted", 34), ("unchanged", 6)]));
    assert_eq!(project.sandbox.erp().tally().created, 40);
    is_sound(&project);
}

/// The order of the bytes is the order of the columns: the ERP works through the fields as they come.
#[tokio::test]
async fn the_finance_part_stands_before_the_lines() {
    let project = project(good(12), &[]).await;
    let keys = keys(&project, "data").await;
    let preview = project.run("data", &["preview", "returns", "--key", &keys[0]]).await.expect(0);
    insta::assert_snapshot!(preview.out);
    let report = run(&project, "data", 0).await;
    assert_eq!(states(&report), counts(&[("accepted", 12)]));
}
