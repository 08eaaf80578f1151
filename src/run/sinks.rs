//! From a pipeline's `[sink]` to the sink itself: the one place that lists them all.
//!
//! Takes what was written, gives what is meant. Knows how a mapping's columns look to statements, sends nothing.

use crate::base::record::Reason;
use crate::base::{Error, Fault, Result};
use crate::config::model::{Pipeline, SinkConnector, Statements};
use crate::config::places::Written;
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

/// What helps against a refusal, where we know it.
pub fn cure(reason: &Reason) -> Option<&'static str> {
    let numbered = reason.code.parse().ok().and_then(sink::mysql::cure);
    numbered.or_else(|| sink::kingdee::fault::cure(&reason.text))
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
