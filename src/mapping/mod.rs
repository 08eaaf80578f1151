//! Staged records become documents: one SELECT, each result row one document.
//!
//! Takes a mapping's SQL, look-ups and tables, gives [`Mapped`] values in a deterministic order, one chunk of records in memory at a
//! time. A record on which the engine fails stands alone as a blocked document; the others go on. It never writes, never reaches a
//! network, never sees staging or the ledger: the caller hands the tables over.
//!
//! `syntax` and `fields` (text) → `planning` (engine) → `check` (everything that is wrong) → `documents` (rows) → `blame` (look-ups
//! that left a document without a field).

mod blame;
pub mod check;
pub mod contract;
mod csv;
mod cure;
pub mod documents;
mod facts;
pub mod fault;
mod fields;
pub mod lookup;
pub mod members;
pub(crate) mod planning;
pub mod session;
pub(crate) mod syntax;
pub(crate) mod values;

#[cfg(test)]
mod tests;

pub use check::check;
pub use contract::Contract;
pub use cure::cure;
pub use fault::Fault;
pub use lookup::{Lookups, Misses};
pub use session::Providers;
pub use syntax::names;

use crate::base::clock::Wall;
use crate::base::record::{DocKey, Mapped, Reason, Rid};
use crate::base::{Error, Result};
use crate::config::model::Scope;
use datafusion::arrow::datatypes::Fields;
use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use datafusion::execution::context::SessionState;
use datafusion::sql::sqlparser::ast::Query;
use documents::Layout;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A mapping as it is meant.
#[derive(Debug, Clone)]
pub struct MappingSpec {
    /// The pipeline's name, for messages.
    pub name: String,
    pub sql_text: String,
    /// The SQL file as the user knows it.
    pub sql_label: String,
    /// `$name` → text; `$run_time` is filled by the run.
    pub params: BTreeMap<String, String>,
    pub scope: Scope,
    pub lookups: Arc<Lookups>,
    /// Column that carries the key, where the body has one.
    pub key_field: Option<String>,
    /// Lists of structs that may be empty; all others must not.
    pub allow_empty: Vec<String>,
    pub contract: Option<Contract>,
    /// The staging table; its views are called `<main_table>_<array>`, its history `<main_table>_history`.
    pub main_table: String,
    /// Key and version field of the source's records.
    pub source_key: String,
    pub source_version: String,
    /// Names and dotted names the vendor is asked for; `None`: it sends everything.
    pub requested: Option<Vec<String>>,
    /// What `$run_time` is: the vendor's wall clock when the run began.
    pub run_time: Wall,
}

/// Gives the tables for some records: the driving table narrowed to them, everything else whole. Look-up tables are not its business.
pub type Provide<'a> = &'a (dyn Fn(&[Rid]) -> Result<Providers> + Send + Sync);

/// Takes one document or blocked row.
pub type Emit<'a> = &'a mut (dyn FnMut(Mapped) -> Result<()> + Send);

/// What came of some records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MapStats {
    pub documents: u64,
    /// Blocked ones, those counted in `evaluation` included.
    pub blocked: u64,
    /// Records on which the engine failed.
    pub evaluation: u64,
}

impl MapStats {
    pub fn add(&mut self, other: MapStats) {
        self.documents += other.documents;
        self.blocked += other.blocked;
        self.evaluation += other.evaluation;
    }
}

/// Why an attempt to map a chunk failed.
enum Failure {
    /// The data made the engine fail: bisect.
    Evaluation(String),
    Other(Error),
}

/// A checked mapping, ready to run. It lives as long as a run: it remembers the run's keys.
pub struct Mapping {
    label: String,
    scope: Scope,
    base: SessionState,
    query: Box<Query>,
    layout: Layout,
    lookups: Arc<Lookups>,
    lookup_tables: Providers,
    /// 128-bit hash of each key → the first record that had it.
    keys: HashMap<[u64; 2], Rid>,
    misses: Misses,
    digest: [u8; 16],
    columns: Fields,
    members: members::Members,
    written: fields::Fields,
}

