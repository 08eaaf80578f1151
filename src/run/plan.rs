//! Everything a run needs, built and checked, nothing started: no request sent, no file written.
//!
//! Takes a pipeline's name and a [`Setup`], gives a [`Plan`] or all faults that stand in the way.

use crate::base::fault::Fault;
use crate::base::record::SliceNo;
use crate::base::{Error, Result};
use crate::config::model::{Pipeline, SourceConnector};
use crate::config::secret::Env;
use crate::config::{folder, model, pipeline};
use crate::mapping::{Contract, Lookups, MappingSpec};
use crate::net::Transport;
use crate::net::budget::RateBudget;
use crate::net::client::HttpClient;
use crate::source::Source;
use crate::source::jackyun::Jackyun;
use crate::staging::{SliceFile, TableDef};
use crate::state::Workspace;
use crate::state::slices::SliceRow;
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
        let sql = setup.root.join("sql");
        let (_, ddl) = read_sql(&sql, &Path::new("staging").join(format!("{}.sql", pipeline.source.table)))?;
        let label = format!("sql/staging/{}.sql", pipeline.source.table);
        let def = TableDef::parse(&pipeline.source.table, &ddl, &label)?;
        def.key_column(&pipeline.source.key).map_err(|e| e.context("source.key"))?;
        def.version_column(&pipeline.source.version).map_err(|e| e.context("source.version"))?;
        let (_, mapping_sql) = read_sql(&sql, &pipeline.mapping.sql)?;
        let contract = match &pipeline.sink.contract {
            None => None,
            Some(file) => {
                let (label, text) = read_sql(&sql, file)?;
                Some(Contract::parse(&text).map_err(|e| e.context(label))?)
            }
        };
        let lookups = Arc::new(Lookups::load(&pipeline.lookups, &sql)?);
        let (workspace, env) = (setup.workspace.clone(), setup.env.clone());
        Ok(Self { pipeline, def, workspace, env, lookups, mapping_sql, contract, database: None })
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
        };
        let limits = &self.pipeline.source.limits;
        let transport = Box::new(HttpClient::new(limits)?);
        Ok(SourceEnd { source, transport, budget: RateBudget::new(limits.calls_per_second) })
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

/// Label and text of a file below `sql/`.
fn read_sql(sql: &Path, file: &Path) -> Result<(String, String)> {
    let path = sql.join(file);
    let label = Path::new("sql").join(file).display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((label, text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::config(format!("{label}: there is no such file")).hint("write it, or correct the name"))
        }
        Err(e) => Err(Error::io(&path, &e)),
    }
}
