//! What a one-way path is like, and when.

use ntp_wire::{Duration, Monotonic};
use rand::{Rng, RngExt};

use crate::{
    Window,
    random::{exponential, gamma, log_normal, normal},
};

/// One part of a delay; a [`Path`] adds its parts up.
#[derive(Clone, PartialEq, Debug)]
pub enum Term {
    /// Always the same.
    Fixed(Duration),
    /// Distributed exponentially, as the wait behind one queue.
    Exponential {
        /// The mean.
        mean: Duration,
    },
    /// Gamma: as the wait behind several queues, if the shape is a whole number.
    Gamma {
        /// 1 is the exponential distribution, a large one nearly the normal one.
        shape: f64,
        /// The mean.
        mean: Duration,
    },
    /// Log-normal: mostly little, sometimes very much.
    LogNormal {
        /// The standard deviation of the logarithm.
        sigma: f64,
        /// The mean.
        mean: Duration,
    },
    /// Normal around zero; the whole delay is cut off at zero.
    Gaussian {
        /// The standard deviation.
        deviation: Duration,
    },
    /// Another part, for some of the datagrams only.
    Sometimes {
        /// How many, of each.
        share: Share,
        /// What they get.
        term: Box<Self>,
    },
}

/// A share of many: 0 is none, 1 is all.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Share(f64);

impl Share {
    /// All.
    pub const ALL: Self = Self(1.0);

    /// From a figure between 0 and 1; what is beyond is cut off, not-a-number is none.
    pub const fn new(share: f64) -> Self {
        if share > 0.0 {
            Self(if share > 1.0 { 1.0 } else { share })
        } else {
            Self(0.0)
        }
    }

    /// Between 0 and 1.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Whether one is among them.
    fn draw(self, random: &mut impl Rng) -> bool {
        random.random::<f64>() < self.0
    }
}

/// What a one-way path does to datagrams: how long they take, and which are lost or come twice,
/// each in its [`Window`] of time.
///
/// A datagram may overtake another, unless [`in_order`](Self::in_order) is asked for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Path {
    delays: Vec<(Window, Term)>,
    losses: Vec<(Window, Share)>,
    duplicates: Vec<(Window, Share)>,
    in_order: bool,
}

/// What becomes of one datagram.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Fate {
    /// In seconds, not below zero.
    pub(crate) delay: f64,
    pub(crate) lost: bool,
    /// The delay of a second copy.
    pub(crate) copy: Option<f64>,
}

impl Path {
    /// A path that takes no time and loses nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to the delay.
    #[must_use]
    pub fn delayed(mut self, term: Term, window: Window) -> Self {
        self.delays.push((window, term));
        self
    }

    /// Loses some.
    #[must_use]
    pub fn losing(mut self, share: Share, window: Window) -> Self {
        self.losses.push((window, share));
        self
    }

    /// Delivers some twice, each copy with a delay of its own.
    #[must_use]
    pub fn duplicating(mut self, share: Share, window: Window) -> Self {
        self.duplicates.push((window, share));
        self
    }

    /// Nothing overtakes anything: it is a single queue.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.in_order = true;
        self
    }

    /// This path and then another one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.delays.extend(other.delays);
        self.losses.extend(other.losses);
        self.duplicates.extend(other.duplicates);
        self.in_order |= other.in_order;
        self
    }

    /// Whether nothing overtakes anything.
    pub(crate) fn keeps_order(&self) -> bool {
        self.in_order
    }

    /// What becomes of a datagram that is sent at `at`. All is drawn, whether it is used or not,
    /// so that what is lost does not change the delay of what is not.
    pub(crate) fn fate(&self, at: Monotonic, random: &mut impl Rng) -> Fate {
        let delay = self.delay(at, random);
        let lost = any(&self.losses, at, random);
        let twice = any(&self.duplicates, at, random);
        let copy = self.delay(at, random);
        Fate {
            delay,
            lost,
            copy: twice.then_some(copy),
        }
    }

    fn delay(&self, at: Monotonic, random: &mut impl Rng) -> f64 {
        let mut sum = 0.0;
        for (window, term) in &self.delays {
            let drawn = term.draw(random);
            if window.contains(at) {
                sum += drawn;
            }
        }
        sum.max(0.0)
    }
}

