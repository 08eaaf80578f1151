//! Faults on purpose: what can go wrong, when it shall, and how an answer is spoilt.
//!
//! Takes the number of a call, gives the fault due at it; spoils bytes. Deterministic: no dice, no clock.
//! Never knows a vendor: it finds the first record of a page by the place the gateway names.

use std::str::FromStr;
use std::time::Duration;

/// What goes wrong. The first group happens before the vendor has looked at the request; the second when it has acted;
/// the third spoils a page that carries records, and waits for such a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// The vendor's own "too fast" answer.
    Throttle,
    /// HTTP 429 with `Retry-After` in whole seconds.
    TooManyRequests { retry_after_seconds: u64 },
    /// HTTP 502 with an HTML body.
    BadGateway,
    /// HTTP 200 with the HTML of a proxy's login page.
    ProxyHtml,
    /// HTTP 200 with no body.
    EmptyBody,
    /// The connection is reset before a byte is answered.
    Reset,
    /// The right answer, late: the vendor acts after the wait.
    Slow { delay: Duration },
    /// The vendor does something of its own; it knows the word, the server does not.
    Own(String),
    /// The vendor acts, then the connection is reset instead of answering.
    LostReply,
    /// The vendor acts, then HTTP 500 with an HTML body.
    CommitThen500,
    /// The vendor acts at once, the right answer comes late.
    LateReply { delay: Duration },
    /// Fewer bytes than `Content-Length` says, then the connection is closed.
    CutOff,
    /// The JSON ends in the middle; the length is right.
    Truncated,
    /// The page answered before this one, again.
    RepeatedPage,
    /// A byte that is no UTF-8 inside a string.
    InvalidUtf8,
    /// The first record has its first key twice.
    DuplicateKey,
    /// The page grows to this many bytes by blanks before its end, sent piece by piece without `Content-Length`.
    Oversize { bytes: u64 },
    /// Pages never end: after the last record comes the first again, and a cursor always leads on.
    Endless,
}

/// Which calls a fault meets; calls are counted from 1 from the moment the faults are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    Always,
    /// Calls n, 2n, 3n …
    Every(u64),
    /// These calls.
    Calls(Vec<u64>),
}

impl When {
    fn meets(&self, call: u64) -> bool {
        match self {
            When::Always => true,
            When::Every(n) => *n > 0 && call.is_multiple_of(*n),
            When::Calls(calls) => calls.contains(&call),
        }
    }
}

/// The vendor of a fault that names none.
const FIRST_VENDOR: &str = "jackyun";
/// The vendors a fault can name.
const VENDORS: [&str; 3] = [FIRST_VENDOR, "jushuitan", "kingdee"];

/// A fault, whom it meets, when it is due, and how many times it happens at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub vendor: String,
    /// Only calls for this operation of the vendor count and can be met; none: those it names by itself
    /// (`Vendor::counts`).
    pub operation: Option<String>,
    pub kind: FaultKind,
    pub when: When,
    pub times: Option<u32>,
}

impl Fault {
    /// A fault of Jackyun's.
    pub fn new(kind: FaultKind, when: When) -> Self {
        Fault { vendor: FIRST_VENDOR.to_owned(), operation: None, kind, when, times: None }
    }

    pub fn times(self, times: u32) -> Self {
        Fault { times: Some(times), ..self }
    }
}

/// The forms a fault is written in on a command line.
pub const SYNTAX: &str = "[VENDOR:][OPERATION/]NAME@WHEN, where VENDOR is jackyun (if none is named), jushuitan or \
                          kingdee, OPERATION the only kind of call that is counted and met (kingdee:query/http-502@1), \
                          WHEN is always, every:N or call numbers such as 3+7, and xTIMES may follow \
                          (throttle@every:5x3); names: throttle, http-429, http-429=SECONDS, http-502, proxy-html, \
                          empty-body, reset, slow=MILLISECONDS, own=WORD, lost-reply, \
                          commit-then-500, late-reply=MILLISECONDS, cut-off, truncated, repeated-page, invalid-utf8, \
                          duplicate-key, oversize=BYTES, endless";

