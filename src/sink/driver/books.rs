//! The books of one delivery: what is still to be written to the ledger and the exchange record, in which order.
//!
//! Exchange first, then the outcomes, in groups: a crash in between leaves documents `intended`, which are asked about.
//! Never knows a target.

use super::Delivery;
use super::parcel::{Parcel, first_rid};
use crate::base::Result;
use crate::base::lifecycle::State;
use crate::base::record::{Document, Rid};
use crate::exchange::{Attempt, ExchangeWriter};
use crate::sink::{Exchange, Receipt};
use crate::state::Store;
use crate::state::ledger::{BlockedRow, Entry, Write};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::time::{Duration, Instant};

/// Outcomes wait for company at most this long before they are committed.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// … and never in larger groups than this.
const FLUSH_DOCUMENTS: usize = 4096;
/// A delivery gives a sign of life this often: `in_doubt_wait` ÷ 18, within these limits. After a crash nothing of it can
/// have been sent later than twice the longest after the last sign, whatever the wait was then.
const SIGN_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(super) struct Books<'a> {
    store: &'a mut Store,
    exchange: &'a mut ExchangeWriter,
    delivery: &'a Delivery,
    target: String,
    outcomes: Vec<Write>,
    attempts: Vec<Attempt>,
    oldest: Option<Instant>,
    sign_every: Duration,
    last_sign: Option<Instant>,
}

/// What an exchange is about.
pub(super) struct About<'a> {
    pub key: &'a str,
    pub rid: Rid,
    /// Number of the request within the run.
    pub batch: i64,
}

/// When a question was asked and answered.
pub(super) struct Times {
    pub asked_at: DateTime<Utc>,
    pub answered_at: DateTime<Utc>,
}

impl<'a> Books<'a> {
    pub(super) fn new(
        store: &'a mut Store,
        exchange: &'a mut ExchangeWriter,
        delivery: &'a Delivery,
        target: &str,
        in_doubt_wait: Duration,
    ) -> Self {
        Self {
            store,
            exchange,
            delivery,
            target: target.to_string(),
            outcomes: Vec::new(),
            attempts: Vec::new(),
            oldest: None,
            sign_every: (in_doubt_wait / 18).clamp(SIGN_EVERY.0, SIGN_EVERY.1),
            last_sign: None,
        }
    }

    /// The ledger's word on each document, in order.
    pub(super) fn entries<'d>(&self, documents: impl Iterator<Item = &'d Document>) -> Result<Vec<Option<Entry>>> {
        self.store.entries(self.delivery.target, documents.map(|d| d.key.as_str()))
    }

    /// How long ago, at least, the last request of an entry's run was lost.
    pub(super) fn lost_since(&self, entry: &Entry) -> Result<Duration> {
        let last = if entry.run == self.delivery.run { None } else { self.store.last_sign(entry.run)? };
        let Some(last) = last else { return Ok(Duration::ZERO) };
        let silent = if last.ended { Duration::ZERO } else { SIGN_EVERY.1 * 2 };
        let silent = TimeDelta::from_std(silent).unwrap_or(TimeDelta::MAX);
        Ok((Utc::now() - last.at - silent).to_std().unwrap_or_default())
    }

    /// Commits intents; only after this may they be sent. What is still to be written of the same documents goes first.
    pub(super) fn intend(&mut self, parcels: &[Parcel], again: bool) -> Result<()> {
        if again {
            self.flush()?;
        }
        let intend = |d: &Document| Write::Intend {
            key: d.key.to_string(),
            digest: d.digest,
            version: d.version,
            rid: first_rid(d),
        };
        let writes: Vec<Write> = parcels.iter().map(|parcel| intend(&parcel.document)).collect();
        self.record(&writes)
    }

    /// Takes a receipt into the next group.
    pub(super) fn settle(&mut self, about: &About<'_>, receipt: Receipt) {
        let Receipt { outcome, exchanges } = receipt;
        let last = exchanges.len();
        for (number, exchange) in exchanges.into_iter().enumerate() {
            // What became of the document was known after the last of them.
            let state = if number + 1 == last { outcome.state().word() } else { "" };
            self.attempt(about, exchange, state, outcome.remote());
        }
        self.note(Write::Settle {
            key: about.key.to_string(),
            state: outcome.state(),
            remote: outcome.remote().map(Into::into),
            reason: outcome.reason().cloned(),
        });
    }

    /// Keeps one exchange; `state` is the lifecycle's word for what it showed, empty where it showed nothing yet.
    pub(super) fn attempt(&mut self, about: &About<'_>, exchange: Exchange, state: &'static str, remote: Option<&str>) {
        self.attempts.push(Attempt {
            run: self.delivery.run,
            batch: about.batch,
            target: self.target.clone(),
            key: about.key.to_string(),
            rid: about.rid.0,
            operation: exchange.operation,
            request: exchange.request,
            answer: exchange.answer,
            state,
            remote: remote.map(Into::into),
            sent_at: stamp(exchange.sent_at),
            answered_at: stamp(exchange.answered_at),
        });
        self.oldest.get_or_insert_with(Instant::now);
    }

    /// Keeps a question to the target, and what its answer made of the document.
    pub(super) fn question(
        &mut self,
        about: &About<'_>,
        answer: String,
        state: State,
        remote: Option<&str>,
        times: &Times,
    ) {
        let request = format!("what stands under {}?", about.key);
        let Times { asked_at: sent_at, answered_at } = *times;
        let exchange = Exchange { operation: "find", request, answer, sent_at, answered_at };
        self.attempt(about, exchange, state.word(), remote);
    }

    /// A decision joins the next group too.
    pub(super) fn note(&mut self, write: Write) {
        self.outcomes.push(write);
        self.oldest.get_or_insert_with(Instant::now);
    }

    pub(super) fn note_rows(&mut self, mapped: &[Rid], blocked: &[BlockedRow], unmapped: &[Rid]) -> Result<()> {
        self.store.note_rows(&self.delivery.pipeline, self.delivery.run, mapped, blocked, unmapped)
    }

    pub(super) fn run(&self) -> i64 {
        self.delivery.run
    }

    /// Says now and then that this run is alive, so that a later one knows how long what was lost has been lost.
    pub(super) fn sign_of_life(&mut self) -> Result<()> {
        if self.last_sign.is_none_or(|last| last.elapsed() >= self.sign_every) {
            self.store.alive(self.delivery.run, &stamp(Utc::now()))?;
            self.last_sign = Some(Instant::now());
        }
        Ok(())
    }

    pub(super) fn flush_if_due(&mut self) -> Result<()> {
        let waited = self.oldest.is_some_and(|since| since.elapsed() >= FLUSH_AFTER);
        if waited || self.outcomes.len() >= FLUSH_DOCUMENTS { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.exchange.append(&self.attempts)?;
        self.attempts.clear();
        let outcomes = std::mem::take(&mut self.outcomes);
        self.oldest = None;
        self.record(&outcomes)
    }

    fn record(&mut self, writes: &[Write]) -> Result<()> {
        self.store.record(self.delivery.target, self.delivery.mapping, self.delivery.run, writes)
    }
}
