//! How the ids of main rows are obtained: it depends on the server and on the statement.
//!
//! Takes a session and the statements, gives a way that is proven for them, or the slow one that is always right.

use super::fault;
use super::session::Session;
use crate::base::{Error, Result};
use crate::config::model::InsertIds;
use crate::sink::statement::{LAST_INSERT_ID, Program};
use mysql_async::prelude::Queryable;

/// A way to the ids of inserted rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ids {
    /// The table gives none.
    None,
    /// `INSERT … RETURNING` this column: MariaDB 10.5 and later; rows come back in the order of the values.
    Returning(String),
    /// First id + n × `@@auto_increment_increment`: a multi-row `INSERT … VALUES` reserves its ids at once
    /// (MySQL manual, "InnoDB AUTO_INCREMENT Lock Modes": simple inserts, in every lock mode).
    Consecutive,
    /// One statement per row, `LAST_INSERT_ID()` after each.
    OneByOne,
}

/// Chooses the way. `database` is the main table's.
pub(super) async fn resolve(session: &mut Session, program: &Program, wish: InsertIds, database: &str) -> Result<Ids> {
    let table = program.main.table();
    let doing = |e: mysql_async::Error| fault::stopped(&e, "looking up the auto_increment column");
    let column: Option<String> = session
        .conn
        .exec_first(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND EXTRA LIKE '%auto_increment%'",
            (database, &table.name),
        )
        .await
        .map_err(doing)?;
    let Some(column) = column else {
        if program.uses_last_insert_id() {
            return Err(Error::config(format!(
                "{table} has no AUTO_INCREMENT column, but an extension uses {LAST_INSERT_ID}"
            ))
            .hint("give the main table an AUTO_INCREMENT id, or let the mapping supply the id"));
        }
        return Ok(Ids::None);
    };
    let Some(plain) = program.main.plain_values_insert() else {
        return match wish {
            InsertIds::Auto | InsertIds::OneByOne => Ok(Ids::OneByOne),
            InsertIds::Returning | InsertIds::Consecutive => Err(Error::config(
                "insert_ids asks for ids of many rows at once, but main_sql is not a plain INSERT … VALUES",
            )
            .hint("leave insert_ids out: the rows are then inserted one by one")),
        };
    };
    let ids_are_given = plain.columns.iter().any(|(name, _)| name.eq_ignore_ascii_case(&column));
    Ok(match wish {
        InsertIds::Returning => Ids::Returning(column),
        InsertIds::OneByOne => Ids::OneByOne,
        InsertIds::Consecutive => Ids::Consecutive,
        InsertIds::Auto => {
            let version: Option<String> = session.conn.query_first("SELECT VERSION()").await.map_err(doing)?;
            let triggers: Option<u64> = session
                .conn
                .exec_first(
                    "SELECT COUNT(*) FROM information_schema.TRIGGERS \
                     WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ? AND EVENT_MANIPULATION = 'INSERT'",
                    (database, &table.name),
                )
                .await
                .map_err(doing)?;
            automatic(&version.unwrap_or_default(), column, ids_are_given, triggers.unwrap_or(0) > 0)
        }
    })
}

/// `version` is what `VERSION()` says: `10.11.19-MariaDB-…`, `8.0.36`, `5.7.25-TiDB-v7.1.0`, `5.7.25-OceanBase-…`.
fn automatic(version: &str, column: String, ids_are_given: bool, triggers: bool) -> Ids {
    let lower = version.to_lowercase();
    let mut numbers = lower.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse::<u32>().unwrap_or(0));
    let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if lower.contains("mariadb") {
        return if number >= (10, 5) { Ids::Returning(column) } else { Ids::OneByOne };
    }
    let oracle = !lower.contains("tidb") && !lower.contains("oceanbase") && number >= (5, 6);
    if oracle && !ids_are_given && !triggers { Ids::Consecutive } else { Ids::OneByOne }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_follows_from_server_and_table() {
        let way = |version, given, triggers| automatic(version, "id".into(), given, triggers);
        assert_eq!(way("10.11.19-MariaDB-0+deb12u1", true, true), Ids::Returning("id".into()));
        assert_eq!(way("10.4.2-MariaDB", false, false), Ids::OneByOne);
        assert_eq!(way("8.0.36", false, false), Ids::Consecutive);
        assert_eq!(way("8.0.36", true, false), Ids::OneByOne);
        assert_eq!(way("8.0.36", false, true), Ids::OneByOne);
        assert_eq!(way("5.7.25-TiDB-v7.1.0", false, false), Ids::OneByOne);
        assert_eq!(way("5.7.25-OceanBase-v4.2.1", false, false), Ids::OneByOne);
    }
}
