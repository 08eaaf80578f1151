//! HTTP spoken by hand: what really comes over the wire, broken answers included.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

/// An answer as it came over the wire.
pub struct Heard {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    /// The values of `Set-Cookie`, of which there may be several.
    pub cookies: Vec<String>,
    pub body: Vec<u8>,
    /// The connection ended by an error, not by its end.
    pub broken: bool,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Whether fewer bytes came than were announced.
    pub fn cut(&self) -> bool {
        self.headers.get("content-length").is_some_and(|length| length.parse::<usize>().unwrap() > self.body.len())
    }
}

/// Sends a whole request and hears the answer to its end.
pub async fn exchange(address: SocketAddr, request: String) -> Heard {
    let talk = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let broken = stream.read_to_end(&mut bytes).is_err();
        (bytes, broken)
    };
    let (mut bytes, broken) = tokio::task::spawn_blocking(talk).await.unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let lines: Vec<(String, String)> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let cookies = lines.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.clone()).collect();
    let headers: BTreeMap<String, String> = lines.into_iter().collect();
    let mut body = bytes.split_off(end);
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        body = unchunk(&body);
    }
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Heard { status, headers, cookies, body, broken }
}

fn unchunk(mut text: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = text.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&text[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&text[line + 2..line + 2 + length]);
        text = &text[line + 4 + length..];
    }
}

/// POSTs a form, with the head's further lines (each ends with CR LF).
pub async fn post_form(address: SocketAddr, path: &str, head: &str, body: &str) -> Heard {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\n{head}content-length: {}",
        body.len()
    );
    exchange(address, format!("{head}\r\n\r\n{body}")).await
}

pub async fn get(address: SocketAddr, path: &str) -> Heard {
    exchange(address, format!("GET {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\r\n")).await
}
