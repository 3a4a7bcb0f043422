//! The files of statistics: which line goes where, and when a new file is begun.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
};

use jiff::tz::TimeZone;
use ntp_conf::{FilePeriod, Statistics, StatisticsKind};
use ntp_engine::Record;
use ntp_wire::Timestamp;

use crate::log::Log;

/// What the names of the files start with where `statsdir` is not written, as in ntpd 4.2.8.
const DEFAULT_PREFIX: &str = "/var/NTP/";

/// All series of files.
pub(crate) struct StatisticsFiles {
    series: Vec<Series>,
}

/// One series: `loopstats`, `loopstats.20261123` and so on.
struct Series {
    kind: StatisticsKind,
    /// The name without a date, which may be a link to the current file.
    bare: PathBuf,
    period: FilePeriod,
    link: bool,
    current: Option<(PathBuf, File)>,
    /// What went wrong last, until something goes right.
    problem: Option<io::ErrorKind>,
}

impl StatisticsFiles {
    /// The files that the configuration asks for. Nothing is opened yet.
    pub(crate) fn new(statistics: &Statistics) -> Self {
        let series = StatisticsKind::ALL.map(|kind| Series::new(kind, statistics));
        Self {
            series: series.into(),
        }
    }

    /// The configuration is another now.
    pub(crate) fn change(&mut self, statistics: &Statistics) {
        for series in &mut self.series {
            let new = Series::new(series.kind, statistics);
            let same = new.bare == series.bare && new.period == series.period;
            if !same || new.link != series.link {
                *series = new;
            }
        }
    }

    /// Adds a line. `uptime` is in seconds; what goes wrong is logged, once.
    pub(crate) fn write(&mut self, record: &Record, uptime: u64, log: &mut Log) {
        let series = self.series.iter_mut().find(|one| one.kind == record.kind);
        let Some(series) = series else { return };
        let path = series.path(record.at, uptime);
        match series.append(&path, record) {
            Ok(()) => series.problem = None,
            Err(error) => {
                series.current = None;
                if series.problem.replace(error.kind()) != Some(error.kind()) {
                    log.error(&format!(
                        "{}: {error}; this file of statistics is not written (see statsdir)",
                        path.display()
                    ));
                }
            }
        }
    }
}

impl Series {
    fn new(kind: StatisticsKind, statistics: &Statistics) -> Self {
        let (mut file, mut period, mut link) = (None, FilePeriod::Day, true);
        for line in statistics.files.iter().filter(|line| line.kind == kind) {
            file = line.file.as_deref().or(file);
            period = line.period.unwrap_or(period);
            link = line.link.unwrap_or(link);
        }
        let prefix = statistics.directory.as_deref();
        let mut name = prefix
            .unwrap_or_else(|| Path::new(DEFAULT_PREFIX))
            .to_owned()
            .into_os_string();
        name.push(file.unwrap_or_else(|| kind.keyword()));
        Self {
            kind,
            bare: name.into(),
            period,
            link,
            current: None,
            problem: None,
        }
    }

    /// Where a line of this time goes.
    fn path(&self, at: Timestamp, uptime: u64) -> PathBuf {
        let suffix = match self.period {
            FilePeriod::None => return self.bare.clone(),
            FilePeriod::Process => format!("#{}", process::id()),
            FilePeriod::Age => format!("a{:08}", uptime - uptime % 86_400),
            FilePeriod::Day => date(at, "%Y%m%d"),
            FilePeriod::Week => {
                let day: u32 = date(at, "%j").parse().unwrap_or(1);
                format!("{}W{:02}", date(at, "%Y"), day.saturating_sub(1) / 7)
            }
            FilePeriod::Month => date(at, "%Y%m"),
            FilePeriod::Year => date(at, "%Y"),
        };
        let mut name = self.bare.clone().into_os_string();
        name.push(".");
        name.push(suffix);
        name.into()
    }

    fn append(&mut self, path: &Path, record: &Record) -> io::Result<()> {
        let file = match &mut self.current {
            Some((open, file)) if open == path => file,
            _ => {
                let file = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o644)
                    .open(path)?;
                if self.link && self.period != FilePeriod::None {
                    self.renew_link(path)?;
                }
                &mut self.current.insert((path.to_owned(), file)).1
            }
        };
        // In one piece, so that who reads along sees whole lines.
        file.write_all(format!("{record}\n").as_bytes())
    }

    /// Makes the bare name another name of the current file.
    fn renew_link(&self, path: &Path) -> io::Result<()> {
        match fs::symlink_metadata(&self.bare) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            // Somebody's only copy of something: it is kept under another name.
            Ok(metadata) if metadata.is_file() && metadata.nlink() == 1 => {
                let mut kept = self.bare.clone().into_os_string();
                kept.push(format!(".C{}", process::id()));
                fs::rename(&self.bare, kept)?;
            }
            Ok(metadata) if metadata.is_dir() => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    format!("{} is a directory", self.bare.display()),
                ));
            }
            Ok(_) => fs::remove_file(&self.bare)?,
        }
        fs::hard_link(path, &self.bare)
    }
}

