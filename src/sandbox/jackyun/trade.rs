//! The trades of the simulated merchant: any one of them is worked out from (seed, index), none is stored.
//!
//! Takes the configuration, gives trades and their parts; never renders JSON and never knows a request.
//! Times are whole seconds since 1970 on the Beijing wall clock.

use std::ops::Range;

use chrono::NaiveTime;

use crate::sandbox::Config;
use crate::sandbox::data::{CARRIERS, Dice, GOODS, Goods, PLACES, Place, SHOPS, Shop, WAREHOUSES};
use crate::sandbox::json::civil;

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// No trade is modified for the last time later than this after its creation.
const MAX_LAG: i64 = 6 * DAY;
/// No trade is ordered earlier than this before it is created here.
const MAX_LEAD: i64 = 600;
/// Bad records come back at the same places of every cycle of this many trades (0.4 % of each kind).
const CYCLE: u32 = 250;

/// What is wrong with a planted bad trade. A trade has one flaw at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// `orderNo` is null or absent.
    NoOrderNo,
    /// `sellerMemo` has 300 to 400 characters.
    LongMemo,
    /// `goodsDetail` is null or empty.
    NoLines,
    /// `sellCount` of the first line is "两件".
    BadCount,
    /// `tradeStatus` 5010.
    Cancelled,
    /// `tradeStatus` 5020; the next trade names its order beside its own in `onlineTradeNo`.
    Merged,
}

impl Flaw {
    /// Every kind, with its place in the cycle.
    pub const ALL: [(Flaw, u32); 6] = [
        (Flaw::NoOrderNo, 17),
        (Flaw::LongMemo, 58),
        (Flaw::NoLines, 99),
        (Flaw::BadCount, 140),
        (Flaw::Cancelled, 181),
        (Flaw::Merged, 222),
    ];

    /// The name in the truth.
    pub fn name(self) -> &'static str {
        match self {
            Flaw::NoOrderNo => "order_no_missing",
            Flaw::LongMemo => "memo_too_long",
            Flaw::NoLines => "no_lines",
            Flaw::BadCount => "count_not_a_number",
            Flaw::Cancelled => "cancelled",
            Flaw::Merged => "merged",
        }
    }
}

/// The times of a trade.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub traded: i64,
    pub created: i64,
    pub audited: i64,
    pub consigned: i64,
    pub modified: i64,
    /// Only trades of status 9090 are complete.
    pub completed: Option<i64>,
}

/// The time a window is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    Modified,
    Created,
    Audit,
    Consign,
    Complete,
    Trade,
}

/// One goods line.
#[derive(Debug)]
pub struct Line {
    pub dice: Dice,
    /// From 1.
    pub number: u64,
    pub goods: &'static Goods,
    /// Hundredths.
    pub count: i64,
    /// Cents.
    pub price: i64,
    /// `sellCount` is a word.
    pub bad_count: bool,
}

impl Line {
    /// Price times count, in cents, half a cent up.
    pub fn total(&self) -> i64 {
        (self.count * self.price + 50) / 100
    }
}

/// One trade.
#[derive(Debug)]
pub struct Trade {
    pub index: u32,
    pub dice: Dice,
    pub flaw: Option<Flaw>,
    pub times: Times,
    pub status: u16,
    pub kind: u8,
    pub shop: &'static Shop,
    pub warehouse: &'static (u64, &'static str, &'static str),
    pub carrier: &'static (&'static str, &'static str, &'static str, u8),
    pub place: &'static Place,
    /// `tradeNo`, and the number of the order in the shop.
    pub no: String,
    pub online_no: String,
    /// The shop's number of an order merged into this one.
    pub merged: Option<String>,
    pub lines: Vec<Line>,
    /// Cents: the lines' totals, what is taken off, and postage.
    pub total: i64,
    pub discount: i64,
    pub postage: i64,
}

impl Trade {
    /// What the customer paid, in cents.
    pub fn payment(&self) -> i64 {
        self.total - self.discount + self.postage
    }

