//! Hosts that share this machine's loopback interface, each with an address of its own: no root.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
};

use tempfile::TempDir;

use crate::{Program, Run, built, question::answer};

/// The loopback addresses that a port is looked for on.
const ADDRESSES: u8 = 4;

/// A UDP port that is free on 127.0.0.1 to 127.0.0.4, and that no other call here has given.
///
/// # Panics
///
/// If there is none.
pub fn free_port() -> u16 {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    // Below the ports that the system gives to clients.
    let first = 13_000 + u16::try_from(std::process::id() % 128).unwrap_or(0) * 128;
    for _ in 0..1000 {
        let port = first + COUNT.fetch_add(1, Ordering::Relaxed) % 1024;
        if (1..=ADDRESSES)
            .all(|last| UdpSocket::bind((Ipv4Addr::new(127, 0, 0, last), port)).is_ok())
        {
            return port;
        }
    }
    panic!("no free UDP port after {first}");
}

/// A host with an address on the loopback interface and a directory of its own.
#[derive(Debug)]
pub struct Loopback {
    /// Its name, which is that of its keys.
    pub name: &'static str,
    /// Where its daemon listens.
    pub address: SocketAddr,
    directory: TempDir,
}

impl Loopback {
    /// The host 127.0.0.`last`, whose daemon uses `port`.
    ///
    /// # Panics
    ///
    /// If its directory can't be made.
    pub fn new(name: &'static str, last: u8, port: u16) -> Self {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        std::fs::create_dir(directory.path().join("keys")).expect("a directory can be made in it");
        Self {
            name,
            address: (Ipv4Addr::new(127, 0, 0, last), port).into(),
            directory,
        }
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The directory of its keys.
    pub fn keys(&self) -> PathBuf {
        self.directory().join("keys")
    }

    /// Writes a file in its directory.
    ///
    /// # Panics
    ///
    /// If it can't be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory().join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// A command that runs one of our programs in its directory.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(built(program));
        command.current_dir(self.directory());
        command
    }

    /// Runs `ntp-keygen` in the directory of its keys.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn keygen(&self, line: &str) -> Run {
        let mut command = self.command("ntp-keygen");
        command
            .args(line.split_whitespace())
            .args(["-s", self.name])
            .current_dir(self.keys());
        Run::successfully(&mut command)
    }

    /// Our daemon on a virtual clock, with the configuration `text`; not started yet.
    pub fn ntpd(&self, text: &str) -> Command {
        self.write("ntp.conf", text);
        let mut command = self.command("ntpd");
        command
            .args(["-n", "-g", "-c", "ntp.conf", "--clock", "virtual", "-I"])
            .arg(self.address.ip().to_string())
            .args(["--port", &self.address.port().to_string()]);
        command
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start(&self, text: &str) -> Program {
        let mut command = self.ntpd(text);
        Program::start(&mut command, self.directory().join("ntpd.log"))
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// What our `ntpq -c command` says of its daemon.
    pub fn ask(&self, command: &str) -> String {
        answer(&mut self.ntpq(command))
    }

    /// `ntpq -c command` of its daemon.
    pub fn ntpq(&self, command: &str) -> Command {
        let mut ntpq = self.command("ntpq");
        ntpq.args(["-n", "--port", &self.address.port().to_string()])
            .args(["-c", command, &self.address.ip().to_string()]);
        ntpq
    }
}
