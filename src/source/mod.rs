//! Where pages come from. A vendor's protocol is a state machine without I/O; `driver.rs` is the one that drives it.
//!
//! Takes a pipeline's `[source]`, gives pages and, at the end of a pull, its seal. Never writes a file, never sleeps by itself.

mod answer;
pub mod driver;
pub mod jackyun;
pub mod jushuitan;
pub mod slices;

use crate::base::Result;
use crate::base::clock::Wall;
use crate::base::record::Page;
use crate::net::{Reply, Request};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// What one pull asks for: a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub kind: AskKind,
    /// Parameters given on the command line (`--set tradeNo=…`), over those of the file.
    pub set: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskKind {
    /// Records whose time on `axis` lies in `from..=to` (both ends inclusive, seconds).
    Window { from: Wall, to: Wall, axis: Axis },
    /// Records named by `set`, whatever their time.
    Adhoc,
}

/// Which of the record's times a window is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Axis {
    /// Last modification: incremental runs.
    Modified,
    /// A time that does not change: history runs. The name is the connector's (`created`, `consign`), the number
    /// Jackyun's `isTableSwitch`.
    Stable { name: String, table_switch: Option<i64> },
}

/// What to do after a reply was read.
#[derive(Debug)]
pub enum Step {
    /// A page; ask for the next request.
    Page(Page),
    /// The vendor did not answer the question (throttle, overload): send the same request again after this long at least.
    Again { wait: Duration, why: String },
    /// No page, but what the pull needed to know (a new token, where the last page is): go on with the next request.
    Aside,
}

/// One pull of one vendor: requests out, replies in, no I/O, time passed in.
pub trait Pull: Send {
    /// The next request, or `None` when the pull is complete. Called again after [`Step::Again`] or a lost answer, it asks
    /// the same, signed anew with the time given.
    fn next_request(&mut self, now: DateTime<Utc>) -> Result<Option<Request>>;
    /// Reads the reply to the last request.
    fn on_reply(&mut self, reply: Reply) -> Result<Step>;
    /// Records the vendor said there are in all, if it said so.
    fn announced_total(&self) -> Option<u64>;
    /// How records were seen to move while they were paged; then the pull is not to be sealed, whatever the totals.
    fn unsettled(&self) -> Option<String> {
        None
    }
}

/// A vendor.
pub trait Source: Send + Sync {
    /// Longest window the vendor answers.
    fn max_window(&self) -> Duration;
    /// Largest page the vendor gives.
    fn max_page_size(&self) -> u32;
    /// A message per parameter the vendor or the connector does not have, with the nearest right name.
    fn check_params(&self) -> Vec<String>;
    /// What makes two pulls of the same interval ask for the same thing: method, params, fields, account. No secrets.
    fn fingerprint(&self) -> String;
    /// Whose records these are: connector, method and application, whatever the parameters. No secrets.
    fn account(&self) -> String;
    /// Begins a pull.
    fn pull(&self, ask: &Ask) -> Result<Box<dyn Pull>>;
}
