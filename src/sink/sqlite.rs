//! SQLite: the same statements on an embedded file.
//!
//! Takes batches of documents, gives one outcome each. The file is attached to `:memory:` under the schema name of the
//! statements, so that `INSERT INTO lehua.sale_return …` works unchanged; `dukou_delivery` stands in the same file. One
//! transaction per batch, one savepoint per document: a refused document takes nothing of the others with it.

use super::split::there;
use super::statement::{Cell, Program};
use super::{Asked, Found, Proof, Receipt, Sink, receipts};
use crate::base::lifecycle::State;
use crate::base::record::{DocKey, Document, Outcome, Reason};
use crate::base::value::Digest;
use crate::base::{Error, Kind, Result, names};
use crate::config::model::Statements;
use chrono::Utc;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OptionalExtension, ffi};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a writer waits for another one.
const BUSY_LIMIT: Duration = Duration::from_secs(60);
/// Where the file is attached when the statements name no schema.
const DEFAULT_SCHEMA: &str = "target";

/// Tables in a SQLite file, filled by statements.
pub struct SqliteSink {
    target: String,
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    schema: String,
    /// This target's name inside the file.
    name: String,
    program: Program,
    connection: Mutex<Option<Connection>>,
}

impl SqliteSink {
    /// Checks what can be checked without the file; it is opened (and, if missing, made) at first use.
    pub fn open(path: &Path, statements: &Statements, target_id: Option<String>) -> Result<Self> {
        let program = Program::parse(statements, None)?;
        let mut schemas: Vec<&str> = program.tables().iter().filter_map(|t| t.schema.as_deref()).collect();
        schemas.dedup();
        let schema = match schemas.as_slice() {
            [] => DEFAULT_SCHEMA,
            [one] if !one.eq_ignore_ascii_case("main") && !one.eq_ignore_ascii_case("temp") => one,
            _ => {
                return Err(Error::config(format!("the statements name the schemas {}", schemas.join(", ")))
                    .hint("a SQLite file is one schema: name one (not main or temp), or none"));
            }
        };
        let path = std::path::absolute(path).map_err(|e| Error::io(path, &e))?;
        let table = program.main.table().name.clone();
        let target = target_id.clone().unwrap_or_else(|| format!("sqlite:{}/{table}", path.display()));
        let schema = schema.to_string();
        let name = target_id.unwrap_or(table);
        Ok(Self { target, inner: Arc::new(Inner { path, schema, name, program, connection: Mutex::new(None) }) })
    }

    /// Runs `work` on the connection, away from the async threads.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner, &mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let result = tokio::task::spawn_blocking(move || {
            let mut slot = inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let mut connection = match slot.take() {
                Some(connection) => connection,
                None => {
                    let connection = attach(&inner.path, &inner.schema)?;
                    inner.execute(&connection, &inner.delivery_ddl())?;
                    connection
                }
            };
            let result = work(&inner, &mut connection);
            // After an error the connection's state is not known; the next use opens the file again.
            *slot = result.is_ok().then_some(connection);
            result
        });
        let result = result.await.map_err(|e| Error::bug(format!("the SQLite thread ended: {e}")))?;
        result.map_err(|e| e.context(self.target.clone()))
    }
}

#[async_trait::async_trait]
impl Sink for SqliteSink {
    fn target(&self) -> &str {
        &self.target
    }

    async fn check(&self) -> Result<()> {
        self.with(|inner, connection| inner.check(connection)).await
    }

    async fn find(&self, asked: &[Asked<'_>]) -> Result<Vec<Found>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<DocKey> = asked.iter().map(|a| a.key.clone()).collect();
        self.with(move |inner, connection| keys.iter().map(|key| inner.look(connection, key)).collect()).await
    }

    async fn send(&self, batch: &[Document]) -> Result<Vec<Receipt>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let (documents, sent_at) = (batch.to_vec(), Utc::now());
        let outcomes = self.with(move |inner, connection| inner.send(connection, &documents)).await?;
        Ok(receipts(batch, outcomes, sent_at, |d| d.body.to_json(false)))
    }

