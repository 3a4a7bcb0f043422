//! Whatever stands in a file: it is read to its end, soon, and what was read writes itself.

use std::time::Instant;

use ntp_conf::{Config, DIRECTIVES, Parsed, parse};
use proptest::prelude::*;

const SAMPLE: &str = include_str!("sample.conf");

fn read(text: impl AsRef<[u8]>) -> Parsed {
    let parsed = parse("ntp.conf", text, |_| {
        Ok(b"server included\nincludefile a".to_vec())
    });
    for diagnostic in &parsed.diagnostics {
        assert!(!diagnostic.render(&parsed.sources).is_empty());
        assert!(diagnostic.location.line >= 1 && diagnostic.location.column >= 1);
        assert!(!diagnostic.to_string().contains('\n'), "{diagnostic}");
    }
    for statement in &parsed.statements {
        assert!(!parsed.sources.text(&statement.span()).is_empty());
    }
    parsed
}

/// What was read is read again from what it writes.
fn round_trip(config: &Config) {
    let text = config.write();
    let again = parse("again", &text, |_| Err(String::new()));
    assert!(!again.has_errors(), "{text}\n{}", again.render());
    assert_eq!(again.config, *config, "{text}");
    assert_eq!(again.config.write(), text);
}

#[test]
fn the_sample_holds_every_directive_and_writes_itself() {
    let parsed = parse("sample.conf", SAMPLE, |_| Ok(Vec::new()));
    assert!(!parsed.has_errors(), "{}", parsed.render());
    for directive in DIRECTIVES {
        let found = parsed
            .statements
            .iter()
            .any(|found| found.keyword.text == directive.keyword);
        assert!(found, "{}", directive.keyword);
    }
    round_trip(&parsed.config);
}

#[test]
fn odd_files() {
    for text in [
        &b"\0"[..],
        b"\xff\xfe\x00s\x00e",
        b"\xef\xbb\xbf",
        b"server a\r\nserver b\rserver c",
        b"\"",
        b"\"\"\"",
        b"server \"a\0b\"",
        b"#",
        b"server a key -",
        b"server a key -99999999999999999999999999999999",
        b"tinker step 1e-400 panic 0x10 stepout 99999999999999999999999",
        b"trustedkey ( ) (...) (1...) (...1) ((1...2)) (1 ... 2",
        b"logconfig = = = + -",
        b"setvar =",
        b"setvar a = = =",
        b"restrict / mask",
        b"restrict 10.0.0.0/-1",
        b"includefile \"\"",
    ] {
        round_trip(&read(text).config);
    }
    let last = read("server a\r\nserver b").config;
    assert_eq!(last.associations.len(), 2);
    read("x".repeat(10_000));
    read("\u{202e}".repeat(10_000));
}

#[test]
fn a_megabyte_is_read_soon() {
    const OCTETS: usize = 1 << 20;
    for line in [
        "serverr a\n",
        "servre\n",
        "x\n",
        "server a key 5\n",
        "server ::1\nrestrict ::1\n",
        "restrict default nomodfy\n",
        "trustedkey 1 3 5 7 9 11\nserver a key 9\n",
        "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n",
        "includefile ntp.conf\n",
        "setvar a=b\n",
        "\"",
        "a ",
        "( ",
        "\0",
        "\n",
    ] {
        let text = line.repeat(OCTETS / line.len());
        #[allow(
            clippy::disallowed_methods,
            reason = "how long it takes is what is tested"
        )]
        let start = Instant::now();
        parse("ntp.conf", &text, |_| Err(String::new()));
        // Without optimisation, on a busy machine.
        assert!(
            start.elapsed().as_secs() < 10,
            "{line:?} took {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_tab_between_quotation_marks_is_part_of_the_name() {
    let config = read("driftfile \"/var/lib/my\tdrift\"\n").config;
    assert_eq!(config.drift_file, Some("/var/lib/my\tdrift".into()));
    round_trip(&config);
}

proptest! {
    #[test]
    fn any_octets(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        round_trip(&read(octets).config);
    }

    #[test]
    fn words_of_the_language_in_any_order(
        picks in proptest::collection::vec((any::<prop::sample::Index>(), 0..10u8), 1..60)
    ) {
        let words: Vec<&str> = SAMPLE.split_whitespace().collect();
        let mut text = String::new();
        for (pick, gap) in picks {
            text.push_str(words[pick.index(words.len())]);
            text.push_str(match gap { 0 => "\n", 1 => "\"", 2 => "", _ => " " });
        }
        round_trip(&read(text).config);
    }

    #[test]
    fn the_sample_with_some_octets_changed(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut octets = SAMPLE.as_bytes().to_vec();
        for (index, value) in changes {
            let at = index.index(octets.len());
            octets[at] = value;
        }
        octets.truncate(cut.index(octets.len()));
        round_trip(&read(octets).config);
    }

    #[test]
    fn some_lines_of_the_sample(picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..30)) {
        let lines: Vec<&str> = SAMPLE.lines().collect();
        let text: String = picks.iter().map(|pick| format!("{}\n", lines[pick.index(lines.len())])).collect();
        round_trip(&read(text).config);
    }
}
