//! What a pull asks: signature, form, parameters, window, fingerprint; and the vendor's samples.

use super::*;

const VECTORS: &str = include_str!("../../../../tests/fixtures/vendor/sign-vectors.json");

#[test]
fn every_signature_vector_is_reproduced() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    let vectors = vectors["jushuitan_new"].as_array().expect("a list");
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let pairs = vector["params"].as_object().expect("params");
        let mut params: Vec<(&str, &str)> =
            pairs.iter().map(|(n, v)| (n.as_str(), v.as_str().expect("text"))).collect();
        params.push(("sign", "not signed"));
        for _ in 0..2 {
            assert_eq!(sign(vector["secret"].as_str().expect("text"), &params), vector["sign"], "{vector}");
            params.reverse();
        }
    }
}

#[test]
fn a_request_is_a_signed_form_at_the_path_of_the_method() {
    let request = plain().pull(&window(Axis::Modified)).expect("a pull").next_request(now());
    let request = request.expect("no fault").expect("a request");
    assert_eq!(request.url, "http://127.0.0.1:9/jst-hidden/open/other/inout/query");
    let form = form(&request);
    let names: Vec<&str> = form.keys().map(String::as_str).collect();
    assert_eq!(names, ["app_key", "timestamp", "charset", "access_token", "version", "biz", "sign"]);
    assert_eq!(
        [&form["app_key"], &form["timestamp"], &form["charset"], &form["access_token"], &form["version"]],
        ["appkey-42", "1717557960", "utf-8", ACCESS, "2"]
    );
    let all: Vec<(&str, &str)> = form.iter().map(|(n, v)| (n.as_str(), v.as_str().expect("text"))).collect();
    assert_eq!(form["sign"], sign(SECRET, &all));
    assert!(request.idempotent && request.content_type.starts_with("application/x-www-form-urlencoded"));
}

/// Every parameter of the order, as the shipped pipeline writes them.
fn seed() -> model::Source {
    let mut source = source(&[
        ("modified_begin", text("{{LAST_SYNC_TIME|datetime}}")),
        ("modified_end", text("{{CURRENT_TIME|datetime}}")),
        ("so_ids", text("")),
        ("types", text("其它退货")),
        ("status", text("")),
        ("page_index", text("{{PAGINATION_START_PAGE}}")),
        ("page_size", text("{{PAGINATION_PAGE_SIZE}}")),
    ]);
    source.window.page_size = 50;
    source
}

#[test]
fn the_order_is_asked_as_lists_and_numbers_and_nothing_empty_is_sent() {
    let seed = jushuitan(&seed());
    assert_eq!(seed.check_params(), Vec::<String>::new());
    let biz = first_biz(&seed, &window(Axis::Modified)).expect("a question");
    let expected = json!({
        "modified_begin": "2024-06-01 00:00:00", "modified_end": "2024-06-02 00:00:00", "types": ["其它退货"],
        "page_index": 1, "page_size": 50,
    });
    assert_eq!(Value::Object(biz), expected);
    let list = |items: &[&str]| ParamValue::List(items.iter().map(|i| text(i)).collect());
    let all = source(&[
        ("so_ids", text("A, B，,C")),
        ("io_ids", ParamValue::List(vec![ParamValue::Integer(7), text("8")])),
        ("types", list(&["其它退货", " "])),
        ("status", text("Confirmed")),
        ("wms_co_id", text("11001")),
        ("date_type", ParamValue::Integer(0)),
        ("page_index", ParamValue::Integer(1)),
        ("page_size", text("30")),
    ]);
    let biz = first_biz(&jushuitan(&all), &window(Axis::Modified)).expect("a question");
    let expected = json!({
        "so_ids": ["A", "B", "C"], "io_ids": ["7", "8"], "types": ["其它退货"], "status": "Confirmed",
        "wms_co_id": 11001, "modified_begin": "2024-06-01 00:00:00", "modified_end": "2024-06-02 00:00:00",
        "page_index": 1, "page_size": 30,
    });
    assert_eq!(Value::Object(biz), expected);
}

