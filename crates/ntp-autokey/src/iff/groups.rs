//! The groups whose parameters are at hand.

use std::collections::BTreeMap;

use crate::IffKey;

/// The IFF groups whose parameters are at hand, by name: what follows `ntpkey_iffpar_` (today's
/// files) or `ntpkey_iff_` (those of 2008) in the name of the file or link.
///
/// A server is tested if there are parameters under the `ident` of its line, under the group in its
/// name, under its certificate's issuer or its own name, or under the name of this host; the first
/// that is found counts, and the server must then pass.
#[derive(Clone, Debug, Default)]
pub struct IffGroups {
    /// `None` where there is a file that can't be used.
    groups: BTreeMap<String, Option<IffKey>>,
}

impl IffGroups {
    /// None at all.
    pub const fn new() -> Self {
        Self {
            groups: BTreeMap::new(),
        }
    }

    /// Adds a group, or replaces that of the same name.
    pub fn insert(&mut self, name: &str, key: IffKey) {
        self.groups.insert(name.to_owned(), Some(key));
    }

    /// Notes that there is a file for a group, but that it can't be used: who put it there wants the
    /// server tested, so a server of that group is refused rather than followed untested.
    pub fn insert_unusable(&mut self, name: &str) {
        self.groups.entry(name.to_owned()).or_insert(None);
    }

    /// The group called `name`.
    pub fn lookup(&self, name: &str) -> Option<&IffKey> {
        self.groups.get(name)?.as_ref()
    }

    /// Whether there is a file for the group that can't be used.
    pub fn is_unusable(&self, name: &str) -> bool {
        matches!(self.groups.get(name), Some(None))
    }
}
