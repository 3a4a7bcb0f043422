//! Keys that are made once, and a small world of hosts for the tests.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::LazyLock,
    time::Duration as Elapsed,
};

use ntp_keys::{
    Certificate, CertificateRequest, CertificateTrust, DigestAlgorithm, IffGroup, PrivateKey,
    Secret, SignatureScheme,
};
use ntp_wire::{AssociationId, Duration, Header, Monotonic, Packet, Timestamp};
use num_bigint::BigUint;
use rand::{CryptoRng, Rng, SeedableRng, rngs::ChaCha20Rng};

use crate::{
    Association, AssociationOptions, Credentials, Exchange, Host, HostOptions, IdentityGroups,
    IdentityKey, IffKey, ReceiveError, Received, Refusal, Relation, Reply, Stamp, WorkLimits,
};

pub(crate) const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

/// 2026-11-23 02:06:29 UTC.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_unix(1_795_399_589, 0)
}

/// Strength of keys in a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Strength {
    /// RSA of 512 bits with MD5, as everybody had it in 2008.
    Of2008,
    /// RSA of 1024 bits with SHA-1.
    Between,
    /// RSA of 2048 bits with SHA-256.
    Today,
}

impl Strength {
    pub(crate) const fn scheme(self) -> SignatureScheme {
        match self {
            Self::Of2008 => SignatureScheme::RsaMd5,
            Self::Between => SignatureScheme::RsaSha1,
            Self::Today => SignatureScheme::RsaSha256,
        }
    }

    /// One of four keys, of one or of two.
    pub(crate) fn key(self, which: usize) -> PrivateKey {
        static SMALL: LazyLock<Vec<PrivateKey>> = LazyLock::new(|| make(512, 4));
        static MIDDLE: LazyLock<Vec<PrivateKey>> = LazyLock::new(|| make(1024, 1));
        static LARGE: LazyLock<Vec<PrivateKey>> = LazyLock::new(|| make(2048, 2));
        match self {
            Self::Of2008 => SMALL[which].clone(),
            Self::Between => MIDDLE[which].clone(),
            Self::Today => LARGE[which].clone(),
        }
    }
}

fn make(bits: u32, count: usize) -> Vec<PrivateKey> {
    let mut random = ChaCha20Rng::from_seed([bits as u8 ^ 0x55; 32]);
    (0..count)
        .map(|_| PrivateKey::generate(bits, &mut random).unwrap())
        .collect()
}

/// A small IFF group (p of 256 bits, q of 160) with a new secret.
pub(crate) fn iff_group(random: &mut impl CryptoRng) -> IffGroup {
    let number = |text: &str| BigUint::parse_bytes(text.as_bytes(), 16).unwrap();
    let mut secret = [0; 19];
    random.fill_bytes(&mut secret);
    IffGroup::server(
        number(GROUP_P),
        number(GROUP_Q),
        number(GROUP_G),
        Secret::from_be_bytes(&secret),
    )
    .unwrap()
}

const GROUP_P: &str = include_str!("test_material/p.hex");
const GROUP_Q: &str = include_str!("test_material/q.hex");
const GROUP_G: &str = include_str!("test_material/g.hex");

/// What a host of a test is made of.
#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) strength: Strength,
    pub(crate) key: usize,
    pub(crate) trust: CertificateTrust,
    /// Days that the certificate holds, counted from a day before the start.
    pub(crate) days: i32,
    pub(crate) identity: Vec<IdentityKey>,
    pub(crate) digest: DigestAlgorithm,
}

impl Recipe {
    pub(crate) fn server() -> Self {
        Self {
            name: "server",
            strength: Strength::Of2008,
            key: 0,
            trust: CertificateTrust::Trusted,
            days: 365,
            identity: Vec::new(),
            digest: DigestAlgorithm::Md5,
        }
    }

    pub(crate) fn client() -> Self {
        Self {
            name: "client",
            key: 1,
            trust: CertificateTrust::Ordinary,
            ..Self::server()
        }
    }

    pub(crate) fn certificate(&self) -> Certificate {
        let key = self.strength.key(self.key);
        let not_before = start() - Duration::from_seconds(86_400);
        let group_key = self.identity.iter().find_map(|key| match key {
            IdentityKey::Gq(key) => Some(key.group().v()?.to_bytes_be()),
            _ => None,
        });
        Certificate::issue(
            &CertificateRequest {
                subject: self.name,
                issuer: self.name,
                serial: 1,
                not_before,
                not_after: not_before + Duration::from_seconds(86_400 * self.days),
                trust: self.trust,
                public_key: key.public(),
                group_key: group_key.as_deref(),
            },
            &key,
            self.strength.scheme(),
        )
        .unwrap()
    }

    pub(crate) fn credentials(&self) -> Credentials {
        let made = Stamp::of(start() - Duration::from_seconds(86_400));
        Credentials {
            host_key: self.strength.key(self.key),
            host_key_filestamp: made,
            sign_key: None,
            certificate: self.certificate(),
            certificate_filestamp: made,
            identity: self.identity.clone(),
        }
    }

