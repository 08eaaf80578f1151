//! What a plan tells about a mapping: which fields it reads, and whether a document comes from one record.
//!
//! Takes plans over the staging tables, gives faults. Not seen: members read from a list after it was rebuilt by `array_transform`,
//! `unnest` or a subquery under another name, and members read by using a whole element.

use super::fault::Faults;
use super::planning::Planned;
use super::syntax::Syntax;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::Lambda;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Distinct, Expr, Join, LogicalPlan, Operator};
use std::collections::BTreeSet;

/// What staging has and what the vendor is asked for.
pub struct Source<'a> {
    /// Tables made from the source's records.
    pub tables: BTreeSet<&'a str>,
    pub main_table: &'a str,
    /// Fields that identify and version a record: always there.
    pub key: &'a str,
    pub version: &'a str,
    /// Names and dotted names the vendor is asked for; `None`: it sends everything.
    pub requested: Option<&'a [String]>,
    /// Arrays of structs and structs of the main table, with their members.
    pub nested: Vec<(&'a str, BTreeSet<&'a str>)>,
}

/// Members of a list of structs or of a struct.
pub fn members_of(data_type: &DataType) -> Option<BTreeSet<&str>> {
    match data_type {
        DataType::List(item) => members_of(item.data_type()),
        DataType::Struct(fields) => Some(fields.iter().map(|f| f.name().as_str()).collect()),
        _ => None,
    }
}

impl Source<'_> {
    fn asks_for(&self, column: &str) -> bool {
        let Some(requested) = self.requested else { return true };
        let is_part = |r: &str| r.strip_prefix(column).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        column.starts_with('_') || column == self.key || column == self.version || requested.iter().any(|r| is_part(r))
    }

    fn asks_for_member(&self, column: &str, member: &str) -> bool {
        let Some(requested) = self.requested else { return true };
        let mut parts = requested.iter().filter_map(|r| r.strip_prefix(column)?.strip_prefix('.')).peekable();
        // Asked for without its members, an array comes with all of them.
        member.starts_with('_') || parts.peek().is_none() || parts.any(|part| part == member)
    }

    /// `trade_goodsDetail` → goodsDetail and its members.
    fn flattened(&self, table: &str) -> Option<&(&str, BTreeSet<&str>)> {
        let array = table.strip_prefix(self.main_table)?.strip_prefix('_')?;
        self.nested.iter().find(|(name, _)| *name == array)
    }

    /// The name to ask the vendor for, if a column of a staging table is read that is not asked for.
    fn unasked(&self, table: &str, column: &str) -> Option<String> {
        if let Some((array, members)) = self.flattened(table)
            && members.contains(column)
        {
            let known = self.asks_for(array) && self.asks_for_member(array, column);
            // A view may show the record's own field under the same name.
            let own = self.requested.is_some_and(|r| r.iter().any(|r| r == column));
            return (!known && !own).then(|| format!("{array}.{column}"));
        }
        (!self.asks_for(column)).then(|| column.to_owned())
    }
}

/// Faults: fields read that the vendor is not asked for.
pub fn check_reads(planned: &Planned, source: &Source, syntax: &Syntax, faults: &mut Faults) -> Result<()> {
    let hint = |name: &str| format!("add {name} to `fields` in [source.params]");
    let mut columns = BTreeSet::new();
    planned.optimized.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && source.tables.contains(scan.table_name.table())
        {
            let table = scan.table_name.table().to_owned();
            let read = scan.projected_schema.fields().iter().map(|f| f.name().clone());
            let tested = scan.filters.iter().flat_map(|f| f.column_refs().into_iter().map(|c| c.name.clone()));
            columns.extend(read.chain(tested).map(|column| (table.clone(), column)));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    for (table, column) in columns {
        if let Some(name) = source.unasked(&table, &column) {
            let message = format!("reads {column}, which the vendor is not asked for");
            faults.add(syntax.place_of_name(&column), message, hint(&name));
        }
    }
    for (column, member) in members_read(&planned.written)? {
        let known = source.nested.iter().any(|(name, members)| *name == column && members.contains(member.as_str()));
        if known && !source.asks_for_member(&column, &member) {
            let name = format!("{column}.{member}");
            let message = format!("reads {name}, which the vendor is not asked for");
            faults.add(syntax.place_of_member(&member), message, hint(&name));
        }
    }
    Ok(())
}

/// (column, member) for every `column['member']`, and every `x['member']` in a lambda over the elements of `column`.
fn members_read(plan: &LogicalPlan) -> Result<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            walk(expr, &[], &mut found)?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}

