//! Requests with Network Time Security, made before they are needed: sealing takes longer than
//! sending.

use std::{
    error::Error,
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, SystemTime},
};

use ntp_nts::{Agreement, Ask, ClientExchange, Session, Trust};
use ntp_wire::{Header, Mode, Packet, WireTimestamp};
use rand::{SeedableRng, rngs::ChaCha12Rng};

/// How long the server may take for keys, and for the first answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sealed requests, which are sent in turns. Servers of NTP remember no cookie, so that each may be
/// sent often.
pub(super) struct Requests {
    sealed: Vec<Vec<u8>>,
}

impl Requests {
    /// How many there are: more than wait for an answer at a time.
    pub(super) const COUNT: usize = 1 << 16;

    /// Gets keys from the host of `server`, at TCP port `port`, whoever it is; sees that an answer
    /// of the server is authentic; makes the requests, each with the transmit timestamp that
    /// `stamp` says.
    pub(super) fn new(
        server: SocketAddr,
        port: u16,
        stamp: impl Fn(usize) -> WireTimestamp,
    ) -> Result<Self, Box<dyn Error>> {
        let agreement = agree(SocketAddr::new(server.ip(), port))?;
        let mut rng = ChaCha12Rng::seed_from_u64(8915);
        let mut seal = |number| {
            // The client of every day has seven more cookies, and wants one back.
            let mut session = Session::new(agreement.keys.clone(), agreement.cookies.clone());
            let mut packet = vec![0; Header::LENGTH];
            if let Some(header) = packet.first_chunk_mut() {
                Header {
                    mode: Mode::Client,
                    transmit_time: stamp(number),
                    ..Header::default()
                }
                .emit(header);
            }
            session.seal_request(&mut rng, &mut packet)?;
            Ok::<_, Box<dyn Error>>((session, packet))
        };
        let (session, packet) = seal(0)?;
        prove(server, session, &packet)?;
        let sealed = (0..Self::COUNT).map(|number| Ok(seal(number)?.1));
        Ok(Self {
            sealed: sealed.collect::<Result<_, Box<dyn Error>>>()?,
        })
    }

    /// The request whose turn it is.
    pub(super) fn turn(&self, number: usize) -> &[u8] {
        self.sealed
            .get(number % Self::COUNT)
            .map_or(&[], Vec::as_slice)
    }
}

/// Gets keys and cookies.
fn agree(address: SocketAddr) -> Result<Agreement, Box<dyn Error>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let trust = Trust::in_anybody(None)?;
    let name = address.ip().to_string();
    let mut exchange = ClientExchange::new(&trust, &name, Ask::default(), now.as_secs())?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut outbox = Vec::new();
    let mut room = [0; 4096];
    loop {
        exchange.transmit(&mut outbox);
        stream.write_all(&outbox)?;
        outbox.clear();
        let length = stream.read(&mut room)?;
        if length == 0 {
            return Err("the server of keys closed the connection".into());
        }
        if let Some(agreement) = exchange.receive(room.get(..length).unwrap_or_default())? {
            return Ok(agreement);
        }
    }
}

/// Sends one request by itself and checks the answer.
fn prove(server: SocketAddr, mut session: Session, packet: &[u8]) -> Result<(), Box<dyn Error>> {
    let any = match server {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(packet, server)?;
    let mut answer = [0; 2048];
    let (length, _) = socket.recv_from(&mut answer)?;
    let answer = Packet::parse(answer.get(..length).unwrap_or_default())?;
    session.receive(&answer)?;
    Ok(())
}
