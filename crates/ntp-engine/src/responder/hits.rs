//! How often each restriction was the one that counts.

use std::sync::Arc;

use ntp_restrict::RestrictList;

/// A number for each entry of a list; one that stays in the list that follows keeps its number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hits {
    list: Option<Arc<RestrictList>>,
    counts: Vec<u64>,
}

impl Hits {
    /// Counts a packet that `entry` of `list` decided on.
    pub(crate) fn count(&mut self, list: &Arc<RestrictList>, entry: Option<usize>) {
        if !self
            .list
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, list))
        {
            self.counts = list
                .entries()
                .iter()
                .map(|entry| self.of(entry.target))
                .collect();
            self.list = Some(Arc::clone(list));
        }
        if let Some(count) = entry.and_then(|entry| self.counts.get_mut(entry)) {
            *count += 1;
        }
    }

    /// How often the entry for `target` decided.
    pub(crate) fn of(&self, target: ntp_restrict::RestrictTarget) -> u64 {
        let entries = self.list.as_ref().map(|list| list.entries());
        entries
            .unwrap_or_default()
            .iter()
            .position(|entry| entry.target == target)
            .and_then(|place| self.counts.get(place).copied())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use ntp_restrict::{RestrictFlags, RestrictRules, RestrictTarget};

    use super::*;

    #[test]
    fn counts_outlive_a_change_of_the_list() {
        let mut rules = RestrictRules::new();
        let first = Arc::new(rules.build());
        let mut hits = Hits::default();
        for _ in 0..3 {
            let found = first.lookup("192.0.2.1:123".parse().unwrap());
            hits.count(&first, found.entry);
        }
        let network = RestrictTarget::with_prefix("192.0.2.0".parse().unwrap(), 24).unwrap();
        rules.restrict(network, RestrictFlags::NO_QUERY);
        let second = Arc::new(rules.build());
        let found = second.lookup("192.0.2.1:123".parse().unwrap());
        hits.count(&second, found.entry);
        assert_eq!(hits.of(RestrictTarget::DEFAULT_IPV4), 3);
        assert_eq!(hits.of(network), 1);
        assert_eq!(hits.of(RestrictTarget::DEFAULT_IPV6), 0);
    }
}
