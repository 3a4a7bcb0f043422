//! Programs: those that run to their end, and those that run until they are dropped.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The programs that are tested.
/// Package ntpq makes ntpdc, ntpstat, ntp-wait and ntptrace as well.
const PROGRAMS: [&str; 6] = ["ntpd", "ntp-keygen", "ntpq", "ntpdate", "ntpviz", "ntpmon"];

/// The program `name` of this workspace, built in the same profile as the caller.
///
/// The first call builds all of them: `cargo test` alone builds no program of another package.
///
/// # Panics
///
/// If they can't be built.
pub fn built(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(build).join(name)
}

fn build() -> PathBuf {
    let this = std::env::current_exe().expect("a running program has a path");
    // Tests lie in target/PROFILE/deps, programs one level higher.
    let directory = this
        .ancestors()
        .skip(1)
        .find(|directory| !directory.ends_with("deps"))
        .expect("a program lies in a directory");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet"]);
    if directory.ends_with("release") {
        command.arg("--release");
    }
    for program in PROGRAMS {
        command.args(["--package", program]);
    }
    // What cargo tells a test of its package would let build scripts of dependencies run again.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    let status = command
        .stdin(Stdio::null())
        .status()
        .expect("cargo runs, for it runs the tests");
    assert!(status.success(), "the programs can't be built: {command:?}");
    directory.to_owned()
}

/// What a program that ran to its end said.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its exit code; −1 if a signal ended it.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Run {
    /// Runs `command` to its end.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn of(command: &mut Command) -> Self {
        let output = command
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self::from(output)
    }

    /// The same, with the demand that it succeeds.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn successfully(command: &mut Command) -> Self {
        let run = Self::of(command);
        assert_eq!(run.code, 0, "{command:?}: {run:?}");
        run
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A program that runs until it is dropped; what it says is kept in a file.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command`; both its outputs go to the file `log`.
    ///
    /// # Errors
    ///
    /// If the file can't be made or the program can't be started.
    pub fn start(command: &mut Command, log: impl Into<PathBuf>) -> io::Result<Self> {
        let log = log.into();
        let file = File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        Ok(Self { child, log })
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The file that holds what it says.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Its process number.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until its log contains `text`; `false` if that takes longer than `patience`.
    pub fn says(&mut self, text: &str, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        loop {
            if self.log().contains(text) {
                return true;
            }
            if Instant::now() >= end || !self.is_running() {
                return self.log().contains(text);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            // A program that has ended already needs no signal.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }

    /// Asks it to end, and waits; its exit code, −1 if it had to be killed.
    pub fn stop(&mut self) -> i32 {
        self.signal(Signal::SIGTERM);
        for _ in 0..250 {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.code().unwrap_or(-1),
                Ok(None) => thread::sleep(Duration::from_millis(20)),
                Err(_) => break,
            }
        }
        self.kill();
        -1
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.is_running() {
            self.stop();
        }
    }
}
