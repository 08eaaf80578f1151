//! View, QueryBusinessInfo and GetDataCenterList: what the ERP tells of a document, of a form, and of itself.
//!
//! Takes the data packet, gives the answer. Changes nothing. Names in View are those of fields without their `F`.

use super::KingdeeConfig;
use super::answer::{Outcome, Refusal, code, failure, wrap};
use super::base::Book;
use super::form::{self, ENTRY, FINANCE, FORM, FORM_NAME, Kind, Level};
use super::query::shown;
use super::save::missing_id;
use super::store::{Document, State};
use super::value::Json;

/// One document by `Number` or `Id`.
pub fn view(state: &State, data: &Json) -> Json {
    let text = |name| data.get(name).map_or("", Json::plain).trim().to_owned();
    let (number, id) = (text("Number"), text("Id"));
    let found = match (number.as_str(), id.parse::<u64>()) {
        ("", Ok(fid)) => state.by_id(fid).ok_or_else(|| missing_id(fid)),
        ("", Err(_)) => Err(Refusal::plain(code::PARAMETER, "编码值或内码值必须传其一。")),
        (number, _) => state
            .by_number(number)
            .next()
            .ok_or_else(|| Refusal::plain(code::NO_DATA, format!("编码为“{number}”的{FORM_NAME}不存在"))),
    };
    match found {
        Err(refusal) => failure(refusal),
        Ok(document) => wrap([("ResponseStatus", Outcome::default().status(None)), ("Result", whole(document, state))]),
    }
}

fn whole(document: &Document, state: &State) -> Json {
    let mut members = vec![
        ("Id".to_owned(), Json::from(document.fid)),
        ("DocumentStatus".to_owned(), Json::text(document.status.letter())),
    ];
    members.extend(shown(&document.head, Level::Head, &state.base));
    members.push((FINANCE.to_owned(), Json::Object(shown(&document.finance, Level::Finance, &state.base))));
    let lines = document.lines.iter().enumerate().map(|(at, line)| {
        let mut members = vec![("Id".to_owned(), Json::from(line.entry_id)), ("Seq".to_owned(), Json::from(at + 1))];
        members.extend(shown(&line.fields, Level::Entry, &state.base));
        Json::Object(members)
    });
    members.push((format!("{FORM}ENTRY"), Json::List(lines.collect())));
    Json::Object(members)
}

/// The fields of the form.
pub fn business_info() -> Json {
    let entity = |level: Level, key: &str| {
        let fields = form::all().filter(|(known, _)| *known == level).map(|(_, field)| {
            let looks_up = match field.kind {
                Kind::Base(book) => Book::FORMS.iter().find(|(.., known)| *known == book).map(|(form, ..)| *form),
                _ => None,
            };
            Json::object([
                ("Key", Json::text(field.key)),
                ("Name", Json::text(field.caption)),
                ("FieldType", Json::text(format!("{:?}", field.kind).split('(').next().unwrap_or_default())),
                ("MustInput", Json::from(u64::from(field.required))),
                ("LookUpObjectFormId", looks_up.map_or(Json::Null, Json::text)),
            ])
        });
        Json::object([("Key", Json::text(key)), ("Fields", Json::List(fields.collect()))])
    };
    let info = Json::object([
        ("Id", Json::text(FORM)),
        ("Name", Json::text(FORM_NAME)),
        (
            "Entrys",
            Json::List(vec![
                entity(Level::Head, "FBillHead"),
                entity(Level::Finance, FINANCE),
                entity(Level::Entry, ENTRY),
            ]),
        ),
    ]);
    wrap([("ResponseStatus", Outcome::default().status(None)), ("NeedReturnData", info)])
}

/// The data centres, which anybody may ask for.
pub fn data_centers(config: &KingdeeConfig) -> Json {
    let center = [("Id", &config.acct_id), ("Number", &"001".to_owned()), ("Name", &"测试数据中心".to_owned())];
    Json::List(vec![Json::object(center.map(|(key, value)| (key, Json::text(value))))])
}
