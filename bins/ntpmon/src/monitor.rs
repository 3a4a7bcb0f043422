//! What is known after any number of snapshots: the state behind the screen, without I/O.

use std::collections::{BTreeMap, VecDeque};

use ntp_wire::{AssociationId, Timestamp};

use crate::{changes::changes, snapshot::Snapshot};

/// Answers of a source that are remembered.
const MARKS: usize = 120;
/// Changes that are remembered.
const ENTRIES: usize = 500;

/// A change that was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) words: String,
}

/// The last answers of a source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    /// Milliseconds, oldest first.
    pub(crate) offsets: VecDeque<f64>,
    /// Milliseconds, oldest first.
    pub(crate) delays: VecDeque<f64>,
}

impl Track {
    /// A source is asked less often than the daemon: the same figures are the same answer.
    fn add(&mut self, offset: f64, delay: f64) {
        let same = self.offsets.back() == Some(&offset) && self.delays.back() == Some(&delay);
        if same {
            return;
        }
        for (track, value) in [(&mut self.offsets, offset), (&mut self.delays, delay)] {
            track.push_back(value);
            if track.len() > MARKS {
                track.pop_front();
            }
        }
    }
}

/// What a key does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    Up,
    Down,
    First,
    Last,
    Help,
    /// Leaves the help, or the program.
    Back,
    Quit,
}

/// What is known of a daemon.
#[derive(Debug)]
pub(crate) struct Monitor {
    pub(crate) host: String,
    pub(crate) latest: Option<Snapshot>,
    /// Why the daemon does not answer now.
    pub(crate) silence: Option<String>,
    pub(crate) tracks: BTreeMap<AssociationId, Track>,
    /// Oldest first.
    pub(crate) log: VecDeque<Entry>,
    pub(crate) chosen: usize,
    pub(crate) help: bool,
    pub(crate) done: bool,
}

impl Monitor {
    /// Nothing is known of `host` yet.
    pub(crate) fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            latest: None,
            silence: None,
            tracks: BTreeMap::new(),
            log: VecDeque::new(),
            chosen: 0,
            help: false,
            done: false,
        }
    }

    /// The daemon answered.
    pub(crate) fn take(&mut self, snapshot: Snapshot) {
        if self.silence.take().is_some() {
            self.note(snapshot.taken, "the daemon answers again".to_owned());
        }
        match &self.latest {
            None => self.note(snapshot.taken, "watching begins".to_owned()),
            Some(before) => {
                for words in changes(before, &snapshot) {
                    self.note(snapshot.taken, words);
                }
            }
        }
        self.tracks
            .retain(|id, _| snapshot.sources.iter().any(|source| source.id == *id));
        for source in &snapshot.sources {
            if let (Some(offset), Some(delay)) = (source.offset, source.delay)
                && source.reach != 0
            {
                self.tracks.entry(source.id).or_default().add(offset, delay);
            }
        }
        self.chosen = self.chosen.min(snapshot.sources.len().saturating_sub(1));
        self.latest = Some(snapshot);
    }

    /// The daemon did not answer.
    pub(crate) fn miss(&mut self, at: Timestamp, reason: String) {
        if self.silence.is_none() {
            self.note(at, format!("no answer: {reason}"));
        }
        self.silence = Some(reason);
    }

    /// A key was pressed.
    pub(crate) fn press(&mut self, key: Key) {
        let last = self
            .latest
            .as_ref()
            .map_or(0, |snapshot| snapshot.sources.len().saturating_sub(1));
        match key {
            Key::Up => self.chosen = self.chosen.saturating_sub(1),
            Key::Down => self.chosen = (self.chosen + 1).min(last),
            Key::First => self.chosen = 0,
            Key::Last => self.chosen = last,
            Key::Help => self.help = !self.help,
            Key::Back if self.help => self.help = false,
            Key::Back | Key::Quit => self.done = true,
        }
    }

    fn note(&mut self, at: Timestamp, words: String) {
        self.log.push_back(Entry { at, words });
        if self.log.len() > ENTRIES {
            self.log.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn an_answer_is_a_mark_once() {
        let mut monitor = Monitor::new("host");
        monitor.take(example::snapshot(0));
        monitor.take(example::snapshot(0));
        let id = example::snapshot(0).sources[0].id;
        assert_eq!(monitor.tracks[&id].offsets.len(), 1);
        for step in 1..300 {
            monitor.take(example::snapshot(step));
        }
        assert_eq!(monitor.tracks[&id].offsets.len(), MARKS);
    }

    #[test]
    fn silence_is_told_once_and_so_is_its_end() {
        let mut monitor = Monitor::new("host");
        let at = example::snapshot(0).taken;
        monitor.take(example::snapshot(0));
        monitor.miss(at, "Request timed out".to_owned());
        monitor.miss(at, "Request timed out".to_owned());
        monitor.take(example::snapshot(1));
        let words: Vec<_> = monitor.log.iter().map(|entry| &entry.words[..]).collect();
        assert_eq!(
            words,
            [
                "watching begins",
                "no answer: Request timed out",
                "the daemon answers again"
            ]
        );
    }

    #[test]
    fn keys_move_within_the_sources() {
        let mut monitor = Monitor::new("host");
        monitor.press(Key::Down);
        assert_eq!(monitor.chosen, 0);
        monitor.take(example::snapshot(0));
        monitor.press(Key::Last);
        assert_eq!(monitor.chosen, example::snapshot(0).sources.len() - 1);
        monitor.press(Key::Down);
        assert_eq!(monitor.chosen, example::snapshot(0).sources.len() - 1);
        let mut fewer = example::snapshot(1);
        fewer.sources.truncate(1);
        monitor.take(fewer);
        assert_eq!(monitor.chosen, 0);
        monitor.press(Key::Help);
        monitor.press(Key::Back);
        assert!(!monitor.done && !monitor.help);
        monitor.press(Key::Back);
        assert!(monitor.done);
    }

    #[test]
    fn the_log_is_bounded() {
        let mut monitor = Monitor::new("host");
        for step in 0..2 * ENTRIES as u32 {
            let mut snapshot = example::snapshot(step);
            if step % 2 == 1 {
                snapshot.sources.clear();
            }
            monitor.take(snapshot);
        }
        assert_eq!(monitor.log.len(), ENTRIES);
    }
}
