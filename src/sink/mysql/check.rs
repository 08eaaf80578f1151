//! Looks at the tables of the statements before anything is sent.
//!
//! Takes a session, gives all faults at once, each with its cure: table, column, engine, character set, statement.

use super::fault;
use super::session::Session;
use crate::base::names;
use crate::base::{Error, Kind, Result};
use crate::sink::statement::{Program, Table, Template};
use mysql_async::prelude::Queryable;

/// `database` is where tables without a schema stand.
pub(super) async fn tables(session: &mut Session, program: &Program, database: &str) -> Result<()> {
    let mut faults = Vec::new();
    for table in program.tables() {
        let schema = table.schema.as_deref().unwrap_or(database);
        let written = program.statements().filter(|(_, t)| t.table() == table).collect::<Vec<_>>();
        table_faults(session, table, schema, &written, &mut faults).await?;
    }
    if faults.is_empty() {
        for (name, template) in program.statements() {
            prepare(session, name, template, &mut faults).await?;
        }
    }
    match faults.as_slice() {
        [] => Ok(()),
        _ => Err(Error::config(faults.join("\n"))
            .hint("change the table or the statement, then look again with dukou check --online")),
    }
}

async fn table_faults(
    session: &mut Session,
    table: &Table,
    schema: &str,
    statements: &[(&str, &Template)],
    faults: &mut Vec<String>,
) -> Result<()> {
    let doing = |e: mysql_async::Error| fault::stopped(&e, "looking at the target's tables");
    let known: Vec<(String, Option<String>)> = session
        .conn
        .exec("SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?", (schema,))
        .await
        .map_err(doing)?;
    let name = &table.name;
    let names_known: Vec<&str> = known.iter().map(|(n, _)| n.as_str()).collect();
    // On some systems table names know no letter case.
    let Some((_, engine)) = known.iter().find(|(n, _)| n == name || n.to_lowercase() == name.to_lowercase()) else {
        faults.push(match known.is_empty() {
            true => format!(
                "{table}: there is no database {schema}, or it has no table this user may see; create both, or GRANT"
            ),
            false => format!("{table}: there is no such table; {}", names::suggest(name, names_known)),
        });
        return Ok(());
    };
    if !engine.as_deref().is_some_and(|e| e.eq_ignore_ascii_case("InnoDB")) {
        let engine = engine.as_deref().unwrap_or("a view");
        faults.push(format!(
            "{table} is {engine}: it cannot take part in a transaction, half a batch would stay after an error; \
             ALTER TABLE `{schema}`.`{name}` ENGINE=InnoDB"
        ));
    }
    let columns: Vec<(String, Option<String>)> = session
        .conn
        .exec(
            "SELECT COLUMN_NAME, CHARACTER_SET_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
            (schema, name),
        )
        .await
        .map_err(doing)?;
    column_faults(table, schema, statements, &columns, faults);
    Ok(())
}

fn column_faults(
    table: &Table,
    schema: &str,
    statements: &[(&str, &Template)],
    columns: &[(String, Option<String>)],
    faults: &mut Vec<String>,
) {
    let names_known: Vec<&str> = columns.iter().map(|(n, _)| n.as_str()).collect();
    let mut foreign: Vec<(&str, &str)> = Vec::new();
    for (statement, template) in statements {
        let written: Vec<&str> = match template.plain_values_insert() {
            Some(plain) => plain.columns.iter().map(|(name, _)| name.as_str()).collect(),
            None => names_known.clone(),
        };
        for name in written {
            match columns.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
                None => faults.push(format!(
                    "{statement}: {table} has no column {name}; {}",
                    names::suggest(name, names_known.iter().copied())
                )),
                Some((column, Some(charset))) if charset != "utf8mb4" => foreign.push((column, charset)),
                Some(_) => {}
            }
        }
    }
    foreign.dedup();
    if let Some((_, charset)) = foreign.first() {
        let list: Vec<&str> = foreign.iter().map(|(column, _)| *column).collect();
        faults.push(format!(
            "{table}: {} cannot hold every character ({charset}); \
             ALTER TABLE `{schema}`.`{}` CONVERT TO CHARACTER SET utf8mb4",
            list.join(", "),
            table.name
        ));
    }
}

/// The server reads each statement; what is wrong with it is a fault, trouble on the way is an error.
async fn prepare(session: &mut Session, name: &str, template: &Template, faults: &mut Vec<String>) -> Result<()> {
    match session.conn.prep(template.text()).await {
        Ok(_) => Ok(()),
        Err(e) => {
            let error = fault::stopped(&e, name);
            if error.kind() == Kind::Unavailable || error.kind() == Kind::Denied {
                return Err(error);
            }
            faults.push(error.to_string());
            Ok(())
        }
    }
}
