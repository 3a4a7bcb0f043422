//! Asks an NTP server so many times a second, from so many addresses, whatever it answers.
//!
//! `ntp-load SERVER:PORT --rate N --seconds S [--clients N --network 10.0.0.0] [--first N]
//! [--key FILE:ID] [--nts PORT]`
//! prints one line: requests sent, right answers, and the median and 99th percentile of the time to
//! the answer, from when the request was due: a generator that is late itself does not hide what a
//! client would have waited. The addresses of the network must be this host's (in a network namespace:
//! `ip route add local 10.0.0.0/8 dev lo`), or the kernel will not send from them. `--nts` names the
//! TCP port of the server where there are keys of Network Time Security.
#![forbid(unsafe_code)]

mod nts;

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use ntp_keys::{KeyTable, MacBuffer, SymmetricKey};
use ntp_os::{Batch, NtpSocket, Outbox, SocketOptions};
use ntp_wire::{Header, KeyId, Mode, WireTimestamp};

use self::nts::Requests;

/// How long late answers are waited for.
const PATIENCE: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn Error>> {
    let load = Load::from_arguments(std::env::args().skip(1))?;
    let outcome = load.run()?;
    println!(
        "sent {} answered {} seconds {:.6} p50 {:.1} p99 {:.1}",
        outcome.sent,
        outcome.latencies.len(),
        outcome.elapsed.as_secs_f64(),
        outcome.percentile(50),
        outcome.percentile(99)
    );
    Ok(())
}

struct Load {
    server: SocketAddr,
    /// Requests a second.
    rate: f64,
    duration: Duration,
    clients: u32,
    /// The number of the first request, which says whose turn it is.
    first: u64,
    network: Ipv4Addr,
    key: Option<(u32, SymmetricKey)>,
    /// The TCP port for keys of Network Time Security.
    nts: Option<u16>,
}

struct Outcome {
    sent: usize,
    elapsed: Duration,
    /// From when the request was due to the answer, of each right one.
    latencies: Vec<Duration>,
}

