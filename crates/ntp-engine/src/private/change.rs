//! Requests that change something, or take a key for another reason.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use ntp_conf::{AddressFamily, KeyRange, RestrictAddress, Restriction};
use ntp_restrict::{RestrictFlags, RestrictTarget, Scope};
use ntp_wire::{
    KeyId,
    private::{
        AddressRecord, FlagsRecord, FudgeRecord, PeerChange, PrivateMessage, RequestCode,
        ResponseCode, RestrictionChange, RestrictionRecord,
    },
};

use super::{Answer, Items, some, source::remote_address};
use crate::{Engine, Severity, association::Association, engine::CounterGroup};

/// Done, or why not.
type Done = Result<(), ResponseCode>;

impl Engine {
    /// Carries out a request whose key is right: all of it, or, if it cannot be, nothing.
    pub(super) fn carry_out(&mut self, message: &PrivateMessage<'_>, from: SocketAddr) -> Answer {
        let request = message.header().request;
        match request {
            RequestCode::CONFIGURE => self.take_up(message, from)?,
            RequestCode::UNCONFIGURE => self.let_go(message, from)?,
            RequestCode::SET_FLAGS => self.switch("enable", message, from)?,
            RequestCode::CLEAR_FLAGS => self.switch("disable", message, from)?,
            RequestCode::RESTRICT | RequestCode::UNRESTRICT | RequestCode::REMOVE_RESTRICTION => {
                self.restrict_otherwise(message, from)?
            }
            RequestCode::RESET_STATISTICS => self.count_anew(message, from)?,
            RequestCode::RESET_PEER => self.count_sources_anew(message)?,
            RequestCode::READ_KEYS => self.read_keys(from)?,
            RequestCode::TRUST_KEY => {
                let keys: Vec<_> = numbers(message)?.iter().map(KeyId::to_string).collect();
                self.line(from, &format!("trustedkey {}", keys.join(" ")))?;
            }
            RequestCode::UNTRUST_KEY => self.distrust(&numbers(message)?),
            RequestCode::REQUEST_KEY => self.choose_key("requestkey", message, from)?,
            RequestCode::CONTROL_KEY => self.choose_key("controlkey", message, from)?,
            RequestCode::SET_FUDGE => self.fudge(message, from)?,
            RequestCode::INTERFACES | RequestCode::RELOAD_INTERFACES => {
                return some(self.interface_records());
            }
            // Nobody is told of events.
            _ => return Err(ResponseCode::REQUEST),
        }
        Ok(Items::default())
    }

    /// Carries out a line of configuration.
    fn line(&mut self, from: SocketAddr, line: &str) -> Done {
        self.lines(from, &[line.to_owned()])
    }

    /// Carries out all of these lines or, if one of them can't be, none.
    fn lines(&mut self, from: SocketAddr, lines: &[String]) -> Done {
        let done = self.carry_out_lines(from, lines);
        done.map_err(|_| ResponseCode::NO_DATA)
    }

    fn take_up(&mut self, message: &PrivateMessage<'_>, from: SocketAddr) -> Done {
        let lines: Result<Vec<String>, _> = message
            .items()
            .map(|item| {
                let change = PeerChange::parse(item);
                change.and_then(|change| source_line(&change))
            })
            .map(|line| line.ok_or(ResponseCode::FORMAT))
            .collect();
        self.lines(from, &lines?)
    }

    /// The configured sources that a request names; all of them must be there.
    fn named(&self, message: &PrivateMessage<'_>) -> Result<Vec<IpAddr>, ResponseCode> {
        let is_there = |address: &IpAddr| {
            let is_it = |one: &Association| !one.ephemeral && remote_address(one) == *address;
            self.associations.iter().any(is_it)
        };
        let addresses = message.items().filter_map(AddressRecord::parse);
        let addresses: Vec<_> = addresses.map(|record| record.remote()).collect();
        match addresses.iter().all(is_there) {
            true => Ok(addresses),
            false => Err(ResponseCode::NO_DATA),
        }
    }

