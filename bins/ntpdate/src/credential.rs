//! The key that requests and answers are authenticated with.

use std::{net::IpAddr, path::Path};

use ntp_keys::{KeyEntry, KeyTable, MacBuffer};
use ntp_os::{ReadFileError, read_file};
use ntp_wire::{KeyId, Packet, Trailer};

use crate::journal::Journal;

/// No key file is longer.
const LONGEST_KEY_FILE: u64 = 1 << 20;

/// A key of the key file.
#[derive(Debug)]
pub(crate) struct Credential {
    id: KeyId,
    entry: KeyEntry,
}

impl Credential {
    /// The key `id` of the file `path`. Lines that are no keys are told and passed over.
    pub(crate) fn load(
        path: &Path,
        id: KeyId,
        journal: &mut Journal,
    ) -> Result<Self, CredentialError> {
        let contents = read_file(path, LONGEST_KEY_FILE)?;
        if contents.is_world_readable() {
            return Err(CredentialError::WorldReadable(path.display().to_string()));
        }
        let text = String::from_utf8_lossy(&contents.bytes);
        let (table, problems) = KeyTable::parse(&text);
        for problem in problems {
            journal.error(&format!("{}: {problem}", path.display()));
        }
        match table.lookup(id) {
            Some(entry) => Ok(Self {
                id,
                entry: entry.clone(),
            }),
            None => Err(CredentialError::UnknownKey {
                id,
                path: path.display().to_string(),
            }),
        }
    }

    /// The key `id` of this text.
    #[cfg(test)]
    pub(crate) fn of(id: KeyId, text: &str) -> Self {
        let entry = KeyTable::parse(text).0.lookup(id).cloned();
        Self {
            id,
            entry: entry.expect("the test has the key"),
        }
    }

    /// Puts the MAC of a packet behind it.
    pub(crate) fn sign(&self, packet: &mut Vec<u8>) {
        let mut buffer = MacBuffer::new();
        let mac = self.entry.key().mac(packet, &mut buffer);
        packet.extend_from_slice(&self.id.value().to_be_bytes());
        packet.extend_from_slice(mac);
    }

    /// Whether the packet from `address` has a MAC of this key.
    pub(crate) fn verifies(&self, packet: &Packet<'_>, address: IpAddr) -> bool {
        match packet.trailer() {
            Trailer::Mac { key_id, digest } => {
                key_id == self.id
                    && self.entry.allows(address)
                    && self.entry.key().verify(packet.authenticated(), digest)
            }
            Trailer::None | Trailer::CryptoNak => false,
        }
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    #[error("{0}, exiting")]
    File(#[from] ReadFileError),
    #[error("every user may read the key file {0}, exiting; chmod o-r {0} keeps it secret")]
    WorldReadable(String),
    #[error("authentication key {id} unknown: {path} has no such key, exiting")]
    UnknownKey { id: KeyId, path: String },
}
