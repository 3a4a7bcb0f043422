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
    groups: BTreeMap<String, IffKey>,
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
        self.groups.insert(name.to_owned(), key);
    }

    /// The group called `name`.
    pub fn lookup(&self, name: &str) -> Option<&IffKey> {
        self.groups.get(name)
    }
}
