//! When something holds.

use core::time::Duration as Elapsed;

use ntp_wire::Monotonic;

/// A part of a world's time: all of it, a span, or a span that comes again and again.
///
/// ```
/// use core::time::Duration as Elapsed;
/// use ntp_sim::Window;
/// use ntp_wire::Monotonic;
///
/// // The first 20 minutes of every two hours.
/// let window = Window::ALWAYS.repeated(Elapsed::from_secs(1200), Elapsed::from_secs(7200));
/// let at = |seconds| Monotonic::START + Elapsed::from_secs(seconds);
/// assert!(window.contains(at(7200 + 1199)) && !window.contains(at(1200)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    from: Elapsed,
    until: Option<Elapsed>,
    /// For so long, of every so long, counted from the beginning of the window.
    repeat: Option<(Elapsed, Elapsed)>,
}

impl Window {
    /// All the time.
    pub const ALWAYS: Self = Self {
        from: Elapsed::ZERO,
        until: None,
        repeat: None,
    };

    /// This window, but not before `from`; what repeats is counted from there.
    #[must_use]
    pub const fn starting(mut self, from: Elapsed) -> Self {
        self.from = from;
        self
    }

    /// This window, but not from `until` on.
    #[must_use]
    pub const fn ending(mut self, until: Elapsed) -> Self {
        self.until = Some(until);
        self
    }

    /// Of this window the first `lasting` of every `period`. A period of zero never ends.
    #[must_use]
    pub const fn repeated(mut self, lasting: Elapsed, period: Elapsed) -> Self {
        self.repeat = Some((lasting, period));
        self
    }

    /// When it begins.
    pub const fn start(&self) -> Elapsed {
        self.from
    }

    /// Whether `at` is in it.
    pub fn contains(&self, at: Monotonic) -> bool {
        let at = at.since(Monotonic::START);
        if at < self.from || self.until.is_some_and(|until| at >= until) {
            return false;
        }
        let Some((lasting, period)) = self.repeat else {
            return true;
        };
        let within = (at - self.from).as_nanos().checked_rem(period.as_nanos());
        within.is_none_or(|within| within < lasting.as_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Elapsed {
        Elapsed::from_secs(count)
    }

    #[test]
    fn a_window_opens_closes_and_comes_again() {
        let window = Window::ALWAYS
            .repeated(seconds(10), seconds(100))
            .starting(seconds(1000))
            .ending(seconds(1205));
        let open: Vec<u64> = (0..2000)
            .filter(|&second| window.contains(Monotonic::START + seconds(second)))
            .collect();
        let expected: Vec<u64> = (1000..1010).chain(1100..1110).chain(1200..1205).collect();
        assert_eq!(open, expected);
    }

    #[test]
    fn a_period_of_nothing_is_all_the_time() {
        let window = Window::ALWAYS.repeated(seconds(1), Elapsed::ZERO);
        assert!(window.contains(Monotonic::from_nanos(u64::MAX)));
    }
}
