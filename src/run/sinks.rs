//! From a pipeline's `[sink]` to the sink itself: the one place that lists them all.
//!
//! Takes what was written, gives what is meant. Knows how a mapping's columns look to statements, sends nothing.

use crate::base::lifecycle::State;
use crate::base::record::Reason;
use crate::base::{Error, Fault, Result};
use crate::config::model::{Pipeline, SinkConnector, Statements};
use crate::config::places::Written;
use crate::mapping;
use crate::net::client::HttpClient;
use crate::net::{ClientOptions, End};
use crate::run::plan::Plan;
use crate::run::proof;
use crate::sink::file::FileSink;
use crate::sink::kingdee::{KingdeeOptions, KingdeeSink};
use crate::sink::mysql::{MySqlOptions, MySqlSink};
use crate::sink::sqlite::SqliteSink;
use crate::sink::statement::{self, Shape, ShapeField};
use crate::sink::{self, Sink};
use arrow::datatypes::{DataType, Fields};
use std::path::Path;
use std::sync::Arc;

/// Builds the sink, resolving its settings. Nothing is sent before its `check`.
pub fn open(plan: &Plan) -> Result<Arc<dyn Sink>> {
    let sink = &plan.pipeline.sink;
    let target_id = sink.target_id.clone();
    Ok(match &sink.connector {
        SinkConnector::MySql { url, statements } => {
            let database = plan.database.clone();
            let options = MySqlOptions { target_id, in_flight: sink.in_flight, database, ..MySqlOptions::default() };
            Arc::new(MySqlSink::connect(&url.resolve(&plan.env)?, statements, options)?)
        }
        SinkConnector::Sqlite { path, statements } => {
            Arc::new(SqliteSink::open(Path::new(path.resolve(&plan.env)?.expose()), statements, target_id)?)
        }
        SinkConnector::File { path } => {
            Arc::new(FileSink::open(Path::new(path.resolve(&plan.env)?.expose()), target_id)?)
        }
        SinkConnector::Kingdee(kingdee) => {
            let transport = HttpClient::new(ClientOptions {
                request_timeout: kingdee.request_timeout,
                max_answer_bytes: kingdee.max_answer_bytes,
                end: End::Sink,
            })?;
            let options = KingdeeOptions { target_id, ..KingdeeOptions::default() };
            Arc::new(KingdeeSink::new(kingdee, &plan.env, Arc::new(transport), options)?)
        }
    })
}

/// Makes the tables of a target from DDL: for the demo and for tests, never for a run.
pub async fn execute_ddl(plan: &Plan, ddl: &str) -> Result<()> {
    match &plan.pipeline.sink.connector {
        SinkConnector::MySql { url, .. } => {
            sink::mysql::execute_ddl(&url.resolve(&plan.env)?, plan.database.as_deref(), ddl).await
        }
        SinkConnector::Sqlite { path, .. } => {
            sink::sqlite::execute_ddl(Path::new(path.resolve(&plan.env)?.expose()), SQLITE_SCHEMA, ddl)
        }
        SinkConnector::File { .. } | SinkConnector::Kingdee(_) => Ok(()),
    }
}

/// The name under which the shipped statements know their database.
const SQLITE_SCHEMA: &str = "lehua";

/// Are null fields, and objects emptied by them, left out of what is sent? A database binds them instead.
pub fn omits_nulls(connector: &SinkConnector) -> bool {
    matches!(connector, SinkConnector::Kingdee(_) | SinkConnector::File { .. })
}

/// What helps a document that stands in `state` for this reason, where we know it: the mapping's advice for what it blocked, the
/// connector's for what its target said. Codes and texts mean nothing to another connector than the one that gave them.
pub fn cure(connector: Option<&SinkConnector>, state: State, reason: &Reason) -> Option<&'static str> {
    match state {
        State::Blocked => mapping::cure(reason),
        State::Rejected | State::Unknown | State::Behind | State::Conflict => match connector? {
            SinkConnector::MySql { .. } => reason.code.parse().ok().and_then(sink::mysql::cure),
            SinkConnector::Sqlite { .. } => reason.code.parse().ok().and_then(sink::sqlite::cure),
            SinkConnector::Kingdee(_) => sink::kingdee::fault::cure(&reason.text),
            SinkConnector::File { .. } => None,
        },
        _ => None,
    }
}

/// The statements of a database sink.
pub fn statements(connector: &SinkConnector) -> Option<&Statements> {
    match connector {
        SinkConnector::MySql { statements, .. } | SinkConnector::Sqlite { statements, .. } => Some(statements),
        SinkConnector::File { .. } | SinkConnector::Kingdee(_) => None,
    }
}

/// What stands between the statements (or what is to prove documents ours) and the mapping's columns, each with its place in the pipeline file.
pub fn check_statements(pipeline: &Pipeline, columns: &Fields) -> Vec<Fault> {
    if let SinkConnector::Kingdee(kingdee) = &pipeline.sink.connector {
        return proof::check(pipeline, kingdee, columns);
    }
    match statements(&pipeline.sink.connector) {
        Some(statements) => carried(pipeline, statements, statement::check(statements, &shape(columns))),
        None => Vec::new(),
    }
}

