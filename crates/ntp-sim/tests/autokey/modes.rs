//! Peers that prove each other, and who tells many with those who listen.

use super::*;

const MANY: &str = "10.0.0.255";

/// Of a host with a clock of its own, so that it can sign.
fn own_clock(stratum: u8) -> String {
    format!("server 127.127.1.0 prefer\nfudge 127.127.1.0 stratum {stratum}\n")
}

/// The associations of a host by number, without its own clock.
fn others(world: &mut World, of: &str) -> Vec<u16> {
    let status = ask(world, of, 0, Opcode::READ_STATUS, b"");
    let numbers: Vec<u16> = status
        .chunks_exact(4)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect();
    numbers
        .into_iter()
        .filter(|number| !variable(world, of, *number, "srcadr").starts_with("127.127."))
        .collect()
}

fn variable(world: &mut World, of: &str, number: u16, name: &str) -> String {
    let text = ask(world, of, number, Opcode::READ_VARIABLES, name.as_bytes());
    let text = String::from_utf8(text).unwrap();
    let text = text.trim().split_once('=');
    text.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// The flags of the only association of a host with another one.
fn flags_of(world: &mut World, of: &str) -> u32 {
    let [number] = others(world, of)[..] else {
        return 0;
    };
    let text = variable(world, of, number, "flags");
    u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_default()
}

/// Runs until all these hosts have seen all of the one that they know; seconds.
fn until_complete(world: &mut World, hosts: &[&str]) -> u32 {
    for second in 0..400 {
        world.run(Elapsed::from_secs(1));
        let complete = |host: &&str| flags_of(world, host) & COMPLETE == COMPLETE;
        if hosts.iter().all(complete) {
            return second;
        }
    }
    let flags: Vec<String> = hosts
        .iter()
        .map(|host| format!("{:x}", flags_of(world, host)))
        .collect();
    panic!("{flags:?}");
}

/// How many of the packets that A sends to B after `from` bring time: they are bare.
fn bare(world: &World, to: &str, mode: Mode, from: Monotonic) -> usize {
    let to = address(to);
    let sent = world.trace().iter().filter(|(at, _)| *at >= from);
    sent.filter(|(_, datagram)| {
        let packet = Packet::parse(&datagram.data);
        datagram.destination.ip() == to
            && packet.is_ok_and(|packet| {
                packet.header().mode == mode && packet.extensions().next().is_none()
            })
    })
    .count()
}

#[test]
fn two_that_know_the_time_are_each_others_peers() {
    let mut world = world();
    for (at, other, name, seed, stratum) in
        [(ALPHA, BRAVO, "alpha", 1, 3), (BRAVO, ALPHA, "bravo", 2, 5)]
    {
        let text = format!(
            "{}peer {other} autokey minpoll 4 maxpoll 4\n",
            own_clock(stratum)
        );
        let credentials = credentials(name, usize::from(seed), true, 0);
        add(&mut world, at, &text, credentials, seed);
    }
    let seconds = until_complete(&mut world, &[ALPHA, BRAVO]);
    assert!(seconds < 40, "{seconds}");
    let from = world.now();
    world.run(Elapsed::from_secs(3600));
    // The one of the lower stratum is followed, on bare packets each 16 s.
    assert_eq!(variable(&mut world, BRAVO, 0, "stratum"), "6");
    assert!(bare(&world, BRAVO, Mode::SymmetricActive, from) > 200);
    let number = others(&mut world, BRAVO)[0];
    let reach = variable(&mut world, BRAVO, number, "reach");
    assert!(["0xff", "0xfe"].contains(&&*reach), "{reach}");
    assert_eq!(variable(&mut world, BRAVO, number, "flash"), "0x0");
}

#[test]
fn who_has_no_line_is_a_passive_peer_and_follows_the_active_one() {
    let mut world = world();
    let text = format!("{}peer {BRAVO} autokey minpoll 4 maxpoll 4\n", own_clock(1));
    add(
        &mut world,
        ALPHA,
        &text,
        credentials("alpha", 0, true, 0),
        1,
    );
    // It has no other source: until it is synchronised it can sign nothing.
    let text = "driftfile d\n";
    add(&mut world, BRAVO, text, credentials("bravo", 1, true, 0), 2);
    world.run(Elapsed::from_secs(600));
    let [number] = others(&mut world, BRAVO)[..] else {
        panic!("no passive association");
    };
    assert_eq!(variable(&mut world, BRAVO, number, "hmode"), "2");
    assert_eq!(variable(&mut world, BRAVO, 0, "stratum"), "3");
    let seconds = until_complete(&mut world, &[ALPHA, BRAVO]);
    assert!(seconds < 60, "{seconds}");
}

#[test]
fn a_peer_that_was_restarted_is_followed_again() {
    let mut world = world();
    let text = |other| format!("peer {other} autokey minpoll 4 maxpoll 4\n");
    let of_alpha = format!("{}{}", own_clock(3), text(BRAVO));
    let alpha = add(
        &mut world,
        ALPHA,
        &of_alpha,
        credentials("alpha", 1, true, 0),
        1,
    );
    let of_bravo = format!("{}{}", own_clock(5), text(ALPHA));
    add(
        &mut world,
        BRAVO,
        &of_bravo,
        credentials("bravo", 2, true, 0),
        2,
    );
    until_complete(&mut world, &[ALPHA, BRAVO]);
    world.run(Elapsed::from_secs(300));
    let start = engine(&of_alpha, credentials("alpha", 3, true, 0), 5);
    world.restart(alpha, |now, _| start(now));
    let from = world.now();
    until_complete(&mut world, &[ALPHA]);
    world.run(Elapsed::from_secs(120));
    assert_eq!(flags_of(&mut world, BRAVO) & COMPLETE, COMPLETE);
    assert!(bare(&world, BRAVO, Mode::SymmetricActive, from) > 3);
    let number = others(&mut world, BRAVO)[0];
    assert_eq!(variable(&mut world, BRAVO, number, "flash"), "0x0");
}

/// Whatever answer is lost, and whichever packets cross: nobody waits for ever.
#[test]
fn peers_prove_each_other_through_loss() {
    for seed in 0..20 {
        let delay = Delay::Exponential {
            least: Elapsed::from_millis(20),
            mean_excess: Elapsed::from_millis(50),
        };
        let link = Link::new(delay, Loss::per_million(250_000), [seed; 32]);
        let mut world = World::new(origin(), link);
        for (at, other, name, key, stratum) in
            [(ALPHA, BRAVO, "alpha", 1, 3), (BRAVO, ALPHA, "bravo", 2, 5)]
        {
            let text = format!(
                "{}peer {other} autokey minpoll 4 maxpoll 4\n",
                own_clock(stratum)
            );
            let credentials = credentials(name, usize::from(key), true, 0);
            add(&mut world, at, &text, credentials, seed + key);
        }
        world.run(Elapsed::from_secs(400));
        for host in [ALPHA, BRAVO] {
            let number = others(&mut world, host)[0];
            // Eight losses in a row happen.
            let reached = (0..20).filter(|_| {
                world.run(Elapsed::from_secs(300));
                variable(&mut world, host, number, "reach") != "0x0"
            });
            let reached = reached.count();
            assert!(reached >= 18, "{host} of {seed}: {reached} of 20");
            assert_eq!(flags_of(&mut world, host) & COMPLETE, COMPLETE, "{seed}");
        }
    }
}

fn radio(loss: Loss) -> World {
    let delay = Delay::Exponential {
        least: Elapsed::from_micros(200),
        mean_excess: Elapsed::from_micros(50),
    };
    let mut world = World::new(origin(), Link::new(delay, loss, [3; 32]));
    let text = format!("{OF_ALPHA}broadcast {MANY} autokey minpoll 4\n");
    add(
        &mut world,
        ALPHA,
        &text,
        credentials("alpha", 0, true, 0),
        1,
    );
    for (at, name, seed) in [(BRAVO, "bravo", 2), (CHARLIE, "charlie", 3)] {
        let credentials = credentials(name, usize::from(seed), false, 0);
        add(&mut world, at, "broadcastclient\n", credentials, seed);
    }
    world
}

/// How many packets a host has sent to the server since `from`.
fn asked(world: &World, by: &str, from: Monotonic) -> usize {
    let ends = (address(by), address(ALPHA));
    world
        .trace()
        .iter()
        .filter(|(at, datagram)| {
            *at >= from && (datagram.source.ip(), datagram.destination.ip()) == ends
        })
        .count()
}

#[test]
fn listeners_prove_the_server_once_and_then_ask_nothing() {
    let mut world = radio(Loss::NONE);
    until_complete(&mut world, &[BRAVO, CHARLIE]);
    world.run(Elapsed::from_secs(300));
    let from = world.now();
    // Three lists of 100 packets, 16 s apart.
    world.run(Elapsed::from_secs(3 * 1600));
    for host in [BRAVO, CHARLIE] {
        assert_eq!(asked(&world, host, from), 0, "{host}");
        let number = others(&mut world, host)[0];
        assert_eq!(variable(&mut world, host, number, "reach"), "0xff");
        assert_eq!(variable(&mut world, host, number, "hmode"), "6");
        // The list that is in use, as the reference shows it.
        assert_eq!(variable(&mut world, host, number, "initsequence"), "99");
        assert!(variable(&mut world, host, number, "initkey").starts_with("0x"));
        let timestamp = variable(&mut world, host, number, "timestamp");
        assert_eq!(timestamp.len(), "202611230209".len(), "{timestamp}");
        assert_eq!(variable(&mut world, host, 0, "stratum"), "3");
        assert_eq!(flags_of(&mut world, host) & COMPLETE, COMPLETE);
    }
    // The server keeps nothing of them.
    assert_eq!(others(&mut world, ALPHA).len(), 1);
}

#[test]
fn lost_packets_and_lost_lists_cost_a_question_and_no_time() {
    let mut world = radio(Loss::per_million(100_000));
    world.run(Elapsed::from_secs(3600));
    let from = world.now();
    world.run(Elapsed::from_secs(6 * 3600));
    for host in [BRAVO, CHARLIE] {
        assert_eq!(flags_of(&mut world, host) & COMPLETE, COMPLETE);
        let asked = asked(&world, host, from);
        assert!(asked <= 30, "{asked}");
        assert_eq!(variable(&mut world, host, 0, "stratum"), "3");
    }
}

#[test]
fn a_server_of_others_that_speaks_for_alpha_is_not_believed() {
    let mut world = radio(Loss::NONE);
    until_complete(&mut world, &[BRAVO, CHARLIE]);
    world.run(Elapsed::from_secs(300));
    // What it says now, said again with another time, and the MAC made anew: everybody can.
    let heard = world
        .trace()
        .iter()
        .rev()
        .find(|(_, datagram)| datagram.destination.ip() == address(MANY))
        .map(|(_, datagram)| datagram.clone())
        .unwrap();
    for seconds in 1..200u32 {
        let packet = Packet::parse(&heard.data).unwrap();
        let Trailer::Mac { key_id, .. } = packet.trailer() else {
            panic!("no MAC");
        };
        let mut data = packet.authenticated().to_vec();
        data[43] = data[43].wrapping_add(seconds as u8);
        SessionKey::new(
            DigestAlgorithm::Md5,
            address(ALPHA),
            address(MANY),
            key_id,
            Cookie::PUBLIC,
        )
        .seal(key_id, &mut data);
        world.inject(Datagram {
            data,
            ..heard.clone()
        });
        world.run(Elapsed::from_secs(1));
    }
    for host in 1..=2 {
        let error = world.error(host).abs();
        assert!(error < Duration::from_millis(5), "{error:?}");
    }
}
