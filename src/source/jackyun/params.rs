//! What a pull asks Jackyun for: the pipeline's parameters, those of the command line over them, the window over both.
//!
//! Takes names and values as written, gives the `bizcontent` of each request. No cursor logic (`pull.rs`), no signature.
//! Facts: the vendor's field list of `oms.trade.fullinfoget` (2026-05) and the order's list of 2023; `modified_begin` and
//! `modified_end` are one integrator's names for startModified and endModified and never reach the vendor, who would
//! ignore them silently.

use crate::base::clock::{WALL_FORMAT, Wall, parse_wall};
use crate::base::names::suggest;
use crate::base::{Error, Result};
use crate::config::model::{ParamValue, Source};
use crate::config::template::{Scope, render};
use crate::source::{Ask, AskKind, Axis};
use serde_json::{Map, Value};

/// The method whose parameters are known by name.
pub const FULLINFOGET: &str = "oms.trade.fullinfoget";
/// Largest page (documentation of 2026; that of 2023 said 1000).
pub const MAX_PAGE_SIZE: u32 = 200;
/// Widest range of any time, in days; wider gives 0040139996.
pub const MAX_WINDOW_DAYS: i64 = 7;
/// `pageIndex` of the first page.
const FIRST_PAGE: i64 = 0;

/// Begin and end of each time a search may be limited by; `true` where such a range alone is enough for the vendor.
const RANGES: [(&str, &str, bool); 13] = [
    ("startModified", "endModified", true),
    ("startCreated", "endCreated", true),
    ("startAuditTime", "endAuditTime", true),
    ("startConsignTime", "endConsignTime", true),
    ("startCompleteTime", "endCompleteTime", true),
    ("startTradeTime", "endTradeTime", true),
    ("startPlatCompleteTime", "endPlatCompleteTime", false),
    ("startNotifyPickTime", "endNotifyPickTime", false),
    ("startBillDate", "endBillDate", false),
    ("startSigningTime", "endSigningTime", false),
    ("startSettleTime", "endSettleTime", false),
    ("startFinReceiptTime", "endFinReceiptTime", false),
    ("startConfirmTime", "endConfirmTime", false),
];

/// Parameters besides times.
const NAMES: [&str; 32] = [
    "tradeNo",
    "sourceTradeNos",
    "tradeDeliveryNo",
    "tradeIds",
    "customerTradeNos",
    "tradeStatus",
    "tradeStatusList",
    "tradeType",
    "tradeTypeList",
    "shopIds",
    "shopCode",
    "warehouseIds",
    "logisticId",
    "logisticIdList",
    "mainPostId",
    "mainPostIdList",
    "isBillCheck",
    "isDelete",
    "isPddQuery",
    "isReturnPddData",
    "isTableSwitch",
    "currentMaxId",
    "tradeTime",
    "fields",
    "pageSize",
    "pageIndex",
    "hasTotal",
    "scrollId",
    "modified_begin",
    "modified_end",
    "flagIds",
    "sourceAfterNo",
];

/// A list written for one of these is sent as text with commas; for any other as a JSON array.
/// Parameters that say how to ask, not for which records: another `fields` would stage records with holes in them.
const ASKED_BY_US: [&str; 5] = ["fields", "pageSize", "pageIndex", "scrollId", "hasTotal"];
const COMMA_LISTS: [&str; 4] = ["fields", "tradeNo", "sourceTradeNos", "tradeDeliveryNo"];

/// The parameters of a pipeline file, names made the vendor's.
pub struct Params {
    given: Vec<(String, ParamValue)>,
    key: String,
    version: String,
    page_size: u32,
    known_names: bool,
}

/// Where a pull stands, as far as a request shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// Nothing was asked yet: the cursor is requested by sending it empty.
    First,
    Scroll(String),
    /// The vendor gave no cursor: page numbers.
    Number(i64),
}

/// One pull's question: everything but the position.
#[derive(Debug)]
pub struct Question {
    pairs: Vec<(String, Value)>,
    pub page_size: u32,
}

impl Params {
    /// Refuses a parameter that is given twice with different values, under one name or two.
    pub fn new(source: &Source) -> Result<Self> {
        let mut given: Vec<(String, ParamValue)> = Vec::new();
        for (name, value) in &source.params {
            let name = vendor_name(name);
            match given.iter().find(|(n, _)| n == name) {
                None => given.push((name.to_string(), value.clone())),
                Some((_, earlier)) if is_same(earlier, value) => {}
                Some(_) => return Err(twice(name).context("source.params")),
            }
        }
        Ok(Self {
            given,
            key: source.key.clone(),
            version: source.version.clone(),
            page_size: source.window.page_size,
            known_names: source.method == FULLINFOGET,
        })
    }

