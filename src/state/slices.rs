//! Slices in the state store: opened before the first page, sealed in one transaction, marked done per pipeline.

use crate::base::Result;
use crate::base::record::SliceNo;
use crate::state::ledger::TargetId;
use crate::state::{Store, failed};
use rusqlite::{OptionalExtension as _, Row, params};
use std::collections::BTreeSet;

/// A source as the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceId(pub i64);

/// What a new slice asks for. Times are vendor wall clock, `YYYY-MM-DD HH:MM:SS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceAsk {
    pub axis: String,
    pub window: Option<(String, String)>,
    /// Parameters of an ad-hoc slice, for people.
    pub asked: String,
}

/// What a sealed slice holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSlice {
    /// File name within the staging folder of its table.
    pub file: String,
    pub ddl_digest: String,
    /// Of the file's bytes.
    pub checksum: String,
    pub pages: u64,
    pub fetched: u64,
    pub staged: u64,
    pub duplicates: u64,
    pub announced: Option<u64>,
    pub digest: String,
    /// Misfits and drift as JSON.
    pub remarks: String,
}

/// A sealed slice as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceRow {
    pub slice: SliceNo,
    pub run: i64,
    pub ask: SliceAsk,
    pub seal: SealedSlice,
    pub sealed_at: String,
}

impl Store {
    /// The source with this fingerprint; `true` when it is new here.
    pub fn source(&mut self, account: &str, table: &str, fingerprint: &str) -> Result<(SourceId, bool)> {
        self.transaction(|t| {
            let known = t
                .query_row("SELECT id FROM source WHERE fingerprint = ?1", [fingerprint], |row| row.get(0))
                .optional()?;
            if let Some(id) = known {
                return Ok((SourceId(id), false));
            }
            t.execute(
                "INSERT INTO source (account, table_name, fingerprint) VALUES (?1, ?2, ?3)",
                params![account, table, fingerprint],
            )?;
            Ok((SourceId(t.last_insert_rowid()), true))
        })
    }

