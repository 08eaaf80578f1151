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

/// What an answer of the target makes of an entry: of the `document` as it is now, if a record makes one, and of what was
/// `sent`. Without the document only the id and the digest that the target keeps can tell them apart.
pub(super) fn judge(document: Option<&Digest>, sent: Option<&Sent>, found: Found) -> Verdict {
    let Found::There { remote, state: there, proof } = found else { return Verdict::Missing };
    let Some(new) = document.or(sent.map(|sent| &sent.digest)).copied() else {
        return Verdict::Unproven { reason: not_compared(remote.as_deref(), false) };
    };
    // What was in conflict is not ours for having been sent: only what is compared now counts.
    let trusted = sent.filter(|sent| sent.state != State::Conflict);
    let known = sent.and_then(|sent| sent.remote.as_deref());
    let is_known = known.is_some_and(|known| remote.as_deref().is_none_or(|there| there == known));
    let remote = remote.or_else(|| known.map(str::to_owned));
    let stands = match (&proof, trusted) {
        (Proof::Digest(kept), _) => *kept,
        (_, Some(sent)) => sent.digest,
        (_, None) => new,
    };
    let may_be_earlier =
        document.is_some() && sent.is_none_or(|sent| sent.state != State::Conflict || sent.digest == stands);
    match proof {
        Proof::Unasked if !is_known => {
            Verdict::Unproven { reason: not_compared(remote.as_deref(), document.is_some()) }
        }
        // What was sent is what it was compared with, or nothing was sent: somebody else's.
        Proof::Foreign(reason) if stands == new => Verdict::Conflict { remote, reason },
        // Nothing shows that what was sent has ever arrived: this may as well be somebody else's.
        Proof::Foreign(reason) if !is_known => Verdict::Unproven { reason: differs(remote.as_deref(), &reason) },
        Proof::Foreign(reason) => changed(sent, stands, there, remote, Some(&reason)),
        _ if stands != new && !may_be_earlier => Verdict::Conflict { remote, reason: other_content() },
        _ if stands != new => changed(sent, stands, there, remote, None),
        _ if there == State::Behind => Verdict::Ours { state: State::Behind, remote },
        _ => Verdict::Ours { state: if trusted.is_some() { State::Accepted } else { State::Present }, remote },
    }
}

fn not_compared(remote: Option<&str>, has_document: bool) -> Reason {
    let id = remote.map(|id| format!(" as {id}")).unwrap_or_default();
    let why = if has_document {
        "but nothing of it could be compared"
    } else {
        "and no record of this run makes the document that it could be compared with"
    };
    Reason::new("unproven", format!("something stands there{id} under this key, {why}"))
}

fn differs(remote: Option<&str>, reason: &Reason) -> Reason {
    let id = remote.map(|id| format!(" as {id}")).unwrap_or_default();
    let text = format!(
        "something else stands there{id} under this key ({}); it may be the earlier version that was sent, but nothing proves \
         that it ever arrived: look there, and remove it if it is not wanted",
        reason.text
    );
    Reason::new("unproven", text)
}

