//! Reads the envelope of a Jushuitan answer in one pass, without building a tree.
//!
//! Takes the answer's text, gives code, message, paging members and the byte range of each record. Never looks inside a
//! record beyond its syntax, never judges a code: that is `refusal.rs`. Shape: `{"code":0,"msg":"…","data":{"page_index":1,
//! "page_size":50,"has_next":false,"datas":[…]}}`; `data_count` and `page_count` are declared and absent in every recorded
//! answer; `datas` is null on an empty page; flags and numbers also come as text.

pub use crate::source::answer::Malformed;
use crate::source::answer::Scan;
use jiter::{Jiter, Peek};
use std::ops::Range;

/// Name of the array of records.
const LIST: &str = "datas";

/// The outer part of an answer.
#[derive(Debug)]
pub struct Envelope {
    pub code: i64,
    pub msg: String,
    /// The vendor's own number of this call, where it gives one; for its support.
    pub request_id: String,
    text: String,
    data: Data,
}

/// `data` as it stands in the answer.
#[derive(Debug)]
enum Data {
    /// Absent or null.
    None,
    Object(Range<usize>, Members),
    /// Something that is no object, by its JSON name.
    Other(&'static str),
}

/// What was found inside the object `data`.
#[derive(Debug, Default)]
struct Members {
    has_next: Option<Option<bool>>,
    page_index: Option<Option<u64>>,
    page_size: Option<Option<u64>>,
    page_count: Option<Option<u64>>,
    data_count: Option<Option<u64>>,
    records: Option<Vec<Range<usize>>>,
}

/// One page.
#[derive(Debug)]
pub struct Sheet {
    pub paging: Paging,
    /// The answer.
    pub text: String,
    /// Byte range of each record in `text`.
    pub records: Vec<Range<usize>>,
}

/// What an answer says about its place among the others; `None` where it says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paging {
    pub has_next: Option<bool>,
    pub page_index: Option<u64>,
    pub page_size: Option<u64>,
    pub page_count: Option<u64>,
    pub data_count: Option<u64>,
}

/// Reads the whole of `text`. Refuses trailing text, doubled members, and anything that is not JSON from end to end.
pub fn read(text: String) -> Scan<Envelope> {
    let mut reader = Reader { json: Jiter::new(text.as_bytes()) };
    let outer = reader.outer()?;
    reader.json.finish()?;
    let code = outer.code.ok_or_else(|| Malformed("no member code: this is no answer of this interface".into()))?;
    let code = code.parse().map_err(|_| Malformed("code is not a number".into()))?;
    Ok(Envelope {
        code,
        msg: outer.msg.unwrap_or_default(),
        request_id: outer.request_id.unwrap_or_default(),
        data: outer.data.unwrap_or(Data::None),
        text,
    })
}

impl Envelope {
    /// The page; only meaningful for code 0.
    ///
    /// No `data` at all is not taken for an empty page: nobody recorded such an answer, and a failing gateway gives it.
    pub fn into_sheet(self) -> Scan<Sheet> {
        let members = match self.data {
            Data::None => return Err(Malformed("success, but without data".into())),
            Data::Other(kind) => return Err(Malformed(format!("data is {kind}, not an object"))),
            Data::Object(_, members) => members,
        };
        let records = members.records.ok_or_else(|| Malformed(format!("data has no list {LIST}")))?;
        let paging = Paging {
            has_next: members.has_next.flatten(),
            page_index: members.page_index.flatten(),
            page_size: members.page_size.flatten(),
            page_count: members.page_count.flatten(),
            data_count: members.data_count.flatten(),
        };
        Ok(Sheet { paging, text: self.text, records })
    }

    /// The text of the object `data`, for answers that are no pages.
    pub fn data(&self) -> Option<&str> {
        match &self.data {
            Data::Object(range, _) => self.text.get(range.clone()),
            Data::None | Data::Other(_) => None,
        }
    }
}

#[derive(Debug, Default)]
struct Outer {
    code: Option<String>,
    msg: Option<String>,
    request_id: Option<String>,
    data: Option<Data>,
}

