//! The driver against a scripted pull and a scripted transport.

use super::*;
use crate::base::clock::SystemClock;
use crate::net::{Reply, Request};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::mpsc;

/// Each reply's body is a page of one-letter records, or `!` for "again".
struct Letters {
    asked: u32,
    left: usize,
    pages: u32,
    total: Option<u64>,
    fail: bool,
}

impl Pull for Letters {
    fn next_request(&mut self, _: DateTime<Utc>) -> Result<Option<Request>> {
        self.asked += 1;
        let request =
            || Request { url: String::new(), headers: vec![], content_type: "", body: vec![], idempotent: true };
        Ok((self.left > 0).then(request))
    }

    fn on_reply(&mut self, reply: Reply) -> Result<Step> {
        if self.fail {
            return Err(Error::protocol("no sense in this"));
        }
        if reply.body == b"!" {
            return Ok(Step::Again { wait: reply.retry_after.unwrap_or_default(), why: "busy".into() });
        }
        self.left -= 1;
        let text = String::from_utf8(reply.body).expect("letters");
        let records = (0..text.len()).map(|i| i..i + 1).collect();
        self.pages += 1;
        Ok(Step::Page(Page { number: self.pages - 1, text, records, fetched_at: reply.received_at }))
    }

    fn announced_total(&self) -> Option<u64> {
        self.total
    }
}

fn letters(pages: usize, total: Option<u64>) -> Letters {
    Letters { asked: 0, left: pages, pages: 0, total, fail: false }
}

struct Script {
    replies: Mutex<VecDeque<Result<&'static str>>>,
    sent: AtomicU32,
    retry_after: Option<Duration>,
    hang: bool,
}

fn script(replies: Vec<Result<&'static str>>) -> Script {
    Script { replies: Mutex::new(replies.into()), sent: AtomicU32::new(0), retry_after: None, hang: false }
}

fn hour(n: u32) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(i64::from(n) * 3600, 0)
}

#[async_trait::async_trait]
impl Transport for Script {
    async fn send(&self, _: &Request) -> Result<Reply> {
        let sent = self.sent.fetch_add(1, Ordering::SeqCst) + 1;
        if self.hang {
            std::future::pending::<()>().await;
        }
        let body = self.replies.lock().expect("lock").pop_front().expect("the script is at its end")?;
        // Only the first two answers tell the time.
        let date = if sent <= 2 { hour(sent) } else { None };
        Ok(Reply {
            status: 200,
            content_type: String::new(),
            date,
            retry_after: self.retry_after,
            set_cookies: Vec::new(),
            body: body.into(),
            received_at: Utc::now(),
        })
    }
}

fn quick() -> RetryPolicy {
    RetryPolicy {
        max_attempts: 4,
        first_wait: Duration::from_millis(2),
        max_wait: Duration::from_millis(4),
        max_elapsed: Duration::from_secs(5),
    }
}

async fn play(pull: &mut Letters, script: &Script, retry: RetryPolicy) -> (Result<Pulled>, Vec<Page>, Vec<Event>) {
    let (out, mut pages) = mpsc::channel(16);
    let events = Mutex::new(Vec::new());
    let on_event = |event| events.lock().expect("lock").push(event);
    let budget = RateBudget::new(f64::INFINITY);
    let result = drive(pull, script, &budget, retry, &SystemClock, out, &on_event).await;
    let mut received = Vec::new();
    while let Some(page) = pages.recv().await {
        received.push(page);
    }
    (result, received, events.into_inner().expect("lock"))
}

