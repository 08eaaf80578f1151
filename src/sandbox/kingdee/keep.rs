//! Keeps the ERP's documents in a file, so that they are there when the sandbox is started again.
//!
//! Takes documents as they change, one line of JSON each; gives, at the start, the last line of every document. A line torn by a
//! crash is taken off. Never judges a document, and keeps nothing but documents: sessions, locks and tallies begin anew.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use chrono::NaiveDateTime;

use super::form::Level;
use super::store::{Document, Fields, Line, Status};
use super::value::Json;

const TIME: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// The open file.
#[derive(Debug)]
pub struct Keeper {
    file: File,
    /// The first thing that went wrong; nothing is written after it.
    failed: Option<io::Error>,
}

impl Keeper {
    /// Opens or makes the file and reads what it holds.
    pub fn open(path: &Path) -> io::Result<(Keeper, Vec<Document>)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut kept = BTreeMap::new();
        for line in text[..whole].lines() {
            let (fid, document) =
                read(line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no document: {line}")))?;
            match document {
                Some(document) => kept.insert(fid, document),
                None => kept.remove(&fid),
            };
        }
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Keeper { file, failed: None }, kept.into_values().collect()))
    }

    pub fn keep(&mut self, document: &Document) {
        self.write(&line(document));
    }

    pub fn forget(&mut self, fid: u64) {
        self.write(&Json::object([("FID", Json::from(fid))]));
    }

    fn write(&mut self, line: &Json) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(format!("{line}\n").as_bytes()).err();
        }
    }

    /// What went wrong, if anything did; told once.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }
}

fn line(document: &Document) -> Json {
    let lines = document
        .lines
        .iter()
        .map(|line| Json::object([("id", Json::from(line.entry_id)), ("fields", members(&line.fields))]))
        .collect();
    Json::object([
        ("FID", Json::from(document.fid)),
        ("number", Json::text(&document.number)),
        ("status", Json::text(document.status.letter())),
        ("foreign", Json::Bool(document.foreign)),
        ("created", Json::text(document.created.format(TIME).to_string())),
        ("modified", Json::text(document.modified.format(TIME).to_string())),
        ("head", members(&document.head)),
        ("finance", members(&document.finance)),
        ("lines", Json::List(lines)),
    ])
}

fn members(fields: &Fields) -> Json {
    Json::Object(fields.0.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

/// The id, and the document unless it is gone.
fn read(line: &str) -> Option<(u64, Option<Document>)> {
    let json = Json::parse(line).ok()?;
    let fid = json.get("FID")?.plain().parse().ok()?;
    let Some(number) = json.get("number") else { return Some((fid, None)) };
    let time = |key: &str| NaiveDateTime::parse_from_str(json.get(key)?.plain(), TIME).ok();
    let Json::List(lines) = json.get("lines")? else { return None };
    let entry = |line: &Json| {
        let entry_id = line.get("id")?.plain().parse().ok()?;
        Some(Line { entry_id, fields: fields(Level::Entry, line.get("fields")?)? })
    };
    let document = Document {
        fid,
        number: number.plain().to_owned(),
        status: Status::of(json.get("status")?.plain())?,
        head: fields(Level::Head, json.get("head")?)?,
        finance: fields(Level::Finance, json.get("finance")?)?,
        lines: lines.iter().map(entry).collect::<Option<_>>()?,
        ignored: Vec::new(),
        dropped_lines: 0,
        foreign: json.get("foreign")?.flag()?,
        created: time("created")?,
        modified: time("modified")?,
    };
    Some((fid, Some(document)))
}

fn fields(level: Level, json: &Json) -> Option<Fields> {
    let Json::Object(members) = json else { return None };
    let mut fields = Fields::default();
    for (key, value) in members {
        fields.set(level.field(key)?.key, value.clone());
    }
    Some(fields)
}
