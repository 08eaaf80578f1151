//! What a chunk of mapped rows means to the target: blocked, unchanged, changed, to be asked about, to be sent.
//!
//! Takes the ledger's word (`lifecycle::decide`), puts documents into the loop's queues. Asks and sends nothing.

use super::doubt::Doubt;
use super::parcel::{Batch, Parcel, first_rid};
use super::{Admitted, Chunk, Loop, distinct};
use crate::base::Result;
use crate::base::lifecycle::{Candidate, State, decide};
use crate::base::record::{Document, Mapped, Reason, Rid};
use crate::state::ledger::{BlockedRow, Entry, Write};
use tokio::time::Instant;

impl Loop<'_> {
    /// Decides every row of a chunk and queues the documents that are to be asked about or sent.
    pub(super) fn admit(&mut self, chunk: Chunk) -> Result<Admitted> {
        let sorted = self.sort(chunk.items)?;
        let rows = distinct(sorted.mapped.iter().chain(sorted.blocked.iter().map(|b| &b.rid)));
        self.done.mapped_rows += rows;
        self.done.in_scope += if sorted.cut { rows } else { chunk.rows };
        let unmapped = if sorted.cut { Vec::new() } else { chunk.unmapped };
        self.done.unmapped += unmapped.len() as u64;
        self.books.note_rows(&sorted.mapped, &sorted.blocked, &unmapped)?;
        self.on_the_way += (sorted.to_send.len() + sorted.ask.len()) as u64;
        for (document, entry) in sorted.ask {
            self.doubt(document, entry)?;
        }
        self.queue(sorted.to_send.into_iter().map(Parcel::new).collect());
        let reached = sorted.cut || self.options.limit.is_some_and(|limit| self.on_the_way >= limit);
        Ok(if reached { Admitted::LimitReached } else { Admitted::All })
    }

    /// Asks the ledger about every item, in order. A canary stops before the first document beyond its limit; that one
    /// and all after it are left to a later run, uncounted.
    fn sort(&mut self, items: Vec<Mapped>) -> Result<Sorted> {
        let limit = self.options.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.on_the_way));
        let mut entries = self.books.entries(items.iter().filter_map(Mapped::document))?.into_iter();
        let mut sorted = Sorted::default();
        for item in items {
            match item {
                Mapped::Blocked { rids, key, reason } => {
                    self.done.states.add(State::Blocked, 1);
                    let run = self.books.run();
                    sorted.blocked.extend(rids.iter().map(|rid| BlockedRow {
                        rid: *rid,
                        key: key.clone(),
                        reason: reason.clone(),
                        run,
                    }));
                }
                Mapped::Document(document) => {
                    let entry = entries.next().flatten();
                    let delivered = entry.as_ref().map(|e| &e.delivered);
                    let state = decide(&candidate(&document), delivered, self.options.retry);
                    if !is_decided(state) && (sorted.to_send.len() + sorted.ask.len()) as u64 >= limit {
                        sorted.cut = true;
                        return Ok(sorted);
                    }
                    sorted.mapped.extend_from_slice(&document.rids);
                    if is_decided(state) {
                        self.confirm(&document, entry.as_ref(), state);
                    } else if state == State::Unknown || (self.find_first && entry.is_none()) {
                        sorted.ask.push((document, entry));
                    } else {
                        sorted.to_send.push(document);
                    }
                }
            }
            self.done.documents += 1;
        }
        Ok(sorted)
    }

    /// A document that may be there waits for the time of its question. What this run has not lost itself counts from the
    /// last that is known of the run that has.
    fn doubt(&mut self, document: Document, entry: Option<Entry>) -> Result<()> {
        let now = Instant::now();
        let Some(entry) = entry else {
            self.doubts.push(now, Doubt { parcel: Parcel::new(document), again: None });
            return Ok(());
        };
        let wait = self.options.in_doubt_wait;
        let (due, again) = match entry.delivered.state {
            _ if !self.patient => (now, None),
            // It was answered, and stood there: no request can still be about to store it.
            State::Rejected => (now, None),
            State::Behind => (now, Some(now + wait)),
            _ => {
                let lost = self.books.lost_since(&entry)?;
                (now + wait.saturating_sub(lost), Some(now + (wait * 2).saturating_sub(lost)))
            }
        };
        self.doubts.push(due, Doubt { parcel: Parcel::of_entry(document, &entry), again });
        Ok(())
    }

    /// Counts a document that is not sent, and corrects what the ledger says of it.
    fn confirm(&mut self, document: &Document, entry: Option<&Entry>, state: State) {
        self.done.states.add(state, 1);
        let Some(entry) = entry else { return };
        let rid = first_rid(document);
        let stands = entry.delivered.state;
        match state {
            State::Unchanged if entry.rid != rid || matches!(stands, State::Changed | State::Withdrawn) => {
                let state = if matches!(stands, State::Changed | State::Withdrawn) { State::Accepted } else { stands };
                self.books.note(Write::Adopt {
                    key: entry.key.clone(),
                    digest: entry.delivered.digest,
                    version: document.version,
                    rid,
                    state,
                    remote: entry.remote.clone(),
                    reason: None,
                });
            }
            State::Changed => self.books.note(Write::Settle {
                key: entry.key.clone(),
                state,
                remote: None,
                reason: Some(changed(entry, document)),
            }),
            _ => {}
        }
    }

    /// Documents to be sent for the first time, as batches.
    pub(super) fn queue(&mut self, parcels: Vec<Parcel>) {
        let batches = self.in_batches(parcels).into_iter();
        self.ready.extend(batches.map(|parcels| Batch { parcels, again: false }));
    }

    pub(super) fn in_batches(&self, parcels: Vec<Parcel>) -> Vec<Vec<Parcel>> {
        let mut parcels = parcels.into_iter();
        let batch = || -> Vec<Parcel> { parcels.by_ref().take(self.options.batch_docs.max(1)).collect() };
        std::iter::repeat_with(batch).take_while(|batch| !batch.is_empty()).collect()
    }
}

/// What a chunk's items are to the target.
#[derive(Default)]
struct Sorted {
    mapped: Vec<Rid>,
    blocked: Vec<BlockedRow>,
    to_send: Vec<Document>,
    ask: Vec<(Document, Option<Entry>)>,
    /// The limit was reached within this chunk.
    cut: bool,
}

/// States in which a document leaves the loop without being sent.
fn is_decided(state: State) -> bool {
    !matches!(state, State::Intended | State::Unknown)
}

fn candidate(document: &Document) -> Candidate<'_> {
    Candidate { digest: document.digest, version: document.version, key: document.key.as_str() }
}

fn changed(entry: &Entry, document: &Document) -> Reason {
    let text = if entry.delivered.version == document.version {
        "the mapping or a look-up makes another document of the record that was delivered"
    } else {
        "the record changed at the source after its document was delivered"
    };
    Reason::new("changed", text)
}
