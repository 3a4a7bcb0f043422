//! An NTP server that is as right or wrong as a test wants it.

use std::{
    io::ErrorKind,
    net::{IpAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration as Elapsed, Instant},
};

use ntp_discipline::Clock;
use ntp_keys::{KeyAlgorithm, MacBuffer, SymmetricKey};
use ntp_os::{ClockSpec, SystemClock};
use ntp_wire::{Duration, Header, KeyId, Leap, Mode, Packet, Precision, Stratum, Trailer};

/// A server on 127.0.0.1 or ::1 that tells the machine's time until it is dropped.
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    pub(crate) from: IpAddr,
    pub(crate) header: Header,
    /// Whether it had a MAC of the server's key.
    pub(crate) is_authentic: bool,
}

impl Server {
    /// A server of stratum 2 whose answers are changed by `change`.
    pub(crate) fn start(change: fn(&mut Header)) -> Self {
        Self::run("127.0.0.1:0", change, None)
    }

    /// One at ::1 that is right.
    pub(crate) fn start_ipv6() -> Self {
        Self::run("[::1]:0", |_| {}, None)
    }

    /// One that signs all its answers.
    pub(crate) fn start_with_key(id: u32, algorithm: &str, secret: &str) -> Self {
        let algorithm = KeyAlgorithm::from_name(algorithm).unwrap();
        let key = SymmetricKey::new(algorithm, secret.as_bytes()).unwrap();
        Self::run("127.0.0.1:0", |_| {}, Some((KeyId::new(id), key)))
    }

    pub(crate) fn port(&self) -> String {
        self.port.to_string()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    fn run(address: &str, change: fn(&mut Header), key: Option<(KeyId, SymmetricKey)>) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        socket
            .set_read_timeout(Some(Elapsed::from_millis(20)))
            .unwrap();
        let port = socket.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (requests, stop) = (Arc::clone(&requests), Arc::clone(&stop));
            move || serve(&socket, change, key.as_ref(), &requests, &stop)
        });
        Self {
            port,
            requests,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    socket: &UdpSocket,
    change: fn(&mut Header),
    key: Option<&(KeyId, SymmetricKey)>,
    requests: &Mutex<Vec<Request>>,
    stop: &AtomicBool,
) {
    let clock = SystemClock::open(&ClockSpec::None).unwrap();
    let mut buffer = [0; 1024];
    while !stop.load(Ordering::Relaxed) {
        let (length, from) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => panic!("{error}"),
        };
        let received = clock.read().wall;
        let packet = Packet::parse(&buffer[..length]).unwrap();
        let request = *packet.header();
        let is_authentic = match (packet.trailer(), key) {
            (Trailer::Mac { key_id, digest }, Some((id, key))) => {
                key_id == *id && key.verify(packet.authenticated(), digest)
            }
            _ => false,
        };
        requests.lock().unwrap().push(Request {
            at: Instant::now(),
            from: from.ip(),
            header: request,
            is_authentic,
        });
        let mut header = Header {
            leap: Leap::None,
            version: request.version,
            mode: Mode::Server,
            stratum: Stratum::new(2),
            precision: Precision::new(-20),
            reference_time: (received - Duration::from_seconds(16)).to_wire(),
            origin_time: request.transmit_time,
            receive_time: received.to_wire(),
            transmit_time: clock.read().wall.to_wire(),
            ..Header::default()
        };
        change(&mut header);
        let mut answer = [0; Header::LENGTH];
        header.emit(&mut answer);
        let mut answer = answer.to_vec();
        if let Some((id, key)) = key {
            let mut mac = MacBuffer::new();
            let mac = key.mac(&answer, &mut mac).to_vec();
            answer.extend(id.value().to_be_bytes());
            answer.extend(mac);
        }
        let _ = socket.send_to(&answer, from);
    }
}
