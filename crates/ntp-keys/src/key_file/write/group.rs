//! Identity groups as text.
//!
//! All are written in the traditional form: PKCS#8 has no room for the public values of IFF and MV,
//! and what reads GQ's numbers in it takes them for an RSA key that makes no sense. Every version of
//! ntpd reads it.

use aes::{Aes128, Aes256};
use der::{Encode, Sequence, asn1::UintRef};
use des::TdesEde3;
use num_bigint::BigUint;
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::{Cipher, Protection, WriteError, file};
use crate::{
    GqGroup, IffGroup, MvClient, MvKeys, MvServer, dsa::DsaPrivate, key_file::legacy, pem::PemBlock,
};

/// What stands where there is no number.
const NONE: &[u8] = &[1];

/// The text of an IFF group's file: with its secret the server's, without it the parameters that
/// clients have.
///
/// # Errors
///
/// [`WriteError`] if the library refuses to encode it.
pub fn write_iff_group<R: CryptoRng + ?Sized>(
    name: &str,
    date: &str,
    group: &IffGroup,
    protection: Option<&Protection<'_>>,
    random: &mut R,
) -> Result<Zeroizing<String>, WriteError> {
    let [p, q, g, v] = [group.p(), group.q(), group.g(), group.v()].map(octets);
    let b = group.secret().map_or(NONE, |secret| secret.as_be_bytes());
    let plain = Dsa::new([&p, &q, &g, &v, b])?;
    Ok(file(name, date, &[plain.block(protection, random)?]))
}

/// The text of a DSA key's file.
pub(super) fn write_dsa_key<R: CryptoRng + ?Sized>(
    name: &str,
    date: &str,
    key: &DsaPrivate,
    protection: Option<&Protection<'_>>,
    random: &mut R,
) -> Result<Zeroizing<String>, WriteError> {
    let [p, q, g, y] = key.public().numbers();
    let plain = Dsa::new([&p, &q, &g, &y, key.secret().as_be_bytes()])?;
    Ok(file(name, date, &[plain.block(protection, random)?]))
}

/// The text of a GQ group's file: with its secret the server's, without it the parameters that
/// clients have.
///
/// Where the exponent stands in it is what ntpd 4.2.8 reads when it was built with OpenSSL 1.1: its
/// server takes b from the place of d, and u from that of e; its client b from that of d. In the
/// clients' file b stands in both places, so that other builds read it too.
///
/// # Errors
///
/// [`WriteError`] if the library refuses to encode it.
pub fn write_gq_group<R: CryptoRng + ?Sized>(
    name: &str,
    date: &str,
    group: &GqGroup,
    protection: Option<&Protection<'_>>,
    random: &mut R,
) -> Result<Zeroizing<String>, WriteError> {
    let (n, b) = (octets(group.n()), octets(group.b()));
    let plain = match (group.secret(), group.v()) {
        (Some(u), Some(v)) => {
            let u = u.as_be_bytes();
            Rsa::new([&n, u, &b, u, &octets(v)])?
        }
        _ => Rsa::new([&n, &b, &b, NONE, NONE])?,
    };
    Ok(file(name, date, &[plain.block(protection, random)?]))
}

/// The text of an MV group's file for its trusted authority: the authority's block, the server's,
/// and one for each client.
///
/// # Errors
///
/// [`WriteError`] if the library refuses to encode it.
pub fn write_mv_keys<R: CryptoRng + ?Sized>(
    name: &str,
    date: &str,
    keys: &MvKeys,
    protection: Option<&Protection<'_>>,
    random: &mut R,
) -> Result<Zeroizing<String>, WriteError> {
    let [p, q, g, a, b] = keys.authority.numbers().map(octets);
    let mut blocks = vec![
        Dsa::new([&p, &q, &g, &b, &a])?.block(protection, random)?,
        server(&keys.server)?.block(protection, random)?,
    ];
    for one in &keys.clients {
        blocks.push(client(one)?.block(protection, random)?);
    }
    Ok(file(name, date, &blocks))
}

/// The text of the file of an MV group's server.
///
/// # Errors
///
/// [`WriteError`] if the library refuses to encode it.
pub fn write_mv_server<R: CryptoRng + ?Sized>(
    name: &str,
    date: &str,
    keys: &MvServer,
    protection: Option<&Protection<'_>>,
    random: &mut R,
) -> Result<Zeroizing<String>, WriteError> {
    let block = server(keys)?.block(protection, random)?;
    Ok(file(name, date, &[block]))
}

/// The text of the file of one client of an MV group.
///
/// # Errors
///
/// [`WriteError`] if the library refuses to encode it.
pub fn write_mv_client<R: CryptoRng + ?Sized>(
    name: &str,
    date: &str,
    keys: &MvClient,
    protection: Option<&Protection<'_>>,
    random: &mut R,
) -> Result<Zeroizing<String>, WriteError> {
    let block = client(keys)?.block(protection, random)?;
    Ok(file(name, date, &[block]))
}

