//! Bad input from the vendor and the command line: each ends in an error that says what, where and how to cure; and once
//! the cause is gone the same command ends complete, nothing lost, nothing doubled.

use super::bad_support::*;
use chrono::{Days, TimeDelta, Utc};
use dukou::sandbox::{APP_KEY, APP_SECRET, Config, Fault, Sandbox};

const HTML: &str = "<html><head><title>Sign in</title><style>x{}</style></head><body>Please sign in</body></html>";

fn faults(specs: &[&str]) -> Vec<Fault> {
    specs.iter().map(|s| s.parse().expect("a fault")).collect()
}

/// What a run against something bad has to say.
struct Case(&'static str, i32, &'static [&'static str]);

impl Case {
    /// The sandbox misbehaves in this way.
    async fn faulty(self, spec: &str) {
        let vendor = start(vendor()).await;
        vendor.set_faults(faults(&[spec]));
        let project = Project::new(&vendor.url());
        if spec.starts_with("endless") {
            project.edit("calls_per_second = 1000 ", "max_pages = 30\ncalls_per_second = 1000 ");
        }
        self.check(project, &vendor).await;
    }

    /// Something between us and the vendor lies.
    async fn lied(self, lie: impl Fn(u64) -> Lie + Send + Sync + 'static) {
        let vendor = start(vendor()).await;
        let liar = liar(&vendor, lie).await;
        self.check(Project::new(&liar.url), &vendor).await;
    }

    /// A setting is wrong.
    async fn with(self, name: &str, value: &str) {
        let vendor = start(vendor()).await;
        let mut project = Project::new(&vendor.url());
        project.set(name, value);
        self.check(project, &vendor).await;
    }

    async fn check(self, mut project: Project, vendor: &Sandbox) {
        let Self(name, code, words) = self;
        let ran = project.history().await;
        assert_eq!(ran.code, code, "{name}: {ran:?}");
        for word in words {
            assert!(ran.err.contains(word), "{name} does not say {word:?}: {}", ran.err);
        }
        assert!(ran.peak_kib < 300 << 10, "{name}: {} KiB", ran.peak_kib);
        vendor.set_faults(Vec::new());
        project.set("JACKYUN_URL", &vendor.url());
        project.set("JACKYUN_APP_KEY", APP_KEY);
        project.set("JACKYUN_APP_SECRET", APP_SECRET);
        project.completes(vendor).await;
        // The same again delivers nothing twice.
        project.completes(vendor).await;
    }
}

fn instead(status: &'static str, kind: &'static str, body: &'static str) -> impl Fn(u64) -> Lie {
    move |_| Lie::Instead(http(status, kind, body))
}

/// From the second page on, so that something was pulled already.
fn later(edit: fn(String) -> String) -> impl Fn(u64) -> Lie {
    move |call| if call < 2 { Lie::Truth } else { Lie::Edited(edit) }
}

#[tokio::test]
async fn wrong_credentials_name_the_setting() {
    tokio::join!(
        Case("key", 4, &["does not know the app key", "source.app_key", "fullinfoget page 1", "cure: "])
            .with("JACKYUN_APP_KEY", "wr0ng-k3y-of-somebody"),
        Case("secret", 4, &["refuses the signature", "source.app_secret"])
            .with("JACKYUN_APP_SECRET", "Wr0ng-S3cret-of-somebody"),
        Case("no secret", 2, &["source.app_secret", "JACKYUN_APP_SECRET is not set", "export"])
            .with("JACKYUN_APP_SECRET", " "),
        Case("subscription", 4, &["oms.trade.fullinfoget", "subscribe the method"]).lied(instead(
            "200 OK",
            "application/json",
            r#"{"code":0,"subCode":"0130020310","msg":"应用不存在或未订阅该接口","result":null}"#
        )),
        Case("unknown refusal", 4, &["0777", "不知道", "contextId 42"]).lied(instead(
            "200 OK",
            "application/json",
            r#"{"code":0,"subCode":"0777","msg":"不知道","result":{"contextId":"42"}}"#
        )),
    );
}

#[tokio::test]
async fn a_wrong_address_names_the_setting() {
    tokio::join!(
        Case("refused", 3, &["127.0.0.1:1 cannot be reached", "source.url", "gave up after 6 attempts"])
            .with("JACKYUN_URL", "http://127.0.0.1:1/open"),
        Case("no such host", 3, &["no-such-host.invalid cannot be reached", "source.url"])
            .with("JACKYUN_URL", "http://no-such-host.invalid/open"),
        Case("no address", 2, &["source.url", "not an http or https address"]).with("JACKYUN_URL", "open.jackyun.com"),
        Case("404", 4, &["HTTP status 404", "source.url", "Please sign in"])
            .lied(instead("404 Not Found", "text/html", HTML)),
        Case("moved", 4, &["302", "elsewhere.example", "source.url"]).lied(|_| {
            Lie::Instead("HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into())
        }),
        Case("a proxy's page", 4, &["a web page came", "Please sign in", "proxy"])
            .lied(instead("200 OK", "text/html", HTML)),
        Case("a bad gateway", 3, &["HTTP status 502", "gave up after", "later"]).faulty("http-502@always"),
        Case("throttled", 3, &["限流", "gave up after", "later"]).faulty("throttle@always"),
        Case("not HTTP", 3, &["127.0.0.1:"]).lied(|_| Lie::Instead("220 mail ready\r\n".into())),
    );
}

#[tokio::test]
async fn a_page_that_is_none_stops_the_slice() {
    tokio::join!(
        Case("huge", 4, &["larger than", "max_page_mib", "created/1 2024-06-01"]).faulty("oversize=209715200@2"),
        Case("not UTF-8", 4, &["not UTF-8 at byte", "page 2", "cure: "]).faulty("invalid-utf8@2+3+4"),
        Case("truncated", 4, &["cannot be read", "page 2", "cure: "]).faulty("truncated@2+3+4"),
        Case("endless", 4, &["endless pager", "max_pages"]).faulty("endless@always"),
        Case("a member twice", 4, &["code stands twice", "page 2", "cure: "]).lied(later(|body| body.replacen(
            '{',
            r#"{"code":200,"#,
            1
        ))),
        Case("rows twice", 4, &["trades stands twice", "page 2"]).lied(later(|body| body.replacen(
            r#""trades":["#,
            r#""trades":[],"trades":["#,
            1
        ))),
        Case("a number for a record", 4, &["is no object", "page 2"]).lied(later(|body| body.replacen(
            r#""trades":["#,
            r#""trades":[7,"#,
            1
        ))),
    );
}

/// What passes is waited for, and said.
#[tokio::test]
async fn passing_trouble_is_waited_out() {
    let vendor = start(vendor()).await;
    vendor.set_faults(faults(&[
        "throttle@1",
        "http-502@3",
        "cut-off@5",
        "proxy-html@7",
        "reset@9",
        "http-429=1@11",
        "empty-body@13",
    ]));
    let project = Project::new(&vendor.url());
    let ran = project.history().await;
    ran.says(0, &["waiting", "限流", "502", "429", "without content"]);
    project.agrees(&vendor);
}

/// A record with a key twice is a record, and the run says so.
#[tokio::test]
async fn a_key_twice_in_a_record_is_counted() {
    let vendor = start(vendor()).await;
    let twice = |body: String| body.replacen(r#""sellerMemo":"#, r#""sellerMemo":"other","sellerMemo":"#, 1);
    let liar = liar(&vendor, move |call| if call == 2 { Lie::Edited(twice) } else { Lie::Truth }).await;
    let project = Project::new(&liar.url);
    let ran = project.history().await;
    ran.says(0, &["sellerMemo", "the key comes twice"]);
    project.agrees(&vendor);
}

/// Records without a usable key: blocked, each with its reason; the others go. What the target refuses is rejected alone.
#[tokio::test]
async fn records_that_cannot_go_are_held_alone() {
    let vendor = start(vendor()).await;
    fn spoil(body: String) -> String {
        let mut parts = body.split(r#""tradeNo":""#).map(str::to_string).collect::<Vec<_>>();
        let after = |part: &str| part.split_once('"').map(|(_, rest)| rest.to_string()).expect("a value");
        let long = "9".repeat(300);
        for (at, value) in [(1, "null".to_string()), (2, r#""""#.into()), (4, format!("\"{long}\""))] {
            parts[at] = format!("{value}{}", after(&parts[at]));
        }
        parts[3] = parts[3].replacen('"', r#"  ""#, 1);
        let mut text = parts[0].clone();
        for (at, part) in parts.iter().enumerate().skip(1) {
            text.push_str(if [1, 2, 4].contains(&at) { r#""tradeNo":"# } else { r#""tradeNo":""# });
            text.push_str(part);
        }
        // The fifth record gets a memo of 70,000 characters.
        let memo = text.match_indices(r#""sellerMemo":"#).nth(4).expect("a memo").0 + r#""sellerMemo":"#.len();
        let quoted = text[memo..].starts_with('"');
        let rest = if quoted {
            text[memo + 1..].split_once("\",\"").expect("an end").1
        } else {
            text[memo..].split_once(",\"").expect("an end").1
        };
        format!("{}\"{}\",\"{rest}", &text[..memo], "单".repeat(70_000))
    }
    let liar = liar(&vendor, |call| if call == 1 { Lie::Edited(spoil) } else { Lie::Truth }).await;
    let mut project = Project::new(&liar.url);
    let ran = project.history().await;
    ran.says(
        1,
        &["key is empty", "surrounding white space", "longer than 190", "return_reason", "blocked", "rejected"],
    );
    let truth = vendor.truth();
    assert_eq!(project.delivered().0, truth.accepted - 5, "{ran:?}");
    let reported: serde_json::Value =
        serde_json::from_str(&project.state::<String>("SELECT report FROM run")).expect("a report");
    assert_eq!(reported["balance"]["states"], serde_json::json!({"blocked": 4, "accepted": 35, "rejected": 1}));

    // The vendor has mended its records: asked for by name they arrive, the others are not sent again.
    project.set("JACKYUN_URL", &vendor.url());
    let all: Vec<String> = numbers_of(&vendor).await;
    let ran = project.dukou("stage", &["--set", &format!("tradeNo={}", all.join(","))]).await;
    ran.says(0, &[]);
    project.dukou("deliver", &[]).await;
    project.agrees(&vendor);
}

/// The numbers of all trades, from the vendor.
async fn numbers_of(vendor: &Sandbox) -> Vec<String> {
    let project = Project::new(&vendor.url());
    project.completes(vendor).await;
    let connection = rusqlite::Connection::open(&project.target).expect("the target");
    let mut statement = connection.prepare("SELECT doc_key FROM dukou_delivery").expect("a statement");
    statement.query_map([], |row| row.get(0)).expect("keys").map(|key| key.expect("a key")).collect()
}

/// The quota ends in the middle of a history; the next day the same command goes on and pulls only what is missing.
#[tokio::test]
async fn a_quota_used_up_is_a_pause() {
    let today = start(Config { quota: Some(6), ..vendor() }).await;
    let mut project = Project::new(&today.url());
    project.history().await.says(4, &["quota", "two hours", "额度不足", "cure: "]);
    assert_eq!(project.state::<u64>("SELECT count(*) FROM slice WHERE sealed_at IS NOT NULL"), 2);
    assert_eq!(project.delivered().0, 0, "a campaign is delivered when it is staged whole");
    let tomorrow = start(vendor()).await;
    project.set("JACKYUN_URL", &tomorrow.url());
    project.completes(&tomorrow).await;
    assert!(tomorrow.calls() < 8, "{} calls: what was sealed is not pulled again", tomorrow.calls());
}

#[tokio::test]
async fn a_clock_an_hour_off_is_named() {
    for (offset, said) in [(1, "behind the vendor's"), (-1, "ahead of the vendor's")] {
        let off = start(Config { clock_offset: TimeDelta::hours(offset), ..vendor() }).await;
        let mut project = Project::new(&off.url());
        let ran = project.history().await;
        ran.says(4, &["time stamp", "this machine's clock is 3", said, "NTP"]);
        let right = start(vendor()).await;
        project.set("JACKYUN_URL", &right.url());
        project.completes(&right).await;
    }
}

fn wall_now(offset: TimeDelta) -> String {
    (Utc::now() + TimeDelta::hours(8) + offset).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A clock that is wrong by less than the vendor minds: nothing beyond the vendor's own now is taken for pulled, so what is
/// modified a moment later comes with the next run.
#[tokio::test]
async fn a_clock_five_minutes_off_loses_nothing() {
    for (minutes, slice) in [(-5, "1d"), (-5, "1m"), (5, "1m"), (0, "1d")] {
        let offset = TimeDelta::minutes(minutes);
        let yesterday = (Utc::now() + TimeDelta::hours(8)).date_naive() - Days::new(1);
        let config =
            Config { first_day: yesterday, days: 1, modify_while_paging: true, clock_offset: offset, ..vendor() };
        let vendor = start(config).await;
        let project = Project::new(&vendor.url());
        project.edit("settle    = \"60s\"", "settle    = \"1s\"");
        project.edit("overlap   = \"5m\"", "overlap   = \"0s\"");
        // The first run pulls day by day, the second in slices that may begin beyond the vendor's now.
        let from = format!("{yesterday} 00:00:00");
        let ran = project.dukou("run", &["--json", "--from", &from]).await;
        assert_eq!(ran.code, 0, "{minutes}: {ran:?}");
        let sealed: String = project.state("SELECT max(to_wall) FROM slice WHERE sealed_at IS NOT NULL");
        assert!(
            sealed <= wall_now(offset.min(TimeDelta::zero())),
            "{minutes}: sealed up to {sealed}, beyond the vendor's now"
        );
        let moved = moved(&project);
        project.edit("slice     = \"1d\"", &format!("slice     = \"{slice}\""));
        tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
        let ran = project.dukou("run", &["--json"]).await;
        assert!(ran.code < 2, "{minutes}: {ran:?}");
        let sealed: String = project.state("SELECT max(to_wall) FROM slice WHERE sealed_at IS NOT NULL");
        assert!(
            sealed <= wall_now(offset.min(TimeDelta::zero())),
            "{minutes}: sealed up to {sealed}, beyond the vendor's now"
        );
        if minutes <= 0 {
            let versions: u64 = project.state("SELECT sum(staged) FROM slice WHERE sealed_at IS NOT NULL");
            assert_eq!(versions, vendor.truth().trades + moved, "{minutes}/{slice}: {ran:?}");
        }
        assert_eq!(project.delivered().0, vendor.truth().accepted, "{minutes}: {ran:?}");
    }
}

/// How many trades the vendor has moved to another time of modification: three after the first page of each pull.
fn moved(project: &Project) -> u64 {
    3 * project.state::<u64>("SELECT count(*) FROM slice WHERE pages > 1")
}

#[tokio::test]
async fn what_was_typed_wrong_is_explained() {
    let vendor = start(vendor()).await;
    let project = Project::new(&vendor.url());
    let future = (Utc::now() + TimeDelta::days(3)).format("%Y-%m-%d").to_string();
    let far = (Utc::now() + TimeDelta::days(30)).format("%Y-%m-%d").to_string();
    let cases: [(&[&str], i32, &[&str]); 9] = [
        (&[], 2, &["source.window.start", "--from"]),
        (&["--from", "2024-06-03", "--to", "2024-06-01"], 2, &["2024-06-03", "is not before --to"]),
        (&["--from", "2024-06-03", "--to", "2024-06-03"], 2, &["is not before --to", "midnight"]),
        (&["--to", "2024-06-03"], 2, &["--to without --from"]),
        (&["--from", "yesterday"], 2, &["--from", "2024-06-05"]),
        (&["--from", "2024-02-30"], 2, &["--from"]),
        (&["--from", &future, "--to", &far], 2, &["in the future"]),
        (&["--from", &future], 2, &["in the future"]),
        (&["--form", "2024-06-01"], 2, &["--form", "--from"]),
    ];
    for (words, code, said) in cases {
        let ran = project.typed("run", words).await;
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
        for word in said {
            assert!(ran.err.contains(word), "{words:?} does not say {word:?}: {}", ran.err);
        }
    }
    let ran = project.exec(&["run", "jackyun_trades_to_sqlit", "--from", "2024-06-01"]).await;
    ran.says(2, &["jackyun_trades_to_sqlit", "did you mean jackyun_trades_to_sqlite"]);
    assert_eq!(vendor.calls(), 0, "nothing of this reached the vendor");
}

/// More than the vendor answers in one request is a fault of the file; a long range is cut.
#[tokio::test]
async fn a_window_above_seven_days_is_refused_and_a_future_end_is_cut() {
    let vendor = start(vendor()).await;
    let project = Project::new(&vendor.url());
    project.edit("slice     = \"1d\"", "slice     = \"8d\"");
    let ran = project.history().await;
    ran.says(2, &["source.window.slice", "7d", "jackyun_trades_to_sqlite.toml"]);
    project.edit("slice     = \"8d\"", "slice     = \"7d\"");
    let today = Utc::now() + TimeDelta::hours(8);
    let tomorrow = (today + TimeDelta::days(3)).format("%Y-%m-%d").to_string();
    let yesterday = (today - TimeDelta::days(1)).format("%Y-%m-%d").to_string();
    let ran = project.dukou("run", &["--from", &yesterday, "--to", &tomorrow]).await;
    ran.says(0, &["note: ", &tomorrow]);
    let sealed: String = project.state("SELECT max(to_wall) FROM slice WHERE sealed_at IS NOT NULL");
    assert!(sealed <= wall_now(TimeDelta::zero()), "{sealed}");
    project.completes(&vendor).await;
}

/// Nothing secret is ever said or written, whatever happens (every run of these tests looks); here with a token, and a
/// vendor that says our own secrets back.
#[tokio::test]
async fn a_vendor_that_repeats_our_secrets_is_not_quoted() {
    let vendor = start(vendor()).await;
    let liar = liar(&vendor, |_| {
        let said = format!(r#"{{"code":0,"subCode":"0999","msg":"appkey {APP_KEY} secret {APP_SECRET} token T0ken-of-Somebody","result":null}}"#);
        Lie::Instead(http("200 OK", "application/json", &said))
    })
    .await;
    let mut project = Project::new(&liar.url);
    project.edit("app_secret = ", "access_token = \"${JACKYUN_TOKEN}\"\napp_secret = ");
    project.set("JACKYUN_TOKEN", "T0ken-of-Somebody");
    for words in [&["-vv", "run"][..], &["run"], &["--json", "run"]] {
        let words: Vec<&str> = words.iter().copied().chain([SQLITE]).chain(HISTORY).collect();
        project.exec(&words).await.says(4, &["0999"]);
    }
    project.set("JACKYUN_URL", &vendor.url());
    project.completes(&vendor).await;
}
