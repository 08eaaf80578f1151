//! JSON text, byte by byte where that matters: escapes, halves of surrogate pairs, and the removal of dropped fields.
//!
//! Takes slices of a record's text, gives text. Builds no tree.

use jiter::{Jiter, JiterResult, Peek};
use memchr::memmem;
use std::borrow::Cow;

/// The string token at the cursor (`peek` was a string), without its quotes, escapes as written.
pub fn raw_string<'j>(json: &mut Jiter<'j>, text: &'j str) -> JiterResult<&'j str> {
    let length = json.known_bytes()?.len();
    // The cursor stands behind the closing quote.
    let end = json.current_index() - 1;
    Ok(&text[end - length..end])
}

/// The value at the cursor as it is written, and the cursor behind it.
pub fn raw_value<'j>(json: &mut Jiter<'j>, text: &'j str, peek: Peek) -> JiterResult<&'j str> {
    let start = json.current_index();
    json.known_skip(peek)?;
    Ok(&text[start..json.current_index()])
}

/// Appends the decoded form of a string token whose escapes the parser has checked.
pub fn unescape(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let code = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = &rest[(at + 2).min(rest.len())..];
        match code {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => rest = unescape_unit(rest, out),
            // `"`, `\` and `/` stand for themselves.
            other => out.push(char::from(other)),
        }
    }
    out.push_str(rest);
}

/// Reads the digits of `\uXXXX`, and the second half of a pair.
fn unescape_unit<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let unit = |text: &str| text.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let high = unit(rest).unwrap_or(0xfffd);
    let rest = rest.get(4..).unwrap_or("");
    if !(0xd800..0xdc00).contains(&high) {
        out.push(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        return rest;
    }
    let low = rest.strip_prefix("\\u").and_then(unit).unwrap_or(0);
    match char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff)) {
        Some(c) if (0xdc00..0xe000).contains(&low) => {
            out.push(c);
            rest.get(6..).unwrap_or("")
        }
        _ => {
            out.push(char::REPLACEMENT_CHARACTER);
            rest
        }
    }
}

/// Replaces escaped halves of surrogate pairs by `\ufffd`: Java vendors write them when they cut a text inside an emoji, and
/// a strict parser would refuse the whole record. `None` when there is none, which is nearly always.
pub fn mend_surrogates(raw: &str) -> Option<String> {
    let bytes = raw.as_bytes();
    memmem::find(bytes, b"\\u")?;
    let mut lone = Vec::new();
    let mut at = 0;
    while let Some(step) = memchr::memchr(b'\\', &bytes[at..]) {
        at += step;
        match unit_at(bytes, at) {
            Some(0xd800..0xdc00) if matches!(unit_at(bytes, at + 6), Some(0xdc00..0xe000)) => at += 12,
            Some(0xd800..0xe000) => {
                lone.push(at);
                at += 6;
            }
            // Any other escape; two bytes also step over `\\`.
            _ => at += 2,
        }
        if at >= bytes.len() {
            break;
        }
    }
    if lone.is_empty() {
        return None;
    }
    let mut mended = raw.to_string();
    lone.into_iter().for_each(|at| mended.replace_range(at..at + 6, "\\ufffd"));
    Some(mended)
}

fn unit_at(bytes: &[u8], at: usize) -> Option<u32> {
    let escape = bytes.get(at..at + 6)?;
    let hex = std::str::from_utf8(escape.strip_prefix(b"\\u")?).ok()?;
    u32::from_str_radix(hex, 16).ok()
}

/// Field patterns to remove: `receiver_name`, `receiver_*`, `goodsDetail.goodsMemo`. Names of arrays' elements carry no position.
#[derive(Debug, Clone, Default)]
pub struct Drop {
    patterns: Vec<String>,
}

