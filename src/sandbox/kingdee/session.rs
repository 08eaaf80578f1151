//! Who may call: sessions, the three logins, and signed requests that need none.
//!
//! Takes headers and login arguments, gives a verdict; keeps the sessions. Rules as measured on a live server: a valid
//! session is served without a look at the credentials; without one, good signed headers are served and get a session
//! silently; anything else is "session lost". Never looks at what is called.

use std::collections::HashMap;
use std::time::Instant;

use axum::http::HeaderMap;

use super::KingdeeConfig;
use super::sign::{api_signature, app_data, kd_signature, login_sign};
use super::wire::Arguments;

/// Languages of the product.
const LANGUAGES: [&str; 3] = ["2052", "1033", "3076"];

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Served, with the session it brought.
    Known,
    /// Served; the answer sets this new session.
    Admitted(Session),
    /// "会话信息已丢失"; the answer sets a session all the same, which is good for nothing.
    Lost(Session),
    /// The account (数据中心) does not exist.
    WrongAccount,
}

/// The texts of the two session cookies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `kdservice-sessionid`.
    pub id: String,
    /// `ASP.NET_SessionId`.
    pub asp: String,
}

/// Why a login failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRefusal {
    pub result_type: i32,
    pub message: String,
}

/// The sessions in force.
#[derive(Debug, Default)]
pub struct Sessions {
    /// By `kdservice-sessionid`: when it was last used.
    used: HashMap<String, Instant>,
    made: u64,
    /// Logins that succeeded.
    pub logins: u64,
}

impl Sessions {
    /// Judges a call by its headers.
    pub fn judge(&mut self, config: &KingdeeConfig, path: &str, headers: &HeaderMap, now: Instant) -> Verdict {
        if self.refresh(config, headers, now) {
            return Verdict::Known;
        }
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(data) = app_data(header("X-Kd-Appdata")).filter(|data| !data.is_empty()) else {
            return Verdict::Lost(self.name());
        };
        // The last part, the organisation, is signed but its value is not checked.
        let parts: Vec<&str> = data.splitn(4, ',').collect();
        let (acct, user, language) =
            (parts.first().copied(), parts.get(1).copied(), parts.get(2).copied().unwrap_or_default());
        if acct != Some(config.acct_id.as_str()) {
            return Verdict::WrongAccount;
        }
        let app_id = header("X-Kd-Appkey");
        let signed = kd_signature(app_id, &data, &config.app_secret) == header("X-Kd-Signature");
        let strict = !config.strict_signature
            || api_signature(app_id, path, header("x-api-nonce"), header("x-api-timestamp"))
                == header("X-Api-Signature");
        let known = user == Some(config.username.as_str()) && app_id == config.app_id && LANGUAGES.contains(&language);
        if signed && strict && known { Verdict::Admitted(self.open(now)) } else { Verdict::Lost(self.name()) }
    }

    /// Whether the call brings a session in force; if so, its time begins anew.
    fn refresh(&mut self, config: &KingdeeConfig, headers: &HeaderMap, now: Instant) -> bool {
        self.used.retain(|_, used| now.saturating_duration_since(*used) < config.session_lifetime);
        let brought = carried(headers);
        let Some(used) = brought.iter().find_map(|id| self.used.contains_key(*id).then_some(*id)) else { return false };
        self.used.insert(used.to_owned(), now);
        true
    }

    fn open(&mut self, now: Instant) -> Session {
        let session = self.name();
        self.used.insert(session.id.clone(), now);
        session
    }

    /// A session's texts; it is in force only when it is opened.
    fn name(&mut self) -> Session {
        self.made += 1;
        let mixed = self.made.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let asp: String = format!("{mixed:016x}{:08x}", self.made).bytes().map(|b| char::from(b'a' + b % 26)).collect();
        Session { id: format!("{:08x}-{:04x}-4111-2222-{mixed:016x}", self.made, mixed as u16)[..36].to_owned(), asp }
    }

    /// Ends all sessions, as a restart of the web server does.
    pub fn end_all(&mut self) {
        self.used.clear();
    }

    /// Ends the sessions a call brings.
    pub fn logout(&mut self, headers: &HeaderMap) {
        for id in carried(headers) {
            self.used.remove(id);
        }
    }

    /// How many are in force.
    pub fn count(&self) -> usize {
        self.used.len()
    }

    /// ValidateUser.
    pub fn login_by_password(
        &mut self,
        config: &KingdeeConfig,
        call: &Arguments,
        now: Instant,
    ) -> Result<Session, LoginRefusal> {
        let right = call.text(1, "username") == config.username && call.text(2, "password") == config.password;
        self.login(config, call.text(0, "acctid"), right, call.text(3, "lcid"), now)
    }

