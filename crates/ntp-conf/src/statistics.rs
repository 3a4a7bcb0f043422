//! `statsdir`, `statistics` and `filegen`: the statistics files.

use std::path::PathBuf;

use crate::{
    line::Line,
    reader::{Problem, Reader},
};

/// One series of files.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StatisticsKind {
    /// `clockstats`
    Clock,
    /// `cryptostats`
    Crypto,
    /// `loopstats`
    Loop,
    /// `peerstats`
    Peer,
    /// `rawstats`
    Raw,
    /// `sysstats`
    System,
    /// `protostats`
    Protocol,
    /// `timingstats`
    Timing,
}

impl StatisticsKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Clock,
        Self::Crypto,
        Self::Loop,
        Self::Peer,
        Self::Raw,
        Self::System,
        Self::Protocol,
        Self::Timing,
    ];

    /// The word of the configuration.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Clock => "clockstats",
            Self::Crypto => "cryptostats",
            Self::Loop => "loopstats",
            Self::Peer => "peerstats",
            Self::Raw => "rawstats",
            Self::System => "sysstats",
            Self::Protocol => "protostats",
            Self::Timing => "timingstats",
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Problem> {
        let word = reader.expect("a kind of statistics")?;
        let kind = Self::ALL
            .into_iter()
            .find(|kind| kind.keyword() == word.keyword());
        kind.ok_or_else(|| {
            Problem::unknown(word, "kind of statistics", &Self::ALL.map(Self::keyword))
        })
    }
}

/// When a new file is begun.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FilePeriod {
    /// `none`: never.
    None,
    /// `pid`: at every start of the daemon.
    Process,
    /// `day`
    Day,
    /// `week`
    Week,
    /// `month`
    Month,
    /// `year`
    Year,
    /// `age`: after every 24 hours of running.
    Age,
}

const PERIODS: [(&str, FilePeriod); 7] = [
    ("none", FilePeriod::None),
    ("pid", FilePeriod::Process),
    ("day", FilePeriod::Day),
    ("week", FilePeriod::Week),
    ("month", FilePeriod::Month),
    ("year", FilePeriod::Year),
    ("age", FilePeriod::Age),
];

/// What `filegen` says about a series; `None` leaves it as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileGeneration {
    /// The series.
    pub kind: StatisticsKind,
    /// `file`: the name of its files.
    pub file: Option<String>,
    /// `type`: when a new one is begun.
    pub period: Option<FilePeriod>,
    /// `link` or `nolink`: whether the bare name is a link to the current file.
    pub link: Option<bool>,
    /// `enable` or `disable`: whether it is written.
    pub enabled: Option<bool>,
}

/// The statistics files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// `statsdir`: what the names of the files start with; it is no directory without a final `/`.
    pub directory: Option<PathBuf>,
    /// `statistics`: the series that are written.
    pub kinds: Vec<StatisticsKind>,
    /// `filegen`
    pub files: Vec<FileGeneration>,
}

const OPTIONS: [&str; 6] = ["file", "type", "link", "nolink", "enable", "disable"];

impl Statistics {
    pub(crate) fn read_kinds(&mut self, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let mut kinds = vec![StatisticsKind::read(reader)?];
        while reader.peek().is_some() {
            kinds.push(StatisticsKind::read(reader)?);
        }
        for kind in kinds {
            if !self.kinds.contains(&kind) {
                self.kinds.push(kind);
            }
        }
        Ok(())
    }

    pub(crate) fn read_file(&mut self, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let kind = StatisticsKind::read(reader)?;
        let mut file = FileGeneration {
            kind,
            file: None,
            period: None,
            link: None,
            enabled: None,
        };
        while let Some(word) = reader.take() {
            match word.keyword() {
                "file" => {
                    let name = reader.peek();
                    let text = reader.text("the name of a file")?;
                    if let Some(name) = name
                        && text.split('/').any(|part| part == "..")
                    {
                        return Err(Problem::error(
                            &name.span,
                            "`..` may not stand in the name of a statistics file",
                            "`statsdir` says where the files are",
                        ));
                    }
                    file.file = Some(text);
                }
                "type" => {
                    let word = reader.expect("a period")?;
                    let period = PERIODS.iter().find(|(name, _)| *name == word.keyword());
                    let period = period.ok_or_else(|| {
                        Problem::unknown(word, "type of `filegen`", &PERIODS.map(|(name, _)| name))
                    })?;
                    file.period = Some(period.1);
                }
                "link" => file.link = Some(true),
                "nolink" => file.link = Some(false),
                "enable" => file.enabled = Some(true),
                "disable" => file.enabled = Some(false),
                _ => return Err(Problem::unknown(word, "option of `filegen`", &OPTIONS)),
            }
        }
        self.files.push(file);
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut String) {
        if let Some(directory) = &self.directory {
            Line::new("statsdir")
                .name(&directory.to_string_lossy())
                .end(out);
        }
        if !self.kinds.is_empty() {
            let line = Line::new("statistics");
            self.kinds
                .iter()
                .fold(line, |line, kind| line.word(kind.keyword()))
                .end(out);
        }
        for file in &self.files {
            let period = PERIODS
                .iter()
                .find(|(_, period)| Some(*period) == file.period);
            Line::new("filegen")
                .word(file.kind.keyword())
                .named("file", file.file.as_deref())
                .option("type", period.map(|(name, _)| name))
                .flag("link", file.link == Some(true))
                .flag("nolink", file.link == Some(false))
                .flag("enable", file.enabled == Some(true))
                .flag("disable", file.enabled == Some(false))
                .end(out);
        }
    }
}
