//! Scripted conversations with Jackyun: the script; what is asked (`asking.rs`), what answers do (`answering.rs`).

mod answering;
mod asking;

use super::*;
use crate::base::Kind;
use crate::base::clock::parse_wall;
use crate::base::record::Page;
use crate::config::model::{History, Limits, ParamValue, SourceConnector, Window};
use crate::config::secret::Setting;
use crate::net::Reply;
use crate::source::Step;
use serde_json::{Map, Value};
use std::fmt::Write as _;

const SECRET: &str = "s3cret-of-the-tests";

fn text(value: &str) -> ParamValue {
    ParamValue::Text(value.into())
}

fn source(params: &[(&str, ParamValue)]) -> model::Source {
    model::Source {
        connector: SourceConnector::Jackyun,
        method: "oms.trade.fullinfoget".into(),
        table: "trade".into(),
        key: "tradeNo".into(),
        version: "gmtModified".into(),
        url: Setting::new("source.url", "${URL}"),
        app_key: Setting::new("source.app_key", "${KEY}"),
        app_secret: Setting::new("source.app_secret", "${SECRET}"),
        access_token: None,
        refresh_token: None,
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
            calls_per_second: 1.0,
            calls_per_minute: None,
            request_timeout: Duration::from_secs(60),
            max_page_bytes: 1 << 20,
            max_pages: 20,
        },
        drop: Vec::new(),
    }
}

fn env() -> Env {
    Env::only([("URL", "http://127.0.0.1:9/do?x=hidden"), ("KEY", "appkey-42"), ("SECRET", SECRET)])
}

fn jackyun(source: &model::Source) -> Jackyun {
    Jackyun::new(source, &env()).expect("a source")
}

fn plain() -> Jackyun {
    jackyun(&source(&[("fields", text("tradeNo,gmtModified"))]))
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

fn form(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

fn biz(request: &Request) -> Map<String, Value> {
    let form = form(request);
    let (_, text) = form.iter().find(|(n, _)| n == "bizcontent").expect("bizcontent");
    serde_json::from_str(text).expect("JSON")
}

fn first_biz(jackyun: &Jackyun, ask: &Ask) -> Result<Map<String, Value>> {
    Ok(biz(&jackyun.pull(ask)?.next_request(now())?.expect("a request")))
}

fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    let content_type = "application/json".to_string();
    Reply {
        status,
        content_type,
        date: None,
        retry_after: None,
        set_cookies: Vec::new(),
        body: body.into(),
        received_at: now(),
    }
}

/// An answer with these trades; `data` begins with `extra`.
fn answer(extra: &str, trades: &[&str]) -> Reply {
    let mut list = String::new();
    for trade in trades {
        let _ = write!(list, r#"{}{{"tradeNo":"{trade}"}}"#, if list.is_empty() { "" } else { "," });
    }
    reply(200, format!(r#"{{"code":200,"msg":"","subCode":"","result":{{"data":{{{extra}"trades":[{list}]}}}}}}"#))
}

fn failure(sub_code: &str, msg: &str) -> Reply {
    let body =
        serde_json::json!({"code": 0, "msg": msg, "subCode": sub_code, "result": {"data": null, "contextId": "19"}});
    reply(200, body.to_string())
}

/// What a whole conversation came to.
struct Talk {
    asked: Vec<Map<String, Value>>,
    pages: Vec<Page>,
    again: Vec<String>,
    total: Option<u64>,
    end: Result<()>,
}

/// Plays a script against a pull of one window; the pull must neither ask for more nor leave replies unread.
fn talk_with(jackyun: &Jackyun, script: Vec<Reply>) -> Talk {
    let mut pull = jackyun.pull(&window(Axis::Modified)).expect("a pull");
    let mut talk = Talk { asked: vec![], pages: vec![], again: vec![], total: None, end: Ok(()) };
    let mut script = script.into_iter();
    loop {
        match pull.next_request(now()) {
            Ok(Some(request)) => talk.asked.push(biz(&request)),
            Ok(None) => break,
            Err(error) => {
                talk.end = Err(error);
                break;
            }
        }
        match pull.on_reply(script.next().expect("the pull asks for more than the script has")) {
            Ok(Step::Page(page)) => talk.pages.push(page),
            Ok(Step::Again { why, .. }) => talk.again.push(why),
            Ok(Step::Aside) => panic!("Jackyun asks for pages only"),
            Err(error) => {
                talk.end = Err(error);
                break;
            }
        }
    }
    assert_eq!(script.count(), 0, "replies left unread");
    talk.total = pull.announced_total();
    talk
}

fn talk(script: Vec<Reply>) -> Talk {
    talk_with(&plain(), script)
}

impl Talk {
    fn records(&self) -> Vec<&str> {
        self.pages.iter().flat_map(Page::raw_records).collect()
    }

    fn asked_for(&self, name: &str) -> Vec<Value> {
        self.asked.iter().map(|biz| biz.get(name).cloned().unwrap_or(Value::Null)).collect()
    }

    fn error(&self) -> &Error {
        self.end.as_ref().expect_err("the pull should fail")
    }
}
