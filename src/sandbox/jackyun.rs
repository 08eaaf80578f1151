//! Jackyun's open platform, as its documentation and its clients describe it: one gateway, one method,
//! `oms.trade.fullinfoget`.
//!
//! Takes form parameters, checks them in the vendor's order (sign, appkey, timestamp, method, quota, rate, parameters),
//! gives the vendor's envelope. Always HTTP 200; what goes wrong below that is `server` and `faults`.
//! The order of the checks, the code of an expired time stamp and the messages' wording are our guesses.

mod fast;
mod fields;
mod query;
mod render;
mod trade;
mod truth;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use md5::{Digest, Md5};

pub use fast::FastSummary;
pub use trade::Axis;
pub use truth::Truth;

use super::gateway::{BEIJING, Rate, field, form};
use super::json::{Pen, escape};
use super::server::{Answer, Request, Vendor};
use super::{Config, EmptyStyle, EnvelopeStyle};
use fast::Fast;
use query::{Moved, Query, Row, seconds};
use render::{Projection, page};
use trade::{Book, Trade};

/// The application the simulated merchant knows; obviously not a real one.
pub const APP_KEY: &str = "sandbox-app";
pub const APP_SECRET: &str = "SandBox-Secret-0123456789abcdef";
/// The only method the application has subscribed.
pub const METHOD: &str = "oms.trade.fullinfoget";
/// Where the gateway is.
pub const PATH: &str = "/open/openapi/do";

/// The complete `fields` list of the order, as its author asks for it.
pub const SEED_FIELDS: &str = include_str!("jackyun/seed_fields.txt");

/// What of [`SEED_FIELDS`] gives nothing: the vendor wants `columnExt` instead.
#[cfg(test)]
const SEED_FIELDS_NOT_ANSWERED: [&str; 1] = ["tradeOrderColumnExt"];

/// Sub-codes of failures; the fact sheet's section 2.7 unless said otherwise.
mod code {
    pub const SIGN: &str = "0858030801";
    pub const APP_KEY: &str = "0858030802";
    /// A guess: the next number after the documented token error. No source names the code of an expired request.
    pub const TIMESTAMP: &str = "0858030804";
    pub const METHOD: &str = "0130020310";
    pub const QUOTA: &str = "0130000609";
    /// The likely code of calling too fast; no source saw it.
    pub const RATE: &str = "0859999999";
    pub const SYSTEM_PARAMETER: &str = "0050030002";
    pub const PARAMETER: &str = "0040139996";
}

/// Cursors kept; the oldest is forgotten first.
const MAX_SCROLLS: usize = 32;
/// Trades modified after the first page of a pull.
const MOVED_PER_PULL: usize = 3;

