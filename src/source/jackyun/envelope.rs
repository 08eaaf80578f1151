//! Reads the envelope of a Jackyun answer in one pass, without building a tree.
//!
//! Takes the answer's text, gives code, message, cursor, total and the byte range of each record. Never looks inside a
//! record beyond its syntax, never judges a code: that is `refusal.rs`. Shapes: `{"code":200,"msg":"","subCode":"",
//! "result":{"data":{"scrollId":"…","totalResults":7,"trades":[…]},"contextId":"…"}}`; `data` may also be that object as
//! a JSON text inside a string, with names in Pascal case (vendor documentation and two clients in production).

pub use crate::source::answer::Malformed;
use crate::source::answer::Scan;
use jiter::{Jiter, Peek};
use std::ops::Range;

/// Where the records of a method stand under `result.data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Name of the array; empty where the method has none.
    list: &'static str,
    /// Without that array, `data` itself is the one record.
    whole: bool,
}

impl Place {
    /// By the vendor's documentation and the clients of each method (section 2.9 of the vendor's facts). The sample of
    /// goodslist shows one record in place of the array `goods` that its clients read.
    pub fn of(method: &str) -> Self {
        let (list, whole) = match method {
            "erp-goods.goods.getforqimen" => ("data", false),
            "erp.storage.goodslist" => ("goods", true),
            "wms.order.query-info" => ("", true),
            // oms.trade.fullinfoget and its kin.
            _ => ("trades", false),
        };
        Self { list, whole }
    }
}

/// The outer part of an answer.
#[derive(Debug)]
pub struct Envelope {
    /// `code`; some methods write it as text.
    pub code: i64,
    pub msg: String,
    /// `subCode`, trimmed; empty when absent or null.
    pub sub_code: String,
    /// The vendor's own number of this call, for its support.
    pub context_id: String,
    text: String,
    data: Data,
}

/// `result.data` as it stands in the answer.
#[derive(Debug)]
enum Data {
    Absent,
    Null,
    Object(Members),
    /// JSON text inside a string, or the empty string.
    Text(String),
    /// Something that is no object, by its JSON name.
    Other(&'static str),
}

/// What was found inside the object `data`.
#[derive(Debug, Default)]
struct Members {
    scroll_id: Option<String>,
    total: Option<u64>,
    records: Option<Vec<Range<usize>>>,
}

/// The rows of a successful answer.
#[derive(Debug)]
pub enum Rows {
    /// `data` is null or missing.
    None,
    /// `data` is the empty string.
    Empty,
    Page {
        /// `None`: no such member; empty: the member is empty or null.
        scroll_id: Option<String>,
        /// `totalResults`.
        total: Option<u64>,
        /// The text that `records` points into: the answer, or the inner text of a `data` string.
        text: String,
        records: Vec<Range<usize>>,
    },
}

/// Reads the whole of `text`; `rows` says where its records stand.
///
/// Refuses trailing text, doubled members of the envelope, and anything that is not JSON from end to end.
pub fn read(text: String, rows: Place) -> Scan<Envelope> {
    let mut reader = Reader { json: Jiter::new(text.as_bytes()), rows };
    let outer = reader.outer()?;
    reader.json.finish()?;
    let code = outer.code.ok_or_else(|| Malformed("no member code: this is no answer of this interface".into()))?;
    let code = code.parse().map_err(|_| Malformed("code is not a number".into()))?;
    let Outer { msg, sub_code, context_id, data, .. } = outer;
    Ok(Envelope {
        code,
        msg: msg.unwrap_or_default(),
        sub_code: sub_code.unwrap_or_default(),
        context_id: context_id.unwrap_or_default(),
        data: data.unwrap_or(Data::Absent),
        text,
    })
}

impl Envelope {
    /// Success as documented (code 200), or as some methods have it: code 0 with a sub-code that says nothing or "ok".
    pub fn is_success(&self) -> bool {
        let sub = self.sub_code.as_str();
        self.code == 200 || (self.code == 0 && (sub.bytes().all(|b| b == b'0') || sub == "200" || sub == "0030000004"))
    }

