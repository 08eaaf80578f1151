//! Check: everything that can be known to be wrong with a pipeline before anything runs.
//!
//! Takes a pipeline's name, gives all faults at once, each with file, place and cure. Offline it reads files only and
//! answers within a second; online it also asks both ends.

use crate::base::clock::wall;
use crate::base::fault::Fault;
use crate::base::{Error, Result};
use crate::config::{folder, pipeline};
use crate::mapping;
use crate::run::plan::{Plan, Setup};
use crate::run::sinks;
use crate::source::{Ask, AskKind, Axis, Step};
use crate::staging::StagedTables;
use chrono::Utc;

/// All faults that files alone can show.
pub async fn check_offline(setup: &Setup, name: &str) -> Result<Vec<Fault>> {
    let path = folder::locate(&setup.root, name)?;
    let pipeline = match pipeline::load(&path, &setup.root) {
        Ok(pipeline) => pipeline,
        Err(faults) => return Ok(faults),
    };
    let file = format!("pipelines/{}.toml", pipeline.name);
    let plan = match Plan::of(setup, pipeline) {
        Ok(plan) => plan,
        Err(error) => return Ok(vec![whole(&file, &error)]),
    };
    let source = &plan.pipeline.source;
    let tables = match StagedTables::schemas(&plan.def, &source.key, &source.version) {
        Ok(tables) => tables,
        Err(error) => return Ok(vec![whole(&file, &error)]),
    };
    let spec = plan.mapping_spec(wall(Utc::now()));
    Ok(match mapping::check(&spec, &tables).await {
        Ok(columns) => {
            let faults = sinks::check_statements(&plan.pipeline.sink.connector, &columns);
            faults.into_iter().map(|message| Fault::whole(&file, message, "")).collect()
        }
        Err(faults) => faults,
    })
}

fn whole(file: &str, error: &Error) -> Fault {
    Fault::whole(file, error.to_string(), error.cure().unwrap_or_default())
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
    if let Some(request) = pull.next_request(Utc::now())? {
        let reply = end.transport.send(&request).await.map_err(|e| e.context("source"))?;
        if let Step::Again { why, .. } = pull.on_reply(reply).map_err(|e| e.context("source"))? {
            return Err(
                Error::unavailable(format!("source: {why}")).hint("the vendor is busy or failing; check again later")
            );
        }
    }
    sinks::open(plan).map_err(sinks::at_sink)?.check().await.map_err(sinks::at_sink)
}
