//! The pipeline file: TOML in, a [`Pipeline`] or *all* its faults out.
//!
//! Takes the file and the folder it belongs to; checks that the files it names are there. Never resolves a variable, never reads
//! what the named files hold, never touches the network.

use crate::base::Fault;
use crate::config::model::{Lookup, LookupFormat, Mapping, Pipeline, Scope};
use crate::config::reader::{Faults, Section};
use crate::config::{settings, sink, source, vocabulary};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A larger file is no pipeline.
const MAX_FILE_BYTES: u64 = 1 << 20;
const SCOPES: &[(&str, Scope)] = &[("touched", Scope::Touched), ("all", Scope::All)];

/// Keys and the section they belong to, for a key that strayed: in TOML a line after `[source.window]` is in it.
const HOMES: &[(&str, &[&str])] = &[
    ("source", &["method", "table", "version", "app_key", "app_secret", "access_token", "refresh_token", "drop"]),
    ("source.window", &["slice", "overlap", "settle", "page_size", "start"]),
    ("source.history", &["axis", "table_switches"]),
    ("source.limits", &["calls_per_second", "calls_per_minute", "request_timeout", "max_page_mib", "max_pages"]),
    ("mapping", &["sql", "scope"]),
    (
        "sink",
        &[
            "target_id",
            "key_field",
            "batch_docs",
            "in_flight",
            "in_doubt_wait",
            "contract",
            "allow_empty",
            "main_sql",
            "extend_sql_1",
            "insert_ids",
        ],
    ),
];

/// Where a key would be right: one of our sections, or the vendor's parameters.
pub(super) fn home(key: &str) -> Option<&'static str> {
    let ours = HOMES.iter().find(|(_, keys)| keys.contains(&key)).map(|(section, _)| *section);
    ours.or_else(|| vocabulary::is_param_somewhere(key).then_some("source.params"))
}

/// A pipeline as far as its file can be understood: what was wrong is empty in it. Only for looking on, never to be run.
#[derive(Debug)]
pub struct Draft {
    pub pipeline: Pipeline,
    /// Is `[source]` without a fault? Likewise `[mapping]` together with `[lookup]`, and `[sink]`.
    pub source: bool,
    pub mapping: bool,
    pub sink: bool,
}

/// Reads a pipeline file. `root` holds `pipelines/`, `sql/` and `data/`.
pub fn load(path: &Path, root: &Path) -> Result<Pipeline, Vec<Fault>> {
    sound(survey(path, root))
}

fn sound((draft, faults): (Option<Draft>, Vec<Fault>)) -> Result<Pipeline, Vec<Fault>> {
    match draft {
        Some(draft) if faults.is_empty() => Ok(draft.pipeline),
        _ => Err(faults),
    }
}

/// The same for `check`: all faults of the file, and what can be judged in spite of them.
pub fn survey(path: &Path, root: &Path) -> (Option<Draft>, Vec<Fault>) {
    match text_of(path, root) {
        Ok(text) => {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            draft(&name, &text, path, root)
        }
        Err(fault) => (None, vec![fault]),
    }
}

fn text_of(path: &Path, root: &Path) -> Result<String, Fault> {
    let shown = shown(path, root);
    let unreadable = |message: String, hint: &str| Fault::whole(&shown, message, hint);
    let size = std::fs::metadata(path).map_err(|e| unreadable(e.to_string(), "check the path"))?.len();
    if size > MAX_FILE_BYTES {
        return Err(unreadable(format!("{size} bytes is no pipeline file"), "at most 1 MiB"));
    }
    let bytes = std::fs::read(path).map_err(|e| unreadable(e.to_string(), "make the file readable for this user"))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let before = String::from_utf8_lossy(valid);
        Fault::at(&shown, &before, before.len(), "not UTF-8 from here on", "save the file as UTF-8")
    })
}

/// Reads the text of a pipeline file; `path` is where it came from, for messages.
pub fn parse(name: &str, text: &str, path: &Path, root: &Path) -> Result<Pipeline, Vec<Fault>> {
    sound(draft(name, text, path, root))
}