    /// The rows; only meaningful after [`Envelope::is_success`].
    pub fn into_rows(self, rows: Place) -> Scan<Rows> {
        match self.data {
            Data::Absent | Data::Null => Ok(Rows::None),
            Data::Other(kind) => Err(Malformed(format!("result.data is {kind}, not an object"))),
            Data::Object(members) => members.into_rows(self.text, rows),
            Data::Text(inner) if inner.trim().is_empty() => Ok(Rows::Empty),
            Data::Text(inner) => {
                let mut reader = Reader { json: Jiter::new(inner.as_bytes()), rows };
                let members = reader.members().and_then(|m| Ok((m, reader.json.finish()?)));
                let (members, ()) =
                    members.map_err(|e| Malformed(format!("inside the text of result.data: {}", e.0)))?;
                members.into_rows(inner, rows)
            }
        }
    }
}

impl Members {
    fn into_rows(self, text: String, rows: Place) -> Scan<Rows> {
        let Members { scroll_id, total, records } = self;
        let records = match records {
            Some(records) => records,
            None if total == Some(0) => Vec::new(),
            None => return Err(Malformed(format!("result.data has no list {}", rows.list))),
        };
        Ok(Rows::Page { scroll_id, total, text, records })
    }
}

#[derive(Debug, Default)]
struct Outer {
    code: Option<String>,
    msg: Option<String>,
    sub_code: Option<String>,
    context_id: Option<String>,
    data: Option<Data>,
    result_seen: bool,
}

/// Members of the envelope that matter, whatever object they stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Code,
    Msg,
    SubCode,
    Result,
    Data,
    ContextId,
    ScrollId,
    Total,
    Rows,
    Other,
}

struct Reader<'a> {
    json: Jiter<'a>,
    rows: Place,
}

