//! From trades to the text of a page: which fields are asked for, and the page around the trades.
//!
//! Takes a `fields` list and trades, gives bytes; never selects trades and never knows a request's other parameters.

use super::fields::{LINE, PAYMENT, TRADE, Write};
use super::trade::{Flaw, Trade};
use crate::sandbox::json::Pen;

/// Salts of the fields: trade, line and payment fields must not share dice with each other or with the trade itself.
const TRADE_SALT: u32 = 1_000;
const LINE_SALT: u32 = 2_000;
const PAYMENT_SALT: u32 = 3_000;

/// The request's name of a field where it is not the answer's (both columns: request, answer).
const ALIASES: [(&str, &str); 6] = [
    ("shopCode", "shopcode"),
    ("columnExt", "tradeOrderColumnExt"),
    ("expense.expenseFee", "otherPaymentFees"),
    ("expense.expenseItemName", "otherPaymentFees"),
    ("goodsDelivery.batchNo", "goodsDetail.goodsDelivery"),
    ("goodsDetail.goodsDelivery", "goodsDetail.goodsDelivery"),
];

/// Objects and arrays that come whole as soon as one of their members is named.
const WHOLE: [&str; 4] = ["tradeOrderPre", "goodsSerial", "packageDetail", "otherPaymentFees"];

/// What a `fields` list asks for, as positions in the field tables. Equal lists in another order are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    trade: Vec<usize>,
    line: Vec<usize>,
    payment: Vec<usize>,
    /// `scrollId` is asked for.
    pub scroll: bool,
}

