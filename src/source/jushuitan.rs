//! Jushuitan (聚水潭): the account, the signature, and the [`Source`] that pulls `other.inout.query`.
//!
//! Takes a pipeline's `[source]`, gives pulls (`jushuitan/pull.rs`). Does no I/O but keeping its newest token, and never
//! shows a key, a secret, a token or the address. Facts: the new gateway, POST, form-urlencoded, everything in the body;
//! business errors come with HTTP 200.

mod envelope;
mod pager;
mod params;
mod pull;
mod refusal;
#[cfg(test)]
mod tests;
mod token;
mod token_file;

use crate::base::{Error, Result};
use crate::config::model;
use crate::config::secret::{Env, Secret};
use crate::config::vocabulary::JUSHUITAN;
use crate::net::Request;
use crate::source::answer::Peer;
use crate::source::{Ask, AskKind, Axis, Pull, Source};
use chrono::{DateTime, Utc};
use md5::{Digest as _, Md5};
use params::Params;
use sha2::Sha256;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use token::{Grant, Tokens};
pub use token::{Kept, Pair, TokenStore};
pub use token_file::TokenFile;

/// The vendor's address, for cures.
const VENDOR_URL: &str = "https://openapi.jushuitan.com";

/// Who asks, where, and for which method.
struct Account {
    method: String,
    /// Scheme, host and what stands before the vendor's paths; no slash at the end.
    base: Secret,
    app_key: Secret,
    app_secret: Secret,
    tokens: Tokens,
    /// Names of the settings, for cures.
    url_place: String,
    key_place: String,
    secret_place: String,
}

/// What the pulls of one source have in common.
struct Shared {
    account: Account,
    /// The vendor's clock minus ours in seconds, once a time stamp was refused.
    vendor_ahead: AtomicI64,
    /// Digests of the records of the last page any pull has believed.
    latest: Mutex<Vec<u64>>,
}

/// The vendor, as one pipeline uses it.
pub struct Jushuitan {
    shared: Arc<Shared>,
    params: Arc<Params>,
    history_axis: Option<String>,
    page_size: u32,
    max_pages: u32,
}

impl Jushuitan {
    /// The source with its tokens kept in `folder`.
    pub fn open(source: &model::Source, env: &Env, folder: &Path) -> Result<Self> {
        let store = TokenFile::of(folder, &source.app_key.resolve(env)?);
        Self::new(source, env, Arc::new(store))
    }

    /// Resolves the settings. Fails on a missing variable, an address that is none, and a store that cannot be read; what
    /// is wrong with the parameters says [`Source::check_params`].
    pub fn new(source: &model::Source, env: &Env, store: Arc<dyn TokenStore>) -> Result<Self> {
        let optional = |setting: &Option<crate::config::secret::Setting>| -> Result<Option<Secret>> {
            setting.as_ref().map(|s| Ok(Secret::new(s.resolve(env)?.expose().trim()))).transpose()
        };
        let account = Account {
            method: source.method.clone(),
            base: base(source, env)?,
            app_key: source.app_key.resolve(env)?,
            app_secret: source.app_secret.resolve(env)?,
            tokens: Tokens::new(optional(&source.access_token)?, optional(&source.refresh_token)?, store)?,
            url_place: source.url.place().to_string(),
            key_place: source.app_key.place().to_string(),
            secret_place: source.app_secret.place().to_string(),
        };
        Ok(Self {
            shared: Arc::new(Shared { account, vendor_ahead: AtomicI64::new(0), latest: Mutex::default() }),
            params: Arc::new(Params::new(source)),
            history_axis: source.history.as_ref().map(|h| h.axis.clone()),
            page_size: source.window.page_size,
            max_pages: source.limits.max_pages,
        })
    }
}

/// The address before the vendor's paths.
fn base(source: &model::Source, env: &Env) -> Result<Secret> {
    let written = source.url.resolve(env)?;
    let base = written.expose().trim().trim_end_matches('/');
    let parsed = url::Url::parse(base).ok().filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
    let place = source.url.place();
    let cure = format!("the vendor's is {VENDOR_URL}");
    let Some(parsed) = parsed else {
        return Err(Error::config(format!("{place}: not an http or https address")).hint(cure));
    };
    let is_base = parsed.query().is_none() && parsed.fragment().is_none();
    if !is_base || parsed.path().contains("/open/") || parsed.path().ends_with(".aspx") {
        return Err(
            Error::config(format!("{place}: the address before the vendor's paths is wanted, no more")).hint(cure)
        );
    }
    Ok(Secret::new(base))
}

impl Source for Jushuitan {
    fn max_window(&self) -> Duration {
        Duration::from_secs(JUSHUITAN.max_window_days * 86_400)
    }

