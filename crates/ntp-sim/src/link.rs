//! A one-way path in use: when a datagram arrives, if it does.

use core::time::Duration as Elapsed;

use ntp_wire::{Duration, Monotonic};
use rand::{RngExt, SeedableRng, rngs::ChaCha12Rng};

use crate::{Path, Term, Window};

/// How long a datagram takes, on a simple path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delay {
    /// Always the same time.
    Fixed(Elapsed),
    /// A least time, and an excess that is distributed exponentially, as behind a queue.
    Exponential {
        /// No datagram takes less.
        least: Elapsed,
        /// The mean of what it takes beyond that.
        mean_excess: Elapsed,
    },
}

/// How many datagrams are lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Loss(u32);

impl Loss {
    /// All arrive.
    pub const NONE: Self = Self(0);
    /// None arrives.
    pub const ALL: Self = Self(1_000_000);

    /// Of a million datagrams `lost` on average; more than a million are all.
    pub const fn per_million(lost: u32) -> Self {
        if lost > Self::ALL.0 {
            Self::ALL
        } else {
            Self(lost)
        }
    }
}

/// A one-way [`Path`] in use.
///
/// Every datagram draws the same amount of randomness, whatever its delay and whether it is lost:
/// a test that changes the loss leaves the delays of the other datagrams as they were.
#[derive(Debug)]
pub struct Link {
    least: Elapsed,
    /// What comes on top.
    path: Path,
    /// What is lost beyond what the path loses.
    loss: Loss,
    random: ChaCha12Rng,
    /// When the latest datagram arrived.
    latest: Monotonic,
}

/// When one datagram arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrivals {
    /// `None` if it is lost.
    pub first: Option<Monotonic>,
    /// A second copy.
    pub copy: Option<Monotonic>,
}

impl Link {
    /// A simple path whose every fate follows from `seed`.
    pub fn new(delay: Delay, loss: Loss, seed: [u8; 32]) -> Self {
        let mut link = Self::along(Path::new(), seed);
        link.set_delay(delay);
        link.loss = loss;
        link
    }

    /// A path whose every fate follows from `seed`.
    pub fn along(path: Path, seed: [u8; 32]) -> Self {
        Self {
            least: Elapsed::ZERO,
            path,
            loss: Loss::NONE,
            random: ChaCha12Rng::from_seed(seed),
            latest: Monotonic::START,
        }
    }

    /// When a datagram that was sent at `sent` arrives; `None` if it is lost. Of one that comes
    /// twice this is the first copy.
    pub fn carry(&mut self, sent: Monotonic) -> Option<Monotonic> {
        self.arrivals(sent).first
    }

    /// When a datagram that was sent at `sent` arrives, and its copy.
    pub fn arrivals(&mut self, sent: Monotonic) -> Arrivals {
        // A generator for each datagram: how much one draws does not change the others.
        let mut random = ChaCha12Rng::from_seed(self.random.random());
        let lost = random.random_range(0..Loss::ALL.0) < self.loss.0;
        let fate = self.path.fate(sent, &mut random);
        let mut arrival = |seconds: f64| {
            let delay = Elapsed::try_from_secs_f64(seconds).unwrap_or(Elapsed::MAX);
            let mut arrival = sent + self.least.saturating_add(delay);
            if self.path.keeps_order() {
                arrival = arrival.max(self.latest);
                self.latest = arrival;
            }
            arrival
        };
        if lost || fate.lost {
            return Arrivals {
                first: None,
                copy: None,
            };
        }
        Arrivals {
            first: Some(arrival(fate.delay)),
            copy: fate.copy.map(arrival),
        }
    }

    /// Changes the delay from the next datagram on, as when a route changes.
    pub fn set_delay(&mut self, delay: Delay) {
        (self.least, self.path) = delay.split();
    }

    /// Changes the loss from the next datagram on, as when a cable is pulled.
    pub fn set_loss(&mut self, loss: Loss) {
        self.loss = loss;
    }
}

