//! The body of a document: a small ordered tree, its canonical digest, and its JSON text.
//!
//! Takes what the mapping made, gives bytes. Never a float: money stays decimal digits from page to target.
//! Field names are shared between documents of one mapping, so a tree costs little more than its values.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// A value inside a document. Dates and times are text in the vendor's and the target's common form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(Box<str>),
    List(Vec<Value>),
    Object(Object),
}

/// `unscaled` × 10^-`scale`; the scale says how many digits are written after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    pub unscaled: i128,
    pub scale: u8,
}

/// Named values in column order. The order is kept into the bytes sent: some targets act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    names: Arc<[Box<str>]>,
    values: Box<[Value]>,
}

impl Object {
    /// `names` and `values` belong together pairwise; surplus values are dropped.
    pub fn new(names: Arc<[Box<str>]>, values: Vec<Value>) -> Self {
        debug_assert_eq!(names.len(), values.len());
        Self { names, values: values.into_boxed_slice() }
    }

    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let (names, values): (Vec<Box<str>>, Vec<Value>) = pairs.into_iter().map(|(n, v)| (n.into(), v)).unzip();
        Self::new(names.into(), values)
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.names.iter().position(|n| &**n == name).and_then(|i| self.values.get(i))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.names.iter().map(|n| &**n).zip(self.values.iter())
    }

    /// See [`Value::write_json`].
    pub fn write_json(&self, out: &mut String, omit_nulls: bool) {
        out.push('{');
        let mut first = true;
        for (name, value) in self.iter() {
            if omit_nulls && value.is_empty_for_json() {
                continue;
            }
            if !first {
                out.push(',');
            }
            first = false;
            write_json_text(name, out);
            out.push(':');
            value.write_json(out, omit_nulls);
        }
        out.push('}');
    }

    pub fn to_json(&self, omit_nulls: bool) -> String {
        let mut out = String::new();
        self.write_json(&mut out, omit_nulls);
        out
    }

    pub fn names(&self) -> &Arc<[Box<str>]> {
        &self.names
    }

    pub fn values(&self) -> &[Value] {
        &self.values
    }
}

impl Decimal {
    /// `12.30`, with exactly `scale` digits after the point.
    pub fn write_to(self, out: &mut String) {
        let digits = self.unscaled.unsigned_abs().to_string();
        if self.unscaled < 0 {
            out.push('-');
        }
        let scale = usize::from(self.scale);
        if scale == 0 {
            out.push_str(&digits);
            return;
        }
        if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            out.push_str(whole);
            out.push('.');
            out.push_str(fraction);
        } else {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', scale - digits.len()));
            out.push_str(&digits);
        }
    }

    /// The same number without trailing zeros: `12.30` and `12.3` have one digest.
    pub fn trimmed(mut self) -> Self {
        while self.scale > 0 && self.unscaled % 10 == 0 {
            self.unscaled /= 10;
            self.scale -= 1;
        }
        self
    }

    pub fn to_text(self) -> String {
        let mut text = String::new();
        self.write_to(&mut text);
        text
    }
}

impl Value {
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// JSON with fields in column order and decimals digit by digit. With `omit_nulls`, null fields, and objects emptied
    /// by that, are left out (elements of lists stay).
    pub fn write_json(&self, out: &mut String, omit_nulls: bool) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Self::Int(i) => {
                let _ = write!(out, "{i}");
            }
            Self::Decimal(d) => d.write_to(out),
            Self::Text(t) => write_json_text(t, out),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write_json(out, omit_nulls);
                }
                out.push(']');
            }
            Self::Object(object) => object.write_json(out, omit_nulls),
        }
    }

    pub fn to_json(&self, omit_nulls: bool) -> String {
        let mut out = String::new();
        self.write_json(&mut out, omit_nulls);
        out
    }

    /// Null, or an object of nothing but nulls: what is left out where nulls are.
    pub fn is_empty_for_json(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Object(o) => o.values.iter().all(Value::is_empty_for_json),
            _ => false,
        }
    }
}

fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (i, byte) in text.bytes().enumerate() {
        let escape: Option<&str> = match byte {
            b'"' => Some("\\\""),
            b'\\' => Some("\\\\"),
            b'\n' => Some("\\n"),
            b'\r' => Some("\\r"),
            b'\t' => Some("\\t"),
            0..=0x1f => None,
            _ => continue,
        };
        out.push_str(&text[plain..i]);
        match escape {
            Some(escape) => out.push_str(escape),
            None => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        plain = i + 1;
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// The digest of a document: one format byte, then 16 bytes of SHA-256 over the canonical form.
pub type Digest = [u8; 17];

/// First byte of every [`Digest`] made by this version's canonical form.
pub const DIGEST_FORMAT: u8 = 1;

/// Digest of our own canonical form: order kept, decimals without trailing zeros, integers equal to whole decimals,
/// null fields (and objects of nulls) absent. Independent of any writer's output.
pub fn digest(body: &Object) -> Digest {
    let mut hasher = Sha256::new();
    hash_object(body, &mut hasher);
    let full = hasher.finalize();
    let mut short = [DIGEST_FORMAT; 17];
    short[1..].copy_from_slice(&full[..16]);
    short
}

/// Every value is hashed as a tag byte and, for text, its length: no two different trees give the same byte stream.
fn hash_value(value: &Value, hasher: &mut Sha256) {
    match value {
        Value::Null => hasher.update(b"0"),
        Value::Bool(b) => hasher.update(if *b { b"t" } else { b"f" }),
        Value::Int(i) => hash_number(Decimal { unscaled: i128::from(*i), scale: 0 }, hasher),
        Value::Decimal(d) => hash_number(*d, hasher),
        Value::Text(t) => hash_text(b"s", t, hasher),
        Value::List(items) => {
            hasher.update(b"[");
            items.iter().for_each(|item| hash_value(item, hasher));
            hasher.update(b"]");
        }
        Value::Object(o) => hash_object(o, hasher),
    }
}

fn hash_object(object: &Object, hasher: &mut Sha256) {
    hasher.update(b"{");
    for (name, value) in object.iter().filter(|(_, v)| !v.is_empty_for_json()) {
        hash_text(b"k", name, hasher);
        hash_value(value, hasher);
    }
    hasher.update(b"}");
}

fn hash_number(number: Decimal, hasher: &mut Sha256) {
    let n = number.trimmed();
    hasher.update([b'n', n.scale]);
    hasher.update(n.unscaled.to_le_bytes());
}

fn hash_text(tag: &[u8], text: &str, hasher: &mut Sha256) {
    hasher.update(tag);
    hasher.update((text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(unscaled: i128, scale: u8) -> Value {
        Value::Decimal(Decimal { unscaled, scale })
    }

    #[test]
    fn json_keeps_order_and_digits_and_omits_nulls() {
        let body = Object::from_pairs([
            ("b", dec(-1230, 2)),
            ("a", Value::text("他说\"好\"\n\u{1}")),
            ("none", Value::Null),
            ("empty", Value::Object(Object::from_pairs([("x", Value::Null)]))),
            ("list", Value::List(vec![dec(5, 3), Value::Null, Value::Int(7), Value::Bool(true)])),
        ]);
        let v = Value::Object(body);
        assert_eq!(v.to_json(true), r#"{"b":-12.30,"a":"他说\"好\"\n\u0001","list":[0.005,null,7,true]}"#);
        assert!(v.to_json(false).contains(r#""none":null,"empty":{"x":null}"#));
        assert!(serde_json::from_str::<serde_json::Value>(&v.to_json(false)).is_ok());
    }

    #[test]
    fn the_digest_sees_values_not_their_spelling() {
        let of = |pairs: Vec<(&str, Value)>| digest(&Object::from_pairs(pairs));
        assert_eq!(of(vec![("a", dec(1230, 2))]), of(vec![("a", dec(123, 1)), ("b", Value::Null)]));
        assert_eq!(of(vec![("a", dec(500, 2))]), of(vec![("a", Value::Int(5))]));
        assert_ne!(of(vec![("a", Value::Int(5))]), of(vec![("a", Value::text("5"))]));
        let (x, y) = (Value::Int(1), Value::Int(2));
        assert_ne!(of(vec![("a", x.clone()), ("b", y.clone())]), of(vec![("b", y), ("a", x)]), "order counts");
        assert_eq!(of(vec![])[0], DIGEST_FORMAT);
    }
}
