//! The report of a run: what was staged, what became of every document, and whether the books balance.
//!
//! Takes counts as they come, gives an exit code and JSON. Never green by accident: what is open, left out or unexplained
//! makes the exit code 1, a broken balance 70.

use crate::base::lifecycle::{Balance, State, Tally, UNDECIDED};
use crate::base::record::SliceNo;
use crate::base::{Error, Kind, Result};
use crate::run::plan::Plan;
use crate::state::Store;
use crate::state::causes::Cause;
use crate::state::ledger::TargetId;
use crate::state::slices::SealedSlice;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Values of one field that did not fit, or a field that is not declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldRemark {
    pub field: String,
    pub count: u64,
    pub sample: String,
}

/// What the staging step did.
#[derive(Debug, Clone, Default)]
pub struct Staged {
    pub slices: Vec<SliceNo>,
    pub pages: u64,
    pub fetched: u64,
    pub staged: u64,
    pub duplicates: u64,
    /// Of the files written.
    pub bytes: u64,
    pub misfits: Vec<FieldRemark>,
    pub drift: Vec<FieldRemark>,
}

impl Staged {
    pub fn add(
        &mut self,
        slice: SliceNo,
        seal: &SealedSlice,
        misfits: Vec<FieldRemark>,
        drift: Vec<FieldRemark>,
        bytes: u64,
    ) {
        self.slices.push(slice);
        self.pages += seal.pages;
        self.fetched += seal.fetched;
        self.staged += seal.staged;
        self.duplicates += seal.duplicates;
        self.bytes += bytes;
        merge(&mut self.misfits, misfits);
        merge(&mut self.drift, drift);
    }
}

fn merge(into: &mut Vec<FieldRemark>, more: Vec<FieldRemark>) {
    for remark in more {
        match into.iter_mut().find(|known| known.field == remark.field) {
            Some(known) => known.count += remark.count,
            None => into.push(remark),
        }
    }
}

/// How a run went.
#[derive(Debug, Clone)]
pub struct Report {
    pub pipeline: String,
    pub run: i64,
    pub command: String,
    pub target: Option<String>,
    pub staged: Staged,
    pub balance: Balance,
    /// Did it deliver, or only stage?
    pub delivered: bool,
    /// False when a limit, a stop or an error ended it early.
    pub complete: bool,
    /// Documents withdrawn: delivered before, not made any more.
    pub withdrawn: u64,
    /// Settled from earlier runs, by asking the target: found there, not there.
    pub settled_before: (u64, u64),
    /// Of the same: there, but not ours, not proven ours or not brought to its end. Listed among the causes.
    pub open_before: u64,
    /// Look-up table and key → how often it was missed.
    pub misses: BTreeMap<String, u64>,
    /// Open documents and rows after this run, by cause.
    pub causes: Vec<Cause>,
    /// All deliveries of the target, of this and earlier runs.
    pub ledger: Tally,
    /// Rows the mapping has left out that still stand.
    pub open_unmapped: u64,
    /// Values of the key or version field that did not fit: which record is the newest is then a guess.
    pub identity_misfits: u64,
    pub failure: Option<Error>,
    pub breaches: Vec<String>,
    pub elapsed: Duration,
    pub exit_code: u8,
}

impl Report {
    pub fn new(plan: &Plan, run: i64, command: &str) -> Self {
        Self {
            pipeline: plan.pipeline.name.clone(),
            run,
            command: command.to_string(),
            target: None,
            staged: Staged::default(),
            balance: Balance::default(),
            delivered: false,
            complete: true,
            withdrawn: 0,
            settled_before: (0, 0),
            open_before: 0,
            misses: BTreeMap::new(),
            causes: Vec::new(),
            ledger: Tally::default(),
            open_unmapped: 0,
            identity_misfits: 0,
            failure: None,
            breaches: Vec::new(),
            elapsed: Duration::ZERO,
            exit_code: 0,
        }
    }

    /// The run ended early, for this reason.
    pub fn fail(&mut self, error: &Error) {
        self.complete = false;
        self.failure.get_or_insert_with(|| error.clone());
    }

