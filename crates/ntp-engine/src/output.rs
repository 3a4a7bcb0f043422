//! What goes into the engine, and what comes out of it.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use ntp_autokey::{Credentials, IdentityGroups};
use ntp_conf::{AddressFamily, Config, NtsServer};
use ntp_discipline::{Adjustment, Applied, ClockError};
use ntp_keys::KeyTable;
use ntp_nts::{Agreement, CookieKeys};
use ntp_restrict::{PastSighting, RestrictFlags};
use ntp_wire::{AssociationId, KeyId, Ppm, Timestamp, control::ControlHeader};

use crate::{Counters, Endpoint, Event, InterfaceDescription, Record, ServerView, Work, Worked};

/// Something that the world did.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A datagram arrived.
    Datagram {
        /// When it arrived, as the kernel noted it; the engine's `now` is later.
        received: Timestamp,
        /// Our address that it was sent to.
        local: IpAddr,
        /// Where it came from.
        remote: SocketAddr,
        /// What it holds.
        data: &'a [u8],
    },
    /// A datagram arrived in another thread, which found it to be [for the
    /// engine](crate::Verdict::Engine).
    Screened {
        /// When it arrived, as the kernel noted it; the engine's `now` is later.
        received: Timestamp,
        /// Our address that it was sent to.
        local: IpAddr,
        /// Where it came from.
        remote: SocketAddr,
        /// The restrictions in force.
        flags: RestrictFlags,
        /// What it holds.
        data: &'a [u8],
    },
    /// A datagram arrived that was sent to many: to the broadcast address of a network, or to a
    /// group that we are in.
    DatagramToMany {
        /// When it arrived, as the kernel noted it.
        received: Timestamp,
        /// Our own address on the network that it came from.
        local: IpAddr,
        /// Where it came from.
        remote: SocketAddr,
        /// The broadcast address or group that it was sent to.
        to: IpAddr,
        /// What it holds.
        data: &'a [u8],
    },
    /// A name was looked up, as [`Output::Resolve`] asked.
    Resolved {
        /// For which association.
        association: AssociationId,
        /// Where it is, the best address first; or why that is not known.
        endpoints: Result<Vec<Endpoint>, String>,
    },
    /// Keys were asked for, as [`Output::ExchangeKeys`] asked.
    KeysExchanged {
        /// For which association.
        association: AssociationId,
        /// What was agreed on, and where the NTP server is, the best address first; or why there are
        /// no keys.
        result: Result<(Agreement, Vec<Endpoint>), String>,
    },
    /// The clock was changed, or not, as [`Output::Adjust`] asked.
    ClockChanged {
        /// What was asked for.
        asked: Adjustment,
        /// What happened.
        result: Result<Applied, ClockError>,
    },
    /// The file of leap seconds was read, as [`Output::ReadLeapFile`] asked: what it holds, or why
    /// that is not known.
    LeapFile(Result<&'a [u8], String>),
    /// The work is done that [`Output::Work`] asked for; `None` if it was given up.
    Worked(Option<Box<Worked>>),
    /// Requests were answered without the engine, from its [`ServerView`]: so many since this was
    /// last told, of these clients.
    Answered {
        /// How many.
        counters: Counters,
        /// Who asked which address of ours, those who asked last at the end.
        clients: Vec<(IpAddr, PastSighting)>,
    },
    /// The files of Autokey are others than they were ([`Output::WatchIdentity`]).
    Identity(Box<IdentityFiles>),
    /// These are the addresses that packets come to and go from, now.
    Interfaces(Vec<InterfaceDescription>),
    /// The file of keys was read, as [`Output::ReadKeys`] asked; or why its keys are not used.
    Keys(Result<KeyTable, String>),
    /// The host of a `restrict` line was looked up, as [`Output::ResolveRestricted`] asked: its
    /// addresses, or why they are not known.
    ResolvedRestricted {
        /// The number of the question.
        number: u16,
        /// The addresses.
        addresses: Result<Vec<IpAddr>, String>,
    },
    /// The configuration was written to a file, or why not, as [`Output::SaveConfiguration`] asked.
    ConfigurationSaved {
        /// What was asked for.
        request: Box<SaveRequest>,
        /// The name that the file has got, or why there is none.
        result: Result<String, SaveError>,
    },
    /// A datagram has left, as [`Output::Send`] asked and wanted to know; or the reply of
    /// [`Engine::respond`](crate::Engine::respond) has.
    Sent {
        /// When, as the kernel noted it, or shortly before.
        at: Timestamp,
        /// To there.
        remote: SocketAddr,
        /// What it held: the header at least.
        data: &'a [u8],
    },
    /// A datagram could not be sent, as [`Output::Send`] or [`Output::SendToMany`] asked.
    NotSent {
        /// From this address of ours.
        local: IpAddr,
    },
}

/// What is in `keysdir`.
#[derive(Clone, Debug)]
pub struct IdentityFiles {
    /// Our own keys and certificate; `None` if they cannot be used, in which case those from before
    /// stay in use.
    pub credentials: Option<Credentials>,
    /// The groups whose parameters are at hand.
    pub groups: IdentityGroups,
}

