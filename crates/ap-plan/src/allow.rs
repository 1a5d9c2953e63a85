//! What may happen that else must not.

use std::collections::BTreeSet;

use ap_types::Uuid;
use ap_types::grammar::uuid;

use crate::state::{Holder, State};

/// What may happen that else must not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Which running guests may lose queues that the desired state takes.
    pub unplug: Unplug,
}

/// Which running guests may lose queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unplug {
    /// None.
    #[default]
    Nobody,
    /// Those that are called so: a guest's name, or the UUID of its mdev.
    Only(BTreeSet<String>),
    /// All.
    Everybody,
}

/// A word that allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// It is none of the words.
    #[error("nothing that may be allowed is called `{0}`")]
    Unknown(String),
    /// It names nobody.
    #[error("`{0}` names no guest")]
    Nobody(String),
}

impl Allow {
    /// Of words: `unplug` (all running guests), `unplug=NAME` (the guest that is called so, or whose mdev has that UUID).
    ///
    /// # Errors
    /// A word that is none of these.
    pub fn parse<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Allow, AllowError> {
        let mut unplug = Unplug::Nobody;
        for word in words {
            unplug = match (word.split_once('='), unplug) {
                (None, _) if word == "unplug" => Unplug::Everybody,
                (Some(("unplug", "")), _) => return Err(AllowError::Nobody(word.to_owned())),
                (Some(("unplug", _)), Unplug::Everybody) => Unplug::Everybody,
                (Some(("unplug", name)), Unplug::Nobody) => Unplug::Only([name.to_owned()].into()),
                (Some(("unplug", name)), Unplug::Only(mut names)) => {
                    names.insert(name.to_owned());
                    Unplug::Only(names)
                }
                _ => return Err(AllowError::Unknown(word.to_owned())),
            };
        }
        Ok(Allow { unplug })
    }

    /// The words of which it is: what [`Allow::parse`] takes.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match &self.unplug {
            Unplug::Nobody => Vec::new(),
            Unplug::Everybody => vec!["unplug".to_owned()],
            Unplug::Only(names) => names.iter().map(|name| format!("unplug={name}")).collect(),
        }
    }

    /// Names that are those of no guest that runs on that host, nor of its mdev: probably mistyped.
    #[must_use]
    pub fn strangers<'a>(&'a self, state: &State) -> Vec<&'a str> {
        let Unplug::Only(names) = &self.unplug else { return Vec::new() };
        let running = |name: &str| {
            state
                .mdevs
                .iter()
                .any(|(uuid, mdev)| mdev.holder.as_ref().is_some_and(|holder| is_called(*uuid, holder, name)))
        };
        names.iter().map(String::as_str).filter(|name| !running(name)).collect()
    }

    /// Whether whoever runs with that mdev may lose queues.
    pub(crate) fn lets_lose(&self, mdev: Uuid, holder: &Holder) -> bool {
        match &self.unplug {
            Unplug::Nobody => false,
            Unplug::Everybody => true,
            Unplug::Only(names) => names.iter().any(|name| is_called(mdev, holder, name)),
        }
    }

    /// What would let that one lose queues.
    pub(crate) fn word_for(mdev: Uuid, holder: &Holder) -> String {
        let plain = |name: &&String| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        match holder.guest.as_ref().filter(plain) {
            Some(name) => format!("--allow unplug={name}"),
            None => format!("--allow unplug={mdev}"),
        }
    }
}

fn is_called(mdev: Uuid, holder: &Holder, name: &str) -> bool {
    holder.guest.as_deref() == Some(name) || uuid(name.as_bytes()) == Ok(mdev)
}