#[tokio::test]
async fn pages_come_in_order_over_busy_answers_and_lost_connections() {
    let lost = || Err(Error::unavailable("lost"));
    let mut pull = letters(3, Some(5));
    let script = script(vec![Ok("ab"), Ok("!"), lost(), Ok("cd"), Ok("e")]);
    let (pulled, pages, events) = play(&mut pull, &script, quick()).await;
    let pulled = pulled.expect("a whole pull");
    assert_eq!(pages.iter().map(|p| p.text.as_str()).collect::<Vec<_>>(), ["ab", "cd", "e"]);
    assert_eq!((pulled.pages, pulled.records, pulled.completeness()), (3, 5, Completeness::Whole));
    assert_eq!(pulled.vendor_clock, hour(2), "the last answer that told the time");
    assert_eq!(pull.asked, 6, "asked anew for each attempt, once more for the end");
    let waits: Vec<&str> = events
        .iter()
        .filter_map(|e| match e {
            Event::Retry { why, .. } => Some(why.as_str()),
            Event::Request { .. } | Event::Page { .. } => None,
        })
        .collect();
    assert_eq!(waits, ["busy", "lost"]);
    let attempts = events.iter().filter(|e| matches!(e, Event::Request { .. })).count();
    assert_eq!((attempts, script.sent.load(Ordering::SeqCst)), (5, 5));
}

#[tokio::test]
async fn the_digest_sees_records_not_pages_and_a_wrong_total_is_unstable() {
    let mut digests = Vec::new();
    for (replies, total) in
        [(vec![Ok("ab"), Ok("c")], None), (vec![Ok("a"), Ok("bc")], Some(4)), (vec![Ok("ab"), Ok("d")], Some(3))]
    {
        let mut pull = letters(2, total);
        let pulled = play(&mut pull, &script(replies), quick()).await.0.expect("a whole pull");
        digests.push((pulled.digest, pulled.completeness()));
    }
    assert_eq!(digests[0].0, digests[1].0);
    assert_ne!(digests[0].0, digests[2].0);
    let [a, b, c] = [0, 1, 2].map(|i| digests[i].1.clone());
    assert_eq!(a, Completeness::Unannounced);
    assert_eq!(b, Completeness::Unstable { why: "the vendor announced 4 records and gave 3".into() });
    assert_eq!(c, Completeness::Whole);
}

#[tokio::test]
async fn attempts_and_waits_are_bounded() {
    let busy = script(vec![Ok("!"), Ok("!"), Ok("!"), Ok("!")]);
    let (result, pages, _) = play(&mut letters(1, None), &busy, quick()).await;
    let error = result.expect_err("busy for ever");
    assert_eq!((error.kind(), error.exit_code(), pages.len()), (Kind::Unavailable, 3, 0));
    assert!(error.to_string().contains("gave up after 4 attempts"), "{error}");
    // A vendor that asks for more patience than we have: told so at once, with the time.
    let mut patient = script(vec![Ok("!")]);
    patient.retry_after = Some(Duration::from_secs(3600));
    let error = play(&mut letters(1, None), &patient, quick()).await.0.expect_err("an hour");
    assert_eq!(error.advice(), Advice::After(Duration::from_secs(3600)));
    // Retry-After within bounds is kept.
    let mut short = script(vec![Ok("!"), Ok("a")]);
    short.retry_after = Some(Duration::from_millis(60));
    let began = Instant::now();
    play(&mut letters(1, None), &short, quick()).await.0.expect("a whole pull");
    assert!(began.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn what_must_not_be_tried_again_is_not() {
    for advice in [Advice::Never, Advice::AskFirst] {
        let once = script(vec![Err(Error::unavailable("may have arrived").advise(advice))]);
        let error = play(&mut letters(1, None), &once, quick()).await.0.expect_err("no second attempt");
        assert_eq!((error.advice(), once.sent.load(Ordering::SeqCst)), (advice, 1));
    }
    let mut failing = letters(2, None);
    failing.fail = true;
    let one = script(vec![Ok("a")]);
    assert_eq!(play(&mut failing, &one, quick()).await.0.expect_err("refused").kind(), Kind::Protocol);
}

#[tokio::test]
async fn nobody_left_to_take_pages_ends_the_pull_even_in_the_middle_of_a_call() {
    let mut hanging = script(vec![]);
    hanging.hang = true;
    let (out, pages) = mpsc::channel(1);
    let mut pull = letters(1, None);
    let budget = RateBudget::new(f64::INFINITY);
    let driven = drive(&mut pull, &hanging, &budget, quick(), &SystemClock, out, &|_| {});
    let gone = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(pages);
    };
    let (result, ()) = tokio::join!(driven, gone);
    assert_eq!(result.expect_err("stopped").kind(), Kind::Stopped);
}
