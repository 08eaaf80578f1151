//! Mapping and delivery: which rows a run maps, and the two tasks that turn them into documents and send them.
//!
//! Takes staged slices, gives a balance. The slice list is fixed at the start; slices are marked done only when every one of
//! their rows was mapped and every document has a state. Memory is that of a few chunks.

use crate::base::clock::{parse_wall, wall};
use crate::base::lifecycle::State;
use crate::base::record::{DocKey, Mapped, Reason, Rid, SliceNo};
use crate::base::{Error, Fault, Kind, Result};
use crate::config::model::Scope;
use crate::exchange::ExchangeWriter;
use crate::mapping::Mapping;
use crate::run::plan::Plan;
use crate::run::report::Report;
use crate::run::{Context, Event, Select, sinks};
use crate::sink::driver::{self, Chunk, Delivered, Delivery, Ends, Options, Settled};
use crate::sink::{Asked, Found, Sink};
use crate::staging::{self, Newest, RowSet, SliceFile, StagedTables};
use crate::state::ledger::{Entry, TargetId, Write};
use crate::state::slices::SliceRow;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc::Sender;

/// Records mapped at once. Two chunks are under way at a time: one being mapped, one being delivered.
const CHUNK_ROWS: usize = 4096;
/// Settled documents that a target is asked about before a delivery.
const SAMPLE: u32 = 20;

/// Maps and delivers what `select` names.
pub async fn deliver(context: &mut Context<'_>, select: &Select, report: &mut Report) -> Result<()> {
    let mut exchange = ExchangeWriter::new(&context.plan.workspace.exchange(), context.run);
    let delivered = deliver_with(context, select, report, &mut exchange).await;
    let closed = exchange.finish();
    delivered.and(closed)
}

async fn deliver_with(
    context: &mut Context<'_>,
    select: &Select,
    report: &mut Report,
    exchange: &mut ExchangeWriter,
) -> Result<()> {
    let plan = context.plan;
    let sink = sinks::open(plan).map_err(sinks::at_sink)?;
    sink.check().await.map_err(sinks::at_sink)?;
    report.delivered = true;
    report.target = Some(sink.target().to_string());
    let target = context.store.target(sink.target())?;
    still_there(context, &*sink, target).await?;
    let slices = plan_slices(context, select, target)?;
    let files = typed_files(context, &slices.all)?;
    let newest = rows_to_map(context, select, &slices, &files, target)?;
    staging::verify(&files, &newest.rows)?;
    context.progress.hear(Event::Scope { rows: newest.rows.len() as u64 });

    let tables = StagedTables::new(&plan.def, &files, &plan.pipeline.source.key, &plan.pipeline.source.version)?;
    let mapping = prepare(context, &tables).await?;
    let mapping_id = context.store.mapping(&hex::encode(mapping.digest()), &plan.mapping_sql)?;
    let delivery = Delivery { pipeline: plan.pipeline.name.clone(), run: context.run, target, mapping: mapping_id };
    let before = context.store.in_doubt(target)?;
    let producer = Producer::new(plan, mapping, tables, select).beginning_with(&before);
    let (done, produced) = flow(context, &sink, exchange, &delivery, select, newest.rows.clone(), producer).await?;
    enter(report, &done);
    // What was delivered before the mapping failed is in the report; then the failure ends the run.
    let producer = produced?;
    for ((table, key), count) in &producer.mapping.misses().by_value {
        *report.misses.entry(format!("{table}: {key}")).or_default() += count;
    }
    if let Some(error) = &done.failure {
        report.fail(error);
        return Ok(());
    }
    if !done.complete && context.stop.load(Ordering::Relaxed) {
        let stopped = Error::new(Kind::Stopped, "stopped while delivering; what was in flight is on record");
        report.fail(&stopped.hint("the same command goes on where this one stopped"));
        return Ok(());
    }
    report.complete = done.complete;
    if let Some(key) = &select.key {
        return if done.documents > 0 { Ok(()) } else { Err(no_such_document(&plan.pipeline.name, key)) };
    }
    if !done.complete {
        return Ok(());
    }
    // Counted from the staged files, not from what came out of the mapping: a chunk that got lost breaks the balance.
    report.balance.in_scope = newest.rows.len() as u64;
    let Settled { there, missing, open } =
        settle_leftovers(context, &sink, exchange, &delivery, &before, done.calls).await?;
    (report.settled_before, report.open_before) = ((there, missing), open);
    report.withdrawn = withdraw(context, &delivery, &newest.superseded)?;
    context.store.keep_notes_of(&plan.pipeline.name, |rid| !newest.superseded.contains(rid))?;
    context.store.mark_done(&plan.pipeline.name, target, &slices.touched)
}

