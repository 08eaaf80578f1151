//! Asking what stands there, finishing what is behind, and the check before a run.

use super::*;
use crate::base::Kind;
use crate::base::lifecycle::State;
use crate::sink::Proof;

fn brief(found: &Found) -> String {
    let Found::There { remote, state, proof } = found else { return "missing".into() };
    let proof = match proof {
        Proof::Agrees => "agrees".to_string(),
        Proof::Unasked => "unasked".to_string(),
        Proof::Digest(_) => "digest".to_string(),
        Proof::Foreign(reason) => format!("foreign {} {}", reason.code, reason.field.as_deref().unwrap_or("-")),
    };
    format!(
        "{} {} {proof}",
        if *state == State::Present { "present" } else { "behind" },
        remote.as_deref().unwrap_or("-")
    )
}

async fn found(settings: &Kingdee, there: Json, remote: Option<&str>, with_document: bool) -> String {
    let (sink, script) = sink_of(settings, vec![query(&["T1"]).says(there)]);
    let document = document("T1", 2);
    let asked = Asked { key: &document.key, document: with_document.then_some(&document), remote };
    let found = sink.find(&[asked]).await.expect("an answer");
    script.is_over();
    brief(&found[0])
}

#[tokio::test]
async fn what_stands_there_is_compared_with_the_document() {
    let row = |number: &str, date: &str, customer: &str, line: i64| json!([101, number, "C", date, customer, line]);
    let two = |number: &str, date: &str, customer: &str| {
        json!([row(number, date, customer, 1), row(number, date, customer, 2), row(number, date, customer, 2)])
    };
    let table = vec![
        (json!([]), "missing"),
        (two("T1", "2024-01-02T00:00:00", "CUST001"), "present 101 agrees"),
        (two("T1", "2024-01-03T00:00:00", "CUST001"), "present 101 foreign foreign FDate"),
        (two("T1", "2024-01-02T00:00:00", "CUST002"), "present 101 foreign foreign FRetcustId.FNumber"),
        (two("t1", "2024-01-02T00:00:00", "CUST001"), "present 101 foreign foreign -"),
        (rows(&[(101, "T1", "B", 2)]), "behind 101 agrees"),
        (rows(&[(101, "T1", "Z", 2)]), "behind 101 agrees"),
        (rows(&[(101, "T1", "C", 1)]), "present 101 foreign lines FEntity"),
        // A kit may add lines.
        (rows(&[(101, "T1", "C", 3)]), "present 101 agrees"),
        (two("T1", "2024-01-02T00:00:00", "cust001"), "present 101 agrees"),
        (rows(&[(101, "T1", "C", 2), (102, "T1", "C", 2)]), "present 101 foreign doubled -"),
    ];
    for (there, expected) in table {
        assert_eq!(found(&settings(), there, None, true).await, expected);
    }
    let ours = || rows(&[(101, "T1", "C", 2)]);
    assert_eq!(found(&settings(), ours(), None, false).await, "present 101 unasked");
    assert_eq!(found(&settings(), ours(), Some("101"), true).await, "present 101 agrees");
    assert_eq!(found(&settings(), ours(), Some("100"), true).await, "present 101 foreign foreign -");
    // Saved is the goal without IsAutoSubmitAndAudit; nothing to compare is no proof.
    let mut saved = settings();
    saved.options.clear();
    (saved.verify, saved.entry) = (Vec::new(), None);
    for (status, expected) in [("A", "present 101 unasked"), ("B", "present 101 unasked"), ("Z", "behind 101 unasked")]
    {
        assert_eq!(found(&saved, json!([[101, "T1", status]]), None, true).await, expected);
    }
}

