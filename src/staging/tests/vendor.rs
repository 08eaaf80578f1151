//! The vendor's documented answers, read a second time by another library and compared field by field.

use super::{Staged, decode, shown, trade};
use crate::base::clock::wall;
use crate::base::record::Rid;
use crate::staging::schema::{Column, Type};
use crate::staging::{FieldCount, raw_record};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int32Type;
use chrono::DateTime;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;

/// Every declared field of a record, compared with a second reading of its text.
fn agrees(
    columns: &[Column],
    json: &Json,
    value_of: &dyn Fn(&str) -> (ArrayRef, usize),
    path: &str,
    misfits: &[FieldCount],
) {
    for column in columns {
        let path = format!("{path}{}", column.name);
        let (array, row) = value_of(&column.name);
        let written = &json[&column.name];
        let nothing = written.is_null() || (written == "" && column.ty != Type::Text);
        if array.is_null(row) {
            assert!(nothing || misfits.iter().any(|m| m.path == path), "{path}: {written} is gone");
            continue;
        }
        assert!(!nothing, "{path}: a value out of nothing");
        match &column.ty {
            Type::Struct(fields) => {
                let inner = array.as_struct();
                agrees(
                    fields,
                    written,
                    &|n| (inner.column_by_name(n).unwrap().clone(), row),
                    &format!("{path}."),
                    misfits,
                );
            }
            Type::List(element) => {
                let list = array.as_list::<i32>();
                let written = match written {
                    Json::String(text) => serde_json::from_str(text).unwrap(),
                    Json::Array(_) => written.clone(),
                    one => Json::Array(vec![one.clone()]),
                };
                let elements = written.as_array().unwrap();
                assert_eq!(list.value_length(row) as usize, elements.len(), "{path}");
                let Type::Struct(fields) = &**element else { continue };
                let inner = list.value(row);
                let inner = inner.as_struct();
                for (i, element) in elements.iter().enumerate() {
                    let column = |n: &str| (inner.column_by_name(n).unwrap().clone(), i);
                    agrees(fields, element, &column, &format!("{path}."), misfits);
                    assert_eq!(
                        inner.column_by_name("_line").unwrap().as_primitive::<Int32Type>().value(i) as usize,
                        i + 1
                    );
                }
            }
            _ => {
                let bare = |t: &str| match &column.ty {
                    Type::Decimal { .. } if t.contains('.') => {
                        t.trim_end_matches('0').trim_end_matches('.').to_string()
                    }
                    Type::Timestamp => match t.parse() {
                        Ok(millis) => wall(DateTime::from_timestamp_millis(millis).unwrap()).to_string(),
                        Err(_) => t.replace('T', " "),
                    },
                    _ => t.to_string(),
                };
                let text = written.as_str().map_or_else(|| written.to_string(), ToString::to_string);
                assert_eq!(bare(&shown(&array, row)), bare(&text), "{path}");
            }
        }
    }
}

#[test]
fn the_vendors_samples_decode_with_nothing_lost() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vendor");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        if !name.starts_with("jackyun-") || !name.ends_with("-success-doc.json") && !name.ends_with("-repaired.json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let data = &serde_json::from_str::<Json>(&text).unwrap()["result"]["data"];
        let raws: Vec<String> = match (data["trades"].as_array(), data["data"].as_array()) {
            (Some(_), _) => raw_elements(&text, "trades"),
            (_, Some(_)) => raw_elements(&text, "data"),
            _ => vec![raw_member(&text, "data")],
        };
        let mut staged = Staged::new(trade());
        let slice = staged.stage(7, std::slice::from_ref(&raws));
        for (row, raw) in (0..).zip(&raws) {
            let back = raw_record(&staged.files[0].path, Rid::new(7, row)).unwrap().unwrap();
            assert_eq!(&back.raw, raw, "{name}: the raw text");
            let (batch, misfits, drift) = decode(&staged.def, raw);
            let json: Json = serde_json::from_str(raw).unwrap();
            agrees(staged.def.columns(), &json, &|n| (batch.column_by_name(n).unwrap().clone(), 0), "", &misfits);
            let declared = |key: &String| staged.def.columns().iter().any(|c| c.name == *key);
            for key in json.as_object().unwrap().keys().filter(|k| !declared(k)) {
                assert!(drift.iter().any(|d| d.path == *key), "{name}: {key} is neither declared nor counted");
            }
        }
        if name.contains("fullinfoget") {
            assert_eq!(
                (slice.misfits, slice.drift),
                (vec![], vec![]),
                "the documented trade fits the definition whole"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 4, "the samples are there");
}

fn raw_elements(text: &str, name: &str) -> Vec<String> {
    let raws: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(&raw_member(text, name)).unwrap();
    raws.iter().map(|r| r.get().to_string()).collect()
}

/// The text of the innermost member called `name` under result.data.
fn raw_member(text: &str, name: &str) -> String {
    type Members = BTreeMap<String, Box<serde_json::value::RawValue>>;
    let mut at = text.to_string();
    for step in ["result", "data"] {
        at = serde_json::from_str::<Members>(&at).unwrap()[step].get().to_string();
    }
    serde_json::from_str::<Members>(&at).unwrap().get(name).map_or(at, |raw| raw.get().to_string())
}

/// The declared columns by dotted path.
fn by_path(columns: &[Column], path: &str, out: &mut BTreeMap<String, String>) {
    for column in columns {
        let path = format!("{path}{}", column.name);
        let fields = match &column.ty {
            Type::Struct(fields) => Some(fields),
            Type::List(element) => match &**element {
                Type::Struct(fields) => Some(fields),
                _ => None,
            },
            _ => None,
        };
        match fields {
            Some(fields) => by_path(fields, &format!("{path}."), out),
            None => drop(out.insert(path, column.ty.to_string())),
        }
    }
}

#[test]
fn the_definition_has_every_field_the_vendor_declares_with_its_type() {
    let types = "tests/fixtures/vendor/jackyun-oms.trade.fullinfoget-declared-types.json";
    let vendor: Json = serde_json::from_str(&super::shared(types)).unwrap();
    let mut declared = BTreeMap::new();
    by_path(trade().columns(), "", &mut declared);
    let groups = [
        ("trades", ""),
        ("goodsDetail", "goodsDetail."),
        ("goodsDetail.goodsDelivery", "goodsDetail.goodsDelivery."),
        ("tradeOrderPayList", "tradeOrderPayList."),
        ("tradeOrderColumnExt", "tradeOrderColumnExt."),
        ("tradeOrderPre", "tradeOrderPre."),
        ("goodsSerial", "goodsSerial."),
        ("otherPaymentFees", "otherPaymentFees."),
        ("packageDetail", "packageDetail."),
    ];
    let mut seen = 0;
    for (group, prefix) in groups {
        for (vendor_type, names) in vendor[group].as_object().unwrap() {
            let ours = match vendor_type.as_str() {
                "BigDecimal" => "DECIMAL(",
                "Integer" => "INTEGER",
                "Long" => "BIGINT",
                "Date" => "TIMESTAMP",
                "String" => "VARCHAR",
                // Nested: their fields are groups of their own.
                _ => continue,
            };
            for name in names.as_array().unwrap().iter().map(|n| n.as_str().unwrap()) {
                let path = format!("{prefix}{}", name.replace("1..10", "7"));
                let ty = declared.get(&path).unwrap_or_else(|| panic!("{path} is not declared"));
                assert!(ty.starts_with(ours), "{path} is {ty}, the vendor says {vendor_type}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 243, "fields the vendor declares");
}
