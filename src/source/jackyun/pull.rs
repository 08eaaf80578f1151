//! One pull of Jackyun as a state machine: where it stands, what an answer means for it, when it is complete.
//!
//! Takes replies, gives requests and pages; no I/O, no clock of its own. Order of trust: the vendor's cursor
//! (`scrollId`), else page numbers; the end is a short page, an empty one, or a cursor that is empty or was seen before
//! (three clients agree) - but never while an announced total says that a full page must be followed by more.
//!
//! What may be an accident is asked again: an answer without content must come three times before it is believed, a
//! broken or repeated one may be repeated twice. A first page that equals the last page of the pull before may be that
//! page once more (a cache, a muddled gateway): whole, with a fitting total, and of another window. It must come twice.

use super::Account;
use super::envelope::{self, Envelope, Malformed, Place, Rows};
use super::params::{Params, Position, Question};
use super::refusal;
use crate::base::clock::wall;
use crate::base::record::Page;
use crate::base::{Error, Result};
use crate::net::{Reply, Request};
use crate::source::answer::{self, Verdict};
use crate::source::{Ask, Pull, Step};
use chrono::{DateTime, Utc};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use xxhash_rust::xxh3::Xxh3;

/// How often a doubtful answer is asked again before its error stands.
const DOUBTFUL_TRIES: u32 = 2;
/// An answer without content is believed when it came this many times in a row.
const EMPTY_PROOFS: u32 = 3;

/// Digest of the last page with records that any pull of a source has taken.
pub(super) type Latest = Arc<Mutex<Option<u64>>>;

/// See the head of the file.
pub struct JackyunPull {
    account: Arc<Account>,
    params: Arc<Params>,
    ask: Ask,
    /// Made at the first request: an ad-hoc pull's CURRENT_TIME is that request's time.
    question: Option<Question>,
    position: Position,
    seen: HashSet<String>,
    pages: u32,
    max_pages: u32,
    records: u64,
    total: Option<u64>,
    /// Digest of the last page's records, if it had any.
    last_page: Option<u64>,
    /// Shared by the pulls of a source.
    latest: Latest,
    /// A first page that looked like a repeated one was asked for again.
    first_was_doubted: bool,
    doubts: u32,
    empties: u32,
    complete: bool,
}

impl JackyunPull {
    pub(super) fn new(account: Arc<Account>, params: Arc<Params>, ask: Ask, max_pages: u32, latest: Latest) -> Self {
        Self {
            account,
            params,
            ask,
            question: None,
            position: Position::First,
            seen: HashSet::new(),
            pages: 0,
            max_pages,
            records: 0,
            total: None,
            last_page: None,
            latest,
            first_was_doubted: false,
            doubts: 0,
            empties: 0,
            complete: false,
        }
    }

    fn question(&mut self, now: DateTime<Utc>) -> Result<&Question> {
        let question = match self.question.take() {
            Some(question) => question,
            None => self.params.question(&self.ask, wall(now))?,
        };
        Ok(self.question.insert(question))
    }

    fn judged(&mut self, verdict: Verdict) -> Result<Step> {
        match verdict {
            Verdict::Busy { wait, why } => Ok(Step::Again { wait, why }),
            Verdict::Doubtful(error) => self.doubt(error),
            Verdict::Refused(error) => Err(self.place(error)),
        }
    }

    fn doubt(&mut self, error: Error) -> Result<Step> {
        self.doubts += 1;
        self.empties = 0;
        if self.doubts > DOUBTFUL_TRIES {
            return Err(self.place(error));
        }
        Ok(Step::Again { wait: Duration::ZERO, why: error.to_string() })
    }

    fn broken(&mut self, fault: Malformed) -> Result<Step> {
        let error = Error::protocol(format!("the answer cannot be read: {}", fault.0));
        self.doubt(error.hint("asked three times with the same result; show the vendor this page of the window"))
    }

    /// No content at all: what some methods answer for an empty window, and what a failing gateway answers as well.
    fn empty(&mut self, received_at: DateTime<Utc>) -> Result<Step> {
        self.empties += 1;
        if self.empties < EMPTY_PROOFS {
            let why = "an answer without content; asked again to be sure that there are no records".to_string();
            return Ok(Step::Again { wait: Duration::ZERO, why });
        }
        self.complete = true;
        self.page(String::new(), Vec::new(), received_at)
    }

