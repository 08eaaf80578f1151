//! What an error of the server means: a document's fault, a passing trouble, or the end of the run.
//!
//! Takes the driver's errors, gives [`Fault`]s and [`Error`]s. The only place that knows error numbers
//! (MySQL 8.0 "Server Error Message Reference", MariaDB "Error Codes"). Never repeats a URL.

use crate::base::record::Reason;
use crate::base::{Error, Kind};
use crate::sink::split::About;
use mysql_async::ServerError;

/// Why a transaction did not go through. Nothing is stored, except after [`Fault::CommitLost`]: there nobody knows.
#[derive(Debug)]
pub(super) enum Fault {
    /// What a document holds; `suspect` is its number in the group.
    Document { reason: Reason, suspect: Option<usize>, about: About },
    /// Deadlock, lock wait, lost connection: the same transaction may pass next time.
    Passing(String),
    /// The connection was lost between COMMIT and its answer.
    CommitLost(String),
    /// No document will go in until somebody does something.
    Stop(Error),
}

/// Lock wait, deadlock, interrupted, killed, shutting down, time-outs of statement or idle connection, network.
const PASSING: [u16; 15] = [1205, 1213, 1317, 1927, 1053, 1969, 3024, 4031, 1152, 1158, 1159, 1160, 1161, 1180, 1020];
/// Access to database, table, column, privilege, routine, host.
const DENIED: [u16; 12] = [1044, 1045, 1130, 1142, 1143, 1227, 1251, 1370, 1410, 1698, 1820, 3118];
/// Unknown database, table, column; syntax; column count; no default; binlog format; unknown engine; prepared statements.
const CONFIG: [u16; 14] = [1049, 1051, 1054, 1064, 1109, 1136, 1146, 1286, 1295, 1305, 1356, 1364, 1461, 1665];
/// Disk or table full, out of memory, read-only server, too many connections, host blocked, user limits.
const UNAVAILABLE: [u16; 13] = [1021, 1037, 1038, 1040, 1041, 1114, 1129, 1203, 1226, 1290, 1792, 1836, 3675];
/// Remarks on the statement's spelling, not on a value: deprecated syntax, unsafe for the binary log.
const REMARKS: [u16; 4] = [1287, 1681, 1592, 3778];

const DUPLICATE_ENTRY: [u16; 3] = [1062, 1586, 1761];

/// What helps against a document's fault, by the server's number for it.
pub fn cure(code: u16) -> Option<&'static str> {
    Some(match code {
        1048 | 1364 => {
            "fill the column in the mapping (coalesce), give the placeholder a default, or allow NULL in the table"
        }
        1406 => "shorten the text in the mapping (left), or widen the column",
        1264 => "the number does not fit the column: round it in the mapping, or widen the column",
        1265 | 1292 | 1366 => "the column has another type than the value: cast it in the mapping",
        1062 | 1586 | 1761 => "another row has this value of a unique key: look which one is right",
        1452 | 1216 => "the row it refers to is not there yet: bring that one first",
        3819 | 4025 => "a CHECK of the table refuses it: correct the value in the mapping",
        _ => return None,
    })
}

/// Is a warning after a statement about its values? Then the value was changed on its way in.
pub(super) fn is_about_values(warning: u16) -> bool {
    !REMARKS.contains(&warning)
}

/// An error while storing rows. `documents` are the numbers of the documents of the rows of this statement, row by row.
pub(super) fn storing(error: mysql_async::Error, documents: &[usize], delivery: bool) -> Fault {
    match error {
        mysql_async::Error::Server(e) if PASSING.contains(&e.code) => Fault::Passing(e.to_string()),
        mysql_async::Error::Server(e) if stops(e.code) => {
            Fault::Stop(of_server(&e, "the server refuses the statement"))
        }
        mysql_async::Error::Server(e) => {
            let about = match DUPLICATE_ENTRY.contains(&e.code) {
                true if delivery => About::Delivery,
                true => About::UniqueKey,
                false => About::Values,
            };
            refused(e.code, &e.message, documents, about)
        }
        other => Fault::Passing(lost(&other)),
    }
}

/// A document's fault in the server's words. The row is named by some messages; a single row is always the one.
pub(super) fn refused(code: u16, message: &str, documents: &[usize], about: About) -> Fault {
    let row = number_after(message, " at row ").and_then(|row| row.checked_sub(1));
    let suspect = match documents {
        [only] => Some(*only),
        _ => row.and_then(|row| documents.get(row)).copied(),
    };
    let mut reason = Reason::new(code.to_string(), message);
    reason.field = column_in(message);
    Fault::Document { reason, suspect, about }
}

/// An error as the answer to COMMIT.
pub(super) fn committing(error: mysql_async::Error) -> Fault {
    match error {
        // These say that the transaction was rolled back.
        mysql_async::Error::Server(e) if matches!(e.code, 1205 | 1213) => Fault::Passing(e.to_string()),
        mysql_async::Error::Server(e) => Fault::CommitLost(e.to_string()),
        other => Fault::CommitLost(lost(&other)),
    }
}