    /// LoginByAppSecret.
    pub fn login_by_secret(
        &mut self,
        config: &KingdeeConfig,
        call: &Arguments,
        now: Instant,
    ) -> Result<Session, LoginRefusal> {
        let (user, app) = (call.text(1, "username"), call.text(2, "appid"));
        let right = app == config.app_id && call.text(3, "appsecret") == config.app_secret;
        if right && user != config.username {
            let message = format!("第三方应用：{app} 不允许用户{user} 登录，请联系系统管理员添加！");
            return Err(LoginRefusal { result_type: -1, message });
        }
        self.login(config, call.text(0, "acctid"), right, call.text(4, "lcid"), now)
    }

    /// LoginBySign.
    pub fn login_by_sign(
        &mut self,
        config: &KingdeeConfig,
        call: &Arguments,
        now: Instant,
    ) -> Result<Session, LoginRefusal> {
        let (acct, user, app) = (call.text(0, "acctid"), call.text(1, "username"), call.text(2, "appid"));
        let expected = login_sign([acct, user, app, &config.app_secret, call.text(3, "timestamp")]);
        let right = user == config.username && app == config.app_id && call.text(4, "sign") == expected;
        self.login(config, acct, right, call.text(5, "lcid"), now)
    }

    fn login(
        &mut self,
        config: &KingdeeConfig,
        acct: &str,
        right: bool,
        language: &str,
        now: Instant,
    ) -> Result<Session, LoginRefusal> {
        // No recorded text of a wrong password or account was found; these are ours.
        let refusal = |result_type, message: &str| Err(LoginRefusal { result_type, message: message.to_owned() });
        if acct != config.acct_id {
            return refusal(-1, "数据中心不存在或已停用");
        }
        if !right || !(language.is_empty() || LANGUAGES.contains(&language)) {
            return refusal(0, "用户名或密码错误");
        }
        self.logins += 1;
        Ok(self.open(now))
    }
}