#[tokio::test]
async fn many_numbers_are_asked_in_parts_and_many_lines_in_pages() {
    let keys: Vec<String> = (0..101).map(|i| format!("T{i:03}")).collect();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let all = rows(&[(7, "T042", "C", 2_500)]);
    let lines = all.as_array().expect("rows");
    let steps = vec![
        // The server gives less than was asked for: that is not the end.
        query(&names[..100]).says(Json::from(lines[..1_000].to_vec())),
        query(&names[..100]).says(Json::from(lines[1_000..2_000].to_vec())),
        query(&names[..100]).says(Json::from(lines[2_000..].to_vec())),
        query(&names[..100]).says("[]"),
        query(&names[100..]).says("[]"),
    ];
    let (sink, script) = sink_of(&settings(), steps);
    let documents: Vec<Document> =
        names.iter().map(|key| document(key, if *key == "T042" { 2_500 } else { 1 })).collect();
    let asked: Vec<Asked<'_>> =
        documents.iter().map(|d| Asked { key: &d.key, document: Some(d), remote: None }).collect();
    let found = sink.find(&asked).await.expect("answers");
    script.is_over();
    assert_eq!(
        (found.len(), brief(&found[42]).as_str(), brief(&found[41]).as_str()),
        (101, "present 7 agrees", "missing")
    );
    let requests = script.requests.lock().expect("no panic");
    let starts: Vec<Json> = requests
        .iter()
        .map(|r| serde_json::from_slice::<Json>(&r.body).expect("JSON")["data"]["StartRow"].clone())
        .collect();
    assert_eq!(starts, [0, 1_000, 2_000, 2_500, 0]);
}

#[tokio::test]
async fn a_failure_dressed_as_a_row_is_an_error_not_a_document() {
    let table = [
        ("unknown_form", Kind::Config, "sink.form"),
        ("unknown_field", Kind::Config, "sink.verify"),
        ("empty_parameter", Kind::Config, ""),
        ("bad_filter", Kind::Protocol, ""),
    ];
    let recorded: Json = serde_json::from_str(&fixture("kingdee-resp-business-errors-by-msgcode.json")).expect("JSON");
    for (case, kind, cure) in table {
        let (sink, script) =
            sink_of(&settings(), vec![Step { about: None, ..query(&[]) }.says(json!([[recorded[case]]]))]);
        let error = sink.check().await.expect_err(case);
        script.is_over();
        assert_eq!(error.kind(), kind, "{case}: {error}");
        assert!(error.cure().unwrap_or_default().contains(cure), "{case}: {error}");
    }
    for short in [json!([[1, "T1"]]), json!([[{"a": 1}]]), json!([[[1], 2, 3, 4, 5, 6]])] {
        let steps = (0..3).map(|_| query(&["T1"]).says(&short)).collect();
        let (sink, _) = sink_of(&settings(), steps);
        let key = DocKey::new("T1").expect("a key");
        sink.find(&[Asked { key: &key, document: None, remote: None }]).await.expect_err("no row of ours");
    }
    let (sink, _) = sink_of(&settings(), vec![Step { about: None, ..query(&[]) }.says("[]")]);
    sink.check().await.expect("all is well");
    assert_eq!(
        (sink.target(), sink.refuses_doubles()),
        ("kingdee://erp.example/5f0c1a2b3c4d5e/SAL_RETURNSTOCK", false)
    );
}

async fn finished(behind: &[(&str, &str)], steps: Vec<Step>) -> Vec<String> {
    finished_as(&settings(), behind, steps).await
}

async fn finished_as(settings: &Kingdee, behind: &[(&str, &str)], steps: Vec<Step>) -> Vec<String> {
    let (sink, script) = sink_of(settings, steps);
    let unfinished: Vec<Unfinished> = behind
        .iter()
        .map(|(key, remote)| Unfinished { key: DocKey::new(key).expect("a key"), remote: (*remote).to_string() })
        .collect();
    let receipts = sink.finish(&unfinished).await.expect("receipts");
    script.is_over();
    assert!(receipts.iter().all(|r| r.exchanges.iter().all(|e| !e.operation.contains("Save"))));
    receipts.iter().map(|r| short(&r.outcome)).collect()
}

#[tokio::test]
async fn without_an_audit_asked_for_nothing_is_submitted_or_audited() {
    let mut saved = settings();
    saved.options.clear();
    let steps = vec![query(&["T1", "T2", "T3", "T4"]).says(rows(&[
        (101, "T1", "Z", 2),
        (102, "T2", "A", 2),
        (203, "T3", "Z", 2),
    ]))];
    let behind = [("T1", "101"), ("T2", "102"), ("T3", "103"), ("T4", "104")];
    let expected = ["behind 101 status", "accepted 102", "unknown gone", "unknown gone"];
    assert_eq!(finished_as(&saved, &behind, steps).await, expected);
}

