//! A set of fingerprints, eight bytes each. This module knows nothing of what they are fingerprints of.

/// An open-addressing table without deletion. Keys are hashes already.
pub(crate) struct FpSet {
    slots: Vec<u64>,
    len: usize,
}

impl FpSet {
    pub(crate) fn new() -> Self {
        FpSet { slots: vec![0; 1024], len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a fingerprint; `false` if it is there already.
    #[inline]
    pub(crate) fn insert(&mut self, fingerprint: u64) -> bool {
        if self.len * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let fresh = place(&mut self.slots, fingerprint.max(1));
        self.len += usize::from(fresh);
        fresh
    }

    #[cold]
    fn grow(&mut self) {
        let mut slots = vec![0; self.slots.len() * 2];
        for &fingerprint in self.slots.iter().filter(|&&slot| slot != 0) {
            place(&mut slots, fingerprint);
        }
        self.slots = slots;
    }
}

#[inline]
fn place(slots: &mut [u64], fingerprint: u64) -> bool {
    let mask = slots.len() - 1;
    let mut index = fingerprint as usize & mask;
    loop {
        match slots[index] {
            0 => {
                slots[index] = fingerprint;
                return true;
            }
            slot if slot == fingerprint => return false,
            _ => index = (index + 1) & mask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_new_once() {
        let mut set = FpSet::new();
        for i in 0..100_000u64 {
            assert!(set.insert(i.wrapping_mul(0x9E37_79B9_7F4A_7C15)) || i == 1);
        }
        assert!(!set.insert(0));
        assert_eq!(set.len(), 100_000);
    }
}
