//! Time, passed in: the machine's clock behind a trait, and the vendors' wall clock.
//!
//! Vendor times are Asia/Shanghai wall clock (UTC+8, no daylight saving since 1991) whatever the machine's zone.

use chrono::{DateTime, Duration, FixedOffset, NaiveDateTime, Utc};

/// A vendor's business time: Asia/Shanghai wall clock without zone mark.
pub type Wall = NaiveDateTime;

/// How vendors write a [`Wall`].
pub const WALL_FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// Where "now" comes from; tests pass their own.
pub trait Clock: Send + Sync {
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

fn shanghai() -> FixedOffset {
    // 8 h is within chrono's ±24 h, so the fallback is never taken.
    FixedOffset::east_opt(8 * 3600).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}

/// The vendor's wall clock at an instant.
pub fn wall(at: DateTime<Utc>) -> Wall {
    at.with_timezone(&shanghai()).naive_local()
}

/// The instant at which the vendor's wall clock shows `wall`.
pub fn instant(wall: Wall) -> DateTime<Utc> {
    (wall - Duration::hours(8)).and_utc()
}

/// `2024-06-05 11:26:00`, or a date alone (midnight).
pub fn parse_wall(text: &str) -> Option<Wall> {
    let text = text.trim();
    NaiveDateTime::parse_from_str(text, WALL_FORMAT)
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S"))
        .ok()
        .or_else(|| chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_and_instant_are_inverse_and_eight_hours_apart() {
        let w = parse_wall("2024-06-05 11:26:00").expect("a wall time");
        assert_eq!(instant(w).to_rfc3339(), "2024-06-05T03:26:00+00:00");
        assert_eq!(wall(instant(w)), w);
        assert_eq!(parse_wall("2024-06-05"), parse_wall("2024-06-05 00:00:00"));
        assert_eq!(parse_wall("05/06/2024"), None);
    }
}