fn server(keys: &MvServer) -> Result<Dsa, WriteError> {
    let numbers = [
        keys.p(),
        keys.q(),
        keys.encryption(),
        keys.public(),
        keys.private(),
    ];
    let [p, q, g, y, x] = numbers.map(octets);
    Dsa::new([&p, &q, &g, &y, &x])
}

fn client(keys: &MvClient) -> Result<Dsa, WriteError> {
    let p = octets(keys.p());
    let (y, x) = (keys.public().as_be_bytes(), keys.private().as_be_bytes());
    Dsa::new([&p, NONE, NONE, y, x])
}

fn octets(number: &BigUint) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(number.to_bytes_be())
}

/// `DSA PRIVATE KEY`, in DER.
struct Dsa(Zeroizing<Vec<u8>>);

impl Dsa {
    /// p, q, g, y and x.
    fn new([p, q, g, y, x]: [&[u8]; 5]) -> Result<Self, WriteError> {
        #[derive(Sequence)]
        struct Form<'a> {
            version: u8,
            p: UintRef<'a>,
            q: UintRef<'a>,
            g: UintRef<'a>,
            y: UintRef<'a>,
            x: UintRef<'a>,
        }
        let encode = || -> der::Result<Vec<u8>> {
            Form {
                version: 0,
                p: UintRef::new(p)?,
                q: UintRef::new(q)?,
                g: UintRef::new(g)?,
                y: UintRef::new(y)?,
                x: UintRef::new(x)?,
            }
            .to_der()
        };
        encode().map(Zeroizing::new).map(Self).map_err(refused)
    }

    fn block<R: CryptoRng + ?Sized>(
        self,
        protection: Option<&Protection<'_>>,
        random: &mut R,
    ) -> Result<PemBlock, WriteError> {
        block("DSA PRIVATE KEY", self.0, protection, random)
    }
}

/// `RSA PRIVATE KEY`, in DER.
struct Rsa(Zeroizing<Vec<u8>>);

impl Rsa {
    /// n, e, d, p and q; the rest is 1.
    fn new([n, e, d, p, q]: [&[u8]; 5]) -> Result<Self, WriteError> {
        let encode = || -> der::Result<Vec<u8>> {
            rsa::pkcs1::RsaPrivateKey {
                modulus: UintRef::new(n)?,
                public_exponent: UintRef::new(e)?,
                private_exponent: UintRef::new(d)?,
                prime1: UintRef::new(p)?,
                prime2: UintRef::new(q)?,
                exponent1: UintRef::new(NONE)?,
                exponent2: UintRef::new(NONE)?,
                coefficient: UintRef::new(NONE)?,
                other_prime_infos: None,
            }
            .to_der()
        };
        encode().map(Zeroizing::new).map(Self).map_err(refused)
    }

    fn block<R: CryptoRng + ?Sized>(
        self,
        protection: Option<&Protection<'_>>,
        random: &mut R,
    ) -> Result<PemBlock, WriteError> {
        block("RSA PRIVATE KEY", self.0, protection, random)
    }
}

fn refused(error: der::Error) -> WriteError {
    WriteError(error.to_string())
}

fn block<R: CryptoRng + ?Sized>(
    label: &str,
    plain: Zeroizing<Vec<u8>>,
    protection: Option<&Protection<'_>>,
    random: &mut R,
) -> Result<PemBlock, WriteError> {
    let (encryption, body) = match protection {
        None => (None, plain),
        Some(protection) => {
            let (cipher, vector, body) = encrypt(protection, &plain, random)
                .ok_or_else(|| WriteError("the cipher refuses".into()))?;
            (Some((cipher.to_owned(), vector)), Zeroizing::new(body))
        }
    };
    Ok(PemBlock {
        label: label.into(),
        encryption,
        body,
    })
}

fn encrypt<R: CryptoRng + ?Sized>(
    protection: &Protection<'_>,
    plain: &[u8],
    random: &mut R,
) -> Option<(&'static str, Vec<u8>, Vec<u8>)> {
    let mut vector = vec![
        0;
        if protection.cipher == Cipher::TripleDes {
            8
        } else {
            16
        }
    ];
    random.fill_bytes(&mut vector);
    let password = protection.password;
    let (name, body) = match protection.cipher {
        Cipher::Aes128 => (
            "AES-128-CBC",
            legacy::encrypt_by::<Aes128>(&vector, password, plain)?,
        ),
        Cipher::Aes256 => (
            "AES-256-CBC",
            legacy::encrypt_by::<Aes256>(&vector, password, plain)?,
        ),
        Cipher::TripleDes => (
            "DES-EDE3-CBC",
            legacy::encrypt_by::<TdesEde3>(&vector, password, plain)?,
        ),
    };
    Some((name, vector, body))
}
