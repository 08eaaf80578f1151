//! ExecuteBillQuery and BillQuery: fields of documents and of base data, filtered, ordered and paged.
//!
//! Takes the data packet, gives rows. Asking for a field of the lines gives one row for each line. Changes nothing.

use std::cmp::Ordering;

use super::KingdeeConfig;
use super::answer::{Refusal, code, empty_parameter, unknown_form};
use super::base::{BaseData, Book, Given, Item};
use super::check::moment;
use super::filter::{Expr, compare};
use super::form::{self, ENTRY, FINANCE, Field, Kind, Level};
use super::store::{Document, Fields, Line, State};
use super::value::{Json, decimal, decimal_text};
use crate::sandbox::world;

/// What a key of a query means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Fid,
    Status,
    Created,
    Modified,
    EntryId,
    Seq,
    Of(Level, &'static Field, Part),
    ItemId,
    ItemNumber,
    ItemName,
    Fixed(&'static str),
}

/// Which part of a reference is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Id,
    Number,
    Name,
}

/// One row of the answer, before its columns are taken.
#[derive(Debug, Clone, Copy)]
enum Row<'a> {
    Bill { document: &'a Document, line: Option<(usize, &'a Line)> },
    Item { number: &'a str, item: &'a Item },
}

/// A query that could be read.
struct Query {
    keys: Vec<String>,
    columns: Vec<Column>,
    filter: Expr,
    /// Column, and whether it goes down.
    order: Vec<(Column, bool)>,
    /// None: a form of documents.
    book: Option<Book>,
}

/// The rows asked for, each with the keys as they were asked.
pub fn rows(
    state: &State,
    config: &KingdeeConfig,
    form: &str,
    data: &Json,
) -> Result<(Vec<String>, Vec<Vec<Json>>), Refusal> {
    let query = Query::read(form, data)?;
    let mut found = query.candidates(state);
    found.retain(|row| query.passes(row, &state.base));
    found.sort_by(|a, b| query.compare(a, b, &state.base));
    let number = |name| data.get(name).map_or("", Json::plain).parse::<usize>().unwrap_or(0);
    let (start, top) = (number("StartRow"), number("TopRowCount"));
    let limit = match number("Limit") {
        0 => config.default_rows,
        limit => limit.min(config.max_rows),
    };
    // TopRowCount is where the last row lies at most, counted from the very first, not a number of rows.
    let end = start.saturating_add(limit).min(if top == 0 { usize::MAX } else { top });
    let page = found.into_iter().take(end).skip(start);
    let cells = page.map(|row| query.columns.iter().map(|column| cell(*column, &row, &state.base)).collect());
    let cells = cells.collect();
    Ok((query.keys, cells))
}

/// The fields of a document that a save asked to be told (NeedReturnFields); `FEntity.key` gives them for each line.
pub fn returned(document: &Document, keys: &[String], state: &State) -> Json {
    let mut members: Vec<(String, Json)> = Vec::new();
    let mut lines: Vec<Vec<(String, Json)>> = vec![Vec::new(); document.lines.len()];
    for key in keys {
        let of_entry = key.get(..ENTRY.len() + 1).filter(|start| start.eq_ignore_ascii_case("FEntity."));
        let Ok(column) = bill_column(key) else { continue };
        match of_entry {
            None => {
                let row = Row::Bill { document, line: None };
                members.push((key.clone(), cell(column, &row, &state.base)));
            }
            Some(start) => {
                for (at, line) in document.lines.iter().enumerate() {
                    let row = Row::Bill { document, line: Some((at, line)) };
                    lines[at].push((key[start.len()..].to_owned(), cell(column, &row, &state.base)));
                }
            }
        }
    }
    if lines.iter().any(|line| !line.is_empty()) {
        members.push((ENTRY.to_owned(), Json::List(lines.into_iter().map(Json::Object).collect())));
    }
    Json::Object(members)
}

