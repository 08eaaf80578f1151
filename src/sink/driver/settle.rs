//! What came back from the target: each document's next station, in the books and in the queues.
//!
//! Takes the answers of sends, questions and finishes; counts a document only when it leaves the loop. What is not known goes
//! back into doubt, at most [`MAX_ROUNDS`] times; what the run ends before is held as it stands. Asks and sends nothing.

use super::books::{About, Times};
use super::calls::Returned;
use super::doubt::{Doubt, Verdict, judge, words};
use super::parcel::{Batch, Parcel, first_rid};
use super::{Loop, distinct};
use crate::base::lifecycle::State;
use crate::base::record::{Outcome, Reason, Rid};
use crate::base::{Advice, Error, Result};
use crate::sink::{Found, Receipt};
use crate::state::ledger::Write;
use tokio::task::JoinError;
use tokio::time::Instant;

/// After this many batches in a row without one answer the target is taken to be out of order: no more documents are thrown
/// into doubt. Batches that are sent again count like others.
const MAX_FRUITLESS: u32 = 3;

/// A document whose answers are lost is sent again, or brought on, at most this often in one run; then it is left unknown.
const MAX_ROUNDS: u32 = 3;

impl Loop<'_> {
    /// Takes what a call brought back.
    pub(super) fn take(&mut self, joined: Result<Returned, JoinError>) -> Result<()> {
        match joined.map_err(|e| Error::bug(format!("a call to the target ended abnormally: {e}")))? {
            Returned::Sent { batch, parcels, receipts } => self.sent(batch, parcels, receipts),
            Returned::Found { batch, doubts, found, asked_at, answered_at } => match found {
                Ok(found) => self.found(batch, doubts, found, &Times { asked_at, answered_at }),
                // They are as much in doubt as before.
                Err(error) => {
                    self.fail(error);
                    doubts.into_iter().for_each(|doubt| self.held.push(doubt.parcel));
                }
            },
            Returned::Finished { batch, parcels, receipts } => match receipts {
                Ok(receipts) => {
                    parcels
                        .into_iter()
                        .zip(receipts)
                        .for_each(|(parcel, receipt)| self.finished(batch, parcel, receipt));
                }
                Err(error) => {
                    self.fail(error);
                    self.held.extend(parcels);
                }
            },
        }
        Ok(())
    }

    fn fail(&mut self, error: Error) {
        self.done.failure.get_or_insert(error);
    }

    fn sent(&mut self, batch: i64, parcels: Vec<Parcel>, receipts: Result<Vec<Receipt>>) {
        let receipts = match receipts {
            Ok(receipts) => receipts,
            Err(error) => {
                let receipts = vec![not_sent(&error); parcels.len()];
                self.fail(error);
                receipts
            }
        };
        let last =
            receipts.last().filter(|_| receipts.iter().all(is_unknown)).and_then(|r| r.outcome.reason().cloned());
        for (mut parcel, receipt) in parcels.into_iter().zip(receipts) {
            let (state, remote) = (receipt.outcome.state(), receipt.outcome.remote().map(str::to_owned));
            parcel.past.sent = None;
            parcel.is_sent_as(state, remote);
            self.came_back(batch, parcel, receipt);
        }
        match last {
            Some(reason) => self.was_fruitless(&reason),
            None => self.was_fruitful(),
        }
    }

    /// Nothing is known of any document of a batch. Where others came through and none is left to be begun, it is these
    /// documents, not the target, and they come to their end by themselves.
    fn was_fruitless(&mut self, reason: &Reason) {
        self.fruitless += 1;
        let to_begin = self.open || self.ready.iter().any(|batch| !batch.again);
        if self.fruitless >= MAX_FRUITLESS && (to_begin || !self.has_answered) {
            let text = format!(
                "{} requests in a row came back without an answer about any of their documents; the last: {reason}",
                self.fruitless
            );
            self.fail(Error::unavailable(text).advise(Advice::AskFirst).hint(
                "see whether the target is in order, then run the same command again: it asks what has arrived before it sends",
            ));
        }
    }

    fn was_fruitful(&mut self) {
        self.fruitless = 0;
        self.has_answered = true;
    }

    fn finished(&mut self, batch: i64, mut parcel: Parcel, receipt: Receipt) {
        let (state, remote) = (receipt.outcome.state(), receipt.outcome.remote().map(str::to_owned));
        parcel.is_sent_as(state, remote);
        if state != State::Unknown {
            self.was_fruitful();
        }
        if state == State::Behind {
            // Once more will not help now; the next run tries again.
            self.enter(batch, &parcel, receipt);
            return self.leave(state);
        }
        self.came_back(batch, parcel, receipt);
    }

    /// An outcome: the document leaves the loop, is asked about later, or is finished.
    fn came_back(&mut self, batch: i64, mut parcel: Parcel, mut receipt: Receipt) {
        let state = receipt.outcome.state();
        let more = self.patient && parcel.past.rounds < MAX_ROUNDS;
        if self.patient
            && !more
            && let Outcome::Unknown { reason } = &mut receipt.outcome
        {
            reason.text.push_str(&format!("; so it was left after {} more attempts", parcel.past.rounds));
        }
        self.enter(batch, &parcel, receipt);
        match state {
            State::Unknown if more && self.done.failure.is_none() => {
                let lost = Instant::now();
                let wait = self.options.in_doubt_wait;
                self.doubts.push(lost + wait, Doubt { parcel, again: Some(lost + wait * 2) });
            }
            State::Behind => {
                parcel.past.rounds += 1;
                self.behind.push_back(parcel);
            }
            _ => self.leave(state),
        }
    }

    /// Answers to a group of questions. What is missing for good goes back to be sent, as a group.
    fn found(&mut self, batch: i64, doubts: Vec<Doubt>, found: Vec<Found>, times: &Times) {
        let (mut first, mut again) = (Vec::new(), Vec::new());
        let asked = doubts.len();
        for (doubt, found) in doubts.into_iter().zip(found) {
            let answer = words(&found);
            let Parcel { document, past } = &doubt.parcel;
            let verdict = judge(Some(&document.digest), past.sent.as_ref(), found);
            let Some(parcel) = self.judged(batch, doubt, verdict, answer, times) else { continue };
            if parcel.past.sent.is_some() { again.push(parcel) } else { first.push(parcel) }
        }
        // A target that holds nothing of a whole group is new, not a workspace lost; what stands there all the same is
        // answered `Present` by a sink that refuses doubles.
        if !self.patient && first.len() == asked {
            self.find_first = false;
        }
        again.iter_mut().for_each(|parcel| parcel.past.rounds += 1);
        for parcels in self.in_batches(again).into_iter().rev() {
            self.ready.push_front(Batch { parcels, again: true });
        }
        self.queue(first);
    }

    /// Enters what an answer showed; gives the document back if it is to be sent.
    fn judged(
        &mut self,
        batch: i64,
        mut doubt: Doubt,
        verdict: Verdict,
        answer: String,
        times: &Times,
    ) -> Option<Parcel> {
        let (sent, document) = (doubt.parcel.past.sent.as_ref(), &doubt.parcel.document);
        let (now, before) = (document.version, sent.and_then(|s| s.version).or(document.version));
        let (state, digest, version, remote, reason) = match verdict {
            Verdict::Missing => return self.missing(batch, doubt, answer, times),
            Verdict::Ours { state, remote } => (state, document.digest, now, remote, unfinished(state)),
            Verdict::Changed { stands, state, remote, reason } => (state, stands, before, remote, Some(reason)),
            // The id is only told: written down, it would prove itself the next time. And what was in conflict stays so
            // until something is proven.
            Verdict::Unproven { reason } => {
                let known = doubt.parcel.remote().map(str::to_owned);
                let fought = sent.is_some_and(|s| s.state == State::Conflict);
                let state = if fought { State::Conflict } else { State::Unknown };
                (state, sent.map_or(document.digest, |s| s.digest), before, known, Some(reason))
            }
            Verdict::Conflict { remote, reason } => {
                (State::Conflict, sent.map_or(document.digest, |s| s.digest), now, remote, Some(reason))
            }
        };
        if state != State::Unknown {
            self.was_fruitful();
        }
        let is_changed = digest != document.digest && !matches!(state, State::Conflict | State::Unknown);
        self.keep_question(batch, &doubt.parcel, answer, state, times);
        let document = &doubt.parcel.document;
        self.books.note(Write::Adopt {
            key: document.key.to_string(),
            digest,
            version,
            rid: first_rid(document),
            state,
            remote: remote.clone(),
            reason,
        });
        if is_changed {
            self.leave(State::Changed);
        } else if state == State::Behind {
            doubt.parcel.is_sent_as(state, remote);
            doubt.parcel.past.rounds += 1;
            self.behind.push_back(doubt.parcel);
        } else {
            self.leave(state);
        }
        None
    }

    /// Not there. Is that final, or may a request of ours still be running?
    fn missing(&mut self, batch: i64, mut doubt: Doubt, answer: String, times: &Times) -> Option<Parcel> {
        let Parcel { document, past } = &mut doubt.parcel;
        let Some(sent) = &mut past.sent else { return Some(doubt.parcel) };
        let text = match sent.state {
            State::Intended | State::Unknown => None,
            State::Conflict => Some("what stood there, and was not ours, does not stand there any more"),
            _ => Some("the target had it before and does not know it any more"),
        };
        if let Some(text) = text {
            sent.state = State::Unknown;
            // Not settled but adopted: the id of what was in conflict goes with it, or it would prove the next one ours.
            self.books.note(Write::Adopt {
                key: document.key.to_string(),
                digest: sent.digest,
                version: sent.version,
                rid: first_rid(document),
                state: State::Unknown,
                remote: sent.remote.clone(),
                reason: Some(Reason::new("gone", text)),
            });
        }
        self.keep_question(batch, &doubt.parcel, answer, State::Unknown, times);
        match doubt.again.take() {
            Some(again) => {
                self.doubts.push(again, doubt);
                None
            }
            None => Some(doubt.parcel),
        }
    }

    fn keep_question(&mut self, batch: i64, parcel: &Parcel, answer: String, state: State, times: &Times) {
        let about = About { key: parcel.document.key.as_str(), rid: first_rid(&parcel.document), batch };
        self.books.question(&about, answer, state, parcel.remote(), times);
    }

    fn enter(&mut self, batch: i64, parcel: &Parcel, receipt: Receipt) {
        let about = About { key: parcel.document.key.as_str(), rid: first_rid(&parcel.document), batch };
        self.books.settle(&about, receipt);
    }

    fn leave(&mut self, state: State) {
        self.done.states.add(state, 1);
    }

    /// The run ends: what could not be settled is held as it stands; what was never begun is left to a later run, uncounted.
    pub(super) fn hold(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        held.extend(self.doubts.take_all().map(|doubt| doubt.parcel));
        held.extend(self.ready.drain(..).flat_map(|batch| batch.parcels));
        held.extend(self.behind.drain(..));
        let mut untouched: Vec<Rid> = Vec::new();
        for parcel in held {
            let Some(sent) = parcel.past.sent else {
                self.done.documents -= 1;
                untouched.extend(parcel.document.rids);
                continue;
            };
            match sent.state {
                // Not asked yet: as it was.
                State::Behind | State::Rejected | State::Conflict => self.leave(sent.state),
                State::Intended => {
                    self.books.note(Write::Settle {
                        key: parcel.document.key.to_string(),
                        state: State::Unknown,
                        remote: None,
                        reason: Some(Reason::new(
                            "in doubt",
                            "the run ended before the target could be asked about it",
                        )),
                    });
                    self.leave(State::Unknown);
                }
                _ => self.leave(State::Unknown),
            }
        }
        let rows = distinct(untouched.iter());
        self.done.mapped_rows = self.done.mapped_rows.saturating_sub(rows);
        self.done.in_scope = self.done.in_scope.saturating_sub(rows);
    }
}

fn is_unknown(receipt: &Receipt) -> bool {
    receipt.outcome.state() == State::Unknown
}

fn unfinished(state: State) -> Option<Reason> {
    (state == State::Behind).then(|| Reason::new("behind", "it stands there, but not in the status asked for"))
}

/// The intent stands in the journal, so the next run asks before it sends: unknown, although nothing should have arrived.
fn not_sent(error: &Error) -> Receipt {
    let outcome = Outcome::Unknown { reason: Reason::new("not sent", error.to_string()) };
    Receipt { outcome, exchanges: Vec::new() }
}
