//! CSV reference tables: comma, double quotes, header line (RFC 4180), UTF-8.
//!
//! Takes the file's bytes, gives a table of text and the line on which each row begins, because a fault in a reference table is
//! cured in that line. It never guesses types, separators or encodings.

use super::lookup::text_batch;
use crate::base::{Error, Result};
use arrow::array::RecordBatch;

/// The table, and the line of each of its rows. An empty field without quotes is NULL.
pub fn read(bytes: &[u8]) -> Result<(RecordBatch, Vec<u64>)> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        Error::config(format!("line {line}: not UTF-8")).hint("save the file as UTF-8 (Excel: \"CSV UTF-8\")")
    })?;
    let mut rows = split(text.trim_start_matches('\u{feff}'))?.into_iter();
    let (_, header) =
        rows.next().ok_or_else(|| Error::config("the file is empty").hint("the first line names the columns"))?;
    let names: Vec<String> = header.into_iter().map(Option::unwrap_or_default).collect();
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() || names[..i].contains(name) {
            return Err(Error::config(format!("column {} of the header is empty or doubled: \"{name}\"", i + 1))
                .hint("the first line names the columns"));
        }
    }
    let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); names.len()];
    let mut lines = Vec::new();
    for (line, row) in rows {
        if row.len() != names.len() {
            return Err(Error::config(format!("line {line}: {} fields, the header has {}", row.len(), names.len()))
                .hint("put a field that holds a comma in double quotes"));
        }
        lines.push(line);
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    Ok((text_batch(&names, columns)?, lines))
}

type Row = Vec<Option<String>>;

/// Rows with the line each begins on; blank lines are skipped.
fn split(text: &str) -> Result<Vec<(u64, Row)>> {
    let mut rows = Vec::new();
    let mut row: Row = Vec::new();
    let mut field = String::new();
    let (mut quoted, mut had_quotes) = (false, false);
    let (mut line, mut begun) = (1, 1);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        line += u64::from(c == '\n');
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => {
                quoted = !quoted;
                had_quotes = true;
            }
            _ if quoted => field.push(c),
            ',' => row.push(take(&mut field, &mut had_quotes)),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                end_row(&mut rows, &mut row, take(&mut field, &mut had_quotes), begun);
                begun = line;
            }
            _ => field.push(c),
        }
    }
    if quoted {
        return Err(Error::config(format!("line {begun}: a double quote is not closed")).hint("close it, or double it"));
    }
    end_row(&mut rows, &mut row, take(&mut field, &mut had_quotes), begun);
    Ok(rows)
}

fn take(field: &mut String, had_quotes: &mut bool) -> Option<String> {
    let quoted = std::mem::take(had_quotes);
    let text = std::mem::take(field);
    (quoted || !text.is_empty()).then_some(text)
}

fn end_row(rows: &mut Vec<(u64, Row)>, row: &mut Row, last: Option<String>, line: u64) {
    row.push(last);
    let row = std::mem::take(row);
    if row != [None] {
        rows.push((line, row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array as _, StringArray};

    #[test]
    fn quotes_newlines_and_empty_fields() {
        let csv = "\u{feff}name,memo\r\n门店一,\"a \"\"b\"\",\nc\"\r\n\r\n门店二,\n\"\",x";
        let (batch, lines) = read(csv.as_bytes()).expect("a table");
        assert_eq!(lines, [2, 5, 6], "a row is named by its first line");
        let column = |i: usize| batch.column(i).as_any().downcast_ref::<StringArray>().expect("text").clone();
        assert_eq!(column(0).iter().collect::<Vec<_>>(), [Some("门店一"), Some("门店二"), Some("")]);
        assert_eq!(column(1).iter().collect::<Vec<_>>(), [Some("a \"b\",\nc"), None, Some("x")]);
    }

    #[test]
    fn faults_name_their_line() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "the file is empty"),
            (b"a,a\n1,2", "column 2 of the header is empty or doubled: \"a\""),
            (b"a,b\n1,2\n3", "line 3: 1 fields, the header has 2"),
            (b"a,b\n1,\"2\n3,4", "line 2: a double quote is not closed"),
            (b"a\n\xb9\xe3", "line 2: not UTF-8"),
        ];
        for (csv, message) in cases {
            assert_eq!(read(csv).expect_err(message).to_string(), message);
        }
    }
}
