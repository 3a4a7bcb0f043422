//! Everything that ntp.conf can say, checked.

use std::path::PathBuf;

use ntp_wire::Duration;

use crate::{
    Association, Crypto, Discard, Groups, HardwareTimestamps, InterfaceRule, Keys, LogMask,
    Metrics, Mru, Nts, ReferenceClock, Restriction, Statistics, Switch, Switches, Tinker, Tos,
    XdpInterface, decimal, discipline::Discipline, line::Line,
};

/// A configuration. [`Default`] is that of an empty file, with the reference's values.
///
/// What ranges are said at the fields hold for configurations that were read; who fills one in by
/// hand keeps to them.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// `server`, `peer`, `pool`, `broadcast`, `manycastclient`: in the order of the file.
    pub associations: Vec<Association>,
    /// `server 127.127.…` and `fudge`: in the order of the file.
    pub reference_clocks: Vec<ReferenceClock>,
    /// `restrict`: in the order of the file.
    pub restrictions: Vec<Restriction>,
    /// `driftfile`
    pub drift_file: Option<PathBuf>,
    /// `keys`, `trustedkey`, `controlkey`, `requestkey`, `keysdir`
    pub keys: Keys,
    /// `crypto`: Autokey is on if it is there, even if it says nothing.
    pub crypto: Option<Crypto>,
    /// `nts`: Network Time Security.
    pub nts: Nts,
    /// `discipline`: what steers the clock. `precise`.
    pub discipline: Discipline,
    /// `ident`: the Autokey group of servers that name none.
    pub ident: Option<String>,
    /// `automax`: how long a list of session keys lives, as a power of two in seconds. 12.
    pub automax: u8,
    /// `revoke`: how long private values live, as a power of two in seconds. 16.
    pub revoke: u8,
    /// `enable` and `disable`
    pub switches: Switches,
    /// `logfile`: the system log if `None`.
    pub log_file: Option<PathBuf>,
    /// `pidfile`
    pub pid_file: Option<PathBuf>,
    /// `logconfig`
    pub log_mask: LogMask,
    /// `statsdir`, `statistics`, `filegen`
    pub statistics: Statistics,
    /// `tos`
    pub tos: Tos,
    /// `tinker`
    pub tinker: Tinker,
    /// `discard`
    pub discard: Discard,
    /// `mru`
    pub mru: Mru,
    /// `interface` or `nic`: in the order of the file, the last that fits counts.
    pub interfaces: Vec<InterfaceRule>,
    /// `leapfile`
    pub leap_file: Option<PathBuf>,
    /// `leapfile … ignorehash` turns it off: the hash of the leap second file must be right.
    pub leap_file_check_hash: bool,
    /// `leapsmearinterval`: how long a leap second is smeared over; not at all if `None`.
    pub leap_smear_interval: Option<Duration>,
    /// `broadcastdelay`: the way to a broadcast server and back, if it is not measured. 4 ms.
    pub broadcast_delay: Duration,
    /// `broadcastclient`, `multicastclient`, `manycastserver`, `ttl`
    pub groups: Groups,
    /// `threads`: how many threads answer requests, 1 to 64; `None` is as many as there are
    /// processors.
    pub threads: Option<u16>,
    /// `hwtimestamp`: interfaces whose cards stamp packets.
    pub hardware_timestamps: HardwareTimestamps,
    /// `xdp`: interfaces whose drivers answer plain requests.
    pub xdp: Vec<XdpInterface>,
    /// `metrics`: where monitoring systems are answered; `None` is nowhere.
    pub metrics: Option<Metrics>,
    /// `dscp`: the class of packets, 0 to 63. 46.
    pub dscp: u8,
    /// `rlimit`
    pub limits: ResourceLimits,
    /// `tick`: microseconds of a tick of the clock.
    pub tick: Option<u32>,
    /// `nonvolatile`: how much the frequency must change before the drift file is written, in
    /// parts of one. 1e-7.
    pub drift_write_threshold: f64,
    /// `saveconfigdir`: where `saveconfig` of ntpq writes; nowhere if `None`.
    pub save_config_directory: Option<PathBuf>,
    /// `ntpsigndsocket`: where Samba's signing service is.
    pub sign_socket: Option<PathBuf>,
    /// `mdnstries`: how often to try to register with mDNS. 5.
    pub mdns_tries: u8,
    /// `setvar`
    pub variables: Vec<Variable>,
    /// Lines that are kept as they stand, since nothing comes of them in this version.
    pub kept: Vec<Kept>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            associations: Vec::new(),
            reference_clocks: Vec::new(),
            restrictions: Vec::new(),
            drift_file: None,
            keys: Keys::default(),
            crypto: None,
            nts: Nts::default(),
            discipline: Discipline::default(),
            ident: None,
            automax: 12,
            revoke: 16,
            switches: Switches::default(),
            log_file: None,
            pid_file: None,
            log_mask: LogMask::ALL,
            statistics: Statistics::default(),
            tos: Tos::default(),
            tinker: Tinker::default(),
            discard: Discard::default(),
            mru: Mru::default(),
            interfaces: Vec::new(),
            leap_file: None,
            leap_file_check_hash: true,
            leap_smear_interval: None,
            broadcast_delay: decimal::milliseconds(4),
            groups: Groups::default(),
            threads: None,
            hardware_timestamps: HardwareTimestamps::default(),
            xdp: Vec::new(),
            metrics: None,
            dscp: 46,
            limits: ResourceLimits::default(),
            tick: None,
            drift_write_threshold: 1e-7,
            save_config_directory: None,
            sign_socket: None,
            mdns_tries: 5,
            variables: Vec::new(),
            kept: Vec::new(),
        }
    }
}

