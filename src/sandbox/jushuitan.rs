//! Jushuitan's open platform (new gateway), as its clients describe it: `other.inout.query` and the token calls.
//!
//! Takes form parameters, checks them in an order (address, sign, timestamp, token, permission, rate, parameters), gives the
//! vendor's envelope. Always HTTP 200; what goes wrong below that is `server` and `faults`. The order of the checks, the
//! codes of bad windows and the wording of business refusals are our guesses; the codes and texts of the gateway are not.

mod answer;
mod config;
mod flaw;
mod query;
mod record;
mod render;
mod tokens;
mod truth;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use md5::{Digest, Md5};
use serde_json::Value;

pub use config::{HasNext, JushuitanConfig, Table, WindowCode};
pub use query::PageSizeAbove;
pub use tokens::Refreshing;
pub use truth::JushuitanTruth;

use super::gateway::{BEIJING, Form, Rate, field, form};
use super::json::Pen;
use super::server::{Answer, Request, Vendor};
use super::{Config, IdStyle};
use answer::{envelope, list, page};
use query::{Fault, Moved, Query, Window};
use record::{Book, Document, Version};
use render::{Shape, document};
use tokens::{Refused, Tokens};

/// The application the simulated merchant knows, and the tokens it begins with; obviously not real ones.
pub const APP_KEY: &str = "sandbox-jst-app";
pub const APP_SECRET: &str = "SandBox-Jst-Secret-0123456789abcdef";
pub const ACCESS_TOKEN: &str = "sandbox-access-token-00000000001";
pub const REFRESH_TOKEN: &str = "sandbox-refresh-token-0000000001";

/// Where `other.inout.query` is.
const QUERY: &str = "/open/other/inout/query";
/// Tokens for the merchant's own application, for a service provider's, and new ones for old.
const INIT: &str = "/openWeb/auth/getInitToken";
const ACCESS: &str = "/openWeb/auth/accessToken";
const REFRESH: &str = "/openWeb/auth/refreshToken";

/// Documents modified after the first look at a window of several pages.
const MOVED_PER_WINDOW: usize = 3;

/// The codes of the gateway; section 1.7 of the fact sheet.
mod code {
    pub const SIGN: u32 = 10;
    pub const TOKEN: u32 = 100;
    pub const ADDRESS: u32 = 110;
    /// Older meaning; seen live with the text used here.
    pub const UNREADABLE: u32 = 130;
    pub const TIMESTAMP_NEWER: u32 = 140;
    pub const REFRESH_FORBIDDEN: u32 = 150;
    /// Seen live for a missing window of another method.
    pub const WINDOW: u32 = 170;
    pub const TIMESTAMP_OLDER: u32 = 180;
    pub const PERMISSION: u32 = 190;
    pub const RATE_SECOND: u32 = 199;
    /// Too many calls in a minute; with another text a business refusal.
    pub const RATE_MINUTE: u32 = 200;
}

const TOKEN_TEXT: &str = "验证失败！无效的access_token或access_token已过期";
const SECOND_TEXT: &str = "调用频次超过限制!请稍后再试";
const MINUTE_TEXT: &str = "调用频次超过限制";

/// A refusal: code and message.
type Refusal = (u32, String);

/// The simulated platform with its one merchant.
#[derive(Debug)]
pub struct Jushuitan {
    config: JushuitanConfig,
    seed: u64,
    shape: Shape,
    book: Book,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: Tokens,
    per_second: Option<Rate>,
    per_minute: Option<Rate>,
    moved: Moved,
    /// Documents modified for each window.
    shifted: HashMap<Window, usize>,
    last_ts: i64,
}