fn draft(name: &str, text: &str, path: &Path, root: &Path) -> (Option<Draft>, Vec<Fault>) {
    let faults = Faults::new(shown(path, root), text);
    let tree = faults.tree();
    let draft = read(name, &tree, &faults, path, root).filter(|_| faults.is_toml());
    drop(tree);
    (draft, faults.into_list())
}

/// The file as the user knows it.
fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// `None` only together with a fault.
fn read(name: &str, tree: &toml::de::DeTable<'_>, faults: &Faults<'_>, path: &Path, root: &Path) -> Option<Draft> {
    let top = Section::top(tree, faults);
    let description = top.text("description").map(toml::Spanned::into_inner).unwrap_or_default();
    for (section, form) in [
        ("source", "a section [source] with connector = \"jackyun\""),
        ("mapping", "a section [mapping] with sql = \"mapping/….sql\""),
        ("sink", "a section [sink] with connector = \"mysql\""),
    ] {
        top.require(section, form);
    }
    let start = faults.count();
    let source = top.section("source").map(|section| source::read(section, root));
    let after_source = faults.count();
    let mapping = top.section("mapping").map(|section| mapping(section, root));
    let lookups = top.section("lookup").map(|section| lookups(&section, root)).unwrap_or_default();
    let after_mapping = faults.count();
    let sink = top.section("sink").map(|section| sink::read(section, root));
    let after_sink = faults.count();
    top.finish(home);
    let (name, path, root) = (name.to_owned(), path.to_owned(), root.to_owned());
    Some(Draft {
        pipeline: Pipeline { name, path, root, description, source: source?, mapping: mapping?, lookups, sink: sink? },
        source: start == after_source,
        mapping: after_source == after_mapping,
        sink: after_mapping == after_sink,
    })
}

fn mapping(section: Section<'_>, root: &Path) -> Mapping {
    let sql = settings::file(&section, "sql", &root.join("sql"), "sql");
    section.require("sql", "sql = \"mapping/….sql\"");
    let mut params = BTreeMap::new();
    if let Some(values) = section.section("params") {
        for (key, _) in values.entries() {
            let name = *key.get_ref();
            check_name(&values, "parameter", &key);
            if let Some(text) = values.text(name) {
                params.insert(name.to_owned(), text.into_inner());
            }
        }
    }
    let scope = section.choice("scope", SCOPES).unwrap_or_default();
    section.finish(home);
    Mapping { sql: sql.unwrap_or_default(), params, scope }
}

fn lookups(section: &Section<'_>, root: &Path) -> BTreeMap<String, Lookup> {
    let mut lookups = BTreeMap::new();
    for (key, _) in section.entries() {
        check_name(section, "look-up", &key);
        if let Some(table) = section.section(key.get_ref()) {
            lookups.insert((*key.get_ref()).to_owned(), lookup(table, root));
        }
    }
    lookups
}

fn lookup(section: Section<'_>, root: &Path) -> Lookup {
    let sql = root.join("sql");
    let csv = settings::file(&section, "csv", &sql, "sql");
    let parquet = settings::file(&section, "parquet", &sql, "sql");
    let (file, format) = match (csv, parquet) {
        (Some(_), Some(_)) => {
            let place = section.place("csv");
            section.faults().add(section.at(), format!("{place} and parquet are both there"), "keep one of the two");
            (PathBuf::new(), LookupFormat::Csv)
        }
        (Some(file), None) => (file, LookupFormat::Csv),
        (None, Some(file)) => (file, LookupFormat::Parquet),
        (None, None) => {
            if !section.has("parquet") {
                section.require("csv", "csv = \"lookup/….csv\" or parquet = \"lookup/….parquet\"");
            }
            (PathBuf::new(), LookupFormat::Csv)
        }
    };
    let key = section.required_word("key", "key = \"name\", the column that is searched").into_inner();
    section.finish(home);
    Lookup { file, format, key }
}

fn check_name(section: &Section<'_>, what: &str, key: &toml::Spanned<&str>) {
    let name = *key.get_ref();
    if !source::is_identifier(name) {
        let hint = "letters, digits and _ only, a letter first";
        section.faults().add(key.span().start, format!("{}: no name for a {what}", section.place(name)), hint);
    }
}
