//! A file of JSON lines: `{"_key":…,"_digest":…,"document":{…}}`, one per document, appended only.
//!
//! Takes batches of documents, gives one outcome each. What the file holds decides what is delivered: its keys are read at
//! first use and, under the file's lock, whatever another process has appended since. A line torn by a crash is cut off;
//! a batch counts once it is synced. Nothing is ever refused for its content.

use super::split::there;
use super::{Asked, Found, Proof, Receipt, Sink, receipts};
use crate::base::lifecycle::State;
use crate::base::record::{DocKey, Document, Outcome, Reason};
use crate::base::value::Digest;
use crate::base::{Error, Result};
use chrono::Utc;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A file that documents are appended to.
pub struct FileSink {
    target: String,
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    index: Mutex<Option<Index>>,
}

/// What the file holds up to `length`.
struct Index {
    file: File,
    length: u64,
    digests: HashMap<Box<str>, Digest>,
}

/// The head of a line; the document itself is skipped.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "_key", borrow)]
    key: Cow<'a, str>,
    #[serde(rename = "_digest")]
    digest: &'a str,
}

impl FileSink {
    /// Touches nothing yet; the file is opened (and, if missing, made) at first use.
    pub fn open(path: &Path, target_id: Option<String>) -> Result<Self> {
        let path = std::path::absolute(path).map_err(|e| Error::io(path, &e))?;
        let target = target_id.unwrap_or_else(|| format!("file:{}", path.display()));
        Ok(Self { target, inner: Arc::new(Inner { path, index: Mutex::new(None) }) })
    }

    /// Runs `work` on the locked and up-to-date file, away from the async threads.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path, &mut Index) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut slot = inner.index.lock().unwrap_or_else(PoisonError::into_inner);
            let mut index = match slot.take() {
                Some(index) => index,
                None => Index::open(&inner.path)?,
            };
            index.file.lock().map_err(|e| Error::io(&inner.path, &e))?;
            let result = index.read_on(&inner.path).and_then(|()| work(&inner.path, &mut index));
            let unlocked = index.file.unlock().map_err(|e| Error::io(&inner.path, &e));
            // After an error the file is read again from its beginning.
            *slot = (result.is_ok() && unlocked.is_ok()).then_some(index);
            result
        });
        task.await.map_err(|e| Error::bug(format!("the file thread ended: {e}")))?
    }
}

#[async_trait::async_trait]
impl Sink for FileSink {
    fn target(&self) -> &str {
        &self.target
    }

    async fn check(&self) -> Result<()> {
        self.with(|_, _| Ok(())).await
    }

    async fn find(&self, asked: &[Asked<'_>]) -> Result<Vec<Found>> {
        let keys: Vec<DocKey> = asked.iter().map(|a| a.key.clone()).collect();
        let look = |index: &Index, key: &DocKey| match index.digests.get(key.as_str()) {
            None => Found::Missing,
            Some(digest) => Found::There { remote: None, state: State::Present, proof: Proof::Digest(*digest) },
        };
        self.with(move |_, index| Ok(keys.iter().map(|key| look(index, key)).collect())).await
    }

    async fn send(&self, batch: &[Document]) -> Result<Vec<Receipt>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let (documents, sent_at) = (batch.to_vec(), Utc::now());
        let outcomes = self.with(move |path, index| index.append(path, &documents)).await?;
        Ok(receipts(batch, outcomes, sent_at, line))
    }

    fn refuses_doubles(&self) -> bool {
        true
    }
}

fn line(document: &Document) -> String {
    let mut text = String::from("{\"_key\":");
    crate::base::value::Value::text(document.key.as_str()).write_json(&mut text, false);
    text.push_str(&format!(",\"_digest\":\"{}\",\"document\":", hex::encode(document.digest)));
    document.body.write_json(&mut text, true);
    text.push('}');
    text
}

impl Index {
    fn open(path: &Path) -> Result<Self> {
        let failed = |e| Error::io(path, &e);
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        // The name must survive a crash as well as the lines.
        if let Some(folder) = path.parent() {
            File::open(folder).and_then(|f| f.sync_all()).map_err(failed)?;
        }
        Ok(Self { file, length: 0, digests: HashMap::new() })
    }

    /// Reads what was appended since; under the lock, so a line without end is torn and not being written.
    fn read_on(&mut self, path: &Path) -> Result<()> {
        let failed = |e| Error::io(path, &e);
        let end = self.file.metadata().map_err(failed)?.len();
        if end < self.length {
            return Err(Error::conflict(format!("{} became shorter while it was in use", path.display()))
                .hint("let no other program change this file"));
        }
        if end == self.length {
            return Ok(());
        }
        let mut reader = BufReader::new(&self.file);
        reader.seek(SeekFrom::Start(self.length)).map_err(failed)?;
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = reader.read_until(b'\n', &mut text).map_err(failed)?;
            if text.last() != Some(&b'\n') {
                break;
            }
            let (key, digest) = head(&text).ok_or_else(|| {
                Error::conflict(format!("{}: the line at byte {} is not one of ours", path.display(), self.length))
                    .hint("name another file, or repair the line")
            })?;
            self.digests.insert(key, digest);
            self.length += read as u64;
        }
        if self.length < end {
            self.file.set_len(self.length).and_then(|()| self.file.sync_all()).map_err(failed)?;
        }
        Ok(())
    }

    fn append(&mut self, path: &Path, batch: &[Document]) -> Result<Vec<Outcome>> {
        let mut text = String::new();
        let mut fresh: HashMap<Box<str>, Digest> = HashMap::new();
        let mut outcomes = Vec::with_capacity(batch.len());
        for document in batch {
            let key = document.key.as_str();
            if let Some(digest) = self.digests.get(key).or_else(|| fresh.get(key)) {
                outcomes.push(there(*digest == document.digest, None));
                continue;
            }
            text.push_str(&line(document));
            text.push('\n');
            fresh.insert(key.into(), document.digest);
            outcomes.push(Outcome::Accepted { remote: None });
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What was written is taken back; where that fails too, nobody knows until the file is read again.
            return match self.file.set_len(self.length).and_then(|()| self.file.sync_all()) {
                Ok(()) => Err(Error::io(path, &error)),
                Err(_) => Ok(vec![Outcome::Unknown { reason: Reason::new("io", error.to_string()) }; batch.len()]),
            };
        }
        self.length += text.len() as u64;
        self.digests.extend(fresh);
        Ok(outcomes)
    }
}

fn head(line: &[u8]) -> Option<(Box<str>, Digest)> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let mut digest = [0; 17];
    hex::decode_to_slice(line.digest, &mut digest).ok()?;
    Some((line.key.into(), digest))
}
