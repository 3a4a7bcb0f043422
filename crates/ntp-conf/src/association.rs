//! `server`, `peer`, `pool`, `broadcast` and `manycastclient`: whom to exchange time with.

use std::{fmt, net::IpAddr};

use ntp_wire::{KeyId, PollExponent, Version};

use crate::{
    NtsServer, Span,
    line::Line,
    reader::{Problem, Reader},
    reference_clock::{ClockAddress, ReferenceClock},
};

/// How an association is set up: the directive that names it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum AssociationKind {
    /// `server`: a client of it (mode 3).
    #[default]
    Server,
    /// `peer`: symmetric active (mode 1).
    Peer,
    /// `pool`: a client of several of the addresses of a name.
    Pool,
    /// `broadcast`: announces to it (mode 5).
    Broadcast,
    /// `manycastclient`: searches for servers in a group.
    ManycastClient,
}

impl AssociationKind {
    /// The directive.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Peer => "peer",
            Self::Pool => "pool",
            Self::Broadcast => "broadcast",
            Self::ManycastClient => "manycastclient",
        }
    }
}

/// Which addresses of a name are meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AddressFamily {
    /// `-4`
    Ipv4,
    /// `-6`
    Ipv6,
}

impl AddressFamily {
    /// The option that asks for it.
    pub const fn option(self) -> &'static str {
        match self {
            Self::Ipv4 => "-4",
            Self::Ipv6 => "-6",
        }
    }

    /// The family of `address`.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// Takes `-4`, `ipv4`, `-6` or `ipv6` if it comes next.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let family = match reader.peek()?.keyword() {
            "-4" | "ipv4" => Self::Ipv4,
            "-6" | "ipv6" => Self::Ipv6,
            _ => return None,
        };
        reader.take();
        Some(family)
    }
}

/// An address, or a name that somebody has yet to look up.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ServerAddress {
    /// An address.
    Ip(IpAddr),
    /// A host name.
    Name(String),
}

