//! What the ERP keeps: documents, closed periods, locks, and the tally of what was tried.
//!
//! Gives and takes documents by id and number. Never judges a document.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::base::{BaseData, Given};
use super::keep::Keeper;
use super::session::Sessions;
use super::value::{Json, decimal};

/// 单据状态.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Draft,
    Created,
    InAudit,
    Audited,
    AuditAgain,
}

impl Status {
    pub const ALL: [Status; 5] = [Status::Draft, Status::Created, Status::InAudit, Status::Audited, Status::AuditAgain];

    /// By its letter.
    pub fn of(letter: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.letter() == letter)
    }

    /// As the ERP writes it.
    pub fn letter(self) -> &'static str {
        match self {
            Status::Draft => "Z",
            Status::Created => "A",
            Status::InAudit => "B",
            Status::Audited => "C",
            Status::AuditAgain => "D",
        }
    }
}

/// Values by the form's own spelling of their keys, as they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(&'static str, Json)>);

impl Fields {
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    pub fn set(&mut self, key: &'static str, value: Json) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    /// A scalar as text, base data as its number; none if the key is absent or null.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value)? {
            Json::Null => None,
            object @ Json::Object(_) => Some(Given::read(object).text().to_owned()),
            Json::List(rows) => Some(Json::List(rows.clone()).to_string()),
            scalar => Some(scalar.plain().to_owned()),
        }
    }

    /// A number as 10⁻¹⁰; 0 if there is none.
    pub fn number(&self, key: &str) -> i128 {
        self.get(key).and_then(|value| decimal(value.plain())).unwrap_or(0)
    }
}

/// A line (分录).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub entry_id: u64,
    pub fields: Fields,
}

/// A document as the ERP holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub fid: u64,
    pub number: String,
    pub status: Status,
    pub head: Fields,
    pub finance: Fields,
    pub lines: Vec<Line>,
    /// Keys that were sent and are in no metadata, with their place; the ERP has dropped them without a word.
    pub ignored: Vec<String>,
    /// Lines that were sent and dropped without a word.
    pub dropped_lines: usize,
    /// It came into the world otherwise than through a call.
    pub foreign: bool,
    pub created: NaiveDateTime,
    pub modified: NaiveDateTime,
}

impl Document {
    /// A head field, or one of the finance part, as text; base data as its number.
    pub fn field(&self, key: &str) -> Option<String> {
        self.head.text(key).or_else(|| self.finance.text(key))
    }
}

/// Numbers of calls and documents since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Save, BatchSave and Draft calls acted upon.
    pub save_calls: u64,
    /// Documents in these calls.
    pub tried: u64,
    /// Of these: new documents, changed documents, refused documents.
    pub created: u64,
    pub updated: u64,
    pub refused: u64,
    pub submitted: u64,
    pub audited: u64,
    pub queries: u64,
}

/// Everything that changes.
#[derive(Debug)]
pub struct State {
    pub base: BaseData,
    pub sessions: Sessions,
    documents: BTreeMap<u64, Document>,
    /// Writes down what changes, if it is to outlive this process.
    keeper: Option<Keeper>,
    /// Ids by number. More than one only if a foreign document was put under a number twice.
    numbers: HashMap<String, Vec<u64>>,
    next_fid: u64,
    next_entry: u64,
    next_number: u64,
    /// Documents dated up to this day are refused.
    pub closed_until: Option<NaiveDate>,
    /// Months refused besides, as (year, month).
    pub closed: BTreeSet<(i32, u32)>,
    /// Numbers somebody else is editing: the next save of one is refused, once.
    pub locks: HashSet<String>,
    /// Numbers whose audit is refused, with the text.
    pub audit_refusals: HashMap<String, String>,
    /// Numbers whose last line is dropped without a word when they are saved.
    pub line_drops: HashSet<String>,
    /// How often a save of each number was tried, and how often one created a document.
    pub tries: HashMap<String, u32>,
    pub creations: HashMap<String, u32>,
    /// Answers of asynchronous calls not yet fetched, by task.
    pub tasks: HashMap<String, Json>,
    pub next_task: u64,
    pub tally: Tally,
}