impl Query {
    fn read(form: &str, data: &Json) -> Result<Query, Refusal> {
        let book = Book::FORMS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(form)).map(|(.., book)| *book);
        if book.is_none() && !form.eq_ignore_ascii_case(form::FORM) {
            return Err(unknown_form(form));
        }
        let column = |key: &str| match book {
            None => bill_column(key),
            Some(book) => item_column(book, key),
        };
        let keys = data.get("FieldKeys").map_or("", Json::plain).split(',').map(str::trim);
        let keys: Vec<String> = keys.filter(|key| !key.is_empty()).map(str::to_owned).collect();
        if keys.is_empty() {
            return Err(empty_parameter("FieldKeys"));
        }
        let columns = keys.iter().map(|key| column(key)).collect::<Result<_, _>>()?;
        let filter = Expr::read(data.get("FilterString"))
            .map_err(|_| Refusal::plain(code::EXCEPTION, "GetRealExpress error..."))?;
        for name in filter.fields() {
            column(name)?;
        }
        let mut order = Vec::new();
        for part in data.get("OrderString").map_or("", Json::plain).split(',') {
            let mut words = part.split_whitespace();
            let Some(key) = words.next() else { continue };
            order.push((column(key)?, words.next().is_some_and(|word| word.eq_ignore_ascii_case("desc"))));
        }
        Ok(Query { keys, columns, filter, order, book })
    }

    fn column(&self, key: &str) -> Option<Column> {
        match self.book {
            None => bill_column(key).ok(),
            Some(book) => item_column(book, key).ok(),
        }
    }

    fn candidates<'a>(&self, state: &'a State) -> Vec<Row<'a>> {
        if let Some(book) = self.book {
            return state.base.items(book).map(|(number, item)| Row::Item { number, item }).collect();
        }
        let named = self.filter.fields().into_iter().filter_map(|key| self.column(key));
        let ordered = self.order.iter().map(|(column, _)| *column);
        let by_line = self.columns.iter().copied().chain(named).chain(ordered).any(Column::is_of_line);
        let documents: Vec<&Document> = match self.filter.restricts("FBillNo") {
            Some(numbers) => {
                let mut found: Vec<_> = numbers.iter().flat_map(|number| state.by_number(number)).collect();
                found.sort_by_key(|document| document.fid);
                found.dedup_by_key(|document| document.fid);
                found
            }
            None => state.documents().collect(),
        };
        if !by_line {
            return documents.into_iter().map(|document| Row::Bill { document, line: None }).collect();
        }
        let of_lines = |document: &'a Document| {
            document.lines.iter().enumerate().map(move |line| Row::Bill { document, line: Some(line) })
        };
        documents.into_iter().flat_map(of_lines).collect()
    }

    fn passes(&self, row: &Row<'_>, base: &BaseData) -> bool {
        self.filter.passes(&|key| self.column(key).map_or(Json::Null, |column| cell(column, row, base)))
    }

    fn compare(&self, a: &Row<'_>, b: &Row<'_>, base: &BaseData) -> Ordering {
        let by = |(column, down): &(Column, bool)| {
            let order = compare(&cell(*column, a, base), &cell(*column, b, base)).unwrap_or(Ordering::Equal);
            if *down { order.reverse() } else { order }
        };
        self.order.iter().map(by).find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
    }
}

impl Column {
    fn is_of_line(self) -> bool {
        matches!(self, Column::EntryId | Column::Seq | Column::Of(Level::Entry, ..))
    }
}

fn unknown_field(key: &str) -> Refusal {
    Refusal::plain(code::NO_FIELD, format!("元数据中标识为{key}的字段不存在"))
}

/// The key without the prefix of an entity, as `FEntity_` or `FEntity.`.
fn without_entity(key: &str) -> (Option<Level>, &str) {
    for (entity, level) in [(ENTRY, Level::Entry), (FINANCE, Level::Finance)] {
        if let (Some(start), Some(rest)) = (key.get(..entity.len()), key.get(entity.len() + 1..))
            && start.eq_ignore_ascii_case(entity)
            && key[entity.len()..].starts_with(['_', '.'])
        {
            return (Some(level), rest);
        }
    }
    (None, key)
}

fn bill_column(key: &str) -> Result<Column, Refusal> {
    let (level, bare) = without_entity(key);
    let fixed = match (level, bare.to_ascii_lowercase().as_str()) {
        (None, "fid") => Some(Column::Fid),
        (None, "fdocumentstatus") => Some(Column::Status),
        (None, "fcreatedate") => Some(Column::Created),
        (None, "fmodifydate") => Some(Column::Modified),
        (Some(Level::Entry), "fentryid") => Some(Column::EntryId),
        (Some(Level::Entry), "fseq") => Some(Column::Seq),
        _ => None,
    };
    if let Some(column) = fixed {
        return Ok(column);
    }
    let (name, part) = part_of(bare).ok_or_else(|| unknown_field(key))?;
    let found = match level {
        Some(level) => level.field(name).map(|field| (level, field)),
        None => form::find(name),
    };
    let (level, field) = found.ok_or_else(|| unknown_field(key))?;
    let is_base = matches!(field.kind, Kind::Base(_));
    if !is_base && part != Part::Id {
        return Err(unknown_field(key));
    }
    Ok(Column::Of(level, field, part))
}

fn part_of(key: &str) -> Option<(&str, Part)> {
    match key.split_once('.') {
        None => Some((key, Part::Id)),
        Some((name, part)) if part.eq_ignore_ascii_case("FNumber") => Some((name, Part::Number)),
        Some((name, part)) if part.eq_ignore_ascii_case("FName") => Some((name, Part::Name)),
        Some(_) => None,
    }
}

