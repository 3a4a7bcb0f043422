//! Private keys in all the forms that key files have.

use der::{
    Decode, Sequence,
    asn1::{ObjectIdentifier, UintRef},
};
use num_bigint::BigUint;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, pkcs5::pbes2};
use rsa::{RsaPrivateKey, pkcs1::DecodeRsaPrivateKey};
use zeroize::Zeroizing;

use super::{KeyFileError, is_sequence, legacy};
use crate::{
    GqGroup, GroupError, IffGroup, MvClient, MvServer, PrivateKeyError, Secret, dsa::DsaPrivate,
    pem::PemBlock,
};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");

/// Rounds of PBKDF2 that are taken on; recommendations of today are below 1.5 million.
const MOST_ROUNDS: u32 = 2_000_000;

/// Memory that scrypt may take; 16 MiB are usual.
const MOST_SCRYPT_OCTETS: u64 = 64 << 20;

/// What a private key block holds.
pub(super) enum Numbers {
    Rsa(RsaNumbers),
    Dsa(DsaNumbers),
}

/// The numbers of an RSA private key, which is also the form of GQ groups; still as PKCS#1.
pub(super) struct RsaNumbers(Zeroizing<Vec<u8>>);

/// The numbers of a DSA private key, which is the form of identity groups.
pub(super) struct DsaNumbers {
    p: BigUint,
    q: BigUint,
    g: BigUint,
    /// The public value; PKCS#8 has no room for it.
    y: Option<BigUint>,
    x: Secret,
}

/// `DSA PRIVATE KEY`.
#[derive(Sequence)]
struct Traditional<'a> {
    version: u8,
    p: UintRef<'a>,
    q: UintRef<'a>,
    g: UintRef<'a>,
    y: UintRef<'a>,
    x: UintRef<'a>,
}

/// The parameters of a DSA key in PKCS#8.
#[derive(Sequence)]
struct Parameters<'a> {
    p: UintRef<'a>,
    q: UintRef<'a>,
    g: UintRef<'a>,
}

impl RsaNumbers {
    /// As an RSA key.
    pub(super) fn into_key(self) -> Result<RsaPrivateKey, KeyFileError> {
        RsaPrivateKey::from_pkcs1_der(&self.0)
            .map_err(|error| PrivateKeyError::Numbers(error.to_string()).into())
    }

    /// As a GQ group: p and q are 1 where there is no secret, else u and v.
    ///
    /// The exponent b stands in the place of e (older ntpd), of d (4.2.8 with OpenSSL 1.1, for which
    /// files must be rewritten), or in both.
    pub(super) fn into_gq_group(self) -> Result<GqGroup, KeyFileError> {
        let numbers = rsa::pkcs1::RsaPrivateKey::from_der(&self.0)?;
        let big = |number: UintRef<'_>| BigUint::from_bytes_be(number.as_bytes());
        let (n, e, d) = (
            big(numbers.modulus),
            big(numbers.public_exponent),
            big(numbers.private_exponent),
        );
        let u = Secret::from_be_bytes(numbers.prime1.as_bytes());
        if u.is_one() {
            return Ok(GqGroup::client(n, e)?);
        }
        let v = big(numbers.prime2);
        let mut problem = GroupError::Inconsistent("v is not u^-b mod n");
        for b in [d, e] {
            match GqGroup::server(n.clone(), b, u.clone()) {
                Ok(group) if group.v() == Some(&v) => return Ok(group),
                Ok(_) | Err(GroupError::OutOfRange { name: "b" }) => {}
                Err(error) => problem = error,
            }
        }
        Err(problem.into())
    }
}

impl DsaNumbers {
    /// As a DSA key. What stands for y must be what follows from the others.
    pub(super) fn into_key(self) -> Result<DsaPrivate, PrivateKeyError> {
        let Self { p, q, g, y, x } = self;
        let key = DsaPrivate::new(p, q, g, x)?;
        let [.., own] = key.public().numbers();
        match y {
            Some(y) if y.to_bytes_be() != own => {
                Err(PrivateKeyError::Numbers("y is not g^x mod p".into()))
            }
            _ => Ok(key),
        }
    }

    /// As the keys of an MV group's server: E, ḡ and ĝ in the places of g, x and y.
    pub(super) fn into_mv_server(self) -> Result<MvServer, GroupError> {
        let Self { p, q, g, y, x } = self;
        let private = BigUint::from_bytes_be(x.as_be_bytes());
        let public = y.ok_or(GroupError::PublicValueLost)?;
        MvServer::new(p, q, g, private, public)
    }

    /// As the keys of a client of an MV group: x̄ and x̂ in the places of x and y, 1 in those of q
    /// and g.
    pub(super) fn into_mv_client(self) -> Result<MvClient, GroupError> {
        let Self { p, q, y, x, .. } = self;
        if q != BigUint::from(1_u8) {
            return Err(GroupError::Inconsistent("these are not a client's keys"));
        }
        let public = y.ok_or(GroupError::PublicValueLost)?;
        MvClient::new(p, x, Secret::from_be_bytes(&public.to_bytes_be()))
    }

    /// As an IFF group: the secret 1 stands where there is none.
    pub(super) fn into_iff_group(self) -> Result<IffGroup, GroupError> {
        let Self { p, q, g, y, x } = self;
        if !x.is_one() {
            // The server's half: v follows from the secret, whatever the file says.
            return IffGroup::server(p, q, g, x);
        }
        match y {
            Some(v) => IffGroup::client(p, q, g, v),
            None => Err(GroupError::PublicValueLost),
        }
    }
}

