//! What an answer means before its JSON is understood: HTTP refusals, web pages, broken text, clocks that differ.
//!
//! Takes a reply, gives a [`Verdict`] or the text. Pure, and the same for every vendor; foreign texts are cut short and
//! freed of our own keys before they are shown.

use crate::base::{Error, Result};
use crate::config::secret::Secret;
use crate::net::Reply;
use jiter::JiterError;
use std::time::Duration;

/// Why a text is not an envelope; a sentence with the byte position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl From<JiterError> for Malformed {
    fn from(error: JiterError) -> Self {
        Self(format!("{} at byte {}", error.error_type, error.index))
    }
}

/// What reading an envelope gives.
pub type Scan<T> = std::result::Result<T, Malformed>;

/// What to do about an answer that holds no page.
#[derive(Debug)]
pub enum Verdict {
    /// The vendor is busy: ask again, as often as the retry policy allows.
    Busy {
        wait: Duration,
        why: String,
    },
    /// It may have been a hiccup: ask again a few times, then end with this error.
    Doubtful(Error),
    Refused(Error),
}

/// Who answered, for messages.
pub struct Peer<'a> {
    /// The setting that holds the address.
    pub url_place: &'a str,
    /// The vendor's own address, for cures.
    pub vendor_url: &'a str,
    /// What must not be shown although the other side may echo it.
    pub secrets: &'a [&'a Secret],
}

/// A difference between two clocks that is worth naming.
const SKEW_SECONDS: i64 = 60;
/// Characters of a foreign text that are shown.
const SHOWN_CHARS: usize = 80;
/// Characters of a vendor's message that are shown.
const MESSAGE_CHARS: usize = 300;

/// Judges everything outside the body's JSON; `None` if the body is worth reading.
pub fn of_transport(reply: &Reply, peer: &Peer<'_>) -> Option<Verdict> {
    let text = || peer.excerpt(&String::from_utf8_lossy(&reply.body));
    let status = reply.status;
    match status {
        200 => {}
        408 | 425 | 429 | 500..=599 => {
            let wait = reply.retry_after.unwrap_or_default();
            return Some(Verdict::Busy { wait, why: format!("HTTP status {status}{}", text()) });
        }
        401 | 403 | 404 | 405 | 407 => {
            let error = Error::denied(format!("the server answered HTTP status {status}{}", text()));
            return Some(Verdict::Refused(error.hint(format!(
                "check {} (the vendor's is {}) and whether a proxy stands between",
                peer.url_place, peer.vendor_url
            ))));
        }
        _ => {
            let error = Error::protocol(format!("the server answered HTTP status {status}{}", text()));
            return Some(Verdict::Refused(error.hint(format!("check {}", peer.url_place))));
        }
    }
    let first = reply.body.iter().find(|b| !b.is_ascii_whitespace());
    if first == Some(&b'<') || (reply.content_type.contains("html") && first != Some(&b'{')) {
        let error = Error::protocol(format!("a web page came instead of an answer{}", text()));
        return Some(Verdict::Doubtful(
            error.hint(format!("a proxy or a login page stands between, or {} names another service", peer.url_place)),
        ));
    }
    None
}

/// The vendor's clock minus ours, in seconds, if it is worth naming.
pub fn skew(reply: &Reply) -> Option<i64> {
    let seconds = (reply.date? - reply.received_at).num_seconds();
    (seconds.abs() >= SKEW_SECONDS).then_some(seconds)
}

/// A skew in words, in brackets; nothing where there is none.
pub fn clock_note(skew: Option<i64>) -> String {
    match skew {
        Some(s) if s > 0 => format!(" (this machine's clock is {s} s behind the vendor's)"),
        Some(s) => format!(" (this machine's clock is {} s ahead of the vendor's)", -s),
        None => String::new(),
    }
}

/// The body as text, without a copy.
pub fn utf8(body: Vec<u8>) -> Result<String> {
    String::from_utf8(body).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::protocol(format!("the answer is not UTF-8 at byte {at}"))
            .hint("asked three times with the same result; show the vendor this page of the window")
    })
}

impl Peer<'_> {
    /// A vendor's message, fit to be shown.
    pub fn message(&self, text: &str) -> String {
        self.scrub(text).chars().take(MESSAGE_CHARS).collect()
    }

    /// Takes our own keys out of a text that somebody else wrote. Very short ones are no keys and would maim the text.
    fn scrub(&self, text: &str) -> String {
        let mut text = text.to_string();
        for secret in self.secrets.iter().map(|s| s.expose()).filter(|s| s.len() >= 4) {
            text = text.replace(secret, "…").replace(&secret.to_lowercase(), "…");
        }
        text
    }

    /// `: "…"` with the first characters of a foreign text, tags, styles and scripts left out; nothing for an empty text.
    fn excerpt(&self, text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            plain.push_str(before);
            plain.push(' ');
            let (tag, tail) = after.split_once('>').unwrap_or((after, ""));
            let name = tag.split_ascii_whitespace().next().unwrap_or_default().to_ascii_lowercase();
            rest = match name.as_str() {
                "script" | "style" => tail.find("</").map_or("", |at| &tail[at..]),
                _ => tail,
            };
        }
        plain.push_str(rest);
        let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        let words: String = self.scrub(&words).chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect();
        if words.is_empty() { words } else { format!(": {words:?}") }
    }
}
