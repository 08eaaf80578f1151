//! The calls to the target: which one goes next, as a task of its own, and what it brings back.
//!
//! What is there but unfinished goes first, then questions whose time has come, then what is sent; never more than `in_flight`
//! at once. Decides nothing about a document.

use super::Loop;
use super::doubt::{Doubt, MAX_DOUBTS};
use super::parcel::{Batch, Parcel, Past};
use crate::base::record::Document;
use crate::base::{Error, Result};
use crate::sink::{Asked, Found, Receipt, Unfinished};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use tokio::time::Instant;

/// `find` never asks about more keys at once.
const FIND_CHUNK: usize = 500;

/// A call that came back.
pub(super) enum Returned {
    Sent {
        batch: i64,
        parcels: Vec<Parcel>,
        receipts: Result<Vec<Receipt>>,
    },
    Found {
        batch: i64,
        doubts: Vec<Doubt>,
        found: Result<Vec<Found>>,
        asked_at: DateTime<Utc>,
        answered_at: DateTime<Utc>,
    },
    Finished {
        batch: i64,
        parcels: Vec<Parcel>,
        receipts: Result<Vec<Receipt>>,
    },
}

impl Loop<'_> {
    /// Starts calls as long as there is something to do and the target is not busy enough.
    pub(super) fn start_calls(&mut self) -> Result<()> {
        while self.calls.len() < self.options.in_flight.max(1) {
            let due =
                if self.behind.is_empty() { self.doubts.take_due(Instant::now(), FIND_CHUNK) } else { Vec::new() };
            if !self.behind.is_empty() {
                self.finish()?;
            } else if !due.is_empty() {
                self.ask(due);
            } else if let Some(batch) = self.next_batch() {
                self.send(batch)?;
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    /// While too many documents are in doubt, only those that were in doubt themselves are sent.
    fn next_batch(&mut self) -> Option<Batch> {
        let may_go = self.ready.front().is_some_and(|batch| batch.again || self.doubts.len() < MAX_DOUBTS);
        if may_go { self.ready.pop_front() } else { None }
    }

    fn number(&mut self) -> i64 {
        self.done.calls += 1;
        self.done.calls
    }

    /// Journal, act: the intent is written when the request is about to leave, so that what waits here is in no doubt.
    fn send(&mut self, batch: Batch) -> Result<()> {
        self.books.intend(&batch.parcels, batch.again)?;
        let (number, sink) = (self.number(), Arc::clone(&self.sink));
        let (documents, pasts): (Vec<Document>, Vec<Past>) =
            batch.parcels.into_iter().map(|parcel| (parcel.document, parcel.past)).unzip();
        self.calls.spawn(async move {
            let receipts = sink.send(&documents).await;
            let receipts = receipts.and_then(|receipts| one_each(receipts, documents.len(), "send"));
            let parcels = documents.into_iter().zip(pasts).map(|(document, past)| Parcel { document, past }).collect();
            Returned::Sent { batch: number, parcels, receipts }
        });
        Ok(())
    }

    fn ask(&mut self, doubts: Vec<Doubt>) {
        let (batch, sink) = (self.number(), Arc::clone(&self.sink));
        self.calls.spawn(async move {
            let asked_at = Utc::now();
            let asked: Vec<Asked<'_>> = doubts
                .iter()
                .map(|doubt| Asked {
                    key: &doubt.parcel.document.key,
                    document: Some(&doubt.parcel.document),
                    remote: doubt.parcel.remote(),
                })
                .collect();
            let found = sink.find(&asked).await.map_err(|e| e.context("asking the target what it has"));
            let found = found.and_then(|found| one_each(found, doubts.len(), "find"));
            Returned::Found { batch, doubts, found, asked_at, answered_at: Utc::now() }
        });
    }

    fn finish(&mut self) -> Result<()> {
        let most = self.options.batch_docs.max(1).min(self.behind.len());
        let parcels: Vec<Parcel> = self.behind.drain(..most).collect();
        let unfinished = |parcel: &Parcel| {
            let key = parcel.document.key.clone();
            match parcel.remote() {
                Some(remote) => Ok(Unfinished { key, remote: remote.to_owned() }),
                None => Err(Error::bug(format!("{key} is to be finished, but the target gave no id for it"))),
            }
        };
        let behind: Vec<Unfinished> = parcels.iter().map(unfinished).collect::<Result<_>>()?;
        let (batch, sink) = (self.number(), Arc::clone(&self.sink));
        self.calls.spawn(async move {
            let receipts = sink.finish(&behind).await.map_err(|e| e.context("finishing what the target has"));
            let receipts = receipts.and_then(|receipts| one_each(receipts, behind.len(), "finish"));
            Returned::Finished { batch, parcels, receipts }
        });
        Ok(())
    }
}

pub(super) fn one_each<T>(answers: Vec<T>, documents: usize, call: &str) -> Result<Vec<T>> {
    match answers.len() {
        n if n == documents => Ok(answers),
        n => Err(Error::bug(format!("{call} gave {n} answers for {documents} documents"))),
    }
}
