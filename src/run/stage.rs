//! Staging: slices are planned, pulled, written and sealed, one after the other.
//!
//! Takes what to pull, gives sealed slices. A slice is committed whole or not at all; an unstable one is pulled again, then
//! halved. Never seals a window that reaches beyond the vendor's own clock.

use crate::base::clock::{WALL_FORMAT, Wall, parse_wall, wall};
use crate::base::record::{Page, SliceNo};
use crate::base::retry::RetryPolicy;
use crate::base::{Error, Kind, Result};
use crate::run::plan::SourceEnd;
use crate::run::report::{FieldRemark, Staged};
use crate::run::{Context, Event, Pull, stamp};
use crate::source::driver::{self, Completeness, Pulled, drive};
use crate::source::slices::{self, Coverage, Interval};
use crate::source::{Ask, AskKind, Axis};
use crate::staging::{SliceWriter, StagedSlice, TwinSet};
use crate::state::slices::{SealedSlice, SliceAsk, SliceRow, SourceId};
use chrono::{DateTime, Duration, Utc};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Pages that wait for the writer: enough to keep both busy, no more.
const PAGES_AHEAD: usize = 2;
/// Pulls of one window before it is halved.
const PULLS_BEFORE_SPLIT: u32 = 2;
/// No vendor answers a clock that is further off.
const SKEW_MINUTES: i64 = 15;
/// Rounds of catching up after a history on modified time.
const CATCH_UP_ROUNDS: u32 = 10;

/// Pulls and seals; what was sealed before an error stays sealed and is counted.
pub async fn stage(context: &mut Context<'_>, pull: &Pull, staged: &mut Staged) -> Result<()> {
    let end = context.plan.source()?;
    let table = context.plan.def.name().to_string();
    let account = end.source.account();
    let known_before = context.store.account_is_known(&account, &table)?;
    let (id, is_new) = context.store.source(&account, &table, &end.source.fingerprint())?;
    if is_new && known_before {
        context.progress.hear(Event::Note(
            "the source's parameters or fields changed: what was covered under the old ones does not count for the new"
                .into(),
        ));
    }
    let mut stager = Stager { context, end, id, vendor_ahead: Duration::zero(), staged };
    match pull {
        Pull::Incremental { from } => stager.incremental(*from).await,
        Pull::History { from, to } => stager.history(*from, *to).await,
        Pull::Adhoc { set } => stager.pull_all(vec![Ask { kind: AskKind::Adhoc, set: set.clone() }]).await,
    }
}

struct Stager<'a, 'c> {
    context: &'a mut Context<'c>,
    end: SourceEnd,
    id: SourceId,
    /// The vendor's clock minus ours, as last seen.
    vendor_ahead: Duration,
    staged: &'a mut Staged,
}

impl Stager<'_, '_> {
    async fn incremental(&mut self, from: Option<Wall>) -> Result<()> {
        let coverage = self.coverage(&Axis::Modified)?;
        let window = &self.context.plan.pipeline.source.window;
        let max = self.end.source.max_window();
        let from = match from {
            None if coverage.intervals().is_empty() && window.start.is_none() => self.since_campaign()?,
            from => from,
        };
        let plan = slices::plan_incremental(&coverage, window, max, self.vendor_now(), from)?;
        self.pull_all(plan.asks).await
    }

    /// After a history on a time that stands still, the first incremental run takes up what was modified since it began.
    fn since_campaign(&self) -> Result<Option<Wall>> {
        let Some(started) = self.context.store.campaign_started(self.id)? else { return Ok(None) };
        let overlap = Duration::from_std(self.context.plan.pipeline.source.window.overlap).unwrap_or(Duration::zero());
        let from = self.wall_of_run(&started)? - overlap;
        self.context.progress.hear(Event::Note(format!("continuing from the beginning of the history: {from}")));
        Ok(Some(from))
    }

    /// A time of the state store on the vendor's clock, early enough whatever skew the vendor let pass.
    fn wall_of_run(&self, stamp: &str) -> Result<Wall> {
        let at = DateTime::parse_from_rfc3339(stamp)
            .map_err(|e| Error::bug(format!("a time of the state store is none ({stamp}): {e}")))?;
        Ok(wall(at.to_utc()) - Duration::minutes(SKEW_MINUTES))
    }