impl Load {
    fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut load = Self {
            server: SocketAddr::from(([0, 0, 0, 0], 0)),
            rate: 1000.0,
            duration: Duration::from_secs(1),
            clients: 0,
            first: 0,
            network: Ipv4Addr::UNSPECIFIED,
            key: None,
            nts: None,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            if !argument.starts_with("--") {
                load.server = argument.parse()?;
                continue;
            }
            let value = arguments
                .next()
                .ok_or_else(|| format!("{argument} wants a value"))?;
            match argument.as_str() {
                "--rate" => load.rate = value.parse()?,
                "--seconds" => load.duration = Duration::try_from_secs_f64(value.parse()?)?,
                "--clients" => load.clients = value.parse()?,
                "--first" => load.first = value.parse()?,
                "--network" => load.network = value.parse()?,
                "--nts" => load.nts = Some(value.parse()?),
                "--key" => load.key = Some(read_key(&value)?),
                _ => return Err(format!("unknown option {argument}").into()),
            }
        }
        if load.server.port() == 0 || load.rate <= 0.0 {
            return Err("name a server as ADDRESS:PORT, and a --rate above zero".into());
        }
        Ok(load)
    }

    fn run(&self) -> Result<Outcome, Box<dyn Error>> {
        let options = SocketOptions {
            receive_buffer: 16 << 20,
            ..SocketOptions::default()
        };
        let any: IpAddr = match self.server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = NtpSocket::bind(SocketAddr::new(any, 0), &options)?;
        let sealed = self.nts.map(|port| Requests::new(self.server, port, slot));
        let sealed = sealed.transpose()?;
        let mut slots = vec![Duration::ZERO; if sealed.is_some() { Requests::COUNT } else { 0 }];
        let (mut outbox, mut batch) = (Outbox::new(), Batch::new());
        let wanted = (self.rate * self.duration.as_secs_f64()) as usize;
        let mut latencies = Vec::with_capacity(wanted);
        let (mut made, mut sent) = (0, 0);
        let start = Instant::now();
        loop {
            let now = start.elapsed();
            let due = ((now.as_secs_f64() * self.rate) as usize).min(wanted);
            while made < due && !outbox.is_full() {
                match &sealed {
                    Some(requests) => {
                        if let Some(slot) = slots.get_mut(made % Requests::COUNT) {
                            *slot = self.due(made);
                        }
                        self.write_sealed(&mut outbox, made, requests);
                    }
                    None => self.write(&mut outbox, made),
                }
                made += 1;
            }
            if !outbox.is_empty() {
                sent += socket.send_all(&mut outbox, |_, _| {});
            }
            socket.receive(&mut batch)?;
            let now = start.elapsed();
            for answer in batch.iter() {
                latencies.extend(latency(answer.data, now, &slots));
            }
            let is_over = made == wanted && now > self.duration + PATIENCE;
            // A generator that can't keep up must not go on for ever.
            if is_over || (made == wanted && latencies.len() == sent) || now > self.duration * 3 {
                break;
            }
        }
        latencies.sort_unstable();
        Ok(Outcome {
            sent,
            elapsed: start.elapsed().min(self.duration),
            latencies,
        })
    }

    /// When request `number` is to leave.
    fn due(&self, number: usize) -> Duration {
        Duration::from_secs_f64((number + 1) as f64 / self.rate)
    }

    /// Who sends request `number`, where there are many clients.
    fn source(&self, number: usize) -> Option<IpAddr> {
        let number = number as u64 + self.first;
        (self.clients > 0).then(|| {
            // One after the other in no order that a table could like, and each in its turn: the
            // factor is a prime number.
            let client = (number * 2_654_435_761 % u64::from(self.clients)) as u32;
            IpAddr::from(Ipv4Addr::from_bits(self.network.to_bits() + 1 + client))
        })
    }

    /// Puts request `number` into the outbox. Its transmit timestamp tells which of the sealed ones
    /// it is.
    fn write_sealed(&self, outbox: &mut Outbox, number: usize, requests: &Requests) {
        let request = requests.turn(number);
        let room = outbox.room().and_then(|room| room.get_mut(..request.len()));
        if let Some(room) = room {
            room.copy_from_slice(request);
            outbox.queue(request.len(), self.server, self.source(number));
        }
    }

    /// Puts request `number` into the outbox. Its transmit timestamp tells when it was due, which
    /// the answer gives back.
    fn write(&self, outbox: &mut Outbox, number: usize) {
        let due = self.due(number);
        let from = self.source(number);
        let Some(room) = outbox.room() else {
            return;
        };
        let Some((header, rest)) = room.split_first_chunk_mut::<{ Header::LENGTH }>() else {
            return;
        };
        Header {
            mode: Mode::Client,
            transmit_time: WireTimestamp::from_bits(due.as_nanos() as u64 | MARK),
            ..Header::default()
        }
        .emit(header);
        let mut length = Header::LENGTH;
        if let Some((id, key)) = &self.key {
            let mut buffer = MacBuffer::new();
            let mac = key.mac(header, &mut buffer);
            let (place, behind) = rest.split_at_mut(4);
            place.copy_from_slice(&id.to_be_bytes());
            if let Some(behind) = behind.get_mut(..mac.len()) {
                behind.copy_from_slice(mac);
                length += 4 + mac.len();
            }
        }
        outbox.queue(length, self.server, from);
    }
}

/// In every transmit timestamp: never zero, and known again.
const MARK: u64 = 0x5a << 56;

/// The transmit timestamp of a sealed request.
fn slot(number: usize) -> WireTimestamp {
    WireTimestamp::from_bits(number as u64 | MARK)
}

/// How long the answer took, if it is one. Where there are `slots`, they tell when requests were
/// due.
fn latency(data: &[u8], now: Duration, slots: &[Duration]) -> Option<Duration> {
    let header = Header::parse(data)?;
    let origin = header.origin_time.to_bits();
    let is_answer = header.mode == Mode::Server && origin & (0xff << 56) == MARK;
    let told = origin & !(0xff << 56);
    let sent = match slots.is_empty() {
        true => Duration::from_nanos(told),
        false => *slots.get(usize::try_from(told).ok()?)?,
    };
    is_answer.then(|| now.saturating_sub(sent))
}

impl Outcome {
    /// Microseconds.
    fn percentile(&self, percent: usize) -> f64 {
        let place = self.latencies.len() * percent / 100;
        let place = place.min(self.latencies.len().saturating_sub(1));
        self.latencies
            .get(place)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    }
}

/// A key of a keys file, named `FILE:ID`.
fn read_key(text: &str) -> Result<(u32, SymmetricKey), Box<dyn Error>> {
    let (file, id) = text.rsplit_once(':').ok_or("--key wants FILE:ID")?;
    let id = id.parse()?;
    let (table, _) = KeyTable::parse(&std::fs::read_to_string(file)?);
    let entry = table
        .lookup(KeyId::new(id))
        .ok_or_else(|| format!("{file} has no key {id}"))?;
    Ok((id, entry.key().clone()))
}
