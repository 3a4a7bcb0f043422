//! `xdp`: a daemon whose network driver answers plain requests.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    fs::File,
    io::Write,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::Path,
    thread,
    time::Duration,
};

use meridian_harness::{Host, Network, Program, built, can_make_networks, skip, wait_for};
use nix::sched::{CloneFlags, setns};
use ntp_wire::{Header, Mode, Stratum, Version};

const PATIENCE: Duration = Duration::from_secs(40);

const SERVER: &str = "server 127.127.1.0\nfudge 127.127.1.0 stratum 4\nxdp net0\n\
    discard minimum 250\n\
    restrict 10.0.0.3 ignore\nrestrict 10.0.0.4 limited kod\nrestrict 10.0.0.5 limited\n";

/// Where nothing but sockets answers, to compare.
const UNKNOWN_KEY: [u8; 20] = [
    0, 0, 0, 77, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

fn hosts() -> Option<Network> {
    if !can_make_networks() {
        skip("answers in the driver", "it takes root and iproute2");
        return None;
    }
    Some(Network::new().unwrap())
}

fn time_given(host: &Host, process: &Program) {
    wait_for(
        PATIENCE,
        "the server to give time",
        || {
            host.ntpq("rv 0 stratum")
                .contains("stratum=5")
                .then_some(())
        },
        || process.log(),
    );
}

/// A socket in the network of `host`, at `local`.
fn socket(host: &Host, local: IpAddr) -> UdpSocket {
    let file = File::open(Path::new("/run/netns").join(host.namespace())).unwrap();
    let open = move || {
        setns(&file, CloneFlags::CLONE_NEWNET).unwrap();
        let socket = UdpSocket::bind((local, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    // The thread stays in that network, so it is one for this alone.
    thread::spawn(open).join().unwrap()
}

fn request(version: u8, number: u8) -> Vec<u8> {
    let mut request = vec![0; Header::LENGTH];
    request[0] = version << 3 | 3;
    request[2] = 6;
    request[40..].fill(number);
    request
}

fn header(reply: &[u8]) -> Header {
    Header::parse(reply[..Header::LENGTH].try_into().unwrap()).unwrap()
}

/// Sends a request and waits for its reply; what is no reply to it must not come.
fn ask(socket: &UdpSocket, server: IpAddr, packet: &[u8]) -> Vec<u8> {
    socket.send_to(packet, (server, 123)).unwrap();
    let mut reply = vec![0; 200];
    let (length, from) = socket.recv_from(&mut reply).unwrap();
    assert_eq!(from, SocketAddr::new(server, 123));
    reply.truncate(length);
    assert_eq!(reply[24..32], packet[40..48], "{reply:?}");
    reply
}

fn counter(host: &Host, name: &str) -> u64 {
    let text = host.ntpq("sysstats");
    let line = text.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().last());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

#[test]
fn plain_requests_are_answered_in_the_driver_as_through_sockets() {
    let Some(network) = hosts() else {
        return;
    };
    let (server, client) = (&network.server, &network.client);
    for last in 3..=5 {
        client.shell(&format!("ip addr add 10.0.0.{last}/24 dev net0"));
    }
    server.write("ntp.conf", SERVER);
    // A virtual cable hands replies to its other end only if that has such a program as well.
    client.write("ntp.conf", "xdp net0\n");
    // It gives root's rights up, and goes on telling of what is done in the driver.
    let mut command = server.command(built("ntpd"));
    command.args([
        "-n", "-g", "-c", "ntp.conf", "-u", "nobody", "--clock", "virtual",
    ]);
    let mut process = server.start(&mut command, "ntpd.log");
    let mut other = client.ntpd("virtual");
    assert!(other.says("xdp", PATIENCE), "{}", other.log());
    time_given(server, &process);
    let is_in_driver = process.log().contains("are answered in the driver");
    if !is_in_driver {
        // Then this shows that the sockets do it all.
        let log = process.log();
        say(&format!(
            "This kernel takes no program into a driver; sockets are checked:\n{log}"
        ));
        assert!(process.log().contains("answered through sockets"));
    }

    for ipv6 in [false, true] {
        let (ours, theirs) = (client.address(ipv6), server.address(ipv6));
        let socket = socket(client, ours);
        for version in 1..=4 {
            let keyed = |number| [&request(version, number)[..], &UNKNOWN_KEY].concat();
            let before = ask(&socket, theirs, &keyed(1));
            let plain = ask(&socket, theirs, &request(version, 2));
            let after = ask(&socket, theirs, &keyed(3));
            assert_eq!([before.len(), plain.len(), after.len()], [52, 48, 52]);
            let [before, plain, after] = [before, plain, after].map(|reply| header(&reply));
            let times = [&before, &plain, &after].map(|header| header.transmit_time.to_bits());
            assert!(times.is_sorted(), "{times:?}");
            assert_eq!(plain.mode, Mode::Server);
            assert_eq!(plain.version, Version::from_bits(version));
            assert_eq!(plain.poll.value(), 6);
            let said = |header: &Header| {
                (
                    header.leap,
                    header.stratum,
                    header.precision,
                    header.reference_id,
                    header.root_delay,
                )
            };
            assert_eq!(said(&plain), said(&before));
            assert_eq!(plain.stratum, Stratum::new(5));
        }
    }

    // Who is ignored is, though others are answered meanwhile. On a machine that stands still for
    // seconds a request may go to the sockets, which have a limit of their own.
    let of = |address: &str| socket(client, address.parse().unwrap());
    let ignored = of("10.0.0.3");
    ignored.send_to(&request(4, 4), (server.ipv4, 123)).unwrap();
    let kissed = of("10.0.0.4");
    let mut replies: Vec<Vec<u8>> = Vec::new();
    for number in 5..10 {
        if replies.last().is_none_or(|reply| reply[1] != 0) {
            replies.push(ask(&kissed, server.ipv4.into(), &request(3, number)));
        }
    }
    let [first, .., kiss] = &replies[..] else {
        panic!("no kiss, but {replies:?}");
    };
    assert_eq!(header(first).stratum, Stratum::new(5));
    assert_eq!((kiss[0], kiss[1], &kiss[12..16]), (0xdc, 0, &b"RATE"[..]));
    let dropped = of("10.0.0.5");
    ask(&dropped, server.ipv4.into(), &request(4, 20));
    for number in 21..25 {
        dropped
            .send_to(&request(4, number), (server.ipv4, 123))
            .unwrap();
    }

    // All of it is counted, by and by, and ntpq shows who asked.
    wait_for(
        PATIENCE,
        "what was done to be told",
        || {
            let wanted = [("restricted", 1), ("rate limited", 3), ("KoD responses", 1)];
            let is_counted = wanted.map(|(name, count)| counter(server, name) >= count);
            (is_counted == [true; 3]).then_some(())
        },
        || server.ntpq("sysstats"),
    );
    if process.log().contains("can't be told") {
        // Linux before 5.19.
        say("This kernel does not tell who was answered in the driver once rights are given up");
    } else {
        check_recent_clients(server, replies.len());
    }
    ignored.set_nonblocking(true).unwrap();
    assert!(ignored.recv(&mut [0; 100]).is_err(), "nobody answers it");
    dropped.set_nonblocking(true).unwrap();
    let more = (0..4).filter(|_| dropped.recv(&mut [0; 100]).is_ok());
    assert!(more.count() <= 1, "it is limited");
    assert_eq!(process.stop(), 0);
    if is_in_driver {
        let log = process.log();
        let done = log
            .lines()
            .find(|line| line.contains("were answered in the driver,"));
        let done = done.unwrap_or_else(|| panic!("{log}"));
        let number = done
            .split_once("xdp: ")
            .and_then(|(_, rest)| rest.split_once(' '));
        let number: u32 = number.unwrap().0.parse().unwrap();
        // Of 11, if the machine did not stand still.
        assert!((8..=11).contains(&number), "{done}");
    }
}

/// Who asked is listed, by and by, however he was answered; `kisses` requests got the one that was
/// limited a kiss.
fn check_recent_clients(server: &Host, kisses: usize) {
    let kisses = kisses.to_string();
    let wanted = [
        ("10.0.0.5", "4", "5"),
        ("10.0.0.4", "3", &kisses[..]),
        ("10.0.0.2", "4", "12"),
        ("fd00:4d65::2", "4", "12"),
    ];
    let is_listed = |text: &str, (address, version, count)| {
        let mut lines = text.lines().map(|line| line.split_whitespace().collect());
        lines.any(|line: Vec<&str>| {
            let is_kissed = address == "10.0.0.4";
            line.last() == Some(&address)
                && line[4..7] == ["3", version, count]
                && (line[3] == "K") == is_kissed
        })
    };
    wait_for(
        PATIENCE,
        "ntpq to list who asked",
        || {
            let text = server.ntpq("mrulist");
            let are_listed = wanted.map(|wanted| is_listed(&text, wanted));
            (are_listed == [true; 4]).then_some(())
        },
        || server.ntpq("mrulist"),
    );
}

/// Not by `eprintln!`, which cargo holds back from tests that pass.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "\n{line}\n");
}

/// Whatever keeps the program out, the daemon says so and serves all the same.
#[test]
fn without_the_driver_the_sockets_answer() {
    let Some(network) = hosts() else {
        return;
    };
    let (server, client) = (&network.server, &network.client);
    server.write(
        "ntp.conf",
        "server 127.127.1.0\nfudge 127.127.1.0 stratum 4\nxdp net0\nxdp nosuch0\n",
    );
    // On one with all rights, only the interface is missing.
    client.write("ntp.conf", "xdp nosuch0\n");
    let other = client.ntpd("virtual");
    let mut command = server.command("setpriv");
    let rights = "-bpf,-sys_admin,-net_admin,-perfmon";
    command
        .args(["--bounding-set", rights, "--inh-caps", rights, "--"])
        .arg(built("ntpd"))
        .args(["-n", "-g", "-c", "ntp.conf", "--clock", "virtual"]);
    let process = server.start(&mut command, "ntpd.log");
    time_given(server, &process);
    let log = process.log();
    let refused = "xdp net0: the kernel does not allow it: it takes root, or CAP_BPF and \
                   CAP_NET_ADMIN; requests are answered through sockets";
    assert!(log.contains(refused), "{log}");
    let socket = socket(client, client.ipv4.into());
    let reply = header(&ask(&socket, server.ipv4.into(), &request(4, 1)));
    assert_eq!(reply.stratum, Stratum::new(5));

    let log = wait_for(
        PATIENCE,
        "the other to say why",
        || Some(other.log()).filter(|log| log.contains("answered through sockets")),
        || other.log(),
    );
    let is_missing = log.contains("xdp nosuch0: there is no interface nosuch0");
    let is_refused = log.contains("the kernel does not allow it");
    assert!(is_missing || is_refused, "{log}");
}
