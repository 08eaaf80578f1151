//! The ERP from behind: what a test or a demo sees of it and does to it without a call.
//!
//! Gives documents, counts and tallies; takes foreign documents, closed periods, locks, refusals. Numbers of lines and
//! fields are given as text, exactly as they were sent.

use bytes::Bytes;
use chrono::{NaiveDate, Utc};

use super::Erp;
use super::base::Book;
use super::form::{self, Level};
use super::store::{Document, Fields, Line, State, Status, Tally, local};
use super::value::{Json, decimal_text};

impl Erp {
    /// All documents, by id.
    pub fn documents(&self) -> Vec<Document> {
        self.state().documents().cloned().collect()
    }

    /// The documents with this number, oldest first.
    pub fn documents_of(&self, number: &str) -> Vec<Document> {
        self.state().by_number(number).cloned().collect()
    }

    /// The document with this number.
    pub fn document(&self, number: &str) -> Option<Document> {
        self.state().by_number(number).next().cloned()
    }

    /// How many documents there are.
    pub fn count(&self) -> usize {
        self.state().documents().count()
    }

    /// How many have this status.
    pub fn count_in(&self, status: Status) -> usize {
        self.state().documents().filter(|document| document.status == status).count()
    }

    /// What was tried and done since the start.
    pub fn tally(&self) -> Tally {
        self.state().tally
    }

    /// How often a save of this number was tried, refused or not.
    pub fn tries(&self, number: &str) -> u32 {
        self.state().tries.get(number).copied().unwrap_or(0)
    }

