//! Planning a mapping, and finding every reason why it does not plan.
//!
//! Takes a syntax tree and a session, gives a plan or faults with places. The engine stops at the first fault of an expression, so
//! columns are planned one by one, and what is wrong is replaced by NULL to see what else is. Nothing is executed.

use super::fault::{Faults, Place};
use super::syntax::{Wrong, blank, null, own_name};
use crate::base::names::suggest;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{DataFusionError, Diagnostic, SchemaError};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Query, Select, SelectItem, SetExpr, Spanned as _, Statement as SqlStatement};
use std::collections::BTreeSet;

/// A plan as written, and as the engine will run it.
pub struct Planned {
    pub written: LogicalPlan,
    pub optimized: LogicalPlan,
}

/// Plans a mapping over the session's tables.
pub async fn plan(state: &SessionState, query: &Query) -> Result<Planned, DataFusionError> {
    let statement = Statement::Statement(Box::new(SqlStatement::Query(Box::new(query.clone()))));
    let written = state.statement_to_plan(statement).await?;
    let optimized = state.optimize(&written)?;
    Ok(Planned { written, optimized })
}

/// Names that a fault may suggest.
#[derive(Debug, Default)]
pub struct Known {
    pub tables: BTreeSet<String>,
    /// Members of structs, at any depth, of all tables.
    pub members: BTreeSet<String>,
}

impl Known {
    pub fn add_table(&mut self, name: &str, fields: &Fields) {
        self.tables.insert(name.to_owned());
        fields.iter().for_each(|f| self.add_members(f.data_type()));
    }

    fn add_members(&mut self, data_type: &DataType) {
        match data_type {
            DataType::List(item) => self.add_members(item.data_type()),
            DataType::Struct(fields) => {
                for field in fields {
                    self.members.insert(field.name().clone());
                    self.add_members(field.data_type());
                }
            }
            _ => {}
        }
    }
}

/// Finds every fault of a mapping that does not plan. Gives the columns that do, as they would come out.
pub async fn explain(
    state: &SessionState,
    query: &Query,
    known: &Known,
    failure: &DataFusionError,
    faults: &mut Faults,
) -> Vec<(Field, Place)> {
    let search = Search { state, known };
    let mut mended = query.clone();
    let starts: Vec<Place> = select_of(&mut mended).map(|select| places(select)).unwrap_or_default();
    // Wrong names first: the engine tells those of all columns at once.
    let mut repairs = BTreeSet::new();
    let planned = search.mend(&mut mended, faults, &mut repairs).await;
    let touched: BTreeSet<usize> =
        repairs.iter().filter_map(|at| starts.iter().rposition(|start| start <= at)).collect();
    if let Some(planned) = planned {
        let columns = planned.optimized.schema().fields().iter().zip(&starts).enumerate();
        return columns.filter(|(i, _)| !touched.contains(i)).map(|(_, (f, at))| (f.as_ref().clone(), *at)).collect();
    }
    let sound = search.one_by_one(&mended, &starts, &touched, faults).await;
    if faults.is_empty() {
        // No column is wrong by itself: say what the engine says of the whole.
        search.problems(failure).into_iter().for_each(|p| faults.add(p.at, p.message, p.hint));
    }
    sound
}

struct Search<'a> {
    state: &'a SessionState,
    known: &'a Known,
}

struct Problem {
    at: Place,
    message: String,
    hint: String,
    wrong: Option<Wrong>,
}