impl Jushuitan {
    pub fn new(config: &Config) -> Self {
        let (own, book) = (config.jushuitan.clone(), Book::new(config));
        let rate = |most: Option<u32>, seconds| most.map(|most| Rate::new(most as usize, Duration::from_secs(seconds)));
        let state = State {
            tokens: Tokens::new(Utc::now() + config.clock_offset, own.token_life),
            per_second: rate(own.calls_per_second, 1),
            per_minute: rate(own.calls_per_minute, 60),
            moved: Moved::new(),
            shifted: HashMap::new(),
            last_ts: book.last_ts(),
        };
        let shape = Shape { batches: own.batches, drift: config.drift };
        Jushuitan { config: own, seed: config.seed, shape, book, state: Mutex::new(state) }
    }

    pub fn truth(&self) -> JushuitanTruth {
        JushuitanTruth::count(self.seed, &self.book)
    }

    /// Access and refresh token, as they are.
    pub fn tokens(&self) -> (String, String) {
        let state = self.state();
        let (access, refresh) = state.tokens.pair();
        (access.to_owned(), refresh.to_owned())
    }

    /// The access token is no longer valid; the refresh token is.
    pub fn expire_token(&self) {
        self.state().tokens.expire();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is complete in itself, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, request: &Request<'_>) -> Result<Answer, Refusal> {
        if self.config.addresses.as_ref().is_some_and(|list| !list.contains(&request.peer)) {
            let peer = request.peer;
            let message = format!("验证失败！已设置IP白名单，该IP不在白名单列表：{peer}，请登录开发者后台自行添加IP");
            return Err((code::ADDRESS, message));
        }
        let form = form(&[request.body]);
        check_sign(&form)?;
        self.check_timestamp(field(&form, "timestamp"), request.now)?;
        match request.path {
            INIT | ACCESS => {
                let began = self.state().tokens.begin(&form, request.now);
                self.token_answer(began)
            }
            REFRESH => {
                let renewed = self.state().tokens.refresh(&form, request.now, self.config.refreshing);
                self.token_answer(renewed)
            }
            path => {
                if !self.state().tokens.allows(field(&form, "access_token"), request.now) {
                    return Err((code::TOKEN, TOKEN_TEXT.to_owned()));
                }
                if path != QUERY {
                    return Err((code::PERMISSION, "验证失败！无API权限，请申请API权限".to_owned()));
                }
                self.check_rate(request.tick)?;
                self.query(&form, request)
            }
        }
    }

    fn check_timestamp(&self, timestamp: &str, now: DateTime<Utc>) -> Result<(), Refusal> {
        // Ten digits: seconds, not milliseconds.
        let sent =
            timestamp.parse().ok().filter(|_| timestamp.len() == 10).and_then(|s| DateTime::from_timestamp(s, 0));
        match (
            sent.is_some_and(|sent| (now - sent).abs() <= self.config.clock_skew_allowed),
            self.config.timestamp_table,
        ) {
            (true, _) => Ok(()),
            (false, Table::Newer) => {
                Err((code::TIMESTAMP_NEWER, "验证失败！无效的timestamp，请求最大时间误差15分钟".to_owned()))
            }
            (false, Table::Older) => Err((code::TIMESTAMP_OLDER, "执行失败! timestamp无效".to_owned())),
        }
    }

    /// A call refused here is not counted.
    fn check_rate(&self, tick: Instant) -> Result<(), Refusal> {
        let mut state = self.state();
        if state.per_second.as_mut().is_some_and(|rate| !rate.allows(tick)) {
            return Err((code::RATE_SECOND, SECOND_TEXT.to_owned()));
        }
        if state.per_minute.as_mut().is_some_and(|rate| !rate.allows(tick)) {
            return Err((code::RATE_MINUTE, MINUTE_TEXT.to_owned()));
        }
        let State { per_second, per_minute, .. } = &mut *state;
        for rate in [per_second, per_minute].into_iter().flatten() {
            rate.take(tick);
        }
        Ok(())
    }

