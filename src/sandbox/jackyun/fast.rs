//! Fast mode: every page of every window of a grid is rendered beforehand and answered from memory.
//!
//! Takes a specification and the book, gives whole answers; never renders when asked. It exists so that a benchmark
//! measures the client and not the sandbox; a request that does not fit the specification takes the usual way.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::query::{Query, Row, Window};
use super::render::{Projection, page};
use super::trade::{Book, Trade};
use super::{read_token, token, trade_at, wrap};
use crate::sandbox::json::Pen;
use crate::sandbox::{Config, FastSpec};

/// The pull every cursor of fast mode belongs to; its offsets are numbers of pages.
const SCROLL: u64 = u64::MAX;

/// What was rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastSummary {
    pub windows: usize,
    pub pages: usize,
    /// Records on all pages; those at an edge between two windows count twice.
    pub records: u64,
    pub bytes: u64,
    pub took: Duration,
}

/// The pages.
#[derive(Debug)]
pub struct Fast {
    fields: Projection,
    page_size: usize,
    /// The first page of each window.
    first: HashMap<(i64, i64), usize>,
    axis: super::Axis,
    pages: Vec<Bytes>,
    summary: FastSummary,
}

impl Fast {
    /// Renders all windows of `slice_hours` from the first day's Beijing midnight on; both ends of a window are
    /// included, so a record at an edge is in both. The first page of a window carries the total.
    pub fn render(spec: &FastSpec, config: &Config, book: &Book) -> Fast {
        let began = Instant::now();
        let mut fast = Fast {
            fields: Projection::parse(&spec.fields),
            page_size: spec.page_size.clamp(1, config.max_page_size) as usize,
            first: HashMap::new(),
            axis: spec.axis,
            pages: Vec::new(),
            summary: FastSummary { windows: 0, pages: 0, records: 0, bytes: 0, took: Duration::ZERO },
        };
        let period = book.period();
        let step = i64::from(spec.slice_hours.max(1)) * 3600;
        let mut begin = period.start;
        while begin < period.end {
            let window = Window { axis: spec.axis, begin, end: begin + step };
            fast.first.insert((begin, begin + step), fast.pages.len());
            fast.window(config, book, &rows(book, window));
            begin += step;
        }
        let bytes = fast.pages.iter().map(|page| page.len() as u64).sum();
        let (windows, pages, records) = (fast.first.len(), fast.pages.len(), fast.summary.records);
        fast.summary = FastSummary { windows, pages, records, bytes, took: began.elapsed() };
        fast
    }

    /// The pages of one window: like those of a cursor, a last full page is followed by an empty one.
    fn window(&mut self, config: &Config, book: &Book, rows: &[Row]) {
        let mut offset = 0;
        loop {
            let chosen = &rows[offset..rows.len().min(offset + self.page_size)];
            let last = chosen.len() < self.page_size;
            let next = if last { String::new() } else { token(SCROLL, self.pages.len() + 1) };
            let total = (offset == 0).then_some(rows.len());
            let mut pen = Pen::new(config.ids, 1024 + chosen.len() * 7_000);
            let trades = chosen.iter().map(|row| -> Trade { trade_at(book, *row) });
            page(&mut pen, &self.fields, trades, Some(&next), total, config.drift);
            self.pages.push(Bytes::from(wrap(config.envelope, &pen.buf, self.pages.len() as u64)));
            self.summary.records += chosen.len() as u64;
            offset += chosen.len();
            if last {
                return;
            }
        }
    }

    /// A page by its number, from 0.
    pub fn numbered(&self, number: usize) -> Option<Bytes> {
        self.pages.get(number).cloned()
    }

    /// The page that answers a query, if it was rendered; shares the memory.
    pub fn page(&self, query: &Query) -> Option<Bytes> {
        let number = match query.scroll.as_deref()? {
            "" if query.page_size == self.page_size && query.fields == self.fields => {
                let window = query.single_window().filter(|window| window.axis == self.axis)?;
                *self.first.get(&(window.begin, window.end))?
            }
            cursor => read_token(cursor).filter(|(scroll, _)| *scroll == SCROLL)?.1,
        };
        self.pages.get(number).cloned()
    }

    pub fn summary(&self) -> FastSummary {
        self.summary
    }
}

fn rows(book: &Book, window: Window) -> Vec<Row> {
    let mut rows: Vec<Row> = book
        .candidates(window.axis, window.begin, window.end)
        .filter(|index| !book.archived(*index))
        .map(|index| (index, book.times(index)))
        .filter(|(_, times)| times.on(window.axis).is_some_and(|t| window.begin <= t && t <= window.end))
        .map(|(index, times)| Row { modified: times.modified, index })
        .collect();
    rows.sort_unstable();
    rows
}
