//! The ledger: what became of every document of a target, by key, and why rows were not sent.
//!
//! Takes intents and outcomes, a batch at a time; gives entries back. Identity = (target, key); the pipeline's name plays no part.

use crate::base::lifecycle::{Delivered, State, Tally};
use crate::base::record::{Reason, Rid};
use crate::base::value::Digest;
use crate::base::{Error, Result};
use crate::state::steps::{STEPS, allowed};
use crate::state::{Store, failed};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

/// A target as the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetId(pub i64);

/// One delivery as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub delivered: Delivered,
    pub rid: Rid,
    pub remote: Option<String>,
    pub mapping: i64,
    pub run: i64,
    pub reason: Option<Reason>,
}

/// What a batch does to the ledger, in order, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// About to be sent: replaces whatever stood there.
    Intend { key: String, digest: Digest, version: Option<i64>, rid: Rid },
    /// What became of it. `remote` replaces the stored one unless it is `None`.
    Settle { key: String, state: State, remote: Option<String>, reason: Option<Reason> },
    /// What the target showed to stand there, or what is known better of an entry by now: replaces all of it, the id too.
    Adopt {
        key: String,
        digest: Digest,
        version: Option<i64>,
        rid: Rid,
        state: State,
        remote: Option<String>,
        reason: Option<Reason>,
    },
}

impl Write {
    fn explains(&self) -> bool {
        matches!(self, Write::Settle { reason: Some(_), .. } | Write::Adopt { reason: Some(_), .. })
    }
}

/// A row that must not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedRow {
    pub rid: Rid,
    pub key: Option<String>,
    pub reason: Reason,
    pub run: i64,
}

impl Store {
    /// The target with this identity.
    pub fn target(&mut self, identity: &str) -> Result<TargetId> {
        self.transaction(|t| {
            t.execute("INSERT OR IGNORE INTO target (identity) VALUES (?1)", [identity])?;
            t.query_row("SELECT id FROM target WHERE identity = ?1", [identity], |row| row.get(0).map(TargetId))
        })
    }

    /// The target with this identity, if anything was ever delivered to it from here.
    pub fn known_target(&self, identity: &str) -> Result<Option<TargetId>> {
        let sql = "SELECT id FROM target WHERE identity = ?1";
        self.connection().query_row(sql, [identity], |row| row.get(0).map(TargetId)).optional().map_err(failed)
    }

    /// All targets: number and identity.
    pub fn targets(&self) -> Result<Vec<(TargetId, String)>> {
        let mut statement = self.connection().prepare("SELECT id, identity FROM target ORDER BY id").map_err(failed)?;
        statement
            .query_map([], |row| Ok((TargetId(row.get(0)?), row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(failed)
    }

    /// The number of a mapping text; the text is kept so that a receipt can show it years later.
    pub fn mapping(&mut self, digest: &str, sql: &str) -> Result<i64> {
        self.transaction(|t| {
            t.execute("INSERT OR IGNORE INTO mapping (digest, sql) VALUES (?1, ?2)", [digest, sql])?;
            t.query_row("SELECT id FROM mapping WHERE digest = ?1", [digest], |row| row.get(0))
        })
    }

    /// Digest and text of a mapping.
    pub fn mapping_text(&self, id: i64) -> Result<Option<(String, String)>> {
        let sql = "SELECT digest, sql FROM mapping WHERE id = ?1";
        self.connection().query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(failed)
    }

    /// Has nothing ever been delivered to this target from this workspace?
    pub fn ledger_is_empty(&self, target: TargetId) -> Result<bool> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM delivery WHERE target_id = ?1)";
        self.connection().query_row(sql, [target.0], |row| row.get(0)).map_err(failed)
    }

    /// One entry or none per key, in order.
    pub fn entries<'a>(&self, target: TargetId, keys: impl Iterator<Item = &'a str>) -> Result<Vec<Option<Entry>>> {
        let sql = format!("{ENTRY} WHERE d.target_id = ?1 AND d.key = ?2");
        // One read transaction: the file is locked once, not once per key.
        let reading = self.connection().unchecked_transaction().map_err(failed)?;
        let mut statement = reading.prepare_cached(&sql).map_err(failed)?;
        keys.map(|key| statement.query_row(params![target.0, key], entry).optional().map_err(failed)).collect()
    }

