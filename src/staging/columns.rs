//! Typed builders in the shape of a definition: what the decoder appends to.
//!
//! Takes a [`Type`], gives Arrow arrays. Knows no JSON. A node is one declared path; its number is its place in the
//! [`Tally`] of misfits.

use crate::staging::schema::{Column, LINE, Type, element_type};
use crate::staging::tally::Tally;
use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Int32Builder, Int64Builder, ListArray, StringBuilder,
    StructArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use arrow::error::ArrowError;
use std::sync::Arc;

/// One declared path and its values so far.
#[derive(Debug)]
pub struct Node {
    /// Number in the tally.
    pub id: usize,
    pub values: Values,
}

/// Values of one path.
#[derive(Debug)]
pub enum Values {
    Text(StringBuilder),
    Scalar(Scalar),
    Struct(Box<StructValues>),
    List(Box<ListValues>),
}

/// Values of a path that is neither text nor nested.
#[derive(Debug)]
pub enum Scalar {
    Big(Int64Builder),
    Int(Int32Builder),
    Bool(BooleanBuilder),
    Decimal(Decimal128Builder, u8, u8),
    Timestamp(TimestampMicrosecondBuilder),
    Date(Date32Builder),
}

/// The fields of an object, and which of them the object at hand has shown.
#[derive(Debug)]
pub struct StructValues {
    pub id: usize,
    pub fields: Vec<Node>,
    names: Vec<Box<[u8]>>,
    /// Field numbers in the order of their names.
    sorted: Vec<u32>,
    /// Which field came after a field last time (position 0: which came first): vendors write fields in one order.
    next: Vec<u32>,
    previous: usize,
    /// Number of the object in which a field was last seen.
    seen: Vec<u32>,
    object: u32,
    validity: Vec<bool>,
    /// `_line` of each element, where the struct is an array's element.
    line: Option<Int32Builder>,
    arrow: Fields,
}

/// The elements of an array.
#[derive(Debug)]
pub struct ListValues {
    pub element: Node,
    offsets: Vec<i32>,
    validity: Vec<bool>,
    /// Elements in all lists so far.
    elements: i32,
    arrow: FieldRef,
}

impl Node {
    /// Builders for a column (or field) at `path`.
    pub fn new(ty: &Type, path: &str, tally: &mut Tally) -> Self {
        let id = tally.declare(path.to_string());
        Self::with_id(id, ty, path, tally, false)
    }

    /// An array and its element share one number: positions are not part of a path.
    fn with_id(id: usize, ty: &Type, path: &str, tally: &mut Tally, in_list: bool) -> Self {
        let values = match ty {
            Type::Text => Values::Text(StringBuilder::new()),
            Type::Big => Values::Scalar(Scalar::Big(Int64Builder::new())),
            Type::Int => Values::Scalar(Scalar::Int(Int32Builder::new())),
            Type::Bool => Values::Scalar(Scalar::Bool(BooleanBuilder::new())),
            Type::Decimal { precision, scale } => {
                let builder = Decimal128Builder::new().with_data_type(ty.arrow());
                Values::Scalar(Scalar::Decimal(builder, *precision, *scale))
            }
            Type::Timestamp => Values::Scalar(Scalar::Timestamp(TimestampMicrosecondBuilder::new())),
            Type::Date => Values::Scalar(Scalar::Date(Date32Builder::new())),
            Type::Struct(fields) => Values::Struct(Box::new(StructValues::new(id, fields, path, tally, in_list))),
            Type::List(element) => Values::List(Box::new(ListValues {
                element: Self::with_id(id, element, path, tally, true),
                offsets: vec![0],
                validity: Vec::new(),
                elements: 0,
                arrow: Arc::new(Field::new_list_field(element_type(element), true)),
            })),
        };
        Self { id, values }
    }

    pub fn append_null(&mut self) {
        match &mut self.values {
            Values::Text(b) => b.append_null(),
            Values::Scalar(s) => s.append_null(),
            Values::Struct(s) => s.append_null(),
            Values::List(l) => l.end(false),
        }
    }

    /// The values so far; the builders start again empty.
    pub fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match &mut self.values {
            Values::Text(b) => Arc::new(b.finish()),
            Values::Scalar(s) => s.finish(),
            Values::Struct(s) => Arc::new(s.finish()?),
            Values::List(l) => l.finish()?,
        })
    }
}

