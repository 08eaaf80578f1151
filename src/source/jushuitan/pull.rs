//! One pull of Jushuitan as a state machine: tokens first, then the pages in the pager's order, then whether it is a whole.
//!
//! Takes replies, gives requests and pages; no clock of its own and no I/O but keeping a renewed token. What may be an
//! accident is asked again: a broken or repeated answer twice, a refused token once with a new one, a refused time stamp
//! once with the vendor's time. A token that ends soon is refreshed before the first page. A first page that equals the last page of the pull before must come twice.

use super::envelope::{self, Envelope, Malformed, Sheet};
use super::pager::{Answer, Pager, Take};
use super::params::{Params, Question};
use super::refusal::{self, Refusal};
use super::token::{self, Grant, Pair};
use super::{Account, Shared};
use crate::base::clock::wall;
use crate::base::record::Page;
use crate::base::{Error, Result};
use crate::net::{Reply, Request};
use crate::source::answer::{self, Verdict};
use crate::source::{Ask, Pull, Step};
use chrono::{DateTime, Utc};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// How often a doubtful answer is asked again before its error stands.
const DOUBTFUL_TRIES: u32 = 2;

/// See the head of the file.
pub struct JushuitanPull {
    shared: Arc<Shared>,
    params: Arc<Params>,
    ask: Ask,
    /// Made at the first request: an ad-hoc pull's CURRENT_TIME is that request's time.
    question: Option<Question>,
    pager: Pager,
    max_pages: u32,
    pages: u32,
    /// The new pair that is asked for instead of a page.
    grant: Option<Grant>,
    /// That pair is asked for before the one at hand ends: the pull does not depend on it.
    is_early: bool,
    /// What the last request was signed with.
    used: Option<Pair>,
    /// A page was refused with a token that was renewed for it.
    token_renewed: bool,
    /// A request was refused for its time stamp and asked again with another.
    clock_set: bool,
    /// A first page that looked like a repeated one was asked for again.
    first_was_doubted: bool,
    doubts: u32,
}

impl JushuitanPull {
    pub(super) fn new(shared: Arc<Shared>, params: Arc<Params>, ask: Ask, page_size: u32, max_pages: u32) -> Self {
        Self {
            shared,
            params,
            ask,
            question: None,
            pager: Pager::new(page_size, max_pages),
            max_pages,
            pages: 0,
            grant: None,
            is_early: false,
            used: None,
            token_renewed: false,
            clock_set: false,
            first_was_doubted: false,
            doubts: 0,
        }
    }

    fn account(&self) -> &Account {
        &self.shared.account
    }