/// The same from the names of the mapping's columns alone (`None`: not even these are known), for a mapping that does not plan.
pub fn check_names(pipeline: &Pipeline, names: Option<&[String]>) -> Vec<Fault> {
    let Some(statements) = statements(&pipeline.sink.connector) else { return Vec::new() };
    let faults = statement::check_names(statements, names);
    carried(pipeline, statements, faults)
}

fn carried(pipeline: &Pipeline, statements: &Statements, faults: Vec<Fault>) -> Vec<Fault> {
    if faults.is_empty() {
        return faults;
    }
    let written = Written::of(pipeline);
    let carry = |fault: Fault| {
        let named = |(k, _): &&(u32, String)| format!("extend_sql_{k}") == fault.file;
        let text = statements.extends.iter().find(named).map_or(&statements.main_sql, |(_, sql)| sql);
        written.carry("sink", &fault.file.clone(), text, fault)
    };
    faults.into_iter().map(carry).collect()
}

fn shape(fields: &Fields) -> Shape {
    let field = |field: &arrow::datatypes::FieldRef| {
        let (element, list) = match field.data_type() {
            DataType::List(element) | DataType::LargeList(element) => (element.data_type(), true),
            other => (other, false),
        };
        let members = match element {
            DataType::Struct(members) => Some(shape(members)),
            _ => None,
        };
        ShapeField { name: field.name().clone(), members, list }
    };
    Shape { fields: fields.iter().map(field).collect() }
}

/// A sink error before anything was sent, with the place it is about.
pub fn at_sink(error: Error) -> Error {
    // A setting says itself that it is the sink's.
    if error.to_string().starts_with("sink.") { error } else { error.context("sink") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{InsertIds, Kingdee, KingdeeAuth, KingdeeOperation};
    use crate::config::secret::Setting;
    use std::time::Duration;

    #[test]
    fn a_cure_comes_from_who_gave_the_reason() {
        let setting = || Setting::new("sink.x", "x");
        let statements = || Statements { main_sql: String::new(), extends: Vec::new(), insert_ids: InsertIds::Auto };
        let mysql = SinkConnector::MySql { url: setting(), statements: statements() };
        let sqlite = SinkConnector::Sqlite { path: setting(), statements: statements() };
        let file = SinkConnector::File { path: setting() };
        let kingdee = SinkConnector::Kingdee(Box::new(Kingdee {
            url: setting(),
            acct_id: setting(),
            username: setting(),
            app_id: setting(),
            app_secret: setting(),
            lcid: 2052,
            org_num: "0".into(),
            auth: KingdeeAuth::Signature,
            form: "SAL_RETURNSTOCK".into(),
            operation: KingdeeOperation::BatchSave,
            options: Vec::new(),
            verify: Vec::new(),
            entry: None,
            request_timeout: Duration::from_secs(1),
            max_answer_bytes: 1,
        }));
        let all = [Some(&mysql), Some(&sqlite), Some(&file), Some(&kingdee), None];
        use State::{Accepted, Behind, Blocked, Changed, Conflict, Rejected, Unknown};
        // State, code, text; a part of the cure by MySQL, SQLite, file, Kingdee, and where the sink is not known.
        type Row = (State, &'static str, &'static str, [Option<&'static str>; 5]);
        let none = [None; 5];
        let table: [Row; 12] = [
            (Rejected, "1213", "Deadlock found", [None, None, None, Some("lower sink.in_flight"), None]),
            (Rejected, "1048", "Column 'a' cannot be null", [Some("coalesce"), None, None, None, None]),
            (Rejected, "1299", "NOT NULL constraint failed: t.a", [None, Some("coalesce"), None, None, None]),
            (Rejected, "275", "CHECK constraint failed: a", [None, Some("CHECK"), None, None, None]),
            (Rejected, "2067", "UNIQUE constraint failed: t.a", [None, Some("unique"), None, None, None]),
            (Rejected, "787", "FOREIGN KEY constraint failed", [None, Some("bring that one"), None, None, None]),
            (Unknown, "data", "您没有新增权限", [None, None, None, Some("right"), None]),
            (Behind, "data", "插件取消了保存操作", [None, None, None, Some("plug-in"), None]),
            (Conflict, "1062", "Duplicate entry", [Some("unique key"), None, None, None, None]),
            (Blocked, "_reject", "权限不存在 deadlock", [Some("own rule"); 5]),
            (Changed, "1048", "权限", none),
            (Accepted, "1048", "权限", none),
        ];
        for (state, code, text, expected) in table {
            let reason = Reason::new(code, text);
            for (connector, expected) in all.iter().zip(expected) {
                let found = cure(*connector, state, &reason);
                let fits = match (found, expected) {
                    (Some(found), Some(expected)) => found.contains(expected),
                    (found, expected) => found.is_none() && expected.is_none(),
                };
                assert!(fits, "{state} {code} {text}: {found:?}, not {expected:?}");
            }
        }
    }
}
