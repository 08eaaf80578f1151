//! The Jushuitan source against the simulated vendor over HTTP: every shape of paging, rows that move, faults, tokens.

use chrono::TimeDelta;
use dukou::base::clock::{Clock, SystemClock, Wall, parse_wall, wall};
use dukou::base::record::Page;
use dukou::base::retry::RetryPolicy;
use dukou::base::{Error, Kind, Result};
use dukou::config::model::{Limits, ParamValue, Source as Written, SourceConnector, Window};
use dukou::config::secret::{Env, Setting};
use dukou::net::budget::RateBudget;
use dukou::net::client::HttpClient;
use dukou::net::{ClientOptions, End};
use dukou::sandbox::{
    Config, Fault, HasNext, JUSHUITAN_ACCESS_TOKEN, JUSHUITAN_APP_KEY, JUSHUITAN_APP_SECRET, JUSHUITAN_REFRESH_TOKEN,
    JushuitanConfig, Sandbox,
};
use dukou::source::driver::{Completeness, drive};
use dukou::source::jushuitan::Jushuitan;
use dukou::source::{Ask, AskKind, Axis, Source, slices};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

const RETURNS: u32 = 400;

/// 400 returns and 40 others in seven days, as fast as the client likes.
fn quick() -> JushuitanConfig {
    JushuitanConfig { returns: RETURNS, calls_per_second: None, calls_per_minute: None, ..JushuitanConfig::default() }
}

async fn start(config: Config) -> Sandbox {
    Sandbox::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("a sandbox")
}

async fn play(jushuitan: JushuitanConfig) -> Sandbox {
    start(Config { days: 7, jushuitan, ..Config::default() }).await
}

fn faults(sandbox: &Sandbox, list: &[&str]) {
    let faults = list.iter().map(|text| text.parse::<Fault>().unwrap_or_else(|e| panic!("{text}: {e}"))).collect();
    sandbox.set_vendor_faults("jushuitan", faults);
}

fn written(access: Option<&str>, page_size: u32) -> Written {
    let setting = |name: &str, variable: &str| Setting::new(format!("source.{name}"), variable);
    Written {
        connector: SourceConnector::Jushuitan,
        method: "other.inout.query".into(),
        table: "inout".into(),
        key: "io_id".into(),
        version: "modified".into(),
        url: setting("url", "${URL}"),
        app_key: setting("app_key", JUSHUITAN_APP_KEY),
        app_secret: setting("app_secret", JUSHUITAN_APP_SECRET),
        access_token: access.map(|token| setting("access_token", token)),
        refresh_token: access.map(|_| setting("refresh_token", JUSHUITAN_REFRESH_TOKEN)),
        params: vec![("types".into(), ParamValue::Text("其它退货".into()))],
        window: Window {
            slice: Duration::from_secs(86_400),
            overlap: Duration::ZERO,
            settle: Duration::ZERO,
            page_size,
            start: None,
        },
        history: None,
        limits: Limits {
            calls_per_second: 1_000.0,
            calls_per_minute: None,
            request_timeout: Duration::from_secs(10),
            max_page_bytes: 8 << 20,
            max_pages: 1_000,
        },
        drop: Vec::new(),
    }
}

fn source(sandbox: &Sandbox, tokens: &Path) -> Jushuitan {
    let env = Env::only([("URL", sandbox.jushuitan_url())]);
    Jushuitan::open(&written(Some(JUSHUITAN_ACCESS_TOKEN), 20), &env, tokens).expect("a source")
}

/// What a campaign brought: raw records by id, and how often a window was pulled in vain.
#[derive(Default)]
struct Brought {
    records: BTreeMap<i64, String>,
    unsettled: u32,
}

/// Pulls a window as the stager does: twice, then in halves.
async fn bring(source: &Jushuitan, ask: Ask, brought: &mut Brought) -> Result<()> {
    let mut todo = vec![ask];
    while let Some(ask) = todo.pop() {
        let mut settled = false;
        for _ in 0..2 {
            let pages = pull(source, &ask).await?;
            if let Some(pages) = pages {
                for raw in pages.iter().flat_map(Page::raw_records) {
                    let record: serde_json::Value = serde_json::from_str(raw).expect("JSON");
                    brought.records.insert(record["io_id"].as_i64().expect("an id"), raw.to_owned());
                }
                settled = true;
                break;
            }
            brought.unsettled += 1;
        }
        if !settled {
            let (first, second) = slices::split(&ask).ok_or_else(|| Error::unavailable("rows never rest"))?;
            todo.extend([second, first]);
        }
    }
    Ok(())
}

