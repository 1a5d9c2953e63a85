//! Sets of adapters and of domains as 256-bit masks (page 1, "Masks").

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, BitXorAssign, Not, Sub, SubAssign};

use crate::bits::{self, Words};
use crate::id::{AdapterId, DomainId};

mod sealed {
    pub trait Sealed {}
}

/// What the two mask types have in common, for code that is written once for both.
///
/// Sealed: there are no others than [`AdapterMask`] and [`DomainMask`].
pub trait Mask: Copy + Eq + Default + fmt::Debug + fmt::Display + sealed::Sealed {
    /// The type of the mask's members.
    type Id: From<u8> + Into<u8> + Copy + Ord + fmt::Debug;

    /// Makes the mask from its four words; word 0 holds ids 0-63, id 0 its most significant bit.
    fn from_words(words: [u64; 4]) -> Self;

    /// Returns the four words; word 0 holds ids 0-63, id 0 its most significant bit.
    fn words(&self) -> [u64; 4];

    /// Whether the highest id that there can be, 255, is in it. Then it is written by the ids that it lacks, mostly.
    #[must_use]
    fn has_highest(&self) -> bool {
        self.words()[3] & 1 == 1
    }

    /// The members, ascending.
    fn members(&self) -> Ids<Self::Id> {
        Ids { left: self.words(), id: PhantomData }
    }
}

/// The members of a mask, ascending (descending from the back).
#[derive(Clone, Debug)]
pub struct Ids<I> {
    left: Words,
    id: PhantomData<I>,
}

impl<I: From<u8>> Iterator for Ids<I> {
    type Item = I;

    #[inline]
    fn next(&mut self) -> Option<I> {
        let id = bits::first(&self.left)?;
        self.left = bits::without(self.left, id);
        Some(I::from(id))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = bits::count(&self.left) as usize;
        (count, Some(count))
    }
}

impl<I: From<u8>> DoubleEndedIterator for Ids<I> {
    fn next_back(&mut self) -> Option<I> {
        let id = bits::last(&self.left)?;
        self.left = bits::without(self.left, id);
        Some(I::from(id))
    }
}

impl<I: From<u8>> ExactSizeIterator for Ids<I> {}
impl<I: From<u8>> FusedIterator for Ids<I> {}

