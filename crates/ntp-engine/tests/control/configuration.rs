//! What an operator changes while the daemon runs, and keeps.

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
        ("restrict a.example noquery", "column 9 names are looked up"),
        ("disable kernel", "column 0 kernel remote config ignored"),
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
        (Ok(()), "Configuration saved to 'x.conf'"),
        (Err("full".to_owned()), "'x.conf': full"),
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
        assert_eq!(request.path.to_str(), Some("/var/saved/x.conf"));
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
        let text = String::from_utf8_lossy(&sent.unwrap()[12..]).into_owned();
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
