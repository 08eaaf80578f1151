//! The HTTP side of every simulated vendor: listening, the `Date` header, counting calls, and faults.
//!
//! Takes requests, asks the [`Vendor`] that owns the path for the answer, spoils it if a fault is due. Never knows a
//! vendor's protocol. Calls and faults are counted for each vendor by itself.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::faults::{Fault, FaultKind, Faults, break_utf8, double_key, truncate};
use super::wire::{Wire, WireListener};

/// The largest request taken, in bytes; a larger one is answered with HTTP 413.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// What a vendor sees of a request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The path of the URL, still encoded, from its first slash on.
    pub path: &'a str,
    /// The query of the URL, still encoded; may be empty.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// Who asks.
    pub peer: IpAddr,
    /// The time on the server's clock.
    pub now: DateTime<Utc>,
    /// For rates.
    pub tick: Instant,
    /// The answer shall never be the last one.
    pub endless: bool,
    /// A fault of the vendor's own is due at this call: the text of [`FaultKind::Own`].
    pub fault: Option<&'a str>,
}

/// A vendor's answer: HTTP 200 with JSON unless it says otherwise.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    /// Values of `Set-Cookie`.
    pub cookies: Vec<String>,
    pub body: Bytes,
    /// Where the first record begins, if there is one.
    pub record: Option<usize>,
    /// The vendor has acted, the answer comes this much later.
    pub delay: Option<Duration>,
    /// The vendor has acted, but the connection is reset instead of answering.
    pub lost: bool,
}

impl Answer {
    /// An answer without records.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Answer::new(200, JSON, body.into())
    }

    /// A page of the web server, not of the application.
    pub fn html(status: u16, body: impl Into<Bytes>) -> Self {
        Answer::new(status, HTML, body.into())
    }

    /// A page of records; they are the first array of objects in it.
    pub fn page(body: Bytes) -> Self {
        let record = body.windows(2).position(|pair| pair == b"[{").map(|at| at + 1);
        Answer { record, ..Answer::json(body) }
    }

    fn new(status: u16, content_type: &'static str, body: Bytes) -> Self {
        Answer { status, content_type, cookies: Vec::new(), body, record: None, delay: None, lost: false }
    }
}

/// A simulated vendor.
pub trait Vendor: Send + Sync {
    /// Its name in faults and below `/sandbox/`.
    fn name(&self) -> &'static str;

    /// Whether POST requests for this path are its own; the first vendor that says so answers.
    fn owns(&self, path: &str) -> bool;

    fn answer(&self, request: &Request<'_>) -> Answer;

    /// Its own way of saying "too fast".
    fn throttled(&self) -> Answer;

    /// What `GET /sandbox/<name>/<path>` shows of it, as JSON text.
    fn inspect(&self, path: &str) -> Option<Bytes>;

    /// The names [`Vendor::operation`] can give.
    fn operations(&self) -> &'static [&'static str] {
        &[]
    }

    /// What is asked for, as a fault names it to aim at it: `kingdee:query/http-502@2` meets the second query.
    fn operation(&self, _request: &Request<'_>) -> &'static str {
        ""
    }

    /// Whether it can play a fault of its own with this word: the text of [`FaultKind::Own`].
    fn plays(&self, _word: &str) -> bool {
        true
    }

    /// Whether a fault that names no operation counts this call and can meet it.
    fn counts(&self, _request: &Request<'_>) -> bool {
        true
    }
}

/// A vendor with what the server keeps about it.
pub struct Served {
    pub vendor: Arc<dyn Vendor>,
    faults: Mutex<Faults>,
    calls: AtomicU64,
    /// The last page answered well, for the fault that repeats it.
    last_page: Mutex<Option<Answer>>,
}

impl Served {
    pub fn new(vendor: Arc<dyn Vendor>) -> Self {
        Served { vendor, faults: Mutex::default(), calls: AtomicU64::new(0), last_page: Mutex::default() }
    }

    /// Why this vendor cannot have this fault.
    pub fn refusal(&self, fault: &Fault) -> Option<String> {
        let (name, known) = (self.vendor.name(), self.vendor.operations());
        if let FaultKind::Own(word) = &fault.kind
            && !self.vendor.plays(word)
        {
            return Some(format!("{name} has no fault of its own called {word:?}"));
        }
        let operation = fault.operation.as_deref().filter(|operation| !known.contains(operation))?;
        Some(format!("{name} has no operation {operation:?} for a fault; it has {known:?}"))
    }

    /// Replaces the faults; their call numbers count from now.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = Faults::new(faults);
    }

    /// POST requests seen, faults included.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Counts a call, and names the fault due at it.
    fn due(&self, request: &Request<'_>) -> Option<(usize, FaultKind)> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (operation, counted) = (self.vendor.operation(request), self.vendor.counts(request));
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).due(operation, counted)
    }

    fn spend(&self, fault: usize) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).spend(fault);
    }

    /// Remembers a page and gives the one before it.
    fn turn_page(&self, page: &Answer) -> Option<Answer> {
        self.last_page.lock().unwrap_or_else(PoisonError::into_inner).replace(page.clone())
    }
}