impl Reader<'_> {
    fn outer(&mut self) -> Scan<Outer> {
        let mut outer = Outer::default();
        let mut key = self.json.next_object()?.map(outer_member);
        while let Some(member) = key {
            match member {
                Member::Code => put(&mut outer.code, self.scalar()?, "code")?,
                Member::Msg => put(&mut outer.msg, self.scalar()?, "msg")?,
                Member::SubCode => put(&mut outer.sub_code, self.scalar()?, "subCode")?,
                Member::Result if outer.result_seen => return Err(doubled("result")),
                Member::Result => {
                    outer.result_seen = true;
                    self.result(&mut outer)?;
                }
                _ => self.json.next_skip()?,
            }
            key = self.json.next_key()?.map(outer_member);
        }
        Ok(outer)
    }

    fn result(&mut self, outer: &mut Outer) -> Scan<()> {
        // A failure may have any or no result; what a success must have is checked where rows are wanted.
        if self.json.peek()? != Peek::Object {
            return Ok(self.json.next_skip()?);
        }
        let mut key = self.json.known_object()?.map(result_member);
        while let Some(member) = key {
            match member {
                Member::Data => {
                    let data = self.data()?;
                    put(&mut outer.data, data, "result.data")?;
                }
                Member::ContextId => put(&mut outer.context_id, self.scalar()?, "result.contextId")?,
                _ => self.json.next_skip()?,
            }
            key = self.json.next_key()?.map(result_member);
        }
        Ok(())
    }

    fn data(&mut self) -> Scan<Data> {
        let other = match self.json.peek()? {
            Peek::Object => return Ok(Data::Object(self.members()?)),
            Peek::String => return Ok(Data::Text(self.json.known_str()?.to_string())),
            Peek::Null => {
                self.json.known_null()?;
                return Ok(Data::Null);
            }
            Peek::Array => "a list",
            Peek::True | Peek::False => "a truth value",
            _ => "a number",
        };
        self.json.next_skip()?;
        Ok(Data::Other(other))
    }

    fn members(&mut self) -> Scan<Members> {
        let rows = self.rows.list;
        let mut found = Members::default();
        self.json.peek()?;
        let start = self.json.current_index();
        let mut total_seen = false;
        let mut key = self.json.next_object()?.map(|k| data_member(k, rows));
        while let Some(member) = key {
            match member {
                Member::ScrollId => put(&mut found.scroll_id, self.scalar()?, "scrollId")?,
                Member::Total if total_seen => return Err(doubled("totalResults")),
                Member::Total => {
                    total_seen = true;
                    found.total = total(&self.scalar()?)?;
                }
                Member::Rows => {
                    let records = self.records()?;
                    put(&mut found.records, records, rows)?;
                }
                _ => self.json.next_skip()?,
            }
            key = self.json.next_key()?.map(|k| data_member(k, rows));
        }
        if found.records.is_none() && self.rows.whole {
            let record = start..self.json.current_index();
            found.records = Some(vec![record]);
        }
        Ok(found)
    }

    /// The byte range of each element; `null` counts as an empty list.
    fn records(&mut self) -> Scan<Vec<Range<usize>>> {
        let mut records = Vec::new();
        if self.json.peek()? == Peek::Null {
            self.json.known_null()?;
            return Ok(records);
        }
        let mut next = self.json.next_array()?;
        while let Some(peek) = next {
            let start = self.json.current_index();
            if peek != Peek::Object {
                return Err(Malformed(format!(
                    "record {} of {} is no object, at byte {start}",
                    records.len(),
                    self.rows.list
                )));
            }
            self.json.known_skip(peek)?;
            records.push(start..self.json.current_index());
            next = self.json.array_step()?;
        }
        Ok(records)
    }

    /// A text or a number as text, trimmed; null is empty.
    fn scalar(&mut self) -> Scan<String> {
        let peek = self.json.peek()?;
        match peek {
            Peek::String => Ok(self.json.known_str()?.trim().to_string()),
            Peek::Null => {
                self.json.known_null()?;
                Ok(String::new())
            }
            peek if peek.is_num() => Ok(String::from_utf8_lossy(self.json.known_number_bytes(peek)?).into_owned()),
            _ => Err(Malformed(format!("neither text nor number at byte {}", self.json.current_index()))),
        }
    }
}

fn total(text: &str) -> Scan<Option<u64>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Malformed("totalResults is not a count".into()))
}

fn put<T>(slot: &mut Option<T>, value: T, name: &str) -> Scan<()> {
    if slot.is_some() {
        return Err(doubled(name));
    }
    *slot = Some(value);
    Ok(())
}

fn doubled(name: &str) -> Malformed {
    Malformed(format!("{name} stands twice in the envelope"))
}

fn outer_member(key: &str) -> Member {
    match key {
        "code" => Member::Code,
        "msg" => Member::Msg,
        "subCode" => Member::SubCode,
        "result" => Member::Result,
        _ => Member::Other,
    }
}

fn result_member(key: &str) -> Member {
    match key {
        "data" => Member::Data,
        "contextId" => Member::ContextId,
        _ => Member::Other,
    }
}

fn data_member(key: &str, rows: &str) -> Member {
    if is_name(key, "scrollId") {
        Member::ScrollId
    } else if is_name(key, "totalResults") {
        Member::Total
    } else if is_name(key, rows) {
        Member::Rows
    } else {
        Member::Other
    }
}

