//! The HTTP side of every simulated vendor: listening, the `Date` header, counting calls, and faults.
//!
//! Takes requests, asks a [`Vendor`] for the answer, spoils it if a fault is due. Never knows a vendor's protocol.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::faults::{FaultKind, Faults, break_utf8, double_key, truncate};

/// What a vendor sees of a request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The query of the URL, still encoded; may be empty.
    pub query: &'a str,
    pub body: &'a [u8],
    /// The time on the server's clock.
    pub now: DateTime<Utc>,
    /// For rates.
    pub tick: Instant,
    /// The answer shall never be the last one.
    pub endless: bool,
}

/// A vendor's answer, always HTTP 200 with JSON.
#[derive(Debug, Clone)]
pub struct Answer {
    pub body: Bytes,
    /// Where the first record begins, if there is one.
    pub record: Option<usize>,
}

impl Answer {
    /// An answer without records.
    pub fn empty(body: Vec<u8>) -> Self {
        Answer { body: Bytes::from(body), record: None }
    }

    /// A page; its records are the first array of objects in it.
    pub fn page(body: Bytes) -> Self {
        let record = body.windows(2).position(|pair| pair == b"[{").map(|at| at + 1);
        Answer { body, record }
    }
}

/// A simulated vendor.
pub trait Vendor: Send + Sync {
    /// Where it takes POST requests.
    fn path(&self) -> &'static str;
    fn answer(&self, request: &Request<'_>) -> Answer;
    /// Its own way of saying "too fast".
    fn throttled(&self) -> Answer;
    /// What `GET /sandbox/<path>` shows of it, as JSON text.
    fn inspect(&self, path: &str) -> Option<Bytes>;
}

/// What all requests share.
pub struct Shared {
    pub vendor: Arc<dyn Vendor>,
    pub faults: Mutex<Faults>,
    /// POST requests seen.
    pub calls: AtomicU64,
    pub clock_offset: TimeDelta,
    /// The last page answered well, for the fault that repeats it.
    last_page: Mutex<Option<Answer>>,
    stop: watch::Receiver<bool>,
}

impl Shared {
    pub fn new(vendor: Arc<dyn Vendor>, faults: Faults, clock_offset: TimeDelta, stop: watch::Receiver<bool>) -> Self {
        Shared {
            vendor,
            faults: Mutex::new(faults),
            calls: AtomicU64::new(0),
            clock_offset,
            last_page: Mutex::new(None),
            stop,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.clock_offset
    }

    fn spend(&self, fault: usize) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).spend(fault);
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

    /// Remembers a page and gives the one before it.
    fn turn_page(&self, page: &Answer) -> Option<Answer> {
        self.last_page.lock().unwrap_or_else(PoisonError::into_inner).replace(page.clone())
    }
}

/// Serves until `stop` becomes true or its sender is gone; then finishes what is in flight.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let mut stop = shared.stop.clone();
    let app = Router::new()
        .route(shared.vendor.path(), post(call))
        .route("/sandbox/{*path}", get(inspect))
        .with_state(shared)
        .into_make_service_with_connect_info::<Wire>();
    axum::serve(WireListener(listener), app)
        .with_graceful_shutdown(async move {
            // An error means the sender is gone, which is a stop as well.
            let _ = stop.wait_for(|stopped| *stopped).await;
        })
        .await
}

async fn inspect(State(shared): State<Arc<Shared>>, Path(path): Path<String>) -> Response {
    match shared.vendor.inspect(&path) {
        Some(body) => reply(&shared, StatusCode::OK, JSON, Body::from(body)),
        None => reply(&shared, StatusCode::NOT_FOUND, HTML, Body::from("nothing here")),
    }
}

const JSON: &str = "application/json;charset=UTF-8";
const HTML: &str = "text/html;charset=UTF-8";
const GATEWAY_HTML: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad \
                            Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
const PROXY_HTML: &str = "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>上网认证</title></head><body>\
                          <form action=\"/login\">请先登录公司网络代理</form></body></html>";

async fn call(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    shared.calls.fetch_add(1, Ordering::Relaxed);
    let due = shared.faults.lock().unwrap_or_else(PoisonError::into_inner).due();
    if let Some((at, FaultKind::Slow { delay })) = due {
        shared.spend(at);
        shared.sleep(delay).await;
    } else if let Some((at, kind)) = &due
        && let Some(response) = in_front(&shared, &wire, kind)
    {
        shared.spend(*at);
        return response;
    }
    let endless = matches!(due, Some((_, FaultKind::Endless)));
    let request = Request {
        query: query.as_deref().unwrap_or_default(),
        body: &body,
        now: shared.now(),
        tick: Instant::now(),
        endless,
    };
    let answer = shared.vendor.answer(&request);
    let Some(record) = answer.record else {
        return reply(&shared, StatusCode::OK, JSON, Body::from(answer.body));
    };
    let before = shared.turn_page(&answer);
    if let Some((at, kind)) = due
        && let Some(spoilt) = spoil(&shared, &kind, &answer.body, record, before)
    {
        shared.spend(at);
        return spoilt;
    }
    reply(&shared, StatusCode::OK, JSON, Body::from(answer.body))
}

/// The answer of a fault that needs no page; none if this fault does.
fn in_front(shared: &Shared, wire: &Wire, kind: &FaultKind) -> Option<Response> {
    Some(match kind {
        FaultKind::Throttle => reply(shared, StatusCode::OK, JSON, Body::from(shared.vendor.throttled().body)),
        FaultKind::TooManyRequests { retry_after_seconds } => {
            let mut response = reply(shared, StatusCode::TOO_MANY_REQUESTS, HTML, Body::from("Too Many Requests"));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_seconds));
            response
        }
        FaultKind::BadGateway => reply(shared, StatusCode::BAD_GATEWAY, HTML, Body::from(GATEWAY_HTML)),
        FaultKind::ProxyHtml => reply(shared, StatusCode::OK, HTML, Body::from(PROXY_HTML)),
        FaultKind::EmptyBody => reply(shared, StatusCode::OK, JSON, Body::empty()),
        FaultKind::Reset => {
            wire.reset.store(true, Ordering::Relaxed);
            reply(shared, StatusCode::OK, JSON, Body::empty())
        }
        _ => return None,
    })
}

/// The answer of a fault that spoils a page; none if this fault does not.
fn spoil(shared: &Shared, kind: &FaultKind, body: &Bytes, record: usize, before: Option<Answer>) -> Option<Response> {
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

/// A connection's handle: lets an answer break the connection it would go out on.
#[derive(Debug, Clone, Default)]
struct Wire {
    reset: Arc<AtomicBool>,
}

impl Connected<IncomingStream<'_, WireListener>> for Wire {
    fn connect_info(stream: IncomingStream<'_, WireListener>) -> Self {
        stream.io().wire.clone()
    }
}

struct WireListener(TcpListener);

impl Listener for WireListener {
    type Io = WireStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (WireStream, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.0).await;
        // Without it answers still arrive, only later; so a refusal is no reason to drop the connection.
        let _ = stream.set_nodelay(true);
        (WireStream { stream, wire: Wire::default() }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection that resets itself instead of writing once its [`Wire`] says so.
struct WireStream {
    stream: TcpStream,
    wire: Wire,
}

impl WireStream {
    /// An error if the connection shall be reset; dropping it then sends RST instead of FIN.
    fn check(&self) -> io::Result<()> {
        if !self.wire.reset.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.stream.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for WireStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for WireStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
