//! Commands that change the daemon.

use std::net::{IpAddr, Ipv4Addr};

use ntp_control::private::{PrivateRequest, RESTRICTIONS};
use ntp_wire::{
    Duration,
    private::{
        AddressRecord, FlagsRecord, FudgeRecord, HostOrder, PeerChange, RequestCode,
        RestrictionChange, RestrictionRecord,
    },
};

use crate::{
    arguments::Given,
    command::Action,
    shell::{CommandError, Shell},
};

/// How often sources may be asked, in log2 s.
const POLLS: core::ops::RangeInclusive<i64> = 3..=17;
/// The modes of packets to a peer, a server and a network.
const PEER: u8 = 1;
const SERVER: u8 = 3;
const NETWORK: u8 = 5;

/// What a line comes to: a request, or text that says why there is none.
type Made = Result<PrivateRequest, String>;

impl Shell {
    pub(crate) fn change(&mut self, action: Action, given: &Given) -> Result<String, CommandError> {
        let request = match action {
            Action::AddPeer => source(given, PEER, false)?,
            Action::AddServer => source(given, SERVER, false)?,
            Action::AddReferenceClock => source(given, SERVER, true)?,
            Action::Broadcast => source(given, NETWORK, false)?,
            Action::Unconfigure => Ok(sources(RequestCode::UNCONFIGURE, &given.addresses)),
            Action::ResetPeer => Ok(sources(RequestCode::RESET_PEER, &given.addresses)),
            Action::Enable => switches(RequestCode::SET_FLAGS, &given.words),
            Action::Disable => switches(RequestCode::CLEAR_FLAGS, &given.words),
            Action::Reset => counters(&given.words),
            Action::Restrict => restriction(RequestCode::RESTRICT, given),
            Action::Unrestrict => restriction(RequestCode::UNRESTRICT, given),
            Action::DeleteRestriction => restriction(RequestCode::REMOVE_RESTRICTION, given),
            Action::TrustKey => Ok(keys(RequestCode::TRUST_KEY, &given.numbers)),
            Action::UntrustKey => Ok(keys(RequestCode::UNTRUST_KEY, &given.numbers)),
            Action::RequestKey => Ok(key(RequestCode::REQUEST_KEY, &given.numbers)),
            Action::ControlKey => Ok(key(RequestCode::CONTROL_KEY, &given.numbers)),
            Action::ReadKeys => Ok(PrivateRequest::new(RequestCode::READ_KEYS)),
            Action::Fudge => Ok(fudge(given)?),
            Action::AddTrap => Ok(trap(RequestCode::ADD_TRAP, given)),
            Action::ClearTrap => Ok(trap(RequestCode::CLEAR_TRAP, given)),
            _ => return Ok(String::new()),
        };
        match request {
            Ok(request) => {
                self.ask(&request)?;
                Ok("done!\n".to_owned())
            }
            Err(text) => Ok(text),
        }
    }
}