/// Something that the world should do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a datagram.
    Send {
        /// From this address of ours.
        local: IpAddr,
        /// To there.
        remote: SocketAddr,
        /// Say by [`Input::Sent`] when it left, if the system can tell.
        stamped: bool,
        /// All of it.
        data: Bytes,
    },
    /// Send a datagram to a broadcast address or a group.
    SendToMany {
        /// From this address of ours, on its network.
        local: IpAddr,
        /// To there.
        remote: SocketAddr,
        /// Through at most so many routers, if it is a group.
        hops: u8,
        /// All of it.
        data: Bytes,
    },
    /// Change the clock and say what became of it by [`Input::ClockChanged`].
    Adjust(Adjustment),
    /// Find out where a server is and by which of our addresses it is reached; answer by
    /// [`Input::Resolved`].
    Resolve {
        /// For this association.
        association: AssociationId,
        /// A host name or an address.
        name: String,
        /// Its port.
        port: u16,
        /// Addresses of this family only.
        family: Option<AddressFamily>,
    },
    /// Ask a server for NTS keys and answer by [`Input::KeysExchanged`].
    ExchangeKeys(Box<KeyOrder>),
    /// Read this file and answer by [`Input::LeapFile`].
    ReadLeapFile(PathBuf),
    /// Read this file of keys and answer by [`Input::Keys`].
    ReadKeys(PathBuf),
    /// Look up all addresses of a host that a `restrict` line names, and answer by
    /// [`Input::ResolvedRestricted`].
    ResolveRestricted {
        /// The number of the question.
        number: u16,
        /// The host.
        name: String,
        /// Addresses of this family only.
        family: Option<AddressFamily>,
    },
    /// The operator changed the configuration to this: what the driver does by it, statistics files
    /// and groups to listen to, is done by this one from now on.
    Configured(Box<Config>),
    /// Do this public-key work, where it keeps no packet waiting, and bring what came of it back by
    /// [`Input::Worked`]. Only so much of it is asked for at a time.
    Work(Box<Work>),
    /// Look whether the files of Autokey have changed since they were read, and bring what is new by
    /// [`Input::Identity`].
    WatchIdentity,
    /// Write the configuration to a new file, and answer by [`Input::ConfigurationSaved`].
    SaveConfiguration(Box<SaveRequest>),
    /// Keep these keys of NTS cookies, where nobody else can read them.
    KeepCookieKeys(Arc<CookieKeys>),
    /// Keep this frequency correction in the drift file.
    WriteDrift(Ppm),
    /// Tell the operator.
    Event(Event),
    /// Add a line to a statistics file.
    Record(Record),
    /// The packet path answers from this from now on.
    Publish(Arc<ServerView>),
    /// End the process.
    Exit(Exit),
}

/// Where NTS keys are to be had, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyOrder {
    /// For this association.
    pub association: AssociationId,
    /// A host name or an address, maybe with a TCP port after a colon.
    pub name: String,
    /// Addresses of this family only.
    pub family: Option<AddressFamily>,
    /// The UDP port of the NTP server, if the server of keys names no other.
    pub port: u16,
    /// How it is asked, and judged.
    pub options: NtsServer,
    /// The file, or directory, of authorities where `options` name none; the system's if `None`.
    pub authorities: Option<PathBuf>,
}

/// A file that ntpq's `saveconfig` asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaveRequest {
    /// Where the file is to be.
    pub directory: PathBuf,
    /// What the file is called by who asked. `%Y` and the like stand for parts of the time.
    pub name: String,
    /// What it is to hold.
    pub text: String,
    /// What he sent.
    pub(crate) header: ControlHeader,
    /// The key that he signed it with, which the answer is signed with, too.
    pub(crate) signer: Option<KeyId>,
    /// Where it came to.
    pub(crate) local: IpAddr,
    /// Where it came from.
    pub(crate) remote: SocketAddr,
}

/// Why a configuration was not saved.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SaveError {
    /// With the time in it, the name is none that somebody far away may choose.
    #[error("unsafe file name '{0}'")]
    UnsafeName(String),
    /// The file can't be written.
    #[error("{0}")]
    NotWritten(String),
}

impl SaveRequest {
    /// Where a file of this name is, which must not be there yet; `None` if nobody far away may
    /// give a file such a name.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+:".contains(&byte);
        let is_safe = !name.is_empty() && !name.starts_with('.') && name.bytes().all(fits);
        is_safe.then(|| self.directory.join(name))
    }
}

/// Why the daemon ends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Exit {
    /// `-q`: the clock was stepped by this much.
    Stepped(ntp_wire::Duration),
    /// `-q`: the clock is being slewed by this much.
    Slewed(ntp_wire::Duration),
    /// `-q`: the clock could not be set; the log says why.
    Refused,
    /// `-q`: no server could be used.
    NoServers,
    /// The offset is above the panic threshold, in which case nothing should set the clock.
    /// Its status says by then that it is not synchronised.
    Panic(ntp_wire::Duration),
}
