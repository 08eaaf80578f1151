//! One call, from signature to meaning, and the session that calls share.
//!
//! Takes a service and a body, gives what was said. Keeps the server's cookies, logs in where that is how calls are allowed,
//! and makes a lost session anew once. A save is never sent twice from here, unless it never left this machine.
//!
//! Facts: with signed headers no login is needed and the server makes its session silently; MsgCode 1 then means that
//! these credentials are refused. Without them a session ends after 20 idle minutes or when the server restarts.

use super::account::Account;
use super::answer::{self, Proves, Said, Trouble, cut};
use super::fault::Class;
use super::request::Service;
use crate::base::retry::RetryPolicy;
use crate::base::{Advice, Error, Kind, Result};
use crate::config::model::KingdeeAuth;
use crate::net::{Reply, Request, Transport};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Mutex;

/// The line to the ERP.
pub(super) struct Session {
    pub(super) account: Account,
    transport: Arc<dyn Transport>,
    retry: RetryPolicy,
    state: Mutex<State>,
}

/// What all calls share.
#[derive(Default)]
struct State {
    /// Counts sessions, so that a session is given up once however many calls notice its loss.
    generation: u64,
    /// Name and value, as the server set them.
    cookies: Vec<(String, String)>,
    logged_in: bool,
    /// A call of this session was served.
    served: bool,
}

/// What a call goes out with.
struct Ticket {
    generation: u64,
    cookies: String,
    served: bool,
}

/// A call that was answered.
pub(super) struct Told {
    pub said: Said,
    /// The answer's text, cut to what is kept.
    pub text: String,
    /// Was a call of the same session served before this one?
    pub served: bool,
    pub sent_at: DateTime<Utc>,
    pub answered_at: DateTime<Utc>,
}

impl Session {
    pub(super) fn new(account: Account, transport: Arc<dyn Transport>, retry: RetryPolicy) -> Self {
        Self { account, transport, retry, state: Mutex::default() }
    }

    /// Calls a service. Whatever may be called twice is called again after a passing trouble and after a lost session;
    /// a save only where it never left.
    ///
    /// # Errors
    /// A save: by [`Advice`] whether it can have arrived. Anything else: nothing was answered that could be used.
    pub(super) async fn call(&self, service: Service, body: &str) -> Result<Told> {
        let began = Instant::now();
        let (mut attempt, mut renewed) = (1, false);
        loop {
            let ticket = self.enter().await?;
            let sent_at = Utc::now();
            let outcome = self.once(service, body, &ticket).await;
            let (asked, failed) = match outcome {
                Ok((reply, said)) => {
                    let lost = is_lost(&said);
                    if lost {
                        self.give_up(ticket.generation).await;
                    } else if !matches!(said, Said::Else(_)) {
                        self.keep(ticket.generation, &reply).await;
                    }
                    let again = service.repeatable() && lost;
                    if again && renewed {
                        let text = "the server refuses our credentials (MsgCode 1, 会话信息已丢失)";
                        return Err(Class::Session.error(text));
                    }
                    if again {
                        renewed = true;
                        continue;
                    }
                    let passing = matches!(&said, Said::Else(Trouble { proves: Proves::Nothing, .. }));
                    if !(passing && service.repeatable()) {
                        let text = cut(&String::from_utf8_lossy(&reply.body)).to_string();
                        let answered_at = reply.received_at;
                        return Ok(Told { said, text, served: ticket.served, sent_at, answered_at });
                    }
                    (reply.retry_after, self.failed(&said))
                }
                Err(error) if matches!(error.advice(), Advice::Retry | Advice::After(_)) => (None, error),
                Err(error) => return Err(error),
            };
            attempt += 1;
            let wait = self.retry.wait_before(attempt, began.elapsed(), asked, fastrand::f64());
            let Some(wait) = wait else { return Err(failed) };
            tokio::time::sleep(wait).await;
        }
    }

    /// An answer that is none, to a call that wanted one.
    pub(super) fn failed(&self, said: &Said) -> Error {
        match said {
            Said::Else(Trouble { proves: Proves::Stop(error) | Proves::Door(error), .. }) => error.clone(),
            Said::Else(trouble) => Error::unavailable(trouble.text.as_str())
                .hint("the server is busy, restarting or not what sink.url should name; try again later"),
            Said::Status(status) => {
                let text = status.messages();
                status.class().map_or_else(|| Error::protocol(text.clone()), |class| class.error(text.clone()))
            }
            Said::Rows(_) => Error::protocol("rows came where none were asked for"),
        }
    }

