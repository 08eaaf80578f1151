//! Save, BatchSave and Draft: each entry of `Model` is a transaction of its own, done one after the other.
//!
//! Takes the data packet, gives the answer as recorded; changes the store. A batch can end half done: some documents
//! stored, some refused, side by side in one answer.

use chrono::{DateTime, Utc};

use super::KingdeeConfig;
use super::answer::{Entity, Outcome, Refusal, code, empty_parameter, failure, session_lost, wrap};
use super::check::Sheet;
use super::form::{FORM_NAME, TABLE};
use super::query::returned;
use super::store::{Document, Fields, Line, State, Status, local};
use super::trouble::Trouble;
use super::value::Json;

/// Which of the calls it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Save,
    BatchSave,
    /// Stores without judging, as 暂存.
    Draft,
}

/// What the data packet says beside `Model`. Booleans may be texts, in any letter case.
#[derive(Debug)]
struct Options {
    delete_entries: bool,
    verify: bool,
    validate: bool,
    audit: bool,
    returns: Vec<String>,
}

impl Options {
    fn read(data: &Json) -> Options {
        let flag = |name, default| data.get(name).and_then(Json::flag).unwrap_or(default);
        let returns = match data.get("NeedReturnFields") {
            Some(Json::List(keys)) => keys.iter().map(|key| key.plain().to_owned()).collect(),
            Some(text) => text.plain().split(',').map(str::to_owned).collect(),
            None => Vec::new(),
        };
        Options {
            delete_entries: flag("IsDeleteEntry", true),
            verify: flag("IsVerifyBaseDataField", false),
            validate: flag("ValidateFlag", true),
            audit: flag("IsAutoSubmitAndAudit", false),
            returns: returns.into_iter().filter(|key: &String| !key.trim().is_empty()).collect(),
        }
    }
}

/// One call at work.
pub struct Saving<'a> {
    pub state: &'a mut State,
    pub config: &'a KingdeeConfig,
    pub way: Way,
    pub trouble: Option<Trouble>,
    pub now: DateTime<Utc>,
}

