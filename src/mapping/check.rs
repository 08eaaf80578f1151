//! The check of a mapping: everything that is wrong with it, at once, before anything runs.
//!
//! Takes the mapping and empty tables of the right schema, gives faults with file, line, column and cure. Nothing is executed and
//! nothing is reached over a network.

use super::documents::{HIDDEN, KEY, REJECT, RID, VERSION, is_lines};
use super::facts::{Source, check_reads, check_scope, members_of};
use super::fault::{Fault, Faults, Place};
use super::fields::Fields as Written;
use super::members::{Members, members_read};
use super::planning::{Known, explain, plan, text_of};
use super::session::{self, Providers};
use super::syntax::{self, LookupCall, RUN_TIME, Syntax};
use super::values::refusal;
use super::{Lookups, MappingSpec};
use crate::base::names::suggest;
use crate::config::model::Scope;
use arrow::datatypes::{DataType, Field, Fields, SchemaRef};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::Volatility;
use datafusion::sql::sqlparser::ast::Query;
use std::sync::Arc;

/// Everything that is wrong with a mapping, in the order of the file; empty if it may run. `tables` are the staging tables (main,
/// history, flattened views), which may be empty; look-up tables are added here.
pub async fn check(spec: &MappingSpec, tables: &Providers) -> Result<Fields, Vec<Fault>> {
    examine(spec, tables).await.map(|sound| sound.schema.fields().clone())
}

/// A mapping without faults.
pub(super) struct Sound {
    pub base: SessionState,
    pub query: Box<Query>,
    pub schema: SchemaRef,
    /// Lists of the main table of which only members are read.
    pub members: Members,
    /// Where the fields of the document are written.
    pub written: Written,
}

pub(super) async fn examine(spec: &MappingSpec, tables: &Providers) -> Result<Sound, Vec<Fault>> {
    let mut query = syntax::parse(&spec.sql_text, &spec.sql_label)?;
    let mut faults = Faults::of_file(&spec.sql_label);
    let found = syntax::look_through(&query);
    let written = Written::of(&query, &found);
    let base = session::base(spec.lookups.function());
    check_syntax(spec, &found, &base, &mut faults);
    syntax::put_parameters(&mut query, &spec.params, spec.run_time);
    match examine_plan(spec, tables, &base, &query, (&found, &written), &mut faults).await {
        Ok(Some((schema, members))) if faults.is_empty() => Ok(Sound { base, query, schema, members, written }),
        Ok(_) => Err(faults.sorted()),
        Err(engine) => {
            faults.add(Place::WHOLE, text_of(&engine), "");
            Err(faults.sorted())
        }
    }
}

/// The result's schema and what it reads of lists, if the mapping plans.
async fn examine_plan(
    spec: &MappingSpec,
    tables: &Providers,
    base: &SessionState,
    query: &Query,
    (found, written): (&Syntax, &Written),
    faults: &mut Faults,
) -> datafusion::common::Result<Option<(SchemaRef, Members)>> {
    let mut all = tables.clone();
    match spec.lookups.providers() {
        Ok(lookups) => all.extend(lookups),
        Err(error) => faults.add(Place::WHOLE, error.to_string(), ""),
    }
    let mut known = Known::default();
    for (name, provider) in &all {
        if known.tables.contains(name) {
            faults.add(Place::WHOLE, format!("two tables are called {name}"), "rename the [lookup] table");
        }
        known.add_table(name, provider.schema().fields());
    }
    let state = session::over(base, &all)?;
    let planned = match plan(&state, query).await {
        Ok(planned) => planned,
        Err(failure) => {
            for (field, at) in explain(&state, query, &known, &failure, faults).await {
                check_column(&field, at, written, faults);
            }
            return Ok(None);
        }
    };
    let schema = Arc::clone(planned.optimized.schema().inner());
    for field in schema.fields() {
        check_column(field, found.place_of_item(field.name()), written, faults);
    }
    check_whole(spec, &schema, (found, written), faults);
    let main = tables.iter().find(|(name, _)| *name == spec.main_table).map(|(_, provider)| provider.schema());
    let fields = main.as_ref().map(|schema| schema.fields().as_ref()).unwrap_or_default();
    let source = Source {
        tables: tables.iter().map(|(name, _)| name.as_str()).collect(),
        main_table: &spec.main_table,
        key: &spec.source_key,
        version: &spec.source_version,
        requested: spec.requested.as_deref(),
        nested: fields.iter().filter_map(|f| Some((f.name().as_str(), members_of(f.data_type())?))).collect(),
    };
    check_reads(&planned, &source, found, faults)?;
    if spec.scope == Scope::Touched {
        check_scope(&planned.written, &source, faults)?;
    }
    let is_list = |f: &&Arc<Field>| matches!(f.data_type(), DataType::List(_)) && members_of(f.data_type()).is_some();
    let lists = fields.iter().filter(is_list).map(|f| f.name().as_str()).collect();
    Ok(Some((schema, members_read(&planned.written, &lists)?)))
}