    fn question(&mut self, now: DateTime<Utc>) -> Result<&Question> {
        let question = match self.question.take() {
            Some(question) => question,
            None => {
                let question = self.params.question(&self.ask, wall(now))?;
                // A parameter of the file may ask for another size than the window's.
                self.pager.set_page_size(question.page_size);
                question
            }
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
        if self.doubts > DOUBTFUL_TRIES {
            return Err(self.place(error));
        }
        Ok(Step::Again { wait: Duration::ZERO, why: error.to_string() })
    }

    fn broken(&mut self, fault: Malformed) -> Result<Step> {
        let error = Error::protocol(format!("the answer cannot be read: {}", fault.0));
        self.doubt(error.hint("asked three times with the same result; show the vendor this page of the window"))
    }

    /// An envelope with code 0 ends every doubt about what was asked before it.
    fn answered(&mut self) {
        self.doubts = 0;
        self.clock_set = false;
    }

    fn refused(&mut self, envelope: &Envelope, reply: &Times) -> Result<Step> {
        match refusal::of_envelope(envelope, reply.skew, self.account()) {
            Refusal::Plain(Verdict::Busy { wait, why }) => {
                Ok(Step::Again { wait: wait.max(reply.retry_after.unwrap_or_default()), why })
            }
            Refusal::Clock(error) => self.set_clock(error, reply),
            Refusal::Token(error) if self.grant.is_none() => self.renew_token(error),
            // Denied for another reason than the token: asking in another way does not help.
            Refusal::Plain(verdict) if self.grant.is_none() || matches!(envelope.code, 10 | 110 | 120) => {
                self.judged(verdict)
            }
            Refusal::Plain(_) | Refusal::Token(_) => self.grant_refused(envelope),
        }
    }

    /// The vendor's clock counts: the next request carries its time.
    fn set_clock(&mut self, error: Error, reply: &Times) -> Result<Step> {
        if self.clock_set {
            return Err(self.place(error));
        }
        self.clock_set = true;
        if let Some(ahead) = reply.vendor_ahead {
            self.shared.vendor_ahead.store(ahead, Ordering::Relaxed);
        }
        Ok(Step::Aside)
    }

    fn renew_token(&mut self, error: Error) -> Result<Step> {
        let tokens = &self.account().tokens;
        let error = error.hint(tokens.cure());
        if self.token_renewed {
            return Err(self.place(error));
        }
        let is_used = tokens.current() == self.used;
        // Another pull of this source may have renewed it meanwhile.
        if is_used {
            let Some(grant) = tokens.grant(None) else { return Err(self.place(error)) };
            self.grant = Some(grant);
        }
        self.token_renewed = true;
        Ok(Step::Aside)
    }

    fn grant_refused(&mut self, envelope: &Envelope) -> Result<Step> {
        let account = self.account();
        let Some(grant) = self.grant.clone() else {
            return Err(Error::bug("a token was refused that nobody asked for"));
        };
        let Some(next) = account.tokens.grant(Some(&grant)) else {
            let error = token::refused(&account.tokens, &grant, &refusal::said(envelope, account));
            return Err(self.place(error));
        };
        self.grant = Some(next);
        Ok(Step::Aside)
    }

    fn granted(&mut self, envelope: &Envelope, now: DateTime<Utc>) -> Result<Step> {
        let pair = match token::granted(envelope.data(), now) {
            Ok(pair) => pair,
            Err(fault) => return self.broken(fault),
        };
        self.account().tokens.renew(pair)?;
        self.grant = None;
        self.token_renewed = true;
        self.answered();
        Ok(Step::Aside)
    }

    /// The answer to a refresh that could have waited. Without a new pair the pull goes on with the token it has, which is
    /// good; the next run tries again.
    fn early_answer(&mut self, reply: Reply) -> Result<Step> {
        let times = Times::of(&reply);
        let mut verdict = self.account().heard(|peer| answer::of_transport(&reply, peer));
        let text = answer::utf8(reply.body).ok().filter(|_| verdict.is_none());
        if let Some(envelope) = text.and_then(|text| envelope::read(text).ok()) {
            if envelope.code == 0 {
                // An answer that cannot be read is no new pair. One that cannot be kept is an error: it replaced the kept one.
                if let Ok(pair) = token::granted(envelope.data(), times.received_at) {
                    self.account().tokens.renew(pair)?;
                }
            } else {
                match refusal::of_envelope(&envelope, times.skew, self.account()) {
                    Refusal::Clock(error) if !self.clock_set => return self.set_clock(error, &times),
                    Refusal::Plain(said) => verdict = Some(said),
                    Refusal::Clock(_) | Refusal::Token(_) => {}
                }
            }
        }
        (self.grant, self.is_early) = (None, false);
        self.answered();
        Ok(match verdict {
            Some(Verdict::Busy { wait, why }) => {
                Step::Again { wait: wait.max(times.retry_after.unwrap_or_default()), why }
            }
            _ => Step::Aside,
        })
    }

    fn page(&mut self, sheet: Sheet, fetched_at: DateTime<Utc>) -> Result<Step> {
        let Sheet { paging, text, records } = sheet;
        let digests: Vec<u64> = records.iter().map(|r| xxh3_64(&text.as_bytes()[r.clone()])).collect();
        if self.is_of_another_pull(&digests) {
            let why = "the last page of the pull before came again; asked again to be sure".to_string();
            return Ok(Step::Again { wait: Duration::ZERO, why });
        }
        match self.pager.take(&Answer { paging, records: &digests }) {
            Take::Doubtful(why) if self.doubts < DOUBTFUL_TRIES => {
                self.doubts += 1;
                return Ok(Step::Again { wait: Duration::ZERO, why });
            }
            // It stays so: rows moved by whole pages, or the vendor ignores the position. Shorter windows cure both.
            Take::Doubtful(why) => {
                self.pager.give_up(why);
                return Ok(Step::Aside);
            }
            Take::Aside => {
                self.settled(digests);
                return Ok(Step::Aside);
            }
            Take::Page => self.settled(digests),
        }
        let page = Page { number: self.pages, text, records, fetched_at };
        self.pages += 1;
        Ok(Step::Page(page))
    }

    /// An answer was believed: the next one has its own tries.
    fn settled(&mut self, digests: Vec<u64>) {
        self.answered();
        self.token_renewed = false;
        if !digests.is_empty() {
            *self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner) = digests;
        }
    }

