//! Keys of servers with NTS: a TCP connection each, in a thread that lives as long as it.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use mio::Waker;
use nix::sys::signal::SigSet;
use ntp_conf::AddressFamily;
use ntp_engine::KeyOrder;
use ntp_nts::{Agreement, Ask, ClientExchange, KEY_EXCHANGE_PORT, Trust};
use ntp_os::{Family, read_file, resolve};
use ntp_wire::AssociationId;

use crate::nts_files::LONGEST;

/// How long a server may take, with all of its addresses.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long one address may take to be connected to.
const CONNECTING: Duration = Duration::from_secs(4);
/// So many addresses of a name are tried.
const MOST_ADDRESSES: usize = 4;
/// So many files of a directory are read.
const MOST_FILES: usize = 4096;

/// Where systems have the certificates of the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Exchanges keys with servers.
pub(crate) struct KeyClient {
    outbox: Sender<Exchanged>,
    results: Receiver<Exchanged>,
}

/// What came of an order.
pub(crate) struct Exchanged {
    pub(crate) association: AssociationId,
    /// What was agreed on, and where the NTP server is.
    pub(crate) result: Result<(Agreement, Vec<SocketAddr>), String>,
}

impl KeyClient {
    pub(crate) fn new() -> Self {
        let (outbox, results) = channel();
        Self { outbox, results }
    }

    /// Carries out `order`; certificates are judged by this second of Unix time. `waker` wakes the
    /// event loop when there is a result.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    pub(crate) fn ask(&self, order: KeyOrder, now: u64, waker: Arc<Waker>) -> io::Result<()> {
        let outbox = self.outbox.clone();
        thread::Builder::new()
            .name("nts-exchange".to_owned())
            .stack_size(512 << 10)
            .spawn(move || {
                // They are for the event loop, whose wait they interrupt.
                let _ = SigSet::all().thread_block();
                let association = order.association;
                let result = exchange(&order, now);
                if outbox
                    .send(Exchanged {
                        association,
                        result,
                    })
                    .is_ok()
                {
                    let _ = waker.wake();
                }
            })?;
        Ok(())
    }

    /// The next result. Ask until there is none whenever the loop was woken.
    pub(crate) fn result(&self) -> Option<Exchanged> {
        self.results.try_recv().ok()
    }
}

fn exchange(order: &KeyOrder, now: u64) -> Result<(Agreement, Vec<SocketAddr>), String> {
    let trust = trust(order)?;
    let (name, port) = split_port(&order.name);
    let port = port.unwrap_or(KEY_EXCHANGE_PORT);
    let family = match order.family {
        None => Family::Any,
        Some(AddressFamily::Ipv4) => Family::V4,
        Some(AddressFamily::Ipv6) => Family::V6,
    };
    let addresses = resolve(name, port, family).map_err(|error| error.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    let mut problem = format!("{name} has no address");
    for address in addresses.into_iter().take(MOST_ADDRESSES) {
        let ask = ask(order);
        let exchange =
            ClientExchange::new(&trust, name, ask, now).map_err(|error| error.to_string())?;
        match converse(exchange, address, deadline) {
            Ok(agreement) => {
                let found = ntp_server(&agreement, address.ip(), order, family)?;
                return Ok((agreement, found));
            }
            Err(why) => problem = format!("{address}: {why}"),
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    Err(problem)
}

/// `name:port` taken apart. An IPv6 address has more colons than one.
fn split_port(text: &str) -> (&str, Option<u16>) {
    match text.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name.trim_matches(['[', ']']), Some(port)),
            Err(_) => (text, None),
        },
        _ => (text, None),
    }
}

fn ask(order: &KeyOrder) -> Ask {
    let Some(text) = &order.options.ask else {
        return Ask::default();
    };
    let (server, port) = split_port(text);
    Ask {
        server: Some(server.to_owned()),
        port,
    }
}

