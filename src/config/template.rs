//! Templates in the vendor's request parameters: `{{LAST_SYNC_TIME|datetime}}` and its kin.
//!
//! Takes text and a [`Scope`], gives the text with every template filled in, in the vendor's wall clock; or says what is
//! wrong with a template before anything runs. Never reads a clock or the environment.
//!
//! Facts: `vendors/qeasy.md` section 6.1. Published tables lose the pipe, so a blank stands for it, and filters come in
//! any letter case. The unit of a time without filter is disputed, so a time must have one.

use crate::base::clock::{WALL_FORMAT, Wall, instant};
use crate::base::names::suggest;
use crate::base::{Error, Result};
use std::borrow::Cow;

/// What the variables stand for in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// End of the covered interval less the overlap; `None` before the first pull.
    pub last_sync: Option<Wall>,
    /// The vendor's "now", less the settling time.
    pub now: Wall,
    /// Records per page.
    pub page_size: u32,
    /// The number of the first page, as the vendor counts (Jackyun 0, Jushuitan 1).
    pub start_page: i64,
}

/// A template variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    LastSyncTime,
    CurrentTime,
    /// Now less so many days of 24 hours.
    DaysAgo(u32),
    PageSize,
    StartPage,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// `2024-06-05 11:26:00`
    DateTime,
    /// `2024-06-05`
    Date,
    /// Unix seconds.
    Timestamp,
}

/// A well-formed `{{…}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expression {
    pub variable: Variable,
    /// Present for times, absent for numbers.
    pub filter: Option<Filter>,
}

/// Something wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misuse {
    /// Byte offset of the template in the text.
    pub at: usize,
    /// The template as written.
    pub written: String,
    pub message: String,
    pub hint: String,
}

const VARIABLES: [&str; 5] =
    ["LAST_SYNC_TIME", "CURRENT_TIME", "DAYS_AGO_1", "PAGINATION_PAGE_SIZE", "PAGINATION_START_PAGE"];
const FILTERS: [&str; 3] = ["datetime", "date", "timestamp"];
/// Ten years and a bit: more is a slip of the pen.
const MAX_DAYS_AGO: u32 = 3_660;

/// Fills every template in. A bad template, or `LAST_SYNC_TIME` before there is one, is a [`Kind::Config`](crate::base::Kind) error.
pub fn render(text: &str, scope: &Scope) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    for piece in parse(text) {
        match piece {
            Piece::Text(plain) => out.push_str(plain),
            Piece::Template(_, expression) => out.push_str(&value(expression, scope)?),
            Piece::Bad(misuse) => return Err(Error::config(misuse.message).hint(misuse.hint)),
        }
    }
    Ok(out)
}

/// What is wrong with the templates of `text`, each with its cure; empty when nothing is.
pub fn check(text: &str) -> Vec<String> {
    misuses(text).into_iter().map(|m| format!("{} ({})", m.message, m.hint)).collect()
}

/// What is wrong with the templates of `text`, with places.
pub fn misuses(text: &str) -> Vec<Misuse> {
    parse(text).into_iter().filter_map(|p| if let Piece::Bad(m) = p { Some(m) } else { None }).collect()
}

/// The well-formed templates of `text`, as written and as meant.
pub fn expressions(text: &str) -> Vec<(&str, Expression)> {
    parse(text).into_iter().filter_map(|p| if let Piece::Template(w, e) = p { Some((w, e)) } else { None }).collect()
}

enum Piece<'t> {
    Text(&'t str),
    Template(&'t str, Expression),
    Bad(Misuse),
}

fn parse(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        // `${` can only be a foreign dialect here: settings are the only place for environment variables.
        let Some(start) = [rest.find("{{"), rest.find("${")].into_iter().flatten().min() else {
            pieces.push(Piece::Text(rest));
            break;
        };
        if start > 0 {
            pieces.push(Piece::Text(&rest[..start]));
        }
        let foreign = rest[start..].starts_with("${");
        let close = if foreign { "}" } else { "}}" };
        let length = rest[start..].find(close).map_or(rest.len() - start, |end| end + close.len());
        let written = &rest[start..start + length];
        let bad = |(message, hint)| Piece::Bad(Misuse { at: at + start, written: written.to_owned(), message, hint });
        pieces.push(match written.strip_prefix("{{").map(|inner| inner.strip_suffix("}}")) {
            None => bad(foreign_form(written)),
            Some(None) => bad((format!("{written}: no closing }}}}"), "write {{NAME|filter}}".to_owned())),
            Some(Some(inner)) => match expression(written, inner) {
                Ok(expression) => Piece::Template(written, expression),
                Err(reason) => bad(reason),
            },
        });
        at += start + length;
    }
    pieces
}

