//! The tables of the state store, and the exchange files, as SQL sees them.
//!
//! Takes a workspace, gives DataFusion tables. State rows go through a bounded channel, a batch at a time, from a connection of
//! their own; exchange files are read by the engine, only the columns a query names. Never writes.

use crate::base::{Error, Result};
use crate::exchange;
use crate::state::look::{Cell, Holds, View};
use crate::state::{Store, Workspace};
use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use std::sync::Arc;

const BATCH_ROWS: usize = 4096;
/// Batches that wait for a slow reader.
const BATCHES_AHEAD: usize = 2;

/// `exchange`: every attempt of every run.
pub fn exchange_table(workspace: &Workspace) -> Result<Arc<dyn TableProvider>> {
    let files = exchange::files(&workspace.exchange())?;
    if files.is_empty() {
        return Ok(Arc::new(EmptyTable::new(exchange::schema())));
    }
    let failed = |e: DataFusionError| Error::local(format!("exchange files: {e}"));
    let url = |path: &std::path::PathBuf| {
        let path = std::path::absolute(path).map_err(|e| Error::io(path, &e))?;
        let url = url::Url::from_file_path(&path).map_err(|()| Error::bug("an exchange file has no absolute path"))?;
        ListingTableUrl::parse(url).map_err(failed)
    };
    let urls = files.iter().map(url).collect::<Result<Vec<_>>>()?;
    let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
    let config =
        ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options).with_schema(exchange::schema());
    Ok(Arc::new(ListingTable::try_new(config).map_err(failed)?))
}

/// One of the state store's tables.
pub fn state_table(workspace: &Workspace, view: View) -> Arc<dyn TableProvider> {
    let field = |(name, holds): &(&str, Holds)| match holds {
        Holds::Number => Field::new(*name, DataType::Int64, true),
        Holds::Text => Field::new(*name, DataType::Utf8, true),
    };
    let schema: Schema = Schema::new(view.columns().iter().map(field).collect::<Vec<_>>());
    Arc::new(StateTable { workspace: workspace.clone(), view, schema: Arc::new(schema) })
}

#[derive(Debug, Clone)]
struct StateTable {
    workspace: Workspace,
    view: View,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for StateTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let scan: Arc<dyn PartitionStream> = Arc::new(self.clone());
        let schema = Arc::clone(&self.schema);
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![scan], projection, [], false, limit)?))
    }
}

impl PartitionStream for StateTable {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), BATCHES_AHEAD);
        let output = builder.tx();
        let table = self.clone();
        builder.spawn_blocking(move || {
            let external = |e: Error| DataFusionError::External(Box::new(e));
            // Readers of another thread cannot share a connection.
            let Some(store) = Store::open_to_read(&table.workspace).map_err(external)? else { return Ok(()) };
            let mut rows = Rows::new(table.view, Arc::clone(&table.schema));
            let mut failure = None;
            let mut send = |batch: DfResult<RecordBatch>| match batch {
                Ok(batch) => output.blocking_send(Ok(batch)).is_ok(),
                Err(e) => {
                    failure = Some(e);
                    false
                }
            };
            store
                .each_row(table.view, |cells| {
                    rows.push(cells);
                    rows.count < BATCH_ROWS || send(rows.take())
                })
                .map_err(external)?;
            if rows.count > 0 {
                send(rows.take());
            }
            failure.map_or(Ok(()), Err)
        });
        builder.build()
    }
}

/// A batch in the making.
struct Rows {
    schema: SchemaRef,
    columns: Vec<Column>,
    count: usize,
}

enum Column {
    Number(Int64Builder),
    Text(StringBuilder),
}

impl Rows {
    fn new(view: View, schema: SchemaRef) -> Self {
        let column = |(_, holds): &(&str, Holds)| match holds {
            Holds::Number => Column::Number(Int64Builder::new()),
            Holds::Text => Column::Text(StringBuilder::new()),
        };
        Self { schema, columns: view.columns().iter().map(column).collect(), count: 0 }
    }

    fn push(&mut self, cells: &[Cell<'_>]) {
        self.count += 1;
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            match (column, cell) {
                (Column::Number(builder), Cell::Number(number)) => builder.append_value(*number),
                (Column::Number(builder), _) => builder.append_null(),
                (Column::Text(builder), Cell::Text(text)) => builder.append_value(text),
                (Column::Text(builder), Cell::Number(number)) => builder.append_value(number.to_string()),
                (Column::Text(builder), Cell::Null) => builder.append_null(),
            }
        }
    }

    fn take(&mut self) -> DfResult<RecordBatch> {
        self.count = 0;
        let array = |column: &mut Column| -> ArrayRef {
            match column {
                Column::Number(builder) => Arc::new(builder.finish()),
                Column::Text(builder) => Arc::new(builder.finish()),
            }
        };
        let columns = self.columns.iter_mut().map(array).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
