//! The life of a document: its states, what may follow what, and the law that every count obeys.
//!
//! One table ([`NEXT`]) for code, screens and docs. Pure: who moves a document along is `sink/driver.rs`.

use std::fmt;

/// Where a document stands. The first five are decided before anything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Made by the mapping in this run; nothing decided yet.
    Mapped,
    /// Not fit to be sent: contract, `_reject`, key null or doubled, evaluation error.
    Blocked,
    /// The same digest was delivered before.
    Unchanged,
    /// Made from an older source version than the one delivered.
    Stale,
    /// Delivered before with another digest.
    Changed,
    /// Delivered before; its newest source version yields no document any more.
    Withdrawn,
    /// The journal says it is about to be sent. Found after a crash, this *is* [`State::Unknown`].
    Intended,
    /// In the target, put there by us.
    Accepted,
    /// In the target already, proven ours.
    Present,
    /// In the target, but not yet in the status asked for (saved, not audited).
    Behind,
    /// The target will not take it as it is.
    Rejected,
    /// May or may not be in the target; `find` decides.
    Unknown,
    /// Something under our key that is not ours, or less than was sent.
    Conflict,
    /// A person has settled a changed, withdrawn or conflicting document for good.
    Acknowledged,
}

use State::*;

/// Every state, in the order in which reports list them.
pub const ALL: [State; 14] = [
    Mapped,
    Blocked,
    Unchanged,
    Stale,
    Changed,
    Withdrawn,
    Intended,
    Accepted,
    Present,
    Behind,
    Rejected,
    Unknown,
    Conflict,
    Acknowledged,
];

/// The table: from each state, the states that may follow.
///
/// `Mapped` → `Rejected`, `Conflict`, `Acknowledged` confirms what the ledger says of the same document.
/// `Rejected`/`Blocked` → `Intended` happens on a retry or with another digest only. `Accepted`/`Present` → `Changed`, `Withdrawn` happens when a
/// newer source version comes, and back when the source takes that back. A state may always be confirmed by itself.
///
/// What is there, though not as it should be, is never stored again: `Behind` has no way to `Intended`, and a `Rejected` one
/// that has a remote id ([`Delivered::stored`]) has none but over `Unknown`, which is: asked, and not there any more. The same
/// holds for a `Conflict`, which is left untouched until a retry asks what stands there by now.
pub const NEXT: &[(State, &[State])] = &[
    (Mapped, &[Blocked, Unchanged, Stale, Changed, Intended, Unknown, Rejected, Conflict, Acknowledged]),
    (Blocked, &[Intended]),
    (Unchanged, &[]),
    (Stale, &[]),
    (Changed, &[Acknowledged, Intended, Accepted]),
    (Withdrawn, &[Acknowledged, Accepted, Changed]),
    (Intended, &[Accepted, Present, Behind, Rejected, Unknown, Conflict, Changed]),
    (Accepted, &[Changed, Withdrawn]),
    (Present, &[Changed, Withdrawn]),
    (Behind, &[Accepted, Present, Rejected, Unknown, Conflict, Changed]),
    (Rejected, &[Intended, Accepted, Present, Behind, Unknown, Conflict, Changed]),
    (Unknown, &[Intended, Accepted, Present, Behind, Rejected, Conflict, Changed]),
    (Conflict, &[Accepted, Present, Behind, Unknown, Changed, Acknowledged]),
    (Acknowledged, &[Changed, Withdrawn]),
];

impl State {
    /// May `to` follow `self`?
    pub fn may_become(self, to: State) -> bool {
        self == to || NEXT.iter().any(|(from, next)| *from == self && next.contains(&to))
    }