    fn rows(&mut self, envelope: Envelope, received_at: DateTime<Utc>) -> Result<Step> {
        match envelope.into_rows(Place::of(&self.account.method)) {
            Err(fault) => self.broken(fault),
            Ok(Rows::Empty) => self.empty(received_at),
            Ok(Rows::None) if self.total.is_some_and(|total| total == self.records) => {
                self.complete = true;
                self.page(String::new(), Vec::new(), received_at)
            }
            Ok(Rows::None) => self.broken(Malformed("success, but without data".into())),
            Ok(Rows::Page { scroll_id, total, text, records }) => {
                let digest = (!records.is_empty()).then(|| {
                    let mut hasher = Xxh3::new();
                    for record in &records {
                        hasher.update(text[record.clone()].as_bytes());
                        hasher.update(b"\n");
                    }
                    hasher.digest()
                });
                if digest.is_some() && digest == self.last_page {
                    let error = Error::protocol(format!("page {} repeats the page before it", self.pages + 1));
                    return self.doubt(error.hint(
                        "the vendor ignores the position it was asked for; split the window, or tell the vendor",
                    ));
                }
                if self.position == Position::First {
                    if self.is_of_another_pull(digest) {
                        let why = "the last page of the window before came again; asked again to be sure".to_string();
                        return Ok(Step::Again { wait: Duration::ZERO, why });
                    }
                    self.total = total;
                }
                self.last_page = digest;
                if digest.is_some() {
                    *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = digest;
                }
                self.records += records.len() as u64;
                self.advance(records.len(), scroll_id).map_err(|e| self.place(e))?;
                self.page(text, records, received_at)
            }
        }
    }

    /// Is a first page the last one of an earlier pull? Asked once: windows that overlap may well give the same page.
    fn is_of_another_pull(&mut self, digest: Option<u64>) -> bool {
        let latest = *self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let doubtful = digest.is_some() && digest == latest && !self.first_was_doubted;
        self.first_was_doubted |= doubtful;
        doubtful
    }

    /// Decides where the pull stands after a page of `count` records.
    fn advance(&mut self, count: usize, scroll_id: Option<String>) -> Result<()> {
        let full = self.question.as_ref().is_some_and(|q| count >= q.page_size as usize);
        let owed = self.total.is_some_and(|total| self.records < total);
        let next = match (&self.position, scroll_id) {
            _ if count == 0 => None,
            // Without a cursor a known total decides; else whether the page was full.
            (Position::First, None) if owed || (full && self.total.is_none()) => Some(Position::Number(1)),
            (Position::Number(n), _) if owed || (full && self.total.is_none()) => Some(Position::Number(n + 1)),
            (Position::First, None) | (Position::Number(_), _) => None,
            (Position::First | Position::Scroll(_), id) => {
                let id = id.unwrap_or_default();
                let fresh = !id.is_empty() && self.seen.insert(id.clone());
                if !fresh && full && owed {
                    return Err(self.lost_cursor());
                }
                // A short page ends the pull, unless the total says that the vendor gives smaller pages than asked for.
                (fresh && (full || owed)).then_some(Position::Scroll(id))
            }
        };
        match next {
            Some(position) => self.position = position,
            None => self.complete = true,
        }
        Ok(())
    }

    fn lost_cursor(&self) -> Error {
        Error::protocol(format!(
            "the cursor ends after {} of {} announced records",
            self.records,
            self.total.unwrap_or_default()
        ))
        .hint("run again; if it stays so, make source.window.slice smaller")
    }

    fn page(&mut self, text: String, records: Vec<std::ops::Range<usize>>, fetched_at: DateTime<Utc>) -> Result<Step> {
        let page = Page { number: self.pages, text, records, fetched_at };
        self.pages += 1;
        self.doubts = 0;
        self.empties = 0;
        Ok(Step::Page(page))
    }

    fn place(&self, error: Error) -> Error {
        error.context(format!("{} page {}", self.account.method, self.pages + 1))
    }
}

impl Pull for JackyunPull {
    fn next_request(&mut self, now: DateTime<Utc>) -> Result<Option<Request>> {
        if self.complete {
            return Ok(None);
        }
        if self.pages >= self.max_pages {
            let error = Error::protocol(format!("endless pager: {} pages and no end", self.pages));
            return Err(self.place(error.hint("split the window, or raise source.limits.max_pages")));
        }
        let position = self.position.clone();
        let bizcontent = self.question(now)?.bizcontent(&position);
        Ok(Some(self.account.request(&bizcontent, now)))
    }

    fn on_reply(&mut self, reply: Reply) -> Result<Step> {
        if let Some(verdict) = self.account.heard(|peer| answer::of_transport(&reply, peer)) {
            return self.judged(verdict);
        }
        if reply.body.trim_ascii().is_empty() {
            return self.empty(reply.received_at);
        }
        let skew = answer::skew(&reply);
        let received_at = reply.received_at;
        let text = match answer::utf8(reply.body) {
            Ok(text) => text,
            Err(error) => return self.doubt(error),
        };
        match envelope::read(text, Place::of(&self.account.method)) {
            Err(fault) => self.broken(fault),
            Ok(envelope) if envelope.is_success() => self.rows(envelope, received_at),
            Ok(envelope) => {
                let verdict = refusal::of_envelope(&envelope, skew, &self.account);
                self.judged(verdict)
            }
        }
    }

    fn announced_total(&self) -> Option<u64> {
        self.total
    }
}