#[test]
fn a_history_on_io_date_sends_its_date_type() {
    let stable = |name: &str| Axis::Stable { name: name.into(), table_switch: None };
    let biz = first_biz(&jushuitan(&seed()), &window(stable("io_date"))).expect("a question");
    assert_eq!((&biz["date_type"], &biz["modified_begin"]), (&2.into(), &"2024-06-01 00:00:00".into()));
    let fault = plain().pull(&window(stable("iodate"))).err().expect("no such axis");
    assert!(fault.to_string().contains("did you mean io_date?"), "{fault}");
}

#[test]
fn adhoc_lays_set_over_the_file_and_sends_no_window() {
    let seed = jushuitan(&seed());
    let biz = first_biz(&seed, &adhoc(&[("so_ids", "A,B")])).expect("a question");
    let expected = json!({ "so_ids": ["A", "B"], "types": ["其它退货"], "page_index": 1, "page_size": 50 });
    assert_eq!(Value::Object(biz), expected);
    let biz = first_biz(&seed, &adhoc(&[("io_ids", "7"), ("types", "")])).expect("a question");
    assert_eq!(Value::Object(biz), json!({ "io_ids": ["7"], "page_index": 1, "page_size": 50 }));
    let times = [("modified_begin", "2024-06-01"), ("modified_end", "2024-06-08"), ("date_type", "2")];
    let biz = first_biz(&seed, &adhoc(&times)).expect("a question");
    assert_eq!((&biz["modified_end"], &biz["date_type"]), (&"2024-06-08".into(), &2.into()));
    let fifty_one = vec!["1"; 51].join(",");
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("wms_co_id", "1")], "must name records"),
        (&[("so_id", "1")], "did you mean so_ids?"),
        (&[("modified_begin", "2024-06-01")], "belong together"),
        (&[("modified_begin", "2024-06-01"), ("modified_end", "2024-06-08 00:00:01")], "not within 7 days"),
        (&[("modified_begin", "1.6.2024"), ("modified_end", "2024-06-08")], "are times as"),
        (&[("so_ids", "A"), ("so_ids", "B")], "given twice"),
        (&[("page_size", "10")], "dukou sets this one itself"),
        (&[("so_ids", &fifty_one)], "at most 50"),
    ];
    for (set, expected) in cases {
        let fault = first_biz(&seed, &adhoc(set)).expect_err(expected);
        assert!(fault.to_string().contains(expected), "{fault}");
        assert_eq!(fault.exit_code(), 2);
    }
}

#[test]
fn faults_of_the_parameters_are_named_with_their_cure() {
    let faults = |params: &[(&str, ParamValue)]| jushuitan(&source(params)).check_params().join("\n");
    let cases: [(&[(&str, ParamValue)], &str); 7] = [
        (&[("so_id", text("1"))], "did you mean so_ids?"),
        (&[("page_size", ParamValue::Integer(51))], "page size 51: the vendor takes 1 to 50"),
        (&[("page_index", text("0"))], "pages count from 1"),
        (&[("modified_begin", text("2024-01-01"))], "the window decides this"),
        (&[("date_type", ParamValue::Integer(2))], "axis = \"io_date\""),
        (&[("wms_co_id", text("main"))], "not a whole number"),
        (&[("status", ParamValue::List(vec![text("Confirmed")]))], "not a text"),
    ];
    for (params, expected) in cases {
        let got = faults(params);
        assert!(got.contains(expected), "{expected}: {got}");
    }
    let mut axis = source(&[]);
    axis.history = Some(History { axis: "created".into(), table_switches: vec![] });
    assert!(jushuitan(&axis).check_params().join("").contains("no axis created"));
    for url in [
        "hidden.example",
        "ftp://hidden.example",
        "https://hidden.example/open/other/inout/query",
        "https://hidden.example/?a=b",
    ] {
        let env = Env::only([("URL", url), ("KEY", "k"), ("SECRET", "s")]);
        let fault = Jushuitan::new(&source(&[]), &env, Arc::new(Shelf::default())).err().expect("no address");
        assert!(fault.to_string().contains("source.url") && !fault.to_string().contains("hidden"), "{fault}");
    }
    let wide = AskKind::Window {
        from: parse_wall("2024-06-01").expect("a time"),
        to: parse_wall("2024-06-08 00:00:01").expect("a time"),
        axis: Axis::Modified,
    };
    assert!(first_biz(&plain(), &Ask { kind: wide, set: vec![] }).is_err());
}

