//! What an answer means for each document that was sent.
//!
//! Takes the documents of one call and its status, gives a verdict each, in order. Both lists are read in every case, what
//! is stored by `Number` and failing that by `DIndex`, errors by `DIndex`; `IsSuccess` is not read. What is not certain is
//! asked, never guessed. Does no I/O.
//!
//! Facts: each document is a transaction of its own; an error about the call as a whole may carry `DIndex` 0 as if it
//! were the first document's.

use super::answer::{Status, Stored, Wrong, joined};
use super::fault::Class;
use super::query::{Question, Standing, member};
use super::request::{Form, NUMBER, STATUS};
use crate::base::lifecycle::State;
use crate::base::record::{Document, Outcome, Reason};
use crate::base::value::Value;
use crate::base::{Error, Result};
use crate::sink::{Found, Proof};
use serde_json::Value as Json;
use std::collections::HashMap;

/// What the answer alone says about a document.
#[derive(Debug)]
pub(super) enum Verdict {
    Done(Outcome),
    Ask(Doubt),
}

/// Why a document is asked about.
#[derive(Debug, Clone)]
pub(super) enum Doubt {
    /// Stored under this id; its lines and status are not told. `wrong` is what the other list says of it.
    Stored { remote: String, wrong: Option<Reason> },
    /// Named in neither list.
    Unnamed(Reason),
    /// The number is used already.
    Duplicate(Reason),
    /// Refused for something that passes.
    Passing(Reason),
    /// The call was refused, no document is named.
    Whole(Reason),
    /// The session was lost; what was done before is not told.
    Session(Reason),
}

/// A doubt once the ERP was asked.
#[derive(Debug)]
pub(super) enum Settled {
    Done(Outcome),
    /// It is not there: it may be sent again.
    Again(Doubt),
}

/// One verdict per document, in order.
///
/// # Errors
/// When every document would meet the same: form, field, right, licence. Nothing was stored. `proven`: this sink had a
/// document stored before.
pub(super) fn verdicts(form: &Form, sent: &[&Document], status: &Status, proven: bool) -> Result<Vec<Verdict>> {
    if let Some(class) = stopping(status, sent.len(), proven) {
        return Err(stop(form, class, status));
    }
    let whole = refused_whole(status, sent.len());
    let parts = Part::each(status, sent);
    let verdict = |(part, document): (&Part<'_>, &&Document)| match &whole {
        Some(reason) => Verdict::Ask(Doubt::Whole(reason.clone())),
        None => one(form, document, part, status),
    };
    Ok(parts.iter().zip(sent).map(verdict).collect())
}

/// The class of an answer that no other document would fare better with. A text about one document is not that: it must be
/// of such a class, name no field, and strike the whole of a call of several, or come before anything was ever stored. A
/// limit is about nobody's content.
fn stopping(status: &Status, sent: usize, proven: bool) -> Option<Class> {
    if !status.stored.is_empty() || status.errors.iter().any(|e| e.field.is_some()) {
        return None;
    }
    let classes: Option<Vec<Class>> = if status.errors.is_empty() {
        Class::of("", status.code).map(|class| vec![class])
    } else {
        status.errors.iter().map(|e| Class::of(&e.message, status.code)).collect()
    };
    let classes = classes.filter(|classes| classes.iter().all(|class| class.stops()))?;
    let named = |i: usize| status.errors.iter().any(|e| e.index == Some(i));
    let all = is_of_call(status, sent) || (0..sent).all(named);
    let limit = classes.iter().all(|class| *class == Class::Limit);
    (!proven || limit || (sent > 1 && all)).then(|| classes.first().copied()).flatten()
}

/// Are the errors of a call that stored nothing about the call, not about one of its documents?
fn is_of_call(status: &Status, sent: usize) -> bool {
    let nowhere = status.errors.iter().all(|e| e.index.is_none_or(|i| i >= sent));
    // The first document's index without a field is what a fault of the call looks like too.
    let first_only = matches!(status.errors.as_slice(), [only] if only.index == Some(0) && only.field.is_none());
    nowhere || first_only
}

fn stop(form: &Form, class: Class, status: &Status) -> Error {
    let code = status.code.unwrap_or_default();
    class.error(format!("{} refuses every document: {} (MsgCode {code})", form.name, status.messages()))
}

/// The error of a call that was refused as a whole although it held several documents.
fn refused_whole(status: &Status, sent: usize) -> Option<Reason> {
    if sent < 2 || !status.stored.is_empty() || status.errors.is_empty() {
        return None;
    }
    let nowhere = status.errors.iter().all(|e| e.index.is_none_or(|i| i >= sent));
    let recognised = status.class().is_some_and(|class| class.passes() || class == Class::Duplicate);
    (nowhere || (is_of_call(status, sent) && !recognised))
        .then(|| reason(&status.errors.iter().collect::<Vec<_>>(), status.code))
}

