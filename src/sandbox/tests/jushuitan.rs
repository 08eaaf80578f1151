//! The simulated Jushuitan over real HTTP, spoken by hand.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::{Heard, get, post_form};
use super::{encode, start, with};
use crate::sandbox::gateway::Form;
use crate::sandbox::jushuitan::sign;
use crate::sandbox::*;
use chrono::Utc;
use serde_json::{Value, json};

const QUERY: &str = "/open/other/inout/query";
const REFRESH: &str = "/openWeb/auth/refreshToken";

fn form(pairs: &[(&str, &str)]) -> Form {
    let now = Utc::now().timestamp().to_string();
    let system = [("app_key", JUSHUITAN_APP_KEY), ("charset", "utf-8"), ("timestamp", now.as_str())];
    let all = system.iter().chain(pairs);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn set(form: &mut Form, name: &str, value: &str) {
    form.retain(|(known, _)| known != name);
    form.push((name.to_owned(), value.to_owned()));
}

async fn post(sandbox: &Sandbox, path: &str, mut form: Form) -> Heard {
    let signed = sign(JUSHUITAN_APP_SECRET, &form, true);
    set(&mut form, "sign", &signed);
    post_form(sandbox.address(), path, "", &encode(&form)).await
}

fn business(token: &str, biz: &Value) -> Form {
    form(&[("access_token", token), ("version", "2"), ("biz", &biz.to_string())])
}

async fn ask(sandbox: &Sandbox, biz: &Value) -> Heard {
    post(sandbox, QUERY, business(JUSHUITAN_ACCESS_TOKEN, biz)).await
}

async fn page(sandbox: &Sandbox, biz: &Value) -> Value {
    let answer = ask(sandbox, biz).await.json();
    assert_eq!((&answer["code"], &answer["msg"]), (&json!(0), &json!("执行成功")), "{answer}");
    answer["data"].clone()
}

fn refusal(heard: &Heard) -> (u64, String) {
    let answer = heard.json();
    assert!(heard.status == 200 && answer["data"].is_null(), "{answer}");
    (answer["code"].as_u64().unwrap(), answer["msg"].as_str().unwrap().to_owned())
}

fn ids(page: &Value) -> Vec<i64> {
    page["datas"].as_array().unwrap().iter().map(|document| document["io_id"].as_i64().unwrap()).collect()
}

/// 500 returns and 50 others in seven days, as fast as the client likes.
fn quick() -> JushuitanConfig {
    JushuitanConfig { returns: 500, calls_per_second: None, calls_per_minute: None, ..JushuitanConfig::default() }
}

async fn play(jushuitan: JushuitanConfig) -> Sandbox {
    start(Config { days: 7, jushuitan, ..Config::default() }).await
}

fn week() -> Value {
    json!({"modified_begin": "2024-06-01 00:00:00", "modified_end": "2024-06-08 00:00:00", "page_size": 50})
}

/// Every page by number, until there is no next.
async fn pull(sandbox: &Sandbox, biz: &Value) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    loop {
        let data = page(sandbox, &with(biz, "page_index", pages.len() + 1)).await;
        pages.push(ids(&data));
        if data["has_next"] == false {
            return pages;
        }
    }
}

#[tokio::test]
async fn checks_come_in_their_order_and_each_has_its_code() {
    let sandbox = play(JushuitanConfig { calls_per_second: Some(3), calls_per_minute: Some(4), ..quick() }).await;
    let mut wrong = business("stale", &json!({}));
    set(&mut wrong, "timestamp", &(Utc::now().timestamp() - 660).to_string());
    let mut forged = wrong.clone();
    set(&mut forged, "sign", "05e3a51e19e0883afd1882ccd309e0b9");
    assert_eq!(refusal(&post_form(sandbox.address(), QUERY, "", &encode(&forged)).await).0, 10);
    set(&mut forged, "app_key", "another");
    assert_eq!(refusal(&post(&sandbox, QUERY, forged).await).0, 10);
    assert_eq!(refusal(&post(&sandbox, QUERY, wrong.clone()).await).0, 140);
    set(&mut wrong, "timestamp", &(Utc::now().timestamp() + 590).to_string());
    let refused = refusal(&post(&sandbox, QUERY, wrong.clone()).await);
    assert_eq!(refused, (100, "验证失败！无效的access_token或access_token已过期".to_owned()));
    set(&mut wrong, "access_token", JUSHUITAN_ACCESS_TOKEN);
    assert_eq!(refusal(&post(&sandbox, "/open/orders/single/query", wrong.clone()).await).0, 190);
    assert_eq!(refusal(&post(&sandbox, QUERY, wrong.clone()).await).0, 170, "no window");
    let (code, message) = refusal(&ask(&sandbox, &with(&week(), "page_index", 0)).await);
    assert!(code == 200 && !message.contains("调用频次"), "a business refusal in the code of a rate: {message}");
    set(&mut wrong, "version", "1");
    assert_eq!(refusal(&post(&sandbox, QUERY, wrong.clone()).await).0, 130);
    assert_eq!(refusal(&post(&sandbox, QUERY, wrong.clone()).await), (199, "调用频次超过限制!请稍后再试".to_owned()));
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(page(&sandbox, &week()).await["data_count"], 550);
    assert_eq!(refusal(&ask(&sandbox, &week()).await), (200, "调用频次超过限制".to_owned()));
    assert_eq!((sandbox.vendor_calls("jushuitan"), sandbox.calls()), (11, 0));
}

