//! Reads staged files: only the columns and the rows that are wanted.
//!
//! Takes paths, column names and row ranges, gives Arrow batches. The row number within a file is the row number of its ids, so
//! rows are found without an index. All functions block; callers in async code use a blocking task.

use crate::base::record::{Rid, SliceNo};
use crate::base::{Error, Result};
use crate::staging::schema::{FETCHED_AT, HASH, PAGE, RAW, RID, ROW, SLICE};
use crate::staging::scope::SliceFile;
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::errors::ParquetError;
use parquet::schema::types::SchemaDescriptor;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::path::Path;

/// Rows of a batch.
pub(super) const BATCH_ROWS: usize = 1024;

/// The columns to read: a root column whole, or of an array of structs only some element fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Columns(BTreeMap<String, Option<BTreeSet<String>>>);

impl Columns {
    pub(super) fn roots<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(|n| (n.to_string(), None)).collect())
    }

    /// Of the array `root`, only these fields of its elements.
    pub(super) fn add_elements<'a>(&mut self, root: &str, fields: impl IntoIterator<Item = &'a str>) {
        self.0.insert(root.to_string(), Some(fields.into_iter().map(ToString::to_string).collect()));
    }

    fn mask(&self, schema: &SchemaDescriptor) -> ProjectionMask {
        // A leaf below an array of structs is called root.list.item.field….
        let wanted = |leaf: &usize| {
            let column = schema.column(*leaf);
            let parts = column.path().parts();
            match parts.first().and_then(|root| self.0.get(root)) {
                Some(None) => true,
                Some(Some(fields)) => parts.get(3).is_some_and(|field| fields.contains(field)),
                None => false,
            }
        };
        ProjectionMask::leaves(schema, (0..schema.num_columns()).filter(wanted))
    }
}

/// An error of the Parquet library about `path`: what the disk said, if it was the disk.
pub(super) fn io_error(path: &Path, error: ParquetError) -> Error {
    if let ParquetError::External(inner) = &error
        && let Some(io) = inner.downcast_ref::<std::io::Error>()
    {
        return Error::io(path, io);
    }
    Error::local(format!("{}: {error}", path.display()))
        .hint("a staged file is damaged: restore it from a backup, or begin a new workspace with --data")
}

/// Opens a file for reading; `rows` (ascending, apart) limits it to those row ranges.
pub(super) fn open(path: &Path, columns: &Columns, rows: Option<&[Range<usize>]>) -> Result<ParquetRecordBatchReader> {
    let file = File::open(path).map_err(|e| Error::io(path, &e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| io_error(path, e))?;
    let mask = columns.mask(builder.parquet_schema());
    let group_rows: Vec<usize> =
        builder.metadata().row_groups().iter().map(|g| usize::try_from(g.num_rows()).unwrap_or(0)).collect();
    let mut builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
    if let Some(rows) = rows {
        let (groups, selection) = narrow(&group_rows, rows);
        builder = builder.with_row_groups(groups).with_row_selection(selection);
    }
    builder.build().map_err(|e| io_error(path, e))
}

/// The row groups that hold a wanted row, and the wanted rows counted within those groups.
fn narrow(group_rows: &[usize], rows: &[Range<usize>]) -> (Vec<usize>, RowSelection) {
    let (mut groups, mut ranges) = (Vec::new(), Vec::new());
    let (mut start, mut kept) = (0, 0);
    let mut rest = rows;
    for (group, length) in group_rows.iter().enumerate() {
        let end = start + length;
        while rest.first().is_some_and(|r| r.end <= start) {
            rest = &rest[1..];
        }
        let inside = rest.iter().take_while(|r| r.start < end);
        let before = ranges.len();
        ranges.extend(inside.map(|r| r.start.max(start) - start + kept..r.end.min(end) - start + kept));
        if ranges.len() > before {
            groups.push(group);
            kept += length;
        }
        start = end;
    }
    (groups, RowSelection::from_consecutive_ranges(ranges.into_iter(), kept))
}

/// Reads some columns of a whole file and hands over each batch.
pub(super) fn each_batch(
    path: &Path,
    columns: &[&str],
    rows: Option<&[Range<usize>]>,
    mut take: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    for batch in open(path, &Columns::roots(columns.iter().copied()), rows)? {
        let batch = batch.map_err(|e| io_error(path, ParquetError::ArrowError(e.to_string())))?;
        take(&batch)?;
    }
    Ok(())
}

/// Hands over the hash of every row.
pub(super) fn read_hashes(path: &Path, mut take: impl FnMut(u64)) -> Result<()> {
    each_batch(path, &[HASH], None, |batch| {
        numbers::<Int64Type>(batch, HASH)?.values().iter().for_each(|hash| take(*hash as u64));
        Ok(())
    })
}

/// A column of a batch by name.
pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| {
        Error::local(format!("a staged file has no column {name}"))
            .hint("restore the file from a backup, or begin a new workspace with --data")
    })
}

