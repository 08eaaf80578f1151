//! The only door to the HTTP library: one request out, one whole reply in.
//!
//! Takes [`Request`]s, gives [`Reply`]s of any status. Never tries again, never follows a redirect, never keeps more of
//! a body than the limit allows, and never shows a path, a query or a body: errors name the host only.

use crate::base::{Advice, Error, Result};
use crate::net::{ClientOptions, End, Reply, Request, Transport};
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER, SET_COOKIE};
use reqwest::{Client, Response, redirect};
use std::error::Error as _;
use std::sync::Mutex;
use std::time::Duration;
use url::{Host, Url};

/// A server that does not take a connection within this time is called unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Taken at once for an answer whose length is known, at most.
const FIRST_RESERVE: usize = 4 << 20;

/// See the head of the file.
pub struct HttpClient {
    options: ClientOptions,
    /// Made at first use: only https needs the platform's root certificates.
    clients: Mutex<Vec<(Way, Client)>>,
}

/// What kind of client an address needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    tls: bool,
    /// This machine itself: a proxy of the environment would lead astray.
    loopback: bool,
}

impl HttpClient {
    /// Installs the cryptography for https, unless the process has one already.
    pub fn new(options: ClientOptions) -> Result<Self> {
        // `Err` means that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Self { options, clients: Mutex::new(Vec::new()) };
        client.client(Way { tls: false, loopback: false })?;
        Ok(client)
    }

    fn client(&self, way: Way) -> Result<Client> {
        // A panic while holding the lock cannot leave the list half written.
        let mut clients = self.clients.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(w, _)| *w == way) {
            return Ok(client.clone());
        }
        let mut builder = Client::builder()
            .timeout(self.options.request_timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(self.options.request_timeout))
            .redirect(redirect::Policy::none())
            .user_agent(concat!("dukou/", env!("CARGO_PKG_VERSION")));
        if way.loopback {
            builder = builder.no_proxy();
        }
        if !way.tls {
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|e| {
            Error::local(format!("no HTTP client: {}", causes(&e)))
                .hint("for https the machine needs root certificates (package ca-certificates)")
        })?;
        clients.push((way, client.clone()));
        Ok(client)
    }

    async fn read(&self, mut response: Response, host: &str, idempotent: bool) -> Result<Vec<u8>> {
        let too_large = || {
            Error::protocol(format!("{host}: the answer is larger than {} bytes", self.options.max_answer_bytes))
                .hint(self.options.end.too_large())
        };
        let length = response.content_length().map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        if length.is_some_and(|n| n > self.options.max_answer_bytes) {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(length.unwrap_or(0).min(FIRST_RESERVE));
        while let Some(chunk) = response.chunk().await.map_err(|e| self.options.end.failure(e, host, idempotent))? {
            if body.len() + chunk.len() > self.options.max_answer_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[async_trait::async_trait]
impl Transport for HttpClient {
    async fn send(&self, request: &Request) -> Result<Reply> {
        let url = Url::parse(&request.url).map_err(|e| {
            Error::config(format!("the address to call is none: {e}"))
                .hint(format!("check {}.url", self.options.end.section()))
        })?;
        let host = shown(&url);
        let way = Way { tls: url.scheme() == "https", loopback: is_loopback(&url) };
        let end = self.options.end;
        let mut call = self.client(way)?.post(url).header(CONTENT_TYPE, request.content_type);
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        let response =
            call.body(request.body.clone()).send().await.map_err(|e| end.failure(e, &host, request.idempotent))?;
        let status = response.status().as_u16();
        if response.status().is_redirection() {
            return Err(end.redirected(&response, &host));
        }
        let headers = response.headers();
        let content_type = text(headers, &CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
        let date = text(headers, &DATE).and_then(http_date);
        let retry_after = text(headers, &RETRY_AFTER).and_then(|t| wait_asked(t, date));
        let set_cookies =
            headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok().map(Into::into)).collect();
        let body = self.read(response, &host, request.idempotent).await?;
        Ok(Reply { status, content_type, date, retry_after, set_cookies, body, received_at: Utc::now() })
    }
}

impl End {
    /// What a failed call means: whether the request can have reached the other side.
    fn failure(self, error: reqwest::Error, host: &str, idempotent: bool) -> Error {
        if error.is_builder() {
            return Error::config(format!("{host}: the call cannot be made: {}", causes(&error)));
        }
        let said = causes(&error);
        if error.is_connect() {
            if said.contains("certificate") {
                return Error::denied(format!("{host}: its certificate is not accepted: {said}"))
                    .hint("check the address, this machine's clock and its root certificates");
            }
            return Error::unavailable(format!("{host} cannot be reached: {said}"))
                .hint(format!("check the address ({}.url), the network and the proxy", self.section()));
        }
        let what = if error.is_timeout() { "no whole answer in time" } else { "the connection broke off" };
        let advice = if idempotent { Advice::Retry } else { Advice::AskFirst };
        Error::unavailable(format!("{host}: {what}: {said}")).advise(advice).hint(self.too_slow())
    }

    fn redirected(self, response: &Response, host: &str) -> Error {
        let target = text(response.headers(), &LOCATION).and_then(|l| response.url().join(l).ok());
        let target = target.as_ref().map_or_else(|| "nowhere".to_string(), shown);
        Error::denied(format!("{host} answers {} and leads to {target}; signed calls do not follow", response.status()))
            .hint(format!("set {}.url to the final address, with https if that is where it leads", self.section()))
    }

    fn section(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }

    fn too_large(self) -> &'static str {
        match self {
            Self::Source => "lower source.window.page_size, or raise source.limits.max_page_mib",
            Self::Sink => "lower sink.batch_docs, or raise sink.max_answer_mib",
        }
    }

    fn too_slow(self) -> &'static str {
        match self {
            Self::Source => "source.limits.request_timeout bounds one call; a smaller page_size makes answers shorter",
            Self::Sink => "sink.request_timeout bounds one call; a smaller batch_docs makes calls shorter",
        }
    }
}

/// Scheme, host and port.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The causes from the outside in; the outermost may hold the address and is left out where there is another.
fn causes(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if words.last() != Some(&text) {
            words.push(text);
        }
        next = cause.source();
    }
    if words.is_empty() { "the request failed".to_string() } else { words.join(": ") }
}

fn text<'a>(headers: &'a HeaderMap, name: &reqwest::header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    httpdate::parse_http_date(text).ok().map(DateTime::from)
}

/// `Retry-After` in seconds or as a date, which is compared with the server's own clock where it told it.
fn wait_asked(text: &str, server_now: Option<DateTime<Utc>>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = http_date(text)?;
    Some((until - server_now.unwrap_or_else(Utc::now)).to_std().unwrap_or_default())
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