#[tokio::test]
async fn switches_decide_where_sources_conflict() {
    let older = JushuitanConfig { timestamp_table: Table::Older, window_code: WindowCode::Code130, ..quick() };
    let sandbox = play(older).await;
    let mut late = business(JUSHUITAN_ACCESS_TOKEN, &week());
    set(&mut late, "timestamp", &(Utc::now().timestamp() - 660).to_string());
    assert_eq!(refusal(&post(&sandbox, QUERY, late).await).0, 180);
    assert_eq!(refusal(&ask(&sandbox, &json!({})).await).0, 130);
    // Empty values are part of the signature or not, as the client likes.
    let mut empty = business(JUSHUITAN_ACCESS_TOKEN, &week());
    set(&mut empty, "scope", "");
    for keep in [true, false] {
        let signed = sign(JUSHUITAN_APP_SECRET, &empty, keep);
        set(&mut empty, "sign", &signed);
        let heard = post_form(sandbox.address(), QUERY, "", &encode(&empty)).await;
        assert_eq!(heard.json()["code"], 0, "{keep}");
    }

    let plain = JushuitanConfig { addresses: Some(Vec::new()), ..quick() };
    let (code, message) = refusal(&ask(&play(plain).await, &week()).await);
    assert!(code == 110 && message.contains("白名单列表：127.0.0.1，"), "{message}");

    let shapes = JushuitanConfig {
        totals: false,
        null_when_empty: true,
        has_next: HasNext::Text,
        request_id: true,
        issuccess: true,
        page_size_above: PageSizeAbove::Refused,
        ..quick()
    };
    let sandbox = play(shapes).await;
    let answer = ask(&sandbox, &with(&week(), "page_index", 12)).await.json();
    assert_eq!((&answer["issuccess"], answer["request_id"].is_string()), (&json!(true), true));
    assert_eq!(answer["data"], json!({"page_size": 50, "page_index": 12, "has_next": "false", "datas": null}));
    assert_eq!(refusal(&ask(&sandbox, &with(&week(), "page_size", 51)).await).0, 200);
    let numbers = play(JushuitanConfig { has_next: HasNext::Number, ..quick() }).await;
    assert_eq!(page(&numbers, &week()).await["has_next"], 1);
}

#[tokio::test]
async fn a_void_token_is_refused_until_it_is_refreshed() {
    let sandbox = play(quick()).await;
    sandbox.set_vendor_faults("jushuitan", vec!["own=expire-token@2".parse().unwrap()]);
    assert_eq!(page(&sandbox, &week()).await["page_count"], 11);
    assert_eq!(refusal(&ask(&sandbox, &week()).await).0, 100);
    let renew = [("grant_type", "refresh_token"), ("refresh_token", JUSHUITAN_REFRESH_TOKEN), ("scope", "all")];
    let data = post(&sandbox, REFRESH, form(&renew)).await.json()["data"].clone();
    assert_eq!(data["expires_in"], 2_592_000);
    let (access, refresh) = sandbox.jushuitan_tokens();
    assert_eq!((&data["access_token"], &data["refresh_token"]), (&json!(access), &json!(refresh)));
    assert_eq!(post(&sandbox, QUERY, business(&access, &week())).await.json()["code"], 0);
    let (code, message) = refusal(&post(&sandbox, REFRESH, form(&renew)).await);
    assert!(code == 100 && message.contains("refresh_token"), "the old one is spent: {message}");
    sandbox.expire_jushuitan_token();
    assert_eq!(refusal(&post(&sandbox, QUERY, business(&access, &week())).await).0, 100);
    let begin = form(&[("grant_type", "authorization_code"), ("code", "a1B2c3")]);
    let data = post(&sandbox, "/openWeb/auth/getInitToken", begin).await.json()["data"].clone();
    let token = data["access_token"].as_str().unwrap();
    assert_eq!(post(&sandbox, QUERY, business(token, &week())).await.json()["code"], 0);

    let forbidden = play(JushuitanConfig { refreshing: Refreshing::Forbidden, ..quick() }).await;
    assert_eq!(refusal(&post(&forbidden, REFRESH, form(&renew)).await).0, 150);
}

