//! The vendor asked by hand: what the sandbox says of its trades, by no code of dukou's source.

use chrono::{TimeDelta, Utc};
use dukou::sandbox::{APP_KEY, APP_SECRET, METHOD, Sandbox};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// The first `count` trades created from `from` to `to`, with these fields.
pub async fn trades(sandbox: &Sandbox, from: &str, to: &str, count: u32, fields: &str) -> Vec<Value> {
    let biz = json!({ "fields": fields, "pageSize": count, "pageIndex": 0, "startCreated": from, "endCreated": to });
    let now = (Utc::now() + TimeDelta::hours(8)).format("%Y-%m-%d %H:%M:%S").to_string();
    // Sorted by name, as the signature wants them.
    let biz = biz.to_string();
    let parameters = [
        ("appkey", APP_KEY),
        ("bizcontent", &biz),
        ("contenttype", "json"),
        ("method", METHOD),
        ("timestamp", &now),
        ("version", "v1.0"),
    ];
    let joined: String = parameters.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let sign = hex::encode(Md5::digest(format!("{APP_SECRET}{joined}{APP_SECRET}").to_lowercase()));
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .append_pair("sign", &sign)
        .finish();
    let url = url::Url::parse(&sandbox.url()).expect("a url");
    let request = format!(
        "POST {} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        url.path(),
        body.len()
    );
    let address = sandbox.address();
    let talk = move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let answer = tokio::task::spawn_blocking(talk).await.expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    let mut page: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"));
    match page["result"]["data"]["trades"].take() {
        Value::Array(trades) => trades,
        other => panic!("no trades but {other} in {page}"),
    }
}
