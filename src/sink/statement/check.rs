//! Holds a mapping's columns against the statements they fill: nothing missing, nothing silently unused.
//!
//! Takes names only (no Arrow, no server), gives all faults at once, each with the nearest right name.

use super::{LAST_INSERT_ID, Placeholder, Template};
use crate::base::{Fault, names};
use crate::config::model::Statements;
use std::collections::BTreeMap;

/// Names of a mapping's output columns, or of the members of a STRUCT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    pub fields: Vec<ShapeField>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeField {
    pub name: String,
    /// The members, if the value is a STRUCT or a LIST of STRUCT.
    pub members: Option<Shape>,
    /// The value is a LIST.
    pub list: bool,
}

/// All faults between the statements and the mapping's columns; columns that begin with `_` are not sent and not looked at.
/// The file of a fault is the statement it is about (`main_sql`), line and column count within it.
pub fn check(statements: &Statements, columns: &Shape) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut extends: BTreeMap<String, (String, &str)> = BTreeMap::new();
    for (k, sql) in &statements.extends {
        extends.insert(format!("extend_params_{k}"), (format!("extend_sql_{k}"), sql));
    }
    let (nested, plain): (Vec<&ShapeField>, Vec<&ShapeField>) = columns
        .fields
        .iter()
        .filter(|f| !f.name.starts_with('_'))
        .partition(|f| extends.contains_key(&f.name) || is_extend_params(&f.name));
    if let Some(main) = parsed("main_sql", &statements.main_sql, &mut faults) {
        let verb = main.text().split_whitespace().next().unwrap_or_default();
        if !["INSERT", "REPLACE"].iter().any(|v| verb.eq_ignore_ascii_case(v)) {
            let hint = "a main statement makes the document's row: INSERT INTO table (…) VALUES (…)";
            faults.push(Fault::whole("main_sql", format!("main_sql: {verb} makes no row"), hint));
        }
        for id in main.placeholders().iter().filter(|p| p.name == LAST_INSERT_ID) {
            let message = format!("main_sql: :{LAST_INSERT_ID} is not known before the main row is there");
            faults.push(at(id, "main_sql", message, "use it in extend_sql_1, extend_sql_2 …"));
        }
        compare("main_sql", &main, &plain, &mut faults);
    }
    for (params, (name, sql)) in &extends {
        let Some(template) = parsed(name, sql, &mut faults) else { continue };
        let Some(field) = nested.iter().find(|f| f.name == *params) else {
            let hint = format!("add a STRUCT (once) or a LIST of STRUCT (once per element) AS {params} to the mapping");
            faults.push(Fault::whole(name, format!("{name}: the mapping has no column {params}"), hint));
            continue;
        };
        match &field.members {
            Some(members) => compare(name, &template, &members.fields.iter().collect::<Vec<_>>(), &mut faults),
            None => {
                let message = format!("{name}: the mapping's column {params} is neither a STRUCT nor a LIST of STRUCT");
                faults.push(Fault::whole(name, message, "write {name: value, …}, or array_transform(list, x -> {…})"));
            }
        }
    }
    for field in nested.iter().filter(|f| !extends.contains_key(&f.name)) {
        let wanted = field.name.replacen("params", "sql", 1);
        let message = format!("there is no {wanted} that uses the mapping's column {}", field.name);
        faults.push(Fault::whole("main_sql", message, format!("add {wanted} below, or take the column out")));
    }
    faults
}

/// What the columns' names alone tell: nothing is claimed about what a column holds. `None`: the names are not known either.
pub fn check_names(statements: &Statements, names: Option<&[String]>) -> Vec<Fault> {
    let templates = |sql: &str| Template::read(sql).map(|t| t.placeholders().to_vec()).unwrap_or_default();
    let filled = |sql: &str| {
        let field = |p: Placeholder| ShapeField { name: p.name, members: None, list: false };
        Shape { fields: templates(sql).into_iter().map(field).collect() }
    };
    let mut fields: Vec<ShapeField> = match names {
        None => filled(&statements.main_sql).fields,
        Some(names) => {
            let plain = |name: &String| ShapeField { name: name.clone(), members: None, list: false };
            names.iter().map(plain).collect()
        }
    };
    for (k, sql) in &statements.extends {
        let name = format!("extend_params_{k}");
        match fields.iter_mut().find(|f| f.name == name) {
            Some(field) => field.members = Some(filled(sql)),
            None if names.is_none() => fields.push(ShapeField { name, members: Some(filled(sql)), list: false }),
            None => {}
        }
    }
    check(statements, &Shape { fields })
}

fn is_extend_params(name: &str) -> bool {
    name.strip_prefix("extend_params_").is_some_and(|k| !k.is_empty() && k.bytes().all(|b| b.is_ascii_digit()))
}

fn parsed(name: &str, sql: &str, faults: &mut Vec<Fault>) -> Option<Template> {
    let named = |fault: Fault| Fault { file: name.to_owned(), message: format!("{name}: {}", fault.message), ..fault };
    Template::read(sql).map_err(|fault| faults.push(named(fault))).ok()
}

/// A fault at a placeholder.
fn at(placeholder: &Placeholder, statement: &str, message: String, hint: impl Into<String>) -> Fault {
    Fault { line: placeholder.line, column: placeholder.column, ..Fault::whole(statement, message, hint) }
}