/// A refusal: sub-code and message.
type Refusal = (&'static str, String);

/// The simulated platform with its one merchant.
#[derive(Debug)]
pub struct Jackyun {
    config: Config,
    book: Book,
    fast: Option<Fast>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    moved: Moved,
    scrolls: VecDeque<(u64, Arc<Vec<Row>>)>,
    /// The number of the next cursor.
    next_scroll: u64,
    used_calls: u64,
    rate: Option<Rate>,
}

impl Jackyun {
    /// Works out what can be worked out beforehand; with `config.fast` this renders every page and takes seconds.
    pub fn new(config: Config) -> Self {
        let book = Book::new(&config);
        let fast = config.fast.as_ref().map(|spec| Fast::render(spec, &config, &book));
        // Cursors of an earlier sandbox on the same port must not be taken for ours, so numbers begin at the time.
        let next_scroll = Utc::now().timestamp_micros().unsigned_abs();
        let state = State {
            moved: Moved::new(),
            scrolls: VecDeque::new(),
            next_scroll,
            used_calls: 0,
            rate: config.calls_per_second.map(Rate::per_second),
        };
        Jackyun { config, book, fast, state: Mutex::new(state) }
    }

    pub fn truth(&self) -> Truth {
        Truth::count(self.config.seed, &self.book)
    }

    /// What was rendered beforehand.
    pub fn fast_summary(&self) -> Option<FastSummary> {
        self.fast.as_ref().map(Fast::summary)
    }

    /// One trade with every field, as JSON text.
    pub fn trade_json(&self, trade_no: &str) -> Option<Vec<u8>> {
        let index = self.book.by_trade_no(trade_no)?;
        let mut trade = self.book.trade(index);
        if let Some(modified) = self.state().moved.get(&index) {
            trade.times.modified = *modified;
        }
        let mut pen = Pen::new(self.config.ids, 16_384);
        Projection::everything().write(&mut pen, &trade, self.config.drift);
        Some(pen.buf)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is complete in itself, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let form = form(&[request.body, request.query.as_bytes()]);
        let get = |name: &str| field(&form, name);
        if get("sign") != sign(APP_SECRET, &form) {
            return Err((code::SIGN, "签名错误".to_owned()));
        }
        if get("appkey") != APP_KEY {
            return Err((code::APP_KEY, "appkey不存在".to_owned()));
        }
        self.check_timestamp(get("timestamp"), request.now)?;
        if get("method") != METHOD {
            return Err((code::METHOD, format!("应用不存在或未订阅该接口：{}", get("method"))));
        }
        self.check_budget(request.tick)?;
        if !get("version").to_ascii_lowercase().trim_start_matches('v').eq("1.0") || get("contenttype") != "json" {
            return Err((code::SYSTEM_PARAMETER, "version或contenttype缺失或不支持".to_owned()));
        }
        let refuse = |message| (code::PARAMETER, message);
        let query = Query::parse(get("bizcontent"), self.config.max_page_size).map_err(refuse)?;
        self.pull(&query, request).map_err(refuse)
    }

    fn check_timestamp(&self, timestamp: &str, now: DateTime<Utc>) -> Result<(), Refusal> {
        let sent = seconds("timestamp", timestamp).map_err(|message| (code::TIMESTAMP, message))?;
        let off = TimeDelta::seconds(((now + BEIJING).timestamp() - sent).abs());
        if off > self.config.clock_skew_allowed {
            return Err((code::TIMESTAMP, "请求已过期，请检查timestamp".to_owned()));
        }
        Ok(())
    }

    /// Quota, then rate. A call refused here costs nothing of either.
    fn check_budget(&self, tick: Instant) -> Result<(), Refusal> {
        let mut state = self.state();
        if self.config.quota.is_some_and(|quota| state.used_calls >= quota) {
            return Err((
                code::QUOTA,
                "该应用未开通开放平台或调用额度不足，无法调用接口，请联系客户经理处理".to_owned(),
            ));
        }
        if let Some(rate) = &mut state.rate {
            if !rate.allows(tick) {
                return Err((code::RATE, "接口调用频率超限，请稍后再试".to_owned()));
            }
            rate.take(tick);
        }
        state.used_calls += 1;
        Ok(())
    }

    /// The page asked for.
    fn pull(&self, query: &Query, request: &Request<'_>) -> Result<Answer, String> {
        let fast = self.fast.as_ref().filter(|_| !request.endless);
        if let Some(page) = fast.and_then(|fast| fast.page(query)) {
            return Ok(Answer::page(page));
        }
        let cursor = query.scroll.as_deref().filter(|_| query.fields.scroll);
        let (scroll, offset, rows) = match cursor {
            None => (0, query.page_index.saturating_mul(query.page_size), Arc::new(self.select(query))),
            Some("") => self.open_scroll(query),
            Some(token) => self.follow_scroll(token)?,
        };
        let chosen: Vec<Row> = if request.endless {
            rows.iter().cycle().skip(offset % rows.len().max(1)).take(query.page_size).copied().collect()
        } else {
            rows.iter().skip(offset).take(query.page_size).copied().collect()
        };
        if self.config.modify_while_paging && offset == 0 && rows.len() > chosen.len() {
            self.modify(&chosen, request.now);
        }
        if rows.is_empty() && self.config.empty_window != EmptyStyle::Array {
            return Ok(Answer::json(match self.config.empty_window {
                EmptyStyle::Text => envelope_of(b"\"\"", offset as u64),
                _ => Vec::new(),
            }));
        }
        let full = chosen.len() == query.page_size;
        let next = if full { token(scroll, offset + chosen.len()) } else { String::new() };
        let total = query.has_total.then_some(rows.len());
        let body = self.render(&query.fields, &chosen, cursor.map(|_| next.as_str()), total);
        Ok(Answer::page(Bytes::from(body)))
    }

    fn select(&self, query: &Query) -> Vec<Row> {
        // The lock is not held while selecting: that can take a while over a big window.
        let moved = self.state().moved.clone();
        query.select(&self.book, &moved)
    }

    /// A cursor over the answer as it is now: later modifications change neither its rows nor their times.
    fn open_scroll(&self, query: &Query) -> (u64, usize, Arc<Vec<Row>>) {
        let rows = Arc::new(self.select(query));
        let mut state = self.state();
        let number = state.next_scroll;
        state.next_scroll += 1;
        if state.scrolls.len() == MAX_SCROLLS {
            state.scrolls.pop_front();
        }
        state.scrolls.push_back((number, Arc::clone(&rows)));
        (number, 0, rows)
    }

    /// The same token always leads to the same place, so a lost answer can be asked for again.
    fn follow_scroll(&self, text: &str) -> Result<(u64, usize, Arc<Vec<Row>>), String> {
        let unknown = || "scrollId无效或已过期".to_owned();
        let (number, offset) = read_token(text).ok_or_else(unknown)?;
        let state = self.state();
        let (_, rows) = state.scrolls.iter().find(|(known, _)| *known == number).ok_or_else(unknown)?;
        Ok((number, offset, Arc::clone(rows)))
    }

    /// Some trades of the first page are modified now, each trade once at most, so that catching up comes to an end.
    fn modify(&self, first_page: &[Row], now: DateTime<Utc>) {
        let mut state = self.state();
        let fresh: Vec<u32> = first_page.iter().map(|row| row.index).filter(|i| !state.moved.contains_key(i)).collect();
        for index in fresh.into_iter().take(MOVED_PER_PULL) {
            state.moved.insert(index, (now + BEIJING).timestamp());
        }
    }

    fn render(&self, fields: &Projection, rows: &[Row], scroll: Option<&str>, total: Option<usize>) -> Vec<u8> {
        let mut pen = Pen::new(self.config.ids, 1024 + rows.len() * 7_000);
        let trades = rows.iter().map(|row| trade_at(&self.book, *row));
        page(&mut pen, fields, trades, scroll, total, self.config.drift);
        wrap(self.config.envelope, &pen.buf, rows.first().map_or(0, |row| u64::from(row.index)))
    }
}

impl Vendor for Jackyun {
    fn name(&self) -> &'static str {
        "jackyun"
    }

    fn owns(&self, path: &str) -> bool {
        path == PATH
    }

    fn answer(&self, request: &Request<'_>) -> Answer {
        self.respond(request).unwrap_or_else(|(sub_code, message)| Answer::json(failure(sub_code, &message)))
    }

    fn throttled(&self) -> Answer {
        Answer::json(failure(code::RATE, "服务限流，请稍后再试"))
    }

    fn inspect(&self, path: &str) -> Option<Bytes> {
        match path.split_once('/') {
            None if path == "truth" => Some(self.truth().to_json().to_string().into()),
            Some(("trade", no)) => self.trade_json(no).map(Bytes::from),
            // Pages as they lie in memory: to see how fast they can be served.
            Some(("page", number)) => self.fast.as_ref()?.numbered(number.parse().ok()?),
            _ => None,
        }
    }
}

