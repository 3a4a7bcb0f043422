//! How a command line names a clock: `--clock SPEC`.

use std::{fmt, path::PathBuf, str::FromStr};

use ntp_wire::{Duration, Ppm};

/// Which clock to run on.
///
/// Its text is `kernel`, `none`, or `virtual` with settings after a colon:
///
/// ```
/// use ntp_os::ClockSpec;
///
/// let spec: ClockSpec = "virtual:offset=37,freq=50,state=/run/clock".parse()?;
/// assert_eq!(spec.to_string(), "virtual:offset=37,freq=50,state=/run/clock");
/// let error = "virtual:freq=fast".parse::<ClockSpec>().unwrap_err();
/// assert_eq!(error.to_string(), "freq=fast: a number of parts per million is expected");
/// # Ok::<(), ntp_os::ClockSpecError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub enum ClockSpec {
    /// `kernel`: the machine's clock.
    #[default]
    Kernel,
    /// `none`: the machine's clock, never moved.
    None,
    /// `virtual`: a clock of the process's own, which nobody else sees.
    Virtual(VirtualSpec),
}

/// A virtual clock: it runs on the machine's monotonic clock and is as wrong as it is told to be.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct VirtualSpec {
    /// `offset`, in seconds: how far it is ahead of the machine's clock at its beginning.
    pub offset: Duration,
    /// `freq`: what it gains when left alone.
    pub frequency: Ppm,
    /// `state`: the file by which it outlives the process. Where that file holds a clock of this
    /// boot, that one goes on, and `offset` and `freq` say nothing; otherwise a new one begins.
    /// The clock is for one process after the other: of two at once, the last one to change it
    /// wins.
    pub state: Option<PathBuf>,
}

impl FromStr for ClockSpec {
    type Err = ClockSpecError;

    fn from_str(text: &str) -> Result<Self, ClockSpecError> {
        match text.split_once(':') {
            None if text == "kernel" => Ok(Self::Kernel),
            None if text == "none" => Ok(Self::None),
            None if text == "virtual" => Ok(Self::Virtual(VirtualSpec::default())),
            Some(("virtual", settings)) => settings.parse().map(Self::Virtual),
            _ => Err(ClockSpecError::UnknownClock(text.to_owned())),
        }
    }
}

impl FromStr for VirtualSpec {
    type Err = ClockSpecError;

    fn from_str(settings: &str) -> Result<Self, ClockSpecError> {
        /// As far as a [`Duration`] reaches.
        const FURTHEST: f64 = 2_147_483_647.0;
        /// At this rate a clock gains a second in ten.
        const FASTEST: f64 = 100_000.0;
        let mut spec = Self::default();
        let mut seen = Vec::new();
        for setting in settings.split(',') {
            let Some((name, value)) = setting.split_once('=') else {
                return Err(ClockSpecError::NotASetting(setting.to_owned()));
            };
            if seen.contains(&name) {
                return Err(ClockSpecError::Twice(name.to_owned()));
            }
            seen.push(name);
            let number = |what, limit: f64| {
                let number: f64 = value.parse().map_err(|_| ClockSpecError::NotANumber {
                    setting: setting.to_owned(),
                    what,
                })?;
                if number.abs() <= limit {
                    Ok(number)
                } else {
                    Err(ClockSpecError::TooLarge {
                        setting: setting.to_owned(),
                        limit,
                    })
                }
            };
            match name {
                "offset" => {
                    spec.offset = Duration::from_seconds_f64(number("seconds", FURTHEST)?);
                }
                "freq" => spec.frequency = Ppm::new(number("parts per million", FASTEST)?),
                "state" if value.is_empty() => return Err(ClockSpecError::NoFile),
                "state" => spec.state = Some(value.into()),
                _ => return Err(ClockSpecError::UnknownSetting(name.to_owned())),
            }
        }
        Ok(spec)
    }
}

impl fmt::Display for ClockSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel => f.write_str("kernel"),
            Self::None => f.write_str("none"),
            Self::Virtual(spec) => spec.fmt(f),
        }
    }
}

/// As [`ClockSpec`] has it, `virtual:` included.
impl fmt::Display for VirtualSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "virtual:offset={},freq={}",
            self.offset.to_seconds_f64(),
            self.frequency.value()
        )?;
        if let Some(state) = &self.state {
            write!(f, ",state={}", state.display())?;
        }
        Ok(())
    }
}

/// Why a text names no clock.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClockSpecError {
    /// Not one of the three clocks.
    #[error(
        "there is no clock '{0}': use kernel, none, virtual, or virtual:offset=37,freq=50,state=FILE"
    )]
    UnknownClock(String),
    /// Something without `=`.
    #[error("'{0}' is no setting: write NAME=VALUE, several with commas between")]
    NotASetting(String),
    /// A name that is not a setting of virtual clocks.
    #[error("a virtual clock has no setting '{0}': it has offset, freq and state")]
    UnknownSetting(String),
    /// A setting that is there twice.
    #[error("the setting '{0}' is there twice")]
    Twice(String),
    /// A value that is no number.
    #[error("{setting}: a number of {what} is expected")]
    NotANumber {
        /// The setting as it was written.
        setting: String,
        /// What is counted.
        what: &'static str,
    },
    /// A number that is out of range, or not finite.
    #[error("{setting}: more than {limit} is not possible")]
    TooLarge {
        /// The setting as it was written.
        setting: String,
        /// The largest possible number.
        limit: f64,
    },
    /// `state=` without a file.
    #[error("state= needs the name of a file")]
    NoFile,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_read_from_text() {
        assert_eq!("kernel".parse(), Ok(ClockSpec::Kernel));
        assert_eq!("none".parse(), Ok(ClockSpec::None));
        assert_eq!(
            "virtual".parse(),
            Ok(ClockSpec::Virtual(VirtualSpec::default()))
        );
        assert_eq!(
            "virtual:state=a=b,offset=-0.5,freq=-12.5".parse(),
            Ok(ClockSpec::Virtual(VirtualSpec {
                offset: Duration::from_millis(-500),
                frequency: Ppm::new(-12.5),
                state: Some("a=b".into()),
            }))
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, message) in [
            ("", "there is no clock ''"),
            ("kernel:offset=1", "there is no clock 'kernel:offset=1'"),
            ("virtual:", "'' is no setting"),
            ("virtual:37", "'37' is no setting"),
            ("virtual:drift=1", "no setting 'drift': it has"),
            ("virtual:freq=1,freq=2", "'freq' is there twice"),
            ("virtual:offset=", "offset=: a number of seconds"),
            ("virtual:offset=1e10", "offset=1e10: more than 2147483647"),
            ("virtual:offset=nan", "offset=nan: more than"),
            ("virtual:freq=-2e5", "freq=-2e5: more than 100000"),
            ("virtual:state=", "state= needs the name of a file"),
        ] {
            let error = text.parse::<ClockSpec>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
