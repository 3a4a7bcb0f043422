//! Sends every datagram back, with a clock reading for each: what the same sockets could do for a
//! server that had nothing else to do. `ntp-echo ADDRESS:PORT`.
#![forbid(unsafe_code)]

use std::error::Error;

use mio::{Events, Interest, Poll, Token};
use ntp_os::{Batch, ClockSpec, NtpSocket, Outbox, SocketOptions, SystemClock};
use ntp_wire::Header;

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("name ADDRESS:PORT")?;
    let mut socket = NtpSocket::bind(address.parse()?, &SocketOptions::default())?;
    let clock = SystemClock::open(&ClockSpec::None)?;
    let (mut batch, mut outbox) = (Batch::new(), Outbox::new());
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    poll.registry()
        .register(&mut socket, Token(0), Interest::READABLE)?;
    loop {
        // Told once until all is read.
        if !batch.is_full() {
            poll.poll(&mut events, None)?;
        }
        socket.receive(&mut batch)?;
        for datagram in batch.iter() {
            let (now, received) = clock.read_at(datagram.stamp);
            let Some(room) = outbox.room() else {
                continue;
            };
            let length = datagram.data.len().min(room.len());
            for (place, octet) in room.iter_mut().zip(datagram.data) {
                *place = *octet;
            }
            // What a generator looks for: an answer's mode, its own stamp, and two others.
            if let Some(header) = room.first_chunk_mut::<{ Header::LENGTH }>()
                && let Some(asked) = Header::parse(header)
            {
                Header {
                    mode: ntp_wire::Mode::Server,
                    origin_time: asked.transmit_time,
                    receive_time: received.wall.to_wire(),
                    transmit_time: now.wall.to_wire(),
                    ..asked
                }
                .emit(header);
            }
            outbox.queue(length, datagram.from, None);
        }
        socket.send_all(&mut outbox, |_, _| {});
    }
}
