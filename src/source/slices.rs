//! Slices and coverage: which windows are to be pulled, and up to where everything has been pulled. Pure.
//!
//! Takes sealed intervals, a `[source.window]` and the vendor's clock, gives [`Ask`]s. Never reads a clock or a store.
//!
//! What the coverage guarantees: an interval is in it only if a whole pull of it was sealed. LAST_SYNC_TIME is the end
//! of the interval that reaches back *without a gap* to the point where the pipeline began, minus the overlap; never the
//! newest record seen, never the end of some later interval. So a history run, or `--from` somewhere later, can add
//! intervals as it likes and never moves the incremental mark over a gap; the next incremental run pulls the gaps, and
//! only the gaps. Coverage is kept per fingerprint and axis: a history cut on a stable time says nothing about
//! modifications and never enters the coverage of [`Axis::Modified`].
//!
//! Slices lie on a grid (multiples of `slice` from 1970-01-01 00:00 Beijing time), so one range gives the same slices
//! whenever it is asked for. Both ends are inclusive and neighbours share their edge: whether the vendor includes an
//! end is not known, and a record fetched twice is dropped while a record missed is lost.

use crate::base::clock::{Wall, wall};
use crate::base::{Error, Result};
use crate::config::model::{History, Window};
use crate::source::{Ask, AskKind, Axis};
use chrono::{DateTime, Duration, Timelike, Utc};

/// From one second to another, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    pub from: Wall,
    pub to: Wall,
}

impl Interval {
    /// Refuses an end before the begin.
    pub fn new(from: Wall, to: Wall) -> Result<Self> {
        if to < from {
            return Err(Error::usage(format!("the range ends before it begins: {from} to {to}")));
        }
        Ok(Self { from, to })
    }

    fn contains(&self, at: Wall) -> bool {
        self.from <= at && at <= self.to
    }
}

/// The sealed intervals of one fingerprint and axis: sorted, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(Vec<Interval>);

impl FromIterator<Interval> for Coverage {
    fn from_iter<I: IntoIterator<Item = Interval>>(intervals: I) -> Self {
        let mut all: Vec<Interval> = intervals.into_iter().collect();
        all.sort_unstable();
        let mut coverage = Self(Vec::with_capacity(all.len()));
        for next in all {
            match coverage.0.last_mut() {
                Some(last) if next.from <= last.to => last.to = last.to.max(next.to),
                _ => coverage.0.push(next),
            }
        }
        coverage
    }
}

impl Coverage {
    /// Adds a sealed interval; one that shares an edge or overlaps becomes one with its neighbour.
    pub fn insert(&mut self, sealed: Interval) {
        *self = self.0.drain(..).chain([sealed]).collect();
    }

    pub fn intervals(&self) -> &[Interval] {
        &self.0
    }

    /// The interval that `at` lies in.
    pub fn around(&self, at: Wall) -> Option<Interval> {
        self.0.iter().copied().find(|i| i.contains(at))
    }

    /// Up to where everything from `start` on is covered; `start` itself if nothing is.
    pub fn contiguous_end(&self, start: Wall) -> Wall {
        self.around(start).map_or(start, |i| i.to)
    }

    pub fn covers(&self, range: Interval) -> bool {
        self.around(range.from).is_some_and(|i| i.contains(range.to))
    }

    /// The parts of `range` that are not covered, in order; a gap shares its edges with what is covered around it.
    pub fn gaps(&self, range: Interval) -> Vec<Interval> {
        let mut gaps = Vec::new();
        let mut at = range.from;
        for covered in self.0.iter().filter(|i| i.to >= range.from && i.from <= range.to) {
            if covered.from > at {
                gaps.push(Interval { from: at, to: covered.from });
            }
            at = at.max(covered.to);
        }
        if at < range.to {
            gaps.push(Interval { from: at, to: range.to });
        }
        gaps
    }
}

/// What an incremental run has to pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// LAST_SYNC_TIME.
    pub last_sync: Wall,
    /// CURRENT_TIME; nothing later is pulled.
    pub current: Wall,
    /// Oldest first; empty when nothing is due yet.
    pub asks: Vec<Ask>,
}

/// CURRENT_TIME: the vendor's clock minus `settle`, in whole seconds.
pub fn current_time(vendor_now: DateTime<Utc>, settle: std::time::Duration) -> Wall {
    let at = wall(vendor_now);
    whole_second(at.checked_sub_signed(span(settle)).unwrap_or(at))
}

/// The slices of an incremental run on modified time.
///
/// The run continues from `from`, else `window.start`, else where the coverage begins; without any of these it is an
/// error that names the ways to begin. Gaps between what is covered and now are pulled oldest first, each from its
/// begin − overlap (but not from before the covered interval it continues).
pub fn plan_incremental(
    coverage: &Coverage,
    window: &Window,
    max_window: std::time::Duration,
    vendor_now: DateTime<Utc>,
    from: Option<Wall>,
) -> Result<Plan> {
    let cell = cell(window, max_window)?;
    let begin = from.or(window.start).or_else(|| coverage.intervals().first().map(|i| i.from)).ok_or_else(|| {
        Error::config("nothing was pulled yet and no beginning is given")
            .hint("set source.window.start = \"2024-01-01 00:00:00\", or run once with --from 2024-01-01")
    })?;
    if from.is_some_and(|from| from > wall(vendor_now)) {
        return Err(begins_in_the_future(begin));
    }
    let begin = whole_second(begin);
    let current = current_time(vendor_now, window.settle);
    let overlapped = |at: Wall| match coverage.around(at) {
        Some(covered) => covered.from.max(begin).max(at - span(window.overlap)),
        None => at,
    };
    let last_sync = overlapped(coverage.contiguous_end(begin));
    let mut asks: Vec<Ask> = Vec::new();
    if begin <= current {
        for gap in coverage.gaps(Interval { from: begin, to: current }) {
            let due = Interval { from: overlapped(gap.from), to: gap.to };
            asks.extend(cut(due, cell).into_iter().map(|i| ask(i, Axis::Modified)));
        }
    }
    Ok(Plan { last_sync, current, asks })
}

