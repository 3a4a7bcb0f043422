//! The groups whose parameters are at hand.

use std::collections::BTreeMap;

use super::{IdentityKey, IdentityScheme};

/// The groups whose parameters are at hand, by name: what follows `ntpkey_iffpar_`, `ntpkey_gqpar_` or
/// `ntpkey_mvpar_` (today's files) or `ntpkey_iff_` and so on (those of 2008) in the name of the file
/// or link.
///
/// A server is tested if there are parameters under the `ident` of its line, under the group in its
/// name, under its certificate's issuer or its own name, or under the name of this host; the first
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