    fn token_answer(&self, data: Result<Value, Refused>) -> Result<Answer, Refusal> {
        let data = data.map_err(|refused| match refused {
            // No source has the text; clients look for code 100.
            Refused::Unknown => (code::TOKEN, "验证失败！无效的refresh_token或refresh_token已过期".to_owned()),
            Refused::Forbidden => (code::REFRESH_FORBIDDEN, "服务商应用禁止刷新access_token,需商户重新授权".to_owned()),
            Refused::Parameter(name) => (code::UNREADABLE, format!("传输数据不能为空：{name}")),
        })?;
        Ok(Answer::json(envelope(&self.config, 0, "执行成功", data.to_string().as_bytes())))
    }

    fn query(&self, form: &Form, request: &Request<'_>) -> Result<Answer, Refusal> {
        if field(form, "version") != "2" || !field(form, "charset").eq_ignore_ascii_case("utf-8") {
            return Err((code::UNREADABLE, "传输数据不能为空：version、charset".to_owned()));
        }
        let query = Query::parse(field(form, "biz"), self.config.page_size_above).map_err(|fault| match fault {
            Fault::Window(message) => (self.window_code(), message.to_owned()),
            Fault::Unreadable => (code::UNREADABLE, "参数无法转换".to_owned()),
            Fault::Rule(message) => (code::RATE_MINUTE, message),
        })?;
        // The lock is not held while selecting: that can take a while over many documents.
        let moved = self.state().moved.clone();
        let rows = query.select(&self.book, &moved);
        let offset = (query.page_index - 1).saturating_mul(query.page_size);
        let chosen: Vec<u32> = if request.endless {
            rows.iter().cycle().skip(offset % rows.len().max(1)).take(query.page_size).copied().collect()
        } else {
            rows.iter().skip(offset).take(query.page_size).copied().collect()
        };
        let more = request.endless || rows.len() > offset.saturating_add(query.page_size);
        if self.config.shift_while_paging && rows.len() > query.page_size {
            self.shift(query.window, &chosen, request.now);
        }
        let documents = chosen.iter().map(|index| self.document(*index, &moved));
        Ok(Answer::page(page(&self.config, self.shape, &query, rows.len(), more, documents).into()))
    }

    fn window_code(&self) -> u32 {
        match self.config.window_code {
            WindowCode::Code170 => code::WINDOW,
            WindowCode::Code130 => code::UNREADABLE,
        }
    }

    /// Some documents of the page are modified now: no more than a few for a window, and each once at most, so that
    /// looking again comes to an end.
    fn shift(&self, window: Option<Window>, page: &[u32], now: DateTime<Utc>) {
        let Some(window) = window else { return };
        let mut state = self.state();
        let room = MOVED_PER_WINDOW - state.shifted.get(&window).copied().unwrap_or(0);
        let fresh: Vec<u32> =
            page.iter().filter(|index| !state.moved.contains_key(index)).take(room).copied().collect();
        *state.shifted.entry(window).or_default() += fresh.len();
        for index in fresh {
            state.last_ts += 7;
            let version = Version { modified: (now + BEIJING).timestamp(), ts: state.last_ts };
            state.moved.insert(index, version);
        }
    }

    /// A document as it is after what has been modified.
    fn document(&self, index: u32, moved: &Moved) -> Document {
        let document = self.book.document(index);
        let version = moved.get(&index).copied().unwrap_or(document.version);
        Document { version, ..document }
    }

    fn failure(&self, (code, message): Refusal) -> Answer {
        Answer::json(envelope(&self.config, code, &message, b"null"))
    }

    /// What a fault of our own does before the call is looked at; none if there is no fault of this name.
    fn own_fault(&self, name: &str) -> Option<Result<(), Refusal>> {
        match name {
            "expire-token" => self.state().tokens.expire(),
            "revoke-tokens" => self.state().tokens.revoke(),
            "minute-limit" => return Some(Err((code::RATE_MINUTE, MINUTE_TEXT.to_owned()))),
            _ => return None,
        }
        Some(Ok(()))
    }

