//! Sending a batch: save, read both lists, ask about what is not certain, send again what is certainly not there.
//!
//! Takes documents, gives one receipt each. No document is sent a second time before the ERP said that it is not there,
//! and none more often than a split, one passing lock and one lost session need.

use super::KingdeeSink;
use super::answer::{Proves, Said, Status, cut};
use super::outcome::{self, Doubt, Part, Settled, Verdict};
use super::request::{Service, model};
use super::session::{Told, is_lost};
use crate::base::record::{Document, Outcome, Reason};
use crate::base::{Advice, Error, Kind, Result};
use crate::sink::{Exchange, Receipt};
use chrono::{DateTime, Utc};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// Documents of one call, by their place in the batch.
#[derive(Debug, Clone, Default)]
struct Group {
    members: Vec<usize>,
    /// Wait before sending: a lock is to pass. Whoever is locked after that is refused.
    waits: bool,
    /// The session was lost once already.
    renewed: bool,
}

/// A batch under way.
struct Batch<'a> {
    sink: &'a KingdeeSink,
    documents: &'a [Document],
    models: Vec<String>,
    outcomes: Vec<Option<Outcome>>,
    exchanges: Vec<Vec<Exchange>>,
    work: VecDeque<Group>,
}

/// See the head of the file.
pub(super) async fn deliver(sink: &KingdeeSink, documents: &[Document]) -> Result<Vec<Receipt>> {
    let mut batch = Batch::new(sink, documents);
    while let Some(group) = batch.work.pop_front() {
        if group.waits {
            tokio::time::sleep(sink.lock_wait).await;
        }
        if let Err(error) = batch.send(group).await {
            batch.stop(error)?;
        }
    }
    batch.receipts()
}

impl<'a> Batch<'a> {
    fn new(sink: &'a KingdeeSink, documents: &'a [Document]) -> Self {
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(documents.len());
        for document in documents {
            let fault = outcome::key_fault(document);
            outcomes.push(fault.map(|reason| Outcome::Rejected { reason, remote: None }));
        }
        let members: Vec<usize> = (0..documents.len()).filter(|i| outcomes[*i].is_none()).collect();
        let together = if sink.form.save == Service::Save { 1 } else { documents.len().max(1) };
        let work = members.chunks(together).map(|m| Group { members: m.to_vec(), ..Group::default() }).collect();
        let models = documents.iter().map(model).collect();
        let exchanges = documents.iter().map(|_| Vec::new()).collect();
        Self { sink, documents, models, outcomes, exchanges, work }
    }

