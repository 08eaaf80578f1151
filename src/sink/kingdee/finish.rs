//! Finishing what is saved but not audited: Submit, then Audit, never Save.
//!
//! Takes documents by number and id, gives one receipt each. Asks for the status first and last: what the ERP shows in the
//! end counts, not what the calls said on the way. Where the pipeline does not ask for an audit, nothing is ever submitted
//! or audited: a draft (Z) under our number is left to people, and stays behind until one of them saves it.
//!
//! Facts: Submit takes a document from Z, A or D to B, Audit from B to C; `Ids` is a text with commas; the same call for
//! what stands there already is refused with 已提交 or 已审核.

use super::KingdeeSink;
use super::answer::{Said, cut};
use super::fault::Class;
use super::outcome;
use super::query::{Seen, Standing};
use super::request::Service;
use super::session::Told;
use crate::base::lifecycle::State;
use crate::base::record::{Outcome, Reason};
use crate::base::{Error, Kind, Result};
use crate::sink::{Exchange, Receipt, Unfinished};
use chrono::{DateTime, Utc};

/// Documents of one Submit or Audit, as the vendor's people advise.
const TOGETHER: usize = 20;

/// A document on its way.
struct Course<'a> {
    unfinished: &'a Unfinished,
    exchanges: Vec<Exchange>,
    outcome: Option<Outcome>,
    /// Status as last seen or told.
    status: String,
    /// What was refused on the way.
    refusal: Option<Reason>,
    /// A call whose answer is not known.
    lost: Option<Reason>,
}

/// What one call did to a document.
enum Moved {
    Done,
    Refused(Reason),
    Lost(Reason),
}

/// See the head of the file.
pub(super) async fn finish(sink: &KingdeeSink, behind: &[Unfinished]) -> Result<Vec<Receipt>> {
    let mut courses: Vec<Course<'_>> = behind.iter().map(Course::new).collect();
    // Nothing was done yet, so an error here is one.
    let seen = sink.look(&behind.iter().map(|u| &u.key).collect::<Vec<_>>()).await?;
    for (course, seen) in courses.iter_mut().zip(seen) {
        course.first(sink, seen);
    }
    if sink.form.audited {
        step(sink, &mut courses, Service::Submit, &["Z", "A", "D", ""]).await;
        step(sink, &mut courses, Service::Audit, &["B"]).await;
        last(sink, &mut courses).await;
    }
    let receipt = |course: Course<'_>| {
        let outcome = course.outcome.ok_or_else(|| Error::bug("a document was left unfinished without an outcome"))?;
        Ok(Receipt { outcome, exchanges: course.exchanges })
    };
    courses.into_iter().map(receipt).collect()
}

