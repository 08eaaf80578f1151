//! Asking what stands under numbers: ExecuteBillQuery, read line by line, and compared with the documents.
//!
//! Takes keys, gives what stands there; takes a document too, gives how sure it is that it is ours. Never writes.
//!
//! Facts: with a field of the entry among the columns there is one row per line; columns come in the order asked for; a
//! date comes as `2024-01-02T00:00:00`; at most 2000 rows come at once in every build, and a server may be set to less;
//! numbers of base data are compared without letter case; a kit may add lines to those that were sent.

use super::KingdeeSink;
use super::answer::{Cell, Said, cut};
use super::request::{Form, Service, filter, quoted};
use crate::base::clock::parse_wall;
use crate::base::lifecycle::State;
use crate::base::record::{DocKey, Document, Reason};
use crate::base::value::{Decimal, Object, Value};
use crate::base::{Error, Result};
use crate::sink::{Exchange, Found, Proof};
use std::collections::{HashMap, HashSet};

/// Numbers asked for at once.
const KEYS: usize = 100;
/// Rows of one answer; builds that allow more give no more than this when asked so.
const ROWS: usize = 2000;
/// A page shorter than this is the last. No build is known to cap a page so low, so the one more call that proves the end
/// is spared for most questions; any longer page is followed by another call, until one comes empty.
const SURELY_LAST: usize = 500;
/// Pages of one question; a hundred documents with more lines than that are none.
const PAGES: usize = 500;

/// What stands under a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// Internal ids of all documents under the number; one, where all is well.
    pub ids: Vec<String>,
    /// The number as it stands there: a target may fold letter case.
    pub number: String,
    pub status: String,
    /// Header fields, in the order of [`Form::verify`].
    pub cells: Vec<Cell>,
    /// Ids of its lines; empty where no entry is counted.
    pub lines: HashSet<String>,
    /// Rows as they came, cut to what is kept.
    pub rows: String,
}

/// A number that was asked for.
pub(super) struct Seen {
    pub standing: Option<Standing>,
    pub exchange: Exchange,
}

impl KingdeeSink {
    /// One answer per key, in order.
    pub(super) async fn look(&self, keys: &[&DocKey]) -> Result<Vec<Seen>> {
        let mut seen = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS) {
            seen.extend(self.look_chunk(chunk).await?);
        }
        Ok(seen)
    }

    async fn look_chunk(&self, keys: &[&DocKey]) -> Result<Vec<Seen>> {
        let filter_all = filter(keys);
        let sent_at = chrono::Utc::now();
        let mut there: HashMap<String, Standing> = HashMap::new();
        let (mut last, mut start) = (None, 0);
        for page in 0..=PAGES {
            if page == PAGES {
                return Err(Error::protocol("the query for our numbers does not come to an end")
                    .hint("does the server heed StartRow and Limit of ExecuteBillQuery?"));
            }
            let told = self.session.call(Service::Query, &self.form.query_body(&filter_all, start, ROWS)).await?;
            let Said::Rows(rows) = &told.said else { return Err(self.session.failed(&told.said)) };
            rows.iter().try_for_each(|row| self.form.take_row(row, &mut there))?;
            // What was received counts, not what was asked for: the server may cap a page.
            start += rows.len();
            last = Some(told.answered_at);
            if rows.len() < SURELY_LAST {
                break;
            }
        }
        let answered_at = last.unwrap_or(sent_at);
        Ok(keys
            .iter()
            .map(|key| {
                let standing = there.get(&folded(key.as_str())).cloned();
                let answer = standing.as_ref().map_or_else(|| "[]".to_string(), |s| format!("[{}]", s.rows));
                let operation = Service::Query.name();
                let request = filter(&[*key]);
                Seen { standing, exchange: Exchange { operation, request, answer, sent_at, answered_at } }
            })
            .collect())
    }
}

/// How a database compares numbers: without letter case and outer blanks.
fn folded(number: &str) -> String {
    number.trim().to_lowercase()
}

