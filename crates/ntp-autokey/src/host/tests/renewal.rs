//! What was signed with a key that is no more is not given out any longer.

use super::*;

fn renewed() -> Recipe {
    Recipe {
        key: 3,
        ..Recipe::server()
    }
}

/// Whether the answer to `packet` is signed with this key.
fn is_signed_by(host: &mut Host, packet: &[u8], key: usize) -> bool {
    let (_, reply) = ask(host, packet).unwrap();
    let reply = Packet::parse(&reply).unwrap();
    let field = reply.extensions().next().unwrap();
    let value = Message::parse(&field).unwrap().value.unwrap();
    let key = Strength::Of2008.key(key);
    value.verify(key.public(), SignatureScheme::RsaMd5).is_ok()
}

#[test]
fn every_answer_is_signed_anew() {
    let mut host = Recipe::server().host();
    let foreign = Recipe {
        name: "root",
        key: 2,
        ..Recipe::server()
    };
    let made = Stamp::new(4_000_000_000);
    host.install(start(), [(&foreign.certificate(), made, 0)].into_iter());
    let client = Recipe::client();
    let questions = [
        request(Opcode::Certificate, b"server"),
        request(Opcode::Certificate, b"root"),
        request(Opcode::Leap, b""),
        request(
            Opcode::Cookie,
            &client.strength.key(client.key).public().to_pkcs1_der(),
        ),
        request(Opcode::Sign, client.certificate().der()),
    ];
    for question in &questions {
        assert!(is_signed_by(&mut host, question, 0));
    }
    host.renew(start(), renewed().credentials()).unwrap();
    for question in &questions {
        assert!(is_signed_by(&mut host, question, 3));
    }
}

#[test]
fn files_from_the_future_are_told_of() {
    let lines = |host: &mut Host| {
        std::iter::from_fn(|| host.poll_event())
            .map(|event| event.to_string())
            .filter(|line| line.contains("yet to come"))
            .count()
    };
    let mut host = Recipe::server().host();
    host.set_synchronised(start(), true);
    assert_eq!(lines(&mut host), 0);
    let ahead = Stamp::new(Stamp::of(start()).value() + 1);
    let changes: [fn(&mut Credentials, Stamp); 2] = [
        |credentials, ahead| credentials.certificate_filestamp = ahead,
        |credentials, ahead| credentials.host_key_filestamp = ahead,
    ];
    for change in changes {
        let mut credentials = Recipe::server().credentials();
        change(&mut credentials, ahead);
        assert_eq!(host.renew(start(), credentials), Ok(true));
        assert_eq!(lines(&mut host), 1);
    }
}

#[test]
fn a_private_certificate_is_no_value_to_send() {
    let mut host = Recipe::client().host();
    assert!(host.certificate_value(start()).is_some());
    let private = Recipe {
        trust: CertificateTrust::Private,
        ..Recipe::client()
    };
    host.renew(start(), private.credentials()).unwrap();
    assert!(host.certificate_value(start()).is_none());
}
