//! What a pull asks Jushuitan for: the pipeline's parameters, those of the command line over them, the window over both.
//!
//! Takes names and values as written, gives the `biz` of each request. No paging logic (`pager.rs`), no signature. Facts:
//! a window has both ends or none and at most 7 days; `date_type` 2 makes it one of io_date; lists hold at most 50 texts.

use crate::base::clock::{WALL_FORMAT, Wall, parse_wall};
use crate::base::names::suggest;
use crate::base::{Error, Result};
use crate::config::model::{ParamValue, Source};
use crate::config::template::{Scope, render};
use crate::config::vocabulary::{JUSHUITAN, ParamKind};
use crate::source::{Ask, AskKind, Axis};
use serde_json::{Map, Value};

const BEGIN: &str = "modified_begin";
const END: &str = "modified_end";
const DATE_TYPE: &str = "date_type";
/// `date_type` of a window on io_date; without it a window is about the last modification.
const BY_IO_DATE: i64 = 2;
/// The stable axis.
const IO_DATE: &str = "io_date";
/// `page_index` of the first page.
const FIRST_PAGE: i64 = 1;

/// The parameters of a pipeline file.
pub struct Params {
    given: Vec<(String, ParamValue)>,
    key: String,
    version: String,
    page_size: u32,
}

/// One pull's question: everything but the page.
#[derive(Debug)]
pub struct Question {
    pairs: Vec<(String, Value)>,
    pub page_size: u32,
}

impl Params {
    pub fn new(source: &Source) -> Self {
        Self {
            given: source.params.clone(),
            key: source.key.clone(),
            version: source.version.clone(),
            page_size: source.window.page_size,
        }
    }

