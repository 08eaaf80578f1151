//! Gets a batch into a target that takes or refuses a group as a whole, and finds out which document is to blame.
//!
//! Takes a [`Store`] and documents, gives one outcome each. Knows no statement and no server: it only decides which group
//! is tried next. A document is called rejected only when it was refused alone and is not there already.

use super::Found;
use crate::base::Result;
use crate::base::record::{DocKey, Document, Outcome, Reason};
use std::collections::HashSet;

/// What trying to store a group as a whole came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// All of it is there now; the target's ids, one each.
    Stored(Vec<Option<String>>),
    /// Nothing of it was stored, because of what is in a document.
    Refused {
        reason: Reason,
        /// Which document of the group the target complained about, where it says so.
        suspect: Option<usize>,
        about: About,
    },
    /// Nobody can say whether it is there.
    Unsettled(Reason),
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Values that will not go in.
    Values,
    /// A unique key of the target's own tables. Another writer's delivery of the same document looks like this too.
    UniqueKey,
    /// The delivery row: another writer has delivered one of the documents.
    Delivery,
}

/// A target that stores all of a group or nothing.
#[async_trait::async_trait]
pub trait Store: Sync {
    /// `Err` only if nothing of the group can have arrived.
    async fn attempt(&self, group: &[&Document]) -> Result<Attempt>;

    async fn look(&self, keys: &[DocKey]) -> Result<Vec<Found>>;
}

/// Believed complaints about one document per batch. A target that complains about ever new ones is cheaper to halve.
const MAX_SUSPECTS: u32 = 8;

/// Refusals because of a delivery that asking does not find (another writer came and went). After so many, nobody knows.
const MAX_CONTRADICTIONS: u32 = 5;

/// Sends a batch. `Err` only if nothing of it can have arrived.
pub async fn deliver(store: &dyn Store, batch: &[Document]) -> Result<Vec<Outcome>> {
    let mut work = Work {
        batch,
        outcomes: vec![None; batch.len()],
        groups: groups_of_distinct_keys(batch),
        suspects: 0,
        contradictions: 0,
    };
    while let Some(group) = work.groups.pop() {
        let documents: Vec<&Document> = group.iter().map(|&i| &batch[i]).collect();
        match store.attempt(&documents).await {
            Ok(Attempt::Stored(remotes)) => {
                for (&i, remote) in group.iter().zip(remotes) {
                    work.outcomes[i] = Some(Outcome::Accepted { remote });
                }
            }
            Ok(Attempt::Unsettled(reason)) => work.unknown(&group, &reason),
            Ok(Attempt::Refused { reason, suspect, about }) => {
                // Before anything is called rejected: is it there already?
                let asks = group.len() == 1 || about != About::Values;
                let found =
                    if asks { store.look(&work.keys(&group)).await } else { Ok(vec![Found::Missing; group.len()]) };
                match found {
                    Ok(found) => work.refused(group, found, reason, suspect, about),
                    Err(error) => return work.broken_off(group, error),
                }
            }
            Err(error) => return work.broken_off(group, error),
        }
    }
    // Every index was in exactly one group until its outcome was set.
    Ok(work.outcomes.into_iter().flatten().collect())
}

/// A key that comes twice in a batch would be refused within one transaction: its second document waits for the first.
fn groups_of_distinct_keys(batch: &[Document]) -> Vec<Vec<usize>> {
    let mut rest: Vec<usize> = (0..batch.len()).collect();
    let mut groups = Vec::new();
    while !rest.is_empty() {
        let mut seen = HashSet::new();
        let (first, again): (Vec<usize>, Vec<usize>) = rest.iter().partition(|&&i| seen.insert(&batch[i].key));
        groups.push(first);
        rest = again;
    }
    groups.reverse();
    groups
}

struct Work<'a> {
    batch: &'a [Document],
    outcomes: Vec<Option<Outcome>>,
    /// Taken from the end.
    groups: Vec<Vec<usize>>,
    suspects: u32,
    contradictions: u32,
}

