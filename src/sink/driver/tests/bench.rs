//! One workspace, one played target, and deliveries between them.

use super::erp::{Answer, Erp, Held};
use crate::base::lifecycle::Tally;
use crate::base::record::{DocKey, Document, Mapped, Rid};
use crate::base::value::{Object, Value, digest};
use crate::exchange::{ExchangeWriter, files, read_file};
use crate::sink::Sink as _;
use crate::sink::driver::{Chunk, Delivered, Delivery, Ends, Options, deliver};
use crate::state::ledger::Entry;
use crate::state::{Store, Workspace};
use arrow::array::AsArray as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Poll;
use std::time::Duration;

/// A lost request is over after this; long against what a step of the loop takes.
pub const WAIT: Duration = Duration::from_millis(60);

pub fn document(key: &str, row: u32, value: i64) -> Document {
    let body = Object::from_pairs([("value", Value::Int(value))]);
    let rids = vec![Rid::new(1, row)];
    Document { key: DocKey::new(key).unwrap(), digest: digest(&body), version: Some(value), rids, body }
}

pub fn some(count: u32) -> Vec<Document> {
    (0..count).map(|n| document(&format!("K{n}"), n, 1)).collect()
}

pub struct Bench {
    _dir: tempfile::TempDir,
    pub workspace: Workspace,
    pub erp: Arc<Erp>,
    pub options: Options,
    pub chunk: usize,
    pub stop: AtomicBool,
}

impl Bench {
    pub fn new(script: &[Answer]) -> Self {
        Self::on(Erp::default(), script)
    }

    pub fn on(erp: Erp, script: &[Answer]) -> Self {
        erp.inner.lock().unwrap().script = script.iter().copied().collect();
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(dir.path());
        let options = Options { batch_docs: 3, in_flight: 2, in_doubt_wait: WAIT, retry: false, limit: None };
        Self { _dir: dir, workspace, erp: Arc::new(erp), options, chunk: 7, stop: AtomicBool::new(false) }
    }

    /// Delivers to the end; the books must balance.
    pub async fn deliver(&self, documents: Vec<Document>) -> (Delivered, Tally) {
        self.deliver_until(documents, usize::MAX).await.expect("it comes to its end")
    }

    /// The loop is dropped after so many steps, as a crash would; `None` if it was.
    pub async fn deliver_until(&self, documents: Vec<Document>, steps: usize) -> Option<(Delivered, Tally)> {
        let mut store = Store::open(&self.workspace).unwrap();
        let run = store.begin_run("p", "run p", "now").unwrap();
        let target = store.target(self.erp.target()).unwrap();
        let delivery = Delivery { pipeline: "p".into(), run, target, mapping: 1 };
        self.workspace.make(&self.workspace.exchange()).unwrap();
        let mut exchange = ExchangeWriter::new(&self.workspace.exchange(), run);
        let (sender, receiver) = tokio::sync::mpsc::channel(10_000);
        for documents in documents.chunks(self.chunk) {
            let items: Vec<Mapped> = documents.iter().cloned().map(Mapped::Document).collect();
            let rows = items.len() as u64;
            sender.try_send(Chunk { items, rows, unmapped: Vec::new() }).unwrap();
        }
        drop(sender);
        let ends = Ends { sink: self.erp.clone(), store: &mut store, exchange: &mut exchange };
        let done = {
            let mut loop_ = Box::pin(deliver(ends, &delivery, &self.options, receiver, &self.stop, &|_| {}));
            let mut steps = steps;
            std::future::poll_fn(|context| {
                if steps == 0 {
                    return Poll::Ready(None);
                }
                steps -= 1;
                loop_.as_mut().poll(context).map(Some)
            })
            .await
        };
        let done = done?.unwrap();
        exchange.finish().unwrap();
        assert_eq!(done.documents, done.states.total(), "the books balance");
        assert_eq!(done.in_scope, done.mapped_rows + done.unmapped, "the rows balance");
        Some((done, store.tally(target).unwrap()))
    }

    pub fn held(&self) -> usize {
        self.erp.inner.lock().unwrap().held.len()
    }

    pub fn of(&self, key: &str) -> Held {
        self.erp.inner.lock().unwrap().held[key].clone()
    }

    pub fn doubled(&self) -> usize {
        let mut inner = self.erp.inner.lock().unwrap();
        inner.all_arrive();
        inner.held.values().filter(|held| held.saves > 1).count()
    }

    /// The calls since the last look, of one key if one is named.
    pub fn calls(&self, key: Option<&str>) -> Vec<&'static str> {
        let mut inner = self.erp.inner.lock().unwrap();
        let log = std::mem::take(&mut inner.log);
        let about = |keys: &Vec<String>| key.is_none_or(|key| keys.iter().any(|k| k == key));
        log.into_iter().filter(|(_, keys)| about(keys)).map(|(call, _)| call).collect()
    }

    pub fn entry(&self, key: &str) -> Entry {
        let mut store = Store::open(&self.workspace).unwrap();
        let target = store.target(self.erp.target()).unwrap();
        store.entries(target, [key].into_iter()).unwrap().remove(0).expect("it is in the ledger")
    }

    /// (operation, state) of every recorded exchange of a key, in order.
    pub fn exchanges(&self, key: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for batch in files(&self.workspace.exchange()).unwrap().iter().flat_map(|file| read_file(file)) {
            let batch = batch.unwrap();
            let text = |name: &str, row| batch.column_by_name(name).unwrap().as_string::<i32>().value(row).to_owned();
            let rows = (0..batch.num_rows()).filter(|row| text("key", *row) == key);
            found.extend(rows.map(|row| (text("operation", row), text("state", row))));
        }
        found
    }
}
