//! `[source.params]`: the vendor's own request parameters, with their templates.
//!
//! Takes the section, gives the parameters in the order of the file, and notes unknown names, values of the wrong kind, templates
//! that are wrong or have no place, and unknown response fields. Never fills a template in.

use crate::base::clock::parse_wall;
use crate::base::names::suggest;
use crate::config::model::{History, ParamValue};
use crate::config::reader::{Section, type_name};
use crate::config::template::{self, Filter, Variable};
use crate::config::vocabulary::{ParamKind, Vocabulary};
use std::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

/// One parameter with its place in the file.
struct Param {
    name: String,
    key_at: usize,
    span: Range<usize>,
    value: ParamValue,
}

impl Param {
    /// The value if it is a text, less surrounding blanks.
    fn text(&self) -> &str {
        if let ParamValue::Text(text) = &self.value { text.trim() } else { "" }
    }
}

/// Reads and checks all parameters.
pub fn read(section: &Section<'_>, vendor: &Vocabulary, history: Option<&History>) -> Vec<(String, ParamValue)> {
    let mut params = Vec::new();
    for (key, value) in section.entries() {
        let name = *key.get_ref();
        let kind = vendor.param(name).map_err(|hint| {
            section.faults().add(key.span().start, format!("the vendor has no parameter {name}"), hint);
        });
        let Some(mut read) = param_value(section, name, value) else { continue };
        if kind == Ok(ParamKind::Fields) {
            read = joined_fields(read);
        }
        let param = Param { name: name.to_owned(), key_at: key.span().start, span: value.span(), value: read };
        if let Ok(kind) = kind {
            check_value(section, vendor, &param, kind);
        }
        params.push(param);
    }
    check_pairs(section, vendor, &params, history);
    if vendor.needs_fields && params.iter().all(|p| p.name != "fields") {
        section.faults().add(section.at(), "source.params.fields is missing", fields_hint(vendor));
    }
    params.into_iter().map(|p| (p.name, p.value)).collect()
}

fn fields_hint(vendor: &Vocabulary) -> String {
    let (key, version) = (vendor.key, vendor.version);
    format!("write fields = \"{key},{version},…\": the vendor returns nothing that is not asked for")
}

fn param_value(section: &Section<'_>, name: &str, value: &Spanned<DeValue<'_>>) -> Option<ParamValue> {
    let place = section.place(name);
    match value.get_ref() {
        DeValue::String(text) => Some(ParamValue::Text(text.clone().into_owned())),
        DeValue::Boolean(yes) => Some(ParamValue::Bool(*yes)),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Some(ParamValue::Integer(number)),
            Err(_) => {
                let message = format!("{place} = {number} is out of range");
                section.faults().add(value.span().start, message, "write a longer number in quotes");
                None
            }
        },
        DeValue::Array(items) => {
            Some(ParamValue::List(items.iter().filter_map(|item| param_value(section, name, item)).collect()))
        }
        other => {
            section.wrong(value, &place, other, "a text in quotes, a whole number or a list");
            None
        }
    }
}

/// The list of fields as one text without white space, however it was broken into lines or elements.
fn joined_fields(value: ParamValue) -> ParamValue {
    let tidy =
        |text: &str| text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(",");
    match value {
        ParamValue::Text(text) => ParamValue::Text(tidy(&text)),
        ParamValue::List(items) if items.iter().all(|i| matches!(i, ParamValue::Text(_))) => {
            let texts = items.iter().filter_map(|i| if let ParamValue::Text(t) = i { Some(t.as_str()) } else { None });
            ParamValue::Text(tidy(&texts.collect::<Vec<_>>().join(",")))
        }
        other => other,
    }
}

fn check_value(section: &Section<'_>, vendor: &Vocabulary, param: &Param, kind: ParamKind) {
    if let Some((name, harmless, cure)) = vendor.refused.iter().find(|(name, ..)| *name == param.name) {
        let is_harmless = match &param.value {
            ParamValue::Text(text) => text.is_empty() || text == harmless,
            ParamValue::Integer(number) => number.to_string() == *harmless,
            ParamValue::Bool(_) | ParamValue::List(_) => false,
        };
        if !is_harmless {
            section.faults().add(param.span.start, format!("source.params.{name} is not a setting"), *cure);
        }
        return;
    }
    if !check_templates(section, vendor, param, kind) {
        return;
    }
    match kind {
        ParamKind::Fields => check_fields(section, vendor, param),
        ParamKind::Time => check_time(section, param),
        ParamKind::StartPage if !vendor.pages_from_zero => check_whole(section, param, 1..=1),
        ParamKind::Integer | ParamKind::StartPage => check_whole(section, param, 0..=i64::MAX),
        ParamKind::PageSize => check_whole(section, param, 1..=i64::from(vendor.max_page_size)),
        ParamKind::Text if matches!(param.value, ParamValue::Text(_) | ParamValue::Integer(_)) => {
            check_choices(section, vendor, param);
        }
        ParamKind::Text => wrong_kind(section, param, "a text in quotes; several values are separated by commas"),
        ParamKind::List if matches!(param.value, ParamValue::Bool(_)) => {
            wrong_kind(section, param, "a list, as [1, 2]")
        }
        ParamKind::List => {
            check_length(section, vendor, param);
            check_choices(section, vendor, param);
        }
    }
}