    /// The word in reports, in the state store and in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Mapped => "mapped",
            Blocked => "blocked",
            Unchanged => "unchanged",
            Stale => "stale",
            Changed => "changed",
            Withdrawn => "withdrawn",
            Intended => "intended",
            Accepted => "accepted",
            Present => "present",
            Behind => "behind",
            Rejected => "rejected",
            Unknown => "unknown",
            Conflict => "conflict",
            Acknowledged => "acknowledged",
        }
    }

    /// The number in the state store. Never renumber: old workspaces hold these.
    pub fn code(self) -> u8 {
        match self {
            Mapped => 0,
            Blocked => 1,
            Unchanged => 2,
            Stale => 3,
            Changed => 4,
            Withdrawn => 5,
            Intended => 6,
            Accepted => 7,
            Present => 8,
            Behind => 9,
            Rejected => 10,
            Unknown => 11,
            Conflict => 12,
            Acknowledged => 13,
        }
    }

    pub fn from_code(code: u8) -> Option<State> {
        ALL.into_iter().find(|s| s.code() == code)
    }

    /// Somebody has to look: such a document makes the exit code 1 (4 for a conflict).
    pub fn needs_attention(self) -> bool {
        matches!(self, Blocked | Changed | Withdrawn | Behind | Rejected | Unknown | Conflict)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a new document is to its target, decided from the ledger alone: the identity rule.
///
/// Identity of a delivery = (target, key). `delivered` is the ledger's entry for that identity, if there is one.
pub fn decide(new: &Candidate, delivered: Option<&Delivered>, retry: bool) -> State {
    let Some(old) = delivered else { return Intended };
    match old.state {
        // Sent, answer never recorded: ask, whatever the new digest is.
        Intended | Unknown | Behind => Unknown,
        // Stored and then refused (by an audit): it may have been finished or removed there meanwhile.
        Rejected if old.stored && (retry || old.digest != new.digest) => Unknown,
        Rejected if retry || old.digest != new.digest => Intended,
        Rejected => Rejected,
        // A person may have removed what stood there: on a retry it is asked about, never sent blindly.
        Conflict if retry => Unknown,
        Conflict => Conflict,
        _ if old.digest == new.digest => Unchanged,
        _ if is_older(new.version, old.version) => Stale,
        Acknowledged if old.version == new.version => Acknowledged,
        _ => Changed,
    }
}

/// The parts of a new document that the identity rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    pub digest: [u8; 17],
    /// Source version in microseconds or as the vendor counts; only its order matters.
    pub version: Option<i64>,
    pub key: &'a str,
}

/// The ledger's entry for one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub digest: [u8; 17],
    pub version: Option<i64>,
    pub state: State,
    /// The target has given it an id: whatever its state, something of it was there.
    pub stored: bool,
}

fn is_older(new: Option<i64>, old: Option<i64>) -> bool {
    matches!((new, old), (Some(n), Some(o)) if n < o)
}

/// How many documents of a run stand in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally([u64; ALL.len()]);

impl Tally {
    pub fn add(&mut self, state: State, documents: u64) {
        self.0[usize::from(state.code())] += documents;
    }

    pub fn get(&self, state: State) -> u64 {
        self.0[usize::from(state.code())]
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Non-zero states in report order.
    pub fn entries(&self) -> impl Iterator<Item = (State, u64)> + '_ {
        ALL.into_iter().map(|s| (s, self.get(s))).filter(|(_, n)| *n > 0)
    }

    pub fn needing_attention(&self) -> u64 {
        self.entries().filter(|(s, _)| s.needs_attention()).map(|(_, n)| n).sum()
    }
}

/// The conservation law, checked at the end of every run, in release builds too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// Records in sealed pulls of this run.
    pub fetched: u64,
    /// Rows written to staging.
    pub staged: u64,
    /// Twins of rows already staged (shared window edges, repeated pages).
    pub duplicates: u64,
    /// Rows whose newest version this run had to map.
    pub in_scope: u64,
    /// Rows in scope named by the `_rid` of some document or blocked document.
    pub mapped_rows: u64,
    /// Rows in scope that the mapping left out.
    pub unmapped: u64,
    /// Documents the mapping made, blocked ones included.
    pub documents: u64,
    /// The same documents by state.
    pub states: Tally,
}