#[tokio::test]
async fn refused_credentials_are_no_fault_of_a_document() {
    let steps = vec![
        query(&["T1"]).says(rows(&[(101, "T1", "B", 2)])),
        operate("Audit", &["101"]).says(lost_session()),
        operate("Audit", &["101"]).says(lost_session()),
        query(&["T1"]).says(rows(&[(101, "T1", "B", 2)])),
    ];
    assert_eq!(finished(&[("T1", "101")], steps).await, ["unknown session"]);
}

#[tokio::test]
async fn a_lost_call_is_dated_from_before_it_was_made() {
    let slow = Duration::from_millis(40);
    let steps = vec![
        query(&["T1"]).says(rows(&[(101, "T1", "B", 2)])),
        operate("Audit", &["101"]).fails(broken()).after(slow),
        query(&["T1"]).says(rows(&[(101, "T1", "C", 2)])),
    ];
    let (sink, script) = sink_of(&settings(), steps);
    let behind = [Unfinished { key: DocKey::new("T1").expect("a key"), remote: "101".into() }];
    let receipts = sink.finish(&behind).await.expect("receipts");
    script.is_over();
    let audit = receipts[0].exchanges.iter().find(|e| e.operation == "Audit").expect("an audit");
    assert!((audit.answered_at - audit.sent_at).to_std().expect("forward") >= slow);
}

#[tokio::test]
async fn what_is_behind_is_submitted_and_audited_never_saved() {
    let refused = answer(&[(102, "T2", 0)], &[(None, "审核失败：期间已关账", 1)], 0);
    let alone = answer(&[], &[(None, "库存组织在2024年1期间已关账", 0)], 11);
    let steps = vec![
        query(&["T1", "T2", "T3", "T4", "T5"]).says(rows(&[
            (101, "T1", "A", 2),
            (102, "T2", "B", 2),
            (103, "T3", "C", 2),
            (205, "T5", "B", 2),
        ])),
        operate("Submit", &["101"]).says(answer(&[(101, "T1", 0)], &[], 0)),
        operate("Audit", &["101", "102"]).says(refused),
        operate("Audit", &["101"]).says(alone),
        query(&["T1", "T2"]).says(rows(&[(101, "T1", "B", 2), (102, "T2", "C", 2)])),
    ];
    let behind = [("T1", "101"), ("T2", "102"), ("T3", "103"), ("T4", "104"), ("T5", "105")];
    let expected = ["rejected 101 closed period", "accepted 102", "accepted 103", "unknown gone", "unknown gone"];
    assert_eq!(finished(&behind, steps).await, expected);
}

#[tokio::test]
async fn audited_already_is_done_and_a_lost_reply_is_asked() {
    let recorded: Json = serde_json::from_str(&fixture("kingdee-resp-business-errors-by-msgcode.json")).expect("JSON");
    let there = |status| rows(&[(101, "T1", status, 2)]);
    let steps = vec![
        query(&["T1"]).says(there("B")),
        operate("Audit", &["101"]).says(&recorded["already_audited"]),
        query(&["T1"]).says(there("C")),
    ];
    assert_eq!(finished(&[("T1", "101")], steps).await, ["accepted 101"]);
    // Somebody is at work on it: once more, then it stays as it is.
    let steps = vec![
        query(&["T1"]).says(there("B")),
        operate("Audit", &["101"]).says(&recorded["edit_lock_as_seen"]),
        operate("Audit", &["101"]).says(answer(&[(101, "T1", 0)], &[], 0)),
        query(&["T1"]).says(there("C")),
    ];
    assert_eq!(finished(&[("T1", "101")], steps).await, ["accepted 101"]);
    for (status, expected) in [("C", "accepted 101"), ("B", "unknown no answer")] {
        let mut steps = vec![query(&["T1"]).says(there("B"))];
        steps.extend((0..3).map(|_| operate("Audit", &["101"]).answers(502, "<html>")));
        steps.push(query(&["T1"]).says(there(status)));
        assert_eq!(finished(&[("T1", "101")], steps).await, [expected]);
    }
    // Audited, says the answer; the ERP shows it is not.
    let steps = vec![
        query(&["T1"]).says(there("B")),
        operate("Audit", &["101"]).says(answer(&[(101, "T1", 0)], &[], 0)),
        query(&["T1"]).says(there("B")),
    ];
    assert_eq!(finished(&[("T1", "101")], steps).await, ["behind 101 status"]);
}
