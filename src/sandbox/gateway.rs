//! What the gateways of the shop systems have in common: forms, business parameters of loose types, Beijing time, rates.
//!
//! Takes bytes and JSON as clients send them, gives text and numbers; counts calls. Never knows a vendor's names or codes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::{NaiveDateTime, TimeDelta};
use serde_json::{Map, Value};

/// Beijing is eight hours ahead of UTC, without daylight saving.
pub const BEIJING: TimeDelta = TimeDelta::hours(8);

/// Parameters by name, decoded.
pub type Form = Vec<(String, String)>;

/// The parameters of several encoded forms; where a name comes twice, the first counts.
pub fn form(parts: &[&[u8]]) -> Form {
    let mut found = Form::new();
    for (name, value) in parts.iter().copied().flat_map(url::form_urlencoded::parse) {
        if !found.iter().any(|(known, _)| *known == name) {
            found.push((name.into_owned(), value.into_owned()));
        }
    }
    found
}

/// A parameter of a form; "" if it is not there.
pub fn field<'a>(form: &'a Form, name: &str) -> &'a str {
    form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
}

/// A business parameter as text; absent, null and anything structured are "".
pub fn text(biz: &Map<String, Value>, name: &str) -> String {
    biz.get(name).map(item).unwrap_or_default()
}

/// A number or a text as text; anything else is "".
pub fn item(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// A business parameter as a number, be it written as one or as text. The error is a message as the vendors write them.
pub fn number(biz: &Map<String, Value>, name: &str, default: usize) -> Result<usize, String> {
    match text(biz, name) {
        empty if empty.is_empty() => Ok(default),
        digits => digits.parse().map_err(|_| format!("{name}必须为非负整数")),
    }
}

/// A wall clock time, `2024-06-05 11:26:00`, as seconds since 1970 on that clock.
pub fn seconds(text: &str) -> Option<i64> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().map(|time| time.and_utc().timestamp())
}

/// At most so many calls within any stretch of time of a length.
#[derive(Debug)]
pub struct Rate {
    most: usize,
    within: Duration,
    /// When the last calls came, oldest first.
    taken: VecDeque<Instant>,
}

impl Rate {
    /// The stretch is 5 % shorter than it says: a client that keeps to the rate exactly must not be refused for the
    /// network's jitter.
    pub fn new(most: usize, within: Duration) -> Self {
        Rate { most, within: within.mul_f64(0.95), taken: VecDeque::new() }
    }

    /// A positive number of calls per second, which may be a fraction.
    pub fn per_second(calls: f64) -> Self {
        let most = calls.floor().max(1.0);
        Rate::new(most as usize, Duration::try_from_secs_f64(most / calls).unwrap_or(Duration::MAX))
    }

    /// Whether a call may come now.
    pub fn allows(&mut self, now: Instant) -> bool {
        while self.taken.front().is_some_and(|at| now.saturating_duration_since(*at) >= self.within) {
            self.taken.pop_front();
        }
        self.taken.len() < self.most
    }

    /// A call comes now.
    pub fn take(&mut self, now: Instant) {
        self.taken.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_holds_for_any_stretch_of_time() {
        let began = Instant::now();
        let calls = |mut rate: Rate, at: &[u64]| -> Vec<bool> {
            let mut take = |ms: &u64| {
                let now = began + Duration::from_millis(*ms);
                let allowed = rate.allows(now);
                if allowed {
                    rate.take(now);
                }
                allowed
            };
            at.iter().map(&mut take).collect()
        };
        let five = Rate::new(5, Duration::from_secs(1));
        let [yes, no] = [true, false];
        assert_eq!(
            calls(five, &[0, 0, 900, 900, 900, 940, 950, 951, 960]),
            [yes, yes, yes, yes, yes, no, yes, yes, no]
        );
        assert_eq!(calls(Rate::per_second(1.0), &[0, 940, 960, 1_960]), [yes, no, yes, yes]);
        assert_eq!(calls(Rate::per_second(0.1), &[0, 9_000, 9_500]), [yes, no, yes]);
        assert_eq!(calls(Rate::per_second(1.5), &[0, 600, 640]), [yes, no, yes]);
    }

    #[test]
    fn forms_and_parameters_are_read_as_clients_write_them() {
        let read = form(&[b"a=1%2B1&b=&a=2", b"b=x&c=%E5%8F%B7+1"]);
        assert_eq!(
            [field(&read, "a"), field(&read, "b"), field(&read, "c"), field(&read, "d")],
            ["1+1", "", "号 1", ""]
        );
        let Value::Object(biz) = serde_json::json!({"n": 3, "t": " 4 ", "empty": "", "list": [1]}) else {
            unreachable!()
        };
        let numbers = ["n", "t", "empty", "list", "none"].map(|name| number(&biz, name, 9).unwrap());
        assert_eq!(numbers, [3, 4, 9, 9, 9]);
        assert_eq!((seconds("1970-01-01 00:00:07"), seconds("1970-01-01"), seconds("号")), (Some(7), None, None));
    }
}
