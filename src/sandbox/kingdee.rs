//! The simulated Kingdee ERP (金蝶云星空): documents of SAL_RETURNSTOCK, kept, judged and answered as its WebAPI does.
//!
//! Takes calls in every shape known clients send, gives answers in the recorded shapes; keeps documents, base data and
//! sessions in memory, and documents in a file too where one is named (`keep`). What no source tells is decided by a switch of [`KingdeeConfig`], or by a text marked as ours.
//!
//! `wire` reads bodies, `session` and `sign` let callers in, `form`, `base` and `check` judge a model, `save` and
//! `status` change the `store`, `filter`, `query` and `view` look at it, `answer` has the shapes, `trouble` the faults of
//! its own, `erp` is the way in for tests. Faults are described in [`trouble`].

mod answer;
mod base;
#[cfg(test)]
mod call_tests;
mod check;
mod erp;
mod filter;
#[cfg(test)]
mod filter_tests;
mod form;
mod keep;
mod query;
mod save;
#[cfg(test)]
mod save_tests;
mod session;
mod sign;
mod status;
mod store;
mod trouble;
mod value;
mod view;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

pub use base::Book;
pub use store::{Document, Fields, Line, Status, Tally};

use answer::{Refusal, code, failure, failure_as_rows, login_failure, login_success, session_lost};
use save::{Saving, Way};
use session::{LoginRefusal, Session, Verdict};
use status::Step;
use store::State;
use trouble::{OPERATIONS, RESPONSE_ERROR, Trouble, operation};
use value::Json;
use wire::{Arguments, Unreadable};

use super::server::{Answer, Request, Vendor};

/// The account, and what is not the same on every installation or is told by no source.
#[derive(Debug, Clone)]
pub struct KingdeeConfig {
    /// 账套 (data centre) id.
    pub acct_id: String,
    pub username: String,
    pub password: String,
    pub app_id: String,
    pub app_secret: String,
    /// A session idle this long is lost.
    pub session_lifetime: Duration,
    /// X-Api-Signature is checked too, as behind the vendor's gateway.
    pub strict_signature: bool,
    /// Cookies carry `expires`, which confuses one official client.
    pub cookies_expire: bool,
    /// Logins tell the session in the body; builds before 8 do it by cookies only.
    pub login_tells_session: bool,
    /// HTTP status of a call for an account that does not exist.
    pub wrong_account_status: u16,
    /// MsgCode of a BatchSave all of whose documents failed validation.
    pub all_failed_code: i64,
    /// MsgCode of an edit lock: 0 as recorded, 13 as documented.
    pub lock_code: i64,
    /// NeedReturnData is filled even if some documents were refused; recorded is that it is not.
    pub partial_returns_data: bool,
    /// Lines before `SubHeadEntity` lose their tax price.
    pub order_sensitive: bool,
    /// A document without FDate gets today's.
    pub default_date: bool,
    /// A line without a price gets one.
    pub price_list: bool,
    /// With IsAutoSubmitAndAudit a refused audit undoes the save; else the document stays there, submitted.
    pub refused_audit_undoes_save: bool,
    /// Rows of a query without Limit, and at most.
    pub default_rows: usize,
    pub max_rows: usize,
    /// Documents dated up to this day are refused (期间已关账); none: up to the day that Jushuitan's planted returns expect.
    pub closed_until: Option<NaiveDate>,
    /// What each document of a save takes: the answer comes so much later.
    pub document_time: Duration,
    /// The file that keeps the documents beyond this process; none: they go with it.
    pub keep: Option<PathBuf>,
}

impl Default for KingdeeConfig {
    fn default() -> Self {
        KingdeeConfig {
            acct_id: "5f0c1a2b3c4d5e".to_owned(),
            username: "集成用户".to_owned(),
            password: "sandbox".to_owned(),
            app_id: "219843_5b2W64ET1uGWSCUu7T3F7YjN6d3bWqOA".to_owned(),
            app_secret: "d9f1b2c3d4e5f60718293a4b5c6d7e8f".to_owned(),
            session_lifetime: Duration::from_secs(20 * 60),
            strict_signature: false,
            cookies_expire: false,
            login_tells_session: true,
            wrong_account_status: 500,
            all_failed_code: code::VALIDATION,
            lock_code: code::NONE,
            partial_returns_data: false,
            order_sensitive: true,
            default_date: false,
            price_list: false,
            refused_audit_undoes_save: true,
            default_rows: 2_000,
            max_rows: 10_000,
            closed_until: None,
            document_time: Duration::ZERO,
            keep: None,
        }
    }
}

