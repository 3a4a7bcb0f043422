use rand::{SeedableRng, rngs::ChaCha12Rng};

use super::*;
use crate::{CookieKeys, Session};

const AUTHORITY: &[u8] = include_bytes!("../../tests/data/authority.pem");
const CHAIN: &[u8] = include_bytes!("../../tests/data/server.pem");
const KEY: &[u8] = include_bytes!("../../tests/data/server.key");

/// A second of 2026.
const NOW: u64 = 1_795_393_189;

struct Ends {
    rng: ChaCha12Rng,
    keys: CookieKeys,
    server: ServerExchange,
}

impl Ends {
    fn new() -> Self {
        let mut rng = ChaCha12Rng::from_seed([8; 32]);
        Self {
            keys: CookieKeys::new(&mut rng, 0),
            rng,
            server: ServerExchange::new(&ServerIdentity::new(CHAIN, KEY).unwrap()).unwrap(),
        }
    }

    /// Carries octets, `step` at a time, until the client is done or either end gives up.
    fn run(
        &mut self,
        mut client: ClientExchange,
        step: usize,
        port: u16,
    ) -> (Result<Option<Agreement>, ExchangeError>, Option<Wishes>) {
        let mut wishes = None;
        loop {
            let mut there = Vec::new();
            client.transmit(&mut there);
            for piece in there.chunks(step) {
                match self.server.receive(piece, &self.keys, &mut self.rng, port) {
                    Ok(found) => wishes = wishes.or(found),
                    Err(_) => break,
                }
            }
            let mut back = Vec::new();
            self.server.transmit(&mut back);
            if there.is_empty() && back.is_empty() {
                return (Ok(None), wishes);
            }
            for piece in back.chunks(step) {
                match client.receive(piece) {
                    Ok(None) => {}
                    result => return (result, wishes),
                }
            }
        }
    }
}

fn trust() -> Trust {
    Trust::in_authorities([AUTHORITY], None).unwrap().0
}

fn client(trust: &Trust, name: &str) -> ClientExchange {
    ClientExchange::new(trust, name, Ask::default(), NOW).unwrap()
}

#[test]
fn both_ends_agree_whatever_the_pieces() {
    for (step, name) in [(1, "ntp.example"), (7, "127.0.0.1"), (20_000, "::1")] {
        let mut ends = Ends::new();
        let (agreed, wishes) = ends.run(client(&trust(), name), step, 123);
        let agreed = agreed.unwrap().unwrap();
        assert!(wishes.unwrap().granted && ends.server.is_done());
        assert_eq!(
            (agreed.cookies.len(), agreed.server, agreed.port),
            (8, None, None)
        );
        let (keys, _) = ends.keys.open(&agreed.cookies[0]).unwrap();
        assert!(
            keys == agreed.keys,
            "the server's keys are those of the client"
        );
        assert!(keys.client_to_server != keys.server_to_client);
        assert_eq!(Session::new(agreed.keys, agreed.cookies).cookies(), 8);
    }
}

#[test]
fn the_port_is_told_if_it_is_another() {
    let (agreed, _) = Ends::new().run(client(&trust(), "localhost"), 512, 1123);
    assert_eq!(agreed.unwrap().unwrap().port, Some(1123));
}