/// An error of a request that changes nothing (or is ours to repeat).
pub(super) fn stopped(error: &mysql_async::Error, doing: &str) -> Error {
    match error {
        mysql_async::Error::Server(e) => of_server(e, doing),
        other => Error::unavailable(format!("{doing}: {}", lost(other))),
    }
}

/// An error while connecting to `at`.
pub(super) fn connecting(error: mysql_async::Error, at: &str) -> Error {
    match error {
        mysql_async::Error::Server(e) => of_server(&e, &format!("{at} refuses the connection")),
        mysql_async::Error::Io(e) => Error::unavailable(format!("{at} cannot be reached: {e}"))
            .hint("is host and port of the url right, and is the server up?"),
        // The driver could not make sense of what came: no MySQL server speaks there, or another dialect.
        other => Error::protocol(format!("{at} does not answer like a MySQL server: {}", lost(&other)))
            .hint("does the port of the url belong to a MySQL server?"),
    }
}

fn of_server(e: &ServerError, doing: &str) -> Error {
    let kind = match e.code {
        code if DENIED.contains(&code) => Kind::Denied,
        code if CONFIG.contains(&code) => Kind::Config,
        code if PASSING.contains(&code) || UNAVAILABLE.contains(&code) => Kind::Unavailable,
        _ => Kind::Protocol,
    };
    let error = Error::new(kind, format!("{doing}: {} ({})", e.message, e.code));
    match e.code {
        1045 | 1698 => error.hint("user or password of the url is wrong, or the user may not come from this host"),
        1044 | 1142 | 1143 | 1227 => error.hint("GRANT the privilege to the user of the url, or use another user"),
        1049 => error.hint("CREATE DATABASE it, or name another one in the url and the statements"),
        1364 => error.hint("add the column to the statement, or give it a DEFAULT in the table"),
        1665 => error.hint("READ COMMITTED needs binlog_format = ROW or MIXED on the server"),
        1021 | 1114 => error.hint("free some disk space on the server, then run the same command again"),
        1290 | 1792 | 1836 => error.hint("the server is read-only: name the primary server in the url"),
        _ => error,
    }
}

fn stops(code: u16) -> bool {
    DENIED.contains(&code) || CONFIG.contains(&code) || UNAVAILABLE.contains(&code)
}

/// The driver's own errors, without the data some of them carry.
fn lost(error: &mysql_async::Error) -> String {
    match error {
        mysql_async::Error::Io(e) => e.to_string(),
        mysql_async::Error::Driver(mysql_async::DriverError::ConnectionClosed) => "the connection was closed".into(),
        mysql_async::Error::Driver(mysql_async::DriverError::PacketTooLarge) => "the packet is too large".into(),
        mysql_async::Error::Driver(mysql_async::DriverError::PacketOutOfOrder) => "packets out of order".into(),
        mysql_async::Error::Driver(mysql_async::DriverError::UnknownAuthPlugin { name }) => {
            format!("the login method {name} is not known to the driver")
        }
        mysql_async::Error::Driver(mysql_async::DriverError::NoClientSslFlagFromServer) => {
            "the server has no TLS".into()
        }
        _ => "the connection broke".into(),
    }
}

fn number_after(message: &str, mark: &str) -> Option<usize> {
    let (_, after) = message.rsplit_once(mark)?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// `… column 'x' …` or `` … column `db`.`t`.`x` … ``, in any letter case.
fn column_in(message: &str) -> Option<String> {
    let at = message.to_ascii_lowercase().find("column ")? + "column ".len();
    let rest = &message[at..];
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '`'))?;
    let path = rest.split_whitespace().next()?;
    let name =
        path.trim_end_matches([',', '.']).rsplit_once(&format!("{quote}.{quote}")).map_or(path, |(_, name)| name);
    Some(name.trim_matches(|c| c == quote || c == ',').to_string()).filter(|n| !n.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_and_column_are_read_from_the_servers_words() {
        for (message, row, column) in [
            ("Data too long for column 'return_reason' at row 3", Some(3), Some("return_reason")),
            (
                "Incorrect datetime value: 'at row x' for column `db`.`t`.`delivery_date` at row 12",
                Some(12),
                Some("delivery_date"),
            ),
            ("Column 'dispatch_id' cannot be null", None, Some("dispatch_id")),
            ("Duplicate entry 'x' for key 'PRIMARY'", None, None),
        ] {
            assert_eq!(number_after(message, " at row "), row, "{message}");
            assert_eq!(column_in(message).as_deref(), column, "{message}");
        }
    }

    #[test]
    fn every_number_has_one_meaning() {
        let mut all: Vec<u16> = [&PASSING[..], &DENIED, &CONFIG, &UNAVAILABLE, &REMARKS, &DUPLICATE_ENTRY].concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn the_suspect_is_the_document_of_the_named_row() {
        let suspect = |message: &str, documents: &[usize]| match refused(1406, message, documents, About::Values) {
            Fault::Document { suspect, .. } => suspect,
            _ => None,
        };
        assert_eq!(suspect("too long at row 3", &[4, 4, 7]), Some(7));
        assert_eq!(suspect("too long at row 9", &[4, 4, 7]), None);
        assert_eq!(suspect("too long", &[4, 4]), None);
        assert_eq!(suspect("too long", &[4]), Some(4));
    }
}