impl Scalar {
    pub fn append_null(&mut self) {
        match self {
            Self::Big(b) => b.append_null(),
            Self::Int(b) => b.append_null(),
            Self::Bool(b) => b.append_null(),
            Self::Decimal(b, ..) => b.append_null(),
            Self::Timestamp(b) => b.append_null(),
            Self::Date(b) => b.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Big(b) => Arc::new(b.finish()),
            Self::Int(b) => Arc::new(b.finish()),
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Decimal(b, ..) => Arc::new(b.finish()),
            Self::Timestamp(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
        }
    }
}

impl StructValues {
    /// `path` is empty for the record itself.
    pub fn new(id: usize, fields: &[Column], path: &str, tally: &mut Tally, with_line: bool) -> Self {
        let below = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        let nodes: Vec<Node> = fields.iter().map(|f| Node::new(&f.ty, &below(&f.name), tally)).collect();
        let names: Vec<Box<[u8]>> = fields.iter().map(|f| f.name.as_bytes().into()).collect();
        let mut sorted: Vec<u32> = (0u32..).take(fields.len()).collect();
        sorted.sort_by_key(|i| &names[*i as usize]);
        let mut arrow: Vec<Field> = fields.iter().map(Column::arrow).collect();
        if with_line {
            arrow.push(Field::new(LINE, DataType::Int32, true));
        }
        Self {
            id,
            next: (0u32..).take(fields.len() + 1).collect(),
            seen: vec![0; fields.len()],
            fields: nodes,
            names,
            sorted,
            previous: 0,
            object: 0,
            validity: Vec::new(),
            line: with_line.then(Int32Builder::new),
            arrow: arrow.into(),
        }
    }

    /// A new object begins.
    pub fn begin(&mut self) {
        self.previous = 0;
        self.object = self.object.wrapping_add(1);
        if self.object == 0 {
            self.seen.fill(0);
            self.object = 1;
        }
    }

    /// The field called `name`: first the one that came after the last one before, else by search.
    pub fn find(&mut self, name: &[u8]) -> Option<usize> {
        let guess = self.next[self.previous] as usize;
        let found = match self.names.get(guess) {
            Some(expected) if **expected == *name => guess,
            _ => self.search(name)?,
        };
        self.previous = found + 1;
        Some(found)
    }

    fn search(&mut self, name: &[u8]) -> Option<usize> {
        let at = self.sorted.binary_search_by(|i| (*self.names[*i as usize]).cmp(name)).ok()?;
        let found = self.sorted[at];
        self.next[self.previous] = found;
        Some(found as usize)
    }

    /// Marks field `index` as shown by this object; false when it was shown before.
    pub fn first_time(&mut self, index: usize) -> bool {
        std::mem::replace(&mut self.seen[index], self.object) != self.object
    }

    /// The object ends: fields it has not shown are null. `line` counts from 1 and matters for elements only.
    pub fn end(&mut self, line: i32) {
        for (seen, field) in self.seen.iter().zip(&mut self.fields) {
            if *seen != self.object {
                field.append_null();
            }
        }
        self.validity.push(true);
        if let Some(lines) = &mut self.line {
            lines.append_value(line);
        }
    }

    pub fn append_null(&mut self) {
        self.fields.iter_mut().for_each(Node::append_null);
        self.validity.push(false);
        if let Some(lines) = &mut self.line {
            lines.append_null();
        }
    }

    /// The columns alone: what a record's fields become in a batch.
    pub fn finish_fields(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.validity.clear();
        let mut arrays = self.fields.iter_mut().map(Node::finish).collect::<Result<Vec<_>, _>>()?;
        if let Some(lines) = &mut self.line {
            arrays.push(Arc::new(lines.finish()));
        }
        Ok(arrays)
    }

    fn finish(&mut self) -> Result<StructArray, ArrowError> {
        let validity = NullBuffer::from(std::mem::take(&mut self.validity));
        let rows = validity.len();
        StructArray::try_new_with_length(self.arrow.clone(), self.finish_fields()?, Some(validity), rows)
    }
}

impl ListValues {
    /// One element was appended; gives its position from 1.
    pub fn line(&mut self) -> i32 {
        self.elements += 1;
        self.elements - self.offsets.last().copied().unwrap_or(0)
    }

    /// The list ends; an invalid one is null.
    pub fn end(&mut self, valid: bool) {
        self.offsets.push(self.elements);
        self.validity.push(valid);
    }

    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let validity = std::mem::take(&mut self.validity);
        self.elements = 0;
        let elements = self.element.finish()?;
        let list = ListArray::try_new(
            Arc::clone(&self.arrow),
            OffsetBuffer::new(offsets.into()),
            elements,
            Some(NullBuffer::from(validity)),
        )?;
        Ok(Arc::new(list))
    }
}