    /// Numbers for which more than one document was ever created, or of which more than one is there now.
    pub fn doubled(&self) -> Vec<String> {
        let state = self.state();
        let twice = state.creations.iter().filter(|(_, times)| **times > 1).map(|(number, _)| number.clone());
        let mut found: Vec<String> = twice.collect();
        let beside = state.documents().filter(|document| state.by_number(&document.number).count() > 1);
        found.extend(beside.map(|document| document.number.clone()));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// How many sessions are in force, and how many logins there were.
    pub fn sessions(&self) -> (usize, u64) {
        let state = self.state();
        (state.sessions.count(), state.sessions.logins)
    }

    /// Ends all sessions.
    pub fn end_sessions(&self) {
        self.state().sessions.end_all();
    }

    /// Puts a document there that no call has made. `head` and the lines name fields of the form and their values, base
    /// data by its number; a key that is no field is left out. Gives the id. A number may be put there twice.
    pub fn seed_foreign(&self, number: &str, head: &[(&str, &str)], lines: &[&[(&str, &str)]]) -> u64 {
        let mut state = self.state();
        let now = local(Utc::now());
        let mut fields = seeded(Level::Head, head);
        fields.set("FBillNo", Json::text(number));
        let lines = lines
            .iter()
            .map(|line| Line { entry_id: state.fresh_entry(), fields: seeded(Level::Entry, line) })
            .collect();
        state.insert(Document {
            fid: 0,
            number: number.to_owned(),
            status: Status::Audited,
            head: fields,
            finance: Fields::default(),
            lines,
            ignored: Vec::new(),
            dropped_lines: 0,
            foreign: true,
            created: now,
            modified: now,
        })
    }

    /// Sets the status of a document. True if it is there.
    pub fn set_status(&self, number: &str, status: Status) -> bool {
        let mut state = self.state();
        let found = state.id_of(number);
        if let Some(fid) = found {
            state.set_status(fid, status, Utc::now());
        }
        found.is_some()
    }

    /// Removes the documents with this number, as somebody at a screen would.
    pub fn remove(&self, number: &str) {
        let mut state = self.state();
        while let Some(fid) = state.id_of(number) {
            state.remove(fid);
        }
    }

    /// Closes all periods up to this day (期间已关账); none opens them.
    pub fn close_until(&self, day: Option<NaiveDate>) {
        self.state().closed_until = day;
    }

    /// Closes one month.
    pub fn close_month(&self, year: i32, month: u32) {
        self.state().closed.insert((year, month));
    }

    /// Opens one month that was closed by itself.
    pub fn open_month(&self, year: i32, month: u32) {
        self.state().closed.remove(&(year, month));
    }

    /// Adds base data, or knows it again.
    pub fn add_base(&self, book: Book, number: &str, name: &str) {
        self.state().base.add(book, number, name);
    }

    /// Knows these no more.
    pub fn refuse_base(&self, book: Book, numbers: &[&str]) {
        let mut state = self.state();
        for number in numbers {
            state.base.refuse(book, number);
        }
    }

    /// Somebody edits this document: its next save is refused, once.
    pub fn lock(&self, number: &str) {
        self.state().locks.insert(number.to_owned());
    }

    /// The next save of this number loses its last line without a word.
    pub fn drop_line(&self, number: &str) {
        self.state().line_drops.insert(number.to_owned());
    }

    /// Refuses every audit of this number with this text; an empty text allows it again.
    pub fn refuse_audit(&self, number: &str, text: &str) {
        let mut state = self.state();
        if text.is_empty() {
            state.audit_refusals.remove(number);
        } else {
            state.audit_refusals.insert(number.to_owned(), text.to_owned());
        }
    }

    /// What `GET /sandbox/kingdee/…` shows.
    pub(super) fn show(&self, path: &str) -> Option<Bytes> {
        let state = self.state();
        let shown = match path.split_once('/') {
            None if path == "truth" => truth(&state),
            None if path == "documents" => Json::List(state.documents().map(short).collect()),
            Some(("document", number)) => {
                let found: Vec<Json> = state.by_number(number).map(long).collect();
                if found.is_empty() {
                    return None;
                }
                Json::List(found)
            }
            _ => return None,
        };
        Some(shown.to_bytes().into())
    }
}

fn seeded(level: Level, values: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (key, value) in values {
        let Some(field) = level.field(key) else { continue };
        let value = match field.kind {
            form::Kind::Base(_) => Json::object([("FNumber", Json::text(*value))]),
            _ => Json::text(*value),
        };
        fields.set(field.key, value);
    }
    fields
}

/// Counts and sums, to compare a report with.
fn truth(state: &State) -> Json {
    let mut by_status: Vec<(&str, u64)> = Vec::new();
    let (mut lines, mut quantity, mut foreign) = (0, 0, 0_u64);
    for document in state.documents() {
        let letter = document.status.letter();
        match by_status.iter_mut().find(|(known, _)| *known == letter) {
            Some((_, count)) => *count += 1,
            None => by_status.push((letter, 1)),
        }
        lines += document.lines.len();
        quantity += document.lines.iter().map(|line| line.fields.number("FRealQty")).sum::<i128>();
        foreign += u64::from(document.foreign);
    }
    by_status.sort_unstable();
    let tally = state.tally;
    let statuses = by_status.into_iter().map(|(letter, count)| (letter.to_owned(), Json::from(count)));
    Json::object([
        ("documents", Json::from(state.documents().count())),
        ("by_status", Json::Object(statuses.collect())),
        ("lines", Json::from(lines)),
        ("quantity", Json::text(decimal_text(quantity))),
        ("foreign", Json::from(foreign)),
        ("save_calls", Json::from(tally.save_calls)),
        ("tried", Json::from(tally.tried)),
        ("created", Json::from(tally.created)),
        ("updated", Json::from(tally.updated)),
        ("refused", Json::from(tally.refused)),
        ("submitted", Json::from(tally.submitted)),
        ("audited", Json::from(tally.audited)),
        ("queries", Json::from(tally.queries)),
        ("sessions", Json::from(state.sessions.count())),
        ("logins", Json::from(state.sessions.logins)),
    ])
}

fn short(document: &Document) -> Json {
    Json::object([
        ("number", Json::text(&document.number)),
        ("fid", Json::from(document.fid)),
        ("status", Json::text(document.status.letter())),
        ("lines", Json::from(document.lines.len())),
    ])
}

fn long(document: &Document) -> Json {
    let fields = |fields: &Fields| {
        Json::Object(fields.0.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    };
    let line = |line: &Line| Json::object([("entry_id", Json::from(line.entry_id)), ("fields", fields(&line.fields))]);
    Json::object([
        ("number", Json::text(&document.number)),
        ("fid", Json::from(document.fid)),
        ("status", Json::text(document.status.letter())),
        ("foreign", Json::Bool(document.foreign)),
        ("head", fields(&document.head)),
        ("finance", fields(&document.finance)),
        ("lines", Json::List(document.lines.iter().map(line).collect())),
        ("ignored", Json::List(document.ignored.iter().map(Json::text).collect())),
        ("dropped_lines", Json::from(document.dropped_lines)),
    ])
}
