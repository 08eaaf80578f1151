//! The signatures of signed requests and of LoginBySign, as the vendor's own clients compute them.
//!
//! Takes ids, secrets and the parts of a request, gives signature texts. Never decides whether a request is served.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What the client secret is XORed with before it is a key.
const XOR_KEY: &[u8] = b"0054f397c6234378b09ca7d3e5debce7";

/// base64 of the lower-case hex of HMAC-SHA256.
fn signature(text: &str, key: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        // A key of any length is taken, so this does not happen; no client sends an empty signature.
        return String::new();
    };
    mac.update(text.as_bytes());
    BASE64.encode(hex::encode(mac.finalize().into_bytes()))
}

/// X-Kd-Signature: over the application's id and the plain text of X-Kd-Appdata.
pub fn kd_signature(app_id: &str, app_data: &str, app_secret: &str) -> String {
    signature(&format!("{app_id}{app_data}"), app_secret.as_bytes())
}

/// X-Api-Signature: over method, path, nonce and time.
pub fn api_signature(app_id: &str, path: &str, nonce: &str, timestamp: &str) -> String {
    let text = format!("POST\n{}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{timestamp}\n", encoded(path));
    signature(&text, client_secret(app_id).as_bytes())
}

/// The key hidden in the second part of an application's id; empty if there is none of 32 characters.
fn client_secret(app_id: &str) -> String {
    let hidden = match app_id.split('_').collect::<Vec<_>>()[..] {
        [_, hidden] if hidden.len() == 32 => hidden,
        _ => return String::new(),
    };
    let Ok(mut bytes) = BASE64.decode(hidden) else { return String::new() };
    for (byte, mask) in bytes.iter_mut().zip(XOR_KEY) {
        *byte ^= mask;
    }
    BASE64.encode(bytes)
}

/// Percent-encoded, slashes too.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 32);
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The text of X-Kd-Appdata; none if it is not base64 of UTF-8.
pub fn app_data(header: &str) -> Option<String> {
    String::from_utf8(BASE64.decode(header).ok()?).ok()
}

/// The signature of LoginBySign: SHA-256 over the five texts, sorted.
pub fn login_sign(mut texts: [&str; 5]) -> String {
    texts.sort_unstable();
    hex::encode(Sha256::digest(texts.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../tests/fixtures/vendor/kingdee-vectors.json")).unwrap()
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    #[test]
    fn the_vectors_of_the_official_client_are_reproduced() {
        let vectors = vectors();
        let signed = vectors["signed_headers"].as_array().unwrap();
        assert_eq!(signed.len(), 10);
        for vector in signed {
            let (inputs, headers, name) = (&vector["inputs"], &vector["headers"], &vector["name"]);
            let app_id = text(&inputs["app_id"]);
            let data = app_data(text(&headers["X-Kd-Appdata"])).unwrap();
            assert_eq!(data, text(&vector["intermediate"]["app_data"]), "{name}");
            let kd = kd_signature(app_id, &data, text(&inputs["app_secret"]));
            assert_eq!(kd, text(&headers["X-Kd-Signature"]), "{name}");
            if text(&inputs["xor_key"]).as_bytes() == XOR_KEY {
                let path = text(&vector["intermediate"]["path"]);
                let (nonce, time) = (text(&headers["x-api-nonce"]), text(&headers["x-api-timestamp"]));
                assert_eq!(api_signature(app_id, path, nonce, time), text(&headers["X-Api-Signature"]), "{name}");
            }
        }
    }

    #[test]
    fn what_both_official_clients_really_sent_verifies() {
        let vectors = vectors();
        for client in ["logged_python_sdk", "logged_java_sdk"] {
            let secret = text(&vectors[client]["inputs"]["app_secret"]);
            for request in vectors[client]["requests"].as_array().unwrap() {
                let header = |name: &str| text(&request["headers"][name]);
                let app_id = header("X-Kd-Appkey");
                let data = app_data(header("X-Kd-Appdata")).unwrap();
                assert_eq!(kd_signature(app_id, &data, secret), header("X-Kd-Signature"));
                let path = text(&request["request_line"]).split(' ').nth(1).unwrap();
                let api = api_signature(app_id, path, header("x-api-nonce"), header("x-api-timestamp"));
                assert_eq!(api, header("X-Api-Signature"), "{path}");
            }
        }
    }

    #[test]
    fn login_signatures_are_reproduced() {
        for vector in vectors()["login_by_sign"]["vectors"].as_array().unwrap() {
            let inputs = &vector["inputs"];
            let time = inputs["timestamp"].to_string();
            let [acct, user, app, secret] =
                ["acct_id", "user_name", "app_id", "app_secret"].map(|name| text(&inputs[name]));
            assert_eq!(login_sign([acct, user, app, secret, &time]), text(&vector["sign"]));
        }
    }
}
