//! What a pull asks: signature, form, parameters, window, fingerprint.

use super::*;

const VECTORS: &str = include_str!("../../../../tests/fixtures/vendor/sign-vectors.json");
const SEED: &str = include_str!("../../../../tests/fixtures/vendor/jackyun-seed-params.txt");

#[test]
fn every_signature_vector_is_reproduced() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    let vectors = vectors["jackyun"].as_array().expect("a list");
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let params: Vec<(&str, &str)> = vector["params"]
            .as_object()
            .expect("params")
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str().expect("text")))
            .collect();
        let mut unsigned = params.clone();
        unsigned.extend([("sign", "x"), ("token", "x"), ("contextid", "x")]);
        for params in [params, unsigned] {
            assert_eq!(sign(vector["secret"].as_str().expect("text"), &params), vector["sign"], "{vector}");
        }
    }
}

#[test]
fn a_request_is_a_signed_form_with_beijing_time() {
    let mut with_token = source(&[("fields", text("a"))]);
    with_token.access_token = Some(Setting::new("source.access_token", "tok"));
    let request = jackyun(&with_token).pull(&window(Axis::Modified)).expect("a pull").next_request(now());
    let request = request.expect("no fault").expect("a request");
    let form = form(&request);
    let names: Vec<&str> = form.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["method", "appkey", "version", "contenttype", "timestamp", "bizcontent", "sign", "token"]);
    let get = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).expect("a field");
    assert_eq!(
        [get("method"), get("appkey"), get("version"), get("contenttype"), get("timestamp")],
        ["oms.trade.fullinfoget", "appkey-42", "v1.0", "json", "2024-06-05 11:26:00"]
    );
    let all: Vec<(&str, &str)> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(get("sign"), sign(SECRET, &all));
    assert!(request.idempotent);
}

fn seed_source() -> model::Source {
    let params: Vec<(&str, ParamValue)> =
        SEED.lines().map(|line| line.split_once('\t').expect("two columns")).map(|(n, v)| (n, text(v))).collect();
    assert_eq!(params.len(), 20);
    let mut source = source(&params);
    source.window.page_size = 200;
    source
}

#[test]
fn the_parameters_of_the_order_are_sent_under_the_vendors_names() {
    let seed = jackyun(&seed_source());
    assert_eq!(seed.check_params(), Vec::<String>::new());
    let biz = first_biz(&seed, &window(Axis::Modified)).expect("a question");
    let names: Vec<&str> = biz.keys().map(String::as_str).collect();
    assert_eq!(names, ["startModified", "endModified", "pageSize", "pageIndex", "hasTotal", "fields", "scrollId"]);
    assert_eq!(biz["startModified"], "2024-06-01 00:00:00");
    assert_eq!(biz["endModified"], "2024-06-02 00:00:00");
    assert_eq!((&biz["pageSize"], &biz["pageIndex"], &biz["hasTotal"]), (&200.into(), &0.into(), &"1".into()));
    assert_eq!(biz["scrollId"], "");
    let written = SEED.lines().find_map(|l| l.strip_prefix("fields\t")).expect("fields");
    assert_eq!(biz["fields"], format!("{written},scrollId,columnExt"), "key and version stand in the list already");
}

#[test]
fn every_parameter_of_the_order_that_has_a_value_is_sent() {
    let mut filled = seed_source();
    for (_, value) in &mut filled.params {
        if *value == text("") {
            *value = text("2024-06-01 00:00:00");
        }
    }
    let biz = first_biz(&jackyun(&filled), &window(Axis::Modified)).expect("a question");
    for (name, _) in filled.params.iter().filter(|(n, _)| !n.starts_with("modified_")) {
        assert!(biz.contains_key(name), "{name}");
    }
    assert!(!biz.keys().any(|n| n.starts_with("modified_")));
}

#[test]
fn a_stable_axis_replaces_the_modified_window() {
    let seed = jackyun(&seed_source());
    for (axis, begin, end) in
        [("created", "startCreated", "endCreated"), ("consign", "startConsignTime", "endConsignTime")]
    {
        let stable = Axis::Stable { name: axis.into(), table_switch: Some(2) };
        let biz = first_biz(&seed, &window(stable)).expect("a question");
        assert_eq!((&biz[begin], &biz[end]), (&"2024-06-01 00:00:00".into(), &"2024-06-02 00:00:00".into()));
        assert_eq!(biz["isTableSwitch"], 2);
        assert!(!biz.contains_key("startModified") && !biz.contains_key("endModified"));
    }
    let wrong = Axis::Stable { name: "create".into(), table_switch: None };
    let fault = seed.pull(&window(wrong)).err().expect("no such axis");
    assert!(fault.to_string().contains("did you mean created?"), "{fault}");
}

#[test]
fn adhoc_lays_set_over_the_file_and_sends_no_window() {
    let seed = jackyun(&seed_source());
    let biz = first_biz(&seed, &adhoc(&[("tradeNo", "A,B"), ("isTableSwitch", "2")])).expect("a question");
    assert_eq!((&biz["tradeNo"], &biz["isTableSwitch"]), (&"A,B".into(), &"2".into()));
    assert!(!biz.keys().any(|n| n.starts_with("start") || n.starts_with("end")), "{biz:?}");
    let times = [("modified_begin", "2024-06-01"), ("endModified", "2024-06-08")];
    let biz = first_biz(&seed, &adhoc(&times)).expect("a question");
    assert_eq!((&biz["startModified"], &biz["endModified"]), (&"2024-06-01".into(), &"2024-06-08".into()));
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("shopIds", "1")], "must name records"),
        (&[("tradeno", "1")], "did you mean tradeNo?"),
        (&[("startModified", "2024-06-01")], "must name records"),
        (&[("startCreated", "2024-06-01"), ("endCreated", "2024-06-08 00:00:01")], "not within 7 days"),
        (&[("startModified", "2024-06-01"), ("modified_begin", "2024-06-02")], "twice"),
    ];
    for (set, expected) in cases {
        let fault = first_biz(&seed, &adhoc(set)).expect_err(expected);
        assert!(fault.to_string().contains(expected), "{fault}");
        assert_eq!(fault.exit_code(), 2);
    }
}

