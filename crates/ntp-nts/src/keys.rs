//! The keys that client and server agree on.

use core::fmt;

use zeroize::Zeroize;

/// Octets of a key of AES-SIV-CMAC-256.
pub(crate) const KEY: usize = 32;

/// The two keys of a client: for what it sends, and for what is sent to it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKeys {
    pub(crate) client_to_server: [u8; KEY],
    pub(crate) server_to_client: [u8; KEY],
}

impl SessionKeys {
    /// Keys as the key exchange exports them.
    pub const fn new(client_to_server: [u8; KEY], server_to_client: [u8; KEY]) -> Self {
        Self {
            client_to_server,
            server_to_client,
        }
    }
}

impl Drop for SessionKeys {
    fn drop(&mut self) {
        self.client_to_server.zeroize();
        self.server_to_client.zeroize();
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionKeys(..)")
    }
}
