//! One raw record → one row of typed columns, in a single pass over its text and without a tree.
//!
//! Takes records as the vendor wrote them and where they come from, gives Arrow batches in the file's schema and the counts of
//! what did not fit. A value never fails a page and never vanishes: what does not fit its type is null there, counted, and whole
//! in `_raw`. Only text that is no JSON object is refused.
//!
//! Where vendors are loose: a list or object may come as JSON inside a text; one object may stand for a list of one; text
//! columns take numbers and nested values as written. A null or misfit *element* of an array of structs stays as an element
//! without values, so that lines keep their numbers. Of a key that comes twice the first value is typed, the event counted.

use crate::base::record::{Rid, SliceNo};
use crate::base::{Error, Result};
use crate::staging::columns::{ListValues, Node, Scalar, StructValues, Values};
use crate::staging::scalar::{self, Fit};
use crate::staging::schema::{TableDef, fetched_at_type};
use crate::staging::tally::{FieldCount, Tally};
use crate::staging::text::{mend_surrogates, raw_string, raw_value, unescape};
use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Int32Type, Int64Type, SchemaRef, TimestampMicrosecondType,
};
use chrono::{DateTime, Utc};
use jiter::{Jiter, JiterResult, Peek};
use std::sync::Arc;

/// A batch is full at this many rows …
pub const BATCH_ROWS: usize = 1024;
/// … or at this many bytes of raw text.
const BATCH_BYTES: usize = 8 << 20;

/// Where a record comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    pub slice: SliceNo,
    /// Row in the slice, from 0.
    pub row: u32,
    pub page: u32,
    pub fetched_at: DateTime<Utc>,
    /// xxh3-64 of the raw text.
    pub hash: u64,
}

/// Decodes the records of one slice.
#[derive(Debug)]
pub struct Decoder {
    schema: SchemaRef,
    root: StructValues,
    tally: Tally,
    tape: Vec<u8>,
    key: usize,
    version: usize,
    origins: Vec<Origin>,
    raw: StringBuilder,
    missing_keys: u64,
    versions: Option<(i64, i64)>,
    /// A refused record leaves the builders half filled: nothing may be made of them.
    broken: bool,
}

impl Decoder {
    /// `key` and `version` are columns of `def`; both must be of a type that can be one.
    pub fn new(def: &TableDef, key: &str, version: &str) -> Result<Self> {
        def.key_column(key)?;
        def.version_column(version)?;
        let mut tally = Tally::default();
        let id = tally.declare(String::new());
        let position = |name: &str| def.columns().iter().position(|c| c.name == name).unwrap_or_default();
        Ok(Self {
            schema: def.file_schema(),
            root: StructValues::new(id, def.columns(), "", &mut tally, false),
            tally,
            tape: Vec::new(),
            key: position(key),
            version: position(version),
            origins: Vec::new(),
            raw: StringBuilder::new(),
            missing_keys: 0,
            versions: None,
            broken: false,
        })
    }

    /// Appends one record. An error ([`Protocol`](crate::base::Kind::Protocol)) means that `raw` is no JSON object; the decoder
    /// is of no use after it.
    pub fn push(&mut self, raw: &str, origin: Origin) -> Result<()> {
        if self.broken {
            return Err(Error::bug("a decoder was used after it had refused a record"));
        }
        let mended = mend_surrogates(raw);
        if mended.is_some() {
            self.tally
                .misfit(self.root.id, "half of a surrogate pair in a text; \u{fffd} stands there in the typed column");
        }
        let text = mended.as_deref().unwrap_or(raw);
        let mut json = Jiter::with_tape(text.as_bytes(), std::mem::take(&mut self.tape));
        let read = record(&mut self.root, &mut json, text, &mut self.tally);
        self.tape = json.into_tape();
        if let Err(why) = read {
            self.broken = true;
            return Err(Error::protocol(format!("a record is not a JSON object: {why}"))
                .hint("the page is not staged; run again, and if it comes back show the answer to the vendor"));
        }
        self.raw.append_value(raw);
        self.origins.push(origin);
        Ok(())
    }

    /// Is it time for [`Decoder::take_batch`]?
    pub fn is_full(&self) -> bool {
        self.origins.len() >= BATCH_ROWS || self.raw.values_slice().len() >= BATCH_BYTES
    }

