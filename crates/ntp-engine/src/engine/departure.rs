//! Datagrams of ours that have left, and when that truly was.

use std::net::SocketAddr;

use ntp_wire::{Header, Timestamp};

use super::Engine;

impl Engine {
    /// The datagram `data` left for `remote` at the time `at`.
    pub(super) fn sent(&mut self, at: Timestamp, remote: SocketAddr, data: &[u8]) {
        let Some(header) = data.get(..Header::LENGTH).and_then(Header::parse) else {
            return;
        };
        self.responder.departed(remote, data, at, self.now.wall);
        for association in &mut self.associations {
            // What the system tells of an address may lack its scope.
            let is_there = association
                .remote()
                .is_some_and(|one| one.ip() == remote.ip() && one.port() == remote.port());
            if is_there && let Some(server) = association.server_mut() {
                server.departed(&header, at, self.now.wall);
            }
        }
    }
}
