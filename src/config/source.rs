//! `[source]` and its parts: window, history, limits.
//!
//! Takes the section, gives a [`Source`] with defaults filled in, and notes what is wrong.

use crate::base::names::suggest;
use crate::config::model::{History, Limits, Source, SourceConnector, Window};
use crate::config::reader::Section;
use crate::config::settings::{self, Content, missing_file_hint};
use crate::config::{params, vocabulary};
use std::path::Path;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const MAX_WINDOW: Duration = Duration::from_secs(vocabulary::JACKYUN_MAX_WINDOW_DAYS * 86_400);
const CONNECTORS: &[(&str, SourceConnector)] = &[("jackyun", SourceConnector::Jackyun)];
const AXES: &[(&str, &str)] = &[("created", "created"), ("consign", "consign")];

/// Reads `[source]`; `root` holds `sql/`.
pub fn read(section: Section<'_>, root: &Path) -> Source {
    let connector = section.choice("connector", CONNECTORS);
    section.require("connector", "connector = \"jackyun\"");
    let method = method(&section);
    let table = table(&section, &root.join("sql"));
    let key = trade_field(&section, "key", "key = \"tradeNo\"");
    let version = trade_field(&section, "version", "version = \"gmtModified\"");
    let http = Content::Url(&["https://", "http://"]);
    let history = section.section("history").map(history);
    let params = section.section("params").map(|params| params::read(&params, history.as_ref()));
    section.require("params", "a section [source.params] with fields = \"tradeNo,…\"");
    let source = Source {
        connector: connector.unwrap_or(SourceConnector::Jackyun),
        method,
        table,
        drop: drop_patterns(&section, &[&key, &version]),
        key,
        version,
        url: settings::required(&section, "url", http, "url = \"${JACKYUN_URL}\""),
        app_key: settings::required(&section, "app_key", Content::Plain, "app_key = \"${JACKYUN_APP_KEY}\""),
        app_secret: settings::required(
            &section,
            "app_secret",
            Content::Secret,
            "app_secret = \"${JACKYUN_APP_SECRET}\"",
        ),
        access_token: settings::optional(&section, "access_token", Content::Secret),
        refresh_token: None,
        params: params.unwrap_or_default(),
        window: window(section.section("window")),
        history,
        limits: limits(section.section("limits")),
    };
    section.finish(super::pipeline::home);
    source
}

fn method(section: &Section<'_>) -> String {
    let method = section.required_word("method", "method = \"oms.trade.fullinfoget\"");
    let name = method.get_ref();
    if !name.is_empty() && name != vocabulary::JACKYUN_METHOD {
        let hint = suggest(name, [vocabulary::JACKYUN_METHOD]);
        section.faults().add(method.span().start, format!("source.method: no method {name} for this connector"), hint);
    }
    method.into_inner()
}

/// The staging table; it is a name in SQL and in the path of its DDL.
fn table(section: &Section<'_>, sql: &Path) -> String {
    let table = section.required_word("table", "table = \"trade\"");
    let (name, at) = (table.get_ref(), table.span().start);
    if name.is_empty() {
        return String::new();
    }
    let ddl = Path::new("staging").join(format!("{name}.sql"));
    if !is_identifier(name) {
        section.faults().add(at, format!("source.table: {name} is no table name"), "letters, digits and _ only");
    } else if !sql.join(&ddl).is_file() {
        let hint = missing_file_hint(sql, &ddl, "sql");
        section.faults().add(at, format!("source.table: there is no file sql/staging/{name}.sql"), hint);
    }
    table.into_inner()
}

fn trade_field(section: &Section<'_>, key: &'static str, form: &str) -> String {
    let field = section.required_word(key, form);
    let name = field.get_ref();
    if !name.is_empty() && !vocabulary::is_trade_field(name) {
        let message = format!("source.{key}: a record of the vendor has no field {name}");
        section.faults().add(field.span().start, message, vocabulary::trade_field_hint(name));
    }
    field.into_inner()
}