impl Delay {
    /// The least that a datagram takes, to the nanosecond, and the path that adds the rest.
    fn split(self) -> (Elapsed, Path) {
        match self {
            Self::Fixed(delay) => (delay, Path::new()),
            Self::Exponential { least, mean_excess } => {
                let mean = Duration::from_seconds_f64(mean_excess.as_secs_f64());
                let excess = Term::Exponential { mean };
                (least, Path::new().delayed(excess, Window::ALWAYS))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JITTER: Delay = Delay::Exponential {
        least: Elapsed::from_millis(5),
        mean_excess: Elapsed::from_micros(500),
    };

    fn arrivals(delay: Delay, loss: Loss, seed: u8) -> Vec<Option<Monotonic>> {
        let mut link = Link::new(delay, loss, [seed; 32]);
        (0..10_000).map(|_| link.carry(Monotonic::START)).collect()
    }

    #[test]
    fn a_fixed_delay_is_fixed() {
        let delay = Elapsed::from_millis(3);
        let arrived = arrivals(Delay::Fixed(delay), Loss::NONE, 1);
        assert!(
            arrived
                .iter()
                .all(|time| *time == Some(Monotonic::START + delay))
        );
    }

    #[test]
    fn an_exponential_delay_has_its_mean_its_least_and_its_spread() {
        let excess: Vec<f64> = arrivals(JITTER, Loss::NONE, 2)
            .into_iter()
            .map(|time| (time.unwrap() - Monotonic::START).as_secs_f64() - 0.005)
            .collect();
        let mean = excess.iter().sum::<f64>() / 10_000.0;
        let square = excess.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / 10_000.0;
        assert!(excess.iter().all(|one| *one > -1e-9));
        // The standard deviation of an exponential distribution is its mean.
        assert!((mean / 5e-4 - 1.0).abs() < 0.04, "{mean}");
        assert!((square.sqrt() / 5e-4 - 1.0).abs() < 0.08, "{square}");
    }

    #[test]
    fn as_many_are_lost_as_was_asked() {
        let lost = |loss| {
            let arrived = arrivals(JITTER, loss, 3);
            arrived.iter().filter(|time| time.is_none()).count()
        };
        assert_eq!(lost(Loss::NONE), 0);
        assert_eq!(lost(Loss::per_million(u32::MAX)), 10_000);
        // A tenth of 10000, give or take three standard deviations.
        assert!((910..1090).contains(&lost(Loss::per_million(100_000))));
    }

    #[test]
    fn the_loss_of_some_does_not_change_the_others() {
        let whole = arrivals(JITTER, Loss::NONE, 4);
        let part = arrivals(JITTER, Loss::per_million(300_000), 4);
        assert!(
            whole
                .iter()
                .zip(&part)
                .all(|(one, other)| other.is_none() || one == other)
        );
        assert_ne!(whole, arrivals(JITTER, Loss::NONE, 5));
    }

    #[test]
    fn a_path_can_change() {
        let mut link = Link::new(JITTER, Loss::NONE, [6; 32]);
        link.set_delay(Delay::Fixed(Elapsed::ZERO));
        assert_eq!(link.carry(Monotonic::START), Some(Monotonic::START));
        link.set_loss(Loss::ALL);
        assert_eq!(link.carry(Monotonic::START), None);
    }

    proptest! {
        #[test]
        fn nothing_arrives_before_its_time(
            least: u64, mean: u64, sent: u64, seed: [u8; 32],
        ) {
            let least = Elapsed::from_nanos(least);
            let delay = Delay::Exponential { least, mean_excess: Elapsed::from_secs(mean) };
            let sent = Monotonic::from_nanos(sent);
            let arrived = Link::new(delay, Loss::NONE, seed).carry(sent).unwrap();
            prop_assert!(arrived >= sent + least);
        }
    }
}