    /// One document by its number, as JSON text.
    fn inout(&self, io_id: &str) -> Option<Bytes> {
        let index = self.book.by_io_id(io_id.parse().ok()?)?;
        let moved = self.state().moved.clone();
        let mut pen = Pen::new(IdStyle::Text, 4_096);
        document(&mut pen, &self.document(index, &moved), self.shape);
        Some(Bytes::from(pen.buf))
    }

    /// A page of all documents by number, from 1, 50 on each.
    fn numbered(&self, number: &str) -> Option<Bytes> {
        let number: u32 = number.parse().ok().filter(|number| *number > 0)?;
        let moved = self.state().moved.clone();
        let first = (number - 1).checked_mul(50).filter(|first| *first < self.book.len())?;
        let mut pen = Pen::new(IdStyle::Text, 200_000);
        let indexes = first..self.book.len().min(first + 50);
        list(&mut pen, self.shape, indexes.map(|index| self.document(index, &moved)));
        Some(Bytes::from(pen.buf))
    }
}

impl Vendor for Jushuitan {
    fn name(&self) -> &'static str {
        "jushuitan"
    }

    fn owns(&self, path: &str) -> bool {
        path.starts_with("/open/") || path.starts_with("/openWeb/")
    }

    fn answer(&self, request: &Request<'_>) -> Answer {
        if let Some(name) = request.fault {
            match self.own_fault(name) {
                None => return Answer::html(500, format!("the simulated Jushuitan has no fault called {name}")),
                Some(Err(refusal)) => return self.failure(refusal),
                Some(Ok(())) => {}
            }
        }
        self.respond(request).unwrap_or_else(|refusal| self.failure(refusal))
    }

    fn throttled(&self) -> Answer {
        self.failure((code::RATE_SECOND, SECOND_TEXT.to_owned()))
    }

    fn inspect(&self, path: &str) -> Option<Bytes> {
        match path.split_once('/') {
            None if path == "truth" => Some(self.truth().to_json().to_string().into()),
            Some(("inout", io_id)) => self.inout(io_id),
            Some(("page", number)) => self.numbered(number),
            _ => None,
        }
    }

    fn operations(&self) -> &'static [&'static str] {
        &["query", "token", "refresh"]
    }

    fn operation(&self, request: &Request<'_>) -> &'static str {
        match request.path {
            INIT | ACCESS => "token",
            REFRESH => "refresh",
            _ => "query",
        }
    }

    fn counts(&self, request: &Request<'_>) -> bool {
        self.operation(request) == "query"
    }
}

fn check_sign(form: &Form) -> Result<(), Refusal> {
    let (given, key) = (field(form, "sign"), field(form, "app_key"));
    // Clients disagree about empty values, so both readings are taken.
    let good = key == APP_KEY && [true, false].iter().any(|keep| given == sign(APP_SECRET, form, *keep));
    if good { Ok(()) } else { Err((code::SIGN, "验证失败！无效签名".to_owned())) }
}

/// The vendor's signature: the secret, then the sorted parameters, name and value, through MD5. Empty values are part of
/// it or not.
pub fn sign(secret: &str, form: &Form, keep_empty: bool) -> String {
    let mut signed: Vec<&(String, String)> =
        form.iter().filter(|(name, value)| name != "sign" && (keep_empty || !value.is_empty())).collect();
    signed.sort_unstable();
    let mut text = secret.to_owned();
    for (name, value) in signed {
        text.push_str(name);
        text.push_str(value);
    }
    hex::encode(Md5::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_signatures_are_reproduced() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/fixtures/vendor/sign-vectors.json"))
            .expect("a table of vectors");
        let known = vectors["jushuitan_new"].as_array().unwrap();
        assert_eq!(known.len(), 3);
        for vector in known {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let mut form: Form =
                vector["params"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect();
            form.push(("sign".to_owned(), "not part of it".to_owned()));
            assert_eq!(sign(&text(&vector["secret"]), &form, true), vector["sign"], "{vector}");
            form.push(("scope".to_owned(), String::new()));
            assert_eq!(sign(&text(&vector["secret"]), &form, false), vector["sign"], "empty values left out");
        }
    }
}