fn foreign_form(written: &str) -> (String, String) {
    let hint = if written.starts_with("${system.") {
        "write {{LAST_SYNC_TIME|datetime}} or {{CURRENT_TIME|datetime}}"
    } else {
        "environment variables are filled into url, app_key, app_secret, access_token and path only"
    };
    (format!("{written} is not a template"), hint.to_owned())
}

fn expression(written: &str, inner: &str) -> Result<Expression, (String, String)> {
    let inner = inner.trim();
    if inner.contains('(') || inner.starts_with(|c: char| c.is_lowercase() && !inner.contains('_')) {
        let message = format!("{written} is of another dialect");
        return Err((
            message,
            "write {{LAST_SYNC_TIME|datetime}}: names in capitals, filters without arguments".to_owned(),
        ));
    }
    let mut words = inner.split(|c: char| c == '|' || c.is_whitespace()).filter(|w| !w.is_empty());
    let Some(name) = words.next() else {
        return Err((format!("{written} names no variable"), suggest("", VARIABLES)));
    };
    let filter = words.next();
    if let Some(extra) = words.next() {
        return Err((
            format!("{written}: one filter is enough, {extra} is too much"),
            "write {{NAME|filter}}".to_owned(),
        ));
    }
    let variable = variable(name).ok_or_else(|| (format!("no variable {name}"), suggest(name, VARIABLES)))?;
    let is_time = !matches!(variable, Variable::PageSize | Variable::StartPage);
    match (is_time, filter) {
        (false, None) => Ok(Expression { variable, filter: None }),
        (false, Some(filter)) => {
            Err((format!("{name} is a number and takes no filter {filter}"), format!("write {{{{{name}}}}}")))
        }
        (true, None) => Err((
            format!("{name} needs a filter: its unit would be a guess"),
            format!("write {{{{{name}|datetime}}}}, {{{{{name}|date}}}} or {{{{{name}|timestamp}}}} (Unix seconds)"),
        )),
        (true, Some(word)) => {
            let filter = filter_named(word).ok_or_else(|| (format!("no filter {word}"), suggest(word, FILTERS)))?;
            Ok(Expression { variable, filter: Some(filter) })
        }
    }
}

fn variable(name: &str) -> Option<Variable> {
    Some(match name {
        "LAST_SYNC_TIME" => Variable::LastSyncTime,
        "CURRENT_TIME" => Variable::CurrentTime,
        "PAGINATION_PAGE_SIZE" => Variable::PageSize,
        "PAGINATION_START_PAGE" => Variable::StartPage,
        _ => {
            let days = name.strip_prefix("DAYS_AGO_")?;
            let digits = days.bytes().all(|b| b.is_ascii_digit());
            Variable::DaysAgo(days.parse().ok().filter(|n| digits && *n <= MAX_DAYS_AGO)?)
        }
    })
}

fn filter_named(word: &str) -> Option<Filter> {
    Some(match word.to_ascii_lowercase().as_str() {
        "datetime" => Filter::DateTime,
        "date" => Filter::Date,
        "timestamp" => Filter::Timestamp,
        _ => return None,
    })
}

