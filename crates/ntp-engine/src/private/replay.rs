//! Requests that were carried out: a copy of one is not.

use std::{collections::VecDeque, time::Duration as Elapsed};

use ntp_wire::Monotonic;

/// The MACs of requests that were carried out lately. Each has a time of its own in it, so no two
/// requests have the same.
#[derive(Debug, Default)]
pub(crate) struct Replays(VecDeque<(Monotonic, Box<[u8]>)>);

impl Replays {
    /// A request may be made ten seconds from now, and be fresh for ten more. After that its time
    /// tells that it is old.
    const WINDOW: Elapsed = Elapsed::from_secs(21);
    /// Who has a key needs no more within that window.
    const MOST: usize = 10_000;

    /// Whether a request with this MAC has not been carried out before. From now on it has.
    pub(super) fn is_new(&mut self, mac: &[u8], now: Monotonic) -> bool {
        while let Some((since, _)) = self.0.front()
            && now.since(*since) > Self::WINDOW
        {
            self.0.pop_front();
        }
        let is_new = self.0.iter().all(|(_, known)| **known != *mac);
        let is_room = self.0.len() < Self::MOST;
        if is_new && is_room {
            self.0.push_back((now, mac.into()));
        }
        is_new && is_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_known_until_its_time_tells() {
        let mut replays = Replays::default();
        let now = Monotonic::START;
        assert!(replays.is_new(b"one", now));
        assert!(replays.is_new(b"other", now + Elapsed::from_secs(5)));
        assert!(!replays.is_new(b"one", now + Elapsed::from_secs(20)));
        assert!(!replays.is_new(b"other", now + Elapsed::from_secs(25)));
        assert_eq!(replays.0.len(), 1);
    }

    #[test]
    fn it_takes_bounded_memory() {
        let mut replays = Replays::default();
        for number in 0..Replays::MOST {
            assert!(replays.is_new(&number.to_be_bytes(), Monotonic::START));
        }
        assert!(!replays.is_new(b"one more", Monotonic::START));
    }
}
