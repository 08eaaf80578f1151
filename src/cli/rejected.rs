//! `dukou rejected`: the documents that did not arrive, by cause, on the screen.
//!
//! Takes how the pipelines stand ([`Status`]), gives text or JSON. Reads nothing itself.

use crate::audit::status::{PipelineStatus, Status};
use crate::base::Result;
use crate::base::lifecycle::State;
use crate::cli::args::{Global, Rejected};
use crate::cli::render::{self, count, human};
use crate::run::plan::Setup;
use crate::run::sinks;
use crate::state::causes::Cause;
use serde_json::{Value, json};

/// Runs the command; gives the exit code: 0 when nothing is open.
pub fn run(setup: &Setup, args: &Rejected, global: &Global) -> Result<u8> {
    let names: Vec<String> = args.pipeline.iter().cloned().collect();
    let status = crate::audit::status::status(setup, &names)?;
    render::out(&if global.json { json(&status) } else { text(&status) });
    let open = status.pipelines.iter().any(|p| !p.causes.is_empty());
    Ok(u8::from(open))
}

fn text(status: &Status) -> String {
    let parts: Vec<String> = status.pipelines.iter().filter(|p| !p.causes.is_empty()).map(one).collect();
    if parts.is_empty() { "nothing is rejected, blocked or in doubt".to_owned() } else { parts.join("\n") }
}

fn one(p: &PipelineStatus) -> String {
    let documents = p.causes.iter().map(|cause| cause.documents).sum();
    let causes = count(p.causes.len() as u64, "cause");
    let mut out = format!("{}  {} by {causes}\n\n", p.name, count(documents, "document"));
    let row = |cause: &Cause| {
        let field = cause.reason.field.clone().unwrap_or_default();
        vec![
            human(cause.documents),
            cause.state.to_string(),
            cause.reason.code.clone(),
            field,
            cause.examples.join(" "),
        ]
    };
    let rows: Vec<Vec<String>> = p.causes.iter().map(row).collect();
    let table = render::table(&["count", "state", "code", "field", "for example"], &rows);
    let mut lines = table.lines();
    out.push_str(lines.next().unwrap_or_default());
    out.push('\n');
    // Texts are as long as the target makes them, so they stand below their line.
    for (line, cause) in lines.zip(&p.causes) {
        out.push_str(&format!("{line}\n"));
        out.push_str(&render::beside("", LEFT, &cause.reason.text));
        if let Some(cure) = sinks::cure(p.connector.as_ref(), cause.state, &cause.reason) {
            out.push_str(&render::beside("", LEFT, &format!("cure: {cure}")));
        }
    }
    out.push_str(&next(p));
    out
}

/// Columns that a reason is indented by.
const LEFT: usize = 7;

fn next(p: &PipelineStatus) -> String {
    let mut out = String::new();
    if let Some(key) = p.causes.iter().find_map(|cause| cause.example()) {
        out.push_str(&format!("\none of them:   dukou trace {key}\n"));
    }
    if let Some(state) = p.causes.iter().map(|cause| cause.state).find(|state| *state != State::Blocked) {
        let query = format!("SELECT key, code, field, text FROM delivery WHERE state = '{state}'");
        out.push_str(&format!("all of a kind: dukou sql \"{query}\"\n"));
    }
    if p.causes.iter().any(|cause| matches!(cause.state, State::Rejected | State::Blocked)) {
        out.push_str(&format!("once cured:    dukou deliver {} --remap\n", p.name));
    }
    if let Some(key) = p.causes.iter().find(|cause| cause.state == State::Conflict).and_then(Cause::example) {
        out.push_str(&format!("a conflict, once cleared at the target: dukou deliver {} --key {key}\n", p.name));
    }
    out
}

fn json(status: &Status) -> String {
    let cause = |p: &PipelineStatus, c: &Cause| {
        json!({ "pipeline": p.name, "state": c.state.word(), "code": c.reason.code, "field": c.reason.field,
                "text": c.reason.text, "cure": sinks::cure(p.connector.as_ref(), c.state, &c.reason), "documents": c.documents, "examples": c.examples })
    };
    let causes: Vec<Value> = status.pipelines.iter().flat_map(|p| p.causes.iter().map(move |c| cause(p, c))).collect();
    Value::Array(causes).to_string()
}