/// The simulated ERP.
#[derive(Debug)]
pub struct Erp {
    config: KingdeeConfig,
    state: Mutex<State>,
}

impl Erp {
    /// Fails when the documents of an earlier process cannot be read.
    pub fn new(config: KingdeeConfig) -> io::Result<Self> {
        let mut state = State::new(config.closed_until);
        if let Some(path) = &config.keep {
            state.keep_in(path)?;
        }
        Ok(Erp { config, state: Mutex::new(state) })
    }

    /// What kept documents from being written down, if anything did.
    pub fn take_failure(&self) -> Option<io::Error> {
        self.state().take_failure()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each document is stored at once and whole, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a call of `method`, the last part of the service's name in lower case.
    fn respond(&self, method: &str, request: &Request<'_>, trouble: Option<Trouble>) -> Answer {
        if let Some(text) = trouble.and_then(Trouble::instead) {
            return Answer::json(text);
        }
        let call = match Arguments::read(request.body) {
            Ok(call) => call,
            Err(Unreadable::BareArray) => return Answer::html(500, "Additional text found in JSON string"),
            Err(Unreadable::Malformed(what)) => return Answer::html(500, format!("请求数据包格式不正确：{what}")),
        };
        if trouble == Some(Trouble::EndSessions) {
            self.state().sessions.end_all();
        }
        if let Some(login) = self.login(method, &call, request) {
            return login;
        }
        if method == "getdatacenterlist" {
            return json(&view::data_centers(&self.config));
        }
        let verdict = self.state().sessions.judge(&self.config, request.path, request.headers, request.tick);
        let session = match verdict {
            Verdict::WrongAccount => {
                return Answer::html(self.config.wrong_account_status, "Fail to verify thirty passport");
            }
            Verdict::Lost(useless) => return self.with_cookies(refused(method, session_lost()), &useless, request.now),
            _ if trouble == Some(Trouble::NoSession) => return refused(method, session_lost()),
            Verdict::Known => None,
            Verdict::Admitted(session) => Some(session),
        };
        let answer = self.act(method, &call, request, trouble).unwrap_or_else(|unreadable| {
            let text = format!("{unreadable:?}");
            Answer::html(500, text)
        });
        match session {
            Some(session) => self.with_cookies(answer, &session, request.now),
            None => answer,
        }
    }

    fn login(&self, method: &str, call: &Arguments, request: &Request<'_>) -> Option<Answer> {
        let sessions = &mut self.state().sessions;
        let done = match method {
            "validateuser" => sessions.login_by_password(&self.config, call, request.tick),
            "loginbyappsecret" => sessions.login_by_secret(&self.config, call, request.tick),
            "loginbysign" => sessions.login_by_sign(&self.config, call, request.tick),
            "logout" => {
                sessions.logout(request.headers);
                return Some(Answer::json("true"));
            }
            _ => return None,
        };
        Some(match done {
            Ok(session) => {
                let config = &self.config;
                let body = login_success(&session, &config.acct_id, &config.username, config.login_tells_session);
                self.with_cookies(json(&body), &session, request.now)
            }
            Err(LoginRefusal { result_type, message }) => json(&login_failure(&message, result_type)),
        })
    }

    fn with_cookies(&self, answer: Answer, session: &Session, now: DateTime<Utc>) -> Answer {
        let tomorrow = now + TimeDelta::days(1);
        let expires = match self.config.cookies_expire {
            true => tomorrow.format("; expires=%a, %d-%b-%Y %H:%M:%S GMT").to_string(),
            false => String::new(),
        };
        let cookies = vec![
            format!("ASP.NET_SessionId={}; path=/; HttpOnly", session.asp),
            format!("kdservice-sessionid={}; path=/{expires}", session.id),
        ];
        Answer { cookies, ..answer }
    }

    /// Does what is asked of somebody who may ask.
    fn act(
        &self,
        method: &str,
        call: &Arguments,
        request: &Request<'_>,
        trouble: Option<Trouble>,
    ) -> Result<Answer, Unreadable> {
        let step = Step::parse(method);
        Ok(match method {
            "save" => self.save(Way::Save, call, request, trouble)?,
            "batchsave" => self.save(Way::BatchSave, call, request, trouble)?,
            "draft" => self.save(Way::Draft, call, request, trouble)?,
            "executebillquery" | "billquery" => json(&self.query(method, call)?),
            "view" => json(&self.of_form(call, |data| view::view(&self.state(), data))?),
            "querybusinessinfo" => json(&self.business_info(call)?),
            "queryasyncresult" => json(&self.task(call)?),
            // Measured: the misspelled name, which all official clients use, answers well and does nothing.
            "excuteoperation" => json(&answer::Outcome::default().answer()),
            "executeoperation" => json(&self.operate(call, request, trouble)?),
            _ => match step {
                Some(step) => {
                    let act = |data: &Json| status::call(&mut self.state(), step, data, trouble, request.now);
                    json(&self.of_form(call, act)?)
                }
                None => Answer::json("response_error:{\"Message\":\"服务不存在\",\"InnerExWrapper\":null}"),
            },
        })
    }

    /// A call with a form and a data packet.
    fn of_form(&self, call: &Arguments, act: impl FnOnce(&Json) -> Json) -> Result<Json, Unreadable> {
        let form = call.text(0, "formid");
        if !form.eq_ignore_ascii_case(form::FORM) {
            return Ok(failure(answer::unknown_form(form)));
        }
        Ok(act(&call.object(1, "data")?))
    }

    fn save(
        &self,
        way: Way,
        call: &Arguments,
        request: &Request<'_>,
        trouble: Option<Trouble>,
    ) -> Result<Answer, Unreadable> {
        let mut tried = 0;
        let body = self.of_form(call, |data| {
            let state = &mut self.state();
            let before = state.tally.tried;
            let body = Saving { state, config: &self.config, way, trouble, now: request.now }.call(data);
            tried = state.tally.tried - before;
            body
        })?;
        let time = self.config.document_time.saturating_mul(u32::try_from(tried).unwrap_or(u32::MAX));
        let asynchronous = call.named("beginmethod").is_some() || request.headers.contains_key("beginmethod");
        let body = if asynchronous { self.begin(body) } else { body };
        Ok(Answer { delay: (!time.is_zero()).then_some(time), ..json(&body) })
    }

    /// Keeps the answer of an asynchronous call for who asks for it.
    fn begin(&self, result: Json) -> Json {
        let mut state = self.state();
        let task = state.next_task.to_string();
        state.next_task += 1;
        state.tasks.insert(task.clone(), result);
        task_status(&task, None)
    }

    fn task(&self, call: &Arguments) -> Result<Json, Unreadable> {
        let info = call.object(0, "queryInfo")?;
        let task = info.get("TaskId").map_or("", Json::plain);
        Ok(match self.state().tasks.remove(task) {
            Some(result) => task_status(task, Some(result)),
            None => failure(Refusal::plain(code::NO_DATA, format!("任务{task}不存在"))),
        })
    }

    fn query(&self, method: &str, call: &Arguments) -> Result<Json, Unreadable> {
        let data = call.object(0, "data")?;
        let form = match data.get("FormId").map_or("", Json::plain) {
            "" => call.named("formid").map_or("", Json::plain),
            form => form,
        };
        let mut state = self.state();
        state.tally.queries += 1;
        let as_rows = method == "executebillquery";
        Ok(match query::rows(&state, &self.config, form, &data) {
            Err(refusal) if as_rows => failure_as_rows(refusal),
            Err(refusal) => failure(refusal),
            Ok((_, rows)) if as_rows => Json::List(rows.into_iter().map(Json::List).collect()),
            Ok((keys, rows)) => {
                let named = |row: Vec<Json>| Json::Object(keys.iter().cloned().zip(row).collect());
                Json::List(rows.into_iter().map(named).collect())
            }
        })
    }

    fn business_info(&self, call: &Arguments) -> Result<Json, Unreadable> {
        let data = call.object(0, "data")?;
        let form = data.get("FormId").map_or("", Json::plain);
        let known = form.eq_ignore_ascii_case(form::FORM);
        Ok(if known { view::business_info() } else { failure(answer::unknown_form(form)) })
    }

    fn operate(&self, call: &Arguments, request: &Request<'_>, trouble: Option<Trouble>) -> Result<Json, Unreadable> {
        let name = call.text(1, "opNumber");
        let data = call.object(2, "data")?;
        Ok(match Step::parse(name) {
            _ if !call.text(0, "formid").eq_ignore_ascii_case(form::FORM) => {
                failure(answer::unknown_form(call.text(0, "formid")))
            }
            Some(step) => status::call(&mut self.state(), step, &data, trouble, request.now),
            None => failure(Refusal::plain(code::NO_OPERATION, format!("操作{name}不存在"))),
        })
    }
}

fn json(body: &Json) -> Answer {
    Answer::json(body.to_bytes())
}

/// A refusal in the wrapping of the call it answers.
fn refused(method: &str, refusal: Refusal) -> Answer {
    json(&if method == "executebillquery" { failure_as_rows(refusal) } else { failure(refusal) })
}

/// An asynchronous task, done if it has a result.
fn task_status(task: &str, result: Option<Json>) -> Json {
    let done = result.is_some();
    Json::object([
        ("TaskId", Json::text(task)),
        ("Status", Json::from(if done { 2_u64 } else { 0 })),
        ("Result", result.unwrap_or(Json::Null)),
        ("Cancelled", Json::Bool(false)),
        ("IsFaulted", Json::Bool(false)),
        ("FaultedException", Json::Null),
        ("ProgressInfos", Json::Null),
        ("Successful", Json::Bool(done)),
        ("Message", Json::text("")),
        ("Progress", Json::from(if done { 100_u64 } else { 0 })),
        ("ProgressDesc", Json::text("")),
    ])
}

/// The last part of a service's name in lower case; none if the path is no service's.
fn method_of(path: &str) -> Option<String> {
    let path = path.to_ascii_lowercase();
    let service = path.strip_prefix("/k3cloud/")?.strip_suffix(".common.kdsvc")?;
    Some(service.rsplit('.').next().unwrap_or(service).to_owned())
}

impl Vendor for Erp {
    fn name(&self) -> &'static str {
        "kingdee"
    }

