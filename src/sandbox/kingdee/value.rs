//! A JSON tree that keeps what a float or a map would lose: numbers stay the text they were sent as, members their order.
//!
//! Takes JSON text, gives a tree; takes a tree, gives JSON text. Reads decimals as whole numbers of 10⁻¹⁰, never as floats.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::sandbox::json::escape;

/// Deeper nesting is refused: no document needs it, and reading must not exhaust the stack.
const MAX_DEPTH: usize = 48;

/// Digits after the point that the ERP keeps.
const SCALE: usize = 10;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one JSON text; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Json, String> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
        read(raw, 0)
    }

    /// An object of these members.
    pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::Object(members.map(|(key, value)| (key.to_owned(), value)).into())
    }

    pub fn text(text: impl Into<String>) -> Json {
        Json::Text(text.into())
    }

    /// The member of an object, whatever the letter case of its key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        members.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// A scalar as text; `""` for null, lists and objects.
    pub fn plain(&self) -> &str {
        match self {
            Json::Bool(true) => "true",
            Json::Bool(false) => "false",
            Json::Number(text) | Json::Text(text) => text,
            Json::Null | Json::List(_) | Json::Object(_) => "",
        }
    }

    /// A boolean as such or as text in any letter case; none if it is neither.
    pub fn flag(&self) -> Option<bool> {
        match self.plain().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    pub fn is_scalar(&self) -> bool {
        !matches!(self, Json::List(_) | Json::Object(_))
    }

    /// An object or list, whether it stands there as such or as JSON text.
    pub fn unpacked(&self) -> Result<Json, String> {
        match self {
            Json::Text(text) if text.trim_start().starts_with(['{', '[']) => Json::parse(text),
            other => Ok(other.clone()),
        }
    }

    /// As JSON text.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Bool(_) | Json::Number(_) => out.extend_from_slice(self.plain().as_bytes()),
            Json::Text(text) => write_text(out, text),
            Json::List(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    separate(out, at);
                    item.write(out);
                }
                out.push(b']');
            }
            Json::Object(members) => {
                out.push(b'{');
                for (at, (key, value)) in members.iter().enumerate() {
                    separate(out, at);
                    write_text(out, key);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Json::Number(number.to_string())
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Self {
        Json::Number(number.to_string())
    }
}

fn separate(out: &mut Vec<u8>, at: usize) {
    if at > 0 {
        out.push(b',');
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text.as_bytes());
    out.push(b'"');
}

/// The members of an object, in order, each key as often as it was written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Collect).map(Members)
    }
}

fn read(raw: &RawValue, depth: usize) -> Result<Json, String> {
    if depth > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH}"));
    }
    let (text, wrong) = (raw.get(), |error: serde_json::Error| error.to_string());
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(text).map_err(wrong)?;
            let read_member = |(key, value): (String, &RawValue)| Ok((key, read(value, depth + 1)?));
            Json::Object(members.into_iter().map(read_member).collect::<Result<_, String>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
            Json::List(items.into_iter().map(|item| read(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Json::Text(serde_json::from_str(text).map_err(wrong)?),
        Some(b't') => Json::Bool(true),
        Some(b'f') => Json::Bool(false),
        Some(b'n') => Json::Null,
        _ => Json::Number(text.to_owned()),
    })
}

/// A decimal as a whole number of 10⁻¹⁰; further digits are cut, as the ERP's columns cut them. None: no decimal
/// (an exponent is none either), or too large.
pub fn decimal(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + part.len() == 0 || whole.len() > 25 || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let kept = &part[..part.len().min(SCALE)];
    let scaled: i128 = format!("0{whole}{kept:0<SCALE$}").parse().ok()?;
    Some(if negative { -scaled } else { scaled })
}

/// A number of 10⁻¹⁰ as decimal text without superfluous zeros.
pub fn decimal_text(scaled: i128) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let (whole, part) = (scaled.unsigned_abs() / 10_u128.pow(10), scaled.unsigned_abs() % 10_u128.pow(10));
    let part = format!("{part:0SCALE$}");
    match part.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_keeps_digits_order_and_doubled_keys() {
        let text = r#"{"b":12.3400000000000000001,"a":[null,true,-0.5e3,"好\"\n"],"b":{},"空":[]}"#;
        let tree = Json::parse(text).unwrap();
        assert_eq!(tree.to_string(), text);
        assert_eq!((tree.get("B"), tree.get("c")), (Some(&Json::Object(Vec::new())), None));
        for wrong in ["", "{", "[1,]", "{} x", &"[".repeat(100_000), &format!("{}{}", "[".repeat(60), "]".repeat(60))] {
            assert!(Json::parse(wrong).is_err(), "{}", &wrong[..wrong.len().min(9)]);
        }
    }

    #[test]
    fn decimals_are_exact() {
        let scaled = |text: &str| decimal(text).map(decimal_text);
        for (text, expected) in [
            ("12.30", "12.3"),
            ("-0.0000000001", "-0.0000000001"),
            ("0.00000000019", "0.0000000001"),
            ("+7", "7"),
            (".5", "0.5"),
            ("99999999999999999999.1234567891", "99999999999999999999.1234567891"),
        ] {
            assert_eq!(scaled(text).as_deref(), Some(expected));
        }
        for wrong in ["", "-", ".", "1e3", "1,000", "abc", "１"] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
    }
}
