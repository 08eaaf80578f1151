//! What a `bizcontent` asks for, and which trades answer it.
//!
//! Takes the JSON text of the business parameters, gives a checked query; takes a query and the book, gives rows in
//! order. Never renders a trade and never pages.
//!
//! Time ranges on modified, created, audit, consign, complete and trade time are filters; the further ranges the
//! vendor declares (signing, bill date, settlement …) are ignored like any unknown name.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::render::Projection;
use super::trade::{Axis, Book, DAY, Trade};
use crate::sandbox::gateway::{self, item, number, text};

/// The widest range of time that may be asked for, in seconds.
const MAX_RANGE: i64 = 7 * DAY;

/// The pairs of names of the time ranges.
const RANGES: [(&str, &str, Axis); 6] = [
    ("startModified", "endModified", Axis::Modified),
    ("startCreated", "endCreated", Axis::Created),
    ("startAuditTime", "endAuditTime", Axis::Audit),
    ("startConsignTime", "endConsignTime", Axis::Consign),
    ("startCompleteTime", "endCompleteTime", Axis::Complete),
    ("startTradeTime", "endTradeTime", Axis::Trade),
];

/// A range of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub axis: Axis,
    pub begin: i64,
    pub end: i64,
}

/// A checked request. An empty list filters nothing.
#[derive(Debug)]
pub struct Query {
    pub fields: Projection,
    pub windows: Vec<Window>,
    trade_nos: Vec<String>,
    source_nos: Vec<String>,
    trade_ids: Vec<String>,
    statuses: Vec<String>,
    kinds: Vec<String>,
    shops: Vec<String>,
    warehouses: Vec<String>,
    is_delete: Vec<String>,
    archived: bool,
    pub page_size: usize,
    pub page_index: usize,
    /// The cursor: `Some("")` starts one, none asks for page numbers.
    pub scroll: Option<String>,
    pub has_total: bool,
}

impl Query {
    /// Reads a request; numbers may be numbers or text, lists arrays, the text of an array, or text with commas.
    /// The error is the vendor's message.
    pub fn parse(bizcontent: &str, max_page_size: u32) -> Result<Query, String> {
        let Ok(Value::Object(biz)) = serde_json::from_str(bizcontent) else {
            return Err("bizcontent不是合法的JSON对象".to_owned());
        };
        let fields = text(&biz, "fields");
        if fields.trim().is_empty() {
            return Err("查询字段不能为空".to_owned());
        }
        let query = Query {
            fields: Projection::parse(&fields),
            windows: windows(&biz)?,
            trade_nos: [list(&biz, "tradeNo"), list(&biz, "tradeDeliveryNo")].concat(),
            source_nos: list(&biz, "sourceTradeNos"),
            trade_ids: list(&biz, "tradeIds"),
            statuses: [list(&biz, "tradeStatus"), list(&biz, "tradeStatusList")].concat(),
            kinds: [list(&biz, "tradeType"), list(&biz, "tradeTypeList")].concat(),
            shops: list(&biz, "shopIds"),
            warehouses: list(&biz, "warehouseIds"),
            is_delete: list(&biz, "isDelete"),
            archived: text(&biz, "isTableSwitch") == "2",
            page_size: number(&biz, "pageSize", 50)?.clamp(1, max_page_size as usize),
            page_index: number(&biz, "pageIndex", 0)?,
            scroll: biz.contains_key("scrollId").then(|| text(&biz, "scrollId")),
            has_total: text(&biz, "hasTotal") == "1",
        };
        if query.windows.is_empty() && query.trade_nos.is_empty() && query.source_nos.is_empty() {
            return Err("订单号、网店单号、时间范围不能同时为空，且时间范围需成对传入".to_owned());
        }
        Ok(query)
    }

    /// The only window asked for, if nothing else restricts the answer: what a page rendered beforehand can serve.
    pub fn single_window(&self) -> Option<Window> {
        let lists = [
            &self.trade_nos,
            &self.source_nos,
            &self.trade_ids,
            &self.statuses,
            &self.kinds,
            &self.shops,
            &self.warehouses,
        ];
        match self.windows[..] {
            // No trade is deleted, so asking for those that are not is no restriction.
            [window] if !self.archived && lists.iter().all(|list| list.is_empty()) && self.takes_undeleted() => {
                Some(window)
            }
            _ => None,
        }
    }

    fn takes_undeleted(&self) -> bool {
        self.is_delete.is_empty() || self.is_delete.iter().any(|item| item == "0")
    }

