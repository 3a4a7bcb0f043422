//! Any number of hosts on one switch.

use std::{io, path::Path};

use tempfile::TempDir;

use crate::host::{Host, ip, unique};

/// Hosts that all hear each other, broadcasts and multicasts too; gone when it is dropped.
#[derive(Debug)]
pub struct Lan {
    hosts: Vec<Host>,
    switch: String,
    directory: TempDir,
}

impl Lan {
    /// Makes hosts of these names, at 10.0.0.1, 10.0.0.2 and so on.
    ///
    /// # Errors
    ///
    /// If the system refuses; see [`can_make_networks`](crate::can_make_networks).
    pub fn new(names: &[&'static str]) -> io::Result<Self> {
        let (directory, prefix) = unique()?;
        let switch = format!("{prefix}w");
        ip(&["netns", "add", &switch])?;
        let mut lan = Self {
            hosts: Vec::new(),
            switch,
            directory,
        };
        let w = lan.switch.as_str();
        ip(&["-n", w, "link", "add", "bridge0", "type", "bridge"])?;
        ip(&["-n", w, "link", "set", "bridge0", "up"])?;
        for (last, name) in (1..).zip(names) {
            let host = Host::new(format!("{prefix}h{last}"), name, last, lan.directory.path());
            host.make()?;
            let (w, h) = (lan.switch.as_str(), host.namespace());
            let port = format!("port{last}");
            let ends = ["type", "veth", "peer", "name", "net0", "netns", h];
            ip(&[&["-n", w, "link", "add", &port][..], &ends].concat())?;
            ip(&["-n", w, "link", "set", &port, "master", "bridge0", "up"])?;
            host.configure()?;
            lan.hosts.push(host);
        }
        Ok(lan)
    }

    /// The host of this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn host(&self, name: &str) -> &Host {
        let found = self.hosts.iter().find(|host| host.name() == name);
        found.unwrap_or_else(|| panic!("no host {name}"))
    }

    /// Where the hosts keep their files, each in a directory of its name.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for host in &self.hosts {
            let _ = ip(&["netns", "del", host.namespace()]);
        }
        let _ = ip(&["netns", "del", &self.switch]);
    }
}