    /// 19 digits.
    pub fn id(&self) -> u64 {
        trade_id(self.index)
    }

    /// 19 digits, unique among all lines.
    pub fn line_id(&self, line: &Line) -> u64 {
        1_839_147_735_874_964_736 + u64::from(self.index) * 64 + line.number
    }
}

fn trade_id(index: u32) -> u64 {
    1_739_147_106_171_755_776 + u64::from(index) * 4_099
}

/// Salts of a trade's own properties; fields take theirs from 1000 on.
mod salt {
    pub const LINES: u32 = 1;
    pub const LAG: u32 = 2;
    pub const LAG_KIND: u32 = 3;
    pub const CONSIGNED: u32 = 4;
    pub const LEAD: u32 = 5;
    pub const STATUS: u32 = 6;
    pub const KIND: u32 = 7;
    pub const SHOP: u32 = 8;
    pub const WAREHOUSE: u32 = 9;
    pub const CARRIER: u32 = 10;
    pub const PLACE: u32 = 11;
    pub const DISCOUNT: u32 = 12;
    pub const POSTAGE: u32 = 13;
    pub const GOODS: u32 = 14;
    pub const COUNT: u32 = 15;
    pub const BULK: u32 = 16;
    pub const PRICE: u32 = 17;
}

/// All trades of one configuration.
#[derive(Debug, Clone)]
pub struct Book {
    seed: u64,
    trades: u32,
    start: i64,
    span: i64,
    bad: bool,
    /// Trades created before this are archived.
    archive_before: i64,
}

impl Book {
    pub fn new(config: &Config) -> Self {
        let start = config.first_day.and_time(NaiveTime::MIN).and_utc().timestamp();
        let span = i64::from(config.days) * DAY;
        let mut book =
            Book { seed: config.seed, trades: config.trades, start, span, bad: config.bad, archive_before: i64::MIN };
        if let (Some(days), true) = (config.archive_after_days, config.trades > 0) {
            book.archive_before = book.created(config.trades - 1) - i64::from(days) * DAY;
        }
        book
    }

    /// How many trades there are.
    pub fn len(&self) -> u32 {
        self.trades
    }

    /// The first second of the data, and the first second after it.
    pub fn period(&self) -> Range<i64> {
        self.start..self.start + self.span
    }

    /// What is wrong with a trade.
    pub fn flaw(&self, index: u32) -> Option<Flaw> {
        let place = index % CYCLE;
        Flaw::ALL.iter().find(|(_, at)| self.bad && *at == place).map(|(flaw, _)| *flaw)
    }

    /// Evenly spread over the days, in the order of the index.
    pub fn created(&self, index: u32) -> i64 {
        // 2^32 trades times 10,000 years of seconds would overflow an i64.
        let offset = i128::from(self.span) * i128::from(index) / i128::from(self.trades.max(1));
        self.start + offset as i64
    }

    fn dice(&self, index: u32) -> Dice {
        Dice::new(self.seed, u64::from(index))
    }

    /// Ordered ≤ created ≤ audited ≤ consigned ≤ modified, the last within the days of the data: most trades are
    /// last modified within hours, some a few days later.
    pub fn times(&self, index: u32) -> Times {
        let dice = self.dice(index);
        let created = self.created(index);
        let most = match dice.below(salt::LAG_KIND, 10) {
            0..=6 => DAY / 4,
            7..=8 => 2 * DAY,
            _ => MAX_LAG,
        };
        let room = self.start + self.span - created;
        let lag = dice.below(salt::LAG, most.min(room).max(1) as u64) as i64;
        let consigned = created + lag * (30 + dice.below(salt::CONSIGNED, 60) as i64) / 100;
        let modified = created + lag;
        Times {
            traded: created - dice.below(salt::LEAD, MAX_LEAD as u64) as i64,
            created,
            audited: created + (consigned - created) / 2,
            consigned,
            modified,
            completed: (self.status(index) == 9090).then_some(consigned + (modified - consigned) / 2),
        }
    }