impl Mapping {
    /// Checks the mapping over empty tables of the right schema.
    ///
    /// # Errors
    /// `Config`, with every fault of the mapping on a line of its own.
    pub async fn prepare(spec: MappingSpec, tables: &Providers) -> Result<Self> {
        let sound = check::examine(&spec, tables).await.map_err(|faults| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Error::config(lines.join("\n")).context(format!("mapping of {}", spec.name))
        })?;
        // Planning folds constant look-ups; what it missed is no document's miss.
        drop(spec.lookups.take_misses());
        let digest = digest_of(&spec);
        let layout = Layout::new(&sound.schema, spec.key_field.as_deref(), &spec.allow_empty, spec.contract)?;
        let lookup_tables = spec.lookups.providers()?;
        Ok(Self {
            label: spec.sql_label,
            scope: spec.scope,
            base: sound.base,
            query: sound.query,
            layout,
            lookups: spec.lookups,
            lookup_tables,
            keys: HashMap::new(),
            misses: Misses::default(),
            digest,
            columns: sound.schema.fields().clone(),
            members: sound.members,
            written: sound.written,
        })
    }

    /// Maps one chunk of records (a few thousand) and hands the documents over in the order of `rids`; with [`Scope::All`] in the
    /// order of the result. A record on which the engine fails becomes a blocked document, alone.
    ///
    /// # Errors
    /// What `provide` or `emit` return; with [`Scope::All`] also an evaluation error, because no single record is guilty of it.
    pub async fn map_rids(&mut self, rids: &[Rid], provide: Provide<'_>, emit: Emit<'_>) -> Result<MapStats> {
        let mut stats = MapStats::default();
        if self.scope == Scope::All {
            self.map_all(rids, provide, emit, &mut stats).await?;
            return Ok(stats);
        }
        let mut todo = vec![rids];
        while let Some(part) = todo.pop().filter(|part| !part.is_empty()) {
            match (self.attempt(part, provide).await, part) {
                (Ok(rows), _) => rows.into_iter().try_for_each(|row| self.hand_over(row, emit, &mut stats))?,
                (Err(Failure::Other(error)), _) => return Err(error),
                (Err(Failure::Evaluation(text)), [rid]) => {
                    let reason = Reason::new("evaluation", text);
                    stats.evaluation += 1;
                    self.hand_over(Mapped::Blocked { rids: vec![*rid], key: None, reason }, emit, &mut stats)?;
                }
                (Err(Failure::Evaluation(_)), _) => {
                    let (left, right) = part.split_at(part.len() / 2);
                    todo.extend([right, left]);
                }
            }
        }
        Ok(stats)
    }

    /// The result's columns, hidden ones (`_rid` …) included.
    pub fn columns(&self) -> &Fields {
        &self.columns
    }

    /// Lists of which only these members are read: tables handed to [`map_rids`](Self::map_rids) may leave the others out.
    pub fn members(&self) -> &members::Members {
        &self.members
    }

    /// Keys that reference tables do not have, counted over the rows that became documents; with [`Scope::All`] over all rows.
    pub fn misses(&self) -> &Misses {
        &self.misses
    }

    /// Changes when the SQL, a parameter, or a reference table's content changes: receipts hold it.
    pub fn digest(&self) -> [u8; 16] {
        self.digest
    }

    async fn attempt(&mut self, rids: &[Rid], provide: Provide<'_>) -> Result<Vec<Mapped>, Failure> {
        let mut rows = Vec::with_capacity(rids.len());
        let mut gather = |row| {
            rows.push(row);
            Ok(())
        };
        let outcome = self.stream(rids, provide, &mut gather).await;
        // Misses of an attempt that failed are counted again by its halves.
        let misses = self.lookups.take_misses();
        outcome?;
        let misses = self.blame(rids, &mut rows, misses, provide).await?;
        self.misses.absorb(misses);
        let position: HashMap<Rid, usize> = rids.iter().enumerate().map(|(i, rid)| (*rid, i)).collect();
        let place =
            |row: &Mapped| row.rids().iter().filter_map(|rid| position.get(rid)).min().copied().unwrap_or(usize::MAX);
        if !rows.is_sorted_by_key(place) {
            rows.sort_by_cached_key(place);
        }
        Ok(rows)
    }

    async fn map_all(
        &mut self,
        rids: &[Rid],
        provide: Provide<'_>,
        emit: Emit<'_>,
        stats: &mut MapStats,
    ) -> Result<()> {
        let mut keys = std::mem::take(&mut self.keys);
        let outcome = self.stream(rids, provide, &mut |row| deliver(&mut keys, row, &mut *emit, stats)).await;
        self.keys = keys;
        self.misses.absorb(self.lookups.take_misses());
        outcome.map_err(|failure| match failure {
            Failure::Other(error) => error,
            Failure::Evaluation(text) => Error::config(format!("the mapping fails on the data: {text}"))
                .context(self.label.clone())
                .hint("scope = \"all\" goes over several records, so none can be set aside: use TRY_CAST, or nullif(…, 0)"),
        })
    }

    /// Runs the query and gives its rows one by one.
    async fn stream(
        &self,
        rids: &[Rid],
        provide: Provide<'_>,
        take: &mut (dyn FnMut(Mapped) -> Result<()> + Send),
    ) -> Result<(), Failure> {
        let mut tables = provide(rids).map_err(Failure::Other)?;
        tables.extend(self.lookup_tables.iter().cloned());
        let failed = |error: DataFusionError| failure_of(&error, &self.label);
        let state = session::over(&self.base, &tables).map_err(failed)?;
        let planned = planning::plan(&state, &self.query).await.map_err(failed)?;
        let physical = state.query_planner().create_physical_plan(&planned.optimized, &state).await.map_err(failed)?;
        let mut batches = datafusion::physical_plan::execute_stream(physical, state.task_ctx()).map_err(failed)?;
        let mut rows = Vec::new();
        while let Some(batch) = batches.next().await {
            self.layout.read(&batch.map_err(failed)?, &mut rows).map_err(Failure::Other)?;
            rows.drain(..).try_for_each(&mut *take).map_err(Failure::Other)?;
        }
        Ok(())
    }

    fn hand_over(&mut self, row: Mapped, emit: Emit<'_>, stats: &mut MapStats) -> Result<()> {
        deliver(&mut self.keys, row, emit, stats)
    }
}