    /// The trades asked for, by time of modification, then by number.
    pub fn select(&self, book: &Book, moved: &Moved) -> Vec<Row> {
        let mut rows: Vec<Row> =
            self.candidates(book, moved).into_iter().filter_map(|index| self.row(book, moved, index)).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    fn candidates(&self, book: &Book, moved: &Moved) -> Vec<u32> {
        if !self.trade_nos.is_empty() {
            return self.trade_nos.iter().filter_map(|no| book.by_trade_no(no)).collect();
        }
        if !self.source_nos.is_empty() {
            return self.source_nos.iter().filter_map(|no| book.by_online_no(no)).collect();
        }
        let Some(window) = self.windows.first() else { return Vec::new() };
        let mut found: Vec<u32> = book.candidates(window.axis, window.begin, window.end).collect();
        if window.axis == Axis::Modified {
            found.extend(moved.keys());
        }
        found
    }

    /// The row of a trade that passes every filter.
    fn row(&self, book: &Book, moved: &Moved, index: u32) -> Option<Row> {
        let mut times = book.times(index);
        times.modified = moved.get(&index).copied().unwrap_or(times.modified);
        let within = |window: &Window| times.on(window.axis).is_some_and(|t| window.begin <= t && t <= window.end);
        if !self.windows.iter().all(within) || book.archived(index) != self.archived {
            return None;
        }
        let filtered = [&self.trade_ids, &self.statuses, &self.kinds, &self.shops, &self.warehouses, &self.is_delete];
        if filtered.iter().any(|list| !list.is_empty()) && !self.passes(&book.trade(index)) {
            return None;
        }
        Some(Row { modified: times.modified, index })
    }

    fn passes(&self, trade: &Trade) -> bool {
        let any = |list: &[String], value: u64| list.is_empty() || list.iter().any(|item| item.parse() == Ok(value));
        any(&self.trade_ids, trade.id())
            && any(&self.statuses, u64::from(trade.status))
            && any(&self.kinds, u64::from(trade.kind))
            && any(&self.shops, trade.shop.id)
            && any(&self.warehouses, trade.warehouse.0)
            && self.takes_undeleted()
    }
}

/// Trades modified while being paged, with their new time of modification.
pub type Moved = HashMap<u32, i64>;

/// A trade in an answer, in the order of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub modified: i64,
    pub index: u32,
}

fn windows(biz: &Map<String, Value>) -> Result<Vec<Window>, String> {
    let mut found = Vec::new();
    for (begin_name, end_name, axis) in RANGES {
        let (begin, end) = (text(biz, begin_name), text(biz, end_name));
        if begin.is_empty() || end.is_empty() {
            continue;
        }
        let window = Window { axis, begin: seconds(begin_name, &begin)?, end: seconds(end_name, &end)? };
        if window.begin > window.end {
            return Err(format!("{begin_name}不能大于{end_name}"));
        }
        if window.end - window.begin > MAX_RANGE {
            return Err(format!("{begin_name}与{end_name}时间跨度不能超过7天"));
        }
        found.push(window);
    }
    Ok(found)
}

/// A wall clock time as seconds since 1970 on that clock; the error is the vendor's message.
pub fn seconds(name: &str, text: &str) -> Result<i64, String> {
    gateway::seconds(text).ok_or_else(|| format!("{name}格式错误，应为yyyy-MM-dd HH:mm:ss"))
}

