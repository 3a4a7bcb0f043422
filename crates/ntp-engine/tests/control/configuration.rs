//! What an operator changes while the daemon runs, and keeps.

use ntp_discipline::{Adjustment, Applied};
use ntp_engine::SaveError;

use super::*;

impl Lab {
    pub(super) fn signed(&mut self, opcode: Opcode, data: &str) -> String {
        let request = Request {
            data: data.as_bytes().to_vec(),
            ..Request::new(opcode, AssociationId::SYSTEM)
        };
        let answer = self.ask(&request, Some(&key())).unwrap().unwrap();
        String::from_utf8(answer.data).unwrap().trim().to_owned()
    }

    pub(super) fn configure(&mut self, line: &str) -> String {
        self.signed(Opcode::CONFIGURE, line)
    }

    /// The number of the first source, which is the local clock.
    pub(super) fn clock(&mut self) -> AssociationId {
        let answer = self.ask(&Request::list_associations(), None);
        let list = ntp_control::associations::parse(&answer.unwrap().unwrap().data).unwrap();
        list[0].id
    }

    /// The addresses of all sources.
    pub(super) fn sources(&mut self) -> Vec<String> {
        let answer = self.ask(&Request::list_associations(), None);
        let list = ntp_control::associations::parse(&answer.unwrap().unwrap().data).unwrap();
        let ids = list.iter().map(|one| one.id);
        ids.map(|id| self.text(&Request::read_variables(id, "srcadr")))
            .map(|text| text.trim().trim_start_matches("srcadr=").to_owned())
            .collect()
    }
}

#[test]
fn sources_come_and_go_by_configuration() {
    let mut lab = Lab::new(CONF);
    assert_eq!(lab.configure("server 192.0.2.7 iburst"), "Config Succeeded");
    assert_eq!(lab.configure("server 192.0.2.7"), "Config Succeeded");
    let all = ["127.127.1.0", "192.0.2.1", "192.0.2.7"];
    assert_eq!(lab.sources(), all);
    assert_eq!(lab.configure("unpeer 192.0.2.1"), "Config Succeeded");
    assert_eq!(lab.configure("unpeer 127.127.1.0"), "Config Succeeded");
    assert_eq!(lab.configure("unpeer 192.0.2.99"), "Config Succeeded");
    assert_eq!(lab.sources(), ["192.0.2.7"]);
    assert_eq!(lab.configure("server 127.127.1.0"), "Config Succeeded");
    assert_eq!(lab.sources(), ["192.0.2.7", "127.127.1.0"]);
    // Without the key nothing happens.
    let request = Request {
        data: b"server 192.0.2.8".to_vec(),
        ..Request::new(Opcode::CONFIGURE, AssociationId::SYSTEM)
    };
    assert_eq!(refused(lab.ask(&request, None)), ErrorCode::PERMISSION);
    assert_eq!(lab.sources().len(), 2);
}

#[test]
fn there_is_an_end_of_sources() {
    let lines: String = (0..4095_u32)
        .map(|number| format!("server 10.1.{}.{}\n", number >> 8, number & 255))
        .collect();
    let mut lab = Lab::new(&format!("{lines}trustedkey 1\ncontrolkey 1\n"));
    assert_eq!(lab.configure("server 192.0.2.7"), "Config Succeeded");
    assert_eq!(
        lab.configure("server 192.0.2.8"),
        "column 0 there are 4096 sources, and no room for more"
    );
    lab.configure("unpeer 192.0.2.7");
    assert_eq!(lab.configure("server 192.0.2.8"), "Config Succeeded");
}

#[test]
fn what_cannot_be_changed_is_said_with_its_column() {
    let mut lab = Lab::new(CONF);
    for (line, answer) in [
        ("bogus", "column 0 syntax error, "),
        (
            "restrict 10.9.9.9 bogus",
            "column 18 syntax error, `bogus` is no flag",
        ),
        ("logfile x", "column 8 logfile remote config ignored"),
        ("includefile x", "column 12 syntax error, "),
        ("crypto pw x", "column 7 crypto remote config ignored"),
        (
            "filegen loopstats file passwd",
            "column 18 filegen file remote config ignored",
        ),
        (
            "enable calibrate",
            "column 0 calibrate remote config ignored",
        ),
        ("reset bogus", "column 0 syntax error, `bogus` is nothing"),
        ("server \u{1b}[2J", "runtime configuration failed: "),
    ] {
        let said = lab.configure(line);
        assert!(said.starts_with(answer), "{line}: {said}");
    }
    assert_eq!(lab.sources().len(), 2);
}

