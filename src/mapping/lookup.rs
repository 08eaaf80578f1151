//! Reference tables and the SQL function `lookup(table, column, key[, default])` over them.
//!
//! Takes CSV and Parquet files, read whole once per run; gives text or NULL, and counts the keys it did not find. With a default
//! (NULL is one) a missing key is expected: the default is given and nothing is counted. It never reads a file while documents
//! are made.

use crate::base::names::suggest;
use crate::base::{Error, Result};
use crate::config::model::{Lookup, LookupFormat};
use arrow::array::{Array as _, ArrayRef, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::{Result as EngineResult, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The reference tables of one run, and the keys that were not found in them.
#[derive(Debug, Default)]
pub struct Lookups {
    tables: BTreeMap<String, Table>,
    /// Misses of the attempt under way; see [`Lookups::take_misses`].
    misses: Mutex<Misses>,
}

#[derive(Debug)]
struct Table {
    /// Every column as text, for `lookup`.
    columns: Vec<(String, StringArray)>,
    /// Key → row.
    rows: HashMap<Box<str>, usize>,
    /// The table as SQL sees it: CSV columns are text, Parquet columns keep their types.
    batch: RecordBatch,
    digest: u128,
}

/// Keys that a reference table does not have, counted by value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misses {
    /// (table, key) → how often it was looked up in vain; at most [`Misses::MAX_VALUES`] values.
    pub by_value: BTreeMap<(String, String), u64>,
    /// Misses of further values, not listed.
    pub beyond: u64,
}

impl Misses {
    /// Distinct values that are remembered; more are only counted.
    pub const MAX_VALUES: usize = 1000;

    fn add(&mut self, table: &str, key: &str, times: u64) {
        let entry = (table.to_owned(), key.to_owned());
        if let Some(count) = self.by_value.get_mut(&entry) {
            *count += times;
        } else if self.by_value.len() < Self::MAX_VALUES {
            self.by_value.insert(entry, times);
        } else {
            self.beyond += times;
        }
    }

    /// Adds the misses of another count.
    pub fn absorb(&mut self, other: Misses) {
        for ((table, key), times) in other.by_value {
            self.add(&table, &key, times);
        }
        self.beyond += other.beyond;
    }

    /// Takes away misses that were counted here before.
    pub fn remove(&mut self, other: &Misses) {
        for (value, count) in &other.by_value {
            match self.by_value.get_mut(value) {
                Some(own) => *own = own.saturating_sub(*count),
                None => self.beyond = self.beyond.saturating_sub(*count),
            }
        }
        self.beyond = self.beyond.saturating_sub(other.beyond);
        self.by_value.retain(|_, count| *count > 0);
    }

    pub fn total(&self) -> u64 {
        self.by_value.values().sum::<u64>() + self.beyond
    }
}

impl Lookups {
    /// Reads every reference table; paths are relative to `sql_root`.
    ///
    /// # Errors
    /// A file that cannot be read, a key column that is not there, a key that is empty or stands there twice.
    pub fn load(declared: &BTreeMap<String, Lookup>, sql_root: &Path) -> Result<Self> {
        let mut tables = BTreeMap::new();
        for (name, lookup) in declared {
            let path = sql_root.join(&lookup.file);
            let table = Table::load(&path, lookup)
                .map_err(|e| e.context(lookup.file.display().to_string()).context(format!("[lookup.{name}]")))?;
            tables.insert(name.clone(), table);
        }
        Ok(Self { tables, misses: Mutex::default() })
    }

    /// The reference tables as SQL tables under their names.
    pub fn providers(&self) -> Result<super::session::Providers> {
        let provider = |(name, table): (&String, &Table)| {
            let rows = MemTable::try_new(table.batch.schema(), vec![vec![table.batch.clone()]])
                .map_err(|e| Error::bug(format!("reference table {name}: {}", e.strip_backtrace())))?;
            Ok((name.clone(), Arc::new(rows) as Arc<dyn TableProvider>))
        };
        self.tables.iter().map(provider).collect()
    }

    pub fn table_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.tables.keys().map(String::as_str)
    }

    /// Columns of a reference table, if it is declared.
    pub fn columns(&self, table: &str) -> Option<Vec<&str>> {
        Some(self.tables.get(table)?.columns.iter().map(|(name, _)| name.as_str()).collect())
    }

    /// Changes when any reference table's content changes.
    pub fn digest(&self) -> u128 {
        let each: Vec<u8> = self
            .tables
            .iter()
            .flat_map(|(name, t)| name.bytes().chain([0]).chain(t.digest.to_le_bytes()).collect::<Vec<u8>>())
            .collect();
        xxhash_rust::xxh3::xxh3_128(&each)
    }

    /// The misses counted since the last call.
    pub fn take_misses(&self) -> Misses {
        std::mem::take(&mut *self.misses.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `lookup(table, column, key[, default])` over these tables; a key that is not text is looked up by its text.
    pub fn function(self: &Arc<Self>) -> Arc<ScalarUDF> {
        let texts = |count| TypeSignature::Exact(vec![DataType::Utf8; count]);
        let signature = Signature::one_of(vec![texts(3), texts(4)], Volatility::Immutable);
        Arc::new(ScalarUDF::from(LookupFunction { lookups: Arc::clone(self), signature }))
    }
}

impl Table {
    fn load(path: &Path, lookup: &Lookup) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, &e))?;
        let digest = xxhash_rust::xxh3::xxh3_128(&bytes);
        let (batch, lines) = match lookup.format {
            LookupFormat::Csv => super::csv::read(&bytes)?,
            LookupFormat::Parquet => read_parquet(bytes)?,
        };
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let mut columns = Vec::new();
        for (name, values) in names.iter().zip(batch.columns()) {
            columns.push(((*name).to_owned(), as_text(name, values)?));
        }
        let Some((_, keys)) = columns.iter().find(|(name, _)| *name == lookup.key) else {
            return Err(
                Error::config(format!("no column {}", lookup.key)).hint(suggest(&lookup.key, names.iter().copied()))
            );
        };
        let rows = index(keys, &lookup.key, &lines)?;
        Ok(Self { columns, rows, batch, digest })
    }

    fn column(&self, name: &str) -> Option<&StringArray> {
        self.columns.iter().find(|(n, _)| n == name).map(|(_, values)| values)
    }
}