/// The rule that no document ends a run undecided, as [`Balance::breaches`] words it.
pub const UNDECIDED: &str = "documents still undecided = 0";

impl Balance {
    /// The equations that do not hold, in words; empty when the books balance.
    pub fn breaches(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        let mut equal = |what: &str, left: u64, right: u64| {
            if left != right {
                breaches.push(format!("{what}: {left} ≠ {right}"));
            }
        };
        equal("fetched = staged + duplicates dropped", self.fetched, self.staged + self.duplicates);
        equal("rows in scope = mapped into documents + unmapped", self.in_scope, self.mapped_rows + self.unmapped);
        equal("documents = sum over the states", self.documents, self.states.total());
        equal(UNDECIDED, self.states.get(Mapped) + self.states.get(Intended), 0);
        breaches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_go_both_ways() {
        for (i, s) in ALL.into_iter().enumerate() {
            assert_eq!(usize::from(s.code()), i);
            assert_eq!(State::from_code(s.code()), Some(s));
        }
    }

    #[test]
    fn the_table_has_a_row_for_every_state() {
        for s in ALL {
            assert!(NEXT.iter().any(|(from, _)| *from == s), "{s} has no row");
        }
        assert!(!Accepted.may_become(Intended), "an accepted document is never sent again");
        assert!(!Behind.may_become(Intended), "what is there is finished, never saved again");
        assert!(!Conflict.may_become(Intended), "a conflict is asked about before anything is sent");
        assert!(Conflict.may_become(Unknown) && Unknown.may_become(Intended), "and then has a way out");
        assert!(!Unknown.may_become(Mapped));
    }

    fn old(state: State, digest: u8, version: i64) -> Delivered {
        Delivered { digest: [digest; 17], version: Some(version), state, stored: false }
    }

    fn stored(state: State, digest: u8, version: i64) -> Delivered {
        Delivered { stored: true, ..old(state, digest, version) }
    }

    #[test]
    fn the_identity_rule_as_a_table() {
        let new = Candidate { digest: [1; 17], version: Some(5), key: "T1" };
        let cases = [
            (None, Intended),
            (Some(old(Accepted, 1, 5)), Unchanged),
            (Some(old(Present, 1, 9)), Unchanged),
            (Some(old(Accepted, 2, 9)), Stale),
            (Some(old(Accepted, 2, 4)), Changed),
            (Some(old(Accepted, 2, 5)), Changed),
            (Some(old(Intended, 1, 5)), Unknown),
            (Some(old(Unknown, 2, 5)), Unknown),
            (Some(old(Rejected, 1, 5)), Rejected),
            (Some(old(Rejected, 2, 4)), Intended),
            (Some(stored(Rejected, 1, 5)), Rejected),
            (Some(stored(Rejected, 2, 4)), Unknown),
            (Some(stored(Behind, 1, 5)), Unknown),
            (Some(old(Conflict, 1, 5)), Conflict),
        ];
        for (ledger, expected) in cases {
            assert_eq!(decide(&new, ledger.as_ref(), false), expected, "{ledger:?}");
        }
        assert_eq!(decide(&new, Some(&old(Rejected, 1, 5)), true), Intended);
        let conflicts = [old(Conflict, 1, 5), stored(Conflict, 2, 4)];
        for asked in [old(Intended, 1, 5), stored(Rejected, 1, 5), stored(Behind, 1, 5)].into_iter().chain(conflicts) {
            assert_eq!(decide(&new, Some(&asked), true), Unknown, "a retry never skips asking: {asked:?}");
        }
    }

    #[test]
    fn a_missing_document_breaks_the_balance() {
        let mut b = Balance {
            fetched: 3,
            staged: 2,
            duplicates: 1,
            in_scope: 2,
            mapped_rows: 2,
            documents: 2,
            ..Balance::default()
        };
        b.states.add(Accepted, 1);
        assert_eq!(b.breaches(), ["documents = sum over the states: 2 ≠ 1"]);
        b.states.add(Rejected, 1);
        assert!(b.breaches().is_empty());
    }
}