#[test]
fn bounds_keys_and_clocks_change_by_configuration() {
    let mut lab = Lab::new(CONF);
    lab.shards = lab.engine.share(1);
    let limits = Request::read_variables(AssociationId::SYSTEM, "mru_enabled,mru_maxdepth");
    assert_eq!(lab.configure("mru maxdepth 100"), "Config Succeeded");
    assert_eq!(lab.configure("disable monitor"), "Config Succeeded");
    assert_eq!(lab.text(&limits), "mru_enabled=0x0, mru_maxdepth=100\r\n");

    // Where requests may follow each other at once, none is too fast.
    let line = "restrict 10.0.0.0 mask 255.0.0.0 limited";
    assert_eq!(lab.configure(line), "Config Succeeded");
    let client = "10.0.0.1:4000".parse().unwrap();
    let packet = [[0x23].as_slice(), &[0; 47]].concat();
    let ask = |lab: &mut Lab| {
        let one = lab.shard(0, client, &packet);
        let (verdict, sent) = (one, lab.datagram(client, &packet).len());
        (matches!(verdict, Verdict::Reply { .. }), sent)
    };
    assert_eq!(ask(&mut lab), (true, 1));
    assert_eq!(ask(&mut lab), (false, 0));
    let line = "discard average 1 minimum 0";
    assert_eq!(lab.configure(line), "Config Succeeded");
    lab.wait(Elapsed::from_secs(100));
    assert_eq!(ask(&mut lab), (true, 1));
    assert_eq!(ask(&mut lab), (true, 1));

    let clock = lab.clock();
    let line = "fudge 127.127.1.0 time1 0.5 refid GPS";
    assert_eq!(lab.configure(line), "Config Succeeded");
    let shown = Request {
        data: b"fudgetime1,refid".to_vec(),
        ..Request::new(Opcode::READ_CLOCK_VARIABLES, clock)
    };
    assert_eq!(lab.text(&shown), "fudgetime1=500.000, refid=GPS\r\n");
    // That of a clock is its name, whatever stratum it gives itself.
    let line = "fudge 127.127.1.0 stratum 5";
    assert_eq!(lab.configure(line), "Config Succeeded");
    for _ in 0..3 {
        lab.wait(Elapsed::from_secs(64));
        lab.engine.handle_deadline(lab.now);
    }
    let shown = Request {
        data: b"stratum,refid".to_vec(),
        ..Request::new(Opcode::READ_VARIABLES, clock)
    };
    assert_eq!(lab.text(&shown), "stratum=5, refid=GPS\r\n");

    assert_eq!(lab.configure("tos minclock 5"), "Config Succeeded");
    // The last thing that it does with this key.
    assert_eq!(lab.configure("controlkey 2"), "Config Succeeded");
    let request = Request {
        data: b"controlkey 1".to_vec(),
        ..Request::new(Opcode::CONFIGURE, AssociationId::SYSTEM)
    };
    let code = refused(lab.ask(&request, Some(&key())));
    assert_eq!(code, ErrorCode::PERMISSION);
}

#[test]
fn restrictions_come_by_configuration() {
    let mut lab = Lab::new(CONF);
    let request = Request::read_variables(AssociationId::SYSTEM, "leap");
    assert!(lab.ask(&request, None).is_some());
    let line = "restrict 203.0.113.0 mask 255.255.255.0 noquery";
    assert_eq!(lab.configure(line), "Config Succeeded");
    assert_eq!(lab.ask(&request, None), None);
}

#[test]
fn a_clock_that_is_there_stays_as_it_is() {
    let mut lab = Lab::new(&format!("{CONF}saveconfigdir x\n"));
    let said = lab.configure("fudge 127.127.1.0 stratum 3");
    assert_eq!(said, "Config Succeeded");
    assert_eq!(lab.configure("server 127.127.1.0"), "Config Succeeded");
    let request = Request {
        data: b"x.conf".to_vec(),
        ..Request::new(Opcode::SAVE_CONFIGURATION, AssociationId::SYSTEM)
    };
    let asked = lab.session.ask(&request, Some(&key()), Monotonic::START);
    let input = Input::Datagram {
        received: lab.now.wall,
        local: "192.0.2.9".parse().unwrap(),
        remote: lab.reader,
        data: &asked.unwrap(),
    };
    lab.engine.handle(lab.now, input);
    let saved = std::iter::from_fn(|| lab.engine.poll()).find_map(|output| match output {
        Output::SaveConfiguration(request) => Some(request.text),
        _ => None,
    });
    let saved = saved.unwrap();
    assert!(saved.contains("fudge 127.127.1.0 stratum 3"), "{saved}");
}

