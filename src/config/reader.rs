//! Reading TOML with places: every value keeps its line and column, and a wrong one is noted, never thrown.
//!
//! Takes the text of a pipeline file, gives typed values section by section, and at the end *all* faults of the file. A value
//! that is missing or wrong is replaced by an empty one and noted, so that reading goes on; whoever asked for it never
//! builds anything while [`Faults`] holds one. Knows TOML, knows nothing of pipelines.

use crate::base::Fault;
use crate::base::clock::{Wall, parse_wall};
use crate::base::names::{nearest, suggest};
use crate::config::duration;
use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The faults of one file, collected while it is read.
pub struct Faults<'t> {
    file: String,
    text: &'t str,
    /// With the byte offset, to report them in the order of the file.
    list: RefCell<Vec<(usize, Fault)>>,
    /// Where the file is not TOML: what could not be read there is neither judged as a value nor called missing.
    broken: RefCell<Vec<usize>>,
}

impl<'t> Faults<'t> {
    /// `file` is how messages call it.
    pub fn new(file: String, text: &'t str) -> Self {
        Self { file, text, list: RefCell::new(Vec::new()), broken: RefCell::default() }
    }

    /// Notes a fault at a byte offset.
    pub fn add(&self, at: usize, message: impl Into<String>, hint: impl Into<String>) {
        if self.broken.borrow().contains(&at) {
            return;
        }
        let fault = Fault::at(self.file.clone(), self.text, at, message, hint);
        self.list.borrow_mut().push((at, fault));
    }

    /// Where `word` stands within a value (as a whole word, its `nth` occurrence from 0); the value's start if it is nowhere,
    /// as when it is written with escapes.
    pub fn place_of(&self, value: &Range<usize>, word: &str, nth: usize) -> usize {
        let written = self.text.get(value.clone()).unwrap_or_default();
        let part_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        // Only a name can be part of a longer name; a template begins and ends with braces.
        let (opens, closes) = (word.starts_with(part_of_name), word.ends_with(part_of_name));
        let whole = |at: &usize| {
            let before = written[..*at].chars().next_back();
            let after = written[at + word.len()..].chars().next();
            !(opens && before.is_some_and(part_of_name) || closes && after.is_some_and(part_of_name))
        };
        let found = written.match_indices(word).map(|(at, _)| at).filter(whole).nth(nth);
        value.start + found.unwrap_or(0)
    }

    /// Parses the file as far as it is TOML and notes where it is not.
    pub fn tree(&self) -> DeTable<'t> {
        let (tree, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            if error.message() == "duplicate key" {
                let key = self.text.get(span.clone()).unwrap_or_default();
                self.add(span.start, format!("{key} is there already"), "keep one of the two");
            } else {
                self.add(span.start, format!("not TOML: {}", error.message()), "");
                self.broken.borrow_mut().push(span.start);
            }
        }
        tree.into_inner()
    }

    /// How many there are so far: a section that adds none is sound.
    pub fn count(&self) -> usize {
        self.list.borrow().len()
    }

    /// Could the whole file be read as TOML?
    pub fn is_toml(&self) -> bool {
        self.broken.borrow().is_empty()
    }

    /// All faults, in the order of the file.
    pub fn into_list(self) -> Vec<Fault> {
        let mut list = self.list.into_inner();
        list.sort();
        list.dedup();
        list.into_iter().map(|(_, fault)| fault).collect()
    }
}

/// One table of the file. Every key that is asked for is thereby known; [`Section::finish`] refuses the others.
pub struct Section<'a> {
    /// As in the file: `source.window`; empty for the top.
    name: String,
    table: &'a DeTable<'a>,
    at: usize,
    faults: &'a Faults<'a>,
    asked: RefCell<Vec<String>>,
    missing: RefCell<Vec<(&'static str, String)>>,
}

impl<'a> Section<'a> {
    /// The file itself.
    pub fn top(table: &'a DeTable<'a>, faults: &'a Faults<'a>) -> Self {
        Self::new(String::new(), table, 0, faults)
    }

    fn new(name: String, table: &'a DeTable<'a>, at: usize, faults: &'a Faults<'a>) -> Self {
        Self { name, table, at, faults, asked: RefCell::default(), missing: RefCell::default() }
    }

    pub fn faults(&self) -> &'a Faults<'a> {
        self.faults
    }

    /// Byte offset of the section's name.
    pub fn at(&self) -> usize {
        self.at
    }

