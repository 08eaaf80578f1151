//! What the vendors know: methods, request parameters, response fields and limits, so that a wrong name is met by the
//! nearest right one.
//!
//! Takes a connector, gives its [`Vocabulary`]; takes a name, says whether the vendor knows it. Never judges a value beyond
//! its kind. One file per vendor holds the data.

mod jackyun;
mod jushuitan;

use crate::base::names::{nearest, suggest};
use crate::config::model::SourceConnector;
pub use jackyun::JACKYUN;
pub use jushuitan::JUSHUITAN;

/// Every connector under the name the pipeline file has for it.
pub const CONNECTORS: &[(&str, SourceConnector)] =
    &[("jackyun", SourceConnector::Jackyun), ("jushuitan", SourceConnector::Jushuitan)];

/// What a request parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// `yyyy-MM-dd HH:mm:ss`, or a time template.
    Time,
    Text,
    /// A whole number, as number or text.
    Integer,
    /// The first page: a whole number or `{{PAGINATION_START_PAGE}}`.
    StartPage,
    /// Records per page: a whole number or `{{PAGINATION_PAGE_SIZE}}`.
    PageSize,
    /// A list of numbers or texts; a single text is a list of one.
    List,
    /// The list of response fields.
    Fields,
}

/// Two parameters that limit one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub begin: &'static str,
    pub end: &'static str,
    /// The axis on which a run sets the two itself: `modified`, or one of [`Vocabulary::axes`]; empty for none.
    pub axis: &'static str,
}

/// One connector: what it asks and what its vendor answers. Lists of names are separated by white space.
#[derive(Debug)]
pub struct Vocabulary {
    pub name: &'static str,
    /// The method this connector speaks.
    pub method: &'static str,
    /// How a pipeline file usually says it: staging table, key, version, and the beginning of its variables' names.
    pub table: &'static str,
    pub key: &'static str,
    pub version: &'static str,
    pub variables: &'static str,
    /// The vendor refuses a wider window.
    pub max_window_days: u64,
    /// The vendor gives no larger page.
    pub max_page_size: u32,
    /// The vendor takes no longer list in a parameter.
    pub max_list: usize,
    /// Is the first page number 0? Else it is 1, and only that may be written.
    pub pages_from_zero: bool,
    /// Calls the vendor allows.
    pub calls_per_second: f64,
    pub calls_per_minute: Option<u32>,
    /// Times that stand still while a history is fetched: as written, as meant.
    pub axes: &'static [(&'static str, &'static str)],
    pub has_table_switches: bool,
    pub has_refresh_token: bool,
    pub params: &'static [(ParamKind, &'static str)],
    pub ranges: &'static [Range],
    /// Parameters with a closed set of values.
    pub choices: &'static [(&'static str, &'static [&'static str])],
    /// Names of the order for the vendor's own (the integrator's variables of the same meaning).
    pub aliases: &'static [(&'static str, &'static str)],
    /// Parameters of the vendor that only dukou itself fills: name, the one value besides "" that changes nothing, the
    /// cure for a file that has another.
    pub refused: &'static [(&'static str, &'static str, &'static str)],
    /// Does the vendor return only what the parameter `fields` lists?
    pub needs_fields: bool,
    /// What a record is called in messages.
    pub record_word: &'static str,
    /// Fields of the record itself.
    record: &'static str,
    /// Names that are asked for although no field of the answer is called so, and names whose spelling the vendor wavers on.
    asked: &'static str,
    /// Parts of a record that have fields of their own, with the name before the dot.
    parts: &'static [(&'static str, &'static str)],
    /// Numbered fields: the part they belong to ("" for the record), and what stands before the number.
    numbered: &'static [(&'static str, &'static str)],
}

/// The vocabulary of a connector.
pub fn of(connector: SourceConnector) -> &'static Vocabulary {
    match connector {
        SourceConnector::Jackyun => &JACKYUN,
        SourceConnector::Jushuitan => &JUSHUITAN,
    }
}

/// Is it a request parameter of any vendor?
pub fn is_param_somewhere(name: &str) -> bool {
    CONNECTORS.iter().any(|(_, connector)| of(*connector).param(name).is_ok())
}

