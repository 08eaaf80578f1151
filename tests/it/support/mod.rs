//! A whole ferry for tests: the real binary, a sandbox in this process, a database, and what is true of them afterwards.
//!
//! Every test makes its own of everything; nothing is shared but the MariaDB server of `DUKOU_TEST_MYSQL_URL`.

pub mod books;
pub mod database;
pub mod project;
pub mod vendor;

use std::io::Write as _;

/// What cannot run says so past the test harness, which keeps what a passing test prints; a failure where all is required.
pub fn skipped(what: &str) {
    let required = std::env::var("DUKOU_REQUIRE_ALL").is_ok_and(|v| v == "1");
    assert!(!required, "DUKOU_REQUIRE_ALL=1, and this cannot run: {what}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}