/// Where the NTP server is: at the address that gave the keys, if that says nothing else.
fn ntp_server(
    agreement: &Agreement,
    address: IpAddr,
    order: &KeyOrder,
    family: Family,
) -> Result<Vec<SocketAddr>, String> {
    let port = agreement.port.unwrap_or(order.port);
    match &agreement.server {
        None => Ok(vec![SocketAddr::new(address, port)]),
        Some(name) => resolve(name, port, family).map_err(|error| error.to_string()),
    }
}

fn trust(order: &KeyOrder) -> Result<Trust, String> {
    let read = |path: &Path| {
        let contents = read_file(path, LONGEST * 4).map_err(|error| error.to_string());
        contents.map(|contents| contents.bytes)
    };
    let identity = order.options.certificate.as_deref().map(read).transpose()?;
    let identity = identity.as_deref();
    if order.options.no_validation {
        return Trust::in_anybody(identity).map_err(|error| error.to_string());
    }
    let chosen = order.options.authorities.as_ref();
    let (name, roots) = match chosen.or(order.authorities.as_ref()) {
        Some(path) if path.is_dir() => (path.display().to_string(), directory(path)?),
        Some(path) => (path.display().to_string(), vec![read(path)?]),
        None => {
            let files = SYSTEM_AUTHORITIES.iter().map(Path::new);
            let found = files
                .filter(|path| path.exists())
                .find_map(|path| read(path).ok());
            let found = found.ok_or(
                "the system's list of certificate authorities was not found: install it \
                 (ca-certificates), or name one by `nts ca`",
            )?;
            (
                "the system's certificate authorities".to_owned(),
                vec![found],
            )
        }
    };
    let (trust, _) = Trust::in_authorities(roots.iter().map(Vec::as_slice), identity)
        .map_err(|error| format!("{name}: {error}"))?;
    Ok(trust)
}

/// All files of a directory.
fn directory(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    let entries =
        std::fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let files = entries.filter_map(Result::ok).map(|entry| entry.path());
    let files: Vec<PathBuf> = files
        .filter(|file| file.is_file())
        .take(MOST_FILES)
        .collect();
    let read = files
        .iter()
        .filter_map(|file| read_file(file, LONGEST).ok());
    Ok(read.map(|contents| contents.bytes).collect())
}

/// Talks to the server at `address` until it has given keys.
fn converse(
    mut exchange: ClientExchange,
    address: SocketAddr,
    deadline: Instant,
) -> Result<Agreement, String> {
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it does not answer".to_owned(),
        _ => error.to_string(),
    };
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        (!left.is_zero())
            .then_some(left)
            .ok_or_else(|| "it took too long".to_owned())
    };
    let mut stream = TcpStream::connect_timeout(&address, left()?.min(CONNECTING)).map_err(told)?;
    let mut outbox = Vec::new();
    let mut room = [0; 4096];
    loop {
        exchange.transmit(&mut outbox);
        stream.set_write_timeout(Some(left()?)).map_err(told)?;
        stream.write_all(&outbox).map_err(told)?;
        outbox.clear();
        stream.set_read_timeout(Some(left()?)).map_err(told)?;
        let length = match stream.read(&mut room) {
            Ok(0) => return Err("it closed the connection".to_owned()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(told(error)),
        };
        let received = exchange.receive(room.get(..length).unwrap_or_default());
        let received = received.map_err(|error| error.to_string());
        if matches!(received, Ok(None)) {
            continue;
        }
        // A last word, which need not arrive.
        exchange.transmit(&mut outbox);
        let _ = stream.write_all(&outbox);
        return received?.ok_or_else(|| "it closed the connection".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_from_addresses() {
        for (text, expected) in [
            ("ntp.example", ("ntp.example", None)),
            ("ntp.example:4461", ("ntp.example", Some(4461))),
            ("10.0.0.1:4461", ("10.0.0.1", Some(4461))),
            ("2001:db8::1", ("2001:db8::1", None)),
            ("[2001:db8::1]:4461", ("2001:db8::1", Some(4461))),
            ("ntp.example:", ("ntp.example:", None)),
        ] {
            assert_eq!(split_port(text), expected, "{text}");
        }
    }
}
