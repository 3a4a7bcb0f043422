//! Any octets as a private message: no panic, what is read is written the same, and what ntpdc
//! prints of an answer has no control characters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntp_control::{
    View,
    private::{Inquiry, PrivateProgress, PrivateSession},
};
use ntp_wire::{
    Monotonic, Timestamp,
    private::{PrivateHeader, PrivateMessage},
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = PrivateMessage::parse(bytes) else {
        return;
    };
    let header = message.header();
    assert_eq!(header.to_bytes(), bytes[..PrivateHeader::LENGTH]);
    for mac in [16, 20] {
        if let Some(tail) = message.tail(mac) {
            assert_eq!(tail.covered.len() + 4 + tail.mac.len(), bytes.len());
        }
    }
    for inquiry in [
        Inquiry::Sources(None),
        Inquiry::Peers(None),
        Inquiry::Peer(Vec::new(), 123),
        Inquiry::PeerStatistics(Vec::new(), 123),
        Inquiry::Loop { one_line: false },
        Inquiry::System,
        Inquiry::Packets,
        Inquiry::Memory,
        Inquiry::InputOutput,
        Inquiry::Timer,
        Inquiry::Restrictions(None),
        Inquiry::Clients,
        Inquiry::Kernel,
        Inquiry::Authentication,
        Inquiry::Control,
        Inquiry::Traps,
        Inquiry::Clocks(Vec::new()),
        Inquiry::ClockDebugging(Vec::new()),
        Inquiry::Interfaces,
    ] {
        let request = inquiry.request();
        if request.code != header.request {
            continue;
        }
        let mut session = PrivateSession::default();
        session
            .ask(&request, None, Monotonic::START)
            .expect("it has no items");
        if let PrivateProgress::Done(response) = session.handle(bytes, Monotonic::START) {
            let view = View::new(Timestamp::from_unix(1_795_393_189, 0));
            if let Ok(text) = inquiry.text(&response, &view) {
                let harmless = |byte: u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
                assert!(text.bytes().all(harmless));
            }
        }
    }
});
