//! The state store: one SQLite file in the workspace that says what is true after a crash.
//!
//! Takes facts (a slice is sealed, a document is about to be sent, this became of it), gives them back. One call = one
//! transaction, WAL with `synchronous=FULL`. Never holds a record, a document body or a secret, never decides.

pub mod causes;
pub mod ledger;
pub mod look;
mod schema;
pub mod slices;
mod steps;

use crate::base::{Error, Result};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The folder that holds state, staging and exchange.
#[derive(Debug, Clone)]
pub struct Workspace {
    dir: PathBuf,
}

impl Workspace {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn database(&self) -> PathBuf {
        self.dir.join("state.db")
    }

    /// Where the slices of one staging table lie.
    pub fn staging(&self, table: &str) -> PathBuf {
        self.dir.join("staging").join(table)
    }

    /// Requests and answers, as Parquet.
    pub fn exchange(&self) -> PathBuf {
        self.dir.join("exchange")
    }

    /// Tokens that vendors renewed, one file per application; the one place that holds secrets.
    pub fn tokens(&self) -> PathBuf {
        self.dir.join("tokens")
    }

    /// The folder may have come with a clone, open to everybody: what is in it from now on is for this user only.
    fn close_to_others(&self) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&self.dir, std::fs::Permissions::from_mode(0o700))
            .map_err(|e| Error::io(&self.dir, &e))
    }

    /// Makes a folder of the workspace, readable by this user only.
    pub fn make(&self, dir: &Path) -> Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| Error::io(dir, &e))
    }
}

/// An open state store. Opened for writing it holds the workspace: no second process gets in.
pub struct Store {
    connection: Connection,
    /// Held, never read: dropping it opens the workspace to others.
    _lock: Option<File>,
}

/// Translates a store error; they are all about this machine.
pub(crate) fn failed(error: rusqlite::Error) -> Error {
    // Our own error on its way through a transaction.
    if let rusqlite::Error::ToSqlConversionFailure(inner) = &error
        && let Some(own) = inner.downcast_ref::<Error>()
    {
        return own.clone();
    }
    use rusqlite::ErrorCode;
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "free some disk space, then run the same command again: nothing is lost",
        // What a full disk is called where a file is only mapped into memory.
        Some(ErrorCode::SystemIoFailure) => {
            "look at the disk: if it is full, free some disk space; then run the same command again: nothing is lost"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "make the workspace writable for this user, or name another one with --data"
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "the file was changed from outside: restore it from a backup, or begin another workspace with --data \
             (the target is then asked about every document before it is sent)"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program holds the file: let it finish",
        _ => "the last transaction was not committed; the same command resumes once the cause is gone",
    };
    Error::local(format!("state store (state.db in the workspace): {error}")).hint(hint)
}

impl Store {
    /// Opens the workspace for work, making it if need be.
    pub fn open(workspace: &Workspace) -> Result<Self> {
        workspace.make(workspace.dir())?;
        let lock = hold(&workspace.dir().join("lock"))?;
        workspace.close_to_others()?;
        let connection = Connection::open(workspace.database()).map_err(failed)?;
        prepare(&connection)?;
        migrate(&connection)?;
        Ok(Self { connection, _lock: Some(lock) })
    }

    /// Opens the workspace for looking only; works while another process runs. `None` when there is nothing yet.
    pub fn open_to_read(workspace: &Workspace) -> Result<Option<Self>> {
        if !workspace.database().exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(workspace.database(), flags).map_err(failed)?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(failed)?;
        match version(&connection)? {
            // Another process is just making it.
            0 => Ok(None),
            // What looks reads nothing that is younger than the first version.
            1..=schema::VERSION => Ok(Some(Self { connection, _lock: None })),
            other => Err(of_another_version(other)),
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs `work` as one transaction: all of it is durable afterwards, or none.
    pub(crate) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let transaction = self.connection.transaction().map_err(failed)?;
        let value = work(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(value)
    }

    /// Notes that a run begins; its number names the exchange files and the ledger entries it makes.
    pub fn begin_run(&mut self, pipeline: &str, command: &str, now: &str) -> Result<i64> {
        self.transaction(|t| {
            t.execute(
                "INSERT INTO run (pipeline, command, started_at) VALUES (?1, ?2, ?3)",
                params![pipeline, command, now],
            )?;
            Ok(t.last_insert_rowid())
        })
    }

    /// Notes how a run ended, with its report as JSON.
    pub fn end_run(&mut self, run: i64, now: &str, exit_code: u8, report: &str) -> Result<()> {
        self.transaction(|t| {
            t.execute(
                "UPDATE run SET ended_at = ?2, exit_code = ?3, report = ?4 WHERE id = ?1",
                params![run, now, exit_code, report],
            )?;
            Ok(())
        })
    }

    /// Notes that a run is alive: what it has sent cannot have been lost later than its last sign.
    pub fn alive(&mut self, run: i64, now: &str) -> Result<()> {
        self.transaction(|t| t.execute("UPDATE run SET alive_at = ?2 WHERE id = ?1", params![run, now]).map(drop))
    }

    /// When a run ended or, having no end, last gave a sign of life; `None` when that is not known.
    pub fn last_sign(&self, run: i64) -> Result<Option<LastSign>> {
        let sql = "SELECT coalesce(max(ended_at, alive_at), ended_at, alive_at), ended_at IS NOT NULL
                     FROM run WHERE id = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get(1)?));
        let found = self.connection.query_row(sql, [run], read).optional().map_err(failed)?;
        let Some((Some(text), ended)) = found else { return Ok(None) };
        Ok(DateTime::parse_from_rfc3339(&text).ok().map(|at| LastSign { at: at.to_utc(), ended }))
    }