/// A source to take up. After its address come, without names, the key and the version, or the mode
/// of a reference clock; then words, some with a number behind them.
fn source(given: &Given, host_mode: u8, is_clock: bool) -> Result<Made, CommandError> {
    #[derive(Clone, Copy, PartialEq)]
    enum Next {
        Nothing,
        Key,
        Version,
        MinimumPoll,
        MaximumPoll,
        Mode,
    }
    let Some((address, words)) = given.addresses.first().zip(given.words.get(1..)) else {
        return Ok(Err(String::new()));
    };
    let (mut key, mut version, mut polls, mut mode, mut flags) = (0_i64, 3_i64, (6, 10), 0, 0);
    let mut next = if is_clock { Next::Mode } else { Next::Key };
    let mut wrong = String::new();
    for word in words {
        match word.as_str() {
            "prefer" => flags |= PeerChange::PREFER,
            "burst" => flags |= PeerChange::BURST,
            "iburst" => flags |= PeerChange::INITIAL_BURST,
            "keyid" if !is_clock => next = Next::Key,
            "version" if !is_clock => next = Next::Version,
            "minpoll" => next = Next::MinimumPoll,
            "maxpoll" => next = Next::MaximumPoll,
            word => {
                let number = word.parse::<i64>();
                if number.as_ref().is_ok_and(|number| *number < 0) {
                    return Err(CommandError::Negative(word.to_owned()));
                }
                let number = number.ok().filter(|_| next != Next::Nothing);
                let Some(number) = number else {
                    wrong += &format!("*** '{word}' not understood\n");
                    next = Next::Nothing;
                    continue;
                };
                match next {
                    Next::Key => key = number,
                    Next::Version => version = number,
                    Next::MinimumPoll => polls.0 = number,
                    Next::MaximumPoll => polls.1 = number,
                    Next::Mode => mode = number,
                    Next::Nothing => {}
                }
                next = match next {
                    Next::Key => Next::Version,
                    _ => Next::Nothing,
                };
            }
        }
    }
    if !(1..=4).contains(&version) {
        wrong += &format!("***invalid version number: {version}\n");
    }
    if !POLLS.contains(&polls.0) || !POLLS.contains(&polls.1) || polls.0 > polls.1 {
        wrong += &format!(
            "***min/max-poll must be within {}..{}\n",
            POLLS.start(),
            POLLS.end()
        );
    }
    if !wrong.is_empty() {
        return Ok(Err(wrong));
    }
    if key > 0 {
        flags |= PeerChange::AUTHENTICATION;
    }
    let mut change = PeerChange::default();
    change.set_remote(*address);
    change.host_mode = host_mode;
    change.version = version as u8;
    change.minimum_poll = polls.0 as u8;
    change.maximum_poll = polls.1 as u8;
    change.flags = flags;
    change.hops = u8::try_from(mode).unwrap_or(u8::MAX);
    change.key_id = HostOrder(u32::try_from(key).unwrap_or(u32::MAX));
    let items = [change.to_bytes()];
    Ok(Ok(PrivateRequest::with_items(
        RequestCode::CONFIGURE,
        items,
    )))
}

fn sources(code: RequestCode, addresses: &[IpAddr]) -> PrivateRequest {
    let record = |address: &IpAddr| {
        let mut record = AddressRecord::default();
        record.set_remote(*address);
        record.to_bytes()
    };
    PrivateRequest::with_items(code, addresses.iter().map(record))
}

/// The bits of `words`, and those that have none.
fn bits<'a>(words: &'a [String], known: &[(&str, u32)]) -> (u32, Vec<&'a str>) {
    let mut flags = 0;
    let mut unknown = Vec::new();
    for word in words {
        match known.iter().find(|(name, _)| name == word) {
            Some((_, bit)) => flags |= bit,
            None => unknown.push(word.as_str()),
        }
    }
    (flags, unknown)
}

fn switches(code: RequestCode, words: &[String]) -> Made {
    let (flags, unknown) = bits(words, &FlagsRecord::SWITCHES);
    if !unknown.is_empty() {
        let lines = unknown.iter().map(|word| format!("Unknown flag {word}\n"));
        return Err(lines.collect());
    }
    let record = FlagsRecord { flags };
    Ok(PrivateRequest::with_items(code, [record.to_bytes()]))
}

fn counters(words: &[String]) -> Made {
    let (flags, unknown) = bits(words, &FlagsRecord::COUNTERS);
    if !unknown.is_empty() {
        let lines = unknown.iter().map(|word| format!("Flag {word} unknown\n"));
        return Err(lines.collect::<String>() + "Not done due to errors\n");
    }
    let record = FlagsRecord { flags };
    let code = RequestCode::RESET_STATISTICS;
    Ok(PrivateRequest::with_items(code, [record.to_bytes()]))
}

