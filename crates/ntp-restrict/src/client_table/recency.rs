//! Records in the order of their last use: a list threaded through a vector.

/// The place of a record.
pub(super) type Slot = u32;

/// No record.
pub(super) const NOBODY: Slot = Slot::MAX;

/// The neighbours of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    newer: Slot,
    older: Slot,
}

/// The order of records, which are numbered from 0 as they are appended.
#[derive(Clone, Debug)]
pub(super) struct Recency {
    links: Vec<Links>,
    newest: Slot,
    oldest: Slot,
}

impl Default for Recency {
    fn default() -> Self {
        Self {
            links: Vec::new(),
            newest: NOBODY,
            oldest: NOBODY,
        }
    }
}

impl Recency {
    pub(super) const fn newest(&self) -> Slot {
        self.newest
    }

    pub(super) const fn oldest(&self) -> Slot {
        self.oldest
    }

    pub(super) fn newer(&self, slot: Slot) -> Slot {
        self.links.get(slot as usize).map_or(NOBODY, |at| at.newer)
    }

    pub(super) fn older(&self, slot: Slot) -> Slot {
        self.links.get(slot as usize).map_or(NOBODY, |at| at.older)
    }

    pub(super) const fn octets(&self) -> usize {
        self.links.capacity() * size_of::<Links>()
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.links.reserve_exact(more);
    }

    /// One record more, the newest.
    pub(super) fn append(&mut self) {
        let slot = self.links.len() as Slot;
        self.links.push(Links {
            newer: NOBODY,
            older: NOBODY,
        });
        self.put_in_front(slot);
    }

    /// `slot` becomes the newest.
    pub(super) fn touch(&mut self, slot: Slot) {
        if slot == self.newest {
            return;
        }
        let (newer, older) = (self.newer(slot), self.older(slot));
        match self.links.get_mut(newer as usize) {
            Some(at) => at.older = older,
            None => self.newest = older,
        }
        match self.links.get_mut(older as usize) {
            Some(at) => at.newer = newer,
            None => self.oldest = newer,
        }
        self.put_in_front(slot);
    }

    fn put_in_front(&mut self, slot: Slot) {
        let second = self.newest;
        if let Some(at) = self.links.get_mut(slot as usize) {
            at.newer = NOBODY;
            at.older = second;
        }
        match self.links.get_mut(second as usize) {
            Some(at) => at.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }
}
