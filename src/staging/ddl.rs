//! Reads `CREATE TABLE` in DuckDB's spelling into a [`TableDef`].
//!
//! Takes the text of one `sql/staging/<table>.sql`, gives the definition or all faults with line, column and the
//! nearest right name. Identifiers keep their case. Never reads a file, never touches DataFusion's catalogue.

use crate::base::names::suggest;
use crate::base::{Fault, Result};
use crate::staging::schema::{Column, TableDef, Type};
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, ColumnDef, CreateTable, DataType as Sql, ExactNumberInfo, Ident, Spanned as _, Statement,
    TimezoneInfo,
};
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer, Whitespace};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

/// The types a staging table may use, as they are written.
const TYPES: [&str; 9] =
    ["VARCHAR", "BIGINT", "INTEGER", "BOOLEAN", "DECIMAL(18,6)", "TIMESTAMP", "DATE", "STRUCT(…)", "type[]"];

/// Digits of a `DECIMAL` written without any, as DuckDB has it.
const DEFAULT_DECIMAL: (u8, u8) = (18, 3);

impl TableDef {
    /// Reads the DDL of staging table `name`; `file` is how messages call the text.
    pub fn parse(name: &str, ddl: &str, file: &str) -> Result<Self> {
        Self::read(name, ddl, file).map_err(|faults| Fault::into_error(&faults))
    }

    /// The same with all faults of the file at once.
    pub fn read(name: &str, ddl: &str, file: &str) -> Result<Self, Vec<Fault>> {
        let reader = Reader { file, comments: comments_by_line(ddl), faults: RefCell::default() };
        let statement = one_statement(ddl, file).map_err(|fault| vec![fault])?;
        let written = statement.name.to_string().replace('"', "");
        if written != name {
            let message = format!("the file defines table {written}, expected {name}");
            reader.add(statement.name.span().start, message, format!("write CREATE TABLE {name} (…)"));
        }
        if let Some(constraint) = statement.constraints.first() {
            let hint = "a staging table has no constraints: a value that does not fit is null and counted";
            reader.add(constraint.span().start, format!("{constraint} is not for staging tables"), hint);
        }
        let columns = reader.columns(&statement.columns);
        if statement.columns.is_empty() {
            reader.add(Location::empty(), format!("table {name} has no columns"), "declare the vendor's fields");
        }
        let mut faults = reader.faults.into_inner();
        if faults.is_empty() {
            return Ok(Self::new(name, columns));
        }
        faults.sort_by_key(|f| (f.line == 0, f.line, f.column));
        Err(faults)
    }
}

fn one_statement(ddl: &str, file: &str) -> Result<CreateTable, Fault> {
    let mut statements = Parser::parse_sql(&DuckDbDialect, ddl).map_err(|e| unparsed(ddl, file, &e.to_string()))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::CreateTable(create)), true) if create.query.is_none() => Ok(create),
        _ => {
            let message = "expected one CREATE TABLE statement with a list of columns";
            Err(Fault::whole(file, message, "write CREATE TABLE name (column TYPE, …)"))
        }
    }
}

/// The parser writes the place at the end of its message (` at Line: 3, Column: 5`), except where the text just ends.
fn unparsed(ddl: &str, file: &str, message: &str) -> Fault {
    let message = message.trim_start_matches("sql parser error: ");
    let Some((what, place)) = message.rsplit_once(" at Line: ") else {
        return Fault::at(file, ddl, ddl.trim_end().len(), message, type_hint());
    };
    let mut numbers = place.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    let (line, column) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Fault { line, column, ..Fault::whole(file, what, type_hint()) }
}

fn type_hint() -> String {
    format!("types of a staging table: {}", TYPES.join(", "))
}

/// The `--` comments that follow something on their line, by line number. A text that is no SQL has none: the parser says why.
fn comments_by_line(ddl: &str) -> BTreeMap<u64, String> {
    let tokens = Tokenizer::new(&DuckDbDialect, ddl).tokenize_with_location().unwrap_or_default();
    let mut comments = BTreeMap::new();
    for token in tokens {
        if let Token::Whitespace(Whitespace::SingleLineComment { comment, .. }) = &token.token {
            comments.insert(token.span.start.line, comment.trim().to_string());
        }
    }
    comments
}

/// Reads columns; what is wrong is noted and reading goes on.
struct Reader<'a> {
    file: &'a str,
    comments: BTreeMap<u64, String>,
    faults: RefCell<Vec<Fault>>,
}

