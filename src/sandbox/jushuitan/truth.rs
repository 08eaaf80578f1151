//! What is true of the simulated merchant, counted from the same dice the answers are made of.
//!
//! Takes the book, gives counts and sums; never looks at what was asked or answered.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::flaw::{Fate, Flaw};
use super::record::Book;

/// The vendor's side of the books, to compare a run's report with.
///
/// "Expected" is what becomes of a return in the shipped pipeline to an ERP that knows `world` and whose books are closed
/// for the first day of the data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JushuitanTruth {
    pub seed: u64,
    /// All documents of every type and status.
    pub documents: u64,
    /// Those of type 其它退货, and their lines.
    pub returns: u64,
    pub lines: u64,
    /// Returns that are Confirmed or Archive.
    pub effective: u64,
    /// Returns that should arrive, their lines, the sum of `qty` over these, and the lines without a price among them.
    pub accepted: u64,
    pub accepted_lines: u64,
    pub accepted_qty: i64,
    pub accepted_free_lines: u64,
    /// Lines of the documents that should arrive: a line with two batches is two.
    pub accepted_entries: u64,
    /// Returns the ERP refuses.
    pub rejected: u64,
    /// Returns the mapping makes no document of, with a reason.
    pub blocked: u64,
    /// Returns the mapping leaves out.
    pub left_out: u64,
    /// `io_id`s of the returns whose number a foreign document has in the ERP.
    pub conflicts: Vec<i64>,
    /// The day up to which the ERP's books must be closed for [`JushuitanTruth::rejected`] to be right.
    pub closed_until: Option<NaiveDate>,
    /// Planted bad returns by kind, in the order of [`Flaw::ALL`].
    pub bad: Vec<(&'static str, u64)>,
}

impl JushuitanTruth {
    /// Counts the whole book: a few hash values a line, no rendering.
    pub fn count(seed: u64, book: &Book) -> Self {
        let bad = Flaw::ALL.iter().map(|(flaw, _)| (flaw.name(), 0)).collect();
        let mut truth = JushuitanTruth { seed, documents: u64::from(book.len()), bad, ..Self::default() };
        truth.closed_until = book.closed_until();
        for index in 0..book.len() {
            if let Some(fate) = book.fate(index) {
                truth.add(book, index, fate);
            }
        }
        truth
    }

    fn add(&mut self, book: &Book, index: u32, fate: Fate) {
        let lines = book.lines(index);
        self.returns += 1;
        self.lines += lines.len() as u64;
        self.effective += u64::from(matches!(book.status(index), "Confirmed" | "Archive"));
        match fate {
            Fate::Accepted => {
                self.accepted += 1;
                self.accepted_lines += lines.len() as u64;
                for line in &lines {
                    self.accepted_qty += line.qty;
                    self.accepted_free_lines += u64::from(line.price == 0);
                    self.accepted_entries += line.batches.len().max(1) as u64;
                }
            }
            Fate::Rejected => self.rejected += 1,
            Fate::Blocked => self.blocked += 1,
            Fate::LeftOut => self.left_out += 1,
            Fate::Conflict => self.conflicts.push(Book::io_id(index)),
        }
        let flaw = book.flaw(index).map(Flaw::name);
        for (_, number) in self.bad.iter_mut().filter(|(name, _)| flaw == Some(*name)) {
            *number += 1;
        }
    }

    /// The same as JSON.
    pub fn to_json(&self) -> Value {
        let bad: Map<String, Value> =
            self.bad.iter().map(|(name, number)| ((*name).to_owned(), json!(number))).collect();
        json!({
            "seed": self.seed,
            "documents": self.documents,
            "returns": self.returns,
            "lines": self.lines,
            "effective": self.effective,
            "accepted_lines": self.accepted_lines,
            "accepted_qty": self.accepted_qty,
            "accepted_free_lines": self.accepted_free_lines,
            "accepted_entries": self.accepted_entries,
            "expected": {
                "accepted": self.accepted,
                "rejected": self.rejected,
                "blocked": self.blocked,
                "left_out": self.left_out,
                "conflicts": self.conflicts.len(),
            },
            "conflicts": self.conflicts,
            "closed_until": self.closed_until.map(|day| day.to_string()),
            "bad": bad,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Config;

    #[test]
    fn every_return_has_one_expected_result_and_bad_ones_are_rare() {
        let config = Config { bad: true, ..Config::default() };
        let truth = JushuitanTruth::count(config.seed, &Book::new(&config));
        assert_eq!((truth.documents, truth.returns, truth.effective), (2_200, 2_000, 1_984));
        assert_eq!((truth.rejected, truth.blocked, truth.left_out), (24, 24, 16));
        assert_eq!(truth.conflicts, [20_000_022, 20_000_043]);
        assert_eq!(truth.closed_until, Some(config.first_day));
        assert_eq!(truth.accepted, 2_000 - 24 - 24 - 16 - 2);
        assert!(truth.bad.iter().all(|(_, number)| *number == 8), "{:?}", truth.bad);
        assert!(truth.accepted_entries > truth.accepted_lines && truth.accepted_lines > 2 * truth.accepted);
        let clean = JushuitanTruth::count(config.seed, &Book::new(&Config { bad: false, ..config }));
        assert_eq!((clean.accepted, clean.effective, clean.conflicts.len()), (2_000, 2_000, 0));
        assert_eq!(clean.closed_until, None);
    }
}