    /// A message per fault of the file's parameters.
    pub fn check(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, value) in &self.given {
            if let Some(fault) = unknown(name) {
                faults.push(format!("source.params.{name}: {fault}"));
            }
            let literal = matches!(value, ParamValue::Text(t) if !t.trim().is_empty() && !t.contains("{{"));
            if literal && [BEGIN, END].contains(&name.as_str()) {
                faults.push(format!("source.params.{name}: the window decides this; write {{{{LAST_SYNC_TIME|datetime}}}} or {{{{CURRENT_TIME|datetime}}}}, or leave it out"));
            }
            if name == DATE_TYPE && *value != ParamValue::Integer(0) && !["", "0"].map(text).contains(value) {
                faults.push(format!("source.params.{name}: the axis decides this; write [source.history] axis = \"{IO_DATE}\" and leave it out"));
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

    /// Parameters that make two pulls of one interval ask for the same thing, one per line: no times of the window, no
    /// paging, nothing that is not sent; a list is the same however it is written.
    pub fn identity(&self) -> String {
        let mut lines = vec![format!("key={}", self.key), format!("version={}", self.version)];
        for (name, value) in &self.given {
            if [BEGIN, END, DATE_TYPE, "page_index", "page_size"].contains(&name.as_str()) {
                continue;
            }
            match to_json(name, value, None) {
                Ok(Some(value)) => lines.push(format!("{name}={value}")),
                Ok(None) => {}
                // What cannot be sent is refused when it is asked for.
                Err(_) => lines.push(format!("{name}={value:?}")),
            }
        }
        lines.sort_unstable();
        lines.join("\n")
    }

    /// The question of one pull. `now` matters for ad-hoc pulls only; in a window CURRENT_TIME is the window's end.
    pub fn question(&self, ask: &Ask, now: Wall) -> Result<Question> {
        let mut params = self.given.clone();
        let set = lay_over(&mut params, &ask.set)?;
        let (last_sync, now) = match &ask.kind {
            AskKind::Window { from, to, axis } => {
                apply_window(&mut params, &set, (*from, *to), axis)?;
                (Some(*from), *to)
            }
            AskKind::Adhoc => {
                params.retain(|(name, _)| set.contains(name) || ![BEGIN, END, DATE_TYPE].contains(&name.as_str()));
                (None, now)
            }
        };
        let scope = Scope { last_sync, now, page_size: self.page_size, start_page: FIRST_PAGE };
        let mut pairs: Vec<(String, Value)> = Vec::new();
        for (name, value) in &params {
            let value = to_json(name, value, Some(&scope)).map_err(|e| e.context(format!("source.params.{name}")))?;
            pairs.extend(value.map(|value| (name.clone(), value)));
        }
        let page_size = self.settle_paging(&mut pairs)?;
        if ask.kind == AskKind::Adhoc {
            check_adhoc(&pairs)?;
        }
        Ok(Question { pairs, page_size })
    }

    /// Takes the paging members out and reads the page size.
    fn settle_paging(&self, pairs: &mut Vec<(String, Value)>) -> Result<u32> {
        let number = |name: &str| pairs.iter().find(|(n, _)| n == name).and_then(|(_, value)| value.as_i64());
        let (index, size) = (number("page_index"), number("page_size").unwrap_or(i64::from(self.page_size)));
        let max = JUSHUITAN.max_page_size;
        let size = u32::try_from(size).ok().filter(|n| (1..=max).contains(n)).ok_or_else(|| {
            Error::config(format!("page size {size}: the vendor takes 1 to {max}")).hint("set source.window.page_size")
        })?;
        if index.is_some_and(|n| n != FIRST_PAGE) {
            return Err(Error::config("source.params.page_index: pages count from 1")
                .hint("write page_index = \"{{PAGINATION_START_PAGE}}\" or leave it out"));
        }
        pairs.retain(|(name, _)| name != "page_index" && name != "page_size");
        Ok(size)
    }
}

impl Question {
    /// The JSON text of the request for one page.
    pub fn biz(&self, page: u32) -> String {
        let mut biz: Map<String, Value> = self.pairs.iter().cloned().collect();
        biz.insert("page_index".into(), Value::from(page));
        biz.insert("page_size".into(), Value::from(self.page_size));
        Value::Object(biz).to_string()
    }
}

/// Refuses every stable axis but the one there is.
pub fn check_axis(axis: &str) -> Result<()> {
    if axis == IO_DATE {
        return Ok(());
    }
    Err(Error::config(format!("source.history: no axis {axis}; {}", suggest(axis, [IO_DATE]))))
}

fn text(text: &str) -> ParamValue {
    ParamValue::Text(text.into())
}

fn unknown(name: &str) -> Option<String> {
    let hint = JUSHUITAN.param(name).err()?;
    Some(format!("{} has no such parameter and would ignore it silently; {hint}", JUSHUITAN.method))
}

/// Puts `--set` over the file; gives the names of what was set.
fn lay_over(params: &mut Vec<(String, ParamValue)>, set: &[(String, String)]) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for (name, value) in set {
        if let Some(fault) = unknown(name) {
            return Err(Error::usage(format!("--set {name}: {fault}")));
        }
        if ["page_index", "page_size", "start_ts"].contains(&name.as_str()) {
            return Err(Error::usage(format!("--set {name}: dukou sets this one itself"))
                .hint("name records, as --set so_ids=A,B or --set io_ids=1,2"));
        }
        if names.contains(name) {
            return Err(Error::usage(format!("--set {name} is given twice"))
                .hint("several values of one parameter are separated by commas"));
        }
        replace(params, name, text(value));
        names.push(name.clone());
    }
    Ok(names)
}

fn apply_window(
    params: &mut Vec<(String, ParamValue)>,
    set: &[String],
    (from, to): (Wall, Wall),
    axis: &Axis,
) -> Result<()> {
    check_span(from, to).map_err(|e| e.hint("set source.window.slice to 7d or less"))?;
    if let Some(name) = set.iter().find(|name| [BEGIN, END, DATE_TYPE].contains(&name.as_str())) {
        return Err(Error::usage(format!("--set {name}: in a window pull the window decides this"))
            .hint("use --from and --to, or name records, as --set so_ids=…"));
    }
    replace(params, BEGIN, text(&from.format(WALL_FORMAT).to_string()));
    replace(params, END, text(&to.format(WALL_FORMAT).to_string()));
    params.retain(|(name, _)| name != DATE_TYPE);
    if let Axis::Stable { name, .. } = axis {
        check_axis(name)?;
        params.push((DATE_TYPE.to_string(), ParamValue::Integer(BY_IO_DATE)));
    }
    Ok(())
}

fn check_span(from: Wall, to: Wall) -> Result<()> {
    let days = JUSHUITAN.max_window_days;
    if to < from || (to - from).num_seconds().unsigned_abs() > days * 86_400 {
        return Err(Error::config(format!("the window {from} to {to} is not within {days} days")));
    }
    Ok(())
}

/// In its place if it is there, else at the end.
fn replace(params: &mut Vec<(String, ParamValue)>, name: &str, value: ParamValue) {
    match params.iter_mut().find(|(n, _)| n == name) {
        Some((_, old)) => *old = value,
        None => params.push((name.to_string(), value)),
    }
}

/// The vendor answers an unlimited search with an error; say so before asking, and check a range as windows are checked.
fn check_adhoc(pairs: &[(String, Value)]) -> Result<()> {
    let get = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value);
    let times = (get(BEGIN).and_then(Value::as_str), get(END).and_then(Value::as_str));
    match times {
        (Some(from), Some(to)) => {
            let (Some(from), Some(to)) = (parse_wall(from), parse_wall(to)) else {
                return Err(Error::usage(format!("{BEGIN} and {END} are times as 2024-06-05 11:26:00")));
            };
            check_span(from, to).map_err(|e| Error::usage(e.message()))
        }
        (None, None) if get("so_ids").is_some() || get("io_ids").is_some() => Ok(()),
        (None, None) => Err(Error::usage("an ad-hoc pull must name records or one whole time range")
            .hint("--set so_ids=A,B, --set io_ids=1,2, or --set modified_begin=… --set modified_end=…")),
        _ => Err(Error::usage(format!("{BEGIN} and {END} belong together")).hint("give both or none")),
    }
}

