//! One Arrow column, read row by row as document values.
//!
//! Takes an array, gives [`Value`]s: decimals with all their digits, dates and times as text. Types that a document cannot hold
//! are refused by `check` through [`refusal`]; meeting one here is our bug.

use crate::base::value::{Decimal, Object, Value};
use crate::base::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, Date32Array, Decimal128Array, Int64Array, ListArray, StringArray,
    StructArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Datelike as _, NaiveDateTime, Timelike as _};
use std::fmt::Write as _;
use std::sync::Arc;

/// The names inside a type, so that all documents of a mapping share them.
#[derive(Debug)]
pub enum Shape {
    Plain,
    List(Box<Shape>),
    Struct { names: Arc<[Box<str>]>, members: Vec<Shape> },
}

impl Shape {
    pub fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::List(item) => Self::List(Box::new(Self::of(item.data_type()))),
            DataType::Struct(fields) => Self::Struct {
                names: fields.iter().map(|f| f.name().as_str().into()).collect(),
                members: fields.iter().map(|f| Self::of(f.data_type())).collect(),
            },
            _ => Self::Plain,
        }
    }
}

/// Why a document cannot hold a type, and the cure; `None` if it can. Looks at one level only.
pub fn refusal(data_type: &DataType) -> Option<(&'static str, &'static str)> {
    use DataType::*;
    match data_type {
        Null | Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => None,
        Utf8 | LargeUtf8 | Utf8View | Date32 | Timestamp(_, None) | List(_) | Struct(_) => None,
        Decimal32(_, s) | Decimal64(_, s) | Decimal128(_, s) if *s >= 0 => None,
        Float16 | Float32 | Float64 => {
            Some(("a float", "money never passes through a float: CAST(… AS DECIMAL(18,2))"))
        }
        Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => {
            Some(("a decimal that is too wide", "CAST(… AS DECIMAL(38,6)) or narrower"))
        }
        Timestamp(_, Some(_)) => Some(("a time with a zone", "vendor times are wall clock: CAST(… AS TIMESTAMP(6))")),
        Time32(_) | Time64(_) | Duration(_) | Interval(_) | Date64 => {
            Some(("a time span or time of day", "CAST(… AS VARCHAR)"))
        }
        _ => Some(("of a type no document holds", "CAST it to VARCHAR, DECIMAL, BIGINT, DATE or TIMESTAMP(6)")),
    }
}

/// One column of a batch.
pub enum Reader<'s> {
    Null,
    Bool(BooleanArray),
    Int(Int64Array),
    Unsigned(UInt64Array),
    Decimal(Decimal128Array, u8),
    Text(StringArray),
    Date(Date32Array),
    Time(TimestampMicrosecondArray),
    List(ListArray, Box<Reader<'s>>),
    Struct(StructArray, &'s Arc<[Box<str>]>, Vec<Reader<'s>>),
}