/// What the engine wants done, by the last line of configuration.
fn wishes(lab: &mut Lab, line: &str) -> Vec<Output> {
    let request = Request {
        data: line.as_bytes().to_vec(),
        ..Request::new(Opcode::CONFIGURE, AssociationId::SYSTEM)
    };
    while lab.engine.poll().is_some() {}
    let asked = lab.session.ask(&request, Some(&key()), Monotonic::START);
    let input = Input::Datagram {
        received: lab.now.wall,
        local: "192.0.2.9".parse().unwrap(),
        remote: lab.reader,
        data: &asked.unwrap(),
    };
    lab.engine.handle(lab.now, input);
    std::iter::from_fn(|| lab.engine.poll()).collect()
}

fn lines_of_the_log(outputs: &[Output]) -> String {
    let events = outputs.iter().filter_map(|output| match output {
        Output::Event(event) => Some(format!("{event}\n")),
        _ => None,
    });
    events.collect()
}

#[test]
fn hosts_of_restrictions_are_looked_up() {
    let mut lab = Lab::new(CONF);
    let wished = wishes(&mut lab, "restrict a.example noquery");
    let asked: Vec<(u16, String)> = wished
        .into_iter()
        .filter_map(|output| match output {
            Output::ResolveRestricted { number, name, .. } => Some((number, name)),
            _ => None,
        })
        .collect();
    let [(number, name)] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(name, "a.example");
    let request = Request::read_variables(AssociationId::SYSTEM, "leap");
    assert!(lab.ask(&request, None).is_some());
    // Answers to what nobody asked change nothing.
    for (number, address) in [(number + 1, lab.reader.ip()), (*number, lab.reader.ip())] {
        assert!(lab.ask(&request, None).is_some());
        let addresses = Ok(vec![address]);
        let input = Input::ResolvedRestricted { number, addresses };
        lab.engine.handle(lab.now, input);
    }
    assert_eq!(lab.ask(&request, None), None);
}

#[test]
fn a_host_that_is_not_found_is_told_of_and_not_waited_for() {
    let mut lab = Lab::new(CONF);
    for number in 0..100 {
        assert_eq!(
            lab.configure("restrict a.example noquery"),
            "Config Succeeded"
        );
        let addresses = Err("no such host".to_owned());
        let input = Input::ResolvedRestricted { number, addresses };
        lab.engine.handle(lab.now, input);
        let log: Vec<Output> = std::iter::from_fn(|| lab.engine.poll()).collect();
        let log = lines_of_the_log(&log);
        assert!(log.contains("restrict a.example is not in force"), "{log}");
    }
    for _ in 0..64 {
        lab.configure("restrict a.example noquery");
    }
    let said = lab.configure("restrict a.example noquery");
    assert!(said.contains("too many names"), "{said}");
}

#[test]
fn keys_are_read_anew() {
    let mut lab = Lab::new(&format!("keys ntp.keys\n{CONF}"));
    let wished = wishes(&mut lab, "keys new.keys");
    assert!(
        wished.iter().any(|output| matches!(
            output,
            Output::ReadKeys(path) if path.to_str() == Some("new.keys")
        )),
        "{wished:?}"
    );
    // What can't be read changes nothing.
    let failed = Input::Keys(Err("gone".to_owned()));
    lab.engine.handle(lab.now, failed);
    assert_eq!(lab.configure("setvar a = 1"), "Config Succeeded");
    let table = KeyTable::parse("1 M other\n2 M secret\n").0;
    lab.engine.handle(lab.now, Input::Keys(Ok(table)));
    let request = Request {
        data: b"setvar a = 2".to_vec(),
        ..Request::new(Opcode::CONFIGURE, AssociationId::SYSTEM)
    };
    let code = refused(lab.ask(&request, Some(&key())));
    assert_eq!(code, ErrorCode::PERMISSION);
    let other = Credentials {
        id: KeyId::new(1),
        key: SymmetricKey::new(KeyAlgorithm::MD5, b"other").unwrap(),
    };
    assert!(lab.ask(&request, Some(&other)).unwrap().is_ok());
}