/// Calls `service` for all that stand in one of `from`; who is not named as done is called for alone, to hear its reason.
async fn step(sink: &KingdeeSink, courses: &mut [Course<'_>], service: Service, from: &[&str]) {
    let due: Vec<usize> = (0..courses.len()).filter(|i| courses[*i].is_due(from)).collect();
    for group in due.chunks(TOGETHER) {
        for i in together(sink, courses, service, group).await {
            alone(sink, &mut courses[i], service).await;
        }
    }
}

/// One call for a group; gives those that it does not name as done.
async fn together(sink: &KingdeeSink, courses: &mut [Course<'_>], service: Service, group: &[usize]) -> Vec<usize> {
    if group.len() == 1 {
        return group.to_vec();
    }
    let ids: Vec<&str> = group.iter().map(|i| courses[*i].unfinished.remote.as_str()).collect();
    let sent_at = Utc::now();
    let told = sink.session.call(service, &sink.form.operate_body(&ids)).await;
    let mut open = Vec::new();
    for i in group {
        let course = &mut courses[*i];
        match &told {
            Ok(told) if is_named(told, course.unfinished) => course.go(sink, service, sent_at, Ok(told)),
            // A refusal of several does not say whose it is.
            Ok(_) => open.push(*i),
            Err(error) => course.go(sink, service, sent_at, Err(error)),
        }
    }
    open
}

/// One call for one document; a lock of somebody else is waited for once.
async fn alone(sink: &KingdeeSink, course: &mut Course<'_>, service: Service) {
    let body = sink.form.operate_body(&[&course.unfinished.remote]);
    let sent_at = Utc::now();
    let told = sink.session.call(service, &body).await;
    let locked = matches!(&told, Ok(Told { said: Said::Status(s), .. }) if s.class().is_some_and(Class::passes));
    course.go(sink, service, sent_at, told.as_ref());
    if locked {
        tokio::time::sleep(sink.lock_wait).await;
        course.refusal = None;
        let sent_at = Utc::now();
        course.go(sink, service, sent_at, sink.session.call(service, &body).await.as_ref());
    }
}

/// What stands there now decides.
async fn last(sink: &KingdeeSink, courses: &mut [Course<'_>]) {
    let open: Vec<usize> = (0..courses.len()).filter(|i| courses[*i].outcome.is_none()).collect();
    let keys: Vec<_> = open.iter().map(|i| &courses[*i].unfinished.key).collect();
    if keys.is_empty() {
        return;
    }
    match sink.look(&keys).await {
        Ok(seen) => {
            for (i, seen) in open.into_iter().zip(seen) {
                courses[i].last(sink, seen);
            }
        }
        Err(error) => {
            for i in open {
                let reason = Reason::new("no answer", format!("whether it was audited could not be asked: {error}"));
                courses[i].outcome = Some(Outcome::Unknown { reason });
            }
        }
    }
}

impl<'a> Course<'a> {
    fn new(unfinished: &'a Unfinished) -> Self {
        let (exchanges, status) = (Vec::new(), String::new());
        Self { unfinished, exchanges, outcome: None, status, refusal: None, lost: None }
    }

    fn is_due(&self, from: &[&str]) -> bool {
        let blocked = self.outcome.is_some() || self.refusal.is_some() || self.lost.is_some();
        !blocked && from.contains(&self.status.as_str())
    }

    fn first(&mut self, sink: &KingdeeSink, seen: Seen) {
        self.exchanges.push(seen.exchange);
        let Some(standing) = self.ours(seen.standing) else { return };
        if sink.form.state(&standing.status) == State::Present {
            self.outcome = Some(Outcome::Accepted { remote: Some(self.unfinished.remote.clone()) });
        } else if !sink.form.audited {
            let mut reason = sink.form.behind(&standing.status);
            reason.text.push_str("; without IsAutoSubmitAndAudit it is neither submitted nor audited from here");
            self.outcome = Some(Outcome::Behind { remote: self.unfinished.remote.clone(), reason });
        }
        self.status = standing.status;
    }

    /// What stands under the number, if it is the document that was saved; else its outcome is set.
    fn ours(&mut self, standing: Option<Standing>) -> Option<Standing> {
        let text = match standing {
            Some(standing) if standing.ids == [self.unfinished.remote.as_str()] => return Some(standing),
            Some(other) => {
                format!("{} was saved, but {} stands there now", self.unfinished.remote, other.ids.join(", "))
            }
            None => format!("{} was saved, but it is not there any more", self.unfinished.remote),
        };
        self.outcome = Some(Outcome::Unknown { reason: Reason::new("gone", text) });
        None
    }

    /// Takes the answer to one call that was begun at `began`.
    fn go(&mut self, sink: &KingdeeSink, service: Service, began: DateTime<Utc>, told: Result<&Told, &Error>) {
        let (answer, sent_at, answered_at) = match told {
            Ok(told) => (told.text.clone(), told.sent_at, told.answered_at),
            Err(error) => (cut(&error.to_string()).to_string(), began, Utc::now()),
        };
        let request = format!("{{\"Ids\":\"{}\"}}", self.unfinished.remote);
        self.exchanges.push(Exchange { operation: service.name(), request, answer, sent_at, answered_at });
        match moved(sink, told, self.unfinished) {
            Moved::Done if service == Service::Submit => self.status = "B".to_string(),
            Moved::Done => self.status = "C".to_string(),
            Moved::Refused(reason) => self.refusal = Some(reason),
            Moved::Lost(reason) => self.lost = Some(reason),
        }
    }

    fn last(&mut self, sink: &KingdeeSink, seen: Seen) {
        self.exchanges.push(seen.exchange);
        let Some(standing) = self.ours(seen.standing) else { return };
        let remote = self.unfinished.remote.clone();
        let done = sink.form.state(&standing.status) == State::Present;
        self.outcome = Some(match (done, self.refusal.take(), self.lost.take()) {
            (true, _, _) => Outcome::Accepted { remote: Some(remote) },
            (false, Some(reason), _) => Outcome::Rejected { reason, remote: Some(remote) },
            (false, None, Some(reason)) => Outcome::Unknown { reason },
            (false, None, None) => Outcome::Behind { remote, reason: sink.form.behind(&standing.status) },
        });
    }
}

/// Is the document among those that the answer names as done?
fn is_named(told: &Told, document: &Unfinished) -> bool {
    let Said::Status(status) = &told.said else { return false };
    status.stored.iter().any(|row| row.id == document.remote || row.number == document.key.as_str())
}

fn moved(sink: &KingdeeSink, told: Result<&Told, &Error>, document: &Unfinished) -> Moved {
    let told = match told {
        Ok(told) => told,
        // We were refused, not the document.
        Err(error) if error.kind() == Kind::Denied => return Moved::Lost(Reason::new("session", error.to_string())),
        Err(error) => return Moved::Lost(Reason::new("no answer", error.to_string())),
    };
    let Said::Status(status) = &told.said else {
        return Moved::Lost(Reason::new("unclear", sink.session.failed(&told.said).to_string()));
    };
    if is_named(told, document) || status.class() == Some(Class::AlreadyAudited) {
        return Moved::Done;
    }
    if status.errors.is_empty() {
        return Moved::Lost(Reason::new("unnamed", format!("the answer does not name it: {}", status.messages())));
    }
    Moved::Refused(outcome::reason(&status.errors.iter().collect::<Vec<_>>(), status.code))
}
