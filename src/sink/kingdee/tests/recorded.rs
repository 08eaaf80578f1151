//! Every recorded answer of Kingdee, as the answer to a batch: what it means for each document.

use super::*;

/// The answer to a batch of these documents; asked for, none of them is there.
async fn means(keys: &[&str], body: &str) -> String {
    let script = Arc::new(Recorded(body.to_string()));
    let options = KingdeeOptions { lock_wait: Duration::ZERO, ..KingdeeOptions::default() };
    let sink = KingdeeSink::new(&settings(), &env(), script, options).expect("a sink");
    match sink.send(&documents(keys)).await {
        Ok(receipts) => receipts.iter().map(|r| short(&r.outcome)).collect::<Vec<_>>().join(", "),
        Err(error) => format!("stop {:?}", error.kind()),
    }
}

/// Gives every save this answer, and shows no document.
struct Recorded(String);

#[async_trait::async_trait]
impl Transport for Recorded {
    async fn send(&self, request: &Request) -> Result<Reply> {
        let body = if request.url.contains("ExecuteBillQuery") { "[]" } else { &self.0 };
        let (content_type, body) = (String::new(), body.as_bytes().to_vec());
        let set_cookies = Vec::new();
        let received_at = Utc::now();
        Ok(Reply { status: 200, content_type, date: None, retry_after: None, set_cookies, body, received_at })
    }
}

#[tokio::test]
async fn every_recorded_answer_is_understood_as_the_vendor_file_says() {
    let five = ["a", "312716", "312717", "312718", "e"];
    let table: &[(&str, &str, &[&str], &str)] = &[
        // (file, part of it, documents sent, what became of them)
        (
            "batchsave-partial",
            "",
            &five,
            "rejected data, conflict 4401029 not shown, conflict 4401030 not shown, conflict 4403537 not shown, rejected data",
        ),
        ("batchsave-errors-outstock", "", &["a", "b"], "rejected data, rejected data"),
        ("batchsave-success-composed", "", &["T1", "T2"], "conflict 100030 not shown, conflict 100031 not shown"),
        ("save-success", "", &["XSTHD000029"], "conflict 100029 not shown"),
        ("save-success", "", &["T1"], "conflict 100029 number"),
        ("save-duplicate-billno", "", &["test5"], "conflict duplicate"),
        ("no-valid-session", "", &["T1"], "unknown session"),
        ("executebillquery-no-valid-session", "", &["T1"], "unknown session"),
        ("business-errors-by-msgcode", "/unknown_form", &["T1", "T2"], "stop Config"),
        ("business-errors-by-msgcode", "/unknown_field", &["T1", "T2"], "stop Config"),
        ("business-errors-by-msgcode", "/empty_parameter", &["T1", "T2"], "stop Config"),
        ("business-errors-by-msgcode", "/bad_filter", &["T1", "T2"], "rejected refused, rejected refused"),
        ("business-errors-by-msgcode", "/already_audited", &["T1"], "rejected audited"),
        ("business-errors-by-msgcode", "/edit_lock_as_seen", &["T1"], "rejected edit lock"),
        ("business-errors-by-msgcode", "/missing_internal_id_text_only", &["T1"], "unknown unclear"),
        ("business-errors-by-msgcode", "/entity_at_wrong_level_text_only", &["T1"], "unknown unclear"),
        ("not-json", "/response_error_json", &["T1"], "unknown unclear"),
        ("not-json", "/response_error_text", &["T1"], "unknown unclear"),
        ("not-json", "/ctx_null_text", &["T1"], "unknown session"),
        ("not-json", "/firewall_rule", &["T1", "T2"], "rejected refused, rejected refused"),
        ("not-json", "/wrong_account_id", &["T1"], "stop Denied"),
        ("query-success", "/ExecuteBillQuery", &["T1"], "unknown unclear"),
        ("query-success", "/BillQuery", &["T1"], "unknown unclear"),
        ("async-task", "", &["T1"], "unknown unclear"),
        ("async-task", "/1", &["T1"], "unknown unclear"),
        ("login-success-v72", "", &["T1"], "unknown unclear"),
        ("login-success-newer-composed", "", &["T1"], "unknown unclear"),
        ("login-failure-composed", "/wrong_password", &["T1"], "unknown unclear"),
    ];
    for (file, part, keys, expected) in table {
        let recorded: Json = serde_json::from_str(&fixture(&format!("kingdee-resp-{file}.json"))).expect("JSON");
        let said = match recorded.pointer(part).expect("a part") {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        assert_eq!(means(keys, &said).await, *expected, "{file}{part}");
    }
}

#[test]
fn no_recorded_answer_is_left_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vendor");
    let names = std::fs::read_dir(folder).expect("a folder").flatten();
    let this = include_str!("recorded.rs");
    for name in names.filter_map(|entry| entry.file_name().into_string().ok()) {
        if let Some(short) = name.strip_prefix("kingdee-resp-").and_then(|n| n.strip_suffix(".json")) {
            assert!(this.contains(&format!("(\"{short}\", ")) || this.contains(&format!("\"{short}\",")), "{name}");
        }
    }
}
