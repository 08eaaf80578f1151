//! The delivery loop: journal, act, settle. It moves documents along the lifecycle and knows no target.
//!
//! Takes chunks of mapped rows, asks the ledger what each document is to its target, commits the intent, sends, keeps request
//! and answer, commits the outcome. Never sends what may be there without asking, never drops a document, never detaches a task.
//!
//! Sends, questions and finishes are tasks beside each other ([`calls`]). A document whose answer was lost waits among the
//! doubtful ([`doubt`]) for `in_doubt_wait`, while the others go on, and is asked about; what is not there then is asked about
//! once more, and only then sent again. What is there without being through is finished, never stored anew.

mod admit;
mod books;
mod calls;
mod doubt;
mod leftovers;
mod parcel;
mod settle;
#[cfg(test)]
mod tests;

use crate::base::lifecycle::Tally;
use crate::base::record::{Mapped, Rid};
use crate::base::{Error, Result};
use crate::exchange::ExchangeWriter;
use crate::sink::Sink;
use crate::state::Store;
use crate::state::ledger::TargetId;
use books::Books;
use calls::Returned;
use doubt::{Doubts, MAX_DOUBTS};
pub use leftovers::{Settled, settle_leftovers};
use parcel::{Batch, Parcel};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The loop looks up this often although nothing came back: for a stop, for its books, for its sign of life.
const TICK: Duration = Duration::from_millis(200);

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
    /// How long a lost request may still be running at the other side. Not waited for where the target refuses doubles.
    pub in_doubt_wait: Duration,
    /// Send rejected documents again although nothing about them changed.
    pub retry: bool,
    /// Stop after this many documents were put on the way: asked about or sent.
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
    /// Calls to the target: they are numbered in the exchange record.
    pub calls: i64,
    /// False when a limit, a stop or an error ended the loop before all chunks were through.
    pub complete: bool,
    /// Why it ended early, when the other side was the reason.
    pub failure: Option<Error>,
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
    /// To be sent, in this order; nothing of it is in the journal yet.
    ready: VecDeque<Batch>,
    /// To be asked about.
    doubts: Doubts,
    /// To be finished.
    behind: VecDeque<Parcel>,
    /// As they stand: the loop is about to end.
    held: Vec<Parcel>,
    calls: JoinSet<Returned>,
    on_the_way: u64,
    /// More chunks may come.
    open: bool,
    /// Batches in a row of which nothing is known of any document.
    fruitless: u32,
    /// The target has said of at least one document in this run what became of it.
    has_answered: bool,
    /// Nothing was ever delivered to this target from here: ask before the first send.
    find_first: bool,
    /// The target may store a document twice: what is in doubt is waited for.
    patient: bool,
    done: Delivered,
}

impl<'a> Loop<'a> {
    fn new(ends: Ends<'a>, delivery: &'a Delivery, options: &'a Options) -> Result<Self> {
        let Ends { sink, store, exchange } = ends;
        let patient = !sink.refuses_doubles();
        // A canary must not hide that the workspace is new: what a lost one has sent is known after a whole delivery only.
        let find_first =
            if patient { !store.was_delivered_to(delivery.target)? } else { store.ledger_is_empty(delivery.target)? };
        let books = Books::new(store, exchange, delivery, sink.target(), options.in_doubt_wait);
        Ok(Self {
            sink,
            books,
            options,
            ready: VecDeque::new(),
            doubts: Doubts::default(),
            behind: VecDeque::new(),
            held: Vec::new(),
            calls: JoinSet::new(),
            on_the_way: 0,
            open: true,
            fruitless: 0,
            has_answered: false,
            find_first,
            patient,
            done: Delivered::default(),
        })
    }

    async fn run(
        &mut self,
        chunks: &mut Receiver<Chunk>,
        stop: &AtomicBool,
        progress: &(dyn Fn(&Delivered) + Send + Sync),
    ) -> Result<()> {
        let mut cut = false;
        while self.open || self.has_work() {
            if stop.load(Ordering::Relaxed) || self.done.failure.is_some() {
                return Ok(());
            }
            self.books.sign_of_life()?;
            self.start_calls()?;
            let (room, pause) = (self.open && self.has_room(), self.pause());
            tokio::select! {
                biased;
                Some(returned) = self.calls.join_next(), if !self.calls.is_empty() => self.take(returned)?,
                chunk = chunks.recv(), if room => match chunk {
                    Some(chunk) => {
                        cut = self.admit(chunk)? == Admitted::LimitReached;
                        self.open = !cut;
                    }
                    None => self.open = false,
                },
                () = tokio::time::sleep(pause) => {}
            }
            self.books.flush_if_due()?;
            progress(&self.done);
        }
        self.done.complete = !cut;
        Ok(())
    }

    fn has_work(&self) -> bool {
        !self.calls.is_empty() || !self.ready.is_empty() || !self.behind.is_empty() || self.doubts.len() > 0
    }

    /// May another chunk be admitted?
    fn has_room(&self) -> bool {
        self.ready.len() < self.options.in_flight && self.doubts.len() < MAX_DOUBTS
    }

    /// How long nothing need be done if nothing comes.
    fn pause(&self) -> Duration {
        match self.doubts.next_due() {
            Some(due) if self.calls.len() < self.options.in_flight => {
                TICK.min(due.saturating_duration_since(Instant::now()))
            }
            _ => TICK,
        }
    }

    /// Waits for what is in flight, holds what is not through, commits everything.
    async fn drain(&mut self) -> Result<()> {
        while !self.calls.is_empty() {
            // A sink may go on sending for long. What cannot be signed for must not: an error here ends the calls.
            self.books.sign_of_life()?;
            tokio::select! {
                biased;
                Some(returned) = self.calls.join_next() => self.take(returned)?,
                () = tokio::time::sleep(TICK) => {}
            }
            self.books.flush_if_due()?;
        }
        self.hold();
        self.books.flush()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Admitted {
    All,
    LimitReached,
}

fn distinct<'a>(rids: impl Iterator<Item = &'a Rid>) -> u64 {
    let mut rids: Vec<Rid> = rids.copied().collect();
    rids.sort_unstable();
    rids.dedup();
    rids.len() as u64
}
