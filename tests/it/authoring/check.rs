//! `dukou check`: every fault with file, place and the nearest right name, many at once, within a second.

use crate::support_project::Project;
use std::fmt::Write as _;
use std::time::Instant;

const PIPELINE: &str = "pipelines/jackyun_trades_to_sqlite.toml";
const MAPPING: &str = "sql/mapping/jackyun_trades_to_mysql.sql";
const DDL: &str = "sql/staging/trade.sql";

/// One way to get a project wrong: what it is called, and the edits (file, from, to).
type Case = (&'static str, &'static [(&'static str, &'static str, &'static str)]);

const CASES: &[Case] = &[
    ("a wrong column", &[(MAPPING, "orderNo           AS", "orderno           AS")]),
    ("a wrong member of a line", &[(MAPPING, "g['goodsNo']", "g['goodNo']")]),
    ("a float function", &[(MAPPING, "sellerMemo        AS return_reason", "sqrt(payment)     AS return_reason")]),
    ("a float cast", &[(MAPPING, "sellerMemo        AS return_reason", "CAST(payment AS DOUBLE) AS return_reason")]),
    ("no _rid", &[(MAPPING, "  _rid,  ", "  ")]),
    ("now()", &[(MAPPING, "consignTime       AS date", "now()             AS date")]),
    ("a DDL statement", &[(MAPPING, "SELECT\n", "CREATE TABLE x AS SELECT\n")]),
    (
        "several at once, in two lines of the mapping and in both statements",
        &[
            (MAPPING, "orderNo           AS", "orderno           AS"),
            (MAPPING, "warehouseCode, ", "warehouse, "),
            (PIPELINE, "<{return_reason: }>", "<{return_reson: }>"),
            (PIPELINE, "<{unit_id: }>", "'<{unit_id: }>'"),
        ],
    ),
    ("a placeholder that no column fills", &[(PIPELINE, "<{receive_phone: }>", "<{receive_fone: }>")]),
    ("one slip, one fault: a member and its placeholder", &[(MAPPING, "goods_id:  ", "goodsid:  ")]),
    (
        "a column that no placeholder uses",
        &[(MAPPING, "  ''                AS receive_phone", "  shopName AS colour, '' AS receive_phone")],
    ),
    ("a statement that no column serves", &[(MAPPING, "AS extend_params_1", "AS extend_params_2")]),
    (
        "a field that `fields` does not ask for",
        &[(PIPELINE, "buyerMemo,", ""), (PIPELINE, "payNo,sellerMemo,", "payNo,")],
    ),
    (
        "a pipeline file with five faults, and two elsewhere",
        &[
            (PIPELINE, "method     =", "methode    ="),
            (PIPELINE, "slice     = \"1d\"", "slice     = \"8d\""),
            (PIPELINE, "{{CURRENT_TIME|datetime}}", "{{CURENT_TIME|datetime}}"),
            (PIPELINE, "shopIds  ", "shopsIds "),
            (PIPELINE, "connector     = \"sqlite\"", "connector     = \"sqlit\""),
            (MAPPING, "orderNo           AS", "orderno           AS"),
        ],
    ),
    (
        "the staging DDL",
        &[
            (DDL, "checkTotal DECIMAL(18,6)", "checkTotal DOUBLE"),
            (DDL, "tradeNo VARCHAR", "tradeNo VARCHR"),
            (DDL, "goodsNo VARCHAR", "goodsNo STRNG"),
        ],
    ),
    ("the staging DDL is no SQL", &[(DDL, "CREATE TABLE trade (", "CREATE TABLE trade ((")]),
    ("the key is not in the DDL", &[(DDL, "tradeNo VARCHAR", "tradeNumber VARCHAR")]),
    (
        "a mapping file that is not there",
        &[(PIPELINE, "mapping/jackyun_trades_to_mysql.sql", "mapping/jackyun_trade_to_mysql.sql")],
    ),
];

#[test]
fn every_fault_is_refused_with_file_place_and_the_nearest_right_name() {
    let mut all = String::new();
    for (what, edits) in CASES {
        let project = Project::new();
        edits.iter().for_each(|(file, from, to)| project.edit(file, from, to));
        let begun = Instant::now();
        let (screen, processor) = project.timed("check jackyun_trades_to_sqlite");
        // On a machine that does other things too, the clock on the wall says little.
        let took = begun.elapsed().as_secs_f64().min(processor);
        assert!(took < 1.0, "{what}: an answer took {took} s");
        assert_eq!(screen.code, 2, "{what}: {}", screen.whole());
        assert!(screen.stderr.is_empty(), "{what}: {}", screen.stderr);
        let _ = writeln!(all, "### {what}\n{}", screen.stdout);
    }
    insta::assert_snapshot!("faults", all);
}

#[test]
fn a_faulty_mapping_is_refused_before_anything_is_fetched() {
    let mut project = Project::new();
    project.use_target("lehua.db");
    // Nobody listens there: a request would end with exit code 3.
    project.set("JACKYUN_URL", "http://127.0.0.1:9/");
    project.set("JACKYUN_APP_KEY", "key");
    project.set("JACKYUN_APP_SECRET", "secret");
    project.edit(MAPPING, "orderNo           AS", "orderno           AS");
    let screen = project.dukou(&["run", "jackyun_trades_to_sqlite", "--from", "2024-06-01", "--to", "2024-06-02"]);
    insta::assert_snapshot!(screen.whole());
    assert!(!project.path("data").exists(), "nothing was begun");
}

#[test]
fn a_number_with_an_exponent_is_no_float() {
    let project = Project::new();
    project.edit(MAPPING, "sellerMemo        AS return_reason", "payment * 1.13e0  AS return_reason");
    project.dukou(&["check", "jackyun_trades_to_sqlite"]).expect(0);
}

#[test]
fn faults_are_told_to_programs_too() {
    let project = Project::new();
    project.edit(MAPPING, "orderNo           AS", "orderno           AS");
    let screen = project.dukou(&["check", "--json", "jackyun_trades_to_sqlite"]).expect(2);
    let fault: serde_json::Value = serde_json::from_str(screen.stdout.trim()).expect("one line of JSON");
    assert_eq!((&fault["file"], &fault["line"], &fault["column"]), (&MAPPING.into(), &19.into(), &3.into()), "{fault}");
    assert_eq!(fault["hint"], "did you mean orderNo?");
}
