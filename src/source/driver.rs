//! Drives a pull: sends its requests within the rate, tries again where that is safe, hands the pages on.
//!
//! Takes a [`Pull`], a [`Transport`] and bounds, gives pages into a bounded channel and, at the end, what was pulled.
//! Knows no vendor, commits nothing: pages that were handed on count only once the caller has seen [`Pulled`] and judged
//! its [`Completeness`]. Stops as soon as nobody takes pages any more.

use crate::base::clock::Clock;
use crate::base::record::Page;
use crate::base::retry::RetryPolicy;
use crate::base::{Advice, Error, Kind, Result};
use crate::net::Transport;
use crate::net::budget::RateBudget;
use crate::source::{Pull, Step};
use chrono::{DateTime, Utc};
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3;

/// A pull that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    pub pages: u32,
    pub records: u64,
    /// What the vendor said there are, if it said so.
    pub announced_total: Option<u64>,
    /// How records were seen to move, if they were.
    pub unsettled: Option<String>,
    /// XXH3-128 over the raw text of all records in order; where pages break does not matter.
    pub digest: u128,
    /// The vendor's clock at the last answer that told it.
    pub vendor_clock: Option<DateTime<Utc>>,
}

/// Whether a pull may be sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// As many records as announced.
    Whole,
    /// The vendor announced nothing to compare with.
    Unannounced,
    /// Records moved while they were paged. Pull again, or split the window; never seal.
    Unstable { why: String },
}

impl Pulled {
    pub fn completeness(&self) -> Completeness {
        match (&self.unsettled, self.announced_total) {
            (Some(why), _) => Completeness::Unstable { why: why.clone() },
            (None, None) => Completeness::Unannounced,
            (None, Some(announced)) if announced == self.records => Completeness::Whole,
            (None, Some(announced)) => {
                let why = format!("the vendor announced {announced} records and gave {}", self.records);
                Completeness::Unstable { why }
            }
        }
    }
}

/// What goes on, for progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request goes out; attempts count from 1 for each page.
    Request { attempt: u32 },
    /// The next attempt comes after `wait`.
    Retry { wait: Duration, why: String },
    /// A page was read and is handed on.
    Page { records: usize, bytes: usize },
}

/// Pulls everything. `retry` bounds the attempts and the time for each page and each question aside.
///
/// Errors: those of the pull and the transport; [`Kind::Unavailable`] when the bounds of trying again are reached;
/// [`Kind::Stopped`] when the receiver of `out` is gone.
pub async fn drive(
    pull: &mut dyn Pull,
    transport: &dyn Transport,
    budget: &RateBudget,
    retry: RetryPolicy,
    clock: &dyn Clock,
    out: Sender<Page>,
    on_event: &(dyn Fn(Event) + Send + Sync),
) -> Result<Pulled> {
    let mut hasher = Xxh3::new();
    let mut pulled =
        Pulled { pages: 0, records: 0, announced_total: None, unsettled: None, digest: 0, vendor_clock: None };
    let way = Way { transport, budget, retry, clock, on_event };
    loop {
        let page = tokio::select! {
            () = out.closed() => return Err(stopped()),
            page = way.next_page(pull, &mut pulled.vendor_clock) => page?,
        };
        let Some(page) = page else { break };
        pulled.pages += 1;
        pulled.records += page.records.len() as u64;
        for record in page.raw_records() {
            hasher.update(record.as_bytes());
            hasher.update(b"\n");
        }
        on_event(Event::Page { records: page.records.len(), bytes: page.text.len() });
        out.send(page).await.map_err(|_| stopped())?;
    }
    pulled.announced_total = pull.announced_total();
    pulled.unsettled = pull.unsettled();
    pulled.digest = hasher.digest128();
    Ok(pulled)
}

struct Way<'a> {
    transport: &'a dyn Transport,
    budget: &'a RateBudget,
    retry: RetryPolicy,
    clock: &'a dyn Clock,
    on_event: &'a (dyn Fn(Event) + Send + Sync),
}

/// Why an attempt brought no page, and the least wait before the next.
struct Miss {
    wait: Duration,
    error: Error,
}

impl Way<'_> {
    async fn next_page(&self, pull: &mut dyn Pull, clock: &mut Option<DateTime<Utc>>) -> Result<Option<Page>> {
        let mut began = Instant::now();
        let mut attempt = 1;
        loop {
            let miss = match self.attempt(pull, attempt, clock).await? {
                Attempt::Complete => return Ok(None),
                Attempt::Page(page) => return Ok(Some(page)),
                Attempt::Answered => {
                    // Another question begins, with all its attempts.
                    (began, attempt) = (Instant::now(), 1);
                    continue;
                }
                Attempt::Missed(miss) => miss,
            };
            attempt += 1;
            let elapsed = began.elapsed();
            let wait = self.retry.wait_before(attempt, elapsed, Some(miss.wait), fastrand::f64());
            let Some(wait) = wait.filter(|wait| elapsed + *wait <= self.retry.max_elapsed) else {
                let given_up = format!("gave up after {} attempts in {} s", attempt - 1, elapsed.as_secs());
                let advice = if miss.wait.is_zero() { Advice::Retry } else { Advice::After(miss.wait) };
                return Err(miss.error.advise(advice).context(given_up));
            };
            (self.on_event)(Event::Retry { wait, why: miss.error.to_string() });
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, pull: &mut dyn Pull, attempt: u32, clock: &mut Option<DateTime<Utc>>) -> Result<Attempt> {
        // Asked for before the budget is taken: the end of a pull must not cost a call. Asked for at every attempt: the
        // time stamp of a signed request must be fresh.
        let Some(request) = pull.next_request(self.clock.now())? else { return Ok(Attempt::Complete) };
        self.budget.take().await;
        (self.on_event)(Event::Request { attempt });
        let reply = match self.transport.send(&request).await {
            Ok(reply) => reply,
            Err(error) => {
                return match error.advice() {
                    Advice::Retry => Ok(Attempt::Missed(Miss { wait: Duration::ZERO, error })),
                    Advice::After(wait) => Ok(Attempt::Missed(Miss { wait, error })),
                    Advice::Never | Advice::AskFirst => Err(error),
                };
            }
        };
        *clock = reply.date.or(*clock);
        Ok(match pull.on_reply(reply)? {
            Step::Page(page) => Attempt::Page(page),
            Step::Aside => Attempt::Answered,
            Step::Again { wait, why } => {
                let error = Error::unavailable(why).hint("the vendor is busy or failing; run the same command later");
                Attempt::Missed(Miss { wait, error })
            }
        })
    }
}

enum Attempt {
    Complete,
    Page(Page),
    Answered,
    Missed(Miss),
}

fn stopped() -> Error {
    Error::new(Kind::Stopped, "stopped: nobody takes the pages any more")
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
