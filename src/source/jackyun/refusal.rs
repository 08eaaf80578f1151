//! What a Jackyun answer means that is not a page: whose fault it is, whether to ask again, and the cure.
//!
//! Takes code, sub-code and message of an envelope, gives a [`Verdict`]. Pure. Sub-codes as three clients and the
//! vendor's examples have them; those without a recorded meaning end the pull.

use super::Account;
use super::envelope::Envelope;
use crate::base::Error;
use crate::source::answer::{Verdict, clock_note};
use std::time::Duration;

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

fn quota(said: &str) -> Verdict {
    let error = Error::denied(format!("the call quota is used up, or the application is not opened: {said}"));
    Verdict::Refused(
        error.hint("pause: further calls fail for about two hours; ask the vendor for calls, then run again"),
    )
}

fn is_about_time(message: &str) -> bool {
    ["时间戳", "timestamp", "time stamp", "过期", "expired"].iter().any(|word| message.contains(word))
}

fn describe(envelope: &Envelope, account: &Account) -> String {
    let message = account.heard(|peer| peer.message(&envelope.msg));
    let mut said = format!("{:?} (code {}, subCode {:?}", message, envelope.code, envelope.sub_code);
    if !envelope.context_id.is_empty() {
        said.push_str(", contextId ");
        said.push_str(&envelope.context_id);
    }
    said.push(')');
    said
}