    fn let_go(&mut self, message: &PrivateMessage<'_>, from: SocketAddr) -> Done {
        for address in self.named(message)? {
            let text = format!("{} unconfig: {address}", from.ip());
            self.note(Severity::Information, text);
            self.remove_source(&address.to_string());
        }
        Ok(())
    }

    fn count_sources_anew(&mut self, message: &PrivateMessage<'_>) -> Done {
        let addresses = self.named(message)?;
        for association in &mut self.associations {
            if addresses.contains(&remote_address(association)) {
                association.reset_counters();
            }
        }
        Ok(())
    }

    fn switch(&mut self, keyword: &str, message: &PrivateMessage<'_>, from: SocketAddr) -> Done {
        let words = words(message, &FlagsRecord::SWITCHES)?;
        // There is no PPS signal that could be followed or not.
        let words: Vec<_> = words.into_iter().filter(|word| *word != "pps").collect();
        match words[..] {
            [] => Ok(()),
            _ => self.line(from, &format!("{keyword} {}", words.join(" "))),
        }
    }

    fn count_anew(&mut self, message: &PrivateMessage<'_>, from: SocketAddr) -> Done {
        let words = words(message, &FlagsRecord::COUNTERS)?;
        let text = format!("{} reset: {}", from.ip(), words.join(" "));
        self.note(Severity::Information, text);
        for group in words.into_iter().filter_map(CounterGroup::find) {
            self.reset(group);
        }
        Ok(())
    }

    fn read_keys(&mut self, from: SocketAddr) -> Done {
        let file = self
            .config
            .keys
            .file
            .as_ref()
            .ok_or(ResponseCode::NO_DATA)?;
        let line = format!("keys \"{}\"", file.display());
        self.line(from, &line)
    }

    fn distrust(&mut self, keys: &[KeyId]) {
        let before = self.config.clone();
        for key in keys {
            self.config.keys.trusted = without(&self.config.keys.trusted, *key);
        }
        self.take_over(&before);
    }

    fn choose_key(
        &mut self,
        keyword: &str,
        message: &PrivateMessage<'_>,
        from: SocketAddr,
    ) -> Done {
        let octets = only(message)?;
        let number = octets.first_chunk::<4>().ok_or(ResponseCode::FORMAT)?;
        let key = KeyId::new(u32::from_be_bytes(*number));
        if !key.is_symmetric() || self.keys.trusted(key).is_none() {
            return Err(ResponseCode::NO_DATA);
        }
        self.line(from, &format!("{keyword} {key}"))
    }

    fn fudge(&mut self, message: &PrivateMessage<'_>, from: SocketAddr) -> Done {
        let record = FudgeRecord::parse(only(message)?).ok_or(ResponseCode::FORMAT)?;
        let address = Ipv4Addr::from_bits(record.address);
        if self.local_clock(address).is_none() {
            return Err(ResponseCode::NO_DATA);
        }
        let seconds = record.time.to_seconds_f64();
        let what = match record.which {
            1 => format!("time1 {seconds:.9}"),
            2 => format!("time2 {seconds:.9}"),
            3 => format!("stratum {}", record.value),
            5 => {
                let flag = |number: u32| {
                    let is_set = u32::from(record.value >> (number - 1) & 1 != 0);
                    format!("flag{number} {is_set}")
                };
                (1..=4).map(flag).collect::<Vec<_>>().join(" ")
            }
            // A reference identifier as a number is of no use to anybody.
            _ => return Err(ResponseCode::FORMAT),
        };
        self.line(from, &format!("fudge {address} {what}"))
    }

