//! Our addresses, numbered as packets come to them.

use std::net::IpAddr;

/// Gives each address a number; all beyond a few hundred share the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locals(Vec<IpAddr>);

/// Nobody has more, and each costs time.
const MOST: u16 = 256;

impl Locals {
    /// The number of `local`, a new one if it has none.
    pub(crate) fn number(&mut self, local: IpAddr) -> u16 {
        if let Some(number) = self.find(local) {
            return number;
        }
        let number = u16::try_from(self.0.len()).unwrap_or(MOST);
        if number < MOST {
            self.0.push(local);
        }
        number
    }

    /// The number of `local`, if anything came to it.
    pub(crate) fn find(&self, local: IpAddr) -> Option<u16> {
        let place = self.0.iter().position(|known| *known == local)?;
        u16::try_from(place).ok()
    }
}
