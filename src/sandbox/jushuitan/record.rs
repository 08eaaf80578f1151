//! The documents of other stock movements (其他出入库) of the simulated merchant, worked out from (seed, index).
//!
//! Takes the configuration, gives documents and their parts; never renders JSON and never knows a request. Only the times
//! are stored, for the order in which documents changed. Times are whole seconds since 1970 on the Beijing wall clock.

use chrono::{DateTime, NaiveDate, NaiveTime};

use super::flaw::{Fate, Flaw};
use crate::sandbox::Config;
use crate::sandbox::data::Dice;
use crate::sandbox::json::civil;
use crate::sandbox::world::{
    DISTRIBUTORS, MATERIALS, SALESMEN, UNKNOWN_DISTRIBUTOR, WAREHOUSES, Warehouse, has_batches, material,
    unknown_material,
};

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Offline returns, what the shipped pipeline asks for.
pub const RETURN: &str = "其它退货";
/// The other types: one document after every ten returns.
const OTHER_TYPES: [&str; 2] = ["其它出库", "其它进仓"];
/// Ten returns and one other document.
const STRIDE: u32 = 11;
/// Good returns whose number is taken by a foreign document in the ERP: their places among the returns.
const FOREIGN: [u32; 2] = [7, 13];
/// The first row version.
const FIRST_TS: i64 = 1_744_800_394;

/// What changes when a document is modified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub modified: i64,
    /// The row version: greater than that of every change before.
    pub ts: i64,
}

/// A batch of a line.
#[derive(Debug)]
pub struct Batch {
    pub no: String,
    pub qty: i64,
    /// 生产日期.
    pub made: i64,
}

/// One line.
#[derive(Debug)]
pub struct Line {
    pub dice: Dice,
    /// From 1.
    pub number: u64,
    pub sku: String,
    pub qty: i64,
    /// In ten-thousandths of a yuan; 0 for what is given free.
    pub price: i64,
    /// One or two where the material is kept by batch, else none.
    pub batches: Vec<Batch>,
}

/// One document.
#[derive(Debug)]
pub struct Document {
    pub index: u32,
    pub dice: Dice,
    pub kind: &'static str,
    pub status: &'static str,
    pub io_date: i64,
    pub version: Version,
    pub warehouse: &'static Warehouse,
    pub distributor: Option<&'static str>,
    pub creator: &'static str,
    pub so_id: Option<String>,
    /// Empty if that is the flaw.
    pub lines: Vec<Line>,
}

impl Document {
    pub fn io_id(&self) -> i64 {
        io_id(self.index)
    }
}

fn io_id(index: u32) -> i64 {
    20_000_001 + i64::from(index) * 3
}

/// Salts of a document's own properties; fields take theirs from 1000 on.
mod salt {
    pub const LAG: u32 = 1;
    pub const LAG_KIND: u32 = 2;
    pub const HOUR: u32 = 3;
    pub const STATUS: u32 = 4;
    pub const KIND: u32 = 5;
    pub const WAREHOUSE: u32 = 6;
    pub const DISTRIBUTOR: u32 = 7;
    pub const WHICH: u32 = 8;
    pub const CREATOR: u32 = 9;
    pub const SO_ID: u32 = 10;
    pub const LINES: u32 = 11;
    pub const MATERIAL: u32 = 12;
    pub const STEP: u32 = 13;
    pub const GIFT: u32 = 14;
    pub const QTY: u32 = 15;
    pub const BULK: u32 = 16;
    pub const PRICE: u32 = 17;
    pub const DIGITS: u32 = 18;
    pub const FREE: u32 = 19;
    pub const SPLIT: u32 = 20;
    pub const MADE: u32 = 21;
}

/// All documents of one configuration.
#[derive(Debug)]
pub struct Book {
    seed: u64,
    bad: bool,
    start: i64,
    /// Of every document: `io_date`, and its version before anything is modified by the sandbox.
    times: Vec<(i64, Version)>,
}

