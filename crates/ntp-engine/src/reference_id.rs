//! The reference identifier of an address.

use std::net::IpAddr;

use ntp_keys::{DigestAlgorithm, digest};
use ntp_wire::ReferenceId;

/// An IPv4 address stands for itself, an IPv6 address for the first four octets of its MD5
/// (RFC 5905 section 7.3). MD5 is a checksum here, it protects nothing.
pub(crate) fn of(address: IpAddr) -> ReferenceId {
    match address.to_canonical() {
        IpAddr::V4(address) => ReferenceId::from_ipv4(address),
        IpAddr::V6(address) => {
            let digest = digest(DigestAlgorithm::Md5, &[&address.octets()]);
            ReferenceId::from_bytes(digest.as_bytes().first_chunk().copied().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_identifiers() {
        assert_eq!(of("10.0.0.1".parse().unwrap()).to_bytes(), [10, 0, 0, 1]);
        assert_eq!(
            of("::ffff:10.0.0.1".parse().unwrap()).to_bytes(),
            [10, 0, 0, 1]
        );
        // By md5sum of the sixteen octets of ::1.
        assert_eq!(
            of("::1".parse().unwrap()).to_bytes(),
            [0xcf, 0x40, 0x4d, 0xc8]
        );
    }
}