impl Work<'_> {
    fn keys(&self, group: &[usize]) -> Vec<DocKey> {
        group.iter().map(|&i| self.batch[i].key.clone()).collect()
    }

    /// Settles what is there already and puts the rest back, smaller, or rejects a document that stands alone.
    fn refused(&mut self, group: Vec<usize>, found: Vec<Found>, reason: Reason, suspect: Option<usize>, about: About) {
        let asked = group.len();
        let left = self.settle_found(group, found);
        if left.len() < asked {
            // The refusal was about those that are there; the others may go in as they are.
            self.push(left);
        } else if about == About::Delivery {
            self.contradictions += 1;
            match self.contradictions < MAX_CONTRADICTIONS {
                true => self.push(left),
                false => self.unknown(&left, &reason),
            }
        } else if let &[alone] = left.as_slice() {
            self.outcomes[alone] = Some(Outcome::Rejected { reason, remote: None });
        } else {
            self.split(left, suspect);
        }
    }

    /// Sets the outcome of those that are there; gives back those that are not.
    fn settle_found(&mut self, group: Vec<usize>, found: Vec<Found>) -> Vec<usize> {
        let mut left = Vec::new();
        for (i, found) in group.into_iter().zip(found) {
            match found {
                Found::Missing => left.push(i),
                Found::There { remote, proof, .. } => {
                    self.outcomes[i] = Some(there(proof.is_of(&self.batch[i].digest), remote));
                }
            }
        }
        left
    }

    /// The suspect alone and then the others, or the two halves.
    fn split(&mut self, mut group: Vec<usize>, suspect: Option<usize>) {
        match suspect.filter(|&s| s < group.len() && self.suspects < MAX_SUSPECTS) {
            Some(suspect) => {
                self.suspects += 1;
                let guilty = group.remove(suspect);
                self.push(group);
                self.push(vec![guilty]);
            }
            None => {
                let second = group.split_off(group.len() / 2);
                self.push(second);
                self.push(group);
            }
        }
    }

    fn push(&mut self, group: Vec<usize>) {
        if !group.is_empty() {
            self.groups.push(group);
        }
    }

    fn unknown(&mut self, group: &[usize], reason: &Reason) {
        for &i in group {
            self.outcomes[i] = Some(Outcome::Unknown { reason: reason.clone() });
        }
    }

    /// The target went away. If nothing of the batch was settled yet, nothing arrived and the batch may be sent again;
    /// otherwise the settled ones keep their outcome and the others are asked for later.
    fn broken_off(mut self, group: Vec<usize>, error: crate::base::Error) -> Result<Vec<Outcome>> {
        if self.outcomes.iter().all(Option::is_none) {
            return Err(error);
        }
        let reason = Reason::new("unavailable", error.to_string());
        let groups = std::mem::take(&mut self.groups);
        for group in groups.iter().chain([&group]) {
            self.unknown(group, &reason);
        }
        Ok(self.outcomes.into_iter().flatten().collect())
    }
}

