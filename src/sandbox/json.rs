//! A pen that writes JSON text straight into a byte buffer, with the oddities vendors are known for.
//!
//! Takes values and dice, gives valid JSON; never builds a tree, and never formats a decimal through a float.

use std::io::Write as _;

use super::IdStyle;
use super::data::Dice;

/// Salts of the pen's own decisions, added to the field's salt so that value and form fall independently.
const MISSING: u32 = 0x4000_0000;
const FORM: u32 = 0x2000_0000;

/// Writes one JSON text.
#[derive(Debug)]
pub struct Pen {
    /// The text so far.
    pub buf: Vec<u8>,
    /// Distinguishes the dice of one field from those of another.
    pub salt: u32,
    ids: IdStyle,
    absent: bool,
}

impl Pen {
    pub fn new(ids: IdStyle, capacity: usize) -> Self {
        Pen { buf: Vec::with_capacity(capacity), salt: 0, ids, absent: false }
    }

    /// Text that is JSON already.
    pub fn raw(&mut self, json: &str) {
        self.buf.extend_from_slice(json.as_bytes());
    }

    /// One member of the object being written: the key, and what `value` writes; nothing at all if it said
    /// [`Pen::absent`].
    pub fn member(&mut self, name: &str, salt: u32, value: impl FnOnce(&mut Pen)) {
        let mark = self.buf.len();
        self.comma();
        self.buf.push(b'"');
        self.raw(name);
        self.raw("\":");
        let outer = std::mem::replace(&mut self.salt, salt);
        value(self);
        self.salt = outer;
        if std::mem::take(&mut self.absent) {
            self.buf.truncate(mark);
        }
    }

    /// A comma, unless an object or an array has just begun.
    pub fn comma(&mut self) {
        if !matches!(self.buf.last(), Some(b'{' | b'[') | None) {
            self.buf.push(b',');
        }
    }

    /// The member being written shall not be there at all.
    pub fn absent(&mut self) {
        self.absent = true;
    }

    pub fn null(&mut self) {
        self.raw("null");
    }

    /// A string.
    pub fn text(&mut self, text: &str) {
        self.buf.push(b'"');
        escape(&mut self.buf, text.as_bytes());
        self.buf.push(b'"');
    }

    /// A string made of parts without quotes, backslashes or control characters.
    pub fn plain(&mut self, parts: std::fmt::Arguments<'_>) {
        self.buf.push(b'"');
        self.format(parts);
        self.buf.push(b'"');
    }

    pub fn int(&mut self, number: i64) {
        self.format(format_args!("{number}"));
    }

    fn format(&mut self, parts: std::fmt::Arguments<'_>) {
        // A Vec takes everything, so this write has no way to fail.
        let _ = self.buf.write_fmt(parts);
    }

    /// In `percent` of cases the value is missing: `""`, null or absent. True if it is.
    pub fn missing(&mut self, dice: Dice, percent: u64) -> bool {
        let roll = dice.below(self.salt | MISSING, 10_000);
        if roll >= percent * 100 {
            return false;
        }
        match roll % 20 {
            0..=11 => self.raw("\"\""),
            12..=16 => self.null(),
            _ => self.absent(),
        }
        true
    }

    /// A string that is missing in `percent` of cases.
    pub fn maybe(&mut self, dice: Dice, percent: u64, text: &str) {
        if !self.missing(dice, percent) {
            self.text(text);
        }
    }

    /// A decimal given in hundredths, as a number or as a string, with or without trailing zeros.
    pub fn decimal(&mut self, dice: Dice, hundredths: i64) {
        let form = dice.below(self.salt | FORM, 10);
        let quoted = form >= 7;
        let sign = if hundredths < 0 { "-" } else { "" };
        let (whole, part) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
        if quoted {
            self.buf.push(b'"');
        }
        if matches!(form, 5..=8) {
            self.format(format_args!("{sign}{whole}.{part:02}"));
        } else if part == 0 {
            self.format(format_args!("{sign}{whole}"));
        } else if part % 10 == 0 {
            self.format(format_args!("{sign}{whole}.{}", part / 10));
        } else {
            self.format(format_args!("{sign}{whole}.{part:02}"));
        }
        if quoted {
            self.buf.push(b'"');
        }
    }