    /// The rows since the last batch, or `None` when there are none.
    pub fn take_batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.broken {
            return Err(Error::bug("a decoder was used after it had refused a record"));
        }
        if self.origins.is_empty() {
            return Ok(None);
        }
        let bug = |e: arrow::error::ArrowError| Error::bug(format!("decoded columns do not fit together: {e}"));
        let mut columns = self.root.finish_fields().map_err(bug)?;
        self.missing_keys += missing(&columns[self.key]);
        self.versions = match (self.versions, min_max(&columns[self.version])) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (known, new) => known.or(new),
        };
        self.origin_columns(&mut columns);
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map(Some).map_err(bug)
    }

    fn origin_columns(&mut self, columns: &mut Vec<ArrayRef>) {
        let origins = std::mem::take(&mut self.origins);
        // Slice, page and row numbers stay below 2^31: the writer refuses a slice before that.
        let ints = |of: fn(&Origin) -> u32| -> ArrayRef {
            Arc::new(origins.iter().map(|o| Some(of(o) as i32)).collect::<Int32Array>())
        };
        let bigs =
            |of: fn(&Origin) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(origins.iter().map(of))) };
        let fetched =
            TimestampMicrosecondArray::from_iter_values(origins.iter().map(|o| o.fetched_at.timestamp_micros()));
        columns.push(bigs(|o| Rid::new(o.slice, o.row).0));
        columns.push(ints(|o| o.slice));
        columns.push(ints(|o| o.page));
        columns.push(ints(|o| o.row));
        columns.push(Arc::new(fetched.with_data_type(fetched_at_type())));
        columns.push(Arc::new(self.raw.finish()));
        columns.push(bigs(|o| o.hash as i64));
        self.origins = origins;
        self.origins.clear();
    }

    /// Rows in batches so far whose key is null or empty.
    pub fn missing_keys(&self) -> u64 {
        self.missing_keys
    }

    /// Least and greatest version in batches so far: microseconds of a TIMESTAMP, days of a DATE, or the number.
    pub fn versions(&self) -> Option<(i64, i64)> {
        self.versions
    }

    pub fn misfits(&self) -> Vec<FieldCount> {
        self.tally.misfits()
    }

    pub fn drift(&self) -> Vec<FieldCount> {
        self.tally.drift()
    }
}

/// Rows without a usable key.
fn missing(keys: &ArrayRef) -> u64 {
    let empty = keys.as_string_opt::<i32>().map_or(0, |t| t.iter().filter(|k| *k == Some("")).count());
    (keys.null_count() + empty) as u64
}

fn min_max(versions: &ArrayRef) -> Option<(i64, i64)> {
    fn of<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<(i64, i64)>
    where
        T::Native: Into<i64> + Ord,
    {
        let values = || array.as_primitive::<T>().iter().flatten();
        Some((values().min()?.into(), values().max()?.into()))
    }
    match versions.data_type() {
        DataType::Timestamp(..) => of::<TimestampMicrosecondType>(versions),
        DataType::Int64 => of::<Int64Type>(versions),
        DataType::Int32 => of::<Int32Type>(versions),
        _ => of::<Date32Type>(versions),
    }
}

fn record<'j>(root: &mut StructValues, json: &mut Jiter<'j>, text: &'j str, tally: &mut Tally) -> JiterResult<()> {
    object(root, json, text, 0, tally)?;
    json.finish()
}

/// Reads an object into its fields; `line` is its position in the array, if it is in one.
fn object<'j>(
    fields: &mut StructValues,
    json: &mut Jiter<'j>,
    text: &'j str,
    line: i32,
    tally: &mut Tally,
) -> JiterResult<()> {
    fields.begin();
    let mut key = json.next_object_bytes()?;
    while let Some(name) = key {
        let found = fields.find(name).or_else(|| {
            // A name with escapes has to be decoded before it can be compared.
            name.contains(&b'\\').then(|| fields.find(decoded_name(name).as_bytes())).flatten()
        });
        match found {
            Some(index) if fields.first_time(index) => value(&mut fields.fields[index], json, text, tally)?,
            Some(index) => {
                let peek = json.peek()?;
                let again = raw_value(json, text, peek)?;
                tally.misfit(fields.fields[index].id, &format!("the key comes twice, again with {again}"));
            }
            None => {
                let name = decoded_name(name);
                let peek = json.peek()?;
                tally.undeclared(fields.id, &name, raw_value(json, text, peek)?);
            }
        }
        key = json.next_key_bytes()?;
    }
    fields.end(line);
    Ok(())
}

fn decoded_name(raw: &[u8]) -> String {
    let mut name = String::new();
    unescape(&String::from_utf8_lossy(raw), &mut name);
    name
}

