use std::{
    net::{Ipv4Addr, Ipv6Addr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Poll};

use super::*;
use crate::stamp::real;

fn bind(address: &str) -> NtpSocket {
    NtpSocket::bind(address.parse().unwrap(), &SocketOptions::default()).unwrap()
}

/// Receives until `count` datagrams have come, into fresh batches.
fn receive(socket: &NtpSocket, count: usize) -> Vec<Batch> {
    let start = Instant::now();
    let mut batches = Vec::new();
    let mut received = 0;
    while received < count {
        assert!(start.elapsed() < Duration::from_secs(5), "got {received}");
        let mut batch = Batch::new();
        received += socket.receive(&mut batch).unwrap();
        batches.push(batch);
        thread::sleep(Duration::from_micros(200));
    }
    assert_eq!(received, count);
    batches
}

fn port(socket: &NtpSocket) -> u16 {
    socket.local_address().port()
}

#[test]
fn stamps_lie_between_sending_and_receiving() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (server, client) = (bind(address), bind(address));
        let before = real();
        client
            .send_to(b"time?", server.local_address(), None)
            .unwrap();
        thread::sleep(Duration::from_millis(20));
        let batches = receive(&server, 1);
        let after = real();
        let datagram = batches.iter().flat_map(Batch::iter).next().unwrap();
        let stamp = datagram.stamp.unwrap().kernel_time();
        assert!(before <= stamp && stamp <= after);
        // It is the time of arrival, not that of the call that fetched it.
        assert!(after - stamp >= ntp_wire::Duration::from_millis(15));
        assert_eq!(datagram.from, client.local_address());
        assert_eq!(datagram.to, server.local_address().ip());
        assert_eq!(datagram.data, b"time?");
    }
}

/// The system's limit holds for those alone who may not lift it.
#[test]
fn the_receive_buffer_is_as_large_as_it_may_be() {
    let Ok(limit) = std::fs::read_to_string("/proc/sys/net/core/rmem_max") else {
        return; // A network namespace shows none on some kernels.
    };
    let limit: usize = limit.trim().parse().unwrap();
    let wanted = limit * 2;
    let other = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    let allowed = match setsockopt(&other, sockopt::RcvBufForce, &wanted) {
        Ok(()) => wanted,
        Err(_) => limit,
    };
    let options = SocketOptions {
        receive_buffer: wanted,
        ..SocketOptions::default()
    };
    let socket = NtpSocket::bind("127.0.0.1:0".parse().unwrap(), &options).unwrap();
    // Linux doubles it, for its own needs.
    let size = SockRef::from(&socket.descriptor).recv_buffer_size();
    assert_eq!(size.unwrap(), allowed * 2);
}

#[test]
fn an_outbox_goes_out_whole_and_in_order() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (server, client) = (bind(address), bind(address));
        let mut outbox = Outbox::new();
        let to = client.local_address();
        for number in 0..Outbox::SIZE as u8 {
            outbox.room().unwrap()[..2].copy_from_slice(&[number, !number]);
            outbox.queue(2, to, None);
        }
        assert!(outbox.is_full());
        assert_eq!(outbox.room(), None);
        let sent = server.send_all(&mut outbox, |to, error| panic!("{to}: {error}"));
        assert_eq!(sent, Outbox::SIZE);
        assert!(outbox.is_empty());
        let batches = receive(&client, Outbox::SIZE);
        let came: Vec<_> = batches.iter().flat_map(Batch::iter).collect();
        for (datagram, number) in came.iter().zip(0u8..) {
            assert_eq!(datagram.data, [number, !number]);
            assert_eq!(datagram.from, server.local_address());
        }
    }
}

/// One that nobody can be sent does not keep the others; and it is told.
#[test]
fn an_outbox_goes_on_after_what_can_not_be_sent() {
    let (server, client) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let good = client.local_address();
    for pattern in [
        [nowhere, good, good],
        [good, nowhere, good],
        [good, good, nowhere],
    ] {
        let mut outbox = Outbox::new();
        for (to, number) in pattern.into_iter().zip(0u8..) {
            outbox.room().unwrap()[0] = number;
            outbox.queue(1, to, None);
        }
        let mut failed = Vec::new();
        let sent = server.send_all(&mut outbox, |to, error| failed.push((to, error.kind())));
        assert_eq!(sent, 2, "{pattern:?}");
        assert_eq!(failed, [(nowhere, ErrorKind::InvalidInput)]);
        receive(&client, 2);
    }
}

#[test]
fn an_outbox_sends_from_the_address_that_is_wanted() {
    for (any, own, count) in [("0.0.0.0:0", "127.0.0.", 3), ("[::]:0", "::", 1)] {
        let server = bind(any);
        let client = bind(if count > 1 { "127.0.0.9:0" } else { "[::1]:0" });
        let mut outbox = Outbox::new();
        let sources: Vec<IpAddr> = (1..=count)
            .map(|number| format!("{own}{number}").parse().unwrap())
            .collect();
        for source in &sources {
            outbox.queue(1, client.local_address(), Some(*source));
        }
        let sent = server.send_all(&mut outbox, |to, error| panic!("{to}: {error}"));
        assert_eq!(sent, sources.len());
        let batches = receive(&client, sources.len());
        let came: Vec<_> = batches.iter().flat_map(Batch::iter).collect();
        let from: Vec<_> = came.iter().map(|datagram| datagram.from.ip()).collect();
        assert_eq!(from, sources);
    }
}

