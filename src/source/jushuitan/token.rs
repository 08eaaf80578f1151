//! The tokens of one application: which pair is good now, how a new one is asked for, where it is kept.
//!
//! Takes the configured tokens and what was kept of earlier runs, gives the access token to send and, when the vendor
//! refuses it or it ends soon, the [`Grant`] to ask for. Never shows a token. Facts: an own-company application gets its first
//! pair by getInitToken with any six characters as code; a refresh gives a new pair (one far from its end may give the same
//! access token again); a token lives 30 days; once it has expired, its refresh token is said to be dead too. So a token is
//! refreshed before it ends.

use super::envelope::Malformed;
use crate::base::{Error, Result};
use crate::config::secret::Secret;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An access token and what it is renewed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub access: Secret,
    pub refresh: Option<Secret>,
    /// When the access token ends, by our clock; nobody says it of a configured one.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A pair as it is kept, and which configuration it descends from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// [`origin`] of the configured tokens; empty where none were configured.
    pub origin: String,
    pub pair: Pair,
}

/// Keeps the newest pair of one application from run to run.
pub trait TokenStore: Send + Sync {
    /// What was kept last, if anything was.
    fn load(&self) -> Result<Option<Kept>>;
    /// Keeps it; durable when this returns.
    fn save(&self, kept: &Kept) -> Result<()>;
}

/// A way to a new pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    Refresh(Secret),
    /// The first pair of an own-company application.
    Init,
}

/// The tokens of one source, shared by its pulls.
pub struct Tokens {
    origin: String,
    /// Was an access token configured? Else the application is an own-company one and gets its tokens by itself.
    is_configured: bool,
    known: Mutex<Known>,
    store: Arc<dyn TokenStore>,
}

/// The tokens of this process.
#[derive(Default)]
struct Known {
    now: Option<Pair>,
    /// Tokens that were good once: the vendor may still name them.
    former: VecDeque<Secret>,
    /// A refresh before the end was asked for: once in a process, whatever came of it.
    was_early: bool,
}

/// Former tokens that are remembered; a token lives for days.
const MAX_FORMER: usize = 16;
/// With less than this left, a token is refreshed while it is still good.
const EARLY: TimeDelta = TimeDelta::days(3);

impl Tokens {
    /// A newly configured pair wins over the kept one, else the kept one, which is the newer, wins.
    pub fn new(access: Option<Secret>, refresh: Option<Secret>, store: Arc<dyn TokenStore>) -> Result<Self> {
        let is_configured = access.is_some();
        let origin = access.as_ref().map(|access| origin(access, refresh.as_ref())).unwrap_or_default();
        let kept = store.load()?.filter(|kept| kept.origin == origin).map(|kept| kept.pair);
        let configured = access.map(|access| Pair { access, refresh, expires_at: None });
        let mut known = Known::default();
        for pair in [configured, kept].into_iter().flatten() {
            known.renew(pair);
        }
        Ok(Self { origin, is_configured, known: Mutex::new(known), store })
    }

    /// The pair that is good as far as we know.
    pub fn current(&self) -> Option<Pair> {
        self.lock().now.clone()
    }

    /// Every token that may stand in an answer and must not be shown.
    pub fn secrets(&self) -> Vec<Secret> {
        let known = self.lock();
        let now = known.now.iter().flat_map(Pair::parts).cloned();
        now.chain(known.former.iter().cloned()).collect()
    }

    /// How to come to a new pair, if there is a way. `refused` was tried for this already.
    pub fn grant(&self, refused: Option<&Grant>) -> Option<Grant> {
        let refresh = self.lock().now.as_ref().and_then(|pair| pair.refresh.clone()).map(Grant::Refresh);
        match refused {
            None if refresh.is_some() => refresh,
            None | Some(Grant::Refresh(_)) => (!self.is_configured).then_some(Grant::Init),
            Some(Grant::Init) => None,
        }
    }

    /// The refresh of a token that is good, but not for long; given once. A token that has ended is left to the vendor's refusal.
    pub fn early(&self, now: DateTime<Utc>) -> Option<Grant> {
        let mut known = self.lock();
        let pair = known.now.as_ref().filter(|_| !known.was_early)?;
        let left = pair.expires_at? - now;
        let refresh = pair.refresh.clone().filter(|_| left > TimeDelta::zero() && left < EARLY)?;
        known.was_early = true;
        Some(Grant::Refresh(refresh))
    }

    /// Takes a new pair into use, then keeps it.
    pub fn renew(&self, pair: Pair) -> Result<()> {
        let kept = Kept { origin: self.origin.clone(), pair };
        self.lock().renew(kept.pair.clone());
        self.store.save(&kept).map_err(|e| e.context("the new access token cannot be kept for the next run"))
    }

    /// What to do when there is no way to a new pair any more.
    pub fn cure(&self) -> &'static str {
        if self.is_configured {
            "the good pair may lie in the folder tokens/ of another workspace, which renewed it; else get a new pair at the \
             vendor's open platform and set source.access_token and source.refresh_token. An own-company application may \
             leave both out: dukou then asks for them itself"
        } else {
            "an own-company application gets its token by itself; any other needs source.access_token and \
             source.refresh_token, from the merchant's login at the vendor's open platform"
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // A panic while holding the lock cannot leave the pair half written.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pair {
    fn parts(&self) -> impl Iterator<Item = &Secret> {
        [Some(&self.access), self.refresh.as_ref()].into_iter().flatten()
    }
}

impl Known {
    fn renew(&mut self, pair: Pair) {
        if let Some(former) = self.now.replace(pair) {
            self.former.extend(former.parts().cloned());
            while self.former.len() > MAX_FORMER {
                self.former.pop_front();
            }
        }
    }
}

/// What tells one configured pair from another without holding it.
fn origin(access: &Secret, refresh: Option<&Secret>) -> String {
    let mut hasher = Sha256::new();
    for part in ["dukou jushuitan token", access.expose(), refresh.map_or("", Secret::expose)] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(&hasher.finalize()[..16])
}

/// `data` of a token answer: `{"access_token":"…","refresh_token":"…","expires_in":2592000,"scope":"all"}`.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    /// Seconds. A hint: an answer that has none, or something else here, is an answer.
    #[serde(default)]
    expires_in: serde_json::Value,
}

/// Reads the pair of a token answer that was received at `now`.
pub fn granted(data: Option<&str>, now: DateTime<Utc>) -> Result<Pair, Malformed> {
    let malformed = || Malformed("a token answer without access_token".into());
    // The parser's own words could hold a token.
    let granted: Granted = data.and_then(|data| serde_json::from_str(data).ok()).ok_or_else(malformed)?;
    let secret = |text: String| Some(text.trim()).filter(|text| !text.is_empty()).map(Secret::new);
    let access = secret(granted.access_token).ok_or_else(malformed)?;
    let seconds = match &granted.expires_in {
        serde_json::Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
    };
    let expires_at = seconds.and_then(TimeDelta::try_seconds).and_then(|left| now.checked_add_signed(left));
    Ok(Pair { access, refresh: granted.refresh_token.and_then(secret), expires_at })
}

/// The error that stands when the vendor gives no new pair: `said` are its words.
pub fn refused(tokens: &Tokens, grant: &Grant, said: &str) -> Error {
    let what = match grant {
        Grant::Refresh(_) => "Jushuitan does not refresh the access token",
        Grant::Init => "Jushuitan gives no access token",
    };
    Error::denied(format!("{what}: {said}")).hint(tokens.cure())
}