/// A typing error here would write the personal data it was to keep out, so a name without `*` must be known.
fn drop_patterns(section: &Section<'_>, kept: &[&String]) -> Vec<String> {
    let mut patterns = Vec::new();
    for word in section.words("drop") {
        let (pattern, at) = (word.get_ref().trim(), word.span().start);
        let stem = pattern.strip_suffix('*').unwrap_or(pattern);
        let wild = stem.len() < pattern.len();
        let well_formed = !stem.is_empty() && stem.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
        if !well_formed {
            let hint = "a field's name, or its beginning and one * at the end, as \"payer*\"";
            section.faults().add(at, format!("source.drop: \"{pattern}\" is no pattern"), hint);
        } else if let Some(name) = kept.iter().find(|k| **k == pattern || (wild && k.starts_with(stem))) {
            let hint = "key and version of a record cannot be dropped";
            section.faults().add(at, format!("source.drop: \"{pattern}\" would drop {name}"), hint);
        } else if !wild && !vocabulary::is_field(stem) {
            let hint = vocabulary::field_hint(stem);
            section.faults().add(at, format!("source.drop: the vendor has no field {stem}"), hint);
        }
        patterns.push(pattern.to_owned());
    }
    patterns
}

fn window(section: Option<Section<'_>>) -> Window {
    let default = Window {
        slice: DAY,
        overlap: Duration::from_secs(300),
        settle: Duration::from_secs(60),
        page_size: vocabulary::JACKYUN_MAX_PAGE_SIZE,
        start: None,
    };
    let Some(section) = section else { return default };
    let vendor = " (the vendor refuses more)";
    let max_page = i64::from(vocabulary::JACKYUN_MAX_PAGE_SIZE);
    let window = Window {
        slice: section.duration("slice", SECOND..=MAX_WINDOW, default.slice, vendor),
        overlap: section.duration("overlap", Duration::ZERO..=MAX_WINDOW, default.overlap, ""),
        settle: section.duration("settle", Duration::ZERO..=DAY, default.settle, ""),
        page_size: small(section.integer("page_size", 1..=max_page, max_page)),
        start: section.wall("start"),
    };
    section.finish(super::pipeline::home);
    window
}

fn history(section: Section<'_>) -> History {
    section.require("axis", "axis = \"created\" or axis = \"consign\"");
    let axis = section.choice("axis", AXES).unwrap_or("created").to_owned();
    let mut table_switches: Vec<i64> = Vec::new();
    match section.integers("table_switches", 0..=2) {
        None => table_switches.push(1),
        Some(numbers) => {
            for number in numbers {
                if table_switches.contains(number.get_ref()) {
                    let message = format!("source.history.table_switches names {} twice", number.get_ref());
                    section.faults().add(number.span().start, message, "name each once: 1 daily tables, 2 archived");
                }
                table_switches.push(*number.get_ref());
            }
            if table_switches.is_empty() {
                section.faults().add(
                    section.at(),
                    "source.history.table_switches is empty",
                    "write [1], [2] or [1, 2]",
                );
            }
        }
    }
    section.finish(super::pipeline::home);
    History { axis, table_switches }
}

fn limits(section: Option<Section<'_>>) -> Limits {
    let default = Limits {
        calls_per_second: vocabulary::JACKYUN_CALLS_PER_SECOND,
        calls_per_minute: None,
        request_timeout: Duration::from_secs(60),
        max_page_bytes: 64 << 20,
        max_pages: 10_000,
    };
    let Some(section) = section else { return default };
    let limits = Limits {
        // Above the vendor's published rate only a sandbox or a paid agreement answers; that is the user's to know.
        calls_per_second: section.number("calls_per_second", 0.001..=10_000.0, default.calls_per_second),
        calls_per_minute: None,
        request_timeout: section.duration("request_timeout", SECOND..=SECOND * 600, default.request_timeout, ""),
        max_page_bytes: (small(section.integer("max_page_mib", 1..=1024, 64)) as usize) << 20,
        max_pages: small(section.integer("max_pages", 1..=10_000_000, 10_000)),
    };
    section.finish(super::pipeline::home);
    limits
}

/// Numbers of a pipeline file are checked against small ranges before they come here.
fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A name in SQL without quotes.
pub fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