#[test]
fn values_keep_their_json_types_and_empty_ones_are_not_sent() {
    let list = |items: &[&str]| ParamValue::List(items.iter().map(|i| text(i)).collect());
    let biz = first_biz(
        &jackyun(&source(&[
            ("tradeStatus", ParamValue::Integer(9090)),
            ("isPddQuery", ParamValue::Bool(true)),
            ("shopIds", list(&["1", " ", "2"])),
            ("tradeTypeList", ParamValue::List(vec![])),
            ("warehouseIds", text("  ")),
            ("tradeNo", list(&["A", "B"])),
            ("fields", list(&["goodsDetail.goodsNo", "gmtModified"])),
            ("hasTotal", text("")),
        ])),
        &window(Axis::Modified),
    )
    .expect("a question");
    let expected = serde_json::json!({
        "tradeStatus": 9090, "isPddQuery": true, "shopIds": ["1", "2"], "tradeNo": "A,B",
        "fields": "goodsDetail.goodsNo,gmtModified,tradeNo,scrollId",
        "startModified": "2024-06-01 00:00:00", "endModified": "2024-06-02 00:00:00",
        "pageSize": 2, "pageIndex": 0, "hasTotal": 1, "scrollId": "",
    });
    assert_eq!(Value::Object(biz), expected);
}

#[test]
fn faults_of_the_parameters_are_named_with_their_cure() {
    let fields = ("fields", text("tradeNo"));
    let faults = |params: &[(&str, ParamValue)]| jackyun(&source(params)).check_params().join("\n");
    let cases: [(&[(&str, ParamValue)], &str); 7] = [
        (&[], "source.params.fields: missing"),
        (&[("fields", text(" "))], "source.params.fields: missing"),
        (&[fields.clone(), ("tradestatus", text("1"))], "did you mean tradeStatus?"),
        (&[fields.clone(), ("pageSize", ParamValue::Integer(201))], "page size 201: the vendor takes 1 to 200"),
        (&[fields.clone(), ("pageIndex", text("1"))], "pages count from 0"),
        (&[fields.clone(), ("startModified", text("2024-01-01"))], "the window decides this"),
        (&[fields.clone(), ("scrollId", text("abc"))], "the pager fills this"),
    ];
    for (params, expected) in cases {
        let got = faults(params);
        assert!(got.contains(expected), "{expected}: {got}");
    }
    let mut twice = source(std::slice::from_ref(&fields));
    twice.params.push(("modified_begin".into(), text("{{LAST_SYNC_TIME|date}}")));
    twice.params.push(("startModified".into(), text("{{LAST_SYNC_TIME|datetime}}")));
    assert!(Jackyun::new(&twice, &env()).err().expect("twice").to_string().contains("startModified is given twice"));
    twice.params[1].1 = text("{{ last_sync_time datetime }}");
    Jackyun::new(&twice, &env()).expect("two spellings of one template");
    let mut axis = source(std::slice::from_ref(&fields));
    axis.history = Some(History { axis: "consing".into(), table_switches: vec![] });
    assert!(jackyun(&axis).check_params().join("").contains("did you mean consign?"));
    let bad_url = Env::only([("URL", "hidden.example"), ("KEY", "k"), ("SECRET", "s")]);
    let fault = Jackyun::new(&source(&[fields]), &bad_url).err().expect("no address").to_string();
    assert!(fault.contains("source.url") && !fault.contains("hidden"), "{fault}");
    let wide = AskKind::Window {
        from: parse_wall("2024-06-01").expect("a time"),
        to: parse_wall("2024-06-08 00:00:01").expect("a time"),
        axis: Axis::Modified,
    };
    assert!(first_biz(&plain(), &Ask { kind: wide, set: vec![] }).is_err());
}

#[test]
fn the_fingerprint_changes_with_the_question_and_not_with_paging_or_secret() {
    let base = seed_source();
    let of = |change: &dyn Fn(&mut model::Source)| {
        let mut source = base.clone();
        change(&mut source);
        jackyun(&source).fingerprint()
    };
    let print = jackyun(&base).fingerprint();
    assert_eq!(of(&|s| s.window.page_size = 50), print);
    assert_eq!(of(&|s| s.params.reverse()), print);
    assert_eq!(of(&|s| s.app_secret = Setting::new("source.app_secret", "other")), print);
    assert_eq!(of(&|s| s.params.retain(|(n, _)| !n.starts_with("modified_"))), print);
    let others = [
        of(&|s| s.method = "jackyun.tradenotsensitiveinfos.list.get".into()),
        of(&|s| s.app_key = Setting::new("source.app_key", "other")),
        of(&|s| s.params.push(("isDelete".into(), text("0")))),
        of(&|s| s.params.iter_mut().filter(|(n, _)| n == "fields").for_each(|(_, v)| *v = text("tradeNo"))),
    ];
    for (i, other) in others.iter().enumerate() {
        assert!(*other != print && !others[..i].contains(other), "{i}");
    }
}
