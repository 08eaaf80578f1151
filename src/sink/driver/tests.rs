//! The delivery loop against a target that loses replies, refuses documents and goes away.

use super::*;
use crate::base::record::DocKey;
use crate::base::value::{Digest, Object, Value, digest};
use crate::exchange::{files, read_file};
use crate::sink::{Asked, Found, Proof, receipts};
use crate::state::Workspace;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// How the target answers the next sends, first come first served; afterwards it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Well,
    /// Stored, reply lost.
    LostAfter,
    /// Not stored, reply lost.
    LostBefore,
    Gone,
}

#[derive(Default)]
struct Shelf {
    held: Mutex<BTreeMap<String, (Digest, u32)>>,
    script: Mutex<VecDeque<Answer>>,
    finds: Mutex<u32>,
}

#[async_trait::async_trait]
impl Sink for Shelf {
    fn target(&self) -> &str {
        "shelf:test"
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn find(&self, asked: &[Asked<'_>]) -> Result<Vec<Found>> {
        *self.finds.lock().unwrap() += 1;
        let held = self.held.lock().unwrap();
        let found = |key: &DocKey| match held.get(key.as_str()) {
            None => Found::Missing,
            Some((digest, _)) => {
                Found::There { remote: Some("r".into()), state: State::Present, proof: Proof::Digest(*digest) }
            }
        };
        Ok(asked.iter().map(|a| found(a.key)).collect())
    }

    async fn send(&self, batch: &[Document]) -> Result<Vec<Receipt>> {
        let sent_at = chrono::Utc::now();
        let answer = self.script.lock().unwrap().pop_front().unwrap_or(Answer::Well);
        if answer == Answer::Gone {
            return Err(Error::unavailable("connection refused"));
        }
        let mut outcomes = Vec::new();
        for document in batch {
            if document.key.as_str().starts_with("BAD") {
                outcomes.push(Outcome::Rejected { reason: Reason::new("1406", "too long"), remote: None });
                continue;
            }
            if answer != Answer::LostBefore {
                let mut held = self.held.lock().unwrap();
                held.entry(document.key.to_string()).or_insert((document.digest, 0)).1 += 1;
            }
            outcomes.push(match answer {
                Answer::Well => Outcome::Accepted { remote: Some("r".into()) },
                _ => Outcome::Unknown { reason: Reason::new("reply", "lost") },
            });
        }
        Ok(receipts(self, batch, outcomes, sent_at))
    }

    fn refuses_doubles(&self) -> bool {
        false
    }

    fn describe(&self, document: &Document) -> String {
        Value::Object(document.body.clone()).to_json(true)
    }
}

fn document(key: &str, row: u32, value: i64) -> Document {
    let body = Object::from_pairs([("value", Value::Int(value))]);
    let rids = vec![Rid::new(1, row)];
    Document { key: DocKey::new(key).unwrap(), digest: digest(&body), version: Some(value), rids, body }
}

struct Bench {
    _dir: tempfile::TempDir,
    workspace: Workspace,
    shelf: Arc<Shelf>,
}

impl Bench {
    fn new(script: &[Answer]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(dir.path());
        let shelf = Shelf { script: Mutex::new(script.iter().copied().collect()), ..Shelf::default() };
        Self { _dir: dir, workspace, shelf: Arc::new(shelf) }
    }

    async fn deliver(&self, documents: Vec<Document>, limit: Option<u64>, retry: bool) -> (Delivered, Tally) {
        let mut store = Store::open(&self.workspace).unwrap();
        let run = store.begin_run("p", "run p", "now").unwrap();
        let target = store.target(self.shelf.target()).unwrap();
        let delivery = Delivery { pipeline: "p".into(), run, target, mapping: 1 };
        self.workspace.make(&self.workspace.exchange()).unwrap();
        let mut exchange = ExchangeWriter::new(&self.workspace.exchange(), run);
        let options = Options { batch_docs: 3, in_flight: 2, in_doubt_wait: Duration::from_millis(1), retry, limit };
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        let rows = documents.len() as u64;
        let items = documents.into_iter().map(Mapped::Document).collect();
        sender.send(Chunk { items, rows, unmapped: Vec::new() }).await.unwrap();
        drop(sender);
        let stop = AtomicBool::new(false);
        let ends = Ends { sink: self.shelf.clone(), store: &mut store, exchange: &mut exchange };
        let done = deliver(ends, &delivery, &options, receiver, &stop, &|_| {}).await.unwrap();
        exchange.finish().unwrap();
        assert_eq!(done.documents, done.states.total(), "the books balance");
        (done, store.tally(target).unwrap())
    }

    fn held(&self) -> usize {
        self.shelf.held.lock().unwrap().len()
    }

    fn doubled(&self) -> usize {
        self.shelf.held.lock().unwrap().values().filter(|(_, times)| *times > 1).count()
    }
}

fn ten() -> Vec<Document> {
    (0..10).map(|n| document(&format!("K{n}"), n, 1)).collect()
}

#[tokio::test]
async fn lost_replies_are_asked_about_and_nothing_is_doubled() {
    let bench = Bench::new(&[Answer::LostAfter, Answer::Well, Answer::LostBefore]);
    let (first, ledger) = bench.deliver(ten(), None, false).await;
    assert!(first.complete);
    assert_eq!((first.states.get(State::Accepted), first.states.get(State::Unknown)), (4, 6));
    assert_eq!(ledger.get(State::Unknown), 6);
    let (second, ledger) = bench.deliver(ten(), None, false).await;
    let count = |state| second.states.get(state);
    assert_eq!((count(State::Unchanged), count(State::Present), count(State::Accepted)), (4, 3, 3));
    assert_eq!((ledger.total(), ledger.get(State::Unknown)), (10, 0));
    assert_eq!((bench.held(), bench.doubled()), (10, 0));
    let (third, _) = bench.deliver(ten(), None, false).await;
    assert_eq!(third.states.get(State::Unchanged), 10);
}

#[tokio::test]
async fn a_lost_workspace_asks_first_and_doubles_nothing() {
    let bench = Bench::new(&[]);
    bench.deliver(ten(), None, false).await;
    std::fs::remove_file(bench.workspace.database()).unwrap();
    let (again, ledger) = bench.deliver(ten(), None, false).await;
    assert_eq!((again.states.get(State::Present), ledger.get(State::Present), bench.doubled()), (10, 10, 0));
}

#[tokio::test]
async fn a_target_that_goes_away_leaves_every_document_accounted_for() {
    let bench = Bench::new(&[Answer::Well, Answer::Gone]);
    let (first, ledger) = bench.deliver(ten(), None, false).await;
    assert!(!first.complete && first.failure.is_some());
    assert_eq!(first.states.total(), 10);
    assert_eq!(ledger.get(State::Intended), 0, "an intent without an outcome is written down as unknown");
    let (second, _) = bench.deliver(ten(), None, false).await;
    assert_eq!(second.states.needing_attention(), 0);
    assert_eq!((bench.held(), bench.doubled()), (10, 0));
}

#[tokio::test]
async fn the_canary_sends_as_many_as_it_was_told() {
    let bench = Bench::new(&[]);
    let (canary, _) = bench.deliver(ten(), Some(5), false).await;
    assert_eq!((canary.states.get(State::Accepted), canary.documents, canary.complete), (5, 5, false));
    assert_eq!((canary.in_scope, canary.mapped_rows), (5, 5));
    let (rest, _) = bench.deliver(ten(), None, false).await;
    assert_eq!((rest.states.get(State::Unchanged), rest.states.get(State::Accepted)), (5, 5));
}

#[tokio::test]
async fn changed_stale_and_rejected_documents_are_not_sent_by_themselves() {
    let bench = Bench::new(&[]);
    let documents = |value| vec![document("K1", 1, value), document("BAD", 2, value)];
    let (first, _) = bench.deliver(documents(5), None, false).await;
    assert_eq!((first.states.get(State::Accepted), first.states.get(State::Rejected)), (1, 1));
    let (same, _) = bench.deliver(documents(5), None, false).await;
    assert_eq!((same.states.get(State::Unchanged), same.states.get(State::Rejected)), (1, 1));
    let (stale, _) = bench.deliver(vec![document("K1", 1, 4)], None, false).await;
    assert_eq!(stale.states.get(State::Stale), 1);
    let (changed, ledger) = bench.deliver(vec![document("K1", 3, 6)], None, false).await;
    assert_eq!((changed.states.get(State::Changed), ledger.get(State::Changed)), (1, 1));
    let (back, ledger) = bench.deliver(vec![document("K1", 4, 5)], None, false).await;
    assert_eq!((back.states.get(State::Unchanged), ledger.get(State::Accepted)), (1, 1));
    let sent = |bench: &Bench| -> usize {
        let files = files(&bench.workspace.exchange()).unwrap();
        files.iter().flat_map(|f| read_file(f)).map(|b| b.unwrap().num_rows()).sum()
    };
    assert_eq!(sent(&bench), 2, "one attempt per document was kept");
    bench.deliver(vec![document("BAD", 2, 5)], None, true).await;
    assert_eq!(sent(&bench), 3, "a retry sends the rejected one again");
}