/// A list, without empty items and doubles.
fn list(biz: &Map<String, Value>, name: &str) -> Vec<String> {
    let mut items: Vec<String> = match biz.get(name) {
        Some(Value::Array(array)) => array.iter().map(item).collect(),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Array(array)) => array.iter().map(item).collect(),
            _ => text.split(',').map(|part| part.trim().to_owned()).collect(),
        },
        Some(other) => vec![item(other)],
        None => Vec::new(),
    };
    let mut seen = HashSet::new();
    items.retain(|item| !item.is_empty() && seen.insert(item.clone()));
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Config;
    use serde_json::json;

    fn parse(biz: Value) -> Result<Query, String> {
        Query::parse(&biz.to_string(), 200)
    }

    fn indexes(biz: Value) -> Vec<u32> {
        let book = Book::new(&Config { trades: 1_000, days: 10, ..Config::default() });
        parse(biz).unwrap().select(&book, &Moved::new()).iter().map(|row| row.index).collect()
    }

    #[test]
    fn requests_that_break_a_rule_are_refused() {
        let day = |n: u32| format!("2024-06-{n:02} 00:00:00");
        for (biz, message) in [
            (json!({"tradeNo": "JY1"}), "查询字段"),
            (json!({"fields": " ", "tradeNo": "JY1"}), "查询字段"),
            (json!({"fields": "tradeNo"}), "不能同时为空"),
            (json!({"fields": "tradeNo", "startModified": day(1)}), "不能同时为空"),
            (json!({"fields": "tradeNo", "startModified": day(1), "endCreated": day(2)}), "不能同时为空"),
            (json!({"fields": "tradeNo", "modified_begin": day(1), "modified_end": day(2)}), "不能同时为空"),
            (json!({"fields": "tradeNo", "startModified": day(1), "endModified": "2024-06-08 00:00:01"}), "7天"),
            (json!({"fields": "tradeNo", "startModified": day(3), "endModified": day(2)}), "不能大于"),
            (json!({"fields": "tradeNo", "startModified": "2024/06/01", "endModified": day(2)}), "格式错误"),
            (json!({"fields": "tradeNo", "tradeNo": "JY1", "pageSize": "many"}), "pageSize"),
            (json!([1]), "JSON"),
        ] {
            let refused = parse(biz.clone()).unwrap_err();
            assert!(refused.contains(message), "{biz}: {refused}");
        }
        assert!(parse(json!({"fields": "tradeNo", "startModified": day(1), "endModified": day(8)})).is_ok());
    }

    #[test]
    fn numbers_may_be_text_and_sizes_are_clamped() {
        let query = parse(json!({"fields": "tradeNo", "tradeNo": "JY1", "pageSize": "500", "pageIndex": 3})).unwrap();
        assert_eq!((query.page_size, query.page_index, query.scroll), (200, 3, None));
        let query = parse(json!({"fields": "tradeNo", "tradeNo": "JY1", "scrollId": "", "hasTotal": "1"})).unwrap();
        assert_eq!((query.page_size, query.scroll, query.has_total), (50, Some(String::new()), true));
    }

    #[test]
    fn filters_take_arrays_text_of_arrays_and_commas_alike() {
        let window =
            json!({"fields": "tradeNo", "startModified": "2024-06-02 00:00:00", "endModified": "2024-06-05 00:00:00"});
        let with = |name: &str, value: Value| {
            let mut biz = window.clone();
            biz[name] = value;
            indexes(biz)
        };
        let all = indexes(window.clone());
        let two = with("shopIds", json!(["1647727244400592896", 1718178122057024641_u64]));
        assert!(!two.is_empty() && two.len() < all.len());
        assert_eq!(two, with("shopIds", json!("[\"1647727244400592896\",1718178122057024641]")));
        assert_eq!(two, with("shopIds", json!("1647727244400592896,1718178122057024641")));
        assert_eq!(all, with("shopIds", json!([])));
        assert_eq!(all.len(), with("tradeStatus", json!(9090)).len() + with("tradeStatus", json!("6000")).len());
        assert_eq!(all, with("isDelete", json!("0")));
        assert!(with("isDelete", json!(1)).is_empty() && with("isTableSwitch", json!(2)).is_empty());
    }

    #[test]
    fn both_ends_are_included_and_the_order_is_that_of_modification() {
        let book = Book::new(&Config { trades: 1_000, days: 10, ..Config::default() });
        let edge = book.times(500).modified;
        let query = |begin: i64, end: i64| {
            let mut query = parse(json!({"fields": "tradeNo", "tradeNo": "JY1"})).unwrap();
            query.trade_nos.clear();
            query.windows = vec![Window { axis: Axis::Modified, begin, end }];
            query.select(&book, &Moved::new())
        };
        let (before, after) = (query(edge - DAY, edge), query(edge, edge + DAY));
        assert!(before.iter().any(|row| row.index == 500) && after.iter().any(|row| row.index == 500));
        assert!(before.is_sorted() && before.last().unwrap().modified == edge && after[0].modified == edge);
    }

    #[test]
    fn archived_trades_are_only_under_switch_two() {
        let book = Book::new(&Config { trades: 400, days: 4, archive_after_days: Some(2), ..Config::default() });
        let count = |switch: u8| {
            let biz = json!({"fields": "tradeNo", "isTableSwitch": switch, "startCreated": "2024-06-01 00:00:00",
                             "endCreated": "2024-06-05 00:00:00"});
            parse(biz).unwrap().select(&book, &Moved::new()).len()
        };
        assert_eq!((count(0), count(1)), (count(1), 201));
        assert_eq!(count(1) + count(2), 400);
    }
}
