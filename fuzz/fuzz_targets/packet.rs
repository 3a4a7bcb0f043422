//! Any octets as a packet: no panic, nothing lost between its parts, and the header is a fixpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntp_wire::{ExtensionField, Header, Packet, Trailer};

fuzz_target!(|bytes: &[u8]| {
    let Ok(packet) = Packet::parse(bytes) else {
        return;
    };
    assert_eq!(packet.bytes(), bytes);

    let mut emitted = [0; Header::LENGTH];
    packet.header().emit(&mut emitted);
    assert_eq!(emitted, bytes[..Header::LENGTH]);

    let fields: usize = packet
        .extensions()
        .map(|field| ExtensionField::length(&field))
        .sum();
    assert_eq!(Header::LENGTH + fields, packet.authenticated().len());
    let trailer = match packet.trailer() {
        Trailer::None => 0,
        Trailer::CryptoNak => 4,
        Trailer::Mac { digest, .. } => 4 + digest.len(),
    };
    assert_eq!(packet.authenticated().len() + trailer, bytes.len());
});
