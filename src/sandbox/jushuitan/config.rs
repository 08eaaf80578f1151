//! How the simulated Jushuitan behaves, with a switch wherever sources conflict or say nothing.
//!
//! Takes nothing, gives settings with their defaults; never acts on them.

use std::net::IpAddr;

use chrono::TimeDelta;

use super::query::PageSizeAbove;
use super::tokens::Refreshing;

/// Which of the two published tables of codes a bad timestamp follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Table {
    /// Code 140.
    #[default]
    Newer,
    /// Code 180.
    Older,
}

/// The code of a window that is missing or too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowCode {
    #[default]
    Code170,
    Code130,
}

/// How `has_next` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HasNext {
    #[default]
    Bool,
    /// `"true"`.
    Text,
    /// 1 or 0.
    Number,
}

/// How the simulated Jushuitan behaves; seed, days, bad records, drift and clock are those of the whole sandbox.
#[derive(Debug, Clone)]
pub struct JushuitanConfig {
    /// Documents of type 其它退货; for every ten there is one of another type besides. With bad records, their
    /// `io_date`s begin on the second day: see `Flaw::ClosedPeriod`.
    pub returns: u32,
    /// None: unlimited.
    pub calls_per_second: Option<u32>,
    pub calls_per_minute: Option<u32>,
    pub clock_skew_allowed: TimeDelta,
    pub timestamp_table: Table,
    pub window_code: WindowCode,
    /// The application's IP white list; none: it has none.
    pub addresses: Option<Vec<IpAddr>>,
    pub token_life: TimeDelta,
    pub refreshing: Refreshing,
    pub page_size_above: PageSizeAbove,
    /// `data_count` and `page_count` come.
    pub totals: bool,
    /// `datas` of a page without documents is null instead of an empty array.
    pub null_when_empty: bool,
    pub has_next: HasNext,
    /// `request_id` comes beside `code`.
    pub request_id: bool,
    /// `issuccess` comes beside `code`.
    pub issuccess: bool,
    /// Batch management and serial numbers are on: `batchs` and `sns` come.
    pub batches: bool,
    /// When a window of several pages is looked at, some of its documents get a new time of modification (now, by the
    /// server's clock): page numbers over modified time then lose rows. A document is modified once at most.
    pub shift_while_paging: bool,
}

impl Default for JushuitanConfig {
    fn default() -> Self {
        JushuitanConfig {
            returns: 2_000,
            calls_per_second: Some(5),
            calls_per_minute: Some(100),
            clock_skew_allowed: TimeDelta::minutes(10),
            timestamp_table: Table::Newer,
            window_code: WindowCode::Code170,
            addresses: None,
            token_life: TimeDelta::days(30),
            refreshing: Refreshing::Renews,
            page_size_above: PageSizeAbove::Clamped,
            totals: true,
            null_when_empty: false,
            has_next: HasNext::Bool,
            request_id: false,
            issuccess: false,
            batches: true,
            shift_while_paging: false,
        }
    }
}
