//! The statements of an SQL sink, as 轻易云's users write them: `<{name: default}>` and `:lastInsertId`.
//!
//! Takes the text of `main_sql` and `extend_sql_K`, gives prepared-statement text with `?` and the names that fill it.
//! A value never becomes text of the statement. Pure: knows no server; [`check`] holds a mapping against the statements.

mod check;
mod program;
mod scan;

pub use check::{Shape, ShapeField, check, check_names};
pub use program::{Cell, Extend, Program};

use crate::base::{Error, Fault, Result};
use scan::{Token, TokenKind};
use std::fmt;
use std::ops::Range;

/// Name of the placeholder that stands for the main row's id; as a value, with a colon before it.
pub const LAST_INSERT_ID: &str = "lastInsertId";

/// One `<{name: default}>` or `:lastInsertId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    pub name: String,
    /// What a null value becomes; `None` where only blanks follow the colon.
    pub default: Option<String>,
    /// Where it stands in the statement, from 1.
    pub line: u64,
    pub column: u64,
}

/// The table a statement writes into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub schema: Option<String>,
    pub name: String,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// `INSERT INTO t (columns) VALUES (placeholders and literals)` and nothing else: several rows may go in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainInsert {
    /// The columns, each with the number of the placeholder that fills it (`None`: a literal).
    pub columns: Vec<(String, Option<usize>)>,
    /// Where the tuple of values stands in the text; it is the end of the text.
    tuple: Range<usize>,
}

/// One statement, ready to be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    placeholders: Vec<Placeholder>,
    table: Table,
    table_span: Range<usize>,
    plain: Option<PlainInsert>,
}

impl Template {
    /// Errors name line and column. A trailing semicolon is accepted, several statements are not; only statements that
    /// write rows are taken, since any other would end the transaction or do nothing.
    pub fn parse(sql: &str) -> Result<Self> {
        Self::read(sql).map_err(error_of)
    }

    /// The same with the place of the fault in the statement; its file is left open.
    pub fn read(sql: &str) -> Result<Self, Fault> {
        let scanned = scan::scan(sql)?;
        Self::analyse(scanned.text, scanned.placeholders)
    }

    fn analyse(text: String, placeholders: Vec<Placeholder>) -> Result<Self, Fault> {
        let reader = Reader { text: &text, tokens: scan::tokens(&text) };
        let (table, after) = reader.written_table()?;
        let table_span = table.1;
        let plain = reader.plain_insert(after);
        Ok(Self { table: table.0, table_span, plain, placeholders, text })
    }

    /// The statement with `?` for each placeholder.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// In the order of the `?`.
    pub fn placeholders(&self) -> &[Placeholder] {
        &self.placeholders
    }

    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Present if several rows may go in one statement.
    pub fn plain_values_insert(&self) -> Option<&PlainInsert> {
        self.plain.as_ref()
    }

    /// The text for `rows` rows at once; `None` unless it is a plain insert.
    pub fn rows_text(&self, rows: usize) -> Option<String> {
        let tuple = &self.text[self.plain.as_ref()?.tuple.clone()];
        let mut text = String::with_capacity(self.text.len() + rows * (tuple.len() + 1));
        text.push_str(&self.text);
        for _ in 1..rows {
            text.push(',');
            text.push_str(tuple);
        }
        Some(text)
    }

    pub fn uses_last_insert_id(&self) -> bool {
        self.placeholders.iter().any(|p| p.name == LAST_INSERT_ID)
    }

    /// The same statement on the same table of another schema (database).
    pub fn in_schema(&self, schema: &str) -> Result<Self> {
        let mut text = self.text.clone();
        let quote = |name: &str| format!("`{}`", name.replace('`', "``"));
        text.replace_range(self.table_span.clone(), &format!("{}.{}", quote(schema), quote(&self.table.name)));
        Self::analyse(text, self.placeholders.clone()).map_err(error_of)
    }
}

fn error_of(fault: Fault) -> Error {
    let place = if fault.line > 0 { format!("line {}, column {}: ", fault.line, fault.column) } else { String::new() };
    let error = Error::config(format!("{place}{}", fault.message));
    if fault.hint.is_empty() { error } else { error.hint(fault.hint) }
}

