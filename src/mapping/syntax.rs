//! The text of a mapping: parsed, looked through, parameters put in.
//!
//! Takes SQL text, gives its syntax tree and what is named in it, with places. It knows nothing of tables and types, and it never
//! executes anything. Parameters are put into the tree as text literals, never pasted into the SQL.

use super::fault::{Fault, Faults, Place};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Query, SelectItem, SetExpr, Spanned as _, Statement as SqlStatement, Subscript, Value, ValueWithSpan,
    Visit as _, VisitMut as _, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub at: Place,
}

/// One column of the outermost SELECT.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its name in the document; `None` for an expression without `AS`.
    pub name: Option<String>,
    pub at: Place,
}

/// `lookup(table, column, key[, default])`; `None` where the argument is not quoted text.
#[derive(Debug, Clone)]
pub struct LookupCall {
    pub table: Option<Named>,
    pub column: Option<Named>,
    pub at: Place,
}

/// What a mapping names.
#[derive(Debug, Default)]
pub struct Syntax {
    pub functions: Vec<Named>,
    /// Columns, tables' aliases, lambda parameters: every bare identifier used as a value.
    pub names: Vec<Named>,
    /// `x['name']` and `x.name`.
    pub members: Vec<Named>,
    /// `$name`, without the `$`.
    pub params: Vec<Named>,
    pub lambda_params: Vec<Named>,
    pub lookups: Vec<LookupCall>,
    /// Columns of the outermost SELECT (of the first one of a UNION).
    pub items: Vec<Item>,
    /// The outermost SELECT has a `*`, so `items` does not say everything.
    pub wildcard: bool,
}

/// Parses one SELECT; anything else is a fault.
pub fn parse(sql: &str, file: &str) -> Result<Box<Query>, Vec<Fault>> {
    let mut faults = Faults::of_file(file);
    let parsed = DFParserBuilder::new(sql)
        .with_dialect(&DuckDbDialect {})
        .build()
        .and_then(|mut parser| parser.parse_statements());
    let mut statements = match parsed {
        Ok(statements) => statements,
        Err(error) => {
            let (message, at) = split_place(&error.strip_backtrace());
            faults.add(at, message, "");
            return Err(faults.sorted());
        }
    };
    if statements.len() > 1 {
        faults.add(Place::WHOLE, format!("{} statements in one mapping", statements.len()), "a mapping is one SELECT");
    }
    match statements.pop_front() {
        Some(Statement::Statement(statement)) => match *statement {
            SqlStatement::Query(query) if only_reads(&query.body) => {
                if faults.is_empty() {
                    return Ok(query);
                }
            }
            other => refuse(sql, &other.to_string(), &mut faults),
        },
        Some(other) => refuse(sql, &other.to_string(), &mut faults),
        None => faults.add(Place::WHOLE, "the mapping is empty", "a mapping is one SELECT"),
    }
    Err(faults.sorted())
}

/// The names of a mapping's columns, from its text alone; `None` if it does not parse or has a `*`.
pub fn names(sql: &str) -> Option<Vec<String>> {
    let query = parse(sql, "").ok()?;
    let found = look_through(&query);
    (!found.wildcard).then(|| found.items.into_iter().filter_map(|item| item.name).collect())
}

fn refuse(sql: &str, statement: &str, faults: &mut Faults) {
    let word = statement.split_whitespace().next().unwrap_or_default().to_uppercase();
    let tokens = Tokenizer::new(&DuckDbDialect {}, sql).tokenize_with_location().unwrap_or_default();
    let first = tokens.iter().find(|t| !matches!(t.token, Token::Whitespace(_)));
    faults.add(
        first.map_or(Place::WHOLE, |token| Place::of(token.span)),
        format!("{word} statements are refused"),
        "a mapping is one SELECT: it only reads",
    );
}

fn only_reads(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_none(),
        SetExpr::Query(query) => only_reads(&query.body),
        SetExpr::SetOperation { left, right, .. } => only_reads(left) && only_reads(right),
        SetExpr::Values(_) | SetExpr::Table(_) => true,
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => false,
    }
}

