//! What is true of the simulated merchant, counted from the same dice the answers are made of.
//!
//! Takes the book, gives counts and sums; never looks at what was asked or answered.

use serde_json::{Value, json};

use super::trade::{Book, Flaw};

/// The vendor's side of the books, to compare a run's report with.
///
/// "Expected" is what becomes of a trade in the shipped pipeline to a database whose `orderNo` column is NOT NULL
/// and whose memo column holds 255 characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    pub seed: u64,
    /// All trades, and all their goods lines.
    pub trades: u64,
    pub lines: u64,
    /// Sum of `sellCount` over all lines where it is a number, in hundredths.
    pub sell_count: i64,
    /// Trades that should arrive, their lines, and the sum of `sellCount` over these (it becomes `must_qty`), in hundredths.
    pub accepted: u64,
    pub accepted_lines: u64,
    pub must_qty: i64,
    /// Trades the target refuses.
    pub rejected: u64,
    /// Trades the mapping cannot or will not make a document of, with a reason.
    pub blocked: u64,
    /// Trades the mapping leaves out.
    pub left_out: u64,
    /// Planted bad trades by kind, in the order of [`Flaw::ALL`].
    pub bad: Vec<(&'static str, u64)>,
}

impl Truth {
    /// Counts the whole book: a few hash values a line, no rendering.
    pub fn count(seed: u64, book: &Book) -> Truth {
        let mut truth = Truth {
            seed,
            trades: u64::from(book.len()),
            bad: Flaw::ALL.iter().map(|(flaw, _)| (flaw.name(), 0)).collect(),
            ..Truth::default()
        };
        for index in 0..book.len() {
            let flaw = book.flaw(index);
            let lines = book.line_count(index);
            let mut count = 0;
            for line in (1..=lines).map(|number| book.line(index, number)) {
                count += if line.bad_count { 0 } else { line.count };
            }
            truth.lines += lines;
            truth.sell_count += count;
            match flaw {
                None => {
                    truth.accepted += 1;
                    truth.accepted_lines += lines;
                    truth.must_qty += count;
                }
                Some(Flaw::NoOrderNo | Flaw::LongMemo) => truth.rejected += 1,
                Some(Flaw::NoLines | Flaw::BadCount | Flaw::Cancelled) => truth.blocked += 1,
                Some(Flaw::Merged) => truth.left_out += 1,
            }
            for (name, number) in &mut truth.bad {
                *number += u64::from(flaw.is_some_and(|flaw| flaw.name() == *name));
            }
        }
        truth
    }

    /// The same as JSON, sums as decimal text.
    pub fn to_json(&self) -> Value {
        let bad: serde_json::Map<String, Value> =
            self.bad.iter().map(|(name, number)| ((*name).to_owned(), json!(number))).collect();
        json!({
            "seed": self.seed,
            "trades": self.trades,
            "lines": self.lines,
            "sell_count": decimal(self.sell_count),
            "must_qty": decimal(self.must_qty),
            "accepted_lines": self.accepted_lines,
            "expected": {
                "accepted": self.accepted,
                "rejected": self.rejected,
                "blocked": self.blocked,
                "left_out": self.left_out,
            },
            "bad": bad,
        })
    }
}

/// Hundredths as decimal text with two places, `"1234.50"`.
pub fn decimal(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Config;

    #[test]
    fn every_trade_has_one_expected_result_and_bad_ones_are_rare() {
        let config = Config { trades: 5_000, bad: true, ..Config::default() };
        let truth = Truth::count(config.seed, &Book::new(&config));
        assert_eq!(truth.accepted + truth.rejected + truth.blocked + truth.left_out, truth.trades);
        assert_eq!((truth.rejected, truth.blocked, truth.left_out), (40, 60, 20));
        assert!(truth.bad.iter().all(|(_, number)| *number == 20), "{:?}", truth.bad);
        let clean = Truth::count(config.seed, &Book::new(&Config { bad: false, ..config }));
        assert_eq!((clean.accepted, clean.must_qty), (5_000, clean.sell_count));
        assert_eq!([decimal(5), decimal(-1230)], ["0.05", "-12.30"]);
    }
}
