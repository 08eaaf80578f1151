//! The report of a run as a screen: counts that add up, causes, and what to type next.

use crate::base::lifecycle::State;
use crate::cli::render::{bytes, count, cut, human, table};
use crate::run::report::{FieldRemark, Report};
use std::fmt::Write as _;

/// Causes and remarks beyond this many are counted, not listed.
const LISTED: usize = 12;
const TEXT_WIDTH: usize = 76;

/// The whole screen.
pub fn screen(report: &Report) -> String {
    let run = if report.run == 0 { "dry run, nothing was sent".to_owned() } else { format!("run {}", report.run) };
    let mut text = format!(
        "{run} · {} · {:.1} s{}\n",
        report.pipeline,
        report.elapsed.as_secs_f64(),
        if report.complete { "" } else { " · ended early" }
    );
    staged(report, &mut text);
    if report.delivered {
        delivered(report, &mut text);
        causes(report, &mut text);
    }
    balance(report, &mut text);
    text.trim_end().to_string()
}

fn line(text: &mut String, label: &str, count: u64, more: &str) {
    let _ = writeln!(text, "{label:<24}{:>12}  {more}", human(count));
}

fn staged(report: &Report, text: &mut String) {
    let (s, b) = (&report.staged, &report.balance);
    if s.slices.is_empty() {
        return;
    }
    text.push('\n');
    let size = bytes(s.bytes);
    line(
        text,
        "records fetched",
        b.fetched,
        &format!("in {}, {}", count(s.slices.len() as u64, "slice"), count(s.pages, "page")),
    );
    line(text, "  staged", b.staged, &format!("{size} of Parquet"));
    line(
        text,
        "  duplicates dropped",
        b.duplicates,
        "the same text stood there already (shared window edges, overlap)",
    );
    remarks("values that do not fit their type (null in SQL, kept in _raw)", &s.misfits, text);
    remarks("fields that sql/staging does not declare (kept in _raw)", &s.drift, text);
}

fn remarks(title: &str, remarks: &[FieldRemark], text: &mut String) {
    if remarks.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}:");
    for r in remarks.iter().take(LISTED) {
        let _ = writeln!(text, "  {:<38}{:>10}  e.g. {}", r.field, human(r.count), cut(&r.sample, 40));
    }
    if remarks.len() > LISTED {
        let _ = writeln!(text, "  … and {} more fields", remarks.len() - LISTED);
    }
}

fn delivered(report: &Report, text: &mut String) {
    let b = &report.balance;
    text.push('\n');
    line(text, "rows in scope", b.in_scope, "newest version of every record that this run touches");
    line(text, "  mapped", b.mapped_rows, "");
    line(text, "  left out", b.unmapped, "by the mapping (WHERE, joins, unnest)");
    line(text, "documents", b.documents, "");
    for (state, count) in b.states.entries() {
        line(text, &format!("  {state}"), count, meaning(state));
    }
    if report.withdrawn > 0 {
        line(text, "withdrawn", report.withdrawn, "delivered before; the record makes no document any more");
    }
    let (there, missing) = report.settled_before;
    if there + missing > 0 {
        line(text, "settled from before", there + missing, "in doubt since an earlier run; the target was asked");
    }
    for (what, count) in report.misses.iter().take(LISTED) {
        let _ = writeln!(text, "look-up without match: {what} ({} times)", human(*count));
    }
    if let Some(target) = &report.target {
        let ledger: Vec<String> = report.ledger.entries().map(|(s, n)| format!("{} {s}", human(n))).collect();
        let _ = writeln!(
            text,
            "\nin the ledger of {target}: {}",
            if ledger.is_empty() { "nothing".into() } else { ledger.join(", ") }
        );
    }
}

fn meaning(state: State) -> &'static str {
    match state {
        State::Accepted => "put into the target by this run",
        State::Present => "there already, proven ours",
        State::Unchanged => "delivered before, the same",
        State::Stale => "an older version than the one delivered",
        State::Changed => "delivered before with other content; not sent again",
        State::Blocked => "refused before sending",
        State::Rejected => "refused by the target",
        State::Unknown => "may or may not be there; the next run asks first",
        State::Conflict => "something under the key that is not ours",
        State::Behind => "there, not yet in the status asked for",
        State::Acknowledged => "settled by a person",
        State::Mapped => "to be sent; nothing was sent now",
        State::Withdrawn | State::Intended => "",
    }
}

fn causes(report: &Report, text: &mut String) {
    if report.causes.is_empty() && report.open_unmapped == 0 {
        return;
    }
    text.push_str("\nwhat needs a look:\n");
    let rows: Vec<Vec<String>> = report
        .causes
        .iter()
        .take(LISTED)
        .map(|c| {
            let why = match &c.reason.field {
                Some(field) => format!("{field}: {}", c.reason.text),
                None => c.reason.text.clone(),
            };
            vec![
                human(c.documents),
                c.state.to_string(),
                c.reason.code.clone(),
                c.example().unwrap_or_default().to_owned(),
                cut(&why, TEXT_WIDTH),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let _ = writeln!(text, "{}", table(&["count", "state", "code", "for example", "why"], &rows));
    }
    if report.causes.len() > LISTED {
        let _ =
            writeln!(text, " … and {} more causes: dukou rejected {}", report.causes.len() - LISTED, report.pipeline);
    }
    if report.open_unmapped > 0 {
        let _ = writeln!(
            text,
            " {} rows made no document: dukou sql \"SELECT * FROM unmapped\"",
            human(report.open_unmapped)
        );
    }
}

fn balance(report: &Report, text: &mut String) {
    text.push('\n');
    if report.breaches.is_empty() {
        text.push_str("the books balance: fetched = staged + duplicates");
        if report.delivered {
            text.push_str(" · rows = mapped + left out · documents = sum of the states");
        }
        text.push('\n');
    } else {
        let _ = writeln!(text, "THE BOOKS DO NOT BALANCE (our bug, exit code 70): {}", report.breaches.join("; "));
    }
}