/// What all requests share.
pub struct Shared {
    /// In the order in which they are asked whether a path is theirs.
    vendors: Vec<Served>,
    clock_offset: TimeDelta,
    stop: watch::Receiver<bool>,
}

impl Shared {
    pub fn new(vendors: Vec<Served>, clock_offset: TimeDelta, stop: watch::Receiver<bool>) -> Self {
        Shared { vendors, clock_offset, stop }
    }

    /// The vendor of this name.
    pub fn vendor(&self, name: &str) -> Option<&Served> {
        self.vendors.iter().find(|served| served.vendor.name() == name)
    }

    /// Replaces the faults of every vendor by those of the list that name it; one that nobody can have is an error.
    pub fn set_faults(&self, faults: &[Fault]) -> Result<(), String> {
        for fault in faults {
            let served = self.vendor(&fault.vendor).ok_or_else(|| format!("no vendor is called {:?}", fault.vendor))?;
            if let Some(refusal) = served.refusal(fault) {
                return Err(refusal);
            }
        }
        for served in &self.vendors {
            served.set_faults(faults.iter().filter(|fault| fault.vendor == served.vendor.name()).cloned().collect());
        }
        Ok(())
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.clock_offset
    }

    /// Waits, but not beyond the end of the server.
    async fn sleep(&self, time: Duration) {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            // An error means the sandbox is gone, which ends the wait as well.
            _ = stop.wait_for(|stopped| *stopped) => {}
        }
    }
}

/// Serves until `stop` becomes true or its sender is gone; then finishes what is in flight.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let mut stop = shared.stop.clone();
    let app = Router::new()
        .route("/sandbox/{*path}", get(inspect))
        .fallback(call)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(shared)
        .into_make_service_with_connect_info::<Wire>();
    axum::serve(WireListener(listener), app)
        .with_graceful_shutdown(async move {
            // An error means the sender is gone, which is a stop as well.
            let _ = stop.wait_for(|stopped| *stopped).await;
        })
        .await
}

/// `/sandbox/<vendor>/<path>`; a path that begins with no vendor's name is the first vendor's.
async fn inspect(State(shared): State<Arc<Shared>>, Path(path): Path<String>) -> Response {
    let named = path.split_once('/').and_then(|(name, rest)| Some((shared.vendor(name)?, rest)));
    let found = match named {
        Some((served, rest)) => served.vendor.inspect(rest),
        None => shared.vendors.first().and_then(|served| served.vendor.inspect(&path)),
    };
    match found {
        Some(body) => reply(&shared, StatusCode::OK, JSON, Body::from(body)),
        None => reply(&shared, StatusCode::NOT_FOUND, HTML, Body::from("nothing here")),
    }
}

const JSON: &str = "application/json;charset=UTF-8";
const HTML: &str = "text/html;charset=UTF-8";
const GATEWAY_HTML: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad \
                            Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
const FAILED_HTML: &str = "<html>\r\n<head><title>500 Internal Server Error</title></head>\r\n<body>\r\n<center><h1>500 \
                           Internal Server Error</h1></center>\r\n</body>\r\n</html>\r\n";
const PROXY_HTML: &str = "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>上网认证</title></head><body>\
                          <form action=\"/login\">请先登录公司网络代理</form></body></html>";

async fn call(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(served) = shared.vendors.iter().find(|served| served.vendor.owns(uri.path())) else {
        return reply(&shared, StatusCode::NOT_FOUND, HTML, Body::from("nothing here"));
    };
    if method != Method::POST {
        return reply(&shared, StatusCode::METHOD_NOT_ALLOWED, HTML, Body::from("POST only"));
    }
    let mut request = Request {
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: &headers,
        body: &body,
        peer: wire.peer.ip(),
        now: shared.now(),
        tick: Instant::now(),
        endless: false,
        fault: None,
    };
    let due = served.due(&request);
    if let Some((at, kind)) = &due
        && let Some(response) = before(&shared, served, &wire, *at, kind, &mut request).await
    {
        return response;
    }
    let answer = served.vendor.answer(&request);
    if let Some(delay) = answer.delay {
        shared.sleep(delay).await;
    }
    let last = answer.record.and_then(|_| served.turn_page(&answer));
    if let Some((at, kind)) = &due
        && let Some(spoilt) =
            behind(&shared, &wire, kind, &answer).await.or_else(|| spoil(&shared, kind, &answer, last))
    {
        served.spend(*at);
        return spoilt;
    }
    if answer.lost {
        wire.reset();
    }
    whole(&shared, &answer)
}

