//! Every directive: what it gives, what it refuses.

use std::net::IpAddr;

use ntp_conf::*;
use ntp_wire::{Duration, KeyId, PollExponent, ReferenceId, Stratum, Version};

fn read(text: &str) -> Parsed {
    parse("ntp.conf", text, |_| Err("no files here".to_owned()))
}

/// The configuration of a text without errors; warnings are allowed.
fn good(text: &str) -> Config {
    let parsed = read(text);
    assert!(!parsed.has_errors(), "{text}\n{}", parsed.render());
    parsed.config
}

/// The configuration of a text that nothing is said about.
fn silent(text: &str) -> Config {
    let parsed = read(text);
    assert!(parsed.diagnostics.is_empty(), "{text}\n{}", parsed.render());
    parsed.config
}

/// What is said about a text: the first part of each diagnostic.
fn said(text: &str) -> Vec<String> {
    read(text)
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn the_walk_through_is_read_in_silence() {
    let server = silent(
        "# /etc/ntp.conf\nserver 127.127.1.0\nfudge 127.127.1.0 stratum 1\n\
         crypto pw redhat randfile /dev/urandom\nkeysdir /etc/ntp\nrestrict default ignore\n\
         restrict 127.0.0.1\nrestrict 10.0.0.0 mask 255.255.255.0 nomodify noquery\n\
         driftfile /var/lib/ntp/drift\n",
    );
    assert_eq!(server.associations, []);
    let clock = &server.reference_clocks[0];
    assert_eq!(clock.address, ClockAddress { driver: 1, unit: 0 });
    assert_eq!(clock.fudge.stratum, Some(Stratum::new(1)));
    let crypto = server.crypto.unwrap();
    assert_eq!(crypto.password.as_deref(), Some("redhat"));
    assert_eq!(crypto.random_file.unwrap().to_str(), Some("/dev/urandom"));
    assert_eq!(server.keys.directory.to_str(), Some("/etc/ntp"));
    assert_eq!(
        server.drift_file.unwrap().to_str(),
        Some("/var/lib/ntp/drift")
    );
    let [default, host, network] = &server.restrictions[..] else {
        panic!("three restrictions");
    };
    assert_eq!(default.address, RestrictAddress::Default(None));
    assert_eq!(default.flags, RestrictFlags::IGNORE);
    assert_eq!(host.address, RestrictAddress::network(ip("127.0.0.1"), 32));
    assert!(host.flags.is_empty());
    assert_eq!(
        network.address,
        RestrictAddress::network(ip("10.0.0.0"), 24)
    );
    assert_eq!(
        network.flags,
        RestrictFlags::NO_MODIFY | RestrictFlags::NO_QUERY
    );

    let client = silent(
        "# /etc/ntp.conf\nserver 10.0.0.1 iburst autokey\n\
         crypto pw linux randfile /dev/urandom\nkeysdir /etc/ntp\n",
    );
    let server = &client.associations[0];
    assert_eq!(server.address, ServerAddress::Ip(ip("10.0.0.1")));
    assert!(server.initial_burst && server.autokey && !server.burst);
    assert_eq!(server.version, Version::V4);
    assert_eq!(server.minimum_poll, PollExponent::DEFAULT_MINIMUM);
    assert_eq!(server.maximum_poll, PollExponent::DEFAULT_MAXIMUM);
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(silent(""), Config::default());
    assert_eq!(silent("\u{feff}# only this\r\n\r\n"), Config::default());
    let usual = Config::default();
    assert_eq!(usual.tos.maximum_distance, Duration::from_bits(3 << 31));
    assert!(usual.switches.is_on(Switch::Monitor) && !usual.switches.is_on(Switch::Mode7));
    assert_eq!(usual.write(), "");
}

#[test]
fn servers() {
    let config = good(
        "keys k\ntrustedkey 7\nserver -4 ntp.example.org minpoll 4 maxpoll 5 version 3 burst prefer noselect \
         true key 7 port 1123 preempt xleave xmtnonce mode 3 ttl 9 ident group\n",
    );
    let server = &config.associations[0];
    let expected = Association {
        family: Some(AddressFamily::Ipv4),
        port: Some(1123),
        version: Version::V3,
        minimum_poll: PollExponent::new(4),
        maximum_poll: PollExponent::new(5),
        burst: true,
        prefer: true,
        no_select: true,
        always_true: true,
        preempt: true,
        interleave: true,
        transmit_nonce: true,
        key: Some(KeyId::new(7)),
        ident: Some("group".to_owned()),
        ttl: Some(9),
        mode: 3,
        ..Association::new(
            AssociationKind::Server,
            ServerAddress::new("ntp.example.org"),
        )
    };
    assert_eq!(*server, expected);

    let polls = |text: &str| {
        let server = good(text).associations.remove(0);
        (server.minimum_poll.value(), server.maximum_poll.value())
    };
    assert_eq!(polls("server a maxpoll 4"), (4, 4));
    assert_eq!(polls("server a minpoll 12"), (12, 12));
    assert_eq!(polls("server a minpoll 9 maxpoll 7"), (7, 7));
    assert_eq!(polls("server a minpoll 1 maxpoll 99"), (3, 17));
    assert_eq!(said("server a minpoll 9 maxpoll 7").len(), 1);
    assert_eq!(
        said("server a minpoll 2"),
        ["ntp.conf:1:18: warning: minpoll 2 is outside 3 to 17; 3 is used"]
    );
    assert_eq!(
        silent("server [2001:db8::1]").associations[0]
            .address
            .to_string(),
        "2001:db8::1"
    );
    let search = "manycastclient 239.1.1.1";
    assert_eq!(
        good(search).associations[0].kind,
        AssociationKind::ManycastClient
    );
    for (text, kind) in [
        ("broadcast 10.0.0.255", AssociationKind::Broadcast),
        ("peer a", AssociationKind::Peer),
        ("pool a", AssociationKind::Pool),
    ] {
        assert_eq!(silent(text).associations[0].kind, kind);
    }
}

#[test]
fn groups() {
    let config = silent(
        "broadcastclient novolley\nmulticastclient\nmulticastclient ff05::101 239.0.0.1\n\
         enable bclient\n",
    );
    assert!(config.groups.broadcast_client && !config.groups.volley);
    let groups: Vec<IpAddr> = ["224.0.1.1", "ff05::101", "239.0.0.1"]
        .map(|group| group.parse().unwrap())
        .into();
    assert_eq!(config.groups.multicast_client, groups);
    assert_eq!(
        config.write(),
        "enable bclient\nbroadcastclient novolley\n\
         multicastclient 224.0.1.1 ff05::101 239.0.0.1\n"
    );
    assert!(silent("enable bclient").follows_broadcasts());
    assert!(!silent("multicastclient").follows_broadcasts());
    let config = good("manycastserver 239.1.1.1\nttl 1 2 3\n");
    assert_eq!(config.groups.hops, [1, 2, 3]);
    assert_eq!(config.write(), "manycastserver 239.1.1.1\nttl 1 2 3\n");
    for text in [
        "multicastclient 10.0.0.1",
        "manycastserver",
        "broadcastclient x",
        "ttl",
        "ttl 256",
    ] {
        let parsed = parse("ntp.conf", text, |_| Err("no".to_owned()));
        assert!(parsed.has_errors(), "{text}");
        assert_eq!(parsed.config.groups, Groups::default());
    }
}

#[test]
fn bad_lines_leave_nothing_behind() {
    for text in [
        "server",
        "server a iburts",
        "server -6 10.0.0.1",
        "server a key 0",
        "server a key 65536",
        "server a key 99999999999999999999999",
        "server a version 5",
        "server a version 0",
        "server a port 0",
        "server a key",
        "server a/b",
        "server \"\"",
        "peer 127.127.1.0",
        "SERVER a",
        "fudge 10.0.0.1 stratum 1",
        "fudge 127.127.1.0 stratum 1",
        "restrict",
        "restrict 10.0.0.0/33",
        "restrict 10.0.0.0/",
        "restrict ::/129",
        "restrict 10.0.0.1 mask ffff::",
        "restrict default mask 255.0.0.0",
        "restrict -4 source",
        "restrict default serverresponse",
        "restrict a nopeers",
        "trustedkey",
        "trustedkey 0",
        "trustedkey (1 ... 4294967295)",
        "trustedkey (5 ... 1)",
        "trustedkey (1 ...",
        "trustedkey 1 2 x",
        "controlkey 1 2",
        "keys",
        "keys a b",
        "crypto pww x",
        "crypto digest MD6",
        "enable",
        "disable monitor everything",
        "tos minclock x",
        "tos maxdist 1.5 nonsense 2",
        "tinker panic",
        "tinker panic -5",
        "tinker step nan",
        "tinker freq 1e999",
        "discard",
        "mru maxdepth x",
        "interface listen",
        "interface hear all",
        "interface listen 10.0.0.0/99",
        "dscp 64",
        "setvar",
        "setvar x",
        "setvar =5",
        "filegen loopstat",
        "filegen loopstats file ../../etc/passwd",
        "statistics loopstats nonsense",
        "logconfig =nonsense",
        "logconfig +syncall =x",
        "includefile",
        "leapfile a b",
        "nonsense",
        "logfile \"open",
        "\"server\" a",
    ] {
        let parsed = read(text);
        assert!(parsed.has_errors(), "{text}");
        assert_eq!(parsed.config, Config::default(), "{text}");
    }
}

#[test]
fn constants_of_the_loop_are_held_to_what_makes_sense() {
    for (text, warning) in [
        (
            "tinker stepout 60",
            "stepout 60 is less than 300; 300 is used",
        ),
        (
            "tinker freq 600",
            "freq 600 is outside -500 to 500; 500 is used",
        ),
        ("tinker freq -1e9", "-500 is used"),
        (
            "tinker dispersion 2000",
            "dispersion 2000 is outside 0 to 1000",
        ),
        ("tinker dispersion -1", "0 is used"),
    ] {
        let parsed = read(text);
        assert!(!parsed.has_errors(), "{text}");
        assert!(parsed.render().contains(warning), "{}", parsed.render());
        let again = read(&parsed.config.write());
        assert!(again.diagnostics.is_empty(), "{}", again.render());
        assert_eq!(again.config, parsed.config);
    }
    assert_eq!(silent("tinker stepout 300").tinker, Tinker::default());
    // In parts per million, as the reference takes it, or as its manual has it.
    for (text, rate) in [
        ("tinker dispersion 20", 20.0),
        ("tinker dispersion 500", 500.0),
        ("tinker dispersion 0.00002", 20.0),
        ("tinker dispersion 0", 0.0),
    ] {
        let config = silent(text);
        assert_eq!(config.tinker.dispersion.value(), rate, "{text}");
        assert_eq!(silent(&config.write()).tinker, config.tinker, "{text}");
    }
    let config = silent("tinker step 0 stepback 0.5 panic 0 allan 9 freq -12.5");
    assert_eq!(config.tinker.step_forward, Duration::ZERO);
    assert_eq!(config.tinker.step_back, Duration::from_millis(500));
    assert_eq!(config.tinker.panic, Duration::ZERO);
    assert_eq!(config.tinker.allan_exponent, 9);
    assert_eq!(
        config.tinker.frequency.map(|rate| rate.value()),
        Some(-12.5)
    );
}

#[test]
fn local_clocks() {
    let config = silent(
        "fudge 127.127.1.0 time1 -0.5 time2 1e-3 refid GPS flag1 1 flag4 0\n\
         server 127.127.1.0 prefer minpoll 3 maxpoll 3\nfudge 127.127.1.0 stratum 10\n",
    );
    let clock = &config.reference_clocks[0];
    assert!(clock.prefer);
    assert_eq!(
        (clock.minimum_poll.value(), clock.maximum_poll.value()),
        (3, 3)
    );
    assert_eq!(clock.fudge.time1, Some(Duration::from_millis(-500)));
    assert_eq!(clock.fudge.stratum, Some(Stratum::new(10)));
    assert_eq!(
        clock.fudge.reference_id,
        Some(ReferenceId::from_text("GPS"))
    );
    assert_eq!(clock.fudge.flags, [Some(true), None, None, Some(false)]);
    assert!(said("server 127.127.28.0")[0].contains("there is only 1, the local clock"));
    assert!(said("server 127.127.1.0 iburst")[0].contains("note: `iburst` means nothing"));
}

#[test]
fn restrictions() {
    let one = |text: &str| good(text).restrictions.remove(0);
    let flags = "ignore noserve notrust version nopeer noepeer limited noquery nomodify notrap \
                 lowpriotrap kod mssntp flake nomrulist serverresponse fuzz";
    let all = one(&format!("restrict source {flags} ntpport ippeerlimit 5"));
    assert_eq!(
        (all.flags, all.ntp_port, all.ip_peer_limit),
        (RestrictFlags::ALL, true, Some(5))
    );
    assert_eq!(all.address, RestrictAddress::Source);
    let v6 = Some(AddressFamily::Ipv6);
    assert_eq!(
        one("restrict -6 default").address,
        RestrictAddress::Default(v6)
    );
    assert_eq!(one("restrict ::/0").address, RestrictAddress::Default(v6));
    assert_eq!(one("restrict default ippeerlimit -1").ip_peer_limit, None);
    assert_eq!(one("restrict a noepeer epeer").flags, RestrictFlags::NONE);
    let host = RestrictAddress::Host {
        name: "a.b".to_owned(),
        family: v6,
        mask: None,
    };
    assert_eq!(one("restrict -6 a.b kod").address, host);
    for length in 0..=32 {
        let cidr = one(&format!("restrict 255.255.255.255/{length}")).address;
        if length > 0 {
            assert_eq!(
                cidr,
                RestrictAddress::network(ip("255.255.255.255"), length)
            );
        }
        let RestrictAddress::Network {
            mask: IpAddr::V4(mask),
            ..
        } = cidr
        else {
            continue;
        };
        assert_eq!(mask.to_bits().count_ones(), u32::from(length));
    }
    for length in 1..=128 {
        let cidr = one(&format!("restrict ffff::1/{length}")).address;
        assert_eq!(cidr, RestrictAddress::network(ip("ffff::1"), length));
    }
    assert!(said("restrict 10.0.0.0 mask 255.0.255.0")[0].contains("warning: the ones of mask"));
    assert!(said("restrict 10.0.0.9 mask 255.0.0.0")[0].contains("note: 10.0.0.9 has bits"));
}

#[test]
fn keys_and_autokey() {
    let config = good(
        "keys /etc/ntp/keys\ntrustedkey 9 1 (3 ... 5)\ntrustedkey (6 ...8) 1\ntrustedkey 1 2 (10...12)\n\
         controlkey 4\nrequestkey 12\nident group\nautomax 10\nrevoke 14\n\
         crypto\ncrypto pw \"a b\" host h ident g digest sha1\n",
    );
    for (key, trusted) in [
        (1, true),
        (2, true),
        (5, true),
        (9, true),
        (12, true),
        (13, false),
        (0, false),
    ] {
        assert_eq!(config.keys.is_trusted(KeyId::new(key)), trusted, "{key}");
    }
    assert_eq!(config.keys.control, Some(KeyId::new(4)));
    assert_eq!((config.automax, config.revoke), (10, 14));
    let crypto = config.crypto.unwrap();
    assert_eq!(crypto.password.as_deref(), Some("a b"));
    assert_eq!(crypto.digest.as_deref(), Some("SHA1"));
    assert_eq!(
        (crypto.host.as_deref(), crypto.ident.as_deref()),
        (Some("h"), Some("g"))
    );
    let old = said("crypto cert a sign b iffpar c gqpar d mvpar e leap f");
    assert_eq!(old.len(), 6);
    assert!(old.iter().all(|line| line.contains("note: ")), "{old:?}");
}

#[test]
fn the_rest() {
    let config = good(
        "disable monitor ntp\nenable mode7\nrestrict default noquery\nlogconfig =syncstatus +sysevents\nlogfile l\npidfile p\n\
         statsdir /s/\nstatistics loopstats peerstats\nfilegen loopstats file l type day link enable\n\
         tos maxdist 16 minclock 4 orphan 6\ntinker panic 0 step 0.5 dispersion 20e-6\n\
         discard average 5 minimum 1 monitor 9\nmru maxdepth 10 maxage 3\ninterface listen 10.0.0.0/8\n\
         nic ignore wildcard\nleapfile /l ignorehash\nsetvar foo = \"b ar\" default\nsetvar x=y\n\
         broadcastdelay 0.01\ndscp 0\nrlimit memlock -1 filenum 9\ntick 10000\nsaveconfigdir /c\n\
         broadcastclient novolley\nmulticastclient\ntrap 10.0.0.1 port 5\nttl 1 2 3\n",
    );
    assert!(!config.switches.is_on(Switch::Monitor) && config.switches.is_on(Switch::Mode7));
    assert!(
        config
            .log_mask
            .contains(LogClass::Synchronisation, LogKind::Status)
    );
    assert!(config.log_mask.contains(LogClass::System, LogKind::Event));
    assert!(!config.log_mask.contains(LogClass::Peer, LogKind::Event));
    assert_eq!(config.tos.maximum_distance, Duration::from_seconds(16));
    assert_eq!(config.tos.orphan, Some(Stratum::new(6)));
    assert_eq!(config.tinker.panic, Duration::ZERO);
    assert_eq!(config.tinker.step_forward, Duration::from_millis(500));
    assert_eq!(config.tinker.step_back, Duration::from_millis(500));
    assert_eq!(config.tinker.dispersion.value(), 20.0);
    assert_eq!(
        config.discard,
        Discard {
            average_exponent: 5,
            minimum: 1,
            monitor: 9
        }
    );
    assert_eq!(config.interfaces.len(), 2);
    assert_eq!(config.variables[0].value, "b ar");
    assert!(config.variables[0].listed && !config.variables[1].listed);
    assert_eq!(config.limits.locked_memory, Some(-1));
    assert_eq!(config.kept.len(), 1, "{:?}", config.kept);
    assert!(!config.leap_file_check_hash);
    assert_eq!(good("logconfig -all +allsync "), good("logconfig =syncall"));
}

#[test]
fn switches_stay_where_they_are_put() {
    assert_eq!(silent("enable monitor monitor"), Config::default());
    let off = silent("disable monitor\ndisable monitor").switches;
    assert!(!off.is_on(Switch::Monitor) && off.is_on(Switch::Kernel));
}

#[test]
fn every_directive_stands_in_the_table_once_and_alone_does_no_harm() {
    let mut words: Vec<&str> = DIRECTIVES
        .iter()
        .map(|directive| directive.keyword)
        .collect();
    words.sort_unstable();
    let count = words.len();
    words.dedup();
    assert_eq!(words.len(), count);
    for word in words {
        let parsed = read(word);
        // These mean something alone.
        let meaningful = [
            "broadcastclient",
            "crypto",
            "driftfile",
            "metrics",
            "multicastclient",
        ];
        let alone = meaningful.contains(&word);
        assert_eq!(
            parsed.diagnostics.is_empty(),
            alone,
            "{word}\n{}",
            parsed.render()
        );
        assert_eq!(parsed.statements.len(), 1);
    }
}

#[test]
fn the_password_is_not_shown() {
    let parsed = parse("ntp.conf", "crypto pw sesame host h\n", |_| {
        Err(String::new())
    });
    let shown = format!("{:?}", parsed.config);
    assert!(
        shown.contains("\"h\"") && !shown.contains("sesame"),
        "{shown}"
    );
}
