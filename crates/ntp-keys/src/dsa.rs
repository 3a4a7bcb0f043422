//! DSA keys (FIPS 186-4), which sign and do nothing else.

use der::{Decode, Encode, Sequence, asn1::UintRef};
use dsa::{Components, SigningKey, VerifyingKey};
use num_bigint::BigUint;
use rand::CryptoRng;
use sha1::Sha1;

use crate::{
    PrivateKeyError, PublicKeyError, Secret,
    group::{modulus_and_generator, secret_below, secret_power},
    public_key::unsigned,
};

/// The fewest bits of p: what hosts of 2008 made.
pub(crate) const LEAST_BITS: u32 = 512;
/// The most bits of p; more would only cost time.
pub(crate) const MOST_BITS: u32 = 3072;
/// The sizes of q.
const ORDER_BITS: core::ops::RangeInclusive<u64> = 160..=256;

/// The public half.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DsaPublic {
    p: BigUint,
    q: BigUint,
    g: BigUint,
    y: BigUint,
}

/// RFC 3279 section 2.3.2.
#[derive(Sequence)]
struct Parameters<'a> {
    p: UintRef<'a>,
    q: UintRef<'a>,
    g: UintRef<'a>,
}

/// RFC 3279 section 2.2.2.
#[derive(Sequence)]
struct Signature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl DsaPublic {
    /// Checks what costs nothing, since strangers send certificates: that the sizes and the ranges are
    /// those of a key. Whether the numbers are worth anything is up to who has the other half.
    pub(crate) fn new(
        p: BigUint,
        q: BigUint,
        g: BigUint,
        y: BigUint,
    ) -> Result<Self, PublicKeyError> {
        let bits = check_domain(&p, &q, &g)?;
        if y > BigUint::from(1_u8) && y < p {
            Ok(Self { p, q, g, y })
        } else {
            Err(PublicKeyError::DsaNotSupported { bits })
        }
    }

    /// From the parameters and the number of a `SubjectPublicKeyInfo`.
    pub(crate) fn from_der(parameters: &[u8], key: &[u8]) -> Result<Self, PublicKeyError> {
        let Parameters { p, q, g } = Parameters::from_der(parameters)?;
        let y = UintRef::from_der(key)?;
        Self::new(big(p), big(q), big(g), big(y))
    }

    /// p, q and g, as a `SubjectPublicKeyInfo` has them.
    pub(crate) fn parameters_der(&self) -> der::Result<Vec<u8>> {
        let [p, q, g] = [&self.p, &self.q, &self.g].map(BigUint::to_bytes_be);
        Parameters {
            p: UintRef::new(&p)?,
            q: UintRef::new(&q)?,
            g: UintRef::new(&g)?,
        }
        .to_der()
    }

    /// y, as a `SubjectPublicKeyInfo` has it.
    pub(crate) fn key_der(&self) -> der::Result<Vec<u8>> {
        UintRef::new(&self.y.to_bytes_be())?.to_der()
    }

    pub(crate) fn bits(&self) -> u32 {
        u32::try_from(self.p.bits()).unwrap_or(u32::MAX)
    }

    /// Octets of the longest signature: two numbers below q, each with room for a sign.
    pub(crate) fn longest_signature(&self) -> usize {
        let octets = usize::try_from(self.q.bits().div_ceil(8)).unwrap_or_default();
        2 * (octets + 3) + 2
    }

    pub(crate) fn numbers(&self) -> [Vec<u8>; 4] {
        [&self.p, &self.q, &self.g, &self.y].map(BigUint::to_bytes_be)
    }

    /// Whether `signature` is one of `digest` (FIPS 186-4 section 4.7). Nothing here is secret.
    pub(crate) fn verify(&self, digest: &[u8], signature: &[u8]) -> bool {
        let Ok(Signature { r, s }) = Signature::from_der(signature) else {
            return false;
        };
        let (r, s) = (big(r), big(s));
        let Self { p, q, g, y } = self;
        if r == BigUint::ZERO || r >= *q || s >= *q {
            return false;
        }
        let Some(w) = s.modinv(q) else {
            return false;
        };
        let z = leftmost(digest, q);
        let (u1, u2) = (z * &w % q, &r * &w % q);
        let v = g.modpow(&u1, p) * y.modpow(&u2, p) % p % q;
        v == r
    }
}

