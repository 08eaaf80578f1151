//! Documents whose fate only the target knows: when they are asked about, and what its answer means.
//!
//! Takes parcels with the times of their two questions, gives those whose time has come. [`judge`] is the rule by which an
//! answer becomes a state; pure, like the queue. Never asks by itself.

use super::parcel::{Parcel, Sent};
use crate::base::lifecycle::State;
use crate::base::record::Reason;
use crate::base::value::Digest;
use crate::sink::{Found, Proof};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Documents in doubt that are kept at once. While as many wait, nothing new is admitted and nothing new is sent: in memory
/// are never more than these, one chunk and the batches in flight.
pub(super) const MAX_DOUBTS: usize = 2_000;

/// A document the target is to be asked about.
#[derive(Debug)]
pub(super) struct Doubt {
    pub parcel: Parcel,
    /// If the target does not have it: ask once more, not before this. `None`: nothing of ours can be running any more, so
    /// what is not there may be sent.
    pub again: Option<Instant>,
}

/// The queue of documents in doubt, by the time of their next question.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    queue: BTreeMap<(Instant, u64), Doubt>,
    next: u64,
}

impl Doubts {
    pub fn push(&mut self, due: Instant, doubt: Doubt) {
        self.queue.insert((due, self.next), doubt);
        self.next += 1;
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Up to `most` documents whose time has come, the longest waiting first.
    pub fn take_due(&mut self, now: Instant, most: usize) -> Vec<Doubt> {
        let mut due = Vec::new();
        while due.len() < most
            && let Some(first) = self.queue.first_entry()
            && first.key().0 <= now
        {
            due.push(first.remove());
        }
        due
    }

    /// When the next document is to be asked about.
    pub fn next_due(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|((due, _), _)| *due)
    }

    pub fn take_all(&mut self) -> impl Iterator<Item = Doubt> + use<> {
        std::mem::take(&mut self.queue).into_values()
    }
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing stands there.
    Missing,
    /// Ours, as it is now. [`State::Accepted`] when we had sent it, [`State::Present`] when this workspace knew nothing of it,
    /// [`State::Behind`] when it is to be finished.
    Ours { state: State, remote: Option<String> },
    /// Ours, as it was in an earlier version; `state` is what the ledger has to say of that one.
    Changed { stands: Digest, state: State, remote: Option<String>, reason: Reason },
    /// Something that could be ours or not: nothing of it could be compared, and its id is not one we were told.
    Unproven { reason: Reason },
    /// Not ours.
    Conflict { remote: Option<String>, reason: Reason },
}

/// What an answer of the target makes of a document.
pub(super) fn judge(parcel: &Parcel, found: Found) -> Verdict {
    let Found::There { remote, state: there, proof } = found else { return Verdict::Missing };
    let new = parcel.document.digest;
    let sent = parcel.past.sent.as_ref();
    let is_known = parcel.remote().is_some_and(|known| remote.as_deref().is_none_or(|there| there == known));
    let remote = remote.or_else(|| parcel.remote().map(str::to_owned));
    let stands = match (&proof, sent) {
        (Proof::Digest(kept), _) => *kept,
        (_, Some(sent)) => sent.digest,
        (_, None) => new,
    };
    match proof {
        Proof::Unasked if !is_known => Verdict::Unproven { reason: unproven(remote.as_deref()) },
        // What was sent is what it was compared with, or nothing was sent: somebody else's.
        Proof::Foreign(reason) if stands == new => Verdict::Conflict { remote, reason },
        Proof::Foreign(reason) => changed(sent, stands, there, remote, Some(&reason)),
        _ if stands != new => changed(sent, stands, there, remote, None),
        _ if there == State::Behind => Verdict::Ours { state: State::Behind, remote },
        _ => Verdict::Ours { state: if sent.is_some() { State::Accepted } else { State::Present }, remote },
    }
}

fn unproven(remote: Option<&str>) -> Reason {
    let id = remote.map(|id| format!(" as {id}")).unwrap_or_default();
    Reason::new("unproven", format!("something stands there{id} under this key, but nothing of it could be compared"))
}

/// An earlier version that is behind stays what it is: it may yet be finished or removed, by a person or by its version
/// coming back.
fn changed(
    sent: Option<&Sent>,
    stands: Digest,
    there: State,
    remote: Option<String>,
    differs: Option<&Reason>,
) -> Verdict {
    let state = match (there, sent.map(|s| s.state)) {
        (State::Behind, Some(State::Rejected)) => State::Rejected,
        (State::Behind, _) => State::Behind,
        _ => State::Changed,
    };
    let mut text = String::from("another version of this document was delivered before");
    if state != State::Changed {
        text.push_str(
            " and stands there unfinished: finish it there, or remove it there and deliver this key again to have the new one sent",
        );
    }
    if let Some(reason) = differs {
        text.push_str(&format!(" ({})", reason.text));
    }
    Verdict::Changed { stands, state, remote, reason: Reason::new("changed", text) }
}

