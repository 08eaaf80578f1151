//! What SQL sees of a staging table: `trade` (newest version of each key), `trade_history` (all rows) and a flattened view
//! `trade_<array>` per array of structs, over committed files.
//!
//! Takes a definition, files and perhaps a set of rows, gives DataFusion tables. Rows come in the order of slices and rows, one
//! partition, 1024 records at a time through a bounded channel; only the columns that the query names are read, and only the rows
//! asked for. Nothing is sorted or kept.

use crate::base::{Error, Result};
use crate::staging::flatten::{Lines, check_names};
use crate::staging::read::{Columns, io_error, open};
use crate::staging::schema::{LINE, TableDef};
use crate::staging::scope::{RowSet, SliceFile, newest};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use parquet::errors::ParquetError;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Batches that wait for a slow reader.
const BATCHES_AHEAD: usize = 2;

/// Name in SQL → table.
pub type Providers = Vec<(String, Arc<dyn TableProvider>)>;

/// The tables of one staging table.
#[derive(Debug, Clone)]
pub struct StagedTables {
    def: Arc<TableDef>,
    /// In the order of slices.
    files: Arc<[SliceFile]>,
    key: String,
    version: String,
    /// What `trade` shows: all columns, of lists perhaps not all members.
    records: SchemaRef,
}

impl StagedTables {
    /// Refuses files typed by another definition (they have to be retyped first), and names that would clash.
    pub fn new(def: &TableDef, files: &[SliceFile], key: &str, version: &str) -> Result<Self> {
        def.key_column(key)?;
        def.version_column(version)?;
        check_names(def)?;
        let mut files = files.to_vec();
        files.sort_by_key(|f| f.slice);
        if let Some(old) = files.iter().find(|f| f.ddl_digest != def.digest()) {
            return Err(Error::config(format!(
                "slice {} of {} was staged under another definition ({} instead of {})",
                old.slice,
                def.name(),
                old.ddl_digest,
                def.digest()
            ))
            .hint("it has to be retyped from its raw text before it is mapped"));
        }
        let (key, version) = (key.to_string(), version.to_string());
        Ok(Self { def: Arc::new(def.clone()), files: files.into(), key, version, records: def.file_schema() })
    }

    /// The same tables, but of the elements of each list named in `members` the main table shows these fields and `_line`
    /// only: what is not shown is not read from disk.
    #[must_use]
    pub fn only(mut self, members: &BTreeMap<String, BTreeSet<String>>) -> Self {
        let narrow = |field: &FieldRef| match members.get(field.name()) {
            Some(kept) => narrowed(field, kept),
            None => Arc::clone(field),
        };
        let fields: Vec<FieldRef> = self.records.fields().iter().map(narrow).collect();
        self.records = Arc::new(Schema::new(fields));
        self
    }

    /// The tables without any row: for checking a mapping when nothing is staged.
    pub fn schemas(def: &TableDef, key: &str, version: &str) -> Result<Providers> {
        Self::new(def, &[], key, version)?.providers(Some(&RowSet::default()))
    }

    /// All tables. `trade` and the views `trade_<array>` show `rows`, or the newest row of every key when `None` (which reads
    /// the keys of all files: blocking); `trade_history` shows all rows.
    pub fn providers(&self, rows: Option<&RowSet>) -> Result<Providers> {
        let rows = match rows {
            Some(rows) => Arc::new(rows.clone()),
            None => Arc::new(newest(&self.files, None, &self.key, &self.version)?.rows),
        };
        let name = self.def.name();
        let table = |shape: Shape, rows: Option<&Arc<RowSet>>| -> Arc<dyn TableProvider> {
            Arc::new(StagedTable { shape, files: Arc::clone(&self.files), rows: rows.cloned() })
        };
        let mut tables = vec![
            (name.to_string(), table(Shape::Records(Arc::clone(&self.records)), Some(&rows))),
            (format!("{name}_history"), table(Shape::Records(self.def.file_schema()), None)),
        ];
        for (array, element) in self.def.arrays() {
            let lines = Lines::new(&self.def, array, element);
            tables.push((format!("{name}_{array}"), table(Shape::Lines(lines), Some(&rows))));
        }
        Ok(tables)
    }

    /// The files, in the order of slices.
    pub fn files(&self) -> &[SliceFile] {
        &self.files
    }
}

/// The fields of the elements of an array of structs.
fn elements(field: &Field) -> Option<&Fields> {
    match field.data_type() {
        DataType::List(item) => match item.data_type() {
            DataType::Struct(elements) => Some(elements),
            _ => None,
        },
        _ => None,
    }
}