impl Book {
    pub fn new(config: &Config) -> Self {
        let start = config.first_day.and_time(NaiveTime::MIN).and_utc().timestamp();
        let end = start + i64::from(config.days) * DAY;
        let total = config.jushuitan.returns + config.jushuitan.returns / 10;
        // A closed first day takes a day to stand apart from.
        let bad = config.bad;
        let open = if bad && config.days > 1 { start + DAY } else { start };
        let mut book = Book { seed: config.seed, bad, start, times: Vec::new() };
        book.times = (0..total).map(|index| book.place(index, total, open, end)).collect();
        let mut order: Vec<u32> = (0..total).collect();
        order.sort_by_key(|index| (book.times[*index as usize].1.modified, *index));
        for (ts, index) in (FIRST_TS..).step_by(7).zip(order) {
            book.times[index as usize].1.ts = ts;
        }
        book
    }

    /// Dated evenly over the days in the order of the index, last modified within hours or some days later, and within
    /// the days of the data.
    fn place(&self, index: u32, total: u32, open: i64, end: i64) -> (i64, Version) {
        let dice = self.dice(index);
        // 2^32 documents times 10,000 years of seconds would overflow an i64.
        let date = open + (i128::from(end - open) * i128::from(index) / i128::from(total.max(1))) as i64;
        let most = match dice.below(salt::LAG_KIND, 10) {
            0..=6 => DAY / 4,
            7..=8 => 2 * DAY,
            _ => 6 * DAY,
        };
        let lag = dice.below(salt::LAG, most.min(end - date).max(1) as u64) as i64;
        let closed = self.start + 9 * 3600 + dice.below(salt::HOUR, 8 * 3600) as i64;
        let io_date = if self.flaw(index) == Some(Flaw::ClosedPeriod) && open > self.start { closed } else { date };
        (io_date, Version { modified: date + lag, ts: 0 })
    }

    fn dice(&self, index: u32) -> Dice {
        // Other dice than those of the trades of the same seed.
        Dice::new(self.seed ^ 0x4A53_5400, u64::from(index))
    }

    /// The day for which the ERP's books must be closed, so that what is dated on it is refused; none if nothing is.
    pub fn closed_until(&self) -> Option<NaiveDate> {
        let closed = (0..self.len())
            .any(|index| self.fate(index) == Some(Fate::Rejected) && self.io_date(index) < self.start + DAY);
        DateTime::from_timestamp(self.start, 0).filter(|_| closed).map(|day| day.date_naive())
    }

    /// How many documents there are.
    pub fn len(&self) -> u32 {
        self.times.len() as u32
    }

    /// `io_date` of a document.
    pub fn io_date(&self, index: u32) -> i64 {
        self.times[index as usize].0
    }

    /// The version of a document as it was at the beginning.
    pub fn version(&self, index: u32) -> Version {
        self.times[index as usize].1
    }

    /// The greatest row version at the beginning.
    pub fn last_ts(&self) -> i64 {
        FIRST_TS + i64::from(self.len()) * 7
    }

    /// The place of a document among the returns; none if it is no return.
    fn ordinal(index: u32) -> Option<u32> {
        (index % STRIDE != STRIDE - 1).then(|| index - index / STRIDE)
    }

    /// What is wrong with a document.
    pub fn flaw(&self, index: u32) -> Option<Flaw> {
        Flaw::at(Self::ordinal(index).filter(|_| self.bad)?)
    }

    /// What should become of a return; none for a document of another type.
    pub fn fate(&self, index: u32) -> Option<Fate> {
        let ordinal = Self::ordinal(index)?;
        let conflict = self.bad && FOREIGN.contains(&ordinal);
        let good = if conflict { Fate::Conflict } else { Fate::Accepted };
        Some(self.flaw(index).map_or(good, Flaw::fate))
    }

    /// The document that bears an `io_id`.
    pub fn by_io_id(&self, id: i64) -> Option<u32> {
        let index = u32::try_from(id.checked_sub(io_id(0))? / 3).ok()?;
        (index < self.len() && io_id(index) == id).then_some(index)
    }

    /// `io_id` of a document.
    pub fn io_id(index: u32) -> i64 {
        io_id(index)
    }

