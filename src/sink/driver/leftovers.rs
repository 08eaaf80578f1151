//! Documents in doubt from earlier runs that no record makes any more: what can be settled without the document.
//!
//! Takes ledger entries, asks the target, finishes what is there unfinished, writes what it found. Sends nothing: without its
//! document an entry can only be told apart by the id or the digest that the target keeps. Never guesses.

use super::books::{About, Books};
use super::{Delivery, Ends};
use crate::base::lifecycle::State;
use crate::base::record::{DocKey, Reason};
use crate::base::{Error, Result};
use crate::sink::{Asked, Found, Proof, Sink, Unfinished};
use crate::state::ledger::{Entry, Write};
use std::time::Duration;

/// Entries asked about at once.
const GROUP: usize = 500;

/// Settles what it can, counting its calls from `calls` on; gives how many were (there, not there).
///
/// # Errors
/// The target cannot be asked, or the books cannot be written. What was settled before that is in the ledger.
pub async fn settle_leftovers(ends: Ends<'_>, delivery: &Delivery, left: &[Entry], calls: i64) -> Result<(u64, u64)> {
    let Ends { sink, store, exchange } = ends;
    let books = Books::new(store, exchange, delivery, sink.target(), Duration::ZERO);
    let mut leftovers = Leftovers { sink: &*sink, books, there: 0, missing: 0, calls };
    for group in left.chunks(GROUP) {
        let result = leftovers.settle(group).await;
        leftovers.books.flush()?;
        result?;
    }
    Ok((leftovers.there, leftovers.missing))
}

struct Leftovers<'a> {
    sink: &'a dyn Sink,
    books: Books<'a>,
    there: u64,
    missing: u64,
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
        let found = self.sink.find(&asked).await.map_err(|e| e.context("asking the target what it has"))?;
        let mut behind = Vec::new();
        for ((key, entry), found) in keys.iter().zip(group).zip(found) {
            match is_ours(entry, found) {
                Standing::Missing => {
                    self.missing += 1;
                    // Not forgotten: another pipeline may make it, and until one does somebody has to know.
                    self.note(entry, State::Unknown, None, Some(not_there()));
                }
                Standing::Ours(remote) => {
                    self.there += 1;
                    self.note(entry, State::Accepted, remote, None);
                }
                Standing::Behind(remote) => {
                    self.note(entry, State::Behind, Some(remote.clone()), entry.reason.clone());
                    behind.push((entry, Unfinished { key: key.clone(), remote }));
                }
                Standing::Unproven(reason) => self.note(entry, State::Unknown, None, Some(reason)),
                Standing::Other(remote, reason) => self.note(entry, State::Conflict, remote, Some(reason)),
            }
        }
        if behind.is_empty() { Ok(()) } else { self.finish(behind).await }
    }

    async fn finish(&mut self, behind: Vec<(&Entry, Unfinished)>) -> Result<()> {
        let (entries, unfinished): (Vec<&Entry>, Vec<Unfinished>) = behind.into_iter().unzip();
        let receipts = self.sink.finish(&unfinished).await.map_err(|e| e.context("finishing what the target has"))?;
        if receipts.len() != entries.len() {
            let (got, asked) = (receipts.len(), entries.len());
            return Err(Error::bug(format!("finish gave {got} receipts for {asked} documents")));
        }
        self.calls += 1;
        for (entry, receipt) in entries.into_iter().zip(receipts) {
            let settled = matches!(receipt.outcome.state(), State::Accepted | State::Present);
            self.there += u64::from(settled);
            let about = About { key: &entry.key, rid: entry.rid, batch: self.calls };
            self.books.settle(&about, receipt);
        }
        Ok(())
    }

    fn note(&mut self, entry: &Entry, state: State, remote: Option<String>, reason: Option<Reason>) {
        self.books.note(Write::Settle { key: entry.key.clone(), state, remote, reason });
    }
}

/// What is known of an entry once the target was asked.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Missing,
    Ours(Option<String>),
    Behind(String),
    Unproven(Reason),
    Other(Option<String>, Reason),
}

fn is_ours(entry: &Entry, found: Found) -> Standing {
    let Found::There { remote, state, proof } = found else { return Standing::Missing };
    let known = entry.remote.is_some() && remote.as_ref().is_none_or(|there| Some(there) == entry.remote.as_ref());
    match proof {
        Proof::Digest(kept) if kept != entry.delivered.digest => Standing::Other(remote, other_content()),
        Proof::Foreign(reason) => Standing::Other(remote, reason),
        Proof::Unasked if !known => Standing::Unproven(unproven(remote.as_deref())),
        _ => match remote.or_else(|| entry.remote.clone()) {
            Some(remote) if state == State::Behind => Standing::Behind(remote),
            remote => Standing::Ours(remote),
        },
    }
}

fn other_content() -> Reason {
    Reason::new("other content", "another document stands in the target under this key")
}

fn unproven(remote: Option<&str>) -> Reason {
    let id = remote.map(|id| format!(", its id there {id}")).unwrap_or_default();
    let text = format!(
        "something stands there under this key{id}, and no record of this run makes the document that it could be compared with"
    );
    Reason::new("unproven", text)
}

fn not_there() -> Reason {
    Reason::new(
        "not sent",
        "the target does not have it, and no record of this run makes it; run the pipeline that does",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::lifecycle::Delivered;
    use crate::base::record::Rid;

    #[test]
    fn without_its_document_an_entry_is_known_by_id_or_digest_only() {
        let entry = |remote: Option<&str>| Entry {
            key: "K".into(),
            delivered: Delivered { digest: [1; 17], version: None, state: State::Unknown, stored: remote.is_some() },
            rid: Rid::new(1, 0),
            remote: remote.map(Into::into),
            mapping: 1,
            run: 1,
            reason: None,
        };
        let there = |remote: Option<&str>, state, proof| Found::There { remote: remote.map(Into::into), state, proof };
        let ours = |id: &str| Standing::Ours(Some(id.into()));
        let foreign = Reason::new("FDate", "another date");
        let cases = [
            (None, Found::Missing, Standing::Missing),
            (None, there(Some("7"), State::Present, Proof::Digest([1; 17])), ours("7")),
            (None, there(None, State::Present, Proof::Digest([1; 17])), Standing::Ours(None)),
            (None, there(None, State::Present, Proof::Digest([2; 17])), Standing::Other(None, other_content())),
            (Some("7"), there(Some("7"), State::Present, Proof::Unasked), ours("7")),
            (Some("7"), there(Some("7"), State::Behind, Proof::Unasked), Standing::Behind("7".into())),
            (Some("7"), there(Some("8"), State::Present, Proof::Unasked), Standing::Unproven(unproven(Some("8")))),
            (None, there(Some("8"), State::Behind, Proof::Unasked), Standing::Unproven(unproven(Some("8")))),
            (None, there(None, State::Present, Proof::Foreign(foreign.clone())), Standing::Other(None, foreign)),
        ];
        for (remote, found, expected) in cases {
            assert_eq!(is_ours(&entry(remote), found.clone()), expected, "{remote:?} {found:?}");
        }
    }
}
