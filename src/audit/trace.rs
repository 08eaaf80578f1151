//! The story of one document: page, record, row, document, request, answer, receipt.
//!
//! Takes a key, gives one [`Story`] per target that has it, and per pipeline that blocked its record or left it out. The key may be
//! a document's or a record's. Reads single rows and key columns; decides nothing.

use crate::audit::attempts::{self, Attempt};
use crate::audit::{open, pipelines};
use crate::base::lifecycle::State;
use crate::base::record::{Reason, Rid, SliceNo};
use crate::base::{Error, Result};
use crate::config::folder;
use crate::config::model::Pipeline;
use crate::run::plan::{Plan, Setup};
use crate::run::sinks;
use crate::staging::{SliceFile, StagedRow, find_key, raw_record};
use crate::state::Store;
use crate::state::ledger::Entry;
use crate::state::look::{Note, SliceOrigin};
use crate::state::slices::SliceAsk;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// One document's way, as far as it came.
#[derive(Debug, Clone)]
pub struct Story {
    pub key: String,
    /// Of the run that last touched it, or whose note it is; else the only one that maps its table.
    pub pipeline: Option<String>,
    pub standing: Standing,
    /// The staged row it was made from; `None` when its slice is gone.
    pub origin: Option<Origin>,
    /// Other staged versions of the same record, oldest row first.
    pub versions: Vec<Version>,
    /// What was sent and answered, oldest first.
    pub attempts: Vec<Attempt>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum Standing {
    /// The ledger has it.
    Delivered(Box<Receipt>),
    /// Its row made a document that must not be sent, or none because of an error.
    Blocked { reason: Reason, run: i64 },
    /// The mapping made nothing of its row.
    LeftOut { run: i64 },
    /// Staged; no pipeline has mapped it yet.
    Staged,
}

/// The ledger's entry, in words.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub target: String,
    pub state: State,
    pub reason: Option<Reason>,
    /// The target's own id.
    pub remote: Option<String>,
    /// Hex digits.
    pub digest: String,
    /// Source version; only its order means something.
    pub version: Option<i64>,
    /// Digest of the mapping that made it.
    pub mapping: Option<String>,
    /// The run that last sent it or settled it.
    pub run: i64,
}

/// Where a row comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    pub row: StagedRow,
    pub table: String,
    pub account: String,
    pub ask: SliceAsk,
    /// The run that fetched it.
    pub run: i64,
    /// Within the workspace.
    pub file: String,
}

/// Another staged version of the same record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub rid: Rid,
    pub slice: SliceNo,
    pub fetched_at: chrono::DateTime<chrono::Utc>,
    /// Came after the row of the story.
    pub newer: bool,
}

/// All stories of a key, delivered ones first.
///
/// # Errors
/// `Usage` when nothing is known of the key: it says where was looked and names the nearest keys.
pub fn trace(setup: &Setup, key: &str, pipeline: Option<&str>) -> Result<Vec<Story>> {
    let mut known = pipelines(setup)?;
    if let Some(name) = pipeline {
        let path = folder::locate(&setup.root, name)?;
        known.retain(|p| p.path == path);
    }
    let only: Option<String> = pipeline.map(|name| known.first().map_or_else(|| name.to_owned(), |p| p.name.clone()));
    // Pipelines may share a target; without its variables only what this pipeline did itself is known to be its own.
    let target = |name: &String| Some(sinks::open(&Plan::load(setup, name).ok()?).ok()?.target().to_owned());
    let only_target = only.as_ref().and_then(target);
    let tracer = Tracer { setup, store: open(setup)?, known, only, only_target, key };
    let stories = tracer.stories()?;
    if stories.is_empty() { Err(tracer.nothing()?) } else { Ok(stories) }
}

struct Tracer<'a> {
    setup: &'a Setup,
    store: Store,
    /// The pipelines that say which field of a table is its key.
    known: Vec<Pipeline>,
    /// The one pipeline that is asked for.
    only: Option<String>,
    /// Its target, if its settings are known.
    only_target: Option<String>,
    key: &'a str,
}