/// The parser writes the place at the end of its message: ` at Line: 3, Column: 5`.
fn split_place(message: &str) -> (String, Place) {
    let clean = |text: &str| {
        let text = text.trim_start_matches("SQL error: ");
        let text = text.trim_start_matches("ParserError(\"").trim_start_matches("TokenizerError(\"");
        text.trim_end_matches("\")").to_owned()
    };
    let Some((text, place)) = message.rsplit_once(" at Line: ") else { return (clean(message), Place::WHOLE) };
    let mut numbers = place.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
    let mut number = || numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    (clean(text), Place { line: number(), column: number() })
}

/// Everything the mapping names.
pub fn look_through(query: &Query) -> Syntax {
    let mut syntax = Syntax::default();
    outer_items(&query.body, &mut syntax);
    // The visitor never breaks off.
    let _ = query.visit(&mut syntax);
    syntax
}

fn outer_items(body: &SetExpr, syntax: &mut Syntax) {
    match body {
        SetExpr::Select(select) => {
            for item in &select.projection {
                match item {
                    SelectItem::UnnamedExpr(expr) => {
                        syntax.items.push(Item { name: own_name(expr), at: Place::of(expr.span()) });
                    }
                    SelectItem::ExprWithAlias { expr, alias } => {
                        let at = Place::of(expr.span()).or(Place::of(alias.span));
                        syntax.items.push(Item { name: Some(alias.value.clone()), at });
                    }
                    _ => syntax.wildcard = true,
                }
            }
        }
        SetExpr::Query(query) => outer_items(&query.body, syntax),
        SetExpr::SetOperation { left, .. } => outer_items(left, syntax),
        _ => syntax.wildcard = true,
    }
}

/// The name a column has without `AS`.
pub fn own_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|p| p.value.clone()),
        _ => None,
    }
}

fn named(ident: &Ident) -> Named {
    Named { name: ident.value.clone(), at: Place::of(ident.span) }
}

impl Visitor for Syntax {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.names.push(named(ident)),
            Expr::CompoundIdentifier(parts) => {
                self.names.extend(parts.iter().map(named));
                self.members.extend(parts.iter().skip(1).map(named));
            }
            Expr::CompoundFieldAccess { access_chain, .. } => {
                self.members.extend(access_chain.iter().filter_map(member))
            }
            Expr::Function(function) => self.add_function(function),
            Expr::Lambda(lambda) => self.lambda_params.extend(lambda.params.iter().map(|p| named(&p.name))),
            Expr::Value(ValueWithSpan { value: Value::Placeholder(text), span }) => {
                self.params.push(Named { name: text.trim_start_matches('$').to_owned(), at: Place::of(*span) });
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Syntax {
    fn add_function(&mut self, function: &Function) {
        let Some(ident) = function.name.0.last().and_then(|part| part.as_ident()) else { return };
        // The planner knows functions by lower-case names.
        let name = ident.value.to_lowercase();
        let at = Place::of(ident.span);
        if name == "lookup" {
            let mut texts = text_arguments(&function.args).into_iter();
            let (table, column) = (texts.next().flatten(), texts.next().flatten());
            self.lookups.push(LookupCall { table, column, at });
        }
        self.functions.push(Named { name, at });
    }

    /// Where a column or lambda parameter is first used.
    pub fn place_of_name(&self, name: &str) -> Place {
        self.names.iter().find(|n| n.name == name).map_or(Place::WHOLE, |n| n.at)
    }

    /// Where `x['name']` is first used.
    pub fn place_of_member(&self, name: &str) -> Place {
        self.members.iter().find(|n| n.name == name).map_or(Place::WHOLE, |n| n.at)
    }

    /// Where the columns of the document begin.
    pub fn beginning(&self) -> Place {
        self.items.first().map_or(Place::WHOLE, |i| i.at)
    }

    /// Where a column of the document stands.
    pub fn place_of_item(&self, name: &str) -> Place {
        self.items.iter().find(|i| i.name.as_deref() == Some(name)).map_or(Place::WHOLE, |i| i.at)
    }
}

fn text_arguments(args: &FunctionArguments) -> Vec<Option<Named>> {
    let FunctionArguments::List(list) = args else { return Vec::new() };
    let text = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(name),
            span,
        }))) => Some(Named { name: name.clone(), at: Place::of(*span) }),
        _ => None,
    };
    list.args.iter().map(text).collect()
}

