//! `run`, `stage`, `deliver`, `preview`: the commands that work on one pipeline.

use crate::base::clock::SystemClock;
use crate::base::record::Mapped;
use crate::base::{Error, Kind, Result};
use crate::cli::args::{Deliver, Global, Preview, Range, Run, Stage};
use crate::cli::progress::Screen;
use crate::cli::{document, render, report, stop_switch, typed};
use crate::run::plan::{Plan, Setup};
use crate::run::report::Report;
use crate::run::{self, Order, Pull, Select, sinks};
use chrono::Utc;
use serde_json::json;

pub async fn run(setup: &Setup, global: &Global, run: &Run) -> Result<u8> {
    let plan = Plan::load(setup, &run.pipeline)?;
    let order = Order { command: typed(), pull: Some(pull(&run.range)?), deliver: Some(Select::default()) };
    finish(global, &plan, &execute(global, &plan, &order).await?)
}

pub async fn stage(setup: &Setup, global: &Global, stage: &Stage) -> Result<u8> {
    let plan = Plan::load(setup, &stage.pipeline)?;
    let pull = if stage.set.is_empty() { pull(&stage.range)? } else { Pull::Adhoc { set: stage.set.clone() } };
    let order = Order { command: typed(), pull: Some(pull), deliver: None };
    let report = execute(global, &plan, &order).await?;
    let code = finish(global, &plan, &report)?;
    if report.failure.is_none() && !global.json && !global.quiet {
        render::note(&format!("next: dukou preview {}", plan.pipeline.name));
    }
    Ok(code)
}

pub async fn deliver(setup: &Setup, global: &Global, deliver: &Deliver) -> Result<u8> {
    let plan = Plan::load(setup, &deliver.pipeline)?;
    let (from, to) = deliver.range.checked()?;
    if from.is_some() && !deliver.remap {
        return Err(Error::usage("--from and --to narrow --remap; a plain delivery takes what is not delivered yet")
            .hint("leave them out, or add --remap"));
    }
    let range = from.map(|from| (from, to.unwrap_or_else(|| crate::base::clock::wall(Utc::now()))));
    let select = Select { limit: deliver.limit, key: deliver.key.clone(), remap: deliver.remap, range };
    if deliver.dry_run {
        let report = run::dry::dry_run(&plan, &select, &SystemClock).await?;
        return finish(global, &plan, &report);
    }
    let order = Order { command: typed(), pull: None, deliver: Some(select) };
    let report = execute(global, &plan, &order).await?;
    let code = finish(global, &plan, &report)?;
    if deliver.limit.is_some() && report.failure.is_none() && !report.complete && !global.json && !global.quiet {
        render::note(&format!("the limit is reached; for the rest: dukou deliver {}", plan.pipeline.name));
    }
    Ok(code)
}

fn pull(range: &Range) -> Result<Pull> {
    Ok(match range.checked()? {
        (Some(from), Some(to)) => Pull::History { from, to },
        (from, _) => Pull::Incremental { from },
    })
}

/// Runs the order with a screen; the report's failure, if any, is printed with its cure.
pub async fn execute(global: &Global, plan: &Plan, order: &Order) -> Result<Report> {
    let screen = Screen::new(global.quiet || global.json, global.verbose > 0);
    let stop = stop_switch();
    let report = run::execute(plan, order, &SystemClock, &screen, &stop).await;
    screen.clear();
    report
}

fn finish(global: &Global, plan: &Plan, report: &Report) -> Result<u8> {
    if global.json {
        render::out(&report.to_json());
    } else {
        render::out(&report::screen(report));
    }
    if let Some(error) = &report.failure {
        render::error(error);
        // A command that is wrong stays wrong.
        if !matches!(error.kind(), Kind::Usage | Kind::Config) {
            render::note(&format!("to go on: {}", report.command));
        }
    } else if !global.quiet {
        let (open, name) = (render::human(report.open()), &plan.pipeline.name);
        match report.exit_code {
            1 => render::note(&format!("exit code 1: {open} need a look; dukou rejected {name}")),
            4 => render::note(&format!("exit code 4: a person is needed, see conflict; dukou rejected {name}")),
            _ => {}
        }
    }
    Ok(report.exit_code)
}

pub async fn preview(setup: &Setup, global: &Global, preview: &Preview) -> Result<u8> {
    let plan = Plan::load(setup, &preview.pipeline)?;
    let limit = usize::try_from(preview.limit).unwrap_or(usize::MAX);
    let shown = run::preview::preview(&plan, limit, preview.key.as_deref(), Utc::now()).await?;
    if shown.items.is_empty()
        && let Some(key) = &preview.key
    {
        return Err(Error::usage(format!("no staged record makes a document with the key {key}")).hint(
            "fetch its record first: dukou stage, with --from and --to, or with --set and a parameter that names it",
        ));
    }
    let omit = sinks::omits_nulls(&plan.pipeline.sink.connector);
    for item in &shown.items {
        render::out(&if global.json { as_json(item, omit) } else { as_text(item, omit) });
    }
    if !global.json && !global.quiet {
        render::note(&format!(
            "{} of {} staged records mapped; {} of them made no document. Nothing was sent.",
            render::human(shown.rows as u64),
            render::human(shown.staged as u64),
            shown.unmapped
        ));
    }
    Ok(0)
}

fn as_text(item: &Mapped, omit: bool) -> String {
    match item {
        Mapped::Document(d) => {
            let rids: Vec<String> = d.rids.iter().map(ToString::to_string).collect();
            format!("-- {} (row {})\n{}", d.key, rids.join(", "), document::pretty(&d.body, omit))
        }
        Mapped::Blocked { rids, key, reason } => {
            let rids: Vec<String> = rids.iter().map(ToString::to_string).collect();
            format!("-- {} (row {}) blocked: {reason}", key.as_deref().unwrap_or("no key"), rids.join(", "))
        }
    }
}

fn as_json(item: &Mapped, omit: bool) -> String {
    let rids: Vec<i64> = item.rids().iter().map(|r| r.0).collect();
    match item {
        // The document's own text goes in as it is, so that decimals keep their digits.
        Mapped::Document(d) => {
            let head = json!({ "key": d.key.as_str(), "rows": rids }).to_string();
            format!("{},\"document\":{}}}", head.trim_end_matches('}'), d.body.to_json(omit))
        }
        Mapped::Blocked { key, reason, .. } => {
            json!({ "key": key, "rows": rids, "blocked": { "code": reason.code, "field": reason.field, "text": reason.text } })
                .to_string()
        }
    }
}
