//! Hosts that talk to each other: each a network namespace with a host name of its own.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{Program, Run};

/// Whether this machine lets us make networks of our own: root, and iproute2.
pub fn can_make_networks() -> bool {
    nix::unistd::Uid::effective().is_root()
        && Command::new("ip")
            .arg("-V")
            .output()
            .is_ok_and(|output| output.status.success())
        && Command::new("unshare")
            .arg("-V")
            .output()
            .is_ok_and(|output| output.status.success())
}

/// Two hosts, `server` and `client`, on one cable; gone when it is dropped.
#[derive(Debug)]
pub struct Network {
    /// The host named `server`.
    pub server: Host,
    /// The host named `client`.
    pub client: Host,
    directory: TempDir,
}

/// One host.
#[derive(Debug)]
pub struct Host {
    namespace: String,
    name: &'static str,
    /// Its addresses on the cable.
    pub ipv4: Ipv4Addr,
    /// Its addresses on the cable.
    pub ipv6: Ipv6Addr,
    /// A directory of its own.
    pub directory: PathBuf,
}

impl Network {
    /// Makes the hosts.
    ///
    /// # Errors
    ///
    /// If the system refuses; see [`can_make_networks`].
    pub fn new() -> io::Result<Self> {
        let (directory, prefix) = unique()?;
        let host = |name, last: u8| {
            let letter = if last == 1 { 's' } else { 'c' };
            Host::new(format!("{prefix}{letter}"), name, last, directory.path())
        };
        let network = Self {
            server: host("server", 1),
            client: host("client", 2),
            directory,
        };
        let (server, client) = (&network.server, &network.client);
        server.make()?;
        client.make()?;
        let (s, c) = (server.namespace(), client.namespace());
        let ends = ["type", "veth", "peer", "name", "net0", "netns", c];
        ip(&[&["-n", s, "link", "add", "net0"][..], &ends].concat())?;
        server.configure()?;
        client.configure()?;
        Ok(network)
    }

    /// Where the hosts keep their files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in [&self.server, &self.client] {
            let _ = ip(&["netns", "del", &host.namespace]);
        }
    }
}

/// A directory for a network of this test, and what the names of its namespaces begin with: by
/// chance, as the directory's, for a process that was killed leaves its namespaces behind, and its
/// number may come again.
pub(crate) fn unique() -> io::Result<(TempDir, String)> {
    let directory = tempfile::Builder::new().prefix("mer").tempdir()?;
    let name = directory.path().file_name().unwrap_or_default();
    let prefix = name.to_string_lossy().into_owned();
    Ok((directory, prefix))
}

impl Host {
    pub(crate) fn new(namespace: String, name: &'static str, last: u8, directory: &Path) -> Self {
        Self {
            namespace,
            name,
            ipv4: Ipv4Addr::new(10, 0, 0, last),
            ipv6: Ipv6Addr::new(0xfd00, 0x4d65, 0, 0, 0, 0, 0, last.into()),
            directory: directory.join(name),
        }
    }

    /// Makes its directory and its namespace.
    pub(crate) fn make(&self) -> io::Result<()> {
        std::fs::create_dir(&self.directory)?;
        ip(&["netns", "add", &self.namespace])?;
        ip(&["-n", &self.namespace, "link", "set", "lo", "up"])
    }

    /// Gives its end of the cable, `net0`, its addresses.
    pub(crate) fn configure(&self) -> io::Result<()> {
        let n = self.namespace.as_str();
        let (ipv4, ipv6) = (format!("{}/24", self.ipv4), format!("{}/64", self.ipv6));
        // A broadcast address, which `ip` does not give by itself.
        ip(&["-n", n, "addr", "add", &ipv4, "brd", "+", "dev", "net0"])?;
        ip(&["-n", n, "addr", "add", &ipv6, "dev", "net0", "nodad"])?;
        ip(&["-n", n, "link", "set", "net0", "up"])
    }

    /// What it calls itself.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The address of the given family.
    pub fn address(&self, ipv6: bool) -> IpAddr {
        if ipv6 {
            self.ipv6.into()
        } else {
            self.ipv4.into()
        }
    }

    /// The name of its network namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A command that runs on this host, in its directory, without the right to set the clock.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command
            .args([
                "netns",
                "exec",
                &self.namespace,
                "unshare",
                "--uts",
                "sh",
                "-c",
            ])
            .arg(format!("hostname {} && exec \"$@\"", self.name))
            .args([
                "sh",
                "setpriv",
                "--bounding-set",
                "-sys_time",
                "--inh-caps",
                "-sys_time",
                "--",
            ])
            .arg(program.as_ref())
            .current_dir(&self.directory);
        command
    }

    /// Runs a shell line on this host with our programs first in `PATH`, and wants it to succeed.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn shell(&self, line: &str) -> Run {
        let programs = crate::built("ntpd");
        let path = format!(
            "{}:{}",
            programs.parent().unwrap_or(&programs).display(),
            std::env::var("PATH").unwrap_or_default()
        );
        Run::successfully(self.command("sh").args(["-c", line]).env("PATH", path))
    }

    /// Writes a file in the host's directory.
    ///
    /// # Panics
    ///
    /// If it can't be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Starts our ntpd on this host, with the file `ntp.conf` in its directory and this clock.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn ntpd(&self, clock: &str) -> Program {
        let mut command = self.command(crate::built("ntpd"));
        command.args(["-n", "-g", "-c", "ntp.conf", "--clock", clock]);
        self.start(&mut command, "ntpd.log")
    }

    /// What our ntpq on this host prints of its own daemon, errors included.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn ntpq(&self, command: &str) -> String {
        let run =
            Run::of(
                self.command(crate::built("ntpq"))
                    .args(["-n", "-c", command, "127.0.0.1"]),
            );
        run.stdout + &run.stderr
    }

    /// Starts a program on this host; what it says goes to a file named after it.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start(&self, command: &mut Command, log: &str) -> Program {
        Program::start(command, self.directory.join(log))
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }
}

pub(crate) fn ip(arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!(
        "ip {}: {text}",
        arguments.join(" ")
    )))
}