impl FromStr for Fault {
    type Err = String;

    /// Reads [`SYNTAX`].
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no fault; expected {SYNTAX}");
        let (what, when) = text.split_once('@').ok_or_else(wrong)?;
        let (head, argument) = what.split_once('=').unwrap_or((what, ""));
        let (vendor, head) = head.split_once(':').unwrap_or((FIRST_VENDOR, head));
        if !VENDORS.contains(&vendor) {
            return Err(wrong());
        }
        let (operation, name) = head.split_once('/').map_or((None, head), |(aim, name)| (Some(aim.to_owned()), name));
        let number = || argument.parse::<u64>().map_err(|_| wrong());
        let kind = match (name, argument) {
            ("throttle", "") => FaultKind::Throttle,
            ("http-429", "") => FaultKind::TooManyRequests { retry_after_seconds: 1 },
            ("http-429", _) => FaultKind::TooManyRequests { retry_after_seconds: number()? },
            ("http-502", "") => FaultKind::BadGateway,
            ("proxy-html", "") => FaultKind::ProxyHtml,
            ("empty-body", "") => FaultKind::EmptyBody,
            ("reset", "") => FaultKind::Reset,
            ("slow", _) => FaultKind::Slow { delay: Duration::from_millis(number()?) },
            ("own", word) if !word.is_empty() => FaultKind::Own(word.to_owned()),
            ("lost-reply", "") => FaultKind::LostReply,
            ("commit-then-500", "") => FaultKind::CommitThen500,
            ("late-reply", _) => FaultKind::LateReply { delay: Duration::from_millis(number()?) },
            ("cut-off", "") => FaultKind::CutOff,
            ("truncated", "") => FaultKind::Truncated,
            ("repeated-page", "") => FaultKind::RepeatedPage,
            ("invalid-utf8", "") => FaultKind::InvalidUtf8,
            ("duplicate-key", "") => FaultKind::DuplicateKey,
            ("oversize", _) => FaultKind::Oversize { bytes: number()? },
            ("endless", "") => FaultKind::Endless,
            _ => return Err(wrong()),
        };
        let (when, times) = match when.split_once('x') {
            Some((when, times)) => (when, Some(times.parse().map_err(|_| wrong())?)),
            None => (when, None),
        };
        let when = match when.strip_prefix("every:") {
            _ if when == "always" => When::Always,
            Some(n) => When::Every(n.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?),
            None => {
                When::Calls(when.split('+').map(|n| n.parse().map_err(|_| wrong())).collect::<Result<_, String>>()?)
            }
        };
        Ok(Fault { vendor: vendor.to_owned(), operation, kind, when, times })
    }
}

/// The faults of one vendor in force, and what is left of them.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<Fault>,
    /// Calls each fault of the list has counted.
    seen: Vec<u64>,
}

impl Faults {
    pub fn new(list: Vec<Fault>) -> Self {
        Faults { seen: vec![0; list.len()], list }
    }

    /// Counts a call and names the fault due at it: the first of the list. `counted` says whether faults that name no
    /// operation count it. A fault is spent by [`Faults::spend`] only when it has happened, so a fault of a page waits
    /// until there is one.
    pub fn due(&mut self, operation: &str, counted: bool) -> Option<(usize, FaultKind)> {
        let mut due = None;
        for (at, (fault, seen)) in self.list.iter().zip(&mut self.seen).enumerate() {
            if !fault.operation.as_ref().map_or(counted, |wanted| wanted == operation) {
                continue;
            }
            *seen += 1;
            if due.is_none() && fault.times != Some(0) && fault.when.meets(*seen) {
                due = Some((at, fault.kind.clone()));
            }
        }
        due
    }

    /// The fault has happened once.
    pub fn spend(&mut self, at: usize) {
        if let Some(times) = self.list.get_mut(at).and_then(|fault| fault.times.as_mut()) {
            *times = times.saturating_sub(1);
        }
    }
}

/// The first two thirds of a body.
pub fn truncate(body: &[u8]) -> &[u8] {
    &body[..body.len() * 2 / 3]
}