/// Both halves. The secret is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DsaPrivate {
    public: DsaPublic,
    x: Secret,
}

impl DsaPrivate {
    /// A new key with a p of `bits` bits, and a q of 160, from 2048 bits on of 256.
    pub(crate) fn generate<R: CryptoRng + ?Sized>(
        bits: u32,
        random: &mut R,
    ) -> Result<Self, PrivateKeyError> {
        if !(LEAST_BITS..=MOST_BITS).contains(&bits) {
            return Err(PrivateKeyError::DsaNotSupported { bits });
        }
        let numbers = |error: crate::GenerateError| PrivateKeyError::Numbers(error.to_string());
        let (p, q, g) = modulus_and_generator(bits, random).map_err(numbers)?;
        let x = secret_below(&q, random).map_err(numbers)?;
        Self::new(p, q, g, x)
    }

    /// From the numbers of a file; y follows from them.
    pub(crate) fn new(
        p: BigUint,
        q: BigUint,
        g: BigUint,
        x: Secret,
    ) -> Result<Self, PrivateKeyError> {
        check_domain(&p, &q, &g)?;
        let wrong = |what: &str| PrivateKeyError::Numbers(what.to_owned());
        if BigUint::from_bytes_be(x.as_be_bytes()) >= q {
            return Err(wrong("x is not below q"));
        }
        if g.modpow(&q, &p) != BigUint::from(1_u8) {
            return Err(wrong("q is not the order of g"));
        }
        let y = secret_power(&g, &x, &p).ok_or_else(|| wrong("p is even"))?;
        Ok(Self {
            public: DsaPublic::new(p, q, g, y)?,
            x,
        })
    }

    pub(crate) const fn public(&self) -> &DsaPublic {
        &self.public
    }

    pub(crate) const fn secret(&self) -> &Secret {
        &self.x
    }

    /// A signature of a SHA-1 `digest`, with the number that RFC 6979 takes for the random one.
    pub(crate) fn sign(&self, digest: &[u8]) -> Option<Vec<u8>> {
        let [p, q, g, y] = self.public.numbers();
        let number = |octets: &[u8]| unsigned(octets).ok();
        let (p, g, y) = (number(&p)?, number(&g)?, number(&y)?);
        let (q, x) = (number(&q)?, number(self.x.as_be_bytes())?);
        // One precision for all that is below p, as the library wants it.
        let wide = p.bits_precision();
        let widened =
            |number: crypto_bigint::BoxedUint, bits| crypto_bigint::Resize::resize(number, bits);
        let components =
            Components::from_components_unchecked(p, q.clone(), widened(g, wide)).ok()?;
        let verifying = VerifyingKey::from_components(components, widened(y, wide)).ok()?;
        let narrow = q.bits_precision();
        let key = SigningKey::from_components(verifying, widened(x, narrow)).ok()?;
        let signature = key.sign_prehashed_rfc6979::<Sha1>(digest).ok()?;
        let [r, s] = [signature.r(), signature.s()].map(|number| number.to_be_bytes());
        Signature {
            r: UintRef::new(&r).ok()?,
            s: UintRef::new(&s).ok()?,
        }
        .to_der()
        .ok()
    }
}

/// Whether p, q and g have sizes and ranges that a key can have; says how many bits p has.
fn check_domain(p: &BigUint, q: &BigUint, g: &BigUint) -> Result<u32, PublicKeyError> {
    let one = BigUint::from(1_u8);
    let bits = u32::try_from(p.bits()).unwrap_or(u32::MAX);
    let is_fit = (LEAST_BITS..=MOST_BITS).contains(&bits)
        && ORDER_BITS.contains(&q.bits())
        && p.bit(0)
        && (p - &one) % q == BigUint::ZERO
        && *g > one
        && g < p;
    is_fit
        .then_some(bits)
        .ok_or(PublicKeyError::DsaNotSupported { bits })
}