/// The value as the vendor gets it; `None` for an empty one, which is not sent. Without a scope templates stay as they are.
fn to_json(name: &str, value: &ParamValue, scope: Option<&Scope>) -> Result<Option<Value>> {
    let written = match (value, scope) {
        (ParamValue::Text(text), Some(scope)) => ParamValue::Text(render(text, scope)?),
        _ => value.clone(),
    };
    let wrong = |expected: &str| Err(Error::config(format!("not {expected}")));
    Ok(match (JUSHUITAN.param(name), written) {
        (_, ParamValue::Text(text)) if text.trim().is_empty() => None,
        (Ok(ParamKind::List), value) => {
            let items = elements(&value);
            let max = JUSHUITAN.max_list;
            if items.len() > max {
                return Err(Error::config(format!("{} values; the vendor takes at most {max}", items.len()))
                    .hint("ask in several commands"));
            }
            (!items.is_empty()).then(|| Value::from(items))
        }
        (Ok(ParamKind::Integer | ParamKind::PageSize | ParamKind::StartPage), value) => match value {
            ParamValue::Integer(number) => Some(Value::from(number)),
            ParamValue::Text(text) => match text.trim().parse::<i64>() {
                Ok(number) => Some(Value::from(number)),
                // Only a template that is not filled in may be something else here.
                Err(_) if scope.is_none() => Some(Value::from(text)),
                Err(_) => return wrong("a whole number"),
            },
            ParamValue::Bool(_) | ParamValue::List(_) => return wrong("a whole number"),
        },
        (_, ParamValue::Text(text)) => Some(Value::from(text.trim())),
        (_, ParamValue::Integer(number)) => Some(Value::from(number.to_string())),
        (_, ParamValue::Bool(_) | ParamValue::List(_)) => return wrong("a text"),
    })
}

/// A text is a list of the parts between its commas; ids are texts to the vendor.
fn elements(value: &ParamValue) -> Vec<String> {
    match value {
        ParamValue::Text(text) => {
            text.split([',', '，']).map(str::trim).filter(|part| !part.is_empty()).map(str::to_string).collect()
        }
        ParamValue::Integer(number) => vec![number.to_string()],
        ParamValue::Bool(truth) => vec![truth.to_string()],
        ParamValue::List(items) => items.iter().flat_map(elements).collect(),
    }
}