    /// A message per fault of the file's parameters.
    pub fn check(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, value) in &self.given {
            if let Some(fault) = self.unknown(name) {
                faults.push(format!("source.params.{name}: {fault}"));
            }
            let literal = matches!(value, ParamValue::Text(t) if !t.trim().is_empty() && !t.contains("{{"));
            if literal && ["startModified", "endModified"].contains(&name.as_str()) {
                faults.push(format!("source.params.{name}: the window decides this; write {{{{LAST_SYNC_TIME|datetime}}}} or {{{{CURRENT_TIME|datetime}}}}, or leave it out"));
            }
            if name == "scrollId" && literal {
                faults.push("source.params.scrollId: the pager fills this; leave it out".to_string());
            }
        }
        // Any instant will do: only the shape of the question is of interest.
        let from = Wall::default();
        let ask = Ask { kind: AskKind::Window { from, to: from, axis: Axis::Modified }, set: Vec::new() };
        if let Err(fault) = self.question(&ask, from) {
            faults.push(fault.to_string());
        }
        faults
    }

    /// Parameters that make two pulls of one interval ask for the same thing, one per line: no times of the window, no paging.
    pub fn identity(&self) -> String {
        let mut lines = vec![format!("key={}", self.key), format!("version={}", self.version)];
        for (name, value) in &self.given {
            match name.as_str() {
                "startModified" | "endModified" | "pageSize" | "pageIndex" | "hasTotal" | "scrollId" => {}
                "fields" => {
                    let written = comma_list(std::slice::from_ref(value));
                    let mut fields: Vec<&str> = written.split(',').map(str::trim).filter(|f| !f.is_empty()).collect();
                    fields.sort_unstable();
                    fields.dedup();
                    lines.push(format!("fields={}", fields.join(",")));
                }
                _ => lines.push(format!("{name}={value:?}")),
            }
        }
        lines.sort_unstable();
        lines.join("\n")
    }

    /// The question of one pull. `now` matters for ad-hoc pulls only; in a window CURRENT_TIME is the window's end.
    pub fn question(&self, ask: &Ask, now: Wall) -> Result<Question> {
        let mut params = self.given.clone();
        let set = self.lay_over(&mut params, &ask.set)?;
        let (last_sync, now) = match &ask.kind {
            AskKind::Window { from, to, axis } => {
                apply_window(&mut params, &set, (*from, *to), axis)?;
                (Some(*from), *to)
            }
            AskKind::Adhoc => {
                params.retain(|(name, _)| set.contains(name) || !is_range(name));
                (None, now)
            }
        };
        let scope = Scope { last_sync, now, page_size: self.page_size, start_page: FIRST_PAGE };
        let mut pairs: Vec<(String, Value)> = Vec::new();
        for (name, value) in &params {
            let value = to_json(name, value, &scope).map_err(|e| e.context(format!("source.params.{name}")))?;
            if let Some(value) = value {
                pairs.push((name.clone(), value));
            }
        }
        let page_size = self.settle_paging(&mut pairs)?;
        self.complete_fields(&mut pairs)?;
        if self.known_names && ask.kind == AskKind::Adhoc {
            check_adhoc(&pairs)?;
        }
        Ok(Question { pairs, page_size })
    }

    /// Puts `--set` over the file; gives the vendor's names of what was set.
    fn lay_over(&self, params: &mut Vec<(String, ParamValue)>, set: &[(String, String)]) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for (written, value) in set {
            let name = vendor_name(written);
            if let Some(fault) = self.unknown(name) {
                return Err(Error::usage(format!("--set {written}: {fault}")));
            }
            if ASKED_BY_US.contains(&name) {
                return Err(Error::usage(format!("--set {written}: dukou sets this one itself"))
                    .hint("name records, as --set tradeNo=A,B; what is asked of each stands in [source.params]"));
            }
            let value = ParamValue::Text(value.clone());
            match params.iter_mut().find(|(n, _)| n == name) {
                Some((_, old)) if names.iter().any(|n| n == name) && *old != value => {
                    return Err(Error::usage(twice(name).to_string()).context(format!("--set {written}")));
                }
                Some((_, old)) => *old = value,
                None => params.push((name.to_string(), value)),
            }
            names.push(name.to_string());
        }
        Ok(names)
    }

    fn unknown(&self, name: &str) -> Option<String> {
        if !self.known_names || NAMES.contains(&name) || is_range(name) {
            return None;
        }
        let known = NAMES.into_iter().chain(RANGES.into_iter().flat_map(|(a, b, _)| [a, b]));
        let suggestion = suggest(name, known.collect::<Vec<_>>());
        Some(format!("{FULLINFOGET} has no such parameter and would ignore it silently; {suggestion}"))
    }

    /// Gives paging its members and reads the page size.
    fn settle_paging(&self, pairs: &mut Vec<(String, Value)>) -> Result<u32> {
        let number = |name: &str, pairs: &[(String, Value)]| -> Result<Option<i64>> {
            let Some((_, value)) = pairs.iter().find(|(n, _)| n == name) else { return Ok(None) };
            let read = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
            read.map(Some).ok_or_else(|| Error::config(format!("source.params.{name}: not a whole number")))
        };
        let page_size = number("pageSize", pairs)?.unwrap_or(i64::from(self.page_size));
        let page_size = u32::try_from(page_size).ok().filter(|n| (1..=MAX_PAGE_SIZE).contains(n)).ok_or_else(|| {
            Error::config(format!("page size {page_size}: the vendor takes 1 to {MAX_PAGE_SIZE}"))
                .hint("set source.window.page_size")
        })?;
        if number("pageIndex", pairs)?.is_some_and(|n| n != FIRST_PAGE) {
            return Err(Error::config("source.params.pageIndex: pages count from 0")
                .hint("write pageIndex = \"{{PAGINATION_START_PAGE}}\" or leave it out"));
        }
        for name in ["pageSize", "pageIndex", "hasTotal", "scrollId"] {
            if pairs.iter().all(|(n, _)| n != name) {
                pairs.push((name.to_string(), Value::from(1)));
            }
        }
        Ok(page_size)
    }

    /// `fields` with what dukou itself needs: key, version, cursor, and `columnExt` where its inner names are asked for.
    fn complete_fields(&self, pairs: &mut [(String, Value)]) -> Result<()> {
        let missing = || {
            Error::config("source.params.fields: missing; the vendor returns only what is listed there")
                .hint("fields = \"tradeNo,gmtModified,goodsDetail.goodsNo,…\"")
        };
        let (_, value) = pairs.iter_mut().find(|(n, _)| n == "fields").ok_or_else(missing)?;
        let written = value.as_str().ok_or_else(missing)?;
        let mut fields: Vec<&str> = written.split(',').map(str::trim).filter(|f| !f.is_empty()).collect();
        let wants_columns = fields.iter().any(|f| f.starts_with("tradeOrderColumnExt"));
        let ours = [self.key.as_str(), self.version.as_str(), "scrollId"];
        for name in ours.into_iter().chain(wants_columns.then_some("columnExt")) {
            if !fields.contains(&name) {
                fields.push(name);
            }
        }
        *value = Value::from(fields.join(","));
        Ok(())
    }
}