    /// An error that ends the batch. While no outcome comes from an answer, nothing has arrived: what was refused for its key
    /// was never sent, and whoever is still open was proven not to be there by the answer that stops or by a question. Then
    /// the error is all there is to say, and it holds the answer's text. Otherwise what was said of the settled documents
    /// is kept in their receipts, and the open ones are to be asked about.
    fn stop(&mut self, error: Error) -> Result<()> {
        self.work.clear();
        let mut documents = self.outcomes.iter().zip(&self.exchanges);
        if documents.all(|(outcome, exchanges)| outcome.is_none() || exchanges.is_empty()) {
            return Err(error);
        }
        for outcome in self.outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
            *outcome = Some(Outcome::Unknown { reason: Reason::new("not sent", error.to_string()) });
        }
        Ok(())
    }

    fn receipts(self) -> Result<Vec<Receipt>> {
        let receipt = |(outcome, exchanges): (Option<Outcome>, Vec<Exchange>)| {
            let outcome = outcome.ok_or_else(|| Error::bug("a document of a batch was left without an outcome"))?;
            Ok(Receipt { outcome, exchanges })
        };
        self.outcomes.into_iter().zip(self.exchanges).map(receipt).collect()
    }

    async fn send(&mut self, group: Group) -> Result<()> {
        let models: Vec<&str> = group.members.iter().map(|i| self.models[*i].as_str()).collect();
        let (service, sent_at) = (self.sink.form.save, Utc::now());
        let told = match self.sink.session.call(service, &self.sink.form.save_body(&models)).await {
            Ok(told) => told,
            Err(error) if can_have_arrived(&error) => {
                let reason = Reason::new("no answer", error.to_string());
                for i in &group.members {
                    self.keep(*i, error.to_string(), (sent_at, Utc::now()));
                    self.outcomes[*i] = Some(Outcome::Unknown { reason: reason.clone() });
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let verdicts = self.verdicts(&group, &told)?;
        let mut doubts = Vec::new();
        for (i, verdict) in group.members.iter().zip(verdicts) {
            match verdict {
                Verdict::Done(outcome) => self.outcomes[*i] = Some(outcome),
                Verdict::Ask(doubt) => doubts.push((*i, doubt)),
            }
        }
        if doubts.is_empty() { Ok(()) } else { self.ask(&group, &told, doubts).await }
    }

    /// What the answer says of each member; it is kept for each on the way.
    fn verdicts(&mut self, group: &Group, told: &Told) -> Result<Vec<Verdict>> {
        let all = |verdict: &dyn Fn() -> Verdict| Ok(group.members.iter().map(|_| verdict()).collect());
        let times = (told.sent_at, told.answered_at);
        if let (Said::Status(status), false) = (&told.said, is_lost(&told.said)) {
            return self.of_status(group, status, told);
        }
        for i in &group.members {
            self.keep(*i, told.text.clone(), times);
        }
        if is_lost(&told.said) {
            let reason = Reason::new("session", "the session was lost; what was stored before that is not told");
            return all(&|| Verdict::Ask(Doubt::Session(reason.clone())));
        }
        let text = match &told.said {
            Said::Else(trouble) => match &trouble.proves {
                Proves::Stop(error) => return Err(error.clone()),
                Proves::Door(error) if !told.served => return Err(error.clone()),
                Proves::Refused | Proves::Door(_) => {
                    let reason = Reason::new("refused", trouble.text.as_str());
                    return all(&|| Verdict::Ask(Doubt::Whole(reason.clone())));
                }
                Proves::NoSession | Proves::Nothing => trouble.text.clone(),
            },
            Said::Rows(_) | Said::Status(_) => "rows came in answer to a save".to_string(),
        };
        all(&|| Verdict::Done(Outcome::Unknown { reason: Reason::new("unclear", text.clone()) }))
    }

    fn of_status(&mut self, group: &Group, status: &Status, told: &Told) -> Result<Vec<Verdict>> {
        let sent: Vec<&Document> = group.members.iter().map(|i| &self.documents[*i]).collect();
        for (i, part) in group.members.iter().zip(Part::each(status, &sent)) {
            let answer = part.raw().map_or_else(|| told.text.clone(), |part| cut(&part).to_string());
            self.keep(*i, answer, (told.sent_at, told.answered_at));
        }
        if !status.stored.is_empty() {
            self.sink.proven.store(true, Ordering::Relaxed);
        }
        outcome::verdicts(&self.sink.form, &sent, status, self.sink.proven.load(Ordering::Relaxed))
    }

    /// Asks the ERP about every doubt at once, and queues what is to be sent again.
    async fn ask(&mut self, group: &Group, told: &Told, doubts: Vec<(usize, Doubt)>) -> Result<()> {
        let keys: Vec<_> = doubts.iter().map(|(i, _)| &self.documents[*i].key).collect();
        let seen = match self.sink.look(&keys).await {
            Ok(seen) => seen,
            // Nobody was ever logged in and nobody gets in: the save was refused at the door.
            Err(error) if is_lost(&told.said) && !told.served && error.kind() == Kind::Denied => return Err(error),
            Err(error) => {
                for (i, doubt) in doubts {
                    let mut reason = told_of(doubt);
                    reason.text.push_str(&format!("; asking for it failed: {error}"));
                    self.outcomes[i] = Some(Outcome::Unknown { reason });
                }
                return Ok(());
            }
        };
        let mut again = Vec::new();
        for ((i, doubt), seen) in doubts.into_iter().zip(seen) {
            self.exchanges[i].push(seen.exchange);
            match outcome::settle(&self.sink.form, &self.documents[i], doubt, seen.standing.as_ref()) {
                Settled::Done(outcome) => self.outcomes[i] = Some(outcome),
                Settled::Again(doubt) => again.push((i, doubt)),
            }
        }
        self.again(group, again);
        Ok(())
    }

    /// Queues what is certainly not there, each kind as it needs; who had its chance is refused or left unknown.
    fn again(&mut self, group: &Group, again: Vec<(usize, Doubt)>) {
        let (mut waiting, mut split, mut renewed) = (Vec::new(), Vec::new(), Vec::new());
        for (i, doubt) in again {
            let done = match doubt {
                Doubt::Passing(reason) if group.waits => Outcome::Rejected { reason, remote: None },
                Doubt::Passing(_) => {
                    waiting.push(i);
                    continue;
                }
                Doubt::Whole(reason) if group.members.len() == 1 => Outcome::Rejected { reason, remote: None },
                Doubt::Whole(_) => {
                    split.push(i);
                    continue;
                }
                Doubt::Session(_) if !group.renewed => {
                    renewed.push(i);
                    continue;
                }
                other => Outcome::Unknown { reason: told_of(other) },
            };
            self.outcomes[i] = Some(done);
        }
        let together = if self.sink.form.save == Service::Save { 1 } else { self.documents.len() };
        let mut queue = |members: &[usize], size: usize, waits: bool, renewed: bool| {
            let groups = members.chunks(size.max(1)).map(|m| Group { members: m.to_vec(), waits, renewed });
            groups.rev().for_each(|group| self.work.push_front(group));
        };
        queue(&waiting, together, true, group.renewed);
        queue(&split, split.len().div_ceil(2), false, group.renewed);
        queue(&renewed, together, false, true);
    }

    fn keep(&mut self, i: usize, answer: String, (sent_at, answered_at): (DateTime<Utc>, DateTime<Utc>)) {
        let (operation, request) = (self.sink.form.save.name(), self.models[i].clone());
        self.exchanges[i].push(Exchange { operation, request, answer, sent_at, answered_at });
    }
}

/// May the documents of a call that failed so have arrived? An answer too large to be read comes after the deed.
pub(super) fn can_have_arrived(error: &Error) -> bool {
    error.advice() == Advice::AskFirst || error.kind() == Kind::Protocol
}

fn told_of(doubt: Doubt) -> Reason {
    match doubt {
        Doubt::Stored { remote, .. } => {
            Reason::new("unconfirmed", format!("the answer says that it was stored as {remote}"))
        }
        Doubt::Unnamed(reason)
        | Doubt::Duplicate(reason)
        | Doubt::Passing(reason)
        | Doubt::Whole(reason)
        | Doubt::Session(reason) => reason,
    }
}
