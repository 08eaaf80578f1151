//! Access and refresh tokens: what is valid, until when, and how new ones are had.
//!
//! Takes the form of a token call and the time, gives tokens; never knows signatures and business calls.

use chrono::{DateTime, TimeDelta, Utc};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{ACCESS_TOKEN, REFRESH_TOKEN};
use crate::sandbox::gateway::{Form, field};

/// Why no tokens are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The refresh token is not the last one given, or the access token it belongs to has expired.
    Unknown,
    /// Applications of service providers may not refresh.
    Forbidden,
    /// A parameter is missing or wrong.
    Parameter(&'static str),
}

/// How tokens are refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refreshing {
    /// New tokens each time; the old ones are void.
    #[default]
    Renews,
    /// While the access token has more than half of its life before it, it stays and keeps its end; only the refresh
    /// token is new. Recorded once.
    KeepsAccess,
    /// Not allowed, as for applications of service providers.
    Forbidden,
}

/// The tokens of the one application.
#[derive(Debug)]
pub struct Tokens {
    access: String,
    refresh: String,
    /// The access token has been declared void before its end.
    void: bool,
    ends: DateTime<Utc>,
    life: TimeDelta,
    /// Makes new tokens differ from those of an earlier sandbox.
    nonce: String,
    issued: u64,
}

impl Tokens {
    /// The tokens everyone begins with.
    pub fn new(now: DateTime<Utc>, life: TimeDelta) -> Self {
        Tokens {
            access: ACCESS_TOKEN.to_owned(),
            refresh: REFRESH_TOKEN.to_owned(),
            void: false,
            ends: now + life,
            life,
            nonce: now.timestamp_micros().to_string(),
            issued: 0,
        }
    }

    /// Access and refresh token, as they are.
    pub fn pair(&self) -> (&str, &str) {
        (&self.access, &self.refresh)
    }

    /// Whether business calls may use this token.
    pub fn allows(&self, access: &str, now: DateTime<Utc>) -> bool {
        !self.void && access == self.access && now < self.ends
    }

    /// The access token is no longer valid; the refresh token is.
    pub fn expire(&mut self) {
        self.void = true;
    }

    /// No token is valid any more; only `getInitToken` helps.
    pub fn revoke(&mut self) {
        self.expire();
        self.refresh = self.fresh();
    }

    /// `getInitToken` and `accessToken`: the answer's `data`.
    pub fn begin(&mut self, form: &Form, now: DateTime<Utc>) -> Result<Value, Refused> {
        if field(form, "grant_type") != "authorization_code" {
            return Err(Refused::Parameter("grant_type"));
        }
        let code = field(form, "code");
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refused::Parameter("code"));
        }
        self.renew(now);
        Ok(self.data(now))
    }

    /// `refreshToken`: the answer's `data`.
    pub fn refresh(&mut self, form: &Form, now: DateTime<Utc>, how: Refreshing) -> Result<Value, Refused> {
        if field(form, "grant_type") != "refresh_token" {
            return Err(Refused::Parameter("grant_type"));
        }
        if field(form, "scope") != "all" {
            return Err(Refused::Parameter("scope"));
        }
        if how == Refreshing::Forbidden {
            return Err(Refused::Forbidden);
        }
        if field(form, "refresh_token") != self.refresh || now >= self.ends {
            return Err(Refused::Unknown);
        }
        if how == Refreshing::KeepsAccess && !self.void && self.ends - now > self.life / 2 {
            self.refresh = self.fresh();
        } else {
            self.renew(now);
        }
        Ok(self.data(now))
    }

    fn renew(&mut self, now: DateTime<Utc>) {
        self.access = self.fresh();
        self.refresh = self.fresh();
        self.void = false;
        self.ends = now + self.life;
    }

    fn data(&self, now: DateTime<Utc>) -> Value {
        json!({
            "access_token": self.access,
            "refresh_token": self.refresh,
            "expires_in": (self.ends - now).num_seconds(),
            "scope": "all",
        })
    }

    /// 32 hex digits nobody has had before.
    fn fresh(&mut self) -> String {
        self.issued += 1;
        hex::encode(Md5::digest(format!("{}-{}", self.nonce, self.issued)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Form {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn with(token: &str) -> Form {
        form(&[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "all")])
    }

    fn text<'a>(data: &'a Value, name: &str) -> &'a str {
        data[name].as_str().unwrap()
    }

    #[test]
    fn a_refresh_replaces_both_tokens_and_voids_the_old_ones() {
        let now = Utc::now();
        let mut tokens = Tokens::new(now, TimeDelta::days(30));
        assert!(tokens.allows(ACCESS_TOKEN, now) && !tokens.allows("other", now));
        let later = now + TimeDelta::days(1);
        let data = tokens.refresh(&with(REFRESH_TOKEN), later, Refreshing::Renews).unwrap();
        assert_eq!((&data["expires_in"], &data["scope"]), (&json!(2_592_000), &json!("all")));
        let (access, refresh) = (text(&data, "access_token"), text(&data, "refresh_token"));
        assert!(access.len() == 32 && refresh.len() == 32 && access != refresh);
        assert!(tokens.allows(access, later) && !tokens.allows(ACCESS_TOKEN, later));
        assert_eq!(tokens.refresh(&with(REFRESH_TOKEN), later, Refreshing::Renews), Err(Refused::Unknown));
        tokens.expire();
        assert!(!tokens.allows(access, later));
        let again = tokens.refresh(&with(refresh), later, Refreshing::Renews).unwrap();
        assert!(tokens.allows(text(&again, "access_token"), later));
    }

    #[test]
    fn a_long_lived_access_token_may_stay_with_its_end() {
        let now = Utc::now();
        let mut tokens = Tokens::new(now, TimeDelta::days(30));
        let week = now + TimeDelta::days(7);
        let data = tokens.refresh(&with(REFRESH_TOKEN), week, Refreshing::KeepsAccess).unwrap();
        assert_eq!((text(&data, "access_token"), &data["expires_in"]), (ACCESS_TOKEN, &json!(23 * 86_400)));
        let refresh = text(&data, "refresh_token").to_owned();
        assert_ne!(refresh, REFRESH_TOKEN);
        tokens.expire();
        let data = tokens.refresh(&with(&refresh), week, Refreshing::KeepsAccess).unwrap();
        assert!(text(&data, "access_token") != ACCESS_TOKEN && tokens.allows(text(&data, "access_token"), week));
    }

    #[test]
    fn after_the_end_only_a_new_beginning_helps() {
        let now = Utc::now();
        let mut tokens = Tokens::new(now, TimeDelta::days(30));
        let end = now + TimeDelta::days(30);
        assert!(!tokens.allows(ACCESS_TOKEN, end));
        assert_eq!(tokens.refresh(&with(REFRESH_TOKEN), end, Refreshing::Renews), Err(Refused::Unknown));
        for code in ["", "12345", "12345号", "1234567"] {
            let asked = form(&[("grant_type", "authorization_code"), ("code", code)]);
            assert_eq!(tokens.begin(&asked, end), Err(Refused::Parameter("code")), "{code}");
        }
        let asked = form(&[("grant_type", "authorization_code"), ("code", "a1B2c3")]);
        let data = tokens.begin(&asked, end).unwrap();
        assert!(tokens.allows(text(&data, "access_token"), end));
        tokens.revoke();
        let refresh = text(&data, "refresh_token");
        assert_eq!(tokens.refresh(&with(refresh), end, Refreshing::Renews), Err(Refused::Unknown));
        assert_eq!(tokens.refresh(&with(refresh), end, Refreshing::Forbidden), Err(Refused::Forbidden));
    }
}
