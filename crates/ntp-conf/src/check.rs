//! What is only wrong in company: lines that do not fit together.

use std::{collections::BTreeMap, net::IpAddr};

use ntp_restrict::RestrictFlags;

use crate::{
    AddressFamily, Association, AssociationKind, Config, InterfaceAction, RestrictAddress,
    Restriction, ServerAddress, Span, Switch, authentication::KeyRange, builder::Builder,
    reader::Problem,
};

/// So many servers are held against the `restrict` lines.
const MOST_CHECKED: usize = 200;

/// Applies `fudge` to the clocks, then looks at all lines together.
pub(crate) fn check(builder: &mut Builder) {
    fudge(builder);
    KeyRange::merge(&mut builder.config.keys.trusted);
    let mut found = Vec::new();
    let config = &builder.config;
    let associations = config.associations.iter().zip(&builder.association_spans);
    for (index, (association, span)) in associations.enumerate() {
        authentication(config, association, span, &mut found);
        // This takes time in proportion to the `restrict` lines, for each.
        if index < MOST_CHECKED {
            dropped_answers(config, association, span, &mut found);
        }
    }
    for (key, span, what) in [
        (
            config.keys.control,
            &builder.control_span,
            "ntpq cannot change anything",
        ),
        (
            config.keys.request,
            &builder.request_span,
            "ntpdc cannot change anything",
        ),
    ] {
        if let (Some(key), Some(span)) = (key, span)
            && let Some((message, hint)) = untrusted(config, key, what)
        {
            found.push(Problem::warning(span, message, hint));
        }
    }
    clocks(builder, &mut found);
    private(builder, &mut found);
    nts(builder, &mut found);
    interfaces(builder, &mut found);
    builder.problems.append(&mut found);
}

/// A server of NTS needs a certificate, and has no default for it.
fn nts(builder: &mut Builder, found: &mut Vec<Problem>) {
    let nts = &mut builder.config.nts;
    if let Some(span) = &builder.nts_span
        && nts.enabled
        && (nts.certificate.is_none() || nts.key.is_none())
    {
        nts.enabled = false;
        found.push(Problem::error(
            span,
            "`nts enable` without a certificate: nobody gets keys",
            "add `nts cert FILE` and `nts key FILE`",
        ));
    }
}

/// Answers to ntpdc are many times as long as its questions, whose senders anybody can make up.
fn private(builder: &Builder, found: &mut Vec<Problem>) {
    let config = &builder.config;
    let is_open = |family: AddressFamily| {
        let is_of_all = |line: &&Restriction| {
            let RestrictAddress::Default(of) = line.address else {
                return false;
            };
            of.is_none_or(|of| of == family) && !line.ntp_port
        };
        let lines = config.restrictions.iter().filter(is_of_all);
        let flags = lines.fold(RestrictFlags::NONE, |flags, line| flags | line.flags);
        !flags.intersects(RestrictFlags::NO_QUERY | RestrictFlags::IGNORE)
    };
    let families = [AddressFamily::Ipv4, AddressFamily::Ipv6];
    if let Some(span) = &builder.mode7_span
        && config.switches.is_on(Switch::Mode7)
        && families.into_iter().any(is_open)
    {
        found.push(Problem::warning(
            span,
            "`enable mode7` without `restrict default noquery`: whoever forges an address has \
             answers sent there that are up to 44 times as long as his questions",
            "add `restrict default noquery`, and a `restrict` line without it for those who may ask",
        ));
    }
}

/// Whoever writes what shall not be listened on means the rest to be.
fn interfaces(builder: &Builder, found: &mut Vec<Problem>) {
    let rules = &builder.config.interfaces;
    let listens = rules
        .iter()
        .any(|rule| rule.action == InterfaceAction::Listen);
    if let Some(span) = &builder.interface_span
        && !listens
    {
        found.push(Problem::warning(
            span,
            "no `interface` line says `listen`: there is nothing to listen on but loopback",
            "write `interface listen all` before this line",
        ));
    }
}

/// Clustering ends at `minclock` survivors: where `minsane` wants as many or more, one server that
/// goes away is one too many.
fn clocks(builder: &Builder, found: &mut Vec<Problem>) {
    let tos = &builder.config.tos;
    let (sane, least, most) = (tos.minimum_sane, tos.minimum_clocks, tos.maximum_clocks);
    if let Some(span) = &builder.tos_span
        && !(sane < least && least <= most)
    {
        found.push(Problem::warning(
            span,
            format!(
                "`minsane` {sane} < `minclock` {least} <= `maxclock` {most} should hold and does not"
            ),
            "raise `minclock` or `maxclock`, or lower `minsane`",
        ));
    }
}

