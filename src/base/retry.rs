//! When to try again: attempts and total time are both bounded, waits grow and are spread.
//!
//! Knows no request: the caller says whether trying again is safe (see [`Advice`](crate::base::Advice)).

use std::time::Duration;

/// Bounds of trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub max_attempts: u32,
    /// First wait; doubled each time.
    pub first_wait: Duration,
    /// No single wait is longer.
    pub max_wait: Duration,
    /// No further attempt begins when this much time has passed since the first.
    pub max_elapsed: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 6,
            first_wait: Duration::from_millis(500),
            max_wait: Duration::from_secs(30),
            max_elapsed: Duration::from_secs(600),
        }
    }
}

impl RetryPolicy {
    /// How long to wait before attempt number `next` (2, 3, …), or `None` when no further attempt is allowed.
    ///
    /// `asked` is what the other side asked for (`Retry-After`); `spread` in 0..=1 comes from the caller's randomness
    /// and takes away up to half of the wait, so that many clients do not come back together.
    pub fn wait_before(&self, next: u32, elapsed: Duration, asked: Option<Duration>, spread: f64) -> Option<Duration> {
        if next > self.max_attempts || elapsed >= self.max_elapsed {
            return None;
        }
        let doublings = next.saturating_sub(2).min(16);
        let full = self.first_wait.saturating_mul(1 << doublings).min(self.max_wait);
        let own = full.mul_f64(1.0 - 0.5 * spread.clamp(0.0, 1.0));
        Some(own.max(asked.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end() {
        let p = RetryPolicy::default();
        let wait = |n| p.wait_before(n, Duration::ZERO, None, 0.0).map(|d| d.as_millis());
        assert_eq!([wait(2), wait(3), wait(4), wait(7)], [Some(500), Some(1000), Some(2000), None]);
        assert_eq!(p.wait_before(2, Duration::from_secs(600), None, 0.0), None);
        let asked = Some(Duration::from_secs(9));
        assert_eq!(p.wait_before(2, Duration::ZERO, asked, 1.0), asked);
    }
}
