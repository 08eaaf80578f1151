//! `dukou trace KEY`: the story of one document on the screen, from the page to the receipt.
//!
//! Takes stories, gives text or JSON. Reads nothing itself.

use crate::audit::attempts::Attempt;
use crate::audit::trace::{Origin, Receipt, Standing, Story};
use crate::base::Result;
use crate::base::lifecycle::State;
use crate::cli::args::{Global, Trace};
use crate::cli::render;
use crate::run::plan::Setup;
use crate::state::slices::SliceAsk;
use serde_json::{Value, json};

/// Width of the words on the left.
const LEFT: usize = 10;
/// Lines of a record or request shown without `-v`.
const LINES: usize = 40;

/// Runs the command; gives the exit code.
pub fn run(setup: &Setup, args: &Trace, global: &Global) -> Result<u8> {
    let stories = crate::audit::trace::trace(setup, &args.key, args.pipeline.as_deref())?;
    if global.json {
        render::out(&json(&stories));
    } else {
        render::out(&text(&stories, global.verbose > 0));
    }
    Ok(0)
}

/// The screen.
pub fn text(stories: &[Story], verbose: bool) -> String {
    let parts: Vec<String> = stories.iter().map(|story| one(story, verbose)).collect();
    parts.join("\n")
}

fn one(story: &Story, verbose: bool) -> String {
    let lines = if verbose { usize::MAX - 1 } else { LINES };
    let mut out = headline(story);
    out.push('\n');
    match &story.origin {
        Some(origin) => out.push_str(&came_from(story, origin, lines)),
        None => out.push_str(&render::beside("page", LEFT, "its staged slice is not in this workspace any more")),
    }
    if let Standing::Delivered(receipt) = &story.standing {
        let mapping = receipt.mapping.as_deref().map(|m| format!(", made by mapping {}", short(m))).unwrap_or_default();
        let version = receipt.version.map(|v| format!(", source version {v}")).unwrap_or_default();
        let text = format!("{} · digest {}{mapping}{version}", story.key, short(&receipt.digest));
        out.push_str(&render::beside("document", LEFT, &text));
    }
    for (i, attempt) in story.attempts.iter().enumerate() {
        out.push_str(&sent(attempt, i + 1, story.attempts.len(), lines));
    }
    out.push_str(&ending(story));
    out
}

fn headline(story: &Story) -> String {
    let by = story.pipeline.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let what = match &story.standing {
        Standing::Delivered(receipt) => format!("{} at {}", receipt.state, receipt.target),
        Standing::Blocked { .. } => "blocked: not sent".to_owned(),
        Standing::LeftOut { .. } => "left out by the mapping: no document".to_owned(),
        Standing::Staged => "staged, not mapped yet".to_owned(),
    };
    format!("{}: {what}{by}\n", story.key)
}

fn came_from(story: &Story, origin: &Origin, lines: usize) -> String {
    let row = &origin.row;
    let fetched = row.fetched_at.format("%Y-%m-%d %H:%M:%S UTC");
    let page = format!(
        "page {} (from 0) of slice {}, {}\nfetched {fetched} in run {} from {}\n{}",
        row.page,
        row.slice,
        asked(&origin.ask),
        origin.run,
        origin.account,
        origin.file
    );
    let mut out = render::beside("page", LEFT, &page);
    out.push_str(&render::beside("record", LEFT, &render::head(&render::indent_json(&row.raw), lines)));
    let mut place = format!("_rid {} = row {} (from 0) of slice {} in {}", row.rid, row.row, row.slice, origin.table);
    for version in &story.versions {
        let age = if version.newer { "newer" } else { "older" };
        let fetched = version.fetched_at.format("%Y-%m-%d %H:%M:%S UTC");
        place.push_str(&format!("\n{age} version: _rid {} in slice {}, fetched {fetched}", version.rid, version.slice));
    }
    out.push_str(&render::beside("row", LEFT, &place));
    out
}

/// What a slice asked for.
fn asked(ask: &SliceAsk) -> String {
    match &ask.window {
        Some((from, to)) => format!("asked for {} {from} .. {to}", ask.axis),
        None => format!("asked for {}", ask.asked),
    }
}

