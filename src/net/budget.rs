//! Our own rate limit: calls are spaced, so that the vendor never has to refuse one.
//!
//! Takes a rate, gives turns. No bursts: time that nobody used is not saved up. Shared by all pulls of one account.

use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Slowest rate: one call in 1000 s.
const MIN_RATE: f64 = 0.001;
/// Beyond this a rate is no limit: timers are too coarse to space such calls.
const NO_LIMIT: f64 = 100_000.0;

/// Turns at a fixed distance.
#[derive(Debug)]
pub struct RateBudget {
    spacing: Duration,
    next: Mutex<Option<Instant>>,
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
        Self { spacing, next: Mutex::new(None) }
    }

    /// Waits for the next turn and takes it. A caller that goes away while waiting has used up its turn.
    pub async fn take(&self) {
        if self.spacing.is_zero() {
            return;
        }
        let turn = {
            // A panic while holding the lock cannot leave the instant half written.
            let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.spacing);
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_spaced_also_after_a_pause() {
        let budget = RateBudget::new(50.0);
        let began = Instant::now();
        let mut turns = Vec::new();
        for i in 0..6 {
            if i == 3 {
                tokio::time::sleep(Duration::from_millis(90)).await;
            }
            budget.take().await;
            turns.push(began.elapsed());
        }
        for (i, pair) in turns.windows(2).enumerate() {
            // A timer may be late by a tick, which shortens the distance to the next turn.
            assert!(pair[1] - pair[0] >= Duration::from_millis(17), "turn {}: {turns:?}", i + 1);
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
}