#[test]
fn the_driver_is_told_what_it_does() {
    let mut lab = Lab::new(CONF);
    for (line, is_told) in [
        (
            "statistics loopstats",
            (|config| !config.statistics.kinds.is_empty()) as fn(&ntp_conf::Config) -> bool,
        ),
        ("filegen loopstats type week", |config| {
            !config.statistics.files.is_empty()
        }),
        ("broadcastclient", ntp_conf::Config::follows_broadcasts),
        ("manycastserver 224.0.1.1", |config| {
            !config.groups.manycast_server.is_empty()
        }),
    ] {
        let wished = wishes(&mut lab, line);
        assert!(
            wished.iter().any(|output| match output {
                Output::Configured(config) => is_told(config),
                _ => false,
            }),
            "{line}: {wished:?}"
        );
    }
}

#[test]
fn the_clock_is_let_go_of_and_taken_again() {
    let mut lab = Lab::new(CONF);
    /// Whether the clock is told another rate within ten minutes.
    fn steers(lab: &mut Lab) -> bool {
        let mut rates = 0;
        for _ in 0..600 {
            lab.wait(Elapsed::from_secs(1));
            lab.engine.handle_deadline(lab.now);
            while let Some(output) = lab.engine.poll() {
                if let Output::Adjust(asked @ Adjustment::Rate(rate)) = output {
                    rates += u32::from(rate.value() != 0.0);
                    let result = Ok(Applied::Rate(rate));
                    let input = Input::ClockChanged { asked, result };
                    lab.engine.handle(lab.now, input);
                }
            }
        }
        rates > 0
    }
    // So far off that it is slewed.
    assert_eq!(
        lab.configure("fudge 127.127.1.0 time1 0.05"),
        "Config Succeeded"
    );
    assert!(steers(&mut lab));
    // No slew stays behind.
    let wished = wishes(&mut lab, "disable ntp");
    let is_rate = |output: &Output| matches!(output, Output::Adjust(Adjustment::Rate(_)));
    assert!(wished.iter().any(is_rate), "{wished:?}");
    assert!(!steers(&mut lab));
    assert_eq!(lab.configure("enable ntp"), "Config Succeeded");
    assert!(steers(&mut lab));
}

#[test]
fn sources_that_are_many_come_by_configuration() {
    let mut lab = Lab::new(CONF);
    for line in ["broadcast 192.0.2.255", "manycastclient 224.0.1.1"] {
        assert_eq!(lab.configure(line), "Config Succeeded");
    }
    let all = ["127.127.1.0", "192.0.2.1", "192.0.2.255", "224.0.1.1"];
    assert_eq!(lab.sources(), all);
}

