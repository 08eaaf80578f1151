//! Jackyun (吉客云): the account, the signature, and the [`Source`] that pulls `oms.trade.fullinfoget`.
//!
//! Takes a pipeline's `[source]`, gives pulls (`jackyun/pull.rs`). Does no I/O and never shows a key, a secret or the
//! address. Facts: one gateway, POST, form-urlencoded; business errors come with HTTP 200.

pub mod envelope;
mod params;
mod pull;
mod refusal;
#[cfg(test)]
mod tests;

use crate::base::clock::{WALL_FORMAT, wall};
use crate::base::{Error, Result};
use crate::config::model;
use crate::config::secret::{Env, Secret};
use crate::net::Request;
use crate::source::answer::Peer;
use crate::source::{Ask, AskKind, Axis, Pull, Source};
use chrono::{DateTime, Utc};
use md5::{Digest as _, Md5};
use params::{MAX_PAGE_SIZE, MAX_WINDOW_DAYS, Params};
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;

/// Who asks, where, and for which method.
struct Account {
    method: String,
    url: Secret,
    app_key: Secret,
    app_secret: Secret,
    token: Option<Secret>,
    /// Names of the settings, for cures.
    url_place: String,
    key_place: String,
    secret_place: String,
}

/// The vendor, as one pipeline uses it.
pub struct Jackyun {
    account: Arc<Account>,
    params: Arc<Params>,
    history_axis: Option<String>,
    max_pages: u32,
    latest: pull::Latest,
}

impl Jackyun {
    /// Resolves the settings. Fails on a missing variable, an address that is none, and a doubled parameter; what else
    /// is wrong with the parameters says [`Source::check_params`].
    pub fn new(source: &model::Source, env: &Env) -> Result<Self> {
        let url = Secret::new(source.url.resolve(env)?.expose().trim());
        let parsed = url::Url::parse(url.expose()).ok();
        if !parsed.is_some_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host()) {
            return Err(Error::config(format!("{}: not an http or https address", source.url.place()))
                .hint("the vendor's is https://open.jackyun.com/open/openapi/do"));
        }
        let account = Account {
            method: source.method.clone(),
            url,
            app_key: source.app_key.resolve(env)?,
            app_secret: source.app_secret.resolve(env)?,
            token: source.access_token.as_ref().map(|t| t.resolve(env)).transpose()?,
            url_place: source.url.place().to_string(),
            key_place: source.app_key.place().to_string(),
            secret_place: source.app_secret.place().to_string(),
        };
        Ok(Self {
            account: Arc::new(account),
            params: Arc::new(Params::new(source)?),
            history_axis: source.history.as_ref().map(|h| h.axis.clone()),
            max_pages: source.limits.max_pages,
            latest: pull::Latest::default(),
        })
    }
}

impl Source for Jackyun {
    fn max_window(&self) -> Duration {
        Duration::from_secs(MAX_WINDOW_DAYS.unsigned_abs() * 24 * 3600)
    }

    fn max_page_size(&self) -> u32 {
        MAX_PAGE_SIZE
    }

    fn check_params(&self) -> Vec<String> {
        let mut faults = self.params.check();
        if let Some(Err(fault)) = self.history_axis.as_deref().map(params::axis_params) {
            faults.push(fault.to_string());
        }
        faults
    }

    /// SHA-256 of method, parameters and account; the address is left out, so that a moved gateway keeps its coverage.
    fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for part in ["jackyun", &self.account.method, self.account.app_key.expose(), &self.params.identity()] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hex::encode(&hasher.finalize()[..16])
    }

    fn account(&self) -> String {
        let application = Sha256::digest(self.account.app_key.expose().as_bytes());
        format!("jackyun {} {}", self.account.method, hex::encode(&application[..8]))
    }

    fn pull(&self, ask: &Ask) -> Result<Box<dyn Pull>> {
        if let AskKind::Window { axis: Axis::Stable { name, .. }, .. } = &ask.kind {
            params::axis_params(name)?;
        }
        let (account, params) = (Arc::clone(&self.account), Arc::clone(&self.params));
        let latest = Arc::clone(&self.latest);
        Ok(Box::new(pull::JackyunPull::new(account, params, ask.clone(), self.max_pages, latest)))
    }
}

impl Account {
    /// The signed form of one call at `now`; the vendor checks the time stamp against its own clock.
    fn request(&self, bizcontent: &str, now: DateTime<Utc>) -> Request {
        let timestamp = wall(now).format(WALL_FORMAT).to_string();
        let fields = [
            ("method", self.method.as_str()),
            ("appkey", self.app_key.expose()),
            ("version", "v1.0"),
            ("contenttype", "json"),
            ("timestamp", &timestamp),
            ("bizcontent", bizcontent),
        ];
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("sign", &sign(self.app_secret.expose(), &fields));
        if let Some(token) = &self.token {
            form.append_pair("token", token.expose());
        }
        Request {
            url: self.url.expose().to_string(),
            headers: Vec::new(),
            content_type: "application/x-www-form-urlencoded; charset=utf-8",
            body: form.finish().into_bytes(),
            idempotent: true,
        }
    }

    /// Something about the other side, with our own keys kept out of its words.
    fn heard<T>(&self, about: impl FnOnce(&Peer<'_>) -> T) -> T {
        let secrets = [Some(&self.app_secret), Some(&self.app_key), self.token.as_ref()];
        let secrets: Vec<&Secret> = secrets.into_iter().flatten().collect();
        let vendor_url = "https://open.jackyun.com/open/openapi/do";
        about(&Peer { url_place: &self.url_place, vendor_url, secrets: &secrets })
    }
}

/// The vendor's signature: names sorted by bytes, name and raw value concatenated, the secret at both ends, all of it
/// lower-cased, MD5 in lower-case hex. `sign`, `contextid` and `token` are not signed; an empty value stays in as its name.
pub fn sign(secret: &str, params: &[(&str, &str)]) -> String {
    let mut sorted: Vec<_> = params.iter().filter(|(n, _)| !["sign", "contextid", "token"].contains(n)).collect();
    sorted.sort_unstable();
    let mut text = secret.to_string();
    for (name, value) in sorted {
        text.push_str(name);
        text.push_str(value);
    }
    text.push_str(secret);
    hex::encode(Md5::digest(text.to_lowercase().as_bytes()))
}
