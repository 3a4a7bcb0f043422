//! How an Autokey server with keys of 2048 bits fares under a flood of COOKIE and SIGN requests:
//! `cargo run --release --package meridian-harness --bin autokey-flood`.
//!
//! The daemon is bound to one processor and all that asks it to another. Rounds without a flood,
//! with one from a single source, and with one from five hundred follow each other, so that what
//! else the machine does hits all of them alike.

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use meridian_harness::{Loopback, free_port};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use ntp_autokey::{
    Association, AssociationOptions, Cookie, Credentials, Direction, Exchange, Host, HostOptions,
    IdentityGroups, Message, Opcode, Relation, SessionKey, Stamp, Value,
};
use ntp_keys::{
    Certificate, CertificateRequest, CertificateTrust, DigestAlgorithm, PrivateKey, SignatureScheme,
};
use ntp_wire::{AssociationId, KeyId, Monotonic, Packet, Timestamp};
use rand::{Rng, SeedableRng, rngs::ChaCha12Rng};

/// How long a round is.
const ROUND: Duration = Duration::from_secs(4);
/// Requests of a flood in a second.
const FLOOD: u32 = 4000;
/// An honest client begins its dance this often.
const DANCE: Duration = Duration::from_millis(250);
/// Plain requests that are on their way at a time.
const WINDOW: usize = 64;
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("autokey-flood: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let server = Loopback::new("server", 1, free_port());
    server.keygen("-T -p sesame");
    let text = "crypto pw sesame host server\nkeysdir keys\n\
                server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n";
    let daemon = server.start(text);
    let process = i32::try_from(daemon.process())?;
    bind(process, 0)?;
    bind(0, 1)?;
    let mut random = ChaCha12Rng::seed_from_u64(7);
    let (mut client, certificate) = client(&mut random)?;
    wait_for_time(server.address)?;

    println!("sources of the flood | plain answers/s | dances, median, worst | CPU of the daemon");
    let mut next_client = 0;
    for _ in 0..ROUNDS {
        for sources in [0, 1, 500] {
            let flood = Flood::from(sources, server.address, &certificate, &mut random)?;
            let over = AtomicBool::new(false);
            let before = processor_time(process)?;
            let (answers, dances) = thread::scope(|scope| {
                scope.spawn(|| flood.run(&over));
                let plain = scope.spawn(|| plain_answers(server.address));
                let end = Instant::now() + ROUND;
                let mut dances = Vec::new();
                let mut next = Instant::now();
                while next < end {
                    next_client += 1u16;
                    let [high, low] = next_client.to_be_bytes();
                    let address = Ipv4Addr::new(127, 2, high, low);
                    dances.push(dance(&mut client, address, server.address, end));
                    // The clients' own work is not to take much of the processor.
                    next += DANCE;
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                }
                let answers = plain.join();
                over.store(true, Ordering::Relaxed);
                (answers, dances)
            });
            let answers = answers.map_err(|_| "the plain requests failed")??;
            let used = processor_time(process)? - before;
            let mut done: Vec<Duration> = dances.iter().flatten().copied().collect();
            done.sort_unstable();
            println!(
                "{sources:>20} | {:>15.0} | {:>22} | {:.2}",
                f64::from(answers) / ROUND.as_secs_f64(),
                match (done.get(done.len() / 2), done.last()) {
                    (Some(median), Some(worst)) =>
                        format!("{}/{}, {median:.0?}, {worst:.0?}", done.len(), dances.len()),
                    _ => format!("0/{}", dances.len()),
                },
                used.as_secs_f64() / ROUND.as_secs_f64(),
            );
        }
    }
    drop(daemon);
    Ok(())
}

/// Binds a process, or with 0 the caller and all that it starts, to a processor.
fn bind(process: i32, processor: usize) -> Result<(), Box<dyn Error>> {
    let mut set = CpuSet::new();
    set.set(processor)?;
    sched_setaffinity(Pid::from_raw(process), &set)?;
    Ok(())
}

/// The time that all threads of a process have had.
fn processor_time(process: i32) -> Result<Duration, Box<dyn Error>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = text.rsplit_once(") ").ok_or("no process any more")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
    let ticks = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// A host with a key of 2048 bits, which all honest clients are.
fn client(random: &mut ChaCha12Rng) -> Result<(Host, Certificate), Box<dyn Error>> {
    let key = PrivateKey::generate(2048, random)?;
    let made = now() - ntp_wire::Duration::from_seconds(3600);
    let request = CertificateRequest {
        subject: "client",
        issuer: "client",
        serial: Stamp::of(made).value(),
        not_before: made,
        not_after: made + ntp_wire::Duration::from_seconds(86_400 * 30),
        trust: CertificateTrust::Ordinary,
        public_key: key.public(),
        group_key: None,
    };
    let certificate = Certificate::issue(&request, &key, SignatureScheme::RsaSha256)?;
    let credentials = Credentials {
        host_key: key,
        host_key_filestamp: Stamp::of(made),
        sign_key: None,
        certificate: certificate.clone(),
        certificate_filestamp: Stamp::of(made),
        identity: Vec::new(),
    };
    let host = Host::new(credentials, HostOptions::default(), [3; 32])?;
    Ok((host, certificate))
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix(
        i64::try_from(since.as_secs()).unwrap_or_default(),
        since.subsec_nanos(),
    )
}

