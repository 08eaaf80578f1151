//! One SELECT over everything in the workspace.
//!
//! Takes SQL text, gives batches as they come. Tables: of every `sql/staging/<table>.sql` the newest record per key (`<table>`), all
//! rows (`<table>_history`) and the lines of each array (`<table>_<array>`), of all accounts; `exchange`; `delivery`, `blocked`,
//! `unmapped`, `slice`, `run`. Anything but a SELECT is refused; nothing is written and nothing outside the workspace is read.

use crate::audit::views::{exchange_table, state_table};
use crate::audit::{open, pipelines, slice_file};
use crate::base::{Error, Result};
use crate::config::model::Pipeline;
use crate::mapping::fault::{Fault, Faults, Place};
use crate::mapping::planning::{Known, explain, text_of};
use crate::mapping::session::{self, Providers};
use crate::mapping::values::{Reader, Shape, refusal};
use crate::mapping::{planning, syntax};
use crate::run::plan::Setup;
use crate::staging::{RowSet, StagedTables, TableDef};
use crate::state::Store;
use crate::state::look::View;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::{SQLOptions, SessionState};
use datafusion::physical_plan::execute_stream;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Query, Statement as SqlStatement};
use futures::StreamExt as _;
use std::collections::BTreeSet;

/// How messages call the text.
const LABEL: &str = "query";

/// A result on its way.
pub struct QueryResult {
    pub schema: SchemaRef,
    batches: SendableRecordBatchStream,
}

impl QueryResult {
    /// The next rows; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.batches.next().await.transpose().map_err(failed)
    }
}

/// Plans one SELECT and begins it.
///
/// # Errors
/// `Config` with every fault of the query, as `query:line:column: what (the nearest right name)`; `Usage` when the workspace is empty.
pub async fn query(setup: &Setup, sql: &str) -> Result<QueryResult> {
    let query = syntax::parse(sql, LABEL).map_err(|faults| faulty(&faults))?;
    let store = open(setup)?;
    let base = session::plain();
    let used = tables_used(&base, &query)?;
    let (setup, names) = (setup.clone(), used.clone());
    // Which rows are the newest is found by reading keys: not on an async thread.
    let tables = tokio::task::spawn_blocking(move || tables(&setup, &store, &names))
        .await
        .map_err(|e| Error::bug(format!("the tables could not be laid out: {e}")))??;
    let state = session::over(&base, &tables.providers).map_err(failed)?;
    let planned = match planning::plan(&state, &query).await {
        Ok(planned) => planned,
        Err(failure) => return Err(wrong(&state, &query, &tables, &used, &failure).await),
    };
    let only_reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    only_reads.verify_plan(&planned.optimized).map_err(failed)?;
    let physical = state.query_planner().create_physical_plan(&planned.optimized, &state).await.map_err(failed)?;
    let schema = physical.schema();
    let batches = execute_stream(physical, state.task_ctx()).map_err(failed)?;
    Ok(QueryResult { schema, batches })
}

/// Names of the tables a query reads.
fn tables_used(base: &SessionState, query: &Query) -> Result<BTreeSet<String>> {
    let statement = Statement::Statement(Box::new(SqlStatement::Query(Box::new(query.clone()))));
    let references = base.resolve_table_references(&statement).map_err(failed)?;
    Ok(references.iter().map(|reference| reference.table().to_owned()).collect())
}

struct Tables {
    providers: Providers,
    /// Table → why it is not there.
    missing: Vec<(String, String)>,
}

/// All tables by name. What a query does not use is there with its schema, so that a wrong name finds its neighbour.
fn tables(setup: &Setup, store: &Store, used: &BTreeSet<String>) -> Result<Tables> {
    let mut providers: Providers = vec![("exchange".to_owned(), exchange_table(&setup.workspace)?)];
    providers.extend(View::ALL.map(|view| (view.name().to_owned(), state_table(&setup.workspace, view))));
    let mut tables = Tables { providers, missing: Vec::new() };
    let known = pipelines(setup)?;
    for name in staging_tables(setup)? {
        match staged(setup, store, &name, &known, used) {
            Ok(Some(found)) => tables.add(&name, found),
            Ok(None) => tables.missing.push((name, "no pipeline says which field is its key".to_owned())),
            // A table with a fault must not stand in the way of a query that does not use it.
            Err(error) if used.iter().any(|u| belongs(u, &name)) => return Err(error),
            Err(error) => tables.missing.push((name, error.to_string())),
        }
    }
    Ok(tables)
}

impl Tables {
    fn add(&mut self, table: &str, found: Providers) {
        for (name, provider) in found {
            if self.providers.iter().any(|(taken, _)| *taken == name) {
                self.missing.push((table.to_owned(), format!("the name {name} is taken")));
            } else {
                self.providers.push((name, provider));
            }
        }
    }
}

fn belongs(used: &str, table: &str) -> bool {
    used.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// The tables of one definition; `None` when no pipeline names its key.
fn staged(
    setup: &Setup,
    store: &Store,
    table: &str,
    known: &[Pipeline],
    used: &BTreeSet<String>,
) -> Result<Option<Providers>> {
    let Some(source) = known.iter().map(|p| &p.source).find(|s| s.table == table) else { return Ok(None) };
    let path = setup.root.join("sql/staging").join(format!("{table}.sql"));
    let ddl = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, &e))?;
    let def = TableDef::parse(table, &ddl, &format!("sql/staging/{table}.sql"))?;
    let history = format!("{table}_history");
    if !used.iter().any(|name| belongs(name, table)) {
        return StagedTables::schemas(&def, &source.key, &source.version).map(Some);
    }
    let files: Vec<_> = store.slices_of_table(table)?.iter().map(|row| slice_file(setup, table, row)).collect();
    let tables = StagedTables::new(&def, &files, &source.key, &source.version).map_err(|e| {
        let again = e.cure().map(ToOwned::to_owned).unwrap_or_default();
        e.hint(format!("{again}; the next dukou deliver of its pipeline does that"))
    })?;
    // The whole history needs no search for the newest rows.
    let none = RowSet::default();
    let only_history = used.iter().all(|name| *name == history || !belongs(name, table));
    tables.providers(only_history.then_some(&none)).map(Some)
}

