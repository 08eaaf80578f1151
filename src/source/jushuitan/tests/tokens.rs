//! Tokens: refreshed once, kept, never shown.

use super::*;

fn one() -> Reply {
    page(json!({ "has_next": false }), &[1])
}

fn expired() -> Reply {
    failure(100, &format!("验证失败！无效的access_token或access_token已过期 {ACCESS}"))
}

fn granted(access: &str, refresh: &str) -> Reply {
    let data = json!({ "access_token": access, "refresh_token": refresh, "expires_in": 2_592_000, "scope": "all" });
    reply(200, json!({ "code": 0, "msg": "执行成功", "data": data }).to_string())
}

fn own_company() -> model::Source {
    let mut source = source(&[]);
    (source.access_token, source.refresh_token) = (None, None);
    source
}

fn tokens_of(talk: &Talk) -> Vec<String> {
    let token = |request: &Request| form(request).get("access_token").and_then(|t| t.as_str().map(str::to_string));
    talk.requests.iter().map(|request| token(request).unwrap_or_default()).collect()
}

#[test]
fn a_refused_token_is_refreshed_once_and_kept() {
    let shelf = Arc::new(Shelf::default());
    let source = source(&[]);
    let talk = talk_with(&with_shelf(&source, &shelf), vec![expired(), granted("access-1", "refresh-1"), one()]);
    talk.end.as_ref().expect("a whole pull");
    assert_eq!((talk.asked(), talk.ids()), (vec![1, 0, 1], vec![1]));
    assert_eq!(tokens_of(&talk), [ACCESS, "", "access-1"]);
    let refresh = &talk.requests[1];
    assert_eq!(refresh.url, "http://127.0.0.1:9/jst-hidden/openWeb/auth/refreshToken");
    let form = form(refresh);
    let names: Vec<&str> = form.keys().map(String::as_str).collect();
    assert_eq!(names, ["app_key", "timestamp", "charset", "grant_type", "refresh_token", "scope", "sign"]);
    assert_eq!([&form["grant_type"], &form["refresh_token"], &form["scope"]], ["refresh_token", REFRESH, "all"]);
    let all: Vec<(&str, &str)> = form.iter().map(|(n, v)| (n.as_str(), v.as_str().expect("text"))).collect();
    assert_eq!(form["sign"], sign(SECRET, &all));

    // The next process goes on with the kept pair, and refreshes with the new refresh token.
    let next = with_shelf(&source, &shelf);
    let talk = talk_with(&next, vec![expired(), granted("access-2", "refresh-2"), one()]);
    assert_eq!(tokens_of(&talk), ["access-1", "", "access-2"]);
    assert_eq!(super::form(&talk.requests[1])["refresh_token"], "refresh-1");
    // A newly configured token wins over the kept one.
    let mut renewed = source.clone();
    renewed.access_token = Some(Setting::new("source.access_token", "configured-anew"));
    assert_eq!(tokens_of(&talk_with(&with_shelf(&renewed, &shelf), vec![one()])), ["configured-anew"]);
    assert_eq!(tokens_of(&talk_with(&with_shelf(&source, &shelf), vec![one()])), ["access-2"]);
}

#[test]
fn all_pulls_of_a_source_share_the_new_token() {
    let source = plain();
    let mut before = source.pull(&window(Axis::Modified)).expect("a pull");
    before.next_request(now()).expect("no fault").expect("a request");
    talk_with(&source, vec![expired(), granted("access-1", "refresh-1"), one()]);
    // Refused for the old token while another pull renewed it: asked again, not renewed again.
    assert!(matches!(before.on_reply(expired()), Ok(Step::Aside)));
    let again = before.next_request(now()).expect("no fault").expect("a request");
    assert_eq!(form(&again)["access_token"], "access-1");
}