/// The trade of a row, with the row's time of modification.
fn trade_at(book: &Book, row: Row) -> Trade {
    let mut trade = book.trade(row.index);
    trade.times.modified = row.modified;
    trade
}

/// The vendor's signature: the sorted parameters between the secret, all in lower case, through MD5.
pub fn sign(secret: &str, parameters: &[(String, String)]) -> String {
    let mut signed: Vec<&(String, String)> =
        parameters.iter().filter(|(name, _)| !matches!(name.as_str(), "sign" | "contextid" | "token")).collect();
    signed.sort_unstable();
    let mut text = secret.to_owned();
    for (name, value) in signed {
        text.push_str(name);
        text.push_str(value);
    }
    text.push_str(secret);
    hex::encode(Md5::digest(text.to_lowercase().as_bytes()))
}

/// An opaque cursor of 32 hex digits: number of the pull, offset in it, and a check against invented ones.
fn token(scroll: u64, offset: usize) -> String {
    let offset = offset as u32;
    format!("{scroll:016x}{offset:08x}{:08x}", token_check(scroll, offset))
}

fn token_check(scroll: u64, offset: u32) -> u32 {
    ((scroll ^ u64::from(offset).rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

fn read_token(text: &str) -> Option<(u64, usize)> {
    let part = |range, of: &str| u64::from_str_radix(of.get(range)?, 16).ok();
    let (scroll, offset) = (part(0..16, text)?, part(16..24, text)?);
    let known = text == token(scroll, offset as usize);
    known.then_some((scroll, offset as usize))
}

/// `data` in the vendor's envelope, as an object or as JSON text inside a string.
fn wrap(style: EnvelopeStyle, data: &[u8], context: u64) -> Vec<u8> {
    match style {
        EnvelopeStyle::Object => envelope_of(data, context),
        EnvelopeStyle::Text => {
            let mut quoted = Vec::with_capacity(data.len() * 5 / 4);
            quoted.push(b'"');
            escape(&mut quoted, data);
            quoted.push(b'"');
            envelope_of(&quoted, context)
        }
    }
}

fn envelope_of(data: &[u8], context: u64) -> Vec<u8> {
    let tail = format!(r#","contextId":"{}"}}}}"#, context_id(context));
    [br#"{"code":200,"msg":"","subCode":"","result":{"data":"#, data, tail.as_bytes()].concat()
}

/// The documented form of a failure: code 0, HTTP 200.
fn failure(sub_code: &str, message: &str) -> Vec<u8> {
    let mut body = br#"{"code":0,"msg":""#.to_vec();
    escape(&mut body, message.as_bytes());
    let mut tail = String::new();
    // A String takes everything, so this write has no way to fail.
    let _ = write!(
        tail,
        r#"","subCode":"{sub_code}","result":{{"data":null,"contextId":"{}"}}}}"#,
        context_id(sub_code.len() as u64)
    );
    body.extend_from_slice(tail.as_bytes());
    body
}

/// 19 digits that look like the vendor's.
fn context_id(number: u64) -> u64 {
    1_914_475_813_357_520_896 + number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_signatures_are_reproduced() {
        let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let bizcontent = r#"{"brandName":"衣服","cateName":"拉链","costValuationMethod":0,"goodsAlias":"花之春","goodsAttr":1,"goodsMemo":"货品备注","goodsName":"行李包 花之春","goodsNameEn":"spring","goodsNo":"H06-2","isBatchManagement":0,"isCustomizProduction":0,"isDoorService":0,"isPaidService":0,"isPeriodManage":0,"isPickupCard":0,"isProsaleProduct":0,"isProxySale":0,"isSerialManagement":0,"outSkuCode":"8714wtst","ownerId":"jackyun_dev","ownerName":"jackyun_dev","shelfLife":0,"shelfLiftUnit":"","skuBarcode":"76620423621","skuHeight":3,"skuId":"","skuLength":3,"skuName":"无特殊字符","skuWeight":20,"skuWidth":4,"unitName":"件"}"#;
        let documented = pairs(&[
            ("sign", "not part of it"),
            ("contextid", "not part of it"),
            ("token", "not part of it"),
            ("method", "erp.goods.skuimport"),
            ("appkey", "187657"),
            ("version", "v1.0"),
            ("contenttype", "json"),
            ("timestamp", "2019-07-30 15:18:30"),
            ("bizcontent", bizcontent),
        ]);
        assert_eq!(sign("f0d1483f1f2e49cea3dfd48c8d7e3c23", &documented), "04f5cccd1b52125ca5161472ffb42196");
        assert_eq!(sign("abc", &pairs(&[("b", "2"), ("a", "1")])), "e77954332c159b0debe418aa512025d0");
        assert_eq!(sign("SECRET", &pairs(&[("KEY", "VALUE")])), "0eb92e57e481fbd69445deec39243827");
    }

    #[test]
    fn cursors_lead_back_and_invented_ones_nowhere() {
        let cursor = token(1_732_262_400_000_000, 400);
        assert_eq!((cursor.len(), read_token(&cursor)), (32, Some((1_732_262_400_000_000, 400))));
        for wrong in ["", "e435cb66390bb1eac99aa5755805f9f7", &cursor.to_uppercase(), &cursor[1..], "仓仓仓仓仓仓"]
        {
            assert_eq!(read_token(wrong), None, "{wrong}");
        }
    }
}
