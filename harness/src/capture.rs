//! What crosses the wire: a raw socket on the cable, read in a thread.

use std::{
    net::IpAddr,
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use nix::{
    sched::{CloneFlags, setns},
    sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket,
        sockopt,
    },
    sys::time::{TimeVal, TimeValLike},
};

use crate::Host;

/// One datagram to or from port 123.
#[derive(Clone, Debug)]
pub struct Captured {
    /// When it passed.
    pub at: Instant,
    /// Who sent it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// Its octets.
    pub data: Vec<u8>,
}

/// Listens on a host's cable until it is dropped.
#[derive(Debug)]
pub struct Tap {
    seen: Arc<Mutex<Vec<Captured>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tap {
    /// Listens at `host`.
    ///
    /// # Panics
    ///
    /// If the system refuses; it takes root.
    pub fn new(host: &Host) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let namespace = format!("/run/netns/{}", host.namespace());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = thread::spawn({
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            move || {
                // A thread may enter a network by itself; the rest of the process stays where it is.
                let file = std::fs::File::open(namespace).expect("the host has a namespace");
                setns(&file, CloneFlags::CLONE_NEWNET).expect("root may enter it");
                let socket = socket(
                    AddressFamily::Packet,
                    SockType::Raw,
                    SockFlag::SOCK_CLOEXEC,
                    SockProtocol::EthAll,
                )
                .expect("root may listen");
                setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(50))
                    .expect("sockets have timeouts");
                ready.send(()).expect("somebody waits");
                let mut frame = [0; 4096];
                while !stop.load(Ordering::Relaxed) {
                    let Ok(length) = recv(socket.as_raw_fd(), &mut frame, MsgFlags::empty()) else {
                        continue;
                    };
                    if let Some(captured) = frame.get(..length).and_then(parse)
                        && let Ok(mut seen) = seen.lock()
                    {
                        seen.push(captured);
                    }
                }
            }
        });
        is_ready.recv().expect("the listener started");
        Self {
            seen,
            stop,
            thread: Some(thread),
        }
    }

    /// The first Autokey field of each packet that had one: whether `server` sent it, its type, and
    /// what follows its head.
    pub fn autokey_fields(&self, server: IpAddr) -> Vec<(bool, u16, Vec<u8>)> {
        self.seen()
            .iter()
            .filter_map(|captured| {
                let packet = ntp_wire::Packet::parse(&captured.data).ok()?;
                let field = packet.extensions().next()?;
                Some((captured.source == server, field.kind, field.body.to_vec()))
            })
            .collect()
    }

    /// All that was seen so far.
    ///
    /// # Panics
    ///
    /// If the listener did.
    pub fn seen(&self) -> Vec<Captured> {
        self.seen
            .lock()
            .expect("the listener does not panic")
            .clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The UDP datagram in an Ethernet frame, if it is NTP's.
fn parse(frame: &[u8]) -> Option<Captured> {
    let (source, destination, udp): (IpAddr, IpAddr, &[u8]) = match frame.get(12..14)? {
        [0x08, 0x00] => {
            let packet = frame.get(14..)?;
            let head = usize::from(packet.first()? & 15) * 4;
            if *packet.get(9)? != 17 {
                return None;
            }
            let octets = |at: usize| packet.get(at..at + 4)?.first_chunk::<4>().copied();
            (octets(12)?.into(), octets(16)?.into(), packet.get(head..)?)
        }
        [0x86, 0xdd] => {
            let packet = frame.get(14..)?;
            if *packet.get(6)? != 17 {
                return None;
            }
            let octets = |at: usize| packet.get(at..at + 16)?.first_chunk::<16>().copied();
            (octets(8)?.into(), octets(24)?.into(), packet.get(40..)?)
        }
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(*udp.get(at..at + 2)?.first_chunk()?));
    if port(0)? != 123 && port(2)? != 123 {
        return None;
    }
    let length = usize::from(port(4)?);
    Some(Captured {
        at: Instant::now(),
        source,
        destination,
        data: udp.get(8..length)?.to_vec(),
    })
}
