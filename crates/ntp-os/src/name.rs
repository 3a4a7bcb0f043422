//! Names of this machine and of others.
#![allow(unsafe_code)]

use std::{
    ffi::CStr,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
};

use nix::sys::socket::{SockaddrLike, SockaddrStorage};

/// Which addresses of a name are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Family {
    /// All.
    #[default]
    Any,
    /// Those of IPv4 (`-4`).
    V4,
    /// Those of IPv6 (`-6`).
    V6,
}

impl Family {
    /// Whether `address` is of this family.
    pub const fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// The name of this machine, as `hostname` tells it.
///
/// # Errors
///
/// What the system says; it has a name nearly always.
pub fn host_name() -> io::Result<String> {
    Ok(nix::unistd::gethostname()?.to_string_lossy().into_owned())
}

/// The addresses of `name`, in the system's order, each with `port`. A numeric address is its own
/// name. It waits for name servers: where that must not be, use [`Resolver`](crate::Resolver).
///
/// # Errors
///
/// [`ResolveError`] if there are none.
pub fn resolve(name: &str, port: u16, family: Family) -> Result<Vec<SocketAddr>, ResolveError> {
    let addresses = (name, port)
        .to_socket_addrs()
        .map_err(|source| ResolveError::Failed {
            name: name.to_owned(),
            source,
        })?;
    let mut wanted = Vec::new();
    for address in addresses {
        if family.has(address.ip()) && !wanted.contains(&address) {
            wanted.push(address);
        }
    }
    if wanted.is_empty() {
        return Err(ResolveError::NoAddress {
            name: name.to_owned(),
            family,
        });
    }
    Ok(wanted)
}

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The system could not find the name, now or ever.
    #[error("cannot resolve {name}: {source}")]
    Failed {
        /// The name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// It has addresses, none of them of the wanted family.
    #[error("{name} has no address of the family {family:?}")]
    NoAddress {
        /// The name.
        name: String,
        /// What was wanted.
        family: Family,
    },
}

/// The name of the machine at `address`, if it has one. It waits for name servers.
pub fn reverse_name(address: IpAddr) -> Option<String> {
    /// NI_MAXHOST.
    const LONGEST: usize = 1025;
    let address = SockaddrStorage::from(SocketAddr::new(address, 0));
    let mut name = [0u8; LONGEST];
    // SAFETY: the address is valid for its length, the buffer for the one given, less the octet
    // that stays zero; the service is not asked for.
    let failure = unsafe {
        libc::getnameinfo(
            address.as_ptr(),
            address.len(),
            name.as_mut_ptr().cast(),
            (LONGEST - 1) as libc::socklen_t,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if failure != 0 {
        return None;
    }
    let name = CStr::from_bytes_until_nul(&name).ok()?;
    // A name server may answer anything: only what can be printed is a name.
    let name = name.to_str().ok()?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_their_own_names() {
        let found = resolve("127.0.0.2", 123, Family::Any).unwrap();
        assert_eq!(found, ["127.0.0.2:123".parse().unwrap()]);
        let found = resolve("::1", 5, Family::V6).unwrap();
        assert_eq!(found, ["[::1]:5".parse().unwrap()]);
        let error = resolve("::1", 5, Family::V4).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("::1 has no address of the family V4")
        );
    }

    #[test]
    fn names_that_cannot_be_are_told() {
        let error = resolve("no such name", 123, Family::Any).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot resolve no such name: ")
        );
        assert!(resolve("a\0b", 123, Family::Any).is_err());
        assert!(resolve("", 123, Family::Any).is_err());
    }

    #[test]
    fn the_machine_has_a_name_and_so_has_the_loopback() {
        assert!(!host_name().unwrap().is_empty());
        if let Some(name) = reverse_name("127.0.0.1".parse().unwrap()) {
            assert!(!name.is_empty() && name != "127.0.0.1");
        }
    }
}