/// What an answer holds about one document.
pub(super) struct Part<'a> {
    stored: Vec<&'a Stored>,
    wrong: Vec<&'a Wrong>,
}

impl<'a> Part<'a> {
    /// The part of each document, in order. A number that exactly one document was sent with says whose a stored row is, for
    /// the number is what we ask by; failing that its place does. An error has a place only. Alone in its call, everything
    /// is about a document.
    pub(super) fn each(status: &'a Status, sent: &[&Document]) -> Vec<Self> {
        let mut keys: HashMap<&str, Option<usize>> = HashMap::with_capacity(sent.len());
        for (i, document) in sent.iter().enumerate() {
            keys.entry(document.key.as_str()).and_modify(|place| *place = None).or_insert(Some(i));
        }
        let alone = (sent.len() == 1).then_some(0);
        let mut parts: Vec<Self> = sent.iter().map(|_| Self { stored: Vec::new(), wrong: Vec::new() }).collect();
        for row in &status.stored {
            let place = keys.get(row.number.as_str()).copied().flatten().or(alone).or(row.index);
            if let Some(part) = place.and_then(|i| parts.get_mut(i)) {
                part.stored.push(row);
            }
        }
        for row in &status.errors {
            if let Some(part) = alone.or(row.index).and_then(|i| parts.get_mut(i)) {
                part.wrong.push(row);
            }
        }
        parts
    }

    /// As it came, for the exchange record; `None` where the document is not named.
    pub(super) fn raw(&self) -> Option<String> {
        if self.stored.is_empty() && self.wrong.is_empty() {
            return None;
        }
        let stored: Vec<&str> = self.stored.iter().map(|row| row.raw.as_str()).collect();
        let wrong: Vec<&str> = self.wrong.iter().map(|row| row.raw.as_str()).collect();
        Some(format!("{{\"SuccessEntitys\":[{}],\"Errors\":[{}]}}", stored.join(","), wrong.join(",")))
    }
}

fn one(form: &Form, document: &Document, part: &Part<'_>, status: &Status) -> Verdict {
    let wrong = (!part.wrong.is_empty()).then(|| reason(&part.wrong, status.code));
    match (part.stored.as_slice(), wrong) {
        ([row], wrong) => stored(form, document, row, wrong, status),
        ([], Some(reason)) => refused(document, &part.wrong, reason, status.code),
        ([], None) => {
            let text = format!("the answer names it in neither list: {}", status.messages());
            Verdict::Ask(Doubt::Unnamed(Reason::new("unnamed", text)))
        }
        (rows, _) => {
            let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            let reason =
                Reason::new("doubled", format!("the answer says it was stored several times: {}", ids.join(", ")));
            Verdict::Done(Outcome::Conflict { reason, remote: ids.first().map(ToString::to_string) })
        }
    }
}

fn stored(form: &Form, document: &Document, row: &Stored, wrong: Option<Reason>, status: &Status) -> Verdict {
    let remote = Some(row.id.clone()).filter(|id| !id.is_empty());
    if !row.number.is_empty() && row.number != document.key.as_str() {
        let text = format!("sent as {}, stored as {}: the ERP gave it a number of its own", document.key, row.number);
        return Verdict::Done(Outcome::Conflict { reason: Reason::new("number", text).on_field(NUMBER), remote });
    }
    match (remote, wrong) {
        (None, _) => Verdict::Ask(Doubt::Unnamed(Reason::new(
            "unnamed",
            "the answer says it was stored, but not under which id",
        ))),
        (Some(remote), None) if is_told_whole(form, document, status) && !row.number.is_empty() => {
            Verdict::Done(Outcome::Accepted { remote: Some(remote) })
        }
        (Some(remote), wrong) => Verdict::Ask(Doubt::Stored { remote, wrong }),
    }
}

/// Do the returned fields show every line and the status asked for? Whatever they do not show is asked by a query.
fn is_told_whole(form: &Form, document: &Document, status: &Status) -> bool {
    let number = |row: &&Json| field(row, NUMBER).and_then(Json::as_str) == Some(document.key.as_str());
    let row = status.returned.iter().find(number);
    let lines = form.lines_of(document).is_none_or(|sent| {
        let entry = row.zip(form.entry.as_ref()).and_then(|(row, entry)| field(row, entry)?.as_array());
        entry.is_some_and(|lines| lines.len() >= sent)
    });
    let goal = row.and_then(|row| field(row, STATUS)?.as_str()).map(|word| form.state(word) == State::Present);
    lines && goal.unwrap_or(!form.audited)
}

fn field<'a>(row: &'a Json, name: &str) -> Option<&'a Json> {
    row.as_object()?.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn refused(document: &Document, wrong: &[&Wrong], reason: Reason, code: Option<i64>) -> Verdict {
    let of_number = |e: &&Wrong| {
        let key = format!("[{}]", document.key);
        let own = e.field.as_ref().is_none_or(|f| f.eq_ignore_ascii_case(NUMBER)) || e.message.contains(&key);
        own && Class::of(&e.message, code) == Some(Class::Duplicate)
    };
    if wrong.iter().any(of_number) {
        return Verdict::Ask(Doubt::Duplicate(reason));
    }
    if wrong.iter().all(|e| Class::of(&e.message, code).is_some_and(Class::passes)) {
        return Verdict::Ask(Doubt::Passing(reason));
    }
    Verdict::Done(Outcome::Rejected { reason, remote: None })
}