fn no_such_document(pipeline: &str, key: &str) -> Error {
    Error::usage(format!("no staged record makes a document with the key {key}"))
        .hint(format!("look at the keys with: dukou preview {pipeline}"))
}

/// A target that was dropped or restored from an old backup must not look delivered: some of what the ledger says is there
/// is asked for. If nothing of it is there the run ends; single documents that a person has deleted are told, no more.
async fn still_there(context: &Context<'_>, sink: &dyn Sink, target: TargetId) -> Result<()> {
    let keys = context.store.sample_of_settled(target, SAMPLE)?;
    let keys: Vec<DocKey> = keys.iter().filter_map(|key| DocKey::new(key).ok()).collect();
    let asked: Vec<_> = keys.iter().map(|key| Asked { key, document: None, remote: None }).collect();
    let found = sink.find(&asked).await.map_err(sinks::at_sink)?;
    if let Some(note) = gone(sink.target(), &keys, &found)? {
        context.progress.hear(Event::Note(note));
    }
    Ok(())
}

/// What is to be said of delivered documents that the target was asked for; an error if it has none of them.
fn gone(target: &str, keys: &[DocKey], found: &[Found]) -> Result<Option<String>> {
    let missing = keys.iter().zip(found).filter(|(_, found)| **found == Found::Missing);
    let missing: Vec<&str> = missing.map(|(key, _)| key.as_str()).collect();
    let Some(first) = missing.first() else { return Ok(None) };
    if missing.len() == keys.len() {
        let text = format!("{target}: {first} was delivered, but the target does not know it any more");
        return Err(Error::conflict(text).hint(
            "was the target dropped, emptied or restored? Restore it; or, to deliver everything anew, begin a new workspace \
             with --data",
        ));
    }
    Ok(Some(format!(
        "{target} does not know any more what was delivered as {}; the ledger still says delivered, and it is not sent again by \
         itself (see: dukou trace {first})",
        missing.join(", ")
    )))
}

/// The slices of a run: all that SQL sees, and those whose keys are to be mapped.
pub(super) struct Slices {
    pub(super) all: Vec<SliceRow>,
    touched: Vec<SliceNo>,
}

pub(super) fn plan_slices(context: &mut Context<'_>, select: &Select, target: TargetId) -> Result<Slices> {
    let plan = context.plan;
    let source = plan.source()?.source;
    // Slices that were asked for with other parameters or fields answer another question: they are not this pipeline's.
    let (id, _) = context.store.source(&source.account(), plan.def.name(), &source.fingerprint())?;
    let all = context.store.slices_of(id)?;
    if all.is_empty() {
        context.progress.hear(Event::Note("nothing is staged for this pipeline yet".into()));
    }
    let done = context.store.done_slices(&plan.pipeline.name, Some(target))?;
    let everything = select.remap || select.key.is_some();
    let in_range = |row: &SliceRow| match (select.range, &row.ask.window) {
        (Some((from, to)), Some((a, b))) => parse_wall(a).zip(parse_wall(b)).is_some_and(|(a, b)| a <= to && from <= b),
        (Some(_), None) => false,
        (None, _) => true,
    };
    let wanted = |row: &&SliceRow| (everything || !done.contains(&row.slice)) && in_range(row);
    let touched = all.iter().filter(wanted).map(|row| row.slice).collect();
    Ok(Slices { all, touched })
}

/// The files behind the slices; those typed by another DDL are typed anew from their raw text first.
pub(super) fn typed_files(context: &mut Context<'_>, slices: &[SliceRow]) -> Result<Vec<SliceFile>> {
    let plan = context.plan;
    let mut files = Vec::with_capacity(slices.len());
    for row in slices {
        let mut file = plan.slice_file(row)?;
        if file.ddl_digest != plan.def.digest() {
            let (key, version) = (&plan.pipeline.source.key, &plan.pipeline.source.version);
            let whole: RowSet = (0..file.rows).map(|n| Rid::new(row.slice, n)).collect();
            staging::verify(std::slice::from_ref(&file), &whole)?;
            let typed = staging::retype(&file, &plan.def, key, version)?;
            let remarks = serde_json::json!({ "retyped_from": file.ddl_digest }).to_string();
            context.store.replace_file(row.slice, &typed.path, plan.def.digest(), &typed.checksum, &remarks)?;
            context.progress.hear(Event::Note(format!("slice {} was typed anew: its DDL has changed", row.slice)));
            file.path = plan.workspace.staging(plan.def.name()).join(&typed.path);
            file.ddl_digest = plan.def.digest().to_string();
            file.checksum = typed.checksum;
        }
        files.push(file);
    }
    Ok(files)
}