impl Tracer<'_> {
    fn stories(&self) -> Result<Vec<Story>> {
        let attempts = attempts::of_key(&self.setup.workspace.exchange(), self.key)?;
        let mut stories = self.delivered(&attempts)?;
        let mut told: BTreeSet<Rid> = stories.iter().filter_map(|s| s.origin.as_ref()).map(|o| o.row.rid).collect();
        told.extend(stories.iter().flat_map(|s| &s.versions).map(|v| v.rid));
        let mut noted: Vec<(String, Note)> = Vec::new();
        for (pipeline, row) in self.store.blocked_under(self.key)? {
            noted.push((pipeline, Note::Blocked(row)));
        }
        let mut staged = self.staged()?;
        for rid in told.iter().chain(&staged) {
            noted.extend(self.store.notes_of(*rid)?);
        }
        noted.sort_by_key(|(pipeline, note)| (pipeline.clone(), note.rid()));
        noted.dedup_by_key(|(pipeline, note)| (pipeline.clone(), note.rid()));
        for (pipeline, note) in noted.into_iter().filter(|(pipeline, _)| self.wanted(pipeline)) {
            let rid = note.rid();
            told.insert(rid);
            let standing = match note {
                Note::Blocked(row) => Standing::Blocked { reason: row.reason, run: row.run },
                Note::Unmapped { run, .. } => Standing::LeftOut { run },
            };
            let story = self.story(Some(pipeline), standing, rid, Vec::new())?;
            told.extend(story.versions.iter().map(|v| v.rid));
            stories.push(story);
        }
        staged.retain(|rid| !told.contains(rid));
        while let Some(rid) = staged.pop() {
            let story = self.story(None, Standing::Staged, rid, Vec::new())?;
            staged.retain(|rid| !story.versions.iter().any(|v| v.rid == *rid));
            stories.push(story);
        }
        Ok(stories)
    }

    /// One story per target whose ledger has the key.
    fn delivered(&self, attempts: &[Attempt]) -> Result<Vec<Story>> {
        let mut stories = Vec::new();
        for (id, target) in self.store.targets()? {
            let Some(entry) = self.store.entries(id, [self.key].into_iter())?.pop().flatten() else { continue };
            let pipeline = self.store.run(entry.run)?.map(|run| run.pipeline);
            let by_this = pipeline.as_deref().is_none_or(|name| self.wanted(name));
            if !by_this && self.only_target.as_deref() != Some(target.as_str()) {
                continue;
            }
            let sent = attempts.iter().filter(|a| a.target == target).cloned().collect();
            let rid = entry.rid;
            let receipt = self.receipt(target, entry)?;
            stories.push(self.story(pipeline, Standing::Delivered(Box::new(receipt)), rid, sent)?);
        }
        Ok(stories)
    }

    fn receipt(&self, target: String, entry: Entry) -> Result<Receipt> {
        Ok(Receipt {
            target,
            state: entry.delivered.state,
            reason: entry.reason,
            remote: entry.remote,
            digest: hex::encode(entry.delivered.digest),
            version: entry.delivered.version,
            mapping: self.store.mapping_text(entry.mapping)?.map(|(digest, _)| digest),
            run: entry.run,
        })
    }

    fn story(&self, pipeline: Option<String>, standing: Standing, rid: Rid, attempts: Vec<Attempt>) -> Result<Story> {
        let origin = self.origin(rid)?;
        let versions = match &origin {
            Some(origin) => self.versions(origin)?,
            None => Vec::new(),
        };
        let pipeline = pipeline.or_else(|| self.pipeline_of(&origin.as_ref()?.table));
        Ok(Story { key: self.key.to_owned(), pipeline, standing, origin, versions, attempts })
    }

    fn origin(&self, rid: Rid) -> Result<Option<Origin>> {
        let Some(SliceOrigin { account, table, row }) = self.store.slice(rid.slice())? else { return Ok(None) };
        let path = self.setup.workspace.staging(&table).join(&row.seal.file);
        let Some(staged) = raw_record(&path, rid)? else { return Ok(None) };
        let file = format!("staging/{table}/{}", row.seal.file);
        Ok(Some(Origin { row: staged, table, account, ask: row.ask, run: row.run, file }))
    }

    /// The other rows of the record, found by the record's own key.
    fn versions(&self, origin: &Origin) -> Result<Vec<Version>> {
        let Some(column) = self.key_column(&origin.table) else { return Ok(Vec::new()) };
        let Some(key) = field(&origin.row.raw, column) else { return Ok(Vec::new()) };
        let files = self.files(&origin.table, Some(&origin.account))?;
        let mut versions = Vec::new();
        for rid in find_key(&files, column, &key)?.into_iter().filter(|rid| *rid != origin.row.rid) {
            let Some(file) = files.iter().find(|f| f.slice == rid.slice()) else { continue };
            if let Some(row) = raw_record(&file.path, rid)? {
                let newer = (row.fetched_at, rid) > (origin.row.fetched_at, origin.row.rid);
                versions.push(Version { rid, slice: row.slice, fetched_at: row.fetched_at, newer });
            }
        }
        Ok(versions)
    }

    /// Rows of staged records that have the key themselves, oldest first.
    fn staged(&self) -> Result<Vec<Rid>> {
        let mut rids = Vec::new();
        for table in self.store.staged_tables()? {
            if let Some(column) = self.key_column(&table) {
                rids.extend(find_key(&self.files(&table, None)?, column, self.key)?);
            }
        }
        Ok(rids)
    }

    fn files(&self, table: &str, account: Option<&str>) -> Result<Vec<SliceFile>> {
        let rows = match account {
            Some(account) => self.store.slices(account, table)?,
            None => self.store.slices_of_table(table)?,
        };
        Ok(rows.iter().map(|row| super::slice_file(self.setup, table, row)).collect())
    }

    fn key_column(&self, table: &str) -> Option<&str> {
        self.known.iter().find(|p| p.source.table == table).map(|p| p.source.key.as_str())
    }

    /// The pipeline that maps a table, if there is only one.
    fn pipeline_of(&self, table: &str) -> Option<String> {
        let mut of_table = self.known.iter().filter(|p| p.source.table == table);
        of_table.next().filter(|_| of_table.next().is_none()).map(|p| p.name.clone())
    }

    fn wanted(&self, pipeline: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == pipeline)
    }

    /// Where was looked, and what to type next.
    fn nothing(&self) -> Result<Error> {
        let targets = self.store.targets()?;
        let mut near = Vec::new();
        for (id, _) in &targets {
            near.extend(self.store.keys_near(*id, self.key, 5)?);
        }
        near.sort();
        near.dedup();
        near.truncate(5);
        let tables = self.store.staged_tables()?;
        let columns: Vec<String> = tables.iter().filter_map(|t| Some(format!("{t}.{}", self.key_column(t)?))).collect();
        let ledgers: Vec<&str> = targets.iter().map(|(_, identity)| identity.as_str()).collect();
        let listed = |what: &[&str]| if what.is_empty() { "none".to_owned() } else { what.join(", ") };
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let only = self.only.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
        let message = format!(
            "nothing is known of {}{only}: not in the ledgers ({}), not among blocked rows, not staged ({})",
            self.key,
            listed(&ledgers),
            listed(&columns)
        );
        let hint = match (near.first(), tables.first().and_then(|t| Some((t, self.key_column(t)?)))) {
            (Some(first), _) => format!("nearest keys: {}; try: dukou trace {first}", near.join(", ")),
            (None, Some((table, column))) => {
                format!("see what is there: dukou sql \"SELECT {column} FROM {table} LIMIT 5\"")
            }
            (None, None) => "nothing is staged yet: dukou stage PIPELINE --from 2024-06-01 --to 2024-06-02".to_owned(),
        };
        Ok(Error::usage(message).hint(hint))
    }
}

/// A field of a record, as text; numbers keep their digits.
fn field(raw: &str, name: &str) -> Option<String> {
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(raw).ok()?;
    let value = fields.get(name)?.get();
    if value.starts_with('"') { serde_json::from_str(value).ok() } else { Some(value.to_owned()) }
}