pub(super) fn numbers<'a, T: ArrowPrimitiveType>(batch: &'a RecordBatch, name: &str) -> Result<&'a PrimitiveArray<T>> {
    let array = column(batch, name)?;
    array.as_primitive_opt::<T>().ok_or_else(|| wrong_type(name, array.data_type()))
}

pub(super) fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    let array = column(batch, name)?;
    array.as_string_opt::<i32>().ok_or_else(|| wrong_type(name, array.data_type()))
}

pub(super) fn wrong_type(name: &str, found: &DataType) -> Error {
    Error::local(format!("column {name} of a staged file is {found}"))
        .hint("restore the file from a backup, or begin a new workspace with --data")
}

/// A staged row as the auditor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedRow {
    pub rid: Rid,
    pub slice: SliceNo,
    /// Page within the pull, from 0.
    pub page: u32,
    /// Row within the slice, from 0.
    pub row: u32,
    pub fetched_at: DateTime<Utc>,
    /// The record's text as it came (without dropped fields).
    pub raw: String,
}

/// Reads rows with their raw text: all, or the ranges given.
pub(super) fn each_row(
    path: &Path,
    rows: Option<&[Range<usize>]>,
    mut take: impl FnMut(StagedRow) -> Result<()>,
) -> Result<()> {
    each_batch(path, &[RID, SLICE, PAGE, ROW, FETCHED_AT, RAW], rows, |batch| {
        let (rids, raws) = (numbers::<Int64Type>(batch, RID)?, texts(batch, RAW)?);
        let (pages, fetched) =
            (numbers::<Int32Type>(batch, PAGE)?, numbers::<TimestampMicrosecondType>(batch, FETCHED_AT)?);
        for i in 0..batch.num_rows() {
            let rid = Rid(rids.value(i));
            let fetched_at = DateTime::from_timestamp_micros(fetched.value(i))
                .ok_or_else(|| Error::local(format!("{}: {FETCHED_AT} of row {i} is no time", path.display())))?;
            take(StagedRow {
                rid,
                slice: rid.slice(),
                // Written from a u32 below 2^31.
                page: pages.value(i) as u32,
                row: rid.row(),
                fetched_at,
                raw: raws.value(i).to_string(),
            })?;
        }
        Ok(())
    })
}

/// The row `rid` of `file`, if it is there.
pub fn raw_record(file: &Path, rid: Rid) -> Result<Option<StagedRow>> {
    let row = rid.row() as usize;
    let mut found = None;
    each_row(file, Some(std::slice::from_ref(&(row..row + 1))), |staged| {
        found = (staged.rid == rid).then_some(staged);
        Ok(())
    })?;
    Ok(found)
}

/// Every staged version of the record whose key (as text) is `key`, oldest row id first.
pub fn find_key(files: &[SliceFile], key_column: &str, key: &str) -> Result<Vec<Rid>> {
    let mut rids = Vec::new();
    for file in files {
        each_batch(&file.path, &[key_column, RID], None, |batch| {
            let ids = numbers::<Int64Type>(batch, RID)?;
            let keys = column(batch, key_column)?;
            let same: Box<dyn Fn(usize) -> bool> = match keys.data_type() {
                DataType::Utf8 => Box::new(|i| keys.as_string::<i32>().value(i) == key),
                DataType::Int64 => Box::new(|i| keys.as_primitive::<Int64Type>().value(i).to_string() == key),
                DataType::Int32 => Box::new(|i| keys.as_primitive::<Int32Type>().value(i).to_string() == key),
                other => return Err(wrong_type(key_column, other)),
            };
            rids.extend((0..keys.len()).filter(|i| keys.is_valid(*i) && same(*i)).map(|i| Rid(ids.value(i))));
            Ok(())
        })?;
    }
    rids.sort();
    Ok(rids)
}
