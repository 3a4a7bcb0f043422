//! What ntp-keys will hold.

/// A message digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DigestAlgorithm {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// What a digest made.
pub(crate) struct Digest(Vec<u8>);

impl Digest {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(crate) fn digest(_: DigestAlgorithm, parts: &[&[u8]]) -> Digest {
    Digest(parts.concat())
}
