//! Two hosts and somebody between them who alters, forges, repeats and drops what they say, and
//! makes the MAC of all that anybody can make it of: no panic, and time is taken from nothing forged.
#![no_main]

use std::{net::IpAddr, sync::LazyLock, time::Duration as Elapsed};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ntp_autokey::{
    Announcer, Association, AssociationOptions, Cookie, Credentials, Exchange, GqKey, Host,
    HostOptions, IdentityGroups, IdentityKey, IffKey, MvClientKey, MvServerKey, Relation,
    SessionKey, Stamp,
};
use ntp_keys::{
    Certificate, CertificateRequest, CertificateTrust, DigestAlgorithm, KeyFile, PrivateKey,
    SignatureScheme,
};
use ntp_wire::{AssociationId, Duration, Header, Monotonic, Packet, Timestamp, Trailer};
use rand::{SeedableRng, rngs::ChaCha20Rng};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    relation: u8,
    /// The identity scheme of both.
    scheme: u8,
    steps: Vec<Step<'a>>,
}

/// A packet from one to the other, or an answer to one.
#[derive(Arbitrary, Debug)]
struct Step<'a> {
    /// In symmetric modes, who sends; with broadcasts, whether it is one.
    turn: bool,
    /// How long after the last one.
    seconds: u8,
    request: Change<'a>,
    answer: Change<'a>,
}

/// What becomes of a packet on its way.
#[derive(Arbitrary, Debug)]
enum Change<'a> {
    Nothing,
    Lost,
    /// Octets of its fields altered.
    Altered(u16, u8),
    /// A field of this kind in place of its fields.
    Forged(u16, &'a [u8]),
    /// One of any opcode.
    Opcode(u8, &'a [u8]),
}

/// More would take too long.
const MOST_STEPS: usize = 24;
const HOSTS: [&str; 2] = ["server", "client"];
const ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
    IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)),
    IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 255)),
];

fn start() -> Timestamp {
    Timestamp::from_unix(1_795_399_589, 0)
}

static CREDENTIALS: LazyLock<Vec<Credentials>> = LazyLock::new(|| {
    let mut random = ChaCha20Rng::from_seed([7; 32]);
    let mut all = Vec::new();
    for scheme in 0..4 {
        let (identity, _) = identity(scheme);
        let group_key = identity.iter().find_map(|key| match key {
            IdentityKey::Gq(key) => Some(key.group().v()?.to_bytes_be()),
            _ => None,
        });
        for name in HOSTS {
            let key = PrivateKey::generate(512, &mut random).expect("a key");
            let made = start() - Duration::from_seconds(3600);
            let request = CertificateRequest {
                subject: name,
                issuer: name,
                serial: Stamp::of(made).value(),
                not_before: made,
                not_after: start() + Duration::from_seconds(86_400),
                trust: CertificateTrust::Trusted,
                public_key: key.public(),
                group_key: group_key.as_deref(),
            };
            let certificate = Certificate::issue(&request, &key, SignatureScheme::RsaMd5);
            all.push(Credentials {
                host_key: key,
                host_key_filestamp: Stamp::of(made),
                sign_key: None,
                certificate: certificate.expect("a certificate"),
                certificate_filestamp: Stamp::of(made),
                identity: identity.clone(),
            });
        }
    }
    all
});

