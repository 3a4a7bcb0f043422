//! The socket to the daemon that is asked.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    time::{Duration, Instant},
};

use ntp_control::{Credentials, Overdue, Progress, QueryError, Request, Response, Session};
use ntp_os::complain;
use ntp_wire::Monotonic;

/// Which addresses of a name to use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// All.
    Any,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    fn accepts(self, address: &SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The daemon, or its silence.
    #[error("***{0}")]
    Query(#[from] QueryError),
    /// The request cannot be sent as it is.
    #[error("***{0}")]
    Request(#[from] ntp_control::RequestError),
    /// The operating system.
    #[error("ntpq: {action}: {}", reason(.error))]
    Socket {
        /// What was tried.
        action: &'static str,
        /// What came of it.
        error: io::Error,
    },
}

/// The words of the operating system, without the number that std adds.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// A host, and a socket to one of its addresses.
#[derive(Debug)]
pub struct Connection {
    /// The name that it was opened by.
    pub host: String,
    pub(crate) socket: UdpSocket,
    /// Addresses that have not been tried: `localhost` may be two, and a daemon listen at one.
    pub(crate) others: Vec<SocketAddr>,
    pub(crate) answered: bool,
}

impl Connection {
    /// A socket to the first of the host's addresses of that family.
    ///
    /// # Errors
    ///
    /// If there is none, or the system refuses the socket.
    pub fn open(host: &str, port: u16, family: Family) -> io::Result<Self> {
        let mut addresses = Self::addresses(host, port, family)?.into_iter();
        let first = addresses.next().ok_or_else(|| {
            let what = match bare(host).parse::<IpAddr>() {
                Ok(_) => "Address family for hostname not supported",
                Err(_) => "Name or service not known",
            };
            io::Error::new(io::ErrorKind::NotFound, what)
        })?;
        Ok(Self {
            host: bare(host).to_owned(),
            socket: connect(first)?,
            others: addresses.filter(|address| *address != first).collect(),
            answered: false,
        })
    }

    /// The host's addresses of that family.
    ///
    /// # Errors
    ///
    /// If it is no name that the system knows.
    pub fn addresses(host: &str, port: u16, family: Family) -> io::Result<Vec<SocketAddr>> {
        let addresses = (bare(host), port).to_socket_addrs()?;
        Ok(addresses
            .filter(|address| family.accepts(address))
            .collect())
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`AskError`] if there is none, or it is a refusal.
    pub fn ask(
        &mut self,
        session: &mut Session,
        request: &Request,
        credentials: Option<&Credentials>,
    ) -> Result<Response, AskError> {
        let start = Instant::now();
        let now =
            || Monotonic::from_nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let mut outgoing = Some(session.ask(request, credentials, now())?);
        let mut buffer = vec![0; 2048];
        loop {
            if let Some(datagram) = &outgoing
                && let Err(error) = self.socket.send(datagram)
                // An earlier datagram was refused: this one may still be sent.
                && error.kind() != io::ErrorKind::ConnectionRefused
            {
                return Err(AskError::Socket {
                    action: "write",
                    error,
                });
            }
            outgoing = None;
            let Some(deadline) = session.next_deadline() else {
                return Err(QueryError::TimedOut.into());
            };
            let wait = deadline.since(now()).max(Duration::from_millis(1));
            let received = self
                .socket
                .set_read_timeout(Some(wait))
                .and_then(|()| self.socket.recv(&mut buffer));
            match received {
                Ok(length) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    match session.handle(datagram, now()) {
                        Progress::Waiting(_) => {}
                        Progress::Done(response) => {
                            self.answered = true;
                            return Ok(response);
                        }
                        Progress::Failed(error) => {
                            self.answered = true;
                            return Err(error.into());
                        }
                    }
                }
                Err(error) if is_timeout(&error) => {}
                Err(error) => {
                    let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                    if refused && !self.answered && !self.others.is_empty() {
                        let other = self.others.remove(0);
                        self.socket = connect(other).map_err(|error| AskError::Socket {
                            action: "connect",
                            error,
                        })?;
                        outgoing = Some(session.ask(request, credentials, now())?);
                        continue;
                    }
                    return Err(AskError::Socket {
                        action: "read",
                        error,
                    });
                }
            }
            match session.handle_deadline(now()) {
                Overdue::NotYet => {}
                Overdue::Resend(datagram) => outgoing = Some(datagram),
                Overdue::Failed(error) => {
                    let what = match error {
                        QueryError::Incomplete => "with incomplete data",
                        _ => "nothing received",
                    };
                    let comma = if error == QueryError::Incomplete {
                        ""
                    } else {
                        ","
                    };
                    complain(format_args!("{}: timed out{comma} {what}", self.host));
                    return Err(error.into());
                }
            }
        }
    }
}

/// An address of IPv6 may be in brackets.
fn bare(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner
        .filter(|inner| inner.parse::<Ipv6Addr>().is_ok())
        .unwrap_or(host)
}

pub(crate) fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    socket.connect(address)?;
    Ok(socket)
}

pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
