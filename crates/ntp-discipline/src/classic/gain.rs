//! How strongly an offset acts: in ntpd's own loop, and in that of the Linux kernel, which the
//! reference uses where it can (`enable kernel`).

use ntp_wire::PollExponent;

use crate::Tinker;

/// Time constants of the daemon's loop in poll intervals: it takes 16 to slew away most of an
/// offset.
const DAEMON_PHASE: f64 = 16.0;
/// What part of a change of the frequency the daemon's frequency-locked loop takes over.
const DAEMON_FREQUENCY: f64 = 0.25;
/// The same two of the kernel (SHIFT_PLL and SHIFT_FLL, both 2).
const KERNEL_PHASE: f64 = 4.0;
const KERNEL_FREQUENCY: f64 = 0.25;
/// Updates further apart than this also act through the kernel's frequency-locked loop (MAXSEC).
const KERNEL_INTERCEPT: f64 = 2048.0;
/// The kernel's time constant goes no further (MAXTC).
const KERNEL_SLOWEST: PollExponent = PollExponent::new(10);
/// With a larger step threshold the reference leaves the kernel's loop, in seconds.
const KERNEL_LARGEST_STEP: f64 = 0.5;

/// The gains of a loop.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Gain {
    /// Those of ntpd's own loop (RFC 5905 appendix A.5.5.6).
    Daemon { allan: PollExponent },
    /// Those of the loop in Linux: four times as fast.
    Kernel,
}

/// What an update has to say of the frequency.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Lesson {
    /// The offset, in seconds.
    pub(super) offset: f64,
    /// What was left to slew of the one before, in seconds.
    pub(super) residual: f64,
    /// Seconds since the one before.
    pub(super) since: f64,
}

impl Gain {
    /// The kernel's loop, where it is wanted and no offset that is slewed can be too large for it.
    pub(super) fn new(kernel: bool, tinker: &Tinker) -> Self {
        let fits = |threshold: Option<ntp_wire::Duration>| {
            threshold.is_some_and(|threshold| threshold.to_seconds_f64() <= KERNEL_LARGEST_STEP)
        };
        if kernel && fits(tinker.step_forward) && fits(tinker.step_back) {
            Self::Kernel
        } else {
            Self::Daemon {
                allan: tinker.allan,
            }
        }
    }

    /// In how many seconds an offset would be slewed away at its first rate.
    pub(super) fn phase_time(self, poll: PollExponent) -> f64 {
        match self {
            Self::Daemon { .. } => DAEMON_PHASE * poll.interval().as_secs_f64(),
            Self::Kernel => KERNEL_PHASE * poll.min(KERNEL_SLOWEST).interval().as_secs_f64(),
        }
    }

    /// How much an update changes the frequency, in seconds per second.
    ///
    /// Both loops act at once. The phase-locked one makes it from the offset, damped for a loop of
    /// twice the time constant squared; the frequency-locked one, above the Allan intercept only,
    /// from how fast the offset came.
    pub(super) fn frequency(self, lesson: &Lesson, poll: PollExponent) -> f64 {
        let Lesson {
            offset,
            residual,
            since,
        } = *lesson;
        let damped = 4.0 * self.phase_time(poll);
        match self {
            Self::Daemon { allan } => {
                let phase = offset * since.min(allan.interval().as_secs_f64()) / (damped * damped);
                if poll < allan {
                    return phase;
                }
                let interval = since.max(poll.interval().as_secs_f64());
                phase + DAEMON_FREQUENCY * (offset - residual) / interval
            }
            Self::Kernel => {
                // It looks back two time constants at most.
                let phase = offset * since.min(damped / 2.0) / (damped * damped);
                if since <= KERNEL_INTERCEPT {
                    return phase;
                }
                phase + KERNEL_FREQUENCY * offset / since
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ntp_wire::Duration;

    use super::*;

    const POLL: PollExponent = PollExponent::new(6);

    fn daemon() -> Gain {
        Gain::new(false, &Tinker::default())
    }

    fn lesson(offset: f64, since: f64) -> Lesson {
        Lesson {
            offset,
            residual: 0.0,
            since,
        }
    }

    #[test]
    fn the_kernel_is_four_times_as_fast() {
        let kernel = Gain::new(true, &Tinker::default());
        assert_eq!(daemon().phase_time(POLL), 1024.0);
        assert_eq!(kernel.phase_time(POLL), 256.0);
        assert_eq!(
            kernel.phase_time(PollExponent::new(17)),
            kernel.phase_time(PollExponent::new(10))
        );
        let update = lesson(1e-3, 64.0);
        assert_eq!(
            daemon().frequency(&update, POLL),
            1e-3 * 64.0 / 4096.0_f64.powi(2)
        );
        assert_eq!(
            kernel.frequency(&update, POLL),
            1e-3 * 64.0 / 1024.0_f64.powi(2)
        );
    }

    #[test]
    fn what_is_long_ago_counts_no_more() {
        let kernel = Gain::new(true, &Tinker::default());
        assert_eq!(
            kernel.frequency(&lesson(1e-3, 512.0), POLL),
            kernel.frequency(&lesson(1e-3, 2048.0), POLL)
        );
        assert_eq!(
            daemon().frequency(&lesson(1e-3, 2048.0), POLL),
            daemon().frequency(&lesson(1e-3, 4096.0), POLL)
        );
    }

    #[test]
    fn above_the_intercept_the_frequency_counts() {
        let kernel = Gain::new(true, &Tinker::default());
        let late = kernel.frequency(&lesson(1e-3, 4096.0), POLL);
        let early = kernel.frequency(&lesson(1e-3, 2048.0), POLL);
        assert!((late - early - 0.25 * 1e-3 / 4096.0).abs() < 1e-18);
        let slow = PollExponent::new(11);
        let moved = Lesson {
            residual: 1e-3,
            ..lesson(1e-3, 2048.0)
        };
        let still = daemon().frequency(&moved, slow);
        let grown = daemon().frequency(&lesson(1e-3, 2048.0), slow);
        assert!((grown - still - 0.25 * 1e-3 / 2048.0).abs() < 1e-18);
    }

    #[test]
    fn offsets_too_large_for_the_kernel_keep_it_out() {
        let mut tinker = Tinker::default();
        tinker.set_step(Duration::from_millis(500));
        assert_eq!(Gain::new(true, &tinker), Gain::Kernel);
        for threshold in [Duration::from_millis(501), Duration::ZERO] {
            tinker = Tinker::default();
            tinker.step_back = Tinker::threshold(threshold);
            assert_ne!(Gain::new(true, &tinker), Gain::Kernel);
        }
        tinker = Tinker::default();
        tinker.slew_only();
        assert_ne!(Gain::new(true, &tinker), Gain::Kernel);
    }
}