/// Members of the envelope that matter.
#[derive(Debug, Clone, Copy)]
enum Member {
    Code,
    Msg,
    RequestId,
    Data,
    HasNext,
    PageIndex,
    PageSize,
    PageCount,
    DataCount,
    Records,
    Other,
}

struct Reader<'a> {
    json: Jiter<'a>,
}

impl Reader<'_> {
    fn outer(&mut self) -> Scan<Outer> {
        let mut outer = Outer::default();
        let mut key = self.json.next_object()?.map(outer_member);
        while let Some(member) = key {
            match member {
                Member::Code => put(&mut outer.code, self.scalar()?, "code")?,
                Member::Msg => put(&mut outer.msg, self.scalar()?, "msg")?,
                Member::RequestId => put(&mut outer.request_id, self.scalar()?, "request_id")?,
                Member::Data => {
                    let data = self.data()?;
                    put(&mut outer.data, data, "data")?;
                }
                _ => self.json.next_skip()?,
            }
            key = self.json.next_key()?.map(outer_member);
        }
        Ok(outer)
    }

    fn data(&mut self) -> Scan<Data> {
        let other = match self.json.peek()? {
            Peek::Object => {
                let start = self.json.current_index();
                let members = self.members()?;
                return Ok(Data::Object(start..self.json.current_index(), members));
            }
            Peek::Null => {
                self.json.known_null()?;
                return Ok(Data::None);
            }
            Peek::String => "a text",
            Peek::Array => "a list",
            Peek::True | Peek::False => "a truth value",
            _ => "a number",
        };
        self.json.next_skip()?;
        Ok(Data::Other(other))
    }

    fn members(&mut self) -> Scan<Members> {
        let mut found = Members::default();
        let mut key = self.json.next_object()?.map(data_member);
        while let Some(member) = key {
            match member {
                Member::HasNext => put(&mut found.has_next, self.flag()?, "has_next")?,
                Member::PageIndex => put(&mut found.page_index, self.count("page_index")?, "page_index")?,
                Member::PageSize => put(&mut found.page_size, self.count("page_size")?, "page_size")?,
                Member::PageCount => put(&mut found.page_count, self.count("page_count")?, "page_count")?,
                Member::DataCount => put(&mut found.data_count, self.count("data_count")?, "data_count")?,
                Member::Records => {
                    let records = self.records()?;
                    put(&mut found.records, records, LIST)?;
                }
                _ => self.json.next_skip()?,
            }
            key = self.json.next_key()?.map(data_member);
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
                return Err(Malformed(format!("record {} of {LIST} is no object, at byte {start}", records.len())));
            }
            self.json.known_skip(peek)?;
            records.push(start..self.json.current_index());
            next = self.json.array_step()?;
        }
        Ok(records)
    }

    /// true, 1, "true", "1" and their opposites; null and "" say nothing.
    fn flag(&mut self) -> Scan<Option<bool>> {
        let peek = self.json.peek()?;
        if matches!(peek, Peek::True | Peek::False) {
            return Ok(Some(self.json.known_bool(peek)?));
        }
        let text = self.scalar()?.to_ascii_lowercase();
        match text.as_str() {
            "" => Ok(None),
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            _ => Err(Malformed("has_next is neither true nor false".into())),
        }
    }

    /// A number of things, as number or text; null, "" and what is below zero say nothing.
    fn count(&mut self, name: &str) -> Scan<Option<u64>> {
        let text = self.scalar()?;
        if text.is_empty() {
            return Ok(None);
        }
        let number: i64 = text.parse().map_err(|_| Malformed(format!("{name} is not a count")))?;
        Ok(u64::try_from(number).ok())
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

fn put<T>(slot: &mut Option<T>, value: T, name: &str) -> Scan<()> {
    if slot.is_some() {
        return Err(Malformed(format!("{name} stands twice in the envelope")));
    }
    *slot = Some(value);
    Ok(())
}

fn outer_member(key: &str) -> Member {
    match key {
        "code" => Member::Code,
        "msg" => Member::Msg,
        "request_id" => Member::RequestId,
        "data" => Member::Data,
        _ => Member::Other,
    }
}

fn data_member(key: &str) -> Member {
    match key {
        "has_next" => Member::HasNext,
        "page_index" => Member::PageIndex,
        "page_size" => Member::PageSize,
        "page_count" => Member::PageCount,
        "data_count" => Member::DataCount,
        LIST => Member::Records,
        _ => Member::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(text: &str) -> Scan<Sheet> {
        read(text.to_string())?.into_sheet()
    }

    #[test]
    fn records_keep_their_bytes_and_null_is_an_empty_page() {
        let text = r#" {"msg":null,"data":{"x":{"datas":[1]},"datas": [ {"a": "}]\"", "n":1.50} , {} ],"has_next":false},
            "code":"0","issuccess":"","request_id":77} "#;
        let page = sheet(text).expect("a page");
        let records: Vec<&str> = page.records.iter().map(|r| &page.text[r.clone()]).collect();
        assert_eq!(records, [r#"{"a": "}]\"", "n":1.50}"#, "{}"]);
        assert_eq!(read(text.into()).expect("an envelope").request_id, "77");
        for empty in ["null", "[]"] {
            let page = sheet(&format!(r#"{{"code":0,"data":{{"datas":{empty},"has_next":false}}}}"#)).expect("a page");
            assert!(page.records.is_empty());
        }
    }

    #[test]
    fn paging_members_come_in_every_shape() {
        let flags = [
            ("true", Some(true)),
            ("false", Some(false)),
            ("1", Some(true)),
            ("0", Some(false)),
            (r#""true""#, Some(true)),
            (r#""False""#, Some(false)),
            (r#""1""#, Some(true)),
            ("null", None),
            (r#""""#, None),
        ];
        for (written, expected) in flags {
            let page = sheet(&format!(r#"{{"code":0,"data":{{"datas":[],"has_next":{written}}}}}"#)).expect(written);
            assert_eq!(page.paging.has_next, expected, "{written}");
        }
        for (written, expected) in [("7", Some(7)), (r#""7""#, Some(7)), ("null", None), ("-1", None), (r#""""#, None)]
        {
            for name in ["page_index", "page_size", "page_count", "data_count"] {
                let page = sheet(&format!(r#"{{"code":0,"data":{{"datas":[],"{name}":{written}}}}}"#)).expect(written);
                let p = page.paging;
                let found = [p.page_index, p.page_size, p.page_count, p.data_count].into_iter().flatten().next();
                assert_eq!((found, p.has_next), (expected, None), "{name} {written}");
            }
        }
    }

    #[test]
    fn what_is_no_whole_page_is_refused_with_the_reason() {
        let cases = [
            (r#"{"code":0,"data":{"datas":[]}} x"#, "trailing"),
            (r#"{"code":0,"data":{"datas":[{"a":1}"#, "byte"),
            (r#"{"code":0,"code":0}"#, "code stands twice"),
            (r#"{"code":0,"data":{},"data":{}}"#, "data stands twice"),
            (r#"{"code":0,"data":{"datas":[],"datas":[]}}"#, "datas stands twice"),
            (r#"{"code":0,"data":{"datas":[],"has_next":true,"has_next":false}}"#, "has_next stands twice"),
            (r#"{"code":0,"data":{"has_next":false}}"#, "no list datas"),
            (r#"{"code":0,"data":{"datas":[{},7]}}"#, "record 1 of datas is no object"),
            (r#"{"code":0,"data":[{}]}"#, "a list, not an object"),
            (r#"{"code":0,"data":null}"#, "without data"),
            (r#"{"code":0}"#, "without data"),
            (r#"{"code":0,"data":{"datas":[],"data_count":"many"}}"#, "data_count is not a count"),
            (r#"{"code":0,"data":{"datas":[],"has_next":"maybe"}}"#, "neither true nor false"),
            (r#"{"data":{"datas":[]}}"#, "no member code"),
            (r#"[1]"#, "byte"),
        ];
        for (text, expected) in cases {
            let got = sheet(text).expect_err(text).0;
            assert!(got.contains(expected), "{text}: {got}");
        }
    }
}