#[test]
fn an_own_company_application_asks_for_its_first_token_itself() {
    let shelf = Arc::new(Shelf::default());
    let talk = talk_with(&with_shelf(&own_company(), &shelf), vec![granted("access-1", "refresh-1"), one()]);
    assert_eq!((talk.asked(), tokens_of(&talk)[1].as_str()), (vec![0, 1], "access-1"));
    assert_eq!(talk.requests[0].url, "http://127.0.0.1:9/jst-hidden/openWeb/auth/getInitToken");
    let form = form(&talk.requests[0]);
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["code"].as_str().map(str::len), Some(6));
    assert!(!form.contains_key("access_token") && !form.contains_key("biz"));
    // Once: the next process has it.
    let next = with_shelf(&own_company(), &shelf);
    assert_eq!(tokens_of(&talk_with(&next, vec![one()])), ["access-1"]);
    // An expired access token takes its refresh token with it: then it begins anew.
    let dead = failure(100, "refresh_token无效");
    let talk = talk_with(
        &next,
        vec![expired(), dead, granted("access-2", "refresh-2"), page(json!({ "has_next": false }), &[2])],
    );
    assert_eq!((talk.end.is_ok(), talk.asked()), (true, vec![1, 0, 0, 1]));
    assert!(talk.requests[2].url.ends_with("getInitToken"));
}

