use ntp_wire::{AssociationId, Timestamp, control::PeerStatus};
use proptest::prelude::*;

use super::*;

/// 2026-11-23 04:06:32 UTC, 328 s after the times below.
const VIEW: View<'_> = View::new(Timestamp::from_parts(0xeeae_3a48, 0));

/// A peer with some variables changed; rows as ntpq 4.2.8p15 printed them.
fn shown(columns: Columns, status: u16, changes: &[(&str, &str)]) -> String {
    let mut variables = vec![
        ("srcadr", "10.1.2.3"),
        ("dstadr", "10.1.2.4"),
        ("stratum", "2"),
        ("refid", "10.9.8.7"),
        ("reftime", "0xeeae3900.6089ce2d"),
        ("rec", "0x00000000.00000000"),
        ("reach", "0xff"),
        ("hmode", "3"),
        ("hpoll", "6"),
        ("ppoll", "7"),
        ("flash", "0x0"),
        ("offset", "-0.25"),
        ("delay", "12.3456789"),
        ("dispersion", "0.5"),
        ("jitter", "0.125"),
    ];
    for &(name, value) in changes {
        variables.retain(|&(other, _)| other != name);
        if !value.is_empty() {
            variables.push((name, value));
        }
    }
    let text: Vec<_> = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let association = Association {
        id: AssociationId::new(100),
        status: PeerStatus::from_bits(status),
    };
    row(
        &association,
        text.join(", ").as_bytes(),
        columns,
        None,
        None,
        &VIEW,
    )
    .unwrap()
    .trim_end_matches('\n')
    .to_owned()
}

#[test]
fn the_rows_of_the_reference() {
    for (status, changes, line) in [
        (
            0x961a,
            &[][..],
            "*10.1.2.3        10.9.8.7         2 u  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x7414,
            &[
                ("hmode", "1"),
                ("offset", "12345.678"),
                ("delay", "99999.5"),
                ("jitter", "123.4567"),
            ],
            "+10.1.2.3        10.9.8.7         2 s  328   64  377  99999.5  +12345. 123.457",
        ),
        (
            0x8011,
            &[
                ("hmode", "2"),
                ("srcadr", "2001:db8::1:2:3:4"),
                ("refid", "INIT"),
                ("stratum", "16"),
                ("reach", "0x0"),
            ],
            " 2001:db8::1:2:3 .INIT.          16 S  328   64    0   12.346   -0.250   0.125",
        ),
        (
            0x1424,
            &[("hmode", "5"), ("refid", "BCST")],
            "+10.1.2.3        .BCST.           2 B  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x9334,
            &[("hmode", "5"), ("srcadr", "224.0.1.1")],
            "-224.0.1.1       10.9.8.7         2 M  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x9544,
            &[("hmode", "6")],
            "#10.1.2.3        10.9.8.7         2 b  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x8055,
            &[("srcadr", "0.0.0.0"), ("refid", "POOL"), ("stratum", "16")],
            " 0.0.0.0         .POOL.          16 p  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0xf766,
            &[("srcadr", "224.0.1.1"), ("refid", "ACST")],
            "o224.0.1.1       .ACST.           2 a  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x9177,
            &[
                ("srcadr", "127.127.20.0"),
                ("refid", "GPS"),
                ("stratum", "0"),
            ],
            "x127.127.20.0    .GPS.            0 l  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x9288,
            &[("srcadr", "127.127.1.3"), ("refid", "127.127.1.0")],
            ".127.127.1.3     LOCAL(0)         2 l  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("flash", "0x1fff"), ("refid", "")],
            " 10.1.2.3        (loop)           2 u  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("hpoll", "17"), ("ppoll", "17")],
            " 10.1.2.3        10.9.8.7         2 u  328  36h  377   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("hpoll", "0"), ("ppoll", "3")],
            " 10.1.2.3        10.9.8.7         2 u  328    1  377   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("hpoll", "-3"), ("ppoll", "10")],
            " 10.1.2.3        10.9.8.7         2 u  328    8  377   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("hpoll", "10"), ("ppoll", "4")],
            " 10.1.2.3        10.9.8.7         2 u  328   16  377   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("srchost", "\"a.very.long.hostname.example.org\"")],
            " a.very.long.hos 10.9.8.7         2 u  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("refid", "ABCDE")],
            " 10.1.2.3                         2 u  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("hmode", "9"), ("stratum", "300"), ("reach", "0xfff")],
            " 10.1.2.3        10.9.8.7        300 u  328   64  7777   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("srcadr", "fe80::1%eth0")],
            " fe80::1         10.9.8.7         2 u  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("srcadr", "")],
            " 0.0.0.0         10.9.8.7         2 p  328   64  377   12.346   -0.250   0.125",
        ),
        (
            0x8000,
            &[("offset", "abc"), ("jitter", "")],
            " 10.1.2.3        10.9.8.7         2 u  328   64  377   12.346   +0.000   0.500",
        ),
        (
            0x8000,
            &[("rec", "0xfeae3900.6089ce2d")],
            " 10.1.2.3        10.9.8.7         2 u    -   64  377   12.346   -0.250   0.125",
        ),
    ] {
        assert_eq!(shown(Columns::ReferenceId, status, changes), line);
    }
}

