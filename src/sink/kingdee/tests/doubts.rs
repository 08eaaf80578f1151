//! Documents that are asked about before anything is sent again: duplicates, both lists, neither, whole refusals.

use super::*;

const TAKEN: &str = "违反字段唯一性要求：编码唯一。[T1]在当前系统中已经被使用。";

#[tokio::test]
async fn a_number_that_is_taken_is_looked_up() {
    let foreign = json!([
        [101, "T1", "C", "2024-01-03T00:00:00", "CUST001", 1],
        [101, "T1", "C", "2024-01-03T00:00:00", "CUST001", 2]
    ]);
    let table: Vec<(Json, &str)> = vec![
        (rows(&[(101, "T1", "C", 2)]), "present 101"),
        (rows(&[(101, "T1", "B", 2)]), "behind 101 status"),
        (rows(&[(101, "T1", "C", 1)]), "conflict 101 lines"),
        (rows(&[(101, "T1", "C", 2), (102, "T1", "C", 2)]), "conflict 101 doubled"),
        (foreign, "conflict 101 foreign"),
        (json!([]), "conflict duplicate"),
    ];
    for (there, expected) in table {
        let said = answer(&[], &[(Some("FBillNo"), TAKEN, 0)], 11);
        let steps = vec![save(&["T1"]).says(said), query(&["T1"]).says(there)];
        assert_eq!(sent(&["T1"], steps).await.expect("receipts"), [expected]);
    }
    // Another field that must be unique is a matter of the document.
    let other = "违反字段唯一性要求：条码唯一。[690000]在当前系统中已经被使用。";
    let steps = vec![save(&["T1"]).says(answer(&[], &[(Some("F_XC_CODE"), other, 0)], 11))];
    assert_eq!(sent(&["T1"], steps).await.expect("receipts"), ["rejected duplicate"]);
}

#[tokio::test]
async fn what_stands_in_neither_list_or_in_both_is_asked() {
    let said = answer(&[(101, "T1", 0), (102, "T2", 1)], &[(None, "审核失败：价格未审批", 1)], 0);
    let steps = vec![
        save(&["T1", "T2", "T3", "T4", "T5"]).says(said),
        query(&["T1", "T2", "T3", "T4", "T5"]).says(rows(&[
            (101, "T1", "C", 2),
            (102, "T2", "A", 2),
            (103, "T3", "C", 2),
            (105, "T5", "C", 1),
        ])),
    ];
    let became = sent(&["T1", "T2", "T3", "T4", "T5"], steps).await.expect("receipts");
    let expected = ["accepted 101", "behind 102 status", "present 103", "unknown unnamed", "conflict 105 lines"];
    assert_eq!(became, expected);
    // Asking fails: what may be there stays unknown, nothing is sent again.
    let said = answer(&[(101, "T1", 0)], &[], 0);
    let mut steps = vec![save(&["T1", "T2"]).says(said)];
    steps.extend((0..3).map(|_| query(&["T1", "T2"]).answers(502, "<html>")));
    assert_eq!(sent(&["T1", "T2"], steps).await.expect("receipts"), ["unknown unconfirmed", "unknown unnamed"]);
}

#[tokio::test]
async fn a_batch_refused_as_a_whole_is_split_until_the_guilty_stands_alone() {
    let whole = || answer(&[], &[(None, "未将对象引用设置到对象的实例。", 0)], 4);
    let steps = vec![
        save(&["T1", "T2", "T3", "T4"]).says(whole()),
        query(&["T1", "T2", "T3", "T4"]).says("[]"),
        save(&["T1", "T2"]).says(answer(&[(101, "T1", 0), (102, "T2", 1)], &[], 0)),
        query(&["T1", "T2"]).says(rows(&[(101, "T1", "C", 2), (102, "T2", "C", 2)])),
        save(&["T3", "T4"]).says(whole()),
        query(&["T3", "T4"]).says("[]"),
        // Alone, the same answer is about the document.
        save(&["T3"]).says(whole()),
        save(&["T4"]).says(answer(&[(104, "T4", 0)], &[], 0)),
        query(&["T4"]).says(rows(&[(104, "T4", "C", 2)])),
    ];
    let became = sent(&["T1", "T2", "T3", "T4"], steps).await.expect("receipts");
    assert_eq!(became, ["accepted 101", "accepted 102", "rejected refused", "accepted 104"]);
}

