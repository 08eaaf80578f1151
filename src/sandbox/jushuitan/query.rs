//! What a `biz` asks for, and which documents answer it.
//!
//! Takes the JSON text of the business parameters, gives a checked query; takes a query and the book, gives rows in order.
//! Never renders a document and never pages.

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveTime};
use serde_json::{Map, Value};

use super::record::{Book, DAY, Version};
use crate::sandbox::gateway::{number, seconds, text};

/// The widest range of time that may be asked for, in seconds.
const MAX_RANGE: i64 = 7 * DAY;
/// The most ids a list may have.
const MAX_IDS: usize = 50;
/// Documents on a page if nothing is said, and at most.
const PAGE_SIZE: usize = 30;
const MAX_PAGE_SIZE: usize = 50;

/// What a page size above the maximum becomes; no source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PageSizeAbove {
    #[default]
    Clamped,
    Refused,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The window is missing or too wide; which code that gives is not known.
    Window(&'static str),
    /// A parameter has the wrong JSON type.
    Unreadable,
    /// A parameter breaks a rule.
    Rule(String),
}

/// What a window is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Axis {
    Modified,
    IoDate,
}

/// A range of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    pub axis: Axis,
    pub begin: i64,
    pub end: i64,
}

/// A checked request. An empty list filters nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    pub window: Option<Window>,
    so_ids: Vec<String>,
    io_ids: Vec<i64>,
    types: Vec<String>,
    status: String,
    wms_co_id: usize,
    /// Row versions from this one on, in their order; excludes every other filter.
    pub start_ts: Option<i64>,
    /// From 1.
    pub page_index: usize,
    pub page_size: usize,
}

impl Query {
    /// Reads a request. Numbers may be numbers or text; lists must be arrays, an empty one filters nothing.
    pub fn parse(biz: &str, above: PageSizeAbove) -> Result<Query, Fault> {
        let Ok(Value::Object(biz)) = serde_json::from_str(biz) else { return Err(Fault::Unreadable) };
        let count = |name, default| number(&biz, name, default).map_err(Fault::Rule);
        let query = Query {
            window: window(&biz)?,
            so_ids: list(&biz, "so_ids")?,
            io_ids: ids(&list(&biz, "io_ids")?)?,
            types: list(&biz, "types")?,
            status: text(&biz, "status"),
            wms_co_id: count("wms_co_id", 0)?,
            start_ts: start_ts(&biz)?,
            page_index: count("page_index", 1)?,
            page_size: count("page_size", PAGE_SIZE)?,
        };
        if query.page_index == 0 || query.page_size == 0 {
            return Err(Fault::Rule("page_index和page_size必须大于0".to_owned()));
        }
        if query.page_size > MAX_PAGE_SIZE && above == PageSizeAbove::Refused {
            return Err(Fault::Rule(format!("page_size不能超过{MAX_PAGE_SIZE}")));
        }
        if query.start_ts.is_some() && !query.takes_everything() {
            return Err(Fault::Rule("start_ts不能与其他查询条件同时使用".to_owned()));
        }
        let selects = query.start_ts.is_some() || !query.so_ids.is_empty() || !query.io_ids.is_empty();
        if query.window.is_none() && !selects {
            return Err(Fault::Window("modified_begin、modified_end与so_ids不能同时为空"));
        }
        Ok(Query { page_size: query.page_size.min(MAX_PAGE_SIZE), ..query })
    }

    fn takes_everything(&self) -> bool {
        self.window.is_none()
            && self.so_ids.is_empty()
            && self.io_ids.is_empty()
            && self.types.is_empty()
            && self.status.is_empty()
            && self.wms_co_id == 0
    }

    /// The documents asked for, by the time asked for (by row version with `start_ts`), then by number.
    pub fn select(&self, book: &Book, moved: &Moved) -> Vec<u32> {
        let mut rows: Vec<(i64, u32)> =
            (0..book.len()).filter_map(|index| Some((self.place(book, moved, index)?, index))).collect();
        rows.sort_unstable();
        rows.into_iter().map(|(_, index)| index).collect()
    }

    /// Where a document stands in the order of the answer; none if it does not pass every filter.
    fn place(&self, book: &Book, moved: &Moved, index: u32) -> Option<i64> {
        let version = moved.get(&index).copied().unwrap_or_else(|| book.version(index));
        let at = match (self.start_ts, self.window.map(|window| window.axis)) {
            (Some(_), _) => version.ts,
            (None, Some(Axis::IoDate)) => book.io_date(index),
            (None, _) => version.modified,
        };
        let within = self.window.is_none_or(|window| (window.begin..=window.end).contains(&at))
            && self.start_ts.is_none_or(|start| at >= start);
        (within && self.passes(book, index)).then_some(at)
    }

