//! The delivery loop: journal, act, settle. It moves documents along the lifecycle and knows no target.
//!
//! Takes chunks of mapped rows, asks the ledger what each document is to its target, commits the intent, sends, keeps request
//! and answer, commits the outcome. Never sends what may be there without asking, never drops a document, never detaches a task.

mod admit;
mod books;
#[cfg(test)]
mod tests;

use crate::base::lifecycle::{State, Tally};
use crate::base::record::{Document, Mapped, Outcome, Reason, Rid};
use crate::base::{Error, Kind, Result};
use crate::exchange::ExchangeWriter;
use crate::sink::{Receipt, Sink};
use crate::state::Store;
use crate::state::ledger::TargetId;
use books::Books;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

/// What one mapped chunk of rows hands to the loop.
#[derive(Debug, Default)]
pub struct Chunk {
    pub items: Vec<Mapped>,
    /// Rows in scope that the chunk was mapped from.
    pub rows: u64,
    /// Rows of the chunk that no item names.
    pub unmapped: Vec<Rid>,
}

/// How a delivery is to go; every limit has a default in the pipeline file.
#[derive(Debug, Clone)]
pub struct Options {
    pub batch_docs: usize,
    pub in_flight: usize,
    /// How long a lost request may still be running at the other side.
    pub in_doubt_wait: Duration,
    /// Send rejected documents again although nothing about them changed.
    pub retry: bool,
    /// Stop after this many documents were sent.
    pub limit: Option<u64>,
}

/// Who delivers what to whom; numbers of the state store.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub pipeline: String,
    pub run: i64,
    pub target: TargetId,
    pub mapping: i64,
}

/// What the loop did.
#[derive(Debug, Clone, Default)]
pub struct Delivered {
    pub documents: u64,
    pub states: Tally,
    pub in_scope: u64,
    pub mapped_rows: u64,
    pub unmapped: u64,
    /// False when a limit, a stop or an error ended the loop before all chunks were through.
    pub complete: bool,
    /// Why it ended early, when the other side was the reason.
    pub failure: Option<Error>,
}

/// A batch whose intents are committed.
struct Batch {
    number: i64,
    documents: Vec<Document>,
}

/// A batch that came back.
struct Returned {
    batch: Batch,
    receipts: Result<Vec<Receipt>>,
}

/// What the loop works on.
pub struct Ends<'a> {
    pub sink: Arc<dyn Sink>,
    pub store: &'a mut Store,
    pub exchange: &'a mut ExchangeWriter,
}

/// Delivers until the chunks end, the limit is reached, `stop` is set or the other side is gone.
pub async fn deliver(
    ends: Ends<'_>,
    delivery: &Delivery,
    options: &Options,
    mut chunks: Receiver<Chunk>,
    stop: &AtomicBool,
    progress: &(dyn Fn(&Delivered) + Send + Sync),
) -> Result<Delivered> {
    let mut loop_ = Loop::new(ends, delivery, options)?;
    let result = loop_.run(&mut chunks, stop, progress).await;
    // Whatever ended the loop: what is in flight is awaited and settled before anybody reads the books.
    loop_.drain().await?;
    result?;
    Ok(loop_.done)
}

struct Loop<'a> {
    sink: Arc<dyn Sink>,
    books: Books<'a>,
    options: &'a Options,
    ready: VecDeque<Batch>,
    sends: JoinSet<Returned>,
    next_batch: i64,
    sent: u64,
    /// Nothing was ever delivered to this target from here: ask before the first send.
    find_first: bool,
    done: Delivered,
}

impl<'a> Loop<'a> {
    fn new(ends: Ends<'a>, delivery: &'a Delivery, options: &'a Options) -> Result<Self> {
        let Ends { sink, store, exchange } = ends;
        let find_first = store.ledger_is_empty(delivery.target)?;
        let books = Books::new(store, exchange, delivery, sink.target());
        Ok(Self {
            sink,
            books,
            options,
            ready: VecDeque::new(),
            sends: JoinSet::new(),
            next_batch: 1,
            sent: 0,
            find_first,
            done: Delivered::default(),
        })
    }

