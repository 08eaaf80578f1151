//! Our own rate limit: calls are spaced, so that the vendor never has to refuse one.
//!
//! Takes a rate per second and, where the vendor has one, a limit per minute; gives turns. No bursts: time that nobody used
//! is not saved up. Shared by all pulls of one account.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Slowest rate: one call in 1000 s.
const MIN_RATE: f64 = 0.001;
/// Beyond this a rate is no limit: timers are too coarse to space such calls.
const NO_LIMIT: f64 = 100_000.0;
/// A minute as the vendor counts it, and half a second more: calls that left a minute apart may arrive closer together.
const MINUTE: Duration = Duration::from_millis(60_500);

/// Turns at a fixed distance, no more than so many within a minute.
#[derive(Debug)]
pub struct RateBudget {
    spacing: Duration,
    /// Calls within any minute; 0: no limit.
    per_minute: usize,
    given: Mutex<Given>,
}

/// The turns given away so far, as far as they still matter.
#[derive(Debug, Default)]
struct Given {
    /// The earliest next turn by the spacing.
    next: Option<Instant>,
    /// The last turns, oldest first, at most as many as a minute has.
    last: VecDeque<Instant>,
}

impl RateBudget {
    /// `calls_per_second` may be a fraction; the pipeline file's check refuses what is not above 0, here it counts as the
    /// slowest rate.
    pub fn new(calls_per_second: f64) -> Self {
        let spacing = if calls_per_second >= NO_LIMIT {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(1.0 / calls_per_second.max(MIN_RATE))
        };
        Self { spacing, per_minute: 0, given: Mutex::default() }
    }

    /// The same with at most `calls` within any minute; the first ones of a minute come as fast as the spacing lets them.
    #[must_use]
    pub fn per_minute(mut self, calls: Option<u32>) -> Self {
        self.per_minute = calls.map_or(0, |calls| calls as usize);
        self
    }

    /// Waits for the next turn and takes it. A caller that goes away while waiting has used up its turn.
    pub async fn take(&self) {
        if self.spacing.is_zero() && self.per_minute == 0 {
            return;
        }
        // A panic while holding the lock cannot leave the instants half written.
        let turn = self.given.lock().unwrap_or_else(std::sync::PoisonError::into_inner).turn(
            Instant::now(),
            self.spacing,
            self.per_minute,
        );
        tokio::time::sleep_until(turn).await;
    }
}

impl Given {
    fn turn(&mut self, now: Instant, spacing: Duration, per_minute: usize) -> Instant {
        let mut turn = self.next.map_or(now, |next| next.max(now));
        if per_minute > 0 {
            if self.last.len() >= per_minute
                && let Some(oldest) = self.last.pop_front()
            {
                turn = turn.max(oldest + MINUTE);
            }
            self.last.push_back(turn);
        }
        self.next = Some(turn + spacing);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_spaced_also_after_a_pause() {
        // Time that nobody used is not saved up: after a rest of nine seconds no call comes sooner.
        assert_eq!(turns(0.5, None, 6, &[(3, 9)]), [0.0, 2.0, 4.0, 13.0, 15.0, 17.0]);
        let (budget, began) = (RateBudget::new(50.0), Instant::now());
        for turn in 0..4 {
            budget.take().await;
            assert!(began.elapsed() >= Duration::from_millis(turn * 20), "turn {turn} came early");
        }
    }

    #[tokio::test]
    async fn a_rate_beyond_timers_is_no_limit_and_nonsense_is_slow() {
        let free = RateBudget::new(f64::INFINITY);
        let began = Instant::now();
        for _ in 0..10_000 {
            free.take().await;
        }
        assert!(began.elapsed() < Duration::from_secs(1));
        for nonsense in [0.0, -1.0, f64::NAN] {
            assert_eq!(RateBudget::new(nonsense).spacing, Duration::from_secs(1000));
        }
    }

    /// The seconds at which turns come when each is asked for as soon as the one before has come, or `rest` seconds later.
    fn turns(rate: f64, per_minute: Option<u32>, count: usize, rests: &[(usize, u64)]) -> Vec<f64> {
        let budget = RateBudget::new(rate).per_minute(per_minute);
        let mut given = budget.given.into_inner().expect("nobody panicked");
        let began = Instant::now();
        let mut now = began;
        let mut turns = Vec::new();
        for n in 0..count {
            now += rests.iter().find(|(at, _)| *at == n).map_or(Duration::ZERO, |(_, rest)| Duration::from_secs(*rest));
            now = given.turn(now, budget.spacing, budget.per_minute);
            turns.push((now - began).as_secs_f64());
        }
        assert!(given.last.len() <= budget.per_minute, "no memory beyond a minute");
        turns
    }

    #[test]
    fn no_minute_has_more_calls_than_allowed() {
        for rests in [vec![], vec![(30, 20), (150, 45)], vec![(99, 59), (230, 300)]] {
            let turns = turns(5.0, Some(100), 350, &rests);
            for (i, pair) in turns.windows(2).enumerate() {
                assert!(pair[1] - pair[0] >= 0.199, "turn {}: {pair:?}", i + 1);
            }
            for (i, hundred) in turns.windows(101).enumerate() {
                assert!(hundred[100] - hundred[0] >= 60.0, "turns {i} to {}: {rests:?}", i + 100);
            }
            // And not slower than it must be: the first hundred at five a second, the next when the minute is over.
            if rests.is_empty() {
                assert!((19.7..19.9).contains(&turns[99]), "{}", turns[99]);
                assert_eq!((turns[100], turns[300]), (60.5, 181.5));
            }
        }
    }

    #[tokio::test]
    async fn the_minute_holds_without_a_rate_too() {
        assert_eq!(turns(f64::INFINITY, Some(3), 7, &[]), [0.0, 0.0, 0.0, 60.5, 60.5, 60.5, 121.0]);
        assert_eq!(turns(f64::INFINITY, Some(3), 5, &[(2, 70)]), [0.0, 0.0, 70.0, 70.0, 70.0]);
        let budget = RateBudget::new(f64::INFINITY).per_minute(Some(2));
        budget.take().await;
        budget.take().await;
        let third = tokio::time::timeout(Duration::from_millis(50), budget.take()).await;
        assert!(third.is_err(), "the third call of this minute waits");
    }
}