impl Reader<'_> {
    fn columns(&self, defs: &[ColumnDef]) -> Vec<Column> {
        for def in defs.iter().filter(|d| !d.options.is_empty()) {
            let what = "options such as NOT NULL or DEFAULT are not for staging tables";
            self.at(&def.name, what, "a value that does not fit is null and counted");
        }
        self.fields(defs.iter().map(|d| (&d.name, &d.data_type)))
    }

    fn fields<'a>(&self, fields: impl Iterator<Item = (&'a Ident, &'a Sql)> + Clone) -> Vec<Column> {
        let mut seen = HashSet::new();
        let mut last_on_line = BTreeMap::new();
        for (name, _) in fields.clone() {
            last_on_line.insert(name.span.start.line, name.span.start.column);
        }
        let mut columns = Vec::new();
        for (name, ty) in fields {
            if name.value.starts_with('_') {
                self.at(name, "names that begin with _ are ours", "declare only the vendor's fields");
            }
            if !seen.insert(name.value.as_str()) {
                self.at(name, "declared twice", "remove one of the two");
            }
            let line = name.span.start.line;
            // The comment of a line belongs to the last column that begins on it.
            let comment = (last_on_line.get(&line) == Some(&name.span.start.column))
                .then(|| self.comments.get(&line).cloned())
                .flatten();
            columns.push(Column { name: name.value.clone(), ty: self.type_of(name, ty), comment });
        }
        columns
    }

    /// The type, or text in its place where it was noted as wrong.
    fn type_of(&self, column: &Ident, ty: &Sql) -> Type {
        match ty {
            Sql::Varchar(_) | Sql::Text | Sql::String(_) => Type::Text,
            Sql::BigInt(_) => Type::Big,
            Sql::Int(_) | Sql::Integer(_) => Type::Int,
            Sql::Boolean | Sql::Bool => Type::Bool,
            Sql::Decimal(info) | Sql::Numeric(info) => self.decimal(column, info),
            Sql::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Type::Timestamp,
            Sql::Date => Type::Date,
            Sql::Struct(fields, _) => {
                let named = fields.iter().filter_map(|f| f.field_name.as_ref().map(|n| (n, &f.field_type)));
                Type::Struct(self.fields(named))
            }
            Sql::Array(ArrayElemTypeDef::SquareBracket(element, None)) => match self.type_of(column, element) {
                Type::List(_) => {
                    self.at(
                        column,
                        "a list of lists is not supported",
                        "declare it VARCHAR: its text is kept as it is",
                    );
                    Type::Text
                }
                element => Type::List(Box::new(element)),
            },
            other => {
                self.at(column, &format!("unknown type {other}"), type_cure(other));
                Type::Text
            }
        }
    }

    fn decimal(&self, column: &Ident, info: &ExactNumberInfo) -> Type {
        let (precision, scale) = match info {
            ExactNumberInfo::None => DEFAULT_DECIMAL,
            ExactNumberInfo::Precision(p) => (u8::try_from(*p).unwrap_or(u8::MAX), 0),
            ExactNumberInfo::PrecisionAndScale(p, s) => {
                (u8::try_from(*p).unwrap_or(u8::MAX), u8::try_from(*s).unwrap_or(u8::MAX))
            }
        };
        if precision == 0 || precision > 38 || scale > precision {
            self.at(column, &format!("DECIMAL{info} is not possible"), "1 to 38 digits, as DECIMAL(18,6)");
        }
        Type::Decimal { precision, scale }
    }

    fn at(&self, column: &Ident, what: &str, hint: impl Into<String>) {
        self.add(column.span.start, format!("column {}: {what}", column.value), hint);
    }

    fn add(&self, at: Location, message: String, hint: impl Into<String>) {
        let whole = Fault::whole(self.file, message, hint);
        self.faults.borrow_mut().push(Fault { line: at.line, column: at.column, ..whole });
    }
}

