//! When to ask a server next, and whether it still answers (RFC 5905 section 13).

use std::time::Duration as Elapsed;

use ntp_discipline::Estimator;
use ntp_wire::{Monotonic, PollExponent};
use rand::{Rng, RngExt};

/// Between the packets of a burst.
const BURST_SPACING: Elapsed = Elapsed::from_secs(2);
/// Between the packets of a burst that shall show the frequency too: the longer it lasts, the
/// better it does.
const SPREAD: [u64; BURST_LENGTH as usize] = [2, 2, 2, 2, 4, 8, 16, 32];
/// Packets to follow the first answer of a server that was away. What was known of it still holds.
const WELCOME: u8 = 3;
/// Packets in a burst.
const BURST_LENGTH: u8 = 8;
/// Polls without an answer after which a server is asked ever less often.
const PATIENCE: u32 = 12;
/// A kiss-o'-death may not slow us down beyond 1024 s: a forged one would silence a client.
const SLOWEST_KISS: PollExponent = PollExponent::new(10);

/// A broadcast that is later than so many intervals is missed.
const LATE: f64 = 1.25;

/// The poll process of one association.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    minimum: PollExponent,
    maximum: PollExponent,
    initial_burst: bool,
    burst: bool,
    pacing: Pacing,
    /// What the discipline wants (`hpoll`).
    host: PollExponent,
    /// What the server says of its own (`ppoll`).
    peer: PollExponent,
    reach: u8,
    /// Polls since the last answer.
    unanswered: u32,
    burst_left: u8,
    /// Whether it ever answered.
    met: bool,
    next: Monotonic,
}

/// How the polls follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Pacing {
    /// As in ntpd 4.2.8: bursts at 2 s, then the poll interval.
    #[default]
    Even,
    /// Bursts that become slower, and no pause longer than an estimator wants.
    Spread,
}

/// What a poll found out about the time since the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Polled {
    /// Nothing has come for eight polls, for the first time since something came.
    pub(crate) lost: bool,
    /// The last three polls went unanswered: the filter should age.
    pub(crate) silent: bool,
}

impl Schedule {
    pub(crate) fn new(
        minimum: PollExponent,
        maximum: PollExponent,
        initial_burst: bool,
        burst: bool,
        first: Monotonic,
    ) -> Self {
        Self {
            minimum,
            maximum: maximum.max(minimum),
            initial_burst,
            burst,
            pacing: Pacing::default(),
            host: minimum,
            peer: minimum,
            reach: 0,
            unanswered: 0,
            burst_left: 0,
            met: false,
            next: first,
        }
    }

    /// Chooses how the polls follow each other.
    pub(crate) fn set_pacing(&mut self, pacing: Pacing) {
        self.pacing = pacing;
    }

    /// When to poll next.
    pub(crate) fn next(&self) -> Monotonic {
        self.next
    }

    /// The last eight polls, newest in the lowest bit: set where an answer came.
    pub(crate) fn reach(&self) -> u8 {
        self.reach
    }

    /// Polls since the last answer.
    pub(crate) fn unanswered(&self) -> u32 {
        self.unanswered
    }

    /// `hpoll`.
    pub(crate) fn host_poll(&self) -> PollExponent {
        self.host
    }

    /// `ppoll`.
    pub(crate) fn peer_poll(&self) -> PollExponent {
        self.peer
    }

    /// Seconds between polls, as an exponent: the shorter of what either side wants, but no
    /// shorter than configured.
    pub(crate) fn interval(&self) -> PollExponent {
        self.host.min(self.peer).max(self.minimum)
    }

    /// A poll is due: moves the reach register and starts a burst where one is wanted.
    pub(crate) fn poll(&mut self, now: Monotonic, rng: &mut impl Rng) -> Polled {
        if self.burst_left > 0 {
            self.burst_left -= 1;
            self.unanswered = self.unanswered.saturating_add(1);
            self.wait(now, rng);
            return Polled {
                lost: false,
                silent: false,
            };
        }
        let reached = self.reach != 0;
        self.reach <<= 1;
        self.unanswered = self.unanswered.saturating_add(1);
        let lost = reached && self.reach == 0;
        if self.reach == 0 {
            // Who went away is asked by one packet whether he is back.
            if self.initial_burst && !(self.met && self.pacing == Pacing::Spread) {
                self.burst_left = BURST_LENGTH - 1;
            }
            if self.unanswered > PATIENCE {
                self.host = next_slower(self.host).min(self.maximum);
                self.peer = self.host;
            }
        } else if self.burst {
            self.burst_left = BURST_LENGTH - 1;
        }
        self.wait(now, rng);
        Polled {
            lost,
            silent: self.reach & 7 == 0,
        }
    }