/// Makes one byte of the first record invalid; `record` is where it begins.
pub fn break_utf8(body: &[u8], record: usize) -> Vec<u8> {
    let mut spoilt = body.to_vec();
    let wide = body[record..].iter().position(|byte| *byte >= 0x80);
    let in_text = body[record..].windows(2).position(|pair| pair == b":\"").map(|at| at + 2);
    if let Some(at) = wide.or(in_text)
        && let Some(byte) = spoilt.get_mut(record + at)
    {
        *byte = 0xFF;
    }
    spoilt
}

/// Puts the first key of the record beginning at `record` there twice, first with null.
pub fn double_key(body: &[u8], record: usize) -> Vec<u8> {
    let inside = record + 1;
    let Some(colon) = body[inside..].iter().position(|byte| *byte == b':') else { return body.to_vec() };
    let key = &body[inside..inside + colon];
    [&body[..inside], key, b":null,", &body[inside..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_due_at_their_calls_and_spent_when_they_happen() {
        let mut faults = Faults::new(vec![
            "truncated@2+5".parse().unwrap(),
            "throttle@every:2x1".parse().unwrap(),
            "http-502@7".parse().unwrap(),
        ]);
        let mut seen = Vec::new();
        for _ in 0..7 {
            let due = faults.due("", true);
            if let Some((at, FaultKind::Throttle)) = due {
                faults.spend(at);
            }
            seen.push(due.map(|(_, kind)| kind));
        }
        let [truncated, throttle, gateway] =
            [FaultKind::Truncated, FaultKind::Throttle, FaultKind::BadGateway].map(Some);
        assert_eq!(seen, [None, truncated.clone(), None, throttle, truncated, None, gateway]);
    }

    #[test]
    fn a_fault_counts_only_the_calls_it_is_aimed_at() {
        let mut faults = Faults::new(vec!["query/reset@2".parse().unwrap(), "lost-reply@every:2".parse().unwrap()]);
        let calls = [("login", false), ("save", true), ("query", false), ("save", true), ("query", false)];
        let met: Vec<Option<FaultKind>> =
            calls.iter().map(|(operation, counted)| faults.due(operation, *counted).map(|(_, kind)| kind)).collect();
        assert_eq!(met, [None, None, None, Some(FaultKind::LostReply), Some(FaultKind::Reset)]);
    }

    #[test]
    fn the_written_form_is_read_and_nonsense_is_refused() {
        let slow: Fault = "slow=250@every:3x2".parse().unwrap();
        assert_eq!(slow, Fault::new(FaultKind::Slow { delay: Duration::from_millis(250) }, When::Every(3)).times(2));
        let aimed: Fault = "kingdee:query/own=silent:drop@3".parse().unwrap();
        assert_eq!((aimed.vendor.as_str(), aimed.operation.as_deref()), ("kingdee", Some("query")));
        assert_eq!(aimed.kind, FaultKind::Own("silent:drop".to_owned()));
        for wrong in [
            "",
            "slow@1",
            "own@1",
            "nobody:reset@1",
            "throttle",
            "throttle=1@1",
            "throttle@every:0",
            "throttle@1xx",
            "nonsense@1",
        ] {
            assert!(wrong.parse::<Fault>().unwrap_err().contains("duplicate-key"), "{wrong}");
        }
    }

    #[test]
    fn spoilt_bytes_are_spoilt_where_they_should_be() {
        let body = r#"{"msg":"好","trades":[{"a":"客","b":1}]}"#.as_bytes();
        let record = body.windows(2).position(|pair| pair == b"[{").unwrap() + 1;
        let broken = break_utf8(body, record);
        assert!(std::str::from_utf8(&broken).is_err() && std::str::from_utf8(&broken[..record + 5]).is_ok());
        let doubled = String::from_utf8(double_key(body, record)).unwrap();
        assert_eq!(doubled, r#"{"msg":"好","trades":[{"a":null,"a":"客","b":1}]}"#);
        assert!(serde_json::from_slice::<serde_json::Value>(truncate(body)).is_err());
    }
}
