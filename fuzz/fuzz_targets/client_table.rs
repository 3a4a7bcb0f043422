//! Any sequence of packets and bounds: the list of clients stays within them, in order and whole.
#![no_main]

use core::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ntp_restrict::{ClientTable, ClientTableLimits, RateLimit, RestrictFlags, Sighting, Verdict};
use ntp_wire::{Mode, Monotonic, Version};

#[derive(Arbitrary, Debug)]
enum Step {
    Packet {
        client: u8,
        mode: u8,
        flags: u16,
        gap: u32,
    },
    Bounds {
        least: u8,
        most: u8,
        age: Option<u16>,
        certain: u16,
    },
    Clear,
}

fuzz_target!(|input: (Vec<Step>, u8, u8)| {
    let (steps, average_exponent, minimum_seconds) = input;
    let limit = RateLimit {
        average_exponent,
        minimum_seconds,
    };
    let mut table = ClientTable::new(ClientTableLimits::default(), [3; 32]);
    let mut now = Monotonic::START;
    for step in steps {
        match step {
            Step::Packet {
                client,
                mode,
                flags,
                gap,
            } => {
                now += Duration::from_millis(u64::from(gap));
                let sighting = Sighting {
                    source: SocketAddr::new(Ipv4Addr::from_bits(u32::from(client)).into(), 1),
                    endpoint: 0,
                    mode: Mode::from_bits(mode),
                    version: Version::V4,
                };
                let restriction = RestrictFlags::from_bits(flags);
                let verdict = table.record(now, &sighting, restriction, &limit);
                if !restriction.contains(RestrictFlags::LIMITED) {
                    assert_eq!(verdict, Verdict::Serve);
                }
                if !restriction.contains(RestrictFlags::KISS_OF_DEATH) {
                    assert_ne!(verdict, Verdict::KissOfDeath);
                }
            }
            Step::Bounds {
                least,
                most,
                age,
                certain,
            } => table.set_limits(ClientTableLimits {
                least: least.into(),
                most: most.into(),
                age: age.map(|age| Duration::from_secs(age.into())),
                certain_replacement: Duration::from_secs(certain.into()),
            }),
            Step::Clear => table.clear(),
        }
        assert!(table.len() <= table.limits().most);
        assert!(table.peak() >= table.len());
        let forward: Vec<_> = table.oldest_first().copied().collect();
        let mut backward: Vec<_> = table.newest_first().copied().collect();
        backward.reverse();
        assert_eq!(forward, backward);
        assert_eq!(forward.len(), table.len());
        assert!(forward.is_sorted_by_key(|client| client.last_seen));
        for client in &forward {
            assert_eq!(table.lookup(client.address), Some(client));
        }
    }
});