    async fn history(&mut self, from: Wall, to: Wall) -> Result<()> {
        let began = wall(self.vendor_now());
        let source = &self.context.plan.pipeline.source;
        if to > began {
            self.context.progress.hear(Event::Note(format!(
                "the range ends at {to}, the vendor's clock says {}: run the same command again when that time has come",
                began.format(WALL_FORMAT)
            )));
        }
        let range = Interval::new(from, to)?;
        let max = self.end.source.max_window();
        let asks = slices::plan_history(range, &source.window, max, source.history.as_ref(), self.vendor_now())?;
        let asks = self.not_covered(asks)?;
        let on_modified = source.history.is_none();
        self.pull_all(asks).await?;
        if on_modified { self.catch_up(range).await } else { Ok(()) }
    }

    /// Ends a campaign on modified time, whichever of its runs began it: everything modified since then is fetched too.
    async fn catch_up(&mut self, range: Interval) -> Result<()> {
        let text = |w: Wall| w.format(WALL_FORMAT).to_string();
        let name = axis_name(&Axis::Modified);
        let sealed = self.context.store.sealed_within(self.id, &name, &text(range.from), &text(range.to))?;
        let Some((began, last_sealed)) = sealed else { return Ok(()) };
        let (began, last_sealed) = (self.wall_of_run(&began)?, self.wall_of_run(&last_sealed)?);
        let overlap = Duration::from_std(self.context.plan.pipeline.source.window.overlap).unwrap_or(Duration::zero());
        if last_sealed <= began || self.coverage(&Axis::Modified)?.covers(Interval::new(began - overlap, last_sealed)?)
        {
            return Ok(());
        }
        // Records that were modified meanwhile have left their slice: fetch them where they went, until nothing new comes.
        for _ in 0..CATCH_UP_ROUNDS {
            let before = self.staged.staged;
            let window = &self.context.plan.pipeline.source.window;
            let asks = slices::catch_up(began, window, self.end.source.max_window(), self.vendor_now())?;
            let asks = self.not_covered(asks)?;
            self.pull_all(asks).await?;
            if self.staged.staged == before {
                return Ok(());
            }
        }
        Err(Error::unavailable(format!("records were still changing after {CATCH_UP_ROUNDS} rounds of catching up"))
            .hint("run the same command again at a quieter time: what was staged stays staged"))
    }

    async fn pull_all(&mut self, asks: Vec<Ask>) -> Result<()> {
        let of = asks.len();
        let mut todo: Vec<(usize, Ask)> = asks.into_iter().enumerate().collect();
        todo.reverse();
        while let Some((number, ask)) = todo.pop() {
            if self.context.stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
            self.context.progress.hear(Event::Slice { number: number + 1, of, label: label(&ask) });
            if let Some((first, second)) = self.pull_one(&ask).await? {
                todo.extend([(number, second), (number, first)]);
            }
        }
        Ok(())
    }

    /// Pulls and seals one slice, or gives two halves to be pulled in its place.
    async fn pull_one(&mut self, ask: &Ask) -> Result<Option<(Ask, Ask)>> {
        let mut last = None;
        for _ in 0..PULLS_BEFORE_SPLIT {
            let Some(ask) = self.not_beyond_the_vendors_now(ask) else {
                // The plan was made by our clock; the vendor's has not come this far. A later run asks.
                return Ok(None);
            };
            match self.attempt(&ask).await? {
                Attempt::Sealed => return Ok(None),
                Attempt::Unstable { why } => last = Some(why),
                // The vendor's clock is behind what we took it for; now we know, and the window ends earlier.
                Attempt::TooEarly => {}
            }
        }
        let Some(why) = last else {
            return Err(Error::unavailable("the vendor's clock jumps back while it is asked")
                .hint("compare this machine's clock with the vendor's, then run the same command again"));
        };
        let halves = slices::split(ask).ok_or_else(|| {
            Error::unavailable(format!("{}: {why}", label(ask)))
                .hint("records move while they are paged; run the same command again at a quieter time")
        })?;
        Ok(Some(halves))
    }