fn big(number: UintRef<'_>) -> BigUint {
    BigUint::from_bytes_be(number.as_bytes())
}

/// As many octets of a digest as q has: SHA-1 is never longer.
fn leftmost(digest: &[u8], q: &BigUint) -> BigUint {
    let octets = usize::try_from(q.bits() / 8).unwrap_or_default();
    BigUint::from_bytes_be(digest.get(..octets).unwrap_or(digest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test that can't go on has failed.
mod tests {
    use rand::{SeedableRng, rngs::ChaCha12Rng};

    use super::*;
    use crate::{DigestAlgorithm, digest};

    fn key(bits: u32) -> DsaPrivate {
        DsaPrivate::generate(bits, &mut ChaCha12Rng::from_seed([5; 32])).unwrap()
    }

    fn digest_of(octets: &[u8]) -> Vec<u8> {
        digest(DigestAlgorithm::Sha1, &[octets]).as_bytes().to_vec()
    }

    #[test]
    fn every_size_signs_and_verifies() {
        for bits in [512, 768, 1000, 1024, 2048] {
            let key = key(bits);
            assert_eq!(key.public().bits(), bits);
            for text in ["", "a", "what is signed"] {
                let digest = digest_of(text.as_bytes());
                let signature = key.sign(&digest).unwrap();
                assert!(signature.len() <= key.public().longest_signature());
                assert!(key.public().verify(&digest, &signature));
                let other = digest_of(b"another");
                assert!(!key.public().verify(&other, &signature));
                for place in 0..signature.len() {
                    let mut altered = signature.clone();
                    altered[place] ^= 1;
                    assert!(!key.public().verify(&digest, &altered), "{place}");
                }
            }
        }
    }

    /// Two libraries and our own mathematics agree.
    #[test]
    fn the_library_verifies_what_we_do() {
        let key = key(1024);
        let digest = digest_of(b"value");
        let der = key.sign(&digest).unwrap();
        let [p, q, g, y] = key
            .public()
            .numbers()
            .map(|octets| unsigned(&octets).unwrap());
        let components = Components::from_components(p, q, g).unwrap();
        let theirs = VerifyingKey::from_components(components, y).unwrap();
        let signature = dsa::Signature::try_from(&*der).unwrap();
        dsa::signature::hazmat::PrehashVerifier::verify_prehash(&theirs, &digest, &signature)
            .unwrap();
    }

    #[test]
    fn numbers_that_are_no_key_are_refused() {
        let public = key(512).public().clone();
        let DsaPublic { p, q, g, y } = public.clone();
        let one = BigUint::from(1_u8);
        for (p, q, g, y) in [
            (BigUint::ZERO, q.clone(), g.clone(), y.clone()),
            (p.clone(), BigUint::ZERO, g.clone(), y.clone()),
            (p.clone(), q.clone(), one.clone(), y.clone()),
            (p.clone(), q.clone(), g.clone(), one.clone()),
            (p.clone(), q.clone(), g.clone(), p.clone()),
            (&p + &one, q.clone(), g.clone(), y.clone()),
            (p.clone(), &q + 2_u8, g.clone(), y.clone()),
        ] {
            assert!(DsaPublic::new(p, q, g, y).is_err());
        }
        let order = DsaPrivate::new(p.clone(), q, &p - &one, Secret::from_be_bytes(&[7]));
        assert!(order.is_err());
        let large = Secret::from_be_bytes(&public.q.to_bytes_be());
        assert!(DsaPrivate::new(p, public.q.clone(), g, large).is_err());
        // r = 0 would verify with v = 0; s = 0 has no inverse.
        for (r, s) in [(0_u8, 5_u8), (5, 0), (0, 0)] {
            let signature = [0x30, 6, 2, 1, r, 2, 1, s];
            assert!(!public.verify(&digest_of(b"value"), &signature));
        }
        assert!(DsaPrivate::generate(511, &mut ChaCha12Rng::from_seed([5; 32])).is_err());
    }
}
