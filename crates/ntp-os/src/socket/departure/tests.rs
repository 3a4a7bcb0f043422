use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;
use crate::{
    socket::{Batch, NtpSocket, Outbox, SocketOptions},
    stamp::real,
};

fn bind(address: &str) -> NtpSocket {
    NtpSocket::bind(address.parse().unwrap(), &SocketOptions::default()).unwrap()
}

/// What the socket tells of departures until there are `count`.
fn departures(socket: &NtpSocket, count: usize) -> Vec<(SocketAddr, KernelStamp, Vec<u8>)> {
    let start = Instant::now();
    let mut told = Vec::new();
    let mut departures = Departures::new();
    while told.len() < count {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "got {}",
            told.len()
        );
        socket.departures(&mut departures).unwrap();
        let each = departures.iter();
        told.extend(each.map(|one| (one.to, one.stamp, one.data.to_vec())));
    }
    told
}

#[test]
fn a_departure_lies_between_sending_and_arriving() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (sender, receiver) = (bind(address), bind(address));
        let packet = [7; 48];
        assert!(!sender.has_departures());
        let before = real();
        assert!(
            sender
                .send_stamped(&packet, receiver.local_address())
                .unwrap()
        );
        assert!(sender.has_departures());
        let told = departures(&sender, 1);
        let (to, stamp, data) = &told[0];
        assert_eq!(*to, receiver.local_address());
        assert_eq!(data, &packet);
        assert!(!sender.has_departures());
        let mut batch = Batch::new();
        while receiver.receive(&mut batch).unwrap() == 0 {
            std::thread::yield_now();
        }
        let arrival = batch.iter().next().unwrap().stamp.unwrap();
        assert!(before < stamp.kernel_time() && *stamp <= arrival);
    }
}

/// From the first departure on stamps of arrival come in another form. The kernel begins to make
/// them some time after it is first asked to.
#[test]
fn one_who_notes_departures_notes_arrivals_as_before() {
    let (socket, other) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    assert!(socket.can_stamp());
    let start = Instant::now();
    let mut batch = Batch::new();
    loop {
        assert!(start.elapsed() < Duration::from_secs(5));
        let before = real();
        other
            .send_to(b"time?", socket.local_address(), None)
            .unwrap();
        while socket.receive(&mut batch).unwrap() == 0 {
            std::thread::yield_now();
        }
        let datagram = batch.iter().next().unwrap();
        assert_eq!(datagram.to, socket.local_address().ip());
        if let Some(stamp) = datagram.stamp {
            let stamp = stamp.kernel_time();
            assert!(before <= stamp && stamp <= real());
            return;
        }
    }
}

#[test]
fn of_an_outbox_those_are_told_that_are_wanted() {
    for (address, from) in [
        ("127.0.0.1:0", None),
        ("[::1]:0", None),
        ("127.0.0.1:0", Some("127.0.0.1".parse().unwrap())),
        ("[::1]:0", Some("::1".parse().unwrap())),
    ] {
        let (sender, receiver) = (bind(address), bind(address));
        let mut outbox = Outbox::new();
        for number in 0..20u8 {
            outbox.room().unwrap()[..48].copy_from_slice(&[number; 48]);
            outbox.queue(48, receiver.local_address(), from);
            if number % 3 == 0 {
                outbox.want_departure();
            }
        }
        assert_eq!(outbox.stamped().count(), 7);
        let sent = sender.send_all(&mut outbox, |to, error| panic!("{to}: {error}"));
        assert_eq!(sent, 20);
        let told = departures(&sender, 7);
        let numbers: Vec<u8> = told.iter().map(|(.., data)| data[0]).collect();
        assert_eq!(numbers, [0, 3, 6, 9, 12, 15, 18]);
        assert!(told.iter().all(|(_, _, data)| data.len() == 48));
        assert!(told.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        // Used again, the same places want nothing.
        outbox.room().unwrap()[..1].copy_from_slice(b"x");
        outbox.queue(1, receiver.local_address(), from);
        sender.send_all(&mut outbox, |to, error| panic!("{to}: {error}"));
        assert!(!sender.has_departures());
    }
}

/// One alone goes another way.
#[test]
fn a_single_one_is_told_too() {
    let (sender, receiver) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let mut outbox = Outbox::new();
    outbox.room().unwrap()[..48].copy_from_slice(&[9; 48]);
    outbox.queue(48, receiver.local_address(), None);
    outbox.want_departure();
    sender.send_all(&mut outbox, |to, error| panic!("{to}: {error}"));
    assert_eq!(departures(&sender, 1)[0].2, [9; 48]);
}

#[test]
fn of_a_long_one_the_beginning_is_told() {
    let (sender, receiver) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let packet: Vec<u8> = (0..1000u16).map(|number| number as u8).collect();
    sender
        .send_stamped(&packet, receiver.local_address())
        .unwrap();
    let told = departures(&sender, 1);
    let (to, _, data) = &told[0];
    assert_eq!(*to, receiver.local_address());
    assert!(data.len() >= 48 && packet.starts_with(data));
}

/// Stamps that never come are not looked for for ever.
#[test]
fn what_never_left_is_forgotten() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let stamping = Stamping::default();
    stamping.asked(3);
    let mut departures = Departures::new();
    let mut looks = 0;
    while stamping.is_due() {
        assert_eq!(stamping.take(&socket, &mut departures).unwrap(), 0);
        looks += 1;
        assert!(looks < 1000);
    }
    assert!(looks > 10);
}

fn frame_of(start: usize, header: &[u8], udp: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x11; start];
    frame.extend_from_slice(header);
    frame.extend_from_slice(udp);
    frame
}

#[test]
fn tags_and_bare_packets_are_understood() {
    let mut udp = vec![0, 123, 0x12, 0x34, 0, 56, 0, 0];
    udp.extend_from_slice(&[5; 48]);
    let mut header = [0; 20];
    header[0] = 0x45;
    header[3] = 76;
    header[9] = 17;
    header[16..].copy_from_slice(&[192, 0, 2, 7]);
    let to: SocketAddr = "192.0.2.7:4660".parse().unwrap();
    for start in [0, 14, 18, 22] {
        let frame = frame_of(start, &header, &udp);
        assert_eq!(datagram(&frame, true), Some((to, [5; 48].as_slice())));
        // A cut frame must say that it is one.
        let cut = &frame[..frame.len() - 20];
        assert_eq!(datagram(cut, true), None);
        assert_eq!(datagram(cut, false), Some((to, [5; 28].as_slice())));
    }
    header[9] = 6;
    assert_eq!(datagram(&frame_of(14, &header, &udp), true), None);
}

proptest! {
    #[test]
    fn any_octets_are_a_frame_or_none(
        frame in prop::collection::vec(any::<u8>(), 0..200),
        is_whole: bool,
    ) {
        if let Some((_, data)) = datagram(&frame, is_whole) {
            prop_assert!(data.len() + 28 <= frame.len());
        }
    }
}
