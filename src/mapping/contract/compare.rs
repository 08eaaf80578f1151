//! A mapping's columns against a contract: names, types, what is missing, and the order of entries.
//!
//! Takes the schema of a mapping's result, gives faults with the cure. Names are accepted only as the contract spells them, even
//! where a target reads them in any letter case: one spelling per field keeps documents comparable.

use super::{Family, Rule, path};
use crate::base::names::{nearest, suggest};
use crate::mapping::fault::{Faults, Place};
use crate::mapping::values::refusal;
use arrow::datatypes::{DataType, Field};

/// Text that the sink replaces by the main row's id, so no contract lists it.
const SINK_SUPPLIED: &str = "lastInsertId";

/// Compares the columns of a mapping with the rules of a contract.
pub(super) fn compare(
    contract: &str,
    rules: &[Rule],
    columns: &[&Field],
    place: &dyn Fn(&str) -> Place,
    faults: &mut Faults,
) {
    Comparison { contract, place, faults }.fields("", rules, columns);
}

struct Comparison<'a> {
    contract: &'a str,
    place: &'a dyn Fn(&str) -> Place,
    faults: &'a mut Faults,
}

impl Comparison<'_> {
    /// The fields of a document, or the members of the object at `prefix`.
    fn fields(&mut self, prefix: &str, rules: &[Rule], columns: &[&Field]) {
        let mut misspelt = Vec::new();
        for column in columns.iter().filter(|c| c.name() != SINK_SUPPLIED) {
            let full = path(prefix, column.name());
            match rules.iter().find(|r| r.name == *column.name()) {
                Some(rule) => self.field(&full, rule, column.data_type()),
                None => misspelt.extend(self.unknown(&full, column.name(), rules)),
            }
        }
        let given =
            |rule: &Rule| columns.iter().any(|c| *c.name() == rule.name) || misspelt.contains(&rule.name.as_str());
        for rule in rules.iter().filter(|rule| rule.required && !given(rule)) {
            let message = format!("{} requires {}", self.contract, path(prefix, &rule.name));
            let (at, hint) = match prefix.is_empty() {
                true => (Place::WHOLE, format!("add a column … AS \"{}\"", rule.name)),
                false => ((self.place)(prefix), format!("add {}: … to the object", rule.name)),
            };
            self.faults.add(at, message, hint);
        }
        self.order(prefix, rules, columns);
    }

    /// Gives the field that was probably meant.
    fn unknown<'r>(&mut self, full: &str, name: &str, rules: &'r [Rule]) -> Option<&'r str> {
        let known = rules.iter().map(|r| r.name.as_str());
        // A target's custom fields begin so; which there are, only its owner knows.
        let custom = name.starts_with("F_");
        let hint = match custom {
            true => "a custom field: declare it in the contract, if the target has it".to_owned(),
            false => suggest(name, known.clone()),
        };
        self.faults.add((self.place)(full), format!("{} has no field {full}", self.contract), hint);
        nearest(name, known).filter(|_| !custom)
    }

    /// Lists of objects (entries) stand where the contract has them: what it declares before an entry stands before it.
    fn order(&mut self, prefix: &str, rules: &[Rule], columns: &[&Field]) {
        let rank = |column: &Field| rules.iter().position(|r| r.name == *column.name());
        let is_entry = |rule: &Rule| matches!(&rule.kind, Family::List(item) if matches!(**item, Family::Struct(_)));
        for (i, entry) in columns.iter().enumerate() {
            let Some(own) = rank(entry).filter(|rank| is_entry(&rules[*rank])) else { continue };
            let late: Vec<&str> =
                columns[i..].iter().filter(|c| rank(c).is_some_and(|r| r < own)).map(|c| c.name().as_str()).collect();
            if let Some(first) = late.first() {
                let message = format!("{} stands before {}", path(prefix, entry.name()), late.join(", "));
                let hint = format!(
                    "{} acts on fields in their order: move {} before {}",
                    self.contract,
                    late.join(", "),
                    entry.name()
                );
                self.faults.add((self.place)(&path(prefix, first)), message, hint);
            }
        }
    }

    fn field(&mut self, full: &str, rule: &Rule, given: &DataType) {
        match (&rule.kind, given) {
            (_, DataType::Null) if rule.required => {
                let message = format!("{} requires {full}, which is always NULL here", self.contract);
                self.faults.add((self.place)(full), message, "give it a value");
            }
            (Family::Struct(rules), DataType::Struct(fields)) => {
                let members: Vec<&Field> = fields.iter().map(|f| f.as_ref()).collect();
                self.fields(full, rules, &members);
            }
            (Family::List(_), DataType::List(field)) if matches!(field.data_type(), DataType::List(_)) => {
                let message = format!("{full} is a list of lists, {} wants a list", self.contract);
                self.faults.add((self.place)(full), message, "flatten(…) makes one list of them");
            }
            (Family::List(item), DataType::List(field)) => {
                let rule = Rule { name: rule.name.clone(), required: false, kind: (**item).clone() };
                self.field(full, &rule, field.data_type());
            }
            // A type that no document holds is told without a contract too.
            (kind, given) if fits(kind, given) || refusal(given).is_some() => {}
            (kind, given) => {
                let message = format!("{full} is {}, {} wants {}", words_of(given), self.contract, kind.words());
                self.faults.add((self.place)(full), message, cure(kind, given));
            }
        }
    }
}

fn fits(kind: &Family, given: &DataType) -> bool {
    let text = matches!(given, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let time = matches!(given, DataType::Date32 | DataType::Timestamp(..));
    match kind {
        _ if given.is_null() => true,
        // Dates travel as text, and text may well be a formatted date.
        Family::Text { .. } | Family::Time => text || time,
        Family::Whole => given.is_integer(),
        Family::Number => given.is_integer() || given.is_decimal(),
        Family::Bool => *given == DataType::Boolean,
        Family::List(_) | Family::Struct(_) => false,
    }
}

fn cure(wanted: &Family, given: &DataType) -> String {
    match (wanted, given) {
        (Family::List(_), DataType::Struct(_)) => "one object is not a list: write [{…}], or array_transform(…)".into(),
        (Family::Struct(_), DataType::List(_)) => "write one object {…}, without [ ]".into(),
        (Family::Struct(rules), _) => {
            // The member that the others go with.
            let member = rules.iter().find(|r| r.required).or(rules.first()).map_or("…", |r| r.name.as_str());
            format!("write {{{member}: …}}")
        }
        (Family::List(_), _) => "write a list: [ … ], or array_transform(…)".into(),
        (_, DataType::Struct(_) | DataType::List(_)) => "write the value itself, without { } or [ ]".into(),
        _ => "CAST it, or correct the contract".into(),
    }
}

impl Family {
    fn words(&self) -> &'static str {
        match self {
            Family::Text { .. } => "text",
            Family::Whole => "a whole number",
            Family::Number => "a number",
            Family::Bool => "true or false",
            Family::Time => "a date or time",
            Family::List(_) => "a list",
            Family::Struct(_) => "an object",
        }
    }
}

fn words_of(given: &DataType) -> String {
    match given {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::List(_) => "a list".into(),
        DataType::Struct(_) => "an object".into(),
        other => other.to_string(),
    }
}
