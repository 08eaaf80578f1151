//! Everything a run needs, built and checked, nothing started: no request sent, no file written.
//!
//! Takes a pipeline's name and a [`Setup`], gives a [`Plan`] or all faults that stand in the way.

use crate::base::fault::Fault;
use crate::base::record::SliceNo;
use crate::base::{Error, Result};
use crate::config::model::{Pipeline, SourceConnector};
use crate::config::places::Written;
use crate::config::secret::Env;
use crate::config::{folder, model, pipeline};
use crate::mapping::{Contract, Lookups, MappingSpec};
use crate::net::budget::RateBudget;
use crate::net::client::HttpClient;
use crate::net::{ClientOptions, End, Transport};
use crate::source::Source;
use crate::source::jackyun::Jackyun;
use crate::source::jushuitan::Jushuitan;
use crate::staging::{SliceFile, TableDef};
use crate::state::Workspace;
use crate::state::slices::SliceRow;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where everything lies and where variables come from.
#[derive(Clone)]
pub struct Setup {
    /// The folder that holds `pipelines/` and `sql/`.
    pub root: PathBuf,
    pub workspace: Workspace,
    pub env: Env,
}

/// One pipeline, ready to run.
pub struct Plan {
    pub pipeline: Pipeline,
    pub def: TableDef,
    pub workspace: Workspace,
    pub env: Env,
    pub lookups: Arc<Lookups>,
    /// The mapping's SELECT.
    pub mapping_sql: String,
    pub contract: Option<Contract>,
    /// MySQL: run every statement in this database instead of the one it names (the demo's own).
    pub database: Option<String>,
}

/// The source's end, resolved: only built when something is to be pulled.
pub struct SourceEnd {
    pub source: Box<dyn Source>,
    pub transport: Box<dyn Transport>,
    pub budget: RateBudget,
}

impl Plan {
    /// Reads the pipeline file and everything it names. The faults of the pipeline file come all at once.
    pub fn load(setup: &Setup, name: &str) -> Result<Self> {
        let path = folder::locate(&setup.root, name)?;
        let pipeline = pipeline::load(&path, &setup.root).map_err(|faults| Fault::into_error(&faults))?;
        Self::of(setup, pipeline)
    }

    /// Reads everything the pipeline names.
    pub fn of(setup: &Setup, pipeline: Pipeline) -> Result<Self> {
        Self::read(setup, pipeline).map_err(|faults| Fault::into_error(&faults))
    }

    /// The same with the faults of all those files at once.
    pub fn read(setup: &Setup, pipeline: Pipeline) -> Result<Self, Vec<Fault>> {
        let sql = setup.root.join("sql");
        let mut faults = Vec::new();
        let def = definition(&sql, &pipeline, &mut faults);
        let mapping_sql = noted(read_sql(&sql, &pipeline.mapping.sql), &mut faults);
        let contract = pipeline.sink.contract.as_ref().and_then(|file| {
            let text = noted(read_sql(&sql, file), &mut faults)?;
            noted(Contract::parse(&text).map_err(|e| whole(&label(file), &e)), &mut faults)
        });
        let lookups = lookups(&sql, &pipeline).map_err(|found| faults.extend(found)).ok();
        match (def, mapping_sql, lookups) {
            (Some(def), Some(mapping_sql), Some(lookups)) if faults.is_empty() => {
                let (workspace, env, lookups) = (setup.workspace.clone(), setup.env.clone(), Arc::new(lookups));
                Ok(Self { pipeline, def, workspace, env, lookups, mapping_sql, contract, database: None })
            }
            _ => Err(faults),
        }
    }

    /// The mapping as the mapping layer wants it; `run_time` is the vendor's wall clock now.
    pub fn mapping_spec(&self, run_time: crate::base::clock::Wall) -> MappingSpec {
        let (p, m) = (&self.pipeline, &self.pipeline.mapping);
        MappingSpec {
            name: p.name.clone(),
            sql_text: self.mapping_sql.clone(),
            sql_label: Path::new("sql").join(&m.sql).display().to_string(),
            params: m.params.clone(),
            scope: m.scope,
            lookups: Arc::clone(&self.lookups),
            key_field: p.sink.key_field.clone(),
            allow_empty: p.sink.allow_empty.clone(),
            contract: self.contract.clone(),
            main_table: p.source.table.clone(),
            source_key: p.source.key.clone(),
            source_version: p.source.version.clone(),
            requested: requested(&p.source.params),
            run_time,
        }
    }