/// What the text alone tells.
fn check_syntax(spec: &MappingSpec, found: &Syntax, base: &SessionState, faults: &mut Faults) {
    for param in found.params.iter().filter(|p| p.name != RUN_TIME && !spec.params.contains_key(&p.name)) {
        let known = spec.params.keys().map(String::as_str).chain([RUN_TIME]);
        faults.add(param.at, format!("no parameter ${}", param.name), suggest(&param.name, known));
    }
    for function in &found.functions {
        let volatile = base.scalar_functions().get(&function.name).map(|f| f.signature().volatility);
        if volatile.is_some_and(|v| v != Volatility::Immutable) {
            let message = format!("{} gives another value each time", function.name);
            faults.add(function.at, message, steady(&function.name));
        }
    }
    for param in found.lambda_params.iter().filter(|p| p.name.chars().any(char::is_uppercase)) {
        let hint =
            format!("write {} -> …: the engine knows lambda parameters in lower case only", param.name.to_lowercase());
        faults.add(param.at, format!("the lambda parameter {} has capitals", param.name), hint);
    }
    for call in &found.lookups {
        check_lookup(call, &spec.lookups, faults);
    }
    check_names(found, faults);
}

fn steady(function: &str) -> &'static str {
    match function {
        "random" | "rand" | "uuid" => {
            "make it from fields of the record, so that the same record gives the same document"
        }
        "input_file_name" | "file_row_index" => "use _rid",
        _ => "use $run_time, which is the same for the whole run",
    }
}

fn check_lookup(call: &LookupCall, lookups: &Lookups, faults: &mut Faults) {
    let (Some(table), Some(column)) = (&call.table, &call.column) else {
        faults.add(call.at, "lookup takes table and column as quoted text", "lookup('table', 'column', key)");
        return;
    };
    match lookups.columns(&table.name) {
        None => {
            let hint = match lookups.table_names().next() {
                None => format!("declare it as [lookup.{}] in the pipeline", table.name),
                Some(_) => suggest(&table.name, lookups.table_names()),
            };
            faults.add(table.at, format!("no reference table {}", table.name), hint);
        }
        Some(columns) if !columns.contains(&column.name.as_str()) => {
            let hint = suggest(&column.name, columns.iter().copied());
            faults.add(column.at, format!("reference table {} has no column {}", table.name, column.name), hint);
        }
        Some(_) => {}
    }
}

/// Names of the document's columns.
fn check_names(found: &Syntax, faults: &mut Faults) {
    let mut seen: Vec<&str> = Vec::new();
    for item in &found.items {
        let Some(name) = item.name.as_deref() else {
            faults.add(item.at, "this column has no name", "add AS and the field's name");
            continue;
        };
        if seen.contains(&name) {
            faults.add(item.at, format!("two columns are called {name}"), "each field of a document has one value");
        }
        if name.starts_with('_') && !HIDDEN.contains(&name) {
            let hint = format!("{}; names starting with _ are not sent", suggest(name, HIDDEN));
            faults.add(item.at, format!("{name} means nothing"), hint);
        }
        seen.push(name);
    }
    if !found.wildcard && !seen.contains(&RID) {
        let hint = "add _rid to the SELECT (array_agg(_rid) AS _rid in an aggregate): it says which record a document comes from";
        faults.add(found.beginning(), "the mapping has no column _rid", hint);
    }
}