/// What a fault does before the vendor is asked: an answer in its place, a wait, or something in the request.
async fn before<'a>(
    shared: &Shared,
    served: &Served,
    wire: &Wire,
    at: usize,
    kind: &'a FaultKind,
    request: &mut Request<'a>,
) -> Option<Response> {
    match kind {
        FaultKind::Slow { delay } => {
            served.spend(at);
            shared.sleep(*delay).await;
            (request.now, request.tick) = (shared.now(), Instant::now());
        }
        FaultKind::Own(word) => {
            served.spend(at);
            request.fault = Some(word);
        }
        // Spent when there is a page.
        FaultKind::Endless => request.endless = true,
        _ => {
            let response = in_front(shared, served, wire, kind)?;
            served.spend(at);
            return Some(response);
        }
    }
    None
}

/// The answer as the vendor gave it.
fn whole(shared: &Shared, answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply(shared, status, answer.content_type, Body::from(answer.body.clone()));
    for cookie in &answer.cookies {
        // A vendor's cookie is made of its own letters; one that is none would be missed by the first test.
        if let Ok(value) = HeaderValue::from_str(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// The answer of a fault that happens when the vendor has acted, whatever it answered; none if this fault does not.
async fn behind(shared: &Shared, wire: &Wire, kind: &FaultKind, answer: &Answer) -> Option<Response> {
    match kind {
        FaultKind::LostReply => wire.reset(),
        FaultKind::LateReply { delay } => shared.sleep(*delay).await,
        FaultKind::CommitThen500 => {
            return Some(reply(shared, StatusCode::INTERNAL_SERVER_ERROR, HTML, Body::from(FAILED_HTML)));
        }
        _ => return None,
    }
    Some(whole(shared, answer))
}

/// The answer of a fault that needs no page; none if this fault does.
fn in_front(shared: &Shared, served: &Served, wire: &Wire, kind: &FaultKind) -> Option<Response> {
    Some(match kind {
        FaultKind::Throttle => whole(shared, &served.vendor.throttled()),
        FaultKind::TooManyRequests { retry_after_seconds } => {
            let mut response = reply(shared, StatusCode::TOO_MANY_REQUESTS, HTML, Body::from("Too Many Requests"));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_seconds));
            response
        }
        FaultKind::BadGateway => reply(shared, StatusCode::BAD_GATEWAY, HTML, Body::from(GATEWAY_HTML)),
        FaultKind::ProxyHtml => reply(shared, StatusCode::OK, HTML, Body::from(PROXY_HTML)),
        FaultKind::EmptyBody => reply(shared, StatusCode::OK, JSON, Body::empty()),
        FaultKind::Reset => {
            wire.reset();
            reply(shared, StatusCode::OK, JSON, Body::empty())
        }
        _ => return None,
    })
}

/// The answer of a fault that spoils a page; none if this fault does not.
fn spoil(shared: &Shared, kind: &FaultKind, answer: &Answer, before: Option<Answer>) -> Option<Response> {
    let (body, record) = (&answer.body, answer.record?);
    let bytes = match kind {
        FaultKind::Truncated => body.slice(..truncate(body).len()),
        FaultKind::RepeatedPage => before?.body,
        FaultKind::InvalidUtf8 => Bytes::from(break_utf8(body, record)),
        FaultKind::DuplicateKey => Bytes::from(double_key(body, record)),
        FaultKind::CutOff => return Some(cut_off(shared, body)),
        FaultKind::Oversize { bytes } => {
            return Some(reply(shared, StatusCode::OK, JSON, padded(body, *bytes)));
        }
        // It has acted already, on the paging.
        FaultKind::Endless => body.clone(),
        _ => return None,
    };
    Some(reply(shared, StatusCode::OK, JSON, Body::from(bytes)))
}

/// Announces the whole body, sends two thirds of it, and breaks the connection.
fn cut_off(shared: &Shared, body: &Bytes) -> Response {
    let part = body.slice(..truncate(body).len());
    // The pause lets the part leave before the connection is torn down.
    let broken = stream::once(async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    let sent = stream::iter([Ok(part)]).chain(broken);
    let mut response = reply(shared, StatusCode::OK, JSON, Body::from_stream(sent));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}

/// The body with blanks before its last byte, `bytes` long, without holding them in memory.
fn padded(body: &Bytes, bytes: u64) -> Body {
    static BLANKS: [u8; 65_536] = [b' '; 65_536];
    let end = body.len().saturating_sub(1);
    let padding = bytes.saturating_sub(body.len() as u64);
    let blocks = (padding / BLANKS.len() as u64) as usize;
    let rest = (padding % BLANKS.len() as u64) as usize;
    let pieces = std::iter::once(body.slice(..end))
        .chain(std::iter::repeat_n(Bytes::from_static(&BLANKS), blocks))
        .chain([Bytes::from_static(&BLANKS[..rest]), body.slice(end..)]);
    Body::from_stream(stream::iter(pieces.filter(|piece| !piece.is_empty()).map(Ok::<_, io::Error>)))
}

fn reply(shared: &Shared, status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let date = shared.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}
