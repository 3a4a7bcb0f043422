//! The MAC of a packet, by each algorithm.

use divan::{Bencher, black_box, counter::ItemsCount};
use ntp_keys::{KeyAlgorithm, MacBuffer, SymmetricKey};

fn main() {
    divan::main();
}

const ALGORITHMS: [&str; 7] = [
    "MD5",
    "SHA1",
    "RIPEMD160",
    "SHA256",
    "SHA384",
    "SHA512",
    "AES128CMAC",
];

fn key(name: &str) -> Option<SymmetricKey> {
    SymmetricKey::new(KeyAlgorithm::from_name(name)?, &[42; 16]).ok()
}

#[divan::bench(args = ALGORITHMS)]
fn mac(bencher: Bencher<'_, '_>, name: &str) {
    let Some(key) = key(name) else { return };
    let packet = [0; 48];
    bencher.counter(ItemsCount::new(1_u32)).bench(|| {
        let mut buffer = MacBuffer::new();
        black_box(key.mac(black_box(&packet), &mut buffer)).len()
    });
}

#[divan::bench(args = ALGORITHMS)]
fn verify(bencher: Bencher<'_, '_>, name: &str) {
    let Some(key) = key(name) else { return };
    let packet = [0; 48];
    let mut buffer = MacBuffer::new();
    let mac = key.mac(&packet, &mut buffer);
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench(|| key.verify(black_box(&packet), black_box(mac)));
}
