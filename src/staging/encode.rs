//! The Parquet encoder on a thread of its own: one batch is compressed while the next is decoded.
//!
//! Takes batches in order, gives the finished file. The thread ends with the encoder: joined in `finish` or on drop, never
//! detached. At most two batches are in memory.

use crate::base::{Error, Result};
use crate::staging::read::io_error;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Encodes batches into one file.
#[derive(Debug)]
pub struct Encoder {
    path: PathBuf,
    batches: Option<SyncSender<RecordBatch>>,
    thread: Option<JoinHandle<Result<File, ParquetError>>>,
}

impl Encoder {
    /// Begins to encode into `file`, which lies at `path`.
    pub fn start(file: File, path: &Path, schema: SchemaRef, properties: WriterProperties) -> Result<Self> {
        let (sender, receiver) = sync_channel(0);
        let thread = std::thread::Builder::new()
            .name("parquet".into())
            .spawn(move || encode(file, schema, properties, receiver))
            .map_err(|e| Error::io(path, &e))?;
        Ok(Self { path: path.to_path_buf(), batches: Some(sender), thread: Some(thread) })
    }

    /// Hands a batch over; waits while the one before is being encoded.
    pub fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let taken = self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_ok());
        // A thread that takes no more batches has failed; its result says why.
        if taken { Ok(()) } else { self.end().and(Err(Error::bug("the Parquet encoder ended early"))) }
    }

    /// Ends the file: footer written, not yet synced.
    pub fn finish(mut self) -> Result<File> {
        self.end()
    }

    fn end(&mut self) -> Result<File> {
        drop(self.batches.take());
        let thread = self.thread.take().ok_or_else(|| Error::bug("the Parquet encoder was ended twice"))?;
        let result = thread.join().map_err(|_| Error::bug("the Parquet encoder panicked"))?;
        result.map_err(|e| io_error(&self.path, e))
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        drop(self.batches.take());
        if let Some(thread) = self.thread.take() {
            // The file is abandoned; there is nobody to tell how its encoding went.
            let _ = thread.join();
        }
    }
}

fn encode(
    file: File,
    schema: SchemaRef,
    properties: WriterProperties,
    batches: Receiver<RecordBatch>,
) -> Result<File, ParquetError> {
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties))?;
    for batch in batches {
        writer.write(&batch)?;
    }
    writer.into_inner()
}