/// What is no socket takes no batch, and says so for each datagram.
#[test]
fn an_outbox_is_emptied_whatever_happens() {
    let socket = NtpSocket {
        descriptor: std::fs::File::open("/dev/null").unwrap().into(),
        local_address: "127.0.0.1:123".parse().unwrap(),
        stamping: Stamping::default(),
    };
    let mut outbox = Outbox::new();
    for _ in 0..3 {
        outbox.queue(1, "127.0.0.1:9".parse().unwrap(), None);
    }
    let mut failed = 0;
    assert_eq!(socket.send_all(&mut outbox, |_, _| failed += 1), 0);
    assert_eq!((failed, outbox.len()), (3, 0));
}

#[test]
fn a_wildcard_tells_the_address_that_was_asked_and_answers_from_it() {
    let server = bind("0.0.0.0:0");
    let client = bind("127.0.0.9:0");
    let asked = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), port(&server)));
    client.send_to(b"?", asked, None).unwrap();
    let batches = receive(&server, 1);
    let question = batches.iter().flat_map(Batch::iter).next().unwrap();
    assert_eq!(question.to, asked.ip());
    server
        .send_to(b"!", question.from, Some(question.to))
        .unwrap();
    let batches = receive(&client, 1);
    let answer = batches.iter().flat_map(Batch::iter).next().unwrap();
    assert_eq!(answer.from, asked);

    let server = bind("[::]:0");
    let client = bind("[::1]:0");
    let asked = SocketAddr::from((Ipv6Addr::LOCALHOST, port(&server)));
    client.send_to(b"?", asked, None).unwrap();
    let batches = receive(&server, 1);
    let question = batches.iter().flat_map(Batch::iter).next().unwrap();
    assert_eq!(question.to, asked.ip());
    server
        .send_to(b"!", question.from, Some(question.to))
        .unwrap();
    let batches = receive(&client, 1);
    let answer = batches.iter().flat_map(Batch::iter).next().unwrap();
    assert_eq!(answer.from, asked);
}

#[test]
fn many_come_in_their_order() {
    let (server, client) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let count = Batch::SIZE * 2 + 5;
    for number in 0..count {
        let data = vec![number as u8; number * 10];
        client.send_to(&data, server.local_address(), None).unwrap();
    }
    let batches = receive(&server, count);
    assert_eq!(
        batches.first().map(|batch| batch.iter().count()),
        Some(Batch::SIZE)
    );
    for (number, datagram) in batches.iter().flat_map(Batch::iter).enumerate() {
        assert_eq!(datagram.data, vec![number as u8; number * 10]);
    }
}

#[test]
fn a_batch_forgets_what_it_held() {
    let (server, client) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    client
        .send_to(b"once", server.local_address(), None)
        .unwrap();
    let mut batch = receive(&server, 1).pop().unwrap();
    assert_eq!(batch.iter().count(), 1);
    assert_eq!(server.receive(&mut batch).unwrap(), 0);
    assert_eq!(batch.iter().count(), 0);
}

#[test]
fn what_is_too_long_is_left_out() {
    let (server, client) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    for data in [&[1; Batch::LONGEST][..], &[2; Batch::LONGEST + 1], &[3]] {
        client.send_to(data, server.local_address(), None).unwrap();
    }
    let batches = receive(&server, 2);
    let lengths: Vec<_> = batches
        .iter()
        .flat_map(Batch::iter)
        .map(|datagram| (datagram.data[0], datagram.data.len()))
        .collect();
    assert_eq!(lengths, [(1, Batch::LONGEST), (3, 1)]);
    assert_eq!(batches.iter().map(Batch::too_long).sum::<usize>(), 1);
}

#[test]
fn a_closed_port_does_no_harm() {
    let client = bind("127.0.0.1:0");
    let gone = bind("127.0.0.1:0").local_address();
    let mut batch = Batch::new();
    for _ in 0..20 {
        client.send_to(b"?", gone, None).unwrap();
        assert_eq!(client.receive(&mut batch).unwrap(), 0);
    }
    // More than IP can carry.
    assert!(client.send_to(&[0; 70_000], gone, None).is_err());
    let server = bind("127.0.0.1:0");
    client.send_to(b"?", server.local_address(), None).unwrap();
    receive(&server, 1);
}