    pub fn kind(&self, index: u32) -> &'static str {
        if Self::ordinal(index).is_some() { RETURN } else { self.dice(index).word(salt::KIND, &OTHER_TYPES) }
    }

    pub fn status(&self, index: u32) -> &'static str {
        match self.flaw(index) {
            Some(Flaw::WaitConfirm) => "WaitConfirm",
            Some(Flaw::Cancelled) => "Cancelled",
            _ if self.dice(index).chance(salt::STATUS, 70) => "Confirmed",
            _ => "Archive",
        }
    }

    pub fn warehouse(&self, index: u32) -> &'static Warehouse {
        self.dice(index).pick(salt::WAREHOUSE, &WAREHOUSES)
    }

    /// The number of the order in the shop; an offline return often has none.
    pub fn so_id(&self, index: u32) -> Option<String> {
        let (year, month, day) = civil(self.io_date(index).div_euclid(DAY));
        let has = self.dice(index).chance(salt::SO_ID, 70);
        has.then(|| format!("TH{year:04}{month:02}{day:02}-{index:06}"))
    }

    fn distributor(&self, index: u32) -> Option<&'static str> {
        let dice = self.dice(index);
        match self.flaw(index) {
            Some(Flaw::UnknownDistributor) => Some(UNKNOWN_DISTRIBUTOR),
            _ => dice.chance(salt::DISTRIBUTOR, 60).then(|| dice.word(salt::WHICH, &DISTRIBUTORS)),
        }
    }

    /// The whole document.
    pub fn document(&self, index: u32) -> Document {
        let dice = self.dice(index);
        Document {
            index,
            dice,
            kind: self.kind(index),
            status: self.status(index),
            io_date: self.io_date(index),
            version: self.version(index),
            warehouse: self.warehouse(index),
            distributor: self.distributor(index),
            creator: dice.pick(salt::CREATOR, &SALESMEN).0,
            so_id: self.so_id(index),
            lines: self.lines(index),
        }
    }

    /// 1 to 6 lines, each of another material; only a gift can repeat the first line's. None if that is the flaw.
    pub fn lines(&self, index: u32) -> Vec<Line> {
        let (dice, flaw) = (self.dice(index), self.flaw(index));
        if flaw == Some(Flaw::NoLines) {
            return Vec::new();
        }
        let count = [1, 1, 1, 2, 2, 3, 3, 4, 5, 6][dice.below(salt::LINES, 10) as usize];
        // Steps without a common divisor with the number of materials never come back within six lines.
        let step = [7, 11, 13, 17, 19, 23][dice.below(salt::STEP, 6) as usize];
        let mut first = dice.below(salt::MATERIAL, u64::from(MATERIALS)) as u32;
        // A bad quantity stands on a line without batches, a bad sum of batches on one with them.
        while match flaw {
            Some(Flaw::BadQuantity) => has_batches(1 + first % MATERIALS),
            Some(Flaw::BatchSum) => !has_batches(1 + first % MATERIALS),
            _ => false,
        } {
            first += 1;
        }
        let mut lines: Vec<Line> = (1..=count)
            .map(|number| self.line(dice.part(number), number, 1 + (first + (number as u32 - 1) * step) % MATERIALS))
            .collect();
        if count > 1 && lines[0].batches.is_empty() && dice.chance(salt::GIFT, 8) {
            let gift = lines[0].sku.clone();
            lines[1] = Line { sku: gift, price: 0, batches: Vec::new(), dice: lines[1].dice, ..lines[1] };
        }
        spoil(&mut lines[0], flaw, index);
        lines
    }

    fn line(&self, dice: Dice, number: u64, material_number: u32) -> Line {
        let qty = match dice.below(salt::BULK, 20) {
            0 => 24 * (1 + dice.below(salt::QTY, 20) as i64),
            1..=8 => 1,
            _ => 1 + dice.below(salt::QTY, 12) as i64,
        };
        // Two to four places after the point; some prices are whole.
        let unit = [10_000, 100, 100, 100, 10, 1][dice.below(salt::DIGITS, 6) as usize];
        let price = (1_000 + dice.below(salt::PRICE, 3_000_000) as i64) / unit * unit;
        let free = dice.chance(salt::FREE, 8);
        let batches = if has_batches(material_number) { self.batches(dice, qty, material_number) } else { Vec::new() };
        let price = if free { 0 } else { price.max(unit) };
        Line { dice, number, sku: material(material_number), qty, price, batches }
    }

    /// The whole quantity in one batch, or in two.
    fn batches(&self, dice: Dice, qty: i64, material_number: u32) -> Vec<Batch> {
        let made = |n: u64| self.start - (20 + 60 * n as i64 + dice.below(salt::MADE, 50) as i64) * DAY;
        let batch = |n: u64, qty: i64| {
            let (year, month, day) = civil(made(n).div_euclid(DAY));
            Batch { no: format!("PH{:02}{month:02}{day:02}-{material_number:03}", year % 100), qty, made: made(n) }
        };
        if qty > 1 && dice.chance(salt::SPLIT, 35) {
            let part = 1 + dice.below(salt::SPLIT | 0x100, qty as u64 - 1) as i64;
            return vec![batch(1, part), batch(0, qty - part)];
        }
        vec![batch(0, qty)]
    }
}