fn date(at: Timestamp, format: &str) -> String {
    jiff::Timestamp::from_second(at.to_unix().0)
        .map(|time| time.to_zoned(TimeZone::UTC).strftime(format).to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ntp_conf::FileGeneration;

    use super::*;

    /// 2026-11-23 02:09:00 UTC.
    const NOW: i64 = 1_795_399_740;

    fn files(directory: &Path, period: FilePeriod, link: bool) -> StatisticsFiles {
        let mut prefix = directory.to_owned().into_os_string();
        prefix.push("/");
        StatisticsFiles::new(&Statistics {
            directory: Some(prefix.into()),
            kinds: vec![StatisticsKind::Loop],
            files: vec![FileGeneration {
                kind: StatisticsKind::Loop,
                file: Some("loops".into()),
                period: Some(period),
                link: Some(link),
                enabled: None,
            }],
        })
    }

    fn record(at: i64, text: &str) -> Record {
        Record {
            kind: StatisticsKind::Loop,
            at: Timestamp::from_unix(at, 0),
            text: text.into(),
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn names_are_the_references() {
        let pid = format!("/d/loops.#{}", process::id());
        for (period, name) in [
            (FilePeriod::None, "/d/loops"),
            (FilePeriod::Process, &*pid),
            (FilePeriod::Day, "/d/loops.20261123"),
            (FilePeriod::Week, "/d/loops.2026W46"),
            (FilePeriod::Month, "/d/loops.202611"),
            (FilePeriod::Year, "/d/loops.2026"),
            (FilePeriod::Age, "/d/loops.a00086400"),
        ] {
            let files = files(Path::new("/d"), period, true);
            let series = &files.series[2];
            assert_eq!(series.kind, StatisticsKind::Loop);
            let path = series.path(Timestamp::from_unix(NOW, 0), 100_000);
            assert_eq!(path, Path::new(name));
        }
        let usual = StatisticsFiles::new(&Statistics::default());
        let path = usual.series[2].path(Timestamp::from_unix(NOW, 0), 0);
        assert_eq!(path, Path::new("/var/NTP/loopstats.20261123"));
    }

    #[test]
    fn a_new_day_has_a_new_file_and_the_bare_name_follows() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        fs::write(at.join("loops"), "precious").unwrap();
        let mut log = Log::open(None, true).0;
        let mut files = files(at, FilePeriod::Day, true);
        files.write(&record(NOW, "one"), 0, &mut log);
        files.write(&record(NOW + 1, "two"), 0, &mut log);
        files.write(&record(NOW + 86_400, "three"), 0, &mut log);
        let kept = format!("loops.C{}", process::id());
        assert_eq!(
            names(at),
            ["loops", "loops.20261123", "loops.20261124", &kept]
        );
        let read = |name: &str| fs::read_to_string(at.join(name)).unwrap();
        assert_eq!(read(&kept), "precious");
        assert_eq!(read("loops.20261123").lines().count(), 2);
        assert_eq!(read("loops"), read("loops.20261124"));
        assert!(read("loops").ends_with(" three\n"));
    }

    #[test]
    fn without_link_there_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = files(directory.path(), FilePeriod::Month, false);
        files.write(&record(NOW, "one"), 0, &mut Log::open(None, true).0);
        assert_eq!(names(directory.path()), ["loops.202611"]);
    }

    #[test]
    fn a_directory_that_is_not_there_may_come() {
        let directory = tempfile::tempdir().unwrap();
        let later = directory.path().join("later");
        let mut log = Log::open(None, true).0;
        let mut files = files(&later, FilePeriod::None, true);
        files.write(&record(NOW, "lost"), 0, &mut log);
        assert!(files.series[2].problem.is_some());
        fs::create_dir(&later).unwrap();
        files.write(&record(NOW, "kept"), 0, &mut log);
        assert!(files.series[2].problem.is_none());
        let text = fs::read_to_string(later.join("loops")).unwrap();
        assert_eq!(text.lines().count(), 1);
    }
}
