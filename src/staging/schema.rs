//! A staging table as declared, and as it stands in a file: the nouns between DDL, decoder and SQL.
//!
//! Takes declared columns, gives Arrow schemas and a digest of the definition. Does no I/O and parses nothing
//! ([`crate::staging::ddl`] does).

use crate::base::names::suggest;
use crate::base::{Error, Result};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;

/// Row id in the workspace: [`crate::base::record::Rid`].
pub const RID: &str = "_rid";
pub const SLICE: &str = "_slice";
/// Page number within the pull, from 0.
pub const PAGE: &str = "_page";
/// Row within the slice, from 0: the low half of `_rid`.
pub const ROW: &str = "_row";
/// When the page arrived, UTC, microseconds.
pub const FETCHED_AT: &str = "_fetched_at";
/// The record's JSON text as it came (without the fields of `drop`).
pub const RAW: &str = "_raw";
/// xxh3-64 of `_raw`, as a signed number.
pub const HASH: &str = "_hash";
/// Position of an element in its array, from 1.
pub const LINE: &str = "_line";

/// The columns every staged file has after the declared ones, in this order.
pub const ORIGIN: [&str; 7] = [RID, SLICE, PAGE, ROW, FETCHED_AT, RAW, HASH];

/// The type of a column, in DuckDB's spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// `VARCHAR`
    Text,
    /// `BIGINT`
    Big,
    /// `INTEGER`
    Int,
    /// `BOOLEAN`
    Bool,
    /// `DECIMAL(p,s)`
    Decimal { precision: u8, scale: u8 },
    /// `TIMESTAMP`: the vendor's wall clock (Asia/Shanghai), microseconds, without zone.
    Timestamp,
    /// `DATE`
    Date,
    /// `STRUCT(name type, …)`
    Struct(Vec<Column>),
    /// `type[]`
    List(Box<Type>),
}

/// A declared column, or a field of a STRUCT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As the vendor writes it in the answer.
    pub name: String,
    pub ty: Type,
    /// The trailing `--` comment: the vendor's own name of the field.
    pub comment: Option<String>,
}

/// A staging table's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDef {
    name: String,
    columns: Vec<Column>,
    digest: String,
}

impl TableDef {
    /// A definition of these columns; their names must differ and not begin with `_` (`ddl` has seen to that).
    pub(super) fn new(name: &str, columns: Vec<Column>) -> Self {
        let digest = digest_of(&columns);
        Self { name: name.to_string(), columns, digest }
    }

    /// The table's name in SQL and in file names.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The declared columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// 16 hex digits over names, types and order of the columns; comments and layout of the DDL do not count.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The declared column of this name, or an error that names the nearest one. `what` says who asks: `source.key`.
    pub fn column(&self, name: &str, what: &str) -> Result<&Column> {
        self.columns.iter().find(|c| c.name == name).ok_or_else(|| {
            Error::config(format!("{what}: table {} has no column {name}", self.name))
                .hint(suggest(name, self.columns.iter().map(|c| c.name.as_str())))
        })
    }

    /// Checks that `column` can be a record's key: text or a whole number.
    pub fn key_column(&self, column: &str) -> Result<()> {
        match self.column(column, "source.key")?.ty {
            Type::Text | Type::Big | Type::Int => Ok(()),
            ref other => {
                Err(Error::config(format!("source.key: {column} is {other}"))
                    .hint("a key is VARCHAR, BIGINT or INTEGER"))
            }
        }
    }

    /// Checks that `column` orders the versions of a record.
    pub fn version_column(&self, column: &str) -> Result<()> {
        match self.column(column, "source.version")?.ty {
            Type::Timestamp | Type::Date | Type::Big | Type::Int => Ok(()),
            ref other => Err(Error::config(format!("source.version: {column} is {other}"))
                .hint("a version is TIMESTAMP, DATE, BIGINT or INTEGER")),
        }
    }

    /// What stands in a file: the declared columns, then [`ORIGIN`].
    pub fn file_schema(&self) -> SchemaRef {
        let mut fields: Vec<Field> = self.columns.iter().map(Column::arrow).collect();
        fields.push(Field::new(RID, DataType::Int64, false));
        fields.push(Field::new(SLICE, DataType::Int32, false));
        fields.push(Field::new(PAGE, DataType::Int32, false));
        fields.push(Field::new(ROW, DataType::Int32, false));
        fields.push(Field::new(FETCHED_AT, fetched_at_type(), false));
        fields.push(Field::new(RAW, DataType::Utf8, false));
        fields.push(Field::new(HASH, DataType::Int64, false));
        Arc::new(Schema::new(fields))
    }

    /// Name and element columns of each array of structs: what has a flattened view.
    pub fn arrays(&self) -> impl Iterator<Item = (&str, &[Column])> {
        self.columns.iter().filter_map(|c| match &c.ty {
            Type::List(element) => match &**element {
                Type::Struct(fields) => Some((c.name.as_str(), fields.as_slice())),
                _ => None,
            },
            _ => None,
        })
    }
}

/// Arrow type of `_fetched_at`.
pub(super) fn fetched_at_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

impl Column {
    /// As an Arrow field; nullable, because vendors leave out what they like.
    pub fn arrow(&self) -> Field {
        Field::new(&self.name, self.ty.arrow(), true)
    }
}

impl Type {
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Big => DataType::Int64,
            Self::Int => DataType::Int32,
            Self::Bool => DataType::Boolean,
            Self::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Date => DataType::Date32,
            Self::Struct(fields) => DataType::Struct(struct_fields(fields, false)),
            Self::List(element) => DataType::List(Arc::new(Field::new_list_field(element_type(element), true))),
        }
    }
}

/// Arrow type of a list's element: structs get `_line`.
pub(super) fn element_type(element: &Type) -> DataType {
    match element {
        Type::Struct(fields) => DataType::Struct(struct_fields(fields, true)),
        other => other.arrow(),
    }
}

fn struct_fields(fields: &[Column], with_line: bool) -> Fields {
    let mut out: Vec<Field> = fields.iter().map(Column::arrow).collect();
    if with_line {
        out.push(Field::new(LINE, DataType::Int32, true));
    }
    out.into()
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("VARCHAR"),
            Self::Big => f.write_str("BIGINT"),
            Self::Int => f.write_str("INTEGER"),
            Self::Bool => f.write_str("BOOLEAN"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::Date => f.write_str("DATE"),
            Self::Struct(fields) => {
                f.write_str("STRUCT(")?;
                for (i, field) in fields.iter().enumerate() {
                    write!(f, "{}\"{}\" {}", if i > 0 { ", " } else { "" }, field.name, field.ty)?;
                }
                f.write_str(")")
            }
            Self::List(element) => write!(f, "{element}[]"),
        }
    }
}

fn digest_of(columns: &[Column]) -> String {
    let mut hasher = Sha256::new();
    for column in columns {
        hasher.update(format!("\"{}\" {}\n", column.name, column.ty));
    }
    hex::encode(&hasher.finalize()[..8])
}