    /// Nobody is asked: the next poll is a shortest interval away, whatever was wished.
    pub(crate) fn rest(&mut self, now: Monotonic, rng: &mut impl Rng) {
        self.host = self.minimum;
        self.wait(now, rng);
    }

    /// A good answer came; `true` if it is the first one after silence.
    pub(crate) fn answered(&mut self, peer_poll: PollExponent) -> bool {
        let first = self.reach == 0;
        self.reach |= 1;
        self.met = true;
        self.unanswered = 0;
        self.peer = peer_poll.clamp(self.minimum, PollExponent::SLOWEST);
        first
    }

    /// The discipline's wish: how often to ask.
    pub(crate) fn set_host_poll(&mut self, wish: PollExponent, now: Monotonic, rng: &mut impl Rng) {
        let wish = wish.clamp(self.minimum, self.maximum);
        let shorter = wish < self.host;
        self.host = wish;
        // What is shorter holds at once, what is longer from the next poll on.
        if shorter && self.burst_left == 0 {
            let planned = self.next;
            self.wait(now, rng);
            self.next = self.next.min(planned);
        }
    }

    /// The server asked for fewer packets: `RATE`.
    pub(crate) fn slow_down(&mut self, wish: PollExponent, now: Monotonic, rng: &mut impl Rng) {
        self.burst_left = 0;
        let slower = next_slower(self.interval()).max(wish).min(SLOWEST_KISS);
        self.minimum = self.minimum.max(slower);
        self.maximum = self.maximum.max(self.minimum);
        self.host = self.host.max(self.minimum);
        self.peer = self.peer.max(self.minimum);
        self.wait(now, rng);
    }

    /// More is to be exchanged before the server is of use: ask again after `wait`, if nothing
    /// sooner is planned.
    pub(crate) fn hurry(&mut self, now: Monotonic, wait: Elapsed) {
        self.next = self.next.min(now + wait);
    }

    /// Fills the filter anew: as many packets as a burst has.
    pub(crate) fn start_burst(&mut self, now: Monotonic) {
        self.burst_left = self.burst_left.max(BURST_LENGTH - 1);
        self.hurry(now, BURST_SPACING);
    }

    /// It is not asked but listened to, and has spoken: it does so once in each of its intervals.
    pub(crate) fn follow(&mut self, interval: PollExponent, now: Monotonic) {
        let interval = interval.clamp(PollExponent::FASTEST, PollExponent::SLOWEST);
        (self.minimum, self.maximum) = (interval, interval);
        (self.host, self.peer) = (interval, interval);
        self.reach <<= 1;
        // What is a little late has not been missed.
        self.next = now + interval.interval().mul_f64(LATE);
    }

    /// No bursts from here on.
    pub(crate) fn end_bursts(&mut self, now: Monotonic) {
        (self.initial_burst, self.burst, self.burst_left) = (false, false, 0);
        self.next = now + self.interval().interval();
    }

    /// It answers again: the end of a burst is worth its packets.
    pub(crate) fn met_again(&mut self, now: Monotonic) {
        if self.initial_burst && self.burst_left == 0 && self.pacing == Pacing::Spread {
            self.burst_left = WELCOME;
            self.hurry(now, BURST_SPACING);
        }
    }

    /// The clock was stepped, or the server is somewhere else: begin again.
    pub(crate) fn restart(&mut self, now: Monotonic) {
        self.reach = 0;
        self.met = false;
        self.unanswered = 0;
        self.burst_left = 0;
        self.host = self.minimum;
        self.peer = self.minimum;
        self.next = now;
    }

    /// Not before `time`, whatever was planned.
    pub(crate) fn postpone(&mut self, time: Monotonic) {
        self.next = self.next.max(time);
    }

    fn wait(&mut self, now: Monotonic, rng: &mut impl Rng) {
        let pause = match self.pacing {
            Pacing::Even if self.burst_left > 0 => BURST_SPACING,
            Pacing::Spread if self.burst_left > 0 => {
                let sent = BURST_LENGTH.saturating_sub(self.burst_left + 1);
                SPREAD
                    .get(usize::from(sent))
                    .map_or(BURST_SPACING, |pause| Elapsed::from_secs(*pause))
            }
            Pacing::Even => jittered(self.interval().interval(), rng),
            Pacing::Spread if self.reach == 0 => jittered(self.interval().interval(), rng),
            Pacing::Spread => jittered(Estimator::interval(self.interval(), self.minimum), rng),
        };
        self.next = now + pause;
    }
}

/// Up to a sixteenth longer, so that clients started together do not stay together, and none asks
/// more often than it says.
fn jittered(interval: Elapsed, rng: &mut impl Rng) -> Elapsed {
    interval + interval.mul_f64(rng.random_range(0.0..0.0625))
}

