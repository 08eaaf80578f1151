//! The vendor's envelope, and the page of documents in it.
//!
//! Takes what is to be said and the settings of the form, gives bytes; never decides anything.

use std::fmt::Write as _;

use super::config::{HasNext, JushuitanConfig};
use super::query::Query;
use super::record::Document;
use super::render::{Shape, document};
use crate::sandbox::IdStyle;
use crate::sandbox::json::{Pen, escape};

/// A page: its number and size, how many documents there are, whether more follow, and its documents.
pub fn page(
    config: &JushuitanConfig,
    shape: Shape,
    query: &Query,
    total: usize,
    more: bool,
    documents: impl ExactSizeIterator<Item = Document>,
) -> Vec<u8> {
    let mut pen = Pen::new(IdStyle::Text, 1024 + documents.len() * 4_000);
    pen.raw("{");
    pen.member("page_size", 0, |pen| pen.int(query.page_size as i64));
    pen.member("page_index", 0, |pen| pen.int(query.page_index as i64));
    if config.totals {
        pen.member("data_count", 0, |pen| pen.int(total as i64));
        pen.member("page_count", 0, |pen| pen.int(total.div_ceil(query.page_size) as i64));
    }
    pen.member("has_next", 0, |pen| match (config.has_next, more) {
        (HasNext::Bool, more) => pen.raw(if more { "true" } else { "false" }),
        (HasNext::Text, more) => pen.text(if more { "true" } else { "false" }),
        (HasNext::Number, more) => pen.int(i64::from(more)),
    });
    pen.member("datas", 0, |pen| {
        if documents.len() == 0 && config.null_when_empty {
            return pen.null();
        }
        list(pen, shape, documents);
    });
    pen.raw("}");
    envelope(config, 0, "执行成功", &pen.buf)
}

/// Documents as a JSON array.
pub fn list(pen: &mut Pen, shape: Shape, documents: impl Iterator<Item = Document>) {
    pen.raw("[");
    for one in documents {
        document(pen, &one, shape);
    }
    pen.raw("]");
}

/// `data`, which is JSON already, in the envelope; code 0 is success.
pub fn envelope(config: &JushuitanConfig, code: u32, message: &str, data: &[u8]) -> Vec<u8> {
    let mut body = format!(r#"{{"code":{code},"msg":""#).into_bytes();
    escape(&mut body, message.as_bytes());
    let mut middle = String::from("\",");
    // A String takes everything, so these writes have no way to fail.
    if config.issuccess {
        let _ = write!(middle, r#""issuccess":{},"#, code == 0);
    }
    if config.request_id {
        let _ = write!(middle, r#""request_id":"{:032x}","#, u128::from(code) + data.len() as u128);
    }
    middle.push_str("\"data\":");
    body.extend_from_slice(middle.as_bytes());
    body.extend_from_slice(data);
    body.push(b'}');
    body
}
