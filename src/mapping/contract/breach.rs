//! Why a single document does not keep a contract.
//!
//! Takes a document's fields, gives the first field that is required and null, or too long. Types are not looked at: the schema of
//! the mapping was compared before anything ran.

use super::{Family, Rule, path};
use crate::base::record::Reason;
use crate::base::value::Value;

/// What is said of a required field without a value.
pub(in crate::mapping) const NULL: &str = "is required, but null";
/// What is said of a list that must have lines and has none.
pub(in crate::mapping) const EMPTY: &str = "the list has no lines";

/// An object of nulls is as good as null: it is not sent.
pub(super) fn breach_of<'a>(
    rules: &[Rule],
    values: impl Iterator<Item = (&'a str, &'a Value)> + Clone,
    prefix: &str,
) -> Option<Reason> {
    rules.iter().find_map(|rule| {
        let value = values.clone().find(|(name, _)| *name == rule.name).map_or(&Value::Null, |(_, value)| value);
        let full = || path(prefix, &rule.name);
        if value.is_empty_for_json() {
            return rule.required.then(|| Reason::new("contract", NULL).on_field(full()));
        }
        breach_of_value(&rule.kind, value, &full)
    })
}

fn breach_of_value(kind: &Family, value: &Value, full: &dyn Fn() -> String) -> Option<Reason> {
    match (kind, value) {
        (Family::Text { max_chars: Some(max) }, Value::Text(text)) => {
            // A text of no more bytes than allowed characters cannot be too long.
            let chars = if text.len() as u64 <= *max { 0 } else { text.chars().count() as u64 };
            let says = || format!("has {chars} characters, at most {max} fit");
            (chars > *max).then(|| Reason::new("contract", says()).on_field(full()))
        }
        (Family::Struct(rules), Value::Object(object)) => {
            breach_of(rules, object.names().iter().map(|n| &**n).zip(object.values()), &full())
        }
        (Family::List(item), Value::List(values)) => values
            .iter()
            .enumerate()
            .find_map(|(i, value)| breach_of_value(item, value, &|| format!("{}[{}]", full(), i + 1))),
        _ => None,
    }
}
