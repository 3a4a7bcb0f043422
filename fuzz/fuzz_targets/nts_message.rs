//! Any octets as messages of the NTS key exchange and as a file of cookie keys: no panic, and what
//! is read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntp_nts::{CookieKeys, KeyRequest, KeyResponse, Records};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(records)) = Records::find(bytes) {
        assert!(records.length() <= bytes.len());
        let length: usize = records.map(|record| 4 + record.body.len()).sum();
        assert_eq!(length, records.length());
        if let Ok(request) = KeyRequest::parse(records) {
            let written = request.write();
            let again = Records::find(&written).unwrap().unwrap();
            assert_eq!(KeyRequest::parse(again), Ok(request));
        }
        if let Ok(response) = KeyResponse::parse(records) {
            let written = response.write();
            let again = Records::find(&written).unwrap().unwrap();
            assert_eq!(KeyResponse::parse(again), Ok(response));
        }
    }
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(keys) = CookieKeys::parse(text)
    {
        assert!(CookieKeys::parse(&keys.to_text()).is_ok_and(|again| again == keys));
    }
});
