//! `[sink]`: where documents go, with the statements as their users know them.
//!
//! Takes the section, gives a [`Sink`] with defaults filled in, and notes what is wrong. Whether the placeholders of a statement
//! are filled by the mapping is judged where both are known, not here.

use crate::config::kingdee;
use crate::config::model::{InsertIds, Sink, SinkConnector, Statements};
use crate::config::reader::Section;
use crate::config::secret::Setting;
use crate::config::settings::{self, Content};
use crate::config::source::is_identifier;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Clone, Copy)]
enum Kind {
    MySql,
    Sqlite,
    File,
    Kingdee,
}

const CONNECTORS: &[(&str, Kind)] =
    &[("mysql", Kind::MySql), ("sqlite", Kind::Sqlite), ("file", Kind::File), ("kingdee", Kind::Kingdee)];
const INSERT_IDS: &[(&str, InsertIds)] = &[
    ("auto", InsertIds::Auto),
    ("returning", InsertIds::Returning),
    ("consecutive", InsertIds::Consecutive),
    ("one_by_one", InsertIds::OneByOne),
];

/// Reads `[sink]`; `root` holds `sql/`.
pub fn read(section: Section<'_>, root: &Path) -> Sink {
    let kind = section.choice("connector", CONNECTORS);
    section.require("connector", "connector = \"kingdee\", \"mysql\", \"sqlite\" or \"file\"");
    // The ERP takes documents one by one within a call and is slow at it; its people advise 20.
    let (most, batch_docs) = if matches!(kind, Some(Kind::Kingdee)) { (500, 20) } else { (10_000, 500) };
    let connector = connector(&section, kind);
    let contract =
        settings::file(&section, "contract", &root.join("sql"), "sql").or_else(|| own_contract(&connector, root));
    let sink = Sink {
        connector,
        target_id: section.word("target_id").map(toml::Spanned::into_inner),
        key_field: section.word("key_field").map(toml::Spanned::into_inner),
        batch_docs: size(section.integer("batch_docs", 1..=most, batch_docs)),
        in_flight: size(section.integer("in_flight", 1..=64, 2)),
        in_doubt_wait: section.duration(
            "in_doubt_wait",
            Duration::ZERO..=Duration::from_secs(3_600),
            Duration::from_secs(180),
            "",
        ),
        contract,
        allow_empty: section.words("allow_empty").into_iter().map(toml::Spanned::into_inner).collect(),
    };
    section.finish(super::pipeline::home);
    sink
}

/// The form's contract is `sql/target/<form>.sql`, where that file is there.
fn own_contract(connector: &SinkConnector, root: &Path) -> Option<PathBuf> {
    let SinkConnector::Kingdee(kingdee) = connector else { return None };
    let file = Path::new("target").join(format!("{}.sql", kingdee.form));
    (is_identifier(&kingdee.form) && root.join("sql").join(&file).is_file()).then_some(file)
}

fn connector(section: &Section<'_>, kind: Option<Kind>) -> SinkConnector {
    let path = |form| settings::required(section, "path", Content::Plain, form);
    match kind {
        Some(Kind::MySql) => SinkConnector::MySql {
            url: settings::required(section, "url", Content::Url(&["mysql://"]), "url = \"${DUKOU_MYSQL_URL}\""),
            statements: statements(section),
        },
        Some(Kind::Sqlite) => {
            SinkConnector::Sqlite { path: path("path = \"${DUKOU_SQLITE_PATH}\""), statements: statements(section) }
        }
        Some(Kind::Kingdee) => SinkConnector::Kingdee(Box::new(kingdee::read(section))),
        Some(Kind::File) => SinkConnector::File { path: path("path = \"${DUKOU_FILE_PATH}\"") },
        None => {
            // Unknown: whatever a connector may take is let pass, so that one wrong word is one fault.
            let _ = settings::optional(section, "url", Content::Plain);
            let path = settings::optional(section, "path", Content::Plain);
            if section.has("main_sql") {
                statements(section);
            }
            if section.has("form") {
                let _ = kingdee::read(section);
            }
            SinkConnector::File { path: path.unwrap_or_else(|| Setting::new("sink.path", "")) }
        }
    }
}

fn statements(section: &Section<'_>) -> Statements {
    let main_sql = statement(section, "main_sql");
    section.require("main_sql", "main_sql = '''INSERT INTO … VALUES (<{name: }>, …);'''");
    let mut numbers: Vec<u32> = section.entries().iter().filter_map(|(key, _)| extend_number(key.get_ref())).collect();
    numbers.sort_unstable();
    let extends = numbers.into_iter().map(|k| (k, statement(section, &format!("extend_sql_{k}")))).collect();
    // Asked for even when absent, so that `extend_sql1` is answered by the right spelling.
    if !section.has("extend_sql_1") {
        let _ = section.text("extend_sql_1");
    }
    let insert_ids = section.choice("insert_ids", INSERT_IDS).unwrap_or_default();
    Statements { main_sql, extends, insert_ids }
}

/// The K of `extend_sql_K`.
fn extend_number(key: &str) -> Option<u32> {
    let digits = key.strip_prefix("extend_sql_")?;
    let plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

fn statement(section: &Section<'_>, key: &str) -> String {
    let Some(text) = section.text(key) else { return String::new() };
    let (place, at) = (section.place(key), text.span().start);
    if text.get_ref().trim().is_empty() {
        section.faults().add(at, format!("{place} is empty"), "write INSERT INTO … VALUES (<{name: }>, …);");
    } else if text.get_ref().contains("{{") {
        let hint = "write <{name: }>; the mapping's column of that name fills it";
        section.faults().add(
            section.faults().place_of(&text.span(), "{{", 0),
            format!("{place} takes no template"),
            hint,
        );
    }
    text.into_inner()
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
