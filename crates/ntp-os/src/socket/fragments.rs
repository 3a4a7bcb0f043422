//! Whether datagrams may be sent in fragments.
//!
//! Those of IPv4 may not as a rule: what is known not to be a fragment needs no number to find the
//! others by, and making numbers that nobody can guess is a tenth of what the kernel has to do for
//! a reply. It also takes from forged fragments what they could be put together with. What is
//! longer than the network takes, as messages of Autokey may be, goes in fragments nevertheless.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr,
};

use super::NtpSocket;

/// Has the kernel refuse what would need fragments, with `EMSGSIZE`.
pub(super) fn forbid(socket: &impl AsFd) {
    // Replies are only dearer where the kernel can't.
    let _ = set(socket, libc::IP_PMTUDISC_DO);
}

fn set(socket: &impl AsFd, discovery: libc::c_int) -> io::Result<()> {
    // SAFETY: the option takes an int, which is what is pointed to, with its size; it lives longer
    // than the call, which writes nothing.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            ptr::from_ref(&discovery).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl NtpSocket {
    /// Has `send` send a datagram, in fragments if it must be.
    pub(super) fn in_fragments(&self, send: impl Fn() -> io::Result<()>) -> io::Result<()> {
        set(&self.descriptor, libc::IP_PMTUDISC_WANT)?;
        let result = send();
        forbid(&self.descriptor);
        result
    }
}
