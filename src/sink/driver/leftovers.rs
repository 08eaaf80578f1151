//! Documents in doubt from earlier runs that no record makes any more: what can be settled without the document.
//!
//! Takes ledger entries, asks the target, finishes what is there unfinished, writes what it found. Sends nothing: without its
//! document an entry can only be told apart by the id or the digest that the target keeps ([`judge`]). Never guesses.

use super::books::{About, Books, Times};
use super::calls::one_each;
use super::doubt::{Verdict, judge, words};
use super::parcel::Sent;
use super::{Delivery, Ends};
use crate::base::lifecycle::State;
use crate::base::record::{DocKey, Reason};
use crate::base::{Error, Result};
use crate::sink::{Asked, Found, Sink, Unfinished};
use crate::state::ledger::{Entry, Write};
use chrono::Utc;
use std::time::Duration;

/// Entries asked about at once.
const GROUP: usize = 500;

/// What became of documents in doubt that no record made again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Ours, and through.
    pub there: u64,
    pub missing: u64,
    /// There, but not ours, not proven ours, or not brought to its end: these stay open in the ledger, with a reason.
    pub open: u64,
}

/// Settles what it can, counting its calls from `calls` on.
///
/// # Errors
/// The target cannot be asked, or the books cannot be written. What was settled before that is in the ledger.
pub async fn settle_leftovers(ends: Ends<'_>, delivery: &Delivery, left: &[Entry], calls: i64) -> Result<Settled> {
    let Ends { sink, store, exchange } = ends;
    let books = Books::new(store, exchange, delivery, sink.target(), Duration::ZERO);
    let mut leftovers = Leftovers { sink: &*sink, books, settled: Settled::default(), calls };
    for group in left.chunks(GROUP) {
        let result = leftovers.settle(group).await;
        leftovers.books.flush()?;
        result?;
    }
    Ok(leftovers.settled)
}

struct Leftovers<'a> {
    sink: &'a dyn Sink,
    books: Books<'a>,
    settled: Settled,
    calls: i64,
}

impl Leftovers<'_> {
    async fn settle(&mut self, group: &[Entry]) -> Result<()> {
        let keys: Vec<DocKey> = group
            .iter()
            .map(|e| DocKey::new(&e.key))
            .collect::<Result<_, _>>()
            .map_err(|reason| Error::bug(format!("a key in the ledger is none: {reason}")))?;
        let asked = keys.iter().zip(group);
        let asked: Vec<_> = asked.map(|(key, e)| Asked { key, document: None, remote: e.remote.as_deref() }).collect();
        let asked_at = Utc::now();
        let found = self.sink.find(&asked).await.map_err(|e| e.context("asking the target what it has"))?;
        let found = one_each(found, group.len(), "find")?;
        let times = Times { asked_at, answered_at: Utc::now() };
        self.calls += 1;
        let mut behind = Vec::new();
        for ((key, entry), found) in keys.iter().zip(group).zip(found) {
            if let Some(remote) = self.answered(entry, found, &times) {
                behind.push((entry, Unfinished { key: key.clone(), remote }));
            }
        }
        if behind.is_empty() { Ok(()) } else { self.finish(behind).await }
    }

    /// Enters what an answer showed; gives the target's id of what is there and to be finished.
    fn answered(&mut self, entry: &Entry, found: Found, times: &Times) -> Option<String> {
        let answer = words(&found);
        // Counted when it is finished.
        let (mut to_finish, mut later) = (None, 0);
        let (count, state, remote, reason) = match judge(None, Some(&Sent::of(entry)), found) {
            // Not forgotten: another pipeline may make it, and until one does somebody has to know.
            Verdict::Missing => (&mut self.settled.missing, State::Unknown, None, Some(not_there())),
            Verdict::Ours { state: State::Behind, remote: Some(remote) } => {
                to_finish = Some(remote.clone());
                (&mut later, State::Behind, Some(remote), entry.reason.clone())
            }
            Verdict::Ours { state: State::Behind, remote } => {
                (&mut self.settled.open, State::Behind, remote, entry.reason.clone())
            }
            Verdict::Ours { remote, .. } => (&mut self.settled.there, State::Accepted, remote, None),
            Verdict::Unproven { reason } => (&mut self.settled.open, State::Unknown, None, Some(reason)),
            Verdict::Changed { state, remote, reason, .. } => (&mut self.settled.open, state, remote, Some(reason)),
            Verdict::Conflict { remote, reason } => (&mut self.settled.open, State::Conflict, remote, Some(reason)),
        };
        *count += 1;
        let about = About { key: &entry.key, rid: entry.rid, batch: self.calls };
        self.books.question(&about, answer, state, entry.remote.as_deref(), times);
        self.books.note(Write::Settle { key: entry.key.clone(), state, remote, reason });
        to_finish
    }

    async fn finish(&mut self, behind: Vec<(&Entry, Unfinished)>) -> Result<()> {
        let (entries, unfinished): (Vec<&Entry>, Vec<Unfinished>) = behind.into_iter().unzip();
        let receipts = self.sink.finish(&unfinished).await.map_err(|e| e.context("finishing what the target has"))?;
        let receipts = one_each(receipts, entries.len(), "finish")?;
        self.calls += 1;
        for (entry, receipt) in entries.into_iter().zip(receipts) {
            match receipt.outcome.state() {
                State::Accepted | State::Present => self.settled.there += 1,
                _ => self.settled.open += 1,
            }
            let about = About { key: &entry.key, rid: entry.rid, batch: self.calls };
            self.books.settle(&about, receipt);
        }
        Ok(())
    }
}

fn not_there() -> Reason {
    Reason::new(
        "not sent",
        "the target does not have it, and no record of this run makes it; run the pipeline that does",
    )
}