    /// Adds flags to entries of the restrictions, takes them back, or removes entries.
    fn restrict_otherwise(&mut self, message: &PrivateMessage<'_>, from: SocketAddr) -> Done {
        let request = message.header().request;
        let changes = message.items().filter_map(RestrictionChange::parse);
        let rules: Option<Vec<_>> = changes.map(|change| Rule::of(&change)).collect();
        let rules = rules.ok_or(ResponseCode::FORMAT)?;
        if request == RequestCode::RESTRICT {
            let lines: Vec<_> = rules.iter().map(Rule::line).collect();
            return self.lines(from, &lines);
        }
        for rule in rules {
            let (is_done, verb) = match request {
                RequestCode::UNRESTRICT => (
                    self.rules.unrestrict(&rule.target, rule.flags),
                    "unrestrict",
                ),
                _ => (self.rules.remove(&rule.target), "delrestrict"),
            };
            // Who asks for what there is not has it; but default entries stay.
            if is_done {
                let text = format!("{} {verb}: {}", from.ip(), rule.line());
                self.note(Severity::Information, text);
                rule.take_back(&mut self.config.restrictions, request);
            }
        }
        self.restrictions = Arc::new(self.rules.build());
        self.publish();
        Ok(())
    }
}

/// An entry of the restrictions.
struct Rule {
    target: RestrictTarget,
    flags: RestrictFlags,
}

impl Rule {
    /// `None` if address and mask do not go together, or what it says is not known.
    fn of(change: &RestrictionChange) -> Option<Self> {
        let scope = match change.match_flags {
            0 => Scope::AnyPort,
            RestrictionRecord::NTP_PORT => Scope::NtpPort,
            _ => return None,
        };
        let (address, mask) = (change.address(), change.mask());
        // The default entry has a mask of its own.
        if address.is_unspecified() && !mask.is_unspecified() {
            return None;
        }
        Some(Self {
            target: RestrictTarget::with_mask(address, mask).ok()?.scoped(scope),
            flags: RestrictFlags::from_bits(change.flags),
        })
    }

    fn line(&self) -> String {
        let (address, mask) = (self.target.address(), self.target.mask());
        let mut line = match (mask.is_unspecified(), address) {
            (true, IpAddr::V4(_)) => "restrict -4 default".to_owned(),
            (true, IpAddr::V6(_)) => "restrict -6 default".to_owned(),
            (false, address) => format!("restrict {address} mask {mask}"),
        };
        if self.target.scope() == Scope::NtpPort {
            line += " ntpport";
        }
        for name in self.flags.names() {
            line += " ";
            line += name;
        }
        line
    }

    /// What the lines of the configuration said of it, and is taken back, they say no more, for
    /// `saveconfig`.
    fn take_back(&self, lines: &mut Vec<Restriction>, request: RequestCode) {
        if [RestrictTarget::DEFAULT_IPV4, RestrictTarget::DEFAULT_IPV6].contains(&self.target) {
            *lines = lines.drain(..).flat_map(of_each_family).collect();
        }
        if request == RequestCode::UNRESTRICT {
            for line in lines.iter_mut().filter(|line| self.is_of(line)) {
                line.flags = line.flags - self.flags;
            }
        } else {
            lines.retain(|line| !self.is_of(line));
        }
    }

    /// Whether a line of the configuration is about the same.
    fn is_of(&self, line: &Restriction) -> bool {
        let is_target = match &line.address {
            RestrictAddress::Network { address, mask } => {
                (*address, *mask) == (self.target.address(), self.target.mask())
            }
            RestrictAddress::Default(Some(AddressFamily::Ipv4)) => {
                self.target == RestrictTarget::DEFAULT_IPV4
            }
            RestrictAddress::Default(Some(AddressFamily::Ipv6)) => {
                self.target == RestrictTarget::DEFAULT_IPV6
            }
            _ => false,
        };
        is_target && line.ntp_port == (self.target.scope() == Scope::NtpPort)
    }
}

/// `restrict default` as two lines, one for each family; others as they are.
fn of_each_family(line: Restriction) -> Vec<Restriction> {
    if line.address != RestrictAddress::Default(None) {
        return vec![line];
    }
    let families = [AddressFamily::Ipv4, AddressFamily::Ipv6];
    let of = |family| Restriction {
        address: RestrictAddress::Default(Some(family)),
        ..line.clone()
    };
    families.map(of).to_vec()
}

