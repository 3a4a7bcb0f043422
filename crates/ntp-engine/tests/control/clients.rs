//! The list of clients, in one thread and in several.

use super::*;

/// As ntpq reads it, a piece at a time, while some of them go on asking.
#[test]
fn a_hundred_thousand_clients_are_read() {
    read_clients(Lab::new(CONF), 100_000);
}

#[test]
fn clients_of_all_threads_are_read() {
    let mut lab = Lab::new(CONF);
    for number in 0..100 {
        lab.client(0x0a00_0000 | number);
    }
    lab.shards = lab.engine.share(3);
    read_clients(lab, 20_000);
}

fn read_clients(mut lab: Lab, count: u32) {
    for number in 0..count {
        lab.client(0x0a00_0000 | number);
    }
    lab.wait(Elapsed::from_secs(3));
    let mut list = ClientList::new("mincount=1");
    let nonce = lab
        .ask(&ClientList::nonce_request(), None)
        .unwrap()
        .unwrap();
    list.take_nonce(&nonce).unwrap();
    for requests in 0_u32.. {
        assert!(requests < 5000);
        match lab.ask(&list.request(), None).unwrap() {
            Ok(response) => {
                if list.take(&response).unwrap() {
                    break;
                }
            }
            Err(error) => {
                assert_eq!(refused(Some(Err(error))), ErrorCode::UNKNOWN_VARIABLE);
                list.go_back();
                let nonce = lab
                    .ask(&ClientList::nonce_request(), None)
                    .unwrap()
                    .unwrap();
                list.take_nonce(&nonce).unwrap();
            }
        }
        if requests % 100 == 0 {
            let newest = list.newest().next().unwrap().address;
            let IpAddr::V4(newest) = newest else {
                unreachable!();
            };
            lab.client(newest.to_bits());
            lab.client(0x0a00_0000 | requests);
        }
        lab.wait(Elapsed::from_millis(1));
    }
    assert_eq!(list.len(), count as usize);
    assert!(list.updates() > 0);
    let view = ntp_control::View::new(lab.now.wall);
    let table = list.table(ClientOrder::Count, true, &view);
    let first = table.lines().nth(2).unwrap();
    assert!(first.contains(" 2  4000 10."), "{first}");
}

#[test]
fn other_threads_count_with_the_rest() {
    let mut lab = Lab::new(CONF);
    lab.client(0x0a00_0001);
    lab.shards = lab.engine.share(2);
    for number in 2..8 {
        lab.client(0x0a00_0000 | number);
    }
    assert_eq!(lab.shard(1, "10.0.0.7:0".parse().unwrap(), &[0x23; 48]), {
        Verdict::Drop(ntp_engine::DropReason::BadFormat)
    });
    lab.shards[1]
        .take_turn()
        .note_not_sent("192.0.2.9".parse().unwrap());
    let system = Request::read_variables(
        AssociationId::SYSTEM,
        "ss_received,ss_processed,ss_badformat,io_received,io_sent,io_sendfailed,mru_depth",
    );
    // The question and those who asked the time, one of whom got no answer.
    assert_eq!(
        lab.text(&system),
        "mru_depth=7, ss_received=9, ss_badformat=1, ss_processed=7,\r\nio_received=9, \
         io_sent=6, io_sendfailed=1\r\n"
    );
    let answer = lab.ask(&ordered(b"ifstats"), Some(&key()));
    let text = String::from_utf8(answer.unwrap().unwrap().data).unwrap();
    assert!(text.contains("rx.0=10, tx.0=7"), "{text}");
    let answer = lab.ask(&ordered(b"addr_restrictions"), Some(&key()));
    let text = String::from_utf8(answer.unwrap().unwrap().data).unwrap();
    assert!(text.contains("hits.2=11"), "{text}");
}

/// All of them together keep no more clients than one would.
#[test]
fn the_bounds_are_for_all_threads_together() {
    let mut lab = Lab::new(&format!("{CONF}mru maxdepth 90 mindepth 90\n"));
    for number in 0..100 {
        lab.client(0x0a00_0000 | number);
    }
    lab.shards = lab.engine.share(2);
    for number in 0..1000 {
        lab.client(0x0b00_0000 | number);
    }
    let monitor = Request::read_variables(AssociationId::SYSTEM, "mru_depth,mru_maxdepth");
    assert_eq!(lab.text(&monitor), "mru_depth=90, mru_maxdepth=90\r\n");
}

/// `disable monitor` forgets who asks, unless a limit depends on it.
#[test]
fn nobody_is_remembered_where_nobody_wants_it() {
    let monitor = Request::read_variables(AssociationId::SYSTEM, "mru_enabled,mru_depth");
    for (text, expected) in [
        ("", "mru_enabled=0x1, mru_depth=2\r\n"),
        ("disable monitor\n", "mru_enabled=0x0, mru_depth=0\r\n"),
        (
            "disable monitor\nrestrict 192.0.2.77 limited\n",
            "mru_enabled=0x2, mru_depth=2\r\n",
        ),
    ] {
        let mut lab = Lab::new(&format!("{CONF}{text}"));
        lab.client(0x0a00_0001);
        lab.client(0x0a00_0002);
        assert_eq!(lab.text(&monitor), expected, "{text}");
        let nonce = lab.nonce();
        let list = lab.clients(&format!("nonce={nonce}, frags=32"));
        let list = String::from_utf8(list.unwrap().unwrap().data).unwrap();
        assert!(list.contains("now="), "{list}");
        assert_eq!(
            list.contains("addr.0="),
            !expected.contains("depth=0"),
            "{list}"
        );
    }
}

/// What the engine publishes is what the other threads answer from.
#[test]
fn other_threads_follow_the_configuration() {
    let mut lab = Lab::new(CONF);
    lab.shards = lab.engine.share(1);
    lab.client(0x0a00_0001);
    lab.signed(Opcode::CONFIGURE, "restrict 10.0.0.0 mask 255.0.0.0 ignore");
    let verdict = lab.shard(0, "10.0.0.1:4000".parse().unwrap(), &[0x23; 48]);
    assert_eq!(verdict, Verdict::Drop(ntp_engine::DropReason::Restricted));
}

/// A request that takes the engine is answered by it though another thread has seen it first.
#[test]
fn what_another_thread_leaves_to_the_engine_is_answered() {
    let mut lab = Lab::new(CONF);
    lab.shards = lab.engine.share(1);
    let question = lab
        .session
        .ask(
            &Request::read_variables(AssociationId::SYSTEM, "leap"),
            None,
            Monotonic::START,
        )
        .unwrap();
    let Verdict::Engine(flags) = lab.shard(0, lab.reader, &question) else {
        panic!("it is no plain request");
    };
    let input = Input::Screened {
        received: lab.now.wall,
        local: "192.0.2.9".parse().unwrap(),
        remote: lab.reader,
        flags,
        data: &question,
    };
    lab.engine.handle(lab.now, input);
    let sent = std::iter::from_fn(|| lab.engine.poll())
        .filter(|output| matches!(output, Output::Send { .. }))
        .count();
    assert_eq!(sent, 1);
}