    async fn run(
        &mut self,
        chunks: &mut Receiver<Chunk>,
        stop: &AtomicBool,
        progress: &(dyn Fn(&Delivered) + Send + Sync),
    ) -> Result<()> {
        let mut open = true;
        while open || !self.ready.is_empty() || !self.sends.is_empty() {
            if stop.load(Ordering::Relaxed) || self.done.failure.is_some() {
                return Ok(());
            }
            self.start_sends();
            tokio::select! {
                biased;
                Some(returned) = self.sends.join_next(), if !self.sends.is_empty() => self.settle(returned)?,
                chunk = chunks.recv(), if open && self.ready.len() < self.options.in_flight => match chunk {
                    Some(chunk) => {
                        if self.admit(chunk).await? == Admitted::LimitReached {
                            return self.finish_ready().await;
                        }
                    }
                    None => open = false,
                },
            }
            self.books.flush_if_due()?;
            progress(&self.done);
        }
        self.done.complete = true;
        Ok(())
    }

    /// After the limit: sends what was admitted, takes nothing more.
    async fn finish_ready(&mut self) -> Result<()> {
        while !self.ready.is_empty() || !self.sends.is_empty() {
            self.start_sends();
            if let Some(returned) = self.sends.join_next().await {
                self.settle(returned)?;
            }
            if self.done.failure.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn start_sends(&mut self) {
        while self.sends.len() < self.options.in_flight {
            let Some(batch) = self.ready.pop_front() else { return };
            let sink = Arc::clone(&self.sink);
            self.sends.spawn(async move {
                let receipts = sink.send(&batch.documents).await;
                Returned { batch, receipts }
            });
        }
    }

    fn settle(&mut self, joined: Result<Returned, tokio::task::JoinError>) -> Result<()> {
        let returned = joined.map_err(|e| Error::bug(format!("a send ended abnormally: {e}")))?;
        let Returned { batch, receipts } = returned;
        let receipts = match receipts {
            Ok(receipts) if receipts.len() == batch.documents.len() => receipts,
            Ok(receipts) => {
                let (got, sent) = (receipts.len(), batch.documents.len());
                return Err(Error::bug(format!("the sink gave {got} receipts for {sent} documents")));
            }
            Err(error) => {
                let receipts = vec![not_sent(&error); batch.documents.len()];
                self.done.failure.get_or_insert(error);
                receipts
            }
        };
        self.enter(&batch, &receipts);
        Ok(())
    }

    /// Waits for what is in flight, takes back what was never sent, commits everything.
    async fn drain(&mut self) -> Result<()> {
        while let Some(returned) = self.sends.join_next().await {
            self.settle(returned)?;
        }
        let held: Vec<Batch> = self.ready.drain(..).collect();
        for batch in held {
            let stopped = Error::new(Kind::Stopped, "the run ended before this batch was sent");
            let receipts = vec![not_sent(&stopped); batch.documents.len()];
            self.enter(&batch, &receipts);
        }
        self.books.flush()
    }

    fn enter(&mut self, batch: &Batch, receipts: &[Receipt]) {
        receipts.iter().for_each(|receipt| self.done.states.add(receipt.outcome.state(), 1));
        self.books.settle(batch, receipts);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Admitted {
    All,
    LimitReached,
}

/// The intent stands in the journal, so the next run asks before it sends: unknown, although nothing should have arrived.
fn not_sent(error: &Error) -> Receipt {
    let outcome = Outcome::Unknown { reason: Reason::new("not sent", error.to_string()) };
    Receipt { outcome, exchanges: Vec::new() }
}

/// States in which a document leaves the loop without being sent.
fn is_decided(state: State) -> bool {
    !matches!(state, State::Intended | State::Unknown)
}
