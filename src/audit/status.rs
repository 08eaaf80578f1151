//! How each pipeline stands: what is covered, what is delivered, what is open.
//!
//! Takes pipelines' names, gives a [`Status`]. Asks neither source nor target: their identities come from the settings, and where a
//! variable is not set, from what the workspace remembers, with a note that says so.

use crate::base::Result;
use crate::base::clock::parse_wall;
use crate::base::lifecycle::{State, Tally};
use crate::base::record::Rid;
use crate::config::folder;
use crate::config::model::SinkConnector;
use crate::run::plan::{Plan, Setup};
use crate::run::sinks;
use crate::source::slices::{Coverage, Interval};
use crate::state::causes::Cause;
use crate::state::ledger::TargetId;
use crate::state::slices::SliceRow;
use crate::state::{RunRow, Store};
use std::collections::{BTreeMap, BTreeSet};

/// Runs that are listed.
const LAST_RUNS: u32 = 5;
/// Rows left out that are named.
const FIRST_UNMAPPED: u32 = 5;

/// All pipelines asked for.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub pipelines: Vec<PipelineStatus>,
    /// Names of the pipelines asked for, when the workspace is empty: nothing was ever run.
    pub untouched: Vec<String>,
}

/// One pipeline.
#[derive(Debug, Clone, Default)]
pub struct PipelineStatus {
    pub name: String,
    pub description: String,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
    pub table: String,
    /// Axis → merged intervals.
    pub covered: BTreeMap<String, Vec<Interval>>,
    pub slices: u64,
    pub rows: u64,
    /// Slices whose rows were not all mapped and settled.
    pub slices_to_deliver: u64,
    pub target: Option<String>,
    /// What the target is, for cures; `None` where the pipeline's files have faults.
    pub connector: Option<SinkConnector>,
    /// All deliveries of the target, by whichever pipeline.
    pub ledger: Tally,
    /// Why documents and rows are not where they should be.
    pub causes: Vec<Cause>,
    /// Rows the mapping left out.
    pub unmapped: u64,
    pub first_unmapped: Vec<Rid>,
    /// Newest first.
    pub runs: Vec<RunRow>,
}

impl PipelineStatus {
    /// The last run if it has no end: it is at work, or it was killed.
    pub fn unfinished(&self) -> Option<&RunRow> {
        self.runs.first().filter(|run| run.ended_at.is_none())
    }

    /// Does somebody have to look, or type a command?
    pub fn is_open(&self) -> bool {
        let in_doubt = self.ledger.get(State::Intended) + self.ledger.needing_attention();
        in_doubt > 0 || !self.causes.is_empty() || self.unmapped > 0 || self.unfinished().is_some()
    }
}

impl Status {
    /// 0, or 1 when something is open.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.pipelines.iter().any(PipelineStatus::is_open))
    }
}

/// How the pipelines called `names` stand; all of the project when there are none.
///
/// # Errors
/// `Usage` when a name is wrong.
pub fn status(setup: &Setup, names: &[String]) -> Result<Status> {
    let all = if names.is_empty() { folder::pipelines(&setup.root)? } else { names.to_vec() };
    for name in &all {
        folder::locate(&setup.root, name)?;
    }
    let Some(store) = Store::open_to_read(&setup.workspace)? else {
        return Ok(Status { untouched: all, ..Status::default() });
    };
    let pipelines = all.iter().map(|name| of_pipeline(setup, &store, name)).collect::<Result<_>>()?;
    Ok(Status { pipelines, untouched: Vec::new() })
}

