//! One transaction for a group of documents, repeated until it is settled.
//!
//! Takes documents, gives what became of the group as a whole; which document is to blame is found out by `sink/split.rs`.
//!
//! Order within the transaction: main rows (their ids are then known), extension rows, delivery rows with those ids, COMMIT.
//! A second writer of the same document waits at the delivery row until the first has committed, is refused there, and rolls
//! its main rows back. Where the user's own tables have a unique key it is refused earlier, with the user's key in the
//! message; that is why a refusal by any unique key is looked up in the delivery table before it is believed.

use super::fault::{self, Fault};
use super::ids::Ids;
use super::rows::{self, Rows};
use super::session::Session;
use super::{MySqlSink, Plan};
use crate::base::record::{DocKey, Document, Reason};
use crate::base::{Error, Kind, Result};
use crate::sink::Found;
use crate::sink::split::{About, Attempt, Store};
use mysql_async::Value;
use mysql_async::prelude::Queryable;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[async_trait::async_trait]
impl Store for MySqlSink {
    async fn attempt(&self, group: &[&Document]) -> Result<Attempt> {
        let plan = self.limited(self.plan()).await?;
        let started = Instant::now();
        let mut in_doubt = false;
        let mut attempt = 1;
        loop {
            let trouble = match self.transaction(plan, group, attempt == 1).await {
                Ok(remotes) => return Ok(Attempt::Stored(remotes)),
                Err(Fault::Document { reason, suspect, about }) => {
                    return Ok(Attempt::Refused { reason, suspect, about });
                }
                Err(Fault::Stop(error)) if in_doubt => return Ok(unsettled(&error.to_string())),
                Err(Fault::Stop(error)) => return Err(error),
                Err(Fault::Passing(text)) => text,
                Err(Fault::CommitLost(text)) => {
                    in_doubt = true;
                    text
                }
            };
            attempt += 1;
            match self.retry.wait_before(attempt, started.elapsed(), None, fastrand::f64()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None if in_doubt => return Ok(unsettled(&trouble)),
                None => return Err(gave_up(&trouble, attempt - 1)),
            }
        }
    }

    async fn look(&self, keys: &[DocKey]) -> Result<Vec<Found>> {
        self.look_again(keys).await
    }
}

fn unsettled(trouble: &str) -> Attempt {
    Attempt::Unsettled(Reason::new("commit", format!("no answer to COMMIT could be had: {trouble}")))
}

fn gave_up(trouble: &str, attempts: u32) -> Error {
    Error::unavailable(format!("the transaction failed {attempts} times, nothing was stored: {trouble}"))
        .hint("run the same command again when the server is quiet")
}

impl MySqlSink {
    /// One try. The session is given back only if it is known to be clean.
    async fn transaction(&self, plan: &Plan, group: &[&Document], first: bool) -> Result<Vec<Option<String>>, Fault> {
        let committing = AtomicBool::new(false);
        let work = async {
            let mut session = self.sessions.take().await.map_err(|e| match e.kind() {
                // The server was there before; it may be starting again.
                Kind::Unavailable if !first => Fault::Passing(e.to_string()),
                _ => Fault::Stop(e),
            })?;
            let result = self.write(plan, group, &mut session, &committing).await;
            let clean = match &result {
                Ok(_) => true,
                Err(Fault::CommitLost(_)) => false,
                Err(_) => session.conn.query_drop("ROLLBACK").await.is_ok(),
            };
            if clean {
                self.sessions.give(session);
            } else {
                self.sessions.forget();
            }
            result
        };
        tokio::time::timeout(self.transaction_limit, work).await.unwrap_or_else(|_| {
            let text = format!("the server did not answer within {} s", self.transaction_limit.as_secs());
            Err(if committing.load(Ordering::Relaxed) { Fault::CommitLost(text) } else { Fault::Passing(text) })
        })
    }

