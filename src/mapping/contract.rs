//! The target's contract: which fields a document must have, of which kind and length.
//!
//! Takes `sql/target/<form>.sql`, a `CREATE TABLE` in the staging DDL's spelling (`NOT NULL` = required, `VARCHAR(n)` = at most n
//! characters); gives faults of a mapping's schema and the reason why a single document does not keep the contract.

use super::fault::{Faults, Place};
use crate::base::names::suggest;
use crate::base::record::Reason;
use crate::base::value::Value;
use crate::base::{Error, Result};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, ColumnDef, ColumnOption, DataType as SqlType, Statement,
};
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// What a target asks of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Table name in the DDL.
    pub name: String,
    fields: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    name: String,
    required: bool,
    kind: Family,
}

/// Families of types: within one, a target takes what the document gives.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Family {
    Text { max_chars: Option<u64> },
    Whole,
    Number,
    Bool,
    Time,
    List(Box<Family>),
    Struct(Vec<Rule>),
}

/// Text that the sink replaces by the main row's id, so no contract lists it.
const SINK_SUPPLIED: &str = "lastInsertId";

impl Contract {
    /// Parses the DDL.
    ///
    /// # Errors
    /// Text that is not one `CREATE TABLE`, or a type that no document field has.
    pub fn parse(ddl: &str) -> Result<Self> {
        let statements = Parser::parse_sql(&DuckDbDialect {}, ddl).map_err(|e| {
            Error::config(format!("the contract does not parse: {e}")).hint("a contract is one CREATE TABLE statement")
        })?;
        let [Statement::CreateTable(table)] = statements.as_slice() else {
            return Err(Error::config("the contract is not one CREATE TABLE statement"));
        };
        let fields = table.columns.iter().map(rule_of_column).collect::<Result<Vec<_>>>()?;
        Ok(Self { name: table.name.to_string(), fields })
    }

    /// Compares with the mapping's columns (hidden ones left out); `place` says where a column stands.
    pub(super) fn check(&self, columns: &[&Field], place: &dyn Fn(&str) -> Place, faults: &mut Faults) {
        compare(&self.name, "", &self.fields, columns, place, faults);
    }

    /// Why a document does not keep the contract; `None` if it does.
    pub(super) fn breach<'a>(&self, body: impl Iterator<Item = (&'a str, &'a Value)> + Clone) -> Option<Reason> {
        breach_of(&self.fields, body, "")
    }
}

fn rule_of_column(column: &ColumnDef) -> Result<Rule> {
    let has = |wanted: fn(&ColumnOption) -> bool| column.options.iter().any(|o| wanted(&o.option));
    // A column that fills itself need not be in the document.
    let fills_itself = has(|o| matches!(o, ColumnOption::Default(_) | ColumnOption::Generated { .. }));
    let required = has(|o| matches!(o, ColumnOption::NotNull)) && !fills_itself;
    Ok(Rule { name: column.name.value.clone(), required, kind: family(&column.data_type)? })
}

fn family(sql: &SqlType) -> Result<Family> {
    Ok(match sql {
        SqlType::Varchar(length)
        | SqlType::CharacterVarying(length)
        | SqlType::Char(length)
        | SqlType::Character(length) => Family::Text { max_chars: max_chars(length.as_ref()) },
        SqlType::Text | SqlType::String(_) | SqlType::JSON => Family::Text { max_chars: None },
        SqlType::TinyInt(_) | SqlType::SmallInt(_) | SqlType::Int(_) | SqlType::Integer(_) | SqlType::BigInt(_) => {
            Family::Whole
        }
        SqlType::Decimal(_) | SqlType::Numeric(_) | SqlType::Dec(_) => Family::Number,
        SqlType::Boolean | SqlType::Bool => Family::Bool,
        SqlType::Date | SqlType::Datetime(_) | SqlType::Timestamp(_, _) => Family::Time,
        SqlType::Array(ArrayElemTypeDef::SquareBracket(item, _) | ArrayElemTypeDef::AngleBracket(item)) => {
            Family::List(Box::new(family(item)?))
        }
        SqlType::Struct(fields, _) => {
            let rule = |f: &datafusion::sql::sqlparser::ast::StructField| {
                let name = f.field_name.as_ref().map(|n| n.value.clone()).unwrap_or_default();
                Ok(Rule { name, required: false, kind: family(&f.field_type)? })
            };
            Family::Struct(fields.iter().map(rule).collect::<Result<Vec<_>>>()?)
        }
        other => {
            return Err(Error::config(format!("type {other} has no meaning in a contract"))
                .hint("use VARCHAR(n), DECIMAL(p,s), INTEGER, BIGINT, BOOLEAN, DATE, TIMESTAMP, STRUCT(…), …[]"));
        }
    })
}

