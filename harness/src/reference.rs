//! The reference implementation, ntp 4.2.8p15 with Autokey, where it is at hand.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Host, Program};

/// The programs of the reference, and the library that keeps its hands off the clock.
#[derive(Clone, Debug)]
pub struct Reference {
    programs: PathBuf,
    no_clock: PathBuf,
}

impl Reference {
    /// The reference in the directory that `MERIDIAN_REFERENCE` names, which has `bin/ntpd` and
    /// its like, and the shared library that `MERIDIAN_NOCLOCK` names.
    pub fn find() -> Option<Self> {
        let programs = PathBuf::from(std::env::var_os("MERIDIAN_REFERENCE")?).join("bin");
        let no_clock = PathBuf::from(std::env::var_os("MERIDIAN_NOCLOCK")?);
        (programs.join("ntpd").is_file() && no_clock.is_file())
            .then_some(Self { programs, no_clock })
    }

    /// One of its programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Starts its ntpd on `host` with this configuration file.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn ntpd(&self, host: &Host, configuration: &Path) -> Program {
        let mut command = self.command(host, "ntpd");
        command.args(["-n", "-g", "-c"]).arg(configuration);
        host.start(&mut command, "reference-ntpd.log")
    }

    /// A command that runs one of its programs on `host`.
    pub fn command(&self, host: &Host, name: &str) -> Command {
        let mut command = host.command(self.program(name));
        command.env("LD_PRELOAD", &self.no_clock);
        command
    }
}
