//! Holds a mapping's columns against the statements they fill: nothing missing, nothing silently unused.
//!
//! Takes names only (no Arrow, no server), gives all faults at once as messages that name the nearest right name.

use super::{LAST_INSERT_ID, Template};
use crate::base::names;
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
pub fn check(statements: &Statements, columns: &Shape) -> Vec<String> {
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
        if main.uses_last_insert_id() {
            faults.push(format!("main_sql: :{LAST_INSERT_ID} is not known before the main row is there"));
        }
        compare("main_sql", &main, &plain, false, &mut faults);
    }
    for (params, (name, sql)) in &extends {
        let Some(template) = parsed(name, sql, &mut faults) else { continue };
        let Some(field) = nested.iter().find(|f| f.name == *params) else {
            faults.push(format!(
                "{name}: the mapping has no column {params}; add a STRUCT (once) or a LIST of STRUCT (once per element)"
            ));
            continue;
        };
        match &field.members {
            Some(members) => compare(name, &template, &members.fields.iter().collect::<Vec<_>>(), true, &mut faults),
            None => faults.push(format!("{name}: column {params} is neither a STRUCT nor a LIST of STRUCT")),
        }
    }
    for field in nested.iter().filter(|f| !extends.contains_key(&f.name)) {
        let wanted = field.name.replacen("params", "sql", 1);
        faults.push(format!("column {}: there is no {wanted} that uses it", field.name));
    }
    faults
}

fn is_extend_params(name: &str) -> bool {
    name.strip_prefix("extend_params_").is_some_and(|k| !k.is_empty() && k.bytes().all(|b| b.is_ascii_digit()))
}

fn parsed(name: &str, sql: &str, faults: &mut Vec<String>) -> Option<Template> {
    Template::parse(sql)
        .map_err(|e| {
            let cure = e.cure().map(|cure| format!(" ({cure})")).unwrap_or_default();
            faults.push(format!("{name}: {e}{cure}"));
        })
        .ok()
}

fn compare(name: &str, template: &Template, fields: &[&ShapeField], extension: bool, faults: &mut Vec<String>) {
    let wanted: Vec<&str> = template.placeholders().iter().map(|p| p.name.as_str()).collect();
    let known: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
    for placeholder in template.placeholders() {
        let own = extension && placeholder.name == LAST_INSERT_ID;
        match fields.iter().find(|f| f.name == placeholder.name) {
            Some(field) if field.list || field.members.is_some() => {
                faults.push(format!(
                    "{name}: column {} is a LIST or STRUCT; a statement takes single values",
                    field.name
                ));
            }
            Some(_) => {}
            None if own || placeholder.default.is_some() => {}
            None => faults.push(format!(
                "{name}: line {}, column {}: no column of the mapping fills <{{{}: }}>; {}",
                placeholder.line,
                placeholder.column,
                placeholder.name,
                names::suggest(
                    &placeholder.name,
                    known.iter().copied().filter(|k| !wanted.contains(k)).collect::<Vec<_>>()
                ),
            )),
        }
    }
    for field in fields.iter().filter(|f| !f.name.starts_with('_') && !wanted.contains(&f.name.as_str())) {
        faults.push(format!(
            "{name}: no placeholder uses column {}; {}",
            field.name,
            names::suggest(&field.name, wanted.iter().copied().filter(|w| !known.contains(w)).collect::<Vec<_>>()),
        ));
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
        assert_eq!(check(&statements(), &shape), Vec::<String>::new());
    }

    #[test]
    fn all_faults_are_told_at_once_with_the_nearest_name() {
        let shape = Shape {
            fields: vec![
                plain("dispatchId"),
                lines("status", &["x"]),
                lines("extend_params_1", &["mustqty", "lastInsertId"]),
                lines("extend_params_2", &["x"]),
            ],
        };
        let faults = check(&statements(), &shape);
        let expected = [
            "main_sql: line 1, column 30: no column of the mapping fills <{dispatch_id: }>; did you mean dispatchId?",
            "main_sql: column status is a LIST or STRUCT; a statement takes single values",
            "main_sql: no placeholder uses column dispatchId; did you mean dispatch_id?",
            "extend_sql_1: line 1, column 51: no column of the mapping fills <{must_qty: }>; did you mean mustqty?",
            "extend_sql_1: no placeholder uses column mustqty; did you mean must_qty?",
            "column extend_params_2: there is no extend_sql_2 that uses it",
        ];
        assert_eq!(faults, expected);
        let faults = check(&statements(), &Shape { fields: vec![plain("dispatch_id"), plain("extend_params_1")] });
        assert_eq!(faults, ["extend_sql_1: column extend_params_1 is neither a STRUCT nor a LIST of STRUCT"]);
        let faults = check(&statements(), &Shape { fields: vec![plain("dispatch_id")] });
        assert!(faults.len() == 1 && faults[0].contains("no column extend_params_1"), "{faults:?}");
    }
}