/// What servers and what clients have of a group.
fn identity(scheme: u8) -> (Vec<IdentityKey>, Vec<IdentityKey>) {
    macro_rules! file {
        ($name:literal) => {
            KeyFile::parse(include_str!(concat!(
                "../../crates/ntp-keys/tests/vectors/",
                $name
            )))
            .expect("a key file")
        };
    }
    let stamp = Stamp::of(start() - Duration::from_seconds(7200));
    match scheme {
        1 => {
            let group = file!("reference-iffkey").iff_group("redhat");
            let group = group.expect("a group");
            let client = group.without_secret();
            (
                vec![IffKey::new(group, stamp).into()],
                vec![IffKey::new(client, stamp).into()],
            )
        }
        2 => {
            let group = file!("gqkey-for-reference").gq_group("");
            let group = group.expect("a group");
            let client = group.without_secret();
            (
                vec![GqKey::new(group, stamp).into()],
                vec![GqKey::new(client, stamp).into()],
            )
        }
        3 => {
            let server = file!("mvkey-traditional").mv_server("");
            let client = file!("mvpar-traditional").mv_client("", 1);
            (
                vec![MvServerKey::new(server.expect("keys"), stamp).into()],
                vec![MvClientKey::new(client.expect("keys"), stamp).into()],
            )
        }
        _ => (Vec::new(), Vec::new()),
    }
}

/// What arrives, and whether it is what was sent.
fn on_the_way(change: &Change<'_>, sent: &[u8], ends: (IpAddr, IpAddr)) -> Option<(Vec<u8>, bool)> {
    let packet = Packet::parse(sent).expect("it was just sealed");
    let fields = match packet.trailer() {
        Trailer::Mac { .. } => packet.authenticated().get(Header::LENGTH..)?,
        _ => &[],
    };
    let mut fields = fields.to_vec();
    let field = |kind: u16, body: &[u8]| {
        let body = &body[..body.len().min(1000)];
        let length = (4 + body.len()).next_multiple_of(4).max(8);
        let mut field = kind.to_be_bytes().to_vec();
        field.extend_from_slice(&u16::try_from(length).expect("short").to_be_bytes());
        field.extend_from_slice(body);
        field.resize(length, 0);
        field
    };
    match *change {
        Change::Nothing => return Some((sent.to_vec(), true)),
        Change::Lost => return None,
        Change::Altered(_, 0) => return Some((sent.to_vec(), true)),
        Change::Altered(at, change) => {
            let length = fields.len();
            match fields.get_mut(usize::from(at) % length.max(1)) {
                Some(octet) => *octet ^= change,
                None => return None,
            }
        }
        Change::Forged(kind, body) => fields = field(kind, body),
        Change::Opcode(opcode, body) => {
            let high = [0x02, 0x82, 0xc2, 0x42][usize::from(opcode >> 6)];
            fields = field(u16::from_be_bytes([high, opcode % 12]), body);
        }
    }
    let Trailer::Mac { key_id, .. } = packet.trailer() else {
        return None;
    };
    let mut forged = sent[..Header::LENGTH].to_vec();
    forged.extend_from_slice(&fields);
    SessionKey::new(DigestAlgorithm::Md5, ends.0, ends.1, key_id, Cookie::PUBLIC)
        .seal(key_id, &mut forged);
    Some((forged, false))
}

/// The 48 octets of a header in version 4.
fn header(mode: u8) -> Vec<u8> {
    let mut header = vec![0; Header::LENGTH];
    header[0] = 0x20 | mode;
    header
}

struct World {
    hosts: [Host; 2],
    associations: [Association; 2],
    groups: IdentityGroups,
    announcer: Announcer,
    now: Timestamp,
    monotonic: Monotonic,
}

impl World {
    fn new(relation: Relation, scheme: u8) -> Self {
        let (_, clients) = identity(scheme);
        let mut groups = IdentityGroups::new();
        for key in clients {
            groups.insert("server", key.clone());
            groups.insert("client", key);
        }
        let host = |which: usize| {
            let credentials = CREDENTIALS[usize::from(scheme) * 2 + which].clone();
            let mut host = Host::new(credentials, HostOptions::default(), [which as u8; 32])
                .expect("what was made for it");
            host.set_synchronised(start(), true);
            host
        };
        let association = |number| {
            Association::new(AssociationOptions {
                association: AssociationId::new(number),
                relation,
                ident: None,
            })
        };
        Self {
            hosts: [host(0), host(1)],
            associations: [association(1), association(2)],
            groups,
            announcer: Announcer::new(AssociationId::new(3)),
            now: start(),
            monotonic: Monotonic::START,
        }
    }

