//! The server of NTS keys (RFC 8915 section 4): TCP connections, in a thread of its own that gets
//! the processor when nobody else wants it.

mod client;

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use mio::{
    Events, Interest, Poll, Token, Waker,
    net::{TcpListener, TcpStream},
};
use nix::sys::signal::SigSet;
use ntp_conf::Nts;
use ntp_engine::{ServerView, Severity};
use ntp_nts::{KEY_EXCHANGE_PORT, ServerIdentity};
use ntp_os::lower_priority;
use ntp_restrict::RestrictFlags;
use rand::{SeedableRng, rngs::ChaCha12Rng};

use self::client::Client;
use crate::nts_files::IdentityBytes;

/// So many connections are served at a time; one more takes the place of the oldest.
const MOST: usize = 64;
/// Of these, so many from one address, or one network of IPv6.
const MOST_OF_ONE: usize = 8;
/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The certificate's files are looked at this often: certificates are renewed while we run.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);
/// Tokens of connections count from here; below are the listeners.
const FIRST_CLIENT: usize = 8;

/// What the thread should know, which changes.
struct Shared {
    view: Arc<ServerView>,
    /// Our addresses: on others nobody is served.
    addresses: Vec<IpAddr>,
    /// The files of the certificate are to be looked at.
    look: bool,
}

/// The running service.
pub(crate) struct KeyService {
    shared: Arc<Mutex<Shared>>,
    reports: Receiver<(Severity, String)>,
    waker: Waker,
}

/// A service that does not run yet: ports are opened and secrets read while root can.
pub(crate) struct Opened {
    listeners: Vec<TcpListener>,
    poll: Poll,
    nts: Nts,
    bytes: IdentityBytes,
    identity: ServerIdentity,
    seed: [u8; 32],
}

impl Opened {
    /// Opens the port and reads the certificate.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(crate) fn new(nts: &Nts, seed: [u8; 32]) -> Result<Self, String> {
        let bytes = IdentityBytes::read(nts)?;
        let identity = bytes.identity(nts)?;
        let poll = Poll::new().map_err(|error| error.to_string())?;
        let mut listeners = Vec::new();
        let mut problem = None;
        for address in [
            IpAddr::from(Ipv6Addr::UNSPECIFIED),
            Ipv4Addr::UNSPECIFIED.into(),
        ] {
            let at = SocketAddr::new(address, KEY_EXCHANGE_PORT);
            match client::listen(at) {
                Ok(mut listener) => {
                    let token = Token(listeners.len());
                    let registered =
                        poll.registry()
                            .register(&mut listener, token, Interest::READABLE);
                    registered.map_err(|error| error.to_string())?;
                    listeners.push(listener);
                }
                // A machine may have one family only.
                Err(error) => problem = Some(format!("TCP port {at}: {error}")),
            }
        }
        match problem {
            Some(problem) if listeners.is_empty() => Err(problem),
            _ => Ok(Self {
                listeners,
                poll,
                nts: nts.clone(),
                bytes,
                identity,
                seed,
            }),
        }
    }

    /// Starts the thread. It serves NTP at `port`, to clients at `addresses` of ours, as `view`
    /// lets them.
    pub(crate) fn start(
        self,
        view: &Arc<ServerView>,
        addresses: Vec<IpAddr>,
        port: u16,
        wake: Arc<Waker>,
    ) -> io::Result<KeyService> {
        let shared = Arc::new(Mutex::new(Shared {
            view: Arc::clone(view),
            addresses,
            look: false,
        }));
        let (report, reports) = channel();
        let waker = Waker::new(self.poll.registry(), Token(FIRST_CLIENT - 1))?;
        let thread = Thread {
            opened: self,
            shared: Arc::clone(&shared),
            report,
            wake,
            port,
            clients: VecDeque::new(),
            next_token: FIRST_CLIENT,
            rng: ChaCha12Rng::from_seed([0; 32]),
            next_look: Instant::now() + LOOK_AGAIN,
        };
        thread::Builder::new()
            .name("nts-keys".to_owned())
            .stack_size(512 << 10)
            .spawn(move || thread.run())?;
        Ok(KeyService {
            shared,
            reports,
            waker,
        })
    }
}

impl KeyService {
    /// From now on clients get cookies, and are let in, as `view` says.
    pub(crate) fn set_view(&self, view: &Arc<ServerView>) {
        lock(&self.shared).view = Arc::clone(view);
    }

    /// These are our addresses now.
    pub(crate) fn set_addresses(&self, addresses: Vec<IpAddr>) {
        lock(&self.shared).addresses = addresses;
    }

    /// Has the files of the certificate looked at.
    pub(crate) fn look(&self) {
        lock(&self.shared).look = true;
        // If it can't be woken it looks by and by.
        let _ = self.waker.wake();
    }

    /// What is to be told. Ask until there is nothing whenever the loop was woken.
    pub(crate) fn report(&self) -> Option<(Severity, String)> {
        self.reports.try_recv().ok()
    }
}

