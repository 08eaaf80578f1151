//! The sandbox over real HTTP, spoken by hand: what a client of the vendor would see.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::jackyun::sign;
use super::*;
use wire::Heard;

mod jushuitan;
/// Shared by the tests of every vendor.
pub mod wire;

/// What Jackyun's answers hold.
trait Jackyun {
    fn data(&self) -> Value;
    fn sub_code(&self) -> String;
}

impl Jackyun for Heard {
    fn data(&self) -> Value {
        let json = self.json();
        assert_eq!((&json["code"], &json["subCode"]), (&json!(200), &json!("")), "{json}");
        json["result"]["data"].clone()
    }

    fn sub_code(&self) -> String {
        let json = self.json();
        assert_eq!((self.status, &json["code"]), (200, &json!(0)), "{json}");
        json["subCode"].as_str().unwrap().to_owned()
    }
}

fn beijing(now: DateTime<Utc>) -> String {
    (now + TimeDelta::hours(8)).format("%Y-%m-%d %H:%M:%S").to_string()
}

fn parameters(bizcontent: &str) -> Vec<(String, String)> {
    [
        ("method", METHOD),
        ("appkey", APP_KEY),
        ("version", "v1.0"),
        ("contenttype", "json"),
        ("timestamp", &beijing(Utc::now())),
        ("bizcontent", bizcontent),
        ("contextid", "not signed"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn encode(parameters: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// Signs the parameters and sends them in the body.
async fn post(sandbox: &Sandbox, mut parameters: Vec<(String, String)>) -> Heard {
    if !parameters.iter().any(|(name, _)| name == "sign") {
        parameters.push(("sign".to_owned(), sign(APP_SECRET, &parameters)));
    }
    let body = encode(&parameters);
    wire::post_form(sandbox.address(), "/open/openapi/do", "", &body).await
}

async fn ask(sandbox: &Sandbox, biz: &Value) -> Heard {
    post(sandbox, parameters(&biz.to_string())).await
}

async fn get(sandbox: &Sandbox, path: &str) -> Heard {
    wire::get(sandbox.address(), path).await
}

/// Seven days of 500 trades, as fast as the client likes.
fn quick() -> Config {
    Config { trades: 500, days: 7, calls_per_second: None, ..Config::default() }
}

async fn start(config: Config) -> Sandbox {
    Sandbox::start(config, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

fn week() -> Value {
    json!({"fields": "tradeNo,gmtModified,scrollId", "pageSize": 100, "hasTotal": 1,
           "startModified": "2024-06-01 00:00:00", "endModified": "2024-06-08 00:00:00"})
}

fn with(base: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut biz = base.clone();
    biz[name] = value.into();
    biz
}

fn trade_nos(data: &Value) -> Vec<String> {
    data["trades"].as_array().unwrap().iter().map(|trade| trade["tradeNo"].as_str().unwrap().to_owned()).collect()
}

/// Follows a cursor to its end; the trades' numbers page by page, and the total the first page named.
async fn scroll(sandbox: &Sandbox, base: &Value) -> (Vec<Vec<String>>, u64) {
    let (mut pages, mut cursor, mut total) = (Vec::new(), String::new(), 0);
    loop {
        let data = ask(sandbox, &with(base, "scrollId", cursor.clone())).await.data();
        if pages.is_empty() {
            total = data["totalResults"].as_u64().unwrap();
        }
        pages.push(trade_nos(&data));
        cursor = data["scrollId"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            return (pages, total);
        }
    }
}

#[tokio::test]
async fn an_address_beyond_this_machine_and_a_senseless_configuration_are_refused() {
    for address in ["0.0.0.0:0", "192.168.1.4:0", "[::]:0"] {
        let refused = Sandbox::start(quick(), address.parse().unwrap()).await.err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        assert!(refused.to_string().contains("loopback"), "{refused}");
    }
    for config in [Config { days: 0, ..quick() }, Config { calls_per_second: Some(0.0), ..quick() }] {
        let refused = Sandbox::start(config, "127.0.0.1:0".parse().unwrap()).await.err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn checks_come_in_their_order_and_each_has_its_code() {
    let sandbox = start(Config { quota: Some(2), calls_per_second: Some(1.0), ..quick() }).await;
    // Every request is wrong in all that was wrong before, except for what was just repaired.
    let mut wrong = parameters("{}");
    let set = |list: &mut Vec<(String, String)>, name: &str, value: &str| {
        list.retain(|(known, _)| known != name);
        list.push((name.to_owned(), value.to_owned()));
    };
    set(&mut wrong, "method", "erp.storage.goodslist");
    set(&mut wrong, "timestamp", &beijing(Utc::now() + TimeDelta::minutes(11)));
    set(&mut wrong, "appkey", "nobody");
    let mut unsigned = wrong.clone();
    set(&mut unsigned, "sign", "0123456789abcdef0123456789abcdef");
    assert_eq!(post(&sandbox, unsigned).await.sub_code(), "0858030801");
    assert_eq!(post(&sandbox, wrong.clone()).await.sub_code(), "0858030802");
    set(&mut wrong, "appkey", APP_KEY);
    assert_eq!(post(&sandbox, wrong.clone()).await.sub_code(), "0858030804");
    set(&mut wrong, "timestamp", &beijing(Utc::now() + TimeDelta::minutes(9)));
    assert_eq!(post(&sandbox, wrong.clone()).await.sub_code(), "0130020310");
    set(&mut wrong, "method", METHOD);
    assert_eq!(post(&sandbox, wrong.clone()).await.sub_code(), "0040139996");
    assert_eq!(post(&sandbox, wrong.clone()).await.sub_code(), "0859999999");
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(ask(&sandbox, &week()).await.data()["totalResults"], 500);
    assert_eq!(post(&sandbox, wrong).await.sub_code(), "0130000609");
    assert_eq!(sandbox.calls(), 8);
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_in_the_url_is_as_good_and_the_clock_is_the_servers() {
    let sandbox = start(Config { clock_offset: TimeDelta::hours(1), ..quick() }).await;
    assert_eq!(ask(&sandbox, &week()).await.sub_code(), "0858030804");
    let mut late = parameters(&week().to_string());
    late.retain(|(name, _)| name != "timestamp");
    late.push(("timestamp".to_owned(), beijing(Utc::now() + TimeDelta::hours(1))));
    late.push(("sign".to_owned(), sign(APP_SECRET, &late)));
    let request = format!(
        "POST /open/openapi/do?{} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        encode(&late)
    );
    let heard = wire::exchange(sandbox.address(), request).await;
    assert_eq!(heard.data()["totalResults"], 500);
    let date = NaiveDateTime::parse_from_str(&heard.headers["date"], "%a, %d %b %Y %H:%M:%S GMT").unwrap();
    let ahead = date.and_utc() - Utc::now();
    assert!((TimeDelta::minutes(59)..=TimeDelta::minutes(61)).contains(&ahead), "{ahead}");
}

#[tokio::test]
async fn a_cursor_gives_every_trade_exactly_once() {
    let sandbox = start(Config { modify_while_paging: true, ..quick() }).await;
    let (pages, total) = scroll(&sandbox, &week()).await;
    // 500 is a multiple of the page size, so the last full page is followed by an empty one.
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 100, 100, 100, 0]);
    let all: BTreeSet<&String> = pages.iter().flatten().collect();
    assert_eq!((all.len(), total), (500, 500));

    let (pages, total) = scroll(&sandbox, &with(&week(), "pageSize", 150)).await;
    assert_eq!(pages.last().unwrap().len(), 47, "three trades were modified away by the first pull");
    assert_eq!(total, 497);
    let stale = ask(&sandbox, &with(&week(), "scrollId", "e435cb66390bb1eac99aa5755805f9f7")).await;
    assert_eq!(stale.sub_code(), "0040139996");
}

#[tokio::test]
async fn page_numbers_lose_the_rows_that_slip_forward() {
    let sandbox = start(Config { modify_while_paging: true, ..quick() }).await;
    let mut seen = BTreeSet::new();
    for number in 0..6 {
        let page = ask(&sandbox, &with(&week(), "pageIndex", number)).await.data();
        assert!(page.get("scrollId").is_none());
        seen.extend(trade_nos(&page));
    }
    assert_eq!(seen.len(), 497, "three rows of the second page slipped to the first, unseen");

    let calm = start(quick()).await;
    let (mut rows, mut before) = (0, String::new());
    for number in 0..5 {
        for trade in ask(&calm, &with(&week(), "pageIndex", number)).await.data()["trades"].as_array().unwrap() {
            let modified = trade["gmtModified"].as_str().unwrap().to_owned();
            assert!(before <= modified, "ascending by time of modification");
            (rows, before) = (rows + 1, modified);
        }
    }
    assert_eq!(rows, 500);
}

#[tokio::test]
async fn a_trade_modified_while_paged_is_found_by_its_new_time() {
    let sandbox = start(Config { modify_while_paging: true, ..quick() }).await;
    let first = trade_nos(&ask(&sandbox, &week()).await.data());
    let now = Utc::now();
    let catch_up = with(&week(), "startModified", beijing(now - TimeDelta::minutes(5)));
    let caught = ask(&sandbox, &with(&catch_up, "endModified", beijing(now + TimeDelta::minutes(5)))).await.data();
    assert_eq!(trade_nos(&caught).into_iter().collect::<BTreeSet<_>>(), first[..3].iter().cloned().collect());
}

#[tokio::test]
async fn the_truth_is_what_a_client_counts() {
    let sandbox = start(Config { trades: 1_000, bad: true, ids: IdStyle::Mixed, ..quick() }).await;
    let fields = "tradeNo,orderNo,sellerMemo,tradeStatus,goodsDetail.sellCount,goodsDetail.subTradeId,scrollId";
    let (mut trades, mut lines, mut sum, mut good, mut qty) = (0, 0, 0, 0, 0);
    let (mut statuses, mut ids, mut cursor) = (BTreeMap::<i64, u64>::new(), BTreeSet::new(), String::new());
    loop {
        let biz = with(&with(&week(), "fields", fields), "scrollId", cursor);
        let data = ask(&sandbox, &biz).await.data();
        for trade in data["trades"].as_array().unwrap() {
            trades += 1;
            let status = trade["tradeStatus"].as_i64().unwrap();
            *statuses.entry(status).or_default() += 1;
            let counts: Vec<Option<i64>> = trade["goodsDetail"]
                .as_array()
                .unwrap_or(&vec![])
                .iter()
                .map(|l| hundredths(&l["sellCount"]))
                .collect();
            let count: i64 = counts.iter().flatten().sum();
            for line in trade["goodsDetail"].as_array().unwrap_or(&vec![]) {
                ids.insert(line["subTradeId"].to_string().trim_matches('"').to_owned());
            }
            lines += counts.len() as u64;
            sum += count;
            let fits = trade["sellerMemo"].as_str().unwrap_or_default().chars().count() <= 255;
            let whole = !counts.is_empty() && counts.iter().all(Option::is_some);
            if fits && whole && trade["orderNo"].is_string() && status > 5020 {
                good += 1;
                qty += count;
            }
        }
        cursor = data["scrollId"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    let truth = sandbox.truth();
    assert_eq!((truth.trades, truth.lines, truth.sell_count), (trades, lines, sum));
    assert_eq!((truth.accepted, truth.must_qty), (good, qty));
    assert_eq!((statuses[&5010], statuses[&5020], ids.len() as u64), (4, 4, lines));
    assert_eq!(truth.accepted + truth.rejected + truth.blocked + truth.left_out, 1_000);

    let shown = get(&sandbox, "/sandbox/truth").await.json();
    assert_eq!(shown, truth.to_json());
    assert_eq!(shown["expected"], json!({"accepted": 976, "rejected": 8, "blocked": 12, "left_out": 4}));
    let trade = get(&sandbox, "/sandbox/trade/JY202406010000017").await.json();
    assert_eq!((&trade["tradeNo"], trade["orderNo"].is_null()), (&json!("JY202406010000017"), true));
    assert_eq!(get(&sandbox, "/sandbox/trade/JY0").await.status, 404);
}

/// A decimal in any of its forms, in hundredths.
fn hundredths(value: &Value) -> Option<i64> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}{part:0<2}").parse().ok()
}

#[tokio::test]
async fn switches_change_what_they_say() {
    let empty = json!({"fields": "tradeNo,scrollId", "startModified": "2020-06-01 00:00:00",
                       "endModified": "2020-06-02 00:00:00", "scrollId": ""});
    let sandbox = start(quick()).await;
    assert_eq!(ask(&sandbox, &empty).await.data(), json!({"scrollId": "", "trades": []}));
    let sandbox = start(Config { empty_window: EmptyStyle::Text, ..quick() }).await;
    assert_eq!(ask(&sandbox, &empty).await.data(), "");
    let sandbox = start(Config { empty_window: EmptyStyle::Body, ..quick() }).await;
    assert_eq!(ask(&sandbox, &empty).await.body, b"");

    let plain = ask(&sandbox, &week()).await.data();
    let sandbox = start(Config { envelope: EnvelopeStyle::Text, ..quick() }).await;
    let text = ask(&sandbox, &week()).await.data();
    assert_eq!(serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap(), plain);

    let sandbox = start(Config { ids: IdStyle::Bare, drift: true, max_page_size: 20, ..quick() }).await;
    let data = ask(&sandbox, &with(&week(), "fields", "tradeId,goodsDetail.goodsNo")).await.data();
    assert_eq!(data["trades"].as_array().unwrap().len(), 20);
    let trade = &data["trades"][0];
    assert!(trade["tradeId"].as_u64().unwrap() > 1 << 60 && trade["carbonFootprint"].is_string());
    assert_eq!(trade["goodsDetail"][0]["lineCarbonFootprint"], 7);
}

#[tokio::test]
async fn faults_before_the_gateway_do_what_they_say() {
    let sandbox = start(quick()).await;
    let list = ["throttle@1", "http-429=7@2", "http-502@3", "proxy-html@4", "empty-body@5", "reset@6", "slow=300@7"];
    sandbox.set_faults(list.iter().map(|fault| fault.parse().unwrap()).collect());
    assert_eq!(ask(&sandbox, &week()).await.sub_code(), "0859999999");
    let heard = ask(&sandbox, &week()).await;
    assert_eq!((heard.status, heard.headers["retry-after"].as_str()), (429, "7"));
    let heard = ask(&sandbox, &week()).await;
    assert!(heard.status == 502 && heard.body.starts_with(b"<html>") && heard.headers.contains_key("date"));
    let heard = ask(&sandbox, &week()).await;
    assert!(heard.status == 200 && heard.headers["content-type"].starts_with("text/html"));
    let heard = ask(&sandbox, &week()).await;
    assert_eq!((heard.status, heard.body.len(), heard.headers["content-length"].as_str()), (200, 0, "0"));
    let heard = ask(&sandbox, &week()).await;
    assert!(heard.broken && heard.status == 0, "reset without a byte");
    let began = Instant::now();
    assert_eq!(ask(&sandbox, &week()).await.data()["totalResults"], 500);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(ask(&sandbox, &week()).await.data()["totalResults"], 500);
}

#[tokio::test]
async fn faults_of_a_page_do_what_they_say() {
    let sandbox = start(quick()).await;
    let page = |number: u32| with(&with(&week(), "pageIndex", number), "fields", "tradeNo,goodsDetail.goodsName");
    let good = ask(&sandbox, &page(0)).await;
    let only = |fault: &str| sandbox.set_faults(vec![fault.parse().unwrap()]);

    only("cut-off@always");
    let heard = ask(&sandbox, &page(0)).await;
    assert!(heard.cut() && good.body.starts_with(&heard.body) && !heard.body.is_empty());
    only("truncated@always");
    let heard = ask(&sandbox, &page(0)).await;
    assert!(!heard.cut() && good.body.starts_with(&heard.body) && heard.body.len() < good.body.len());
    only("repeated-page@2");
    let first = ask(&sandbox, &page(0)).await.body;
    assert_eq!(ask(&sandbox, &page(1)).await.body, first);
    assert_ne!(ask(&sandbox, &page(1)).await.body, first);
    only("invalid-utf8@always");
    let heard = ask(&sandbox, &page(0)).await;
    assert!(std::str::from_utf8(&heard.body).is_err() && heard.body.len() == good.body.len());
    only("duplicate-key@always");
    let text = String::from_utf8(ask(&sandbox, &page(0)).await.body).unwrap();
    assert!(text.contains(r#"[{"tradeNo":null,"tradeNo":"JY"#), "{}", &text[..200]);
    only("oversize=3000000@always");
    let heard = ask(&sandbox, &page(0)).await;
    assert_eq!((heard.body.len(), heard.headers.contains_key("content-length")), (3_000_000, false));
    assert_eq!(heard.data(), good.data());
    only("endless@always");
    for number in [0, 4, 5, 1_000] {
        assert_eq!(trade_nos(&ask(&sandbox, &page(number)).await.data()).len(), 100, "page {number}");
    }
    let last = ask(&sandbox, &with(&with(&week(), "scrollId", ""), "pageSize", 200)).await.data();
    let mut cursor = last["scrollId"].clone();
    for _ in 0..4 {
        let biz = with(&with(&week(), "scrollId", cursor.clone()), "pageSize", 200);
        let next = ask(&sandbox, &biz).await.data()["scrollId"].clone();
        assert!(next != cursor && next != "");
        cursor = next;
    }

    // A fault of a page waits for a page, and happens as often as it may.
    only("truncated@alwaysx1");
    assert_eq!(ask(&sandbox, &json!({})).await.sub_code(), "0040139996");
    assert_ne!(ask(&sandbox, &page(0)).await.body, good.body);
    assert_eq!(ask(&sandbox, &page(0)).await.data(), good.data());
}

#[tokio::test]
async fn fast_mode_answers_as_the_slow_one_does() {
    let fields = format!("{SEED_FIELDS},columnExt,scrollId");
    let spec = FastSpec { fields: fields.clone(), page_size: 50, slice_hours: 24, axis: Axis::Created };
    let slow = start(quick()).await;
    let fast = start(Config { fast: Some(spec), ..quick() }).await;
    let summary = fast.fast_summary().unwrap();
    assert_eq!((summary.windows, summary.pages), (7, 14));
    let mut trades = BTreeSet::new();
    for day in 1..=7 {
        let biz = json!({"fields": fields, "pageSize": 50, "scrollId": "", "hasTotal": 1,
            "startCreated": format!("2024-06-{day:02} 00:00:00"), "endCreated": format!("2024-06-{:02} 00:00:00", day + 1)});
        let (mut quick, mut usual) = (ask(&fast, &biz).await.data(), ask(&slow, &biz).await.data());
        let next = [&quick, &usual].map(|data| data["scrollId"].as_str().unwrap().to_owned());
        quick["scrollId"] = usual["scrollId"].take();
        usual["scrollId"] = quick["scrollId"].clone();
        assert_eq!(quick["trades"], usual["trades"]);
        assert_eq!(quick["totalResults"], usual["totalResults"]);
        trades.extend(trade_nos(&quick));
        let rest = ask(&fast, &with(&biz, "scrollId", next[0].clone())).await.data();
        assert_eq!(rest["trades"], ask(&slow, &with(&biz, "scrollId", next[1].clone())).await.data()["trades"]);
        assert_eq!(rest["scrollId"], "");
        trades.extend(trade_nos(&rest));
    }
    assert_eq!(trades.len(), 500);
    assert_eq!(ask(&fast, &week()).await.data()["totalResults"], 500, "what was not rendered takes the usual way");
    let mut forged = parameters(&week().to_string());
    forged.push(("sign".to_owned(), "wrong".to_owned()));
    assert_eq!(post(&fast, forged).await.sub_code(), "0858030801");
}

#[tokio::test]
async fn stopping_frees_the_port_and_does_not_wait_for_a_slow_answer() {
    let sandbox = start(quick()).await;
    sandbox.set_faults(vec!["slow=60000@always".parse().unwrap()]);
    let address = sandbox.address();
    let mut waiting = TcpStream::connect(address).unwrap();
    waiting.write_all(b"POST /open/openapi/do HTTP/1.1\r\nhost: s\r\ncontent-length: 0\r\n\r\n").unwrap();
    while sandbox.calls() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    sandbox.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4));
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("0858030801"), "the answer in flight was finished: {answer}");
    assert!(TcpStream::connect(address).is_err());
}
