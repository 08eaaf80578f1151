//! A sent model, read against the form: which of it the ERP takes, drops, or refuses.
//!
//! Takes one entry of `Model` and the base data, gives a sheet of values with all that is wrong with it. Fields are taken
//! in the order sent, because the ERP fires their change events in that order. Never stores.

use chrono::{NaiveDate, NaiveDateTime};

use super::KingdeeConfig;
use super::answer::{Refusal, code};
use super::base::{BaseData, Given};
use super::form::{self, ENTRY, ENTRY_NAME, FINANCE, Field, Kind, Level};
use super::store::Fields;
use super::value::{Json, decimal};

/// The values of a model that the ERP would store.
#[derive(Debug, Default)]
pub struct Sheet {
    /// The document to change; 0: a new one.
    pub fid: u64,
    pub head: Fields,
    pub finance: Fields,
    pub lines: Vec<SheetLine>,
    /// Keys in no metadata.
    pub ignored: Vec<String>,
    /// Lines dropped without a word.
    pub dropped_lines: usize,
    pub refusals: Vec<Refusal>,
    /// The finance part came after the lines, which zeroes their prices.
    finance_last: bool,
}

/// A line as sent.
#[derive(Debug, Default)]
pub struct SheetLine {
    /// The line to change; 0: a new one.
    pub entry_id: u64,
    pub fields: Fields,
}

impl Sheet {
    /// Reads a model. With `verify`, base data that does not exist is refused; without, it is taken as not given, and a
    /// line without its material is dropped silently.
    pub fn read(model: &Json, base: &BaseData, verify: bool) -> Sheet {
        let mut sheet = Sheet::default();
        let Json::Object(members) = model else {
            sheet.refusals.push(Refusal::plain(code::EXCEPTION, "Model数据包格式不正确：应为JSON对象"));
            return sheet;
        };
        for (key, value) in members {
            if key.eq_ignore_ascii_case(FINANCE) {
                sheet.finance_last = !sheet.lines.is_empty();
                sheet.read_finance(value, base, verify);
            } else if key.eq_ignore_ascii_case(ENTRY) {
                sheet.read_lines(value, base, verify);
            } else if key.eq_ignore_ascii_case("FID") {
                sheet.fid = value.plain().parse().unwrap_or(0);
            } else if let Some(field) = sheet.place(Level::Head, key, "") {
                let mut head = std::mem::take(&mut sheet.head);
                sheet.take(&mut head, field, value, base, verify, None);
                sheet.head = head;
            }
        }
        sheet
    }

    fn read_finance(&mut self, value: &Json, base: &BaseData, verify: bool) {
        let Json::Object(members) = value else {
            if !value.plain().is_empty() || !value.is_scalar() {
                self.refusals.push(Refusal::of(FINANCE, format!("{FINANCE}的数据格式不正确：应为对象")));
            }
            return;
        };
        let mut finance = std::mem::take(&mut self.finance);
        for (key, value) in members {
            if let Some(field) = self.place(Level::Finance, key, FINANCE) {
                self.take(&mut finance, field, value, base, verify, None);
            }
        }
        self.finance = finance;
    }

    fn read_lines(&mut self, value: &Json, base: &BaseData, verify: bool) {
        let Json::List(rows) = value else {
            self.refusals.push(Refusal::of(ENTRY, format!("{ENTRY}的数据格式不正确：应为数组")));
            return;
        };
        for (at, row) in rows.iter().enumerate() {
            let Json::Object(members) = row else {
                self.refusals.push(Refusal::of(ENTRY, format!("{ENTRY}的数据格式不正确：应为对象数组")));
                continue;
            };
            let mut line = SheetLine::default();
            for (key, value) in members {
                if key.eq_ignore_ascii_case("FENTRYID") {
                    line.entry_id = value.plain().parse().unwrap_or(0);
                } else if let Some(field) = self.place(Level::Entry, key, ENTRY) {
                    self.take(&mut line.fields, field, value, base, verify, Some(at + 1));
                }
            }
            let sent_material = members
                .iter()
                .any(|(key, value)| key.eq_ignore_ascii_case("FMaterialId") && Given::read(value) != Given::Nothing);
            if sent_material && !verify && line.fields.get("FMaterialId").is_none() {
                self.dropped_lines += 1;
            } else {
                self.lines.push(line);
            }
        }
    }

    /// The field a key means at a level. A key of another level is refused; one that is in no metadata is ignored.
    fn place(&mut self, level: Level, key: &str, path: &str) -> Option<&'static Field> {
        if let Some(field) = level.field(key) {
            return Some(field);
        }
        let misplaced = [FINANCE, ENTRY].iter().any(|entity| entity.eq_ignore_ascii_case(key));
        if misplaced || form::find(key).is_some() {
            let entity = level.entity();
            let message = format!("ResolveFiled_InnerEx 解析字段{key}出错：实体不存在此属性！[EntityType：{entity}]");
            self.refusals.push(Refusal { field: Some(key.to_owned()), message, code: code::EXCEPTION });
        } else if !form::is_structural(key) {
            self.ignored.push(if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") });
        }
        None
    }