fn type_cure(ty: &Sql) -> String {
    match ty {
        Sql::Float(_) | Sql::Double(_) | Sql::Real | Sql::DoublePrecision => {
            "money never passes through a float: use DECIMAL(18,6)".to_string()
        }
        Sql::Timestamp(..) => "vendor times are wall clock: use TIMESTAMP".to_string(),
        _ => suggest(&ty.to_string().to_uppercase(), TYPES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DDL: &str = r#"
-- 销售单
CREATE TABLE trade (
  tradeNo VARCHAR, -- 订单编号
  state VARCHAR, zip VARCHAR, -- 邮编
  shopId BIGINT,
  payment DECIMAL(18,6),
  gmtModified TIMESTAMP,  -- 最后修改时间
  tickets VARCHAR[],
  goodsDetail STRUCT( -- 货品详情
    goodsNo VARCHAR, -- 货品编号
    sellCount DECIMAL(18,6),
    goodsDelivery STRUCT(batchNo VARCHAR)[]
  )[],
  tradeOrderColumnExt STRUCT(tradeId BIGINT)
);"#;

    #[test]
    fn a_definition_keeps_case_types_and_comments() {
        let def = TableDef::parse("trade", DDL, "sql/staging/trade.sql").unwrap();
        let comment = |i: usize| def.columns()[i].comment.as_deref();
        assert_eq!((comment(0), comment(1), comment(2)), (Some("订单编号"), None, Some("邮编")));
        assert_eq!(
            def.columns()[7].ty.to_string(),
            r#"STRUCT("goodsNo" VARCHAR, "sellCount" DECIMAL(18,6), "goodsDelivery" STRUCT("batchNo" VARCHAR)[])[]"#
        );
        let Type::List(element) = &def.columns()[7].ty else { panic!("a list") };
        let Type::Struct(fields) = &**element else { panic!("of structs") };
        assert_eq!(fields[0].comment.as_deref(), Some("货品编号"));
        let schema = def.file_schema();
        assert_eq!(schema.field(0).name(), "tradeNo");
        assert_eq!(schema.fields().len(), 9 + 7);
        assert!(schema.field(7).data_type().to_string().contains(r#""_line": Int32"#), "{}", schema.field(7));
        assert!(!schema.field(8).data_type().to_string().contains("_line"));
    }

    #[test]
    fn the_digest_sees_columns_and_not_comments() {
        let of = |ddl: &str| TableDef::parse("trade", ddl, "f").unwrap().digest().to_string();
        assert_eq!(of(DDL), of(&DDL.replace("订单编号", "单号").replace("  ", " ")));
        assert_ne!(of(DDL), of(&DDL.replace("BIGINT,", "VARCHAR,")));
        assert_eq!(of(DDL).len(), 16);
    }

    #[test]
    fn faults_name_the_place_and_the_nearest_right_word() {
        let cases = [
            ("CREATE TABLE trade (\n a VARCHR)", "f:2:2: column a: unknown type VARCHR", "VARCHAR"),
            ("CREATE TABLE trade (\n a VARCHAR,\n b DOUBLE)", "f:3:2: column b", "DECIMAL"),
            ("CREATE TABLE trade (s STRUCT(x VARCHAR, y STRNG)[])", "f:1:41: column y", "known here"),
            ("CREATE TABLE trade (a VARCHAR, a BIGINT)", "f:1:32: column a: declared twice", "remove"),
            ("CREATE TABLE trade (_rid BIGINT)", "f:1:21: column _rid", "vendor"),
            ("CREATE TABLE trade (a VARCHAR NOT NULL)", "NOT NULL", "counted"),
            ("CREATE TABLE trade (a DECIMAL(40,2))", "DECIMAL(40,2)", "38"),
            ("CREATE TABLE trade (a VARCHAR", "f:1:30: ", "types of a staging table"),
            ("CREATE TABLE trad (a VARCHAR)", "defines table trad", "CREATE TABLE trade"),
            ("SELECT 1", "one CREATE TABLE", ""),
        ];
        for (ddl, message, hint) in cases {
            let error = TableDef::parse("trade", ddl, "f").expect_err(ddl);
            assert!(error.to_string().contains(message), "{ddl}: {error}");
            assert!(error.cure().unwrap_or_default().contains(hint), "{ddl}: {:?}", error.cure());
        }
        let many = TableDef::read("trade", "CREATE TABLE trad (\n a VARCHR,\n b DOUBLE, _c STRUCT(x STRNG))", "f");
        let places: Vec<_> = many.expect_err("five faults").iter().map(|f| (f.line, f.column)).collect();
        assert_eq!(places, [(1, 14), (2, 2), (3, 2), (3, 12), (3, 22)]);
        let def = TableDef::parse("trade", DDL, "f").unwrap();
        let error = def.key_column("tradeno").expect_err("no such column");
        assert_eq!(error.cure(), Some("did you mean tradeNo?"));
        assert!(def.version_column("tradeNo").is_err() && def.version_column("gmtModified").is_ok());
    }
}