fn of_pipeline(setup: &Setup, store: &Store, given: &str) -> Result<PipelineStatus> {
    let path = folder::locate(&setup.root, given)?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let runs = store.runs(Some(&name), LAST_RUNS)?;
    let mut status = PipelineStatus { name: name.clone(), runs, ..PipelineStatus::default() };
    let plan = match Plan::load(setup, &name) {
        Ok(plan) => Some(plan),
        Err(error) => {
            status.notes.push(format!("its files have faults, see: dukou check {name} ({})", first_line(&error)));
            None
        }
    };
    if let Some(plan) = &plan {
        status.description.clone_from(&plan.pipeline.description);
        status.table = plan.def.name().to_owned();
        status.connector = Some(plan.pipeline.sink.connector.clone());
        read_slices(&mut status, store, plan)?;
    }
    let target = target(&mut status, store, plan.as_ref())?;
    if let Some(target) = target {
        status.ledger = store.tally(target)?;
    }
    status.causes = store.causes(target, &name)?;
    status.unmapped = store.open_rows(&name)?.1;
    status.first_unmapped = store.unmapped(&name, FIRST_UNMAPPED)?;
    Ok(status)
}

/// Slices and coverage of the pipeline's account, or of the whole table where the account is not known.
fn read_slices(status: &mut PipelineStatus, store: &Store, plan: &Plan) -> Result<()> {
    let table = plan.def.name();
    let slices = match plan.source() {
        Ok(end) => {
            let known = store.known_source(&end.source.fingerprint())?;
            let slices = known.map(|source| store.slices_of(source)).transpose()?.unwrap_or_default();
            match known {
                Some(source) => {
                    let axes: BTreeSet<&str> = slices.iter().map(|row| row.ask.axis.as_str()).collect();
                    for axis in axes {
                        let windows = store.sealed_windows(source, axis)?;
                        cover(&mut status.covered, axis, windows.iter().map(|(from, to)| (from.as_str(), to.as_str())));
                    }
                }
                None if store.account_is_known(&end.source.account(), table)? => status.notes.push(
                    "the source's parameters or fields changed since the last run: nothing is covered under the new ones".into(),
                ),
                None => {}
            }
            slices
        }
        Err(error) => {
            status.notes.push(format!("{}: slices of all accounts of table {table} are shown", first_line(&error)));
            let slices = store.slices_of_table(table)?;
            let axes: BTreeSet<&str> = slices.iter().map(|row| row.ask.axis.as_str()).collect();
            for axis in axes {
                let of_axis = slices.iter().filter(|row| row.ask.axis == axis);
                let windows = of_axis.filter_map(|row| row.ask.window.as_ref());
                cover(&mut status.covered, axis, windows.map(|(from, to)| (from.as_str(), to.as_str())));
            }
            slices
        }
    };
    let done = store.done_slices(&status.name, None)?;
    status.slices = slices.len() as u64;
    status.rows = slices.iter().map(|row: &SliceRow| row.seal.staged).sum();
    status.slices_to_deliver = slices.iter().filter(|row| !done.contains(&row.slice)).count() as u64;
    Ok(())
}

fn cover<'a>(
    covered: &mut BTreeMap<String, Vec<Interval>>,
    axis: &str,
    windows: impl Iterator<Item = (&'a str, &'a str)>,
) {
    let intervals = windows.filter_map(|(from, to)| Interval::new(parse_wall(from)?, parse_wall(to)?).ok());
    let coverage: Coverage = intervals.collect();
    if !coverage.intervals().is_empty() {
        covered.insert(axis.to_owned(), coverage.intervals().to_vec());
    }
}

/// The target by its settings, else as the last report that names one has it.
fn target(status: &mut PipelineStatus, store: &Store, plan: Option<&Plan>) -> Result<Option<TargetId>> {
    match plan.map(sinks::open) {
        Some(Ok(sink)) => status.target = Some(sink.target().to_owned()),
        Some(Err(error)) => {
            status.target = remembered(&status.runs);
            let instead =
                if status.target.is_some() { "the target of the last run is shown" } else { "no target is shown" };
            status.notes.push(format!("{}: {instead}", first_line(&error)));
        }
        None => status.target = remembered(&status.runs),
    }
    status.target.as_deref().map_or(Ok(None), |identity| store.known_target(identity))
}

fn remembered(runs: &[RunRow]) -> Option<String> {
    let named = |run: &RunRow| {
        let report: serde_json::Value = serde_json::from_str(run.report.as_deref()?).ok()?;
        Some(report.get("target")?.as_str()?.to_owned())
    };
    runs.iter().find_map(named)
}

fn first_line(error: &crate::base::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
