//! Looking: what an auditor asks the state store, beyond what a run needs.
//!
//! Takes keys, numbers and names, gives what is written. Never writes; works while another process runs.

use crate::base::Result;
use crate::base::lifecycle::ALL;
use crate::base::record::{Reason, Rid, SliceNo};
use crate::state::ledger::{BlockedRow, TargetId};
use crate::state::slices::{SliceRow, SourceId};
use crate::state::{RunRow, Store, failed, run_row};
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension as _, params};

/// A sealed slice and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceOrigin {
    pub account: String,
    pub table: String,
    pub row: SliceRow,
}

/// What was noted of a row that made no document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    Blocked(BlockedRow),
    Unmapped { rid: Rid, run: i64 },
}

impl Note {
    pub fn rid(&self) -> Rid {
        match self {
            Self::Blocked(row) => row.rid,
            Self::Unmapped { rid, .. } => *rid,
        }
    }
}

/// A value of a state table, as SQL shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    Null,
    Number(i64),
    Text(&'a str),
}

/// What a column of a state table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Number,
    Text,
}

/// A table of the state store as `dukou sql` shows it: words instead of codes, names instead of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    Delivery,
    Blocked,
    Unmapped,
    Slice,
    Run,
}

impl View {
    pub const ALL: [View; 5] = [View::Delivery, View::Blocked, View::Unmapped, View::Slice, View::Run];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Blocked => "blocked",
            Self::Unmapped => "unmapped",
            Self::Slice => "slice",
            Self::Run => "run",
        }
    }

    /// Its columns, in order.
    pub fn columns(self) -> &'static [(&'static str, Holds)] {
        use Holds::{Number, Text};
        match self {
            Self::Delivery => &[
                ("target", Text),
                ("key", Text),
                ("state", Text),
                ("remote", Text),
                ("code", Text),
                ("text", Text),
                ("field", Text),
                ("version", Number),
                ("rid", Number),
                ("run", Number),
                ("mapping", Text),
                ("digest", Text),
            ],
            Self::Blocked => &[
                ("pipeline", Text),
                ("rid", Number),
                ("key", Text),
                ("code", Text),
                ("text", Text),
                ("field", Text),
                ("run", Number),
            ],
            Self::Unmapped => &[("pipeline", Text), ("rid", Number), ("run", Number)],
            Self::Slice => &[
                ("slice", Number),
                ("table_name", Text),
                ("account", Text),
                ("run", Number),
                ("axis", Text),
                ("from_wall", Text),
                ("to_wall", Text),
                ("asked", Text),
                ("file", Text),
                ("pages", Number),
                ("fetched", Number),
                ("staged", Number),
                ("duplicates", Number),
                ("announced", Number),
                ("remarks", Text),
                ("sealed_at", Text),
            ],
            Self::Run => &[
                ("run", Number),
                ("pipeline", Text),
                ("command", Text),
                ("started_at", Text),
                ("ended_at", Text),
                ("exit_code", Number),
                ("report", Text),
            ],
        }
    }

    fn sql(self) -> String {
        match self {
            Self::Delivery => {
                let words: Vec<String> = ALL.iter().map(|s| format!("WHEN {} THEN '{}'", s.code(), s.word())).collect();
                format!(
                    "SELECT t.identity, d.key, CASE d.state {} END, d.remote, r.code, r.text, r.field, d.version, d.rid,
                       d.run_id, m.digest, lower(hex(d.digest))
                     FROM delivery d JOIN target t ON t.id = d.target_id LEFT JOIN mapping m ON m.id = d.mapping_id
                     LEFT JOIN reason r ON r.target_id = d.target_id AND r.key = d.key",
                    words.join(" ")
                )
            }
            Self::Blocked => "SELECT pipeline, rid, key, code, text, field, run_id FROM blocked".into(),
            Self::Unmapped => "SELECT pipeline, rid, run_id FROM unmapped".into(),
            Self::Slice => "SELECT slice.id, table_name, account, run_id, axis, from_wall, to_wall, asked, file, pages,
                fetched, staged, duplicates, announced, remarks, sealed_at
                FROM slice JOIN source ON source.id = source_id WHERE sealed_at IS NOT NULL ORDER BY slice.id"
                .into(),
            Self::Run => {
                "SELECT id, pipeline, command, started_at, ended_at, exit_code, report FROM run ORDER BY id".into()
            }
        }
    }
}

