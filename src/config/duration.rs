//! Lengths of time as people write them: `1d`, `6h`, `5m`, `30s`, `200ms`.
//!
//! Takes text, gives a [`Duration`]; a number without unit is refused, because nobody knows what it counts.

use std::time::Duration;

/// What a well-written length of time looks like, for messages.
pub const FORM: &str = "\"1d\", \"6h\", \"5m\", \"30s\" or \"200ms\"";

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("ms", 1), ("m", 60_000), ("s", 1_000)];

/// One whole number and one unit; `None` for anything else, and for more than 100,000 days.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let (_, millis) = UNITS.iter().find(|(unit, _)| *unit == text[digits..].trim_start())?;
    let total = number.checked_mul(*millis)?;
    (total <= 100_000 * 86_400_000).then(|| Duration::from_millis(total))
}

/// The shortest exact spelling: `7d`, `90s`, `1500ms`.
pub fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    let fits = |unit: u64| millis.is_multiple_of(u128::from(unit)) && millis > 0;
    let biggest =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)].into_iter().find(|(_, u)| fits(*u));
    match biggest {
        Some((unit, size)) => format!("{}{unit}", millis / u128::from(size)),
        None if millis == 0 => "0s".to_owned(),
        None => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let table = [
            ("1d", Some(86_400_000)),
            ("6h", Some(21_600_000)),
            ("5m", Some(300_000)),
            (" 30 s ", Some(30_000)),
            ("200ms", Some(200)),
            ("0s", Some(0)),
            ("30", None),
            ("s", None),
            ("", None),
            ("-5m", None),
            ("1.5h", None),
            ("1d6h", None),
            ("5 min", None),
            ("1D", None),
            ("99999999999999999999d", None),
            ("213503982335d", None),
            ("五分", None),
        ];
        for (text, millis) in table {
            assert_eq!(parse(text), millis.map(Duration::from_millis), "{text}");
        }
        for text in ["7d", "36h", "90s", "1500ms", "5m", "0s"] {
            assert_eq!(parse(text).map(show).as_deref(), Some(text));
        }
    }
}