fn max_chars(length: Option<&CharacterLength>) -> Option<u64> {
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
        _ => None,
    }
}

fn path(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn compare(
    contract: &str,
    prefix: &str,
    rules: &[Rule],
    columns: &[&Field],
    place: &dyn Fn(&str) -> Place,
    faults: &mut Faults,
) {
    let known = rules.iter().map(|r| r.name.as_str());
    for column in columns.iter().filter(|c| c.name() != SINK_SUPPLIED) {
        let full = path(prefix, column.name());
        match rules.iter().find(|r| r.name == *column.name()) {
            None => faults.add(
                place(&full),
                format!("{contract} has no field {full}"),
                suggest(column.name(), known.clone()),
            ),
            Some(rule) => compare_type(contract, &full, rule, column.data_type(), place, faults),
        }
    }
    for rule in rules.iter().filter(|r| r.required && !columns.iter().any(|c| *c.name() == r.name)) {
        let full = path(prefix, &rule.name);
        faults.add(Place::WHOLE, format!("{contract} requires {full}"), format!("add a column … AS \"{}\"", rule.name));
    }
}

fn compare_type(
    contract: &str,
    full: &str,
    rule: &Rule,
    given: &DataType,
    place: &dyn Fn(&str) -> Place,
    faults: &mut Faults,
) {
    match (&rule.kind, given) {
        (_, DataType::Null) if rule.required => {
            faults.add(
                place(full),
                format!("{contract} requires {full}, which is always NULL here"),
                "give it a value",
            );
        }
        (Family::Struct(rules), DataType::Struct(fields)) => {
            compare(contract, full, rules, &references(fields), place, faults);
        }
        (Family::List(item), DataType::List(field)) => {
            let rule = Rule { name: rule.name.clone(), required: false, kind: (**item).clone() };
            compare_type(contract, full, &rule, field.data_type(), place, faults);
        }
        (kind, given) if fits(kind, given) => {}
        (kind, given) => faults.add(
            place(full),
            format!("{full} is {}, {contract} wants {}", words_of(given), kind.words()),
            "CAST it, or correct the contract",
        ),
    }
}

fn references(fields: &Fields) -> Vec<&Field> {
    fields.iter().map(|f| f.as_ref()).collect()
}

fn fits(kind: &Family, given: &DataType) -> bool {
    let text = matches!(given, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let time = matches!(given, DataType::Date32 | DataType::Timestamp(..));
    match kind {
        _ if given.is_null() => true,
        // Dates travel as text, and text may well be a formatted date.
        Family::Text { .. } | Family::Time => text || time,
        Family::Whole => given.is_integer(),
        Family::Number => given.is_integer() || given.is_decimal(),
        Family::Bool => *given == DataType::Boolean,
        Family::List(_) | Family::Struct(_) => false,
    }
}

impl Family {
    fn words(&self) -> &'static str {
        match self {
            Family::Text { .. } => "text",
            Family::Whole => "a whole number",
            Family::Number => "a number",
            Family::Bool => "true or false",
            Family::Time => "a date or time",
            Family::List(_) => "a list",
            Family::Struct(_) => "an object",
        }
    }
}

fn words_of(given: &DataType) -> String {
    match given {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::List(_) => "a list".into(),
        DataType::Struct(_) => "an object".into(),
        other => other.to_string(),
    }
}

fn breach_of<'a>(
    rules: &[Rule],
    values: impl Iterator<Item = (&'a str, &'a Value)> + Clone,
    prefix: &str,
) -> Option<Reason> {
    rules.iter().find_map(|rule| {
        let value = values.clone().find(|(name, _)| *name == rule.name).map_or(&Value::Null, |(_, value)| value);
        let full = || path(prefix, &rule.name);
        if value.is_null() {
            return rule.required.then(|| Reason::new("contract", "is required, but null").on_field(full()));
        }
        breach_of_value(&rule.kind, value, &full)
    })
}

fn breach_of_value(kind: &Family, value: &Value, full: &dyn Fn() -> String) -> Option<Reason> {
    match (kind, value) {
        (Family::Text { max_chars: Some(max) }, Value::Text(text)) => {
            // A text of no more bytes than allowed characters cannot be too long.
            let chars = if text.len() as u64 <= *max { 0 } else { text.chars().count() as u64 };
            let says = || format!("has {chars} characters, at most {max} fit");
            (chars > *max).then(|| Reason::new("contract", says()).on_field(full()))
        }
        (Family::Struct(rules), Value::Object(object)) => {
            breach_of(rules, object.names().iter().map(|n| &**n).zip(object.values()), &full())
        }
        (Family::List(item), Value::List(values)) => values
            .iter()
            .enumerate()
            .find_map(|(i, value)| breach_of_value(item, value, &|| format!("{}[{}]", full(), i + 1))),
        _ => None,
    }
}
