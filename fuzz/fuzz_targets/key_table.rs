//! Any text as `ntp.keys`: no panic, problems name lines that are there, every key makes MACs that
//! it verifies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntp_keys::{KeyTable, MacBuffer};

fuzz_target!(|text: &str| {
    let (table, problems) = KeyTable::parse(text);
    let lines = text.lines().count();
    for problem in &problems {
        assert!(problem.line >= 1 && problem.line <= lines);
        assert!(!problem.to_string().contains('\n'));
    }
    for (id, entry) in table.iter() {
        assert!(id.is_symmetric());
        let mut buffer = MacBuffer::new();
        let mac = entry.key().mac(b"message", &mut buffer);
        assert_eq!(mac.len(), entry.key().mac_length());
        assert!(entry.key().verify(b"message", mac));
    }
});
