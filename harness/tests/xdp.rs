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
use ntp_wire::{Header, Leap, Mode, Stratum, Version};

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
    let mut process = server.ntpd("virtual");
    let _other = client.ntpd("virtual");
    time_given(server, &process);
    let is_in_driver = process.log().contains("are answered in the driver");
    if !is_in_driver {
        // Then this shows that the sockets do it all.
        let _ = writeln!(
            std::io::stderr(),
            "\nThis kernel takes no program into a driver; answers through sockets are checked:\n{}\n",
            process.log()
        );
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

    // Who is ignored is, though others are answered meanwhile.
    let ignored = socket(client, "10.0.0.3".parse().unwrap());
    ignored.send_to(&request(4, 4), (server.ipv4, 123)).unwrap();
    let kissed = socket(client, "10.0.0.4".parse().unwrap());
    assert_eq!(
        header(&ask(&kissed, server.ipv4.into(), &request(4, 5))).leap,
        Leap::None
    );
    let kiss = ask(&kissed, server.ipv4.into(), &request(3, 6));
    assert_eq!((kiss[0], kiss[1], &kiss[12..16]), (0xdc, 0, &b"RATE"[..]));
    let dropped = socket(client, "10.0.0.5".parse().unwrap());
    ask(&dropped, server.ipv4.into(), &request(4, 7));
    for number in 8..10 {
        dropped
            .send_to(&request(4, number), (server.ipv4, 123))
            .unwrap();
    }

    // All of it is counted, by and by, and ntpq shows who asked.
    wait_for(
        PATIENCE,
        "what was done in the driver to be told",
        || {
            let wanted = [("restricted", 1), ("rate limited", 2), ("KoD responses", 1)];
            let is_counted = wanted.map(|(name, count)| counter(server, name) == count);
            (is_counted == [true; 3]).then_some(())
        },
        || server.ntpq("sysstats"),
    );
    let recent = server.ntpq("mrulist");
    let known: Vec<Vec<&str>> = recent
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for (address, limited, version, count) in [
        ("10.0.0.5", "L", "4", "3"),
        ("10.0.0.4", "K", "3", "2"),
        ("10.0.0.2", ".", "4", "12"),
        ("fd00:4d65::2", ".", "4", "12"),
    ] {
        let line = known.iter().find(|line| line.last() == Some(&address));
        let line = line.unwrap_or_else(|| panic!("{address}:\n{recent}"));
        assert_eq!(line[3..7], [limited, "3", version, count], "{recent}");
    }
    for silent in [ignored, dropped] {
        silent.set_nonblocking(true).unwrap();
        assert!(silent.recv(&mut [0; 100]).is_err(), "nobody asked for it");
    }
    assert_eq!(process.stop(), 0);
    if is_in_driver {
        let log = process.log();
        let done = "xdp: 11 requests were answered in the driver, 2 dropped";
        assert!(log.contains(done), "{log}");
    }
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
