//! `[sink]` of a Kingdee pipeline as its authors write it and get it wrong.

use super::model::{Kingdee, KingdeeAuth, KingdeeOperation, OptionValue, SinkConnector};
use super::reader::{Faults, Section};
use super::secret::Env;
use super::sink;
use std::path::PathBuf;

/// As the design has it.
const GOOD: &str = r#"[sink]
connector = "kingdee"
form      = "SAL_RETURNSTOCK"          # sql/target/SAL_RETURNSTOCK.sql
operation = "batchSave"
key_field = "FBillNo"
batch_docs = 20
in_flight  = 2
[sink.options]                         # beside Model, as the API has them
IsAutoSubmitAndAudit = true
IsVerifyBaseDataField = true
"#;

fn read(text: &str) -> (Option<super::model::Sink>, Vec<String>) {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(dir.path().join("sql/target")).expect("folders");
    std::fs::write(dir.path().join("sql/target/SAL_RETURNSTOCK.sql"), "").expect("a file");
    let faults = Faults::new("p.toml".into(), text);
    let tree = faults.tree();
    let top = Section::top(&tree, &faults);
    let sink = top.section("sink").map(|section| sink::read(section, dir.path()));
    drop(top);
    let sink = sink.filter(|_| faults.count() == 0);
    drop(tree);
    (sink, faults.into_list().iter().map(ToString::to_string).collect())
}

fn kingdee(text: &str) -> (super::model::Sink, Kingdee) {
    let (sink, faults) = read(text);
    let sink = sink.unwrap_or_else(|| panic!("{faults:#?}"));
    let SinkConnector::Kingdee(kingdee) = sink.connector.clone() else { panic!("kingdee") };
    (sink, *kingdee)
}

fn with(old: &str, new: &str) -> String {
    assert_eq!(GOOD.matches(old).count(), 1, "{old}");
    GOOD.replace(old, new)
}

#[test]
fn the_section_of_the_design_is_read_with_its_defaults() {
    let (sink, kingdee) = kingdee(GOOD);
    assert_eq!((sink.batch_docs, sink.in_flight, sink.key_field.as_deref()), (20, 2, Some("FBillNo")));
    assert_eq!(sink.contract, Some(PathBuf::from("target/SAL_RETURNSTOCK.sql")), "the form's own contract");
    assert_eq!((kingdee.form.as_str(), kingdee.operation), ("SAL_RETURNSTOCK", KingdeeOperation::BatchSave));
    assert_eq!((kingdee.lcid, kingdee.org_num.as_str(), kingdee.auth), (2052, "0", KingdeeAuth::Signature));
    assert_eq!(
        (kingdee.verify.join(","), kingdee.entry.as_deref()),
        ("FDate,FRetcustId.FNumber".into(), Some("FEntity"))
    );
    assert_eq!((kingdee.request_timeout.as_secs(), kingdee.max_answer_bytes), (180, 64 << 20));
    let names: Vec<&str> = kingdee.options.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["IsAutoSubmitAndAudit", "IsVerifyBaseDataField"]);
    let settings = [&kingdee.url, &kingdee.acct_id, &kingdee.username, &kingdee.app_id, &kingdee.app_secret];
    let wanted: Vec<&str> = settings.iter().flat_map(|s| s.variables()).collect();
    let named = ["KINGDEE_URL", "KINGDEE_ACCT_ID", "KINGDEE_USERNAME", "KINGDEE_APP_ID", "KINGDEE_APP_SECRET"];
    assert_eq!(wanted, named);
    let unset = kingdee.app_secret.resolve(&Env::only::<&str, &str>([])).expect_err("not set");
    assert!(unset.to_string().starts_with("sink.app_secret: environment variable KINGDEE_APP_SECRET"), "{unset}");
}

