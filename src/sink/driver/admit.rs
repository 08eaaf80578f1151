//! What a chunk of mapped rows means to the target: blocked, unchanged, changed, to be asked about, to be sent.
//!
//! Takes the ledger's word (`lifecycle::decide`) and, where that is not enough, the target's (`find`). Sends nothing.

use super::books::first_rid;
use super::{Admitted, Batch, Loop, is_decided};
use crate::base::lifecycle::{Candidate, State, decide};
use crate::base::record::{Document, Mapped, Reason, Rid};
use crate::base::{Error, Result};
use crate::sink::driver::Chunk;
use crate::sink::{Asked, Found, Proof};
use crate::state::ledger::{BlockedRow, Entry, Write};

/// `find` never asks about more keys at once.
const FIND_CHUNK: usize = 500;

impl Loop<'_> {
    /// Decides every row of a chunk, commits the intents of those to be sent and queues them as batches.
    pub(super) async fn admit(&mut self, chunk: Chunk) -> Result<Admitted> {
        let sorted = self.sort(chunk.items)?;
        let rows = distinct(sorted.mapped.iter().chain(sorted.blocked.iter().map(|b| &b.rid)));
        self.done.mapped_rows += rows;
        self.done.in_scope += if sorted.cut { rows } else { chunk.rows };
        let unmapped = if sorted.cut { Vec::new() } else { chunk.unmapped };
        self.done.unmapped += unmapped.len() as u64;
        self.books.note_rows(&sorted.mapped, &sorted.blocked, &unmapped)?;
        let mut to_send = sorted.to_send;
        to_send.extend(self.ask_all(sorted.ask).await?);
        self.queue(to_send)?;
        let reached = sorted.cut || self.options.limit.is_some_and(|limit| self.sent >= limit);
        Ok(if reached { Admitted::LimitReached } else { Admitted::All })
    }

    /// Asks the ledger about every item, in order. A canary stops before the first document beyond its limit; that one
    /// and all after it are left to a later run, uncounted.
    fn sort(&mut self, items: Vec<Mapped>) -> Result<Sorted> {
        let limit = self.options.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.sent));
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
                    } else if state == State::Unknown || self.find_first {
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

    /// Settles what the target can settle; gives what is to be sent.
    async fn ask_all(&mut self, ask: Vec<(Document, Option<Entry>)>) -> Result<Vec<Document>> {
        let asked = ask.len();
        let mut to_send = Vec::new();
        for group in chunks_of(ask, FIND_CHUNK) {
            to_send.extend(self.ask(group).await?);
        }
        // A target that holds nothing of a whole chunk is new, not a workspace lost; what stands there all the same is
        // answered `Present` by a sink that refuses doubles.
        if self.sink.refuses_doubles() && asked > 0 && to_send.len() == asked {
            self.find_first = false;
        }
        Ok(to_send)
    }

    /// Asks the target about documents that may be there; gives back those that are not.
    async fn ask(&mut self, group: Vec<(Document, Option<Entry>)>) -> Result<Vec<Document>> {
        let mut missing = Vec::new();
        for ((document, entry), found) in self.find(group).await? {
            match found {
                Found::Missing => missing.push((document, entry)),
                Found::There { remote, state, proof } => self.adopt(&document, entry.as_ref(), remote, state, &proof),
            }
        }
        if self.sink.refuses_doubles() || missing.is_empty() {
            return Ok(missing.into_iter().map(|(document, _)| document).collect());
        }
        // The lost request may still be running: wait it out and ask once more.
        tokio::time::sleep(self.options.in_doubt_wait).await;
        let mut gone = Vec::new();
        for ((document, entry), found) in self.find(missing).await? {
            match found {
                Found::Missing => gone.push(document),
                Found::There { remote, state, proof } => self.adopt(&document, entry.as_ref(), remote, state, &proof),
            }
        }
        Ok(gone)
    }

    async fn find(
        &self,
        group: Vec<(Document, Option<Entry>)>,
    ) -> Result<impl Iterator<Item = ((Document, Option<Entry>), Found)> + use<>> {
        let asked: Vec<Asked<'_>> = group
            .iter()
            .map(|(document, entry)| Asked {
                key: &document.key,
                document: Some(document),
                remote: entry.as_ref().and_then(|e| e.remote.as_deref()),
            })
            .collect();
        let found = self.sink.find(&asked).await.map_err(|e| e.context("asking the target what it has"))?;
        if found.len() != group.len() {
            return Err(Error::bug(format!("find gave {} answers for {} keys", found.len(), group.len())));
        }
        Ok(group.into_iter().zip(found))
    }

    /// The document is there. Ours as it is now, ours as it was, or something else?
    fn adopt(
        &mut self,
        document: &Document,
        entry: Option<&Entry>,
        remote: Option<String>,
        state: State,
        proof: &Proof,
    ) {
        let sent_before = entry.map(|e| e.delivered.digest);
        let kept = if let Proof::Digest(digest) = proof { Some(*digest) } else { None };
        let stands = kept.or(sent_before).unwrap_or(document.digest);
        let (state, reason) = match proof {
            Proof::Foreign(reason) => (State::Conflict, Some(reason.clone())),
            _ if stands == document.digest => (state, None),
            _ => {
                let reason = Reason::new("changed", "another version of this document was delivered before");
                (State::Changed, Some(reason))
            }
        };
        self.done.states.add(state, 1);
        self.books.note(Write::Adopt {
            key: document.key.to_string(),
            digest: stands,
            version: document.version,
            rid: first_rid(document),
            state,
            remote: remote.or_else(|| entry.and_then(|e| e.remote.clone())),
            reason,
        });
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

    fn queue(&mut self, documents: Vec<Document>) -> Result<()> {
        if documents.is_empty() {
            return Ok(());
        }
        self.sent += documents.len() as u64;
        self.books.intend(&documents.iter().collect::<Vec<_>>())?;
        for documents in chunks_of(documents, self.options.batch_docs.max(1)) {
            self.ready.push_back(Batch { number: self.next_batch, documents });
            self.next_batch += 1;
        }
        Ok(())
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

fn distinct<'a>(rids: impl Iterator<Item = &'a Rid>) -> u64 {
    let mut rids: Vec<Rid> = rids.copied().collect();
    rids.sort_unstable();
    rids.dedup();
    rids.len() as u64
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

fn chunks_of<T>(items: Vec<T>, size: usize) -> Vec<Vec<T>> {
    let mut chunks = Vec::with_capacity(items.len().div_ceil(size));
    let mut items = items.into_iter();
    loop {
        let chunk: Vec<T> = items.by_ref().take(size).collect();
        if chunk.is_empty() {
            return chunks;
        }
        chunks.push(chunk);
    }
}
