//! What travels: pages out of a source, documents into a sink, and what became of them.

use crate::base::lifecycle::State;
use crate::base::value::{Digest, Object};
use chrono::{DateTime, Utc};
use std::fmt;
use std::ops::Range;

/// Number of a slice in the workspace, given by the state store; never reused.
pub type SliceNo = u32;

/// Identifies one staged row: slice number in the high 32 bits, row within the slice in the low 32. In SQL: `_rid`, BIGINT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rid(pub i64);

impl Rid {
    pub fn new(slice: SliceNo, row: u32) -> Self {
        Self((i64::from(slice) << 32) | i64::from(row))
    }

    pub fn slice(self) -> SliceNo {
        // Rids are made by `new`, so the high half is a slice number.
        (self.0 >> 32) as SliceNo
    }

    pub fn row(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }
}

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One answer of a vendor: its text, and where in it each record stands.
#[derive(Debug, Clone)]
pub struct Page {
    /// Number within the pull, from 0.
    pub number: u32,
    /// The answer as it came; JSON, checked to be UTF-8.
    pub text: String,
    /// Byte range of each record's JSON object in `text`, in the vendor's order.
    pub records: Vec<Range<usize>>,
    /// When the answer arrived.
    pub fetched_at: DateTime<Utc>,
}

impl Page {
    /// The raw JSON text of each record.
    pub fn raw_records(&self) -> impl Iterator<Item = &str> {
        self.records.iter().map(|r| &self.text[r.clone()])
    }
}

/// The business key of a document; with the target it is the identity of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocKey(Box<str>);

impl DocKey {
    /// Longest key in characters; the ledger table in the target database has this width.
    pub const MAX_CHARS: usize = 190;

    /// Refuses an empty key, one with surrounding white space or control characters, and one that is too long.
    pub fn new(text: &str) -> Result<Self, Reason> {
        let refuse = |why: &str| Err(Reason::new("key", why).on_field("_key"));
        if text.is_empty() {
            return refuse("the key is empty: a document needs a business key");
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return refuse(
                "the key has surrounding white space or control characters: targets would fold it into another key",
            );
        }
        if text.chars().count() > Self::MAX_CHARS {
            return refuse("the key is longer than 190 characters");
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a record or a document is not where it should be: for people, and for grouping by cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Short and stable: our own word (`key`, `contract`, `_reject`, `evaluation`) or the target's code (`1406`).
    pub code: String,
    /// What the target or the engine said, or our sentence.
    pub text: String,
    /// The field it is about, where known.
    pub field: Option<String>,
}

impl Reason {
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), field: None }
    }

    #[must_use]
    pub fn on_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// What may open and close a particular inside a text.
const QUOTES: [(char, char); 8] =
    [('“', '”'), ('‘', '’'), ('【', '】'), ('[', ']'), ('「', '」'), ('《', '》'), ('\'', '\''), ('"', '"')];

impl Reason {
    /// The text without its particulars: what stands in quotes or brackets, and numbers. Reasons of one cause share it.
    pub fn gist(&self) -> String {
        let mut gist = String::with_capacity(self.text.len());
        let mut closing = None;
        for c in self.text.chars() {
            match closing {
                Some(end) if c != end => continue,
                Some(end) => {
                    gist.push(end);
                    closing = None;
                }
                None if c.is_ascii_digit() => {
                    if !gist.ends_with('#') {
                        gist.push('#');
                    }
                }
                None => {
                    gist.push(c);
                    closing = QUOTES.iter().find(|(open, _)| *open == c).map(|(_, close)| *close);
                }
            }
        }
        gist
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "[{}] {}: {}", self.code, field, self.text),
            None => write!(f, "[{}] {}", self.code, self.text),
        }
    }
}

/// One unit of delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub key: DocKey,
    pub digest: Digest,
    /// Source version of the newest record it was made from; only the order matters.
    pub version: Option<i64>,
    /// The staged rows it was made from; never empty.
    pub rids: Vec<Rid>,
    pub body: Object,
}

/// What the mapping made of a row: a document, or a row that must not be sent, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped {
    Document(Document),
    Blocked { rids: Vec<Rid>, key: Option<String>, reason: Reason },
}

impl Mapped {
    pub fn document(&self) -> Option<&Document> {
        match self {
            Self::Document(document) => Some(document),
            Self::Blocked { .. } => None,
        }
    }

    pub fn rids(&self) -> &[Rid] {
        match self {
            Self::Document(d) => &d.rids,
            Self::Blocked { rids, .. } => rids,
        }
    }
}

/// What became of one document that was sent, as far as this attempt knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Put there by this attempt; `remote` is the target's own id, where it gives one.
    Accepted { remote: Option<String> },
    /// Was there already and is proven ours.
    Present { remote: Option<String> },
    /// There, but not in the status asked for.
    Behind { remote: String, reason: Reason },
    /// Will not go in as it is. `remote` is set when something was stored all the same.
    Rejected { reason: Reason, remote: Option<String> },
    /// May or may not be there.
    Unknown { reason: Reason },
    /// Under our key stands something that is not ours, or less than was sent.
    Conflict { reason: Reason, remote: Option<String> },
}

impl Outcome {
    pub fn state(&self) -> State {
        match self {
            Self::Accepted { .. } => State::Accepted,
            Self::Present { .. } => State::Present,
            Self::Behind { .. } => State::Behind,
            Self::Rejected { .. } => State::Rejected,
            Self::Unknown { .. } => State::Unknown,
            Self::Conflict { .. } => State::Conflict,
        }
    }

    pub fn remote(&self) -> Option<&str> {
        match self {
            Self::Accepted { remote } | Self::Present { remote } => remote.as_deref(),
            Self::Behind { remote, .. } => Some(remote),
            Self::Rejected { remote, .. } | Self::Conflict { remote, .. } => remote.as_deref(),
            Self::Unknown { .. } => None,
        }
    }

    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Accepted { .. } | Self::Present { .. } => None,
            Self::Behind { reason, .. }
            | Self::Rejected { reason, .. }
            | Self::Unknown { reason }
            | Self::Conflict { reason, .. } => Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rid_holds_slice_and_row() {
        let rid = Rid::new(7, u32::MAX);
        assert_eq!((rid.slice(), rid.row()), (7, u32::MAX));
        assert!(Rid::new(7, 5) < Rid::new(8, 0));
    }

    #[test]
    fn reasons_of_one_cause_share_a_gist() {
        let gist = |text: &str| Reason::new("11", text).gist();
        assert_eq!(
            gist("单据体实体【明细信息】第【1】行分录，【仓库】字段必录"),
            gist("单据体实体【明细信息】第【23】行分录，【物料】字段必录")
        );
        assert_eq!(gist("编码唯一。[XT1]在当前系统"), "编码唯一。[]在当前系统");
        assert_eq!(gist("Data too long for column 'a' at row 1"), gist("Data too long for column 'b' at row 17"));
        assert_ne!(gist("期间已关账"), gist("物料“A”未分配"));
        assert_eq!(gist("it's open"), "it'", "an unclosed quote takes the rest");
    }

    #[test]
    fn keys_that_a_target_would_fold_are_refused() {
        assert!(DocKey::new("JY202406050002").is_ok());
        assert!(DocKey::new("订单 1").is_ok());
        for bad in ["", " a", "a\n", "a\0b", &"x".repeat(191)] {
            assert!(DocKey::new(bad).is_err(), "{bad:?}");
        }
    }
}