#[test]
fn a_port_is_ones_own_unless_shared() {
    let shared = SocketOptions {
        reuse_address: true,
        ..SocketOptions::default()
    };
    let first = NtpSocket::bind("0.0.0.0:0".parse().unwrap(), &shared).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&first)));
    let second = NtpSocket::bind(address, &shared).unwrap();
    // What is for the one address goes to its socket, not to the wildcard's.
    let client = bind("127.0.0.1:0");
    client.send_to(b"?", address, None).unwrap();
    receive(&second, 1);
    assert_eq!(first.receive(&mut Batch::new()).unwrap(), 0);

    first.set_reuse_address(false).unwrap();
    second.set_reuse_address(false).unwrap();
    let error = NtpSocket::bind(address, &shared).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::AddrInUse);
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot bind to UDP {address}: "))
    );
    // IPv6 has its ports for itself.
    NtpSocket::bind(
        (Ipv6Addr::UNSPECIFIED, port(&first)).into(),
        &SocketOptions::default(),
    )
    .unwrap();
}

#[test]
fn mio_tells_of_datagrams() {
    let mut server = bind("127.0.0.1:0");
    let mut poll = Poll::new().unwrap();
    poll.registry()
        .register(&mut server, Token(3), Interest::READABLE)
        .unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"?", server.local_address()).unwrap();
    let mut events = Events::with_capacity(4);
    poll.poll(&mut events, Some(Duration::from_secs(5)))
        .unwrap();
    assert!(events.iter().any(|event| event.token() == Token(3)));
    receive(&server, 1);
    poll.registry().deregister(&mut server).unwrap();
}

#[test]
fn each_client_has_its_own_among_siblings_and_the_rest_stays() {
    for (address, clients) in [
        (
            "127.0.0.1:0",
            [1, 2, 3, 4, 5, 6, 7, 8].map(|last| format!("127.0.0.{last}:0")),
        ),
        ("[::1]:0", [(); 8].map(|()| "[::1]:0".to_owned())),
    ] {
        let server = bind(address);
        let options = SocketOptions::default();
        let siblings = server.open_siblings(2, &options).unwrap();
        let to = server.local_address();
        let all: Vec<&NtpSocket> = core::iter::once(&server).chain(&siblings).collect();
        // Which of the sockets a datagram came to.
        let came_to = |first: u8, client: &NtpSocket| {
            client.send_to(&[first, 0, 0], to, None).unwrap();
            let start = Instant::now();
            loop {
                assert!(start.elapsed() < Duration::from_secs(5), "nowhere");
                for (place, socket) in all.iter().enumerate() {
                    let mut batch = Batch::new();
                    if socket.receive(&mut batch).unwrap() > 0 {
                        return place;
                    }
                }
            }
        };
        let (request, answer) = (4 << 3 | 3, 4 << 3 | 4);
        let mut used = std::collections::BTreeSet::new();
        for client in &clients {
            server.share(0).unwrap();
            assert_eq!(came_to(request, &bind(client)), 0);
            server.share(2).unwrap();
            assert_eq!(came_to(answer, &bind(client)), 0);
            let place = came_to(request, &bind(client));
            // Another port, the same client.
            assert_eq!(came_to(request, &bind(client)), place);
            used.insert(place);
        }
        let expected: &[usize] = if to.is_ipv4() {
            &[1, 2]
        } else {
            &[*used.first().unwrap()]
        };
        assert_eq!(used.iter().copied().collect::<Vec<_>>(), expected);
        assert!(!used.contains(&0));
        // What has no contents has no mode.
        bind(&clients[0]).send_to(&[], to, None).unwrap();
        receive(&server, 1);
    }
}

/// A second server must hear that there is one, also where that shares its address among threads.
#[test]
fn siblings_leave_no_room_for_strangers() {
    let server = bind("127.0.0.1:0");
    let siblings = server.open_siblings(1, &SocketOptions::default()).unwrap();
    let stranger = NtpSocket::bind(server.local_address(), &SocketOptions::default());
    let source = stranger.unwrap_err().source;
    assert_eq!(source.kind(), ErrorKind::AddrInUse);
    drop(siblings);
}

#[test]
fn the_last_touch_is_what_arrives() {
    let (server, client) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let mut outbox = Outbox::new();
    outbox.room().unwrap()[..4].copy_from_slice(b"when");
    outbox.queue(4, client.local_address(), None);
    let touch = |data: &mut [u8]| data.copy_from_slice(b"now!");
    server.send_now(&mut outbox, touch, |to, error| panic!("{to}: {error}"));
    assert!(outbox.is_empty());
    let batches = receive(&client, 1);
    let datagram = batches.iter().flat_map(Batch::iter).next().unwrap();
    assert_eq!(datagram.data, b"now!");

    // Several go as they are, and what can't go is told.
    for to in [client.local_address(), "127.0.0.1:0".parse().unwrap()] {
        outbox.room().unwrap()[..1].copy_from_slice(b"x");
        outbox.queue(1, to, None);
    }
    let mut failed = 0;
    server.send_now(&mut outbox, |_| panic!("which one?"), |_, _| failed += 1);
    assert_eq!(failed, 1);
    let batches = receive(&client, 1);
    assert_eq!(
        batches.iter().flat_map(Batch::iter).next().unwrap().data,
        b"x"
    );
}
