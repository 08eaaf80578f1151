//! The steps of a run, in order: stage, map, deliver, report.
//!
//! Takes a [`plan::Plan`] (everything built, nothing started), gives a [`report::Report`]. This is where the four parts that
//! never see each other meet. Never prints; what goes on is told to a [`Progress`].

pub mod check;
pub mod deliver;
pub mod dry;
pub mod plan;
pub mod preview;
mod proof;
pub mod report;
pub mod sinks;
pub mod stage;

use crate::base::Result;
use crate::base::clock::{Clock, Wall};
use crate::state::Store;
use chrono::{DateTime, SecondsFormat, Utc};
use plan::Plan;
use report::Report;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What goes on, for a progress bar or plain lines.
#[derive(Debug, Clone)]
pub enum Event {
    /// A remark that belongs on the screen but is no error.
    Note(String),
    /// A slice is begun: its place in the plan and what it asks for.
    Slice {
        number: usize,
        of: usize,
        label: String,
    },
    Page {
        records: usize,
        bytes: usize,
    },
    /// The vendor or the network made us wait.
    Retry {
        wait: Duration,
        why: String,
    },
    Sealed {
        staged: u64,
        duplicates: u64,
    },
    /// How many rows this run has to map.
    Scope {
        rows: u64,
    },
    /// Documents decided so far, and how many rows they came from.
    Delivered {
        rows: u64,
        documents: u64,
        accepted: u64,
        attention: u64,
    },
}

/// Hears what goes on.
pub trait Progress: Send + Sync {
    fn hear(&self, event: Event);
}

/// Hears nothing: for tests and `--quiet`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn hear(&self, _: Event) {}
}

/// What all steps of one run share.
pub struct Context<'a> {
    pub plan: &'a Plan,
    pub store: &'a mut Store,
    pub run: i64,
    pub clock: &'a dyn Clock,
    pub progress: &'a dyn Progress,
    /// Set by Ctrl-C: finish what is in flight, commit, say how to go on.
    pub stop: &'a AtomicBool,
}

/// What to pull before delivering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pull {
    /// From where the last run ended (or `from`) to the vendor's now.
    Incremental { from: Option<Wall> },
    /// A campaign over a fixed range, staged whole before anything is delivered.
    History { from: Wall, to: Wall },
    /// Records by name; moves no mark.
    Adhoc { set: Vec<(String, String)> },
}

/// What to deliver of what is staged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    /// Stop after this many documents were sent.
    pub limit: Option<u64>,
    /// Only the document with this key.
    pub key: Option<String>,
    /// All newest rows, not only those of slices not yet delivered; rejected documents are sent again.
    pub remap: bool,
    /// With `remap`: only slices fetched for windows that touch this range.
    pub range: Option<(Wall, Wall)>,
}

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The command line, for the record.
    pub command: String,
    pub pull: Option<Pull>,
    pub deliver: Option<Select>,
}

/// Executes an order in a workspace and writes down how it ended. A mapping that cannot run is refused before anything is
/// fetched for it. An error of a step is the report's failure; `Err` means that the run could not be begun, or its end not
/// be written down.
pub async fn execute(
    plan: &Plan,
    order: &Order,
    clock: &dyn Clock,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> Result<Report> {
    let began = Instant::now();
    if order.deliver.is_some() {
        check::ready(plan).await?;
    }
    let mut store = Store::open(&plan.workspace)?;
    clean_up(plan, &mut store, progress)?;
    let run = store.begin_run(&plan.pipeline.name, &order.command, &stamp(clock.now()))?;
    let mut report = Report::new(plan, run, &order.command);
    let mut context = Context { plan, store: &mut store, run, clock, progress, stop };
    let outcome = steps(&mut context, order, &mut report).await;
    if let Err(error) = &outcome {
        report.fail(error);
    }
    let closed = report
        .close(&store, plan, began.elapsed())
        .and_then(|()| store.end_run(run, &stamp(clock.now()), report.exit_code, &report.to_json()));
    match (outcome, closed) {
        (_, Ok(())) => Ok(report),
        // A full disk stops the step and then this bookkeeping: the first error is the one to read.
        (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
    }
}

async fn steps(context: &mut Context<'_>, order: &Order, report: &mut Report) -> Result<()> {
    if order.pull.is_some() && order.deliver.is_some() {
        // A target that is not there is better known before hours of fetching than after.
        sinks::open(context.plan).map_err(sinks::at_sink)?.check().await.map_err(sinks::at_sink)?;
    }
    if let Some(pull) = &order.pull {
        let staged = stage::stage(context, pull, &mut report.staged).await;
        report.balance.fetched = report.staged.fetched;
        report.balance.staged = report.staged.staged;
        report.balance.duplicates = report.staged.duplicates;
        staged?;
    }
    if let Some(select) = &order.deliver {
        deliver::deliver(context, select, report).await?;
    }
    Ok(())
}

/// What a dead run may have left: open slices, files nobody committed.
fn clean_up(plan: &Plan, store: &mut Store, progress: &dyn Progress) -> Result<()> {
    store.drop_open_slices()?;
    let dir = plan.workspace.staging(plan.def.name());
    plan.workspace.make(&dir)?;
    plan.workspace.make(&plan.workspace.exchange())?;
    let known: std::collections::HashSet<String> =
        store.slices_of_table(plan.def.name())?.into_iter().map(|s| s.seal.file).collect();
    if known.is_empty() && crate::staging::holds_slices(&dir)? {
        // A state store that knows nothing must not cost what was fetched: the files are set aside, not removed.
        let aside = dir.with_extension(format!("lost-{}", chrono::Utc::now().format("%Y%m%d%H%M%S")));
        std::fs::rename(&dir, &aside).map_err(|e| crate::base::Error::io(&dir, &e))?;
        plan.workspace.make(&dir)?;
        progress.hear(Event::Note(format!(
            "the state store knows none of the staged files (was state.db lost?): they were set aside in {}",
            aside.display()
        )));
    }
    crate::staging::remove_orphans(&dir, &known)?;
    Ok(())
}

/// A time as the state store and the exchange record write it.
pub fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
