//! The only code that prints: results to stdout, everything else to stderr.
//!
//! Takes text, tables and numbers, gives lines for people. A closed pipe ends the output, not the process with a panic.

use crate::base::error::Kind;
use crate::base::{Error, Result};
use comfy_table::{CellAlignment, Table, presets};
use std::io::Write as _;

/// A result: to stdout.
pub fn out(text: &str) {
    match stream(&format!("{text}\n")) {
        // A reader that closed the pipe (`| head`) wants no more.
        Err(e) if e.kind() != Kind::Stopped => error(&e),
        _ => {}
    }
}

/// A part of a result that may be long: to stdout.
///
/// # Errors
/// `Stopped` when whoever read stdout has stopped reading (`| head`), `Local` when it cannot be written.
pub fn stream(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    write!(stdout, "{text}{end}").and_then(|()| stdout.flush()).map_err(|e| match e.kind() {
        std::io::ErrorKind::BrokenPipe => Error::new(Kind::Stopped, "the reader of the output has stopped reading"),
        _ => Error::local(format!("stdout: {e}")).hint("check the disk or the program that the output goes to"),
    })
}

/// A remark: to stderr.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// An error with its cure: to stderr.
pub fn error(error: &Error) {
    note(&format!("error: {error}"));
    if let Some(cure) = error.cure() {
        note(&format!("  cure: {cure}"));
    }
}

/// Columns under their headers, two spaces apart; columns of numbers stand to the right.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(headers);
    for row in rows {
        table.add_row(row);
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        let is_number = |cell: &String| cell.bytes().all(|b| b.is_ascii_digit() || b"+-.,".contains(&b));
        if !rows.is_empty() && rows.iter().filter_map(|row| row.get(i)).all(is_number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// `12,345`.
pub fn human(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.4 GB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match UNITS.iter().find(|(_, size)| number >= *size) {
        // Tenths, by whole numbers.
        Some((unit, size)) => {
            let tenths = number / (size / 10);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{number} bytes"),
    }
}

/// `1 slice`, `2 slices`.
pub fn count(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", human(n), if n == 1 { "" } else { "s" })
}

/// At most `width` columns of a terminal on one line: line breaks and other control characters become spaces.
pub fn cut(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        // East Asian characters take two columns; a few narrow ones beyond that are taken for wide.
        let wide = if u32::from(c) >= 0x1100 { 2 } else { 1 };
        if used + wide > width {
            while used + 1 > width
                && let Some(last) = out.pop()
            {
                used -= if u32::from(last) >= 0x1100 { 2 } else { 1 };
            }
            out.push('…');
            return out;
        }
        used += wide;
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}

/// Each line of `text` after `margin`; the first one after `label` instead, which is padded to the same width.
pub fn beside(label: &str, width: usize, text: &str) -> String {
    let mut out = String::new();
    for (i, line) in text.lines().enumerate() {
        let margin = if i == 0 { label } else { "" };
        out.push_str(format!("{margin:width$}{line}").trim_end());
        out.push('\n');
    }
    out
}

/// The first `lines` lines, and how many there are beyond.
pub fn head(text: &str, lines: usize) -> String {
    let all = text.lines().count();
    if all <= lines + 1 {
        return text.to_owned();
    }
    let shown: Vec<&str> = text.lines().take(lines).collect();
    format!("{}\n… {} more lines (all with -v)", shown.join("\n"), human((all - lines) as u64))
}

/// JSON with one member per line. Only white space is changed: every digit and escape stays as it is. Text that is no JSON object
/// or array is given back as it is.
pub fn indent_json(json: &str) -> String {
    if !json.trim_start().starts_with(['{', '[']) || serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len() * 5 / 4);
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    let mut rest = json.trim().chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = rest.next() {
        if in_text {
            out.push(c);
            in_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                match rest.next_if(|c| matches!(c, '}' | ']')) {
                    Some(close) => out.push(close),
                    None => {
                        depth += 1;
                        line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => {
                in_text = c == '"';
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_made_for_eyes() {
        assert_eq!([human(0), human(999), human(1000), human(1234567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([bytes(12), bytes(1500), bytes(654_000_000)], ["12 bytes", "1.5 kB", "654.0 MB"]);
        assert_eq!(cut("销售退货单\n1", 9), "销售退货…");
        assert_eq!(table(&["a", "b"], &[vec!["1".into(), "订单".into()]]), "a  b\n1  订单");
    }

    #[test]
    fn cells_are_cut_by_what_they_take_on_the_screen() {
        assert_eq!(count(1, "slice") + &count(1200, "row"), "1 slice1,200 rows");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("备注\n说明", 9), "备注 说明");
        assert_eq!(cut("备注说明", 7), "备注说…");
        assert_eq!(cut("备注说明", 6), "备注…");
        assert_eq!(head("a\nb\nc\nd", 2), "a\nb\n… 2 more lines (all with -v)");
        assert_eq!(head("a\nb\nc", 2), "a\nb\nc");
    }

    #[test]
    fn indenting_changes_white_space_only() {
        let raw = r#"{"a":12.30, "b" : [ ],"c":{},"d":["x:{,}\"\\",null],"e":12345678901234567890123}"#;
        let text = indent_json(raw);
        assert_eq!(
            text,
            "{\n  \"a\": 12.30,\n  \"b\": [],\n  \"c\": {},\n  \"d\": [\n    \"x:{,}\\\"\\\\\",\n    null\n  ],\n  \
             \"e\": 12345678901234567890123\n}"
        );
        assert_eq!(indent_json(&text), text, "indenting again changes nothing");
        assert_eq!(indent_json("<html>"), "<html>");
        assert_eq!(indent_json("{broken"), "{broken");
    }
}