/// The slices of a campaign over `range`, oldest first; its end is cut at CURRENT_TIME.
///
/// With a `history` it is cut on that stable time, each slice once per table switch, daily tables before archived ones:
/// a record that is archived meanwhile is then seen twice, never missed. Without one it is cut on modified time, and the
/// caller ends the campaign with [`catch_up`] until that brings nothing new.
pub fn plan_history(
    range: Interval,
    window: &Window,
    max_window: std::time::Duration,
    history: Option<&History>,
    vendor_now: DateTime<Utc>,
) -> Result<Vec<Ask>> {
    let cell = cell(window, max_window)?;
    let range = Interval { from: whole_second(range.from), to: whole_second(range.to) };
    let to = range.to.min(current_time(vendor_now, window.settle));
    if to < range.from {
        return Err(begins_in_the_future(range.from));
    }
    let axes = match history {
        None => vec![Axis::Modified],
        Some(history) => stable_axes(history),
    };
    let slices = cut(Interval { from: range.from, to }, cell);
    Ok(slices.into_iter().flat_map(|i| axes.iter().map(move |axis| ask(i, axis.clone()))).collect())
}

/// What was modified while a campaign ran: from its start − overlap to CURRENT_TIME, on modified time.
pub fn catch_up(
    campaign_started: Wall,
    window: &Window,
    max_window: std::time::Duration,
    vendor_now: DateTime<Utc>,
) -> Result<Vec<Ask>> {
    let cell = cell(window, max_window)?;
    let from = whole_second(campaign_started - span(window.overlap));
    let to = current_time(vendor_now, window.settle);
    if to <= from {
        return Ok(Vec::new());
    }
    Ok(cut(Interval { from, to }, cell).into_iter().map(|i| ask(i, Axis::Modified)).collect())
}

/// Two halves of a window that share their edge; `None` for an ad-hoc ask and for a window too short to be halved
/// (neither half would be shorter than the whole by a second or more).
pub fn split(whole: &Ask) -> Option<(Ask, Ask)> {
    let AskKind::Window { from, to, axis } = &whole.kind else { return None };
    let seconds = (*to - *from).num_seconds();
    if seconds < 2 {
        return None;
    }
    let middle = *from + Duration::seconds(seconds / 2);
    let half =
        |from: Wall, to: Wall| Ask { kind: AskKind::Window { from, to, axis: axis.clone() }, set: whole.set.clone() };
    Some((half(*from, middle), half(middle, *to)))
}

/// Cuts a range at the grid's lines; a range of no length is one slice.
fn cut(range: Interval, cell: Duration) -> Vec<Interval> {
    let mut slices = Vec::new();
    let mut from = range.from;
    loop {
        let to = next_line(from, cell).min(range.to);
        slices.push(Interval { from, to });
        if to >= range.to {
            return slices;
        }
        from = to;
    }
}

/// The first grid line after `at`.
fn next_line(at: Wall, cell: Duration) -> Wall {
    let into = at.and_utc().timestamp().rem_euclid(cell.num_seconds());
    at + cell - Duration::seconds(into)
}

/// The length of a grid cell: whole seconds, within what the vendor answers.
fn cell(window: &Window, max_window: std::time::Duration) -> Result<Duration> {
    if window.slice > max_window {
        let days = |d: std::time::Duration| d.as_secs_f64() / 86_400.0;
        return Err(Error::config(format!(
            "source.window.slice: {} days are more than the vendor's {}",
            days(window.slice),
            days(max_window)
        ))
        .hint("make it 7d or less; 1d is a good start"));
    }
    if window.slice.as_secs() == 0 || window.slice.subsec_nanos() != 0 {
        return Err(Error::config("source.window.slice: whole seconds, at least one").hint("1d is a good start"));
    }
    Ok(span(window.slice))
}

fn begins_in_the_future(from: Wall) -> Error {
    Error::usage(format!("the range begins in the future: {from}"))
        .hint("times are the vendor's wall clock (Asia/Shanghai); is this machine's clock right?")
}

fn stable_axes(history: &History) -> Vec<Axis> {
    let mut switches = history.table_switches.clone();
    switches.sort_unstable();
    switches.dedup();
    let axis = |table_switch| Axis::Stable { name: history.axis.clone(), table_switch };
    if switches.is_empty() {
        return vec![axis(None)];
    }
    switches.into_iter().map(|number| axis(Some(number))).collect()
}

fn ask(interval: Interval, axis: Axis) -> Ask {
    Ask { kind: AskKind::Window { from: interval.from, to: interval.to, axis }, set: Vec::new() }
}

fn span(length: std::time::Duration) -> Duration {
    // Longer than chrono can hold (10^8 years) is no overlap that anybody means.
    Duration::from_std(length).unwrap_or(Duration::MAX)
}

fn whole_second(at: Wall) -> Wall {
    at.with_nanosecond(0).unwrap_or(at)
}

#[cfg(test)]
#[path = "slices_tests.rs"]
mod tests;