/// Errors as one reason: the class where they have one, else MsgCode; all messages; all fields.
pub(super) fn reason(wrong: &[&Wrong], code: Option<i64>) -> Reason {
    let texts: Vec<&str> = wrong.iter().map(|e| e.message.as_str()).collect();
    let mut classes: Vec<Class> = wrong.iter().filter_map(|e| Class::of(&e.message, code)).collect();
    // What will not pass by itself is the cause that counts.
    classes.sort_by_key(|class| class.passes());
    // Not the MsgCode: it is the call's, 0 or 11 for the same document by what stood beside it.
    let code = classes.first().map_or("refused", |class| class.word());
    let fields: Vec<&str> = wrong.iter().filter_map(|e| e.field.as_deref()).collect();
    let reason = Reason::new(code, joined(&texts));
    if fields.is_empty() { reason } else { reason.on_field(joined(&fields).replace("; ", ",")) }
}

/// What a doubt comes to, now that the ERP said what stands under the number.
pub(super) fn settle(form: &Form, document: &Document, doubt: Doubt, standing: Option<&Standing>) -> Settled {
    if let Doubt::Stored { remote, wrong } = doubt {
        return Settled::Done(confirm(form, document, remote, wrong, standing));
    }
    let question = Question { document: Some(document), remote: None };
    let (remote, state, proof) = match form.judge(standing, &document.key, question) {
        Found::Missing => return missing(doubt),
        Found::There { remote, state, proof } => (remote, state, proof),
    };
    Settled::Done(match (proof, state, standing, remote) {
        (Proof::Foreign(reason), _, _, remote) => Outcome::Conflict { reason, remote },
        (Proof::Unasked, _, _, _) => {
            let text = "it stands there, but nothing of it could be compared: name fields in sink.verify";
            Outcome::Unknown { reason: Reason::new("unproven", text) }
        }
        (_, State::Behind, Some(standing), Some(remote)) => {
            Outcome::Behind { remote, reason: form.behind(&standing.status) }
        }
        (_, _, _, remote) => Outcome::Present { remote },
    })
}

fn missing(doubt: Doubt) -> Settled {
    match doubt {
        Doubt::Duplicate(mut reason) => {
            reason.text.push_str(" Yet no document of that number is shown to us.");
            Settled::Done(Outcome::Conflict { reason, remote: None })
        }
        Doubt::Unnamed(reason) => Settled::Done(Outcome::Unknown { reason }),
        again => Settled::Again(again),
    }
}

/// Stored, says the answer: whole, and in the status asked for?
fn confirm(
    form: &Form,
    document: &Document,
    remote: String,
    wrong: Option<Reason>,
    standing: Option<&Standing>,
) -> Outcome {
    let Some(standing) = standing else {
        // Nothing of it can be seen: its lines are gone, or our user may not see it. It was stored, so it is never sent again.
        let text = format!("the answer says that it was stored as {remote}, but no line of that number is shown to us");
        return Outcome::Conflict { reason: Reason::new("not shown", text), remote: Some(remote) };
    };
    if standing.ids != [remote.as_str()] {
        let text =
            format!("stored as {remote}, but under {NUMBER} {} stands {}", document.key, standing.ids.join(", "));
        return Outcome::Conflict { reason: Reason::new("doubled", text), remote: Some(remote) };
    }
    let have = standing.lines.len();
    if let Some(sent) = form.lines_of(document).filter(|sent| have < *sent) {
        return Outcome::Conflict { reason: form.lines(have, sent), remote: Some(remote) };
    }
    match form.state(&standing.status) {
        State::Behind => {
            let mut reason = form.behind(&standing.status);
            if let Some(wrong) = wrong {
                reason.text = format!("{}: {}", reason.text, wrong.text);
            }
            Outcome::Behind { remote, reason }
        }
        // Named as wrong too, yet it stands there whole and in the status asked for: what was said against it is in its
        // exchange. An outcome that is accepted has no room for a remark, and any other would be untrue.
        _ => Outcome::Accepted { remote: Some(remote) },
    }
}

/// Does the body carry the key under which it is asked for? Otherwise nobody would find it again.
pub(super) fn key_fault(document: &Document) -> Option<Reason> {
    let have = match member(&document.body, NUMBER) {
        Some(Value::Text(text)) => text.to_string(),
        Some(other) => other.to_json(true),
        None => "nothing".to_string(),
    };
    (have != document.key.as_str()).then(|| {
        Reason::new("key", format!("_key is {}, but the document's {NUMBER} is {have}", document.key)).on_field(NUMBER)
    })
}