/// An array of structs with only some fields in its elements.
fn narrowed(field: &FieldRef, kept: &BTreeSet<String>) -> FieldRef {
    let (Some(all), DataType::List(item)) = (elements(field), field.data_type()) else { return Arc::clone(field) };
    let fields: Fields = all.iter().filter(|e| kept.contains(e.name()) || e.name() == LINE).cloned().collect();
    let item = item.as_ref().clone().with_data_type(DataType::Struct(fields));
    Arc::new(field.as_ref().clone().with_data_type(DataType::List(Arc::new(item))))
}

/// What a row is.
#[derive(Debug, Clone)]
enum Shape {
    /// A record; the columns to give.
    Records(SchemaRef),
    /// An element of an array.
    Lines(Lines),
}

impl Shape {
    fn schema(&self) -> &SchemaRef {
        match self {
            Self::Records(schema) => schema,
            Self::Lines(lines) => lines.schema(),
        }
    }

    fn project(&self, indices: &[usize]) -> Result<Self> {
        match self {
            Self::Records(schema) => {
                let narrow = schema.project(indices).map_err(|e| Error::bug(format!("staged table: {e}")))?;
                Ok(Self::Records(Arc::new(narrow)))
            }
            Self::Lines(lines) => lines.project(indices).map(Self::Lines),
        }
    }

    fn needs(&self) -> Columns {
        match self {
            Self::Records(schema) => {
                let mut columns = Columns::roots(schema.fields().iter().map(|f| f.name().as_str()));
                for (list, elements) in schema.fields().iter().filter_map(|f| Some((f.name(), elements(f)?))) {
                    columns.add_elements(list, elements.iter().map(|e| e.name().as_str()));
                }
                columns
            }
            Self::Lines(lines) => lines.needs(),
        }
    }

    /// Brings what was read into this shape.
    fn shape(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        match self {
            Self::Records(schema) => {
                let names = schema.fields().iter().map(|f| f.name().as_str());
                let columns =
                    names.map(|n| crate::staging::read::column(batch, n).cloned()).collect::<Result<Vec<_>>>()?;
                // A query that only counts names no column.
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
                    .map_err(|e| Error::bug(format!("a staged file does not have its definition's schema: {e}")))
            }
            Self::Lines(lines) => lines.flatten(batch),
        }
    }
}

#[derive(Debug)]
struct StagedTable {
    shape: Shape,
    files: Arc<[SliceFile]>,
    /// `None`: all rows.
    rows: Option<Arc<RowSet>>,
}

#[async_trait]
impl TableProvider for StagedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.shape.schema())
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
        let shape = match projection {
            Some(indices) => self.shape.project(indices).map_err(external)?,
            None => self.shape.clone(),
        };
        let schema = Arc::clone(shape.schema());
        let scan = Arc::new(Scan { shape, files: Arc::clone(&self.files), rows: self.rows.clone() });
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![scan], None, [], false, limit)?))
    }
}

/// One reading of a table.
#[derive(Debug)]
struct Scan {
    shape: Shape,
    files: Arc<[SliceFile]>,
    rows: Option<Arc<RowSet>>,
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        self.shape.schema()
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(Arc::clone(self.shape.schema()), BATCHES_AHEAD);
        let output = builder.tx();
        let (shape, files, rows) = (self.shape.clone(), Arc::clone(&self.files), self.rows.clone());
        builder.spawn_blocking(move || {
            for (path, ranges) in wanted(&files, rows.as_deref()) {
                // A receiver that is gone wants no more: that is the end, not an error.
                let go_on =
                    read_file(&path, &shape, ranges.as_deref(), |batch| output.blocking_send(Ok(batch)).is_ok())
                        .map_err(external)?;
                if !go_on {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}

/// The files to read, with the rows of each (`None`: all).
fn wanted<'a>(
    files: &'a [SliceFile],
    rows: Option<&'a RowSet>,
) -> impl Iterator<Item = (PathBuf, Option<Vec<Range<usize>>>)> + 'a {
    files.iter().filter_map(move |file| match rows {
        None => Some((file.path.clone(), None)),
        Some(rows) => {
            let ranges = rows.ranges(file.slice);
            (!ranges.is_empty()).then(|| (file.path.clone(), Some(ranges)))
        }
    })
}

/// Gives the batches of one file; false when `emit` wants no more.
fn read_file(
    path: &std::path::Path,
    shape: &Shape,
    rows: Option<&[Range<usize>]>,
    mut emit: impl FnMut(RecordBatch) -> bool,
) -> Result<bool> {
    for batch in open(path, &shape.needs(), rows)? {
        let batch = batch.map_err(|e| io_error(path, ParquetError::ArrowError(e.to_string())))?;
        let shaped = shape.shape(&batch).map_err(|e| e.context(path.display().to_string()))?;
        if !emit(shaped) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Our error inside the engine's: callers find it again by `DataFusionError::find_root` and a downcast.
fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