#[tokio::test]
async fn page_numbers_lose_what_slips_forward_and_dates_do_not_move() {
    let calm = pull(&play(quick()).await, &week()).await;
    assert_eq!(calm.iter().map(Vec::len).collect::<Vec<_>>(), [50; 11]);
    assert_eq!(calm.iter().flatten().collect::<BTreeSet<_>>().len(), 550);

    let sandbox = play(JushuitanConfig { shift_while_paging: true, ..quick() }).await;
    let shifted = pull(&sandbox, &week()).await.concat();
    assert_eq!(shifted.iter().collect::<BTreeSet<_>>().len(), 547, "three rows slipped to the first page, unseen");
    let again = pull(&sandbox, &week()).await.concat();
    assert_eq!(again.len(), 547, "a window shifts once only");
    let now = Utc::now() + TimeDelta::hours(8);
    let time = |minutes: i64| (now + TimeDelta::minutes(minutes)).format("%Y-%m-%d %H:%M:%S").to_string();
    let caught = page(&sandbox, &json!({"modified_begin": time(-5), "modified_end": time(5)})).await;
    assert_eq!(ids(&caught).into_iter().collect::<BTreeSet<_>>(), calm[0][..3].iter().copied().collect());
    let versions: Vec<i64> =
        caught["datas"].as_array().unwrap().iter().map(|document| document["ts"].as_i64().unwrap()).collect();
    let newest = page(&sandbox, &json!({"start_ts": versions.iter().min()})).await;
    assert_eq!(ids(&newest).len(), 3, "what was modified last has the greatest row versions");

    let dated = pull(&sandbox, &with(&week(), "date_type", 2)).await.concat();
    assert_eq!(dated.iter().collect::<BTreeSet<_>>().len(), 550);
    let last = page(&sandbox, &with(&with(&week(), "date_type", "2"), "page_index", "11")).await;
    assert_eq!(ids(&last), dated[500..], "dates do not move");
}

