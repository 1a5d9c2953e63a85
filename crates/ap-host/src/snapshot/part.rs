//! Parts of a state that two states can share, and whether a part is exactly another one.
//!
//! "Exactly" looks at everything, also at what hashes leave out: a state that shares a part goes on from it.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use crate::device::{CardState, QueueState};
use crate::registry::Registry;
use crate::vfio_ap::{Guest, Mdev, Mdevs};

/// A part of a state, with its hash.
pub struct Part<T>(Arc<(T, u128)>);

impl<T: Hash> Part<T> {
    /// A part of its own.
    pub(crate) fn new(value: T) -> Self {
        let mut hasher = Wide::default();
        value.hash(&mut hasher);
        Part(Arc::new((value, hasher.value())))
    }

    /// The part before if `value` is the same, else a new one.
    pub(crate) fn or(before: Option<&Self>, value: T, same: fn(&T, &T) -> bool) -> Self {
        before.filter(|before| same(before, &value)).cloned().unwrap_or_else(|| Part::new(value))
    }

    /// The same of a borrowed value, which is cloned only if it is not the same.
    pub(crate) fn after(before: Option<&Self>, value: &T, same: fn(&T, &T) -> bool) -> Self
    where
        T: Clone,
    {
        before.filter(|before| same(before, value)).cloned().unwrap_or_else(|| Part::new(value.clone()))
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

pub(super) fn same_cards(a: &Vec<CardState>, b: &Vec<CardState>) -> bool {
    a == b && a.iter().zip(b).all(|(a, b)| a.bound_at.0 == b.bound_at.0)
}

pub(super) fn same_queues(a: &Vec<QueueState>, b: &Vec<QueueState>) -> bool {
    a == b && a.iter().zip(b).all(|(a, b)| a.bound_at.0 == b.bound_at.0)
}

pub(super) fn same_registry(a: &Registry, b: &Registry) -> bool {
    let same_cards = a.cards.len() == b.cards.len()
        && a.cards.values().zip(b.cards.values()).all(|(a, b)| Arc::ptr_eq(a, b));
    let same_queues = a.queues.len() == b.queues.len()
        && a.queues.values().zip(b.queues.values()).all(|(a, b)| Arc::ptr_eq(a, b));
    same_cards
        && same_queues
        && (a.autoprobe, a.autoprobe_matrix, a.autoprobe_mdev)
            == (b.autoprobe, b.autoprobe_matrix, b.autoprobe_mdev)
        && (a.max_adapter, a.max_domain, a.default_domain, a.scans)
            == (b.max_adapter, b.max_domain, b.default_domain, b.scans)
        && (a.config_time, a.poll_timeout, a.poll_thread, a.interrupts, a.secure_execution, a.complete_count)
            == (
                b.config_time,
                b.poll_timeout,
                b.poll_thread,
                b.interrupts,
                b.secure_execution,
                b.complete_count,
            )
        && a.config == b.config
        && a.parameters == b.parameters
        && a.generations == b.generations
        && a.order.keys().eq(b.order.keys())
}

pub(super) fn same_mdevs(a: &Mdevs, b: &Mdevs) -> bool {
    let same_list = a.list.len() == b.list.len()
        && a.list.iter().zip(&b.list).all(|((id, a), (other, b))| id == other && same_mdev(a, b));
    same_list
        && a.config == b.config
        && a.queues == b.queues
        && a.links == b.links
        && a.bound == b.bound
        && a.failed == b.failed
        && a.assigned == b.assigned
        && (a.next_id, a.leaving) == (b.next_id, b.leaving)
        && a.iommu_groups == b.iommu_groups
        && a.vfio_groups == b.vfio_groups
        && a.vfio_devices == b.vfio_devices
}

fn same_mdev(a: &Mdev, b: &Mdev) -> bool {
    let same_guest = |a: &Option<Arc<Guest>>, b: &Option<Arc<Guest>>| match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    };
    (a.uuid, a.phase, a.fresh, a.request) == (b.uuid, b.phase, b.fresh, b.request)
        && (a.matrix, a.shadow, a.adding) == (b.matrix, b.shadow, b.adding)
        && (a.iommu_group, a.vfio_group, a.vfio_device) == (b.iommu_group, b.vfio_group, b.vfio_device)
        && same_guest(&a.guest, &b.guest)
        && same_guest(&a.opener, &b.opener)
        && Arc::ptr_eq(&a.device, &b.device)
}

/// A fast hasher of 128 bits without a seed: two lanes that see the same words.
pub(super) struct Wide(u64, u64);

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

    pub(super) fn value(&self) -> u128 {
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