/// An answer as a sentence, for the exchange record.
pub(super) fn words(found: &Found) -> String {
    match found {
        Found::Missing => "nothing stands under this key".into(),
        Found::There { remote, state, proof } => {
            let id = remote.as_ref().map(|id| format!(" as {id}")).unwrap_or_default();
            let whose = match proof {
                Proof::Digest(digest) => format!("made from the document with digest {}", hex::encode(digest)),
                Proof::Agrees => "what could be compared agrees".into(),
                Proof::Unasked => "nothing could be compared".into(),
                Proof::Foreign(reason) => format!("not ours: {reason}"),
            };
            let unfinished = if *state == State::Behind { ", but not in the status asked for" } else { "" };
            format!("it stands there{id}{unfinished}; {whose}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::record::{DocKey, Document, Rid};
    use crate::base::value::Object;
    use crate::sink::driver::parcel::Past;
    use State::{Accepted, Behind, Changed, Intended, Present, Rejected, Unknown};

    const NEW: Digest = [1; 17];
    const OLD: Digest = [2; 17];

    fn parcel(sent: Option<(Digest, State)>) -> Parcel {
        let key = DocKey::new("K").expect("a key");
        let rids = vec![Rid::new(1, 0)];
        let document = Document { key, digest: NEW, version: None, rids, body: Object::from_pairs([]) };
        let sent = sent.map(|(digest, state)| Sent { digest, version: None, state, remote: Some("r".into()) });
        Parcel { document, past: Past { sent, rounds: 0 } }
    }

    #[test]
    fn what_an_answer_means_as_a_table() {
        let foreign = || Proof::Foreign(Reason::new("FDate", "another date"));
        // (sent before, state there, proof, what it comes to, what the ledger then says of it)
        let cases = [
            (None, Present, Proof::Agrees, "ours", Present),
            (None, Present, Proof::Unasked, "unproven", Unknown),
            (None, Present, Proof::Digest(NEW), "ours", Present),
            (None, Present, Proof::Digest(OLD), "changed", Changed),
            (None, Present, foreign(), "conflict", State::Conflict),
            (None, Behind, Proof::Agrees, "ours", Behind),
            (Some((NEW, Intended)), Present, Proof::Agrees, "ours", Accepted),
            (Some((NEW, Unknown)), Present, Proof::Unasked, "ours", Accepted),
            (Some((OLD, Unknown)), Present, Proof::Unasked, "changed", Changed),
            (Some((NEW, Unknown)), Behind, Proof::Agrees, "ours", Behind),
            (Some((NEW, Unknown)), Present, foreign(), "conflict", State::Conflict),
            (Some((NEW, Rejected)), Behind, Proof::Agrees, "ours", Behind),
            (Some((NEW, Rejected)), Present, Proof::Agrees, "ours", Accepted),
            (Some((OLD, Unknown)), Present, Proof::Agrees, "changed", Changed),
            (Some((OLD, Unknown)), Present, Proof::Digest(NEW), "ours", Accepted),
            (Some((OLD, Unknown)), Present, foreign(), "changed", Changed),
            (Some((OLD, Unknown)), Behind, foreign(), "changed", Behind),
            (Some((OLD, Rejected)), Behind, Proof::Agrees, "changed", Rejected),
        ];
        for (sent, there, proof, meaning, ledger) in cases {
            let found = Found::There { remote: Some("r".into()), state: there, proof };
            let (is, state, remote) = match judge(&parcel(sent), found.clone()) {
                Verdict::Missing => ("missing", Unknown, None),
                Verdict::Ours { state, remote } => ("ours", state, remote),
                Verdict::Changed { state, remote, stands, .. } => {
                    assert_eq!(stands, OLD, "{sent:?} {found:?}");
                    ("changed", state, remote)
                }
                Verdict::Unproven { reason } => {
                    assert!(reason.text.contains("as r under"), "{reason}");
                    ("unproven", Unknown, Some("r".into()))
                }
                Verdict::Conflict { remote, .. } => ("conflict", State::Conflict, remote),
            };
            assert_eq!((is, state, remote.as_deref()), (meaning, ledger, Some("r")), "{sent:?} {found:?}");
        }
        assert_eq!(judge(&parcel(None), Found::Missing), Verdict::Missing);
        let other = Found::There { remote: Some("x".into()), state: Present, proof: Proof::Unasked };
        assert!(matches!(judge(&parcel(Some((NEW, Unknown))), other), Verdict::Unproven { .. }), "not the id we know");
    }

    #[test]
    fn the_queue_gives_what_is_due_the_longest_waiting_first() {
        let now = Instant::now();
        let after = |seconds| now + std::time::Duration::from_secs(seconds);
        let mut doubts = Doubts::default();
        for (due, key) in [(after(3), "C"), (now, "A"), (after(9), "D"), (now, "B")] {
            let mut parcel = parcel(None);
            parcel.document.key = DocKey::new(key).expect("a key");
            doubts.push(due, Doubt { parcel, again: None });
        }
        let names = |doubts: Vec<Doubt>| doubts.iter().map(|d| d.parcel.document.key.to_string()).collect::<String>();
        assert_eq!(names(doubts.take_due(now, 1)), "A");
        assert_eq!(names(doubts.take_due(after(5), 9)), "BC");
        assert_eq!((doubts.len(), doubts.next_due()), (1, Some(after(9))));
        assert_eq!(names(doubts.take_all().collect()), "D");
    }
}
