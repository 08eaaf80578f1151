//! Sessions: cookies kept and sent, a lost one made anew, credentials that are refused, the login where it is asked for.

use super::*;
use crate::base::Kind;

const COOKIES: [&str; 2] = ["ASP.NET_SessionId=abc; path=/; HttpOnly", "kdservice-sessionid=0f1e; path=/"];

#[tokio::test]
async fn a_session_lost_in_mid_batch_is_asked_about_and_only_the_missing_is_sent_again() {
    let steps = vec![
        query(&["T0"]).cookies("").says("[]").sets(&COOKIES),
        save(&["T1", "T2"])
            .cookies("ASP.NET_SessionId=abc; kdservice-sessionid=0f1e")
            .says(lost_session())
            .sets(&["kdservice-sessionid=useless; path=/"]),
        query(&["T1", "T2"]).cookies("").says(rows(&[(101, "T1", "C", 2)])).sets(&["kdservice-sessionid=new"]),
        save(&["T2"]).cookies("kdservice-sessionid=new").says(answer(&[(102, "T2", 0)], &[], 0)),
        query(&["T2"]).says(rows(&[(102, "T2", "C", 2)])),
    ];
    let (sink, script) = sink_of(&settings(), steps);
    let key = DocKey::new("T0").expect("a key");
    let found = sink.find(&[Asked { key: &key, document: None, remote: None }]).await.expect("an answer");
    assert_eq!(found, [Found::Missing]);
    let receipts = sink.send(&documents(&["T1", "T2"])).await.expect("receipts");
    script.is_over();
    let became: Vec<String> = receipts.iter().map(|r| short(&r.outcome)).collect();
    assert_eq!(became, ["present 101", "accepted 102"]);
    let requests = script.requests.lock().expect("no panic");
    assert!(requests.iter().all(|r| header(r, "X-Kd-Signature").is_some() && header(r, "x-api-nonce").is_some()));
    let nonces: Vec<_> = requests.iter().filter_map(|r| header(r, "x-api-nonce")).collect();
    assert_ne!(nonces[0], nonces[1], "every request is signed afresh");
}

#[tokio::test]
async fn refused_credentials_stop_the_run_where_nothing_can_have_arrived() {
    for lost in [lost_session(), "... {ctx == null} ...".to_string()] {
        let steps = vec![
            save(&["T1"]).says(&lost),
            query(&["T1"]).says(lost_session_of_a_query()),
            query(&["T1"]).says(lost_session_of_a_query()),
        ];
        let error = sent(&["T1"], steps).await.expect_err("refused");
        assert_eq!(error.kind(), Kind::Denied);
        assert!(error.cure().is_some_and(|c| c.contains("sink.app_secret") && !c.contains(APP_SECRET)));
    }
    // The session had served before: something may have been stored.
    let steps = vec![
        query(&["T0"]).says("[]").sets(&COOKIES),
        save(&["T1"]).says(lost_session()),
        query(&["T1"]).answers(401, ""),
        query(&["T1"]).says(lost_session_of_a_query()),
    ];
    let (sink, script) = sink_of(&settings(), steps);
    let key = DocKey::new("T0").expect("a key");
    sink.find(&[Asked { key: &key, document: None, remote: None }]).await.expect("an answer");
    let receipts = sink.send(&documents(&["T1"])).await.expect("receipts");
    script.is_over();
    assert_eq!(short(&receipts[0].outcome), "unknown session");
    // A session that is lost with every save is given up after the second.
    let steps = vec![
        save(&["T1"]).says(lost_session()),
        query(&["T1"]).says("[]"),
        save(&["T1"]).says(lost_session()),
        query(&["T1"]).says("[]"),
    ];
    assert_eq!(sent(&["T1"], steps).await.expect("receipts"), ["unknown session"]);
}

fn login() -> Step {
    Step { about: None, ..Step::new("LoginByAppSecret", &[]) }
}

fn by_login(steps: Vec<Step>) -> (KingdeeSink, Arc<Script>) {
    let mut settings = settings();
    settings.auth = KingdeeAuth::AppSecret;
    sink_of(&settings, steps)
}

#[tokio::test]
async fn a_login_serves_all_calls_until_the_session_is_lost() {
    let old = fixture("kingdee-resp-login-success-v72.json");
    let new = fixture("kingdee-resp-login-success-newer-composed.json");
    let steps = vec![
        login().cookies("").says(old).sets(&["kdservice-sessionid=first; path=/"]),
        query(&["A"]).cookies("kdservice-sessionid=first").says("[]"),
        query(&["A"]).cookies("kdservice-sessionid=first").says("[]"),
        query(&["A"]).says(lost_session_of_a_query()),
        login().cookies("").says(new),
        query(&["A"]).cookies("kdservice-sessionid=0f1e2d3c-0000-1111-2222-333344445555").says("[]"),
    ];
    let (sink, script) = by_login(steps);
    let key = DocKey::new("A").expect("a key");
    let asked = [Asked { key: &key, document: None, remote: None }];
    let (first, second) = tokio::join!(sink.find(&asked), sink.find(&asked));
    assert_eq!((first.expect("an answer").len(), second.expect("an answer").len()), (1, 1));
    sink.find(&asked).await.expect("a new login");
    script.is_over();
    let requests = script.requests.lock().expect("no panic");
    let body: Json = serde_json::from_slice(&requests[0].body).expect("JSON");
    assert_eq!(body["acctID"], "5f0c1a2b3c4d5e");
    assert_eq!(
        (&body["username"], &body["appsecret"], &body["lcid"]),
        (&json!("demo"), &json!(APP_SECRET), &json!(2052))
    );
    assert!(requests.iter().all(|r| header(r, "X-Kd-Signature").is_none()));
}

#[tokio::test]
async fn a_refused_login_says_so_without_the_secret() {
    let refused: Json = serde_json::from_str(&fixture("kingdee-resp-login-failure-composed.json")).expect("JSON");
    for (case, said) in refused.as_object().expect("cases") {
        let mut said = said.clone();
        let text = format!("{} ({APP_SECRET})", said["Message"].as_str().unwrap_or_default());
        said["Message"] = json!(text);
        let (sink, script) = by_login(vec![login().says(said)]);
        let error = sink.check().await.expect_err("refused");
        script.is_over();
        assert_eq!(error.kind(), Kind::Denied, "{case}");
        assert!(error.to_string().contains("the login is refused") && !format!("{error:?}").contains(APP_SECRET));
    }
    let (sink, _) = by_login(vec![login().answers(404, "<html>")]);
    assert_eq!(sink.check().await.expect_err("no such service").kind(), Kind::Config);
}