    fn passes(&self, book: &Book, index: u32) -> bool {
        let named = || book.so_id(index).is_some_and(|so_id| self.so_ids.contains(&so_id));
        (self.io_ids.is_empty() || self.io_ids.contains(&Book::io_id(index)))
            && (self.types.is_empty() || self.types.iter().any(|kind| kind == book.kind(index)))
            && (self.status.is_empty() || self.status == book.status(index))
            && (self.wms_co_id == 0 || usize::try_from(book.warehouse(index).wms_co_id) == Ok(self.wms_co_id))
            && (self.so_ids.is_empty() || named())
    }
}

/// Documents modified while being paged, with their new version.
pub type Moved = HashMap<u32, Version>;

fn window(biz: &Map<String, Value>) -> Result<Option<Window>, Fault> {
    let axis = match number(biz, "date_type", 0).map_err(Fault::Rule)? {
        0 => Axis::Modified,
        2 => Axis::IoDate,
        other => return Err(Fault::Rule(format!("date_type不支持：{other}"))),
    };
    let (begin, end) = (text(biz, "modified_begin"), text(biz, "modified_end"));
    match (begin.is_empty(), end.is_empty()) {
        (true, true) => return Ok(None),
        (false, false) => {}
        _ => return Err(Fault::Rule("modified_begin和modified_end必须同时存在".to_owned())),
    }
    let time = |name, text: &str| moment(text).ok_or_else(|| Fault::Rule(format!("{name}时间格式不正确")));
    let window = Window { axis, begin: time("modified_begin", &begin)?, end: time("modified_end", &end)? };
    if window.begin > window.end {
        return Err(Fault::Rule("modified_begin不能大于modified_end".to_owned()));
    }
    if window.end - window.begin > MAX_RANGE {
        return Err(Fault::Window("起始时间和结束时间间隔不能超过七天"));
    }
    Ok(Some(window))
}

/// A time, or a date, which is its midnight.
fn moment(text: &str) -> Option<i64> {
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    seconds(text).or_else(|| date().map(|date| date.and_time(NaiveTime::MIN).and_utc().timestamp()))
}

fn start_ts(biz: &Map<String, Value>) -> Result<Option<i64>, Fault> {
    match text(biz, "start_ts") {
        empty if empty.is_empty() => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| Fault::Rule("start_ts必须为整数".to_owned())),
    }
}

/// An array of texts or numbers; absent, null, "" and an empty array are the same.
fn list(biz: &Map<String, Value>, name: &str) -> Result<Vec<String>, Fault> {
    let items = match biz.get(name) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(_) => return Err(Fault::Unreadable),
    };
    if items.len() > MAX_IDS {
        return Err(Fault::Rule(format!("{name}最多{MAX_IDS}个")));
    }
    items
        .iter()
        .map(|item| match item {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(Fault::Unreadable),
        })
        .collect()
}

