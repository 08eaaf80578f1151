//! What a Jushuitan answer means that is not a page: whose fault it is, whether to ask again, and the cure.
//!
//! Takes code and message of an envelope, gives a [`Refusal`]. Pure. Codes as the newer table of the vendor has them, and
//! the older one where it says something else under the same number: then the message decides. A code without recorded
//! meaning ends the pull.

use super::Account;
use super::envelope::Envelope;
use crate::base::Error;
use crate::source::answer::{Verdict, clock_note};
use std::time::Duration;

/// What to do about an answer whose code is not 0. The error is the one that stands if the cure does not help.
#[derive(Debug)]
pub enum Refusal {
    Plain(Verdict),
    /// A new token may help, once.
    Token(Error),
    /// The vendor's own time in the request may help, once.
    Clock(Error),
}

/// The second, and a little more, until calls are counted anew.
const SECOND: Duration = Duration::from_millis(1_100);
const MINUTE: Duration = Duration::from_secs(60);

/// Judges an envelope that says it failed. `skew` is the vendor's clock minus ours, in seconds, where known.
pub fn of_envelope(envelope: &Envelope, skew: Option<i64>, account: &Account) -> Refusal {
    let (msg, said) = (envelope.msg.as_str(), said(envelope, account));
    let denied = |what: &str, cure: String| plain(Error::denied(format!("{what}: {said}")).hint(cure));
    let busy = |wait| Refusal::Plain(Verdict::Busy { wait, why: said.clone() });
    match envelope.code {
        10 | 120 => denied(
            "Jushuitan refuses the signature",
            format!("check {} and {}: they belong together", account.key_place, account.secret_place),
        ),
        100 => Refusal::Token(Error::denied(format!("Jushuitan refuses the access token: {said}"))),
        110 => {
            let cure = match address(msg) {
                Some(address) => format!("add {address} to the white list of the application at the vendor's open platform"),
                None => "add this machine's public address to the white list of the application at the vendor's open platform"
                    .to_string(),
            };
            denied("Jushuitan does not answer this machine's address", cure)
        }
        180 => clock(&said, skew),
        140 if is_about_time(msg) => clock(&said, skew),
        // The older table's "internal error"; its newer meaning comes only when a token is refreshed.
        150 if !msg.contains("access_token") => doubtful(&said),
        190 => denied(
            &format!("the application may not call {}", account.method),
            "apply for this method's permission (API权限) at the vendor's open platform".into(),
        ),
        199 => busy(SECOND),
        200 if is_about_rate(msg) => busy(MINUTE),
        // 200 with other words is a validation of the business; so are the numbers that one table or one client has.
        130 | 140 | 170 | 200 | 10015 | -4 => {
            plain(Error::config(format!("Jushuitan refuses the parameters: {said}")).hint(
                "compare source.params with the vendor's documentation: names, values, windows of at most 7 days",
            ))
        }
        _ if is_about_rate(msg) => busy(SECOND),
        _ => plain(
            Error::protocol(format!("Jushuitan answered a failure that dukou does not know: {said}"))
                .hint("ask the vendor's support, with the code of this message"),
        ),
    }
}

/// The vendor's words with their numbers, fit to be shown.
pub fn said(envelope: &Envelope, account: &Account) -> String {
    let message = account.heard(|peer| peer.message(&envelope.msg));
    let mut said = format!("{message:?} (code {}", envelope.code);
    if !envelope.request_id.is_empty() {
        said.push_str(", request_id ");
        said.push_str(&account.heard(|peer| peer.message(&envelope.request_id)));
    }
    said.push(')');
    said
}

fn plain(error: Error) -> Refusal {
    Refusal::Plain(Verdict::Refused(error))
}

fn doubtful(said: &str) -> Refusal {
    let error = Error::protocol(format!("Jushuitan fails without a reason: {said}"));
    Refusal::Plain(Verdict::Doubtful(
        error.hint("run the same command later; if it stays so, ask the vendor's support"),
    ))
}

fn clock(said: &str, skew: Option<i64>) -> Refusal {
    Refusal::Clock(
        Error::denied(format!("Jushuitan refuses the time stamp{}: {said}", clock_note(skew)))
            .hint("set this machine's clock (NTP); the time zone does not matter"),
    )
}

fn is_about_time(message: &str) -> bool {
    let lower = message.to_lowercase();
    lower.trim().is_empty() || ["timestamp", "time stamp", "时间"].iter().any(|word| lower.contains(word))
}

fn is_about_rate(message: &str) -> bool {
    let lower = message.to_lowercase();
    ["频次", "频率", "频繁", "限流", "稍后再试", "too many", "too frequent", "rate limit"]
        .iter()
        .any(|word| lower.contains(word))
}

/// The address a message names: `…该IP不在白名单列表：1.2.3.4，…`
fn address(message: &str) -> Option<&str> {
    let words = message.split(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'));
    words
        .map(|word| word.trim_matches(['.', ':']))
        .filter(|word| word.contains(['.', ':']))
        .find(|word| word.parse::<std::net::IpAddr>().is_ok())
}
