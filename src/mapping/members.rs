//! Which members of the elements of a list a mapping reads, so that the others need not be read from disk.
//!
//! Takes the plan as written, gives the lists of which only named members are read. A list whose elements are used whole
//! anywhere, or in a way not known here to be harmless, is not in the answer: narrowing must never change a document.

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::Lambda;
use datafusion::logical_expr::{Expr, LogicalPlan};
use std::collections::{BTreeMap, BTreeSet};

/// List column → the members read of its elements.
pub type Members = BTreeMap<String, BTreeSet<String>>;

/// Functions of which the result holds no element, only what their lambda makes of it.
const CONSUMING: [&str; 3] = ["array_transform", "array_any_match", "array_all_match"];
/// Functions that only count.
const COUNTING: [&str; 3] = ["array_length", "cardinality", "empty"];

/// Of the columns in `lists`, those of which only members are read.
pub fn members_read(plan: &LogicalPlan, lists: &BTreeSet<&str>) -> Result<Members> {
    let mut walk = Walk { lists, read: Members::new(), whole: BTreeSet::new() };
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            walk.visit(expr, &[])?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    let Walk { mut read, whole, .. } = walk;
    read.retain(|list, _| !whole.contains(list));
    Ok(read)
}

struct Walk<'a> {
    lists: &'a BTreeSet<&'a str>,
    read: Members,
    whole: BTreeSet<String>,
}

impl Walk<'_> {
    /// `bound`: lambda parameter → the list whose elements it stands for.
    fn visit(&mut self, expr: &Expr, bound: &[(String, String)]) -> Result<()> {
        match expr {
            Expr::Column(column) | Expr::OuterReferenceColumn(_, column) if self.is_list(&column.name) => {
                self.whole.insert(column.name.clone());
            }
            Expr::LambdaVariable(variable) => {
                self.whole.extend(list_of(&variable.name, bound).map(ToString::to_string));
            }
            Expr::HigherOrderFunction(function) if CONSUMING.contains(&function.name()) => {
                let list = function.args.first().and_then(|arg| self.list(arg));
                for (i, arg) in function.args.iter().enumerate() {
                    match (arg, &list) {
                        (_, Some(list)) if i == 0 => {
                            self.read.entry(list.clone()).or_default();
                        }
                        (Expr::Lambda(Lambda { params, body }), Some(list)) => {
                            let mut inner: Vec<_> =
                                params.first().map(|p| (p.clone(), list.clone())).into_iter().collect();
                            inner.extend_from_slice(bound);
                            self.visit(body, &inner)?;
                        }
                        _ => self.visit(arg, bound)?,
                    }
                }
                return Ok(());
            }
            Expr::ScalarFunction(function) if COUNTING.contains(&function.name()) => {
                if let [Expr::Column(column)] = function.args.as_slice()
                    && self.is_list(&column.name)
                {
                    self.read.entry(column.name.clone()).or_default();
                    return Ok(());
                }
            }
            Expr::ScalarFunction(function) if function.name() == "get_field" => {
                if let [Expr::LambdaVariable(element), Expr::Literal(ScalarValue::Utf8(Some(member)), _)] =
                    function.args.as_slice()
                    && let Some(list) = list_of(&element.name, bound)
                {
                    self.read.entry(list.to_string()).or_default().insert(member.clone());
                    return Ok(());
                }
            }
            _ => {}
        }
        expr.apply_children(|child| {
            self.visit(child, bound)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    fn is_list(&self, column: &str) -> bool {
        self.lists.contains(column)
    }

    fn list(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Column(column) if self.is_list(&column.name) => Some(column.name.clone()),
            _ => None,
        }
    }
}

fn list_of<'b>(parameter: &str, bound: &'b [(String, String)]) -> Option<&'b str> {
    bound.iter().find(|(name, _)| name == parameter).map(|(_, list)| list.as_str())
}