impl<'s> Reader<'s> {
    pub fn new(array: &ArrayRef, shape: &'s Shape) -> Result<Self> {
        let cast =
            |to: &DataType| arrow::compute::cast(array, to).map_err(|e| Error::bug(format!("reading a result: {e}")));
        let microseconds = DataType::Timestamp(TimeUnit::Microsecond, None);
        Ok(match (array.data_type(), shape) {
            (DataType::Null, _) => Self::Null,
            (DataType::Boolean, _) => Self::Bool(array.as_boolean().clone()),
            (DataType::UInt64, _) => Self::Unsigned(array.as_primitive().clone()),
            (t, _) if t.is_integer() => Self::Int(cast(&DataType::Int64)?.as_primitive().clone()),
            (DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s), _) if *s >= 0 => {
                Self::Decimal(cast(&DataType::Decimal128(*p, *s))?.as_primitive().clone(), s.unsigned_abs())
            }
            (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, _) => {
                Self::Text(cast(&DataType::Utf8)?.as_string::<i32>().clone())
            }
            (DataType::Date32, _) => Self::Date(array.as_primitive().clone()),
            (DataType::Timestamp(_, None), _) => Self::Time(cast(&microseconds)?.as_primitive().clone()),
            (DataType::List(_), Shape::List(item)) => {
                let list = array.as_list::<i32>().clone();
                let items = Reader::new(list.values(), item)?;
                Self::List(list, Box::new(items))
            }
            (DataType::Struct(_), Shape::Struct { names, members }) => {
                let object = array.as_struct().clone();
                let columns = object.columns().iter().zip(members);
                let readers = columns.map(|(column, shape)| Reader::new(column, shape)).collect::<Result<Vec<_>>>()?;
                Self::Struct(object, names, readers)
            }
            (other, _) => return Err(Error::bug(format!("a column of type {other} passed the check"))),
        })
    }

    pub fn value(&self, row: usize) -> Value {
        if self.is_null(row) {
            return Value::Null;
        }
        match self {
            Self::Null => Value::Null,
            Self::Bool(a) => Value::Bool(a.value(row)),
            Self::Int(a) => Value::Int(a.value(row)),
            Self::Unsigned(a) => i64::try_from(a.value(row))
                .map_or_else(|_| Value::Decimal(Decimal { unscaled: i128::from(a.value(row)), scale: 0 }), Value::Int),
            Self::Decimal(a, scale) => Value::Decimal(Decimal { unscaled: a.value(row), scale: *scale }),
            Self::Text(a) => Value::text(a.value(row)),
            Self::Date(a) => a.value_as_date(row).map_or(Value::Null, |day| Value::text(day.to_string())),
            Self::Time(a) => DateTime::from_timestamp_micros(a.value(row))
                .map_or(Value::Null, |time| Value::text(time_text(time.naive_utc()))),
            Self::List(list, items) => {
                let offsets = list.value_offsets();
                let bound = |i: usize| usize::try_from(offsets[i]).unwrap_or_default();
                Value::List((bound(row)..bound(row + 1)).map(|i| items.value(i)).collect())
            }
            Self::Struct(_, names, members) => {
                Value::Object(Object::new(Arc::clone(names), members.iter().map(|m| m.value(row)).collect()))
            }
        }
    }

    /// A number whose order is that of the values: integers, and times in microseconds.
    pub fn ordinal(&self, row: usize) -> Option<i64> {
        match self {
            Self::Int(a) if a.is_valid(row) => Some(a.value(row)),
            Self::Time(a) if a.is_valid(row) => Some(a.value(row)),
            _ => None,
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(a) => a.is_null(row),
            Self::Int(a) => a.is_null(row),
            Self::Unsigned(a) => a.is_null(row),
            Self::Decimal(a, _) => a.is_null(row),
            Self::Text(a) => a.is_null(row),
            Self::Date(a) => a.is_null(row),
            Self::Time(a) => a.is_null(row),
            Self::List(a, _) => a.is_null(row),
            Self::Struct(a, _, _) => a.is_null(row),
        }
    }
}

/// `2024-06-05 11:26:00`, with a fraction of a second only where there is one, without trailing zeros.
fn time_text(time: NaiveDateTime) -> String {
    let mut text = String::with_capacity(26);
    let (year, month, day) = (time.year(), time.month(), time.day());
    // Writing into a String cannot fail.
    let _ = write!(text, "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    let micros = time.and_utc().timestamp_subsec_micros();
    if micros > 0 {
        let _ = write!(text, ".{micros:06}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_vendors_do() {
        let text = |micros| time_text(DateTime::from_timestamp_micros(micros).expect("a time").naive_utc());
        assert_eq!(text(1_717_586_760_000_000), "2024-06-05 11:26:00");
        assert_eq!(text(1_717_586_760_120_000), "2024-06-05 11:26:00.12");
        assert_eq!(text(1_717_586_760_000_001), "2024-06-05 11:26:00.000001");
        assert_eq!(text(-1), "1969-12-31 23:59:59.999999");
    }
}
