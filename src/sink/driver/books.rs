//! The books of one delivery: what is still to be written to the ledger and the exchange record, in which order.
//!
//! Exchange first, then the outcomes, in groups: a crash in between leaves documents `intended`, which are asked about.
//! Never knows a target.

use super::{Batch, Delivery};
use crate::base::Result;
use crate::base::record::{Document, Rid};
use crate::exchange::{Attempt, ExchangeWriter};
use crate::sink::Receipt;
use crate::state::Store;
use crate::state::ledger::{BlockedRow, Entry, Write};
use chrono::{DateTime, SecondsFormat, Utc};
use std::time::{Duration, Instant};

/// Outcomes wait for company at most this long before they are committed.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// … and never in larger groups than this.
const FLUSH_DOCUMENTS: usize = 4096;

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
}

impl<'a> Books<'a> {
    pub(super) fn new(
        store: &'a mut Store,
        exchange: &'a mut ExchangeWriter,
        delivery: &'a Delivery,
        target: &str,
    ) -> Self {
        let target = target.to_string();
        Self { store, exchange, delivery, target, outcomes: Vec::new(), attempts: Vec::new(), oldest: None }
    }

    /// The ledger's word on each document, in order.
    pub(super) fn entries<'d>(&self, documents: impl Iterator<Item = &'d Document>) -> Result<Vec<Option<Entry>>> {
        self.store.entries(self.delivery.target, documents.map(|d| d.key.as_str()))
    }

    /// Commits intents; only after this may they be sent.
    pub(super) fn intend(&mut self, documents: &[&Document]) -> Result<()> {
        let writes: Vec<Write> = documents
            .iter()
            .map(|d| Write::Intend { key: d.key.to_string(), digest: d.digest, version: d.version, rid: first_rid(d) })
            .collect();
        self.record(&writes)
    }

    /// Takes a batch's receipts into the next group.
    pub(super) fn settle(&mut self, batch: &Batch, receipts: &[Receipt]) {
        for (document, Receipt { outcome, exchanges }) in batch.documents.iter().zip(receipts) {
            let attempts = exchanges.iter().map(|exchange| Attempt {
                run: self.delivery.run,
                batch: batch.number,
                target: self.target.clone(),
                key: document.key.to_string(),
                rid: first_rid(document).0,
                operation: exchange.operation,
                request: exchange.request.clone(),
                answer: exchange.answer.clone(),
                state: outcome.state().word(),
                remote: outcome.remote().map(Into::into),
                sent_at: stamp(exchange.sent_at),
                answered_at: stamp(exchange.answered_at),
            });
            self.attempts.extend(attempts);
            self.outcomes.push(Write::Settle {
                key: document.key.to_string(),
                state: outcome.state(),
                remote: outcome.remote().map(Into::into),
                reason: outcome.reason().cloned(),
            });
        }
        self.oldest.get_or_insert_with(Instant::now);
    }

    /// A decision that needs no sending joins the next group too.
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

/// The row a ledger entry points to; a document has at least one.
pub(super) fn first_rid(document: &Document) -> Rid {
    document.rids.first().copied().unwrap_or(Rid(-1))
}
