//! Submit, Audit, UnAudit and Delete: a document's way from created to audited, and back.
//!
//! Takes the numbers or ids named, gives the answer; changes the status of each document by itself. Never changes a field.

use chrono::{DateTime, Utc};

use super::answer::{Entity, Outcome, Refusal, code, empty_parameter};
use super::form::FORM_NAME;
use super::save::{already_audited, audit_refusal, missing_id};
use super::store::{Document, State, Status};
use super::trouble::Trouble;
use super::value::Json;

/// Which of the calls it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Submit,
    Audit,
    UnAudit,
    Delete,
}

impl Step {
    /// The step of an operation's name, in any letter case.
    pub fn parse(name: &str) -> Option<Step> {
        [("Submit", Step::Submit), ("Audit", Step::Audit), ("UnAudit", Step::UnAudit), ("Delete", Step::Delete)]
            .into_iter()
            .find_map(|(known, step)| known.eq_ignore_ascii_case(name).then_some(step))
    }

    /// The status a document gets, or why it cannot; deleting gives none.
    fn next(self, document: &Document) -> Result<Option<Status>, Refusal> {
        let refuse = |what: &str| {
            let message = format!("单据编号为“{}”的{FORM_NAME}，{what}", document.number);
            Err(Refusal { field: Some(String::new()), message, code: code::VALIDATION })
        };
        match (self, document.status) {
            (Step::Submit, Status::Draft | Status::Created | Status::AuditAgain) => Ok(Some(Status::InAudit)),
            (Step::Submit, Status::InAudit) => refuse("单据已经提交！"),
            (Step::Submit | Step::Audit, Status::Audited) => Err(already_audited(&document.number)),
            (Step::Audit, Status::InAudit) => Ok(Some(Status::Audited)),
            (Step::Audit, _) => refuse("单据未提交，不允许审核！"),
            (Step::UnAudit, Status::Audited) => Ok(Some(Status::AuditAgain)),
            (Step::UnAudit, _) => refuse("单据未审核，不允许反审核！"),
            (Step::Delete, Status::Draft | Status::Created | Status::AuditAgain) => Ok(None),
            (Step::Delete, _) => refuse("只允许删除暂存、创建或重新审核状态的单据！"),
        }
    }
}

/// Does a step for every document the data packet names.
pub fn call(state: &mut State, step: Step, data: &Json, trouble: Option<Trouble>, now: DateTime<Utc>) -> Json {
    let named = named(state, data);
    let mut outcome = Outcome::default();
    if named.is_empty() {
        let refusal =
            Refusal { message: "编码值或内码值必须传其一。".to_owned(), ..empty_parameter("Numbers") };
        return Outcome::refused(refusal).answer();
    }
    for (index, found) in named.into_iter().enumerate() {
        let done = found.and_then(|fid| one(state, step, fid, trouble, now));
        match done {
            Ok((id, number)) => outcome.done.push(Entity { id, number, index }),
            Err(refusal) => outcome.errors.push((index, refusal)),
        }
    }
    outcome.answer()
}

fn one(
    state: &mut State,
    step: Step,
    fid: u64,
    trouble: Option<Trouble>,
    now: DateTime<Utc>,
) -> Result<(u64, String), Refusal> {
    let document = state.by_id(fid).ok_or_else(|| missing_id(fid))?;
    let (next, number) = (step.next(document)?, document.number.clone());
    if step == Step::Audit
        && let Some(refusal) = audit_refusal(state, &number, trouble)
    {
        return Err(refusal);
    }
    match next {
        Some(status) => state.set_status(fid, status, now),
        None => state.remove(fid),
    }
    state.tally.submitted += u64::from(step == Step::Submit);
    state.tally.audited += u64::from(step == Step::Audit);
    Ok((fid, number))
}

/// The documents named by `Numbers` (an array) or by `Ids` (text with commas), in that order.
pub fn named(state: &State, data: &Json) -> Vec<Result<u64, Refusal>> {
    let numbers = match data.get("Numbers") {
        Some(Json::List(numbers)) => numbers.iter().map(|number| number.plain().to_owned()).collect(),
        Some(text) => text.plain().split(',').map(str::to_owned).collect(),
        None => Vec::new(),
    };
    let by_number = |number: String| {
        let message = format!("编码为“{number}”的{FORM_NAME}不存在");
        state.id_of(&number).ok_or_else(|| Refusal::plain(code::NO_DATA, message))
    };
    let found: Vec<_> = numbers.into_iter().filter(|number| !number.is_empty()).map(by_number).collect();
    if !found.is_empty() {
        return found;
    }
    let ids = data.get("Ids").map_or("", Json::plain).split(',').map(str::trim).filter(|id| !id.is_empty());
    ids.map(|id| id.parse().map_err(|_| Refusal::plain(code::PARAMETER, format!("内码“{id}”不是数字")))).collect()
}