    /// `source.window` + `slice` = `source.window.slice`.
    pub fn place(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Key and value in the order of the file; for sections whose keys are free.
    pub fn entries(&self) -> Vec<(Spanned<&'a str>, &'a Spanned<DeValue<'a>>)> {
        let mut all: Vec<_> =
            self.table.iter().map(|(k, v)| (Spanned::new(k.span(), k.get_ref().as_ref()), v)).collect();
        all.sort_by_key(|(k, _)| k.span().start);
        all
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key.to_owned());
        self.table.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| v)
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.iter().any(|(k, _)| k.get_ref() == key)
    }

    /// Notes a key as missing if it is; `form` is how it is written.
    pub fn require(&self, key: &'static str, form: &str) {
        if !self.has(key) {
            self.missing.borrow_mut().push((key, form.to_owned()));
        }
    }

    /// A table within this one.
    pub fn section(&self, key: &str) -> Option<Section<'a>> {
        let value = self.get(key)?;
        let at = self.table.iter().find(|(k, _)| k.get_ref() == key).map_or(self.at, |(k, _)| k.span().start);
        match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(self.place(key), table, at, self.faults)),
            other => {
                self.wrong(value, &self.place(key), other, &format!("a section [{}]", self.place(key)));
                None
            }
        }
    }

    /// A text as it stands.
    pub fn text(&self, key: &str) -> Option<Spanned<String>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Spanned::new(value.span(), text.clone().into_owned())),
            other => {
                self.wrong(value, &self.place(key), other, "a text in quotes");
                None
            }
        }
    }

    /// A text that is not blank and in which nothing is filled in.
    pub fn word(&self, key: &str) -> Option<Spanned<String>> {
        let text = self.text(key)?;
        let (place, at) = (self.place(key), text.span().start);
        if text.get_ref().trim().is_empty() {
            self.faults.add(at, format!("{place} is empty"), "write a value, or take the key out");
        } else if text.get_ref().contains("{{") {
            self.faults.add(at, format!("{place} takes no template"), "templates are filled into [source.params] only");
        } else if text.get_ref().contains("${") {
            let hint = "environment variables are filled into url, app_key, app_secret, access_token and path only";
            self.faults.add(at, format!("{place} takes no environment variable"), hint);
        }
        Some(text)
    }

    /// A [`word`](Self::word) that must be there; an empty one stands for it when it is not.
    pub fn required_word(&self, key: &'static str, form: &str) -> Spanned<String> {
        self.require(key, form);
        self.word(key).unwrap_or_else(|| Spanned::new(self.at..self.at, String::new()))
    }

    /// A list of texts; empty when absent.
    pub fn words(&self, key: &str) -> Vec<Spanned<String>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(value, &self.place(key), value.get_ref(), "a list of texts, as [\"a\", \"b\"]");
            return Vec::new();
        };
        let mut words = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(text) => words.push(Spanned::new(item.span(), text.clone().into_owned())),
                other => self.wrong(item, &self.place(key), other, "a list of texts, as [\"a\", \"b\"]"),
            }
        }
        words
    }

    /// A list of whole numbers; `None` when absent.
    pub fn integers(&self, key: &str, range: RangeInclusive<i64>) -> Option<Vec<Spanned<i64>>> {
        let value = self.get(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(value, &self.place(key), value.get_ref(), "a list of whole numbers, as [1, 2]");
            return None;
        };
        let numbers = items.iter().filter_map(|i| Some(Spanned::new(i.span(), self.whole(i, key, &range)?)));
        Some(numbers.collect())
    }

    /// A whole number within `range`.
    pub fn integer(&self, key: &str, range: RangeInclusive<i64>, default: i64) -> i64 {
        self.get(key).and_then(|value| self.whole(value, key, &range)).unwrap_or(default)
    }

    fn whole(&self, value: &Spanned<DeValue<'_>>, key: &str, range: &RangeInclusive<i64>) -> Option<i64> {
        let place = self.place(key);
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong(value, &place, value.get_ref(), "a whole number");
            return None;
        };
        match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(n) if range.contains(&n) => Some(n),
            _ => {
                let message = format!("{place} = {number} is out of range");
                self.faults.add(value.span().start, message, format!("from {} to {}", range.start(), range.end()));
                None
            }
        }
    }

    /// A number, whole or not, within `range`.
    pub fn number(&self, key: &str, range: RangeInclusive<f64>, default: f64) -> f64 {
        let Some(value) = self.get(key) else { return default };
        let parsed = match value.get_ref() {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok().map(|n| n as f64),
            DeValue::Float(n) => n.as_str().parse().ok(),
            other => {
                self.wrong(value, &self.place(key), other, "a number");
                return default;
            }
        };
        if let Some(number) = parsed.filter(|n| range.contains(n)) {
            return number;
        }
        let message = format!("{} is out of range", self.place(key));
        self.faults.add(value.span().start, message, format!("from {} to {}", range.start(), range.end()));
        default
    }

    /// A length of time within `range`; `why` says whose limit the upper one is.
    pub fn duration(&self, key: &str, range: RangeInclusive<Duration>, default: Duration, why: &str) -> Duration {
        let Some(value) = self.get(key) else { return default };
        let (place, at) = (self.place(key), value.span().start);
        let DeValue::String(text) = value.get_ref() else {
            let form = format!("a length of time with its unit, as {}", duration::FORM);
            self.wrong(value, &place, value.get_ref(), &form);
            return default;
        };
        let Some(length) = duration::parse(text) else {
            self.faults.add(
                at,
                format!("{place}: \"{text}\" is no length of time"),
                format!("write {}", duration::FORM),
            );
            return default;
        };
        if !range.contains(&length) {
            let (low, high) = (duration::show(*range.start()), duration::show(*range.end()));
            self.faults.add(at, format!("{place} = \"{text}\" is out of range"), format!("from {low} to {high}{why}"));
        }
        length
    }

    /// A vendor's wall clock time, in quotes or as TOML's own date without zone.
    pub fn wall(&self, key: &str) -> Option<Wall> {
        let value = self.get(key)?;
        let written = match value.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Datetime(datetime) => datetime.to_string(),
            other => {
                self.wrong(value, &self.place(key), other, "a time, as \"2024-06-05 11:26:00\"");
                return None;
            }
        };
        let time = parse_wall(&written);
        if time.is_none() {
            let message = format!("{}: {written} is no time of the vendor's clock", self.place(key));
            self.faults.add(
                value.span().start,
                message,
                "write \"2024-06-05\" or \"2024-06-05 11:26:00\" (Asia/Shanghai)",
            );
        }
        time
    }

    /// One of some words.
    pub fn choice<T: Copy>(&self, key: &str, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.word(key)?;
        let found = words.iter().find(|(word, _)| word == text.get_ref()).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let hint = suggest(text.get_ref(), words.iter().map(|(word, _)| *word));
            self.faults.add(text.span().start, format!("{}: no {}", self.place(key), text.get_ref()), hint);
        }
        found
    }

    /// Notes a value of the wrong type; the value itself is not shown, it may be a secret.
    pub fn wrong(&self, value: &Spanned<DeValue<'_>>, place: &str, found: &DeValue<'_>, expected: &str) {
        self.faults.add(value.span().start, format!("{place} is {}", type_name(found)), format!("write {expected}"));
    }

    /// Refuses every key that nobody asked for and names the ones that are missing. `home` knows where else a key belongs.
    pub fn finish(self, home: impl Fn(&str) -> Option<&'static str>) {
        let asked = self.asked.borrow();
        let mut missing = self.missing.borrow_mut();
        for (key, _) in self.entries() {
            let name = *key.get_ref();
            if asked.iter().any(|a| a == name) {
                continue;
            }
            let near = nearest(name, asked.iter().map(String::as_str));
            // A misspelt key is one fault, not an unknown and a missing one.
            missing.retain(|(absent, _)| near != Some(*absent));
            let hint = match (home(name).filter(|place| *place != self.name), near) {
                (Some(place), _) => format!("it belongs in [{place}]"),
                (None, _) => suggest(name, asked.iter().map(String::as_str)),
            };
            self.faults.add(key.span().start, format!("no key {}", self.place(name)), hint);
        }
        if !self.faults.broken.borrow().is_empty() {
            return;
        }
        for (key, form) in missing.iter() {
            self.faults.add(self.at, format!("{} is missing", self.place(key)), format!("write {form}"));
        }
    }
}

/// What a TOML value is, in words.
pub fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number without quotes",
        DeValue::Float(_) => "a decimal number without quotes",
        DeValue::Boolean(_) => "true or false without quotes",
        DeValue::Datetime(_) => "a date without quotes",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
