//! Check: everything that can be known to be wrong with a pipeline before anything runs.
//!
//! Takes a pipeline's name, gives all faults at once, each with file, place and cure. Offline it reads files only and
//! answers within a second; online it also asks both ends.

use crate::base::clock::wall;
use crate::base::fault::Fault;
use crate::base::{Error, Result};
use crate::config::folder;
use crate::config::pipeline::{self, Draft};
use crate::mapping;
use crate::run::plan::{Plan, Setup, whole};
use crate::run::sinks;
use crate::source::{Ask, AskKind, Axis, Step};
use crate::staging::StagedTables;
use chrono::Utc;

/// All faults that files alone can show: of the pipeline file, the DDL, the mapping and the statements, as far as one can be
/// judged in spite of the others.
pub async fn check_offline(setup: &Setup, name: &str) -> Result<Vec<Fault>> {
    let path = folder::locate(&setup.root, name)?;
    let (draft, mut faults) = pipeline::survey(&path, &setup.root);
    if let Some(draft) = draft {
        faults.extend(behind(setup, draft).await);
    }
    Ok(faults)
}

/// Faults of what the pipeline file names. Whatever a fault of the file itself would only echo is not looked at.
async fn behind(setup: &Setup, draft: Draft) -> Vec<Fault> {
    let Draft { mut pipeline, source, mapping, sink } = draft;
    if !(source && sink) {
        // What the vendor is asked for may be misread, and a key_field be missing: nothing is claimed about them.
        pipeline.source.params.retain(|(name, _)| name != "fields");
        pipeline.sink.contract = None;
    }
    let sound = source && mapping && sink;
    match Plan::read(setup, pipeline) {
        Ok(plan) if mapping => check_mapping(&plan, sink).await,
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().filter(|f| sound || (f.line > 0 && f.file.starts_with("sql/"))).collect(),
    }
}

/// Faults of a mapping, and of the statements it fills where `sink` is sound.
async fn check_mapping(plan: &Plan, sink: bool) -> Vec<Fault> {
    let source = &plan.pipeline.source;
    let tables = match StagedTables::schemas(&plan.def, &source.key, &source.version) {
        Ok(tables) => tables,
        Err(error) => return vec![whole(&format!("sql/staging/{}.sql", source.table), &error)],
    };
    let (mut faults, columns) = match mapping::check(&plan.mapping_spec(wall(Utc::now())), &tables).await {
        Ok(columns) => (Vec::new(), Some(columns)),
        // The columns' names are known from the text alone, unless there is a * among them.
        Err(faults) => (faults, None),
    };
    if sink {
        faults.extend(match &columns {
            Some(columns) => sinks::check_statements(&plan.pipeline, columns),
            None => sinks::check_names(&plan.pipeline, mapping::names(&plan.mapping_sql).as_deref()),
        });
    }
    faults
}

/// Refuses a plan whose mapping or statements are wrong, before anything is fetched for it.
pub async fn ready(plan: &Plan) -> Result<()> {
    let faults = check_mapping(plan, true).await;
    if faults.is_empty() { Ok(()) } else { Err(Fault::into_error(&faults)) }
}

/// Asks both ends: one empty window of the source, the target's tables and columns.
pub async fn check_online(plan: &Plan) -> Result<()> {
    let end = plan.source()?;
    let faults = end.source.check_params();
    if !faults.is_empty() {
        return Err(Error::config(faults.join("\n")).context("source.params"));
    }
    let now = wall(Utc::now());
    let kind = AskKind::Window { from: now - chrono::Duration::seconds(1), to: now, axis: Axis::Modified };
    let mut pull = end.source.pull(&Ask { kind, set: Vec::new() })?;
    while let Some(request) = pull.next_request(Utc::now())? {
        end.budget.take().await;
        let reply = end.transport.send(&request).await.map_err(|e| e.context("source"))?;
        match pull.on_reply(reply).map_err(|e| e.context("source"))? {
            // A token was refreshed: only now the question itself is asked.
            Step::Aside => {}
            Step::Page(_) => break,
            Step::Again { why, .. } => {
                let error = Error::unavailable(format!("source: {why}"));
                return Err(error.hint("the vendor is busy or failing; check again later"));
            }
        }
    }
    sinks::open(plan).map_err(sinks::at_sink)?.check().await.map_err(sinks::at_sink)
}