fn staging_tables(setup: &Setup) -> Result<BTreeSet<String>> {
    let folder = setup.root.join("sql/staging");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(e) => return Err(Error::io(&folder, &e)),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io(&folder, &e))?.path();
        if let (Some(stem), true) = (path.file_stem(), path.extension().is_some_and(|e| e == "sql")) {
            names.insert(stem.to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Everything that is wrong with a query that does not plan.
async fn wrong(
    state: &SessionState,
    query: &Query,
    tables: &Tables,
    used: &BTreeSet<String>,
    failure: &DataFusionError,
) -> Error {
    let mut known = Known::default();
    tables.providers.iter().for_each(|(name, table)| known.add_table(name, table.schema().fields()));
    let mut faults = Faults::of_file(LABEL);
    explain(state, query, &known, failure, &mut faults).await;
    for (table, why) in tables.missing.iter().filter(|(table, _)| used.iter().any(|u| belongs(u, table))) {
        faults.add(Place::WHOLE, format!("table {table} cannot be shown: {why}"), "");
    }
    faulty(&faults.sorted())
}

fn faulty(faults: &[Fault]) -> Error {
    // The parser speaks of mappings, which are its daily bread.
    let line = |fault: &Fault| fault.to_string().replace("a mapping", "a query").replace("one mapping", "one query");
    Error::config(faults.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// The engine's error; ours inside it comes out as it was.
fn failed(error: DataFusionError) -> Error {
    if let DataFusionError::External(inner) = error.find_root()
        && let Some(own) = inner.downcast_ref::<Error>()
    {
        return own.clone();
    }
    let text = text_of(&error);
    match error.find_root() {
        DataFusionError::Execution(_) | DataFusionError::ArrowError(..) | DataFusionError::Plan(_) => {
            Error::config(text)
                .context(LABEL)
                .hint("use TRY_CAST for values that may not fit, nullif(…, 0) for divisors")
        }
        _ => Error::local(text).context(LABEL),
    }
}

/// One JSON object per row, decimals digit by digit.
pub fn json_lines(batch: &RecordBatch) -> Result<String> {
    let schema = batch.schema();
    let shapes: Vec<Shape> = schema.fields().iter().map(|f| Shape::of(f.data_type())).collect();
    let columns: Vec<JsonColumn<'_>> = batch
        .columns()
        .iter()
        .zip(&shapes)
        .map(|(array, shape)| JsonColumn::new(array, shape))
        .collect::<Result<_>>()?;
    let names: Vec<String> = schema.fields().iter().map(|f| quoted(f.name())).collect();
    let mut out = String::new();
    for row in 0..batch.num_rows() {
        for (i, (name, column)) in names.iter().zip(&columns).enumerate() {
            out.push_str(if i == 0 { "{" } else { "," });
            out.push_str(name);
            out.push(':');
            column.write(row, &mut out);
        }
        out.push_str(if columns.is_empty() { "{}\n" } else { "}\n" });
    }
    Ok(out)
}

/// How a column becomes JSON.
enum JsonColumn<'a> {
    Value(Reader<'a>),
    /// Floats and wide decimals, by their digits.
    Number(&'a dyn Array, ArrayFormatter<'a>),
    /// What documents do not have: spans, times with a zone.
    Text(&'a dyn Array, ArrayFormatter<'a>),
}

impl<'a> JsonColumn<'a> {
    fn new(array: &'a ArrayRef, shape: &'a Shape) -> Result<Self> {
        if is_document_type(array.data_type()) {
            return Reader::new(array, shape).map(Self::Value);
        }
        let cells = formatter(array)?;
        Ok(if array.data_type().is_numeric() { Self::Number(array, cells) } else { Self::Text(array, cells) })
    }

    fn write(&self, row: usize, out: &mut String) {
        match self {
            Self::Value(reader) => reader.value(row).write_json(out, false),
            Self::Number(array, _) | Self::Text(array, _) if array.is_null(row) => out.push_str("null"),
            Self::Number(_, cells) => {
                let text = cells.value(row).to_string();
                // NaN and the infinities are no JSON numbers.
                let is_number = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
                out.push_str(&if is_number { text } else { quoted(&text) });
            }
            Self::Text(_, cells) => out.push_str(&quoted(&cells.value(row).to_string())),
        }
    }
}

fn is_document_type(data_type: &DataType) -> bool {
    let inside = match data_type {
        DataType::List(item) => is_document_type(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|f| is_document_type(f.data_type())),
        _ => true,
    };
    inside && refusal(data_type).is_none()
}

fn formatter(array: &dyn Array) -> Result<ArrayFormatter<'_>> {
    const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_null("");
    ArrayFormatter::try_new(array, &OPTIONS).map_err(|e| Error::bug(format!("a result column cannot be shown: {e}")))
}

fn quoted(text: &str) -> String {
    crate::base::value::Value::text(text).to_json(false)
}

/// The cells of a batch as text, row by row; nulls are empty.
pub fn text_rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let columns = batch.columns().iter().map(|array| formatter(array)).collect::<Result<Vec<_>>>()?;
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|cells| cells.value(row).to_string()).collect()).collect())
}