fn next_slower(poll: PollExponent) -> PollExponent {
    PollExponent::new(poll.value().saturating_add(1)).min(PollExponent::SLOWEST)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::ChaCha12Rng};

    use super::*;

    const SIX: PollExponent = PollExponent::DEFAULT_MINIMUM;
    const TEN: PollExponent = PollExponent::DEFAULT_MAXIMUM;

    fn rng() -> ChaCha12Rng {
        ChaCha12Rng::from_seed([7; 32])
    }

    #[test]
    fn an_initial_burst_is_eight_packets_two_seconds_apart() {
        let mut schedule = Schedule::new(SIX, TEN, true, false, Monotonic::START);
        let mut sent = Vec::new();
        for _ in 0..9 {
            let now = schedule.next();
            sent.push(now.as_nanos() / 1_000_000_000);
            schedule.poll(now, &mut rng());
            schedule.answered(SIX);
        }
        assert_eq!(&sent[..8], [0, 2, 4, 6, 8, 10, 12, 14]);
        assert!((14 + 64..=14 + 68).contains(&sent[8]), "{sent:?}");
    }

    #[test]
    fn a_spread_burst_is_as_many_packets_over_half_a_minute() {
        let mut schedule = Schedule::new(SIX, TEN, true, false, Monotonic::START);
        schedule.set_pacing(Pacing::Spread);
        let mut sent = Vec::new();
        for _ in 0..9 {
            let now = schedule.next();
            sent.push(now.as_nanos() / 1_000_000_000);
            schedule.poll(now, &mut rng());
            schedule.answered(SIX);
        }
        assert_eq!(&sent[..8], [0, 2, 4, 6, 8, 12, 20, 36]);
        assert!((36 + 60..=36 + 64).contains(&sent[8]), "{sent:?}");
    }

    #[test]
    fn who_went_away_is_asked_by_single_packets() {
        let mut schedule = Schedule::new(SIX, TEN, true, false, Monotonic::START);
        schedule.set_pacing(Pacing::Spread);
        for _ in 0..8 {
            schedule.poll(schedule.next(), &mut rng());
        }
        assert!(schedule.answered(SIX));
        let pauses: Vec<u64> = (0..12)
            .map(|_| {
                let now = schedule.next();
                schedule.poll(now, &mut rng());
                schedule.next().since(now).as_secs()
            })
            .collect();
        assert!(pauses.iter().all(|pause| *pause >= 60), "{pauses:?}");
        assert!(schedule.answered(SIX));
        let mut now = schedule.next();
        schedule.met_again(now);
        let welcome: Vec<u64> = (0..3)
            .map(|_| {
                now = schedule.next();
                schedule.poll(now, &mut rng());
                schedule.next().since(now).as_secs()
            })
            .collect();
        assert!(
            welcome[0] < 10 && welcome[1] < 20 && welcome[2] >= 60,
            "{welcome:?}"
        );
    }

    #[test]
    fn a_server_that_never_answers_is_asked_ever_less() {
        let mut schedule = Schedule::new(SIX, TEN, false, false, Monotonic::START);
        for _ in 0..40 {
            let now = schedule.next();
            let polled = schedule.poll(now, &mut rng());
            assert!(polled.silent && !polled.lost);
        }
        assert_eq!(schedule.interval(), TEN);
        schedule.answered(SIX);
        schedule.set_host_poll(SIX, schedule.next(), &mut rng());
        assert_eq!(schedule.interval(), SIX);
    }

    #[test]
    fn silence_is_noticed_after_eight_polls() {
        let mut schedule = Schedule::new(SIX, TEN, false, false, Monotonic::START);
        schedule.poll(Monotonic::START, &mut rng());
        assert!(schedule.answered(SIX));
        let lost: Vec<bool> = (0..9)
            .map(|_| schedule.poll(schedule.next(), &mut rng()).lost)
            .collect();
        assert_eq!(lost.iter().position(|&lost| lost), Some(7));
        assert!(schedule.answered(SIX));
    }

    #[test]
    fn kisses_slow_down_within_bounds() {
        let mut schedule = Schedule::new(SIX, TEN, true, false, Monotonic::START);
        schedule.poll(Monotonic::START, &mut rng());
        schedule.slow_down(PollExponent::new(3), Monotonic::START, &mut rng());
        assert_eq!(schedule.interval(), PollExponent::new(7));
        assert_eq!(schedule.burst_left, 0);
        for _ in 0..20 {
            schedule.slow_down(PollExponent::new(127), Monotonic::START, &mut rng());
        }
        assert_eq!(schedule.interval(), TEN);
    }
}