    async fn attempt(&mut self, ask: &Ask) -> Result<Attempt> {
        let plan = self.context.plan;
        let slice = self.context.store.open_slice(self.id, self.context.run, &slice_ask(ask))?;
        let source = &plan.pipeline.source;
        let dir = plan.workspace.staging(plan.def.name());
        let twins = self.twins(ask)?;
        let writer = SliceWriter::create(&dir, &plan.def, &source.key, &source.version, slice, &source.drop, twins)?;
        let began = Instant::now();
        let (writer, pulled) = self.pull_into(ask, writer).await?;
        if let Some(vendor) = pulled.vendor_clock {
            self.vendor_ahead = vendor - self.context.clock.now();
            let at_first_page = wall(vendor) - Duration::from_std(began.elapsed()).unwrap_or(Duration::zero());
            let settled = at_first_page - Duration::from_std(source.window.settle).unwrap_or(Duration::zero());
            if window_end(ask).is_some_and(|to| to > settled + Duration::seconds(1)) {
                return Ok(Attempt::TooEarly);
            }
        }
        if let Completeness::Unstable { why } = pulled.completeness() {
            return Ok(Attempt::Unstable { why });
        }
        let file = tokio::task::spawn_blocking(move || writer.finish()).await.map_err(crashed)??;
        self.seal(slice, &pulled, file)?;
        Ok(Attempt::Sealed)
    }

    /// Pages go through a bounded channel to a writer on a thread of its own; both end before this returns.
    async fn pull_into(&self, ask: &Ask, mut writer: SliceWriter) -> Result<(SliceWriter, Pulled)> {
        let (sender, mut pages) = tokio::sync::mpsc::channel::<Page>(PAGES_AHEAD);
        let writing = tokio::task::spawn_blocking(move || {
            while let Some(page) = pages.blocking_recv() {
                writer.write_page(&page)?;
            }
            Ok::<_, Error>(writer)
        });
        let mut pull = self.end.source.pull(ask)?;
        let progress = self.context.progress;
        let tell = |event| match event {
            driver::Event::Request { .. } => {}
            driver::Event::Retry { wait, why } => progress.hear(Event::Retry { wait, why }),
            driver::Event::Page { records, bytes } => progress.hear(Event::Page { records, bytes }),
        };
        let retry = RetryPolicy::default();
        let (transport, budget, clock) = (&*self.end.transport, &self.end.budget, self.context.clock);
        let driving = drive(&mut *pull, transport, budget, retry, clock, sender, &tell);
        let stop = self.context.stop;
        let pulled = tokio::select! {
            pulled = driving => pulled,
            () = until_stopped(stop) => Err(stopped()),
        };
        let written = writing.await.map_err(crashed)?;
        // The writer's error is the cause; the driver then only saw that nobody takes pages any more.
        let writer = written.map_err(|e| e.context(label(ask)))?;
        Ok((writer, pulled.map_err(|e| e.context(label(ask)))?))
    }

    fn seal(&mut self, slice: SliceNo, pulled: &Pulled, file: StagedSlice) -> Result<()> {
        let misfits = remarks(&file.misfits);
        let drift = remarks(&file.drift);
        let seal = SealedSlice {
            file: file.path,
            ddl_digest: self.context.plan.def.digest().to_string(),
            checksum: file.checksum,
            pages: u64::from(pulled.pages),
            fetched: pulled.records,
            staged: u64::from(file.rows),
            duplicates: file.duplicates,
            announced: pulled.announced_total,
            digest: format!("{:032x}", pulled.digest),
            remarks: serde_json::json!({ "misfits": misfits, "drift": drift }).to_string(),
        };
        self.context.store.seal_slice(slice, &seal, &stamp(self.context.clock.now()))?;
        self.context.progress.hear(Event::Sealed { staged: seal.staged, duplicates: seal.duplicates });
        self.staged.add(slice, &seal, misfits, drift, file.bytes);
        Ok(())
    }

    /// Rows that stand already in slices this one touches: shared edges, overlap, the other table switch.
    fn twins(&self, ask: &Ask) -> Result<TwinSet> {
        let AskKind::Window { from, to, axis } = &ask.kind else { return Ok(TwinSet::default()) };
        let family = axis_family(axis);
        let touches = |row: &SliceRow| {
            let Some(sealed) = interval(row) else { return false };
            row.ask.axis.split('/').next() == Some(family) && sealed.from <= *to && *from <= sealed.to
        };
        let rows = self.context.store.slices_of(self.id)?;
        let files: Vec<_> = rows.iter().filter(|row| touches(row)).map(|r| self.context.plan.slice_path(r)).collect();
        TwinSet::load(&files)
    }

