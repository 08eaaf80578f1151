//! Connections to the server: how they are set up, lent out and taken back.
//!
//! Takes the URL, gives sessions that are strict, UTF-8, at Beijing time and READ COMMITTED. A session whose state is not
//! known is dropped, never given back. Never shows the URL.

use super::fault;
use crate::base::{Error, Result};
use crate::config::secret::Secret;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Statement, UrlError};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Prepared statements kept per connection: every statement in every size fits.
const STATEMENT_CACHE: usize = 256;

/// In any order: the driver executes them from the last to the first.
/// Without these a server cuts values, shifts times or stores `?` for what it cannot spell, and says nothing.
const SETUP: [&str; 3] = [
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+08:00', autocommit = 1",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
];

/// At most `in_flight` connections.
pub(super) struct Sessions {
    opts: Opts,
    connect_limit: Duration,
    slots: std::sync::Arc<Semaphore>,
    idle: Mutex<Vec<(Conn, Facts, Prepared)>>,
}

/// (Which statement, how many rows) → prepared.
type Prepared = HashMap<(usize, usize), Statement>;

/// What a session says about itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// Longest request in bytes.
    pub max_packet: usize,
    /// Distance between the ids of a multi-row insert.
    pub id_step: u64,
}

/// A connection on loan. Dropped, it is closed: the server then rolls back what it was doing.
pub(super) struct Session {
    pub conn: Conn,
    pub facts: Facts,
    prepared: Prepared,
    _slot: OwnedSemaphorePermit,
}

/// Reads the URL; the messages show nothing of it.
pub(super) fn opts(url: &Secret) -> Result<Opts> {
    let shape = "mysql://user:password@host:3306/database (special characters of the password as %XX)";
    let opts = Opts::from_url(url.expose()).map_err(|e| {
        let what = match &e {
            UrlError::UnknownParameter { param }
            | UrlError::InvalidParamValue { param, .. }
            | UrlError::FeatureRequired { param, .. } => format!("its parameter {param} is not usable"),
            UrlError::UnsupportedScheme { .. } => "it does not begin with mysql://".into(),
            _ => "it cannot be read".into(),
        };
        Error::config(format!("the url of the MySQL server: {what}")).hint(format!("write {shape}"))
    })?;
    let setup = SETUP.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    // The server's own socket path would lead to another server where the address is forwarded.
    Ok(OptsBuilder::from_opts(opts).prefer_socket(false).setup(setup).stmt_cache_size(STATEMENT_CACHE).into())
}

impl Sessions {
    pub fn new(opts: Opts, in_flight: usize, connect_limit: Duration) -> Self {
        let slots = std::sync::Arc::new(Semaphore::new(in_flight.max(1)));
        Self { opts, connect_limit, slots, idle: Mutex::new(Vec::new()) }
    }

    /// An idle connection or a new one; waits while all are lent out.
    pub async fn take(&self) -> Result<Session> {
        let closed = |_| Error::bug("the list of connections is closed");
        let slot = self.slots.clone().acquire_owned().await.map_err(closed)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some((conn, facts, prepared)) = idle {
            return Ok(Session { conn, facts, prepared, _slot: slot });
        }
        let (conn, facts) = connect(&self.opts, self.connect_limit).await?;
        Ok(Session { conn, facts, prepared: HashMap::new(), _slot: slot })
    }

    /// Takes back a session with no transaction open.
    pub fn give(&self, session: Session) {
        let Session { conn, facts, prepared, _slot } = session;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((conn, facts, prepared));
    }

    /// Forgets the idle connections: the server that held them may be gone.
    pub fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Session {
    /// The prepared statement number `which` for `rows` rows.
    pub async fn prepare(&mut self, which: usize, rows: usize, text: &str) -> mysql_async::Result<Statement> {
        if let Some(statement) = self.prepared.get(&(which, rows)) {
            return Ok(statement.clone());
        }
        let statement = self.conn.prep(text).await?;
        self.prepared.insert((which, rows), statement.clone());
        Ok(statement)
    }
}

async fn connect(opts: &Opts, limit: Duration) -> Result<(Conn, Facts)> {
    let at = format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port());
    let work = async {
        let mut conn = Conn::new(opts.clone()).await?;
        let facts: Option<(u64, u64)> =
            conn.query_first("SELECT @@max_allowed_packet, @@auto_increment_increment").await?;
        Ok::<_, mysql_async::Error>((conn, facts))
    };
    match tokio::time::timeout(limit, work).await {
        Err(_) => Err(Error::unavailable(format!("{at} did not answer within {} s", limit.as_secs()))
            .hint("is host and port of the url right, and is the server up?")),
        Ok(Err(error)) => Err(fault::connecting(error, &at)),
        Ok(Ok((_, None))) => Err(Error::protocol(format!("{at} gave no answer to a SELECT"))),
        Ok(Ok((conn, Some((max_packet, id_step))))) => {
            Ok((conn, Facts { max_packet: usize::try_from(max_packet).unwrap_or(usize::MAX), id_step }))
        }
    }
}

pub(super) async fn execute_ddl(url: &Secret, database: Option<&str>, ddl: &str) -> Result<()> {
    let opts = opts(url)?;
    let failed = |e: mysql_async::Error| fault::stopped(&e, "DDL");
    let (mut conn, _) = connect(&opts, Duration::from_secs(15)).await?;
    if let Some(database) = database {
        let name = format!("`{}`", database.replace('`', "``"));
        let create = format!("CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4");
        conn.query_drop(create).await.map_err(failed)?;
        conn.query_drop(format!("USE {name}")).await.map_err(failed)?;
    }
    conn.query_drop(ddl).await.map_err(failed)?;
    conn.disconnect().await.map_err(failed)
}
