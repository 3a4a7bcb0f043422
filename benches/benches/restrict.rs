//! What happens to every packet before it is read: the restrict list and the list of clients.

use core::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use divan::{Bencher, black_box, counter::ItemsCount};
use ntp_restrict::{
    ClientTable, ClientTableLimits, RateLimit, RestrictFlags, RestrictList, RestrictRules,
    RestrictTarget, Sighting,
};
use ntp_wire::{Mode, Monotonic, Version};

fn main() {
    divan::main();
}

/// The two default entries and `entries` networks of 10.0.0.0/8, some within others.
fn list(entries: u32) -> RestrictList {
    let mut rules = RestrictRules::new();
    for number in 0..entries {
        let address = IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 | number << 12));
        let length = 16 + (number % 9) as u8;
        if let Ok(target) = RestrictTarget::with_prefix(address, length) {
            rules.restrict(target, RestrictFlags::NO_QUERY);
        }
    }
    rules.build()
}

fn source(number: u32) -> SocketAddr {
    let spread = number.wrapping_mul(0x9e37_79b1) & 0x00ff_ffff;
    SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 | spread).into(), 40_000)
}

#[divan::bench(args = [0, 10, 1000])]
fn lookup(bencher: Bencher<'_, '_>, entries: u32) {
    let list = list(entries);
    let mut number = 0;
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        number += 1;
        list.lookup(black_box(source(number))).flags
    });
}

#[divan::bench(args = [10, 1000])]
fn build(bencher: Bencher<'_, '_>, entries: u32) {
    bencher.bench(|| list(black_box(entries)));
}

/// Requests of so many clients in turn.
#[divan::bench(args = [1, 1000, 100_000])]
fn record(bencher: Bencher<'_, '_>, clients: u32) {
    let mut table = ClientTable::new(ClientTableLimits::default(), [0; 32]);
    let limit = RateLimit::default();
    let mut now = Monotonic::START;
    let mut number = 0;
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        number = (number + 1) % clients;
        now += Duration::from_micros(10);
        let sighting = Sighting {
            source: source(number),
            endpoint: 0,
            mode: Mode::Client,
            version: Version::V4,
        };
        table.record(now, &sighting, RestrictFlags::LIMITED, &limit)
    });
}
