//! The client against a small server on the loopback that says exactly what it is told to.

use super::*;
use crate::base::Kind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers one connection with these bytes after `delay`, then closes it; gives the address and the request it got.
async fn serve(answer: Vec<u8>, delay: Duration) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut got = Vec::new();
        while !String::from_utf8_lossy(&got).ends_with("sign=hidden") {
            let mut chunk = [0; 4096];
            let n = stream.read(&mut chunk).await.expect("a request");
            assert!(n > 0, "the request ended early");
            got.extend_from_slice(&chunk[..n]);
        }
        tokio::time::sleep(delay).await;
        // The client may be gone by now; that is what some of these tests are about.
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
        String::from_utf8(got).expect("text")
    });
    (format!("http://{address}/do?key=hidden"), task)
}

fn client() -> HttpClient {
    HttpClient::new(ClientOptions {
        request_timeout: Duration::from_millis(400),
        max_answer_bytes: 1000,
        end: End::Source,
    })
    .expect("a client")
}

fn request(url: &str, idempotent: bool) -> Request {
    Request {
        url: url.into(),
        headers: vec![("x-extra".into(), "1".into())],
        content_type: "application/x-www-form-urlencoded",
        body: b"a=1&sign=hidden".to_vec(),
        idempotent,
    }
}

async fn answered(answer: impl Into<Vec<u8>>) -> Result<Reply> {
    let (url, _server) = serve(answer.into(), Duration::ZERO).await;
    let result = client().send(&request(&url, true)).await;
    if let Err(error) = &result {
        let all = format!("{error:?}");
        assert!(!all.contains("hidden") && !all.contains("/do"), "{all}");
    }
    result
}

#[tokio::test]
async fn a_reply_of_any_status_comes_whole_with_clock_and_patience() {
    let answer = "HTTP/1.1 503 Busy\r\nDate: Wed, 05 Jun 2024 03:26:00 GMT\r\nContent-Type: Text/HTML; charset=x\r\n\
                  Retry-After: 7\r\nContent-Length: 5\r\n\r\nhello";
    let (url, server) = serve(answer.into(), Duration::ZERO).await;
    let reply = client().send(&request(&url, true)).await.expect("a reply");
    assert_eq!(
        (reply.status, reply.content_type.as_str(), reply.body.as_slice()),
        (503, "text/html; charset=x", &b"hello"[..])
    );
    assert_eq!(reply.date.map(|d| d.to_rfc3339()).as_deref(), Some("2024-06-05T03:26:00+00:00"));
    assert_eq!(reply.retry_after, Some(Duration::from_secs(7)));
    let got = server.await.expect("the server").to_lowercase();
    assert!(got.starts_with("post /do?key=hidden http/1.1\r\n"), "{got}");
    assert!(
        got.contains("content-type: application/x-www-form-urlencoded\r\n") && got.contains("x-extra: 1\r\n"),
        "{got}"
    );
    let dated = "HTTP/1.1 429 Slow\r\nDate: Wed, 05 Jun 2024 03:26:00 GMT\r\nRetry-After: Wed, 05 Jun 2024 03:27:30 GMT\r\n\
                 Content-Length: 0\r\n\r\n";
    assert_eq!(answered(dated).await.expect("a reply").retry_after, Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_announced_or_not() {
    let at_limit = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}", "x".repeat(1000));
    assert_eq!(answered(at_limit).await.expect("just fits").body.len(), 1000);
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n".to_string();
    let unannounced = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(1001));
    for answer in [announced, unannounced] {
        let error = answered(answer).await.expect_err("too large");
        assert_eq!((error.kind(), error.advice()), (Kind::Protocol, Advice::Never));
        assert!(error.to_string().contains("larger than 1000 bytes"), "{error}");
        assert!(error.cure().is_some_and(|c| c.contains("source.limits.max_page_mib")));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for status in [302, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} Go\r\nLocation: https://elsewhere.example/login?x=hidden\r\nContent-Length: 0\r\n\r\n"
        );
        let error = answered(answer).await.expect_err("a redirect");
        assert_eq!(error.kind(), Kind::Denied);
        assert!(error.to_string().contains("https://elsewhere.example;"), "{error}");
    }
}

#[tokio::test]
async fn a_body_cut_off_or_late_may_be_asked_again_only_where_that_is_safe() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nabc".to_vec();
    let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc".to_vec();
    let cases = [(cut, Duration::ZERO, "broke off"), (whole, Duration::from_secs(3), "no whole answer in time")];
    for (answer, delay, expected) in cases {
        for (idempotent, advice) in [(true, Advice::Retry), (false, Advice::AskFirst)] {
            let (url, server) = serve(answer.clone(), delay).await;
            let error = client().send(&request(&url, idempotent)).await.expect_err(expected);
            assert_eq!((error.kind(), error.advice()), (Kind::Unavailable, advice), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
            server.abort();
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_was_never_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/do?key=hidden", listener.local_addr().expect("an address"));
    drop(listener);
    let error = client().send(&request(&url, false)).await.expect_err("nobody listens");
    assert_eq!((error.kind(), error.advice()), (Kind::Unavailable, Advice::Retry));
    assert!(error.to_string().contains("http://127.0.0.1:") && !format!("{error:?}").contains("hidden"), "{error:?}");
    let error = client().send(&request("no address, hidden", false)).await.expect_err("no address");
    assert_eq!(error.kind(), Kind::Config);
    assert!(!format!("{error:?}").contains("hidden"));
}
