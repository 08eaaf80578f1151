//! Scripted conversations with Kingdee: the script; what sending does (`sending.rs`, `doubts.rs`), what asking and finishing
//! do (`asking.rs`), sessions (`sessions.rs`), and the recorded answers (`recorded.rs`).

mod asking;
mod doubts;
mod recorded;
mod sending;
mod sessions;

use super::*;
use crate::base::record::{Outcome, Rid};
use crate::base::value::{Decimal, Object, Value, digest};
use crate::base::{Advice, Error};
use crate::config::model::{KingdeeAuth, KingdeeOperation, OptionValue};
use crate::config::secret::Setting;
use crate::net::{Reply, Request};
use chrono::Utc;
use serde_json::{Value as Json, json};
use std::collections::VecDeque;
use std::sync::Mutex;

pub(super) const APP_SECRET: &str = "d9f1b2c3d4e5f60718293a4b5c6d7e8f";

/// A file of recorded vendor data.
pub(super) fn fixture(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vendor").join(name);
    std::fs::read_to_string(path).expect("a fixture")
}

pub(super) fn settings() -> Kingdee {
    let setting = |key: &str, name: &str| Setting::new(format!("sink.{key}"), format!("${{{name}}}"));
    Kingdee {
        url: setting("url", "KINGDEE_URL"),
        acct_id: setting("acct_id", "KINGDEE_ACCT_ID"),
        username: setting("username", "KINGDEE_USERNAME"),
        app_id: setting("app_id", "KINGDEE_APP_ID"),
        app_secret: setting("app_secret", "KINGDEE_APP_SECRET"),
        lcid: 2052,
        org_num: "0".into(),
        auth: KingdeeAuth::Signature,
        form: "SAL_RETURNSTOCK".into(),
        operation: KingdeeOperation::BatchSave,
        options: vec![("IsAutoSubmitAndAudit".into(), OptionValue::Bool(true))],
        verify: vec!["FDate".into(), "FRetcustId.FNumber".into()],
        entry: Some("FEntity".into()),
        request_timeout: Duration::from_secs(180),
        max_answer_bytes: 1 << 20,
    }
}

pub(super) fn document(key: &str, lines: usize) -> Document {
    let number = |name: &'static str, value: &str| Value::Object(Object::from_pairs([(name, Value::text(value))]));
    let line = Value::Object(Object::from_pairs([
        ("FMaterialId", number("FNumber", "SKU00001")),
        ("FRealQty", Value::Decimal(Decimal { unscaled: 150, scale: 2 })),
        ("FNote", Value::Null),
    ]));
    let money = Object::from_pairs([("FSettleOrgId", Value::Null), ("FSettleCurrId", number("FNumber", "PRE001"))]);
    let body = Object::from_pairs([
        ("FBillTypeID", number("FNUMBER", "XSTHD01_SYS")),
        ("FBillNo", Value::text(key)),
        ("FDate", Value::text("2024-01-02")),
        ("FRetcustId", number("FNumber", "CUST001")),
        ("FHeadNote", Value::Null),
        ("SubHeadEntity", Value::Object(money)),
        ("FEntity", Value::List(vec![line; lines])),
    ]);
    let key = DocKey::new(key).expect("a key");
    Document { key, digest: digest(&body), version: None, rids: vec![Rid(1)], body }
}

pub(super) fn documents(keys: &[&str]) -> Vec<Document> {
    keys.iter().map(|key| document(key, 2)).collect()
}

/// One call that must come next, and what it is answered.
pub(super) struct Step {
    service: &'static str,
    /// The numbers it must be about, in order; `None` for any.
    about: Option<Vec<String>>,
    /// Must it carry cookies?
    cookies: Option<&'static str>,
    /// How long the answer takes.
    after: Duration,
    answer: Result<Reply>,
}

impl Step {
    fn new(service: &'static str, about: &[&str]) -> Self {
        let about = Some(about.iter().map(ToString::to_string).collect());
        Self { service, about, cookies: None, after: Duration::ZERO, answer: Err(Error::bug("no answer was scripted")) }
    }

    pub(super) fn cookies(mut self, cookies: &'static str) -> Self {
        self.cookies = Some(cookies);
        self
    }

    pub(super) fn says(self, body: impl ToString) -> Self {
        self.answers(200, &body.to_string())
    }

    pub(super) fn answers(mut self, status: u16, body: &str) -> Self {
        let (content_type, body) = ("application/json".to_string(), body.as_bytes().to_vec());
        let set_cookies = Vec::new();
        self.answer = Ok(Reply {
            status,
            content_type,
            date: None,
            retry_after: None,
            set_cookies,
            body,
            received_at: Utc::now(),
        });
        self
    }

    pub(super) fn sets(mut self, cookies: &[&str]) -> Self {
        if let Ok(reply) = &mut self.answer {
            reply.set_cookies = cookies.iter().map(ToString::to_string).collect();
        }
        self
    }

    pub(super) fn after(mut self, wait: Duration) -> Self {
        self.after = wait;
        self
    }

    pub(super) fn fails(mut self, error: Error) -> Self {
        self.answer = Err(error);
        self
    }
}

pub(super) fn save(about: &[&str]) -> Step {
    Step::new("BatchSave", about)
}

pub(super) fn query(about: &[&str]) -> Step {
    Step::new("ExecuteBillQuery", about)
}

/// Submit or Audit of ids.
pub(super) fn operate(service: &'static str, ids: &[&str]) -> Step {
    Step::new(service, ids)
}

/// Plays the steps and refuses whatever differs.
pub(super) struct Script {
    steps: Mutex<VecDeque<Step>>,
    pub(super) requests: Mutex<Vec<Request>>,
}