impl Vocabulary {
    /// What the parameter takes, or a sentence that names the nearest right name.
    pub fn param(&self, name: &str) -> Result<ParamKind, String> {
        match self.params.iter().find(|(_, known)| lists(known, name)) {
            Some((kind, _)) => Ok(*kind),
            None if self.is_field(name) && self.needs_fields => {
                Err(format!("{name} is a field of the answer, not a parameter: name it in fields"))
            }
            None => Err(match nearest(name, self.param_names()) {
                Some(right) => format!("did you mean {right}?"),
                None if self.is_field(name) => {
                    format!("{name} is a field of the answer, not a parameter: filter by it in the mapping")
                }
                None => "the vendor would ignore it in silence; take it out".to_owned(),
            }),
        }
    }

    /// Every request parameter's name.
    pub fn param_names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.params.iter().flat_map(|(_, names)| names.split_whitespace())
    }

    /// The first parameter of a kind, for cures.
    pub fn param_of(&self, kind: ParamKind) -> &'static str {
        let names = self.params.iter().find(|(k, _)| *k == kind);
        names.and_then(|(_, names)| names.split_whitespace().next()).unwrap_or_default()
    }

    /// The vendor's own name of a parameter that the order calls otherwise.
    pub fn vendor_name<'n>(&self, name: &'n str) -> &'n str {
        self.aliases.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, own)| own)
    }

    /// The range that a parameter (by its own name) is one end of, and the other end.
    pub fn range(&self, own: &str) -> Option<(&'static Range, &'static str)> {
        self.ranges.iter().find_map(|range| match own {
            _ if own == range.begin => Some((range, range.end)),
            _ if own == range.end => Some((range, range.begin)),
            _ => None,
        })
    }

    /// Is it a field of the record itself (no dot)? Only such a one can be a key or a version.
    pub fn is_record_field(&self, name: &str) -> bool {
        lists(self.record, name)
    }

    /// Does the vendor know such a field, as a mapping or `fields` names it?
    pub fn is_field(&self, name: &str) -> bool {
        if self.is_record_field(name) || lists(self.asked, name) {
            return true;
        }
        let (part, leaf) = name.rsplit_once('.').unwrap_or(("", name));
        let listed = self.parts.iter().any(|(p, fields)| *p == part && lists(fields, leaf));
        listed || self.numbered.iter().any(|(p, stem)| *p == part && is_numbered(leaf, stem))
    }

    /// The cure for a field the vendor does not have. A leaf in the wrong place is put right: `goodsDetail.customerName`
    /// is `customerName`, as published tables print it.
    pub fn field_hint(&self, wrong: &str) -> String {
        let (part, leaf) = wrong.rsplit_once('.').unwrap_or(("", wrong));
        if !part.is_empty() && self.is_record_field(leaf) {
            return format!("{leaf} is a field of the {} itself: write {leaf}", self.record_word);
        }
        if part.is_empty()
            && let Some((home, _)) = self.parts.iter().find(|(_, fields)| lists(fields, leaf))
        {
            return format!("did you mean {home}.{leaf}?");
        }
        let all: Vec<String> = self.field_names().collect();
        match nearest(wrong, all.iter().map(String::as_str)) {
            Some(right) => format!("did you mean {right}?"),
            None => "the vendor's documentation knows no such field".to_owned(),
        }
    }

    /// The cure for a key or version that is no field of the record.
    pub fn record_field_hint(&self, wrong: &str) -> String {
        match nearest(wrong, self.record.split_whitespace()) {
            Some(_) => suggest(wrong, self.record.split_whitespace()),
            None => format!("take a field of the {} itself, as {} or {}", self.record_word, self.key, self.version),
        }
    }

    fn field_names(&self) -> impl Iterator<Item = String> {
        let plain = self.record.split_whitespace().chain(self.asked.split_whitespace()).map(str::to_owned);
        let part_fields = |(part, fields): &(&'static str, &'static str)| {
            let part = *part;
            fields.split_whitespace().map(move |f| format!("{part}.{f}"))
        };
        let numbered = self.numbered.iter().map(|(part, stem)| {
            let dot = if part.is_empty() { "" } else { "." };
            format!("{part}{dot}{stem}1")
        });
        plain.chain(self.parts.iter().flat_map(part_fields)).chain(numbered)
    }
}

fn lists(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|n| n == name)
}

fn is_numbered(leaf: &str, stem: &str) -> bool {
    leaf.strip_prefix(stem).is_some_and(|n| n.len() <= 3 && !n.starts_with('0') && n.parse::<u32>().is_ok())
}
