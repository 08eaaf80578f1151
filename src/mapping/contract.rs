//! The target's contract: which fields a document must have, of which kind and length.
//!
//! Takes `sql/target/<form>.sql`, a `CREATE TABLE` in the staging DDL's spelling (`NOT NULL` = required, also for members of a
//! STRUCT; `VARCHAR(n)` = at most n characters); gives faults of a mapping's schema (`compare`) and the reason why a single
//! document does not keep the contract (`breach`). What a contract does not declare, a document may not have.

mod breach;
mod compare;

use super::fault::{Faults, Place};
use crate::base::record::Reason;
use crate::base::value::Value;
use crate::base::{Error, Result};
use arrow::datatypes::Field;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, ColumnDef, ColumnOption, DataType as SqlType, Statement, StructField,
};
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use std::collections::BTreeSet;

pub(super) use breach::{EMPTY, NULL};

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

impl Contract {
    /// Parses the DDL.
    ///
    /// # Errors
    /// Text that is not one `CREATE TABLE`, or a type that no document field has.
    pub fn parse(ddl: &str) -> Result<Self> {
        let unparsed = |e: &dyn std::fmt::Display| {
            Error::config(format!("the contract does not parse: {e}")).hint("a contract is one CREATE TABLE statement")
        };
        let dialect = DuckDbDialect {};
        let tokens = Tokenizer::new(&dialect, ddl).tokenize_with_location().map_err(|e| unparsed(&e))?;
        let (tokens, required) = take_required(tokens);
        let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
        let statements = parser.parse_statements().map_err(|e| unparsed(&e))?;
        let [Statement::CreateTable(table)] = statements.as_slice() else {
            return Err(Error::config("the contract is not one CREATE TABLE statement"));
        };
        let fields = table.columns.iter().map(|c| rule_of_column(c, &required)).collect::<Result<Vec<_>>>()?;
        Ok(Self { name: table.name.to_string(), fields })
    }

    /// Compares with the mapping's columns (hidden ones left out); `place` says where a column stands.
    pub(super) fn check(&self, columns: &[&Field], place: &dyn Fn(&str) -> Place, faults: &mut Faults) {
        compare::compare(&self.name, &self.fields, columns, place, faults);
    }

    /// Why a document does not keep the contract; `None` if it does.
    pub(super) fn breach<'a>(&self, body: impl Iterator<Item = (&'a str, &'a Value)> + Clone) -> Option<Reason> {
        breach::breach_of(&self.fields, body, "")
    }
}

/// Takes `NOT NULL` out of the members of STRUCTs, where the parser knows none. Gives the places where those members begin.
fn take_required(tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, BTreeSet<Place>) {
    /// An open bracket; of a STRUCT's, where the member at hand begins.
    struct Open {
        of_struct: bool,
        member: Option<Place>,
    }
    let (mut kept, mut required) = (Vec::with_capacity(tokens.len()), BTreeSet::new());
    let mut open: Vec<Open> = Vec::new();
    let mut after = Keyword::NoKeyword;
    let mut tokens = tokens.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).peekable();
    while let Some(token) = tokens.next() {
        let keyword = keyword_of(&token);
        if let Some(inner) = open.last_mut().filter(|o| o.of_struct) {
            match (&token.token, inner.member) {
                (Token::Comma, _) => inner.member = None,
                (_, None) => inner.member = Some(Place::of(token.span)),
                (_, Some(member)) => {
                    if keyword == Keyword::NOT && tokens.next_if(|t| keyword_of(t) == Keyword::NULL).is_some() {
                        required.insert(member);
                        continue;
                    }
                }
            }
        }
        match token.token {
            Token::LParen => open.push(Open { of_struct: after == Keyword::STRUCT, member: None }),
            Token::RParen => drop(open.pop()),
            _ => {}
        }
        after = keyword;
        kept.push(token);
    }
    (kept, required)
}

fn keyword_of(token: &TokenWithSpan) -> Keyword {
    match &token.token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

fn rule_of_column(column: &ColumnDef, members: &BTreeSet<Place>) -> Result<Rule> {
    let has = |wanted: fn(&ColumnOption) -> bool| column.options.iter().any(|o| wanted(&o.option));
    // A column that fills itself need not be in the document.
    let fills_itself = has(|o| matches!(o, ColumnOption::Default(_) | ColumnOption::Generated { .. }));
    let required = has(|o| matches!(o, ColumnOption::NotNull)) && !fills_itself;
    Ok(Rule { name: column.name.value.clone(), required, kind: family(&column.data_type, members)? })
}

/// `members`: where the required members of STRUCTs begin.
fn family(sql: &SqlType, members: &BTreeSet<Place>) -> Result<Family> {
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
            Family::List(Box::new(family(item, members)?))
        }
        SqlType::Struct(fields, _) => {
            let rule = |f: &StructField| {
                let name = f.field_name.as_ref().map(|n| n.value.clone()).unwrap_or_default();
                let required = f.field_name.as_ref().is_some_and(|n| members.contains(&Place::of(n.span)));
                Ok(Rule { name, required, kind: family(&f.field_type, members)? })
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
