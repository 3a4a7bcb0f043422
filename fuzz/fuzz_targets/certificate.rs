//! Any octets as a certificate: no panic, whatever is asked of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntp_keys::Certificate;

fuzz_target!(|der: &[u8]| {
    let Ok(certificate) = Certificate::parse(der) else {
        return;
    };
    assert_eq!(certificate.der(), der);
    let again = Certificate::parse(certificate.der()).expect("it was read before");
    assert_eq!(again.subject(), certificate.subject());
    assert_eq!(again.issuer(), certificate.issuer());
    assert_eq!(again.serial(), certificate.serial());
    let _ = certificate.is_trusted() && certificate.is_private();
    let _ = certificate.verify(certificate.public_key());
});