/// The name in `x['name']`.
pub fn member(access: &AccessExpr) -> Option<Named> {
    let (AccessExpr::Subscript(Subscript::Index { index: expr }) | AccessExpr::Dot(expr)) = access else { return None };
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(name), span }) => {
            Some(Named { name: name.clone(), at: Place::of(*span) })
        }
        Expr::Identifier(ident) => Some(named(ident)),
        _ => None,
    }
}

/// The name of the parameter that every run fills itself.
pub const RUN_TIME: &str = "run_time";

/// Puts parameters into the tree: text literals, and `$run_time` as a TIMESTAMP. Unknown ones become NULL (`check` names them).
/// Also spells `[a, b]` as `make_array(a, b)`: the planner does not know lambda parameters inside the former.
pub fn put_parameters(query: &mut Query, params: &BTreeMap<String, String>, run_time: chrono::NaiveDateTime) {
    let stamp = run_time.format("%Y-%m-%d %H:%M:%S%.6f");
    // TIMESTAMP(6): microseconds, as vendor times are staged.
    let cast = format!("CAST('{stamp}' AS TIMESTAMP(6))");
    let run_time = Parser::new(&DuckDbDialect {}).try_with_sql(&cast).and_then(|mut p| p.parse_expr()).ok();
    let _ = query.visit(&mut PutParameters { params, run_time });
}

struct PutParameters<'a> {
    params: &'a BTreeMap<String, String>,
    run_time: Option<Expr>,
}

impl VisitorMut for PutParameters<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let replacement = match expr {
            Expr::Array(array) => call("make_array", std::mem::take(&mut array.elem)),
            Expr::Value(ValueWithSpan { value: Value::Placeholder(text), span }) => {
                let name = text.trim_start_matches('$');
                match (name, &self.run_time, self.params.get(name)) {
                    (RUN_TIME, Some(run_time), _) => run_time.clone(),
                    (_, _, Some(text)) => {
                        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text.clone()), span: *span })
                    }
                    _ => null(),
                }
            }
            _ => return ControlFlow::Continue(()),
        };
        *expr = replacement;
        ControlFlow::Continue(())
    }
}

fn call(function: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(function)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The literal NULL.
pub fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

/// Replaces what is wrong by NULL, so that the next fault shows. Gives the places of what was replaced.
pub fn blank(query: &mut Query, wrong: &Wrong) -> Vec<Place> {
    let mut blanker = Blank { wrong, places: Vec::new() };
    let _ = query.visit(&mut blanker);
    blanker.places
}

/// What the planner did not find.
pub enum Wrong {
    /// The identifier that begins here.
    ColumnAt(Place),
    /// Every identifier of this name.
    Column(String),
    /// Every access to a struct member of this name.
    Member(String),
}

struct Blank<'a> {
    wrong: &'a Wrong,
    places: Vec<Place>,
}

impl VisitorMut for Blank<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let found = match (self.wrong, &*expr) {
            (Wrong::ColumnAt(at), Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => {
                Some(Place::of(expr.span())).filter(|p| p == at)
            }
            (Wrong::Column(name), expr) if own_name(expr).as_ref() == Some(name) => Some(Place::of(expr.span())),
            (Wrong::Member(name), Expr::CompoundFieldAccess { access_chain, .. }) => {
                access_chain.iter().filter_map(member).find(|m| m.name == *name).map(|m| m.at)
            }
            (Wrong::Member(name), Expr::CompoundIdentifier(parts)) => {
                parts.iter().skip(1).find(|p| p.value == *name).map(|p| Place::of(p.span))
            }
            _ => None,
        };
        if let Some(place) = found {
            self.places.push(place);
            *expr = null();
        }
        ControlFlow::Continue(())
    }
}