/// Walks over the tokens of a statement.
struct Reader<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|t| self.text[t.span.clone()].eq_ignore_ascii_case(word))
    }

    fn name(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        let text = &self.text[token.span.clone()];
        match token.kind {
            TokenKind::Word => Some(text.to_string()),
            TokenKind::Quoted => {
                let quote = &text[..1];
                Some(text[1..text.len() - 1].replace(&quote.repeat(2), quote))
            }
            _ => None,
        }
    }

    /// The table after the verb with its span, and the number of the token behind it.
    fn written_table(&self) -> Result<((Table, Range<usize>), usize), Fault> {
        const NOISE: [&str; 12] = [
            "LOW_PRIORITY",
            "HIGH_PRIORITY",
            "DELAYED",
            "QUICK",
            "IGNORE",
            "INTO",
            "FROM",
            "OR",
            "REPLACE",
            "ABORT",
            "ROLLBACK",
            "FAIL",
        ];
        if !["INSERT", "REPLACE", "UPDATE", "DELETE"].iter().any(|verb| self.is(0, verb)) {
            let verb = self.tokens.first().map_or("", |t| &self.text[t.span.clone()]);
            let hint = "a statement of a sink is INSERT, REPLACE, UPDATE or DELETE";
            return Err(Fault::whole("", format!("{verb} does not write rows"), hint));
        }
        let mut at = 1;
        while NOISE.iter().any(|word| self.is(at, word)) {
            at += 1;
        }
        let no_table = || Fault::whole("", "no table after the verb of the statement", "write INSERT INTO table (…)");
        let first = self.name(at).ok_or_else(no_table)?;
        let start = self.tokens[at].span.start;
        let (table, last) = match self.name(at + 2) {
            Some(name) if self.is(at + 1, ".") => (Table { schema: Some(first), name }, at + 2),
            _ => (Table { schema: None, name: first }, at),
        };
        Ok(((table, start..self.tokens[last].span.end), last + 1))
    }

    /// `INSERT INTO t` stands before token `at`; is `(columns) VALUES (tuple)` all that follows?
    fn plain_insert(&self, at: usize) -> Option<PlainInsert> {
        // INSERT INTO t, INSERT INTO s.t: any word more (IGNORE, …) changes what the statement means.
        let plain_head = self.is(0, "INSERT") && self.is(1, "INTO") && (at == 3 || (at == 5 && self.is(3, ".")));
        if !plain_head || !self.is(at, "(") {
            return None;
        }
        let mut columns = Vec::new();
        let mut at = at + 1;
        loop {
            columns.push(self.name(at)?);
            at += 2;
            if self.is(at - 1, ")") {
                break;
            }
            if !self.is(at - 1, ",") {
                return None;
            }
        }
        if !(self.is(at, "VALUES") || self.is(at, "VALUE")) || !self.is(at + 1, "(") {
            return None;
        }
        let start = self.tokens[at + 1].span.start;
        let (fills, end) = self.tuple(at + 2)?;
        if end + 1 != self.tokens.len() || fills.len() != columns.len() {
            return None;
        }
        let tuple = start..self.tokens[end].span.end;
        Some(PlainInsert { columns: columns.into_iter().zip(fills).collect(), tuple })
    }

    /// Placeholders and literals up to the closing bracket: which placeholder each is, and where the bracket stands.
    fn tuple(&self, mut at: usize) -> Option<(Vec<Option<usize>>, usize)> {
        let mut fills = Vec::new();
        let mut marks = 0;
        loop {
            if self.is(at, "-") || self.is(at, "+") {
                at += 1;
            }
            let token = self.tokens.get(at)?;
            match token.kind {
                TokenKind::Mark => {
                    fills.push(Some(marks));
                    marks += 1;
                }
                TokenKind::Text => fills.push(None),
                TokenKind::Word if self.is_literal(at) => fills.push(None),
                _ => return None,
            }
            at += 1;
            if self.is(at, ")") {
                return Some((fills, at));
            }
            if !self.is(at, ",") {
                return None;
            }
            at += 1;
        }
    }

    fn is_literal(&self, at: usize) -> bool {
        let digits = self.text[self.tokens[at].span.clone()].starts_with(|c: char| c.is_ascii_digit());
        digits || ["NULL", "TRUE", "FALSE", "DEFAULT"].iter().any(|word| self.is(at, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "INSERT INTO lehua.sale_return ( dispatch_id, return_status, return_reason) \
                        VALUES ( <{dispatch_id: }>, <{return_status: 1}>, <{return_reason: }>);";

    #[test]
    fn placeholders_become_marks_and_keep_their_defaults() {
        let template = Template::parse(MAIN).expect("the statement");
        assert_eq!(
            template.text(),
            "INSERT INTO lehua.sale_return ( dispatch_id, return_status, return_reason) VALUES ( ?, ?, ?)"
        );
        let seen: Vec<_> = template.placeholders().iter().map(|p| (p.name.as_str(), p.default.as_deref())).collect();
        assert_eq!(seen, [("dispatch_id", None), ("return_status", Some("1")), ("return_reason", None)]);
        assert_eq!(template.table().to_string(), "lehua.sale_return");
        assert_eq!(
            template.rows_text(3).as_deref(),
            Some(
                "INSERT INTO lehua.sale_return ( dispatch_id, return_status, return_reason) VALUES ( ?, ?, ?),( ?, ?, ?),( ?, ?, ?)"
            )
        );
        let moved = template.in_schema("demo`1").expect("another schema");
        assert!(moved.text().starts_with("INSERT INTO `demo``1`.`sale_return` ( dispatch_id"), "{}", moved.text());
        assert_eq!(moved.table().schema.as_deref(), Some("demo`1"));
        assert!(moved.plain_values_insert().is_some());
    }

    #[test]
    fn only_a_bare_insert_of_placeholders_and_literals_is_plain() {
        let plain = |sql: &str| Template::parse(sql).expect(sql).plain_values_insert().is_some();
        for sql in [
            "insert into t (a,`b c`) values (<{a: }>, 'it''s ) -- no')",
            "INSERT INTO `s`.`t` (a) VALUES (:lastInsertId)",
            "INSERT /* why */ INTO t (a, b, c) VALUE (<{a: }>, -1.5, NULL) -- end",
            "INSERT INTO t (a) VALUES (<{a: }>) ; # done",
        ] {
            assert!(plain(sql), "{sql}");
        }
        for sql in [
            "INSERT IGNORE INTO t (a) VALUES (<{a: }>)",
            "INSERT INTO t (a) VALUES (<{a: }>) ON DUPLICATE KEY UPDATE a = a",
            "INSERT INTO t (a) VALUES (<{a: }>) RETURNING id",
            "INSERT INTO t (a) VALUES (<{a: }>), (<{b: }>)",
            "INSERT INTO t (a) SELECT <{a: }>",
            "INSERT INTO t (a) VALUES ((SELECT 1))",
            "INSERT INTO t (a) VALUES (LAST_INSERT_ID())",
            "INSERT INTO t (a, b) VALUES (<{a: }>)",
            "INSERT INTO t VALUES (<{a: }>)",
            "REPLACE INTO t (a) VALUES (<{a: }>)",
            "UPDATE t SET a = <{a: }>",
        ] {
            assert!(!plain(sql), "{sql}");
        }
    }

    #[test]
    fn what_a_server_would_not_bind_is_refused_with_its_place() {
        for (sql, place) in [
            ("INSERT INTO t (a)\n VALUES ('<{a: }>')", "line 2, column 11: a placeholder inside quotes"),
            ("INSERT INTO t (a) VALUES (':lastInsertId')", "line 1, column 28: a placeholder inside quotes"),
            ("INSERT INTO t -- <{a: }>\n (a) VALUES (1)", "line 1, column 18: a placeholder inside a comment"),
            ("INSERT INTO t (a) /* <{a: }> */ VALUES (1)", "line 1, column 22: a placeholder inside a comment"),
            ("INSERT INTO t (货) VALUES (<{a: )", "line 1, column 27: <{ without closing }>"),
            ("INSERT INTO t (a) VALUES (<{ : }>)", "line 1, column 27: a placeholder without a name"),
            ("INSERT INTO t (a) VALUES (?)", "line 1, column 27: a bare ?"),
            ("INSERT INTO t (a) VALUES (:id)", "line 1, column 27: :id is not known"),
            ("INSERT INTO t (a) VALUES (1); DELETE FROM t", "line 1, column 29: several statements"),
            ("INSERT INTO t (a) VALUES ('x)", "line 1, column 27: ' without closing '"),
            ("INSERT /*! IGNORE */ INTO t (a) VALUES (1)", "line 1, column 8: a comment that the server executes"),
            ("DROP TABLE t", "DROP does not write rows"),
            (" ; ", "the statement is empty"),
        ] {
            let error = Template::parse(sql).expect_err(sql).to_string();
            assert!(error.contains(place), "{sql}: {error}");
        }
    }
}