impl Question {
    /// The JSON text of one request. The total is asked for once, with the first; the cursor is asked for by sending it
    /// empty; once the vendor has shown that it has none, only page numbers are sent.
    pub fn bizcontent(&self, position: &Position) -> String {
        let mut biz = Map::new();
        for (name, value) in &self.pairs {
            let value = match name.as_str() {
                "pageSize" => Some(Value::from(self.page_size)),
                "pageIndex" => Some(Value::from(match position {
                    Position::Number(n) => *n,
                    Position::First | Position::Scroll(_) => FIRST_PAGE,
                })),
                "hasTotal" => (*position == Position::First).then(|| value.clone()),
                "scrollId" => match position {
                    Position::First => Some(Value::from("")),
                    Position::Scroll(id) => Some(Value::from(id.as_str())),
                    Position::Number(_) => None,
                },
                _ => Some(value.clone()),
            };
            if let Some(value) = value {
                biz.insert(name.clone(), value);
            }
        }
        Value::Object(biz).to_string()
    }
}

/// The pair of parameters of a stable axis.
pub fn axis_params(axis: &str) -> Result<(&'static str, &'static str)> {
    match axis {
        "created" => Ok(("startCreated", "endCreated")),
        "consign" => Ok(("startConsignTime", "endConsignTime")),
        other => {
            Err(Error::config(format!("source.history: no axis {other}; {}", suggest(other, ["created", "consign"]))))
        }
    }
}