fn fudge(builder: &mut Builder) {
    let mut places = BTreeMap::new();
    for (index, clock) in builder.config.reference_clocks.iter().enumerate() {
        places.entry(clock.address).or_insert(index);
    }
    for (span, address, fudge) in std::mem::take(&mut builder.fudges) {
        let mut index = places.get(&address).copied();
        if index.is_none() {
            let known = builder.known_clocks.iter();
            if let Some(clock) = known.clone().find(|clock| clock.address == address) {
                index = Some(builder.config.reference_clocks.len());
                builder.config.reference_clocks.push(clock.clone());
                places.extend(index.map(|index| (address, index)));
            }
        }
        match index.and_then(|index| builder.config.reference_clocks.get_mut(index)) {
            Some(clock) => clock.fudge.merge(fudge),
            None => builder.problems.push(Problem::error(
                &span,
                format!("there is no reference clock {address}"),
                format!("add `server {address}`, or remove this line"),
            )),
        }
    }
    for (clock, span) in builder
        .config
        .reference_clocks
        .iter()
        .zip(&builder.clock_spans)
    {
        if clock.address.driver != crate::ClockAddress::LOCAL {
            builder.problems.push(Problem::warning(
                span,
                format!(
                    "clock {} is understood but not carried out by this version: of the drivers \
                     there is only 1, the local clock",
                    clock.address
                ),
                "",
            ));
        }
    }
}

fn untrusted(config: &Config, key: ntp_wire::KeyId, result: &str) -> Option<(String, String)> {
    if config.keys.file.is_none() {
        let message = format!("key {key} is used but there is no `keys` line: {result}");
        Some((message, "add `keys FILE`".to_owned()))
    } else if !config.keys.is_trusted(key) {
        let message = format!("key {key} is used but not trusted: {result}");
        Some((message, format!("add `trustedkey {key}`")))
    } else {
        None
    }
}

fn authentication(config: &Config, line: &Association, span: &Span, found: &mut Vec<Problem>) {
    let server = &line.address;
    if let Some(key) = line.key {
        if line.autokey {
            found.push(Problem::warning(
                span,
                "`key` and `autokey` exclude each other; `autokey` is used",
                "remove one of them",
            ));
        } else if let Some((message, hint)) =
            untrusted(config, key, &format!("answers of {server} will be dropped"))
        {
            found.push(Problem::warning(span, message, hint));
        }
    }
    if line.autokey && config.crypto.is_none() {
        found.push(Problem::warning(
            span,
            format!("`autokey` without `crypto`: {server} cannot be authenticated"),
            "add `crypto pw PASSWORD`, and make keys with ntp-keygen",
        ));
    }
}

fn dropped_answers(config: &Config, line: &Association, span: &Span, found: &mut Vec<Problem>) {
    if !matches!(line.kind, AssociationKind::Server | AssociationKind::Peer) {
        return;
    }
    let server = &line.address;
    let families = match (server, line.family) {
        (ServerAddress::Ip(address), _) => vec![AddressFamily::of(*address)],
        (_, Some(family)) => vec![family],
        (_, None) => vec![AddressFamily::Ipv4, AddressFamily::Ipv6],
    };
    let of_family = |family: &AddressFamily| restriction_of(config, server, *family);
    let flags = families
        .iter()
        .map(of_family)
        .reduce(|one, other| one & other);
    let flags = flags.unwrap_or(RestrictFlags::NONE);
    let authenticated = line.key.is_some() || line.autokey || line.nts.is_some();
    let reason = if flags.contains(RestrictFlags::IGNORE) {
        "ignore"
    } else if flags.contains(RestrictFlags::NO_SERVE) {
        "noserve"
    } else if flags.contains(RestrictFlags::NO_TRUST) && !authenticated {
        "notrust"
    } else {
        return;
    };
    found.push(Problem::warning(
        span,
        format!("answers of server {server} will be dropped: a `restrict` line says `{reason}`"),
        format!("add `restrict {server} nomodify noquery`, or the same with `source`"),
    ));
}

/// What the restrictions say about answers of `server`.
fn restriction_of(config: &Config, server: &ServerAddress, family: AddressFamily) -> RestrictFlags {
    // The narrowest that fits counts, equal ones add up; `source` is as narrow as can be.
    let mut best = (None, RestrictFlags::NONE);
    for restriction in &config.restrictions {
        let width = match (&restriction.address, server) {
            (RestrictAddress::Source, _) => Some(u32::MAX),
            (RestrictAddress::Default(of), _) => of.is_none_or(|of| of == family).then_some(0),
            (RestrictAddress::Network { address, mask }, ServerAddress::Ip(server)) => {
                fits(*server, *address, *mask)
            }
            (RestrictAddress::Host { name, .. }, ServerAddress::Name(server)) => {
                name.eq_ignore_ascii_case(server).then_some(u32::MAX - 1)
            }
            _ => None,
        };
        if width.is_some() && width == best.0 {
            best.1 |= restriction.flags;
        } else if width > best.0 {
            best = (width, restriction.flags);
        }
    }
    best.1
}

fn fits(server: IpAddr, network: IpAddr, mask: IpAddr) -> Option<u32> {
    match (server, network, mask) {
        (IpAddr::V4(server), IpAddr::V4(network), IpAddr::V4(mask)) => {
            (server & mask == network).then(|| mask.to_bits().count_ones())
        }
        (IpAddr::V6(server), IpAddr::V6(network), IpAddr::V6(mask)) => {
            (server & mask == network).then(|| mask.to_bits().count_ones())
        }
        _ => None,
    }
}
