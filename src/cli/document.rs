//! A document as people read it: JSON on several lines, fields in their order, digits as they are sent.
//!
//! Takes a body, gives text. Changes nothing but white space.

use crate::base::value::{Object, Value};

/// What is shorter than this and holds nothing deeper stays on one line.
const SHORT: usize = 72;

/// With `omit_nulls`, without what is left out when it is sent.
pub fn pretty(body: &Object, omit_nulls: bool) -> String {
    let mut out = String::new();
    write(&Value::Object(body.clone()), 0, omit_nulls, &mut out);
    out
}

fn write(value: &Value, depth: usize, omit: bool, out: &mut String) {
    let flat = value.to_json(omit);
    let members: Vec<(Option<&str>, &Value)> = match value {
        Value::Object(object) => {
            object.iter().filter(|(_, v)| !(omit && is_void(v))).map(|(n, v)| (Some(n), v)).collect()
        }
        Value::List(items) => items.iter().map(|item| (None, item)).collect(),
        _ => Vec::new(),
    };
    let holds_more = |v: &Value| matches!(v, Value::Object(_)) || matches!(v, Value::List(l) if !l.is_empty());
    let deep = depth == 0 || members.iter().any(|(_, v)| holds_more(v));
    if members.is_empty() || (!deep && flat.chars().count() <= SHORT) {
        return out.push_str(&flat);
    }
    let (open, close) = if flat.starts_with('{') { ('{', '}') } else { ('[', ']') };
    out.push(open);
    for (number, (name, member)) in members.iter().enumerate() {
        out.push_str(if number > 0 { ",\n" } else { "\n" });
        out.push_str(&"  ".repeat(depth + 1));
        if let Some(name) = name {
            out.push_str(&Value::text(*name).to_json(false));
            out.push_str(": ");
        }
        write(member, depth + 1, omit, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}

/// Is it left out of what is sent?
fn is_void(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(object) => object.values().iter().all(is_void),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_things_stay_on_one_line_and_nulls_go_where_they_are_not_sent() {
        let inner = Object::from_pairs([("FNumber", Value::text("A"))]);
        let lot = Object::from_pairs([("FNumber", Value::Null)]);
        let line = Object::from_pairs([("m", Value::Object(inner)), ("lot", Value::Object(lot)), ("q", Value::Int(1))]);
        let body = Object::from_pairs([("no", Value::text("XT1")), ("e", Value::List(vec![Value::Object(line)]))]);
        let sent = "{\n  \"no\": \"XT1\",\n  \"e\": [\n    {\n      \"m\": {\"FNumber\":\"A\"},\n      \"q\": 1\n    }\n  ]\n}";
        assert_eq!(pretty(&body, true), sent);
        assert!(pretty(&body, false).contains("\"lot\": {\"FNumber\":null}"));
    }
}