fn header() -> Vec<u8> {
    let mut header = vec![0; 48];
    header[0] = 0x23;
    header
}

/// Waits until the daemon answers plain requests and is synchronised.
fn wait_for_time(server: SocketAddr) -> Result<(), Box<dyn Error>> {
    let socket = socket(Ipv4Addr::new(127, 0, 0, 9), server)?;
    let mut reply = [0; 256];
    for _ in 0..100 {
        socket.send(&header())?;
        if socket.recv(&mut reply).is_ok() && (1..16).contains(&reply[1]) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err("the daemon does not answer".into())
}

fn socket(from: Ipv4Addr, to: SocketAddr) -> Result<UdpSocket, std::io::Error> {
    let socket = UdpSocket::bind((from, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    socket.connect(to)?;
    Ok(socket)
}

/// Asks for the time as fast as it is told, and counts.
fn plain_answers(server: SocketAddr) -> Result<u32, std::io::Error> {
    let socket = socket(Ipv4Addr::new(127, 0, 0, 8), server)?;
    let end = Instant::now() + ROUND;
    let (mut count, mut reply) = (0, [0; 256]);
    for _ in 0..WINDOW {
        socket.send(&header())?;
    }
    while Instant::now() < end {
        match socket.recv(&mut reply) {
            Ok(_) => {
                count += 1;
                socket.send(&header())?;
            }
            // Some were lost: fill the window again.
            Err(_) => {
                for _ in 0..WINDOW {
                    socket.send(&header())?;
                }
            }
        }
    }
    Ok(count)
}

/// COOKIE and SIGN requests from a number of sources, ready to be sent.
struct Flood {
    requests: Vec<(UdpSocket, Vec<Vec<u8>>)>,
}

impl Flood {
    fn from(
        sources: u32,
        server: SocketAddr,
        certificate: &Certificate,
        random: &mut ChaCha12Rng,
    ) -> Result<Self, Box<dyn Error>> {
        let mut requests = Vec::new();
        for source in 0..sources {
            let address = Ipv4Addr::new(127, 1, (source / 250) as u8, (source % 250) as u8 + 1);
            let socket = socket(address, server)?;
            socket.set_nonblocking(true)?;
            let packet = |opcode, octets: &[u8]| {
                let mut packet = header();
                Message {
                    direction: Direction::Request,
                    opcode,
                    association: 7,
                    value: Some(Value {
                        timestamp: Stamp::of(now()),
                        filestamp: Stamp::of(now()),
                        octets,
                        signature: &[],
                    }),
                }
                .emit(&mut packet);
                let key_id = KeyId::new(0x1234_5678);
                SessionKey::new(
                    DigestAlgorithm::Md5,
                    address.into(),
                    SERVER,
                    key_id,
                    Cookie::PUBLIC,
                )
                .seal(key_id, &mut packet);
                packet
            };
            // Each with other keys, so that no answer is one that was given before.
            let mut packets: Vec<_> = (0..8.min(4000 / sources))
                .map(|_| packet(Opcode::Cookie, &some_key(random)))
                .collect();
            packets.push(packet(Opcode::Sign, certificate.der()));
            requests.push((socket, packets));
        }
        Ok(Self { requests })
    }

    fn run(&self, over: &AtomicBool) {
        let begin = Instant::now();
        let mut sent = 0u32;
        for turn in 0.. {
            for (socket, packets) in &self.requests {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                if let Some(packet) = packets.get(turn % packets.len()) {
                    // What cannot be sent is lost.
                    let _ = socket.send(packet);
                }
                let mut answer = [0; 2048];
                while socket.recv(&mut answer).is_ok() {}
                sent += 1;
                let due = begin + Duration::from_secs(1) * sent / FLOOD;
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            if self.requests.is_empty() {
                return;
            }
        }
    }
}

/// What looks like a public key of 2048 bits.
fn some_key(random: &mut ChaCha12Rng) -> Vec<u8> {
    let mut modulus = [0; 256];
    random.fill_bytes(&mut modulus);
    modulus[0] |= 0x80;
    modulus[255] |= 1;
    let mut der = vec![0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
    der.extend(modulus);
    der.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
    der
}

/// A whole dance from this address, as fast as the server answers; `None` if it does not end in
/// time. What is lost is asked again.
fn dance(host: &mut Host, from: Ipv4Addr, server: SocketAddr, end: Instant) -> Option<Duration> {
    let socket = socket(from, server).ok()?;
    let mut association = Association::new(AssociationOptions {
        relation: Relation::Client,
        association: AssociationId::new(4711),
        ident: None,
    });
    let groups = IdentityGroups::new();
    let begin = Instant::now();
    host.set_synchronised(now(), true);
    while !association.is_complete(true) {
        if Instant::now() > end {
            return None;
        }
        let exchange = Exchange {
            local: from.into(),
            remote: SERVER,
            now: now(),
            monotonic: Monotonic::START + begin.elapsed(),
            synchronised: true,
        };
        let mut request = header();
        association.seal_request(host, &exchange, &groups, &mut request);
        socket.send(&request).ok()?;
        let mut reply = [0; 2048];
        let Ok(length) = socket.recv(&mut reply) else {
            continue;
        };
        if let Ok(packet) = Packet::parse(reply.get(..length)?) {
            let _ = association.receive(host, &exchange, &groups, &packet);
        }
    }
    Some(begin.elapsed())
}
