//! `dukou status`: how each pipeline stands, on the screen.
//!
//! Takes a [`Status`], gives text or JSON. Reads nothing itself.

use crate::audit::status::{PipelineStatus, Status};
use crate::base::Result;
use crate::base::clock::WALL_FORMAT;
use crate::base::lifecycle::State;
use crate::cli::args::Global;
use crate::cli::render::{self, count, cut, human};
use crate::run::plan::Setup;
use crate::state::RunRow;
use chrono::DateTime;
use serde_json::{Map, Value, json};

/// Width of the words on the left.
const LEFT: usize = 10;
/// Columns of a cause's text.
const TEXT: usize = 60;

/// Runs the command; gives the exit code.
pub fn run(setup: &Setup, args: &crate::cli::args::Status, global: &Global) -> Result<u8> {
    let names: Vec<String> = args.pipeline.iter().cloned().collect();
    let status = crate::audit::status::status(setup, &names)?;
    render::out(&if global.json { json(&status) } else { text(&status) });
    Ok(status.exit_code())
}

/// The screen.
pub fn text(status: &Status) -> String {
    if let Some(first) = status.untouched.first() {
        return format!(
            "Nothing was staged yet: the workspace is empty.\n\nnext  dukou demo (the whole way, on made-up trades)\n      \
             dukou check {first}\n      dukou stage {first} --from 2024-06-01 --to 2024-06-02\n"
        );
    }
    let parts: Vec<String> = status.pipelines.iter().map(one).collect();
    parts.join("\n")
}

fn one(p: &PipelineStatus) -> String {
    let mut out = format!("{}  {}", p.name, p.description).trim_end().to_owned();
    out.push('\n');
    for note in &p.notes {
        out.push_str(&line("note", note));
    }
    out.push_str(&line("covered", &covered(p)));
    out.push_str(&line("staged", &staged(p)));
    if let Some(target) = &p.target {
        out.push_str(&line("target", target));
    }
    let states: Vec<String> = p.ledger.entries().map(|(state, n)| format!("{state} {}", human(n))).collect();
    let ledger = if states.is_empty() { "nothing delivered yet".to_owned() } else { states.join(" · ") };
    out.push_str(&line("ledger", &ledger));
    if !p.causes.is_empty() {
        out.push_str(&line("open", &causes(p)));
    }
    if p.unmapped > 0 {
        out.push_str(&line("left out", &left_out(p)));
    }
    if !p.runs.is_empty() {
        out.push_str(&line("runs", &runs(&p.runs)));
    }
    for next in next(p) {
        out.push_str(&line("next", &next));
    }
    out
}

fn line(label: &str, text: &str) -> String {
    render::beside(&format!("  {label}"), LEFT + 2, text)
}

fn covered(p: &PipelineStatus) -> String {
    let mut lines = Vec::new();
    for (axis, intervals) in &p.covered {
        for interval in intervals {
            let (from, to) = (interval.from.format(WALL_FORMAT), interval.to.format(WALL_FORMAT));
            lines.push(format!("{axis} {from} .. {to}"));
        }
    }
    if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n") }
}

fn staged(p: &PipelineStatus) -> String {
    let waiting = match p.slices_to_deliver {
        0 => String::new(),
        n => format!("; {} not delivered yet", count(n, "slice")),
    };
    let table = if p.table.is_empty() { String::new() } else { format!(" of {}", p.table) };
    format!("{} in {}{table}{waiting}", count(p.rows, "row"), count(p.slices, "slice"))
}

fn causes(p: &PipelineStatus) -> String {
    let rows: Vec<Vec<String>> = (p.causes.iter())
        .map(|cause| {
            vec![
                human(cause.documents),
                cause.state.to_string(),
                cause.reason.code.clone(),
                cause.reason.field.clone().unwrap_or_default(),
                cause.example().unwrap_or_default().to_owned(),
                cut(&cause.reason.text, TEXT),
            ]
        })
        .collect();
    render::table(&["count", "state", "code", "field", "for example", "text of one of them"], &rows)
}