#[async_trait::async_trait]
impl Transport for Script {
    async fn send(&self, request: &Request) -> Result<Reply> {
        let step = self.steps.lock().expect("no panic").pop_front();
        let service = request.url.rsplit_once("/Kingdee.").and_then(|(_, s)| s.strip_suffix(".common.kdsvc"));
        let service = service.and_then(|s| s.rsplit('.').next()).expect("a service").to_string();
        let about = about(request);
        self.requests.lock().expect("no panic").push(request.clone());
        let step = step.unwrap_or_else(|| panic!("nobody expected {service} of {about:?}"));
        assert_eq!(service, step.service, "of {about:?}");
        if let Some(expected) = step.about {
            assert_eq!(about, expected, "{service}");
        }
        if let Some(cookies) = step.cookies {
            assert_eq!(header(request, "Cookie").unwrap_or_default(), cookies, "{service}");
        }
        tokio::time::sleep(step.after).await;
        step.answer
    }
}

impl Script {
    /// Was everything said that was expected?
    pub(super) fn is_over(&self) {
        let left: Vec<_> = self.steps.lock().expect("no panic").iter().map(|s| s.service).collect();
        assert!(left.is_empty(), "never called: {left:?}");
    }
}

pub(super) fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// The numbers or ids a request is about.
fn about(request: &Request) -> Vec<String> {
    let body: Json = serde_json::from_slice(&request.body).expect("JSON");
    let data = &body["data"];
    match (&data["Model"], data["FilterString"].as_str(), data["Ids"].as_str()) {
        (Json::Array(models), _, _) => models.iter().map(|m| m["FBillNo"].as_str().unwrap_or("").to_string()).collect(),
        (Json::Object(model), _, _) => vec![model["FBillNo"].as_str().unwrap_or("").to_string()],
        (_, Some(filter), _) => filter.split('\'').skip(1).step_by(2).map(Into::into).collect(),
        (_, _, Some(ids)) => ids.split(',').map(Into::into).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn env() -> Env {
    Env::only([
        ("KINGDEE_URL", "http://erp.example/k3cloud/"),
        ("KINGDEE_ACCT_ID", "5f0c1a2b3c4d5e"),
        ("KINGDEE_USERNAME", "demo"),
        ("KINGDEE_APP_ID", "219843_5b2W64ET1uGWSCUu7T3F7YjN6d3bWqOA"),
        ("KINGDEE_APP_SECRET", APP_SECRET),
    ])
}

pub(super) fn sink_of(settings: &Kingdee, steps: Vec<Step>) -> (KingdeeSink, Arc<Script>) {
    let script = Arc::new(Script { steps: Mutex::new(steps.into()), requests: Mutex::default() });
    let wait = Duration::from_millis(1);
    let retry = RetryPolicy { max_attempts: 3, first_wait: wait, max_wait: wait, max_elapsed: Duration::from_secs(5) };
    let options = KingdeeOptions { target_id: None, lock_wait: wait, retry };
    let transport = Arc::clone(&script) as Arc<dyn Transport>;
    (KingdeeSink::new(settings, &env(), transport, options).expect("a sink"), script)
}

/// Sends documents with two lines each, and gives what became of each, shortly.
pub(super) async fn sent(keys: &[&str], steps: Vec<Step>) -> Result<Vec<String>> {
    let (sink, script) = sink_of(&settings(), steps);
    let receipts = sink.send(&documents(keys)).await;
    script.is_over();
    Ok(receipts?.iter().map(|r| short(&r.outcome)).collect())
}

/// `accepted 100`, `rejected data`, `conflict 100 lines`.
pub(super) fn short(outcome: &Outcome) -> String {
    let mut words = vec![outcome.state().word().to_string()];
    words.extend(outcome.remote().map(Into::into));
    words.extend(outcome.reason().map(|r| r.code.clone()));
    words.join(" ")
}

/// An answer of Save, Submit or Audit: stored (id, number, DIndex) and refused (field, message, DIndex).
pub(super) fn answer(stored: &[(i64, &str, i64)], wrong: &[(Option<&str>, &str, i64)], code: i64) -> Json {
    let stored: Vec<Json> = stored.iter().map(|(id, n, i)| json!({"Id": id, "Number": n, "DIndex": i})).collect();
    let wrong: Vec<Json> = wrong.iter().map(|(f, m, i)| json!({"FieldName": f, "Message": m, "DIndex": i})).collect();
    let mut status = json!({"IsSuccess": wrong.is_empty(), "Errors": wrong, "SuccessEntitys": stored});
    status["SuccessMessages"] = json!([]);
    status["MsgCode"] = json!(code);
    json!({"Result": {"ResponseStatus": status, "NeedReturnData": []}})
}

/// Rows of a query: id, number, status, lines; date and customer are ours.
pub(super) fn rows(there: &[(i64, &str, &str, i64)]) -> Json {
    let mut rows = Vec::new();
    for (id, number, status, lines) in there {
        for line in 1..=*lines {
            rows.push(json!([id, number, status, "2024-01-02T00:00:00", "CUST001", id * 10_000 + line]));
        }
    }
    Json::Array(rows)
}

pub(super) fn lost_session() -> String {
    fixture("kingdee-resp-no-valid-session.json")
}

pub(super) fn lost_session_of_a_query() -> String {
    fixture("kingdee-resp-executebillquery-no-valid-session.json")
}

/// The connection broke after the request went out.
pub(super) fn broken() -> Error {
    Error::unavailable("http://erp.example: the connection broke off").advise(Advice::AskFirst)
}
