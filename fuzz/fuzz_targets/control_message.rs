//! Any octets as a control message: no panic, and what is written anew reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntp_wire::control::{ControlHeader, ControlMessage, Fragment};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = ControlMessage::parse(bytes) else {
        return;
    };
    for mac in message.macs() {
        assert!(mac.message.len() + 4 + mac.digest.len() <= bytes.len());
    }
    if message.data().len() > Fragment::LONGEST {
        return;
    }
    let mut out = [0; ControlHeader::LENGTH + Fragment::LONGEST + 8];
    let length = message
        .header()
        .emit_message(message.data(), &mut out)
        .expect("it fits");
    let again = ControlMessage::parse(&out[..length]).expect("it was just written");
    assert_eq!(again.header(), message.header());
    assert_eq!(again.data(), message.data());
});
