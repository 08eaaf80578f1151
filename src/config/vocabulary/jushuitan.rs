//! Jushuitan `other.inout.query`: request and record as two published clients declare them, with the names of the order.
//!
//! Data only; what is done with it says the parent module.

use super::{ParamKind, Range, Vocabulary};

pub static JUSHUITAN: Vocabulary = Vocabulary {
    name: "jushuitan",
    method: "other.inout.query",
    table: "inout",
    key: "io_id",
    version: "modified",
    variables: "JST",
    max_window_days: 7,
    max_page_size: 50,
    // so_ids and io_ids alike.
    max_list: 50,
    pages_from_zero: false,
    calls_per_second: 5.0,
    calls_per_minute: Some(100),
    axes: &[("io_date", "io_date")],
    has_table_switches: false,
    has_refresh_token: true,
    params: PARAMS,
    // With `date_type` = 2 the same two names are about io_date.
    ranges: &[Range { begin: "modified_begin", end: "modified_end", axis: "modified" }],
    choices: &[
        ("types", &["其它退货", "其它出库", "其它进仓"]),
        ("status", &["Confirmed", "WaitConfirm", "Archive", "Cancelled", "OuterConfirming", "Delete"]),
    ],
    aliases: &[],
    refused: &[
        ("date_type", "0", "take it out: a run asks by modified, a history on axis = \"io_date\" by io_date"),
        ("start_ts", "", "take it out: it excludes every other filter, and dukou asks by closed windows"),
    ],
    needs_fields: false,
    record_word: "record",
    record: RECORD,
    asked: "drop_co_name",
    parts: &[("items", ITEMS), ("batchs", BATCHS), ("sns", SNS)],
    numbered: &[],
};

/// By kind, the request parameters.
const PARAMS: &[(ParamKind, &str)] = &[
    (ParamKind::Time, "modified_begin modified_end"),
    (ParamKind::List, "so_ids io_ids types"),
    (ParamKind::Text, "status"),
    (ParamKind::StartPage, "page_index"),
    (ParamKind::PageSize, "page_size"),
    (ParamKind::Integer, "wms_co_id date_type start_ts"),
];

/// Fields of a record. `drp_co_name` is spelled `drop_co_name` by one client; `batchs` and `sns` come only where the
/// vendor's settings for batches and serial numbers are on; `ts` is the row version that every record carries.
const RECORD: &str = "\
    io_id io_date status so_id type f_status warehouse receiver_name receiver_mobile receiver_state receiver_city \
    receiver_district receiver_address wh_id remark modified created labels wms_co_id creator_name wave_id drp_co_name \
    inout_user l_id lc_id logistics_company lock_wh_id lock_wh_name ts items batchs sns";

/// `items.`: a line.
const ITEMS: &str = "\
    ioi_id sku_id name unit properties_value qty cost_price cost_amount i_id remark io_id sale_price sale_amount \
    batch_id product_date supplier_id expiration_date";

/// `batchs.`, so spelled: a batch of a line.
const BATCHS: &str = "batch_no sku_id qty product_date supplier_id supplier_name";

/// `sns.`: a serial number.
const SNS: &str = "sku_id sn";

#[cfg(test)]
mod tests {
    use super::super::{JUSHUITAN, ParamKind};
    use serde_json::Value;

    const DECLARED: &str = include_str!("../../../tests/fixtures/vendor/jst-other.inout.query-declared-types.json");

    #[test]
    fn every_declared_name_is_known() {
        let declared: Value = serde_json::from_str(DECLARED).expect("JSON");
        let names = |part: &str| declared[part].as_object().expect(part).keys().cloned().collect::<Vec<_>>();
        for name in names("request") {
            assert!(JUSHUITAN.param(&name).is_ok(), "{name}");
        }
        for name in names("record") {
            assert!(JUSHUITAN.is_record_field(&name) && JUSHUITAN.is_field(&name), "{name}");
        }
        for part in ["items", "batchs", "sns"] {
            for name in names(part) {
                assert!(JUSHUITAN.is_field(&format!("{part}.{name}")), "{part}.{name}");
            }
        }
    }

    #[test]
    fn wrong_names_are_put_right() {
        assert_eq!(JUSHUITAN.param("so_ids"), Ok(ParamKind::List));
        assert_eq!(JUSHUITAN.param("pageIndex"), Err("did you mean page_index?".to_owned()));
        assert!(JUSHUITAN.param("warehouse").is_err_and(|hint| hint.contains("field of the answer")));
        assert!(JUSHUITAN.field_hint("items.batchs").contains("batchs is a field of the record itself"));
        assert!(JUSHUITAN.field_hint("ioi_id").contains("items.ioi_id?"));
        assert!(JUSHUITAN.record_field_hint("io_i").contains("io_id?"));
        assert!(JUSHUITAN.record_field_hint("zzz").contains("as io_id or modified"));
    }
}
