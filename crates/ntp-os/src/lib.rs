//! What NTP needs of the operating system, and the only crate of the suite with unsafe code: the
//! clock, timestamped UDP, interfaces, names, privileges, files that are written whole.
//!
//! ```
//! use ntp_discipline::{Adjustment, Clock};
//! use ntp_os::{ClockSpec, SystemClock};
//! use ntp_wire::Duration;
//!
//! // What `--clock virtual:offset=37,freq=50` makes: 37 s ahead of this machine's clock, and
//! // moved without moving that one.
//! let spec: ClockSpec = "virtual:offset=37,freq=50".parse()?;
//! let mut clock = SystemClock::open(&spec)?;
//! clock.adjust(&Adjustment::Step(Duration::from_seconds(-37)))?;
//!
//! let right = SystemClock::open(&ClockSpec::None)?;
//! let difference = clock.read().wall - right.read().wall;
//! assert!(difference.abs() < Duration::from_millis(100));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! - the clock: [`SystemClock`], of the kind that a [`ClockSpec`] names; [`KernelStamp`] is what
//!   the kernel notes when a datagram arrives or leaves; a [`ClockReader`] is for other threads
//! - datagrams: [`NtpSocket`], opened with [`SocketOptions`], fills a [`Batch`] of [`Datagram`]s,
//!   sends what an [`Outbox`] holds, and tells by [`Departures`] when it left
//! - stamps of network cards: [`Cards`] with a clock of their own, which
//!   [`SocketOptions::cards`] hands to sockets
//! - answers from the network driver: [`DriverResponder`], which is attached to interfaces and told
//!   a [`Moment`] to answer from and [`SourceRule`]s
//! - addresses and names: [`interfaces`], [`AddressWatch`], [`host_name`], [`reverse_name`], [`resolve`], and
//!   [`Resolver`], which does not block
//! - the process: [`Account`], [`change_root`], [`raise_priority`], [`lower_priority`],
//!   [`daemonise`] and the [`Readiness`] that tells the parent, [`Syslog`]
//! - words for people: [`complain`]
//! - files: [`write_atomically`], [`read_file`], [`write_pid_file`]
//!
//! # What it refuses
//!
//! It makes no decisions: when to step, whom to answer and what a file means is for others. It
//! knows Linux only. And it does not touch the kernel's clock unless [`ClockSpec::Kernel`] was
//! asked for.

mod address_watch;
mod card;
mod clock;
mod complaint;
mod daemon;
mod file;
mod interface;
mod name;
mod priority;
mod privilege;
mod resolver;
mod socket;
mod stamp;
mod syslog;
mod xdp;

pub use address_watch::AddressWatch;
pub use card::{Card, CardError, Cards};
pub use clock::{ClockReader, ClockSpec, ClockSpecError, OpenClockError, SystemClock, VirtualSpec};
pub use complaint::{complain, complain_on};
pub use daemon::{DaemonError, Readiness, daemonise};
pub use file::{FileContents, ReadFileError, read_file, write_atomically, write_pid_file};
pub use interface::{Interface, interfaces};
pub use name::{Family, ResolveError, host_name, resolve, reverse_name};
pub use priority::{lower_priority, raise_priority};
pub use privilege::{Account, AccountError, PrivilegeError, change_root};
pub use resolver::{Resolved, Resolver};
pub use socket::{
    Batch, BindError, Datagram, Departure, Departures, NtpSocket, Outbox, SocketOptions,
};
pub use stamp::KernelStamp;
pub use syslog::{Facility, Severity, Syslog};
pub use xdp::{
    DriverCounts, DriverResponder, DriverSighting, Fate, Moment, SourceRule, Treatment, XdpError,
    XdpMode,
};