    fn max_page_size(&self) -> u32 {
        JUSHUITAN.max_page_size
    }

    fn check_params(&self) -> Vec<String> {
        let mut faults = self.params.check();
        if let Some(Err(fault)) = self.history_axis.as_deref().map(params::check_axis) {
            faults.push(fault.to_string());
        }
        faults
    }

    /// SHA-256 of method, parameters and account; the address is left out, so that a moved gateway keeps its coverage.
    fn fingerprint(&self) -> String {
        let account = &self.shared.account;
        let mut hasher = Sha256::new();
        for part in ["jushuitan", &account.method, account.app_key.expose(), &self.params.identity()] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hex::encode(&hasher.finalize()[..16])
    }

    fn account(&self) -> String {
        let account = &self.shared.account;
        let application = Sha256::digest(account.app_key.expose().as_bytes());
        format!("jushuitan {} {}", account.method, hex::encode(&application[..8]))
    }

    fn pull(&self, ask: &Ask) -> Result<Box<dyn Pull>> {
        if let AskKind::Window { axis: Axis::Stable { name, .. }, .. } = &ask.kind {
            params::check_axis(name)?;
        }
        let (shared, params) = (Arc::clone(&self.shared), Arc::clone(&self.params));
        Ok(Box::new(pull::JushuitanPull::new(shared, params, ask.clone(), self.page_size, self.max_pages)))
    }
}

impl Shared {
    /// The vendor's time, as far as it is known to differ from ours.
    fn vendor_now(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let ahead = chrono::Duration::seconds(self.vendor_ahead.load(Ordering::Relaxed));
        now.checked_add_signed(ahead).unwrap_or(now)
    }
}

impl Account {
    /// The signed form of a question; the vendor checks the time stamp against its own clock.
    fn page_request(&self, biz: &str, access_token: &Secret, stamp: DateTime<Utc>) -> Request {
        let path = format!("open/{}", self.method.replace('.', "/"));
        self.request(&path, stamp, &[("access_token", access_token.expose()), ("version", "2"), ("biz", biz)])
    }

    /// The signed form of a request for a new pair of tokens.
    fn token_request(&self, grant: &Grant, stamp: DateTime<Utc>) -> Request {
        match grant {
            Grant::Refresh(token) => self.request(
                "openWeb/auth/refreshToken",
                stamp,
                &[("grant_type", "refresh_token"), ("refresh_token", token.expose()), ("scope", "all")],
            ),
            Grant::Init => {
                // Any six characters.
                let code = format!("{:06}", fastrand::u32(0..1_000_000));
                let fields = [("grant_type", "authorization_code"), ("code", code.as_str())];
                self.request("openWeb/auth/getInitToken", stamp, &fields)
            }
        }
    }

    fn request(&self, path: &str, stamp: DateTime<Utc>, own: &[(&str, &str)]) -> Request {
        let timestamp = stamp.timestamp().to_string();
        let mut fields =
            vec![("app_key", self.app_key.expose()), ("timestamp", timestamp.as_str()), ("charset", "utf-8")];
        fields.extend_from_slice(own);
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&fields).append_pair("sign", &sign(self.app_secret.expose(), &fields));
        Request {
            url: format!("{}/{path}", self.base.expose()),
            headers: Vec::new(),
            content_type: "application/x-www-form-urlencoded; charset=utf-8",
            body: form.finish().into_bytes(),
            // A refresh, too: a lost new pair is not got back by not asking.
            idempotent: true,
        }
    }

    /// Something about the other side, with our own keys kept out of its words.
    fn heard<T>(&self, about: impl FnOnce(&Peer<'_>) -> T) -> T {
        let tokens = self.tokens.secrets();
        let secrets: Vec<&Secret> = [&self.app_secret, &self.app_key].into_iter().chain(&tokens).collect();
        about(&Peer { url_place: &self.url_place, vendor_url: VENDOR_URL, secrets: &secrets })
    }
}

/// The vendor's signature: names sorted by bytes, name and raw value concatenated, the secret in front of it, MD5 of the
/// UTF-8 bytes in lower-case hex. `sign` itself is not signed.
pub fn sign(secret: &str, params: &[(&str, &str)]) -> String {
    let mut sorted: Vec<_> = params.iter().filter(|(name, _)| *name != "sign").collect();
    sorted.sort_unstable();
    let mut hasher = Md5::new();
    hasher.update(secret.as_bytes());
    for (name, value) in sorted {
        hasher.update(name.as_bytes());
        hasher.update(value.as_bytes());
    }
    hex::encode(hasher.finalize())
}
