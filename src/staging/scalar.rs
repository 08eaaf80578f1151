//! The rules by which one JSON scalar fits a declared type. Pure.
//!
//! Takes the digits or the decoded text as the vendor wrote it, gives the exact value, a null, or "does not fit". Nothing is
//! rounded, cut or shifted to make it fit, and no number passes through a float.

use chrono::NaiveDate;

/// Whether a text fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit<T> {
    Value(T),
    /// The vendor's way to say "nothing": `""`, `0001-01-01…`, `0000-00-00…`.
    Null,
    Misfit,
}

impl<T> Fit<T> {
    fn of(value: Option<T>) -> Self {
        value.map_or(Self::Misfit, Self::Value)
    }
}

const MICROS: i64 = 1_000_000;
/// Vendor wall clock minus UTC.
const SHANGHAI: i64 = 8 * 3600 * MICROS;

/// A number as JSON or a text writes it: `12`, `-12.30`, `1.2E3`. The result is unscaled, with `scale` digits after the point.
/// More fraction digits than that do not fit unless they are zeros.
pub fn decimal(text: &str, precision: u8, scale: u8) -> Fit<i128> {
    let text = text.trim();
    if text.is_empty() {
        return Fit::Null;
    }
    Fit::of(exact(text.as_bytes(), scale).filter(|v| v.unsigned_abs() < 10u128.pow(u32::from(precision))))
}

/// A whole number: `12`, and exactly as well `12.00` or `1.2E3`.
pub fn integer(text: &str) -> Fit<i64> {
    let text = text.trim();
    if text.is_empty() {
        return Fit::Null;
    }
    match text.parse() {
        Ok(value) => Fit::Value(value),
        Err(_) => Fit::of(exact(text.as_bytes(), 0).and_then(|v| i64::try_from(v).ok())),
    }
}

/// Unscaled value of a number with exactly `scale` digits after the point, if that is exact.
fn exact(text: &[u8], scale: u8) -> Option<i128> {
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let mut mantissa: i128 = 0;
    // Power of ten of the mantissa's last digit; zeros wait until a digit follows, so trailing ones cost no range.
    let (mut exponent, mut zeros, mut seen) = (0i32, 0u32, 0u32);
    let mut after_point = false;
    let mut rest = digits.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'0'..=b'9' => {
                seen += 1;
                exponent -= i32::from(after_point);
                if *byte == b'0' {
                    zeros += u32::from(mantissa != 0);
                    continue;
                }
                mantissa = append_digit(mantissa, zeros, byte - b'0')?;
                zeros = 0;
            }
            b'.' if !after_point => after_point = true,
            b'e' | b'E' if seen > 0 => {
                let written: i32 = std::str::from_utf8(rest.as_slice()).ok()?.parse().ok()?;
                exponent = exponent.checked_add(written)?;
                break;
            }
            _ => return None,
        }
    }
    if seen == 0 {
        return None;
    }
    if mantissa == 0 {
        return Some(0);
    }
    let shift = exponent.checked_add(i32::from(scale))?.checked_add(i32::try_from(zeros).ok()?)?;
    let unscaled = mantissa.checked_mul(10i128.checked_pow(u32::try_from(shift).ok()?)?)?;
    Some(if negative { -unscaled } else { unscaled })
}

fn append_digit(mantissa: i128, zeros: u32, digit: u8) -> Option<i128> {
    // Numbers of up to 18 digits need no checks; almost all do not have more.
    if zeros == 0 && mantissa < 1_000_000_000_000_000_000 {
        return Some(mantissa * 10 + i128::from(digit));
    }
    mantissa.checked_mul(10i128.checked_pow(zeros + 1)?)?.checked_add(i128::from(digit))
}

/// Microseconds of the vendor's wall clock: `2024-06-05 11:26:00[.123]`, with `T` as well, a date alone, or epoch milliseconds of
/// 13 digits. A written zone is honoured and turned into Shanghai time.
pub fn timestamp(text: &str) -> Fit<i64> {
    let text = text.trim();
    if is_nothing(text) {
        return Fit::Null;
    }
    if text.len() == 13 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Fit::of(text.parse().ok().map(|ms: i64| ms * 1000 + SHANGHAI));
    }
    Fit::of(wall_micros(text))
}