/// `bound` says which column's elements a lambda parameter stands for.
fn walk(expr: &Expr, bound: &[(String, String)], found: &mut BTreeSet<(String, String)>) -> Result<()> {
    match expr {
        Expr::HigherOrderFunction(function) => {
            let column = function.args.first().and_then(|list| origin(list, bound));
            for arg in &function.args {
                match (arg, &column) {
                    (Expr::Lambda(Lambda { params, body }), Some(column)) => {
                        let mut inner: Vec<_> =
                            params.first().map(|p| (p.clone(), column.clone())).into_iter().collect();
                        inner.extend_from_slice(bound);
                        walk(body, &inner, found)?;
                    }
                    _ => walk(arg, bound, found)?,
                }
            }
            return Ok(());
        }
        Expr::ScalarFunction(function) if function.name() == "get_field" => {
            if let [base, Expr::Literal(ScalarValue::Utf8(Some(member)), _), ..] = function.args.as_slice()
                && let Some(column) = origin(base, bound)
            {
                found.insert((column, member.clone()));
            }
        }
        _ => {}
    }
    expr.apply_children(|child| {
        walk(child, bound, found)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// The column whose elements (or which itself) an expression gives, followed through functions that keep the elements as they are.
fn origin(expr: &Expr, bound: &[(String, String)]) -> Option<String> {
    match expr {
        Expr::Column(column) => Some(column.name.clone()),
        Expr::OuterReferenceColumn(_, column) => Some(column.name.clone()),
        Expr::LambdaVariable(variable) => bound.iter().find(|(name, _)| *name == variable.name).map(|(_, c)| c.clone()),
        Expr::Alias(alias) => origin(&alias.expr, bound),
        Expr::HigherOrderFunction(f) if f.name() == "array_transform" => None,
        Expr::HigherOrderFunction(f) => origin(f.args.first()?, bound),
        Expr::ScalarFunction(f) if f.name() != "get_field" => origin(f.args.first()?, bound),
        _ => None,
    }
}

/// Faults: what makes a document depend on several records, in a mapping that is run over the records a run touches.
pub fn check_scope(plan: &LogicalPlan, source: &Source, faults: &mut Faults) -> Result<()> {
    let cure = format!("add _rid or {} to it, or set scope = \"all\" in [mapping]", source.key);
    let one_record = |exprs: &[Expr]| exprs.iter().any(|e| is_identity(e, source.key));
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Join(join) = node {
            check_join(join, source, faults)?;
        }
        let what = match node {
            LogicalPlan::Aggregate(a) if !one_record(&a.group_expr) && !of_outer_record(&a.input, source)? => {
                Some("the aggregate's GROUP BY")
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let kept =
                    input.schema().fields().iter().any(|f| f.name() == super::documents::RID || f.name() == source.key);
                (!kept).then_some("SELECT DISTINCT")
            }
            LogicalPlan::Distinct(Distinct::On(on)) if !one_record(&on.on_expr) => Some("DISTINCT ON"),
            LogicalPlan::Window(window) => {
                let partitioned = window.window_expr.iter().all(|e| partition(e).is_some_and(one_record));
                (!partitioned).then_some("a window's PARTITION BY")
            }
            LogicalPlan::Limit(_) => Some("LIMIT"),
            _ => None,
        };
        if let Some(what) = what
            && reads_records(node, source)?
        {
            let hint = if what == "LIMIT" { "remove it, or set scope = \"all\" in [mapping]" } else { cure.as_str() };
            faults.add(super::fault::Place::WHOLE, format!("{what} goes over several records"), hint);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Is a subquery narrowed to the record outside: `WHERE b._rid = trade._rid`?
fn of_outer_record(plan: &LogicalPlan, source: &Source) -> Result<bool> {
    let outer = |e: &Expr| matches!(e, Expr::OuterReferenceColumn(_, c) if c.name == super::documents::RID || c.name == source.key);
    let ties = |part: &&Expr| match part {
        Expr::BinaryExpr(b) if b.op == Operator::Eq => {
            is_identity(&b.left, source.key) && outer(&b.right) || outer(&b.left) && is_identity(&b.right, source.key)
        }
        _ => false,
    };
    let mut tied = false;
    plan.apply(|node| {
        tied |= matches!(node, LogicalPlan::Filter(f) if split_conjunction(&f.predicate).iter().any(ties));
        Ok(if tied { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(tied)
}

/// Does a plan read a table that a run narrows to the records it touches?
fn reads_narrowed(plan: &LogicalPlan, source: &Source) -> Result<bool> {
    let narrowed = |table: &str| table == source.main_table || source.flattened(table).is_some();
    let mut reads = false;
    plan.apply_with_subqueries(|node| {
        reads |= matches!(node, LogicalPlan::TableScan(scan) if narrowed(scan.table_name.table()));
        Ok(if reads { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(reads)
}

/// Fault: records joined to other records, of which a run sees only those it touches.
fn check_join(join: &Join, source: &Source, faults: &mut Faults) -> Result<()> {
    let same_record = |(l, r): &(Expr, Expr)| is_identity(l, source.key) && is_identity(r, source.key);
    let by_filter = join.filter.iter().flat_map(|f| split_conjunction(f)).any(|part| match part {
        Expr::BinaryExpr(b) if b.op == Operator::Eq => {
            is_identity(&b.left, source.key) && is_identity(&b.right, source.key)
        }
        _ => false,
    });
    if by_filter || join.on.iter().any(same_record) {
        return Ok(());
    }
    if reads_narrowed(&join.left, source)? && reads_narrowed(&join.right, source)? {
        let main = source.main_table;
        let message = format!("{main} is joined to other records of {main}, but a run shows only those it touches");
        let hint = format!("join ON _rid or {}, join {main}_history, or set scope = \"all\" in [mapping]", source.key);
        faults.add(super::fault::Place::WHOLE, message, hint);
    }
    Ok(())
}

fn is_identity(expr: &Expr, key: &str) -> bool {
    match expr {
        Expr::Column(column) => column.name == super::documents::RID || column.name == key,
        Expr::Alias(alias) => is_identity(&alias.expr, key),
        _ => false,
    }
}

fn partition(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::WindowFunction(window) => Some(&window.params.partition_by),
        Expr::Alias(alias) => partition(&alias.expr),
        _ => None,
    }
}

fn reads_records(plan: &LogicalPlan, source: &Source) -> Result<bool> {
    let mut reads = false;
    plan.apply_with_subqueries(|node| {
        reads |= matches!(node, LogicalPlan::TableScan(scan) if source.tables.contains(scan.table_name.table()));
        Ok(if reads { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(reads)
}