    fn refuses_doubles(&self) -> bool {
        true
    }
}

/// Executes the statements of `ddl` on a file attached as `schema`; makes the file if it is not there.
pub fn execute_ddl(path: &Path, schema: &str, ddl: &str) -> Result<()> {
    let connection = attach(path, schema)?;
    connection.execute_batch(ddl).map_err(|e| fault(path, &e, "the DDL"))
}

fn attach(path: &Path, schema: &str) -> Result<Connection> {
    let failed = |e: rusqlite::Error| fault(path, &e, "opening the file");
    let connection = Connection::open_in_memory().map_err(failed)?;
    connection.busy_timeout(BUSY_LIMIT).map_err(failed)?;
    let text = path.to_str().ok_or_else(|| Error::config(format!("the path {} is not UTF-8", path.display())))?;
    connection.execute(&format!("ATTACH ? AS {}", quoted(schema)), [text]).map_err(failed)?;
    let pragmas = format!("PRAGMA {0}.journal_mode = WAL; PRAGMA {0}.synchronous = FULL;", quoted(schema));
    connection.execute_batch(&pragmas).map_err(failed)?;
    connection.execute_batch("PRAGMA foreign_keys = ON;").map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Inner {
    /// `STRICT`: a digest is 17 bytes, nothing else. Times are UTC.
    fn delivery_ddl(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {}.dukou_delivery (
               target TEXT NOT NULL, doc_key TEXT NOT NULL, digest BLOB NOT NULL CHECK (length(digest) = 17),
               remote TEXT, delivered_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
               PRIMARY KEY (target, doc_key)) STRICT, WITHOUT ROWID",
            quoted(&self.schema)
        )
    }

    fn failed(&self, error: &rusqlite::Error, doing: &str) -> Error {
        fault(&self.path, error, doing)
    }

    fn execute(&self, connection: &Connection, sql: &str) -> Result<()> {
        connection.execute_batch(sql).map_err(|e| self.failed(&e, "writing"))
    }

    fn check(&self, connection: &Connection) -> Result<()> {
        let mut faults = Vec::new();
        for (name, template) in self.program.statements() {
            let table = template.table();
            let columns = self.columns(connection, &table.name)?;
            if columns.is_empty() {
                let known = self.tables(connection)?;
                let nearest = names::suggest(&table.name, known.iter().map(String::as_str).collect::<Vec<_>>());
                faults.push(format!("{name}: there is no table {table} in {}; {nearest}", self.path.display()));
                continue;
            }
            let known: Vec<&str> = columns.iter().map(String::as_str).collect();
            let before = faults.len();
            for (column, _) in template.plain_values_insert().map_or(&[][..], |p| &p.columns) {
                if !known.iter().any(|k| k.eq_ignore_ascii_case(column)) {
                    let nearest = names::suggest(column, known.clone());
                    faults.push(format!("{name}: {table} has no column {column}; {nearest}"));
                }
            }
            if let (true, Err(e)) = (faults.len() == before, connection.prepare(template.text())) {
                faults.push(format!("{name}: {e}"));
            }
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Error::config(faults.join("\n"))
            .hint("change the table or the statement, then look again with dukou check --online"))
    }

    fn columns(&self, connection: &Connection, table: &str) -> Result<Vec<String>> {
        self.list(connection, "SELECT name FROM pragma_table_info(?1, ?2)", &[table, &self.schema])
    }

    fn tables(&self, connection: &Connection) -> Result<Vec<String>> {
        let sql = format!("SELECT name FROM {}.sqlite_schema WHERE type = 'table'", quoted(&self.schema));
        self.list(connection, &sql, &[])
    }

    fn list(&self, connection: &Connection, sql: &str, params: &[&str]) -> Result<Vec<String>> {
        let failed = |e: rusqlite::Error| self.failed(&e, "looking at the tables");
        let mut statement = connection.prepare(sql).map_err(failed)?;
        let rows = statement.query_map(rusqlite::params_from_iter(params), |row| row.get(0)).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    fn look(&self, connection: &Connection, key: &DocKey) -> Result<Found> {
        let failed = |e: rusqlite::Error| self.failed(&e, "asking the delivery table");
        let sql = format!(
            "SELECT digest, remote FROM {}.dukou_delivery WHERE target = ? AND doc_key = ?",
            quoted(&self.schema)
        );
        let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
        let row: Option<(Digest, Option<String>)> = statement
            .query_row((&self.name, key.as_str()), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(failed)?;
        Ok(row.map_or(Found::Missing, |(digest, remote)| Found::There {
            remote,
            state: State::Present,
            proof: Proof::Digest(digest),
        }))
    }

    /// All of the batch in one transaction; after an error nothing of it is there.
    fn send(&self, connection: &mut Connection, batch: &[Document]) -> Result<Vec<Outcome>> {
        self.execute(connection, "BEGIN IMMEDIATE")?;
        let outcomes = batch.iter().map(|d| self.store(connection, d)).collect::<Result<Vec<Outcome>>>();
        match outcomes.and_then(|outcomes| self.execute(connection, "COMMIT").map(|()| outcomes)) {
            Ok(outcomes) => Ok(outcomes),
            // Some errors (a full disk) end the transaction by themselves.
            Err(error) if connection.is_autocommit() => self.after_the_end(connection, batch, error),
            Err(error) => {
                self.execute(connection, "ROLLBACK").map_err(|e| e.context(format!("after: {error}")))?;
                Err(error)
            }
        }
    }

    /// After a failed COMMIT it is open what the disk has, so the file is asked: nothing there, then nothing was stored.
    fn after_the_end(&self, connection: &Connection, batch: &[Document], error: Error) -> Result<Vec<Outcome>> {
        let found = batch.iter().map(|d| self.look(connection, &d.key)).collect::<Result<Vec<_>>>();
        if found.is_ok_and(|found| found.iter().all(|f| matches!(f, Found::Missing))) {
            return Err(error);
        }
        let reason = Reason::new("commit", error.to_string());
        Ok(vec![Outcome::Unknown { reason }; batch.len()])
    }

    fn store(&self, connection: &Connection, document: &Document) -> Result<Outcome> {
        if let Found::There { remote, proof, .. } = self.look(connection, &document.key)? {
            return Ok(there(proof.is_of(&document.digest), remote));
        }
        self.savepoint(connection, "SAVEPOINT document")?;
        match self.insert(connection, document) {
            Ok(remote) => {
                self.savepoint(connection, "RELEASE document")?;
                Ok(Outcome::Accepted { remote: Some(remote) })
            }
            Err(Refusal::Document(reason)) => {
                self.savepoint(connection, "ROLLBACK TO document")?;
                self.savepoint(connection, "RELEASE document")?;
                Ok(Outcome::Rejected { reason, remote: None })
            }
            Err(Refusal::All(error)) => Err(error),
        }
    }

    fn savepoint(&self, connection: &Connection, sql: &str) -> Result<()> {
        let run = || connection.prepare_cached(sql)?.execute([]);
        run().map(|_| ()).map_err(|e| self.failed(&e, "writing"))
    }

    fn insert(&self, connection: &Connection, document: &Document) -> Result<String, Refusal> {
        let mut cells = Vec::new();
        self.program.main_row(&document.body, |cell| cells.push(cell)).map_err(Refusal::Document)?;
        // No row, no id: what `last_insert_rowid` says then belongs to somebody else.
        let rows = self.run(connection, self.program.main.text(), &cells, 0)?;
        if rows != 1 {
            let text = format!("main_sql changed {rows} rows instead of one, so nothing was written for this document");
            return Err(Refusal::Document(Reason::new("no row", text)));
        }
        let main_id = connection.last_insert_rowid();
        for extend in &self.program.extends {
            for line in extend.lines(&document.body).map_err(Refusal::Document)? {
                cells.clear();
                extend.row(line, |cell| cells.push(cell)).map_err(Refusal::Document)?;
                self.run(connection, extend.template.text(), &cells, main_id)?;
            }
        }
        let remote = main_id.to_string();
        let sql = format!(
            "INSERT INTO {}.dukou_delivery (target, doc_key, digest, remote) VALUES (?, ?, ?, ?)",
            quoted(&self.schema)
        );
        let deliver = || {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.execute((&self.name, document.key.as_str(), &document.digest[..], &remote))
        };
        deliver().map_err(|e| Refusal::All(self.failed(&e, "writing the delivery")))?;
        Ok(remote)
    }

    fn run(&self, connection: &Connection, text: &str, cells: &[Cell<'_>], main_id: i64) -> Result<usize, Refusal> {
        let params = cells.iter().map(|&cell| Bound { cell, main_id });
        let run = || connection.prepare_cached(text)?.execute(rusqlite::params_from_iter(params));
        run().map_err(|e| match document_fault(&e) {
            Some(reason) => Refusal::Document(reason),
            None => Refusal::All(self.failed(&e, "writing")),
        })
    }
}

/// Why a document was not stored: its own fault, or trouble that ends the batch.
enum Refusal {
    Document(Reason),
    All(Error),
}

struct Bound<'a> {
    cell: Cell<'a>,
    main_id: i64,
}

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.cell {
            Cell::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Cell::Bool(b) => i64::from(b).into(),
            Cell::Int(i) => i.into(),
            Cell::Decimal(d) => d.to_text().into(),
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Cell::MainId => self.main_id.into(),
        })
    }
}

