//! How near to the network the timestamps of a server on this machine are taken.
//!
//! `ntp-lateness SERVER:PORT [--rate N] [--seconds S]` asks N times a second and has the kernel stamp
//! some of the requests when they leave, and their replies when they come. Both ends have one clock,
//! so what the server says later than the one, or earlier than the other, is its own: `late`, from the
//! departure of the request to its receive timestamp; `early`, from its transmit timestamp to the
//! arrival of the reply; `interleaved`, the same of what the next reply says of this one, by which
//! `pairs` of requests could be measured. Medians in microseconds; the way through the kernel is in
//! all of them. The error of an offset is half the difference of the two.
#![forbid(unsafe_code)]

use std::{
    collections::HashMap,
    error::Error,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use ntp_os::{Batch, Departures, KernelStamp, NtpSocket, Outbox, SocketOptions};
use ntp_wire::{Header, Mode, Timestamp, WireTimestamp};

/// More stamped requests than this would slow down what is measured, a second.
const MOST_STAMPED: f64 = 500.0;

fn main() -> Result<(), Box<dyn Error>> {
    let mut server = SocketAddr::from(([0, 0, 0, 0], 0));
    let (mut rate, mut seconds) = (500.0, 1.0);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or("the option wants a value");
        match argument.as_str() {
            "--rate" => rate = value()?.parse()?,
            "--seconds" => seconds = value()?.parse()?,
            address => server = address.parse()?,
        }
    }
    if server.port() == 0 || rate <= 0.0 {
        return Err("name a server as ADDRESS:PORT, and a --rate above zero".into());
    }
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let bind = || NtpSocket::bind(SocketAddr::new(any, 0), &SocketOptions::default());
    let mut probe = Probe::new(server, bind()?);
    let crowd = bind()?;
    let (mut outbox, mut batch) = (Outbox::new(), Batch::new());
    let stamped_rate = MOST_STAMPED.min(rate);
    let crowd_rate = rate - stamped_rate;
    let (mut made, mut stamped) = (0, 0);
    let start = Instant::now();
    while start.elapsed() < Duration::try_from_secs_f64(seconds)? {
        let now = start.elapsed().as_secs_f64();
        let due = (now * crowd_rate) as u64;
        while made < due && !outbox.is_full() {
            made += 1;
            if let Some(header) = outbox.room().and_then(|room| room.first_chunk_mut()) {
                request(made).emit(header);
            }
            outbox.queue(Header::LENGTH, server, None);
        }
        crowd.send_all(&mut outbox, |_, _| {});
        if stamped < (now * stamped_rate) as u64 {
            stamped += 1;
            probe.ask()?;
        }
        probe.hear(&mut batch)?;
        crowd.receive(&mut batch)?;
    }
    println!(
        "late {:.2} early {:.2} interleaved {:.2} replies {} pairs {}",
        median(&mut probe.late),
        median(&mut probe.early),
        median(&mut probe.interleaved),
        probe.late.len(),
        probe.interleaved.len(),
    );
    Ok(())
}

fn request(number: u64) -> Header {
    Header {
        mode: Mode::Client,
        transmit_time: WireTimestamp::from_bits(number << 1 | 1),
        ..Header::default()
    }
}

/// One client, whose packets are stamped by the kernel.
struct Probe {
    server: SocketAddr,
    socket: NtpSocket,
    departures: Departures,
    number: u64,
    /// When requests left, by their transmit timestamps.
    left: HashMap<WireTimestamp, KernelStamp>,
    /// The last reply: its receive timestamp and when it came.
    last: Option<(WireTimestamp, Timestamp)>,
    late: Vec<f64>,
    early: Vec<f64>,
    interleaved: Vec<f64>,
}

impl Probe {
    fn new(server: SocketAddr, socket: NtpSocket) -> Self {
        Self {
            server,
            socket,
            departures: Departures::new(),
            number: 0,
            left: HashMap::new(),
            last: None,
            late: Vec::new(),
            early: Vec::new(),
            interleaved: Vec::new(),
        }
    }

    /// Every third request is a plain one: a server says in the reply to it when it thinks that
    /// leaves, and the next one is asked when that was. The third is asked like the second, for
    /// servers that begin to remember when they are asked.
    fn ask(&mut self) -> Result<(), Box<dyn Error>> {
        self.number += 1;
        let named = self.last.filter(|_| !is_plain(self.number));
        let header = Header {
            origin_time: named.map_or(WireTimestamp::ZERO, |(received, _)| received),
            // Even, where those of departure are odd.
            receive_time: WireTimestamp::from_bits(self.number << 1),
            ..request(self.number)
        };
        let mut packet = [0; Header::LENGTH];
        header.emit(&mut packet);
        if !self.socket.send_stamped(&packet, self.server)? {
            return Err("the kernel does not note when packets leave".into());
        }
        Ok(())
    }

    fn hear(&mut self, batch: &mut Batch) -> Result<(), Box<dyn Error>> {
        self.socket.departures(&mut self.departures)?;
        for departure in self.departures.iter() {
            if let Some(header) = Header::parse(departure.data) {
                self.left.insert(header.transmit_time, departure.stamp);
            }
        }
        self.socket.receive(batch)?;
        for datagram in batch.iter() {
            let (Some(reply), Some(stamp)) = (Header::parse(datagram.data), datagram.stamp) else {
                continue;
            };
            let came = stamp.kernel_time();
            let since =
                |time: WireTimestamp, end: Timestamp| (end - time.near(end)).to_seconds_f64() * 1e6;
            let is_interleaved = reply.origin_time.to_bits() & 1 == 0;
            if is_interleaved {
                if let Some((_, came_before)) = self.last {
                    self.interleaved
                        .push(since(reply.transmit_time, came_before));
                }
            } else if is_plain(reply.origin_time.to_bits() >> 1) {
                self.early.push(since(reply.transmit_time, came));
            }
            let asked = WireTimestamp::from_bits(reply.origin_time.to_bits() | 1);
            if let Some(left) = self.left.remove(&asked) {
                self.late
                    .push(-since(reply.receive_time, left.kernel_time()));
            }
            self.last = Some((reply.receive_time, came));
        }
        Ok(())
    }
}

const fn is_plain(number: u64) -> bool {
    number.is_multiple_of(3)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
