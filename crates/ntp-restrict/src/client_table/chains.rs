//! Where a record is found: chains of records whose addresses share a hash.
//!
//! There is a chain for each record, and with each record that is added one chain is split in two
//! (linear hashing). So no packet ever waits until a large table is rebuilt.

use super::recency::{NOBODY, Slot};

/// The first record of each chain. The next one is told by the caller, who keeps it with the record.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains {
    first: Vec<Slot>,
}

/// So many there are at least, once there is a record.
const LEAST: usize = 16;

impl Chains {
    /// The first record of the chain that a record of this hash is in.
    pub(super) fn first(&self, hash: u64) -> Slot {
        let chain = self.chain_of(hash);
        self.first.get(chain).copied().unwrap_or(NOBODY)
    }

    /// Makes `slot` the first of the chain that a record of this hash is in, and tells which was.
    pub(super) fn put_first(&mut self, hash: u64, slot: Slot) -> Slot {
        let chain = self.chain_of(hash);
        let first = self.first.get_mut(chain);
        first.map_or(NOBODY, |first| core::mem::replace(first, slot))
    }

    /// Makes one chain more if there are fewer than `records`. What is to be put anew is the chain
    /// that begins with the slot that is returned, if there is one.
    pub(super) fn split(&mut self, records: usize) -> Option<Slot> {
        if self.first.is_empty() {
            self.first = vec![NOBODY; LEAST];
            return None;
        }
        let new = self.first.len();
        if new >= records {
            return None;
        }
        self.first.push(NOBODY);
        // Its records had their hash cut by one bit more.
        let old = new - new.next_power_of_two() / if new.is_power_of_two() { 1 } else { 2 };
        let first = self.first.get_mut(old)?;
        Some(core::mem::replace(first, NOBODY)).filter(|slot| *slot != NOBODY)
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.first.reserve_exact(more);
    }

    pub(super) const fn octets(&self) -> usize {
        self.first.capacity() * size_of::<Slot>()
    }

    fn chain_of(&self, hash: u64) -> usize {
        let chains = self.first.len();
        let cut = hash as usize & chains.next_power_of_two().wrapping_sub(1);
        // One that does not exist yet is still in the one that will be split.
        if cut < chains {
            cut
        } else {
            cut - chains.next_power_of_two() / 2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chains as the table keeps them.
    #[derive(Default)]
    struct Table {
        chains: Chains,
        next: Vec<Slot>,
    }

    impl Table {
        fn hash(slot: Slot) -> u64 {
            u64::from(slot)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(20)
        }

        fn put(&mut self, slot: Slot) {
            self.next[slot as usize] = self.chains.put_first(Self::hash(slot), slot);
        }

        fn add(&mut self) {
            let slot = self.next.len() as Slot;
            self.next.push(NOBODY);
            let mut moving = self.chains.split(self.next.len()).unwrap_or(NOBODY);
            while moving != NOBODY {
                let after = self.next[moving as usize];
                self.put(moving);
                moving = after;
            }
            self.put(slot);
        }

        /// How many records must be looked at to find this one.
        fn depth(&self, slot: Slot) -> Option<usize> {
            let first = self.chains.first(Self::hash(slot));
            core::iter::successors(Some(first), |at| self.next.get(*at as usize).copied())
                .take_while(|at| *at != NOBODY)
                .position(|at| at == slot)
        }
    }

    #[test]
    fn every_record_is_found_at_every_size_and_soon() {
        let mut table = Table::default();
        for count in 1..=1500 {
            table.add();
            let depths = (0..count).map(|slot| table.depth(slot).unwrap());
            let all: usize = depths.sum();
            assert!(all <= 2 * count as usize, "{all} steps for {count}");
            assert!(table.chains.first.len() >= count as usize);
        }
    }
}
