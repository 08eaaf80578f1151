//! The flattened view of an array: one row per element, `trade_goodsDetail`.
//!
//! Takes a definition and batches of records, gives batches of lines. Columns in order: the record's declared columns without the
//! array, the element's columns, `_line`, the origin columns. Parents keep their names; an element's column whose name a parent has
//! is called `<array>_<name>` (`goodsDetail_tradeId`). Records whose array is null or empty have no row here, as with `unnest`.

use crate::base::{Error, Result};
use crate::staging::read::{Columns, wrong_type};
use crate::staging::schema::{Column, LINE, ORIGIN, TableDef};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, StructArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::HashSet;
use std::sync::Arc;

/// Where a column of the view comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    /// A column of the record.
    Parent(String),
    /// A field of the element.
    Element(String),
}

/// A flattened view, possibly narrowed to some of its columns.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    array: String,
    columns: Vec<From>,
    schema: SchemaRef,
}

impl Lines {
    /// The view of `array`, whose elements have the columns `element`.
    pub(super) fn new(def: &TableDef, array: &str, element: &[Column]) -> Self {
        let file = def.file_schema();
        let parents: Vec<&Field> = file.fields().iter().map(AsRef::as_ref).filter(|f| f.name() != array).collect();
        let taken: HashSet<&str> = parents.iter().map(|f| f.name().as_str()).collect();
        let (origin, declared): (Vec<&Field>, Vec<&Field>) =
            parents.iter().copied().partition(|f| ORIGIN.contains(&f.name().as_str()));
        let parent = |f: &&Field| (From::Parent(f.name().clone()), (*f).clone());
        let mut columns: Vec<(From, Field)> = declared.iter().map(parent).collect();
        for field in element {
            let name = match taken.contains(field.name.as_str()) {
                true => format!("{array}_{}", field.name),
                false => field.name.clone(),
            };
            columns.push((From::Element(field.name.clone()), Field::new(name, field.ty.arrow(), true)));
        }
        columns.push((From::Element(LINE.to_string()), Field::new(LINE, DataType::Int32, true)));
        columns.extend(origin.iter().map(parent));
        let (columns, fields): (Vec<From>, Vec<Field>) = columns.into_iter().unzip();
        Self { array: array.to_string(), columns, schema: Arc::new(Schema::new(fields)) }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Only these columns, in this order.
    pub(super) fn project(&self, indices: &[usize]) -> Result<Self> {
        let schema = self.schema.project(indices).map_err(|e| Error::bug(format!("view of {}: {e}", self.array)))?;
        let columns = indices.iter().map(|i| self.columns[*i].clone()).collect();
        Ok(Self { array: self.array.clone(), columns, schema: Arc::new(schema) })
    }

    /// What has to be read for these columns. The position is always among it: it tells how many elements there are.
    pub(super) fn needs(&self) -> Columns {
        let parents = self.columns.iter().filter_map(|c| match c {
            From::Parent(name) => Some(name.as_str()),
            From::Element(_) => None,
        });
        let elements = self.columns.iter().filter_map(|c| match c {
            From::Element(name) => Some(name.as_str()),
            From::Parent(_) => None,
        });
        let mut columns = Columns::roots(parents);
        columns.add_elements(&self.array, elements.chain([LINE]));
        columns
    }

    /// One row per element of the batch's records.
    pub(super) fn flatten(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let list = batch
            .column_by_name(&self.array)
            .and_then(|a| a.as_list_opt::<i32>())
            .ok_or_else(|| Error::bug(format!("{} was not read as a list", self.array)))?;
        let elements =
            list.values().as_struct_opt().ok_or_else(|| wrong_type(&self.array, list.values().data_type()))?;
        let (of_parent, of_element) = positions(list)?;
        let bug = |e: arrow::error::ArrowError| Error::bug(format!("view of {}: {e}", self.array));
        let column = |from: &From| -> Result<ArrayRef> {
            match from {
                From::Parent(name) => take(crate::staging::read::column(batch, name)?, &of_parent, None).map_err(bug),
                From::Element(name) => take(element_column(elements, name)?, &of_element, None).map_err(bug),
            }
        };
        let columns = self.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(of_element.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(bug)
    }
}

fn element_column<'a>(elements: &'a StructArray, name: &str) -> Result<&'a ArrayRef> {
    elements.column_by_name(name).ok_or_else(|| Error::bug(format!("element field {name} was not read")))
}

/// For each line: the number of its record, and of its element.
fn positions(list: &ListArray) -> Result<(UInt32Array, UInt32Array)> {
    let (mut of_parent, mut of_element) = (Vec::new(), Vec::new());
    let number = |n: usize| u32::try_from(n).map_err(|_| Error::bug("a batch with more than 2^32 lines"));
    for row in 0..list.len() {
        if list.is_null(row) {
            continue;
        }
        let start = usize::try_from(list.value_offsets()[row]).unwrap_or_default();
        for element in start..start + usize::try_from(list.value_length(row)).unwrap_or_default() {
            of_parent.push(number(row)?);
            of_element.push(number(element)?);
        }
    }
    Ok((of_parent.into(), of_element.into()))
}

/// Refuses a definition whose views cannot be told apart: two columns of a view, or two tables, with one name.
pub(super) fn check_names(def: &TableDef) -> Result<()> {
    let mut tables = HashSet::from([def.name().to_string(), format!("{}_history", def.name())]);
    for (array, element) in def.arrays() {
        let view = format!("{}_{array}", def.name());
        let lines = Lines::new(def, array, element);
        let mut names = HashSet::new();
        if let Some(twice) = lines.schema.fields().iter().find(|f| !names.insert(f.name().as_str())) {
            return Err(Error::config(format!("view {view} would have two columns {}", twice.name()))
                .hint("declare one of the fields under another array, or leave it out"));
        }
        if !tables.insert(view.clone()) {
            return Err(Error::config(format!("array {array} would make a second table {view}"))
                .hint("the names <table> and <table>_history are taken"));
        }
    }
    Ok(())
}