    fn status(&self, index: u32) -> u16 {
        match self.flaw(index) {
            Some(Flaw::Cancelled) => 5010,
            Some(Flaw::Merged) => 5020,
            _ if self.dice(index).chance(salt::STATUS, 65) => 9090,
            _ => 6000,
        }
    }

    /// How many goods lines a trade has: 1 to 6, a little over 3 in the mean.
    pub fn line_count(&self, index: u32) -> u64 {
        if self.flaw(index) == Some(Flaw::NoLines) {
            return 0;
        }
        match self.dice(index).below(salt::LINES, 100) {
            0..=16 => 1,
            17..=38 => 2,
            39..=61 => 3,
            62..=79 => 4,
            80..=90 => 5,
            _ => 6,
        }
    }

    /// A line of a trade; `number` counts from 1.
    pub fn line(&self, index: u32, number: u64) -> Line {
        let dice = self.dice(index).part(number);
        let goods = dice.pick(salt::GOODS, &GOODS);
        let count = match dice.below(salt::BULK, 20) {
            _ if goods.weighed => 25 + dice.below(salt::COUNT, 1_500) as i64,
            0 => 1_200 * (1 + dice.below(salt::COUNT, 10) as i64),
            1..=10 => 100,
            _ => 100 * (1 + dice.below(salt::COUNT, 5) as i64),
        };
        Line {
            dice,
            number,
            goods,
            count,
            price: goods.price * (80 + dice.below(salt::PRICE, 21) as i64) / 100,
            bad_count: number == 1 && self.flaw(index) == Some(Flaw::BadCount),
        }
    }

    /// The whole trade.
    pub fn trade(&self, index: u32) -> Trade {
        let dice = self.dice(index);
        let lines: Vec<Line> = (1..=self.line_count(index)).map(|number| self.line(index, number)).collect();
        let total: i64 = lines.iter().map(Line::total).sum();
        Trade {
            index,
            dice,
            flaw: self.flaw(index),
            times: self.times(index),
            status: self.status(index),
            kind: [1, 1, 1, 2, 7, 91][dice.below(salt::KIND, 6) as usize],
            shop: dice.pick(salt::SHOP, &SHOPS),
            warehouse: dice.pick(salt::WAREHOUSE, &WAREHOUSES),
            carrier: dice.pick(salt::CARRIER, &CARRIERS),
            place: dice.pick(salt::PLACE, &PLACES),
            no: self.trade_no(index),
            online_no: self.online_no(index),
            merged: index
                .checked_sub(1)
                .filter(|before| self.flaw(*before) == Some(Flaw::Merged))
                .map(|before| self.online_no(before)),
            discount: total * dice.below(salt::DISCOUNT, 12) as i64 / 100,
            postage: [0, 0, 0, 600, 800, 1250][dice.below(salt::POSTAGE, 6) as usize],
            lines,
            total,
        }
    }

    /// `JY202406050000017`.
    pub fn trade_no(&self, index: u32) -> String {
        let (year, month, day) = civil(self.created(index).div_euclid(DAY));
        format!("JY{year:04}{month:02}{day:02}{index:07}")
    }

    /// The number of the order in the shop, `D2406050000000017`.
    pub fn online_no(&self, index: u32) -> String {
        let (year, month, day) = civil(self.created(index).div_euclid(DAY));
        format!("D{:02}{month:02}{day:02}{index:010}", year % 100)
    }

    /// The trade that bears a `tradeNo`.
    pub fn by_trade_no(&self, no: &str) -> Option<u32> {
        let index = no.get(10..)?.parse().ok()?;
        (index < self.trades && self.trade_no(index) == no).then_some(index)
    }

    /// The trade that bears a shop's order number.
    pub fn by_online_no(&self, no: &str) -> Option<u32> {
        let index = no.get(7..)?.parse().ok()?;
        (index < self.trades && self.online_no(index) == no).then_some(index)
    }

    /// The trade that bears a `tradeId`.
    pub fn by_id(&self, id: u64) -> Option<u32> {
        let index = u32::try_from(id.checked_sub(trade_id(0))? / 4_099).ok()?;
        (index < self.trades && trade_id(index) == id).then_some(index)
    }

