//! Who calls: the account's settings, the addresses of its services, and the signature of a request.
//!
//! Takes settings and a moment, gives headers to the byte. Does no I/O, keeps no session, shows no secret.
//! Facts: the official SDKs 8.2.0 (Python, Java) and vectors made with them; the body is not signed.

use crate::base::{Error, Result};
use crate::config::model::{Kingdee, KingdeeAuth};
use crate::config::secret::{Env, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What the second half of the app id is veiled with, in every SDK.
const VEIL: &[u8; 24] = b"0054f397c6234378b09ca7d3";
/// Length of a veiled client secret; another length means there is none.
const VEILED_CHARS: usize = 32;

/// The settings of one account set, resolved.
pub(super) struct Account {
    /// Base address without the last slash.
    base: String,
    /// Path of the base address, as signed.
    base_path: String,
    /// `host` or `host:port`, lower case, for the target's identity.
    host: String,
    acct_id: String,
    username: String,
    app_id: Secret,
    app_secret: Secret,
    lcid: u32,
    org_num: String,
    pub(super) auth: KingdeeAuth,
}

impl Account {
    /// Resolves the settings; an address that is none is refused.
    pub(super) fn new(settings: &Kingdee, env: &Env) -> Result<Self> {
        let text = |setting: &crate::config::secret::Setting| -> Result<String> {
            Ok(setting.resolve(env)?.expose().trim().to_string())
        };
        let url = text(&settings.url)?;
        let wrong = || {
            Error::config(format!("{}: not an http or https address", settings.url.place()))
                .hint("write it as https://host/k3cloud/")
        };
        let parsed = url::Url::parse(&url).map_err(|_| wrong())?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() || parsed.query().is_some() {
            return Err(wrong());
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(Error::config(format!("{}: takes no user and no password", settings.url.place()))
                .hint("they belong in sink.username and sink.app_secret"));
        }
        let name = parsed.host_str().unwrap_or_default().to_lowercase();
        let host = parsed.port().map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
        let base_path = parsed.path().trim_end_matches('/').to_string();
        let base = format!("{}://{host}{base_path}", parsed.scheme());
        Ok(Self {
            base,
            base_path,
            host,
            acct_id: text(&settings.acct_id)?,
            username: text(&settings.username)?,
            app_id: Secret::new(text(&settings.app_id)?),
            app_secret: Secret::new(text(&settings.app_secret)?),
            lcid: settings.lcid,
            org_num: settings.org_num.clone(),
            auth: settings.auth,
        })
    }

    /// `kingdee://host/account set/FORM`: the same for every spelling of the address, whoever calls.
    pub(super) fn target(&self, form: &str) -> String {
        format!("kingdee://{}/{}/{}", self.host, self.acct_id, form.to_uppercase())
    }

    /// Address of a service, as `Kingdee.BOS.….DynamicFormService.BatchSave`.
    pub(super) fn url(&self, service: &str) -> String {
        format!("{}/{service}.common.kdsvc", self.base)
    }

    /// Body of LoginByAppSecret.
    pub(super) fn login_body(&self) -> String {
        serde_json::json!({
            "acctID": self.acct_id,
            "username": self.username,
            "appid": self.app_id.expose(),
            "appsecret": self.app_secret.expose(),
            "lcid": self.lcid,
        })
        .to_string()
    }

    /// The headers that prove who calls; none of them depends on the body. `timestamp` is Unix time in seconds, `nonce` any
    /// text of letters and digits.
    pub(super) fn signature(&self, service: &str, timestamp: i64, nonce: &str) -> Vec<(String, String)> {
        let (client, veiled) = self.app_id.expose().split_once('_').unwrap_or(("", ""));
        let path = percent_encoded(&format!("{}/{service}.common.kdsvc", self.base_path));
        let to_sign = format!("POST\n{path}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{timestamp}\n");
        let app_data = format!("{},{},{},{}", self.acct_id, self.username, self.lcid, self.org_num);
        let app_proof = format!("{}{app_data}", self.app_id.expose());
        let header = |name: &str, value: String| (name.to_string(), value);
        vec![
            header("X-Api-ClientID", client.to_string()),
            header("X-Api-Auth-Version", "2.0".to_string()),
            header("x-api-timestamp", timestamp.to_string()),
            header("x-api-nonce", nonce.to_string()),
            header("x-api-signheaders", "x-api-timestamp,x-api-nonce".to_string()),
            header("X-Api-Signature", proof(&client_secret(veiled), &to_sign)),
            header("X-Kd-Appkey", self.app_id.expose().to_string()),
            header("X-Kd-Appdata", STANDARD.encode(app_data)),
            header("X-Kd-Signature", proof(self.app_secret.expose(), &app_proof)),
        ]
    }

    /// Takes our secrets out of what somebody else wrote, before it is read or cut: the app id, its secret half veiled and
    /// unveiled, the app secret; as they are and as JSON may spell them. Very short ones are none and would maim the text.
    pub(super) fn scrub(&self, body: Vec<u8>) -> Vec<u8> {
        let app_id = self.app_id.expose();
        let veiled = app_id.split_once('_').map_or("", |(_, veiled)| veiled);
        let client = client_secret(veiled);
        let secrets = [app_id, veiled, &client, self.app_secret.expose()];
        let spelled: Vec<String> = secrets.into_iter().filter(|s| s.len() >= 6).flat_map(spellings).collect();
        let text = String::from_utf8_lossy(&body);
        if !spelled.iter().any(|secret| text.contains(secret)) {
            return body;
        }
        spelled.iter().fold(text.into_owned(), |text, secret| text.replace(secret, "…")).into_bytes()
    }
}

/// A text as it may stand within JSON: plain, with its slashes escaped, and with what base64 has beside letters as `\uXXXX`.
fn spellings(secret: &str) -> Vec<String> {
    let escaped = |hex: fn(u32) -> String| {
        secret.chars().map(|c| if matches!(c, '+' | '/' | '=') { hex(u32::from(c)) } else { c.to_string() }).collect()
    };
    let (upper, lower) = (|c| format!("\\u{c:04X}"), |c| format!("\\u{c:04x}"));
    let mut all = vec![secret.to_string(), secret.replace('/', "\\/"), escaped(upper), escaped(lower)];
    all.dedup();
    all
}

/// base64 of the lower-case hex of HMAC-SHA256.
fn proof(key: &str, text: &str) -> String {
    let mac = match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
        Ok(mac) => mac.chain_update(text.as_bytes()),
        // HMAC takes a key of any length, so this is never reached; an empty proof is refused by the server.
        Err(_) => return String::new(),
    };
    STANDARD.encode(hex::encode(mac.finalize().into_bytes()))
}