#[test]
fn the_fingerprint_changes_with_the_question_and_not_with_paging_or_secret() {
    let base = seed();
    let of = |change: &dyn Fn(&mut model::Source)| {
        let mut source = base.clone();
        change(&mut source);
        jushuitan(&source).fingerprint()
    };
    let print = jushuitan(&base).fingerprint();
    assert_eq!(of(&|s| s.window.page_size = 30), print);
    assert_eq!(of(&|s| s.params.reverse()), print);
    assert_eq!(of(&|s| s.access_token = None), print);
    assert_eq!(of(&|s| s.app_secret = Setting::new("source.app_secret", "other")), print);
    assert_eq!(of(&|s| s.params.retain(|(n, _)| n == "types")), print, "what is not sent does not count");
    assert_eq!(of(&|s| s.params[3].1 = ParamValue::List(vec![text("其它退货")])), print, "a list of one");
    let others = [
        of(&|s| s.method = "other.inout".into()),
        of(&|s| s.app_key = Setting::new("source.app_key", "other")),
        of(&|s| s.params[3].1 = text("其它出库")),
        of(&|s| s.params[4].1 = text("Confirmed")),
        of(&|s| s.key = "so_id".into()),
    ];
    for (i, other) in others.iter().enumerate() {
        assert!(*other != print && !others[..i].contains(other), "{i}");
    }
    assert!(!jushuitan(&base).account().contains("appkey-42"));
}

#[test]
fn the_vendors_sample_answers_are_read_with_nothing_lost() {
    let pages = [
        include_str!("../../../../tests/fixtures/vendor/jst-shops.query-recorded.json"),
        include_str!("../../../../tests/fixtures/vendor/jst-shops.query-doc-example.json"),
        include_str!("../../../../tests/fixtures/vendor/jst-shengsuan-payable.query-recorded.json"),
        include_str!("../../../../tests/fixtures/vendor/jst-shengsuan-payment.query-recorded.json"),
    ];
    for sample in pages {
        let whole: Value = serde_json::from_str(sample).expect("JSON");
        let sheet = envelope::read(sample.to_string()).expect("an envelope").into_sheet().expect("a page");
        let records: Vec<&str> = sheet.records.iter().map(|r| &sheet.text[r.clone()]).collect();
        let read: Vec<Value> = records.iter().map(|r| serde_json::from_str(r).expect("JSON")).collect();
        assert_eq!(Value::from(read), whole["data"]["datas"]);
        assert!(records.iter().all(|r| sample.contains(r)), "byte for byte");
        assert_eq!(sheet.paging.has_next, whole["data"]["has_next"].as_bool());
        assert_eq!(sheet.paging.page_size, whole["data"]["page_size"].as_u64());
        assert_eq!((sheet.paging.page_count, sheet.paging.data_count), (None, None));
    }
    // Answers that are no pages say so: other methods, and the old gateway.
    let others = [
        (include_str!("../../../../tests/fixtures/vendor/jst-load-skusn-doc-example.json"), "no list datas"),
        (include_str!("../../../../tests/fixtures/vendor/jst-quicksale-arrival-recorded.json"), "no list datas"),
        (include_str!("../../../../tests/fixtures/vendor/jst-token-doc-example.json"), "no list datas"),
        (include_str!("../../../../tests/fixtures/vendor/jst-old-gateway-shops.query-recorded.json"), "without data"),
    ];
    for (sample, expected) in others {
        let envelope = envelope::read(sample.to_string()).expect("an envelope");
        assert_eq!(envelope.code, 0);
        let fault = envelope.into_sheet().expect_err("no page").0;
        assert!(fault.contains(expected), "{fault}");
    }
}
