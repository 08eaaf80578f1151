//! MySQL and MariaDB: documents become rows by the user's own statements, each document exactly once.
//!
//! Takes batches of documents, gives one outcome each. One transaction holds main rows, extension rows and, as its last
//! statement, the rows of `dukou_delivery` of many documents: whoever commits that row first has delivered the document,
//! whoever comes second is refused by its primary key and takes everything back. So an in-doubt transaction is simply tried
//! again. Never pastes a value into a statement, never shows the URL.

mod check;
mod fault;
mod ids;
mod ledger;
mod rows;
mod session;
mod store;

use super::split;
use super::statement::Program;
use super::{Asked, Found, Receipt, Sink, receipts};
use crate::base::record::{DocKey, Document};
use crate::base::retry::RetryPolicy;
use crate::base::{Error, Result};
use crate::config::model::{InsertIds, Statements};
use crate::config::secret::Secret;
use chrono::Utc;
use ids::Ids;
use ledger::Ledger;
use rows::MultiRow;
use session::Sessions;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How a [`MySqlSink`] behaves; everything has a default.
#[derive(Debug, Clone)]
pub struct MySqlOptions {
    /// Stands for server, database and main table in the target's identity.
    pub target_id: Option<String>,
    /// Connections, and so transactions under way at once. Default 2.
    pub in_flight: usize,
    /// Writes into this database instead of the one the statements name.
    pub database: Option<String>,
    /// When a transaction that did not settle is tried again: deadlocks, lock waits, lost connections.
    pub retry: RetryPolicy,
    /// A connection attempt. Default 15 s.
    pub connect_limit: Duration,
    /// One transaction, from BEGIN to the answer to COMMIT; one check; one look. Default 180 s.
    pub transaction_limit: Duration,
}

impl Default for MySqlOptions {
    fn default() -> Self {
        let retry = RetryPolicy {
            max_attempts: 8,
            first_wait: Duration::from_millis(50),
            max_wait: Duration::from_secs(5),
            max_elapsed: Duration::from_secs(600),
        };
        Self {
            target_id: None,
            in_flight: 2,
            database: None,
            retry,
            connect_limit: Duration::from_secs(15),
            transaction_limit: Duration::from_secs(180),
        }
    }
}

/// A table of a MySQL server, filled by statements.
pub struct MySqlSink {
    target: String,
    program: Program,
    insert_ids: InsertIds,
    /// The database of the main table; the delivery table stands beside it.
    database: String,
    ledger: Ledger,
    sessions: Sessions,
    retry: RetryPolicy,
    transaction_limit: Duration,
    plan: OnceCell<Plan>,
}

/// What is known once the server was asked: how ids come, and the statements in all their sizes.
struct Plan {
    ids: Ids,
    main: MultiRow,
    /// One per extension.
    extends: Vec<MultiRow>,
    deliveries: MultiRow,
}

impl MySqlSink {
    /// Checks what can be checked without the server; the first connection is made at first use.
    ///
    /// `url` is `mysql://user:password@host:port/database`, with the options of the driver (`require_ssl=true`,
    /// `compression=fast`, …); the database may be left out where the statements name one.
    pub fn connect(url: &Secret, statements: &Statements, options: MySqlOptions) -> Result<Self> {
        let program = Program::parse(statements, options.database.as_deref())?;
        let opts = session::opts(url)?;
        let table = program.main.table();
        let database = table.schema.clone().or_else(|| opts.db_name().map(str::to_string)).ok_or_else(|| {
            Error::config(format!("no database is named for the table {table}"))
                .hint("write INSERT INTO database.table in main_sql, or add /database to the url")
        })?;
        let target = options.target_id.clone().unwrap_or_else(|| {
            let host = opts.ip_or_hostname().to_lowercase();
            format!("mysql:{host}:{}/{database}/{}", opts.tcp_port(), table.name)
        });
        // Inside the database neither server nor database are part of the identity: a server has many names, and one
        // delivered row must be seen under all of them.
        let ledger = Ledger::new(&database, options.target_id.as_deref().unwrap_or(&table.name))?;
        let sessions = Sessions::new(opts, options.in_flight, options.connect_limit);
        Ok(Self {
            target,
            insert_ids: statements.insert_ids,
            database,
            ledger,
            sessions,
            retry: options.retry,
            transaction_limit: options.transaction_limit,
            plan: OnceCell::new(),
            program,
        })
    }

    /// Asks the server once; creates the delivery table if it is not there.
    async fn plan(&self) -> Result<&Plan> {
        self.plan
            .get_or_try_init(|| async {
                let mut session = self.sessions.take().await?;
                self.ledger.create(&mut session).await?;
                let ids = ids::resolve(&mut session, &self.program, self.insert_ids, &self.database).await?;
                self.sessions.give(session);
                Ok(Plan {
                    main: MultiRow::main(&self.program.main, &ids),
                    extends: self.program.extends.iter().map(|e| MultiRow::of(&e.template)).collect(),
                    deliveries: MultiRow::of(&self.ledger.insert()?),
                    ids,
                })
            })
            .await
    }

    /// Runs `work` within the time limit of a transaction.
    async fn limited<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.transaction_limit, work).await.unwrap_or_else(|_| {
            Err(Error::unavailable(format!("the server did not answer within {} s", self.transaction_limit.as_secs())))
        })
    }
}

#[async_trait::async_trait]
impl Sink for MySqlSink {
    fn target(&self) -> &str {
        &self.target
    }

    async fn check(&self) -> Result<()> {
        self.limited(async {
            let mut session = self.sessions.take().await?;
            check::tables(&mut session, &self.program, &self.database).await?;
            self.sessions.give(session);
            self.plan().await?;
            let mut session = self.sessions.take().await?;
            self.ledger.check(&mut session).await?;
            self.sessions.give(session);
            Ok(())
        })
        .await
        .map_err(|e| e.context(self.target.clone()))
    }

    async fn find(&self, asked: &[Asked<'_>]) -> Result<Vec<Found>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<DocKey> = asked.iter().map(|a| a.key.clone()).collect();
        self.look_again(&keys).await.map_err(|e| e.context(self.target.clone()))
    }

    async fn send(&self, batch: &[Document]) -> Result<Vec<Receipt>> {
        let sent_at = Utc::now();
        let outcomes = split::deliver(self, batch).await.map_err(|e| e.context(self.target.clone()))?;
        Ok(receipts(batch, outcomes, sent_at, |d| d.body.to_json(false)))
    }

    fn refuses_doubles(&self) -> bool {
        true
    }
}

/// What helps against a document's fault, by the server's number for it.
pub fn cure(code: u16) -> Option<&'static str> {
    fault::cure(code)
}

/// Executes the statements of `ddl` (separated by semicolons) on a server; with `database`, creates that database if it is
/// not there and executes them inside it.
pub async fn execute_ddl(url: &Secret, database: Option<&str>, ddl: &str) -> Result<()> {
    session::execute_ddl(url, database, ddl).await
}