impl Store {
    /// A sealed slice by its number.
    pub fn slice(&self, slice: SliceNo) -> Result<Option<SliceOrigin>> {
        let sql = "SELECT account, table_name FROM source WHERE id = (SELECT source_id FROM slice WHERE id = ?1)";
        let whose = self.connection().query_row(sql, [slice], |row| Ok((row.get(0)?, row.get(1)?))).optional();
        let Some((account, table)) = whose.map_err(failed)? else { return Ok(None) };
        let row = self.select_slices("WHERE sealed_at IS NOT NULL AND id = ?1", &[&slice])?.pop();
        Ok(row.map(|row| SliceOrigin { account, table, row }))
    }

    /// The source with this fingerprint, if anything was ever asked of it.
    pub fn known_source(&self, fingerprint: &str) -> Result<Option<SourceId>> {
        let sql = "SELECT id FROM source WHERE fingerprint = ?1";
        self.connection().query_row(sql, [fingerprint], |row| row.get(0).map(SourceId)).optional().map_err(failed)
    }

    /// One run by its number.
    pub fn run(&self, id: i64) -> Result<Option<RunRow>> {
        let sql = "SELECT id, pipeline, command, started_at, ended_at, exit_code, report FROM run WHERE id = ?1";
        let row = self.connection().query_row(sql, [id], run_row);
        row.optional().map_err(failed)
    }

    /// Up to `limit` delivered keys of a target that share the longest possible beginning with `key`.
    pub fn keys_near(&self, target: TargetId, key: &str, limit: u32) -> Result<Vec<String>> {
        let sql = "SELECT key FROM delivery WHERE target_id = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        for (end, _) in key.char_indices().rev().filter(|(end, _)| *end > 0) {
            let prefix = &key[..end];
            let found: Vec<String> = statement
                .query_map(params![target.0, prefix, format!("{prefix}{}", char::MAX), limit], |row| row.get(0))
                .and_then(Iterator::collect)
                .map_err(failed)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Rows of any pipeline that were blocked under this document key.
    pub fn blocked_under(&self, key: &str) -> Result<Vec<(String, BlockedRow)>> {
        self.blocked_where("key = ?1", &[&key])
    }

    /// What any pipeline noted of a row.
    pub fn notes_of(&self, rid: Rid) -> Result<Vec<(String, Note)>> {
        let blocked = self.blocked_where("rid = ?1", &[&rid.0])?;
        let mut notes: Vec<_> = blocked.into_iter().map(|(pipeline, row)| (pipeline, Note::Blocked(row))).collect();
        let sql = "SELECT pipeline, run_id FROM unmapped WHERE rid = ?1 ORDER BY pipeline";
        let mut statement = self.connection().prepare(sql).map_err(failed)?;
        let unmapped = statement.query_map([rid.0], |row| Ok((row.get(0)?, Note::Unmapped { rid, run: row.get(1)? })));
        notes.extend(unmapped.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>).map_err(failed)?);
        Ok(notes)
    }

    fn blocked_where(&self, condition: &str, args: &[&dyn rusqlite::ToSql]) -> Result<Vec<(String, BlockedRow)>> {
        let sql = format!(
            "SELECT pipeline, rid, key, code, text, field, run_id FROM blocked WHERE {condition} ORDER BY pipeline, rid"
        );
        let mut statement = self.connection().prepare(&sql).map_err(failed)?;
        let rows = statement.query_map(args, |row| {
            let reason = Reason { code: row.get(3)?, text: row.get(4)?, field: row.get(5)? };
            Ok((row.get(0)?, BlockedRow { rid: Rid(row.get(1)?), key: row.get(2)?, reason, run: row.get(6)? }))
        });
        rows.and_then(Iterator::collect).map_err(failed)
    }

    /// Hands over the rows of a view one by one until `take` wants no more.
    pub fn each_row(&self, view: View, mut take: impl FnMut(&[Cell<'_>]) -> bool) -> Result<()> {
        let mut statement = self.connection().prepare(&view.sql()).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let width = view.columns().len();
        while let Some(row) = rows.next().map_err(failed)? {
            let mut cells = Vec::with_capacity(width);
            for i in 0..width {
                cells.push(match row.get_ref(i).map_err(failed)? {
                    ValueRef::Integer(number) => Cell::Number(number),
                    ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or(Cell::Null, Cell::Text),
                    _ => Cell::Null,
                });
            }
            if !take(&cells) {
                break;
            }
        }
        Ok(())
    }
}
