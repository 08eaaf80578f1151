//! Do the settings that prove a document ours name what the mapping fills?
//!
//! Takes a Kingdee sink's `verify` and `entry` and the mapping's columns, gives faults with their place in the pipeline file:
//! what is only found out at the ERP is found out too late. Letter case is the ERP's affair, so it is not looked at.

use crate::base::Fault;
use crate::base::names::suggest;
use crate::config::model::{Kingdee, Pipeline};
use crate::config::places::Written;
use arrow::datatypes::{DataType, Field, Fields};

/// A fault for every name that no column of the mapping has.
pub fn check(pipeline: &Pipeline, kingdee: &Kingdee, columns: &Fields) -> Vec<Fault> {
    let fields: Vec<&Field> = columns.iter().map(AsRef::as_ref).collect();
    let mut faults = Vec::new();
    for path in &kingdee.verify {
        if let Err((wrong, known)) = resolve(&fields, path) {
            let message = format!("sink.verify: the mapping makes no field {wrong} (of {path})");
            faults.push(("verify", path.as_str(), message, suggest(wrong, known)));
        }
    }
    if let Some(entry) = kingdee.entry.as_deref().filter(|entry| !entry.is_empty()) {
        let lists = fields.iter().filter(|f| matches!(f.data_type(), DataType::List(_) | DataType::LargeList(_)));
        let lists: Vec<&str> = lists.map(|f| f.name().as_str()).collect();
        if !lists.iter().any(|name| name.eq_ignore_ascii_case(entry)) {
            let message = format!("sink.entry: the mapping makes no list {entry}");
            faults.push(("entry", entry, message, suggest(entry, lists)));
        }
    }
    if faults.is_empty() {
        return Vec::new();
    }
    let written = Written::of(pipeline);
    let carry = |(key, value, message, hint): (&str, &str, String, String)| {
        written.carry("sink", key, value, Fault::whole("", message, hint))
    };
    faults.into_iter().map(carry).collect()
}

/// `FRetcustId.FNumber` within the columns; the part that is not there, and what is there in its place.
fn resolve<'a>(fields: &[&'a Field], path: &'a str) -> Result<(), (&'a str, Vec<&'a str>)> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) = fields.iter().find(|f| f.name().eq_ignore_ascii_case(name)) else {
        return Err((name, fields.iter().map(|f| f.name().as_str()).filter(|n| !n.starts_with('_')).collect()));
    };
    match (rest, field.data_type()) {
        (None, _) => Ok(()),
        (Some(rest), DataType::Struct(members)) => {
            resolve(&members.iter().map(AsRef::as_ref).collect::<Vec<_>>(), rest)
        }
        (Some(rest), _) => Err((rest, Vec::new())),
    }
}