impl State {
    pub fn new(closed_until: Option<NaiveDate>) -> Self {
        State {
            base: BaseData::of_world(),
            sessions: Sessions::default(),
            documents: BTreeMap::new(),
            keeper: None,
            numbers: HashMap::new(),
            next_fid: 100_001,
            next_entry: 200_001,
            next_number: 1,
            closed_until,
            closed: BTreeSet::new(),
            locks: HashSet::new(),
            audit_refusals: HashMap::new(),
            line_drops: HashSet::new(),
            tries: HashMap::new(),
            creations: HashMap::new(),
            tasks: HashMap::new(),
            next_task: 1,
            tally: Tally::default(),
        }
    }

    /// Takes up what an earlier process kept, and keeps from now on what changes.
    pub fn keep_in(&mut self, path: &Path) -> io::Result<()> {
        let (keeper, documents) = Keeper::open(path)?;
        for document in documents {
            self.next_fid = self.next_fid.max(document.fid + 1);
            self.next_entry = document.lines.iter().map(|line| line.entry_id + 1).fold(self.next_entry, u64::max);
            self.numbers.entry(document.number.clone()).or_default().push(document.fid);
            self.documents.insert(document.fid, document);
        }
        self.keeper = Some(keeper);
        Ok(())
    }

    /// What kept documents from being written down, if anything did.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.keeper.as_mut().and_then(Keeper::take_failure)
    }

    /// All documents, by id.
    pub fn documents(&self) -> impl DoubleEndedIterator<Item = &Document> {
        self.documents.values()
    }

    pub fn by_id(&self, fid: u64) -> Option<&Document> {
        self.documents.get(&fid)
    }

    /// The documents with this number, oldest first.
    pub fn by_number(&self, number: &str) -> impl Iterator<Item = &Document> {
        self.numbers.get(number).into_iter().flatten().filter_map(|fid| self.documents.get(fid))
    }

    /// The id of the first document with this number.
    pub fn id_of(&self, number: &str) -> Option<u64> {
        self.numbers.get(number)?.first().copied()
    }

    pub fn fresh_entry(&mut self) -> u64 {
        self.next_entry += 1;
        self.next_entry - 1
    }

    /// A number by the ERP's own rule, for a document that brings none.
    pub fn fresh_number(&mut self) -> String {
        loop {
            let number = format!("XSTHD{:06}", self.next_number);
            self.next_number += 1;
            if !self.numbers.contains_key(&number) {
                return number;
            }
        }
    }

    /// Keeps a new document under a new id.
    pub fn insert(&mut self, mut document: Document) -> u64 {
        let fid = self.next_fid;
        self.next_fid += 1;
        document.fid = fid;
        self.put(document);
        fid
    }

    /// Puts a document in the place of the one with its id, which may have had another number.
    pub fn replace(&mut self, document: Document) {
        self.take(document.fid);
        self.put(document);
    }

    fn put(&mut self, document: Document) {
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(&document);
        }
        self.numbers.entry(document.number.clone()).or_default().push(document.fid);
        self.documents.insert(document.fid, document);
    }

    pub fn remove(&mut self, fid: u64) {
        self.take(fid);
        if let Some(keeper) = &mut self.keeper {
            keeper.forget(fid);
        }
    }

    fn take(&mut self, fid: u64) {
        let Some(gone) = self.documents.remove(&fid) else { return };
        if let Some(fids) = self.numbers.get_mut(&gone.number) {
            fids.retain(|other| *other != fid);
            if fids.is_empty() {
                self.numbers.remove(&gone.number);
            }
        }
    }

    pub fn set_status(&mut self, fid: u64, status: Status, now: DateTime<Utc>) {
        if let Some(document) = self.documents.get_mut(&fid) {
            document.status = status;
            document.modified = local(now);
            if let Some(keeper) = &mut self.keeper {
                keeper.keep(document);
            }
        }
    }

    /// Whether the period of a day is closed.
    pub fn is_closed(&self, day: NaiveDate) -> bool {
        use chrono::Datelike as _;
        self.closed_until.is_some_and(|until| day <= until) || self.closed.contains(&(day.year(), day.month()))
    }
}

/// The ERP's wall clock, which is China's.
pub fn local(now: DateTime<Utc>) -> NaiveDateTime {
    now.naive_utc() + chrono::TimeDelta::hours(8)
}