    /// Reads what stands open after the run, checks the balance, decides the exit code.
    pub fn close(&mut self, store: &Store, plan: &Plan, elapsed: Duration) -> Result<()> {
        self.elapsed = elapsed;
        if self.delivered {
            let target = self.target.as_deref().map(|t| store.known_target(t)).transpose()?.flatten();
            self.read_open(store, plan, target)?;
        }
        let source = &plan.pipeline.source;
        let identifies = |r: &&FieldRemark| r.field == source.key || r.field == source.version;
        self.identity_misfits = self.staged.misfits.iter().filter(identifies).map(|r| r.count).sum();
        self.breaches = self.balance.breaches();
        self.exit_code = self.decide();
        Ok(())
    }

    /// Like [`close`](Self::close) for a dry run: documents to be sent stay `mapped`, so the sums are checked without that rule.
    pub fn close_dry(&mut self, store: &Store, plan: &Plan, elapsed: Duration) -> Result<()> {
        self.close(store, plan, elapsed)?;
        self.breaches.retain(|breach| !breach.starts_with(UNDECIDED));
        self.exit_code = self.decide();
        Ok(())
    }

    fn read_open(&mut self, store: &Store, plan: &Plan, target: Option<TargetId>) -> Result<()> {
        self.causes = store.causes(target, &plan.pipeline.name)?;
        self.open_unmapped = store.open_rows(&plan.pipeline.name)?.1;
        if let Some(target) = target {
            self.ledger = store.tally(target)?;
        }
        Ok(())
    }

    /// Documents and rows that somebody has to look at, of this run and of earlier ones.
    pub fn open(&self) -> u64 {
        self.causes.iter().map(|c| c.documents).sum::<u64>() + self.open_unmapped
    }

    fn decide(&self) -> u8 {
        if !self.breaches.is_empty() {
            return 70;
        }
        let conflict = self.balance.states.get(State::Conflict) + self.ledger.get(State::Conflict) > 0;
        match &self.failure {
            // Whoever stops a run is told all the same that a person is needed.
            Some(error) if error.kind() == Kind::Stopped && conflict => return 4,
            Some(error) => return error.exit_code(),
            None => {}
        }
        if conflict {
            return 4;
        }
        let attention = self.balance.states.needing_attention() + self.ledger.needing_attention();
        // A look-up without a default that finds nothing leaves a field empty that somebody wanted filled.
        u8::from(attention > 0 || self.open() > 0 || self.identity_misfits > 0 || !self.misses.is_empty())
    }

    /// The report for programs and for the state store.
    pub fn to_json(&self) -> String {
        let tally = |t: &Tally| -> Map<String, Value> {
            t.entries().map(|(state, n)| (state.word().to_string(), json!(n))).collect()
        };
        let b = &self.balance;
        let causes: Vec<Value> = self
            .causes
            .iter()
            .map(|c| {
                json!({ "state": c.state.word(), "code": c.reason.code, "field": c.reason.field, "text": c.reason.text,
                        "examples": c.examples, "documents": c.documents })
            })
            .collect();
        json!({
            "pipeline": self.pipeline, "run": self.run, "command": self.command, "target": self.target,
            "complete": self.complete, "exit_code": self.exit_code, "seconds": self.elapsed.as_secs_f64(),
            "staged": { "slices": self.staged.slices.len(), "pages": self.staged.pages, "bytes": self.staged.bytes,
                        "misfits": self.staged.misfits, "drift": self.staged.drift },
            "balance": { "fetched": b.fetched, "staged": b.staged, "duplicates": b.duplicates, "in_scope": b.in_scope,
                         "mapped_rows": b.mapped_rows, "unmapped": b.unmapped, "documents": b.documents,
                         "states": tally(&b.states), "breaches": self.breaches },
            "withdrawn": self.withdrawn, "lookup_misses": self.misses, "causes": causes, "ledger": tally(&self.ledger),
            "settled_before": { "present": self.settled_before.0, "missing": self.settled_before.1,
                                "open": self.open_before },
            "unmapped_open": self.open_unmapped,
            "failure": self.failure.as_ref().map(ToString::to_string),
        })
        .to_string()
    }
}