/// Days since 1970 of the vendor's calendar. A time of day other than midnight does not fit.
pub fn date(text: &str) -> Fit<i32> {
    match timestamp(text) {
        Fit::Value(micros) if micros.rem_euclid(86_400 * MICROS) == 0 => {
            Fit::of(i32::try_from(micros.div_euclid(86_400 * MICROS)).ok())
        }
        Fit::Null => Fit::Null,
        _ => Fit::Misfit,
    }
}

fn is_nothing(text: &str) -> bool {
    text.is_empty() || text.starts_with("0001-01-01") || text.starts_with("0000-00-00")
}

fn wall_micros(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let day =
        NaiveDate::from_ymd_opt(number(&bytes[..4])?, number(&bytes[5..7])? as u32, number(&bytes[8..10])? as u32)?;
    let midnight = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros();
    let time = &bytes[10..];
    if time.is_empty() {
        return Some(midnight);
    }
    if !matches!(time[0], b' ' | b'T') {
        return None;
    }
    let (clock, zone) = split_zone(&time[1..])?;
    Some(midnight + clock_micros(clock)? + zone.map_or(0, |offset| SHANGHAI - offset))
}

/// `11:26`, `11:26:00`, `11:26:00.123456` in microseconds; finer fractions fit if they are zeros.
fn clock_micros(clock: &[u8]) -> Option<i64> {
    let (hms, fraction) = match clock.iter().position(|b| *b == b'.') {
        Some(dot) => (&clock[..dot], &clock[dot + 1..]),
        None => (clock, &clock[clock.len()..]),
    };
    let (h, m, s) = match hms {
        [h1, h2, b':', m1, m2] => (number(&[*h1, *h2])?, number(&[*m1, *m2])?, 0),
        [h1, h2, b':', m1, m2, b':', s1, s2] => (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?),
        _ => return None,
    };
    if h > 23 || m > 59 || s > 59 {
        return None;
    }
    let mut micros = 0;
    for (place, byte) in fraction.iter().enumerate() {
        let digit = i64::from(number(std::slice::from_ref(byte))?);
        match u32::try_from(place).ok()? {
            place @ 0..=5 => micros += digit * 10i64.pow(5 - place),
            _ if digit == 0 => {}
            _ => return None,
        }
    }
    Some(i64::from(h * 3600 + m * 60 + s) * MICROS + micros)
}

/// Splits off `Z`, `+08:00` or `+0800`; the offset is in microseconds.
fn split_zone(clock: &[u8]) -> Option<(&[u8], Option<i64>)> {
    let Some(at) = clock.iter().position(|b| matches!(b, b'Z' | b'+' | b'-')) else {
        return Some((clock, None));
    };
    let (clock, zone) = clock.split_at(at);
    let offset = match zone {
        [b'Z'] => 0,
        [_, h1, h2, b':', m1, m2] | [_, h1, h2, m1, m2] => number(&[*h1, *h2])? * 60 + number(&[*m1, *m2])?,
        _ => return None,
    };
    let micros = i64::from(offset) * 60 * MICROS;
    Some((clock, Some(if zone[0] == b'-' { -micros } else { micros })))
}

fn number(digits: &[u8]) -> Option<i32> {
    let digit = |n: i32, b: &u8| b.is_ascii_digit().then(|| n * 10 + i32::from(b - b'0'));
    digits.iter().try_fold(0, digit)
}

/// `true`, `false`, `0`, `1`, in any letter case.
pub fn boolean(text: &str) -> Fit<bool> {
    let text = text.trim();
    match text {
        "" => Fit::Null,
        "1" => Fit::Value(true),
        "0" => Fit::Value(false),
        _ if text.eq_ignore_ascii_case("true") => Fit::Value(true),
        _ if text.eq_ignore_ascii_case("false") => Fit::Value(false),
        _ => Fit::Misfit,
    }
}