/// What helps against a document's fault, by SQLite's extended result code.
pub fn cure(code: i32) -> Option<&'static str> {
    Some(match code {
        ffi::SQLITE_CONSTRAINT_NOTNULL => {
            "fill the column in the mapping (coalesce), give the placeholder a default, or allow NULL in the table"
        }
        ffi::SQLITE_CONSTRAINT_CHECK => "a CHECK of the table refuses it: correct the value in the mapping",
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
            "another row has this value of a unique key: look which one is right"
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "the row it refers to is not there yet: bring that one first",
        ffi::SQLITE_CONSTRAINT_DATATYPE | ffi::SQLITE_MISMATCH => {
            "the column has another type than the value: cast it in the mapping"
        }
        ffi::SQLITE_TOOBIG => "the value is larger than SQLite takes: shorten it in the mapping (left)",
        _ => return None,
    })
}

/// A constraint or a size: the document's fault. The code is SQLite's extended result code.
fn document_fault(error: &rusqlite::Error) -> Option<Reason> {
    let rusqlite::Error::SqliteFailure(code, text) = error else { return None };
    if !matches!(code.code, ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) {
        return None;
    }
    let text = text.clone().unwrap_or_else(|| code.to_string());
    let mut reason = Reason::new(code.extended_code.to_string(), text.as_str());
    // "NOT NULL constraint failed: sale_return.dispatch_id"
    reason.field = text.rsplit_once(": ").and_then(|(_, what)| what.rsplit_once('.')).map(|(_, column)| column.into());
    Some(reason)
}

fn fault(path: &Path, error: &rusqlite::Error, doing: &str) -> Error {
    let (kind, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Kind::Unavailable, "another program holds the file: let it finish")
        }
        Some(ErrorCode::DiskFull) => (Kind::Local, "free some disk space, then run the same command again"),
        Some(ErrorCode::CannotOpen) => (Kind::Local, "does the folder exist, and may this user write there?"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (Kind::Local, "make file and folder writable for this user")
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            (Kind::Conflict, "the file is not a SQLite database: name another one, or restore it from a copy")
        }
        Some(ErrorCode::SystemIoFailure) => (Kind::Local, "look at the disk; nothing of this batch was stored"),
        _ => (Kind::Config, "compare the statements with the tables of the file"),
    };
    Error::new(kind, format!("{}: {doing}: {error}", path.display())).hint(hint)
}
