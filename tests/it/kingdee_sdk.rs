//! The vendor's own Python SDK saves, submits, audits and queries against the simulated ERP.
//!
//! What it needs (`kingdee.cdp.webapi.sdk` and `requests`) must be in the Python of `DUKOU_TEST_PYTHON`; `tests/run.sh`
//! sees to it.

use std::process::Command;

use dukou::sandbox::{Config, Sandbox};
use serde_json::{Value, json};

use crate::support::skipped;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/py/kingdee_sdk.py");

fn has_sdk(python: &str) -> bool {
    let import = Command::new(python).args(["-c", "import k3cloud_webapi_sdk.main"]).output();
    import.is_ok_and(|import| import.status.success())
}

/// What the SDK returned for each call.
async fn drive(python: &str, sandbox: &Sandbox, account: Value) -> Value {
    let (python, url) = (python.to_owned(), sandbox.kingdee_url());
    let run = move || Command::new(python).args([SCRIPT, &url, &account.to_string()]).output();
    let output = tokio::task::spawn_blocking(run).await.expect("a thread").expect("python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

fn status<'a>(said: &'a Value, call: &str) -> &'a Value {
    &said[call]["Result"]["ResponseStatus"]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_sdk_finds_what_it_expects() {
    let Ok(python) = std::env::var("DUKOU_TEST_PYTHON") else {
        return skipped("the official Kingdee SDK against the sandbox (DUKOU_TEST_PYTHON is not set)");
    };
    if !has_sdk(&python) {
        return skipped("the official Kingdee SDK against the sandbox (DUKOU_TEST_PYTHON does not have it)");
    }
    let mut config = Config { trades: 1, ..Config::default() };
    // The SDK signs correctly, so the strictest server must let it in; expiring cookies leave junk in its store.
    config.kingdee.strict_signature = true;
    config.kingdee.cookies_expire = true;
    let account = json!({"acct_id": config.kingdee.acct_id, "username": config.kingdee.username,
                         "app_id": config.kingdee.app_id, "app_secret": config.kingdee.app_secret});
    let sandbox = Sandbox::start(config, "127.0.0.1:0".parse().expect("an address")).await.expect("a sandbox");
    let said = drive(&python, &sandbox, account).await;

    for call in ["save", "async_batch", "submit", "audit", "unaudit", "delete", "view"] {
        assert_eq!(status(&said, call)["IsSuccess"], true, "{call}: {said}");
    }
    for (call, code, text) in [
        ("save_again", 11, "[PY0]在当前系统中已经被使用。"),
        ("batch", 0, "客户“NOBODY”不存在"),
        ("audit_again", 11, "单据已经审核！"),
    ] {
        let status = status(&said, call);
        assert_eq!((&status["IsSuccess"], &status["MsgCode"]), (&json!(false), &json!(code)), "{call}: {status}");
        assert!(status["Errors"][0]["Message"].as_str().is_some_and(|message| message.contains(text)), "{status}");
    }
    let places: Vec<&Value> =
        status(&said, "batch")["SuccessEntitys"].as_array().expect("a list").iter().map(|e| &e["DIndex"]).collect();
    assert_eq!(places, [0, 2]);
    assert_eq!(status(&json!({"x": said["bad_query"][0][0].clone()}), "x")["MsgCode"], 9);
    assert_eq!(said["currency"], json!([["CNY"]]));
    assert_eq!(said["lines"], json!([[1, "SKU00001", 2], [2, "SKU00002", 1]]));
    assert_eq!(said["objects"], json!([{"FBillNo": "PY4", "FDate": "2026-11-22T00:00:00"}]));
    let rows = said["rows"].as_array().expect("rows");
    let kept: Vec<Value> = rows.iter().map(|row| json!([row[1], row[2], row[3]])).collect();
    assert_eq!(json!(kept), json!([["PY0", "C", "CUST001"], ["PY1", "D", "CUST001"], ["PY4", "A", "CUST001"]]));

    // It kept its session: one was opened at the first call, and no login was ever made.
    let erp = sandbox.erp();
    assert_eq!(erp.sessions(), (1, 0));
    let first = erp.document("PY0").expect("a document");
    assert_eq!((rows[0][0].as_u64(), first.lines.len()), (Some(first.fid), 2));
    assert_eq!(first.field("FHeadNote").as_deref(), Some("备注"));
    assert!(first.ignored.is_empty(), "{:?}", first.ignored);
    sandbox.stop().await.expect("an end");
}