    /// Entries that may be in the target but are not settled: intended, unknown, behind.
    pub fn in_doubt(&self, target: TargetId) -> Result<Vec<Entry>> {
        self.select_entries(
            &format!("{ENTRY} WHERE d.target_id = ?1 AND d.state IN (6, 9, 11) ORDER BY d.rid"),
            params![target.0],
        )
    }

    /// Keys of settled deliveries that were made from certain rows.
    pub fn delivered_from(&self, target: TargetId, is_one: impl Fn(Rid) -> bool) -> Result<Vec<String>> {
        let sql = "SELECT key, rid FROM delivery WHERE target_id = ?1 AND state IN (7, 8)";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        let mut rows = statement.query([target.0]).map_err(failed)?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            if is_one(Rid(row.get(1).map_err(failed)?)) {
                keys.push(row.get(0).map_err(failed)?);
            }
        }
        Ok(keys)
    }

    /// Some keys of settled deliveries: the first and the last.
    pub fn sample_of_settled(&self, target: TargetId, keys: u32) -> Result<Vec<String>> {
        let half = "SELECT key FROM (SELECT key FROM delivery WHERE target_id = ?1 AND state IN (7, 8) ORDER BY key";
        let sql = format!("{half} LIMIT ?2) UNION {half} DESC LIMIT ?2)");
        let mut statement = self.connection().prepare(&sql).map_err(failed)?;
        statement.query_map(params![target.0, keys / 2], |row| row.get(0)).and_then(Iterator::collect).map_err(failed)
    }

    /// Keys of settled deliveries whose row a run has blocked or left out.
    pub fn delivered_but_left_out(&self, target: TargetId, pipeline: &str, run: i64) -> Result<Vec<String>> {
        let sql = "SELECT key FROM delivery WHERE target_id = ?1 AND state IN (7, 8) AND rid IN (
                     SELECT rid FROM unmapped WHERE pipeline = ?2 AND run_id = ?3
                     UNION ALL SELECT rid FROM blocked WHERE pipeline = ?2 AND run_id = ?3)";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        statement
            .query_map(params![target.0, pipeline, run], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(failed)
    }

    /// Writes a batch; durable when this returns.
    pub fn record(&mut self, target: TargetId, mapping: i64, run: i64, writes: &[Write]) -> Result<()> {
        if writes.is_empty() {
            return Ok(());
        }
        self.transaction(|t| {
            let has_reasons =
                t.query_row("SELECT EXISTS (SELECT 1 FROM reason WHERE target_id = ?1)", [target.0], |row| row.get(0))?;
            let has_reasons = has_reasons || writes.iter().any(Write::explains);
            let stamp = Stamp { target, mapping, run, has_reasons };
            writes.iter().try_for_each(|write| stamp.apply(t, write))?;
            Ok(())
        })
    }

    /// All deliveries of a target by state.
    pub fn tally(&self, target: TargetId) -> Result<Tally> {
        let sql = "SELECT state, count(*) FROM delivery WHERE target_id = ?1 GROUP BY state";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        let counts: Vec<(u8, u64)> = statement
            .query_map([target.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(failed)?;
        let mut tally = Tally::default();
        for (code, count) in counts {
            let state = State::from_code(code).ok_or_else(|| Error::bug(format!("unknown state code {code}")))?;
            tally.add(state, count);
        }
        Ok(tally)
    }

    /// Notes which of the rows just mapped were blocked or left out; what was noted of them before is replaced.
    pub fn note_rows(
        &mut self,
        pipeline: &str,
        run: i64,
        mapped: &[Rid],
        blocked: &[BlockedRow],
        unmapped: &[Rid],
    ) -> Result<()> {
        self.transaction(|t| {
            let noted: bool = t.query_row(
                "SELECT EXISTS (SELECT 1 FROM blocked WHERE pipeline = ?1)
                     OR EXISTS (SELECT 1 FROM unmapped WHERE pipeline = ?1)",
                [pipeline],
                |row| row.get(0),
            )?;
            let to_clear: &[Rid] = if noted { mapped } else { &[] };
            let mut clear_blocked = t.prepare("DELETE FROM blocked WHERE pipeline = ?1 AND rid = ?2")?;
            let mut clear_unmapped = t.prepare("DELETE FROM unmapped WHERE pipeline = ?1 AND rid = ?2")?;
            for rid in to_clear.iter().chain(blocked.iter().map(|b| &b.rid)).chain(unmapped) {
                clear_blocked.execute(params![pipeline, rid.0])?;
                clear_unmapped.execute(params![pipeline, rid.0])?;
            }
            let mut insert = t.prepare(
                "INSERT OR REPLACE INTO blocked (pipeline, rid, key, code, text, field, run_id) VALUES (?1,?2,?3,?4,?5,?6,?7)",
            )?;
            for b in blocked {
                insert.execute(params![pipeline, b.rid.0, b.key, b.reason.code, b.reason.text, b.reason.field, run])?;
            }
            let mut insert = t.prepare("INSERT OR REPLACE INTO unmapped (pipeline, rid, run_id) VALUES (?1, ?2, ?3)")?;
            unmapped.iter().try_for_each(|rid| insert.execute(params![pipeline, rid.0, run]).map(drop))
        })
    }

    /// Forgets what was noted of rows that a newer version of their record has replaced.
    pub fn keep_notes_of(&mut self, pipeline: &str, is_current: impl Fn(Rid) -> bool) -> Result<()> {
        self.transaction(|t| {
            for table in ["blocked", "unmapped"] {
                let mut select = t.prepare(&format!("SELECT rid FROM {table} WHERE pipeline = ?1"))?;
                let rids: Vec<i64> = select.query_map([pipeline], |row| row.get(0))?.collect::<Result<_, _>>()?;
                let mut delete = t.prepare(&format!("DELETE FROM {table} WHERE pipeline = ?1 AND rid = ?2"))?;
                for rid in rids.into_iter().filter(|rid| !is_current(Rid(*rid))) {
                    delete.execute(params![pipeline, rid])?;
                }
            }
            Ok(())
        })
    }

    /// Rows that must not be sent, with the reason.
    pub fn blocked(&self, pipeline: &str, limit: u32) -> Result<Vec<BlockedRow>> {
        let sql = "SELECT rid, key, code, text, field, run_id FROM blocked WHERE pipeline = ?1 ORDER BY rid LIMIT ?2";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        let rows = statement.query_map(params![pipeline, limit], |row| {
            Ok(BlockedRow {
                rid: Rid(row.get(0)?),
                key: row.get(1)?,
                reason: Reason { code: row.get(2)?, text: row.get(3)?, field: row.get(4)? },
                run: row.get(5)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(failed)
    }

    /// Rows that the mapping left out.
    pub fn unmapped(&self, pipeline: &str, limit: u32) -> Result<Vec<Rid>> {
        let sql = "SELECT rid FROM unmapped WHERE pipeline = ?1 ORDER BY rid LIMIT ?2";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        statement
            .query_map(params![pipeline, limit], |row| row.get(0).map(Rid))
            .and_then(Iterator::collect)
            .map_err(failed)
    }

    /// (blocked, unmapped) rows of a pipeline that still stand.
    pub fn open_rows(&self, pipeline: &str) -> Result<(u64, u64)> {
        let sql = "SELECT (SELECT count(*) FROM blocked WHERE pipeline = ?1),
                          (SELECT count(*) FROM unmapped WHERE pipeline = ?1)";
        self.connection().query_row(sql, [pipeline], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)
    }

    fn select_entries(&self, sql: &str, args: &[&dyn rusqlite::ToSql]) -> Result<Vec<Entry>> {
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        statement.query_map(args, entry).and_then(Iterator::collect).map_err(failed)
    }
}

const ENTRY: &str =
    "SELECT d.key, d.digest, d.state, d.version, d.rid, d.remote, d.mapping_id, d.run_id, r.code, r.text, r.field
  FROM delivery d LEFT JOIN reason r ON r.target_id = d.target_id AND r.key = d.key";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let code: u8 = row.get(2)?;
    let state = State::from_code(code).ok_or(rusqlite::Error::IntegralValueOutOfRange(2, i64::from(code)))?;
    let reason: Option<String> = row.get(8)?;
    let (text, field) = (row.get::<_, Option<String>>(9)?.unwrap_or_default(), row.get(10)?);
    let remote: Option<String> = row.get(5)?;
    Ok(Entry {
        key: row.get(0)?,
        delivered: Delivered { digest: row.get(1)?, version: row.get(3)?, state, stored: remote.is_some() },
        rid: Rid(row.get(4)?),
        remote,
        mapping: row.get(6)?,
        run: row.get(7)?,
        reason: reason.map(|code| Reason { code, text, field }),
    })
}

/// What every write of a batch has in common.
struct Stamp {
    target: TargetId,
    mapping: i64,
    run: i64,
    /// Are there reasons that could have to go?
    has_reasons: bool,
}

impl Stamp {
    fn apply(&self, t: &Transaction<'_>, write: &Write) -> rusqlite::Result<()> {
        match write {
            Write::Intend { key, digest, version, rid } => {
                self.put(t, key, digest, State::Intended, *version, *rid, None)
            }
            Write::Adopt { key, digest, version, rid, state, remote, reason } => {
                self.put(t, key, digest, *state, *version, *rid, remote.as_deref())?;
                self.explain(t, key, reason.as_ref())
            }
            Write::Settle { key, state, remote, reason } => {
                let changed = t.prepare_cached(&STEPS[usize::from(state.code())].settle)?.execute(params![
                    self.target.0,
                    key,
                    state.code(),
                    remote
                ])?;
                allowed(changed, key, *state)?;
                self.explain(t, key, reason.as_ref())
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one argument per column of the table")]
    fn put(
        &self,
        t: &Transaction<'_>,
        key: &str,
        digest: &Digest,
        state: State,
        version: Option<i64>,
        rid: Rid,
        remote: Option<&str>,
    ) -> rusqlite::Result<()> {
        let changed = t.prepare_cached(&STEPS[usize::from(state.code())].put)?.execute(params![
            self.target.0,
            key,
            digest,
            state.code(),
            version,
            rid.0,
            remote,
            self.mapping,
            self.run
        ])?;
        allowed(changed, key, state)
    }

    fn explain(&self, t: &Transaction<'_>, key: &str, reason: Option<&Reason>) -> rusqlite::Result<()> {
        match reason {
            Some(r) => t
                .prepare_cached(
                    "INSERT OR REPLACE INTO reason (target_id, key, code, text, field) VALUES (?1,?2,?3,?4,?5)",
                )?
                .execute(params![self.target.0, key, r.code, r.text, r.field]),
            None if !self.has_reasons => Ok(0),
            None => t
                .prepare_cached("DELETE FROM reason WHERE target_id = ?1 AND key = ?2")?
                .execute(params![self.target.0, key]),
        }
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Workspace;

    #[test]
    fn an_intent_survives_the_process_and_an_outcome_settles_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::new(dir.path());
        let digest = [7; 17];
        let intend =
            |key: &str, row| Write::Intend { key: key.into(), digest, version: Some(5), rid: Rid::new(1, row) };
        {
            let mut store = Store::open(&workspace).expect("a store");
            let target = store.target("mysql:h/db/t").expect("a target");
            assert!(store.ledger_is_empty(target).expect("an answer"));
            store.record(target, 1, 1, &[intend("A", 0), intend("B", 1)]).expect("recorded");
        }
        let mut store = Store::open(&workspace).expect("a store");
        let target = store.known_target("mysql:h/db/t").expect("no error").expect("known");
        assert_eq!(store.in_doubt(target).expect("entries").len(), 2);
        let reason = Reason::new("1406", "Data too long").on_field("memo");
        let writes = [
            Write::Settle { key: "A".into(), state: State::Accepted, remote: Some("41".into()), reason: None },
            Write::Settle { key: "B".into(), state: State::Rejected, remote: None, reason: Some(reason.clone()) },
        ];
        store.record(target, 1, 1, &writes).expect("recorded");
        let found = store.entries(target, ["A", "B", "C"].into_iter()).expect("entries");
        assert_eq!(found[0].as_ref().and_then(|e| e.remote.as_deref()), Some("41"));
        assert_eq!(found[1].as_ref().and_then(|e| e.reason.clone()), Some(reason));
        assert!(found[2].is_none());
        let tally = store.tally(target).expect("a tally");
        assert_eq!((tally.get(State::Accepted), tally.get(State::Rejected), tally.total()), (1, 1, 2));
        assert_eq!(store.causes(Some(target), "p").expect("causes")[0].documents, 1);
    }

    #[test]
    fn a_step_that_the_lifecycle_does_not_know_undoes_the_transaction() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut store = Store::open(&Workspace::new(dir.path())).expect("a store");
        let target = store.target("t").expect("a target");
        let intend = |key: &str| Write::Intend { key: key.into(), digest: [1; 17], version: None, rid: Rid::new(1, 0) };
        let settle = |state| Write::Settle { key: "A".into(), state, remote: None, reason: None };
        store.record(target, 1, 1, &[intend("A"), settle(State::Accepted)]).expect("allowed");
        for forbidden in [intend("A"), settle(State::Rejected)] {
            let error =
                store.record(target, 1, 2, &[intend("B"), forbidden]).expect_err("an accepted document is final");
            assert!(error.to_string().contains("A must not become"), "{error}");
        }
        let found = store.entries(target, ["A", "B"].into_iter()).expect("entries");
        assert_eq!(found[0].as_ref().map(|e| e.delivered.state), Some(State::Accepted));
        assert!(found[1].is_none(), "the whole transaction was undone");
    }

    #[test]
    fn what_was_stored_and_refused_is_not_sent_again_before_it_was_asked_about() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut store = Store::open(&Workspace::new(dir.path())).expect("a store");
        let target = store.target("t").expect("a target");
        let intend = |key: &str| Write::Intend { key: key.into(), digest: [1; 17], version: None, rid: Rid::new(1, 0) };
        let settle = |key: &str, state, remote: Option<&str>| Write::Settle {
            key: key.into(),
            state,
            remote: remote.map(Into::into),
            reason: None,
        };
        let refused = [
            intend("A"),
            settle("A", State::Rejected, None),
            intend("B"),
            settle("B", State::Rejected, Some("41")),
            intend("C"),
            settle("C", State::Behind, Some("42")),
            intend("D"),
            settle("D", State::Conflict, Some("43")),
        ];
        store.record(target, 1, 1, &refused).expect("recorded");
        store.record(target, 1, 2, &[intend("A")]).expect("nothing was stored: it may be sent again");
        for key in ["B", "C", "D"] {
            store.record(target, 1, 2, &[intend(key)]).expect_err("it stands there");
            store.record(target, 1, 2, &[settle(key, State::Unknown, None), intend(key)]).expect("asked: it is gone");
        }
    }

    #[test]
    fn a_row_that_maps_again_loses_its_note() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut store = Store::open(&Workspace::new(dir.path())).expect("a store");
        let (a, b) = (Rid::new(1, 0), Rid::new(1, 1));
        let blocked = BlockedRow { rid: a, key: None, reason: Reason::new("key", "null"), run: 1 };
        store.note_rows("p", 1, &[], std::slice::from_ref(&blocked), &[b]).expect("noted");
        assert_eq!(store.open_rows("p").expect("counts"), (1, 1));
        assert_eq!(store.blocked("p", 9).expect("rows"), [blocked]);
        store.note_rows("p", 2, &[a], &[], &[]).expect("noted");
        assert_eq!(store.open_rows("p").expect("counts"), (0, 1));
        store.keep_notes_of("p", |rid| rid != b).expect("kept");
        assert_eq!(store.open_rows("p").expect("counts"), (0, 0));
    }
}