fn any(shares: &[(Window, Share)], at: Monotonic, random: &mut impl Rng) -> bool {
    let mut any = false;
    for (window, share) in shares {
        any |= share.draw(random) && window.contains(at);
    }
    any
}

impl Term {
    /// In seconds.
    fn draw(&self, random: &mut impl Rng) -> f64 {
        match self {
            Self::Fixed(delay) => delay.to_seconds_f64(),
            Self::Exponential { mean } => mean.to_seconds_f64() * exponential(random),
            Self::Gamma { shape, mean } => mean.to_seconds_f64() * gamma(*shape, random),
            Self::LogNormal { sigma, mean } => mean.to_seconds_f64() * log_normal(*sigma, random),
            Self::Gaussian { deviation } => deviation.to_seconds_f64() * normal(random),
            Self::Sometimes { share, term } => {
                let chosen = share.draw(random);
                let drawn = term.draw(random);
                if chosen { drawn } else { 0.0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration as Elapsed;

    use super::*;
    use crate::Link;

    const MS: Duration = Duration::from_millis(1);

    fn second(count: u64) -> Monotonic {
        Monotonic::START + Elapsed::from_secs(count)
    }

    /// The delays of so many datagrams, sent one a second, in seconds; the lost ones left out.
    fn delays(path: Path, count: u64) -> Vec<f64> {
        let mut link = Link::along(path, [8; 32]);
        (0..count)
            .filter_map(|n| Some((link.carry(second(n))? - second(n)).as_secs_f64()))
            .collect()
    }

    #[test]
    fn parts_add_up_in_their_windows() {
        let path = Path::new()
            .delayed(Term::Fixed(MS * 10), Window::ALWAYS)
            .delayed(
                Term::Fixed(MS * 5),
                Window::ALWAYS.starting(Elapsed::from_secs(3)),
            );
        let delays = delays(path, 5);
        for (delay, expected) in delays.iter().zip([0.010, 0.010, 0.010, 0.015, 0.015]) {
            assert!((delay - expected).abs() < 1e-8, "{delays:?}");
        }
    }

    #[test]
    fn some_get_more_and_some_arrive_early_but_none_before_it_was_sent() {
        let term = Box::new(Term::Fixed(-MS * 20));
        let share = Share::new(0.2);
        let path = Path::new()
            .delayed(Term::Fixed(MS * 10), Window::ALWAYS)
            .delayed(Term::Sometimes { share, term }, Window::ALWAYS);
        let delays = delays(path, 10_000);
        let early = delays.iter().filter(|delay| **delay == 0.0).count();
        assert!((1880..2120).contains(&early), "{early}");
    }

    #[test]
    fn copies_have_delays_of_their_own() {
        let path = Path::new()
            .delayed(Term::Exponential { mean: MS }, Window::ALWAYS)
            .duplicating(Share::new(0.25), Window::ALWAYS);
        let mut link = Link::along(path, [8; 32]);
        let arrivals: Vec<_> = (0..10_000).map(|n| link.arrivals(second(n))).collect();
        let copies = arrivals.iter().filter(|one| one.copy.is_some()).count();
        assert!((2370..2630).contains(&copies), "{copies}");
        assert!(arrivals.iter().all(|one| one.first != one.copy));
    }

    #[test]
    fn a_queue_lets_nothing_overtake() {
        let path = Path::new().delayed(Term::Exponential { mean: MS * 5000 }, Window::ALWAYS);
        let ordered = |path: Path| {
            let mut link = Link::along(path, [8; 32]);
            let arrivals: Vec<_> = (0..1000).filter_map(|n| link.carry(second(n))).collect();
            arrivals.is_sorted()
        };
        assert!(!ordered(path.clone()));
        assert!(ordered(path.in_order()));
    }

    #[test]
    fn what_is_lost_leaves_the_others_as_they_were() {
        let path = Path::new().delayed(
            Term::Gamma {
                shape: 0.5,
                mean: MS,
            },
            Window::ALWAYS,
        );
        let whole = delays(path.clone(), 1000);
        let part = delays(path.losing(Share::new(0.5), Window::ALWAYS), 1000);
        assert!(part.len() < 600 && part.iter().all(|delay| whole.contains(delay)));
    }
}