#[test]
fn other_columns() {
    assert_eq!(
        shown(Columns::AssociationId, 0x961a, &[]),
        "*10.1.2.3        a090807  100     2 u  328   64  377   12.346   -0.250   0.125"
    );
    assert_eq!(
        shown(Columns::AssociationId, 0x961a, &[("refid", "INIT")]),
        "*10.1.2.3        .INIT.   100     2 u  328   64  377   12.346   -0.250   0.125"
    );
    assert_eq!(
        shown(
            Columns::Local,
            0x961a,
            &[("dstadr", "2001:db8:1:2:3:4:5:6")]
        ),
        "*10.1.2.3        _b8:1:2:3:4:5:6  2 u  328   64  377   12.346   -0.250   0.500"
    );
    assert_eq!(
        shown(Columns::Local, 0x961a, &[("srchost", "\"time.example\"")]),
        "*10.1.2.3        10.1.2.4         2 u  328   64  377   12.346   -0.250   0.500"
    );
}

#[test]
fn several_servers_have_a_column() {
    let server = Some(ServerColumn {
        name: "::1",
        width: 9,
    });
    assert_eq!(
        heading(Columns::ReferenceId, server),
        "server (l      remote           refid      st t when poll reach   delay   offset  jitter\n\
         ========================================================================================\n"
    );
    let association = Association {
        id: AssociationId::new(1),
        status: PeerStatus::from_bits(0x961a),
    };
    let with = |data: &[u8]| {
        let text = row(
            &association,
            data,
            Columns::ReferenceId,
            server,
            None,
            &VIEW,
        );
        text.unwrap()[..12].to_owned()
    };
    assert_eq!(with(b"srcadr=10.1.2.3, dstadr=127.0.0.1"), "127.0.0.1 *1");
    assert_eq!(
        with(b"srcadr=10.1.2.3, dstadr=2001:db8:1:2:3::6"),
        "_:2:3::6  *1".replace("_:2:3::6 ", "_1:2:3::6")
    );
    assert_eq!(with(b"srcadr=10.1.2.3"), "::1       *1");
}

#[test]
fn wide_names_and_families() {
    let association = Association {
        id: AssociationId::new(1),
        status: PeerStatus::from_bits(0),
    };
    let wide = View { wide: true, ..VIEW };
    let data = b"srcadr=2001:db8::1:2:3:4";
    let text = row(
        &association,
        data,
        Columns::ReferenceId,
        None,
        Some(true),
        &wide,
    )
    .unwrap();
    assert!(
        text.starts_with(" 2001:db8::1:2:3:4\n                                  0 u    -    1"),
        "{text}"
    );
    assert_eq!(
        row(
            &association,
            data,
            Columns::ReferenceId,
            None,
            Some(false),
            &wide
        ),
        None
    );
}

#[test]
fn intervals_of_the_reference() {
    for (seconds, text) in [
        (-1, "-"),
        (0, "-"),
        (1, "1"),
        (2048, "2048"),
        (2049, "34m"),
        (2071, "35m"),
        (17_970, "299m"),
        (18_030, "300m"),
        (18_031, "5h"),
        (347_400, "96h"),
        (350_000, "4d"),
        (86_313_600, "999d"),
        (86_400_000, "3y"),
        (1_500_000_000, "48y"),
    ] {
        assert_eq!(interval(seconds), text);
    }
}

proptest! {
    #[test]
    fn any_data_make_a_printable_row(data in prop::collection::vec(any::<u8>(), 0..100), name in "srcadr|srchost|refid|offset|hpoll|rec|dstadr|reach|delay") {
        let association = Association { id: AssociationId::new(1), status: PeerStatus::from_bits(0) };
        let data = [name.as_bytes(), b"=", &data].concat();
        for columns in [Columns::ReferenceId, Columns::AssociationId, Columns::Local] {
            let server = Some(ServerColumn { name: "x", width: 4 });
            let text = row(&association, &data, columns, server, None, &VIEW).unwrap();
            prop_assert!(text.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)));
        }
    }
}
