//! How fine a clock can be read.

use ntp_wire::{Duration, Precision, Timestamp};

/// So many steps are looked at: enough that one of them has no interrupt in it.
const STEPS: usize = 12;
/// A clock that stands still this long is taken to be useless rather than slow.
const READINGS: usize = 100_000;

/// The smallest step between readings of a clock that differ, to the nearest power of two.
pub(super) fn measure(mut read: impl FnMut() -> Timestamp) -> Precision {
    let mut smallest = Duration::from_seconds(1);
    let mut steps = 0;
    let mut last = read();
    for _ in 0..READINGS {
        let now = read();
        let step = now - last;
        last = now;
        if step > Duration::ZERO {
            smallest = smallest.min(step);
            steps += 1;
        }
        if steps == STEPS {
            break;
        }
    }
    nearest(smallest)
}

/// ntpd rounds to the nearest power of two where [`Precision::from_duration`] rounds up.
fn nearest(step: Duration) -> Precision {
    let above = Precision::from_duration(step);
    let below = Precision::new(above.value().saturating_sub(1));
    if above.to_duration() - step <= step - below.to_duration() {
        above
    } else {
        below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_smallest_step_that_counts() {
        let mut readings = 0i64;
        let precision = measure(|| {
            readings += 1;
            // Stands still every other time, and is interrupted every fifth.
            let ticks = readings / 2 * 60 + readings / 5 * 10_000;
            Timestamp::UNIX_EPOCH + Duration::from_nanos(ticks)
        });
        assert_eq!(precision.value(), -24);
    }

    #[test]
    fn a_clock_that_stands_still_has_the_worst_precision() {
        assert_eq!(measure(|| Timestamp::UNIX_EPOCH).value(), 0);
    }
}
