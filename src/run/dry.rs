//! A delivery without sending: what every document is to its target, from the ledger alone.
//!
//! Takes what a delivery takes, gives the report it would begin with. Nothing is sent and no mark is moved (a slice staged under an
//! older DDL is typed anew, as a delivery would); documents that would
//! be sent are counted as `mapped`, those the target would first be asked about as `unknown`.

use crate::base::clock::Clock;
use crate::base::lifecycle::{Candidate, State, decide};
use crate::base::record::{DocKey, Mapped};
use crate::base::{Error, Result};
use crate::run::deliver::{Producer, plan_slices, prepare, rows_to_map, typed_files};
use crate::run::plan::Plan;
use crate::run::report::Report;
use crate::run::{Context, Select, Silent, sinks};
use crate::staging::StagedTables;
use crate::state::Store;
use crate::state::ledger::TargetId;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Decides about every document that `select` names.
pub async fn dry_run(plan: &Plan, select: &Select, clock: &dyn Clock) -> Result<Report> {
    let began = Instant::now();
    let mut store = Store::open(&plan.workspace)?;
    let sink = sinks::open(plan).map_err(sinks::at_sink)?;
    let target = store.target(sink.target())?;
    let mut report = Report::new(plan, 0, "dry run: nothing was sent");
    report.delivered = true;
    report.target = Some(sink.target().to_string());
    let stop = AtomicBool::new(false);
    let mut context = Context { plan, store: &mut store, run: 0, clock, progress: &Silent, stop: &stop };
    let slices = plan_slices(&mut context, select, target)?;
    let files = typed_files(&mut context, &slices.all)?;
    let newest = rows_to_map(&context, select, &slices, &files, target)?;
    let tables = StagedTables::new(&plan.def, &files, &plan.pipeline.source.key, &plan.pipeline.source.version)?;
    let mut producer = Producer::new(plan, prepare(&context, &tables).await?, tables, select);
    for part in newest.rows.chunks(producer.chunk_rows(&newest.rows)) {
        let chunk = producer.map(&part).await?;
        report.balance.in_scope += chunk.rows;
        report.balance.unmapped += chunk.unmapped.len() as u64;
        report.balance.mapped_rows += chunk.rows - chunk.unmapped.len() as u64;
        for item in &chunk.items {
            let state = state_of(context.store, target, item, select)?;
            report.balance.documents += 1;
            report.balance.states.add(state, 1);
        }
    }
    report.close_dry(&store, plan, began.elapsed())?;
    Ok(report)
}

fn state_of(store: &Store, target: TargetId, item: &Mapped, select: &Select) -> Result<State> {
    let Mapped::Document(document) = item else { return Ok(State::Blocked) };
    let key: &DocKey = &document.key;
    let entry = store.entries(target, std::iter::once(key.as_str()))?.pop().flatten();
    let candidate = Candidate { digest: document.digest, version: document.version, key: key.as_str() };
    let retry = select.remap || select.key.is_some();
    match decide(&candidate, entry.as_ref().map(|e| &e.delivered), retry) {
        State::Intended => Ok(State::Mapped),
        State::Mapped => Err(Error::bug("a decision must not be `mapped`")),
        state => Ok(state),
    }
}