fn restriction(code: RequestCode, given: &Given) -> Made {
    let [address, mask] = given.addresses[..] else {
        return Err(String::new());
    };
    let mut wrong = String::new();
    let mut change = RestrictionChange::default();
    for word in given.words.iter().skip(2) {
        if word == "ntpport" {
            change.match_flags |= RestrictionRecord::NTP_PORT;
            continue;
        }
        match RESTRICTIONS.iter().find(|(name, _)| name == word) {
            Some(_) if code == RequestCode::REMOVE_RESTRICTION => {
                wrong += &format!("Flag {word} inappropriate\n");
            }
            Some((_, bit)) => change.flags |= bit,
            None => wrong += &format!("Unknown flag {word}\n"),
        }
    }
    let mask = match (address, mask) {
        // The default entry has no other mask.
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), _) => Ipv4Addr::UNSPECIFIED.into(),
        (IpAddr::V4(_), IpAddr::V4(mask)) => {
            let bits = mask.to_bits();
            if bits.leading_ones() != bits.count_ones() {
                wrong += &format!("Invalid mask {mask}\n");
            }
            mask.into()
        }
        (_, mask) => mask,
    };
    if address.is_ipv4() != mask.is_ipv4() {
        wrong += "***Cannot mix IPv4 and IPv6 addresses\n";
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    change.set_address(address);
    change.set_mask(mask);
    Ok(PrivateRequest::with_items(code, [change.to_bytes()]))
}

/// Daemons want them as long as an unsigned long of theirs, the lowest octet first.
fn keys(code: RequestCode, numbers: &[u32]) -> PrivateRequest {
    let items = numbers
        .iter()
        .map(|number| u64::from(*number).to_le_bytes());
    PrivateRequest::with_items(code, items)
}

/// The same length, but the number stands in the first half, the highest octet first.
fn key(code: RequestCode, numbers: &[u32]) -> PrivateRequest {
    let items = numbers
        .iter()
        .take(1)
        .map(|number| (u64::from(*number) << 32).to_be_bytes());
    PrivateRequest::with_items(code, items)
}

fn fudge(given: &Given) -> Result<PrivateRequest, CommandError> {
    let [_, which, value] = &given.words[..] else {
        return Err(CommandError::What);
    };
    let Some(IpAddr::V4(address)) = given.addresses.first() else {
        return Err(CommandError::NoClock);
    };
    let unknown = || CommandError::UnknownFudge(value.clone());
    let mut record = FudgeRecord {
        address: address.to_bits(),
        ..FudgeRecord::default()
    };
    match which.as_str() {
        "time1" | "time2" => {
            record.which = if which == "time1" { 1 } else { 2 };
            let seconds: f64 = value.parse().map_err(|_| unknown())?;
            record.time = Duration::from_seconds_f64(seconds);
        }
        "val1" | "val2" => {
            record.which = if which == "val1" { 3 } else { 4 };
            let number: i32 = value.parse().map_err(|_| unknown())?;
            record.value = number.cast_unsigned();
        }
        "flags" => {
            record.which = 5;
            let flags = u32::from_str_radix(value, 16).map_err(|_| unknown())?;
            record.value = flags & 0xf;
        }
        which => return Err(CommandError::WhatFudge(which.to_owned())),
    }
    let items = [record.to_bytes()];
    Ok(PrivateRequest::with_items(RequestCode::SET_FUDGE, items))
}

/// Who is to be told, at which port of his, and from which address.
fn trap(code: RequestCode, given: &Given) -> PrivateRequest {
    /// Where traps are told.
    const PORT: u32 = 18_447;
    let mut record = [0; 48];
    let port = given.numbers.first().copied().unwrap_or(PORT) as u16;
    let mut put = |at: usize, octets: &[u8]| {
        if let Some(room) = record.get_mut(at..at + octets.len()) {
            room.copy_from_slice(octets);
        }
    };
    put(8, &port.to_be_bytes());
    for (address, ipv4, ipv6) in given
        .addresses
        .iter()
        .zip([(4, 32), (0, 16)])
        .map(|(address, (ipv4, ipv6))| (address, ipv4, ipv6))
    {
        match address {
            IpAddr::V4(address) => put(ipv4, &address.octets()),
            IpAddr::V6(address) => {
                put(12, &1_u32.to_le_bytes());
                put(ipv6, &address.octets());
            }
        }
    }
    PrivateRequest::with_items(code, [record])
}