/// Base data have no FID: each kind has a key of its own for the internal id.
fn item_column(book: Book, key: &str) -> Result<Column, Refusal> {
    let id_key = Book::FORMS.iter().find(|(.., known)| *known == book).map_or("", |(_, id_key, _)| id_key);
    if key.eq_ignore_ascii_case(id_key) {
        return Ok(Column::ItemId);
    }
    let (organisation, name) = world::ORGANISATIONS[0];
    Ok(match (book, key.to_ascii_lowercase().as_str()) {
        (_, "fnumber") => Column::ItemNumber,
        (_, "fname") => Column::ItemName,
        (_, "fdocumentstatus") => Column::Fixed("C"),
        (_, "fforbidstatus") => Column::Fixed("A"),
        (_, "fuseorgid.fnumber" | "fcreateorgid.fnumber") => Column::Fixed(organisation),
        (_, "fuseorgid.fname" | "fcreateorgid.fname") => Column::Fixed(name),
        (Book::Materials, "fbaseunitid.fnumber") => Column::Fixed("Pcs"),
        (Book::Currencies, "fcode") => Column::Fixed(world::CURRENCY.2),
        (Book::Salesmen, "foperatortype") => Column::Fixed("XSY"),
        (Book::Salesmen, "fstaffid.fnumber") => Column::ItemNumber,
        _ => return Err(unknown_field(key)),
    })
}

fn cell(column: Column, row: &Row<'_>, base: &BaseData) -> Json {
    match (row, column) {
        (Row::Bill { document, .. }, Column::Fid) => Json::from(document.fid),
        (Row::Bill { document, .. }, Column::Status) => Json::text(document.status.letter()),
        (Row::Bill { document, .. }, Column::Created) => at(document.created),
        (Row::Bill { document, .. }, Column::Modified) => at(document.modified),
        (Row::Bill { line: Some((_, line)), .. }, Column::EntryId) => Json::from(line.entry_id),
        (Row::Bill { line: Some((place, _)), .. }, Column::Seq) => Json::from(place + 1),
        (Row::Bill { document, .. }, Column::Of(Level::Head, field, part)) => value(&document.head, field, part, base),
        (Row::Bill { document, .. }, Column::Of(Level::Finance, field, part)) => {
            value(&document.finance, field, part, base)
        }
        (Row::Bill { line: Some((_, line)), .. }, Column::Of(Level::Entry, field, part)) => {
            value(&line.fields, field, part, base)
        }
        (Row::Item { item, .. }, Column::ItemId) => Json::from(item.id),
        (Row::Item { number, .. }, Column::ItemNumber) => Json::text(*number),
        (Row::Item { item, .. }, Column::ItemName) => Json::text(&item.name),
        (_, Column::Fixed(text)) => Json::text(text),
        _ => Json::Null,
    }
}

fn at(moment: chrono::NaiveDateTime) -> Json {
    Json::text(moment.format("%Y-%m-%dT%H:%M:%S").to_string())
}

/// A field as the ERP gives it back: typed, with its own defaults for what was never set.
fn value(fields: &Fields, field: &Field, part: Part, base: &BaseData) -> Json {
    let sent = fields.get(field.key);
    match field.kind {
        Kind::Base(book) => {
            let number = sent.map_or("", |sent| Given::read(sent).text());
            let item = base.find(book, number);
            match part {
                _ if number.is_empty() => Json::Null,
                Part::Number => Json::text(number),
                Part::Name => item.map_or(Json::text(number), |item| Json::text(&item.name)),
                Part::Id => item.map_or(Json::from(0_u64), |item| Json::from(item.id)),
            }
        }
        Kind::Number => {
            let scaled = sent.and_then(|sent| decimal(sent.plain())).unwrap_or(0);
            Json::Number(decimal_text(scaled))
        }
        Kind::Flag => Json::Bool(sent.and_then(Json::flag).unwrap_or(false)),
        Kind::Date => sent.and_then(|sent| moment(sent.plain())).map_or(Json::Null, at),
        Kind::Text => Json::text(sent.map_or("", Json::plain)),
        Kind::Nested => sent.cloned().unwrap_or(Json::Null),
    }
}

/// A field without its `F`, as View shows it: base data with id and number.
pub fn shown(fields: &Fields, level: Level, base: &BaseData) -> Vec<(String, Json)> {
    let of_level = form::all().filter(|(known, _)| *known == level).map(|(_, field)| field);
    let show = |field: &Field| {
        let plain = value(fields, field, Part::Id, base);
        let shown = match field.kind {
            Kind::Base(_) if fields.get(field.key).is_some() => Json::object([
                ("Id", plain),
                ("Number", value(fields, field, Part::Number, base)),
                ("Name", value(fields, field, Part::Name, base)),
            ]),
            _ => plain,
        };
        (field.key.strip_prefix('F').unwrap_or(field.key).to_owned(), shown)
    };
    of_level.map(show).collect()
}