impl Form {
    /// Adds a row to what stands under its number.
    fn take_row(&self, row: &[Cell], there: &mut HashMap<String, Standing>) -> Result<()> {
        let (columns, compared) = (self.columns().len(), self.verify.len());
        if row.len() != columns {
            let text = format!("a row of {} values where {columns} columns were asked for", row.len());
            return Err(Error::protocol(text));
        }
        let standing = there.entry(folded(row[1].text())).or_insert_with(|| Standing {
            ids: Vec::new(),
            number: row[1].text().to_string(),
            status: row[2].text().to_string(),
            cells: row[3..3 + compared].to_vec(),
            lines: HashSet::new(),
            rows: String::new(),
        });
        let id = row[0].text();
        if !standing.ids.iter().any(|have| have == id) {
            standing.ids.push(id.to_string());
        }
        if let Some(line) = row.get(3 + compared).map(Cell::text)
            && !matches!(line, "" | "0")
        {
            standing.lines.insert(line.to_string());
        }
        if cut(&standing.rows).len() == standing.rows.len() {
            let cells: Vec<String> = row.iter().map(as_json).collect();
            let comma = if standing.rows.is_empty() { "" } else { "," };
            standing.rows.push_str(&format!("{comma}[{}]", cells.join(",")));
            standing.rows = cut(&standing.rows).to_string();
        }
        Ok(())
    }

    /// Present or behind, by its status and what was asked for.
    pub(super) fn state(&self, status: &str) -> State {
        match (self.audited, status) {
            (true, "C") => State::Present,
            (true, _) | (false, "Z") => State::Behind,
            (false, _) => State::Present,
        }
    }

    /// Why a document is behind.
    pub(super) fn behind(&self, status: &str) -> Reason {
        let goal = if self.audited { "audited (C)" } else { "saved (A)" };
        Reason::new("status", format!("it is there as {}, not {goal} as asked for", status_word(status)))
            .on_field(super::request::STATUS)
    }

    /// Lines of the counted entry that a document has.
    pub(super) fn lines_of(&self, document: &Document) -> Option<usize> {
        match member(&document.body, self.entry.as_ref()?)? {
            Value::List(lines) => Some(lines.len()),
            _ => None,
        }
    }

    /// What stands under a number, as an answer to a question.
    pub(super) fn judge(&self, standing: Option<&Standing>, key: &DocKey, asked: Question<'_>) -> Found {
        let Some(standing) = standing else { return Found::Missing };
        let remote = standing.ids.first().cloned();
        Found::There { remote, state: self.state(&standing.status), proof: self.proof(standing, key, asked) }
    }

    fn proof(&self, standing: &Standing, key: &DocKey, asked: Question<'_>) -> Proof {
        let foreign = |code: &str, text: String| Proof::Foreign(Reason::new(code, text));
        let number = super::request::NUMBER;
        if standing.ids.len() > 1 {
            let ids = standing.ids.join(", ");
            return foreign("doubled", format!("several documents stand under {number} {key}: {ids}"));
        }
        if standing.number != key.as_str() {
            return foreign("foreign", format!("there it is written {number} {}", standing.number));
        }
        let id = standing.ids.first().map(String::as_str).unwrap_or_default();
        if let Some(known) = asked.remote.filter(|known| *known != id) {
            return foreign("foreign", format!("under {number} {key} stands {id}; ours was {known}"));
        }
        let Some(document) = asked.document else { return Proof::Unasked };
        let mut compared = false;
        for (field, cell) in self.verify.iter().zip(&standing.cells) {
            let Some(value) = at_path(&document.body, field) else { continue };
            match agrees(field, value, cell) {
                None => {}
                Some(true) => compared = true,
                Some(false) => {
                    let text = format!("another document: it has {}, ours {}", cell.text(), value.to_json(true));
                    return Proof::Foreign(Reason::new("foreign", text).on_field(field.as_str()));
                }
            }
        }
        if let Some(sent) = self.lines_of(document) {
            let have = standing.lines.len();
            if have < sent {
                return Proof::Foreign(self.lines(have, sent));
            }
            compared = true;
        }
        if compared { Proof::Agrees } else { Proof::Unasked }
    }

    /// Fewer lines than were sent.
    pub(super) fn lines(&self, have: usize, sent: usize) -> Reason {
        let reason = Reason::new("lines", format!("{have} lines stand there, {sent} were sent"));
        match &self.entry {
            Some(entry) => reason.on_field(entry.as_str()),
            None => reason,
        }
    }
}

/// What a found document is compared with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Question<'a> {
    pub document: Option<&'a Document>,
    pub remote: Option<&'a str>,
}

/// A document's status in words.
pub(super) fn status_word(status: &str) -> String {
    let word = match status {
        "Z" => "draft",
        "A" => "created",
        "B" => "in audit",
        "C" => "audited",
        "D" => "to be audited again",
        _ => "a status that is not known",
    };
    format!("{word} ({status})")
}