fn apply_window(
    params: &mut Vec<(String, ParamValue)>,
    set: &[String],
    (from, to): (Wall, Wall),
    axis: &Axis,
) -> Result<()> {
    if to < from || to - from > chrono::Duration::days(MAX_WINDOW_DAYS) {
        return Err(Error::config(format!("the window {from} to {to} is not within {MAX_WINDOW_DAYS} days"))
            .hint("set source.window.slice to 7d or less"));
    }
    let (begin, end) = match axis {
        Axis::Modified => ("startModified", "endModified"),
        Axis::Stable { name, table_switch } => {
            if let Some(number) = table_switch {
                replace(params, "isTableSwitch", ParamValue::Integer(*number));
            }
            axis_params(name)?
        }
    };
    if let Some(name) = set.iter().find(|n| is_modified(n) || *n == begin || *n == end) {
        return Err(Error::usage(format!("--set {name}: in a window pull the window decides this"))
            .hint("use --from and --to, or name records, as --set tradeNo=…"));
    }
    params.retain(|(name, _)| !is_modified(name) || name == begin || name == end);
    replace(params, begin, ParamValue::Text(from.format(WALL_FORMAT).to_string()));
    replace(params, end, ParamValue::Text(to.format(WALL_FORMAT).to_string()));
    Ok(())
}

/// In its place if it is there, else at the end.
fn replace(params: &mut Vec<(String, ParamValue)>, name: &str, value: ParamValue) {
    match params.iter_mut().find(|(n, _)| n == name) {
        Some((_, old)) => *old = value,
        None => params.push((name.to_string(), value)),
    }
}

/// The vendor answers an unlimited search with an error; say so before asking, and check ranges as windows are checked.
fn check_adhoc(pairs: &[(String, Value)]) -> Result<()> {
    let get = |name: &str| pairs.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.as_str());
    let mut limited = ["tradeNo", "sourceTradeNos", "tradeDeliveryNo"].iter().any(|n| get(n).is_some());
    for (begin, end, enough) in RANGES {
        let (Some(from), Some(to)) = (get(begin), get(end)) else { continue };
        limited |= enough;
        let (Some(from), Some(to)) = (parse_wall(from), parse_wall(to)) else {
            return Err(Error::usage(format!("{begin} and {end} are times as 2024-06-05 11:26:00")));
        };
        if to < from || to - from > chrono::Duration::days(MAX_WINDOW_DAYS) {
            return Err(Error::usage(format!("{begin} to {end} is not within {MAX_WINDOW_DAYS} days")));
        }
    }
    if limited {
        return Ok(());
    }
    Err(Error::usage("an ad-hoc pull must name records or one whole time range")
        .hint("--set tradeNo=A,B, --set sourceTradeNos=…, or --set startCreated=… --set endCreated=…"))
}

/// The value as the vendor gets it; `None` for an empty one, which is not sent.
fn to_json(name: &str, value: &ParamValue, scope: &Scope) -> Result<Option<Value>> {
    Ok(match value {
        ParamValue::Text(text) => {
            let text = render(text, scope)?;
            (!text.trim().is_empty()).then(|| Value::from(text))
        }
        ParamValue::Integer(number) => Some(Value::from(*number)),
        ParamValue::Bool(truth) => Some(Value::from(*truth)),
        ParamValue::List(items) if COMMA_LISTS.contains(&name) => {
            let text = render(&comma_list(items), scope)?;
            (!text.is_empty()).then(|| Value::from(text))
        }
        ParamValue::List(items) => {
            let items = items.iter().map(|item| to_json(name, item, scope)).collect::<Result<Vec<_>>>()?;
            let items: Vec<Value> = items.into_iter().flatten().collect();
            (!items.is_empty()).then(|| Value::from(items))
        }
    })
}

fn comma_list(items: &[ParamValue]) -> String {
    let texts: Vec<String> = items
        .iter()
        .map(|item| match item {
            ParamValue::Text(text) => text.trim().to_string(),
            ParamValue::Integer(number) => number.to_string(),
            ParamValue::Bool(truth) => truth.to_string(),
            ParamValue::List(inner) => comma_list(inner),
        })
        .filter(|text| !text.is_empty())
        .collect();
    texts.join(",")
}

fn vendor_name(name: &str) -> &str {
    match name {
        "modified_begin" => "startModified",
        "modified_end" => "endModified",
        other => other,
    }
}

/// Equal but for the spelling of a template: `{{X|datetime}}` and `{{x datetime}}` mean the same.
fn is_same(a: &ParamValue, b: &ParamValue) -> bool {
    let spelling = |text: &str| -> String { text.to_lowercase().chars().filter(|c| !" |\t".contains(*c)).collect() };
    match (a, b) {
        (ParamValue::Text(a), ParamValue::Text(b)) if a.contains("{{") && b.contains("{{") => {
            spelling(a) == spelling(b)
        }
        _ => a == b,
    }
}

fn is_modified(name: &str) -> bool {
    name == "startModified" || name == "endModified"
}

fn is_range(name: &str) -> bool {
    RANGES.iter().any(|(begin, end, _)| *begin == name || *end == name)
}

fn twice(name: &str) -> Error {
    Error::config(format!("{name} is given twice with different values"))
        .hint("modified_begin and modified_end are other names for startModified and endModified: keep one of each")
}