/// The type of one column of the result.
fn check_column(field: &Field, at: Place, written: &Written, faults: &mut Faults) {
    let (name, given) = (field.name().as_str(), field.data_type());
    let text = matches!(given, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null);
    match name {
        RID => {
            let rid = |t: &DataType| *t == DataType::Int64;
            let list = matches!(given, DataType::List(item) if rid(item.data_type()));
            if !rid(given) && !list {
                faults.add(
                    at,
                    format!("_rid is {given}"),
                    "select _rid itself, or array_agg(_rid): it must not be computed",
                );
            }
        }
        REJECT if !text => {
            faults.add(at, format!("_reject is {given}"), "give the reason as text, NULL where there is none")
        }
        KEY if given.is_nested() || *given == DataType::Boolean => {
            faults.add(at, format!("_key is {given}"), "the key is text or a number");
        }
        VERSION if !matches!(given, DataType::Int64 | DataType::Timestamp(_, None)) => {
            faults.add(at, format!("_version is {given}"), "a version is BIGINT or TIMESTAMP");
        }
        _ => check_type(name, given, at, written, faults),
    }
}

/// `at`: where the column stands; a member of an object is told where it is written itself.
fn check_type(path: &str, given: &DataType, at: Place, written: &Written, faults: &mut Faults) {
    if let Some((what, cure)) = refusal(given) {
        let at = if path.contains(['.', '[']) { written.place_of(path).or(at) } else { at };
        faults.add(at, format!("{path} is {what} ({given})"), cure);
    }
    match given {
        DataType::List(item) => check_type(&format!("{path}[]"), item.data_type(), at, written, faults),
        DataType::Struct(members) => {
            for member in members {
                check_type(&format!("{path}.{}", member.name()), member.data_type(), at, written, faults);
            }
        }
        _ => {}
    }
}

/// What the columns together must give.
fn check_whole(spec: &MappingSpec, schema: &SchemaRef, (found, written): (&Syntax, &Written), faults: &mut Faults) {
    let fields = schema.fields();
    let names = || fields.iter().map(|f| f.name().as_str());
    let has = |name: &str| names().any(|n| n == name);
    if found.wildcard && !has(RID) {
        faults.add(found.beginning(), "the mapping has no column _rid", "add _rid to the SELECT");
    }
    if !has(KEY) && !spec.key_field.as_deref().is_some_and(has) {
        let message = "the mapping has no column _key";
        let hint = match &spec.key_field {
            Some(field) => format!("add the business key AS _key, or the sink's key_field {field}"),
            None => "add the business key AS _key (it is not sent)".to_owned(),
        };
        faults.add(found.beginning(), message, hint);
    }
    for name in spec.allow_empty.iter().filter(|name| !has(name)) {
        faults.add(Place::WHOLE, format!("allow_empty names {name}, which is no column"), suggest(name, names()));
    }
    let lines = fields.iter().filter(|f| is_lines(f)).map(|f| f.name().as_str());
    for name in spec.allow_empty.iter().filter(|name| has(name) && !lines.clone().any(|l| l == **name)) {
        faults.add(found.place_of_item(name), format!("allow_empty names {name}, which is no list of lines"), "");
    }
    if let Some(contract) = &spec.contract {
        let sent: Vec<&Field> =
            fields.iter().map(|f| f.as_ref()).filter(|f| !HIDDEN.contains(&f.name().as_str())).collect();
        contract.check(&sent, &|path| written.place_of(path), faults);
    }
}