fn ids(list: &[String]) -> Result<Vec<i64>, Fault> {
    list.iter().map(|id| id.parse().map_err(|_| Fault::Unreadable)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::record::RETURN;
    use super::*;
    use crate::sandbox::{Config, JushuitanConfig};
    use serde_json::json;

    fn parse(biz: Value) -> Result<Query, Fault> {
        Query::parse(&biz.to_string(), PageSizeAbove::Clamped)
    }

    fn book() -> Book {
        let jushuitan = JushuitanConfig { returns: 1_000, ..Default::default() };
        Book::new(&Config { days: 10, bad: true, jushuitan, ..Config::default() })
    }

    fn window(begin: &str, end: &str) -> Value {
        json!({"modified_begin": format!("2024-06-{begin}"), "modified_end": format!("2024-06-{end}")})
    }

    fn with(base: &Value, name: &str, value: impl Into<Value>) -> Value {
        let mut biz = base.clone();
        biz[name] = value.into();
        biz
    }

    #[test]
    fn requests_that_break_a_rule_are_refused_each_in_its_way() {
        let week = window("01 00:00:00", "08 00:00:00");
        let rule = |biz: Value| match parse(biz.clone()) {
            Err(Fault::Rule(message)) => message,
            other => panic!("{biz}: {other:?}"),
        };
        assert!(parse(week.clone()).is_ok() && parse(window("01", "08")).is_ok(), "seven days, with times or without");
        assert!(rule(json!({"modified_begin": "2024-06-01 00:00:00"})).contains("同时存在"));
        assert!(rule(window("02 00:00:00", "01 00:00:00")).contains("不能大于"));
        assert!(rule(window("01T00:00:00", "02 00:00:00")).contains("modified_begin时间格式"));
        assert!(rule(with(&week, "date_type", 1)).contains("date_type"));
        assert!(rule(with(&week, "page_index", 0)).contains("page_index"));
        assert!(rule(with(&week, "page_size", "many")).contains("page_size"));
        assert!(rule(json!({"io_ids": vec![1; 51]})).contains("io_ids最多50"));
        assert!(rule(with(&week, "start_ts", 5)).contains("start_ts"));
        for biz in [json!({}), json!({"types": [RETURN]}), window("01 00:00:00", "08 00:00:01")] {
            assert!(matches!(parse(biz.clone()), Err(Fault::Window(_))), "{biz}");
        }
        for biz in [json!([]), with(&week, "types", RETURN), json!({"io_ids": ["x"]}), json!({"so_ids": [{}]})] {
            assert_eq!(parse(biz.clone()), Err(Fault::Unreadable), "{biz}");
        }
        let big = with(&week, "page_size", 51).to_string();
        assert!(matches!(Query::parse(&big, PageSizeAbove::Refused), Err(Fault::Rule(_))));
    }

    #[test]
    fn numbers_may_be_text_and_empty_filters_filter_nothing() {
        let week = window("01 00:00:00", "08 00:00:00");
        let plain = parse(week.clone()).unwrap();
        assert_eq!((plain.page_index, plain.page_size), (1, 30));
        let sized = parse(with(&with(&week, "page_index", "3"), "page_size", "100")).unwrap();
        assert_eq!((sized.page_index, sized.page_size), (3, 50));
        let empties = json!({"so_ids": [], "io_ids": null, "types": "", "status": "", "wms_co_id": "", "start_ts": ""});
        let mut biz = week;
        empties.as_object().unwrap().iter().for_each(|(name, value)| biz[name] = value.clone());
        assert_eq!(parse(biz), Ok(plain));
    }

    #[test]
    fn filters_select_and_both_ends_are_included() {
        let book = book();
        let pick = |biz: Value| parse(biz).unwrap().select(&book, &Moved::new());
        let week = window("02 00:00:00", "09 00:00:00");
        let all = pick(week.clone());
        assert!(all.is_sorted_by_key(|index| book.version(*index).modified));
        let dated = pick(with(&week, "date_type", 2));
        assert!(dated.is_sorted_by_key(|index| book.io_date(*index)) && dated != all);
        let returns = pick(with(&week, "types", json!([RETURN])));
        let others = pick(with(&week, "types", json!(["其它出库", "其它进仓"])));
        assert!(!others.is_empty() && returns.len() + others.len() == all.len());
        let statuses = ["Confirmed", "Archive", "WaitConfirm", "Cancelled", "Delete"];
        let counts = statuses.map(|status| pick(with(&week, "status", status)).len());
        assert_eq!((counts.iter().sum::<usize>(), counts[4]), (all.len(), 0));
        let stores = [11_001, 11_002, 11_003, 11_004].map(|store| pick(with(&week, "wms_co_id", store)).len());
        assert_eq!(stores.iter().sum::<usize>(), all.len());
        let so_id = book.so_id(all[0]).or_else(|| book.so_id(all[1])).unwrap();
        assert_eq!(pick(json!({"so_ids": [so_id, "unknown"]})).len(), 1);
        let id = Book::io_id(all[5]);
        assert_eq!(pick(json!({"io_ids": [id, id.to_string(), 7]})), [all[5]]);

        let edge = |index: usize| {
            let mut text = Vec::new();
            crate::sandbox::json::write_time(&mut text, book.version(all[index]).modified);
            String::from_utf8(text).unwrap()
        };
        let between = json!({"modified_begin": edge(10), "modified_end": edge(20)});
        let found = pick(between);
        assert!(found.contains(&all[10]) && found.contains(&all[20]) && !found.contains(&all[9]));
        let later = book.version(all[10]).ts;
        let newer = pick(json!({"start_ts": later}));
        assert!(newer.first() == Some(&all[10]) && newer.is_sorted_by_key(|index| book.version(*index).ts));
    }
}