    /// Resolves the source's settings.
    pub fn source(&self) -> Result<SourceEnd> {
        let source: Box<dyn Source> = match self.pipeline.source.connector {
            SourceConnector::Jackyun => Box::new(Jackyun::new(&self.pipeline.source, &self.env)?),
            SourceConnector::Jushuitan => {
                Box::new(Jushuitan::open(&self.pipeline.source, &self.env, &self.workspace.tokens())?)
            }
        };
        let limits = &self.pipeline.source.limits;
        let transport = Box::new(HttpClient::new(ClientOptions {
            request_timeout: limits.request_timeout,
            max_answer_bytes: limits.max_page_bytes,
            end: End::Source,
        })?);
        let budget = RateBudget::new(limits.calls_per_second).per_minute(limits.calls_per_minute);
        Ok(SourceEnd { source, transport, budget })
    }

    /// Where a sealed slice lies.
    pub fn slice_path(&self, row: &SliceRow) -> PathBuf {
        self.workspace.staging(self.def.name()).join(&row.seal.file)
    }

    /// A sealed slice as staging reads it.
    pub fn slice_file(&self, row: &SliceRow) -> Result<SliceFile> {
        let rows = u32::try_from(row.seal.staged).map_err(|_| too_large(row.slice))?;
        let (ddl_digest, checksum) = (row.seal.ddl_digest.clone(), row.seal.checksum.clone());
        Ok(SliceFile { slice: row.slice, path: self.slice_path(row), rows, ddl_digest, checksum })
    }
}

fn too_large(slice: SliceNo) -> Error {
    Error::bug(format!("slice {slice} has more rows than a slice can have"))
}

/// The names in the source's `fields` parameter, if it has one.
fn requested(params: &[(String, model::ParamValue)]) -> Option<Vec<String>> {
    params.iter().find(|(name, _)| name == "fields").and_then(|(_, value)| match value {
        model::ParamValue::Text(list) => Some(list.split(',').map(|f| f.trim().to_string()).collect()),
        _ => None,
    })
}

/// The staging table, with the two columns that identify and date a record.
fn definition(sql: &Path, pipeline: &Pipeline, faults: &mut Vec<Fault>) -> Option<TableDef> {
    let source = &pipeline.source;
    let file = Path::new("staging").join(format!("{}.sql", source.table));
    let ddl = noted(read_sql(sql, &file), faults)?;
    let def = TableDef::read(&source.table, &ddl, &label(&file)).map_err(|found| faults.extend(found)).ok()?;
    let columns = [
        ("key", &source.key, def.key_column(&source.key).err()),
        ("version", &source.version, def.version_column(&source.version).err()),
    ];
    for (key, written, error) in columns {
        let at = |error: Error| Written::of(pipeline).carry("source", key, written, whole("", &error));
        faults.extend(error.map(at));
    }
    Some(def)
}

fn lookups(sql: &Path, pipeline: &Pipeline) -> Result<Lookups, Vec<Fault>> {
    Lookups::load(&pipeline.lookups, sql).map_err(|first| {
        // One by one, for the faults of all of them.
        let single = |(name, lookup): (&String, &model::Lookup)| {
            Lookups::load(&BTreeMap::from([(name.clone(), lookup.clone())]), sql).err()
        };
        let mut errors: Vec<Error> = pipeline.lookups.iter().filter_map(single).collect();
        if errors.is_empty() {
            errors.push(first);
        }
        errors.iter().map(|error| whole(&format!("pipelines/{}.toml", pipeline.name), error)).collect()
    })
}

/// Text of a file below `sql/`.
fn read_sql(sql: &Path, file: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(sql.join(file)).map_err(|e| {
        let (message, hint) = match e.kind() {
            ErrorKind::NotFound => ("there is no such file".into(), "write it, or correct the name"),
            ErrorKind::InvalidData => ("the file is not UTF-8".into(), "save it as UTF-8"),
            _ => (e.to_string(), "make the file readable for this user"),
        };
        Fault::whole(label(file), message, hint)
    })
}

fn label(file: &Path) -> String {
    Path::new("sql").join(file).display().to_string()
}

/// An error as a fault of a whole file.
pub fn whole(file: &str, error: &Error) -> Fault {
    Fault::whole(file, error.to_string(), error.cure().unwrap_or_default())
}

/// The value, or `None` with its fault noted.
fn noted<T>(outcome: Result<T, Fault>, faults: &mut Vec<Fault>) -> Option<T> {
    outcome.map_err(|fault| faults.push(fault)).ok()
}