fn as_text(name: &str, values: &ArrayRef) -> Result<StringArray> {
    let text = arrow::compute::cast(values, &DataType::Utf8)
        .map_err(|e| Error::config(format!("column {name} cannot be read as text: {e}")))?;
    text.as_any().downcast_ref::<StringArray>().cloned().ok_or_else(|| Error::bug("a cast to text gave something else"))
}

/// Key → row; `lines` says where each row stands in the file.
fn index(keys: &StringArray, column: &str, lines: &[u64]) -> Result<HashMap<Box<str>, usize>> {
    let line = |row: usize| lines.get(row).copied().unwrap_or(row as u64 + 1);
    let mut rows = HashMap::with_capacity(keys.len());
    for row in 0..keys.len() {
        let key = if keys.is_null(row) { "" } else { keys.value(row) };
        if key.is_empty() {
            return Err(Error::config(format!("line {}: {column} is empty", line(row))).hint("every row needs a key"));
        }
        if let Some(first) = rows.insert(key.into(), row) {
            return Err(Error::config(format!("{column} {key} stands twice: lines {} and {}", line(first), line(row)))
                .hint("remove one of the two lines"));
        }
    }
    Ok(rows)
}

fn read_parquet(bytes: Vec<u8>) -> Result<(RecordBatch, Vec<u64>)> {
    let broken = |e: &dyn std::fmt::Display| Error::config(format!("not a readable Parquet file: {e}"));
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).map_err(|e| broken(&e))?;
    let schema = Arc::clone(builder.schema());
    let reader = builder.build().map_err(|e| broken(&e))?;
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| broken(&e))?;
    let batch = arrow::compute::concat_batches(&schema, &batches).map_err(|e| broken(&e))?;
    Ok((batch, Vec::new()))
}

/// A table of text columns.
pub(super) fn text_batch(names: &[String], columns: Vec<Vec<Option<String>>>) -> Result<RecordBatch> {
    let fields: Vec<Field> = names.iter().map(|n| Field::new(n, DataType::Utf8, true)).collect();
    let columns = columns.into_iter().map(|values| Arc::new(StringArray::from(values)) as ArrayRef).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|e| Error::bug(format!("reference table: {e}")))
}

#[derive(Debug)]
struct LookupFunction {
    lookups: Arc<Lookups>,
    signature: Signature,
}

impl PartialEq for LookupFunction {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.lookups, &other.lookups)
    }
}

impl Eq for LookupFunction {}

impl Hash for LookupFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.lookups).hash(state);
    }
}

impl ScalarUDFImpl for LookupFunction {
    fn name(&self) -> &str {
        "lookup"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let [table_name, column, values @ ..] = args.args.as_slice() else {
            return Err(exec_datafusion_err!("lookup takes table, column, key and perhaps a default"));
        };
        let (table_name, column) = (literal(table_name)?, literal(column)?);
        let table = self.lookups.tables.get(table_name);
        let table = table.ok_or_else(|| exec_datafusion_err!("lookup: no reference table {table_name}"))?;
        let wanted = table.column(column);
        let wanted = wanted.ok_or_else(|| exec_datafusion_err!("lookup: {table_name} has no column {column}"))?;
        let scalar = values.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let arrays = values.iter().map(|value| value.to_array(rows)).collect::<EngineResult<Vec<_>>>()?;
        let text = |array: &ArrayRef| array.as_any().downcast_ref::<StringArray>().cloned();
        let found = match arrays.iter().map(text).collect::<Vec<_>>().as_slice() {
            [Some(keys)] => self.find(table_name, table, wanted, keys, None),
            [Some(keys), Some(defaults)] => self.find(table_name, table, wanted, keys, Some(defaults)),
            _ => return Err(exec_datafusion_err!("lookup: the key or the default is not text")),
        };
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

impl LookupFunction {
    /// A key that is NULL was never looked for: it gives the default, or NULL, and is no miss.
    fn find(
        &self,
        name: &str,
        table: &Table,
        values: &StringArray,
        keys: &StringArray,
        defaults: Option<&StringArray>,
    ) -> StringArray {
        let mut found = StringBuilder::with_capacity(keys.len(), keys.len() * 8);
        let mut misses = self.lookups.misses.lock().unwrap_or_else(PoisonError::into_inner);
        for (i, key) in keys.iter().enumerate() {
            let default = defaults.filter(|d| d.is_valid(i)).map(|d| d.value(i));
            match key.map(|key| (key, table.rows.get(key))) {
                Some((_, Some(row))) => found.append_option(values.is_valid(*row).then(|| values.value(*row))),
                Some((key, None)) if defaults.is_none() => {
                    misses.add(name, key, 1);
                    found.append_null();
                }
                _ => found.append_option(default),
            }
        }
        found.finish()
    }
}

fn literal(value: &ColumnarValue) -> EngineResult<&str> {
    match value {
        ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => Ok(text),
        _ => Err(exec_datafusion_err!("lookup: table and column are written as quoted text")),
    }
}