#[tokio::test]
async fn the_truth_is_what_a_client_counts() {
    let sandbox = start(Config { bad: true, days: 7, jushuitan: quick(), ..Config::default() }).await;
    let truth = sandbox.jushuitan_truth();
    let mut documents = Vec::new();
    for number in 1..=11 {
        let data = page(&sandbox, &with(&with(&week(), "date_type", 2), "page_index", number)).await;
        documents.extend(data["datas"].as_array().unwrap().clone());
    }
    assert_eq!(documents.len() as u64, truth.documents);
    let (mut lines, mut accepted, mut accepted_lines, mut entries, mut qty) = (0, 0, 0, 0, 0);
    let mut reasons = BTreeMap::<&str, u64>::new();
    for document in documents.iter().filter(|document| document["type"] == "其它退货") {
        let empty = Vec::new();
        let items = document["items"].as_array().unwrap_or(&empty);
        let batches = document["batchs"].as_array().unwrap_or(&empty);
        let held = |sku: &Value| -> (u64, i64) {
            let own = batches.iter().filter(|batch| batch["sku_id"] == *sku);
            own.fold((0, 0), |(count, sum), batch| (count + 1, sum + batch["qty"].as_i64().unwrap()))
        };
        lines += items.len() as u64;
        let id = document["io_id"].as_i64().unwrap();
        let uneven = items.iter().any(|item| held(&item["sku_id"]).0 > 0 && held(&item["sku_id"]).1 != item["qty"]);
        let unknown = items.iter().any(|item| item["sku_id"].as_str().unwrap().starts_with("SKU99"));
        let reason = if truth.conflicts.contains(&id) {
            "conflict"
        } else if !["Confirmed", "Archive"].contains(&document["status"].as_str().unwrap()) {
            "left out"
        } else if items.is_empty() || uneven || document["drp_co_name"] == world::UNKNOWN_DISTRIBUTOR {
            "blocked"
        } else if unknown
            || items.iter().any(|item| item["qty"].as_i64().unwrap() <= 0)
            || document["io_date"].as_str().unwrap() < "2024-06-02"
        {
            "rejected"
        } else {
            accepted += 1;
            accepted_lines += items.len() as u64;
            entries += items.iter().map(|item| held(&item["sku_id"]).0.max(1)).sum::<u64>();
            qty += items.iter().map(|item| item["qty"].as_i64().unwrap()).sum::<i64>();
            "accepted"
        };
        *reasons.entry(reason).or_default() += 1;
    }
    assert_eq!((lines, accepted, accepted_lines), (truth.lines, truth.accepted, truth.accepted_lines));
    assert_eq!((entries, qty), (truth.accepted_entries, truth.accepted_qty));
    let expected = [
        ("accepted", truth.accepted),
        ("blocked", truth.blocked),
        ("conflict", 2),
        ("left out", truth.left_out),
        ("rejected", truth.rejected),
    ];
    assert_eq!(reasons, expected.into());
    assert_eq!((truth.rejected, truth.blocked, truth.left_out), (6, 6, 4));
    assert_eq!(truth.accepted + truth.rejected + truth.blocked + truth.left_out + 2, 500);

    let shown = get(sandbox.address(), "/sandbox/jushuitan/truth").await.json();
    assert_eq!(shown, truth.to_json());
    let one = get(sandbox.address(), "/sandbox/jushuitan/inout/20000022").await.json();
    assert_eq!(Some(&one), documents.iter().find(|document| document["io_id"] == 20_000_022));
    assert_eq!(get(sandbox.address(), "/sandbox/jushuitan/inout/20000023").await.status, 404);
    let pages = [("1", 50), ("11", 50)];
    for (number, count) in pages {
        let shown = get(sandbox.address(), &format!("/sandbox/jushuitan/page/{number}")).await.json();
        assert_eq!(shown.as_array().unwrap().len(), count);
    }
    for beyond in ["0", "12", "4294967295", "x"] {
        assert_eq!(get(sandbox.address(), &format!("/sandbox/jushuitan/page/{beyond}")).await.status, 404, "{beyond}");
    }
}

#[tokio::test]
async fn faults_meet_queries_and_not_the_token_calls_between_them() {
    let sandbox = play(quick()).await;
    let faults =
        ["throttle@2", "own=minute-limit@3", "own=revoke-tokens@4", "repeated-page@7", "endless@8", "own=typo@9"];
    sandbox.set_vendor_faults("jushuitan", faults.iter().map(|fault| fault.parse().unwrap()).collect());
    let first = ids(&page(&sandbox, &week()).await);
    assert_eq!(refusal(&ask(&sandbox, &week()).await).0, 199);
    assert_eq!(refusal(&ask(&sandbox, &week()).await), (200, "调用频次超过限制".to_owned()));
    assert_eq!(refusal(&ask(&sandbox, &week()).await).0, 100);
    let renew = [("grant_type", "refresh_token"), ("refresh_token", JUSHUITAN_REFRESH_TOKEN), ("scope", "all")];
    assert_eq!(refusal(&post(&sandbox, REFRESH, form(&renew)).await).0, 100, "revoked as well");
    let begin = form(&[("grant_type", "authorization_code"), ("code", "a1B2c3")]);
    post(&sandbox, "/openWeb/auth/getInitToken", begin).await;
    let (token, _) = sandbox.jushuitan_tokens();
    let at = |number: u32| business(&token, &with(&week(), "page_index", number));
    let second = post(&sandbox, QUERY, at(2)).await.body;
    assert_eq!(ids(&post(&sandbox, QUERY, at(1)).await.json()["data"]), first);
    assert_eq!(ids(&post(&sandbox, QUERY, at(2)).await.json()["data"]), first, "the page before");
    let beyond = post(&sandbox, QUERY, at(40)).await.json()["data"].clone();
    assert_eq!((ids(&beyond).len(), &beyond["has_next"]), (50, &json!(true)));
    assert_eq!(post(&sandbox, QUERY, at(1)).await.status, 500);
    assert_eq!(post(&sandbox, QUERY, at(2)).await.body, second);
}
