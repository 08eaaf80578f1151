//! The statements of one pipeline together, and the values one document puts into them.
//!
//! Takes documents, gives the cells of each statement's rows in the order of its placeholders. Executes nothing.

use super::{LAST_INSERT_ID, Table, Template};
use crate::base::record::Reason;
use crate::base::value::{Decimal, Object, Value};
use crate::base::{Error, Result};
use crate::config::model::Statements;

/// `main_sql` with its extensions.
#[derive(Debug, Clone)]
pub struct Program {
    pub main: Template,
    pub extends: Vec<Extend>,
}

/// `extend_sql_K`: executed once for each object under `extend_params_K`.
#[derive(Debug, Clone)]
pub struct Extend {
    /// `extend_sql_K`, for messages.
    pub name: String,
    /// `extend_params_K`.
    pub params: String,
    pub template: Template,
}

/// One value for one `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(&'a str),
    /// The id that the target gave to the document's main row.
    MainId,
}

impl Program {
    /// With `schema`, every statement writes into the table of that schema (database) instead of the one it names.
    pub fn parse(statements: &Statements, schema: Option<&str>) -> Result<Self> {
        let parse = |name: &str, sql: &str| {
            let template = Template::parse(sql).map_err(|e| e.context(name.to_string()))?;
            match schema {
                Some(schema) => template.in_schema(schema),
                None => Ok(template),
            }
        };
        let main = parse("main_sql", &statements.main_sql)?;
        if main.uses_last_insert_id() {
            return Err(Error::config(format!(
                "main_sql: :{LAST_INSERT_ID} is not known before the main row is there"
            ))
            .hint("use it in extend_sql_1, extend_sql_2 …"));
        }
        let extends = statements.extends.iter().map(|(k, sql)| {
            let name = format!("extend_sql_{k}");
            Ok(Extend { template: parse(&name, sql)?, name, params: format!("extend_params_{k}") })
        });
        Ok(Self { main, extends: extends.collect::<Result<_>>()? })
    }

    /// Every statement with its name.
    pub fn statements(&self) -> impl Iterator<Item = (&str, &Template)> {
        std::iter::once(("main_sql", &self.main)).chain(self.extends.iter().map(|e| (e.name.as_str(), &e.template)))
    }

    /// The tables written into, each once, in the order of the statements.
    pub fn tables(&self) -> Vec<&Table> {
        let mut tables: Vec<&Table> = Vec::new();
        for (_, template) in self.statements() {
            if !tables.contains(&template.table()) {
                tables.push(template.table());
            }
        }
        tables
    }

    pub fn uses_last_insert_id(&self) -> bool {
        self.extends.iter().any(|e| e.template.uses_last_insert_id())
    }

    /// The main row of a document, cell by cell.
    pub fn main_row<'a>(&'a self, body: &'a Object, push: impl FnMut(Cell<'a>)) -> Result<(), Reason> {
        bind(&self.main, body, false, push)
    }
}

impl Extend {
    /// The objects of a document for which this statement runs: none, one (STRUCT) or one per element (LIST).
    pub fn lines<'a>(&self, body: &'a Object) -> Result<Vec<&'a Object>, Reason> {
        let refuse = || Err(Reason::new("contract", "is neither a STRUCT nor a LIST of them").on_field(&*self.params));
        match body.get(&self.params) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Object(line)) => Ok(vec![line]),
            Some(Value::List(lines)) => lines
                .iter()
                .map(|line| match line {
                    Value::Object(line) => Ok(line),
                    _ => refuse(),
                })
                .collect(),
            Some(_) => refuse().map(|line| vec![line]),
        }
    }

    /// One row of this statement, cell by cell.
    pub fn row<'a>(&'a self, line: &'a Object, push: impl FnMut(Cell<'a>)) -> Result<(), Reason> {
        bind(&self.template, line, true, push)
    }
}

/// A null takes the placeholder's default. In an extension the main row's id stands wherever the mapping gives no other.
fn bind<'a>(
    template: &'a Template,
    values: &'a Object,
    extension: bool,
    mut push: impl FnMut(Cell<'a>),
) -> Result<(), Reason> {
    for placeholder in template.placeholders() {
        let cell = match values.get(&placeholder.name) {
            Some(Value::Text(text)) if extension && is_main_id(&placeholder.name, text) => Cell::MainId,
            Some(Value::Text(text)) => Cell::Text(text),
            Some(Value::Int(i)) => Cell::Int(*i),
            Some(Value::Decimal(d)) => Cell::Decimal(*d),
            Some(Value::Bool(b)) => Cell::Bool(*b),
            Some(Value::List(_) | Value::Object(_)) => {
                return Err(Reason::new("contract", "a statement takes single values, not a LIST or STRUCT")
                    .on_field(&*placeholder.name));
            }
            None | Some(Value::Null) if extension && placeholder.name == LAST_INSERT_ID => Cell::MainId,
            None | Some(Value::Null) => placeholder.default.as_deref().map_or(Cell::Null, Cell::Text),
        };
        push(cell);
    }
    Ok(())
}

fn is_main_id(name: &str, text: &str) -> bool {
    name == LAST_INSERT_ID && text.strip_prefix(':') == Some(LAST_INSERT_ID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::InsertIds;

    fn program() -> Program {
        let statements = Statements {
            main_sql: "INSERT INTO m (a, b) VALUES (<{a: }>, <{b: 7}>)".into(),
            extends: vec![(1, "INSERT INTO d (id, q) VALUES (<{lastInsertId: }>, <{q: }>)".into())],
            insert_ids: InsertIds::Auto,
        };
        Program::parse(&statements, None).expect("the statements")
    }

    fn extension(line: Object) -> Vec<String> {
        let program = program();
        let mut cells = Vec::new();
        program.extends[0].row(&line, |cell| cells.push(format!("{cell:?}"))).expect("a row");
        cells
    }

    #[test]
    fn nulls_take_defaults_and_lists_are_refused() {
        let program = program();
        let mut cells = Vec::new();
        let body = Object::from_pairs([("b", Value::Null)]);
        program.main_row(&body, |cell| cells.push(cell)).expect("a row");
        assert_eq!(cells, [Cell::Null, Cell::Text("7")]);
        let body = Object::from_pairs([("a", Value::List(vec![]))]);
        let reason = program.main_row(&body, |_| ()).expect_err("a list");
        assert_eq!(reason.field.as_deref(), Some("a"));
    }

    #[test]
    fn the_main_id_stands_where_the_mapping_gives_no_other() {
        let q = || ("q", Value::Int(1));
        for line in [
            Object::from_pairs([q()]),
            Object::from_pairs([("lastInsertId", Value::Null), q()]),
            Object::from_pairs([("lastInsertId", Value::text(":lastInsertId")), q()]),
        ] {
            assert_eq!(extension(line), ["MainId", "Int(1)"]);
        }
        assert_eq!(extension(Object::from_pairs([("lastInsertId", Value::Int(5)), q()])), ["Int(5)", "Int(1)"]);
    }

    #[test]
    fn an_extension_runs_never_once_or_once_per_element() {
        let program = program();
        let line = || Value::Object(Object::from_pairs([("q", Value::Int(1))]));
        let count =
            |value| program.extends[0].lines(&Object::from_pairs([("extend_params_1", value)])).map(|l| l.len());
        assert_eq!(count(Value::Null), Ok(0));
        assert_eq!(count(line()), Ok(1));
        assert_eq!(count(Value::List(vec![line(), line()])), Ok(2));
        assert!(count(Value::Int(1)).is_err());
        assert!(count(Value::List(vec![Value::Null])).is_err());
    }
}
