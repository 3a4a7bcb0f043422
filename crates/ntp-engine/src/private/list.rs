//! Restrictions and reference clocks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ntp_restrict::{RestrictEntry, Scope};
use ntp_wire::private::{
    ClockInformation, InterfaceRecord, PrivateMessage, ResponseCode, RestrictionRecord,
};

use super::{Answer, Items, source::whole};
use crate::{
    Engine,
    association::{Association, LocalClock, Source},
    control,
    traffic::Interface,
};

/// The kind of the local clock, the third octet of its address.
const LOCAL_CLOCK: u8 = 1;
/// Families of addresses as Linux numbers them.
const IPV4: u16 = 2;
const IPV6: u16 = 10;

impl Engine {
    /// The restrictions, those of IPv4 first, in ascending order.
    pub(super) fn restriction_records(&self) -> Items {
        let everyone = self.everyone();
        let record = |entry: &RestrictEntry| {
            let mut record = RestrictionRecord::default();
            record.set_address(entry.target.address());
            record.set_mask(entry.target.mask());
            record.count = whole(everyone.hits_of(entry.target));
            record.flags = entry.flags.to_bits();
            record.match_flags = match entry.target.scope() {
                Scope::AnyPort => 0,
                Scope::NtpPort => RestrictionRecord::NTP_PORT,
                Scope::OwnAddress => RestrictionRecord::NTP_PORT | RestrictionRecord::INTERFACE,
            };
            if self.is_for_source(entry) {
                record.match_flags |= RestrictionRecord::SOURCE;
            }
            record
        };
        let entries = self.view.restrictions.entries();
        let mut records: Vec<_> = entries.iter().map(record).collect();
        records.sort_by_key(|record| (record.address(), record.mask(), record.match_flags));
        records.iter().map(RestrictionRecord::to_bytes).collect()
    }

    /// Whether `restrict source` made it.
    fn is_for_source(&self, entry: &RestrictEntry) -> bool {
        let made = |association: &Association| association.restriction == Some(entry.target);
        self.associations.iter().any(made)
    }

    /// The clocks that a request names, by their addresses: all of them, or nothing.
    pub(super) fn clock_information(&self, message: &PrivateMessage<'_>) -> Answer {
        let addresses = message.items().map(address);
        let records: Option<Vec<_>> = addresses
            .map(|address| self.clock_record(address?))
            .collect();
        let records = records.filter(|records| !records.is_empty());
        let records = records.ok_or(ResponseCode::NO_DATA)?;
        Ok(records.iter().map(ClockInformation::to_bytes).collect())
    }

    fn clock_record(&self, address: Ipv4Addr) -> Option<ClockInformation> {
        let clock = self.local_clock(address)?;
        Some(ClockInformation {
            address: address.to_bits(),
            kind: LOCAL_CLOCK,
            flags: clock.flags,
            polls: clock.polls,
            running: self.seconds_after(self.started),
            time1: clock.correction,
            stratum: clock.stratum.value().into(),
            reference_id: clock.reference_id.to_bytes(),
            ..ClockInformation::default()
        })
    }

    /// Our addresses, and what came and went there.
    pub(super) fn interface_records(&self) -> Items {
        let everyone = self.everyone();
        let record = |(number, interface): (usize, &Interface)| {
            let known = &interface.description;
            let address = known.address.ip();
            let broadcast = known
                .broadcast
                .map_or_else(|| unspecified(address), IpAddr::V4);
            let mut record = InterfaceRecord::default();
            record.set_addresses(address, broadcast, unspecified(address));
            for (place, octet) in record.name.iter_mut().zip(known.name.bytes().take(31)) {
                *place = octet;
            }
            let mut passed = interface.passed;
            passed.add(&everyone.passed(Some(address)));
            let sources = self.associations.iter();
            let sources = sources.filter(|one| one.local_address() == address).count();
            record.flags = control::interface_flags(known).into();
            record.groups = whole(known.groups as u64);
            record.received = whole(passed.received);
            record.sent = whole(passed.sent);
            record.not_sent = whole(passed.failed);
            record.uptime = self.seconds_after(interface.since);
            record.number = whole(number as u64);
            record.sources = whole(sources as u64);
            record.family = if address.is_ipv4() { IPV4 } else { IPV6 };
            record.action = InterfaceRecord::EXISTS;
            record.to_bytes()
        };
        let interfaces = self.traffic.interfaces.iter().enumerate();
        interfaces.map(record).collect()
    }

    pub(super) fn local_clock(&self, address: Ipv4Addr) -> Option<&LocalClock> {
        let mut clocks = self
            .associations
            .iter()
            .filter_map(|one| match &one.source {
                Source::LocalClock(clock) => Some(clock),
                _ => None,
            });
        clocks.find(|clock| clock.address() == address)
    }
}

/// No address, of the same family.
fn unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn address(octets: &[u8]) -> Option<Ipv4Addr> {
    octets.first_chunk::<4>().map(|octets| (*octets).into())
}