#[test]
fn without_a_way_to_a_new_token_the_cure_is_named() {
    let isv = failure(150, "服务商应用禁止刷新access_token,需商户重新授权");
    let mut bare = source(&[]);
    bare.refresh_token = None;
    let cases = [
        (source(&[]), vec![expired(), granted("access-1", "refresh-1"), expired()], "refuses the access token"),
        (source(&[]), vec![expired(), isv], "does not refresh the access token"),
        (source(&[]), vec![expired(), failure(100, "refresh_token无效")], "does not refresh the access token"),
        (source(&[]), vec![expired(), failure(10, "无效签名")], "refuses the signature"),
        (bare, vec![expired()], "refuses the access token"),
        (own_company(), vec![failure(130, "code无效")], "gives no access token"),
    ];
    for (source, script, expected) in cases {
        let talk = talk_with(&jushuitan(&source), script);
        let error = talk.error();
        assert_eq!((error.kind(), error.exit_code()), (Kind::Denied, 4), "{error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        let cure = error.cure().expect("a cure");
        assert!(cure.contains("source.access_token") || cure.contains("source.app_secret"), "{cure}");
        for token in [ACCESS, REFRESH, "access-1", "refresh-1", SECRET] {
            assert!(!format!("{error:?}").contains(token), "{error:?}");
        }
    }
}

#[test]
fn a_busy_or_doubtful_vendor_may_take_its_time_with_a_token() {
    let script = vec![
        expired(),
        failure(199, "调用频次超过限制!请稍后再试"),
        reply(502, ""),
        reply(200, r#"{"code":0,"data":{"access_token":""}}"#),
        granted("access-1", "refresh-1"),
        one(),
    ];
    let waited = talk(script);
    assert_eq!((waited.end.is_ok(), waited.again.len(), waited.ids().len()), (true, 3, 1));
    let mut late = failure(140, "无效的timestamp");
    late.date = Some(now() + chrono::Duration::seconds(900));
    let late = talk(vec![expired(), late, granted("access-1", "refresh-1"), one()]);
    assert_eq!((late.end.is_ok(), late.asked()), (true, vec![1, 0, 0, 1]));
    let nonsense = reply(200, r#"{"code":0,"data":{"access_token":7,"refresh_token":"refresh-1"}}"#);
    let stuck = talk(vec![expired(), nonsense.clone(), nonsense.clone(), nonsense]);
    assert!(stuck.error().to_string().contains("without access_token"), "{}", stuck.error());
    assert!(!format!("{:?}", stuck.error()).contains("refresh-1"));
}

#[test]
fn a_token_that_cannot_be_kept_stops_the_pull() {
    let shelf = Arc::new(Shelf { full: true, ..Shelf::default() });
    let talk = talk_with(&with_shelf(&source(&[]), &shelf), vec![expired(), granted("access-1", "refresh-1")]);
    assert_eq!(talk.error().kind(), Kind::Local);
    assert!(talk.error().to_string().contains("cannot be kept"), "{}", talk.error());
}

#[test]
fn pairs_are_never_shown() {
    let pair = Pair { access: Secret::new("a-token"), refresh: Some(Secret::new("r-token")), expires_at: None };
    let shown =
        format!("{:?} {:?}", Kept { origin: "o".into(), pair: pair.clone() }, Grant::Refresh(Secret::new("r-token")));
    assert!(!shown.contains("a-token") && !shown.contains("r-token"), "{shown}");
}

/// A shelf with a pair of the configured tokens that ends in so many hours.
fn shelf_with(hours: Option<i64>) -> Arc<Shelf> {
    let shelf = Arc::new(Shelf::default());
    talk_with(&with_shelf(&source(&[]), &shelf), vec![expired(), granted("access-1", "refresh-1"), one()]);
    let mut kept = shelf.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let pair = &mut kept.as_mut().expect("kept").pair;
    assert_eq!(pair.expires_at, Some(now() + chrono::Duration::days(30)));
    pair.expires_at = hours.map(|hours| now() + chrono::Duration::hours(hours));
    drop(kept);
    shelf
}

fn page_of(id: u32) -> Reply {
    page(json!({ "has_next": false }), &[id])
}

#[test]
fn a_token_that_ends_soon_is_refreshed_before_the_first_page() {
    let shelf = shelf_with(Some(71));
    let next = with_shelf(&source(&[]), &shelf);
    let talk = talk_with(&next, vec![granted("access-2", "refresh-2"), one()]);
    assert_eq!((talk.asked(), tokens_of(&talk)), (vec![0, 1], vec![String::new(), "access-2".into()]));
    assert_eq!(super::form(&talk.requests[0])["refresh_token"], "refresh-1");
    let kept = shelf.load().expect("no fault").expect("kept").pair;
    assert_eq!((kept.access.expose(), kept.expires_at), ("access-2", Some(now() + chrono::Duration::days(30))));
    // Long enough, of unknown end (a file of before), or over already: left alone.
    for (hours, token) in [(Some(73), "access-1"), (None, "access-1"), (Some(-1), "access-1")] {
        let next = with_shelf(&source(&[]), &shelf_with(hours));
        assert_eq!(tokens_of(&talk_with(&next, vec![one()])), [token], "{hours:?}");
    }
    // The vendor may give the same token with the same end again: asked once in a process.
    let next = with_shelf(&source(&[]), &shelf_with(Some(1)));
    let data = json!({ "access_token": "access-1", "refresh_token": "refresh-2", "expires_in": "3600" });
    let same = reply(200, json!({ "code": 0, "msg": "", "data": data }).to_string());
    assert_eq!(talk_with(&next, vec![same, one()]).asked(), [0, 1]);
    assert_eq!(talk_with(&next, vec![page_of(2)]).asked(), [1]);
}

#[test]
fn a_refresh_that_could_have_waited_never_stops_the_pull() {
    let refused = [
        failure(100, "refresh_token无效"),
        failure(150, "服务商应用禁止刷新access_token,需商户重新授权"),
        failure(10, "无效签名"),
        failure(4711, "没有见过的话"),
        reply(404, ""),
        reply(200, ""),
        reply(200, r#"{"code":0,"data":{"access_token":7}}"#),
    ];
    for refusal in refused {
        let shelf = shelf_with(Some(71));
        let next = with_shelf(&source(&[]), &shelf);
        let talk = talk_with(&next, vec![refusal, one()]);
        assert!(talk.end.is_ok() && talk.again.is_empty(), "{:?} {:?}", talk.end, talk.again);
        assert_eq!(tokens_of(&talk), ["", "access-1"]);
        // Not again in this process, and again in the next one.
        assert_eq!(talk_with(&next, vec![page_of(2)]).asked(), [1]);
        let talk = talk_with(&with_shelf(&source(&[]), &shelf), vec![granted("access-2", "refresh-2"), one()]);
        assert_eq!(tokens_of(&talk), ["", "access-2"]);
    }
    // A busy vendor is given its time, before the page.
    let busy = failure(199, "调用频次超过限制!请稍后再试");
    let talk = talk_with(&with_shelf(&source(&[]), &shelf_with(Some(71))), vec![busy, one()]);
    assert_eq!((talk.end.is_ok(), talk.again.len(), talk.asked()), (true, 1, vec![0, 1]));
    // The vendor's clock counts here, too.
    let mut late = failure(140, "无效的timestamp");
    late.date = Some(now() + chrono::Duration::seconds(900));
    let script = vec![late, granted("access-2", "refresh-2"), one()];
    let talk = talk_with(&with_shelf(&source(&[]), &shelf_with(Some(71))), script);
    assert_eq!((talk.end.is_ok(), talk.asked()), (true, vec![0, 0, 1]));
    // A token that is refused nevertheless is refreshed as ever.
    let script = vec![failure(100, "refresh_token无效"), expired(), granted("access-3", "refresh-3"), one()];
    let talk = talk_with(&with_shelf(&source(&[]), &shelf_with(Some(71))), script);
    assert_eq!(tokens_of(&talk), ["", "access-1", "", "access-3"]);
}