fn sent(attempt: &Attempt, number: usize, of: usize, lines: usize) -> String {
    let which = if of > 1 { format!("attempt {number} of {of}, ") } else { String::new() };
    let operation = if attempt.operation.is_empty() { String::new() } else { format!("{} ", attempt.operation) };
    let head = format!("{which}run {}, batch {}, {operation}sent {}", attempt.run, attempt.batch, attempt.sent_at);
    let body = render::head(&render::indent_json(&attempt.request), lines);
    let mut out = render::beside("request", LEFT, &format!("{head}\n{body}"));
    let remote = attempt.remote.as_ref().map(|id| format!(", its id there {id}")).unwrap_or_default();
    let answer = render::head(&render::indent_json(&attempt.answer), lines);
    // Of several requests only the last one shows what became of the document.
    let shown = if attempt.state.is_empty() { String::new() } else { format!("{}{remote}, ", attempt.state) };
    let text = format!("{shown}{}\n{answer}", attempt.answered_at);
    out.push_str(&render::beside("answer", LEFT, &text));
    out
}

fn ending(story: &Story) -> String {
    let pipeline = story.pipeline.as_deref().unwrap_or("PIPELINE");
    let (label, text) = match &story.standing {
        Standing::Delivered(receipt) => ("receipt", receipt_text(story, receipt, pipeline)),
        Standing::Blocked { reason, run } => (
            "blocked",
            format!(
                "{reason} (run {run})\nnext: correct the record or the mapping, then dukou deliver {pipeline} --remap"
            ),
        ),
        Standing::LeftOut { run } => (
            "left out",
            format!(
                "no row of the mapping's result names this record (run {run})\nnext: see its WHERE and JOINs; dukou preview {pipeline} --key {}",
                story.key
            ),
        ),
        Standing::Staged => ("next", format!("dukou deliver {pipeline} --key {}", story.key)),
    };
    render::beside(label, LEFT, &text)
}

fn receipt_text(story: &Story, receipt: &Receipt, pipeline: &str) -> String {
    let remote = receipt.remote.as_ref().map(|id| format!(", its id there {id}")).unwrap_or_default();
    let mut text = format!("{}{remote} (run {})", receipt.state, receipt.run);
    if let Some(reason) = &receipt.reason {
        text.push_str(&format!("\n{reason}"));
    }
    let next = match receipt.state {
        State::Rejected => format!("cure the cause, then dukou deliver {pipeline} --key {}", story.key),
        State::Intended | State::Unknown | State::Behind => {
            format!("dukou deliver {pipeline} asks the target what became of it")
        }
        State::Changed => {
            "the record has another content now than what was delivered: compare them and decide".to_owned()
        }
        State::Withdrawn => {
            "the record makes no document any more: decide what becomes of the delivered one".to_owned()
        }
        State::Conflict => "something else stands under this key at the target: a person has to look there".to_owned(),
        _ => return text,
    };
    text.push_str(&format!("\nnext: {next}"));
    text
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// The same for programs; records, requests and answers are text, byte for byte.
pub fn json(stories: &[Story]) -> String {
    Value::Array(stories.iter().map(story_json).collect()).to_string()
}

fn story_json(story: &Story) -> Value {
    let reason = |r: &crate::base::record::Reason| json!({ "code": r.code, "text": r.text, "field": r.field });
    let standing = match &story.standing {
        Standing::Delivered(r) => json!({ "standing": "delivered", "target": r.target, "state": r.state.word(),
            "reason": r.reason.as_ref().map(reason), "remote": r.remote, "digest": r.digest, "version": r.version,
            "mapping": r.mapping, "run": r.run }),
        Standing::Blocked { reason: why, run } => json!({ "standing": "blocked", "reason": reason(why), "run": run }),
        Standing::LeftOut { run } => json!({ "standing": "unmapped", "run": run }),
        Standing::Staged => json!({ "standing": "staged" }),
    };
    let origin = story.origin.as_ref().map(|o| {
        json!({ "rid": o.row.rid.0, "slice": o.row.slice, "page": o.row.page, "row": o.row.row, "table": o.table,
            "account": o.account, "axis": o.ask.axis, "from": o.ask.window.as_ref().map(|w| &w.0),
            "to": o.ask.window.as_ref().map(|w| &w.1), "asked": o.ask.asked, "run": o.run, "file": o.file,
            "fetched_at": o.row.fetched_at.to_rfc3339(), "raw": o.row.raw })
    });
    let versions: Vec<Value> = (story.versions.iter())
        .map(|v| json!({ "rid": v.rid.0, "slice": v.slice, "fetched_at": v.fetched_at.to_rfc3339(), "newer": v.newer }))
        .collect();
    json!({ "key": story.key, "pipeline": story.pipeline, "receipt": standing, "origin": origin, "versions": versions,
            "attempts": story.attempts })
}
