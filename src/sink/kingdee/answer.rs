//! Reading what came back: the status object in its wrappings, rows of a query, and everything that is neither.
//!
//! Takes a reply, gives what it says and what it proves. Decides nothing about a document (`outcome.rs`), and never takes
//! `IsSuccess` for the truth: lists count.
//!
//! Facts: business failures come as HTTP 200; a query's failure is `[[status]]`; an unhandled exception is text beginning
//! `response_error:`; a request filter and IIS answer in shapes of their own. That nobody is logged in is said with HTTP 200,
//! as a status or as plain text, or is HTTP 401 itself: a page or a server's failure with such words proves nothing.

use super::fault::Class;
use crate::base::{Error, Kind};
use crate::net::Reply;
use serde_json::Value;
use serde_json::value::RawValue;

/// Longest text of an answer that is kept or shown, in bytes.
const SHOWN_BYTES: usize = 4096;

/// What an answer says.
#[derive(Debug)]
pub(super) enum Said {
    Status(Status),
    /// Rows of a query, columns as asked for.
    Rows(Vec<Vec<Cell>>),
    Else(Trouble),
}

/// `ResponseStatus` with what stands beside it.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// As number or text; `None` where the answer has none.
    pub code: Option<i64>,
    pub errors: Vec<Wrong>,
    pub stored: Vec<Stored>,
    /// `NeedReturnData`: one object per document, as far as builds give it.
    pub returned: Vec<Value>,
}

/// One of `Errors`.
#[derive(Debug, Clone)]
pub(super) struct Wrong {
    pub field: Option<String>,
    pub message: String,
    pub index: Option<usize>,
    pub raw: String,
}

/// One of `SuccessEntitys`.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// Internal id (FID); empty where the answer has none.
    pub id: String,
    /// FBillNo as stored; empty where the answer has none.
    pub number: String,
    pub index: Option<usize>,
    pub raw: String,
}

/// One value of a query's row. Numbers keep their digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    /// A number's digits as they came.
    Number(String),
    Text(String),
}

/// An answer that is no answer of the called service.
#[derive(Debug)]
pub(super) struct Trouble {
    /// In one line, without what may be long.
    pub text: String,
    pub proves: Proves,
}

/// What an answer proves about a write.
#[derive(Debug)]
pub(super) enum Proves {
    /// Nobody was logged in when it was said. What was done before that is not told.
    NoSession,
    /// Something before the service refused it: nothing is stored, other content may pass.
    Refused,
    /// Nothing is stored, and nothing will be until somebody does something.
    Stop(Error),
    /// Turned away at the server's door: as [`Self::Stop`] where this session was never let in, as [`Self::Refused`] where it
    /// was, for then it is the content.
    Door(Error),
    /// Nothing.
    Nothing,
}

impl Cell {
    /// Text without quotes; empty for null.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Null => "",
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Number(text) | Self::Text(text) => text,
        }
    }
}

impl Status {
    /// The class of what every error says, where they all say the same.
    pub(super) fn class(&self) -> Option<Class> {
        let mut classes = self.errors.iter().map(|e| Class::of(&e.message, self.code));
        let first = match classes.next() {
            Some(class) => class?,
            None => Class::of("", self.code)?,
        };
        classes.all(|class| class == Some(first)).then_some(first)
    }

    /// All messages in one line.
    pub(super) fn messages(&self) -> String {
        let texts: Vec<&str> = self.errors.iter().map(|e| e.message.as_str()).collect();
        match (texts.is_empty(), self.code) {
            (false, _) => joined(&texts),
            (true, Some(code)) => format!("MsgCode {code} without a message"),
            (true, None) => "neither errors nor successes".to_string(),
        }
    }

    /// Is it the answer of a server that does not know who calls?
    pub(super) fn no_session(&self) -> bool {
        self.stored.is_empty() && self.class() == Some(Class::Session)
    }
}

/// Texts without repetition, at most the length that is shown.
pub(super) fn joined(texts: &[&str]) -> String {
    let mut unique: Vec<&str> = Vec::new();
    for text in texts {
        if !unique.contains(text) {
            unique.push(text);
        }
    }
    cut(&unique.join("; ")).to_string()
}

/// At most [`SHOWN_BYTES`], cut between characters.
pub(super) fn cut(text: &str) -> &str {
    let end = (0..=SHOWN_BYTES.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    &text[..end]
}

/// Reads a reply of any status.
pub(super) fn read(reply: &Reply) -> Said {
    let text = String::from_utf8_lossy(&reply.body);
    let text = text.trim_start_matches('\u{feff}').trim();
    match reply.status {
        200..=299 => ok(text),
        status => Said::Else(refused(status, text)),
    }
}

fn ok(text: &str) -> Said {
    if let Ok(Value::String(inner)) = serde_json::from_str::<Value>(text) {
        // Some builds answer JSON as a JSON text.
        return ok(inner.trim());
    }
    if text.starts_with('[') {
        return list(text);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) => status_of(&value).map_or_else(|| nothing("an answer without ResponseStatus", text), Said::Status),
        Err(_) => plain(text),
    }
}