/// Lifts the veil from the second half of the app id; empty where that is not one, as the official SDK has it.
fn client_secret(veiled: &str) -> String {
    match STANDARD.decode(veiled) {
        Ok(bytes) if veiled.len() == VEILED_CHARS => {
            STANDARD.encode(bytes.iter().zip(VEIL).map(|(a, b)| a ^ b).collect::<Vec<u8>>())
        }
        _ => String::new(),
    }
}

/// Everything but letters, digits and `_.-~` as `%XX`, the slash included.
fn percent_encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([byte]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::kingdee::tests::fixture;
    use crate::sink::kingdee::tests::settings;
    use serde_json::Value;

    fn account(inputs: &Value) -> Account {
        let text = |name: &str| match &inputs[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut settings = settings();
        settings.lcid = text("lcid").parse().expect("a number");
        settings.org_num = text("org_num");
        let env = Env::only([
            ("KINGDEE_URL", text("base_url")),
            ("KINGDEE_ACCT_ID", text("acct_id")),
            ("KINGDEE_USERNAME", text("user_name")),
            ("KINGDEE_APP_ID", text("app_id")),
            ("KINGDEE_APP_SECRET", text("app_secret")),
        ]);
        Account::new(&settings, &env).expect("an account")
    }

    #[test]
    fn signed_headers_are_those_of_the_official_sdk_to_the_byte() {
        let vectors: Value = serde_json::from_str(&fixture("kingdee-vectors.json")).expect("JSON");
        let signed = vectors["signed_headers"].as_array().expect("a list");
        assert_eq!(signed.len(), 10);
        for vector in signed {
            let inputs = &vector["inputs"];
            let account = account(inputs);
            let service = inputs["service"].as_str().expect("a service");
            assert_eq!(account.url(service), vector["intermediate"]["request_url"], "{}", vector["name"]);
            let nonce = inputs["nonce"].as_str().expect("a nonce");
            let made = account.signature(service, inputs["timestamp"].as_i64().expect("a time"), nonce);
            assert_eq!(made.len(), 9);
            // One vector has another veil, from a setting of the Python SDK that nobody else has: there the client secret
            // is another one, everything else is the same.
            let own_veil = inputs["xor_key"] == "0054f397c6234378b09ca7d3e5debce7";
            for (name, value) in made {
                if own_veil || name != "X-Api-Signature" {
                    assert_eq!(vector["headers"][&name], value, "{}: {name}", vector["name"]);
                }
            }
        }
    }

    #[test]
    fn another_veil_changes_the_client_secret_only() {
        let vectors: Value = serde_json::from_str(&fixture("kingdee-vectors.json")).expect("JSON");
        let vector = &vectors["signed_headers"][9];
        let veiled = STANDARD.decode("5b2W64ET1uGWSCUu7T3F7YjN6d3bWqOA").expect("base64");
        let veil = vector["inputs"]["xor_key"].as_str().expect("a veil").as_bytes();
        let lifted = STANDARD.encode(veiled.iter().zip(veil).map(|(a, b)| a ^ b).collect::<Vec<u8>>());
        assert_eq!(vector["intermediate"]["client_secret_decoded"], lifted);
        let to_sign = vector["intermediate"]["string_to_sign"].as_str().expect("a text");
        assert_eq!(vector["headers"]["X-Api-Signature"], proof(&lifted, to_sign));
    }

    #[test]
    fn the_requests_of_the_java_sdk_are_signed_by_the_same_rules() {
        let vectors: Value = serde_json::from_str(&fixture("kingdee-vectors.json")).expect("JSON");
        let logged = &vectors["logged_java_sdk"];
        let mut inputs = logged["inputs"].clone();
        inputs["base_url"] = "http://127.0.0.1:18412/k3cloud".into();
        let account = account(&inputs);
        let requests = logged["requests"].as_array().expect("a list");
        assert!(requests.len() >= 4);
        for request in requests {
            let line = request["request_line"].as_str().expect("a line");
            let service = line.trim_start_matches("POST /k3cloud/").split(".common").next().expect("a service");
            let stamp = request["headers"]["x-api-timestamp"].as_str().expect("a time");
            let made = account.signature(service, stamp.parse().expect("a number"), stamp);
            for name in ["X-Api-Signature", "X-Kd-Signature", "X-Kd-Appdata"] {
                let own = made.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
                assert_eq!(request["headers"][name].as_str(), own, "{line}: {name}");
            }
        }
    }

    #[test]
    fn secrets_are_taken_out_however_json_spells_them() {
        let env = Env::only([
            ("KINGDEE_URL", "http://erp.example/"),
            ("KINGDEE_ACCT_ID", "5f0c"),
            ("KINGDEE_USERNAME", "demo"),
            ("KINGDEE_APP_ID", "219843_5b2W64ET1uGWSCUu7T3F7YjN6d3bWqOA"),
            ("KINGDEE_APP_SECRET", "ab/cd+ef=="),
        ]);
        let account = Account::new(&settings(), &env).expect("an account");
        let client = client_secret("5b2W64ET1uGWSCUu7T3F7YjN6d3bWqOA");
        assert!(client.len() > 6);
        let table = [
            "219843_5b2W64ET1uGWSCUu7T3F7YjN6d3bWqOA",
            "5b2W64ET1uGWSCUu7T3F7YjN6d3bWqOA",
            client.as_str(),
            "ab/cd+ef==",
            r"ab\/cd+ef==",
            r"ab\u002Fcd\u002Bef\u003D\u003D",
            r"ab\u002fcd\u002bef\u003d\u003d",
        ];
        for spelled in table {
            let told = account.scrub(format!("[{spelled}]").into_bytes());
            assert_eq!(String::from_utf8_lossy(&told), "[…]", "{spelled}");
        }
        assert_eq!(account.scrub(vec![0xff, b'a']), [0xff, b'a'], "what holds none is left as it is");
    }

    #[test]
    fn one_target_has_one_name_whatever_the_address_looks_like() {
        let env = |url: &str| {
            Env::only([
                ("KINGDEE_URL", url),
                ("KINGDEE_ACCT_ID", "5f0c"),
                ("KINGDEE_USERNAME", "demo"),
                ("KINGDEE_APP_ID", "219843_x"),
                ("KINGDEE_APP_SECRET", "hidden-secret"),
            ])
        };
        for url in
            ["https://ERP.example.com/k3cloud/", "https://erp.example.com:443/K3Cloud", "http://erp.example.com/"]
        {
            let account = Account::new(&settings(), &env(url)).expect("an account");
            assert_eq!(account.target("SAL_returnstock"), "kingdee://erp.example.com/5f0c/SAL_RETURNSTOCK", "{url}");
        }
        let account = Account::new(&settings(), &env("http://h:8080/k3cloud")).expect("an account");
        assert_eq!(account.target("F"), "kingdee://h:8080/5f0c/F");
        assert_eq!(account.scrub(b"bad secret hidden-secret!".to_vec()), "bad secret …!".as_bytes());
        for wrong in ["erp.example.com", "ftp://h/", "http://u:p@h/k3cloud/", "http://h/k3cloud/?a=1"] {
            let error = Account::new(&settings(), &env(wrong)).err().expect("refused");
            assert!(error.to_string().starts_with("sink.url"), "{error}");
        }
    }
}