/// Puts a flaw of the first line there.
fn spoil(line: &mut Line, flaw: Option<Flaw>, index: u32) {
    match flaw {
        Some(Flaw::UnknownMaterial) => {
            line.sku = unknown_material(index);
            line.batches.clear();
        }
        Some(Flaw::BadQuantity) => line.qty = if index.is_multiple_of(2) { 0 } else { -line.qty },
        Some(Flaw::BatchSum) => {
            if let Some(batch) = line.batches.last_mut() {
                batch.qty += 1;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::JushuitanConfig;

    fn book(returns: u32, bad: bool) -> Book {
        Book::new(&Config { bad, jushuitan: JushuitanConfig { returns, ..Default::default() }, ..Config::default() })
    }

    #[test]
    fn times_lie_within_the_days_and_versions_grow_with_them() {
        let book = book(2_000, true);
        let (start, end) = (book.start, book.start + 30 * DAY);
        let mut versions: Vec<Version> = (0..book.len()).map(|index| book.version(index)).collect();
        for index in 0..book.len() {
            let (date, modified) = (book.io_date(index), book.version(index).modified);
            assert!(start <= date && date <= modified && modified < end, "{index}");
            assert_eq!(date < start + DAY, book.flaw(index) == Some(Flaw::ClosedPeriod), "{index}");
        }
        versions.sort_by_key(|version| version.ts);
        assert!(versions.is_sorted_by_key(|version| version.modified));
        assert!(versions.windows(2).all(|pair| pair[0].ts < pair[1].ts) && versions[2_199].ts < book.last_ts());
    }

    #[test]
    fn numbers_lead_back_and_one_document_in_eleven_is_no_return() {
        let book = book(25, false);
        let returns = (0..book.len()).filter(|index| book.kind(*index) == RETURN).count();
        assert_eq!((book.len(), returns), (27, 25));
        for index in 0..book.len() {
            assert_eq!(book.by_io_id(Book::io_id(index)), Some(index));
        }
        assert_eq!([0, 20_000_002, io_id(27), i64::MIN].map(|id| book.by_io_id(id)), [None; 4]);
    }

    #[test]
    fn lines_are_sound_unless_they_are_planted_bad() {
        let book = book(3_000, true);
        let (mut split, mut free, mut digits) = (0, 0, [0; 5]);
        for index in 0..book.len() {
            let (flaw, lines) = (book.flaw(index), book.lines(index));
            assert_eq!(lines.is_empty(), flaw == Some(Flaw::NoLines));
            for line in &lines {
                let (first, held) = (line.number == 1, line.batches.iter().map(|batch| batch.qty).sum::<i64>());
                assert_eq!(line.qty <= 0, first && flaw == Some(Flaw::BadQuantity), "{index}: {line:?}");
                assert_eq!(line.sku.starts_with("SKU99"), first && flaw == Some(Flaw::UnknownMaterial));
                let over = i64::from(first && flaw == Some(Flaw::BatchSum));
                assert!(over == 0 || !line.batches.is_empty());
                assert!(line.batches.is_empty() || held == line.qty + over, "{index}: {line:?}");
                split += usize::from(line.batches.len() == 2);
                free += usize::from(line.price == 0);
                let places = (0..=4).find(|places| line.price % 10_i64.pow(4 - places) == 0).unwrap();
                digits[places as usize] += 1;
            }
            let batched: Vec<&String> = lines.iter().filter(|line| !line.batches.is_empty()).map(|l| &l.sku).collect();
            for sku in batched {
                assert_eq!(lines.iter().filter(|line| line.sku == *sku).count(), 1, "a batch belongs to one line");
            }
        }
        assert!(split > 100 && free > 300 && digits.iter().all(|count| *count > 100), "{split} {free} {digits:?}");
    }
}
