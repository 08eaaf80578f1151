//! Exactly once, whatever happens: the real binary between a sandbox and a database, killed, doubled, cut off, lied to.
//!
//! `kills`: kill -9 at every phase. `rivals`: two processes, two workspaces, other names, lost workspaces. `trouble`: a source
//! that misbehaves, a server that dies, Ctrl-C. `content`: hostile values, one bad document, Parquet read by others.

mod content;
mod kills;
mod rivals;
mod trouble;

use super::support::database::Database;
use super::support::project::{MONTH, Project};

/// The shipped pipeline from trades to MySQL.
const TRADES: &str = "jackyun_trades_to_mysql";

/// `run jackyun_trades_to_mysql` over all the sandbox's days.
fn whole_month() -> Vec<&'static str> {
    [&["--json", "run", TRADES], &MONTH[..]].concat()
}

/// Points the shipped pipeline, under its own name, to a test's own database.
fn deliver_to(project: &mut Project, database: &Database) {
    project.pipeline(TRADES, TRADES, &[("INTO lehua.", &format!("INTO {}.", database.name))]);
    project.set("DUKOU_MYSQL_URL", database.url());
}