    /// The session's cookies; logs in first where there is none and one is needed.
    async fn enter(&self) -> Result<Ticket> {
        // Held over the login: of several calls one logs in, the others wait for it.
        let mut state = self.state.lock().await;
        if self.account.auth == KingdeeAuth::AppSecret && !state.logged_in {
            self.log_in(&mut state).await?;
        }
        let cookies: Vec<String> = state.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(Ticket { generation: state.generation, cookies: cookies.join("; "), served: state.served })
    }

    async fn log_in(&self, state: &mut State) -> Result<()> {
        let request = self.request(Service::Login, &self.account.login_body(), String::new());
        let mut attempt = 1;
        let began = Instant::now();
        let reply = loop {
            match self.exchange(&request).await {
                Ok(reply) => break reply,
                Err(error) if error.kind() != Kind::Unavailable => return Err(error),
                Err(error) => {
                    attempt += 1;
                    match self.retry.wait_before(attempt, began.elapsed(), None, fastrand::f64()) {
                        Some(wait) => tokio::time::sleep(wait).await,
                        // A login stores nothing, whatever became of it.
                        None => return Err(error.advise(Advice::Retry)),
                    }
                }
            }
        };
        let answer = serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap_or_default();
        match answer.get("LoginResultType").and_then(serde_json::Value::as_i64) {
            // -5: a form waits for administrators; the vendor's manual lets callers of the API in.
            Some(1 | -5) => {}
            Some(_) => {
                let said = answer.get("Message").and_then(serde_json::Value::as_str).unwrap_or("no reason was given");
                let text = format!("the login is refused: {}", cut(said));
                return Err(Class::Session.error(text));
            }
            None => return Err(self.failed(&answer::read(&reply)).context("logging in")),
        }
        take_cookies(&mut state.cookies, &reply.set_cookies);
        // Old builds give no id in the body, others no cookie.
        if let Some(id) = answer.get("KDSVCSessionId").and_then(serde_json::Value::as_str) {
            set_cookie(&mut state.cookies, "kdservice-sessionid", id);
        }
        state.logged_in = true;
        Ok(())
    }

    async fn once(&self, service: Service, body: &str, ticket: &Ticket) -> Result<(Reply, Said)> {
        let request = self.request(service, body, ticket.cookies.clone());
        let reply = self.exchange(&request).await?;
        let said = answer::read(&reply);
        Ok((reply, said))
    }

    /// One request and its reply. A server may echo what it was called with: our secrets go out here, before anything is read,
    /// cut, kept or shown.
    async fn exchange(&self, request: &Request) -> Result<Reply> {
        let mut reply = self.transport.send(request).await?;
        reply.body = self.account.scrub(reply.body);
        Ok(reply)
    }

    fn request(&self, service: Service, body: &str, cookies: String) -> Request {
        let mut headers = match self.account.auth {
            KingdeeAuth::AppSecret => Vec::new(),
            KingdeeAuth::Signature => {
                let nonce = format!("{:032x}", fastrand::u128(..));
                self.account.signature(service.path(), Utc::now().timestamp(), &nonce)
            }
        };
        if !cookies.is_empty() {
            headers.push(("Cookie".to_string(), cookies));
        }
        Request {
            url: self.account.url(service.path()),
            headers,
            content_type: "application/json; charset=utf-8",
            body: body.as_bytes().to_vec(),
            idempotent: service.repeatable(),
        }
    }

    /// Takes the cookies of a call that was served, unless its session was given up meanwhile.
    async fn keep(&self, generation: u64, reply: &Reply) {
        let mut state = self.state.lock().await;
        if state.generation == generation {
            take_cookies(&mut state.cookies, &reply.set_cookies);
            state.served = true;
        }
    }

    async fn give_up(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.generation == generation {
            *state = State { generation: generation + 1, ..State::default() };
        }
    }
}

/// Does the answer say that nobody is logged in?
pub(super) fn is_lost(said: &Said) -> bool {
    match said {
        Said::Status(status) => status.no_session(),
        Said::Else(trouble) => matches!(trouble.proves, Proves::NoSession),
        Said::Rows(_) => false,
    }
}

/// `name=value; path=/; HttpOnly`, each.
fn take_cookies(cookies: &mut Vec<(String, String)>, set: &[String]) {
    for cookie in set {
        let pair = cookie.split(';').next().unwrap_or_default();
        if let Some((name, value)) = pair.split_once('=') {
            set_cookie(cookies, name.trim(), value.trim());
        }
    }
}

fn set_cookie(cookies: &mut Vec<(String, String)>, name: &str, value: &str) {
    cookies.retain(|(have, _)| have != name);
    if !name.is_empty() && !value.is_empty() {
        cookies.push((name.to_string(), value.to_string()));
    }
}