impl ServerAddress {
    /// An address if `text` is one, else a name.
    pub fn new(text: &str) -> Self {
        match text.parse() {
            Ok(address) => Self::Ip(address),
            Err(_) => Self::Name(text.to_owned()),
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// One line `server …` and its like. Reference clocks are [`ReferenceClock`]s instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Association {
    /// The directive.
    pub kind: AssociationKind,
    /// The other side.
    pub address: ServerAddress,
    /// `-4` or `-6`: which addresses of a name to use; any if `None`.
    pub family: Option<AddressFamily>,
    /// `port`: UDP port to ask; 123 if `None`. ntpd 4.2.8 does not have it.
    pub port: Option<u16>,
    /// `version`: the protocol version to speak, 1 to 4.
    pub version: Version,
    /// `minpoll`: the shortest interval; never above `maximum_poll`.
    pub minimum_poll: PollExponent,
    /// `maxpoll`: the longest interval.
    pub maximum_poll: PollExponent,
    /// `iburst`: eight packets at once while the server is not reachable.
    pub initial_burst: bool,
    /// `burst`: eight packets at once at every poll.
    pub burst: bool,
    /// `prefer`: to be followed if it is correct.
    pub prefer: bool,
    /// `noselect`: to be watched, never followed.
    pub no_select: bool,
    /// `true`: counts as correct without proof.
    pub always_true: bool,
    /// `preempt`: may be replaced by a better one.
    pub preempt: bool,
    /// `xleave`: interleaved mode.
    pub interleave: bool,
    /// `xmtnonce`: a random number in place of the transmit time in requests.
    pub transmit_nonce: bool,
    /// `key`: the symmetric key of every packet.
    pub key: Option<KeyId>,
    /// `autokey`: the Autokey protocol authenticates.
    pub autokey: bool,
    /// `nts`: Network Time Security authenticates, and how keys are asked for.
    pub nts: Option<NtsServer>,
    /// `ident`: the Autokey group of the server.
    pub ident: Option<String>,
    /// `ttl`: hops that a multicast packet may go.
    pub ttl: Option<u8>,
    /// `mode`: only reference clocks heed it.
    pub mode: u32,
}

const OPTIONS: [&str; 22] = [
    "ask", "autokey", "burst", "ca", "cert", "iburst", "ident", "key", "maxpoll", "minpoll",
    "mode", "noselect", "noval", "nts", "port", "preempt", "prefer", "true", "ttl", "version",
    "xleave", "xmtnonce",
];

impl Association {
    /// With every option as it is where nothing is written.
    pub fn new(kind: AssociationKind, address: ServerAddress) -> Self {
        Self {
            kind,
            address,
            family: None,
            port: None,
            version: Version::V4,
            minimum_poll: PollExponent::DEFAULT_MINIMUM,
            maximum_poll: PollExponent::DEFAULT_MAXIMUM,
            initial_burst: false,
            burst: false,
            prefer: false,
            no_select: false,
            always_true: false,
            preempt: false,
            interleave: false,
            transmit_nonce: false,
            key: None,
            autokey: false,
            nts: None,
            ident: None,
            ttl: None,
            mode: 0,
        }
    }

    pub(crate) fn read(kind: AssociationKind, reader: &mut Reader<'_>) -> Result<Source, Problem> {
        let family = AddressFamily::read(reader);
        let address_word = reader.expect("an address or a host name")?;
        let text =
            plain_address(address_word.text.as_str()).ok_or_else(|| bad_address(address_word))?;
        let mut association = Self::new(kind, ServerAddress::new(text));
        if let (Some(family), ServerAddress::Ip(address)) = (family, &association.address)
            && family != AddressFamily::of(*address)
        {
            return Err(Problem::error(
                &address_word.span,
                format!("{address} is no address for `{}`", family.option()),
                "leave out the option, or write an address of that family",
            ));
        }
        association.family = family;
        if let (AssociationKind::ManycastClient, ServerAddress::Ip(address)) =
            (kind, &association.address)
            && !address.is_multicast()
        {
            return Err(no_group(*address, &address_word.span));
        }
        let mut polls = (None, None);
        let mut nts = NtsServer::default();
        let mut nts_words = Vec::new();
        while let Some(word) = reader.take() {
            if NtsServer::OPTIONS.contains(&word.keyword()) {
                nts.read_option(word, reader)?;
                nts_words.push(word);
            } else {
                association.read_option(word, reader, &mut polls)?;
            }
        }
        if let Some(found) = &mut association.nts {
            *found = nts;
            association.check_nts(reader)?;
        } else if let Some(word) = nts_words.first() {
            return Err(Problem::error(
                &word.span,
                format!("`{}` belongs to `nts`, which is not there", word.keyword()),
                "add `nts`",
            ));
        }
        if let (Some(low), Some(high)) = polls
            && low > high
        {
            reader.remarks.push(Problem::warning(
                &reader.span(),
                format!(
                    "minpoll {} is above maxpoll {}; {1} is used for both",
                    low.value(),
                    high.value()
                ),
                "write the smaller number behind `minpoll`",
            ));
        }
        let is_clock = match association.address {
            ServerAddress::Ip(address) => ClockAddress::from_ip(address),
            ServerAddress::Name(_) => None,
        };
        let (default_low, default_high) = match is_clock {
            Some(_) => (PollExponent::DEFAULT_MINIMUM, PollExponent::DEFAULT_MINIMUM),
            None => (PollExponent::DEFAULT_MINIMUM, PollExponent::DEFAULT_MAXIMUM),
        };
        let low = polls.0.unwrap_or(default_low);
        // One limit alone moves the other, so that the interval written is the one used.
        let high = polls.1.unwrap_or_else(|| default_high.max(low));
        association.minimum_poll = low.min(high);
        association.maximum_poll = high;
        match is_clock {
            Some(clock) if kind == AssociationKind::Server => Ok(Source::Clock(
                ReferenceClock::from_association(clock, &association, reader),
            )),
            Some(clock) => Err(Problem::error(
                &address_word.span,
                format!(
                    "{clock} is a reference clock, which `{}` cannot use",
                    kind.keyword()
                ),
                "write `server` instead",
            )),
            None => Ok(Source::Association(association)),
        }
    }

    /// NTS is for clients, and for one of the three ways to authenticate.
    fn check_nts(&mut self, reader: &mut Reader<'_>) -> Result<(), Problem> {
        if self.kind != AssociationKind::Server {
            return Err(Problem::error(
                &reader.span(),
                format!("`{}` has no `nts`: it is for clients", self.kind.keyword()),
                "write `server`, or another way to authenticate",
            ));
        }
        if self.key.is_some() || self.autokey {
            return Err(Problem::error(
                &reader.span(),
                "`nts` excludes `key` and `autokey`",
                "leave all of them out but one",
            ));
        }
        if self.version != Version::V4 {
            reader.remarks.push(Problem::warning(
                &reader.span(),
                "`nts` is of version 4 of NTP, which is used",
                "leave `version` out",
            ));
            self.version = Version::V4;
        }
        Ok(())
    }

    fn read_option(
        &mut self,
        word: &crate::Word,
        reader: &mut Reader<'_>,
        polls: &mut (Option<PollExponent>, Option<PollExponent>),
    ) -> Result<(), Problem> {
        match word.keyword() {
            "autokey" => self.autokey = true,
            "burst" => self.burst = true,
            "iburst" => self.initial_burst = true,
            "ident" => self.ident = Some(reader.text("the name of a group")?),
            "key" => self.key = Some(reader.key_id("the number of a key")?),
            "maxpoll" => polls.1 = Some(PollExponent::new(reader.clamped("maxpoll", 3..=17)?)),
            "minpoll" => polls.0 = Some(PollExponent::new(reader.clamped("minpoll", 3..=17)?)),
            "mode" => self.mode = reader.integer("mode", 0..=i64::from(u32::MAX))?,
            "nts" => self.nts = Some(NtsServer::default()),
            "noselect" => self.no_select = true,
            "port" => self.port = Some(reader.integer("port", 1..=65535)?),
            "preempt" => self.preempt = true,
            "prefer" => self.prefer = true,
            "true" => self.always_true = true,
            "ttl" => self.ttl = Some(reader.integer("ttl", 0..=255)?),
            "version" => self.version = Version::from_bits(reader.integer("version", 1..=4)?),
            "xleave" => self.interleave = true,
            "xmtnonce" => self.transmit_nonce = true,
            _ => {
                let what = format!("option of `{}`", self.kind.keyword());
                return Err(Problem::unknown(word, &what, &OPTIONS));
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut String) {
        let mut line = Line::new(self.kind.keyword());
        if let Some(family) = self.family {
            line = line.word(family.option());
        }
        let usual = Self::new(self.kind, self.address.clone());
        let differs = |ours: PollExponent, usual| (ours != usual).then_some(ours.value());
        line = line.name(&self.address.to_string());
        if let Some(nts) = &self.nts {
            line = nts.write(line);
        }
        line.option("port", self.port)
            .option(
                "version",
                (self.version != usual.version).then_some(self.version.value()),
            )
            .option("minpoll", differs(self.minimum_poll, usual.minimum_poll))
            .option("maxpoll", differs(self.maximum_poll, usual.maximum_poll))
            .flag("iburst", self.initial_burst)
            .flag("burst", self.burst)
            .flag("prefer", self.prefer)
            .flag("noselect", self.no_select)
            .flag("true", self.always_true)
            .flag("preempt", self.preempt)
            .flag("xleave", self.interleave)
            .flag("xmtnonce", self.transmit_nonce)
            .option("key", self.key)
            .flag("autokey", self.autokey)
            .named("ident", self.ident.as_deref())
            .option("ttl", self.ttl)
            .option("mode", (self.mode != 0).then_some(self.mode))
            .end(out);
    }
}

/// What to say about an address that should be a group's.
pub(crate) fn no_group(address: IpAddr, span: &Span) -> Problem {
    Problem::error(
        span,
        format!("{address} is no multicast address"),
        "write one like `224.0.1.1` or `ff05::101`",
    )
}

/// What a `server` line can be.
pub(crate) enum Source {
    Association(Association),
    Clock(ReferenceClock),
}

/// `text` without the brackets that some write around an IPv6 address; `None` if it can be neither
/// address nor name.
pub(crate) fn plain_address(text: &str) -> Option<&str> {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let fits = !inner.is_empty()
        && inner.len() <= 255
        && !inner.starts_with('-')
        && inner
            .chars()
            .all(|c| c.is_alphanumeric() || "._-:%".contains(c));
    fits.then_some(inner)
}

/// What to say about a word that is neither address nor name.
pub(crate) fn bad_address(word: &crate::Word) -> Problem {
    let shown = crate::spelling::shown(&word.text);
    Problem::error(
        &word.span,
        format!("`{shown}` is neither an address nor a host name"),
        "write it like `192.0.2.1`, `2001:db8::1` or `ntp.example.org`",
    )
}