/// The session ids a call brings: by cookie or by header, whichever the client likes.
fn carried(headers: &HeaderMap) -> Vec<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).into_iter();
    let cookies = headers.get_all("cookie").into_iter().filter_map(|value| value.to_str().ok());
    let of_cookies = cookies
        .flat_map(|cookie| cookie.split(';'))
        .filter_map(|part| part.trim().split_once('='))
        .filter(|(name, _)| *name == "kdservice-sessionid")
        .map(|(_, value)| value.trim());
    of_cookies.chain(text("kdservice-sessionid")).chain(text("sid")).filter(|id| !id.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::{HeaderName, HeaderValue};
    use base64::Engine as _;

    use super::*;

    const PATH: &str = "/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc";

    fn headers(pairs: &[(&str, String)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    /// Signed headers with one thing wrong, if asked for.
    fn signed(config: &KingdeeConfig, wrong: &str) -> HeaderMap {
        let or = |name: &str, right: &str, other: &str| if wrong == name { other } else { right }.to_owned();
        let data = [
            or("acct", &config.acct_id, "0000"),
            or("user", &config.username, "nobody"),
            or("lcid", "2052", "9999"),
            or("org", "0", "777"),
        ]
        .join(",");
        let app = or("app", &config.app_id, "999999_5b2W64ET1uGWSCUu7T3F7YjN6d3bWqOA");
        let secret = or("secret", &config.app_secret, "not the secret");
        let time = or("time", "1795318630", "1");
        let api = if wrong == "api" { "bm90".to_owned() } else { api_signature(&app, PATH, "n", &time) };
        headers(&[
            ("X-Kd-Signature", kd_signature(&app, &data, &secret)),
            ("X-Kd-Appdata", base64::engine::general_purpose::STANDARD.encode(data)),
            ("X-Kd-Appkey", app),
            ("x-api-timestamp", time),
            ("x-api-nonce", "n".to_owned()),
            ("X-Api-Signature", api),
        ])
    }

    #[test]
    fn signed_calls_are_served_as_measured() {
        let lenient = KingdeeConfig::default();
        let strict = KingdeeConfig { strict_signature: true, ..KingdeeConfig::default() };
        let cases = [
            // (what is wrong, lenient server, strict server)
            ("nothing", "admitted", "admitted"),
            ("acct", "account", "account"),
            ("user", "lost", "lost"),
            ("app", "lost", "lost"),
            ("secret", "lost", "lost"),
            ("lcid", "lost", "lost"),
            ("org", "admitted", "admitted"),
            ("time", "admitted", "admitted"),
            ("api", "admitted", "lost"),
        ];
        for (wrong, on_lenient, on_strict) in cases {
            for (config, expected) in [(&lenient, on_lenient), (&strict, on_strict)] {
                let seen = match Sessions::default().judge(config, PATH, &signed(config, wrong), Instant::now()) {
                    Verdict::Known => "known",
                    Verdict::Admitted(_) => "admitted",
                    Verdict::Lost(_) => "lost",
                    Verdict::WrongAccount => "account",
                };
                assert_eq!(seen, expected, "{wrong}, strict: {}", config.strict_signature);
            }
        }
    }

    #[test]
    fn a_session_is_served_without_a_look_at_credentials_until_it_is_idle_too_long() {
        let config = KingdeeConfig::default();
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let Verdict::Admitted(session) = sessions.judge(&config, PATH, &signed(&config, "nothing"), start) else {
            panic!("not admitted")
        };
        let idle = Duration::from_secs(19 * 60);
        let mut now = start;
        let cookie = format!("Theme=standard;ASP.NET_SessionId={}; kdservice-sessionid={}", session.asp, session.id);
        for carrier in [("Cookie", cookie), ("kdservice-sessionid", session.id.clone()), ("SID", session.id.clone())] {
            now += idle;
            let mut call = signed(&config, "secret");
            call.extend(headers(&[carrier]));
            assert_eq!(sessions.judge(&config, PATH, &call, now), Verdict::Known);
        }
        now += config.session_lifetime;
        let stale = headers(&[("Cookie", format!("kdservice-sessionid={}", session.id))]);
        let Verdict::Lost(useless) = sessions.judge(&config, PATH, &stale, now) else { panic!("not lost") };
        let call = headers(&[("Cookie", format!("kdservice-sessionid={}", useless.id))]);
        assert!(matches!(sessions.judge(&config, PATH, &call, now), Verdict::Lost(_)));
        let mut stale_but_signed = signed(&config, "nothing");
        stale_but_signed.extend(stale);
        let Verdict::Admitted(fresh) = sessions.judge(&config, PATH, &stale_but_signed, now) else { panic!("lost") };
        let call = headers(&[("Cookie", format!("kdservice-sessionid={}", fresh.id))]);
        assert_eq!(sessions.judge(&config, PATH, &call, now), Verdict::Known);
        sessions.logout(&call);
        assert!(matches!(sessions.judge(&config, PATH, &call, now), Verdict::Lost(_)));
    }

    #[test]
    fn the_three_logins_take_named_and_positional_arguments() {
        let config = KingdeeConfig::default();
        let KingdeeConfig { acct_id, username, password, app_id, app_secret, .. } = &config;
        let now = Instant::now();
        let sign = login_sign([acct_id, username, app_id, app_secret, "1700000000"]);
        let cases = [
            (
                "password",
                format!(r#"{{"acctID":"{acct_id}","username":"{username}","password":"{password}","lcid":2052}}"#),
                true,
            ),
            ("password", format!(r#"{{"parameters":["{acct_id}","{username}","{password}",2052]}}"#), true),
            ("password", format!(r#"{{"parameters":["{acct_id}","{username}","wrong",2052]}}"#), false),
            ("password", format!(r#"{{"parameters":["other","{username}","{password}",2052]}}"#), false),
            (
                "secret",
                format!(
                    r#"{{"acctid":"{acct_id}","UserName":"{username}","appId":"{app_id}","AppSecret":"{app_secret}","lcid":"2052"}}"#
                ),
                true,
            ),
            ("secret", format!(r#"{{"parameters":["{acct_id}","{username}","{app_id}","{app_secret}",9999]}}"#), false),
            (
                "sign",
                format!(r#"{{"parameters":["{acct_id}","{username}","{app_id}",1700000000,"{sign}",2052]}}"#),
                true,
            ),
            (
                "sign",
                format!(r#"{{"parameters":["{acct_id}","{username}","{app_id}",1700000001,"{sign}",2052]}}"#),
                false,
            ),
        ];
        for (way, body, good) in cases {
            let call = Arguments::read(body.as_bytes()).unwrap();
            let mut sessions = Sessions::default();
            let done = match way {
                "password" => sessions.login_by_password(&config, &call, now),
                "secret" => sessions.login_by_secret(&config, &call, now),
                _ => sessions.login_by_sign(&config, &call, now),
            };
            assert_eq!((done.is_ok(), sessions.count()), (good, usize::from(good)), "{way} {body}");
        }
        let stranger = format!(r#"{{"parameters":["{acct_id}","demo","{app_id}","{app_secret}",2052]}}"#);
        let call = Arguments::read(stranger.as_bytes()).unwrap();
        let refusal = Sessions::default().login_by_secret(&config, &call, now).unwrap_err();
        assert!(refusal.message.contains("不允许用户demo 登录"), "{}", refusal.message);
    }
}
