//! A hash of addresses that nobody outside can steer.

use core::{fmt, net::IpAddr};

/// Folded multiplication with secret keys: whoever does not see the hashes cannot choose addresses
/// that share one.
#[derive(Clone)]
pub(super) struct AddressHash {
    keys: [u64; 2],
}

impl AddressHash {
    pub(super) const fn new(keys: [u64; 2]) -> Self {
        Self { keys }
    }

    pub(super) fn of(&self, address: IpAddr) -> u64 {
        let (high, low) = match address {
            IpAddr::V4(address) => (0, u64::from(address.to_bits())),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                ((bits >> 64) as u64, bits as u64)
            }
        };
        let [first, second] = self.keys;
        let inner = fold(low ^ first, high ^ second);
        fold(inner ^ first.rotate_left(32), second | 1)
    }
}

/// The two halves of a product, one over the other.
const fn fold(left: u64, right: u64) -> u64 {
    let product = left as u128 * right as u128;
    (product >> 64) as u64 ^ product as u64
}

/// The keys are not shown.
impl fmt::Debug for AddressHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressHash")
    }
}
