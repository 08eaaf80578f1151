//! Scripted conversations with Jushuitan: the script; what is asked (`asking.rs`), paging (`paging.rs`), what refusals do
//! (`refusing.rs`), tokens (`tokens.rs`).

mod asking;
mod paging;
mod refusing;
mod tokens;

use super::*;
use crate::base::Kind;
use crate::base::clock::parse_wall;
use crate::base::record::Page;
use crate::config::model::{History, Limits, ParamValue, SourceConnector, Window};
use crate::config::secret::Setting;
use crate::net::Reply;
use crate::source::Step;
use serde_json::{Map, Value, json};
use std::sync::PoisonError;

const SECRET: &str = "s3cret-of-the-tests";
const ACCESS: &str = "access-0-of-the-tests";
const REFRESH: &str = "refresh-0-of-the-tests";

fn text(value: &str) -> ParamValue {
    ParamValue::Text(value.into())
}

fn source(params: &[(&str, ParamValue)]) -> model::Source {
    model::Source {
        connector: SourceConnector::Jushuitan,
        method: "other.inout.query".into(),
        table: "inout".into(),
        key: "io_id".into(),
        version: "modified".into(),
        url: Setting::new("source.url", "${URL}"),
        app_key: Setting::new("source.app_key", "${KEY}"),
        app_secret: Setting::new("source.app_secret", "${SECRET}"),
        access_token: Some(Setting::new("source.access_token", ACCESS)),
        refresh_token: Some(Setting::new("source.refresh_token", REFRESH)),
        params: params.iter().map(|(n, v)| (n.to_string(), v.clone())).collect(),
        window: Window {
            slice: Duration::from_secs(86_400),
            overlap: Duration::from_secs(300),
            settle: Duration::from_secs(60),
            page_size: 2,
            start: None,
        },
        history: None,
        limits: Limits {
            calls_per_second: 5.0,
            calls_per_minute: Some(100),
            request_timeout: Duration::from_secs(60),
            max_page_bytes: 1 << 20,
            max_pages: 20,
        },
        drop: Vec::new(),
    }
}

fn env() -> Env {
    Env::only([("URL", "http://127.0.0.1:9/jst-hidden/"), ("KEY", "appkey-42"), ("SECRET", SECRET)])
}

/// Keeps pairs in memory.
#[derive(Default)]
struct Shelf {
    kept: Mutex<Option<Kept>>,
    full: bool,
}

impl TokenStore for Shelf {
    fn load(&self) -> Result<Option<Kept>> {
        Ok(self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn save(&self, kept: &Kept) -> Result<()> {
        if self.full {
            return Err(Error::local("no room on the shelf"));
        }
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        Ok(())
    }
}

fn with_shelf(source: &model::Source, shelf: &Arc<Shelf>) -> Jushuitan {
    let store: Arc<dyn TokenStore> = Arc::clone(shelf) as Arc<dyn TokenStore>;
    Jushuitan::new(source, &env(), store).expect("a source")
}

fn jushuitan(source: &model::Source) -> Jushuitan {
    with_shelf(source, &Arc::default())
}

fn plain() -> Jushuitan {
    jushuitan(&source(&[("types", text("其它退货"))]))
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_717_557_960, 0).expect("an instant") // 2024-06-05 11:26:00 in Beijing
}

fn window(axis: Axis) -> Ask {
    let at = |t| parse_wall(t).expect("a time");
    let kind = AskKind::Window { from: at("2024-06-01 00:00:00"), to: at("2024-06-02 00:00:00"), axis };
    Ask { kind, set: Vec::new() }
}

fn adhoc(set: &[(&str, &str)]) -> Ask {
    Ask { kind: AskKind::Adhoc, set: set.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect() }
}

fn form(request: &Request) -> Map<String, Value> {
    let pairs = url::form_urlencoded::parse(&request.body).into_owned();
    pairs.map(|(name, value)| (name, Value::from(value))).collect()
}

fn biz(request: &Request) -> Map<String, Value> {
    let form = form(request);
    serde_json::from_str(form["biz"].as_str().expect("text")).expect("JSON")
}

fn first_biz(jushuitan: &Jushuitan, ask: &Ask) -> Result<Map<String, Value>> {
    Ok(biz(&jushuitan.pull(ask)?.next_request(now())?.expect("a request")))
}

fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply {
        status,
        content_type: "application/json".into(),
        date: None,
        retry_after: None,
        set_cookies: Vec::new(),
        body: body.into(),
        received_at: now(),
    }
}

/// A page with these records; `paging` are the members beside them.
fn page(paging: Value, ids: &[u32]) -> Reply {
    let mut data = paging.as_object().expect("an object").clone();
    data.insert("datas".into(), ids.iter().map(|id| json!({ "io_id": id })).collect());
    reply(200, json!({ "code": 0, "msg": "执行成功", "data": data }).to_string())
}

fn failure(code: i64, msg: &str) -> Reply {
    reply(200, json!({ "code": code, "msg": msg, "data": null }).to_string())
}

/// What a whole conversation came to.
struct Talk {
    requests: Vec<Request>,
    pages: Vec<Page>,
    again: Vec<(Duration, String)>,
    total: Option<u64>,
    unsettled: Option<String>,
    end: Result<()>,
}

/// Plays a script against a pull; the pull must neither ask for more nor leave replies unread.
fn talk_about(jushuitan: &Jushuitan, ask: &Ask, mut answer: impl FnMut(&Request) -> Reply) -> Talk {
    let mut pull = jushuitan.pull(ask).expect("a pull");
    let mut talk = Talk { requests: vec![], pages: vec![], again: vec![], total: None, unsettled: None, end: Ok(()) };
    loop {
        let request = match pull.next_request(now()) {
            Ok(Some(request)) => request,
            Ok(None) => break,
            Err(error) => {
                talk.end = Err(error);
                break;
            }
        };
        let reply = answer(&request);
        talk.requests.push(request);
        assert!(talk.requests.len() < 1_000, "the pull has no end");
        match pull.on_reply(reply) {
            Ok(Step::Page(page)) => talk.pages.push(page),
            Ok(Step::Again { wait, why }) => talk.again.push((wait, why)),
            Ok(Step::Aside) => {}
            Err(error) => {
                talk.end = Err(error);
                break;
            }
        }
    }
    (talk.total, talk.unsettled) = (pull.announced_total(), pull.unsettled());
    talk
}

fn talk_with(jushuitan: &Jushuitan, script: Vec<Reply>) -> Talk {
    let mut script = script.into_iter();
    let talk = talk_about(jushuitan, &window(Axis::Modified), |_| {
        script.next().expect("the pull asks for more than the script has")
    });
    assert_eq!(script.count(), 0, "replies left unread");
    talk
}

fn talk(script: Vec<Reply>) -> Talk {
    talk_with(&plain(), script)
}

impl Talk {
    fn ids(&self) -> Vec<u64> {
        let records = self.pages.iter().flat_map(Page::raw_records);
        let id = |raw: &str| serde_json::from_str::<Value>(raw).expect("JSON")["io_id"].as_u64().expect("a number");
        records.map(id).collect()
    }

    /// The pages asked for; 0 for what is no page.
    fn asked(&self) -> Vec<u64> {
        let index = |request: &Request| {
            if !form(request).contains_key("biz") {
                return 0;
            }
            biz(request)["page_index"].as_u64().expect("a number")
        };
        self.requests.iter().map(index).collect()
    }

    fn error(&self) -> &Error {
        self.end.as_ref().expect_err("the pull should fail")
    }
}
