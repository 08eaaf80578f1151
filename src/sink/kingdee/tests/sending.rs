//! What becomes of a batch by its answer: partial success, refusals, answers that prove nothing.

use super::*;
use crate::base::Kind;

const LOCKED: &str = "“demo”使用业务单据：“销售退货单”业务操作-“[修改]”冲突，请稍候再使用。";

#[tokio::test]
async fn a_batch_of_five_with_two_refused_gives_each_its_own() {
    let said = answer(
        &[(102, "T2", 1), (103, "T3", 2), (104, "T4", 3)],
        &[
            (Some("FStockId"), "单据体实体【明细信息】第【1】行分录，【仓库】字段必录", 0),
            (None, "库存组织在2024年1期间已关账", 4),
            (Some("FRetcustId"), "字段“退货客户”是必填项", 0),
        ],
        0,
    );
    let steps = vec![
        save(&["T1", "T2", "T3", "T4", "T5"]).says(said),
        query(&["T2", "T3", "T4"]).says(rows(&[(102, "T2", "C", 2), (103, "T3", "C", 2), (104, "T4", "C", 2)])),
    ];
    let (sink, script) = sink_of(&settings(), steps);
    let receipts = sink.send(&documents(&["T1", "T2", "T3", "T4", "T5"])).await.expect("receipts");
    script.is_over();
    let became: Vec<String> = receipts.iter().map(|r| short(&r.outcome)).collect();
    assert_eq!(became, ["rejected data", "accepted 102", "accepted 103", "accepted 104", "rejected closed period"]);
    let reason = receipts[0].outcome.reason().expect("a reason");
    assert_eq!(reason.field.as_deref(), Some("FStockId,FRetcustId"));
    assert_eq!(reason.text, "单据体实体【明细信息】第【1】行分录，【仓库】字段必录; 字段“退货客户”是必填项");
    // Each keeps its own part of the conversation, without secrets.
    let kept: Vec<_> = receipts[1].exchanges.iter().map(|e| (e.operation, e.answer.as_str())).collect();
    let first = r#"{"SuccessEntitys":[{"Id":102,"Number":"T2","DIndex":1}],"Errors":[]}"#;
    assert_eq!(kept[0], ("BatchSave", first));
    assert!(receipts[1].exchanges[0].request.starts_with(r#"{"FBillTypeID":"#));
    assert_eq!((kept[1].0, receipts[1].exchanges[1].request.as_str()), ("ExecuteBillQuery", "FBillNo in ('T2')"));
    assert!(kept[1].1.contains(r#"[102,"T2","C","2024-01-02T00:00:00","CUST001",1020001]"#), "{}", kept[1].1);
    assert_eq!(receipts[0].exchanges.len(), 1);
    let all = format!("{receipts:?}");
    assert!(!all.contains(APP_SECRET) && !all.contains("5b2W64ET1uGWSCUu7T3F7YjN6d3bWqOA"));
}

#[tokio::test]
async fn what_the_answer_shows_itself_needs_no_query() {
    let mut said = answer(&[(101, "T1", 0), (102, "T2", 1)], &[], 0);
    let line = json!({"FEntryID": 1});
    said["Result"]["NeedReturnData"] = json!([
        {"FBillNo": "T1", "FDocumentStatus": "C", "FEntity": [line, line]},
        {"FBillNo": "T2", "FDocumentStatus": "B", "FEntity": [line, line]},
    ]);
    // A status that is not the goal may be from before the audit: it is asked for.
    let steps = vec![save(&["T1", "T2"]).says(said), query(&["T2"]).says(rows(&[(102, "T2", "B", 2)]))];
    assert_eq!(sent(&["T1", "T2"], steps).await.expect("receipts"), ["accepted 101", "behind 102 status"]);
}

#[tokio::test]
async fn a_silent_line_drop_and_a_number_of_its_own_are_conflicts_with_the_remote_id() {
    let steps = vec![
        save(&["T1", "T2", "T3"]).says(answer(&[(101, "T1", 0), (102, "XSTHD000029", 1), (103, "T3", 2)], &[], 0)),
        query(&["T1", "T3"]).says(rows(&[(101, "T1", "C", 1), (103, "T3", "C", 3)])),
    ];
    let became = sent(&["T1", "T2", "T3"], steps).await.expect("receipts");
    assert_eq!(became, ["conflict 101 lines", "conflict 102 number", "accepted 103"], "a kit may add lines");
    // Two documents under one number, one of them ours.
    let steps = vec![
        save(&["T1"]).says(answer(&[(101, "T1", 0)], &[], 0)),
        query(&["T1"]).says(rows(&[(77, "T1", "C", 2), (101, "T1", "C", 2)])),
    ];
    assert_eq!(sent(&["T1"], steps).await.expect("receipts"), ["conflict 101 doubled"]);
    let steps = vec![save(&["T1"]).says(answer(&[(101, "T1", 0)], &[], 0)), query(&["T1"]).says("[]")];
    assert_eq!(sent(&["T1"], steps).await.expect("receipts"), ["conflict 101 not shown"]);
}

#[tokio::test]
async fn answers_that_prove_nothing_leave_everything_unknown_and_are_not_repeated() {
    let table: &[(u16, &str)] = &[
        (500, "{\"Result\":{\"ResponseStatus\":{\"IsSuccess\":false,\"Errors\":[]}}}"),
        (502, "<html><body>Bad Gateway</body></html>"),
        (503, "<html><body>Service Unavailable</body></html>"),
        (504, ""),
        // Words about a login, from a page or from a server that failed: no word about our session.
        (500, "请重新登录"),
        (502, "会话信息已丢失，请重新登录"),
        (503, "<html><body>服务器繁忙，请重新登录</body></html>"),
        (200, "<html><body>请重新登录</body></html>"),
        (408, ""),
        (200, "response_error:{\"Message\":\"超时\",\"InnerExWrapper\":{\"Message\":\"死锁\"}}"),
        (200, "response_error: 发生时间：2026 错误编号：1 错误信息：x"),
        (200, "<html>login</html>"),
        (200, ""),
        (200, "{}"),
        (200, "{\"Result\":{\"ResponseStatus\":{\"IsSucc"),
        (200, "[[1,2]]"),
        (200, "[]"),
        (200, "true"),
    ];
    for (status, body) in table {
        let steps = vec![save(&["T1", "T2"]).answers(*status, body)];
        let became = sent(&["T1", "T2"], steps).await.expect("receipts");
        assert_eq!(became, ["unknown unclear", "unknown unclear"], "{status} {body}");
    }
    let too_large = Error::protocol("http://erp.example: the answer is larger than 10 bytes");
    for error in [broken(), too_large] {
        let became = sent(&["T1", "T2"], vec![save(&["T1", "T2"]).fails(error)]).await.expect("receipts");
        assert_eq!(became, ["unknown no answer", "unknown no answer"]);
    }
}

#[tokio::test]
async fn what_proves_that_nothing_is_stored_for_any_document_stops_the_run_with_a_cure() {
    let field = answer(&[], &[(None, "元数据中标识为FNoSuchField的字段不存在", 0)], 9);
    let right = answer(&[], &[(None, "您没有销售退货单的新增权限", 0), (None, "您没有销售退货单的新增权限", 1)], 2);
    let table: Vec<(Step, Kind, &str)> = vec![
        (save(&["T1", "T2"]).answers(404, "<html>"), Kind::Config, "sink.url"),
        (save(&["T1", "T2"]).answers(500, "Fail to verify thirty passport"), Kind::Denied, "sink.acct_id"),
        (save(&["T1", "T2"]).answers(403, "<html>"), Kind::Denied, "firewall"),
        (save(&["T1", "T2"]).answers(429, ""), Kind::Unavailable, ""),
        (save(&["T1", "T2"]).says(field), Kind::Config, "sink.form"),
        (save(&["T1", "T2"]).says(right), Kind::Denied, "right"),
        (save(&["T1", "T2"]).fails(Error::denied("its certificate is not accepted")), Kind::Denied, ""),
    ];
    for (step, kind, cure) in table {
        let error = sent(&["T1", "T2"], vec![step]).await.expect_err("nothing was stored");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.cure().unwrap_or_default().contains(cure), "{error}: {:?}", error.cure());
        assert!(error.to_string().starts_with("kingdee://erp.example/5f0c1a2b3c4d5e/SAL_RETURNSTOCK: "), "{error}");
    }
}

#[tokio::test]
async fn a_text_about_one_document_refuses_that_one_once_something_was_stored() {
    const RIGHT: &str = "您没有销售退货单的新增权限";
    let first = || {
        let said = answer(&[(100, "T0", 0)], &[], 0);
        vec![save(&["T0"]).says(said), query(&["T0"]).says(rows(&[(100, "T0", "C", 2)]))]
    };
    // (documents, errors, MsgCode; before anything was stored, after)
    type Errors = &'static [(Option<&'static str>, &'static str, i64)];
    let table: &[(&[&str], Errors, i64, &str, &str)] = &[
        (&["T1"], &[(None, RIGHT, 0)], 2, "stop Denied", "rejected rights"),
        (&["T1"], &[(None, "无此说法", 0)], 3, "stop Config", "rejected configuration"),
        (&["T1"], &[(None, "无此说法", 0)], 14, "stop Unavailable", "stop Unavailable"),
        (&["T1"], &[(Some("FStockOrgId"), RIGHT, 0)], 2, "rejected rights", "rejected rights"),
        (&["T1", "T2"], &[(None, RIGHT, 0), (None, RIGHT, 1)], 2, "stop Denied", "stop Denied"),
        (&["T1", "T2"], &[(None, RIGHT, 0)], 2, "stop Denied", "stop Denied"),
        (&["T1", "T2"], &[(None, RIGHT, -1)], 2, "stop Denied", "stop Denied"),
        (
            &["T1", "T2"],
            &[(None, RIGHT, 0), (Some("FStockId"), RIGHT, 1)],
            2,
            "rejected rights, rejected rights",
            "rejected rights, rejected rights",
        ),
        (
            &["T1", "T2"],
            &[(None, RIGHT, 0), (None, "客户“权限测试”已禁用", 1)],
            11,
            "rejected rights, rejected data",
            "rejected rights, rejected data",
        ),
    ];
    for (keys, errors, code, fresh, proven) in table {
        for (mut steps, expected) in [(Vec::new(), fresh), (first(), proven)] {
            let served = !steps.is_empty();
            steps.push(save(keys).says(answer(&[], errors, *code)));
            let (sink, script) = sink_of(&settings(), steps);
            if served {
                let receipts = sink.send(&documents(&["T0"])).await.expect("receipts");
                assert_eq!(short(&receipts[0].outcome), "accepted 100");
            }
            let became = match sink.send(&documents(keys)).await {
                Ok(receipts) => receipts.iter().map(|r| short(&r.outcome)).collect::<Vec<_>>().join(", "),
                Err(error) => format!("stop {:?}", error.kind()),
            };
            script.is_over();
            assert_eq!(became, *expected, "{keys:?} {errors:?} {code}, served: {served}");
        }
    }
}

#[tokio::test]
async fn a_stored_row_is_whose_number_it_has_before_whose_place() {
    // Places counted anew within parts of the call, and one row without its number.
    let said = answer(&[(101, "T1", 1), (102, "T2", 0), (103, "", 2)], &[(Some("FDate"), "日期不能为空", 3)], 0);
    let steps = vec![
        save(&["T1", "T2", "T3", "T4"]).says(said),
        query(&["T1", "T2", "T3"]).says(rows(&[(101, "T1", "C", 2), (102, "T2", "C", 2), (103, "T3", "C", 2)])),
    ];
    let became = sent(&["T1", "T2", "T3", "T4"], steps).await.expect("receipts");
    assert_eq!(became, ["accepted 101", "accepted 102", "accepted 103", "rejected data"]);
}

#[tokio::test]
async fn secrets_that_a_server_echoes_are_kept_nowhere() {
    const VEILED: &str = "5b2W64ET1uGWSCUu7T3F7YjN6d3bWqOA";
    let clean = |text: &str, place: &str| {
        // Not even the beginning of one, where a text was cut.
        for secret in [APP_SECRET, VEILED] {
            assert!(!text.contains(&secret[..8]), "{place}: {text}");
        }
    };
    let echo = format!("appid=219843_{VEILED} appsecret={APP_SECRET}");
    // The cut goes through the secret.
    let long = format!("{}{APP_SECRET}", "x".repeat(4096 - 10));
    for message in [&echo, &long] {
        let said = answer(&[], &[(Some("FDate"), message, 0)], 11);
        let (sink, _) = sink_of(&settings(), vec![save(&["T1"]).says(&said)]);
        let receipts = sink.send(&documents(&["T1"])).await.expect("receipts");
        assert_eq!(short(&receipts[0].outcome), "rejected refused");
        clean(&format!("{receipts:?}"), "receipt");
        let right = answer(&[], &[(None, &format!("无权限 {message}"), 0)], 2);
        let error = sent(&["T1"], vec![save(&["T1"]).says(right)]).await.expect_err("no right");
        clean(&format!("{error:?}"), "error");
        for (status, body) in [(200, format!("response_error: {message}")), (500, message.clone())] {
            let (sink, _) = sink_of(&settings(), vec![save(&["T1"]).answers(status, &body)]);
            clean(&format!("{:?}", sink.send(&documents(&["T1"])).await), "no answer");
            let steps = (0..3).map(|_| Step { about: None, ..query(&[]) }.answers(status, &body)).collect();
            let (sink, _) = sink_of(&settings(), steps);
            clean(&format!("{:?}", sink.check().await.expect_err("no answer")), "check");
        }
    }
}

#[tokio::test]
async fn a_save_that_never_left_is_made_again_a_few_times() {
    let refused = || Error::unavailable("http://erp.example cannot be reached").advise(Advice::Retry);
    let steps = vec![
        save(&["T1"]).fails(refused()),
        save(&["T1"]).says(answer(&[(101, "T1", 0)], &[], 0)),
        query(&["T1"]).fails(refused()),
        query(&["T1"]).says(rows(&[(101, "T1", "C", 2)])),
    ];
    assert_eq!(sent(&["T1"], steps).await.expect("receipts"), ["accepted 101"]);
    let steps = (0..3).map(|_| save(&["T1"]).fails(refused())).collect();
    let error = sent(&["T1"], steps).await.expect_err("nobody there");
    assert_eq!((error.kind(), error.advice()), (Kind::Unavailable, Advice::Retry));
}

#[tokio::test]
async fn a_lock_of_somebody_else_is_waited_for_once() {
    let locked = |i| (None, LOCKED, i);
    let steps = vec![
        save(&["T1", "T2"]).says(answer(&[(102, "T2", 1)], &[locked(0)], 0)),
        query(&["T1", "T2"]).says(rows(&[(102, "T2", "C", 2)])),
        save(&["T1"]).says(answer(&[(101, "T1", 0)], &[], 0)),
        query(&["T1"]).says(rows(&[(101, "T1", "C", 2)])),
    ];
    assert_eq!(sent(&["T1", "T2"], steps).await.expect("receipts"), ["accepted 101", "accepted 102"]);
    let steps = vec![
        save(&["T1"]).says(answer(&[], &[locked(0)], 0)),
        query(&["T1"]).says("[]"),
        save(&["T1"]).says(answer(&[], &[locked(0)], 0)),
        query(&["T1"]).says("[]"),
    ];
    assert_eq!(sent(&["T1"], steps).await.expect("receipts"), ["rejected edit lock"]);
    // What is certain beside the lock is not waited for.
    let steps = vec![save(&["T1"]).says(answer(&[], &[locked(0), (Some("FDate"), "日期不能为空", 0)], 0))];
    assert_eq!(sent(&["T1"], steps).await.expect("receipts"), ["rejected data"]);
}

#[tokio::test]
async fn save_takes_one_document_per_call_as_an_object() {
    let mut settings = settings();
    settings.operation = KingdeeOperation::Save;
    settings.options.clear();
    settings.entry = None;
    let mut said: Json = serde_json::from_str(&fixture("kingdee-resp-save-success.json")).expect("JSON");
    said["Result"]["Number"] = json!("T1");
    said["Result"]["ResponseStatus"]["SuccessEntitys"] = json!([]);
    let one = |key: &'static str| Step::new("Save", std::slice::from_ref(&key));
    let duplicate = fixture("kingdee-resp-save-duplicate-billno.json").replace("test5", "T2");
    let steps = vec![one("T1").says(said), one("T2").says(duplicate), query(&["T2"]).says("[]")];
    let (sink, script) = sink_of(&settings, steps);
    let receipts = sink.send(&documents(&["T1", "T2"])).await.expect("receipts");
    script.is_over();
    let became: Vec<String> = receipts.iter().map(|r| short(&r.outcome)).collect();
    assert_eq!(became, ["accepted 100029", "conflict duplicate"]);
    let requests = script.requests.lock().expect("no panic");
    let body = String::from_utf8_lossy(&requests[0].body);
    assert!(body.contains(r#""Model":{"FBillTypeID""#), "{body}");
    assert!(!requests[0].idempotent && requests[2].idempotent);
}

#[tokio::test]
async fn a_document_whose_number_is_not_its_key_is_never_sent() {
    let mut other = document("T1", 2);
    other.key = DocKey::new("T2").expect("a key");
    let (sink, script) = sink_of(&settings(), Vec::new());
    let receipts = sink.send(&[other]).await.expect("receipts");
    script.is_over();
    assert_eq!(short(&receipts[0].outcome), "rejected key");
}