fn value(expression: Expression, scope: &Scope) -> Result<Cow<'static, str>> {
    let time = match expression.variable {
        Variable::PageSize => return Ok(scope.page_size.to_string().into()),
        Variable::StartPage => return Ok(scope.start_page.to_string().into()),
        Variable::CurrentTime => scope.now,
        Variable::DaysAgo(days) => scope.now - chrono::Duration::days(i64::from(days)),
        Variable::LastSyncTime => scope.last_sync.ok_or_else(|| {
            Error::config("LAST_SYNC_TIME has no value: nothing was fetched yet")
                .hint("set start in [source.window], or give --from")
        })?,
    };
    Ok(match expression.filter {
        Some(Filter::Date) => time.format("%Y-%m-%d").to_string().into(),
        Some(Filter::Timestamp) => instant(time).timestamp().to_string().into(),
        Some(Filter::DateTime) | None => time.format(WALL_FORMAT).to_string().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::parse_wall;

    fn scope() -> Scope {
        Scope {
            last_sync: parse_wall("2024-06-05 11:26:00"),
            now: parse_wall("2024-06-11 00:00:30").expect("a time"),
            page_size: 200,
            start_page: 0,
        }
    }

    #[test]
    fn templates_are_filled_in() {
        let table = [
            ("{{LAST_SYNC_TIME|datetime}}", "2024-06-05 11:26:00"),
            // As the published tables print it, and as people type it.
            ("{{LAST_SYNC_TIME datetime}}", "2024-06-05 11:26:00"),
            ("{{ LAST_SYNC_TIME | dateTime }}", "2024-06-05 11:26:00"),
            ("{{CURRENT_TIME|DATE}}", "2024-06-11"),
            // 11:26 in Shanghai is 03:26 UTC.
            ("{{LAST_SYNC_TIME|timestamp}}", "1717557960"),
            ("{{DAYS_AGO_2|datetime}}", "2024-06-09 00:00:30"),
            ("{{DAYS_AGO_0|date}}", "2024-06-11"),
            ("{{PAGINATION_PAGE_SIZE}}", "200"),
            ("{{PAGINATION_START_PAGE}}", "0"),
            ("a {{CURRENT_TIME|date}}~{{ DAYS_AGO_30 date }} 止", "a 2024-06-11~2024-05-12 止"),
            ("其它退货 {not} }} a template", "其它退货 {not} }} a template"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(check(text), Vec::<String>::new(), "{text}");
            assert_eq!(render(text, &scope()).expect(text), expected, "{text}");
        }
    }

    #[test]
    fn wrong_templates_are_refused_with_the_nearest_right_one() {
        let table = [
            ("{{LAST_SYNCTIME|datetime}}", "LAST_SYNC_TIME?"),
            ("{{last_sync_time|datetime}}", "LAST_SYNC_TIME?"),
            ("{{LAST_SYNC_TIME|datetme}}", "datetime?"),
            ("{{LAST_SYNC_TIME}}", "needs a filter"),
            ("{{PAGINATION_PAGE_SIZE|date}}", "takes no filter"),
            ("{{CURRENT_TIME|date|datetime}}", "one filter"),
            ("{{DAYS_AGO_x|date}}", "DAYS_AGO_1?"),
            ("{{DAYS_AGO_99999|date}}", "DAYS_AGO_1?"),
            ("{{CURRENT_TIME|date", "no closing"),
            ("{{}}", "names no variable"),
            ("{{lastSyncTime|datetime('Y-m-d H:i:s')}}", "another dialect"),
            ("{{LAST_SYNC_TIME|datetime('Y-m-d')}}", "without arguments"),
            ("${system.lastSyncTime}", "{{LAST_SYNC_TIME|datetime}}"),
            ("${HOME}", "environment variables"),
        ];
        for (text, expected) in table {
            let found = check(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains(expected), "{text}: {found:?}");
            assert!(render(text, &scope()).is_err(), "{text}");
        }
        let two = misuses("日 {{A|date}} {{CURRENT_TIME|date}} {{B|date}}");
        assert_eq!(two.iter().map(|m| m.at).collect::<Vec<_>>(), [4, 37]);
    }

    #[test]
    fn the_first_run_must_be_told_where_to_begin() {
        let first = Scope { last_sync: None, ..scope() };
        let error = render("{{LAST_SYNC_TIME|datetime}}", &first).expect_err("no last sync");
        assert!(error.cure().is_some_and(|c| c.contains("--from")));
    }
}
