//! What each kind of answer does to a pull.

use super::*;
use envelope::Place;

const SAMPLE: &str =
    include_str!("../../../../tests/fixtures/vendor/jackyun-oms.trade.fullinfoget-success-doc-repaired.json");
const FAILURES: &str = include_str!("../../../../tests/fixtures/vendor/jackyun-failures.json");

#[test]
fn the_cursor_is_followed_to_a_short_page_and_the_total_asked_once() {
    let talk = talk(vec![
        answer(r#""scrollId":"s1","totalResults":"5","#, &["1", "2"]),
        answer(r#""scrollId":"s2","#, &["3", "4"]),
        answer(r#""scrollId":"s3","#, &["5"]),
    ]);
    talk.end.as_ref().expect("a whole pull");
    assert_eq!(talk.asked_for("scrollId"), ["", "s1", "s2"]);
    assert_eq!(talk.asked_for("hasTotal"), [Value::from(1), Value::Null, Value::Null]);
    assert_eq!(talk.asked_for("pageIndex"), [0, 0, 0]);
    assert_eq!((talk.total, talk.records().len(), talk.records()[4]), (Some(5), 5, r#"{"tradeNo":"5"}"#));
    assert_eq!(talk.pages.iter().map(|p| p.number).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn ends_of_data() {
    let full = |extra: &str, a: &str, b: &str| answer(extra, &[a, b]);
    let ends: [(&str, Vec<Reply>); 8] = [
        ("empty cursor, nothing announced", vec![full(r#""scrollId":"","#, "1", "2")]),
        ("null cursor", vec![full(r#""scrollId":"a","#, "1", "2"), full(r#""scrollId":null,"#, "3", "4")]),
        ("unchanged", vec![full(r#""scrollId":"a","#, "1", "2"), full(r#""scrollId":"a","#, "3", "4")]),
        (
            "seen earlier",
            vec![
                full(r#""scrollId":"a","#, "1", "2"),
                full(r#""scrollId":"b","#, "3", "4"),
                full(r#""scrollId":"a","#, "5", "6"),
            ],
        ),
        ("cursor missing later", vec![full(r#""scrollId":"a","#, "1", "2"), full("", "3", "4")]),
        ("empty page", vec![full(r#""scrollId":"a","#, "1", "2"), answer(r#""scrollId":"b","#, &[])]),
        ("empty window", vec![answer(r#""scrollId":"a","totalResults":0,"#, &[])]),
        ("no cursor, but all there", vec![full(r#""totalResults":2,"#, "1", "2")]),
    ];
    for (name, script) in ends {
        let pages = script.len();
        let talk = talk(script);
        assert!(talk.end.is_ok(), "{name}: {:?}", talk.end);
        assert_eq!(talk.pages.len(), pages, "{name}");
    }
    // A null page after everything announced has come.
    let done = vec![
        full(r#""scrollId":"a","totalResults":2,"#, "1", "2"),
        reply(200, r#"{"code":200,"result":{"data":null}}"#),
    ];
    assert!(talk(done).end.is_ok());
}

#[test]
fn a_cursor_that_ends_before_the_announced_total_is_an_error() {
    for cursor in [r#""scrollId":"","#, r#""scrollId":null,"#] {
        let talk = talk(vec![answer(&format!(r#"{cursor}"totalResults":3,"#), &["1", "2"])]);
        assert_eq!(talk.error().kind(), Kind::Protocol);
        assert!(talk.error().to_string().contains("page 1: the cursor ends after 2 of 3"), "{}", talk.error());
    }
    let unchanged =
        vec![answer(r#""scrollId":"a","totalResults":9,"#, &["1", "2"]), answer(r#""scrollId":"a","#, &["3", "4"])];
    assert!(talk(unchanged).error().to_string().contains("4 of 9"));
}

#[test]
fn a_short_page_is_not_the_end_while_more_is_announced_and_the_cursor_goes_on() {
    let talk = talk(vec![
        answer(r#""scrollId":"a","totalResults":3,"#, &["1"]),
        answer(r#""scrollId":"b","#, &["2", "3"]),
        answer(r#""scrollId":"c","#, &[]),
    ]);
    assert_eq!((talk.end.is_ok(), talk.records().len()), (true, 3));
}

#[test]
fn without_a_cursor_page_numbers_are_used() {
    let talk = talk(vec![answer("", &["1", "2"]), answer("", &["3", "4"]), answer("", &["5"])]);
    talk.end.as_ref().expect("a whole pull");
    assert_eq!(talk.asked_for("pageIndex"), [0, 1, 2]);
    assert_eq!(talk.asked_for("scrollId"), [Value::from(""), Value::Null, Value::Null]);
    assert_eq!(talk.asked_for("hasTotal"), [Value::from(1), Value::Null, Value::Null]);
    assert_eq!(talk.records().len(), 5);
}

#[test]
fn a_repeated_page_is_asked_again_and_then_an_error() {
    for cursor in ["", r#""scrollId":"S","#] {
        let page = |n: u32, a: &str, b: &str| answer(&cursor.replace('S', &n.to_string()), &[a, b]);
        let cured = talk(vec![page(1, "1", "2"), page(2, "1", "2"), page(2, "3", "4"), answer(cursor, &["5"])]);
        assert_eq!((cured.end.is_ok(), cured.records().len(), cured.again.len()), (true, 5, 1), "{cursor}");
        let stuck = talk(vec![page(1, "1", "2"), page(2, "1", "2"), page(3, "1", "2"), page(4, "1", "2")]);
        assert_eq!((stuck.error().kind(), stuck.pages.len()), (Kind::Protocol, 1));
        assert!(stuck.error().to_string().contains("page 2 repeats the page before it"), "{}", stuck.error());
    }
}

#[test]
fn the_last_page_of_another_window_is_believed_only_when_it_comes_twice() {
    let source = plain();
    let one = |trade: &str| answer(r#""scrollId":"","totalResults":1,"#, &[trade]);
    assert_eq!(talk_with(&source, vec![one("1")]).records(), [r#"{"tradeNo":"1"}"#]);
    // The total fits; only that it came before gives it away.
    let cured = talk_with(&source, vec![one("1"), one("2")]);
    assert_eq!((cured.end.is_ok(), cured.records(), cured.again.len()), (true, vec![r#"{"tradeNo":"2"}"#], 1));
    let overlapping = talk_with(&source, vec![one("2"), one("2")]);
    assert_eq!((overlapping.end.is_ok(), overlapping.records().len(), overlapping.again.len()), (true, 1, 1));
    let next = talk_with(&source, vec![one("3")]);
    assert_eq!((next.total, next.again.len()), (Some(1), 0));
}

#[test]
fn an_endless_pager_is_stopped() {
    let script =
        (0..20).map(|n| answer(&format!(r#""scrollId":"s{n}","#), &[&format!("a{n}"), &format!("b{n}")])).collect();
    let talk = talk(script);
    assert_eq!((talk.pages.len(), talk.error().kind()), (20, Kind::Protocol));
    assert!(talk.error().to_string().contains("endless pager"), "{}", talk.error());
    assert!(talk.error().cure().is_some_and(|c| c.contains("source.limits.max_pages")));
}

#[test]
fn an_answer_without_content_is_believed_at_the_third_time() {
    let data = r#"{"code":200,"msg":"","result":{"data":""}}"#;
    for body in ["", " \n", data] {
        let talk = talk(vec![reply(200, body), reply(200, ""), reply(200, body)]);
        assert_eq!(
            (talk.end.is_ok(), talk.records().len(), talk.again.len(), talk.total),
            (true, 0, 2, None),
            "{body}"
        );
    }
    let hiccup = talk(vec![reply(200, ""), answer(r#""scrollId":"","#, &["1"])]);
    assert_eq!((hiccup.end.is_ok(), hiccup.records().len()), (true, 1));
    // null is no such answer: no source saw it for an empty window.
    let null = || reply(200, r#"{"code":200,"result":{"data":null}}"#);
    assert!(talk(vec![null(), null(), null()]).error().to_string().contains("success, but without data"));
}

#[test]
fn broken_answers_are_asked_again_twice_and_then_named() {
    let mut bad_utf8 = answer("", &["1"]);
    bad_utf8.body[20] = 0xff;
    let mut html = reply(
        200,
        "<html><head><style>p{}</style><title>Login</title></head><body>Please\n <b>sign in</b> via s3cret-of-the-tests</body>",
    );
    html.content_type = "text/html".into();
    let cases = [
        (reply(200, r#"{"code":200,"result":{"data":{"trades":[{"tradeNo":"1"}"#), "cannot be read"),
        (reply(200, r#"{"code":200,"result":{"data":{"trades":[]}}}{"#), "trailing characters"),
        (reply(200, r#"{"code":200,"code":200}"#), "code stands twice"),
        (bad_utf8, "not UTF-8 at byte 20"),
        (html, r#"a web page came instead of an answer: "Login Please sign in via …""#),
        (failure("0130020001", "未知错误"), "fails without a reason"),
    ];
    for (broken, expected) in cases {
        let stuck = talk(vec![broken.clone(), broken.clone(), broken.clone()]);
        assert!(stuck.error().to_string().contains(expected), "{expected}: {}", stuck.error());
        assert_eq!((stuck.error().kind(), stuck.again.len()), (Kind::Protocol, 2), "{expected}");
        let cured = talk(vec![broken.clone(), broken, answer(r#""scrollId":"","#, &["1"])]);
        assert_eq!((cured.end.is_ok(), cured.records().len()), (true, 1), "{expected}");
    }
}

#[test]
fn doubts_are_counted_for_each_page_and_break_a_row_of_empty_answers() {
    let (cut, empty) = (|| reply(200, "{"), || reply(200, ""));
    let page = |cursor: &str, a: &str, b: &str| answer(&format!(r#""scrollId":"{cursor}","#), &[a, b]);
    let whole = talk(vec![
        cut(),
        cut(),
        page("s", "1", "2"),
        cut(),
        empty(),
        empty(),
        cut(),
        empty(),
        empty(),
        page("", "3", "4"),
    ]);
    assert_eq!((whole.end.is_ok(), whole.records().len(), whole.again.len()), (true, 4, 8));
}

#[test]
fn sub_codes_are_classified() {
    let cases = [
        ("0858030801", "sign error", Kind::Denied, "source.app_secret"),
        ("0858030802", "appkey", Kind::Denied, "source.app_key"),
        ("0858030803", "token 过期", Kind::Denied, "source.access_token"),
        ("0130020310", "未订购", Kind::Denied, "subscribe"),
        ("0050030002", "参数", Kind::Config, "source.params"),
        ("0040139996", "查询字段不能为空", Kind::Config, "source.params"),
        ("0130000609", "未开通", Kind::Denied, "pause"),
        ("0130009999", "接口额度不足", Kind::Denied, "pause"),
        ("0130000001", "时间戳已过期", Kind::Denied, "clock"),
        ("0130777777", "something else", Kind::Protocol, ""),
    ];
    for (sub, msg, kind, cure) in cases {
        let talk = talk(vec![failure(sub, &format!("{msg} {SECRET}"))]);
        let error = talk.error();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(msg) && error.to_string().contains(sub), "{error}");
        assert!(!error.to_string().contains(SECRET), "the vendor echoed the secret, we did not: {error}");
        assert!(error.cure().unwrap_or_default().contains(cure), "{error}: {:?}", error.cure());
    }
    // Busy is not bounded by the pull: that is the retry policy's part.
    let busy = [
        failure("0859999999", "限流"),
        failure("1", "Hystrix circuit short-circuited and is OPEN"),
        failure("1", "fallback failed"),
        reply(429, "{}"),
        reply(502, "<html><h1>502 Bad Gateway</h1></html>"),
    ];
    let mut script: Vec<Reply> = busy.iter().cycle().take(15).cloned().collect();
    script.push(answer(r#""scrollId":"","#, &["1"]));
    let talk = talk(script);
    assert_eq!((talk.end.is_ok(), talk.again.len(), talk.records().len()), (true, 15, 1));
    assert_eq!(talk.again[4], r#"HTTP status 502: "502 Bad Gateway""#);
}

#[test]
fn http_refusals_name_the_address_setting_and_retry_after_is_kept() {
    for status in [401, 403, 404] {
        let talk = talk(vec![reply(status, "<p>no</p>")]);
        assert_eq!(talk.error().kind(), Kind::Denied);
        assert!(talk.error().cure().is_some_and(|c| c.contains("source.url")));
        assert!(!talk.error().to_string().contains("127.0.0.1"));
    }
    assert_eq!(talk(vec![reply(400, "x")]).error().kind(), Kind::Protocol);
    let mut slow_down = reply(503, "");
    slow_down.retry_after = Some(Duration::from_secs(7));
    let mut pull = plain().pull(&window(Axis::Modified)).expect("a pull");
    pull.next_request(now()).expect("no fault");
    let step = pull.on_reply(slow_down).expect("no error");
    assert!(matches!(step, Step::Again { wait, .. } if wait == Duration::from_secs(7)), "{step:?}");
}

#[test]
fn a_clock_that_is_off_is_named() {
    for (hours, expected) in [(1, "3600 s behind the vendor's"), (-1, "3600 s ahead of the vendor's")] {
        for sub in ["0858030801", "0130000001"] {
            let mut refused = failure(sub, "timestamp expired");
            refused.date = Some(now() + chrono::Duration::hours(hours));
            let talk = talk(vec![refused]);
            assert!(talk.error().to_string().contains(expected), "{}", talk.error());
        }
    }
}

#[test]
fn the_vendors_sample_answers_are_read_with_nothing_lost() {
    let talk = talk(vec![reply(200, SAMPLE)]);
    talk.end.as_ref().expect("a whole pull");
    let whole: Value = serde_json::from_str(SAMPLE).expect("JSON");
    let records = talk.records();
    assert_eq!(records.len(), 1);
    let record: Value = serde_json::from_str(records[0]).expect("JSON");
    assert_eq!(record, whole["result"]["data"]["trades"][0]);
    assert_eq!(record.as_object().map(Map::len), Some(139));
    assert!(SAMPLE.contains(records[0]), "byte for byte");
    assert!(records[0].contains("1739147735874964736"), "19 digits");
    let failures: Map<String, Value> = serde_json::from_str(FAILURES).expect("JSON");
    for (name, body) in failures {
        let envelope = envelope::read(body.to_string(), Place::of("oms.trade.fullinfoget")).expect("an envelope");
        assert!(!envelope.is_success(), "{name}");
        assert_eq!(
            (envelope.msg, envelope.sub_code),
            (body["msg"].as_str().unwrap_or("").into(), body["subCode"].as_str().unwrap_or("").into())
        );
    }
    // Methods with other arrays are no pages of trades, and say so.
    for other in [
        include_str!("../../../../tests/fixtures/vendor/jackyun-erp.storage.goodslist-success-doc.json"),
        include_str!("../../../../tests/fixtures/vendor/jackyun-erp-goods.goods.getforqimen-success-doc.json"),
        include_str!("../../../../tests/fixtures/vendor/jackyun-wms.order.query-info-success-doc.json"),
    ] {
        let trades = Place::of("oms.trade.fullinfoget");
        let envelope = envelope::read(other.to_string(), trades).expect("an envelope");
        assert!(envelope.is_success());
        assert!(envelope.into_rows(trades).expect_err("no trades").0.contains("no list trades"));
    }
}