struct Thread {
    opened: Opened,
    shared: Arc<Mutex<Shared>>,
    report: Sender<(Severity, String)>,
    wake: Arc<Waker>,
    port: u16,
    /// The oldest first.
    clients: VecDeque<Client>,
    next_token: usize,
    rng: ChaCha12Rng,
    next_look: Instant,
}

impl Thread {
    fn run(mut self) {
        // Signals are for the event loop, and the processor for whoever else wants it. Where either
        // is refused, all goes on a little less well.
        let _ = SigSet::all().thread_block();
        let _ = lower_priority();
        self.rng = ChaCha12Rng::from_seed(self.opened.seed);
        let mut events = Events::with_capacity(64);
        loop {
            let now = Instant::now();
            let next = self.clients.front().map(|client| client.deadline);
            let until = next.map_or(self.next_look, |next| next.min(self.next_look));
            let wait = until.saturating_duration_since(now) + Duration::from_millis(1);
            if let Err(error) = self.opened.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.tell(
                    Severity::Error,
                    format!("no more NTS keys are served: {error}"),
                );
                return;
            }
            let now = Instant::now();
            for event in &events {
                match event.token() {
                    Token(listener) if listener < self.opened.listeners.len() => {
                        self.accept(listener, now);
                    }
                    token if token.0 >= FIRST_CLIENT => self.serve(token, now),
                    _ => {}
                }
            }
            self.clients.retain(|client| client.deadline > now);
            self.look(now);
        }
    }

    fn accept(&mut self, listener: usize, now: Instant) {
        // Readiness is told once, so all that wait are taken in; a flood has its turn and no more.
        loop {
            let Some(listener) = self.opened.listeners.get(listener) else {
                return;
            };
            match listener.accept() {
                Ok((stream, from)) => self.admit(stream, from.ip().to_canonical(), now),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream, from: IpAddr, now: Instant) {
        let local = stream
            .local_addr()
            .map(|address| address.ip().to_canonical());
        let (flags, is_ours) = {
            let shared = lock(&self.shared);
            let at = SocketAddr::new(from, 0);
            let flags = shared.view.restrictions().lookup(at).flags;
            let is_ours = local.is_ok_and(|local| shared.addresses.contains(&local));
            (flags, is_ours)
        };
        let of_it = self.clients.iter().filter(|one| one.is_neighbour(from));
        if !is_ours
            || flags.intersects(RestrictFlags::IGNORE | RestrictFlags::NO_SERVE)
            || of_it.count() >= MOST_OF_ONE
        {
            return;
        }
        let token = Token(self.next_token);
        self.next_token = self.next_token.checked_add(1).unwrap_or(FIRST_CLIENT);
        let registry = self.opened.poll.registry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if registry.register(&mut stream, token, interest).is_err() {
            return;
        }
        if self.clients.len() >= MOST {
            self.clients.pop_front();
        }
        let client = Client::new(stream, from, token, &self.opened.identity, now + PATIENCE);
        self.clients.extend(client);
    }

    /// A connection can be read or written.
    fn serve(&mut self, token: Token, now: Instant) {
        let place = self.clients.iter().position(|one| one.token == token);
        let Some((place, client)) =
            place.and_then(|place| Some((place, self.clients.get_mut(place)?)))
        else {
            return;
        };
        let view = Arc::clone(&lock(&self.shared).view);
        let keys = view.cookie_keys();
        let goes_on = keys.is_some_and(|keys| client.serve(keys, &mut self.rng, self.port));
        if let Some(are_good) = client.take_outcome() {
            view.count_keys_served(are_good);
        }
        if !goes_on || client.deadline <= now {
            self.clients.remove(place);
        }
    }

    /// Looks at the files of the certificate if it is time.
    fn look(&mut self, now: Instant) {
        let asked = std::mem::take(&mut lock(&self.shared).look);
        if !asked && now < self.next_look {
            return;
        }
        self.next_look = now + LOOK_AGAIN;
        let nts = &self.opened.nts;
        let found = IdentityBytes::read(nts).and_then(|bytes| {
            let is_new = bytes != self.opened.bytes;
            let identity = is_new.then(|| bytes.identity(nts)).transpose()?;
            Ok(identity.map(|identity| (bytes, identity)))
        });
        match found {
            Ok(None) => {}
            Ok(Some((bytes, identity))) => {
                self.opened.bytes = bytes;
                self.opened.identity = identity;
                let text = "nts: the certificate was renewed".to_owned();
                self.tell(Severity::Information, text);
            }
            Err(why) => self.tell(
                Severity::Warning,
                format!("nts: the certificate can't be read again, and stays as it is: {why}"),
            ),
        }
    }

    fn tell(&self, severity: Severity, text: String) {
        if self.report.send((severity, text)).is_ok() {
            let _ = self.wake.wake();
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