    /// A decimal that is missing in `percent` of cases.
    pub fn maybe_decimal(&mut self, dice: Dice, percent: u64, hundredths: i64) {
        if !self.missing(dice, percent) {
            self.decimal(dice, hundredths);
        }
    }

    /// A 19-digit id, as text or as a bare number.
    pub fn id(&mut self, dice: Dice, id: u64) {
        let bare = match self.ids {
            IdStyle::Text => false,
            IdStyle::Bare => true,
            IdStyle::Mixed => dice.chance(self.salt | FORM, 50),
        };
        if bare { self.format(format_args!("{id}")) } else { self.plain(format_args!("{id}")) }
    }

    /// A wall clock time, `"2024-06-05 11:26:00"`, from seconds since 1970 on that clock.
    pub fn time(&mut self, seconds: i64) {
        self.buf.push(b'"');
        write_time(&mut self.buf, seconds);
        self.buf.push(b'"');
    }

    /// A time that is missing in `percent` of cases.
    pub fn maybe_time(&mut self, dice: Dice, percent: u64, seconds: i64) {
        if !self.missing(dice, percent) {
            self.time(seconds);
        }
    }
}

/// The inside of a JSON string; UTF-8 stays as it is.
pub fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut done = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[done..at]);
        done = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            // A Vec takes everything, so this write has no way to fail.
            _ => drop(write!(out, "\\u{byte:04x}")),
        }
    }
    out.extend_from_slice(&text[done..]);
}

/// `2024-06-05 11:26:00` from seconds since 1970-01-01 on the same clock (years 0 to 9999).
pub fn write_time(out: &mut Vec<u8>, seconds: i64) {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let two = |n: i64| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
    out.extend_from_slice(&two(year / 100));
    out.extend_from_slice(&two(year % 100));
    for (mark, n) in [(b'-', month), (b'-', day), (b' ', second / 3600), (b':', second / 60 % 60), (b':', second % 60)]
    {
        out.push(mark);
        out.extend_from_slice(&two(n));
    }
}

/// Year, month and day of a day number since 1970-01-01 (the usual era-of-400-years calculation).
pub fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn times_are_those_of_the_calendar() {
        for seconds in [0, 951_782_399, 951_782_400, 1_709_164_800, 1_717_586_760, 1_735_689_599, 4_107_542_400] {
            let mut out = Vec::new();
            write_time(&mut out, seconds);
            let expected = DateTime::from_timestamp(seconds, 0).unwrap().format("%Y-%m-%d %H:%M:%S").to_string();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn strings_survive_and_absent_members_leave_nothing() {
        let nasty = "a\"b\\c\nd\re\tf\u{1}g𠮷🚚";
        let mut pen = Pen::new(IdStyle::Text, 64);
        pen.raw("{");
        pen.member("gone", 1, |p| p.absent());
        pen.member("text", 2, |p| p.text(nasty));
        pen.member("gone too", 3, |p| p.absent());
        pen.member("id", 4, |p| p.id(Dice::new(1, 1), 1_739_147_735_874_964_736));
        pen.raw("}");
        let read: serde_json::Value = serde_json::from_slice(&pen.buf).unwrap();
        assert_eq!(read, serde_json::json!({"text": nasty, "id": "1739147735874964736"}));
    }

    #[test]
    fn decimals_take_every_form_and_keep_their_value() {
        let mut forms = std::collections::BTreeSet::new();
        for index in 0..200 {
            let mut pen = Pen::new(IdStyle::Text, 16);
            pen.decimal(Dice::new(1, index), -1230);
            forms.insert(String::from_utf8(pen.buf).unwrap());
        }
        let seen: Vec<&str> = forms.iter().map(String::as_str).collect();
        assert_eq!(seen, ["\"-12.3\"", "\"-12.30\"", "-12.3", "-12.30"]);
    }
}
