//! What each kind of answer that is no page does to a pull.

use super::*;

fn one() -> Reply {
    page(json!({ "has_next": false }), &[1])
}

#[test]
fn codes_are_classified() {
    let cases = [
        (10, "验证失败！无效签名", Kind::Denied, "source.app_secret"),
        (120, "sign error", Kind::Denied, "source.app_key"),
        (
            110,
            "验证失败！已设置IP白名单，该IP不在白名单列表：203.0.113.7，请登录开发者后台自行添加IP",
            Kind::Denied,
            "add 203.0.113.7",
        ),
        (110, "IP不在白名单", Kind::Denied, "this machine's public address"),
        (130, "参数无法转换", Kind::Config, "source.params"),
        (140, "参数不符合规范,请检查传入参数!", Kind::Config, "source.params"),
        (160, "内部保存失败", Kind::Protocol, "support"),
        (170, "店铺编号[x]不存在", Kind::Config, "source.params"),
        (190, "验证失败！无API权限，请申请API权限", Kind::Denied, "apply for this method's permission"),
        (200, "修改时间间隔不能超过七天", Kind::Config, "source.params"),
        (10015, "参数缺失", Kind::Config, "source.params"),
        (-4, "参数值错误", Kind::Config, "source.params"),
        (7777, "something else", Kind::Protocol, "support"),
    ];
    for (code, msg, kind, cure) in cases {
        let talk = talk(vec![failure(code, &format!("{msg} {SECRET} {ACCESS}"))]);
        let error = talk.error();
        assert_eq!(error.kind(), kind, "{error}");
        let shown = error.to_string();
        assert!(shown.contains(msg) && shown.contains(&format!("code {code}")), "{shown}");
        assert!(shown.starts_with("other.inout.query page 1: "), "{shown}");
        assert!(!shown.contains(SECRET) && !shown.contains(ACCESS), "the vendor echoed secrets, we did not: {shown}");
        assert!(error.cure().unwrap_or_default().contains(cure), "{error}: {:?}", error.cure());
    }
}

#[test]
fn a_busy_vendor_is_given_the_second_or_the_minute() {
    let busy = [
        (failure(199, "调用频次超过限制!请稍后再试"), 1),
        (failure(200, "调用频次超过限制"), 60),
        (failure(10004, "调用太频繁，请稍后再试!"), 1),
        (reply(429, "{}"), 0),
        (reply(502, "<html><h1>502 Bad Gateway</h1></html>"), 0),
    ];
    // Busy is not bounded by the pull: that is the retry policy's part.
    let mut script: Vec<Reply> = busy.iter().cycle().take(15).map(|(reply, _)| reply.clone()).collect();
    script.push(one());
    let talk = talk(script);
    assert_eq!((talk.end.is_ok(), talk.again.len(), talk.ids().len()), (true, 15, 1));
    for ((wait, why), (_, seconds)) in talk.again.iter().zip(busy.iter().cycle()) {
        assert_eq!(wait.as_secs(), *seconds, "{why}");
    }
    assert_eq!(talk.again[4].1, r#"HTTP status 502: "502 Bad Gateway""#);
    let mut patient = failure(199, "调用频次超过限制");
    patient.retry_after = Some(Duration::from_secs(7));
    assert_eq!(super::talk(vec![patient, one()]).again[0].0, Duration::from_secs(7));
}

#[test]
fn doubtful_answers_are_asked_again_twice_and_then_named() {
    let mut bad_utf8 = one();
    bad_utf8.body[20] = 0xff;
    let mut html = reply(200, "<html><title>Login</title><body>via s3cret-of-the-tests</body>");
    html.content_type = "text/html".into();
    let cases = [
        (reply(200, r#"{"code":0,"data":{"datas":[{"io_id":1}"#), "cannot be read"),
        (reply(200, r#"{"code":0,"data":{"datas":[]}}{"#), "trailing characters"),
        (reply(200, r#"{"code":0,"data":null}"#), "success, but without data"),
        (reply(200, " \n"), "no content"),
        (bad_utf8, "not UTF-8 at byte 20"),
        (html, r#"a web page came instead of an answer: "Login via …""#),
        (failure(150, "内部处理异常！"), "fails without a reason"),
    ];
    for (broken, expected) in cases {
        let stuck = talk(vec![broken.clone(), broken.clone(), broken.clone()]);
        assert!(stuck.error().to_string().contains(expected), "{expected}: {}", stuck.error());
        assert_eq!((stuck.error().kind(), stuck.again.len()), (Kind::Protocol, 2), "{expected}");
        let cured = talk(vec![broken.clone(), broken, one()]);
        assert_eq!((cured.end.is_ok(), cured.ids().len()), (true, 1), "{expected}");
    }
}

#[test]
fn http_refusals_name_the_address_setting() {
    for status in [401, 403, 404] {
        let talk = talk(vec![reply(status, "<p>no</p>")]);
        assert_eq!(talk.error().kind(), Kind::Denied);
        assert!(talk.error().cure().is_some_and(|c| c.contains("source.url") && c.contains(VENDOR_URL)));
        assert!(!talk.error().to_string().contains("hidden"));
    }
    assert_eq!(talk(vec![reply(400, "x")]).error().kind(), Kind::Protocol);
}

#[test]
fn a_refused_time_stamp_is_sent_again_with_the_vendors_time_once() {
    let stamps = |talk: &Talk| -> Vec<i64> {
        talk.requests.iter().map(|r| form(r)["timestamp"].as_str().expect("text").parse().expect("a number")).collect()
    };
    for (code, msg) in [(140, "验证失败！无效的timestamp，请求最大时间误差15分钟"), (180, "执行失败!"), (140, "")]
    {
        let mut late = failure(code, msg);
        late.date = Some(now() + chrono::Duration::seconds(3_600));
        let source = plain();
        let cured = talk_with(&source, vec![late.clone(), one()]);
        assert_eq!((cured.end.is_ok(), cured.ids().len(), cured.again.len()), (true, 1, 0));
        assert_eq!(stamps(&cured), [now().timestamp(), now().timestamp() + 3_600]);
        // The next pull knows.
        assert_eq!(
            stamps(&talk_with(&source, vec![page(json!({ "has_next": false }), &[2])])),
            [now().timestamp() + 3_600]
        );
        let stuck = talk(vec![late.clone(), late]);
        assert_eq!(stuck.error().kind(), Kind::Denied);
        assert!(stuck.error().to_string().contains("3600 s behind the vendor's"), "{}", stuck.error());
        assert!(stuck.error().cure().is_some_and(|c| c.contains("NTP")));
        // Without a clock to go by, a fresh stamp is all there is.
        let blind = talk(vec![failure(code, msg), failure(code, msg)]);
        assert_eq!((blind.error().kind(), blind.requests.len()), (Kind::Denied, 2));
    }
}
