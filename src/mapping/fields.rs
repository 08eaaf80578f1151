//! Where the fields of a document are written: columns of the outermost SELECT, and members of `{…}` at any depth in them.
//!
//! Takes a syntax tree, gives places and the reference tables looked up at a place. It knows nothing of types and never executes
//! anything. Members written in a CTE or a subquery are found by the end of their path, where that is enough to tell them.

use super::fault::Place;
use super::syntax::{LookupCall, Named, Syntax};
use datafusion::sql::sqlparser::ast::{Expr, Query, Select, SelectItem, SetExpr, Visit as _, Visitor};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// The fields a mapping writes, in the order of the text.
#[derive(Debug, Default)]
pub struct Fields {
    /// Dotted path and where it begins; members outside the outermost SELECT have a path that begins with a dot.
    written: Vec<Named>,
    /// Reference tables by the place of the call.
    lookups: Vec<Named>,
}

impl Fields {
    pub fn of(query: &Query, syntax: &Syntax) -> Self {
        let mut written = Vec::new();
        if let Some(select) = outermost(&query.body) {
            let named = select.projection.iter().filter_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } => Some((alias.value.as_str(), expr)),
                _ => None,
            });
            for (name, expr) in named {
                let mut members = Vec::new();
                let _ = expr.visit(&mut Members { prefix: name, depth: 0, found: &mut members });
                let own = syntax.place_of_item(name);
                let at = members.iter().map(|m| m.at).chain([own]).min().unwrap_or(own);
                written.push(Named { name: name.to_owned(), at });
                written.extend(members);
            }
            written.extend(syntax.items.iter().filter_map(|i| Some(Named { name: i.name.clone()?, at: i.at })));
        }
        let mut everywhere = Vec::new();
        let _ = query.visit(&mut Members { prefix: "", depth: 0, found: &mut everywhere });
        let known: BTreeSet<Place> = written.iter().map(|m| m.at).collect();
        written.extend(everywhere.into_iter().filter(|m| !known.contains(&m.at)));
        written.sort_by_key(|a| (a.at, a.name.len()));
        let table = |call: &LookupCall| Some(Named { name: call.table.as_ref()?.name.clone(), at: call.at });
        Self { written, lookups: syntax.lookups.iter().filter_map(table).collect() }
    }

    /// Where the field with this path is written; `[]` and `[2]` in it do not matter. For a member that is not found, the nearest
    /// object around it.
    pub fn place_of(&self, path: &str) -> Place {
        self.find(&plain(path)).map_or(Place::WHOLE, |i| self.written[i].at)
    }

    /// Reference tables that the expression of a field looks up.
    pub fn lookups_in(&self, path: &str) -> BTreeSet<&str> {
        let path = plain(path);
        let Some(found) = self.find(&path) else { return BTreeSet::new() };
        let own = &self.written[found];
        let inside = |other: &&Named| other.name == own.name || other.name.starts_with(&format!("{}.", own.name));
        let end = self.written[found..].iter().find(|other| !inside(other)).map(|other| other.at);
        let within = |call: &&Named| call.at >= own.at && end.is_none_or(|end| call.at < end);
        self.lookups.iter().filter(within).map(|call| call.name.as_str()).collect()
    }

    /// Reference tables looked up in some field: a miss in one of them concerns that field. The others are looked up before anything
    /// of a document is written, as in a first CTE.
    pub fn lookups_in_fields(&self) -> BTreeSet<&str> {
        let first = self.written.first().map_or(Place::WHOLE, |w| w.at);
        self.lookups.iter().filter(|call| call.at >= first).map(|call| call.name.as_str()).collect()
    }

    fn find(&self, path: &str) -> Option<usize> {
        let exact = |wanted: &str| self.written.iter().position(|w| w.name == wanted);
        if let Some(found) = exact(path) {
            return Some(found);
        }
        let (outer, _) = path.rsplit_once('.')?;
        path.split_once('.').and_then(|(_, rest)| exact(&format!(".{rest}"))).or_else(|| self.find(outer))
    }
}

/// `FEntity[2].FLot` → `FEntity.FLot`.
pub fn plain(path: &str) -> String {
    path.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect::<Vec<_>>().join(".")
}

fn outermost(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => outermost(&query.body),
        SetExpr::SetOperation { left, .. } => outermost(left),
        _ => None,
    }
}

/// Gathers the members of `{…}` in an expression; a `{…}` inside another one's member is visited with that member's path.
struct Members<'a> {
    prefix: &'a str,
    /// How many `{…}` are open that were gathered already.
    depth: usize,
    found: &'a mut Vec<Named>,
}

impl Visitor for Members<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Dictionary(members) = expr {
            if self.depth == 0 {
                for member in members {
                    let path = format!("{}.{}", self.prefix, member.key.value);
                    self.found.push(Named { name: path.clone(), at: Place::of(member.key.span) });
                    let _ = member.value.visit(&mut Members { prefix: &path, depth: 0, found: &mut *self.found });
                }
            }
            self.depth += 1;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Dictionary(_)) {
            self.depth -= 1;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::syntax;

    #[test]
    fn fields_are_found_where_they_are_written() {
        let sql = "WITH l AS (SELECT array_agg({m: {n: lookup('material', 'no', sku)}}) AS lines FROM i)
SELECT _rid,
  {FNumber: lookup('customer', 'fnumber', name)} AS cust,
  array_transform(items, i -> {
    mat: {FNumber: i['sku']},
    stock: {FNumber: coalesce(lookup('stock', 'fnumber', wh), 'x')},
    note: i['remark']}) AS lines,
  lookup('man', 'no', creator) AS man
FROM r";
        let query = syntax::parse(sql, "m.sql").expect("a query");
        let fields = Fields::of(&query, &syntax::look_through(&query));
        let at = |path: &str| fields.place_of(path);
        assert_eq!(at("cust.FNumber"), Place { line: 3, column: 4 });
        assert_eq!(at("lines[].stock"), Place { line: 6, column: 5 });
        assert_eq!(at("lines[2].stock.FNumber"), Place { line: 6, column: 13 });
        assert_eq!(at("lines.stock.nix"), at("lines.stock"), "the object around it");
        assert_eq!(at("lines.m.n"), Place { line: 1, column: 34 }, "in a CTE, by its end");
        assert_eq!(at("man"), Place { line: 8, column: 3 });
        let tables = |path: &str| fields.lookups_in(path).into_iter().collect::<Vec<_>>().join(",");
        assert_eq!(tables("lines[1].stock"), "stock");
        assert_eq!(tables("lines[1].stock.FNumber"), "stock");
        assert_eq!(tables("lines[1].mat"), "");
        assert_eq!(
            (tables("cust"), tables("man"), tables("lines.m")),
            ("customer".into(), "man".into(), "material".into())
        );
        assert_eq!(tables("lines"), "stock");
        assert_eq!(fields.lookups_in_fields(), BTreeSet::from(["customer", "man", "material", "stock"]));
    }
}
