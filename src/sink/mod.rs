//! Where documents go. A sink knows one kind of target; the delivery loop in `driver.rs` knows none.
//!
//! Takes batches of documents, gives exactly one receipt each. A sink never decides whether to send: the ledger does.

pub mod driver;
pub mod file;
pub mod kingdee;
pub mod mysql;
pub mod split;
pub mod sqlite;
pub mod statement;

use crate::base::lifecycle::State;
use crate::base::record::{DocKey, Document, Outcome, Reason};
use crate::base::value::Digest;
use crate::base::{Error, Result};
use chrono::{DateTime, Utc};

/// A question to the target: what stands under this key?
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub key: &'a DocKey,
    /// The document that was or would be sent, where the caller has it: what stands there is compared with it.
    pub document: Option<&'a Document>,
    /// The target's own id, where an earlier answer told it.
    pub remote: Option<&'a str>,
}

/// What the target says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Missing,
    There {
        /// The target's own id, where it gives one.
        remote: Option<String>,
        /// [`State::Present`] or [`State::Behind`].
        state: State,
        proof: Proof,
    },
}

/// How sure it is that what stands there is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The target keeps the digest of the document that was stored.
    Digest(Digest),
    /// What could be compared agrees with the document.
    Agrees,
    /// No document was given, or the target keeps nothing that could be compared.
    Unasked,
    /// Something else stands under the key, or less than was sent.
    Foreign(Reason),
}

impl Proof {
    /// Is it the document with this digest, as far as can be known?
    pub fn is_of(&self, digest: &Digest) -> bool {
        match self {
            Self::Digest(there) => there == digest,
            Self::Agrees | Self::Unasked => true,
            Self::Foreign(_) => false,
        }
    }
}

/// One request about one document and what came back, for the exchange record; secrets left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// In the target's words: `BatchSave`, `Audit`, `insert`.
    pub operation: &'static str,
    pub request: String,
    pub answer: String,
    pub sent_at: DateTime<Utc>,
    pub answered_at: DateTime<Utc>,
}

/// What became of one document, and what was said about it on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub outcome: Outcome,
    /// In the order they happened; empty where nothing was sent.
    pub exchanges: Vec<Exchange>,
}

/// A document that is there, but not yet in the status asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    pub key: DocKey,
    pub remote: String,
}

/// A target.
#[async_trait::async_trait]
pub trait Sink: Send + Sync {
    /// The target's identity: connector, server, account set or database, form or main table (or `target_id`). No secrets.
    fn target(&self) -> &str;

    /// Reachable, allowed, tables and columns there? Creates what is ours (the delivery table), nothing else.
    async fn check(&self) -> Result<()>;

    /// One answer per question, in order.
    async fn find(&self, asked: &[Asked<'_>]) -> Result<Vec<Found>>;

    /// Exactly one receipt per document, in order. `Err` only if nothing can have arrived.
    async fn send(&self, batch: &[Document]) -> Result<Vec<Receipt>>;

    /// Brings documents that are there into the status asked for, without ever storing one anew. One receipt each, in order.
    async fn finish(&self, behind: &[Unfinished]) -> Result<Vec<Receipt>> {
        match behind.first() {
            None => Ok(Vec::new()),
            Some(first) => {
                Err(Error::bug(format!("{} has no further status to bring {} into", self.target(), first.key)))
            }
        }
    }

    /// Would a second send of the same document be answered `Present` rather than stored twice, even while the first may
    /// still be running? Then a document in doubt that is not found may be sent at once.
    fn refuses_doubles(&self) -> bool;
}

/// The receipts of a batch whose documents were each one request, as databases and files have it. `request` words it,
/// secrets left out.
pub fn receipts(
    batch: &[Document],
    outcomes: Vec<Outcome>,
    sent_at: DateTime<Utc>,
    request: impl Fn(&Document) -> String,
) -> Vec<Receipt> {
    let answered_at = Utc::now();
    let receipt = |(document, outcome): (&Document, Outcome)| {
        let (request, answer) = (request(document), words(&outcome));
        let exchange = Exchange { operation: "insert", request, answer, sent_at, answered_at };
        Receipt { outcome, exchanges: vec![exchange] }
    };
    batch.iter().zip(outcomes).map(receipt).collect()
}

/// An outcome as a sentence, for targets that answer in none.
pub fn words(outcome: &Outcome) -> String {
    match (outcome.reason(), outcome.state(), outcome.remote()) {
        (Some(reason), _, _) => reason.to_string(),
        (None, State::Present, _) => "was there already, with this digest".into(),
        (None, _, Some(remote)) => format!("stored as {remote}"),
        (None, _, None) => "stored".into(),
    }
}
