//! The identity scheme IFF.

use std::collections::BTreeMap;

use crate::Stamp;

/// What a client knows of an IFF group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IffParameters {
    /// When the group was made; the server's must be the same.
    pub filestamp: Stamp,
}

/// The IFF groups whose parameters are at hand, by name: what follows `ntpkey_iffpar_` (today's
/// files) or `ntpkey_iff_` (those of 2008) in the name of the file or link.
#[derive(Clone, Debug, Default)]
pub struct IffGroups {
    groups: BTreeMap<String, IffParameters>,
}

impl IffGroups {
    /// None at all.
    pub const fn new() -> Self {
        Self {
            groups: BTreeMap::new(),
        }
    }

    /// Adds a group, or replaces that of the same name.
    pub fn insert(&mut self, name: &str, parameters: IffParameters) {
        self.groups.insert(name.to_owned(), parameters);
    }

    /// The group called `name`.
    pub fn lookup(&self, name: &str) -> Option<&IffParameters> {
        self.groups.get(name)
    }
}
