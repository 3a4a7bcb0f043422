//! Other implementations that are alive: chrony and NTPsec, where they are at hand.

use std::path::{Path, PathBuf};

use crate::{Host, Program};

/// The programs of chrony and NTPsec, unpacked from their packages.
#[derive(Clone, Debug)]
pub struct Peers {
    root: PathBuf,
}

impl Peers {
    /// Those in the directory that `MERIDIAN_PEERS` names: packages of Debian, unpacked there by
    /// `dpkg -x`, with the libraries that they need.
    pub fn find() -> Option<Self> {
        let root = PathBuf::from(std::env::var_os("MERIDIAN_PEERS")?);
        let peers = Self { root };
        [peers.program("chronyd"), peers.program("ntpd")]
            .iter()
            .all(|path| path.is_file())
            .then_some(peers)
    }

    /// Where the packages are unpacked.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the tools are there that people watch ntpd with: the packages `python3-ntp`,
    /// `monitoring-plugins-basic`, `munin-plugins-core`, `munin-common` and `collectd-core` beside
    /// NTPsec's, and Debian's Python.
    pub fn has_tools(&self) -> bool {
        [
            "usr/lib/python3/dist-packages/ntp",
            "usr/lib/nagios/plugins/check_ntp_peer",
            "usr/share/munin/plugins/ntp_offset",
            "usr/share/munin/plugins/plugin.sh",
            "usr/lib/collectd/ntpd.so",
        ]
        .iter()
        .all(|path| self.root.join(path).exists())
            && Path::new("/usr/bin/python3").exists()
    }

    fn program(&self, name: &str) -> PathBuf {
        self.root.join("usr/sbin").join(name)
    }

    /// Starts chronyd on `host`; it leaves the clock alone (`-x`).
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn chronyd(&self, host: &Host, configuration: &Path) -> Program {
        // Nor does it become another user or drop what it needs to log.
        self.start(
            host,
            "chronyd",
            &["-x", "-d", "-u", "root", "-f"],
            configuration,
        )
    }

    /// Starts NTPsec's ntpd on `host`, which may not set the clock.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn ntpsec(&self, host: &Host, configuration: &Path) -> Program {
        self.start(host, "ntpd", &["-n", "-g", "-c"], configuration)
    }

    fn start(&self, host: &Host, name: &str, options: &[&str], configuration: &Path) -> Program {
        let mut command = host.command(self.program(name));
        command
            .args(options)
            .arg(configuration)
            .env("LD_LIBRARY_PATH", self.libraries());
        if let Some(no_clock) = std::env::var_os("MERIDIAN_NOCLOCK") {
            command.env("LD_PRELOAD", no_clock);
        }
        host.start(&mut command, &format!("{name}-of-others.log"))
    }

    /// `usr/lib/TRIPLE` and `lib/TRIPLE`.
    fn libraries(&self) -> String {
        let mut found = Vec::new();
        for base in ["usr/lib", "lib"] {
            let base = self.root.join(base);
            found.push(base.display().to_string());
            let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
            found.extend(entries.map(|entry| entry.path().display().to_string()));
        }
        found.join(":")
    }
}