impl Search<'_> {
    /// Notes names that are not there, replaces them by NULL, plans again. `repairs` gets the places.
    async fn mend(&self, query: &mut Query, faults: &mut Faults, repairs: &mut BTreeSet<Place>) -> Option<Planned> {
        /// Names behind more than these further ones are found once those are cured.
        const ROUNDS: usize = 30;
        for _ in 0..ROUNDS {
            let failure = match plan(self.state, query).await {
                Ok(planned) => return Some(planned),
                Err(failure) => failure,
            };
            let before = repairs.len();
            for problem in self.problems(&failure) {
                for place in problem.wrong.iter().flat_map(|wrong| blank(query, wrong)).collect::<Vec<_>>() {
                    faults.add(place, problem.message.as_str(), problem.hint.as_str());
                    repairs.insert(place);
                }
            }
            if repairs.len() == before {
                return None;
            }
        }
        None
    }

    /// Plans each column by itself, after what they share: FROM, WHERE, GROUP BY.
    async fn one_by_one(
        &self,
        query: &Query,
        starts: &[Place],
        touched: &BTreeSet<usize>,
        faults: &mut Faults,
    ) -> Vec<(Field, Place)> {
        let mut sound = Vec::new();
        let mut frame = query.clone();
        keep_only(&mut frame, None);
        if let Err(failure) = plan(self.state, &frame).await {
            self.problems(&failure).into_iter().for_each(|p| faults.add(p.at, p.message, p.hint));
            if let Some(select) = select_of(&mut frame) {
                select.selection = None;
                select.having = None;
            }
            if plan(self.state, &frame).await.is_err() {
                return sound;
            }
        }
        let filters = select_of(&mut frame).map(|select| (select.selection.take(), select.having.take()));
        for (item, at) in starts.iter().enumerate().filter(|(i, _)| !touched.contains(i)) {
            let mut alone = query.clone();
            if let (Some(select), Some((selection, having))) = (select_of(&mut alone), &filters) {
                select.selection.clone_from(selection);
                select.having.clone_from(having);
            }
            let Some(name) = keep_only(&mut alone, Some(item)) else { continue };
            let mut repairs = BTreeSet::new();
            match self.mend(&mut alone, faults, &mut repairs).await {
                Some(planned) if repairs.is_empty() => {
                    let field = planned.optimized.schema().as_arrow().field_with_name(&name).ok().cloned();
                    sound.extend(field.map(|field| (field, *at)));
                }
                // What fails after a repair may fail because of the repair.
                None if repairs.is_empty() => {
                    if let Err(failure) = plan(self.state, &alone).await {
                        self.problems(&failure).into_iter().for_each(|p| faults.add(p.at.or(*at), p.message, p.hint));
                    }
                }
                _ => {}
            }
        }
        sound
    }

    fn problems(&self, failure: &DataFusionError) -> Vec<Problem> {
        match failure {
            DataFusionError::Collection(all) => all.iter().flat_map(|e| self.problems(e)).collect(),
            DataFusionError::Context(_, inner) => self.problems(inner),
            DataFusionError::Shared(inner) => self.problems(inner),
            DataFusionError::Diagnostic(diagnostic, inner) => vec![self.diagnosed(diagnostic, inner)],
            other => {
                vec![missing_column(other, Place::WHOLE).unwrap_or_else(|| self.plain(&text_of(other), Place::WHOLE))]
            }
        }
    }

    fn diagnosed(&self, diagnostic: &Diagnostic, inner: &DataFusionError) -> Problem {
        let at = Place::of_plan(diagnostic.span);
        if let Some(problem) = missing_column(inner, at) {
            return problem;
        }
        if let Some(name) = between(&diagnostic.message, "table '", "' not found") {
            let hint = suggest(name, self.known.tables.iter().map(String::as_str));
            return Problem { at, message: format!("no table {name}"), hint, wrong: None };
        }
        if let Some(name) = between(&diagnostic.message, "Invalid function '", "'") {
            let functions: BTreeSet<&str> = (self.state.scalar_functions().keys())
                .chain(self.state.aggregate_functions().keys())
                .chain(self.state.higher_order_functions().keys())
                .map(String::as_str)
                .collect();
            let hint = crate::base::names::nearest(name, functions).map(|f| format!("did you mean {f}?"));
            return Problem { at, message: format!("no function {name}"), hint: hint.unwrap_or_default(), wrong: None };
        }
        let mut problem = self.plain(&text_of(inner), at);
        if let Some(help) = diagnostic.helps.first() {
            problem.message = diagnostic.message.clone();
            problem.hint.clone_from(&help.message);
        }
        problem
    }

    fn plain(&self, text: &str, at: Place) -> Problem {
        if let Some(name) = between(text, "Field ", " not found in struct") {
            let hint = suggest(name, self.known.members.iter().map(String::as_str));
            let wrong = Some(Wrong::Member(name.to_owned()));
            return Problem { at, message: format!("no member {name}"), hint, wrong };
        }
        Problem { at, message: text.to_owned(), hint: String::new(), wrong: None }
    }
}

fn missing_column(error: &DataFusionError, at: Place) -> Option<Problem> {
    let DataFusionError::SchemaError(schema, _) = error.find_root() else { return None };
    let SchemaError::FieldNotFound { field, valid_fields } = schema.as_ref() else { return None };
    // Some of the engine's errors do not say where: then every use of the name is meant.
    let wrong = if at.is_whole() { Wrong::Column(field.name.clone()) } else { Wrong::ColumnAt(at) };
    let names: BTreeSet<&str> = valid_fields.iter().map(|c| c.name.as_str()).collect();
    let hint = suggest(&field.name, names);
    Some(Problem { at, message: format!("no column {}", field.name), hint, wrong: Some(wrong) })
}

/// The engine's text without what helps only the engine's makers.
pub fn text_of(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let text = text.split("\nThis issue was likely caused").next().unwrap_or_default();
    let text = text.split("\n\tCandidate functions").next().unwrap_or_default();
    let mut text = text.trim();
    for prefix in
        ["Error during planning: ", "Schema error: ", "Execution error: ", "Arrow error: ", "Internal error: "]
    {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    text.to_owned()
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.split_once(before)?.1.split_once(after).map(|(name, _)| name)
}

fn select_of(query: &mut Query) -> Option<&mut Select> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// Where each column of a SELECT begins.
fn places(select: &Select) -> Vec<Place> {
    let place = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { expr, alias } => Place::of(expr.span()).or(Place::of(alias.span)),
        SelectItem::UnnamedExpr(expr) => Place::of(expr.span()),
        _ => Place::WHOLE,
    };
    select.projection.iter().map(place).collect()
}

/// Keeps one column and makes the others NULL under their names, because GROUP BY and ORDER BY may use these. Gives the name of the
/// one kept.
fn keep_only(query: &mut Query, kept: Option<usize>) -> Option<String> {
    let select = select_of(query)?;
    let mut found = None;
    let mut items: Vec<(String, SelectItem)> = Vec::new();
    for (i, item) in std::mem::take(&mut select.projection).into_iter().enumerate() {
        let name = match &item {
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            SelectItem::UnnamedExpr(expr) => own_name(expr).unwrap_or_else(|| format!("column {i}")),
            _ => continue,
        };
        if kept == Some(i) {
            items.retain(|(other, _)| *other != name);
            found = Some(name.clone());
            items.push((name, item));
        } else if !items.iter().any(|(other, _)| *other == name) {
            let nothing = SelectItem::ExprWithAlias { expr: null(), alias: name.as_str().into() };
            items.push((name, nothing));
        }
    }
    if items.is_empty() {
        let nothing = SelectItem::ExprWithAlias { expr: null(), alias: "nothing".into() };
        items.push(("nothing".to_owned(), nothing));
    }
    select.projection = items.into_iter().map(|(_, item)| item).collect();
    found
}
