//! The exchange record: what was sent for each document and what was answered, as plain Parquet files per run.
//!
//! Takes attempts in groups, writes each group as one closed, synced file before the ledger says what became of it.
//! Holds no secret: requests come from the sinks, which leave them out. Never decides anything.

use crate::base::{Error, Result};
use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One attempt to deliver one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub run: i64,
    /// Batch within the run; documents of one request share it.
    pub batch: i64,
    pub target: String,
    pub key: String,
    /// First staged row the document was made from.
    pub rid: i64,
    /// What was asked for, in the target's words: `BatchSave`, `Audit`, `insert`.
    pub operation: &'static str,
    pub request: String,
    pub answer: String,
    /// The outcome in the words of the lifecycle; empty where another request of the same attempt came after.
    pub state: &'static str,
    pub remote: Option<String>,
    pub sent_at: String,
    pub answered_at: String,
}

/// Columns of an exchange file, in order.
pub fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let number = |name| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![
        number("run"),
        number("batch"),
        text("target"),
        text("key"),
        number("rid"),
        text("operation"),
        text("request"),
        text("answer"),
        text("state"),
        text("remote"),
        text("sent_at"),
        text("answered_at"),
    ]))
}

/// Writes the exchange files of one run.
pub struct ExchangeWriter {
    dir: PathBuf,
    run: i64,
    segments: u32,
    bytes: u64,
}

/// Segments smaller than this on average are merged when the run ends.
const SMALL_SEGMENT_BYTES: u64 = 256 * 1024;

impl ExchangeWriter {
    pub fn new(dir: &Path, run: i64) -> Self {
        Self { dir: dir.to_path_buf(), run, segments: 0, bytes: 0 }
    }

    /// Writes a group of attempts; on disk and synced when this returns.
    pub fn append(&mut self, attempts: &[Attempt]) -> Result<()> {
        if attempts.is_empty() {
            return Ok(());
        }
        let path = self.segment(self.segments + 1);
        let batch = to_batch(attempts)?;
        self.bytes += write_file(&path, std::iter::once(Ok(batch)))?;
        self.segments += 1;
        Ok(())
    }

    /// Merges the run's segments into one file when they are many and small.
    pub fn finish(self) -> Result<()> {
        let many_and_small = self.segments > 8 && self.bytes / u64::from(self.segments) < SMALL_SEGMENT_BYTES;
        if !many_and_small {
            return Ok(());
        }
        let parts: Vec<PathBuf> = (1..=self.segments).map(|n| self.segment(n)).collect();
        let merged = self.dir.join(format!("run-{:06}.parquet", self.run));
        write_file(&merged, parts.iter().flat_map(|part| read_file(part)))?;
        parts.iter().try_for_each(|part| std::fs::remove_file(part).map_err(|e| Error::io(part, &e)))
    }

    fn segment(&self, number: u32) -> PathBuf {
        self.dir.join(format!("run-{:06}-{number:05}.parquet", self.run))
    }
}

/// The exchange files of a workspace, oldest run first. A run that died while merging leaves both; the merged one wins.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(dir, &e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|e| Error::io(dir, &e))?.file_name().to_string_lossy().into_owned();
        if name.starts_with("run-") && name.ends_with(".parquet") {
            names.push(name);
        }
    }
    let merged: Vec<String> =
        names.iter().filter(|n| n.matches('-').count() == 1).map(|n| n.replace(".parquet", "-")).collect();
    names.retain(|n| !merged.iter().any(|m| n.starts_with(m)));
    names.sort();
    Ok(names.into_iter().map(|n| dir.join(n)).collect())
}

