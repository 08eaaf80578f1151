//! What a Jackyun answer means that is not a page: whose fault it is, whether to ask again, and the cure.
//!
//! Takes a reply or the code, sub-code and message of an envelope, gives a [`Verdict`]. Pure; texts of the vendor are
//! cut short and freed of our own keys before they are shown. Sub-codes as three clients and the vendor's examples have
//! them; those without a recorded meaning end the pull.

use super::Account;
use super::envelope::Envelope;
use crate::base::{Error, Result};
use crate::net::Reply;
use std::time::Duration;

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

/// A difference between two clocks that is worth naming.
const SKEW_SECONDS: i64 = 60;
/// Characters of a foreign text that are shown.
const SHOWN_CHARS: usize = 80;
/// Characters of a vendor's message that are shown.
const MESSAGE_CHARS: usize = 300;

/// Judges everything outside the body's JSON; `None` if the body is worth reading.
pub fn of_transport(reply: &Reply, account: &Account) -> Option<Verdict> {
    let text = || excerpt(&String::from_utf8_lossy(&reply.body), account);
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
                "check {} (the vendor's is https://open.jackyun.com/open/openapi/do) and whether a proxy stands between",
                account.url_place
            ))));
        }
        _ => {
            let error = Error::protocol(format!("the server answered HTTP status {status}{}", text()));
            return Some(Verdict::Refused(error.hint(format!("check {}", account.url_place))));
        }
    }
    let first = reply.body.iter().find(|b| !b.is_ascii_whitespace());
    if first == Some(&b'<') || (reply.content_type.contains("html") && first != Some(&b'{')) {
        let error = Error::protocol(format!("a web page came instead of an answer{}", text()));
        return Some(Verdict::Doubtful(
            error.hint(format!(
                "a proxy or a login page stands between, or {} names another service",
                account.url_place
            )),
        ));
    }
    None
}

/// Judges an envelope that says it failed. `skew` is the vendor's clock minus ours, in seconds, where known.
pub fn of_envelope(envelope: &Envelope, skew: Option<i64>, account: &Account) -> Verdict {
    let sub = envelope.sub_code.as_str();
    let said = describe(envelope, account);
    let lower = envelope.msg.to_lowercase();
    if sub == "0859999999" || lower.contains("short-circuited") || lower.contains("fallback failed") {
        return Verdict::Busy { wait: Duration::ZERO, why: said };
    }
    let denied = |what: &str, cure: String| Verdict::Refused(Error::denied(format!("{what}: {said}")).hint(cure));
    match sub {
        "0858030801" => {
            let what = format!("Jackyun refuses the signature{}", clock_note(skew));
            denied(&what, format!("check {} (it belongs to this app key)", account.secret_place))
        }
        "0858030802" => denied("Jackyun does not know the app key", format!("check {}", account.key_place)),
        "0858030803" => {
            let what = format!("Jackyun refuses the token{}", clock_note(skew));
            denied(&what, "check source.access_token; a self-built application needs none".into())
        }
        "0130020310" => denied(
            &format!("the application does not exist or may not call {}", account.method),
            "subscribe the method for this application at the vendor's open platform".into(),
        ),
        "0050030002" | "0040139996" => {
            Verdict::Refused(Error::config(format!("Jackyun refuses the parameters: {said}")).hint(
                "compare source.params with the vendor's documentation: fields, names, values, ranges of at most 7 days",
            ))
        }
        "0130000609" => quota(&said),
        _ if envelope.msg.contains("额度不足") => quota(&said),
        _ if is_about_time(&lower) => denied(
            &format!("Jackyun refuses the time stamp{}", clock_note(skew)),
            "set this machine's clock (NTP); the time zone does not matter".into(),
        ),
        "0130020001" => {
            let error = Error::protocol(format!("Jackyun fails without a reason: {said}"));
            Verdict::Doubtful(error.hint("run the same command later; if it stays so, ask the vendor's support"))
        }
        _ => {
            let error = Error::protocol(format!("Jackyun answered a failure that dukou does not know: {said}"));
            Verdict::Refused(error.hint("ask the vendor's support, with the sub-code and the contextId of this message"))
        }
    }
}

/// The vendor's clock minus ours, in seconds, if it is worth naming.
pub fn skew(reply: &Reply) -> Option<i64> {
    let seconds = (reply.date? - reply.received_at).num_seconds();
    (seconds.abs() >= SKEW_SECONDS).then_some(seconds)
}

/// The body as text, without a copy.
pub fn utf8(body: Vec<u8>) -> Result<String> {
    String::from_utf8(body).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::protocol(format!("the answer is not UTF-8 at byte {at}"))
            .hint("asked three times with the same result; show the vendor this page of the window")
    })
}

fn quota(said: &str) -> Verdict {
    let error = Error::denied(format!("the call quota is used up, or the application is not opened: {said}"));
    Verdict::Refused(
        error.hint("pause: further calls fail for about two hours; ask the vendor for calls, then run again"),
    )
}

fn is_about_time(message: &str) -> bool {
    ["时间戳", "timestamp", "time stamp", "过期", "expired"].iter().any(|word| message.contains(word))
}

fn clock_note(skew: Option<i64>) -> String {
    match skew {
        Some(s) if s > 0 => format!(" (this machine's clock is {s} s behind the vendor's)"),
        Some(s) => format!(" (this machine's clock is {} s ahead of the vendor's)", -s),
        None => String::new(),
    }
}

fn describe(envelope: &Envelope, account: &Account) -> String {
    let message: String = account.scrub(&envelope.msg).chars().take(MESSAGE_CHARS).collect();
    let mut said = format!("{:?} (code {}, subCode {:?}", message, envelope.code, envelope.sub_code);
    if !envelope.context_id.is_empty() {
        said.push_str(", contextId ");
        said.push_str(&envelope.context_id);
    }
    said.push(')');
    said
}

/// `: "…"` with the first characters of a foreign text, tags, styles and scripts left out; nothing for an empty text.
fn excerpt(text: &str, account: &Account) -> String {
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
    let words: String = account.scrub(&words).chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect();
    if words.is_empty() { words } else { format!(": {words:?}") }
}
