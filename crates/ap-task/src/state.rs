//! States as plain data: what two of them share, and what counts when they are compared.
//!
//! A state has two comparisons. *Equal* (`==`) looks at everything: who goes on from one goes on as from the other.
//! *The same* ([`fingerprint`], `Hash`) leaves out what only counts how often, or says what came first: else no
//! state would ever come back. Both are derived; what the second leaves out is wrapped in [`Unhashed`], once, where
//! it is declared.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value that counts when two states are compared (`==`), and not for whether they are the same state (`Hash`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unhashed<T>(pub T);

impl<T> Hash for Unhashed<T> {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

impl<T> Deref for Unhashed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Unhashed<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Unhashed<T> {
    fn from(value: T) -> Self {
        Unhashed(value)
    }
}

impl<T: fmt::Display> fmt::Display for Unhashed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often something happened, where for whether two states are the same only counts whether it did at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted(pub u64);

impl Hash for Counted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0 > 0).hash(state);
    }
}

/// A number for a state: the same states have equal ones, and two different ones meet by chance only.
pub fn fingerprint<T: Hash + ?Sized>(state: &T) -> u128 {
    let mut hasher = Wide::default();
    state.hash(&mut hasher);
    hasher.value()
}

/// A part of a state, with its hash. Two states share the parts in which they are equal.
pub struct Part<T>(Arc<(T, u128)>);

impl<T: Hash> Part<T> {
    /// A part of its own.
    pub fn new(value: T) -> Self {
        let hash = fingerprint(&value);
        Part(Arc::new((value, hash)))
    }

    /// The part before if `value` is equal to it, else a new one.
    pub fn or(before: Option<&Self>, value: T) -> Self
    where
        T: PartialEq,
    {
        before.filter(|before| ***before == value).cloned().unwrap_or_else(|| Part::new(value))
    }

    /// The same of a borrowed value, which is cloned only if it is not equal.
    pub fn after(before: Option<&Self>, value: &T) -> Self
    where
        T: Clone + PartialEq,
    {
        before.filter(|before| ***before == *value).cloned().unwrap_or_else(|| Part::new(value.clone()))
    }
}

impl<T> Part<T> {
    /// Whether the two share their contents.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        Part(self.0.clone())
    }
}

impl<T> Deref for Part<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.0
    }
}

impl<T> Hash for Part<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.1 as u64);
        state.write_u64((self.0.1 >> 64) as u64);
    }
}

impl<'a, T> IntoIterator for &'a Part<Vec<T>> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.0.iter()
    }
}

/// A fast hasher of 128 bits without a seed: two lanes that see the same words.
pub(crate) struct Wide(u64, u64);

impl Default for Wide {
    fn default() -> Self {
        Wide(0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344)
    }
}

impl Wide {
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(0x9E37_79B9_7F4A_7C15u64);
        self.0 = (product as u64).rotate_left(29) ^ (product >> 64) as u64;
        self.1 = (self.1.rotate_left(23) ^ word).wrapping_mul(0xF39C_C060_5CED_C835);
    }

    pub(crate) fn value(&self) -> u128 {
        let end = |lane: u64| {
            let lane = (lane ^ lane >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
            u128::from(lane ^ lane >> 32)
        };
        end(self.0) << 64 | end(self.1)
    }
}

impl Hasher for Wide {
    fn finish(&self) -> u64 {
        self.value() as u64
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(word) ^ (rest.len() as u64) << 56);
        }
    }

    #[inline]
    fn write_u8(&mut self, i: u8) {
        self.mix(u64::from(i));
    }

    #[inline]
    fn write_u16(&mut self, i: u16) {
        self.mix(u64::from(i));
    }

    #[inline]
    fn write_u32(&mut self, i: u32) {
        self.mix(u64::from(i));
    }

    #[inline]
    fn write_u64(&mut self, i: u64) {
        self.mix(i);
    }

    #[inline]
    fn write_usize(&mut self, i: usize) {
        self.mix(i as u64);
    }
}
