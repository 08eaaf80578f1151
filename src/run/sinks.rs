//! From a pipeline's `[sink]` to the sink itself: the one place that lists them all.
//!
//! Takes what was written, gives what is meant. Knows how a mapping's columns look to statements, sends nothing.

use crate::base::{Error, Result};
use crate::config::model::{SinkConnector, Statements};
use crate::run::plan::Plan;
use crate::sink::file::FileSink;
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
        SinkConnector::File { .. } => Ok(()),
    }
}

/// The name under which the shipped statements know their database.
const SQLITE_SCHEMA: &str = "lehua";

/// The statements of a database sink.
pub fn statements(connector: &SinkConnector) -> Option<&Statements> {
    match connector {
        SinkConnector::MySql { statements, .. } | SinkConnector::Sqlite { statements, .. } => Some(statements),
        SinkConnector::File { .. } => None,
    }
}

/// What stands between the statements and the mapping's columns, in words.
pub fn check_statements(connector: &SinkConnector, columns: &Fields) -> Vec<String> {
    statements(connector).map(|s| statement::check(s, &shape(columns))).unwrap_or_default()
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
    error.context("sink")
}
