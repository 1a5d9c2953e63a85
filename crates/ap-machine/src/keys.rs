//! The master keys of a domain of an adapter, as far as its verification patterns tell of them.
//!
//! Pages 2 and 6 say how no answer reads; the rest is what administrators' tools expect: a master key belongs to a
//! domain of an adapter and is the administrator's, not the adapter's.

use ap_types::{DomainId, Mode};

/// A verification pattern: what tells master keys apart without giving them away.
pub type Pattern = u64;

/// The registers of a domain, with the patterns of what is in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MasterKeys {
    /// What is to become the current key.
    pub new: Option<Pattern>,
    /// The key in use.
    pub current: Option<Pattern>,
    /// The one before it.
    pub old: Option<Pattern>,
}

impl MasterKeys {
    /// Those of a domain that nobody set: every domain its own, and the same domain of all adapters of a mode the same.
    #[must_use]
    pub fn usual(mode: Mode, domain: DomainId) -> MasterKeys {
        let kind = match mode {
            Mode::None => 0,
            Mode::Cca => 1,
            Mode::Ep11 => 2,
            Mode::Accelerator => 3,
        };
        // Spread over all digits by an odd factor, so that no two are the same.
        let pattern = (u64::from(domain.0) << 2 | kind).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        MasterKeys { new: None, current: Some(pattern), old: None }
    }
}

/// What changes about the master keys of a domain; `None`: stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeysChange {
    /// What the new register holds, if anything.
    pub new: Option<Option<Pattern>>,
    /// What the current one holds.
    pub current: Option<Option<Pattern>>,
    /// What the old one holds.
    pub old: Option<Option<Pattern>>,
}

impl KeysChange {
    /// What becomes of keys.
    #[must_use]
    pub fn apply(self, to: MasterKeys) -> MasterKeys {
        MasterKeys {
            new: self.new.unwrap_or(to.new),
            current: self.current.unwrap_or(to.current),
            old: self.old.unwrap_or(to.old),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn t14_every_domain_has_its_own_key() {
        let modes = [Mode::None, Mode::Cca, Mode::Ep11, Mode::Accelerator];
        let keys = modes.into_iter().flat_map(|mode| (0..=255).map(move |id| (mode, DomainId(id))));
        let patterns: BTreeSet<_> = keys.map(|(mode, id)| MasterKeys::usual(mode, id).current).collect();
        assert_eq!(patterns.len(), 4 * 256);
    }
}
