//! From documents to JSON: the declared fields of a document, of a line and of a batch, each as the vendor writes it.
//!
//! Takes a document, gives bytes; never selects documents and never knows a request. Names and types are those of the
//! vendor's declared types (`batchs` is spelled so). As recorded of sibling methods: ids and quantities are integers, a
//! price is an integer when whole, missing text is null or "", "no date" is null, "" or `0001-01-01 08:00:00`.

use super::record::{Batch, DAY, Document, Line};
use crate::sandbox::data::{CARRIERS, Dice, GOODS, Goods, MEMOS, PEOPLE, PLACES};
use crate::sandbox::json::Pen;

/// Salts of the fields: they must not share dice with each other or with the document itself.
const DOCUMENT_SALT: u32 = 1_000;
const LINE_SALT: u32 = 2_000;
const BATCH_SALT: u32 = 3_000;
/// Salts of a field's form, so that value and form fall independently.
const MISSING: u32 = 0x4000_0000;
const FORM: u32 = 0x2000_0000;
/// The vendor's date for "no date".
const NO_DATE: &str = "0001-01-01 08:00:00";
/// How long a batch keeps after it was made.
const SHELF_LIFE: i64 = 365 * DAY;

/// Settings of the shop system that change a document's shape.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Batch management and serial numbers are on: `batchs` and `sns` come.
    pub batches: bool,
    /// Fields nobody declared come.
    pub drift: bool,
}