    fn coverage(&self, axis: &Axis) -> Result<Coverage> {
        let windows = self.context.store.sealed_windows(self.id, &axis_name(axis))?;
        Ok(windows.iter().filter_map(|(from, to)| Interval::new(parse_wall(from)?, parse_wall(to)?).ok()).collect())
    }

    /// A campaign that is taken up again pulls only what is not sealed yet.
    fn not_covered(&self, asks: Vec<Ask>) -> Result<Vec<Ask>> {
        let mut open = Vec::new();
        for ask in asks {
            let covered = match &ask.kind {
                AskKind::Window { from, to, axis } => self.coverage(axis)?.covers(Interval::new(*from, *to)?),
                AskKind::Adhoc => false,
            };
            if !covered {
                open.push(ask);
            }
        }
        Ok(open)
    }

    fn vendor_now(&self) -> DateTime<Utc> {
        self.context.clock.now() + self.vendor_ahead
    }

    /// The ask as far as the vendor's clock has come; `None` when it has not come to its begin.
    fn not_beyond_the_vendors_now(&self, ask: &Ask) -> Option<Ask> {
        let settle = self.context.plan.pipeline.source.window.settle;
        let current = slices::current_time(self.vendor_now(), settle);
        match &ask.kind {
            AskKind::Window { from, .. } if *from > current => None,
            AskKind::Window { from, to, axis } if *to > current => {
                let kind = AskKind::Window { from: *from, to: current, axis: axis.clone() };
                Some(Ask { kind, set: ask.set.clone() })
            }
            _ => Some(ask.clone()),
        }
    }
}

enum Attempt {
    Sealed,
    Unstable { why: String },
    TooEarly,
}

/// Returns when somebody asked the run to stop.
async fn until_stopped(stop: &std::sync::atomic::AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

fn stopped() -> Error {
    Error::new(Kind::Stopped, "stopped while staging; sealed slices stay sealed")
        .hint("the same command goes on where this one stopped")
}

fn crashed(error: tokio::task::JoinError) -> Error {
    Error::bug(format!("the staging writer ended abnormally: {error}"))
}

fn remarks(counts: &[crate::staging::FieldCount]) -> Vec<FieldRemark> {
    counts.iter().map(|c| FieldRemark { field: c.path.clone(), count: c.count, sample: c.sample.clone() }).collect()
}

/// The axis as the state store writes it: `modified`, `created/1`.
pub fn axis_name(axis: &Axis) -> String {
    match axis {
        Axis::Modified => "modified".into(),
        Axis::Stable { name, table_switch: None } => name.clone(),
        Axis::Stable { name, table_switch: Some(switch) } => format!("{name}/{switch}"),
    }
}

fn axis_family(axis: &Axis) -> &str {
    match axis {
        Axis::Modified => "modified",
        Axis::Stable { name, .. } => name,
    }
}

fn interval(row: &SliceRow) -> Option<Interval> {
    let (from, to) = row.ask.window.as_ref()?;
    Interval::new(parse_wall(from)?, parse_wall(to)?).ok()
}

fn window_end(ask: &Ask) -> Option<Wall> {
    match ask.kind {
        AskKind::Window { to, .. } => Some(to),
        AskKind::Adhoc => None,
    }
}

fn slice_ask(ask: &Ask) -> SliceAsk {
    let asked = ask.set.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(" ");
    match &ask.kind {
        AskKind::Window { from, to, axis } => {
            let text = |w: &Wall| w.format(WALL_FORMAT).to_string();
            SliceAsk { axis: axis_name(axis), window: Some((text(from), text(to))), asked }
        }
        AskKind::Adhoc => SliceAsk { axis: "adhoc".into(), window: None, asked },
    }
}

/// What a slice asks for, for people.
fn label(ask: &Ask) -> String {
    match slice_ask(ask) {
        SliceAsk { axis, window: Some((from, to)), .. } => format!("{axis} {from} .. {to}"),
        SliceAsk { asked, .. } => format!("ad hoc {asked}"),
    }
}