    /// True if the trade is in the archive.
    pub fn archived(&self, index: u32) -> bool {
        self.created(index) < self.archive_before
    }

    /// The trades that can have a time of `axis` from `begin` to `end`, both included. Wider than exact.
    pub fn candidates(&self, axis: Axis, begin: i64, end: i64) -> Range<u32> {
        let (begin, end) = match axis {
            Axis::Created => (begin, end),
            Axis::Trade => (begin, end.saturating_add(MAX_LEAD)),
            _ => (begin.saturating_sub(MAX_LAG), end),
        };
        self.first_created_at(begin)..self.first_created_at(end.saturating_add(1))
    }

    /// The first trade created at `second` or later.
    fn first_created_at(&self, second: i64) -> u32 {
        let (mut low, mut high) = (0, self.trades);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.created(middle) < second { low = middle + 1 } else { high = middle }
        }
        low
    }
}

impl Times {
    /// The time a window is about; none if the trade has not come that far.
    pub fn on(&self, axis: Axis) -> Option<i64> {
        match axis {
            Axis::Modified => Some(self.modified),
            Axis::Created => Some(self.created),
            Axis::Audit => Some(self.audited),
            Axis::Consign => Some(self.consigned),
            Axis::Complete => self.completed,
            Axis::Trade => Some(self.traded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(trades: u32) -> Book {
        Book::new(&Config { trades, bad: true, ..Config::default() })
    }

    #[test]
    fn times_are_ordered_and_within_the_days() {
        let book = book(2_000);
        let period = book.period();
        for index in 0..book.len() {
            let t = book.times(index);
            assert!(t.traded <= t.created && t.created <= t.audited && t.audited <= t.consigned, "{t:?}");
            assert!(t.consigned <= t.modified && t.modified < period.end && t.created >= period.start, "{t:?}");
            assert!(t.completed.is_none_or(|c| t.consigned <= c && c <= t.modified), "{t:?}");
        }
        let late = (0..book.len()).map(|i| book.times(i)).filter(|t| t.modified - t.created > DAY).count();
        assert!(late > 100, "{late} of 2000 modified more than a day after their creation");
    }

    #[test]
    fn numbers_lead_back_to_their_trade() {
        let book = book(300);
        for index in 0..300 {
            assert_eq!(book.by_trade_no(&book.trade_no(index)), Some(index));
            assert_eq!(book.by_online_no(&book.online_no(index)), Some(index));
            assert_eq!(book.by_id(book.trade(index).id()), Some(index));
        }
        for no in ["", "JY", "JY202406010000300", "JY199901010000001", "仓前街道仓前街道1"] {
            assert_eq!(book.by_trade_no(no), None, "{no}");
            assert_eq!(book.by_online_no(no), None, "{no}");
        }
        assert_eq!(book.by_id(7), None);
    }

    #[test]
    fn candidates_miss_no_trade_on_any_axis() {
        let book = book(3_000);
        let begin = book.period().start + 5 * DAY;
        let end = begin + DAY;
        for axis in [Axis::Modified, Axis::Created, Axis::Audit, Axis::Consign, Axis::Complete, Axis::Trade] {
            let within = |i: &u32| book.times(*i).on(axis).is_some_and(|t| begin <= t && t <= end);
            let all: Vec<u32> = (0..book.len()).filter(within).collect();
            let found: Vec<u32> = book.candidates(axis, begin, end).filter(within).collect();
            assert!(!all.is_empty());
            assert_eq!(found, all, "{axis:?}");
        }
    }

    #[test]
    fn lines_have_a_mean_of_a_little_over_three() {
        let book = book(5_000);
        let counts: Vec<u64> = (0..5_000).map(|i| book.line_count(i)).collect();
        let lines: u64 = counts.iter().sum();
        assert!((15_100..16_000).contains(&lines), "{lines} lines in 5000 trades");
        assert_eq!(counts.iter().max(), Some(&6));
    }
}
