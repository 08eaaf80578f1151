//! A document on its way, and what is known of it.
//!
//! Plain data; every queue of the loop holds these. Decides nothing.

use crate::base::lifecycle::State;
use crate::base::record::{Document, Rid};
use crate::base::value::Digest;
use crate::state::ledger::Entry;

/// A document and its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parcel {
    pub document: Document,
    pub past: Past,
}

/// What was done for a document before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// What the ledger says of it, if something of ours may be there; `None` when nothing of ours can be.
    pub sent: Option<Sent>,
    /// How often it was sent again or brought on in this run, because it was not known or not seen to be through.
    pub rounds: u32,
}

/// What was sent under a key, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub digest: Digest,
    pub version: Option<i64>,
    pub state: State,
    pub remote: Option<String>,
}

impl Sent {
    /// What the ledger's entry says. The id of a conflict is that of what is not ours: it must never prove anything ours.
    pub fn of(entry: &Entry) -> Self {
        let delivered = &entry.delivered;
        let (digest, version, state) = (delivered.digest, delivered.version, delivered.state);
        let remote = if state == State::Conflict { None } else { entry.remote.clone() };
        Self { digest, version, state, remote }
    }
}

/// Documents of one request.
#[derive(Debug)]
pub(super) struct Batch {
    pub parcels: Vec<Parcel>,
    /// Something of them was sent before: finished before anything is begun.
    pub again: bool,
}

impl Parcel {
    pub fn new(document: Document) -> Self {
        Self { document, past: Past::default() }
    }

    /// A document that the ledger holds as one that may be there.
    pub fn of_entry(document: Document, entry: &Entry) -> Self {
        Self { document, past: Past { sent: Some(Sent::of(entry)), rounds: 0 } }
    }

    /// The target's own id, if it ever said one.
    pub fn remote(&self) -> Option<&str> {
        self.past.sent.as_ref().and_then(|sent| sent.remote.as_deref())
    }

    /// The document as it is now is what stands, or may stand, in the target.
    pub fn is_sent_as(&mut self, state: State, remote: Option<String>) {
        let remote = remote.or_else(|| self.remote().map(str::to_owned));
        let (digest, version) = (self.document.digest, self.document.version);
        self.past.sent = Some(Sent { digest, version, state, remote });
    }
}

/// The row a ledger entry points to; a document has at least one.
pub(super) fn first_rid(document: &Document) -> Rid {
    document.rids.first().copied().unwrap_or(Rid(-1))
}