/// Whether a block is a private key: files of other programs may have certificates and parameters
/// before it.
pub(super) fn is_private(block: &PemBlock) -> bool {
    block.label.ends_with("PRIVATE KEY")
}

/// Whether a password is needed.
pub(super) fn is_encrypted(block: &PemBlock) -> bool {
    block.encryption.is_some() || block.label == "ENCRYPTED PRIVATE KEY"
}

/// Opens a block and reads the numbers in it.
pub(super) fn open(block: &PemBlock, password: &str) -> Result<Numbers, KeyFileError> {
    match block.label.as_str() {
        "ENCRYPTED PRIVATE KEY" => {
            let plain = decrypt_pkcs8(&block.body, password)?;
            pkcs8(&plain)
        }
        "PRIVATE KEY" => pkcs8(&block.body),
        "RSA PRIVATE KEY" => {
            let plain = decrypt(block, password)?;
            Ok(Numbers::Rsa(RsaNumbers(plain)))
        }
        "DSA PRIVATE KEY" => {
            let plain = decrypt(block, password)?;
            let numbers = Traditional::from_der(&plain)?;
            let big = |number: UintRef<'_>| BigUint::from_bytes_be(number.as_bytes());
            Ok(Numbers::Dsa(DsaNumbers {
                p: big(numbers.p),
                q: big(numbers.q),
                g: big(numbers.g),
                y: Some(big(numbers.y)),
                x: Secret::from_be_bytes(numbers.x.as_bytes()),
            }))
        }
        other => Err(KeyFileError::WrongKind {
            wanted: "private key",
            found: other.to_owned(),
        }),
    }
}

/// The octets of a traditional block, decrypted if need be.
fn decrypt(block: &PemBlock, password: &str) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let Some((cipher, vector)) = &block.encryption else {
        return Ok(block.body.clone());
    };
    let plain = legacy::decrypt(cipher, vector, password, &block.body)?;
    // Bad padding shows most wrong passwords, nonsense in place of ASN.1 the others.
    if is_sequence(&plain) {
        Ok(plain)
    } else {
        Err(KeyFileError::WrongPassword)
    }
}

fn pkcs8(octets: &[u8]) -> Result<Numbers, KeyFileError> {
    let info = PrivateKeyInfoRef::from_der(octets)?;
    match info.algorithm.oid {
        RSA => {
            let octets = info.private_key.as_bytes().to_vec();
            Ok(Numbers::Rsa(RsaNumbers(Zeroizing::new(octets))))
        }
        DSA => {
            let parameters = info
                .algorithm
                .parameters
                .ok_or_else(|| KeyFileError::WrongKind {
                    wanted: "DSA private key",
                    found: "DSA private key without parameters".into(),
                })?;
            let parameters: Parameters<'_> = parameters.decode_as()?;
            let x = UintRef::from_der(info.private_key.as_bytes())?;
            let big = |number: UintRef<'_>| BigUint::from_bytes_be(number.as_bytes());
            Ok(Numbers::Dsa(DsaNumbers {
                p: big(parameters.p),
                q: big(parameters.q),
                g: big(parameters.g),
                y: None,
                x: Secret::from_be_bytes(x.as_bytes()),
            }))
        }
        other => Err(KeyFileError::WrongKind {
            wanted: "RSA or DSA private key",
            found: format!("private key of the algorithm {other}"),
        }),
    }
}

/// The plain octets of an `EncryptedPrivateKeyInfo` (RFC 5958 section 3).
fn decrypt_pkcs8(octets: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let encrypted = legacy::pbes1::Encrypted::from_der(octets)?;
    if let Some(plain) = encrypted.decrypt(password, MOST_ROUNDS)? {
        // Nonsense with the right padding is rare, but comes.
        return Some(plain)
            .filter(|plain| is_sequence(plain))
            .ok_or(KeyFileError::WrongPassword);
    }
    let unknown = || KeyFileError::UnknownCipher(encrypted.scheme_name());
    let encrypted = EncryptedPrivateKeyInfoRef::from_der(octets).map_err(|_| unknown())?;
    let parameters = encrypted.encryption_algorithm.pbes2();
    check_effort(&parameters.ok_or_else(unknown)?.kdf)?;
    let plain = encrypted
        .decrypt(password)
        .map_err(|_| KeyFileError::WrongPassword)?;
    Ok(Zeroizing::new(plain.as_bytes().to_vec()))
}

/// Refuses what would take the start of a daemon minutes, or all memory, to undo.
fn check_effort(kdf: &pbes2::Kdf) -> Result<(), KeyFileError> {
    let too_much = |what: String| Err(KeyFileError::UnknownCipher(what));
    if let Some(kdf) = kdf.pbkdf2() {
        return match kdf.iteration_count {
            rounds if rounds <= MOST_ROUNDS => Ok(()),
            rounds => too_much(format!("{rounds} rounds of PBKDF2")),
        };
    }
    let Some(kdf) = kdf.scrypt() else {
        return too_much("a key derivation other than PBKDF2 and scrypt".into());
    };
    // RFC 7914 section 2: 128 N r octets are held, and gone through p times.
    let (cost, block) = (kdf.cost_parameter, u64::from(kdf.block_size));
    let octets = cost.saturating_mul(128).saturating_mul(block);
    let passes = u64::from(kdf.parallelization);
    if octets > MOST_SCRYPT_OCTETS || octets.saturating_mul(passes) > 4 * MOST_SCRYPT_OCTETS {
        return too_much(format!("scrypt over {octets} octets {passes} times"));
    }
    Ok(())
}