/// A field: its name, and how its value is written.
type Field<F> = (&'static str, F);
type DocumentField = Field<fn(&mut Pen, &Document)>;
type LineField = Field<fn(&mut Pen, &Document, &Line)>;
type BatchField = Field<fn(&mut Pen, &Line, &Batch)>;

/// The fields of a document before its arrays.
const DOCUMENT: &[DocumentField] = &[
    ("io_id", |p, d| p.int(d.io_id())),
    ("io_date", |p, d| p.time(d.io_date)),
    ("status", |p, d| p.text(d.status)),
    ("so_id", |p, d| match &d.so_id {
        Some(so_id) => p.text(so_id),
        None => nothing(p, d.dice),
    }),
    ("type", |p, d| p.text(d.kind)),
    ("f_status", |p, d| p.text(d.dice.word(p.salt, &["WaitConfirm", "Confirmed", "Confirmed"]))),
    ("warehouse", |p, d| p.text(d.warehouse.name)),
    ("receiver_name", |p, d| maybe(p, d.dice, 40, d.dice.word(p.salt, &["张*", "欧阳**", "刘女士", "仓库 收"]))),
    ("receiver_mobile", |p, d| maybe(p, d.dice, 40, d.dice.word(p.salt, &["138****0000", "0571-8800****"]))),
    ("receiver_state", |p, d| maybe(p, d.dice, 40, d.dice.pick(1, &PLACES).state)),
    ("receiver_city", |p, d| maybe(p, d.dice, 40, d.dice.pick(1, &PLACES).city)),
    ("receiver_district", |p, d| maybe(p, d.dice, 45, d.dice.pick(1, &PLACES).district)),
    ("receiver_address", |p, d| maybe(p, d.dice, 45, d.dice.pick(1, &PLACES).town)),
    ("wh_id", |p, d| p.int(d.warehouse.wh_id)),
    ("remark", |p, d| maybe(p, d.dice, 35, d.dice.word(p.salt, &MEMOS))),
    ("modified", |p, d| p.time(d.version.modified)),
    ("created", created),
    ("labels", |p, d| maybe(p, d.dice, 60, d.dice.word(p.salt, &["线下退货", "质检,次品", "线下退货,门店"]))),
    ("wms_co_id", |p, d| p.int(d.warehouse.wms_co_id)),
    ("creator_name", |p, d| p.text(d.creator)),
    ("wave_id", |p, d| p.int([0, 0, 730_011][d.dice.below(p.salt, 3) as usize])),
    ("drp_co_name", |p, d| match d.distributor {
        Some(name) => p.text(name),
        None => nothing(p, d.dice),
    }),
    ("inout_user", |p, d| maybe(p, d.dice, 30, d.dice.word(p.salt, &PEOPLE))),
    ("l_id", |p, d| maybe(p, d.dice, 50, d.dice.word(p.salt, &["SF1400000000001", "757700000000012"]))),
    ("lc_id", |p, d| maybe(p, d.dice, 50, d.dice.pick(p.salt, &CARRIERS).0)),
    ("logistics_company", |p, d| maybe(p, d.dice, 50, d.dice.pick(p.salt, &CARRIERS).1)),
    ("lock_wh_id", |p, _| p.int(0)),
    ("lock_wh_name", |p, d| nothing(p, d.dice)),
    ("ts", |p, d| p.int(d.version.ts)),
];

/// The fields of a line.
const LINE: &[LineField] = &[
    ("ioi_id", |p, d, l| p.int(60_000_000 + i64::from(d.index) * 8 + l.number as i64)),
    ("io_id", |p, d, _| p.int(d.io_id())),
    ("sku_id", |p, _, l| p.text(&l.sku)),
    ("i_id", |p, _, l| p.text(&l.sku[..6])),
    ("name", |p, _, l| p.text(goods(l).name)),
    ("unit", |p, _, l| maybe(p, l.dice, 20, goods(l).unit)),
    ("properties_value", |p, _, l| maybe(p, l.dice, 25, goods(l).spec)),
    ("qty", |p, _, l| p.int(l.qty)),
    ("cost_price", |p, _, l| amount(p, cost(l))),
    ("cost_amount", |p, _, l| amount(p, cost(l) * l.qty)),
    ("sale_price", |p, _, l| amount(p, l.price)),
    ("sale_amount", |p, _, l| amount(p, l.price * l.qty)),
    ("remark", |p, _, l| maybe(p, l.dice, 70, l.dice.word(p.salt, &MEMOS))),
    ("batch_id", |p, _, l| match l.batches.as_slice() {
        [only] => maybe(p, l.dice, 50, &only.no),
        _ => nothing(p, l.dice),
    }),
    ("product_date", |p, _, l| line_date(p, l, 0)),
    ("expiration_date", |p, _, l| line_date(p, l, SHELF_LIFE)),
    ("supplier_id", |p, _, l| p.int([0, 53_802, 53_811][l.dice.below(7, 3) as usize])),
];

/// The fields of a batch.
const BATCH: &[BatchField] = &[
    ("batch_no", |p, _, b| p.text(&b.no)),
    ("sku_id", |p, l, _| p.text(&l.sku)),
    ("qty", |p, _, b| p.int(b.qty)),
    ("product_date", |p, _, b| p.time(b.made)),
    ("supplier_id", |p, l, _| p.int([0, 53_802, 53_811][l.dice.below(7, 3) as usize])),
    ("supplier_name", |p, l, _| maybe(p, l.dice, 50, "义乌市楠星百货供应商")),
];

/// Writes a document as a JSON object.
pub fn document(pen: &mut Pen, document: &Document, shape: Shape) {
    pen.comma();
    pen.raw("{");
    members(pen, DOCUMENT, DOCUMENT_SALT, |pen, write| write(pen, document));
    pen.member("items", DOCUMENT_SALT + 500, |pen| {
        if document.lines.is_empty() && document.dice.chance(pen.salt, 50) {
            return pen.null();
        }
        pen.raw("[");
        for line in &document.lines {
            object(pen, LINE, LINE_SALT, |pen, write| write(pen, document, line));
        }
        pen.raw("]");
    });
    if shape.batches {
        pen.member("batchs", DOCUMENT_SALT + 501, |pen| batches(pen, document));
        pen.member("sns", DOCUMENT_SALT + 502, |pen| serials(pen, document));
    }
    if shape.drift {
        pen.member("carbon_footprint", DOCUMENT_SALT + 503, |pen| pen.text("0.7kg"));
    }
    pen.raw("}");
}

/// An object of these fields, each written by `write`.
fn object<F: Copy>(pen: &mut Pen, fields: &[Field<F>], salt: u32, write: impl Fn(&mut Pen, F)) {
    pen.comma();
    pen.raw("{");
    members(pen, fields, salt, write);
    pen.raw("}");
}

fn members<F: Copy>(pen: &mut Pen, fields: &[Field<F>], salt: u32, write: impl Fn(&mut Pen, F)) {
    for (number, (name, field)) in (salt..).zip(fields) {
        pen.member(name, number, |pen| write(pen, *field));
    }
}

/// The batches of all lines; they belong to their lines by `sku_id`.
fn batches(pen: &mut Pen, document: &Document) {
    if document.lines.iter().all(|line| line.batches.is_empty()) {
        return none(pen, document.dice);
    }
    pen.raw("[");
    for line in &document.lines {
        for batch in &line.batches {
            object(pen, BATCH, BATCH_SALT, |pen, write| write(pen, line, batch));
        }
    }
    pen.raw("]");
}

/// Some single pieces have a serial number.
fn serials(pen: &mut Pen, document: &Document) {
    let has = |line: &&Line| line.qty == 1 && line.dice.chance(9, 10);
    if !document.lines.iter().any(|line| has(&line)) {
        return none(pen, document.dice);
    }
    pen.raw("[");
    for line in document.lines.iter().filter(has) {
        pen.comma();
        pen.raw("{");
        pen.member("sku_id", 0, |pen| pen.text(&line.sku));
        pen.member("sn", 0, |pen| pen.plain(format_args!("SN{:012}", line.dice.below(10, 1_000_000_000_000))));
        pen.raw("}");
    }
    pen.raw("]");
}

/// No text: null or "".
fn nothing(pen: &mut Pen, dice: Dice) {
    pen.raw(if dice.chance(pen.salt | FORM, 50) { "null" } else { "\"\"" });
}

/// No elements: an empty array, or null.
fn none(pen: &mut Pen, dice: Dice) {
    pen.raw(if dice.chance(pen.salt | FORM, 30) { "null" } else { "[]" });
}

/// Text that is missing in `percent` of cases.
fn maybe(pen: &mut Pen, dice: Dice, percent: u64, text: &str) {
    if dice.chance(pen.salt | MISSING, percent) { nothing(pen, dice) } else { pen.text(text) }
}

/// A number of ten-thousandths, without needless zeros and without a point if it is whole.
fn amount(pen: &mut Pen, value: i64) {
    let (sign, whole, part) =
        (if value < 0 { "-" } else { "" }, value.unsigned_abs() / 10_000, value.unsigned_abs() % 10_000);
    let text = format!("{sign}{whole}.{part:04}");
    pen.raw(text.trim_end_matches('0').trim_end_matches('.'));
}

/// Half to nine tenths of the price; what is given free has cost something.
fn cost(line: &Line) -> i64 {
    line.price.max(20_000) * (50 + line.dice.below(8, 40) as i64) / 100
}

/// `created` has milliseconds now and then.
fn created(pen: &mut Pen, document: &Document) {
    let before = document.dice.below(pen.salt, 3_600) as i64;
    pen.time(document.io_date - before);
    if document.dice.chance(pen.salt | FORM, 10) {
        pen.buf.pop();
        pen.raw(".487\"");
    }
}

/// The first batch's date, later by so many seconds; without batches one of the ways to say "no date".
fn line_date(pen: &mut Pen, line: &Line, later: i64) {
    match line.batches.first() {
        Some(batch) => pen.time(batch.made + later),
        None if line.dice.chance(pen.salt | MISSING, 20) => pen.text(NO_DATE),
        None => nothing(pen, line.dice),
    }
}

/// What the line is called; the same for the same material.
fn goods(line: &Line) -> &'static Goods {
    let number: usize = line.sku[3..].parse().unwrap_or_default();
    &GOODS[number % GOODS.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::super::flaw::Flaw;
    use super::super::record::Book;
    use super::*;
    use crate::sandbox::{Config, IdStyle};

    fn render(book: &Book, index: u32, shape: Shape) -> Value {
        let mut pen = Pen::new(IdStyle::Text, 4_096);
        document(&mut pen, &book.document(index), shape);
        serde_json::from_slice(&pen.buf).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&pen.buf)))
    }

    /// The kinds of JSON seen at every place.
    fn census(value: &Value, place: &str, seen: &mut BTreeMap<String, BTreeSet<&'static str>>) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "flag",
            Value::Number(number) if number.is_i64() => "integer",
            Value::Number(_) => "decimal",
            Value::String(text) if text.is_empty() => "empty",
            Value::String(_) => "text",
            Value::Array(list) => {
                list.iter().for_each(|element| census(element, &format!("{place}[]"), seen));
                if list.is_empty() { "empty" } else { "array" }
            }
            Value::Object(members) => {
                members.iter().for_each(|(name, member)| census(member, &format!("{place}.{name}"), seen));
                "object"
            }
        };
        seen.entry(place.to_owned()).or_default().insert(kind);
    }

    #[test]
    fn every_declared_field_comes_in_the_types_that_were_recorded() {
        let book = Book::new(&Config { bad: true, ..Config::default() });
        let mut seen = BTreeMap::new();
        for index in 0..book.len() {
            census(&render(&book, index, Shape { batches: true, drift: false }), "", &mut seen);
        }
        let declared: Value = serde_json::from_str(include_str!(
            "../../../tests/fixtures/vendor/jst-other.inout.query-declared-types.json"
        ))
        .expect("a copy of the vendor's declared types");
        for (part, place) in [("record", ""), ("items", ".items[]"), ("batchs", ".batchs[]"), ("sns", ".sns[]")] {
            for (name, kind) in declared[part].as_object().unwrap() {
                let kinds =
                    seen.remove(&format!("{place}.{name}")).unwrap_or_else(|| panic!("{place}.{name} is missing"));
                let allowed: &[&str] = match kind.as_str().unwrap().split([' ', ',']).next().unwrap() {
                    "int" => &["integer"],
                    "number" => &["integer", "decimal"],
                    "array" => &["array", "empty", "null"],
                    _ => &["text", "empty", "null"],
                };
                assert!(kinds.iter().all(|kind| allowed.contains(kind)), "{place}.{name}: {kinds:?}, not {allowed:?}");
            }
        }
        let rest: Vec<&String> = seen.keys().collect();
        assert_eq!(
            rest,
            ["", ".batchs[]", ".items[]", ".sns[]", ".ts"],
            "nothing but what is declared, and the row version"
        );
    }

    #[test]
    fn oddities_are_in_the_text_and_settings_change_the_shape() {
        let book = Book::new(&Config { bad: true, ..Config::default() });
        let mut seen = BTreeMap::new();
        let mut text = String::new();
        for index in 0..500 {
            let document = render(&book, index, Shape { batches: true, drift: false });
            if book.flaw(index) == Some(Flaw::BadQuantity) {
                assert!(document["items"][0]["qty"].as_i64().unwrap() <= 0);
            }
            census(&document, "", &mut seen);
            text.push_str(&document.to_string());
        }
        for (place, kinds) in [
            (".so_id", &["empty", "null", "text"][..]),
            (".drp_co_name", &["empty", "null", "text"]),
            (".items[].remark", &["empty", "null", "text"]),
            (".items[].sale_price", &["decimal", "integer"]),
            (".batchs", &["array", "empty", "null"]),
        ] {
            assert_eq!(seen[place].iter().copied().collect::<Vec<_>>(), kinds, "{place}");
        }
        assert!(seen[".items"].len() > 1 && text.contains(NO_DATE) && text.contains(".487\""));
        let plain = render(&book, 0, Shape { batches: false, drift: true });
        assert!(plain.get("batchs").is_none() && plain.get("sns").is_none() && plain.get("carbon_footprint").is_some());
    }

    #[test]
    fn amounts_are_written_to_the_last_digit() {
        let written = [0, 20_000, 17_500, 1, -123_450, 202_215].map(|value| {
            let mut pen = Pen::new(IdStyle::Text, 16);
            amount(&mut pen, value);
            String::from_utf8(pen.buf).unwrap()
        });
        assert_eq!(written, ["0", "2", "1.75", "0.0001", "-12.345", "20.2215"]);
    }
}