/// `rlimit`: what the daemon may use; `None` leaves it to the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ResourceLimits {
    /// `memlock`: mebibytes that stay in memory; −1 locks none, 0 all.
    pub locked_memory: Option<i32>,
    /// `stacksize`: pages of 4 KiB.
    pub stack_pages: Option<u32>,
    /// `filenum`: open files.
    pub open_files: Option<u32>,
}

/// `setvar`: a system variable for ntpq to read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// `default`: whether it is shown without being asked for.
    pub listed: bool,
}

/// A line that is understood and comes to nothing in this version.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Kept {
    /// The directive.
    pub keyword: String,
    /// What follows it.
    pub arguments: Vec<String>,
}

impl Config {
    /// Whether broadcasts are followed: `broadcastclient`, or `enable bclient`.
    pub fn follows_broadcasts(&self) -> bool {
        self.groups.broadcast_client || self.switches.is_on(Switch::BroadcastClient)
    }

    /// The configuration as text that reads back as the same configuration.
    ///
    /// What is as it is by default is left out. Text that was filled in by hand and holds quotation
    /// marks or control characters cannot be written; these are left out.
    pub fn write(&self) -> String {
        let mut text = String::new();
        let out = &mut text;
        self.write_files(out);
        self.switches.write(out);
        self.log_mask.write(out);
        self.statistics.write(out);
        self.tinker.write(out);
        self.tos.write(out);
        self.keys.write(out);
        if let Some(crypto) = &self.crypto {
            crypto.write(out);
        }
        self.nts.write(out);
        self.write_values(out);
        self.groups.write(out);
        self.discard.write(out);
        self.mru.write(out);
        self.interfaces.iter().for_each(|rule| rule.write(out));
        self.hardware_timestamps.write(out);
        self.xdp.iter().for_each(|xdp| xdp.write(out));
        self.metrics.iter().for_each(|metrics| metrics.write(out));
        self.restrictions
            .iter()
            .for_each(|restriction| restriction.write(out));
        self.reference_clocks
            .iter()
            .for_each(|clock| clock.write(out));
        self.associations
            .iter()
            .for_each(|association| association.write(out));
        for variable in &self.variables {
            Line::new("setvar")
                .word(&variable.name)
                .word("=")
                .text(&variable.value)
                .flag("default", variable.listed)
                .end(out);
        }
        for kept in &self.kept {
            let line = Line::new(&kept.keyword);
            kept.arguments
                .iter()
                .fold(line, |line, word| line.name(word))
                .end(out);
        }
        text
    }

    fn write_files(&self, out: &mut String) {
        let files = [
            ("driftfile", &self.drift_file),
            ("logfile", &self.log_file),
            ("pidfile", &self.pid_file),
            ("saveconfigdir", &self.save_config_directory),
            ("ntpsigndsocket", &self.sign_socket),
        ];
        for (keyword, file) in files {
            if let Some(file) = file {
                Line::new(keyword).name(&file.to_string_lossy()).end(out);
            }
        }
        if let Some(file) = &self.leap_file {
            let line = Line::new("leapfile").name(&file.to_string_lossy());
            line.flag("ignorehash", !self.leap_file_check_hash).end(out);
        }
    }

    fn write_values(&self, out: &mut String) {
        let usual = Self::default();
        if self.discipline != usual.discipline {
            Line::new("discipline")
                .word(self.discipline.word())
                .end(out);
        }
        if let Some(ident) = &self.ident {
            Line::new("ident").name(ident).end(out);
        }
        let numbers = [
            ("automax", self.automax, usual.automax),
            ("revoke", self.revoke, usual.revoke),
            ("dscp", self.dscp, usual.dscp),
            ("mdnstries", self.mdns_tries, usual.mdns_tries),
        ];
        for (keyword, ours, usual) in numbers {
            if ours != usual {
                Line::new(keyword).word(ours).end(out);
            }
        }
        if let Some(threads) = self.threads {
            Line::new("threads").word(threads).end(out);
        }
        if let Some(tick) = self.tick {
            Line::new("tick").word(tick).end(out);
        }
        if let Some(interval) = self.leap_smear_interval {
            Line::new("leapsmearinterval")
                .word(decimal::write(interval))
                .end(out);
        }
        if self.broadcast_delay != usual.broadcast_delay {
            Line::new("broadcastdelay")
                .word(decimal::write(self.broadcast_delay))
                .end(out);
        }
        if self.drift_write_threshold != usual.drift_write_threshold {
            Line::new("nonvolatile")
                .word(self.drift_write_threshold)
                .end(out);
        }
        if self.limits != usual.limits {
            Line::new("rlimit")
                .option("memlock", self.limits.locked_memory)
                .option("stacksize", self.limits.stack_pages)
                .option("filenum", self.limits.open_files)
                .end(out);
        }
    }
}