    fn owns(&self, path: &str) -> bool {
        path.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("/k3cloud/"))
    }

    fn answer(&self, request: &Request<'_>) -> Answer {
        let Some(method) = method_of(request.path) else {
            return Answer::html(404, "<html><head><title>404 - 找不到文件或目录。</title></head></html>");
        };
        let trouble = request.fault.and_then(Trouble::parse);
        let answer = self.respond(&method, request, trouble);
        match trouble {
            Some(Trouble::LostBeforeAudit) => Answer { lost: true, ..answer },
            Some(Trouble::ResponseErrorAfter) => Answer { body: RESPONSE_ERROR.into(), ..answer },
            _ => answer,
        }
    }

    /// This ERP has no such answer: it gets slow, or says HTTP 500.
    fn throttled(&self) -> Answer {
        Answer::html(500, "服务器繁忙，请稍后再试")
    }

    fn inspect(&self, path: &str) -> Option<Bytes> {
        self.show(path)
    }

    fn operations(&self) -> &'static [&'static str] {
        &OPERATIONS
    }

    fn operation(&self, request: &Request<'_>) -> &'static str {
        operation(&method_of(request.path).unwrap_or_default())
    }

    fn plays(&self, word: &str) -> bool {
        Trouble::parse(word).is_some()
    }

    /// Faults that name no operation are about saves.
    fn counts(&self, request: &Request<'_>) -> bool {
        self.operation(request) == "save"
    }
}
