//! A played target that stores whatever it is sent, twice if it is sent twice, and answers as a script or chance has it.

use crate::base::record::{Document, Outcome, Reason};
use crate::base::value::Digest;
use crate::base::{Error, Result, lifecycle::State};
use crate::sink::{Asked, Exchange, Found, Proof, Receipt, Sink, Unfinished};
use chrono::Utc;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How a send is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Well,
    /// Stored, reply lost.
    LostAfter,
    /// Not stored, reply lost.
    LostBefore,
    /// Reply lost; stored that much later.
    LostLate(Duration),
    /// Stored but not audited, reply lost.
    BehindLost,
    /// Stored but not audited, and it says so.
    Behind,
    /// Nothing arrived.
    Gone,
    /// Each document as chance has it.
    Mixed,
}

/// What stands under a key.
#[derive(Debug, Clone)]
pub struct Held {
    pub digest: Digest,
    pub saves: u32,
    pub audited: bool,
}

#[derive(Default)]
pub struct Inner {
    pub held: BTreeMap<String, Held>,
    /// Requests still running: when they store, and what.
    coming: Vec<(Instant, Document)>,
    pub script: VecDeque<Answer>,
    /// How finishes are answered; afterwards well.
    pub finishes: VecDeque<Answer>,
    /// Every call, in order: what, and of which keys.
    pub log: Vec<(&'static str, Vec<String>)>,
    /// Documents named `AUD…` pass the audit now.
    pub audits_all: bool,
    /// From now on chance answers; late ones store within this time.
    pub chance: Option<(fastrand::Rng, Duration)>,
}

#[derive(Default)]
pub struct Erp {
    pub inner: Mutex<Inner>,
    pub refuses_doubles: bool,
    pub keeps_digests: bool,
    /// A call lasts twice this: the way there and the way back.
    pub way: Duration,
}

impl Inner {
    fn arrive(&mut self) {
        let now = Instant::now();
        let (arrived, coming) = std::mem::take(&mut self.coming).into_iter().partition(|(at, _)| *at <= now);
        self.coming = coming;
        let arrived: Vec<(Instant, Document)> = arrived;
        arrived.into_iter().for_each(|(_, document)| self.store(&document, true));
    }

    /// The requests that are still running come to their end, however late.
    pub fn all_arrive(&mut self) {
        let coming = std::mem::take(&mut self.coming);
        coming.into_iter().for_each(|(_, document)| self.store(&document, true));
    }

    fn store(&mut self, document: &Document, audited: bool) {
        let held = Held { digest: document.digest, saves: 0, audited };
        self.held.entry(document.key.to_string()).or_insert(held).saves += 1;
    }

    fn answer(&mut self) -> Answer {
        let Some((random, late)) = &mut self.chance else { return self.script.pop_front().unwrap_or(Answer::Well) };
        match random.u32(0..10) {
            0..3 => Answer::Well,
            3 => Answer::LostAfter,
            4 => Answer::LostBefore,
            5 => Answer::LostLate(late.mul_f64(random.f64())),
            6 => Answer::BehindLost,
            7 => Answer::Behind,
            8 => Answer::Gone,
            _ => Answer::Mixed,
        }
    }

    fn save(&mut self, document: &Document, answer: Answer) -> Outcome {
        let key = document.key.as_str();
        let remote = format!("id-{key}");
        let lost = || Outcome::Unknown { reason: Reason::new("reply", "lost") };
        if key.starts_with("BAD") {
            return Outcome::Rejected { reason: Reason::new("1406", "too long"), remote: None };
        }
        if key.starts_with("AUD") && !self.audits_all {
            self.store(document, false);
            return Outcome::Rejected { reason: Reason::new("audit", "refused"), remote: Some(remote) };
        }
        match answer {
            Answer::Well | Answer::Gone | Answer::Mixed => {
                self.store(document, true);
                Outcome::Accepted { remote: Some(remote) }
            }
            Answer::LostAfter => {
                self.store(document, true);
                lost()
            }
            Answer::LostBefore => lost(),
            Answer::LostLate(after) => {
                self.coming.push((Instant::now() + after, document.clone()));
                lost()
            }
            Answer::BehindLost => {
                self.store(document, false);
                lost()
            }
            Answer::Behind => {
                self.store(document, false);
                Outcome::Behind { remote, reason: Reason::new("audit", "not yet") }
            }
        }
    }

