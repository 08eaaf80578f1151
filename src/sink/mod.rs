//! Where documents go. A sink knows one kind of target; the delivery loop in `driver.rs` knows none.
//!
//! Takes batches of documents, gives exactly one outcome each. A sink never decides whether to send: the ledger does.

pub mod driver;
pub mod file;
pub mod mysql;
pub mod split;
pub mod sqlite;
pub mod statement;

use crate::base::Result;
use crate::base::lifecycle::State;
use crate::base::record::{DocKey, Document, Outcome};

/// What the target says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Missing,
    There {
        /// The target's own id, where it gives one.
        remote: Option<String>,
        /// [`State::Present`] or [`State::Behind`].
        state: State,
        /// Digest of the document that was stored, where the target keeps it.
        digest: Option<crate::base::value::Digest>,
    },
}

/// A target.
#[async_trait::async_trait]
pub trait Sink: Send + Sync {
    /// The target's identity: connector, server, account set or database, form or main table (or `target_id`). No secrets.
    fn target(&self) -> &str;

    /// Reachable, allowed, tables and columns there? Creates what is ours (the delivery table), nothing else.
    async fn check(&self) -> Result<()>;

    /// One answer per key, in order.
    async fn find(&self, keys: &[DocKey]) -> Result<Vec<Found>>;

    /// Exactly one outcome per document, in order. `Err` only if nothing can have arrived.
    async fn send(&self, batch: &[Document]) -> Result<Vec<Outcome>>;

    /// Would a second send of the same document be answered `Present` rather than stored twice, even while the first may
    /// still be running? Then a document in doubt that is not found may be sent at once.
    fn refuses_doubles(&self) -> bool;

    /// The request of one document as it is kept in the exchange record; secrets left out.
    fn describe(&self, document: &Document) -> String;
}
