//! Which page to ask for next, and whether what came is a whole: paging over a window whose rows may move.
//!
//! Takes what each answer says about its place and a digest of each record, gives page numbers and judgements. Pure; it
//! knows neither requests nor records. Facts: pages count from 1; totals are declared but absent in every recorded answer;
//! a row that changes moves in the vendor's order and shifts all rows behind it, so that pages read forwards lose rows.
//!
//! 1. The first page tells whether there are more. One answer is one moment: a single page is taken as it is.
//! 2. Else the *last* page is found, from totals or by doubling and halving, and the pages are read from last to first: rows
//!    that leave push the others towards pages not read yet, which repeats rows and loses none.
//! 3. A row seen twice, a total or a first page that changes, an empty page in the middle: rows moved. The pull ends as
//!    unsettled and is to be repeated. Where the vendor gives no total of rows, everything is read a second time, and must be the same.

use super::envelope::Paging;
use std::collections::HashSet;
use xxhash_rust::xxh3::Xxh3;

/// One answer as the pager sees it.
pub struct Answer<'a> {
    pub paging: Paging,
    /// A digest of each record's text, in order.
    pub records: &'a [u64],
}

/// What becomes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// A page of the pull.
    Page,
    /// Known now, but not to be kept.
    Aside,
    /// It may be another page than the one asked for: ask again.
    Doubtful(String),
}

/// Where the pager stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    First,
    /// Looking for the last page.
    Search(u32),
    /// Reading downwards.
    Read(u32),
    /// Reading once more; the page, and its place in `read`.
    Compare(u32, usize),
    Done,
}

/// See the head of the file.
#[derive(Debug)]
pub struct Pager {
    page_size: u64,
    max_pages: u32,
    stage: Stage,
    /// What the first answer announced, as far as it can be believed.
    data_count: Option<u64>,
    page_count: Option<u64>,
    /// Digest of the first page as it was first seen.
    first: u64,
    /// The highest page after which there are more.
    low: u32,
    /// The lowest page beyond the end.
    high: Option<u32>,
    last: u32,
    /// Did the last page say that more follow? Some vendors' pages say so when they are full.
    last_has_more: bool,
    /// Records of all pages read so far. 8 bytes each; a pull is bounded by its number of pages.
    seen: HashSet<u64>,
    /// Digests of the pages, in the order they were read.
    read: Vec<u64>,
    unsettled: Option<String>,
}

impl Pager {
    /// `max_pages` only bends the search: whoever asks refuses [`Pager::next`] beyond it.
    pub fn new(page_size: u32, max_pages: u32) -> Self {
        Self {
            page_size: u64::from(page_size),
            max_pages,
            stage: Stage::First,
            data_count: None,
            page_count: None,
            first: 0,
            low: 1,
            high: None,
            last: 1,
            last_has_more: false,
            seen: HashSet::new(),
            read: Vec::new(),
            unsettled: None,
        }
    }

    /// The size that is really asked for; to be said before the first answer.
    pub fn set_page_size(&mut self, page_size: u32) {
        self.page_size = u64::from(page_size);
    }

    /// The page to ask for; `None` at the end.
    pub fn next(&self) -> Option<u32> {
        match self.stage {
            Stage::First => Some(1),
            Stage::Search(page) | Stage::Read(page) | Stage::Compare(page, _) => Some(page),
            Stage::Done => None,
        }
    }

    /// Is the first answer still to come?
    pub fn is_first(&self) -> bool {
        self.stage == Stage::First
    }

    /// The number of records the vendor announced, if it announced one that can be believed.
    pub fn announced(&self) -> Option<u64> {
        self.data_count
    }

    /// How rows were seen to move.
    pub fn unsettled(&self) -> Option<&str> {
        self.unsettled.as_deref()
    }

    /// Ends the pull as one that must be repeated.
    pub fn give_up(&mut self, why: impl Into<String>) -> Take {
        self.unsettled = Some(why.into());
        self.stage = Stage::Done;
        Take::Aside
    }

    /// Judges the answer to [`Pager::next`].
    pub fn take(&mut self, answer: &Answer<'_>) -> Take {
        let Some(asked) = self.next() else { return Take::Aside };
        if let Some(came) = answer.paging.page_index.filter(|came| *came != u64::from(asked)) {
            return Take::Doubtful(format!("page {came} came where page {asked} was asked for"));
        }
        if !self.is_first()
            && let Some(change) = self.change_of_totals(answer)
        {
            return self.give_up(change);
        }
        match self.stage.clone() {
            Stage::First => self.first(answer),
            Stage::Search(page) => self.search(page, answer),
            Stage::Read(page) => self.read(page, answer),
            Stage::Compare(page, place) => self.compare(page, place, answer),
            Stage::Done => Take::Aside,
        }
    }