/// The batches of one exchange file.
pub fn read_file(path: &Path) -> Box<dyn Iterator<Item = Result<RecordBatch>>> {
    let opened = File::open(path).map_err(|e| Error::io(path, &e)).and_then(|file| {
        ParquetRecordBatchReaderBuilder::try_new(file).and_then(|b| b.build()).map_err(|e| unreadable(path, &e))
    });
    match opened {
        Err(e) => Box::new(std::iter::once(Err(e))),
        Ok(reader) => {
            let path = path.to_path_buf();
            Box::new(reader.map(move |batch| batch.map_err(|e| unreadable(&path, &e))))
        }
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::local(format!("{}: {error}", path.display()))
        .hint("the file was changed from outside; restore it from a backup")
}

fn to_batch(attempts: &[Attempt]) -> Result<RecordBatch> {
    let number = |of: fn(&Attempt) -> i64| -> ArrayRef {
        let mut column = Int64Builder::with_capacity(attempts.len());
        attempts.iter().for_each(|a| column.append_value(of(a)));
        Arc::new(column.finish())
    };
    let text = |of: fn(&Attempt) -> Option<&str>| -> ArrayRef {
        let mut column = StringBuilder::new();
        attempts.iter().for_each(|a| column.append_option(of(a)));
        Arc::new(column.finish())
    };
    let columns = vec![
        number(|a| a.run),
        number(|a| a.batch),
        text(|a| Some(&a.target)),
        text(|a| Some(&a.key)),
        number(|a| a.rid),
        text(|a| Some(a.operation)),
        text(|a| Some(&a.request)),
        text(|a| Some(&a.answer)),
        text(|a| Some(a.state)),
        text(|a| a.remote.as_deref()),
        text(|a| Some(&a.sent_at)),
        text(|a| Some(&a.answered_at)),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|e| Error::bug(format!("exchange columns: {e}")))
}

/// Writes to a temporary name, syncs, renames, syncs the folder: a reader sees the whole file or none. Gives its size.
fn write_file(path: &Path, batches: impl Iterator<Item = Result<RecordBatch>>) -> Result<u64> {
    let temporary = path.with_extension("tmp");
    let written = write_and_rename(path, &temporary, batches);
    if written.is_err() {
        // What was written of it would take the space that is missing. The error to show is the first one.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn write_and_rename(path: &Path, temporary: &Path, batches: impl Iterator<Item = Result<RecordBatch>>) -> Result<u64> {
    let failed = |e: &std::io::Error| Error::io(path, e);
    let file = File::create(temporary).map_err(|e| failed(&e))?;
    let properties = WriterProperties::builder().set_compression(Compression::LZ4_RAW).build();
    let parquet_failed = |e: parquet::errors::ParquetError| match e {
        // What the disk said, so that a full one is called full.
        parquet::errors::ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => failed(&io),
            Err(other) => failed(&std::io::Error::other(other)),
        },
        other => failed(&std::io::Error::other(other)),
    };
    let mut writer = ArrowWriter::try_new(&file, schema(), Some(properties)).map_err(parquet_failed)?;
    for batch in batches {
        writer.write(&batch?).map_err(parquet_failed)?;
    }
    writer.close().map_err(parquet_failed)?;
    file.sync_all().map_err(|e| failed(&e))?;
    std::fs::rename(temporary, path).map_err(|e| failed(&e))?;
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| failed(&e))?;
    file.metadata().map(|m| m.len()).map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(batch: i64) -> Attempt {
        Attempt {
            run: 3,
            batch,
            target: "sqlite:x".into(),
            key: format!("T{batch}"),
            rid: batch,
            operation: "insert",
            request: "{\"a\":\"他\"}".into(),
            answer: "inserted".into(),
            state: "accepted",
            remote: Some("7".into()),
            sent_at: "2024-01-01T00:00:00Z".into(),
            answered_at: "2024-01-01T00:00:01Z".into(),
        }
    }

    #[test]
    fn small_segments_are_merged_and_nothing_is_lost() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer = ExchangeWriter::new(dir.path(), 3);
        (0..20).for_each(|n| writer.append(&[attempt(n)]).expect("written"));
        assert_eq!(files(dir.path()).expect("files").len(), 20);
        writer.finish().expect("merged");
        let merged = files(dir.path()).expect("files");
        assert_eq!(merged.len(), 1);
        let rows: usize = read_file(&merged[0]).map(|b| b.expect("a batch").num_rows()).sum();
        assert_eq!(rows, 20);
    }
}
