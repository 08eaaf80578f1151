//! Several vendors in one server: whose a path is, whose faults are met, and what of an answer goes out.

use std::sync::atomic::{AtomicU64, Ordering};

use super::server::{Answer, Request, serve};
use super::tests::wire::{Heard, get, post_form};
use super::*;

/// Answers its name, the operation, the word of a fault of its own, and how often it acted.
struct Echo {
    name: &'static str,
    acted: AtomicU64,
}

impl Vendor for Echo {
    fn name(&self) -> &'static str {
        self.name
    }

    fn owns(&self, path: &str) -> bool {
        path.strip_prefix('/').is_some_and(|path| path.starts_with(self.name))
    }

    fn answer(&self, request: &Request<'_>) -> Answer {
        let acted = self.acted.fetch_add(1, Ordering::Relaxed) + 1;
        let (agent, word) = (request.headers.get("user-agent"), request.fault.unwrap_or("-"));
        let body = format!("{}?{} {agent:?} {word} {acted}", request.path, request.query);
        Answer { cookies: vec!["a=1; path=/".to_owned(), "b=2".to_owned()], ..Answer::html(201, body) }
    }

    fn throttled(&self) -> Answer {
        Answer::html(200, format!("{} is tired", self.name))
    }

    fn inspect(&self, path: &str) -> Option<bytes::Bytes> {
        (path == "acted").then(|| self.acted.load(Ordering::Relaxed).to_string().into())
    }

    fn operations(&self) -> &'static [&'static str] {
        &["save", "query"]
    }

    fn operation(&self, request: &Request<'_>) -> &'static str {
        if request.path.ends_with("query") { "query" } else { "save" }
    }

    fn counts(&self, request: &Request<'_>) -> bool {
        request.path.ends_with("save")
    }
}

struct Played {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: watch::Sender<bool>,
}

impl Played {
    /// `jackyun` and `kingdee`, both played by an echo.
    async fn start() -> Played {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let echo = |name| Served::new(Arc::new(Echo { name, acted: AtomicU64::new(0) }));
        let shared = Arc::new(Shared::new(vec![echo("jackyun"), echo("kingdee")], TimeDelta::zero(), stopped));
        tokio::spawn(serve(listener, Arc::clone(&shared)));
        Played { address, shared, _stop: stop }
    }

    fn faults(&self, faults: &[&str]) -> Result<(), String> {
        self.shared.set_faults(&faults.iter().map(|fault| fault.parse().unwrap()).collect::<Vec<_>>())
    }

    async fn post(&self, path: &str) -> Heard {
        post_form(self.address, path, "user-agent: test\r\n", "").await
    }

    async fn said(&self, path: &str) -> String {
        String::from_utf8(self.post(path).await.body).unwrap()
    }
}

#[tokio::test]
async fn each_vendor_answers_for_its_paths_with_its_own_status_and_cookies() {
    let played = Played::start().await;
    let heard = played.post("/kingdee/save?x=1").await;
    assert_eq!(String::from_utf8_lossy(&heard.body), "/kingdee/save?x=1 Some(\"test\") - 1");
    assert!(heard.status == 201 && heard.headers["content-type"].starts_with("text/html"));
    assert_eq!(heard.cookies, ["a=1; path=/", "b=2"]);
    assert_eq!(played.post("/nobody").await.status, 404);
    assert_eq!(get(played.address, "/kingdee/save").await.status, 405);
    let inspected = [("/sandbox/kingdee/acted", "1"), ("/sandbox/jackyun/acted", "0"), ("/sandbox/acted", "0")];
    for (path, shown) in inspected {
        assert_eq!(get(played.address, path).await.body, shown.as_bytes(), "{path}");
    }
    assert_eq!(get(played.address, "/sandbox/kingdee/other").await.status, 404);
    assert_eq!(
        (played.shared.vendor("kingdee").unwrap().calls(), played.shared.vendor("jackyun").unwrap().calls()),
        (1, 0)
    );
}

#[tokio::test]
async fn faults_meet_the_vendor_and_the_operation_they_name() {
    let played = Played::start().await;
    played.faults(&["throttle@1", "kingdee:throttle@2", "kingdee:query/own=drop-a-line@2x1"]).unwrap();
    assert!(played.said("/kingdee/save").await.ends_with("- 1"));
    assert!(played.said("/kingdee/query").await.ends_with("- 2"), "not counted, and the first query");
    assert!(played.said("/kingdee/query").await.ends_with("drop-a-line 3"));
    assert_eq!(played.said("/kingdee/save").await, "kingdee is tired");
    assert_eq!(played.said("/jackyun/save").await, "jackyun is tired");
    assert!(played.faults(&["jushuitan:reset@1"]).unwrap_err().contains("no vendor"));
    assert!(played.faults(&["kingdee:sav/reset@1"]).unwrap_err().contains("\"sav\""));
}

#[tokio::test]
async fn what_was_done_is_done_even_if_the_answer_is_lost_late_or_wrong() {
    let played = Played::start().await;
    let faults = ["kingdee:reset@1", "kingdee:lost-reply@2", "kingdee:commit-then-500@3", "kingdee:late-reply=300@4"];
    played.faults(&faults).unwrap();
    for acted in [0, 1] {
        let heard = played.post("/kingdee/save").await;
        assert!(heard.broken && heard.status == 0, "no byte of an answer");
        assert_eq!(get(played.address, "/sandbox/kingdee/acted").await.body, acted.to_string().as_bytes());
    }
    let heard = played.post("/kingdee/save").await;
    assert!(heard.status == 500 && heard.body.starts_with(b"<html>"));
    let began = std::time::Instant::now();
    assert!(played.said("/kingdee/save").await.ends_with("- 3"));
    assert!(began.elapsed() >= Duration::from_millis(300));
}