fn as_json(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_string(),
        Cell::Text(text) => quoted(text),
        Cell::Bool(_) | Cell::Number(_) => cell.text().to_string(),
    }
}

/// A member by name; the ERP does not tell letter case apart.
pub(super) fn member<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// `FRetcustId.FNumber` within a document; `None` where it says nothing there.
fn at_path<'a>(body: &'a Object, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let mut value = member(body, names.next()?)?;
    for name in names {
        let Value::Object(object) = value else { return None };
        value = member(object, name)?;
    }
    (!value.is_null()).then_some(value)
}

/// Does the value of this field stand there? `None` where the two cannot be compared. The ERP finds base data by number
/// without letter case and shows the number as it stands in the base data.
fn agrees(field: &str, value: &Value, cell: &Cell) -> Option<bool> {
    let there = cell.text().trim();
    Some(match value {
        Value::Null | Value::List(_) | Value::Object(_) => return None,
        Value::Bool(value) => {
            there.eq_ignore_ascii_case(if *value { "true" } else { "false" }) || there == if *value { "1" } else { "0" }
        }
        Value::Int(value) => number(there) == Some(Decimal { unscaled: i128::from(*value), scale: 0 }),
        Value::Decimal(value) => number(there) == Some(value.trimmed()),
        Value::Text(text) => {
            let text = text.trim();
            text == there
                || (is_base_number(field) && text.eq_ignore_ascii_case(there))
                || parse_wall(text).is_some_and(|wall| parse_wall(there) == Some(wall))
                || (matches!(cell, Cell::Number(_)) && number(text).is_some_and(|n| number(there) == Some(n)))
        }
    })
}

/// `FRetcustId.FNumber`: the number of a piece of base data.
fn is_base_number(field: &str) -> bool {
    field.rsplit_once('.').is_some_and(|(_, last)| last.eq_ignore_ascii_case("FNumber"))
}

/// Digits as they are written, with or without exponent, without trailing zeros.
fn number(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let unscaled: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()? - exponent.parse::<i32>().ok()?;
    let plain = match u8::try_from(scale) {
        Ok(scale) => Decimal { unscaled, scale },
        Err(_) => {
            let factor = 10_i128.checked_pow(scale.unsigned_abs()).filter(|_| scale < 0)?;
            Decimal { unscaled: unscaled.checked_mul(factor)?, scale: 0 }
        }
    };
    Some(plain.trimmed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_as_what_they_mean() {
        let text = |t: &str| Cell::Text(t.into());
        let number = |t: &str| Cell::Number(t.into());
        let dec = |unscaled, scale| Value::Decimal(Decimal { unscaled, scale });
        let table = [
            (Value::text("2024-01-02"), text("2024-01-02T00:00:00"), Some(true)),
            (Value::text("2024-01-02 00:00:00"), text("2024-01-02T00:00:00"), Some(true)),
            (Value::text("2024-01-02"), text("2024-01-02T08:00:00"), Some(false)),
            (Value::text("2024-01-02"), text("2024-01-03T00:00:00"), Some(false)),
            (Value::text("CUST001"), text("CUST001"), Some(true)),
            (Value::text("CUST001"), text("CUST002"), Some(false)),
            (Value::text("CUST001"), Cell::Null, Some(false)),
            (Value::text("100"), number("100"), Some(true)),
            (Value::text("007"), text("7"), Some(false)),
            (dec(1230, 2), number("12.3000000000"), Some(true)),
            (dec(1, 5), number("1E-05"), Some(true)),
            (dec(1230, 2), number("12.31"), Some(false)),
            (Value::Int(1000), number("1E+3"), Some(true)),
            (Value::Bool(true), Cell::Bool(true), Some(true)),
            (Value::Bool(false), text("1"), Some(false)),
            (Value::Object(Object::from_pairs([("FNumber", Value::Int(1))])), number("1"), None),
        ];
        for (value, cell, expected) in table {
            assert_eq!(agrees("FText", &value, &cell), expected, "{value:?} {cell:?}");
        }
        for (field, same) in
            [("FRetcustId.FNumber", true), ("FRetcustId.FNUMBER", true), ("FNumber", false), ("FNote", false)]
        {
            assert_eq!(agrees(field, &Value::text("cust001"), &text("CUST001")), Some(same), "{field}");
        }
        assert_eq!(agrees("FRetcustId.FNumber", &Value::text("cust001"), &text("CUST002")), Some(false));
    }
}