/// The elements of a list as text; a single text is a list of the parts between its commas.
fn elements(value: &ParamValue) -> Vec<String> {
    let parts: Vec<String> = match value {
        ParamValue::Text(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        ParamValue::Integer(number) => vec![number.to_string()],
        ParamValue::Bool(_) => Vec::new(),
        ParamValue::List(items) => items.iter().flat_map(elements).collect(),
    };
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

fn check_length(section: &Section<'_>, vendor: &Vocabulary, param: &Param) {
    let length = elements(&param.value).len();
    if length > vendor.max_list {
        let message = format!("source.params.{} names {length} values", param.name);
        section.faults().add(param.span.start, message, format!("the vendor takes at most {}", vendor.max_list));
    }
}

/// A value outside a closed set would be no error at the vendor, only an empty answer.
fn check_choices(section: &Section<'_>, vendor: &Vocabulary, param: &Param) {
    let Some((_, known)) = vendor.choices.iter().find(|(name, _)| *name == param.name) else { return };
    for value in elements(&param.value).iter().filter(|value| !known.contains(&value.as_str())) {
        let at = section.faults().place_of(&param.span, value, 0);
        let message = format!("source.params.{}: the vendor has no value {value}", param.name);
        section.faults().add(at, message, suggest(value, known.iter().copied()));
    }
}

fn wrong_kind(section: &Section<'_>, param: &Param, expected: &str) {
    let found = match &param.value {
        ParamValue::Text(_) => "a text",
        ParamValue::Integer(_) => type_name(&DeValue::Integer(Default::default())),
        ParamValue::Bool(_) => type_name(&DeValue::Boolean(true)),
        ParamValue::List(_) => "a list",
    };
    section.faults().add(
        param.span.start,
        format!("{} is {found}", section.place(&param.name)),
        format!("write {expected}"),
    );
}

/// Notes bad templates and templates without a place; true if what is left may be judged as a value.
fn check_templates(section: &Section<'_>, vendor: &Vocabulary, param: &Param, kind: ParamKind) -> bool {
    let text = match &param.value {
        ParamValue::Text(text) => text.as_str(),
        ParamValue::List(items) => {
            let bad = items.iter().any(|i| matches!(i, ParamValue::Text(t) if t.contains("{{") || t.contains("${")));
            if bad {
                let message = format!("source.params.{}: a list takes no template", param.name);
                section.faults().add(param.span.start, message, "write the values themselves");
            }
            return !bad;
        }
        _ => return true,
    };
    let misuses = template::misuses(text);
    for misuse in &misuses {
        let nth = text[..misuse.at].matches(misuse.written.as_str()).count();
        let at = section.faults().place_of(&param.span, &misuse.written, nth);
        section.faults().add(at, format!("source.params.{}: {}", param.name, misuse.message), misuse.hint.clone());
    }
    let mut used = template::expressions(text).into_iter().peekable();
    let templated = used.peek().is_some();
    for (written, expression) in used {
        let at = section.faults().place_of(&param.span, written, 0);
        if let Some(hint) = misplaced(vendor, expression.variable, kind) {
            section.faults().add(at, format!("{written} has no place in source.params.{}", param.name), hint);
        } else if kind == ParamKind::Time && expression.filter != Some(Filter::DateTime) {
            let message =
                format!("source.params.{} takes yyyy-MM-dd HH:mm:ss, {written} gives something else", param.name);
            section.faults().add(at, message, "use the filter datetime");
        } else if written != text.trim() {
            let message = format!("source.params.{}: {written} must stand alone", param.name);
            section.faults().add(at, message, format!("write \"{written}\" and nothing else"));
        }
    }
    misuses.is_empty() && !templated
}

/// The cure when a variable has no place in a parameter of this kind.
fn misplaced(vendor: &Vocabulary, variable: Variable, kind: ParamKind) -> Option<String> {
    match (variable, kind) {
        (Variable::PageSize, ParamKind::PageSize) | (Variable::StartPage, ParamKind::StartPage) => None,
        (Variable::PageSize, _) => Some(format!("it belongs in {}", vendor.param_of(ParamKind::PageSize))),
        (Variable::StartPage, _) => Some(format!("it belongs in {}", vendor.param_of(ParamKind::StartPage))),
        (_, ParamKind::Time) => None,
        _ => {
            let times = vendor.ranges.first().map(|range| format!(", as {} or {}", range.begin, range.end));
            Some(format!("it belongs in a parameter that is a time{}", times.unwrap_or_default()))
        }
    }
}

fn check_fields(section: &Section<'_>, vendor: &Vocabulary, param: &Param) {
    let ParamValue::Text(fields) = &param.value else {
        return wrong_kind(section, param, "the names in quotes, separated by commas");
    };
    if fields.is_empty() {
        section.faults().add(param.span.start, "source.params.fields is empty", fields_hint(vendor));
    }
    for name in fields.split(',').filter(|name| !name.is_empty() && !vendor.is_field(name)) {
        let at = section.faults().place_of(&param.span, name, 0);
        section.faults().add(at, format!("the vendor has no field {name}"), vendor.field_hint(name));
    }
}

fn check_time(section: &Section<'_>, param: &Param) {
    match &param.value {
        ParamValue::Text(text) if text.is_empty() || (text.len() == 19 && parse_wall(text).is_some()) => {}
        ParamValue::Text(text) => {
            let message = format!("source.params.{}: \"{text}\" is no time the vendor reads", param.name);
            section.faults().add(
                param.span.start,
                message,
                "write \"2024-06-05 11:26:00\" or \"{{CURRENT_TIME|datetime}}\"",
            );
        }
        _ => wrong_kind(section, param, "a time in quotes, as \"2024-06-05 11:26:00\""),
    }
}

fn check_whole(section: &Section<'_>, param: &Param, range: std::ops::RangeInclusive<i64>) {
    let number = match &param.value {
        ParamValue::Text(text) if text.is_empty() => return,
        ParamValue::Text(text) => text.parse().ok(),
        ParamValue::Integer(number) => Some(*number),
        _ => return wrong_kind(section, param, "a whole number"),
    };
    let place = section.place(&param.name);
    match number {
        Some(number) if range.contains(&number) => {}
        Some(number) => {
            let limit = if *range.end() == i64::MAX { String::new() } else { format!(" to {}", range.end()) };
            let hint = format!("from {}{limit}", range.start());
            section.faults().add(param.span.start, format!("{place} = {number} is out of range"), hint);
        }
        None => {
            section.faults().add(param.span.start, format!("{place} is no whole number"), "write digits only, or \"\"")
        }
    }
}

/// Times come in pairs; those that a run sets itself take no fixed value; two names of one parameter agree.
fn check_pairs(section: &Section<'_>, vendor: &Vocabulary, params: &[Param], history: Option<&History>) {
    let axis = history.map(|h| h.axis.as_str());
    let note = |at: usize, message: String, hint: String| section.faults().add(at, message, hint);
    for param in params.iter().filter(|p| vendor.param(&p.name) == Ok(ParamKind::Time) && !p.text().is_empty()) {
        let (name, own) = (&param.name, vendor.vendor_name(&param.name));
        let range = vendor.range(own);
        let set_by_run = range.is_some_and(|(range, _)| range.axis == "modified" || axis == Some(range.axis));
        // Another dialect's template is noted as such; it is not a fixed time as well.
        let fixed = |p: &Param| set_by_run && !p.text().contains("{{") && !p.text().contains("${");
        let mut twins = params.iter().filter(|p| p.key_at < param.key_at && vendor.vendor_name(&p.name) == own);
        if fixed(param) {
            let hint = "take it out: the run sets it, from [source.window] start or --from and --to";
            note(param.span.start, format!("source.params.{name} cannot be fixed"), hint.to_owned());
        } else if let Some(twin) = twins.find(|p| !p.text().is_empty() && !fixed(p) && p.text() != param.text()) {
            let message = format!("{name} and {} are one parameter with two values", twin.name);
            note(param.span.start, message, format!("keep {own}"));
        }
        if let Some((_, other)) = range {
            let paired = params.iter().any(|p| vendor.vendor_name(&p.name) == other && !p.text().is_empty());
            if !paired {
                note(param.key_at, format!("source.params.{name} without {other}"), format!("write {other} too"));
            }
        }
    }
}
