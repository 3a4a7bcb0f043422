//! One question over a socket, answered in bounded time.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    time::{Duration, Instant},
};

use ntp_control::{Overdue, Progress, QueryError, Request, RequestError, Response, Session};
use ntp_wire::Monotonic;

/// How long one question may take, whatever is sent meanwhile.
const LONGEST: Duration = Duration::from_secs(5);
/// How long to wait for a first answer before the question is sent again.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The daemon, or its silence.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// The question does not fit a datagram.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// The operating system.
    #[error("cannot talk to the daemon: {0}")]
    Socket(#[from] io::Error),
}

/// A socket to one address of a host.
#[derive(Debug)]
pub(crate) struct Question {
    socket: UdpSocket,
    session: Session,
    begun: Instant,
}

impl Question {
    /// Sockets to all addresses of a host, in the resolver's order.
    pub(crate) fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.take(8).collect())
    }

    /// A socket to an address.
    pub(crate) fn open(address: SocketAddr, first_sequence: u16) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
            SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
        };
        socket.connect(address)?;
        let mut session = Session::new(first_sequence);
        session.set_timeout(PATIENCE);
        Ok(Self {
            socket,
            session,
            begun: Instant::now(),
        })
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Response, AskError> {
        let give_up = self.now() + LONGEST;
        let question = self.session.ask(request, None, self.now())?;
        self.socket.send(&question)?;
        let mut buffer = [0; 2048];
        while let Some(deadline) = self.session.next_deadline() {
            let wait = deadline.min(give_up).since(self.now());
            self.socket
                .set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    match self.session.handle(datagram, self.now()) {
                        Progress::Waiting(_) => {}
                        Progress::Done(response) => return Ok(response),
                        Progress::Failed(error) => return Err(error.into()),
                    }
                }
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error.into()),
            }
            if give_up <= self.now() {
                return Err(QueryError::TimedOut.into());
            }
            match self.session.handle_deadline(self.now()) {
                Overdue::NotYet => {}
                Overdue::Resend(datagram) => {
                    self.socket.send(&datagram)?;
                }
                Overdue::Failed(error) => return Err(error.into()),
            }
        }
        Err(QueryError::TimedOut.into())
    }

    fn now(&self) -> Monotonic {
        let elapsed = self.begun.elapsed().as_nanos();
        Monotonic::from_nanos(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// A number that nobody can guess, for the first request; without randomness any other.
pub(crate) fn first_sequence() -> u16 {
    let mut octets = [0, 1];
    match getrandom::fill(&mut octets) {
        Ok(()) => u16::from_be_bytes(octets),
        Err(_) => std::process::id() as u16,
    }
}