/// The newest rows of the keys that the run touches, and of documents that are in doubt.
pub(super) fn rows_to_map(
    context: &Context<'_>,
    select: &Select,
    slices: &Slices,
    files: &[SliceFile],
    target: TargetId,
) -> Result<Newest> {
    let source = &context.plan.pipeline.source;
    let mut touched: HashSet<SliceNo> = slices.touched.iter().copied().collect();
    let doubtful = context.store.in_doubt(target)?;
    touched.extend(doubtful.iter().map(|entry| entry.rid.slice()));
    let whole = context.plan.pipeline.mapping.scope == Scope::All || select.key.is_some();
    let mut newest = staging::newest(files, if whole { None } else { Some(&touched) }, &source.key, &source.version)?;
    let aggregates = context.plan.pipeline.mapping.scope == Scope::All;
    if let Some(key) = select.key.as_ref().filter(|_| !aggregates) {
        // Most document keys are the record's key; for others every record is mapped and the one document picked out.
        let named = staging::find_key(files, &source.key, key)?;
        if !named.is_empty() {
            newest.rows = named.into_iter().filter(|rid| newest.rows.contains(*rid)).collect();
        }
    }
    Ok(newest)
}

pub(super) async fn prepare(context: &Context<'_>, tables: &StagedTables) -> Result<Mapping> {
    let plan = context.plan;
    let empty = tables.providers(Some(&RowSet::default()))?;
    let mapping = Mapping::prepare(plan.mapping_spec(wall(context.clock.now())), &empty).await?;
    let faults = sinks::check_statements(&plan.pipeline, mapping.columns());
    if faults.is_empty() { Ok(mapping) } else { Err(Fault::into_error(&faults)) }
}

/// The mapping task: rows in, chunks of documents out.
pub(super) struct Producer {
    mapping: Mapping,
    tables: StagedTables,
    version: String,
    scope: Scope,
    only_key: Option<String>,
    /// Rows to be mapped before all others.
    first: RowSet,
}

impl Producer {
    pub(super) fn new(plan: &Plan, mapping: Mapping, tables: StagedTables, select: &Select) -> Self {
        let version = plan.pipeline.source.version.clone();
        let tables = tables.only(mapping.members());
        let (scope, only_key) = (plan.pipeline.mapping.scope, select.key.clone());
        Self { mapping, tables, version, scope, only_key, first: RowSet::default() }
    }

    /// Finish before you begin: the documents in doubt are made first. One whose record has a newer version by now comes with
    /// that version's row.
    fn beginning_with(mut self, doubtful: &[Entry]) -> Self {
        if self.scope != Scope::All {
            self.first = doubtful.iter().map(|entry| entry.rid).collect();
        }
        self
    }

    /// Records mapped at once; a mapping over all records cannot be cut.
    pub(super) fn chunk_rows(&self, rows: &RowSet) -> usize {
        if self.scope == Scope::All { rows.len().max(1) } else { CHUNK_ROWS }
    }

    async fn produce(mut self, rows: RowSet, chunks: Sender<Chunk>) -> Result<Self> {
        let size = self.chunk_rows(&rows);
        let first: RowSet = self.first.iter().filter(|rid| rows.contains(*rid)).collect();
        let mut rest = rows;
        first.iter().for_each(|rid| {
            rest.remove(rid);
        });
        for part in first.chunks(size).chain(rest.chunks(size)) {
            let chunk = self.map(&part).await?;
            if chunks.send(chunk).await.is_err() {
                // The delivery loop has ended: limit, stop or failure; it says so itself.
                break;
            }
        }
        Ok(self)
    }

    pub(super) async fn map(&mut self, part: &RowSet) -> Result<Chunk> {
        let rids: Vec<Rid> = part.iter().collect();
        let versions = staging::row_versions(self.tables.files(), part, &self.version)?;
        let tables = &self.tables;
        let provide = |rids: &[Rid]| tables.providers(Some(&rids.iter().copied().collect()));
        let mut items = Vec::with_capacity(rids.len());
        let mut take = |item| {
            items.push(item);
            Ok(())
        };
        self.mapping.map_rids(&rids, &provide, &mut take).await?;
        let mut left_out = part.clone();
        for item in &mut items {
            for rid in item.rids() {
                left_out.remove(*rid);
                if !part.contains(*rid) {
                    return Err(Error::config(format!("a document names row {rid}, which is not in this run"))
                        .hint("take _rid from the driving table, or set scope = \"all\" in [mapping]"));
                }
            }
            if let Mapped::Document(document) = item {
                document.version = document.rids.iter().filter_map(|rid| versions.get(rid)).max().copied();
            }
        }
        if let Some(key) = &self.only_key {
            items.retain(|item| has_key(item, key));
            let rows = items.iter().flat_map(|item| item.rids()).collect::<HashSet<_>>().len() as u64;
            return Ok(Chunk { items, rows, unmapped: Vec::new() });
        }
        Ok(Chunk { items, rows: rids.len() as u64, unmapped: left_out.iter().collect() })
    }
}

