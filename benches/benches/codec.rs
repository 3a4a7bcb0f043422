//! Packets into meaning and back.

use divan::{Bencher, black_box, counter::ItemsCount};
use ntp_wire::{Header, Mode, Packet};

fn main() {
    divan::main();
}

fn request() -> [u8; Header::LENGTH] {
    let mut bytes = [0; Header::LENGTH];
    Header {
        mode: Mode::Client,
        ..Header::default()
    }
    .emit(&mut bytes);
    bytes
}

#[divan::bench]
fn parse_header(bencher: Bencher<'_, '_>) {
    let bytes = request();
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench(|| Header::parse(black_box(&bytes)));
}

#[divan::bench]
fn emit_header(bencher: Bencher<'_, '_>) {
    let header = Header::default();
    let mut bytes = [0; Header::LENGTH];
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(|| black_box(&header).emit(black_box(&mut bytes)));
}

/// A whole packet with a MAC of 20 octets behind the key number.
#[divan::bench]
fn parse_packet_with_mac(bencher: Bencher<'_, '_>) {
    let mut bytes = request().to_vec();
    bytes.extend([0, 0, 0, 1]);
    bytes.extend([7; 20]);
    bencher.counter(ItemsCount::new(1_u32)).bench(|| {
        Packet::parse(black_box(&bytes)).is_ok_and(|packet| packet.header().mode == Mode::Client)
    });
}
