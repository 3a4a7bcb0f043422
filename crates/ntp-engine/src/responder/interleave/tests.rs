use proptest::prelude::*;

use super::*;

const ONE: [u8; 4] = [192, 0, 2, 1];

fn time(milliseconds: i32) -> Timestamp {
    Timestamp::from_unix(1_795_393_189, 0) + ntp_wire::Duration::from_millis(milliseconds)
}

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_nanos(seconds * 1_000_000_000)
}

fn stamp(bits: u64) -> WireTimestamp {
    of_arrival(WireTimestamp::from_bits(bits << 1))
}

fn asking(origin: WireTimestamp) -> Header {
    Header {
        mode: Mode::Client,
        origin_time: origin,
        receive_time: WireTimestamp::from_bits(77),
        transmit_time: WireTimestamp::from_bits(78),
        ..Header::default()
    }
}

fn remember(
    table: &mut Interleave,
    client: u32,
    received: u64,
    seconds: u64,
    proven: bool,
) -> bool {
    let leaves = (time(received as i32), at(seconds));
    table.remember(client.to_be_bytes().into(), stamp(received), leaves, proven)
}

#[test]
fn a_reply_is_asked_for_once_by_who_got_it() {
    let mut table = Interleave::default();
    let asked = |table: &mut Interleave, client: [u8; 4], bits| {
        table.asked(client.into(), &asking(stamp(bits)), 0)
    };
    assert_eq!(asked(&mut table, ONE, 5), Asked::Unknown);
    assert!(remember(&mut table, u32::from_be_bytes(ONE), 5, 0, false));
    assert_eq!(asked(&mut table, ONE, 6), Asked::Unknown);
    assert_eq!(asked(&mut table, [192, 0, 2, 2], 5), Asked::Unknown);
    assert_eq!(asked(&mut table, ONE, 5), Asked::Interleaved(time(5)));
    assert_eq!(asked(&mut table, ONE, 5), Asked::Unknown);
}

#[test]
fn what_is_no_question_for_it_is_answered_plainly() {
    let mut table = Interleave::default();
    remember(&mut table, u32::from_be_bytes(ONE), 5, 0, false);
    let good = asking(stamp(5));
    for request in [
        // As ntpd asks: it names the transmit timestamp of the reply.
        asking(of_departure(stamp(5))),
        asking(WireTimestamp::ZERO),
        Header {
            receive_time: good.transmit_time,
            ..good
        },
        Header {
            receive_time: WireTimestamp::ZERO,
            ..good
        },
        Header {
            mode: Mode::SymmetricActive,
            ..good
        },
        Header {
            mode: Mode::Reserved,
            ..good
        },
    ] {
        assert_eq!(table.asked(ONE.into(), &request, 0), Asked::Basic);
    }
    assert_eq!(
        table.asked(ONE.into(), &good, 0),
        Asked::Interleaved(time(5))
    );
}

#[test]
fn a_departure_is_believed_if_it_can_be() {
    let mut table = Interleave::default();
    remember(&mut table, u32::from_be_bytes(ONE), 5, 0, false);
    table.departed(ONE.into(), stamp(6), time(7), time(9));
    table.departed([192, 0, 2, 2].into(), stamp(5), time(7), time(9));
    table.departed(ONE.into(), stamp(5), time(4), time(9));
    table.departed(ONE.into(), stamp(5), time(10), time(9));
    table.departed(ONE.into(), stamp(5), time(6), time(9));
    let asked = table.asked(ONE.into(), &asking(stamp(5)), 0);
    assert_eq!(asked, Asked::Interleaved(time(6)));
}

#[test]
fn a_step_of_the_clock_voids_what_was_before() {
    let mut table = Interleave::default();
    remember(&mut table, u32::from_be_bytes(ONE), 5, 0, true);
    assert_eq!(
        table.asked(ONE.into(), &asking(stamp(5)), 1),
        Asked::Unknown
    );
    assert_eq!(
        table.asked(ONE.into(), &asking(stamp(5)), 0),
        Asked::Unknown
    );
}

/// Requests with forged addresses show no knowledge of our replies.
#[test]
fn a_flood_pushes_nobody_out_who_has_proven_himself() {
    let mut table = Interleave::default();
    let clients = 500;
    for client in 0..clients {
        assert!(remember(&mut table, client, u64::from(client), 10, true));
    }
    for forged in 0..100_000 {
        remember(
            &mut table,
            1 << 31 | forged,
            u64::from(forged) << 20,
            11,
            false,
        );
    }
    let known = (0..clients)
        .filter(|client| {
            let request = asking(stamp((*client).into()));
            let asked = table.asked(client.to_be_bytes().into(), &request, 0);
            matches!(asked, Asked::Interleaved(_))
        })
        .count();
    // More than four of them may have had the same place.
    assert!(known >= 490, "{known}");
    assert_eq!(table.sets.len(), Interleave::SETS);
}

/// Who has fallen silent makes room.
#[test]
fn a_place_is_not_kept_for_ever() {
    let mut table = Interleave::default();
    for client in 0..50_000 {
        remember(&mut table, client, 1, 0, true);
    }
    let refused = |table: &mut Interleave, seconds| {
        (0..100u32)
            .filter(|client| !remember(table, client + (1 << 24), 2, seconds, false))
            .count()
    };
    assert_eq!(refused(&mut table, 10), 100);
    assert_eq!(refused(&mut table, 10 + Interleave::SILENT), 0);
}

/// Octets that a client may send, and when the network told of departures.
#[derive(Clone, Debug)]
enum Event {
    Ask {
        client: u8,
        origin: usize,
    },
    Depart {
        client: u8,
        reply: usize,
        after: i32,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..3u8, 0..40usize).prop_map(|(client, origin)| Event::Ask { client, origin }),
        (0..3u8, 0..40usize, -5..9i32).prop_map(|(client, reply, after)| Event::Depart {
            client,
            reply,
            after
        }),
    ]
}

proptest! {
    /// Whoever asks what: he is told the departure of his own last reply, or nothing; against a
    /// table that holds everything.
    #[test]
    fn a_client_learns_of_his_own_replies_only(events in prop::collection::vec(event(), 1..60)) {
        let mut table = Interleave::default();
        let mut replies: Vec<(u8, WireTimestamp, Option<Timestamp>)> = Vec::new();
        for (number, event) in events.into_iter().enumerate() {
            let now = time(i32::try_from(number).unwrap() * 10 + 5);
            match event {
                Event::Ask { client, origin } => {
                    let named = replies.get(origin).map_or_else(|| stamp(1 << 50), |reply| reply.1);
                    let asked = table.asked([10, 0, 0, client].into(), &asking(named), 0);
                    let mine = replies.get_mut(origin).filter(|reply| reply.0 == client);
                    let expected = match mine.and_then(|reply| reply.2.take()) {
                        Some(left) => Asked::Interleaved(left),
                        None => Asked::Unknown,
                    };
                    prop_assert_eq!(asked, expected);
                    let received = stamp(number as u64 + 1);
                    let leaves = (now, at(number as u64));
                    table.remember([10, 0, 0, client].into(), received, leaves, true);
                    replies.push((client, received, Some(now)));
                }
                Event::Depart { client, reply, after } => {
                    let Some((owner, received, left)) = replies.get_mut(reply) else { continue };
                    let said = left.unwrap_or(now) + ntp_wire::Duration::from_millis(after);
                    table.departed([10, 0, 0, client].into(), *received, said, now);
                    if *owner == client && let Some(left) = left && *left <= said && said <= now {
                        *left = said;
                    }
                }
            }
        }
    }
}
