//! Any text as a key file, with any password: no panic, whatever is asked of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntp_keys::KeyFile;

fuzz_target!(|input: (&str, &str)| {
    let (password, text) = input;
    let Ok(file) = KeyFile::parse(text) else {
        return;
    };
    let _ = file.certificate();
    let _ = file.private_key(password);
    let _ = file.iff_group(password);
});