#[tokio::test]
async fn a_request_filter_refuses_content_not_documents() {
    let filter: Json = serde_json::from_str(&fixture("kingdee-resp-not-json.json")).expect("JSON");
    let filter = &filter["firewall_rule"];
    let steps = vec![
        save(&["T1", "T2"]).says(filter),
        query(&["T1", "T2"]).says("[]"),
        save(&["T1"]).answers(413, "too large"),
        query(&["T1"]).says("[]"),
        save(&["T2"]).says(answer(&[(102, "T2", 0)], &[], 0)),
        query(&["T2"]).says(rows(&[(102, "T2", "C", 2)])),
    ];
    assert_eq!(sent(&["T1", "T2"], steps).await.expect("receipts"), ["rejected refused", "accepted 102"]);
}

#[tokio::test]
async fn a_door_shut_on_a_served_session_is_shut_on_content() {
    for status in [403, 405] {
        let steps = vec![
            query(&["T0"]).says("[]"),
            save(&["T1", "T2"]).answers(status, "<html>"),
            query(&["T1", "T2"]).says("[]"),
            save(&["T1"]).answers(status, "<html>"),
            query(&["T1"]).says("[]"),
            save(&["T2"]).says(answer(&[(102, "T2", 0)], &[], 0)),
            query(&["T2"]).says(rows(&[(102, "T2", "C", 2)])),
        ];
        let (sink, script) = sink_of(&settings(), steps);
        let key = DocKey::new("T0").expect("a key");
        sink.find(&[Asked { key: &key, document: None, remote: None }]).await.expect("an answer");
        let receipts = sink.send(&documents(&["T1", "T2"])).await.expect("receipts");
        script.is_over();
        let became: Vec<String> = receipts.iter().map(|r| short(&r.outcome)).collect();
        assert_eq!(became, ["rejected refused", "accepted 102"], "{status}");
        // Never let in, the door is shut on us.
        sent(&["T1"], vec![save(&["T1"]).answers(status, "<html>")]).await.expect_err("stops");
    }
}

#[tokio::test]
async fn an_error_after_a_refusal_keeps_what_was_said_of_the_refused() {
    let whole = || answer(&[], &[(None, "未将对象引用设置到对象的实例。", 0)], 4);
    let steps = vec![
        save(&["T1", "T2"]).says(whole()),
        query(&["T1", "T2"]).says("[]"),
        save(&["T1"]).says(answer(&[], &[(Some("FDate"), "日期不能为空", 0)], 11)),
        save(&["T2"]).answers(404, "<html>"),
    ];
    let (sink, script) = sink_of(&settings(), steps);
    let receipts = sink.send(&documents(&["T1", "T2"])).await.expect("receipts");
    script.is_over();
    let became: Vec<String> = receipts.iter().map(|r| short(&r.outcome)).collect();
    assert_eq!(became, ["rejected data", "unknown not sent"]);
    let said: Vec<Vec<&str>> = receipts.iter().map(|r| r.exchanges.iter().map(|e| e.operation).collect()).collect();
    let way = ["BatchSave", "ExecuteBillQuery", "BatchSave"];
    assert_eq!(said, [way, way]);
    // A refusal of ours, for its key, is no answer: nothing has arrived.
    let mut batch = documents(&["T1", "T2"]);
    batch[0].key = DocKey::new("T9").expect("a key");
    let (sink, script) = sink_of(&settings(), vec![save(&["T2"]).answers(404, "<html>")]);
    sink.send(&batch).await.expect_err("nothing was said of any document");
    script.is_over();
}

#[tokio::test]
async fn an_error_after_something_is_stored_leaves_the_rest_unknown() {
    let whole = answer(&[], &[(None, "未将对象引用设置到对象的实例。", 0)], 4);
    let steps = vec![
        save(&["T1", "T2"]).says(whole),
        query(&["T1", "T2"]).says("[]"),
        save(&["T1"]).says(answer(&[(101, "T1", 0)], &[], 0)),
        query(&["T1"]).says(rows(&[(101, "T1", "C", 2)])),
        save(&["T2"]).answers(404, "<html>"),
    ];
    assert_eq!(sent(&["T1", "T2"], steps).await.expect("receipts"), ["accepted 101", "unknown not sent"]);
}