#[test]
fn options_keep_their_order_and_may_be_written_as_texts() {
    let options = "SubSystemId = 23\nIsAutoSubmitAndAudit = \"True\"\nNeedReturnFields = [\"FBillNo\"]\nBatchCount = 5\n\
                   InterationFlags = \"STK_InvCheckResult\"\n";
    let text = with("IsAutoSubmitAndAudit = true\nIsVerifyBaseDataField = true\n", options)
        .replace(
            "operation = \"batchSave\"",
            "operation = \"Save\"\nauth = \"app_secret\"\nverify = [\"FDate\"]\nentry = \"\"",
        )
        .replace("SAL_RETURNSTOCK\"", "PAEZ_C_PLAN\"");
    let (sink, kingdee) = kingdee(&text);
    let text = |t: &str| OptionValue::Text(t.into());
    let expected = [
        ("SubSystemId", OptionValue::Integer(23)),
        ("IsAutoSubmitAndAudit", OptionValue::Bool(true)),
        ("NeedReturnFields", OptionValue::List(vec![text("FBillNo")])),
        ("BatchCount", OptionValue::Integer(5)),
        ("InterationFlags", text("STK_InvCheckResult")),
        ("IsVerifyBaseDataField", OptionValue::Bool(true)),
    ];
    assert_eq!(kingdee.options, expected.map(|(name, value)| (name.to_string(), value)));
    assert_eq!((kingdee.operation, kingdee.auth), (KingdeeOperation::Save, KingdeeAuth::AppSecret));
    assert_eq!((kingdee.verify.len(), kingdee.entry, sink.contract), (1, None, None));
}

#[test]
fn each_fault_has_its_place_and_cure() {
    let flag = "IsAutoSubmitAndAudit = true";
    let table: &[(&str, &str, &str, &str)] = &[
        // (text of GOOD, what stands there instead, line:column, part of message and hint)
        ("\"kingdee\"", "\"kingde\"", "2:13", "did you mean kingdee?"),
        ("\"FBillNo\"", "\"FNumber\"", "5:13", "write FBillNo"),
        ("key_field = \"FBillNo\"\n", "", "1:2", "sink.key_field is missing"),
        ("operation = \"batchSave\"", "operation = \"BatchSafe\"", "4:13", "did you mean"),
        ("= 20", "= 501", "6:14", "from 1 to 500"),
        ("in_flight  = 2", "lcid = 0", "7:8", "out of range"),
        ("in_flight  = 2", "auth = \"password\"", "7:8", "known here: signature, app_secret"),
        ("in_flight  = 2", "app_secret = \"d9f1b2c3\"", "7:14", "does not belong in a file"),
        ("in_flight  = 2", "url = \"erp.example.com\"", "7:7", "is no address"),
        ("in_flight  = 2", "verify = [\"FDate\", \"F Date\"]", "7:20", "no header field"),
        ("in_flight  = 2", "entry = \"FEntity.FQty\"", "7:9", "is no entry"),
        ("in_flight  = 2", "main_sql = \"INSERT\"", "7:1", "no key sink.main_sql"),
        (flag, "FormId = \"SAL_RETURNSTOCK\"", "9:1", "[sink] form ="),
        (flag, "Operation = \"BatchSave\"", "9:1", "[sink] operation ="),
        (flag, "Model = []", "9:1", "the mapping makes it"),
        (flag, "IsAutoSubmitAudit = true", "9:1", "did you mean IsAutoSubmitAndAudit?"),
        (flag, "IsAutoSubmitAndAudit = \"yes\"", "9:24", "write true or false"),
        (flag, "IsAutoSubmitAndAudit = 1", "9:24", "write true or false"),
        (flag, "BatchCount = 11", "9:14", "from 0 to 10"),
        (flag, "NeedReturnFields = \"FBillNo\"", "9:20", "a list of field names"),
        (flag, "NeedReturnFields = [1]", "9:20", "a list of field names"),
    ];
    for (old, new, place, part) in table {
        let (_, found) = read(&with(old, new));
        assert_eq!(found.len(), 1, "{new}: {found:#?}");
        assert!(found[0].starts_with(&format!("p.toml:{place}: ")) && found[0].contains(part), "{new}: {found:#?}");
        assert!(!found[0].contains("d9f1b2c3"), "a secret is never shown");
    }
    let (_, found) = read(&GOOD.replace("SAL_RETURNSTOCK\"", "../etc\""));
    assert!(found.len() == 1 && found[0].contains("no form id"), "{found:#?}");
}