impl Drop {
    pub fn new(patterns: &[String]) -> Self {
        Self { patterns: patterns.iter().map(|p| p.trim().to_string()).filter(|p| !p.is_empty()).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    fn removes(&self, path: &str) -> bool {
        self.patterns.iter().any(|p| match p.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == p,
        })
    }

    /// Could a pattern name something below `path`?
    fn reaches_into(&self, path: &str) -> bool {
        self.patterns.iter().any(|p| p.len() > path.len() && p.starts_with(path) && p.as_bytes()[path.len()] == b'.')
    }

    /// The record without the dropped fields. What stays is copied as written; white space between members is not.
    pub fn apply<'a>(&self, raw: &'a str) -> JiterResult<Cow<'a, str>> {
        if self.is_empty() {
            return Ok(Cow::Borrowed(raw));
        }
        let mut out = String::with_capacity(raw.len());
        let mut json = Jiter::new(raw.as_bytes());
        let peek = json.peek()?;
        self.copy(&mut json, raw, peek, &mut String::new(), &mut out)?;
        json.finish()?;
        Ok(Cow::Owned(out))
    }

    fn copy<'j>(
        &self,
        json: &mut Jiter<'j>,
        text: &'j str,
        peek: Peek,
        path: &mut String,
        out: &mut String,
    ) -> JiterResult<()> {
        if !path.is_empty() && !self.reaches_into(path) {
            out.push_str(raw_value(json, text, peek)?);
            return Ok(());
        }
        match peek {
            Peek::Object => self.copy_object(json, text, path, out),
            Peek::Array => self.copy_array(json, text, path, out),
            Peek::String => {
                let raw = raw_string(json, text)?;
                self.copy_string(raw, path, out)
            }
            _ => {
                out.push_str(raw_value(json, text, peek)?);
                Ok(())
            }
        }
    }

    fn copy_object<'j>(
        &self,
        json: &mut Jiter<'j>,
        text: &'j str,
        path: &mut String,
        out: &mut String,
    ) -> JiterResult<()> {
        let parent = path.len();
        let mut separator = '{';
        let mut key = json.next_object_bytes()?.map(|k| String::from_utf8_lossy(k).into_owned());
        while let Some(raw_key) = key {
            if parent > 0 {
                path.push('.');
            }
            unescape(&raw_key, path);
            let peek = json.peek()?;
            if self.removes(path) {
                json.known_skip(peek)?;
            } else {
                out.push(separator);
                separator = ',';
                out.push('"');
                out.push_str(&raw_key);
                out.push_str("\":");
                self.copy(json, text, peek, path, out)?;
            }
            path.truncate(parent);
            key = json.next_key_bytes()?.map(|k| String::from_utf8_lossy(k).into_owned());
        }
        out.push_str(if separator == '{' { "{}" } else { "}" });
        Ok(())
    }

    fn copy_array<'j>(
        &self,
        json: &mut Jiter<'j>,
        text: &'j str,
        path: &mut String,
        out: &mut String,
    ) -> JiterResult<()> {
        out.push('[');
        let mut element = json.next_array()?;
        let mut first = true;
        while let Some(peek) = element {
            if !first {
                out.push(',');
            }
            first = false;
            self.copy(json, text, peek, path, out)?;
            element = json.array_step()?;
        }
        out.push(']');
        Ok(())
    }

    /// A text may itself be JSON that holds a dropped field; other texts are copied.
    fn copy_string(&self, raw: &str, path: &mut String, out: &mut String) -> JiterResult<()> {
        let mut decoded = String::new();
        unescape(raw, &mut decoded);
        let mut inner = String::new();
        let structured = decoded.trim_start().starts_with(['{', '[']) && {
            let mut json = Jiter::new(decoded.as_bytes());
            let peek = json.peek()?;
            self.copy(&mut json, &decoded, peek, path, &mut inner).and_then(|()| json.finish()).is_ok()
        };
        if structured {
            crate::base::value::Value::text(inner).write_json(out, false);
        } else {
            out.push('"');
            out.push_str(raw);
            out.push('"');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_decode_as_a_json_library_decodes_them() {
        let tokens =
            [r#"a\"b\\c\/d\b\f\n\r\t"#, r"\u0000\u4e2d\uD83D\uDE00x", "渡口", "", r"\\u0041", r"\ud83d\ude00\u00e9"];
        for raw in tokens {
            let mut out = String::new();
            unescape(raw, &mut out);
            assert_eq!(out, serde_json::from_str::<String>(&format!("\"{raw}\"")).unwrap(), "{raw}");
            assert_eq!(mend_surrogates(raw), None, "{raw}");
        }
    }

    #[test]
    fn halves_of_pairs_are_mended_and_nothing_else_is_touched() {
        assert_eq!(mend_surrogates(r"a\ud83d").as_deref(), Some(r"a\ufffd"));
        assert_eq!(mend_surrogates(r"\ude00\ud83d\ud83d\ude00b").as_deref(), Some(r"\ufffd\ufffd\ud83d\ude00b"));
        assert_eq!(mend_surrogates(r"\\ud83d"), None, "an escaped backslash before a plain word");
    }

    #[test]
    fn dropped_fields_leave_the_text_and_nothing_else_does() {
        let drop = |patterns: &[&str], raw: &str| {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            Drop::new(&patterns).apply(raw).unwrap().into_owned()
        };
        let raw = r#"{"receiver_name":"王", "receiver_mobile":null,"a":{"receiver_name":1,"b":1.50},"items":[{"x":1,"y":"\u4e2d"},{"x":2}],"t":"[{\"x\":1,\"y\":2}]"}"#;
        assert_eq!(
            drop(&["receiver_*"], raw),
            r#"{"a":{"receiver_name":1,"b":1.50},"items":[{"x":1,"y":"\u4e2d"},{"x":2}],"t":"[{\"x\":1,\"y\":2}]"}"#
        );
        let only_y = drop(&["receiver_*", "a", "items.x", "t.x"], raw);
        assert_eq!(only_y, r#"{"items":[{"y":"\u4e2d"},{}],"t":"[{\"y\":2}]"}"#);
        assert_eq!(drop(&[], raw), raw);
        assert_eq!(drop(&["*"], raw), "{}");
    }
}