fn has_key(item: &Mapped, wanted: &str) -> bool {
    match item {
        Mapped::Document(document) => document.key.as_str() == wanted,
        Mapped::Blocked { key, .. } => key.as_deref() == Some(wanted),
    }
}

/// Mapping and delivery side by side, with one chunk between them.
async fn flow(
    context: &mut Context<'_>,
    sink: &Arc<dyn Sink>,
    exchange: &mut ExchangeWriter,
    delivery: &Delivery,
    select: &Select,
    rows: RowSet,
    producer: Producer,
) -> Result<(Delivered, Result<Producer>)> {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut producing = tokio::task::JoinSet::new();
    producing.spawn(producer.produce(rows, sender));
    let sink_options = &context.plan.pipeline.sink;
    let options = Options {
        batch_docs: sink_options.batch_docs,
        in_flight: sink_options.in_flight,
        in_doubt_wait: sink_options.in_doubt_wait,
        retry: select.remap || select.key.is_some(),
        limit: select.limit,
    };
    let progress = context.progress;
    let tell = |done: &Delivered| progress.hear(progress_of(done));
    let ends = Ends { sink: Arc::clone(sink), store: context.store, exchange };
    let done = driver::deliver(ends, delivery, &options, receiver, context.stop, &tell).await;
    let joined = producing.join_next().await;
    let producer = match joined {
        Some(joined) => joined.map_err(|e| Error::bug(format!("the mapping task ended abnormally: {e}")))?,
        None => return Err(Error::bug("the mapping task was lost")),
    };
    Ok((done?, producer))
}

fn progress_of(done: &Delivered) -> Event {
    Event::Delivered {
        rows: done.mapped_rows + done.unmapped,
        documents: done.documents,
        accepted: done.states.get(State::Accepted),
        attention: done.states.needing_attention(),
    }
}

fn enter(report: &mut Report, done: &Delivered) {
    report.balance.in_scope = done.in_scope;
    report.balance.mapped_rows = done.mapped_rows;
    report.balance.unmapped = done.unmapped;
    report.balance.documents = done.documents;
    report.balance.states = done.states.clone();
}

/// Documents in doubt before this run that no record made again: ask what is there.
async fn settle_leftovers(
    context: &mut Context<'_>,
    sink: &Arc<dyn Sink>,
    exchange: &mut ExchangeWriter,
    delivery: &Delivery,
    before: &[Entry],
    calls: i64,
) -> Result<Settled> {
    let earlier: HashSet<&str> = before.iter().map(|entry| entry.key.as_str()).collect();
    let mut left = context.store.in_doubt(delivery.target)?;
    left.retain(|entry| entry.run != delivery.run && earlier.contains(entry.key.as_str()));
    let ends = Ends { sink: Arc::clone(sink), store: context.store, exchange };
    driver::settle_leftovers(ends, delivery, &left, calls).await.map_err(sinks::at_sink)
}

/// Documents whose record makes none any more, in a newer version or by another mapping: they stay in the target and are
/// reported.
fn withdraw(context: &mut Context<'_>, delivery: &Delivery, superseded: &RowSet) -> Result<u64> {
    let mut gone = context.store.delivered_but_left_out(delivery.target, &delivery.pipeline, delivery.run)?;
    if !superseded.is_empty() {
        gone.extend(context.store.delivered_from(delivery.target, |rid| superseded.contains(rid))?);
    }
    gone.sort();
    gone.dedup();
    let reason = || Some(Reason::new("withdrawn", "the newest version of the record makes no document any more"));
    let writes: Vec<Write> = gone
        .into_iter()
        .map(|key| Write::Settle { key, state: State::Withdrawn, remote: None, reason: reason() })
        .collect();
    context.store.record(delivery.target, delivery.mapping, delivery.run, &writes)?;
    Ok(writes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Proof;

    #[test]
    fn one_deleted_document_is_told_and_an_empty_target_ends_the_run() {
        let there = || Found::There { remote: None, state: State::Present, proof: Proof::Unasked };
        let keys: Vec<DocKey> = ["A", "B", "C"].iter().map(|key| DocKey::new(key).expect("a key")).collect();
        assert_eq!(gone("erp", &[], &[]).expect("nothing was delivered yet"), None);
        assert_eq!(gone("erp", &keys, &[there(), there(), there()]).expect("all there"), None);
        let note = gone("erp", &keys, &[there(), Found::Missing, Found::Missing]).expect("no error").expect("a note");
        assert!(note.contains("delivered as B, C;") && note.contains("dukou trace B"), "{note}");
        for count in 1..=3 {
            let found = vec![Found::Missing; count];
            let error = gone("erp", &keys[..count], &found).expect_err("it has nothing");
            assert_eq!(error.kind(), Kind::Conflict);
        }
    }
}
