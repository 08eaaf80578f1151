//! The only code that prints: results to stdout, everything else to stderr.
//!
//! Takes text, tables and numbers, gives lines for people. A closed pipe ends the output, not the process with a panic.

use crate::base::Error;
use std::io::Write as _;

/// A result: to stdout.
pub fn out(text: &str) {
    // A reader that closed the pipe (`| head`) wants no more; there is nobody left to tell.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
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

/// Rows under headers, columns aligned for Chinese text too.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header(headers);
    rows.iter().for_each(|row| {
        table.add_row(row);
    });
    table.lines().map(|line| line.trim_end().to_string()).collect::<Vec<_>>().join("\n")
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

/// Cut to so many characters, with a mark.
pub fn cut(text: &str, width: usize) -> String {
    let text = text.replace(['\n', '\r'], " ");
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_made_for_eyes() {
        assert_eq!([human(0), human(999), human(1000), human(1234567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([bytes(12), bytes(1500), bytes(654_000_000)], ["12 bytes", "1.5 kB", "654.0 MB"]);
        assert_eq!(cut("销售退货单\n1", 5), "销售退货…");
        assert_eq!(table(&["a", "b"], &[vec!["1".into(), "订单".into()]]), " a  b\n 1  订单");
    }
}