/// The outcome of a document whose key is in the target: ours if the stored digest is this document's.
pub fn there(same: bool, remote: Option<String>) -> Outcome {
    if same {
        return Outcome::Present { remote };
    }
    let text = "a document with this key and other content was delivered before";
    Outcome::Conflict { reason: Reason::new("digest", text).on_field("_key"), remote }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::lifecycle::State;
    use crate::base::record::Rid;
    use crate::base::value::{Object, Value};
    use crate::base::{Error, Kind};
    use crate::sink::Proof;
    use std::collections::HashMap;
    use std::sync::Mutex;

    fn document(key: &str, value: i64) -> Document {
        let body = Object::from_pairs([("v", Value::Int(value))]);
        let digest = crate::base::value::digest(&body);
        Document { key: DocKey::new(key).expect("a key"), digest, version: None, rids: vec![Rid(1)], body }
    }

    /// Refuses keys that begin with `bad`; goes away at the attempt `dies_at`; says unsettled for the group with `lost`.
    #[derive(Default)]
    struct Scripted {
        there: Mutex<HashMap<String, Document>>,
        attempts: Mutex<Vec<usize>>,
        names_suspect: bool,
        dies_at: Option<usize>,
    }

    #[async_trait::async_trait]
    impl Store for Scripted {
        async fn attempt(&self, group: &[&Document]) -> Result<Attempt> {
            let mut attempts = self.attempts.lock().expect("attempts");
            attempts.push(group.len());
            if self.dies_at == Some(attempts.len()) {
                return Err(Error::unavailable("gone"));
            }
            let mut there = self.there.lock().expect("there");
            let refuse =
                |code: &str, suspect, about| Attempt::Refused { reason: Reason::new(code, "no"), suspect, about };
            if group.iter().any(|d| there.contains_key(d.key.as_str())) {
                return Ok(refuse("1062", None, About::Delivery));
            }
            if let Some(i) = group.iter().position(|d| d.key.as_str().starts_with("bad")) {
                return Ok(refuse("1406", Some(i).filter(|_| self.names_suspect), About::Values));
            }
            if group.iter().any(|d| d.key.as_str() == "lost") {
                return Ok(Attempt::Unsettled(Reason::new("commit", "no answer")));
            }
            there.extend(group.iter().map(|&d| (d.key.to_string(), d.clone())));
            Ok(Attempt::Stored(group.iter().map(|d| Some(d.key.to_string())).collect()))
        }

        async fn look(&self, keys: &[DocKey]) -> Result<Vec<Found>> {
            let there = self.there.lock().expect("there");
            let look = |key: &DocKey| match there.get(key.as_str()) {
                None => Found::Missing,
                Some(d) => Found::There { remote: None, state: State::Present, proof: Proof::Digest(d.digest) },
            };
            Ok(keys.iter().map(look).collect())
        }
    }

    async fn states(store: &Scripted, batch: &[Document]) -> Vec<State> {
        deliver(store, batch).await.expect("outcomes").iter().map(Outcome::state).collect()
    }

    #[tokio::test]
    async fn the_guilty_stand_alone_and_the_others_go_in() {
        for (names_suspect, at_most) in [(true, 5), (false, 40)] {
            let mut batch: Vec<Document> = (0..500).map(|i| document(&format!("k{i}"), i)).collect();
            batch[17] = document("bad1", 0);
            batch[499] = document("bad2", 0);
            let store = Scripted { names_suspect, ..Default::default() };
            let states = states(&store, &batch).await;
            let rejected: Vec<usize> = (0..500).filter(|&i| states[i] == State::Rejected).collect();
            assert_eq!(rejected, [17, 499]);
            assert_eq!(states.iter().filter(|&&s| s == State::Accepted).count(), 498);
            assert!(store.attempts.lock().expect("attempts").len() <= at_most);
        }
    }

    #[tokio::test]
    async fn what_is_there_is_present_or_conflict_and_a_doubled_key_waits_for_its_first() {
        let store = Scripted::default();
        assert_eq!(states(&store, &[document("a", 1)]).await, [State::Accepted]);
        let batch = [document("b", 1), document("a", 1), document("bad", 1), document("b", 2), document("c", 1)];
        let expected = [State::Accepted, State::Present, State::Rejected, State::Conflict, State::Accepted];
        assert_eq!(states(&store, &batch).await, expected);
        assert_eq!(states(&store, &[document("a", 2), document("b", 1)]).await, [State::Conflict, State::Present]);
    }

    #[tokio::test]
    async fn a_target_that_goes_away_leaves_nothing_settled_twice_and_nothing_forgotten() {
        let batch = [document("a", 1), document("bad", 1), document("b", 1)];
        let store = Scripted { dies_at: Some(1), ..Default::default() };
        assert_eq!(deliver(&store, &batch).await.expect_err("gone").kind(), Kind::Unavailable);
        // The whole, then a alone, then the half of two.
        let store = Scripted { dies_at: Some(3), ..Default::default() };
        assert_eq!(states(&store, &batch).await, [State::Accepted, State::Unknown, State::Unknown]);
        let store = Scripted::default();
        assert_eq!(states(&store, &[document("x", 1), document("lost", 1)]).await, [State::Unknown, State::Unknown]);
    }
}
