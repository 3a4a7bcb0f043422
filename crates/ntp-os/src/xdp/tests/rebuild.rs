//! The instructions that are shipped are what the source compiles to.

use std::{path::PathBuf, process::Command};

use super::super::CODE;

/// It takes no headers and no library.
const OPTIONS: [&str; 10] = [
    "-target",
    "bpfel",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    // Checksums are summed in words over what is not.
    "-fno-strict-aliasing",
    "-nostdinc",
    "-ffreestanding",
    "-c",
];

/// To change the program: change answer.c, run this test with clang 14 (Debian 12) in
/// `MERIDIAN_CLANG`, and copy the file that it writes over answer.bin.
#[test]
fn the_code_is_what_its_source_compiles_to() {
    let Some(clang) = std::env::var_os("MERIDIAN_CLANG") else {
        super::say("SKIPPED: the program rebuilt: MERIDIAN_CLANG does not name clang 14");
        assert!(std::env::var_os("CI").is_none(), "in CI nothing is skipped");
        return;
    };
    let version = Command::new(&clang).arg("--version").output().unwrap();
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    assert!(version.contains("version 14."), "not clang 14: {version}");
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/xdp/answer.c");
    let directory = tempfile::tempdir().unwrap();
    let object = directory.path().join("answer.o");
    let built = Command::new(&clang)
        .args(OPTIONS)
        .arg(&source)
        .arg("-o")
        .arg(&object)
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let object = std::fs::read(object).unwrap();
    let code = section(&object, "xdp").expect("a section xdp");
    if code != CODE {
        let kept = std::env::temp_dir().join("answer.bin");
        std::fs::write(&kept, code).unwrap();
        panic!("answer.c compiles to something else: {}", kept.display());
    }
}

/// The contents of a section of an ELF file of 64 bits, low octet first.
fn section<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let number = |at: usize, length: usize| {
        let octets = object.get(at..at + length)?;
        Some(
            octets
                .iter()
                .rev()
                .fold(0, |all, octet| all << 8 | usize::from(*octet)),
        )
    };
    let (table, count, names) = (number(0x28, 8)?, number(0x3c, 2)?, number(0x3e, 2)?);
    let header = |index: usize| table + 64 * index;
    let names = number(header(names) + 24, 8)?;
    let wanted = [name.as_bytes(), &[0]].concat();
    let index = (0..count).find(|index| {
        let at = number(header(*index), 4).map_or(object.len(), |offset| names + offset);
        object
            .get(at..)
            .is_some_and(|rest| rest.starts_with(&wanted))
    })?;
    let start = number(header(index) + 24, 8)?;
    object.get(start..start + number(header(index) + 32, 8)?)
}