    async fn write(
        &self,
        plan: &Plan,
        group: &[&Document],
        session: &mut Session,
        committing: &AtomicBool,
    ) -> Result<Vec<Option<String>>, Fault> {
        session.conn.query_drop("START TRANSACTION").await.map_err(|e| fault::storing(e, &[], false))?;
        let ids = rows::execute(session, 0, &plan.main, self.main_rows(plan, group)?, &plan.ids, false).await?;
        for extension in 0..plan.extends.len() {
            let statement = &plan.extends[extension];
            let rows = self.extension_rows(plan, extension, group, &ids)?;
            rows::execute(session, 1 + extension, statement, rows, &Ids::None, false).await?;
        }
        let remotes: Vec<Option<String>> = (0..group.len()).map(|i| ids.get(i).map(u64::to_string)).collect();
        let rows = self.delivery_rows(plan, group, &remotes);
        rows::execute(session, 1 + plan.extends.len(), &plan.deliveries, rows, &Ids::None, true).await?;
        committing.store(true, Ordering::Relaxed);
        session.conn.query_drop("COMMIT").await.map_err(fault::committing)?;
        Ok(remotes)
    }

    fn main_rows(&self, plan: &Plan, group: &[&Document]) -> Result<Rows, Fault> {
        let mut rows = Rows::with_capacity(group.len(), &plan.main);
        for (i, document) in group.iter().enumerate() {
            rows.begin(i);
            self.program.main_row(&document.body, |cell| rows.cell(cell, 0)).map_err(|reason| blamed(i, reason))?;
        }
        Ok(rows)
    }

    fn extension_rows(&self, plan: &Plan, extension: usize, group: &[&Document], ids: &[u64]) -> Result<Rows, Fault> {
        let program = &self.program.extends[extension];
        let mut rows = Rows::with_capacity(group.len(), &plan.extends[extension]);
        for (i, document) in group.iter().enumerate() {
            let main_id = ids.get(i).copied().unwrap_or(0);
            for line in program.lines(&document.body).map_err(|reason| blamed(i, reason))? {
                rows.begin(i);
                program.row(line, |cell| rows.cell(cell, main_id)).map_err(|reason| blamed(i, reason))?;
            }
        }
        Ok(rows)
    }

    /// In the order of the keys: two writers with documents in common then wait for each other instead of dead-locking.
    fn delivery_rows(&self, plan: &Plan, group: &[&Document], remotes: &[Option<String>]) -> Rows {
        let mut order: Vec<usize> = (0..group.len()).collect();
        order.sort_unstable_by_key(|&i| &group[i].key);
        let mut rows = Rows::with_capacity(group.len(), &plan.deliveries);
        for i in order {
            rows.begin(i);
            rows.value(Value::from(&self.ledger.target));
            rows.value(Value::from(group[i].key.as_str()));
            rows.value(Value::from(&group[i].digest[..]));
            rows.value(Value::from(remotes[i].as_deref()));
        }
        rows
    }

    /// Asks the delivery table; a connection that broke while idle is replaced.
    pub(super) async fn look_again(&self, keys: &[DocKey]) -> Result<Vec<Found>> {
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let looked = self.limited(async {
                self.plan().await?;
                let mut session = self.sessions.take().await?;
                let found = self.ledger.look(&mut session, keys).await?;
                self.sessions.give(session);
                Ok(found)
            });
            let error = match looked.await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            self.sessions.forget();
            attempt += 1;
            // An unreachable server is the caller's to wait for: only a short while is bridged here.
            let wait = self.retry.wait_before(attempt, started.elapsed(), None, fastrand::f64());
            match wait.filter(|&w| error.kind() == Kind::Unavailable && attempt <= 4 && w < Duration::from_secs(2)) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
        }
    }
}

fn blamed(document: usize, reason: Reason) -> Fault {
    Fault::Document { reason, suspect: Some(document), about: About::Values }
}
