//! Being told when the machine's addresses change.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use mio::{Interest, Registry, Token, event, unix::SourceFd};
use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
    },
};

/// A source of events for mio, which tells when addresses or interfaces come, go, or become
/// usable: a routing socket of netlink. What changed is not said: list the
/// [`interfaces`](crate::interfaces) again.
#[derive(Debug)]
pub struct AddressWatch {
    descriptor: OwnedFd,
}

impl AddressWatch {
    /// Starts to watch.
    ///
    /// # Errors
    ///
    /// What the system says; some that stand in for the kernel, as simulators do, have none.
    pub fn open() -> io::Result<Self> {
        let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
        let descriptor = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        bind(
            descriptor.as_raw_fd(),
            &NetlinkAddr::new(0, groups.unsigned_abs()),
        )?;
        Ok(Self { descriptor })
    }

    /// Whether anything has changed since this was last asked.
    pub fn take_changed(&self) -> bool {
        /// A machine whose addresses change without end is looked at anyway.
        const MOST: usize = 1024;
        let mut changed = false;
        let mut message = [0; 4096];
        for _ in 0..MOST {
            match recv(
                self.descriptor.as_raw_fd(),
                &mut message,
                MsgFlags::MSG_DONTWAIT,
            ) {
                Ok(_) => changed = true,
                // More was told than there was room for.
                Err(Errno::ENOBUFS) => changed = true,
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        changed
    }
}

impl event::Source for AddressWatch {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.descriptor.as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.descriptor.as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.descriptor.as_raw_fd()).deregister(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_changes_nothing_is_told() {
        let watch = AddressWatch::open().unwrap();
        let _ = watch.take_changed();
        // Other tests may change something, but not without end.
        assert!((0..100).any(|_| !watch.take_changed()));
    }
}