/// Rows, a failure dressed as a row, or the request filter.
fn list(text: &str) -> Said {
    if let Ok(rows) = serde_json::from_str::<Vec<Vec<&RawValue>>>(text) {
        let first = rows.first().and_then(|row| row.first()).map(|cell| cell.get());
        if let Some(object) = first.filter(|cell| cell.starts_with('{')) {
            let status = serde_json::from_str::<Value>(object).ok().as_ref().and_then(status_of);
            return status.map_or_else(|| nothing("rows that hold objects", text), Said::Status);
        }
        let cells: Option<Vec<Vec<Cell>>> =
            rows.iter().map(|row| row.iter().map(|raw| cell(raw.get())).collect()).collect();
        return cells.map_or_else(|| nothing("rows that hold lists", text), Said::Rows);
    }
    match serde_json::from_str::<Vec<Value>>(text) {
        Ok(items) if items.iter().any(|item| item.get("actionname").is_some()) => {
            let message = items.iter().find_map(|item| item.pointer("/params/0/msg")?.as_str());
            let text = format!("the server's request filter: {}", message.unwrap_or("no message"));
            Said::Else(Trouble { text: cut(&text).to_string(), proves: Proves::Refused })
        }
        Ok(_) => nothing("a list of something else", text),
        Err(_) => nothing("broken JSON", text),
    }
}

fn cell(raw: &str) -> Option<Cell> {
    Some(match raw.as_bytes().first()? {
        b'n' => Cell::Null,
        b't' => Cell::Bool(true),
        b'f' => Cell::Bool(false),
        b'"' => Cell::Text(serde_json::from_str(raw).ok()?),
        b'[' | b'{' => return None,
        _ => Cell::Number(raw.to_string()),
    })
}

/// The status wherever builds put it; `Result` of a task that runs apart is not one.
fn status_of(value: &Value) -> Option<Status> {
    let result = value.get("Result").unwrap_or(value);
    let status = result.get("ResponseStatus").unwrap_or(result);
    status.as_object()?;
    if status.get("Errors").is_none() && status.get("SuccessEntitys").is_none() && status.get("IsSuccess").is_none() {
        return None;
    }
    let rows = |name: &str| status.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut stored: Vec<Stored> = rows("SuccessEntitys").iter().map(stored).collect();
    // Save tells id and number beside the status as well.
    if stored.is_empty() && status.get("IsSuccess").and_then(Value::as_bool) == Some(true) {
        stored.extend(result.get("Id").filter(|id| !id.is_null()).map(|id| Stored {
            id: word(Some(id)),
            number: word(result.get("Number")),
            index: Some(0),
            raw: format!("{{\"Id\":{id},\"Number\":{}}}", result.get("Number").unwrap_or(&Value::Null)),
        }));
    }
    Some(Status {
        code: whole(status.get("MsgCode")),
        errors: rows("Errors").iter().map(wrong).collect(),
        stored,
        returned: result.get("NeedReturnData").and_then(Value::as_array).cloned().unwrap_or_default(),
    })
}

fn wrong(row: &Value) -> Wrong {
    Wrong {
        field: Some(word(row.get("FieldName"))).filter(|field| !field.is_empty()),
        message: word(row.get("Message")),
        index: index(row),
        raw: row.to_string(),
    }
}

fn stored(row: &Value) -> Stored {
    let number = row.get("Number").filter(|n| !n.is_null()).or_else(|| row.get("BillNo"));
    Stored { id: word(row.get("Id")), number: word(number), index: index(row), raw: row.to_string() }
}

fn index(row: &Value) -> Option<usize> {
    whole(row.get("DIndex")).and_then(|index| usize::try_from(index).ok())
}

/// A number as number or text.
fn whole(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn word(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.trim().to_string(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Text that is no JSON, said with HTTP 200.
fn plain(text: &str) -> Said {
    if !text.starts_with('<') && Class::of(text, None) == Some(Class::Session) {
        return Said::Else(Trouble { text: cut(text).to_string(), proves: Proves::NoSession });
    }
    if let Some(error) = wrong_account(text) {
        return Said::Else(Trouble { text: cut(text).to_string(), proves: Proves::Stop(error) });
    }
    match text.get(..15) {
        Some("response_error:") => nothing("the server failed", &text[15..]),
        _ if text.is_empty() => nothing("an empty answer", ""),
        _ if text.starts_with('<') => nothing("a web page instead of an answer", ""),
        _ => nothing("an answer that is no JSON", text),
    }
}

fn nothing(what: &str, text: &str) -> Said {
    let text = if text.is_empty() { what.to_string() } else { format!("{what}: {}", cut(text.trim())) };
    Said::Else(Trouble { text, proves: Proves::Nothing })
}

/// Another HTTP status than success.
fn refused(status: u16, text: &str) -> Trouble {
    let shown = if text.is_empty() || text.starts_with('<') { String::new() } else { format!(": {}", cut(text)) };
    let proves = if let Some(error) = wrong_account(text) {
        Proves::Stop(error)
    } else if status == 401 {
        Proves::NoSession
    } else {
        match status {
            // Refused for what it holds, by the server's front or a filter before it.
            400 | 413 | 422 => Proves::Refused,
            404 => Proves::Stop(no_service(status)),
            405 => Proves::Door(no_service(status)),
            403 => Proves::Door(shut_out(status, &shown)),
            407 => Proves::Stop(shut_out(status, &shown)),
            429 => Proves::Stop(Error::new(Kind::Unavailable, "the server asks for fewer calls (HTTP 429)")),
            _ => Proves::Nothing,
        }
    };
    Trouble { text: format!("HTTP {status}{shown}"), proves }
}

fn no_service(status: u16) -> Error {
    Error::config(format!("the server answers HTTP {status}: there is no such service"))
        .hint("sink.url ends where the services are, as https://host/k3cloud/")
}

fn shut_out(status: u16, shown: &str) -> Error {
    Error::denied(format!("the server answers HTTP {status}{shown}"))
        .hint("a firewall or proxy refuses this machine: ask who keeps the ERP's network")
}

fn wrong_account(text: &str) -> Option<Error> {
    text.to_lowercase().contains("fail to verify thirty passport").then(|| {
        Error::denied("the server knows no such account set, or not this app in it (Fail to verify thirty passport)")
            .hint("check sink.acct_id: it is the data centre's id, not its name")
    })
}
