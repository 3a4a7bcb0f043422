//! Values and the signatures over them (RFC 5906 section 10.3).

use ntp_keys::{PrivateKey, PublicKey, SignError, SignatureScheme, VerifyError};
use ntp_wire::Timestamp;

use crate::{ReceiveError, Stamp, Value};

/// A value that is ready to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SignedValue {
    timestamp: Stamp,
    filestamp: Stamp,
    octets: Vec<u8>,
    signature: Vec<u8>,
}

impl SignedValue {
    /// A value that nobody signs, without timestamp.
    pub(crate) const fn unsigned(filestamp: Stamp, octets: Vec<u8>) -> Self {
        Self {
            timestamp: Stamp::NEVER,
            filestamp,
            octets,
            signature: Vec::new(),
        }
    }

    /// The same with a timestamp.
    pub(crate) fn at(self, timestamp: Stamp) -> Self {
        Self { timestamp, ..self }
    }

    pub(crate) fn value(&self) -> Value<'_> {
        Value {
            timestamp: self.timestamp,
            filestamp: self.filestamp,
            octets: &self.octets,
            signature: &self.signature,
        }
    }

    pub(crate) const fn timestamp(&self) -> Stamp {
        self.timestamp
    }
}

/// The key that signs a host's values.
#[derive(PartialEq)]
pub(crate) struct Signer {
    pub(crate) key: PrivateKey,
    pub(crate) scheme: SignatureScheme,
}

impl Signer {
    /// Signs `octets` as of `now`.
    pub(crate) fn sign(
        &self,
        now: Timestamp,
        filestamp: Stamp,
        octets: Vec<u8>,
    ) -> Result<SignedValue, SignError> {
        let mut value = SignedValue {
            timestamp: Stamp::of(now),
            filestamp,
            octets,
            signature: Vec::new(),
        };
        let head = value.value().signed_head();
        value.signature = self.key.sign(self.scheme, &[&head, &value.octets])?;
        Ok(value)
    }
}

impl Value<'_> {
    /// Checks the signature and that the stamps make sense.
    pub(crate) fn verify(
        &self,
        key: &PublicKey,
        scheme: SignatureScheme,
    ) -> Result<(), ReceiveError> {
        if self.timestamp.is_never() {
            return Err(ReceiveError::NotSigned);
        }
        if self.timestamp.is_before(self.filestamp) {
            return Err(ReceiveError::OlderThanItsFile {
                timestamp: self.timestamp,
                filestamp: self.filestamp,
            });
        }
        key.verify(scheme, &[&self.signed_head(), self.octets], self.signature)
            .map_err(|error| match error {
                VerifyError::Length { found, expected } => {
                    ReceiveError::SignatureLength { found, expected }
                }
                VerifyError::Mismatch => ReceiveError::Signature,
            })
    }
}