/// Reads the value at the cursor into `node`: exactly one value or null is appended.
fn value<'j>(node: &mut Node, json: &mut Jiter<'j>, text: &'j str, tally: &mut Tally) -> JiterResult<()> {
    let peek = json.peek()?;
    if peek == Peek::Null {
        json.known_null()?;
        node.append_null();
        return Ok(());
    }
    if peek == Peek::String {
        let raw = raw_string(json, text)?;
        string(node, raw, tally);
        return Ok(());
    }
    match (&mut node.values, peek) {
        // Numbers, truth values and nested values in a text column: as written.
        (Values::Text(builder), _) => builder.append_value(raw_value(json, text, peek)?),
        (Values::Scalar(scalar), _) => {
            let written = raw_value(json, text, peek)?;
            if matches!(peek, Peek::Object | Peek::Array) || !fit(scalar, written) {
                scalar.append_null();
                tally.misfit(node.id, written);
            }
        }
        (Values::Struct(fields), Peek::Object) => object(fields, json, text, 0, tally)?,
        (Values::List(list), Peek::Array) => array(list, json, text, tally)?,
        (Values::List(list), Peek::Object) if matches!(list.element.values, Values::Struct(_)) => {
            element(list, json, text, tally)?;
            list.end(true);
        }
        _ => {
            tally.misfit(node.id, raw_value(json, text, peek)?);
            node.append_null();
        }
    }
    Ok(())
}

fn array<'j>(list: &mut ListValues, json: &mut Jiter<'j>, text: &'j str, tally: &mut Tally) -> JiterResult<()> {
    let mut next = json.next_array()?;
    while next.is_some() {
        element(list, json, text, tally)?;
        next = json.array_step()?;
    }
    list.end(true);
    Ok(())
}

/// Reads one element. An element that should be an object and is not keeps its place as an object without values.
fn element<'j>(list: &mut ListValues, json: &mut Jiter<'j>, text: &'j str, tally: &mut Tally) -> JiterResult<()> {
    let line = list.line();
    let Node { id, values } = &mut list.element;
    let Values::Struct(fields) = values else {
        return value(&mut list.element, json, text, tally);
    };
    let peek = json.peek()?;
    if peek == Peek::Object {
        return object(fields, json, text, line, tally);
    }
    tally.misfit(*id, raw_value(json, text, peek)?);
    fields.begin();
    fields.end(line);
    Ok(())
}

/// Takes a string token: text as text, numbers and dates from text, and nested values that come as JSON inside a text.
fn string(node: &mut Node, raw: &str, tally: &mut Tally) {
    if memchr::memchr(b'\\', raw.as_bytes()).is_none() {
        return plain_string(node, raw, tally);
    }
    let mut decoded = std::mem::take(&mut tally.scratch);
    decoded.clear();
    unescape(raw, &mut decoded);
    plain_string(node, &decoded, tally);
    tally.scratch = decoded;
}

fn plain_string(node: &mut Node, text: &str, tally: &mut Tally) {
    match &mut node.values {
        Values::Text(builder) => builder.append_value(text),
        Values::Scalar(scalar) => {
            if !fit(scalar, text) {
                scalar.append_null();
                tally.misfit(node.id, text);
            }
        }
        Values::Struct(_) | Values::List(_) => {
            let inner = text.trim();
            if inner.is_empty() {
                node.append_null();
            } else if !nested(node, inner, tally) {
                tally.misfit(node.id, text);
                node.append_null();
            }
        }
    }
}

/// Reads JSON that came inside a text; false (and nothing appended) when it is none, or not of the declared shape.
fn nested(node: &mut Node, inner: &str, tally: &mut Tally) -> bool {
    let shape = match &node.values {
        Values::List(list) if matches!(list.element.values, Values::Struct(_)) => inner.starts_with(['[', '{']),
        Values::List(_) => inner.starts_with('['),
        _ => inner.starts_with('{'),
    };
    // Read once without keeping anything, so that broken JSON cannot leave a value half appended.
    let mut probe = Jiter::new(inner.as_bytes());
    if !shape || probe.next_skip().and_then(|()| probe.finish()).is_err() {
        return false;
    }
    value(node, &mut Jiter::new(inner.as_bytes()), inner, tally).is_ok()
}

/// Appends `text` if it fits (or means "nothing"); false, and nothing appended, if it does not.
fn fit(scalar: &mut Scalar, text: &str) -> bool {
    fn put<T>(fit: Fit<T>, append: impl FnOnce(Option<T>)) -> bool {
        match fit {
            Fit::Value(value) => append(Some(value)),
            Fit::Null => append(None),
            Fit::Misfit => return false,
        }
        true
    }
    match scalar {
        Scalar::Big(b) => put(scalar::integer(text), |v| b.append_option(v)),
        Scalar::Int(b) => match scalar::integer(text) {
            Fit::Value(v) => i32::try_from(v).map(|v| b.append_value(v)).is_ok(),
            other => put(other, |_| b.append_null()),
        },
        Scalar::Bool(b) => put(scalar::boolean(text), |v| b.append_option(v)),
        Scalar::Decimal(b, precision, scale) => put(scalar::decimal(text, *precision, *scale), |v| b.append_option(v)),
        Scalar::Timestamp(b) => put(scalar::timestamp(text), |v| b.append_option(v)),
        Scalar::Date(b) => put(scalar::date(text), |v| b.append_option(v)),
    }
}