    /// The same host with another secret.
    pub(crate) fn host_with_secret(&self, secret: u8) -> Host {
        let mut host = self.host();
        host.pretend_secret([secret; 32]);
        host
    }

    pub(crate) fn host(&self) -> Host {
        let options = HostOptions {
            digest: self.digest,
            revoke: 16,
            limits: WorkLimits {
                each_at_once: 1000,
                each_work_at_once: Elapsed::from_secs(100),
                all_work_at_once: Elapsed::from_secs(100),
                ..WorkLimits::default()
            },
        };
        let mut seed = [0; 32];
        ChaCha20Rng::seed_from_u64(self.name.len() as u64 * 7 + self.key as u64)
            .fill_bytes(&mut seed);
        Host::new(self.credentials(), options, seed).unwrap()
    }
}

/// A new IFF group made at `filestamp`.
pub(crate) fn iff_key(seed: u64, filestamp: u32) -> IffKey {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    IffKey::new(iff_group(&mut random), Stamp::new(filestamp))
}

/// What clients have of it.
pub(crate) fn clients_half(key: &IffKey) -> IffKey {
    IffKey::new(key.group().without_secret(), key.filestamp())
}

/// A client, a server, and the time.
pub(crate) struct World {
    pub(crate) server: Host,
    pub(crate) client: Host,
    pub(crate) association: Association,
    pub(crate) groups: IdentityGroups,
    pub(crate) now: Timestamp,
    pub(crate) monotonic: Monotonic,
    pub(crate) server_synchronised: bool,
    pub(crate) client_synchronised: bool,
}

/// What a poll can come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Refused(Refusal),
    Dropped(ReceiveError),
}

impl World {
    pub(crate) fn new(server: &Recipe, client: &Recipe, ident: Option<&str>) -> Self {
        Self {
            server: server.host(),
            client: client.host(),
            association: Association::new(AssociationOptions {
                relation: Relation::Client,
                association: AssociationId::new(64_374),
                ident: ident.map(str::to_owned),
            }),
            groups: IdentityGroups::new(),
            now: start(),
            monotonic: Monotonic::START,
            server_synchronised: true,
            client_synchronised: false,
        }
    }

    pub(crate) fn at_client(&self) -> Exchange {
        Exchange {
            local: CLIENT,
            remote: SERVER,
            now: self.now,
            monotonic: self.monotonic,
            synchronised: self.client_synchronised,
        }
    }

    pub(crate) fn at_server(&self) -> Exchange {
        Exchange {
            local: SERVER,
            remote: CLIENT,
            synchronised: self.server_synchronised,
            ..self.at_client()
        }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_seconds(seconds as i32);
        self.monotonic += Elapsed::from_secs(seconds);
    }

    /// The client's next request.
    pub(crate) fn request(&mut self) -> Vec<u8> {
        self.pass(2);
        let mut request = header(3);
        let exchange = self.at_client();
        self.association
            .seal_request(&mut self.client, &exchange, &self.groups, &mut request);
        request
    }

    /// What the server makes of it.
    pub(crate) fn respond(&mut self, request: &[u8]) -> Result<(Reply, Vec<u8>), Refusal> {
        let mut reply = header(4);
        let exchange = self.at_server();
        if self.server_synchronised {
            self.server.set_synchronised(self.now, true);
        }
        let request = Packet::parse(request).unwrap();
        let verdict = self
            .server
            .respond_at_once(&exchange, &request, &mut reply)?;
        Ok((verdict, reply))
    }

    /// What the client makes of the answer.
    pub(crate) fn receive(&mut self, reply: &[u8]) -> Result<Received, ReceiveError> {
        let exchange = self.at_client();
        let reply = Packet::parse(reply).unwrap();
        self.association
            .receive(&mut self.client, &exchange, &self.groups, &reply)
    }

    /// A request and its answer.
    pub(crate) fn poll(&mut self) -> Result<Received, Failure> {
        let request = self.request();
        let (_, reply) = self.respond(&request).map_err(Failure::Refused)?;
        self.receive(&reply).map_err(Failure::Dropped)
    }

    /// Polls until the dance makes no more progress; the clock is synchronised by the first packet
    /// whose time can be used.
    pub(crate) fn dance(&mut self) -> Result<(), Failure> {
        for _ in 0..20 {
            let received = self.poll()?;
            if received.time_usable {
                self.client_synchronised = true;
                self.client.set_synchronised(self.now, true);
            }
            if self.association.is_complete(true) {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(crate) fn flags(&self) -> u32 {
        self.association.status().bits()
    }

    pub(crate) fn events(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.association.poll_event())
            .map(|event| event.to_string())
            .collect()
    }

    pub(crate) fn certificates(&self) -> Vec<String> {
        self.client
            .certificates()
            .map(|entry| format!("{} {} {:#x}", entry.subject, entry.issuer, entry.flags))
            .collect()
    }
}

/// A header with this mode.
pub(crate) fn header(mode: u8) -> Vec<u8> {
    let mut header = vec![0; Header::LENGTH];
    header[0] = 0x20 | mode;
    header
}
