//! The files of the flow from 聚水潭 to 金蝶 against what they must agree with: the staging table with the vendor's declared types,
//! the contract with a recorded request, the look-up tables with the sandbox's world.

use super::returns::{inout, shipped};
use dukou::sandbox::world;
use serde_json::Value;
use std::collections::BTreeSet;

const CONTRACT: &str = "sql/target/SAL_RETURNSTOCK.sql";

#[test]
fn the_look_up_tables_agree_with_the_sandboxs_world() {
    let rows = |name: &str| -> Vec<Vec<String>> {
        let text = shipped(&format!("sql/lookup/{name}.csv"));
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let table = |rows: Vec<[String; 2]>| -> Vec<Vec<String>> { rows.into_iter().map(Vec::from).collect() };
    let distributors = world::DISTRIBUTORS.iter().enumerate().map(|(i, name)| [(*name).to_owned(), world::customer(i)]);
    let houses = world::WAREHOUSES.iter().map(|w| [w.name.to_owned(), w.house_customer.to_owned()]);
    assert_eq!(rows("customer"), table(distributors.chain(houses).collect()));
    assert!(rows("customer").iter().all(|row| row[0] != world::UNKNOWN_DISTRIBUTOR));
    let stocks: Vec<Vec<String>> = world::WAREHOUSES
        .iter()
        .map(|w| vec![w.wms_co_id.to_string(), w.stock.to_owned(), w.name.to_owned()])
        .collect();
    assert_eq!(rows("stock"), stocks);
    assert_eq!(
        rows("salesman"),
        table(world::SALESMEN.iter().map(|(n, number)| [(*n).to_owned(), (*number).to_owned()]).collect())
    );
    let first = |name: &str| rows(name).into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    assert_eq!(first("clerk"), first("salesman"));
    assert_eq!(first("operator"), first("stock"));
}

#[test]
fn the_table_declares_every_field_of_the_vendor_and_of_the_order() {
    let vendor: Value =
        serde_json::from_str(&shipped("tests/fixtures/vendor/jst-other.inout.query-declared-types.json"))
            .expect("JSON");
    let def = inout();
    let ddl = shipped("sql/staging/inout.sql");
    let mut seen = 0;
    for (group, array) in [("record", None), ("items", Some("items")), ("batchs", Some("batchs")), ("sns", Some("sns"))]
    {
        let columns = match array {
            None => def.columns(),
            Some(array) => def.arrays().find(|(name, _)| *name == array).expect(array).1,
        };
        for (name, says) in vendor[group].as_object().expect("fields") {
            let column = columns.iter().find(|c| c.name == *name).unwrap_or_else(|| panic!("{group}.{name}"));
            let (ty, says) = (column.ty.to_string(), says.as_str().expect("a type"));
            let time = ["io_date", "modified", "created", "product_date", "expiration_date"].contains(&name.as_str());
            let fits = match says.split([' ', ',']).next() {
                Some("array") => ty.ends_with("[]"),
                Some("string") if time => ty == "TIMESTAMP",
                Some("string") => ty == "VARCHAR",
                // Quantities of goods sold by weight are no integers, whatever is declared.
                Some("int") if name == "qty" => ty == "DECIMAL(18,6)",
                Some("int") => ty == "BIGINT",
                Some("number") => ty == "BIGINT" || ty == "DECIMAL(18,6)",
                _ => false,
            };
            assert!(fits, "{group}.{name} is {ty}, the vendor says {says}");
            seen += 1;
        }
    }
    assert_eq!(seen, 56);
    // The order's Chinese names, with the vendor's field where the order's is another.
    for (field, name) in [
        ("io_date", "单据日期"),
        ("f_status", "财务状态"),
        ("labels", "多标签"),
        ("properties_value", "颜色及规格"),
        ("cost_amount", "总成本价"),
        ("i_id", "款式编码"),
        ("batchs", "items.batch"),
        ("batch_no", "items.batch_no"),
        ("inout_user", "items.inout_user"),
    ] {
        let line = ddl.lines().find(|l| l.trim_start().starts_with(&format!("{field} "))).expect(field);
        assert!(line.contains(name), "{line}");
    }
}

#[test]
fn the_contract_knows_every_field_of_the_recorded_requests() {
    let contract = shipped(CONTRACT).to_lowercase();
    let known = |key: &str| contract.contains(&format!("{} ", key.to_lowercase()));
    fn keys(value: &Value, out: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| {
                out.insert(key.trim().to_owned());
                keys(value, out);
            }),
            Value::Array(items) => items.iter().for_each(|item| keys(item, out)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    let sample = shipped("tests/fixtures/vendor/kingdee-req-returnstock-batchsave-seed-fields-composed.json");
    let sample: Value = serde_json::from_str(&sample).expect("JSON");
    keys(&sample["data"]["Model"], &mut found);
    let unknown: Vec<&String> = found.iter().filter(|key| !known(key) && *key != "FNumber").collect();
    assert!(found.len() > 35 && unknown.is_empty(), "{unknown:?} of {}", found.len());
}