    fn look(&self, asked: &Asked<'_>, keeps_digests: bool) -> Found {
        let Some(held) = self.held.get(asked.key.as_str()) else { return Found::Missing };
        let proof = match asked.document {
            _ if keeps_digests => Proof::Digest(held.digest),
            None => Proof::Unasked,
            Some(document) if document.digest == held.digest => Proof::Agrees,
            Some(_) => Proof::Foreign(Reason::new("value", "another value stands there")),
        };
        let state = if held.audited { State::Present } else { State::Behind };
        Found::There { remote: Some(format!("id-{}", asked.key)), state, proof }
    }

    fn audit(&mut self, unfinished: &Unfinished, answer: Answer) -> Outcome {
        let key = unfinished.key.as_str();
        let remote = Some(unfinished.remote.clone());
        if key.starts_with("AUD") && !self.audits_all {
            return Outcome::Rejected { reason: Reason::new("audit", "refused"), remote };
        }
        if answer != Answer::LostBefore {
            self.held.get_mut(key).expect("it stands there").audited = true;
        }
        match answer {
            Answer::Well => Outcome::Accepted { remote },
            _ => Outcome::Unknown { reason: Reason::new("reply", "lost") },
        }
    }
}

fn keys<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<String> {
    keys.map(str::to_owned).collect()
}

fn receipt(operation: &'static str, request: String, outcome: Outcome) -> Receipt {
    let (sent_at, answered_at) = (Utc::now(), Utc::now());
    let answer = crate::sink::words(&outcome);
    Receipt { outcome, exchanges: vec![Exchange { operation, request, answer, sent_at, answered_at }] }
}

#[async_trait::async_trait]
impl Sink for Erp {
    fn target(&self) -> &str {
        "erp:test"
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn find(&self, asked: &[Asked<'_>]) -> Result<Vec<Found>> {
        tokio::time::sleep(self.way).await;
        let mut inner = self.inner.lock().unwrap();
        inner.arrive();
        inner.log.push(("find", keys(asked.iter().map(|a| a.key.as_str()))));
        if inner.chance.as_mut().is_some_and(|(random, _)| random.u32(0..8) == 0) {
            return Err(Error::unavailable("connection refused"));
        }
        Ok(asked.iter().map(|asked| inner.look(asked, self.keeps_digests)).collect())
    }

    async fn send(&self, batch: &[Document]) -> Result<Vec<Receipt>> {
        tokio::time::sleep(self.way).await;
        let receipts = {
            let mut inner = self.inner.lock().unwrap();
            inner.arrive();
            inner.log.push(("send", keys(batch.iter().map(|d| d.key.as_str()))));
            let answer = inner.answer();
            if answer == Answer::Gone {
                return Err(Error::unavailable("connection refused"));
            }
            let mut receipts = Vec::new();
            for document in batch {
                let mut own = answer;
                while matches!(own, Answer::Mixed | Answer::Gone) {
                    own = inner.answer();
                }
                receipts.push(receipt("save", document.body.to_json(true), inner.save(document, own)));
            }
            receipts
        };
        tokio::time::sleep(self.way).await;
        Ok(receipts)
    }

    async fn finish(&self, behind: &[Unfinished]) -> Result<Vec<Receipt>> {
        tokio::time::sleep(self.way).await;
        let mut inner = self.inner.lock().unwrap();
        inner.log.push(("finish", keys(behind.iter().map(|u| u.key.as_str()))));
        let answer = match inner.chance.as_mut().map(|(random, _)| random.u32(0..5)) {
            Some(0) => return Err(Error::unavailable("connection refused")),
            Some(1) => Answer::LostAfter,
            Some(2) => Answer::LostBefore,
            Some(_) => Answer::Well,
            None => inner.finishes.pop_front().unwrap_or(Answer::Well),
        };
        Ok(behind.iter().map(|u| receipt("audit", u.remote.clone(), inner.audit(u, answer))).collect())
    }

    fn refuses_doubles(&self) -> bool {
        self.refuses_doubles
    }
}
