//! The groups whose parameters are at hand.

use std::collections::BTreeMap;

use super::{IdentityKey, IdentityScheme};

/// The groups whose parameters are at hand, by name: what follows `ntpkey_iffpar_`, `ntpkey_gqpar_` or
/// `ntpkey_mvpar_` (today's files) or `ntpkey_iff_` and so on (those of 2008) in the name of the file
/// or link.
///
/// A server is tested if there are parameters under the `ident` of its line, under the group in its
/// name, under its certificate's issuer or its own name, or under the name of this host or the group
/// in that; the first
/// that is found counts, and the server must then pass. Where a group has parameters of several
/// schemes, the server must offer one of them, and the first that it offers is run.
#[derive(Clone, Debug, Default)]
pub struct IdentityGroups {
    groups: BTreeMap<String, Group>,
}

/// What is at hand of one group.
#[derive(Clone, Debug, Default)]
struct Group {
    keys: BTreeMap<IdentityScheme, IdentityKey>,
    /// There is a file that can't be used.
    unusable: bool,
}

impl IdentityGroups {
    /// None at all.
    pub const fn new() -> Self {
        Self {
            groups: BTreeMap::new(),
        }
    }

    /// Adds a group, or replaces that of the same name and scheme.
    pub fn insert(&mut self, name: &str, key: impl Into<IdentityKey>) {
        let key = key.into();
        let group = self.groups.entry(name.to_owned()).or_default();
        group.keys.insert(key.scheme(), key);
        group.unusable = false;
    }

    /// Notes that there is a file for a group, but that it can't be used: who put it there wants the
    /// server tested, so a server of that group is refused rather than followed untested.
    pub fn insert_unusable(&mut self, name: &str) {
        let group = self.groups.entry(name.to_owned()).or_default();
        group.unusable = group.keys.is_empty();
    }

    /// Takes what was read anew in place of what is known. Where files can't be used now, the group
    /// stays what it was.
    pub fn renew(&mut self, mut newer: Self) {
        for (name, group) in &mut newer.groups {
            if group.unusable
                && let Some(old) = self.groups.remove(name)
            {
                *group = old;
            }
        }
        *self = newer;
    }

    /// The group called `name` for this scheme.
    pub fn lookup(&self, name: &str, scheme: IdentityScheme) -> Option<&IdentityKey> {
        self.groups.get(name)?.keys.get(&scheme)
    }

    /// The schemes for which there are parameters of the group called `name`.
    pub fn schemes(&self, name: &str) -> impl Iterator<Item = IdentityScheme> {
        let group = self.groups.get(name);
        group
            .into_iter()
            .flat_map(|group| group.keys.keys().copied())
    }

    /// Whether there is a file for the group that can't be used.
    pub fn is_unusable(&self, name: &str) -> bool {
        self.groups.get(name).is_some_and(|group| group.unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_material::iff_key;

    #[test]
    fn what_is_read_anew_takes_the_place_of_the_old_unless_it_cannot_be_used() {
        let [old, new] = [1, 2].map(|seed| IdentityKey::from(iff_key(seed, 4_000_000_000)));
        let mut groups = IdentityGroups::new();
        for name in ["changed", "damaged", "gone"] {
            groups.insert(name, old.clone());
        }
        let mut newer = IdentityGroups::new();
        newer.insert("changed", new.clone());
        newer.insert_unusable("damaged");
        newer.insert_unusable("added");
        groups.renew(newer);
        let lookup = |name| groups.lookup(name, IdentityScheme::Iff);
        assert_eq!(lookup("changed"), Some(&new));
        assert_eq!(lookup("damaged"), Some(&old));
        assert_eq!(lookup("gone"), None);
        assert!(groups.is_unusable("added") && !groups.is_unusable("damaged"));
    }
}