    fn first(&mut self, answer: &Answer<'_>) -> Take {
        let (paging, count) = (answer.paging, answer.records.len() as u64);
        // Where the vendor gives smaller pages than asked for, its own size counts.
        self.page_size = paging.page_size.filter(|s| (1..self.page_size).contains(s)).unwrap_or(self.page_size);
        let more = paging.has_next == Some(true);
        // Totals that deny what came with them are none.
        let plausible = |total: &u64| !more && (*total > 0 || count == 0);
        self.data_count = paging.data_count.filter(|n| *n > count || plausible(n));
        self.page_count = paging.page_count.filter(|n| *n > 1 || plausible(n));
        let pages = self.page_count.or_else(|| Some(self.data_count?.div_ceil(self.page_size)));
        let silent = paging.has_next.is_none() && pages.is_none();
        if !more && pages.is_none_or(|pages| pages <= 1) && !(silent && self.is_full(answer)) {
            self.stage = Stage::Done;
            return Take::Page;
        }
        self.first = digest(answer.records);
        let guess = pages.filter(|pages| *pages > 1).map_or(2, |pages| u32::try_from(pages).unwrap_or(u32::MAX));
        self.stage = Stage::Search(guess);
        Take::Aside
    }

    /// Narrows down where the last page is; the last page itself is taken at once.
    fn search(&mut self, page: u32, answer: &Answer<'_>) -> Take {
        let has_more = self.has_more(page, answer);
        if answer.records.is_empty() && !has_more {
            self.high = Some(page);
        } else if !answer.records.is_empty() && digest(answer.records) == self.first {
            return Take::Doubtful(format!("page {page} repeats page 1"));
        } else if has_more {
            self.low = page;
        } else {
            self.last = page;
            return self.read(page, answer);
        }
        self.stage = match self.high {
            // The limit itself is asked for before the pull is called endless.
            None if self.low < self.max_pages => Stage::Search(self.low.saturating_mul(2).min(self.max_pages)),
            None => Stage::Search(self.low.saturating_add(1)),
            // Page `low` was not kept when it was seen.
            Some(high) if high - self.low <= 1 => {
                self.last = self.low;
                Stage::Read(self.low)
            }
            Some(high) => Stage::Search(self.low + (high - self.low) / 2),
        };
        Take::Aside
    }

    fn read(&mut self, page: u32, answer: &Answer<'_>) -> Take {
        let has_more = self.has_more(page, answer);
        let repeated = answer.records.iter().filter(|record| self.seen.contains(record)).count();
        if repeated > 0 && repeated == answer.records.len() {
            return Take::Doubtful(format!("page {page} repeats records of the pages behind it"));
        }
        if repeated > 0 {
            return self.give_up(format!("{repeated} records of page {page} came twice: records moved"));
        }
        if answer.records.is_empty() && !has_more {
            return self.give_up(format!("page {page} became empty: records moved"));
        }
        if page < self.last && answer.paging.has_next == Some(false) {
            return self.give_up(format!("page {page} became the last page: records moved"));
        }
        if page == 1 && self.last > 1 && digest(answer.records) != self.first {
            return self.give_up("page 1 was another one at the end than at the beginning: records moved");
        }
        if page == self.last {
            self.last_has_more = has_more;
        }
        self.seen.extend(answer.records);
        self.read.push(digest(answer.records));
        self.stage = match page {
            1 if self.is_proven(answer) => Stage::Done,
            1 => Stage::Compare(self.last, 0),
            _ => Stage::Read(page - 1),
        };
        Take::Page
    }

    fn compare(&mut self, page: u32, place: usize, answer: &Answer<'_>) -> Take {
        let is_same = self.read.get(place) == Some(&digest(answer.records));
        if !is_same || (page == self.last && self.has_more(page, answer) != self.last_has_more) {
            return self.give_up(format!("page {page} was another one when it was read again: records moved"));
        }
        self.stage = if page == 1 { Stage::Done } else { Stage::Compare(page - 1, place + 1) };
        Take::Aside
    }

    /// Did the total of rows, which every answer was held against, stand still from the first answer to this last one?
    /// The driver compares it with what was pulled. A single page needs no proof.
    fn is_proven(&self, answer: &Answer<'_>) -> bool {
        self.last == 1 || (self.data_count.is_some() && answer.paging.data_count.is_some())
    }

    fn change_of_totals(&self, answer: &Answer<'_>) -> Option<String> {
        let differs = |before: Option<u64>, now: Option<u64>| {
            // A total of 0 beside records is none.
            before.zip(now).filter(|(before, now)| before != now && (*now > 0 || answer.records.is_empty()))
        };
        let told = |what: &str, (before, now): (u64, u64)| format!("the vendor announced {before} {what}, then {now}");
        let records = differs(self.data_count, answer.paging.data_count).map(|pair| told("records", pair));
        records.or_else(|| differs(self.page_count, answer.paging.page_count).map(|pair| told("pages", pair)))
    }

    /// Are there pages after this one? The vendor's word first, then its totals, then whether the page is full.
    fn has_more(&self, page: u32, answer: &Answer<'_>) -> bool {
        let Paging { has_next, page_count, data_count, .. } = answer.paging;
        let page = u64::from(page);
        has_next
            .or_else(|| page_count.or(self.page_count).map(|pages| page < pages))
            .or_else(|| data_count.or(self.data_count).map(|total| page * self.page_size < total))
            .unwrap_or_else(|| self.is_full(answer))
    }

    fn is_full(&self, answer: &Answer<'_>) -> bool {
        answer.records.len() as u64 >= self.page_size
    }
}

fn digest(records: &[u64]) -> u64 {
    let mut hasher = Xxh3::new();
    for record in records {
        hasher.update(&record.to_le_bytes());
    }
    hasher.digest()
}