fn compare(name: &str, template: &Template, fields: &[&ShapeField], faults: &mut Vec<Fault>) {
    let wanted: Vec<&str> = template.placeholders().iter().map(|p| p.name.as_str()).collect();
    let known: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
    for placeholder in template.placeholders() {
        match fields.iter().find(|f| f.name == placeholder.name) {
            Some(field) if field.list || field.members.is_some() => {
                let message =
                    format!("{name}: <{{{}: }}> takes one value, the mapping's column is a LIST or STRUCT", field.name);
                faults.push(at(placeholder, name, message, "give one of its members in the mapping"));
            }
            Some(_) => {}
            // :lastInsertId is ours to fill.
            None if placeholder.name == LAST_INSERT_ID || placeholder.default.is_some() => {}
            None => {
                let free: Vec<&str> = known.iter().copied().filter(|k| !wanted.contains(k)).collect();
                let hint = match free.is_empty() {
                    true => format!("add … AS {} to the mapping", placeholder.name),
                    false => names::suggest(&placeholder.name, free),
                };
                let message = format!("{name}: no column of the mapping fills <{{{}: }}>", placeholder.name);
                faults.push(at(placeholder, name, message, hint));
            }
        }
    }
    for field in fields.iter().filter(|f| !f.name.starts_with('_') && !wanted.contains(&f.name.as_str())) {
        let unfilled = template.placeholders().iter().filter(|p| p.default.is_none() && p.name != LAST_INSERT_ID);
        let unfilled: Vec<&str> = unfilled.map(|p| p.name.as_str()).filter(|name| !known.contains(name)).collect();
        let spare: Vec<&str> = known.iter().copied().filter(|k| !wanted.contains(k)).collect();
        // One slip is one fault: the placeholder that lacks its column names this one already.
        let near = names::nearest(&field.name, unfilled);
        if near.is_some_and(|near| names::nearest(near, spare) == Some(field.name.as_str())) {
            continue;
        }
        let hint = format!("write <{{{}: }}> where it belongs, or take the column out", field.name);
        let message = format!("{name}: no placeholder uses the mapping's column {}", field.name);
        faults.push(Fault::whole(name, message, hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::InsertIds;

    fn plain(name: &str) -> ShapeField {
        ShapeField { name: name.into(), members: None, list: false }
    }

    fn lines(name: &str, members: &[&str]) -> ShapeField {
        let members = Shape { fields: members.iter().map(|m| plain(m)).collect() };
        ShapeField { name: name.into(), members: Some(members), list: true }
    }

    fn statements() -> Statements {
        Statements {
            main_sql: "INSERT INTO m (a, b) VALUES (<{dispatch_id: }>, <{status: 1}>)".into(),
            extends: vec![(1, "INSERT INTO d (id, q) VALUES (<{lastInsertId: }>, <{must_qty: }>)".into())],
            insert_ids: InsertIds::Auto,
        }
    }

    #[test]
    fn a_mapping_that_fits_has_no_faults() {
        let shape =
            Shape { fields: vec![plain("_rid"), plain("dispatch_id"), lines("extend_params_1", &["must_qty"])] };
        assert_eq!(check(&statements(), &shape), []);
    }

    #[test]
    fn a_main_statement_that_makes_no_row_is_refused() {
        let shape = Shape { fields: vec![plain("dispatch_id")] };
        for sql in ["DELETE FROM m", "update m SET a = <{dispatch_id: }>"] {
            let wrong = Statements { main_sql: sql.into(), extends: vec![], insert_ids: InsertIds::Auto };
            let faults = check(&wrong, &shape);
            assert!(faults.iter().any(|f| f.message.ends_with("makes no row")), "{sql}: {faults:?}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once_with_the_nearest_name() {
        let shape = Shape {
            fields: vec![
                plain("dispatchId"),
                plain("colour"),
                lines("status", &["x"]),
                lines("extend_params_1", &["mustqty", "lastInsertId"]),
                lines("extend_params_2", &["x"]),
            ],
        };
        let told = |shape: &Shape| check(&statements(), shape).iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = [
            "main_sql:1:30: main_sql: no column of the mapping fills <{dispatch_id: }>\n  hint: did you mean dispatchId?",
            "main_sql:1:49: main_sql: <{status: }> takes one value, the mapping's column is a LIST or STRUCT\n  \
             hint: give one of its members in the mapping",
            "main_sql: main_sql: no placeholder uses the mapping's column colour\n  \
             hint: write <{colour: }> where it belongs, or take the column out",
            "extend_sql_1:1:51: extend_sql_1: no column of the mapping fills <{must_qty: }>\n  hint: did you mean mustqty?",
            "main_sql: there is no extend_sql_2 that uses the mapping's column extend_params_2\n  \
             hint: add extend_sql_2 below, or take the column out",
        ];
        assert_eq!(told(&shape), expected);
        let faults = told(&Shape { fields: vec![plain("dispatch_id"), plain("extend_params_1")] });
        assert!(faults.len() == 1 && faults[0].contains("is neither a STRUCT nor a LIST of STRUCT"), "{faults:?}");
        let faults = told(&Shape { fields: vec![plain("dispatch_id")] });
        assert!(faults.len() == 1 && faults[0].contains("no column extend_params_1"), "{faults:?}");
    }
}