#[cfg(test)]
mod tests {
    use super::Fit::*;
    use super::*;

    #[test]
    fn decimals_are_exact_or_do_not_fit() {
        let cases = [
            ("12.30", Value(12_300_000)),
            ("-0.000001", Value(-1)),
            (" 7 ", Value(7_000_000)),
            ("", Null),
            ("1.2E3", Value(1_200_000_000)),
            ("12e-7", Misfit),
            ("120e-7", Value(12)),
            ("1.00000000000000000000000000000000000000000000000000", Value(1_000_000)),
            ("0.0000001", Misfit),
            ("0e999", Value(0)),
            ("999999999999.999999", Value(999_999_999_999_999_999)),
            ("1000000000000", Misfit),
            ("1e400000000000", Misfit),
            ("63.98%", Misfit),
            ("1,000", Misfit),
            (".5", Value(500_000)),
            (".", Misfit),
            ("-", Misfit),
            ("1.2.3", Misfit),
            ("00012", Value(12_000_000)),
            ("10000000000000000000000000000000000000000000000e-46", Value(1_000_000)),
        ];
        for (text, expected) in cases {
            assert_eq!(decimal(text, 18, 6), expected, "{text:?}");
        }
        assert_eq!(decimal("99999999999999999999999999999999.999999", 38, 6), Value(10i128.pow(38) - 1));
    }

    #[test]
    fn decimals_agree_with_plain_arithmetic() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let unscaled = random.i64(-999_999_999_999_999_999..=999_999_999_999_999_999) >> random.u32(0..58);
            let body = crate::base::value::Decimal { unscaled: i128::from(unscaled), scale: 6 }.to_text();
            assert_eq!(decimal(&body, 18, 6), Value(i128::from(unscaled)), "{body}");
        }
    }

    #[test]
    fn whole_numbers() {
        let cases = [
            ("1739147106171755776", Value(1_739_147_106_171_755_776)),
            ("12.00", Value(12)),
            ("1.2e1", Value(12)),
            ("12.5", Misfit),
            ("9223372036854775808", Misfit),
            ("-9223372036854775808", Value(i64::MIN)),
            ("", Null),
            ("abc", Misfit),
        ];
        for (text, expected) in cases {
            assert_eq!(integer(text), expected, "{text:?}");
        }
    }

    #[test]
    fn times_are_shanghai_wall_clock() {
        let at = |text: &str| crate::base::clock::parse_wall(text).unwrap().and_utc().timestamp_micros();
        let noon = at("2024-06-05 11:26:00");
        let cases = [
            ("2024-06-05 11:26:00", Value(noon)),
            ("2024-06-05T11:26:00", Value(noon)),
            ("2024-06-05 11:26", Value(noon)),
            ("2024-06-05 11:26:00.123", Value(noon + 123_000)),
            ("2024-06-05 11:26:00.1234560", Value(noon + 123_456)),
            ("2024-06-05 11:26:00.1234567", Misfit),
            ("2024-06-05T03:26:00Z", Value(noon)),
            ("2024-06-05T12:26:00+09:00", Value(noon)),
            ("2024-06-04T22:26:00-0500", Value(noon)),
            ("1717557960000", Value(noon)),
            ("2024-06-05", Value(at("2024-06-05"))),
            ("0021-05-02 00:00:00", Value(at("0021-05-02"))),
            ("0001-01-01 00:00:00", Null),
            ("0000-00-00 00:00:00", Null),
            ("", Null),
            ("2024-02-30 00:00:00", Misfit),
            ("2024-06-05 24:00:00", Misfit),
            ("2024-06-05 11:26:00 ", Value(noon)),
            ("2024/06/05", Misfit),
            ("pickUpTime", Misfit),
            ("12345", Misfit),
            ("二〇二四年", Misfit),
        ];
        for (text, expected) in cases {
            assert_eq!(timestamp(text), expected, "{text:?}");
        }
        assert_eq!(date("2024-06-05 00:00:00"), Value(19_879));
        assert_eq!(date("2024-06-05 11:26:00"), Misfit);
        assert_eq!(date("0000-00-00"), Null);
    }
}
