//! Filters as a table: what is evaluated, and what is refused.

use super::filter::{BadFilter, Expr};
use super::value::Json;

fn passes(filter: &str) -> Result<bool, BadFilter> {
    let filter = Json::parse(filter).unwrap_or_else(|_| Json::text(filter));
    let cell = |name: &str| match name.to_ascii_lowercase().as_str() {
        "fbillno" => Json::text("XT'7"),
        "fdate" => Json::text("2024-06-05T00:00:00"),
        "frealqty" => Json::Number("12.50".to_owned()),
        "fisfree" => Json::Bool(false),
        "fnote" => Json::Null,
        "fretcustid.fnumber" => Json::text("007"),
        other => panic!("no field {other}"),
    };
    Expr::read(Some(&filter)).map(|filter| filter.passes(&cell))
}

#[test]
fn text_filters_are_evaluated() {
    for (filter, expected) in [
        ("", true),
        ("1=1", true),
        ("FBillNo = 'XT''7'", true),
        ("fbillno<>'XT''7' OR FRetcustId.FNumber = '007'", true),
        ("FRetcustId.FNumber = '7'", false),
        ("FRealQty = 12.5 and FRealQty >= '12.5' and frealqty < 13 and frealqty <= 12.5 and not FRealQty > 12.5", true),
        ("FBillNo in ('A', 'XT''7')", true),
        ("FBillNo not in('A','XT''7')", false),
        ("FBillNo like 'XT%' and FBillNo like '%7' and FBillNo like 'X__7' and FBillNo not like 'T%'", true),
        ("FBillNo LIKE '%T'", false),
        ("FDate >= '2024-06-05' and FDate < {ts'2024-06-06 00:00:00'} and FDate = '2024-06-05 00:00:00'", true),
        ("FDate > '2024-06-05'", false),
        ("FIsFree = 0 and FIsFree='false'", true),
        ("FNote is null and FBillNo is not null", true),
        ("FNote = '' or FNote <> ''", true),
        ("FNote = ''", false),
        ("FBillNo='A' and FBillNo='B' or 1=1", true),
        ("FBillNo='A' and (FBillNo='B' or 1=1)", false),
        ("not (FBillNo = N'XT''7')", false),
    ] {
        assert_eq!(passes(filter), Ok(expected), "{filter}");
    }
}

#[test]
fn array_filters_are_evaluated() {
    let row = |left: &str, field: &str, compare: &str, value: &str, right: &str, logic: &str| {
        format!(
            r#"{{"Left":"{left}","FieldName":"{field}","Compare":"{compare}","Value":"{value}","Right":"{right}","Logic":{logic}}}"#
        )
    };
    for (rows, expected) in [
        (vec![], true),
        (vec![row("(", "FBillNo", "67", "XT'7", ")", "0")], true),
        (vec![row("", "FBillNo", "338", "a,XT'7", "", "\"0\""), row("", "FRealQty", "=", "12.5", "", "0")], true),
        (vec![row("", "FBillNo", "105", "no", "", "1"), row("", "FRealQty", ">", "12", "", "0")], true),
        (vec![row("", "FBillNo", "=", "no", "", "\"AND\""), row("", "FRealQty", ">", "12", "", "\"OR\"")], false),
        (
            vec![
                row("", "FBillNo", "like", "XT%", "", "0"),
                row("(", "FBillNo", "<>", "no", "", "\"OR\""),
                row("", "FRealQty", "<", "1", ")", ""),
            ]
            .into_iter()
            .map(|row| row.replace(":}", ":\"\"}"))
            .collect(),
            true,
        ),
    ] {
        assert_eq!(passes(&format!("[{}]", rows.join(","))), Ok(expected), "{rows:?}");
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    for filter in [
        "FBillNo",
        "FBillNo =",
        "= 'x'",
        "FBillNo == 'x'",
        "FBillNo = 'x",
        "FBillNo in 'x'",
        "FBillNo in ()",
        "(FBillNo = 'x'",
        "FBillNo = 'x')",
        "FBillNo = 'x' FDate = 'y'",
        "FBillNo = 'x' and",
        "FBillNo not = 'x'",
        "FBillNo; drop table",
        &"(".repeat(10_000),
        r#"[{"FieldName":"FBillNo","Compare":"999","Value":"x"}]"#,
        r#"[{"Compare":"67","Value":"x"}]"#,
    ] {
        assert_eq!(passes(filter), Err(BadFilter), "{filter}");
    }
}

#[test]
fn a_list_of_numbers_is_found_at_the_top_only() {
    let restricts = |filter: &str| {
        let expr = Expr::read(Some(&Json::text(filter))).unwrap();
        expr.restricts("FBillNo").map(|found| found.join(","))
    };
    assert_eq!(restricts("FBillNo in ('a','b')").as_deref(), Some("a,b"));
    assert_eq!(restricts("FDate>'2024-01-01' and fbillno='a'").as_deref(), Some("a"));
    for open in ["FBillNo='a' or 1=1", "FBillNo<>'a'", "not FBillNo='a'", "FBillNo like 'a'", "FBillNo in (1)", ""] {
        assert_eq!(restricts(open), None, "{open}");
    }
}
