//! Any octets as the body of an Autokey field: no panic, and what is written anew reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntp_autokey::Message;
use ntp_wire::ExtensionField;

fuzz_target!(|input: (u16, &[u8])| {
    let (kind, body) = input;
    let field = ExtensionField { kind, body };
    let Ok(message) = Message::parse(&field) else {
        return;
    };
    assert!(Message::is_autokey(kind));
    let mut octets = Vec::new();
    message.emit(&mut octets);
    let length = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
    assert_eq!(length, octets.len());
    let field = ExtensionField {
        kind: u16::from_be_bytes([octets[0], octets[1]]),
        body: &octets[ExtensionField::HEAD..],
    };
    let again = Message::parse(&field).expect("it was just written");
    if octets.len() > 8 || message.value.is_none() {
        assert_eq!(again, message);
    }
});