/// The pages of one pull; `None` if it must be repeated.
async fn pull(source: &Jushuitan, ask: &Ask) -> Result<Option<Vec<Page>>> {
    let options =
        ClientOptions { request_timeout: Duration::from_secs(10), max_answer_bytes: 8 << 20, end: End::Source };
    let transport = HttpClient::new(options)?;
    let budget = RateBudget::new(f64::INFINITY);
    let retry = RetryPolicy { max_attempts: 6, first_wait: Duration::from_millis(5), ..RetryPolicy::default() };
    let (out, mut pages) = tokio::sync::mpsc::channel(2);
    let mut pull = source.pull(ask)?;
    let driving = drive(&mut *pull, &transport, &budget, retry, &SystemClock, out, &|_| {});
    let taking = async {
        let mut all = Vec::new();
        while let Some(page) = pages.recv().await {
            all.push(page);
        }
        all
    };
    let (pulled, pages) = tokio::join!(driving, taking);
    Ok((!matches!(pulled?.completeness(), Completeness::Unstable { .. })).then_some(pages))
}

fn at(text: &str) -> Wall {
    parse_wall(text).expect("a time")
}

fn window(from: Wall, to: Wall, axis: Axis) -> Ask {
    Ask { kind: AskKind::Window { from, to, axis }, set: Vec::new() }
}

fn io_date() -> Axis {
    Axis::Stable { name: "io_date".into(), table_switch: None }
}

fn week(axis: Axis) -> Ask {
    window(at("2024-06-01 00:00:00"), at("2024-06-08 00:00:00"), axis)
}

async fn whole_week(source: &Jushuitan) -> Brought {
    let mut brought = Brought::default();
    bring(source, week(io_date()), &mut brought).await.expect("a whole week");
    brought
}

#[tokio::test]
async fn every_shape_of_paging_brings_every_return() {
    let shapes = [
        quick(),
        JushuitanConfig { totals: false, null_when_empty: true, ..quick() },
        JushuitanConfig { totals: false, has_next: HasNext::Text, request_id: true, ..quick() },
        JushuitanConfig { has_next: HasNext::Number, issuccess: true, ..quick() },
    ];
    for shape in shapes {
        let (sandbox, tokens) = (play(shape).await, tempfile::tempdir().expect("a folder"));
        let source = source(&sandbox, tokens.path());
        let brought = whole_week(&source).await;
        assert_eq!((brought.records.len(), brought.unsettled), (RETURNS as usize, 0));
        let ids: Vec<String> = brought.records.keys().take(3).map(ToString::to_string).collect();
        let ask = Ask { kind: AskKind::Adhoc, set: vec![("io_ids".into(), ids.join(","))] };
        let pages = pull(&source, &ask).await.expect("no error").expect("settled");
        assert_eq!(pages.iter().map(|page| page.records.len()).sum::<usize>(), 3);
        let empty = window(at("2020-01-01 00:00:00"), at("2020-01-02 00:00:00"), Axis::Modified);
        let pages = pull(&source, &empty).await.expect("no error").expect("settled");
        assert_eq!(pages.iter().map(|page| page.records.len()).sum::<usize>(), 0);
    }
}

#[tokio::test]
async fn rows_that_move_while_they_are_paged_are_not_lost() {
    for totals in [true, false] {
        let moving = JushuitanConfig { shift_while_paging: true, totals, ..quick() };
        let (sandbox, tokens) = (play(moving).await, tempfile::tempdir().expect("a folder"));
        let source = source(&sandbox, tokens.path());
        // On io_date the rows stay where they are, only their text changes.
        let by_date = whole_week(&source).await;
        assert_eq!(by_date.records.len(), RETURNS as usize);
        // On modified time they leave the window for now.
        let mut brought = Brought::default();
        let all = window(at("2024-06-01 00:00:00"), at("2024-06-08 00:00:00"), Axis::Modified);
        bring(&source, all, &mut brought).await.expect("the week");
        assert!(brought.unsettled > 0, "nothing moved: the test tests nothing");
        let (inside, now) = (brought.records.len(), wall(SystemClock.now()));
        let later = window(at("2024-06-08 00:00:00"), at("2024-06-15 00:00:00"), Axis::Modified);
        let today = window(now - TimeDelta::days(1), now + TimeDelta::days(1), Axis::Modified);
        for ask in [later, today] {
            bring(&source, ask, &mut brought).await.expect("what moved");
        }
        assert!(inside < RETURNS as usize, "{inside}");
        assert_eq!(brought.records.len(), RETURNS as usize);
    }
}