#[test]
fn the_server_learns_which_server_is_wanted() {
    let ask = Ask {
        server: Some("time.example".to_owned()),
        port: Some(124),
    };
    let client = ClientExchange::new(&trust(), "localhost", ask, NOW).unwrap();
    let (_, wishes) = Ends::new().run(client, 512, 123);
    assert_eq!(wishes.unwrap().server.as_deref(), Some("time.example"));
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused() {
    let (agreed, wishes) = Ends::new().run(client(&trust(), "other.example"), 512, 123);
    let error = agreed.unwrap_err().to_string();
    assert!(error.contains("not valid for"), "{error}");
    assert!(wishes.is_none());
    // Long after its end.
    let late = ClientExchange::new(&trust(), "localhost", Ask::default(), 1 << 40).unwrap();
    let error = Ends::new().run(late, 512, 123).0.unwrap_err().to_string();
    assert!(error.contains("expired"), "{error}");
    // The server's own certificate is no authority.
    let (wrong, _) = Trust::in_authorities([CHAIN], None).unwrap();
    assert!(
        Ends::new()
            .run(client(&wrong, "localhost"), 512, 123)
            .0
            .is_err()
    );
    // Who trusts anybody trusts it.
    let blind = Trust::in_anybody(None).unwrap();
    let (agreed, _) = Ends::new().run(client(&blind, "other.example"), 512, 123);
    assert!(agreed.unwrap().is_some());
}

#[test]
fn files_that_are_no_certificates_are_refused() {
    assert!(matches!(
        ServerIdentity::new(KEY, KEY),
        Err(TlsFileError::NoCertificate)
    ));
    assert!(ServerIdentity::new(CHAIN, CHAIN).is_err());
    assert!(
        ServerIdentity::new(AUTHORITY, KEY).is_err(),
        "they do not belong together"
    );
    assert!(Trust::in_authorities([KEY, b"nothing"], None).is_err());
    let both = [CHAIN, KEY].concat();
    assert!(Trust::in_anybody(Some(&both)).is_ok());
    assert!(Trust::in_anybody(Some(CHAIN)).is_err());
}

/// What a client says after its handshake, and what it gets for it.
fn ask_for(request: &[u8]) -> Result<Option<Agreement>, ExchangeError> {
    let mut client = client(&trust(), "localhost");
    client.tls = {
        let mut config = trust().config;
        config.time_provider = Stopped::at(NOW);
        let name = "localhost".try_into().unwrap();
        rustls::ClientConnection::new(Arc::new(config), name).unwrap()
    };
    io::Write::write_all(&mut client.tls.writer(), request).unwrap();
    Ends::new().run(client, 512, 123).0
}

#[test]
fn a_request_for_something_else_gets_nothing() {
    use ExchangeError::{NoAlgorithm, NoProtocol, Refused};
    let other_protocol = [0x80, 1, 0, 2, 0, 9, 0x80, 0, 0, 0];
    assert!(matches!(ask_for(&other_protocol), Err(NoProtocol)));
    let other_algorithm = [0x80, 1, 0, 2, 0, 0, 0x80, 4, 0, 2, 0, 30, 0x80, 0, 0, 0];
    assert!(matches!(ask_for(&other_algorithm), Err(NoAlgorithm)));
    assert!(matches!(ask_for(&[0x80, 0, 0, 0]), Err(Refused(1))));
    let unknown = [0x80, 1, 0, 2, 0, 0, 0xc0, 9, 0, 0, 0x80, 0, 0, 0];
    assert!(matches!(ask_for(&unknown), Err(Refused(0))));
    assert!(matches!(ask_for(&[0x80, 0, 0, 1, 7]), Err(Refused(1))));
    // A message without end is not waited for without end.
    assert!(!matches!(ask_for(&[0; 20_000]), Ok(Some(_))));
}

#[test]
fn another_protocol_of_tls_is_refused() {
    let mut config = trust().config;
    config.time_provider = Stopped::at(NOW);
    for names in [vec![], vec![b"http/1.1".to_vec()]] {
        let mut config = config.clone();
        config.alpn_protocols = names;
        let name = "localhost".try_into().unwrap();
        let tls = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let client = ClientExchange {
            tls,
            inbox: Vec::new(),
        };
        let (agreed, wishes) = Ends::new().run(client, 512, 123);
        assert!(!matches!(agreed, Ok(Some(_))));
        assert!(wishes.is_none());
    }
}

#[test]
fn noise_ends_an_exchange() {
    let mut ends = Ends::new();
    let result = ends
        .server
        .receive(b"GET / HTTP/1.1\r\n\r\n", &ends.keys, &mut ends.rng, 123);
    assert!(matches!(result, Err(ExchangeError::Tls(_))));
    let mut client = client(&trust(), "localhost");
    assert!(client.receive(&[0x15; 64]).is_err());
}