macro_rules! mask {
    ($(#[$doc:meta])* $mask:ident of $id:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $mask(Words);

        impl $mask {
            /// The mask without members.
            pub const EMPTY: Self = Self(bits::NONE);

            /// The mask of all 256 ids.
            pub const ALL: Self = Self(bits::ALL);

            /// Makes the mask from its four words; word 0 holds ids 0-63, id 0 its most significant
            /// bit.
            pub const fn from_words(words: [u64; 4]) -> Self {
                Self(words)
            }

            /// Returns the four words; word 0 holds ids 0-63, id 0 its most significant bit.
            pub const fn words(&self) -> [u64; 4] {
                self.0
            }

            /// Makes the mask of one id.
            pub const fn single(id: $id) -> Self {
                Self(bits::with(bits::NONE, id.0))
            }

            /// Makes the mask of the ids `0..=max_id`.
            pub const fn up_to(max_id: u8) -> Self {
                Self(bits::up_to(max_id))
            }

            /// Makes the mask of the given ids.
            pub fn of(ids: impl IntoIterator<Item = $id>) -> Self {
                ids.into_iter().collect()
            }

            /// Says whether an id is a member.
            #[inline]
            pub const fn contains(&self, id: $id) -> bool {
                bits::contains(&self.0, id.0)
            }

            /// Adds an id; says whether it was not a member before.
            pub const fn insert(&mut self, id: $id) -> bool {
                let new = !self.contains(id);
                self.0 = bits::with(self.0, id.0);
                new
            }

            /// Takes an id out; says whether it was a member before.
            pub const fn remove(&mut self, id: $id) -> bool {
                let old = self.contains(id);
                self.0 = bits::without(self.0, id.0);
                old
            }

            /// Returns the mask with one more member.
            #[must_use]
            pub const fn with(self, id: $id) -> Self {
                Self(bits::with(self.0, id.0))
            }

            /// Returns the mask without one of its members.
            #[must_use]
            pub const fn without(self, id: $id) -> Self {
                Self(bits::without(self.0, id.0))
            }

            /// Lists the members, ascending.
            pub const fn iter(&self) -> Ids<$id> {
                Ids { left: self.0, id: PhantomData }
            }

            /// Returns the lowest member.
            pub const fn first(&self) -> Option<$id> {
                match bits::first(&self.0) {
                    Some(id) => Some($id(id)),
                    None => None,
                }
            }

            /// Returns the highest member.
            pub const fn last(&self) -> Option<$id> {
                match bits::last(&self.0) {
                    Some(id) => Some($id(id)),
                    None => None,
                }
            }

            /// Says whether the mask has no members.
            #[inline]
            pub const fn is_empty(&self) -> bool {
                bits::is_empty(&self.0)
            }

            /// Returns the number of members, 0-256.
            #[inline]
            pub const fn count(&self) -> usize {
                bits::count(&self.0) as usize
            }

            /// Says whether the masks have a member in common.
            #[inline]
            pub const fn intersects(&self, other: &Self) -> bool {
                bits::intersects(&self.0, &other.0)
            }

            /// Says whether every member is also one of `other`.
            #[inline]
            pub const fn is_subset(&self, other: &Self) -> bool {
                bits::is_subset(&self.0, &other.0)
            }
        }

        impl sealed::Sealed for $mask {}

        impl Mask for $mask {
            type Id = $id;

            fn from_words(words: [u64; 4]) -> Self {
                Self(words)
            }

            fn words(&self) -> [u64; 4] {
                self.0
            }
        }

        mask!(@binary $mask BitAnd bitand BitAndAssign bitand_assign and
            "Returns the members of both masks.");
        mask!(@binary $mask BitOr bitor BitOrAssign bitor_assign or
            "Returns the members of either mask.");
        mask!(@binary $mask BitXor bitxor BitXorAssign bitxor_assign xor
            "Returns the members of exactly one of the masks.");
        mask!(@binary $mask Sub sub SubAssign sub_assign and_not
            "Returns the members that are not members of the other mask.");

        impl Not for $mask {
            type Output = Self;

            #[inline]
            fn not(self) -> Self {
                Self(bits::not(&self.0))
            }
        }

        impl Extend<$id> for $mask {
            fn extend<T: IntoIterator<Item = $id>>(&mut self, ids: T) {
                for id in ids {
                    self.insert(id);
                }
            }
        }

        impl FromIterator<$id> for $mask {
            fn from_iter<T: IntoIterator<Item = $id>>(ids: T) -> Self {
                let mut mask = Self::EMPTY;
                mask.extend(ids);
                mask
            }
        }

        impl IntoIterator for $mask {
            type Item = $id;
            type IntoIter = Ids<$id>;

            fn into_iter(self) -> Ids<$id> {
                self.iter()
            }
        }

        impl IntoIterator for &$mask {
            type Item = $id;
            type IntoIter = Ids<$id>;

            fn into_iter(self) -> Ids<$id> {
                self.iter()
            }
        }

        /// Writes `0x` and 64 lower-case hex digits, most significant first, as attributes show it.
        impl fmt::Display for $mask {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(core::str::from_utf8(&bits::text(&self.0)).map_err(|_| fmt::Error)?)
            }
        }

        /// Writes the members in hex: `AdapterMask{05, 06}`.
        impl fmt::Debug for $mask {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($mask))?;
                f.debug_set().entries(self.iter().map(crate::shown::Shown)).finish()
            }
        }
    };
    (@binary $mask:ident $op:ident $f:ident $assign:ident $g:ident $words:ident $doc:literal) => {
        impl $op for $mask {
            type Output = Self;

            #[doc = $doc]
            #[inline]
            fn $f(self, other: Self) -> Self {
                Self(bits::$words(&self.0, &other.0))
            }
        }

        impl $assign for $mask {
            #[inline]
            fn $g(&mut self, other: Self) {
                self.0 = bits::$words(&self.0, &other.0);
            }
        }
    };
}

mask! {
    /// A set of adapters: 256 bits, the most significant one being adapter 0.
    ///
    /// # Examples
    /// ```
    /// use ap_types::{AdapterId, AdapterMask};
    ///
    /// let mut mask = AdapterMask::single(AdapterId(0));
    /// assert_eq!(mask.to_string(), format!("0x8{}", "0".repeat(63)));
    /// mask |= AdapterMask::of([AdapterId(5), AdapterId(6)]);
    /// assert!(mask.iter().eq([0, 5, 6].map(AdapterId)));
    /// ```
    AdapterMask of AdapterId
}

mask! {
    /// A set of usage domains or of control domains: 256 bits, the most significant one being
    /// domain 0.
    ///
    /// A type of its own, so that adapters and domains cannot be mixed up.
    DomainMask of DomainId
}

#[cfg(test)]
mod tests;