    /// Has this account and table been asked before, under whatever parameters?
    pub fn account_is_known(&self, account: &str, table: &str) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM source WHERE account = ?1 AND table_name = ?2)";
        self.connection().query_row(sql, [account, table], |row| row.get(0)).map_err(failed)
    }

    /// Reserves a slice number. Until it is sealed, nothing of it counts.
    pub fn open_slice(&mut self, source: SourceId, run: i64, ask: &SliceAsk) -> Result<SliceNo> {
        let (from, to) = ask.window.clone().unzip();
        self.transaction(|t| {
            t.execute(
                "INSERT INTO slice (source_id, run_id, axis, from_wall, to_wall, asked) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![source.0, run, ask.axis, from, to, ask.asked],
            )?;
            t.query_row("SELECT max(id) FROM slice", [], |row| row.get(0))
        })
    }

    /// Seals a slice: from this commit on its file is part of the staging table and its window is covered.
    pub fn seal_slice(&mut self, slice: SliceNo, seal: &SealedSlice, now: &str) -> Result<()> {
        self.transaction(|t| {
            t.execute(
                "UPDATE slice SET file = ?2, ddl_digest = ?3, pages = ?4, fetched = ?5, staged = ?6, duplicates = ?7,
                   announced = ?8, digest = ?9, remarks = ?10, sealed_at = ?11, checksum = ?12 WHERE id = ?1 AND sealed_at IS NULL",
                params![
                    slice,
                    seal.file,
                    seal.ddl_digest,
                    seal.pages,
                    seal.fetched,
                    seal.staged,
                    seal.duplicates,
                    seal.announced,
                    seal.digest,
                    seal.remarks,
                    now,
                    seal.checksum
                ],
            )?;
            Ok(())
        })
    }

    /// Replaces a sealed slice's file by one typed under another DDL; rows and numbers stay.
    pub fn replace_file(
        &mut self,
        slice: SliceNo,
        file: &str,
        ddl_digest: &str,
        checksum: &str,
        remarks: &str,
    ) -> Result<()> {
        self.transaction(|t| {
            t.execute(
                "UPDATE slice SET file = ?2, ddl_digest = ?3, checksum = ?4, remarks = ?5 WHERE id = ?1 AND sealed_at IS NOT NULL",
                params![slice, file, ddl_digest, checksum, remarks],
            )?;
            Ok(())
        })
    }

    /// Forgets slices that were opened and never sealed; their files are orphans.
    pub fn drop_open_slices(&mut self) -> Result<usize> {
        self.transaction(|t| t.execute("DELETE FROM slice WHERE sealed_at IS NULL", []))
    }

    /// Sealed slices of one account's table, whatever the parameters, in slice order.
    pub fn slices(&self, account: &str, table: &str) -> Result<Vec<SliceRow>> {
        self.select_slices(
            "WHERE sealed_at IS NOT NULL AND source_id IN (SELECT id FROM source WHERE account = ?1 AND table_name = ?2)
             ORDER BY id",
            &[&account, &table],
        )
    }

    /// Sealed slices that were asked for with the same parameters, in slice order.
    pub fn slices_of(&self, source: SourceId) -> Result<Vec<SliceRow>> {
        self.select_slices("WHERE sealed_at IS NOT NULL AND source_id = ?1 ORDER BY id", &[&source.0])
    }

    /// Every sealed slice of a table, of any account: for looking, not for mapping.
    pub fn slices_of_table(&self, table: &str) -> Result<Vec<SliceRow>> {
        self.select_slices(
            "WHERE sealed_at IS NOT NULL AND source_id IN (SELECT id FROM source WHERE table_name = ?1) ORDER BY id",
            &[&table],
        )
    }

    /// Names of the tables that have sealed slices.
    pub fn staged_tables(&self) -> Result<Vec<String>> {
        let sql = "SELECT DISTINCT table_name FROM source s JOIN slice ON slice.source_id = s.id
                   WHERE sealed_at IS NOT NULL ORDER BY 1";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(failed)
    }

    /// The sealed windows of one source on one axis: its coverage, unmerged.
    pub fn sealed_windows(&self, source: SourceId, axis: &str) -> Result<Vec<(String, String)>> {
        let sql = "SELECT from_wall, to_wall FROM slice
                   WHERE source_id = ?1 AND axis = ?2 AND sealed_at IS NOT NULL AND from_wall IS NOT NULL ORDER BY 1";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        statement
            .query_map(params![source.0, axis], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(failed)
    }

    /// When the first campaign of this source on a time that stands still began: what was modified since is not covered by it.
    pub fn campaign_started(&self, source: SourceId) -> Result<Option<String>> {
        let sql = "SELECT min(run.started_at) FROM slice JOIN run ON run.id = slice.run_id
                   WHERE source_id = ?1 AND axis NOT IN ('modified', 'adhoc') AND sealed_at IS NOT NULL";
        self.connection().query_row(sql, [source.0], |row| row.get(0)).map_err(failed)
    }

    /// When the first run began that sealed a slice of `axis` within a window, and when the last such slice was sealed.
    pub fn sealed_within(
        &self,
        source: SourceId,
        axis: &str,
        from: &str,
        to: &str,
    ) -> Result<Option<(String, String)>> {
        let sql = "SELECT min(run.started_at), max(sealed_at) FROM slice JOIN run ON run.id = slice.run_id
                   WHERE source_id = ?1 AND axis = ?2 AND sealed_at IS NOT NULL AND from_wall < ?4 AND to_wall > ?3";
        let ends: (Option<String>, Option<String>) = self
            .connection()
            .query_row(sql, params![source.0, axis, from, to], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(failed)?;
        Ok(ends.0.zip(ends.1))
    }

    /// Slices whose rows this pipeline has already accounted for.
    /// With no target: for any.
    pub fn done_slices(&self, pipeline: &str, target: Option<TargetId>) -> Result<BTreeSet<SliceNo>> {
        let sql = "SELECT slice_id FROM slice_done WHERE pipeline = ?1 AND (?2 IS NULL OR target_id = ?2)";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        statement
            .query_map(params![pipeline, target.map(|t| t.0)], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(failed)
    }

    /// Has some delivery to this target come to its end? Before that, a workspace that was lost may have delivered what is new
    /// to this one.
    pub fn was_delivered_to(&self, target: TargetId) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM slice_done WHERE target_id = ?1)";
        self.connection().query_row(sql, [target.0], |row| row.get(0)).map_err(failed)
    }

    /// Marks slices as accounted for by this pipeline.
    pub fn mark_done(&mut self, pipeline: &str, target: TargetId, slices: &[SliceNo]) -> Result<()> {
        self.transaction(|t| {
            let mut insert =
                t.prepare("INSERT OR IGNORE INTO slice_done (pipeline, target_id, slice_id) VALUES (?1, ?2, ?3)")?;
            slices.iter().try_for_each(|slice| insert.execute(params![pipeline, target.0, slice]).map(drop))
        })
    }

    pub(super) fn select_slices(&self, tail: &str, args: &[&dyn rusqlite::ToSql]) -> Result<Vec<SliceRow>> {
        let sql = format!(
            "SELECT id, run_id, axis, from_wall, to_wall, asked, file, ddl_digest, pages, fetched, staged, duplicates,
               announced, digest, remarks, sealed_at, checksum FROM slice {tail}"
        );
        let mut statement = self.connection().prepare(&sql).map_err(failed)?;
        statement.query_map(args, slice_row).and_then(Iterator::collect).map_err(failed)
    }
}

fn slice_row(row: &Row<'_>) -> rusqlite::Result<SliceRow> {
    let from: Option<String> = row.get(3)?;
    let to: Option<String> = row.get(4)?;
    Ok(SliceRow {
        slice: row.get(0)?,
        run: row.get(1)?,
        ask: SliceAsk { axis: row.get(2)?, window: from.zip(to), asked: row.get(5)? },
        seal: SealedSlice {
            file: row.get(6)?,
            ddl_digest: row.get(7)?,
            checksum: row.get(16)?,
            pages: row.get(8)?,
            fetched: row.get(9)?,
            staged: row.get(10)?,
            duplicates: row.get(11)?,
            announced: row.get(12)?,
            digest: row.get(13)?,
            remarks: row.get(14)?,
        },
        sealed_at: row.get(15)?,
    })
}
