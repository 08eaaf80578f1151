//! Everything that was sent for one key, out of the exchange files.
//!
//! Takes a key, gives attempts in the order they were made. Reads the key column of each file batch by batch, and the other columns
//! only for the rows that are hits; a file is never in memory as a whole. Writes nothing.

use crate::base::{Error, Result};
use crate::exchange;
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};
use serde::Serialize;
use std::fs::File;
use std::path::Path;

/// One attempt to deliver a document, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    pub run: i64,
    pub batch: i64,
    pub target: String,
    pub rid: i64,
    /// In the target's words: `BatchSave`, `Audit`, `insert`.
    pub operation: String,
    /// As it was sent, without secrets; JSON or the statements' parameters.
    pub request: String,
    pub answer: String,
    /// The outcome in the words of the lifecycle; empty where another request of the same attempt came after.
    pub state: String,
    pub remote: Option<String>,
    pub sent_at: String,
    pub answered_at: String,
    /// The exchange file it stands in.
    pub file: String,
}

/// Every recorded attempt for `key`, at any target, oldest first.
pub fn of_key(dir: &Path, key: &str) -> Result<Vec<Attempt>> {
    let mut attempts = Vec::new();
    for path in exchange::files(dir)? {
        match in_file(&path, key) {
            Ok(found) => attempts.extend(found),
            // A run that ends meanwhile merges its files: what stood in this one stands in another, which a new listing shows.
            Err(_) if !path.exists() => return of_key(dir, key),
            Err(error) => return Err(error),
        }
    }
    attempts.sort_by(|a, b| (&a.sent_at, a.run, a.batch).cmp(&(&b.sent_at, b.run, b.batch)));
    Ok(attempts)
}

fn in_file(path: &Path, key: &str) -> Result<Vec<Attempt>> {
    let rows = hits(path, key)?;
    if rows.is_empty() { Ok(Vec::new()) } else { read(path, &rows) }
}

/// Numbers of the rows that have the key.
fn hits(path: &Path, key: &str) -> Result<Vec<usize>> {
    let builder = open(path)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["key"]);
    let reader = builder.with_projection(mask).build().map_err(|e| unreadable(path, &e))?;
    let (mut found, mut start) = (Vec::new(), 0);
    for batch in reader {
        let batch = batch.map_err(|e| unreadable(path, &e))?;
        let keys = batch.column(0).as_string_opt::<i32>().ok_or_else(|| unreadable(path, &"key is no text"))?;
        found.extend((0..keys.len()).filter(|i| keys.is_valid(*i) && keys.value(*i) == key).map(|i| start + i));
        start += batch.num_rows();
    }
    Ok(found)
}

fn read(path: &Path, rows: &[usize]) -> Result<Vec<Attempt>> {
    let mut out = Vec::with_capacity(rows.len());
    let builder = open(path)?;
    let total = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let selection = RowSelection::from_consecutive_ranges(rows.iter().map(|row| *row..row + 1), total);
    let reader = builder.with_row_selection(selection).build().map_err(|e| unreadable(path, &e))?;
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for batch in reader {
        let batch = batch.map_err(|e| unreadable(path, &e))?;
        for row in 0..batch.num_rows() {
            out.push(
                attempt(&batch, row, &file)
                    .ok_or_else(|| unreadable(path, &"its columns are not an exchange file's"))?,
            );
        }
    }
    Ok(out)
}

fn attempt(batch: &RecordBatch, row: usize, file: &str) -> Option<Attempt> {
    let number = |name: &str| Some(batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?.value(row));
    let text = |name: &str| {
        let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        Some(column.is_valid(row).then(|| column.value(row).to_owned()))
    };
    Some(Attempt {
        run: number("run")?,
        batch: number("batch")?,
        target: text("target")?.unwrap_or_default(),
        rid: number("rid")?,
        // Files of the first version have no such column.
        operation: text("operation").flatten().unwrap_or_default(),
        request: text("request")?.unwrap_or_default(),
        answer: text("answer")?.unwrap_or_default(),
        state: text("state")?.unwrap_or_default(),
        remote: text("remote")?,
        sent_at: text("sent_at")?.unwrap_or_default(),
        answered_at: text("answered_at")?.unwrap_or_default(),
        file: file.to_owned(),
    })
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(|e| Error::io(path, &e))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| unreadable(path, &e))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::local(format!("{}: {error}", path.display()))
        .hint("the file was changed from outside; restore it from a backup")
}
