//! The files of a directory of statistics.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::record::{LoopRecord, PeerRecord};

/// What the files say, in the order of time.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    pub(crate) clock: Vec<LoopRecord>,
    /// By address.
    pub(crate) sources: BTreeMap<String, Vec<PeerRecord>>,
}

/// Lines of a file that are no records.
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}: lines that are no {kind} records: {count}, the first is line {first}", .path.display())]
pub(crate) struct Fault {
    path: PathBuf,
    kind: &'static str,
    count: usize,
    first: usize,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("cannot read {}: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "no file loopstats* or peerstats* in {}: name what `statsdir` in ntp.conf names; \
         `statistics loopstats peerstats` makes ntpd write them",
        .0.display()
    )]
    NoFiles(PathBuf),
}

impl Statistics {
    /// The times of the first and the last record.
    pub(crate) fn span(&self) -> Option<(f64, f64)> {
        let clock = self.clock.iter().map(|record| record.at);
        let sources = self.sources.values().flatten().map(|record| record.at);
        clock.chain(sources).fold(None, |span, at| match span {
            None => Some((at, at)),
            Some((first, last)) => Some((at.min(first), at.max(last))),
        })
    }

    /// Leaves out what was before `from` or after `to`.
    pub(crate) fn keep(&mut self, from: f64, to: f64) {
        let is_wanted = |at: f64| (from..=to).contains(&at);
        self.clock.retain(|record| is_wanted(record.at));
        for records in self.sources.values_mut() {
            records.retain(|record| is_wanted(record.at));
        }
        self.sources.retain(|_, records| !records.is_empty());
    }

    fn put_in_order(&mut self) {
        self.clock.sort_by(|one, other| one.at.total_cmp(&other.at));
        for records in self.sources.values_mut() {
            records.sort_by(|one, other| one.at.total_cmp(&other.at));
        }
    }
}

/// Reads all files of a directory, and says which have lines that are none.
pub(crate) fn read(directory: &Path) -> Result<(Statistics, Vec<Fault>), ReadError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ReadError::Read { path, source }
    };
    let mut statistics = Statistics::default();
    let mut faults = Vec::new();
    // The newest file has a second name, without the day.
    let mut seen = BTreeSet::new();
    let entries = fs::read_dir(directory).map_err(failed(directory))?;
    for entry in entries {
        let entry = entry.map_err(failed(directory))?;
        let name = entry.file_name();
        let Some(kind) = Kind::of(&name.to_string_lossy()) else {
            continue;
        };
        let path = entry.path();
        // Before it is opened, since a pipe would be waited for.
        let metadata = fs::metadata(&path).map_err(failed(&path))?;
        if !metadata.is_file() || !seen.insert((metadata.dev(), metadata.ino())) {
            continue;
        }
        let file = File::open(&path).map_err(failed(&path))?;
        let fault = read_file(kind, file, &mut statistics).map_err(failed(&path))?;
        faults.extend(fault.map(|(first, count)| Fault {
            path,
            kind: kind.prefix(),
            count,
            first,
        }));
    }
    if seen.is_empty() {
        return Err(ReadError::NoFiles(directory.to_owned()));
    }
    statistics.put_in_order();
    Ok((statistics, faults))
}

#[derive(Clone, Copy)]
enum Kind {
    Loop,
    Peer,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Loop => "loopstats",
            Self::Peer => "peerstats",
        }
    }

    /// `loopstats`, `loopstats.20261123` and their like.
    fn of(name: &str) -> Option<Self> {
        [Self::Loop, Self::Peer].into_iter().find(|kind| {
            name.strip_prefix(kind.prefix())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// The first line that is no record, and how many there are.
fn read_file(
    kind: Kind,
    file: File,
    statistics: &mut Statistics,
) -> io::Result<Option<(usize, usize)>> {
    /// No line of ours is as long; a file that is none may have no ends of lines at all.
    const LONGEST: u64 = 4096;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut fault = None;
    for number in 1.. {
        line.clear();
        let length = io::Read::take(&mut reader, LONGEST).read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        let known = std::str::from_utf8(&line)
            .ok()
            .and_then(|line| statistics.take(kind, line));
        if known.is_none() {
            let (_, count) = fault.get_or_insert((number, 0));
            *count += 1;
        }
    }
    Ok(fault)
}

impl Statistics {
    fn take(&mut self, kind: Kind, line: &str) -> Option<()> {
        match kind {
            Kind::Loop => self.clock.push(LoopRecord::parse(line)?),
            Kind::Peer => {
                let (address, record) = PeerRecord::parse(line)?;
                match self.sources.get_mut(address) {
                    Some(records) => records.push(record),
                    None => {
                        self.sources.insert(address.to_owned(), vec![record]);
                    }
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_several_days_are_put_together_and_links_count_once() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("loopstats.20261124"), "61368 5.0 2e-6 0 0 0 6\n").unwrap();
        fs::write(
            at("loopstats.20261123"),
            "61367 5.0 1e-6 0 0 0 6\nrubbish\n61367 4.0 0 0 0 0 6\n\n",
        )
        .unwrap();
        fs::hard_link(at("loopstats.20261124"), at("loopstats")).unwrap();
        fs::write(at("loopstats-old"), "no").unwrap();
        fs::write(at("peerstats"), "61367 7.0 ::1 961a 1 2 3 4\n").unwrap();
        let (mut statistics, faults) = read(directory.path()).unwrap();
        let offsets: Vec<f64> = statistics.clock.iter().map(|one| one.offset).collect();
        assert_eq!(offsets, [0.0, 1e-6, 2e-6]);
        assert_eq!(statistics.sources["::1"].len(), 1);
        let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0]
                .ends_with("20261123: lines that are no loopstats records: 2, the first is line 2"),
            "{faults:?}"
        );
        let (first, last) = statistics.span().unwrap();
        assert_eq!(last - first, 86_401.0);
        statistics.keep(first, first + 10.0);
        assert_eq!(statistics.clock.len(), 2);
        statistics.keep(first, first + 2.0);
        assert!(statistics.sources.is_empty());
    }

    #[test]
    fn pipes_are_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("loopstats.20261123"), "61367 5.0 1e-6 0 0 0 6\n").unwrap();
        fs::create_dir(at("loopstats.d")).unwrap();
        // Without the program there is still the directory.
        let _ = std::process::Command::new("mkfifo")
            .arg(at("peerstats"))
            .status();
        let (statistics, faults) = read(directory.path()).unwrap();
        assert_eq!((statistics.clock.len(), faults.len()), (1, 0));
        assert!(statistics.sources.is_empty());
    }

    #[test]
    fn a_directory_without_files_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let error = read(directory.path()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`statistics loopstats peerstats`")
        );
        assert!(read(&directory.path().join("none")).is_err());
    }
}
