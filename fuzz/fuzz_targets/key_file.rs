//! Any text as a key file: no panic, whatever is asked of it; a group that is read
//! says the same when it is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntp_keys::{
    KeyFile, write_certificate, write_gq_group, write_iff_group, write_mv_client, write_mv_server,
    write_private_key,
};
use rand::{SeedableRng, rngs::ChaCha20Rng};

const NAME: &str = "ntpkey_x.4004389195";

/// Of the seeds that are encrypted.
const PASSWORD: &str = "geheim";

fuzz_target!(|text: &str| {
    let Ok(file) = KeyFile::parse(text) else {
        return;
    };
    let again = |text: &str| KeyFile::parse(text).expect("it was just written");
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let _ = file.private_key(PASSWORD);
    if let Ok(key) = file.sign_key(PASSWORD) {
        let text = write_private_key(NAME, "now", &key, None, &mut random);
        let text = text.expect("it was read");
        assert_eq!(again(&text).sign_key(""), Ok(key));
    }
    if let Ok(certificate) = file.certificate() {
        let text = write_certificate(NAME, "now", &certificate);
        assert_eq!(again(&text).certificate(), Ok(certificate));
    }
    if let Ok(group) = file.iff_group(PASSWORD) {
        let text = write_iff_group(NAME, "now", &group, None, &mut random);
        let text = text.expect("it was read");
        assert_eq!(again(&text).iff_group(""), Ok(group));
    }
    if let Ok(group) = file.gq_group(PASSWORD) {
        let text = write_gq_group(NAME, "now", &group, None, &mut random);
        let text = text.expect("it was read");
        assert_eq!(again(&text).gq_group(""), Ok(group));
    }
    if let Ok(keys) = file.mv_server(PASSWORD) {
        let text = write_mv_server(NAME, "now", &keys, None, &mut random);
        let text = text.expect("it was read");
        assert_eq!(again(&text).mv_server(""), Ok(keys));
    }
    for number in [0, 1, file.mv_clients()] {
        let Ok(keys) = file.mv_client(PASSWORD, number) else {
            continue;
        };
        let text = write_mv_client(NAME, "now", &keys, None, &mut random);
        let text = text.expect("it was read");
        assert_eq!(again(&text).mv_client("", 1), Ok(keys));
    }
});