#[tokio::test]
async fn faults_of_the_way_lose_and_change_nothing() {
    let sandbox = play(quick()).await;
    let tokens = tempfile::tempdir().expect("a folder");
    let expected = whole_week(&source(&sandbox, tokens.path())).await.records;
    let lists: [&[&str]; 4] = [
        &["repeated-page@every:3"],
        &["http-502@every:4", "cut-off@every:5", "proxy-html@every:7", "reset@every:11"],
        // Never three in a row: that is as often as a page is asked for.
        &["truncated@every:6", "invalid-utf8@every:8", "empty-body@every:10"],
        &["throttle@3", "own=expire-token@5", "own=expire-token@9"],
    ];
    for list in lists {
        faults(&sandbox, list);
        let brought = whole_week(&source(&sandbox, tokens.path())).await;
        assert_eq!(brought.records, expected, "{list:?}");
    }
    faults(&sandbox, &["endless@always"]);
    let brought = bring(&source(&sandbox, tokens.path()), week(io_date()), &mut Brought::default()).await;
    let error = brought.expect_err("no end");
    assert!(error.to_string().contains("endless pager"), "{error}");
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_is_put_right_by_the_vendors() {
    for hours in [-1, 1] {
        let config = Config { days: 7, jushuitan: quick(), clock_offset: TimeDelta::hours(hours), ..Config::default() };
        let (sandbox, tokens) = (start(config).await, tempfile::tempdir().expect("a folder"));
        assert_eq!(whole_week(&source(&sandbox, tokens.path())).await.records.len(), RETURNS as usize);
    }
}

#[tokio::test]
async fn a_renewed_token_outlives_the_process_and_a_dead_pair_names_the_cure() {
    let sandbox = play(quick()).await;
    let tokens = tempfile::tempdir().expect("a folder");
    sandbox.expire_jushuitan_token();
    assert_eq!(whole_week(&source(&sandbox, tokens.path())).await.records.len(), RETURNS as usize);
    assert_ne!(sandbox.jushuitan_tokens().0, JUSHUITAN_ACCESS_TOKEN);
    // The configured token is dead; only the kept one answers, and without a call for another.
    faults(&sandbox, &[]);
    assert_eq!(whole_week(&source(&sandbox, tokens.path())).await.records.len(), RETURNS as usize);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let day = window(at("2024-06-01 00:00:00"), at("2024-06-02 00:00:00"), io_date());
    let error = pull(&source(&sandbox, elsewhere.path()), &day).await.expect_err("no good token");
    assert_eq!((error.kind(), error.exit_code()), (Kind::Denied, 4), "{error}");
    assert!(error.cure().is_some_and(|cure| cure.contains("source.refresh_token")));
    // An own-company application needs no configured token.
    let env = Env::only([("URL", sandbox.jushuitan_url())]);
    let own = Jushuitan::open(&written(None, 50), &env, elsewhere.path()).expect("a source");
    assert!(pull(&own, &day).await.expect("no error").is_some());
}

#[tokio::test]
async fn the_vendors_own_rates_are_kept_without_a_refusal() {
    let limits = JushuitanConfig { calls_per_second: Some(5), calls_per_minute: Some(100), ..quick() };
    let (sandbox, tokens) = (play(limits).await, tempfile::tempdir().expect("a folder"));
    let source = source(&sandbox, tokens.path());
    let options =
        ClientOptions { request_timeout: Duration::from_secs(10), max_answer_bytes: 8 << 20, end: End::Source };
    let (transport, budget) = (HttpClient::new(options).expect("a client"), RateBudget::new(5.0).per_minute(Some(100)));
    let retries = std::sync::atomic::AtomicU32::new(0);
    let note = |event| {
        if matches!(event, dukou::source::driver::Event::Retry { .. }) {
            retries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let (out, mut pages) = tokio::sync::mpsc::channel(64);
    let mut pull = source.pull(&week(io_date())).expect("a pull");
    let pulled = drive(&mut *pull, &transport, &budget, RetryPolicy::default(), &SystemClock, out, &note).await;
    assert_eq!(pulled.expect("a whole pull").records, u64::from(RETURNS));
    pages.close();
    // A timer's tick may bring one call too many into a second; the vendor's refusal is then waited out.
    assert!(retries.into_inner() <= 1);
}