    /// The last runs, newest first.
    pub fn runs(&self, pipeline: Option<&str>, limit: u32) -> Result<Vec<RunRow>> {
        let sql = "SELECT id, pipeline, command, started_at, ended_at, exit_code, report FROM run
                   WHERE ?1 IS NULL OR pipeline = ?1 ORDER BY id DESC LIMIT ?2";
        let mut statement = self.connection.prepare(sql).map_err(failed)?;
        let rows = statement.query_map(params![pipeline, limit], run_row);
        rows.and_then(Iterator::collect).map_err(failed)
    }
}

/// A row of `run`, its columns in the order of the table.
fn run_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        pipeline: row.get(1)?,
        command: row.get(2)?,
        started_at: row.get(3)?,
        ended_at: row.get(4)?,
        exit_code: row.get(5)?,
        report: row.get(6)?,
    })
}

/// The last that is known of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSign {
    pub at: DateTime<Utc>,
    /// It came to its end; otherwise it may have lived on for as long as it was allowed to keep silent.
    pub ended: bool,
}

/// One line of `runs`.
#[derive(Debug, Clone)]
pub struct RunRow {
    pub id: i64,
    pub pipeline: String,
    pub command: String,
    pub started_at: String,
    pub ended_at: Option<String>,
    pub exit_code: Option<u8>,
    pub report: Option<String>,
}

fn hold(path: &Path) -> Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(|e| Error::io(path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::local(format!(
            "another dukou process is working in this workspace ({})",
            path.parent().unwrap_or(path).display()
        ))
        .hint("wait for it, or give this one a workspace of its own with --data")),
        Err(TryLockError::Error(e)) => Err(Error::io(path, &e)),
    }
}

fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(failed)?;
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
        .map_err(failed)
}

fn migrate(connection: &Connection) -> Result<()> {
    match version(connection)? {
        0 => connection
            .execute_batch(&format!("BEGIN; {} PRAGMA user_version = {}; COMMIT;", schema::TABLES, schema::VERSION))
            .map_err(failed),
        schema::VERSION => Ok(()),
        old @ 1..schema::VERSION => {
            let steps = usize::try_from(old - 1).map_or(&[][..], |done| &schema::MIGRATIONS[done..]).join("; ");
            let sql = format!("BEGIN; {steps}; PRAGMA user_version = {}; COMMIT;", schema::VERSION);
            connection.execute_batch(&sql).map_err(failed)
        }
        other => Err(of_another_version(other)),
    }
}

fn version(connection: &Connection) -> Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)
}

fn of_another_version(version: i64) -> Error {
    Error::local(format!("the workspace was written by another version of dukou (state version {version})"))
        .hint("use the dukou that wrote it, or another workspace with --data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_of_the_first_version_is_brought_up_to_date() {
        let dir = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::new(dir.path());
        let mut store = Store::open(&workspace).expect("a store");
        let run = store.begin_run("p", "run p", "2024-01-01T00:00:00Z").expect("a run");
        let backwards = "ALTER TABLE run DROP COLUMN alive_at; PRAGMA user_version = 1;";
        store.connection.execute_batch(backwards).expect("as it was");
        drop(store);
        let reader = Store::open_to_read(&workspace).expect("no error").expect("a store");
        assert_eq!(reader.runs(None, 9).expect("runs")[0].id, run, "looking changes nothing");
        let mut store = Store::open(&workspace).expect("an old store");
        assert_eq!(store.last_sign(run).expect("an answer"), None);
        store.alive(run, "2024-01-01T00:00:10.000Z").expect("noted");
        let sign = |store: &Store| store.last_sign(run).expect("an answer").map(|s| (s.at.to_rfc3339(), s.ended));
        assert_eq!(sign(&store), Some(("2024-01-01T00:00:10+00:00".into(), false)));
        store.end_run(run, "2024-01-01T00:00:11.000Z", 0, "{}").expect("ended");
        drop(store);
        let store = Store::open(&workspace).expect("a store");
        assert_eq!(sign(&store), Some(("2024-01-01T00:00:11+00:00".into(), true)));
    }

    #[test]
    fn a_second_process_is_refused_and_a_reader_is_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::new(dir.path().join("w"));
        assert!(Store::open_to_read(&workspace).expect("no error").is_none());
        let mut first = Store::open(&workspace).expect("the first gets in");
        let refused = Store::open(&workspace).err().expect("the second does not");
        assert!(refused.to_string().contains("another dukou process"), "{refused}");
        let run = first.begin_run("p", "run p", "2024-01-01T00:00:00Z").expect("a run");
        let reader = Store::open_to_read(&workspace).expect("no error").expect("a store");
        assert_eq!(reader.runs(None, 9).expect("runs")[0].id, run);
        drop(first);
        assert!(Store::open(&workspace).is_ok());
    }
}
