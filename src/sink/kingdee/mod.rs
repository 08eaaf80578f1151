//! Kingdee K/3 Cloud (金蝶云星空): documents become bills by BatchSave or Save, each exactly once, each with its own outcome.
//!
//! Takes batches of documents, gives one receipt each. The ERP has no idempotency key, saves some documents of a call and
//! refuses others, and may have saved what we never heard of. So `FBillNo` is the key; both lists of every answer are
//! read; and whatever is not certain is asked by ExecuteBillQuery before anything is sent again. Never guesses, never
//! sends a document that may be there, never shows a secret or a cookie.
//!
//! `account` signs, `session` calls, `request` words it, `answer` reads it, `fault` knows the texts, `outcome` judges one
//! answer, `query` asks, `send` and `finish` are the two ways a document goes.

mod account;
mod answer;
pub mod fault;
mod finish;
mod outcome;
mod query;
mod request;
mod send;
mod session;
#[cfg(test)]
mod tests;

use super::{Asked, Found, Receipt, Sink, Unfinished};
use crate::base::Result;
use crate::base::record::{DocKey, Document};
use crate::base::retry::RetryPolicy;
use crate::config::model::Kingdee;
use crate::config::secret::Env;
use crate::net::Transport;
use account::Account;
use answer::Said;
use query::Question;
use request::{Form, Service};
use session::Session;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How a [`KingdeeSink`] behaves beyond what its pipeline says.
#[derive(Debug, Clone)]
pub struct KingdeeOptions {
    /// Stands for server, account set and form in the target's identity.
    pub target_id: Option<String>,
    /// How long a lock of somebody else is waited for before the one more try. Default 8 s: one was enough in the field.
    pub lock_wait: Duration,
    /// When a call that stores nothing is made again; a save only where it never left this machine.
    pub retry: RetryPolicy,
}

impl Default for KingdeeOptions {
    fn default() -> Self {
        let retry = RetryPolicy {
            max_attempts: 4,
            first_wait: Duration::from_secs(1),
            max_wait: Duration::from_secs(15),
            max_elapsed: Duration::from_secs(300),
        };
        Self { target_id: None, lock_wait: Duration::from_secs(8), retry }
    }
}

/// A form of an account set, filled by its web API.
pub struct KingdeeSink {
    target: String,
    form: Form,
    session: Session,
    lock_wait: Duration,
    /// A document was stored: form, fields and rights are good, so what is refused is refused for what it is.
    proven: AtomicBool,
}

impl KingdeeSink {
    /// Resolves the settings; the first call is made at first use.
    pub fn new(settings: &Kingdee, env: &Env, transport: Arc<dyn Transport>, options: KingdeeOptions) -> Result<Self> {
        let account = Account::new(settings, env)?;
        let target = options.target_id.unwrap_or_else(|| account.target(&settings.form));
        let session = Session::new(account, transport, options.retry);
        let (form, proven) = (Form::new(settings), AtomicBool::new(false));
        Ok(Self { target, form, session, lock_wait: options.lock_wait, proven })
    }
}

#[async_trait::async_trait]
impl Sink for KingdeeSink {
    fn target(&self) -> &str {
        &self.target
    }

    /// Asks for a number that nobody has: credentials, form, key field, status, compared fields and entry must be known.
    async fn check(&self) -> Result<()> {
        let filter = format!("{} in ('dukou check')", request::NUMBER);
        let told = self.session.call(Service::Query, &self.form.query_body(&filter, 0, 1)).await;
        match told.map(|told| told.said) {
            Ok(Said::Rows(_)) => Ok(()),
            Ok(other) => Err(self.session.failed(&other)),
            Err(error) => Err(error),
        }
        .map_err(|e| e.context(self.target.clone()))
    }

    async fn find(&self, asked: &[Asked<'_>]) -> Result<Vec<Found>> {
        let keys: Vec<&DocKey> = asked.iter().map(|a| a.key).collect();
        let seen = self.look(&keys).await.map_err(|e| e.context(self.target.clone()))?;
        let judge = |(asked, seen): (&Asked<'_>, query::Seen)| {
            let question = Question { document: asked.document, remote: asked.remote };
            self.form.judge(seen.standing.as_ref(), asked.key, question)
        };
        Ok(asked.iter().zip(seen).map(judge).collect())
    }

    async fn send(&self, batch: &[Document]) -> Result<Vec<Receipt>> {
        send::deliver(self, batch).await.map_err(|e| e.context(self.target.clone()))
    }

    async fn finish(&self, behind: &[Unfinished]) -> Result<Vec<Receipt>> {
        finish::finish(self, behind).await.map_err(|e| e.context(self.target.clone()))
    }

    /// A number may be used twice where the installation does not forbid it, and a lost call may still be running.
    fn refuses_doubles(&self) -> bool {
        false
    }
}
