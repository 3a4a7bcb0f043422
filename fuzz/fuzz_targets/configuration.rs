//! Any octets as ntp.conf: no panic, diagnostics can be shown, and what is written reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let nothing = |_: &std::path::Path| Err("there are no files here".to_owned());
    let parsed = ntp_conf::parse("ntp.conf", text, nothing);
    parsed.render();
    let written = parsed.config.write();
    let again = ntp_conf::parse("written", &written, nothing);
    assert_eq!(again.config, parsed.config, "{written}");
    assert_eq!(again.config.write(), written);
});
