//! What is said, word for word.

use ntp_conf::{Parsed, Severity, parse};

fn read(text: &str) -> Parsed {
    parse("ntp.conf", text, |_| Err("no files here".to_owned()))
}

fn said(text: &str) -> Vec<String> {
    read(text)
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_diagnostic_shows_its_line() {
    let parsed = read("# first\n\tsever 10.0.0.1\nrestrict default nomodfy # ü\n");
    assert_eq!(
        parsed.render(),
        "error: `sever` is no directive
 --> ntp.conf:2:2
  |
2 |  sever 10.0.0.1
  |  ^^^^^
  |
  = help: did you mean `server`?

error: `nomodfy` is no flag of `restrict`
 --> ntp.conf:3:18
  |
3 | restrict default nomodfy # ü
  |                  ^^^^^^^
  |
  = help: did you mean `nomodify`?"
    );
}

#[test]
fn long_and_dirty_lines_are_shown_in_part() {
    let long = format!("server a {}\u{1b}[31m\"", "x".repeat(10_000));
    let parsed = read(&long);
    let shown = parsed.render();
    assert!(shown.len() < 1000, "{}", shown.len());
    assert!(!shown.contains('\u{1b}'));
    assert!(parsed.diagnostics[0].to_string().len() < 200);
}

#[test]
fn lines_that_do_not_fit_together() {
    for (text, expected) in [
        (
            "server 10.0.0.1 key 5",
            "ntp.conf:1:1: warning: key 5 is used but there is no `keys` line: answers of 10.0.0.1 \
             will be dropped (add `keys FILE`)",
        ),
        (
            "keys k\ntrustedkey 4\nserver a key 5",
            "ntp.conf:3:1: warning: key 5 is used but not trusted: answers of a will be dropped \
             (add `trustedkey 5`)",
        ),
        (
            "controlkey 5",
            "ntp.conf:1:1: warning: key 5 is used but there is no `keys` line: ntpq cannot change \
             anything (add `keys FILE`)",
        ),
        (
            "server a autokey",
            "ntp.conf:1:1: warning: `autokey` without `crypto`: a cannot be authenticated (add \
             `crypto pw PASSWORD`, and make keys with ntp-keygen)",
        ),
        (
            "crypto\nserver a autokey key 3",
            "ntp.conf:2:1: warning: `key` and `autokey` exclude each other; `autokey` is used \
             (remove one of them)",
        ),
        (
            "fudge 127.127.1.0 stratum 10",
            "ntp.conf:1:1: error: there is no reference clock 127.127.1.0 (add `server \
             127.127.1.0`, or remove this line)",
        ),
        (
            "server 10.0.0.1\nrestrict default ignore",
            "ntp.conf:1:1: warning: answers of server 10.0.0.1 will be dropped: a `restrict` line \
             says `ignore` (add `restrict 10.0.0.1 nomodify noquery`, or the same with `source`)",
        ),
        (
            "tos minsane 3",
            "ntp.conf:1:1: warning: `minsane` 3 < `minclock` 3 <= `maxclock` 10 should hold and \
             does not (raise `minclock` or `maxclock`, or lower `minsane`)",
        ),
        (
            "restrict -4 default noquery\nrestrict default nomodify\nenable stats mode7",
            "ntp.conf:3:1: warning: `enable mode7` without `restrict default noquery`: whoever \
             forges an address has answers sent there that are up to 44 times as long as his \
             questions (add `restrict default noquery`, and a `restrict` line without it for \
             those who may ask)",
        ),
        (
            "tos ceiling 16",
            "ntp.conf:1:13: warning: ceiling 16 is outside 1 to 15; 15 is used",
        ),
        (
            "server a minpoll 8 maxpoll 7",
            "ntp.conf:1:1: warning: minpoll 8 is above maxpoll 7; 7 is used for both (write the \
             smaller number behind `minpoll`)",
        ),
        (
            "phone 5551212",
            "ntp.conf:1:1: warning: `phone` is understood but not carried out by this version: \
             there are no modem clocks",
        ),
    ] {
        assert_eq!(said(text), [expected], "{text}");
    }
}

#[test]
fn servers_that_are_let_through_are_not_warned_of() {
    for text in [
        "restrict default ignore\nserver 10.0.0.1\nrestrict 10.0.0.1",
        "restrict default ignore\nserver 10.0.0.1\nrestrict 10.0.0.0/8 nomodify",
        "restrict default ignore\nserver a\nrestrict source nomodify",
        "restrict default ignore\nserver a\nrestrict a",
        "restrict -4 default ignore\nserver a",
        "restrict -4 default ignore\nserver ::1",
        "restrict default notrust\nkeys k\ntrustedkey 1\nserver a key 1",
        "restrict default noquery nomodify\nserver a",
        "restrict default noquery\nenable mode7",
        "enable mode7\nrestrict -4 default ignore\nrestrict -6 default noquery",
        "enable mode7\ndisable mode7",
    ] {
        assert_eq!(said(text), Vec::<String>::new(), "{text}");
    }
    for text in [
        "restrict -4 default ignore\nserver 10.0.0.1",
        "restrict -4 default ignore\nserver -4 a",
        "restrict default ignore\nserver a",
        "restrict default noserve\nserver a",
        "restrict default notrust\nserver a",
        "restrict default nomodify\nserver 10.0.0.1\nrestrict 10.0.0.0/8 ignore",
        "server a\nrestrict source ignore",
        "restrict default ignore\nserver a\nrestrict default nomodify",
        "restrict default nomodify\nserver a\nrestrict default ignore",
    ] {
        assert_eq!(said(text).len(), 1, "{text}");
    }
}

#[test]
fn files_include_files() {
    let files = |path: &std::path::Path| match path.to_str() {
        Some("/a") => Ok(b"server a\nbad\nincludefile /b\nserver c".to_vec()),
        Some("/b") => Ok(b"server b".to_vec()),
        Some("/self") => Ok(b"includefile /self\nserver d".to_vec()),
        Some("/wide") => Ok(b"includefile /wide1\n".repeat(1000)),
        Some(path) if path.starts_with("/wide") => Ok(Vec::new()),
        Some(path) if path.starts_with("/deep") => {
            Ok(format!("server {0}\nincludefile {path}x", path.trim_matches('/')).into_bytes())
        }
        _ => Err("No such file or directory".to_owned()),
    };
    let read = |text: &str| parse("ntp.conf", text, files);
    let parsed = read("includefile /a\nserver z");
    let servers: Vec<_> = parsed
        .config
        .associations
        .iter()
        .map(|a| a.address.to_string())
        .collect();
    assert_eq!(servers, ["a", "b", "c", "z"]);
    assert_eq!(parsed.diagnostics.len(), 1);
    assert_eq!(
        (
            parsed.diagnostics[0].location.file.as_str(),
            parsed.diagnostics[0].location.line
        ),
        ("/a", 2)
    );
    assert!(parsed.render().contains("--> /a:2:1"));
    assert_eq!(parsed.statements.len(), 7);

    let said = |text: &str| {
        read(text)
            .diagnostics
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        said("includefile /none"),
        [
            "ntp.conf:1:13: error: `/none` cannot be read: No such file or directory (nothing is \
          included; check the name and who may read it)"
        ]
    );
    assert_eq!(
        said("includefile /self"),
        [
            "/self:1:13: error: `/self` includes itself (remove the line; the file is already being read)"
        ]
    );
    let deep = read("includefile /deep");
    assert_eq!(deep.config.associations.len(), 5);
    assert!(deep.diagnostics[0].message.contains("more than 5 deep"));
    let wide = read("includefile /wide");
    assert!(
        wide.diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error)
    );
    assert!(wide.sources.iter().count() <= ntp_conf::MOST_FILES + 1);
}