#[test]
fn counting_begins_anew() {
    let mut lab = Lab::new(CONF);
    lab.client(0x0a00_0001);
    lab.wait(Elapsed::from_secs(5));
    let names = "ss_received,ss_uptime,ss_reset,io_received,iostats_reset,authreset";
    let counted = Request::read_variables(AssociationId::SYSTEM, names);
    let said = lab.text(&counted);
    assert!(!said.contains("ss_received=0"), "{said}");
    let uptime = said.split(", ").find(|one| one.starts_with("ss_uptime"));
    let uptime = uptime.unwrap().to_owned();
    assert_eq!(lab.configure("reset sys io"), "Config Succeeded");
    let said = lab.text(&counted);
    for part in [
        uptime.as_str(),
        "ss_reset=0",
        "iostats_reset=0",
        "authreset=5",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    // The question itself.
    assert!(said.contains("ss_received=1,"), "{said}");
}

#[test]
fn variables_of_the_operator_are_read() {
    let mut lab = Lab::new(&format!(
        "{CONF}setvar site = roof default\nsetvar floor = 3\n"
    ));
    let all = lab.text(&Request::read_variables(AssociationId::SYSTEM, ""));
    assert!(all.ends_with("site=roof\r\n"), "{all}");
    assert!(!all.contains("floor"), "{all}");
    let floor = Request::read_variables(AssociationId::SYSTEM, "floor");
    assert_eq!(lab.text(&floor), "floor=3\r\n");
    assert_eq!(lab.configure("setvar floor = 4"), "Config Succeeded");
    assert_eq!(lab.text(&floor), "floor=4\r\n");
    let write = Request {
        data: b"floor=5".to_vec(),
        ..Request::new(Opcode::WRITE_VARIABLES, AssociationId::SYSTEM)
    };
    let code = refused(lab.ask(&write, Some(&key())));
    assert_eq!(code, ErrorCode::PERMISSION);
}

#[test]
fn configurations_are_saved_where_the_operator_wants_them() {
    let mut lab = Lab::new(CONF);
    assert_eq!(
        lab.signed(Opcode::SAVE_CONFIGURATION, "x.conf"),
        "saveconfig prohibited, no saveconfigdir configured"
    );
    let mut lab = Lab::new(&format!("{CONF}saveconfigdir /var/saved\n"));
    for name in ["../x", "a/b", "", ".hidden", "a b"] {
        let said = lab.signed(Opcode::SAVE_CONFIGURATION, name);
        assert_eq!(
            said,
            format!("saveconfig rejects unsafe file name '{name}'")
        );
    }
    lab.configure("server 192.0.2.7");
    lab.configure("unpeer 192.0.2.1");
    let request = Request {
        data: b"x.conf".to_vec(),
        ..Request::new(Opcode::SAVE_CONFIGURATION, AssociationId::SYSTEM)
    };
    for (result, told) in [
        (Ok("y.conf".to_owned()), "Configuration saved to 'y.conf'"),
        (
            Err(SaveError::NotWritten("full".to_owned())),
            "'x.conf': full",
        ),
        (
            Err(SaveError::UnsafeName("a/b".to_owned())),
            "rejects unsafe file name 'a/b'",
        ),
    ] {
        let asked = lab.session.ask(&request, Some(&key()), Monotonic::START);
        let bytes = asked.unwrap();
        let reader = lab.reader;
        lab.engine.handle(
            lab.now,
            Input::Datagram {
                received: lab.now.wall,
                local: "192.0.2.9".parse().unwrap(),
                remote: reader,
                data: &bytes,
            },
        );
        let mut saves = Vec::new();
        while let Some(output) = lab.engine.poll() {
            if let Output::SaveConfiguration(request) = output {
                saves.push(request);
            }
        }
        let request = saves.pop().unwrap();
        let path = request.path(&request.name).unwrap();
        assert_eq!(path.to_str(), Some("/var/saved/x.conf"));
        // The time may be in a name, no more.
        for unsafe_name in ["a/b", ".a", "", "%Y"] {
            assert_eq!(request.path(unsafe_name), None);
        }
        // It reads back as what is in force.
        let parsed = ntp_conf::parse("saved", &request.text, |_| Err("no".to_owned()));
        assert!(!parsed.has_errors(), "{}", parsed.render());
        let servers: Vec<String> = parsed
            .config
            .associations
            .iter()
            .map(|one| one.address.to_string())
            .collect();
        assert_eq!(servers, ["192.0.2.7"]);
        lab.engine
            .handle(lab.now, Input::ConfigurationSaved { request, result });
        let sent = std::iter::from_fn(|| lab.engine.poll()).find_map(|output| match output {
            Output::Send { remote, data, .. } if remote == reader => Some(data),
            _ => None,
        });
        // Late as it is, it is signed.
        let Progress::Done(answer) = lab.session.handle(&sent.unwrap(), Monotonic::START) else {
            panic!("no answer");
        };
        assert!(answer.authentic);
        let text = String::from_utf8(answer.data).unwrap();
        assert!(text.contains(told), "{text}");
    }
}

/// Words that lines are made of, right and wrong.
const WORDS: [&str; 24] = [
    "server",
    "peer",
    "pool",
    "unpeer",
    "restrict",
    "enable",
    "disable",
    "setvar",
    "tos",
    "127.127.1.0",
    "192.0.2.1",
    "192.0.2.2",
    "fd00::1",
    "default",
    "source",
    "mask",
    "255.255.255.0",
    "key",
    "1",
    "autokey",
    "iburst",
    "auth",
    "a=b",
    "\"",
];

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(150))]

    /// Whatever the operator says, the daemon goes on, and what it saves reads back.
    #[test]
    fn no_lines_of_configuration_end_the_daemon(
        lines in proptest::collection::vec(proptest::collection::vec(0..WORDS.len(), 1..6), 1..12),
    ) {
        let mut lab = Lab::new(&format!("{CONF}saveconfigdir x\n"));
        for line in lines {
            let words: Vec<&str> = line.iter().map(|word| WORDS[*word]).collect();
            let line = words.join(" ");
            let said = lab.configure(&line);
            let known = ["Config Succeeded", "column "];
            assert!(known.iter().any(|known| said.starts_with(known)), "{line}: {said}");
            lab.wait(Elapsed::from_secs(3));
            lab.engine.handle_deadline(lab.now);
        }
        let ids = lab.sources();
        assert!(ids.len() < 20);
    }
}
