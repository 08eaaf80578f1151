//! `[source]` and its parts: window, history, limits.
//!
//! Takes the section, gives a [`Source`] with defaults filled in, and notes what is wrong.

use crate::base::names::suggest;
use crate::config::model::{History, Limits, Source, SourceConnector, Window};
use crate::config::params;
use crate::config::reader::Section;
use crate::config::settings::{self, Content, missing_file_hint};
use crate::config::vocabulary::{self, Vocabulary};
use std::path::Path;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Reads `[source]`; `root` holds `sql/`.
pub fn read(section: Section<'_>, root: &Path) -> Source {
    let connector = section.choice("connector", vocabulary::CONNECTORS);
    section.require("connector", "connector = \"jackyun\" or connector = \"jushuitan\"");
    let connector = connector.unwrap_or(SourceConnector::Jackyun);
    let vendor = vocabulary::of(connector);
    let method = method(&section, vendor);
    let table = table(&section, vendor, &root.join("sql"));
    let key = record_field(&section, vendor, "key", vendor.key);
    let version = record_field(&section, vendor, "version", vendor.version);
    let history = section.section("history").map(|section| history(section, vendor));
    let params = section.section("params").map(|params| params::read(&params, vendor, history.as_ref()));
    section.require("params", &params_form(vendor));
    let setting = |key, content| settings::required(&section, key, content, &variable_form(vendor, key));
    let source = Source {
        connector,
        method,
        table,
        drop: drop_patterns(&section, vendor, &[&key, &version]),
        key,
        version,
        url: setting("url", Content::Url(&["https://", "http://"])),
        app_key: setting("app_key", Content::Plain),
        app_secret: setting("app_secret", Content::Secret),
        access_token: settings::optional(&section, "access_token", Content::Secret),
        refresh_token: vendor
            .has_refresh_token
            .then(|| settings::optional(&section, "refresh_token", Content::Secret))
            .flatten(),
        params: params.unwrap_or_default(),
        window: window(section.section("window"), vendor),
        history,
        limits: limits(section.section("limits"), vendor),
    };
    section.finish(super::pipeline::home);
    source
}

/// `app_key = "${JST_APP_KEY}"`
fn variable_form(vendor: &Vocabulary, key: &str) -> String {
    format!("{key} = \"${{{}_{}}}\"", vendor.variables, key.to_uppercase())
}

fn params_form(vendor: &Vocabulary) -> String {
    if vendor.needs_fields {
        return format!("a section [source.params] with fields = \"{},…\"", vendor.key);
    }
    let begin = vendor.ranges.first().map_or("", |range| range.begin);
    format!("a section [source.params] with {begin} = \"{{{{LAST_SYNC_TIME|datetime}}}}\" and its kin")
}

fn method(section: &Section<'_>, vendor: &Vocabulary) -> String {
    let method = section.required_word("method", &format!("method = \"{}\"", vendor.method));
    let name = method.get_ref();
    if !name.is_empty() && name != vendor.method {
        let hint = suggest(name, [vendor.method]);
        section.faults().add(method.span().start, format!("source.method: no method {name} for this connector"), hint);
    }
    method.into_inner()
}

/// The staging table; it is a name in SQL and in the path of its DDL.
fn table(section: &Section<'_>, vendor: &Vocabulary, sql: &Path) -> String {
    let table = section.required_word("table", &format!("table = \"{}\"", vendor.table));
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

fn record_field(section: &Section<'_>, vendor: &Vocabulary, key: &'static str, usual: &str) -> String {
    let field = section.required_word(key, &format!("{key} = \"{usual}\""));
    let name = field.get_ref();
    if !name.is_empty() && !vendor.is_record_field(name) {
        let message = format!("source.{key}: a record of the vendor has no field {name}");
        section.faults().add(field.span().start, message, vendor.record_field_hint(name));
    }
    field.into_inner()
}

/// A typing error here would write the personal data it was to keep out, so a name without `*` must be known.
fn drop_patterns(section: &Section<'_>, vendor: &Vocabulary, kept: &[&String]) -> Vec<String> {
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
        } else if !wild && !vendor.is_field(stem) {
            let hint = vendor.field_hint(stem);
            section.faults().add(at, format!("source.drop: the vendor has no field {stem}"), hint);
        }
        patterns.push(pattern.to_owned());
    }
    patterns
}

fn window(section: Option<Section<'_>>, vendor: &Vocabulary) -> Window {
    let max_window = DAY * u32::try_from(vendor.max_window_days).unwrap_or(u32::MAX);
    let default = Window {
        slice: DAY,
        overlap: Duration::from_secs(300),
        settle: Duration::from_secs(60),
        page_size: vendor.max_page_size,
        start: None,
    };
    let Some(section) = section else { return default };
    let max_page = i64::from(vendor.max_page_size);
    let window = Window {
        slice: section.duration("slice", SECOND..=max_window, default.slice, " (the vendor refuses more)"),
        overlap: section.duration("overlap", Duration::ZERO..=max_window, default.overlap, ""),
        settle: section.duration("settle", Duration::ZERO..=DAY, default.settle, ""),
        page_size: small(section.integer("page_size", 1..=max_page, max_page)),
        start: section.wall("start"),
    };
    section.finish(super::pipeline::home);
    window
}

fn history(section: Section<'_>, vendor: &Vocabulary) -> History {
    let forms: Vec<String> = vendor.axes.iter().map(|(word, _)| format!("axis = \"{word}\"")).collect();
    section.require("axis", &forms.join(" or "));
    let usual = vendor.axes.first().map_or("", |(_, axis)| *axis);
    let axis = section.choice("axis", vendor.axes).unwrap_or(usual).to_owned();
    let table_switches = if vendor.has_table_switches { table_switches(&section) } else { Vec::new() };
    section.finish(super::pipeline::home);
    History { axis, table_switches }
}

/// Jackyun's `isTableSwitch`, each once.
fn table_switches(section: &Section<'_>) -> Vec<i64> {
    let Some(numbers) = section.integers("table_switches", 0..=2) else { return vec![1] };
    let mut switches: Vec<i64> = Vec::new();
    for number in numbers {
        if switches.contains(number.get_ref()) {
            let message = format!("source.history.table_switches names {} twice", number.get_ref());
            section.faults().add(number.span().start, message, "name each once: 1 daily tables, 2 archived");
        }
        switches.push(*number.get_ref());
    }
    if switches.is_empty() {
        section.faults().add(section.at(), "source.history.table_switches is empty", "write [1], [2] or [1, 2]");
    }
    switches
}

fn limits(section: Option<Section<'_>>, vendor: &Vocabulary) -> Limits {
    let default = Limits {
        calls_per_second: vendor.calls_per_second,
        calls_per_minute: vendor.calls_per_minute,
        request_timeout: Duration::from_secs(60),
        max_page_bytes: 64 << 20,
        max_pages: 10_000,
    };
    let Some(section) = section else { return default };
    let limits = Limits {
        // Above the vendor's published rate only a sandbox or a paid agreement answers; that is the user's to know.
        calls_per_second: section.number("calls_per_second", 0.001..=10_000.0, default.calls_per_second),
        calls_per_minute: match section.integer(
            "calls_per_minute",
            1..=1_000_000,
            default.calls_per_minute.map_or(0, i64::from),
        ) {
            // Neither the file nor the vendor limits a minute.
            0 => None,
            calls => Some(small(calls)),
        },
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
