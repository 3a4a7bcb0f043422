//! Records of a fixed size: fields one after the other.

use crate::{Duration, ShortDuration, WireTimestamp};

/// A signed number with 16 bits before the point and 16 behind it.
///
/// ```
/// use ntp_wire::private::SignedShort;
///
/// assert_eq!(SignedShort::from_f64(-0.05).to_f64(), -3276.0 / 65536.0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SignedShort(i32);

impl SignedShort {
    const ONE: f64 = 65_536.0;

    /// `number`, rounded towards zero; what is too large saturates.
    pub const fn from_f64(number: f64) -> Self {
        Self((number * Self::ONE) as i32)
    }

    /// The number.
    pub const fn to_f64(self) -> f64 {
        self.0 as f64 / Self::ONE
    }
}

/// A number that ntpd 4.2.8 leaves in the byte order of its machine: the lowest octet first, as
/// nearly all machines have it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct HostOrder<T>(pub T);

/// What stands in a record. Records are read by position, so both of its functions are given
/// exactly [`SIZE`](Self::SIZE) octets; of none, [`take`](Self::take) makes zero.
pub(super) trait Field: Sized {
    /// Octets of it.
    const SIZE: usize;

    fn put(&self, room: &mut [u8]);

    fn take(octets: &[u8]) -> Self;
}

/// Octets that mean nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unused<const N: usize>;

impl<const N: usize> Field for Unused<N> {
    const SIZE: usize = N;

    fn put(&self, _: &mut [u8]) {}

    fn take(_: &[u8]) -> Self {
        Self
    }
}

impl<T: Field, const N: usize> Field for [T; N] {
    const SIZE: usize = T::SIZE * N;

    fn put(&self, room: &mut [u8]) {
        for (room, field) in room.chunks_exact_mut(T::SIZE).zip(self) {
            field.put(room);
        }
    }

    fn take(octets: &[u8]) -> Self {
        let mut fields = octets.chunks_exact(T::SIZE);
        core::array::from_fn(|_| T::take(fields.next().unwrap_or_default()))
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Field for $number {
            const SIZE: usize = size_of::<Self>();

            fn put(&self, room: &mut [u8]) {
                for (place, octet) in room.iter_mut().zip(self.to_be_bytes()) {
                    *place = octet;
                }
            }

            fn take(octets: &[u8]) -> Self {
                let octets = octets.first_chunk().copied();
                Self::from_be_bytes(octets.unwrap_or_default())
            }
        }

        impl Field for HostOrder<$number> {
            const SIZE: usize = <$number>::SIZE;

            fn put(&self, room: &mut [u8]) {
                self.0.swap_bytes().put(room);
            }

            fn take(octets: &[u8]) -> Self {
                Self(<$number>::take(octets).swap_bytes())
            }
        }
    )*};
}

numbers!(u8, i8, u16, u32, i32, u64, i64, u128);

macro_rules! wrapped {
    ($($kind:ty: $inner:ty, $from:expr, $to:expr;)*) => {$(
        impl Field for $kind {
            const SIZE: usize = <$inner>::SIZE;

            fn put(&self, room: &mut [u8]) {
                let to: fn(Self) -> $inner = $to;
                to(*self).put(room);
            }

            fn take(octets: &[u8]) -> Self {
                let from: fn($inner) -> Self = $from;
                from(<$inner>::take(octets))
            }
        }
    )*};
}

wrapped! {
    SignedShort: i32, Self, |number| number.0;
    ShortDuration: u32, Self::from_bits, Self::to_bits;
    Duration: i64, Self::from_bits, Self::to_bits;
    WireTimestamp: u64, Self::from_bits, Self::to_bits;
}

/// The first octets of what is left, as many as there are of `size`.
pub(super) fn next<'a>(rest: &mut &'a [u8], size: usize) -> &'a [u8] {
    let (field, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
    *rest = after;
    field
}

/// The same of room to write to.
pub(super) fn next_room<'a>(rest: &mut &'a mut [u8], size: usize) -> &'a mut [u8] {
    let size = size.min(rest.len());
    let (field, after) = core::mem::take(rest).split_at_mut(size);
    *rest = after;
    field
}

/// Defines a record by its fields in their order, and its length, which they must come to.
macro_rules! record {
    (
        $(#[$about:meta])*
        $name:ident $length:literal {
            $($(#[$about_field:meta])* $visibility:vis $field:ident: $kind:ty,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub struct $name {
            $($(#[$about_field])* $visibility $field: $kind,)*
        }

        impl $name {
            /// Octets of it.
            pub const LENGTH: usize = $length;

            /// Reads it; `None` if there are more or fewer octets than [`LENGTH`](Self::LENGTH).
            pub fn parse(octets: &[u8]) -> Option<Self> {
                (octets.len() == Self::LENGTH).then(|| Self::read(octets))
            }

            /// Its octets.
            pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
                use $crate::private::record::{Field, next_room};
                let mut octets = [0; Self::LENGTH];
                let mut rest = &mut octets[..];
                $(self.$field.put(next_room(&mut rest, <$kind as Field>::SIZE));)*
                octets
            }

            fn read(mut rest: &[u8]) -> Self {
                use $crate::private::record::{Field, next};
                Self {
                    $($field: Field::take(next(&mut rest, <$kind as Field>::SIZE)),)*
                }
            }
        }

        /// All zero.
        impl Default for $name {
            fn default() -> Self {
                Self::read(&[])
            }
        }

        const _: () = {
            use $crate::private::record::Field;
            assert!(0 $(+ <$kind as Field>::SIZE)* == $length);
        };
    };
}

/// An address that stands in two fields of a record, one for each family, of which a third says
/// which counts: how to read and how to set it.
macro_rules! address {
    ($record:ident $(#[$about:meta])* $name:ident $set:ident $ipv4:ident $ipv6:ident) => {
        impl $record {
            $(#[$about])*
            pub fn $name(&self) -> core::net::IpAddr {
                match self.is_ipv6.0 {
                    0 => core::net::Ipv4Addr::from_bits(self.$ipv4).into(),
                    _ => core::net::Ipv6Addr::from_bits(self.$ipv6).into(),
                }
            }

            /// Sets it. All addresses of a record are of the family that was set last.
            pub fn $set(&mut self, address: core::net::IpAddr) {
                match address {
                    core::net::IpAddr::V4(address) => {
                        self.is_ipv6.0 = 0;
                        self.$ipv4 = address.to_bits();
                    }
                    core::net::IpAddr::V6(address) => {
                        self.is_ipv6.0 = 1;
                        self.$ipv6 = address.to_bits();
                    }
                }
            }
        }
    };
}

pub(super) use {address, record};