/// Hands a row over; a document whose key an earlier one of this run had is blocked.
fn deliver(keys: &mut HashMap<[u64; 2], Rid>, row: Mapped, emit: Emit<'_>, stats: &mut MapStats) -> Result<()> {
    let row = match row {
        Mapped::Document(document) => {
            let rid = document.rids.first().copied().unwrap_or(Rid(0));
            match keys.insert(hash(&document.key), rid) {
                None => Mapped::Document(document),
                Some(first) => {
                    keys.insert(hash(&document.key), first);
                    let text = format!("the key stands twice in this run: record {first} had it first");
                    let reason = Reason::new("key", text).on_field(documents::KEY);
                    Mapped::Blocked { rids: document.rids, key: Some(document.key.to_string()), reason }
                }
            }
        }
        blocked => blocked,
    };
    match row {
        Mapped::Document(_) => stats.documents += 1,
        Mapped::Blocked { .. } => stats.blocked += 1,
    }
    emit(row)
}

/// 128 bits: among a billion keys a false twin has a chance of one in 10^20.
fn hash(key: &DocKey) -> [u64; 2] {
    let hash = xxhash_rust::xxh3::xxh3_128(key.as_str().as_bytes());
    [(hash >> 64) as u64, hash as u64]
}

fn digest_of(spec: &MappingSpec) -> [u8; 16] {
    let mut hasher = Sha256::new();
    hasher.update(spec.sql_text.as_bytes());
    for (name, value) in &spec.params {
        hasher.update([0]);
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update(value.as_bytes());
    }
    hasher.update(spec.lookups.digest().to_le_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize()[..16]);
    short
}

/// Data, machine, or us? What the engine computes is the data's fault; what it reads is not.
fn failure_of(error: &DataFusionError, label: &str) -> Failure {
    let text = planning::text_of(error);
    let other = |error: Error| Failure::Other(error.context(label.to_owned()));
    match error.find_root() {
        DataFusionError::Execution(_) => Failure::Evaluation(text),
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::IoError(..) | ArrowError::ParquetError(_) | ArrowError::ExternalError(_) => {
                other(unreadable(&text))
            }
            _ => Failure::Evaluation(text),
        },
        DataFusionError::IoError(_) | DataFusionError::ParquetError(_) | DataFusionError::External(_) => {
            other(unreadable(&text))
        }
        DataFusionError::ResourcesExhausted(_) => {
            other(Error::local(text).hint("give the process more memory, or map fewer records at a time"))
        }
        _ => other(Error::bug(format!("a checked mapping failed: {text}"))),
    }
}

fn unreadable(text: &str) -> Error {
    Error::local(format!("staged files cannot be read: {text}"))
        .hint("check the disk; the files under data/ must not be edited")
}