fn left_out(p: &PipelineStatus) -> String {
    let rids: Vec<String> = p.first_unmapped.iter().map(ToString::to_string).collect();
    let more = if p.unmapped > rids.len() as u64 { ", …" } else { "" };
    format!("{} that the mapping made nothing of: _rid {}{more}", count(p.unmapped, "row"), rids.join(", "))
}

fn runs(runs: &[RunRow]) -> String {
    let row = |run: &RunRow| {
        vec![
            run.id.to_string(),
            run.started_at.clone(),
            seconds(run).unwrap_or_default(),
            run.exit_code.map(|code| code.to_string()).unwrap_or_else(|| "no end".to_owned()),
            cut(&run.command, TEXT),
        ]
    };
    render::table(&["run", "started", "seconds", "exit", "command"], &runs.iter().map(row).collect::<Vec<_>>())
}

fn seconds(run: &RunRow) -> Option<String> {
    let begin = DateTime::parse_from_rfc3339(&run.started_at).ok()?;
    let end = DateTime::parse_from_rfc3339(run.ended_at.as_deref()?).ok()?;
    let millis = (end - begin).num_milliseconds();
    Some(format!("{}.{}", millis / 1000, millis % 1000 / 100))
}

/// What to type next, most urgent first.
fn next(p: &PipelineStatus) -> Vec<String> {
    let mut next = Vec::new();
    if let Some(run) = p.unfinished() {
        next.push(format!(
            "run {} has no end: it is at work, or it was killed; if so, the same command goes on: {}",
            run.id, run.command
        ));
    }
    if p.slices == 0 {
        next.push(format!("dukou stage {} --from 2024-06-01 --to 2024-06-02", p.name));
    } else if p.slices_to_deliver > 0 {
        next.push(format!("dukou deliver {}", p.name));
    }
    if let Some(key) = p.causes.iter().find_map(|cause| cause.example()) {
        next.push(format!("dukou trace {key}"));
    }
    if p.causes.iter().any(|cause| matches!(cause.state, State::Rejected | State::Blocked)) {
        next.push(format!("once the cause is cured: dukou deliver {} --remap", p.name));
    }
    if p.unmapped > 0 && !p.table.is_empty() {
        let rids: Vec<String> = p.first_unmapped.iter().map(ToString::to_string).collect();
        let (table, rids) = (&p.table, rids.join(", "));
        next.push(format!("dukou sql \"SELECT * FROM {table}_history WHERE _rid IN ({rids})\""));
    }
    next
}

/// The same for programs.
pub fn json(status: &Status) -> String {
    json!({ "exit_code": status.exit_code(), "untouched": status.untouched, "pipelines": status.pipelines.iter().map(one_json).collect::<Vec<_>>() })
        .to_string()
}

fn one_json(p: &PipelineStatus) -> Value {
    let covered: Map<String, Value> = (p.covered.iter())
        .map(|(axis, intervals)| {
            let pairs = intervals
                .iter()
                .map(|i| json!([i.from.format(WALL_FORMAT).to_string(), i.to.format(WALL_FORMAT).to_string()]));
            (axis.clone(), pairs.collect())
        })
        .collect();
    let ledger: Map<String, Value> = p.ledger.entries().map(|(state, n)| (state.word().to_owned(), json!(n))).collect();
    let causes: Vec<Value> = (p.causes.iter())
        .map(|c| {
            json!({ "state": c.state.word(), "code": c.reason.code, "field": c.reason.field, "text": c.reason.text,
                    "examples": c.examples, "documents": c.documents })
        })
        .collect();
    let runs: Vec<Value> = (p.runs.iter())
        .map(|r| {
            json!({ "run": r.id, "command": r.command, "started_at": r.started_at, "ended_at": r.ended_at,
                    "exit_code": r.exit_code })
        })
        .collect();
    json!({ "pipeline": p.name, "notes": p.notes, "table": p.table, "covered": covered, "slices": p.slices,
            "rows": p.rows, "slices_to_deliver": p.slices_to_deliver, "target": p.target, "ledger": ledger,
            "causes": causes, "unmapped": p.unmapped,
            "first_unmapped": p.first_unmapped.iter().map(|r| r.0).collect::<Vec<_>>(), "runs": runs,
            "unfinished": p.unfinished().map(|r| r.id), "open": p.is_open() })
}