    /// Puts a value into its field, if it is one that the field can hold.
    fn take(
        &mut self,
        fields: &mut Fields,
        field: &'static Field,
        value: &Json,
        base: &BaseData,
        verify: bool,
        line: Option<usize>,
    ) {
        let empty = value.is_scalar() && value.plain().is_empty();
        let good = match field.kind {
            Kind::Base(book) => {
                let given = Given::read(value);
                match given {
                    Given::Nothing => return,
                    Given::Misshapen => false,
                    _ if base.knows(book, given) => true,
                    _ if verify => {
                        let (what, number) = (book.caption(), given.text());
                        let message = format!("【{}】字段的{what}“{number}”不存在或已被禁用", field.caption);
                        self.refusals.push(Refusal::of(field.key, at_line(line, &message)));
                        // Refused already: it must not be found missing as well.
                        fields.set(field.key, value.clone());
                        return;
                    }
                    _ => return,
                }
            }
            Kind::Nested => !value.is_scalar() || empty,
            Kind::Number => empty || decimal(value.plain()).is_some(),
            Kind::Flag => empty || value.flag().is_some(),
            Kind::Date => empty || moment(value.plain()).is_some(),
            Kind::Text => value.is_scalar(),
        };
        if good {
            fields.set(field.key, value.clone());
        } else {
            let message = format!("【{}】字段的值格式不正确", field.caption);
            self.refusals.push(Refusal::of(field.key, at_line(line, &message)));
        }
    }

    /// Adds what the form and its rules refuse: missing values and prices.
    pub fn validate(&mut self, config: &KingdeeConfig) {
        for field in Level::Head.required() {
            let filled_in = config.default_date && field.kind == Kind::Date && self.head.get(field.key).is_none();
            if is_missing(&self.head, field) && !filled_in {
                self.refusals.push(Refusal::of(field.key, format!("字段“{}”是必填项", field.caption)));
            }
        }
        if self.lines.is_empty() {
            self.refusals.push(Refusal::of(ENTRY, format!("单据体【{ENTRY_NAME}】不能为空")));
        }
        let (zeroed, mut refusals) = (self.finance_last && config.order_sensitive, Vec::new());
        for (at, line) in self.lines.iter_mut().enumerate() {
            if zeroed {
                line.fields.set("FTaxPrice", Json::from(0_u64));
            }
            for field in Level::Entry.required() {
                if is_missing(&line.fields, field) {
                    let message = format!("【{}】字段必录", field.caption);
                    refusals.push(Refusal::of(field.key, at_line(Some(at + 1), &message)));
                }
            }
            if line.fields.number("FRealQty") < 0 {
                refusals.push(Refusal::of("FRealQty", at_line(Some(at + 1), "【实退数量】必须大于0")));
            }
            if !has_price(&mut line.fields, config.price_list) {
                refusals.push(Refusal::of("FTaxPrice", at_line(Some(at + 1), "含税单价不能小于等于0")));
            }
        }
        self.refusals.extend(refusals);
    }

    /// The day of the document.
    pub fn day(&self) -> Option<NaiveDate> {
        self.head.get("FDate").and_then(|date| moment(date.plain())).map(|moment| moment.date())
    }
}

/// A message about a line, from 1.
fn at_line(line: Option<usize>, message: &str) -> String {
    match line {
        Some(line) => format!("单据体实体【{ENTRY_NAME}】第【{line}】行分录，{message}"),
        None => message.to_owned(),
    }
}

fn is_missing(fields: &Fields, field: &Field) -> bool {
    let Some(value) = fields.get(field.key) else { return true };
    match field.kind {
        Kind::Base(_) => Given::read(value) == Given::Nothing,
        Kind::Number => decimal(value.plain()).is_none_or(|number| number == 0),
        _ => value.plain().is_empty(),
    }
}

/// A line must be free or have a price; a price list fills in what was not sent.
fn has_price(fields: &mut Fields, price_list: bool) -> bool {
    let sent = |key: &str| fields.get(key).is_some_and(|value| !value.plain().is_empty());
    let free = fields.get("FIsFree").and_then(Json::flag) == Some(true);
    if sent("FTaxPrice") {
        return free || fields.number("FTaxPrice") > 0;
    }
    if price_list && !sent("FPrice") {
        fields.set("FTaxPrice", Json::from(1_u64));
    }
    free || price_list || fields.number("FPrice") > 0
}

/// A date with or without a time, in the forms clients write.
pub fn moment(text: &str) -> Option<NaiveDateTime> {
    let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    let full = |form: &str| NaiveDateTime::parse_from_str(text, form).ok();
    day(text).or_else(|| full("%Y-%m-%d %H:%M:%S%.f")).or_else(|| full("%Y-%m-%dT%H:%M:%S%.f"))
}