impl Projection {
    /// Reads a `fields` list. Unknown names are ignored, as the vendor does. `goodsDetail` and `tradeOrderPayList`
    /// named alone come whole; named together with dotted names, only those come (our choice).
    /// `tradeOrderColumnExt` comes for `columnExt` only, whole (documentation of 2026).
    pub fn parse(fields: &str) -> Projection {
        let mut asked = Projection { trade: Vec::new(), line: Vec::new(), payment: Vec::new(), scroll: false };
        for name in fields.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            asked.name(name);
        }
        for (list, table, all) in
            [(&mut asked.line, "goodsDetail", LINE.len()), (&mut asked.payment, "tradeOrderPayList", PAYMENT.len())]
        {
            if list.is_empty() && trade_position(table).is_some_and(|at| asked.trade.contains(&at)) {
                *list = (0..all).collect();
            }
        }
        for list in [&mut asked.trade, &mut asked.line, &mut asked.payment] {
            list.sort_unstable();
            list.dedup();
        }
        asked
    }

    /// Every field there is.
    pub fn everything() -> Projection {
        Projection {
            trade: (0..TRADE.len()).collect(),
            line: (0..LINE.len()).collect(),
            payment: (0..PAYMENT.len()).collect(),
            scroll: false,
        }
    }

    fn name(&mut self, name: &str) {
        if name == "scrollId" {
            self.scroll = true;
            return;
        }
        if name == "tradeOrderColumnExt" {
            return;
        }
        let name = match ALIASES.iter().find(|(request, _)| *request == name) {
            Some((_, answer)) => answer,
            None if name.starts_with("customizeGoodsColumn") => "tradeOrderGoodsColumnExts",
            None => name,
        };
        let (head, member) = name.split_once('.').unwrap_or((name, ""));
        let Some(position) = trade_position(head) else { return };
        if member.is_empty() || WHOLE.contains(&head) {
            self.trade.push(position);
            return;
        }
        let (list, found) = match head {
            "goodsDetail" => (&mut self.line, LINE.iter().position(|field| field.name == member)),
            "tradeOrderPayList" => (&mut self.payment, PAYMENT.iter().position(|field| field.name == member)),
            _ => return,
        };
        if let Some(found) = found {
            list.push(found);
            self.trade.push(position);
        }
    }

    /// Writes one trade as a JSON object, with undeclared fields beside the asked ones if `drift`.
    pub fn write(&self, pen: &mut Pen, trade: &Trade, drift: bool) {
        pen.raw("{");
        for &at in &self.trade {
            let field = &TRADE[at];
            pen.member(field.name, TRADE_SALT + at as u32, |pen| match field.write {
                Write::Value(write) => write(pen, trade),
                Write::Lines => self.lines(pen, trade, drift),
                Write::Payments => self.payments(pen, trade),
            });
        }
        if drift {
            pen.member("carbonFootprint", 0, |pen| pen.text("0.42kg"));
            pen.member("platExtInfo", 0, |pen| pen.raw(r#"{"newRetail":true,"tags":["a","b"]}"#));
        }
        pen.raw("}");
    }

    fn lines(&self, pen: &mut Pen, trade: &Trade, drift: bool) {
        if trade.flaw == Some(Flaw::NoLines) && trade.dice.chance(pen.salt, 67) {
            return pen.null();
        }
        pen.raw("[");
        for line in &trade.lines {
            pen.comma();
            pen.raw("{");
            for &at in &self.line {
                let field = &LINE[at];
                pen.member(field.name, LINE_SALT + at as u32, |pen| (field.write)(pen, trade, line));
            }
            if drift {
                pen.member("lineCarbonFootprint", 0, |pen| pen.int(7));
            }
            pen.raw("}");
        }
        pen.raw("]");
    }

    /// One payment; for a few trades none, as null or as an empty array.
    fn payments(&self, pen: &mut Pen, trade: &Trade) {
        match trade.dice.below(pen.salt, 100) {
            0..=2 => return pen.null(),
            3..=5 => return pen.raw("[]"),
            _ => pen.raw("[{"),
        }
        for &at in &self.payment {
            let field = &PAYMENT[at];
            if let Write::Value(write) = field.write {
                pen.member(field.name, PAYMENT_SALT + at as u32, |pen| write(pen, trade));
            }
        }
        pen.raw("}]");
    }
}

fn trade_position(name: &str) -> Option<usize> {
    TRADE.iter().position(|field| field.name == name)
}

/// The text of `result.data`: `{"scrollId":…,"totalResults":…,"trades":[…]}`, the first two only where given.
pub fn page(
    pen: &mut Pen,
    projection: &Projection,
    trades: impl Iterator<Item = Trade>,
    scroll: Option<&str>,
    total: Option<usize>,
    drift: bool,
) {
    pen.raw("{");
    if let Some(token) = scroll {
        pen.member("scrollId", 0, |pen| pen.text(token));
    }
    if let Some(total) = total {
        pen.member("totalResults", 0, |pen| pen.int(total as i64));
    }
    pen.member("trades", 0, |pen| {
        pen.raw("[");
        for trade in trades {
            pen.comma();
            projection.write(pen, &trade, drift);
        }
        pen.raw("]");
    });
    pen.raw("}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::jackyun::trade::Book;
    use crate::sandbox::jackyun::{SEED_FIELDS, SEED_FIELDS_NOT_ANSWERED};
    use crate::sandbox::{Config, IdStyle};
    use serde_json::Value;

    fn one(fields: &str, index: u32) -> Value {
        let book = Book::new(&Config { trades: 500, bad: true, ..Config::default() });
        let mut pen = Pen::new(IdStyle::Text, 1024);
        Projection::parse(fields).write(&mut pen, &book.trade(index), false);
        serde_json::from_slice(&pen.buf).unwrap()
    }

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn exactly_the_named_fields_come() {
        assert_eq!(keys(&one("tradeNo, tradeId,noSuchField,scrollId", 0)), ["tradeNo", "tradeId"]);
        assert_eq!(keys(&one("shopCode", 0)), ["shopcode"]);
        assert_eq!(keys(&one("tradeOrderColumnExt,tradeOrderColumnExt.tradeId,tradeNo", 0)), ["tradeNo"]);
        assert_eq!(one("columnExt", 0)["tradeOrderColumnExt"]["tradeId"], "1739147106171755776");
        let dotted = one("goodsDetail,goodsDetail.goodsNo,goodsDetail.goodsName", 0);
        assert_eq!(keys(&dotted["goodsDetail"][0]), ["goodsNo", "goodsName"]);
        assert_eq!(one("goodsDetail.goodsNo", 0)["goodsDetail"][0].as_object().unwrap().len(), 1);
        let whole = one("goodsDetail", 0);
        assert!(whole["goodsDetail"][0]["assessmentGrossProfitPercent"].as_str().unwrap().ends_with('%'));
        assert_eq!(keys(&one("expense.expenseFee", 0)), ["otherPaymentFees"]);
        assert_eq!(keys(&one("tradeOrderPre.frstPaytime", 0)), ["tradeOrderPre"]);
    }

    #[test]
    fn every_field_of_the_order_is_answered() {
        for name in SEED_FIELDS.split(',') {
            let asked = Projection::parse(name);
            let answered = !asked.trade.is_empty();
            let expected = !SEED_FIELDS_NOT_ANSWERED.iter().any(|prefix| name.starts_with(prefix));
            assert_eq!(answered, expected, "{name}");
        }
    }

    #[test]
    fn planted_flaws_and_oddities_are_in_the_text() {
        let at = |flaw| Flaw::ALL.iter().find(|(f, _)| *f == flaw).unwrap().1;
        assert!(one("orderNo", at(Flaw::NoOrderNo))["orderNo"].is_null());
        assert!(one("sellerMemo", at(Flaw::LongMemo))["sellerMemo"].as_str().unwrap().chars().count() >= 300);
        let lines = one("goodsDetail", at(Flaw::NoLines))["goodsDetail"].clone();
        assert!(lines.is_null() || lines == Value::Array(vec![]), "{lines}");
        assert_eq!(one("goodsDetail.sellCount", at(Flaw::BadCount))["goodsDetail"][0]["sellCount"], "两件");
        assert_eq!(one("tradeStatus", at(Flaw::Cancelled))["tradeStatus"], 5010);
        assert_eq!(one("tradeStatus", at(Flaw::Merged))["tradeStatus"], 5020);
        let successor = one("onlineTradeNo", at(Flaw::Merged) + 1);
        assert_eq!(successor["onlineTradeNo"].as_str().unwrap().split(',').count(), 2);

        let (mut empty, mut null, mut absent, mut number, mut text) = (0, 0, 0, 0, 0);
        for trade in (0..500).map(|index| one("customerTags,payment", index)) {
            match trade.get("customerTags") {
                None => absent += 1,
                Some(Value::Null) => null += 1,
                Some(tags) => empty += usize::from(tags == ""),
            }
            if trade["payment"].is_string() { text += 1 } else { number += 1 }
        }
        assert!(empty > 50 && null > 20 && absent > 10 && number > 100 && text > 100);
    }
}
