//! Rows of a mapping's result become documents.
//!
//! Takes Arrow batches, gives [`Mapped`] values in row order. Columns in their order are the fields of the body; `_rid`, `_key`,
//! `_reject` and `_version` are read and not sent. It never sends, never looks at the ledger, and no number passes through a float.

use super::contract::{Contract, EMPTY};
use super::values::{Reader, Shape};
use crate::base::record::{DocKey, Document, Mapped, Reason, Rid};
use crate::base::value::{Object, Value, digest};
use crate::base::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use std::sync::Arc;

/// Lineage: BIGINT or a list of BIGINT; required.
pub const RID: &str = "_rid";
/// The business key; defaults to the sink's `key_field`.
pub const KEY: &str = "_key";
/// Why the row must not be sent; NULL or empty text means it may.
pub const REJECT: &str = "_reject";
/// Source version, where the mapping wants to say it itself.
pub const VERSION: &str = "_version";
/// Columns that are read, not sent.
pub const HIDDEN: [&str; 4] = [RID, KEY, REJECT, VERSION];

/// Where in a result row the parts of a document stand. Made once per mapping, from the schema `check` has seen.
#[derive(Debug)]
pub struct Layout {
    rid: usize,
    key: Option<usize>,
    key_field: Option<(usize, String)>,
    reject: Option<usize>,
    version: Option<usize>,
    /// Columns of the body.
    body: Vec<usize>,
    names: Arc<[Box<str>]>,
    /// One per column of the result.
    shapes: Vec<Shape>,
    /// Positions in the body of lists that must hold something.
    filled: Vec<usize>,
    contract: Option<Contract>,
}

/// A column that is a list of structs: lines. It must not be empty unless the pipeline allows it.
pub fn is_lines(field: &Field) -> bool {
    matches!(field.data_type(), DataType::List(item) if matches!(item.data_type(), DataType::Struct(_)))
}

impl Layout {
    /// `schema` must be one `check` has found no fault with.
    pub fn new(
        schema: &Schema,
        key_field: Option<&str>,
        allow_empty: &[String],
        contract: Option<Contract>,
    ) -> Result<Self> {
        let fields = schema.fields();
        let find = |name: &str| fields.iter().position(|f| f.name() == name);
        let body: Vec<usize> = (0..fields.len()).filter(|i| !HIDDEN.contains(&fields[*i].name().as_str())).collect();
        let must_be_filled = |column: &usize| {
            let field = &fields[*column];
            is_lines(field) && !allow_empty.contains(field.name())
        };
        Ok(Self {
            rid: find(RID).ok_or_else(|| Error::bug("a mapping without _rid passed the check"))?,
            key: find(KEY),
            key_field: key_field.and_then(|name| Some((find(name)?, name.to_owned()))),
            reject: find(REJECT),
            version: find(VERSION),
            names: body.iter().map(|i| fields[*i].name().as_str().into()).collect(),
            filled: (0..body.len()).filter(|i| must_be_filled(&body[*i])).collect(),
            shapes: fields.iter().map(|f| Shape::of(f.data_type())).collect(),
            body,
            contract,
        })
    }

    /// Appends one `Mapped` per row.
    ///
    /// # Errors
    /// Only what is our bug: a batch of another schema than the one checked.
    pub fn read(&self, batch: &RecordBatch, out: &mut Vec<Mapped>) -> Result<()> {
        if batch.num_columns() != self.shapes.len() {
            return Err(Error::bug("a chunk's columns differ from those checked"));
        }
        let readers = batch
            .columns()
            .iter()
            .zip(&self.shapes)
            .map(|(column, shape)| Reader::new(column, shape))
            .collect::<Result<Vec<_>>>()?;
        out.extend((0..batch.num_rows()).map(|row| self.read_row(&readers, row)));
        Ok(())
    }

    fn read_row(&self, readers: &[Reader], row: usize) -> Mapped {
        let rids = rids_of(&readers[self.rid].value(row));
        let blocked = |key: Option<String>, reason: Reason| Mapped::Blocked { rids: rids.clone(), key, reason };
        let body: Vec<Value> = self.body.iter().map(|column| readers[*column].value(row)).collect();
        let key = self.key_of(readers, row);
        let key_text = key.as_ref().ok().map(ToString::to_string);
        if rids.is_empty() {
            let text = "_rid is null: the document cannot be traced to a staged record (outer join?)";
            return blocked(key_text, Reason::new(RID, text).on_field(RID));
        }
        if let Some(Value::Text(why)) = self.reject.map(|column| readers[column].value(row)).filter(|v| !is_blank(v)) {
            return blocked(key_text, Reason::new(REJECT, why));
        }
        let key = match key {
            Ok(key) => key,
            Err(reason) => return blocked(None, reason),
        };
        if let Some(reason) = self.breach(&body) {
            return blocked(key_text, reason);
        }
        let version = self.version.and_then(|column| readers[column].ordinal(row));
        let body = Object::new(Arc::clone(&self.names), body);
        Mapped::Document(Document { key, digest: digest(&body), version, rids, body })
    }

    fn key_of(&self, readers: &[Reader], row: usize) -> Result<DocKey, Reason> {
        let text = |column: usize| text_of(&readers[column].value(row));
        let (hidden, own) = (self.key.map(text), self.key_field.as_ref().map(|(column, name)| (text(*column), name)));
        if let (Some(hidden), Some((own, name))) = (&hidden, &own)
            && hidden != own
        {
            let show = |t: &Option<String>| t.clone().map_or("NULL".to_owned(), |t| format!("'{t}'"));
            let says = format!("_key is {}, but {name} is {}", show(hidden), show(own));
            return Err(Reason::new("key", says).on_field(name.as_str()));
        }
        let key = hidden.or(own.map(|(own, _)| own)).flatten();
        let missing = || Reason::new("key", "the key is null: a document needs a business key").on_field(KEY);
        DocKey::new(&key.ok_or_else(missing)?)
    }

    fn breach(&self, body: &[Value]) -> Option<Reason> {
        let empty = self.filled.iter().find(|i| match &body[**i] {
            Value::List(items) => items.is_empty(),
            _ => true,
        });
        if let Some(i) = empty {
            return Some(Reason::new("contract", EMPTY).on_field(&*self.names[*i]));
        }
        self.contract.as_ref()?.breach(self.names.iter().map(|n| &**n).zip(body))
    }
}

fn rids_of(value: &Value) -> Vec<Rid> {
    match value {
        Value::Int(rid) => vec![Rid(*rid)],
        Value::List(items) => items.iter().flat_map(rids_of).collect(),
        _ => Vec::new(),
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.trim().is_empty(),
        _ => true,
    }
}

/// A scalar as the text of a key; `None` for NULL.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Decimal(number) => Some(number.to_text()),
        _ => None,
    }
}