fn other_content() -> Reason {
    Reason::new("other content", "another document stands in the target under this key")
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
    use State::{Accepted, Behind, Changed, Conflict, Intended, Present, Rejected, Unknown};

    const NEW: Digest = [1; 17];
    const OLD: Digest = [2; 17];

    fn parcel(key: &str) -> Parcel {
        let key = DocKey::new(key).expect("a key");
        let rids = vec![Rid::new(1, 0)];
        Parcel::new(Document { key, digest: NEW, version: None, rids, body: Object::from_pairs([]) })
    }

    /// Of a conflict no id is known.
    fn sent(digest: Digest, state: State) -> Sent {
        let remote = if state == Conflict { None } else { Some("r".into()) };
        Sent { digest, version: None, state, remote }
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
            (None, Present, foreign(), "conflict", Conflict),
            (None, Behind, Proof::Agrees, "ours", Behind),
            (Some((NEW, Intended)), Present, Proof::Agrees, "ours", Accepted),
            (Some((NEW, Unknown)), Present, Proof::Unasked, "ours", Accepted),
            (Some((OLD, Unknown)), Present, Proof::Unasked, "changed", Changed),
            (Some((NEW, Unknown)), Behind, Proof::Agrees, "ours", Behind),
            (Some((NEW, Unknown)), Present, foreign(), "conflict", Conflict),
            (Some((NEW, Rejected)), Behind, Proof::Agrees, "ours", Behind),
            (Some((NEW, Rejected)), Present, Proof::Agrees, "ours", Accepted),
            (Some((OLD, Unknown)), Present, Proof::Agrees, "changed", Changed),
            (Some((OLD, Unknown)), Present, Proof::Digest(NEW), "ours", Accepted),
            (Some((OLD, Unknown)), Present, foreign(), "changed", Changed),
            (Some((OLD, Unknown)), Behind, foreign(), "changed", Behind),
            (Some((OLD, Rejected)), Behind, Proof::Agrees, "changed", Rejected),
            (Some((NEW, Conflict)), Present, Proof::Agrees, "ours", Present),
            (Some((OLD, Conflict)), Present, Proof::Agrees, "ours", Present),
            (Some((OLD, Conflict)), Behind, Proof::Agrees, "ours", Behind),
            (Some((NEW, Conflict)), Present, foreign(), "conflict", Conflict),
            (Some((OLD, Conflict)), Present, foreign(), "conflict", Conflict),
            (Some((NEW, Conflict)), Present, Proof::Digest(OLD), "conflict", Conflict),
            (Some((OLD, Conflict)), Present, Proof::Digest(OLD), "changed", Changed),
        ];
        for (before, there, proof, meaning, ledger) in cases {
            let found = Found::There { remote: Some("r".into()), state: there, proof };
            let before = before.map(|(digest, state)| sent(digest, state));
            let (is, state, remote) = match judge(Some(&NEW), before.as_ref(), found.clone()) {
                Verdict::Missing => ("missing", Unknown, None),
                Verdict::Ours { state, remote } => ("ours", state, remote),
                Verdict::Changed { state, remote, stands, .. } => {
                    assert_eq!(stands, OLD, "{before:?} {found:?}");
                    ("changed", state, remote)
                }
                Verdict::Unproven { reason } => {
                    assert!(reason.text.contains("as r under"), "{reason}");
                    ("unproven", Unknown, Some("r".into()))
                }
                Verdict::Conflict { remote, .. } => ("conflict", Conflict, remote),
            };
            assert_eq!((is, state, remote.as_deref()), (meaning, ledger, Some("r")), "{before:?} {found:?}");
        }
        assert_eq!(judge(Some(&NEW), None, Found::Missing), Verdict::Missing);
    }

    #[test]
    fn what_was_never_seen_to_arrive_is_not_taken_for_an_earlier_version() {
        let foreign = || Proof::Foreign(Reason::new("FDate", "another date"));
        let there = |id: &str, proof| Found::There { remote: Some(id.into()), state: Present, proof };
        let never_heard = |digest| Sent { remote: None, ..sent(digest, Unknown) };
        let unproven = [
            (never_heard(OLD), there("x", foreign())),
            (never_heard(NEW), there("x", Proof::Unasked)),
            (sent(OLD, Unknown), there("x", foreign())),
            (sent(NEW, Unknown), there("x", Proof::Unasked)),
            (sent(NEW, Conflict), there("x", Proof::Unasked)),
        ];
        for (before, found) in unproven {
            match judge(Some(&NEW), Some(&before), found.clone()) {
                Verdict::Unproven { reason } => assert!(reason.text.contains("as x under"), "{reason}"),
                other => panic!("{before:?} {found:?} came to {other:?}"),
            }
        }
        let conflict = judge(Some(&NEW), Some(&never_heard(NEW)), there("x", foreign()));
        assert!(matches!(conflict, Verdict::Conflict { .. }), "compared with what was sent: {conflict:?}");
    }

    #[test]
    fn without_its_document_an_entry_is_known_by_id_or_digest_only() {
        let there = |remote: Option<&str>, state, proof| Found::There { remote: remote.map(Into::into), state, proof };
        let ours = |id: Option<&str>| Verdict::Ours { state: Accepted, remote: id.map(Into::into) };
        let behind = Verdict::Ours { state: Behind, remote: Some("7".into()) };
        let unproven = Verdict::Unproven { reason: not_compared(Some("8"), false) };
        let other = Verdict::Conflict { remote: None, reason: other_content() };
        let foreign = Reason::new("FDate", "another date");
        let foreign_there = Verdict::Conflict { remote: None, reason: foreign.clone() };
        let cases = [
            (None, Found::Missing, Verdict::Missing),
            (None, there(Some("7"), Present, Proof::Digest(NEW)), ours(Some("7"))),
            (None, there(None, Present, Proof::Digest(NEW)), ours(None)),
            (None, there(None, Present, Proof::Digest(OLD)), other),
            (Some("7"), there(Some("7"), Present, Proof::Unasked), ours(Some("7"))),
            (Some("7"), there(Some("7"), Behind, Proof::Unasked), behind),
            (Some("7"), there(Some("8"), Present, Proof::Unasked), unproven.clone()),
            (None, there(Some("8"), Behind, Proof::Unasked), unproven),
            (None, there(None, Present, Proof::Foreign(foreign)), foreign_there),
        ];
        for (remote, found, expected) in cases {
            let before = Sent { remote: remote.map(Into::into), ..sent(NEW, Unknown) };
            assert_eq!(judge(None, Some(&before), found.clone()), expected, "{remote:?} {found:?}");
        }
    }

    #[test]
    fn the_queue_gives_what_is_due_the_longest_waiting_first() {
        let now = Instant::now();
        let after = |seconds| now + std::time::Duration::from_secs(seconds);
        let mut doubts = Doubts::default();
        for (due, key) in [(after(3), "C"), (now, "A"), (after(9), "D"), (now, "B")] {
            doubts.push(due, Doubt { parcel: parcel(key), again: None });
        }
        let names = |doubts: Vec<Doubt>| doubts.iter().map(|d| d.parcel.document.key.to_string()).collect::<String>();
        assert_eq!(names(doubts.take_due(now, 1)), "A");
        assert_eq!(names(doubts.take_due(after(5), 9)), "BC");
        assert_eq!((doubts.len(), doubts.next_due()), (1, Some(after(9))));
        assert_eq!(names(doubts.take_all().collect()), "D");
    }
}
