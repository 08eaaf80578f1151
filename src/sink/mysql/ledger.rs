//! The delivery table in the target database: the row that decides whether a document is there.
//!
//! Takes keys, gives what was delivered. The table is ours; it is created here and nowhere else, and never emptied.

use super::fault;
use super::session::Session;
use crate::base::lifecycle::State;
use crate::base::record::DocKey;
use crate::base::value::Digest;
use crate::base::{Error, Kind, Result};
use crate::sink::statement::Template;
use crate::sink::{Found, Proof};
use mysql_async::prelude::Queryable;
use mysql_async::{Params, Value};
use std::collections::HashMap;

/// Keys asked for in one SELECT.
const KEYS_PER_LOOK: usize = 256;
/// Sizes of an IN list; a shorter one is filled up with its last key, so that few statements are prepared.
const LOOK_SIZES: [usize; 5] = [1, 4, 16, 64, KEYS_PER_LOOK];

pub(super) struct Ledger {
    database: String,
    /// `` `database`.`dukou_delivery` ``
    table: String,
    /// This target's name inside the database.
    pub target: String,
}

const NAME: &str = "dukou_delivery";

impl Ledger {
    pub fn new(database: &str, target: &str) -> Result<Self> {
        if target.chars().count() > 190 {
            return Err(Error::config("target_id is longer than 190 characters").hint("choose a shorter one"));
        }
        let table = format!("`{}`.`{NAME}`", database.replace('`', "``"));
        Ok(Self { database: database.to_string(), table, target: target.to_string() })
    }

    /// Times are the session's: Beijing. Keys are compared byte by byte: `utf8mb4_bin`.
    pub fn ddl(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (\n  \
               target VARCHAR(190) NOT NULL,\n  \
               doc_key VARCHAR(190) NOT NULL,\n  \
               digest BINARY(17) NOT NULL,\n  \
               remote VARCHAR(64) NULL,\n  \
               delivered_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,\n  \
               PRIMARY KEY (target, doc_key)\n\
             ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
            self.table
        )
    }

    /// Creates the table if it is not there; a user who may not create tables is told the DDL.
    pub async fn create(&self, session: &mut Session) -> Result<()> {
        let doing = |e: mysql_async::Error| fault::stopped(&e, "creating the delivery table");
        let known: Option<u64> = session
            .conn
            .exec_first(
                "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
                (&self.database, NAME),
            )
            .await
            .map_err(doing)?;
        if known.unwrap_or(0) > 0 {
            return Ok(());
        }
        session.conn.query_drop(self.ddl()).await.map_err(|e| {
            let error = doing(e);
            match error.kind() {
                // To a user without rights on it, a table that is there looks as if it were not.
                Kind::Denied => error.hint(format!(
                    "let somebody who may create tables execute:\n{};\nGRANT SELECT, INSERT ON {} TO the user of the url;",
                    self.ddl(),
                    self.table
                )),
                _ => error,
            }
        })
    }

    /// A table of this name with another meaning would lose documents or refuse good ones.
    pub async fn check(&self, session: &mut Session) -> Result<()> {
        let doing = |e: mysql_async::Error| fault::stopped(&e, "looking at the delivery table");
        let engine: Option<Option<String>> = session
            .conn
            .exec_first(
                "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
                (&self.database, NAME),
            )
            .await
            .map_err(doing)?;
        let columns: Vec<(String, String, Option<String>)> = session
            .conn
            .exec(
                "SELECT COLUMN_NAME, COLUMN_KEY, COLLATION_NAME FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
                (&self.database, NAME),
            )
            .await
            .map_err(doing)?;
        let keyed = |name: &str| {
            columns
                .iter()
                .any(|(n, key, collation)| n == name && key == "PRI" && collation.as_deref() == Some("utf8mb4_bin"))
        };
        let known = |name: &str| columns.iter().any(|(n, _, _)| n == name);
        let innodb = engine.flatten().is_some_and(|e| e.eq_ignore_ascii_case("InnoDB"));
        if innodb && keyed("target") && keyed("doc_key") && known("digest") && known("remote") {
            return Ok(());
        }
        Err(Error::conflict(format!("{} is not the table that dukou makes", self.table))
            .hint(format!("if it is empty or not ours, rename it; it has to be:\n{};", self.ddl())))
    }

    /// The statement that enters deliveries.
    pub fn insert(&self) -> Result<Template> {
        Template::parse(&format!(
            "INSERT INTO {} (target, doc_key, digest, remote) VALUES (<{{target: }}>,<{{doc_key: }}>,<{{digest: }}>,<{{remote: }}>)",
            self.table
        ))
    }

    /// One answer per key, in order.
    pub async fn look(&self, session: &mut Session, keys: &[DocKey]) -> Result<Vec<Found>> {
        let mut there: HashMap<String, (Digest, Option<String>)> = HashMap::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS_PER_LOOK) {
            let size = LOOK_SIZES.into_iter().find(|&s| s >= chunk.len()).unwrap_or(KEYS_PER_LOOK);
            let text = format!(
                "SELECT doc_key, digest, remote FROM {} WHERE target = ? AND doc_key IN (?{})",
                self.table,
                ",?".repeat(size - 1)
            );
            let last = chunk.last().into_iter().cycle();
            let asked = chunk.iter().chain(last).take(size).map(|k| Value::from(k.as_str()));
            let params = std::iter::once(Value::from(&self.target)).chain(asked).collect();
            let rows: Vec<(String, Vec<u8>, Option<String>)> = session
                .conn
                .exec(text, Params::Positional(params))
                .await
                .map_err(|e| fault::stopped(&e, "asking the delivery table"))?;
            for (key, digest, remote) in rows {
                let digest = Digest::try_from(digest.as_slice())
                    .map_err(|_| Error::protocol(format!("{}: the digest of {key} has not 17 bytes", self.table)))?;
                there.insert(key, (digest, remote));
            }
        }
        let found = |key: &DocKey| match there.get(key.as_str()) {
            None => Found::Missing,
            Some((digest, remote)) => {
                Found::There { remote: remote.clone(), state: State::Present, proof: Proof::Digest(*digest) }
            }
        };
        Ok(keys.iter().map(found).collect())
    }
}
