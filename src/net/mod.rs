//! The way to the vendors: a request and its reply as plain data, and the trait that carries one to the other.
//!
//! `client.rs` is the only door to the HTTP library. Nothing here knows a vendor.

pub mod budget;
pub mod client;

use crate::base::Result;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// How one end is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// One call, from connect to last byte.
    pub request_timeout: Duration,
    /// A larger answer is refused.
    pub max_answer_bytes: usize,
    /// Whose settings a hint names.
    pub end: End,
}

/// The section of the pipeline file that a client belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Source,
    Sink,
}

/// One POST; everything the vendors need.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// May the same bytes be sent again after an answer was lost? True for every query.
    pub idempotent: bool,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// `Content-Type`, lower case; empty when absent.
    pub content_type: String,
    /// The server's clock (`Date` header).
    pub date: Option<DateTime<Utc>>,
    pub retry_after: Option<Duration>,
    /// Each `Set-Cookie` as it came.
    pub set_cookies: Vec<String>,
    pub body: Vec<u8>,
    pub received_at: DateTime<Utc>,
}

/// Sends one request once. Errors say by their [`Advice`](crate::base::Advice) whether the request can have arrived.
#[async_trait::async_trait]
pub trait Transport: Send + Sync {
    async fn send(&self, request: &Request) -> Result<Reply>;
}