impl Saving<'_> {
    /// Does the call.
    pub fn call(mut self, data: &Json) -> Json {
        let models = match data.get("Model").map(Json::unpacked) {
            Some(Ok(Json::List(models))) if self.way == Way::BatchSave => models,
            Some(Ok(model @ Json::Object(_))) => vec![model],
            Some(Ok(Json::List(_)) | Err(_)) => {
                return failure(Refusal::plain(code::EXCEPTION, "Model数据包格式不正确"));
            }
            _ => return failure(empty_parameter("Model")),
        };
        let options = Options::read(data);
        self.state.tally.save_calls += 1;
        let mut outcome = Outcome::default();
        let mut given = Vec::new();
        for (index, model) in models.iter().enumerate() {
            if self.loses_session(outcome.done.len()) {
                return failure(session_lost());
            }
            match self.one(model, &options, index) {
                Ok((fid, refused_audit)) => {
                    let document = self.state.by_id(fid);
                    given.push(document.map_or(Json::Null, |found| returned(found, &options.returns, self.state)));
                    let number = document.map(|document| document.number.clone()).unwrap_or_default();
                    match refused_audit {
                        Some(refusal) => outcome.errors.push((index, refusal)),
                        None => outcome.done.push(Entity { id: fid, number, index }),
                    }
                }
                Err(refusals) => {
                    self.state.tally.refused += 1;
                    outcome.errors.extend(refusals.into_iter().map(|refusal| (index, refusal)));
                }
            }
        }
        if self.loses_session(outcome.done.len()) {
            return failure(session_lost());
        }
        if self.trouble == Some(Trouble::Unlisted) && !outcome.done.is_empty() {
            outcome.done.remove(0);
        }
        self.answer(&outcome, given)
    }

    /// Whether the session is lost when so many documents are done.
    fn loses_session(&self, done: usize) -> bool {
        matches!(self.trouble, Some(Trouble::LostSession { after }) if done >= after)
    }

    fn answer(&self, outcome: &Outcome, given: Vec<Json>) -> Json {
        let failed = !outcome.errors.is_empty();
        let returned = if failed && !self.config.partial_returns_data { Vec::new() } else { given };
        let returned = ("NeedReturnData", Json::List(returned));
        if self.way == Way::BatchSave {
            let code = outcome.errors.first().map(|(_, first)| match first.code {
                code::VALIDATION => self.config.all_failed_code,
                other => other,
            });
            return wrap([("ResponseStatus", outcome.status(code)), returned]);
        }
        match outcome.done.first() {
            Some(entity) => wrap([
                ("ResponseStatus", outcome.status(None)),
                ("Id", Json::from(entity.id)),
                ("Number", Json::text(&entity.number)),
                returned,
            ]),
            None => outcome.answer(),
        }
    }

    /// One document: its id, and why it was not audited though it was stored.
    fn one(&mut self, model: &Json, options: &Options, index: usize) -> Result<(u64, Option<Refusal>), Vec<Refusal>> {
        let sent_number = model.get("FBillNo").map_or("", Json::plain).to_owned();
        self.state.tally.tried += 1;
        *self.state.tries.entry(sent_number.clone()).or_default() += 1;
        let locked = self.state.locks.remove(&sent_number) || (self.trouble == Some(Trouble::EditLock) && index == 0);
        if locked {
            return Err(vec![self.lock_refusal(&sent_number)]);
        }
        let mut sheet = Sheet::read(model, &self.state.base, options.verify);
        if self.way != Way::Draft && options.validate && sheet.fid == 0 {
            sheet.validate(self.config);
        }
        if sheet.day().is_some_and(|day| self.state.is_closed(day)) {
            let day = sheet.day().map(|day| day.to_string()).unwrap_or_default();
            sheet.refusals.push(Refusal::of("FDate", format!("单据日期{day}所在期间已关账，不允许录入单据")));
        }
        if self.state.id_of(&sent_number).is_some_and(|fid| fid != sheet.fid) {
            let message = format!("违反字段唯一性要求：编码唯一。[{sent_number}]在当前系统中已经被使用。");
            sheet.refusals.push(Refusal::of("FBillNo", message));
        }
        let old = match sheet.fid {
            0 => None,
            fid => Some(self.changeable(fid).map_err(|refusal| vec![refusal])?),
        };
        if !sheet.refusals.is_empty() {
            return Err(sheet.refusals);
        }
        self.store(sheet, old, options)
    }

    fn lock_refusal(&self, number: &str) -> Refusal {
        let user = &self.config.username;
        let message =
            format!("“{user}”使用业务单据：“{FORM_NAME}”业务操作-“[{FORM_NAME}-{number}-修改]”冲突，请稍候再使用。");
        Refusal::plain(self.config.lock_code, message)
    }

    /// The document to change.
    fn changeable(&self, fid: u64) -> Result<Document, Refusal> {
        let Some(document) = self.state.by_id(fid) else { return Err(missing_id(fid)) };
        match document.status {
            Status::Audited | Status::InAudit => Err(already_audited(&document.number)),
            _ => Ok(document.clone()),
        }
    }

    fn store(
        &mut self,
        mut sheet: Sheet,
        old: Option<Document>,
        options: &Options,
    ) -> Result<(u64, Option<Refusal>), Vec<Refusal>> {
        let number = sheet.head.text("FBillNo").filter(|number| !number.is_empty());
        let number = number.or_else(|| old.as_ref().map(|old| old.number.clone()));
        let number = number.unwrap_or_else(|| self.state.fresh_number());
        let drop = self.trouble == Some(Trouble::DropLine) || self.state.line_drops.remove(&number);
        if drop && sheet.lines.pop().is_some() {
            sheet.dropped_lines += 1;
            self.trouble = self.trouble.filter(|trouble| *trouble != Trouble::DropLine);
        }
        let skipped = matches!(self.trouble, Some(Trouble::NotAudited | Trouble::LostBeforeAudit));
        let audits = options.audit && !skipped && self.way != Way::Draft;
        let refusal = audits.then(|| audit_refusal(self.state, &number, self.trouble)).flatten();
        if let Some(refusal) = &refusal
            && self.config.refused_audit_undoes_save
        {
            return Err(vec![refusal.clone()]);
        }
        let is_new = old.is_none();
        let mut document = self.document(sheet, old, options.delete_entries, &number);
        document.status = match (self.way, audits, &refusal) {
            (Way::Draft, ..) => Status::Draft,
            (_, true, None) => Status::Audited,
            (_, true, Some(_)) => Status::InAudit,
            _ if is_new => Status::Created,
            _ => document.status,
        };
        self.state.tally.audited += u64::from(document.status == Status::Audited);
        self.state.tally.submitted += u64::from(audits);
        if is_new {
            self.state.tally.created += 1;
            *self.state.creations.entry(number).or_default() += 1;
            return Ok((self.state.insert(document), refusal));
        }
        self.state.tally.updated += 1;
        let fid = document.fid;
        self.state.replace(document);
        Ok((fid, refusal))
    }

    /// The document that a sheet makes, of an old one or of none.
    fn document(&mut self, sheet: Sheet, old: Option<Document>, delete_entries: bool, number: &str) -> Document {
        let now = local(self.now);
        let mut document = old.unwrap_or_else(|| Document {
            fid: 0,
            number: String::new(),
            status: Status::Created,
            head: Fields::default(),
            finance: Fields::default(),
            lines: Vec::new(),
            ignored: Vec::new(),
            dropped_lines: 0,
            foreign: false,
            created: now,
            modified: now,
        });
        document.modified = now;
        number.clone_into(&mut document.number);
        document.ignored = sheet.ignored;
        document.dropped_lines = sheet.dropped_lines;
        for (from, to) in [(sheet.head, &mut document.head), (sheet.finance, &mut document.finance)] {
            for (key, value) in from.0 {
                to.set(key, value);
            }
        }
        document.head.set("FBillNo", Json::text(number));
        if document.head.get("FDate").is_none() {
            document.head.set("FDate", Json::text(now.date().to_string()));
        }
        let mut before = std::mem::take(&mut document.lines);
        for line in sheet.lines {
            let known = before.iter().position(|old| old.entry_id == line.entry_id);
            let mut kept = match known {
                Some(at) => before.remove(at),
                None => Line { entry_id: self.state.fresh_entry(), fields: Fields::default() },
            };
            for (key, value) in line.fields.0 {
                kept.fields.set(key, value);
            }
            document.lines.push(kept);
        }
        if !delete_entries {
            before.append(&mut document.lines);
            document.lines = before;
        }
        document
    }
}

/// Why the audit of a number would be refused.
pub fn audit_refusal(state: &State, number: &str, trouble: Option<Trouble>) -> Option<Refusal> {
    let of_trouble = || (trouble == Some(Trouble::AuditRefused)).then_some("更新库存出现异常情况，更新库存不成功！");
    let message = state.audit_refusals.get(number).map(String::as_str).or_else(of_trouble)?;
    Some(Refusal { field: Some(String::new()), message: message.to_owned(), code: code::VALIDATION })
}

/// A document that is not there, or no longer.
pub fn missing_id(fid: u64) -> Refusal {
    let message = format!("您要读取的数据在系统中不存在,可能已经被删除！[ID={fid},Type=BillHead,TableName={TABLE}]");
    Refusal::plain(code::NO_DATA, message)
}

/// A document that may not be changed any more.
pub fn already_audited(number: &str) -> Refusal {
    let message = format!("单据编号为“{number}”的{FORM_NAME}，单据已经审核！");
    Refusal { field: Some(String::new()), message, code: code::VALIDATION }
}