/// The line of configuration that a source would have; `None` if there is none.
fn source_line(change: &PeerChange) -> Option<String> {
    let address = change.remote();
    let is_clock = matches!(address, IpAddr::V4(address) if address.octets()[..2] == [127, 127]);
    let keyword = match change.host_mode {
        1 => "peer",
        3 => "server",
        5 => "broadcast",
        _ => return None,
    };
    if address.is_unspecified() || address.is_multicast() && keyword != "broadcast" {
        return None;
    }
    let polls = (change.minimum_poll, change.maximum_poll);
    let mut line = format!(
        "{keyword} {address} minpoll {} maxpoll {}",
        polls.0, polls.1
    );
    let has = |flag: u8| change.flags & flag != 0;
    let is_server = keyword == "server" && !is_clock;
    for (is, word) in [
        (has(PeerChange::PREFER), " prefer"),
        (has(PeerChange::NO_SELECT), " noselect"),
        (has(PeerChange::BURST) && is_server, " burst"),
        (has(PeerChange::INITIAL_BURST) && is_server, " iburst"),
        (has(PeerChange::AUTOKEY) && !is_clock, " autokey"),
    ] {
        line += if is { word } else { "" };
    }
    if is_clock {
        return Some(line + &format!(" mode {}", change.hops));
    }
    line += &format!(" version {}", change.version);
    if change.key_id.0 != 0 {
        line += &format!(" key {}", change.key_id.0);
    }
    if keyword == "broadcast" && change.hops != 0 {
        line += &format!(" ttl {}", change.hops);
    }
    Some(line)
}

/// The ranges without one key.
fn without(ranges: &[KeyRange], key: KeyId) -> Vec<KeyRange> {
    let parts = |range: &KeyRange| {
        let (first, last, key) = (range.first.value(), range.last.value(), key.value());
        let part = |first: u32, last: u32| {
            (first <= last).then(|| KeyRange {
                first: KeyId::new(first),
                last: KeyId::new(last),
            })
        };
        match first <= key && key <= last {
            true => [
                key.checked_sub(1).and_then(|last| part(first, last)),
                key.checked_add(1).and_then(|first| part(first, last)),
            ],
            false => [Some(*range), None],
        }
    };
    ranges.iter().flat_map(parts).flatten().collect()
}

/// The only item of a request.
fn only<'a>(message: &PrivateMessage<'a>) -> Result<&'a [u8], ResponseCode> {
    let mut items = message.items();
    let item = items.next().filter(|_| items.next().is_none());
    item.ok_or(ResponseCode::FORMAT)
}

/// The words of the bits that the only item of a request has.
fn words(
    message: &PrivateMessage<'_>,
    known: &[(&'static str, u32)],
) -> Result<Vec<&'static str>, ResponseCode> {
    let record = FlagsRecord::parse(only(message)?).ok_or(ResponseCode::FORMAT)?;
    let all = known.iter().fold(0, |all, (_, bit)| all | bit);
    if record.flags & !all != 0 {
        return Err(ResponseCode::FORMAT);
    }
    let set = known.iter().filter(|(_, bit)| record.flags & bit != 0);
    Ok(set.map(|(word, _)| *word).collect())
}

/// Numbers of keys: of eight octets each, the lowest first, as ntpdc leaves them, or of four, the
/// highest first.
fn numbers(message: &PrivateMessage<'_>) -> Result<Vec<KeyId>, ResponseCode> {
    let number = |item: &[u8]| {
        let number = match (item.first_chunk::<8>(), item.first_chunk::<4>()) {
            (Some(octets), _) => u32::try_from(u64::from_le_bytes(*octets)).ok(),
            (None, Some(octets)) => Some(u32::from_be_bytes(*octets)),
            (None, None) => None,
        };
        number.map(KeyId::new).filter(|key| key.is_symmetric())
    };
    let numbers: Option<Vec<_>> = message.items().map(number).collect();
    let numbers = numbers.filter(|numbers| !numbers.is_empty());
    numbers.ok_or(ResponseCode::FORMAT)
}