    /// Is a first page the last one of an earlier pull? Asked once: windows that overlap may well give the same page.
    fn is_of_another_pull(&mut self, digests: &[u64]) -> bool {
        if !self.pager.is_first() || self.first_was_doubted || digests.is_empty() {
            return false;
        }
        let doubtful = *self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner) == digests;
        self.first_was_doubted = doubtful;
        doubtful
    }

    fn place(&self, error: Error) -> Error {
        match (&self.grant, self.pager.next()) {
            (None, Some(page)) => error.context(format!("{} page {page}", self.account().method)),
            _ => error.context(self.account().method.clone()),
        }
    }
}

/// What a reply says about time.
struct Times {
    skew: Option<i64>,
    /// The vendor's clock minus ours, in seconds, however small.
    vendor_ahead: Option<i64>,
    retry_after: Option<Duration>,
    received_at: DateTime<Utc>,
}

impl Times {
    fn of(reply: &Reply) -> Self {
        Self {
            skew: answer::skew(reply),
            vendor_ahead: reply.date.map(|date| (date - reply.received_at).num_seconds()),
            retry_after: reply.retry_after,
            received_at: reply.received_at,
        }
    }
}

impl Pull for JushuitanPull {
    fn next_request(&mut self, now: DateTime<Utc>) -> Result<Option<Request>> {
        let Some(page) = self.pager.next() else { return Ok(None) };
        if page > self.max_pages {
            let error = Error::protocol(format!("endless pager: more than {} pages and no end", self.max_pages));
            return Err(self.place(error.hint("split the window, or raise source.limits.max_pages")));
        }
        let stamp = self.shared.vendor_now(now);
        if self.grant.is_none() {
            self.used = self.account().tokens.current();
            if self.used.is_none() {
                self.grant = self.account().tokens.grant(None);
            } else if self.pager.is_first() {
                self.grant = self.account().tokens.early(now);
                self.is_early = self.grant.is_some();
            }
        }
        if let Some(grant) = &self.grant {
            return Ok(Some(self.account().token_request(grant, stamp)));
        }
        let Some(pair) = self.used.clone() else { return Err(Error::bug("no token and no way to one")) };
        let biz = self.question(stamp)?.biz(page);
        Ok(Some(self.account().page_request(&biz, &pair.access, stamp)))
    }

    fn on_reply(&mut self, reply: Reply) -> Result<Step> {
        if self.is_early {
            return self.early_answer(reply);
        }
        if let Some(verdict) = self.account().heard(|peer| answer::of_transport(&reply, peer)) {
            return self.judged(verdict);
        }
        let times = Times::of(&reply);
        if reply.body.trim_ascii().is_empty() {
            return self.broken(Malformed("it has no content".into()));
        }
        let text = match answer::utf8(reply.body) {
            Ok(text) => text,
            Err(error) => return self.doubt(error),
        };
        let envelope = match envelope::read(text) {
            Ok(envelope) => envelope,
            Err(fault) => return self.broken(fault),
        };
        if envelope.code != 0 {
            return self.refused(&envelope, &times);
        }
        if self.grant.is_some() {
            return self.granted(&envelope, times.received_at);
        }
        match envelope.into_sheet() {
            Ok(sheet) => self.page(sheet, times.received_at),
            Err(fault) => self.broken(fault),
        }
    }

    fn announced_total(&self) -> Option<u64> {
        self.pager.announced()
    }

    fn unsettled(&self) -> Option<String> {
        self.pager.unsettled().map(str::to_string)
    }
}
