//! References to clusters.

use std::collections::HashMap;

use crate::report::{Note, did_you_mean};

/// The clusters by name, for those that refer to them.
pub(crate) struct ClusterNames<'a>(HashMap<&'a str, usize>);

impl<'a> ClusterNames<'a> {
    pub(crate) fn new(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.enumerate().map(|(index, name)| (name, index)).collect())
    }

    /// The position in `Bootstrap::clusters`.
    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// What to say of a name that is not among them, where `user` has it for a `purpose`.
    pub(crate) fn unknown(&self, user: &str, purpose: &str, name: &str) -> Note {
        let near = did_you_mean(name, self.0.keys().copied());
        Note::from(format!("{user}: unknown {purpose} '{name}'"))
            .help(near.unwrap_or_else(|| "add it to 'static_resources.clusters'".to_owned()))
    }
}