    fn exchange(&self, local: usize, remote: usize) -> Exchange {
        Exchange {
            local: ADDRESSES[local],
            remote: ADDRESSES[remote],
            now: self.now,
            monotonic: self.monotonic,
            synchronised: true,
        }
    }

    fn ask_and_answer(&mut self, step: &Step<'_>) {
        let (at_client, at_server) = (self.exchange(1, 0), self.exchange(0, 1));
        let ends = (at_client.local, at_client.remote);
        let mut request = header(3);
        self.associations[1].seal_request(
            &mut self.hosts[1],
            &at_client,
            &self.groups,
            &mut request,
        );
        let Some((request, _)) = on_the_way(&step.request, &request, ends) else {
            return;
        };
        let Ok(packet) = Packet::parse(&request) else {
            return;
        };
        let mut reply = header(4);
        let done = self.hosts[0].respond_at_once(&at_server, &packet, &mut reply);
        if done.is_err() {
            assert_eq!(reply.len(), Header::LENGTH);
            return;
        }
        assert!(reply.len() <= Header::LENGTH + 2048);
        let Some((reply, genuine)) = on_the_way(&step.answer, &reply, (ends.1, ends.0)) else {
            return;
        };
        let Ok(packet) = Packet::parse(&reply) else {
            return;
        };
        let taken =
            self.associations[1].receive(&mut self.hosts[1], &at_client, &self.groups, &packet);
        assert!(genuine || !taken.is_ok_and(|received| received.time_usable));
    }

    fn tell_peer(&mut self, step: &Step<'_>) {
        let (from, to) = (usize::from(step.turn), usize::from(!step.turn));
        let (here, there) = (self.exchange(from, to), self.exchange(to, from));
        let mut sent = header(1);
        self.associations[from].seal_request(&mut self.hosts[from], &here, &self.groups, &mut sent);
        let Some((sent, _)) = on_the_way(&step.request, &sent, (here.local, here.remote)) else {
            return;
        };
        let Ok(packet) = Packet::parse(&sent) else {
            return;
        };
        let answers = !matches!(step.answer, Change::Lost);
        let _ = self.associations[to].receive_from_peer(
            &mut self.hosts[to],
            &there,
            &self.groups,
            &packet,
            answers,
        );
        while let Some(job) = self.associations[to].take_job() {
            self.associations[to].finish(&mut self.hosts[to], job.run());
        }
    }

    fn announce(&mut self, step: &Step<'_>) {
        let (here, there) = (self.exchange(0, 2), self.exchange(2, 0));
        let mut sent = header(5);
        let sealed = self.announcer.seal(&mut self.hosts[0], &here, &mut sent);
        sealed.expect("the key has room");
        let ends = (here.local, here.remote);
        let Some((sent, _)) = on_the_way(&step.request, &sent, ends) else {
            return;
        };
        if let Ok(packet) = Packet::parse(&sent) {
            let _ = self.associations[1].hear(&mut self.hosts[1], &there, &packet);
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    let relations = [Relation::Client, Relation::Peer, Relation::Listener];
    let relation = relations[usize::from(input.relation) % relations.len()];
    let mut world = World::new(relation, input.scheme % 4);
    for step in input.steps.iter().take(MOST_STEPS) {
        let seconds = step.seconds.max(1);
        world.now += Duration::from_seconds(seconds.into());
        world.monotonic += Elapsed::from_secs(seconds.into());
        match relation {
            Relation::Peer => world.tell_peer(step),
            Relation::Listener if step.turn => world.announce(step),
            _ => world.ask_and_answer(step),
        }
        for host in &mut world.hosts {
            while host.poll_event().is_some() {}
        }
        for association in &mut world.associations {
            while association.poll_event().is_some() {}
            let _ = association.take_soon();
            assert!(!association.is_complete(true) || association.is_proventic());
        }
    }
});