/// `trades` or, as customised methods write it, `Trades`.
fn is_name(key: &str, name: &str) -> bool {
    let mut key_chars = key.chars();
    let mut name_chars = name.chars();
    match (key_chars.next(), name_chars.next()) {
        (Some(k), Some(n)) => (k == n || k == n.to_ascii_uppercase()) && key_chars.as_str() == name_chars.as_str(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Scan<Rows> {
        let place = Place::of("oms.trade.fullinfoget");
        read(text.to_string(), place)?.into_rows(place)
    }

    fn page(text: &str) -> (Option<String>, Option<u64>, Vec<String>) {
        match rows(text).expect("an envelope") {
            Rows::Page { scroll_id, total, text, records } => {
                (scroll_id, total, records.into_iter().map(|r| text[r].to_string()).collect())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_shape_of_data_gives_its_rows() {
        let records = vec![r#"{"a": "}]\"", "n":1.50}"#.to_string(), "{}".to_string()];
        let plain = r#" {"result":{"x":[1],"data":{"trades": [ {"a": "}]\"", "n":1.50} , {} ],"totalResults":"7","scrollId":"s1"},
            "contextId":"19"},"code":200,"msg":null,"subCode":""} "#;
        assert_eq!(page(plain), (Some("s1".into()), Some(7), records.clone()));
        let inner = r#"{"TotalResults":2,"Trades":[{"a": "}]\"", "n":1.50},{}],"ScrollId":null}"#;
        let text = format!(r#"{{"code":"200","result":{{"data":{}}}}}"#, serde_json::Value::from(inner));
        assert_eq!(page(&text), (Some(String::new()), Some(2), records));
        assert_eq!(page(r#"{"code":200,"result":{"data":{"trades":null}}}"#), (None, None, vec![]));
        assert_eq!(page(r#"{"code":200,"result":{"data":{"totalResults":0}}}"#), (None, Some(0), vec![]));
        assert!(matches!(rows(r#"{"code":200,"result":{"data":""}}"#), Ok(Rows::Empty)));
        for none in [r#"{"code":200,"result":{"data":null}}"#, r#"{"code":200,"result":null}"#, r#"{"code":200}"#] {
            assert!(matches!(rows(none), Ok(Rows::None)), "{none}");
        }
    }

    #[test]
    fn what_is_no_whole_envelope_is_refused_with_the_reason() {
        let cases = [
            (r#"{"code":200,"result":{"data":{"trades":[]}}} x"#, "trailing"),
            (r#"{"code":200,"result":{"data":{"trades":[{"a":1}"#, "byte"),
            (r#"{"code":200,"code":200}"#, "code stands twice"),
            (r#"{"code":200,"result":{},"result":{}}"#, "result stands twice"),
            (r#"{"code":200,"result":{"data":"","data":""}}"#, "result.data stands twice"),
            (r#"{"code":200,"result":{"data":{"trades":[],"Trades":[]}}}"#, "trades stands twice"),
            (
                r#"{"code":200,"result":{"data":{"trades":[],"totalResults":1,"totalResults":2}}}"#,
                "totalResults stands twice",
            ),
            (r#"{"code":200,"result":{"data":{"scrollId":"a","ScrollId":"b"}}}"#, "scrollId stands twice"),
            (r#"{"code":200,"result":{"data":{"scrollId":"a"}}}"#, "no list trades"),
            (r#"{"code":200,"result":{"data":{"trades":[{},7]}}}"#, "record 1 of trades is no object"),
            (r#"{"code":200,"result":{"data":[{}]}}"#, "a list, not an object"),
            (r#"{"code":200,"result":{"data":"{\"trades\":[{}]"}}"#, "inside the text of result.data"),
            (r#"{"code":200,"result":{"data":{"trades":[],"totalResults":-1}}}"#, "not a count"),
            (r#"{"result":{"data":{"trades":[]}}}"#, "no member code"),
            (r#"[1]"#, "byte"),
        ];
        for (text, expected) in cases {
            let got = rows(text).expect_err(text).0;
            assert!(got.contains(expected), "{text}: {got}");
        }
    }

    #[test]
    fn success_is_what_the_sources_say() {
        let ok = |code: i64, sub: &str| {
            read(format!(r#"{{"code":{code},"subCode":"{sub}"}}"#), Place::of("")).expect("an envelope").is_success()
        };
        for (code, sub) in [(200, ""), (200, "200"), (0, ""), (0, "0000000000"), (0, "200"), (0, "0030000004")] {
            assert!(ok(code, sub), "{code} {sub}");
        }
        for (code, sub) in [(0, "0130020001"), (500, ""), (-1, "200")] {
            assert!(!ok(code, sub), "{code} {sub}");
        }
    }
}
