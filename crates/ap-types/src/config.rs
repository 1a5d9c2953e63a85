//! The host configuration as QCI answers it (page 1, "QCI").

use core::fmt;
use core::ops::{BitAnd, BitOr, BitOrAssign, Sub};

use crate::mask::{AdapterMask, DomainMask};
use crate::matrix::Matrix;

/// The facility flags of QCI: 32 bits, bit 0 the most significant one (page 1).
///
/// Shown as the names of the set flags, separated by spaces, in the order of the `features` attribute;
/// nothing if none is set.
///
/// # Examples
/// ```
/// use ap_types::Features;
///
/// let features = Features::APSB | Features::APXA;
/// assert!(features.contains(Features::APXA));
/// assert_eq!(features.to_string(), "APXA APSB");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Features(pub u32);

impl Features {
    /// No flags.
    pub const NONE: Self = Self(0);
    /// Special command facility (bit 0).
    pub const APSC: Self = Self(0x8000_0000);
    /// Extended addressing: ids above 63 (adapters) and 15 (domains) (bit 1).
    pub const APXA: Self = Self(0x4000_0000);
    /// The PQAP function QACT is there (bit 2).
    pub const QACT: Self = Self(0x2000_0000);
    /// The flag `RC8A` (bit 3).
    pub const RC8A: Self = Self(0x1000_0000);
    /// Binding and association in Secure Execution guests (bit 8).
    pub const APSB: Self = Self(0x0080_0000);

    /// The named flags in the order in which they are shown.
    pub const NAMED: [(Self, &'static str); 5] = [
        (Self::APSC, "APSC"),
        (Self::APXA, "APXA"),
        (Self::QACT, "QACT"),
        (Self::RC8A, "RC8A"),
        (Self::APSB, "APSB"),
    ];

    /// Says whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Says whether no flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Features {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl BitAnd for Features {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Features {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Self::NAMED.iter().filter(|(flag, _)| self.contains(*flag));
        for (at, (_, name)) in set.enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// What QCI answers: the flags, the highest possible ids and the host configuration (page 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostConfig {
    /// The facility flags.
    pub features: Features,
    /// The highest possible adapter id, 0-255. Without APXA it says nothing.
    pub na: u8,
    /// The highest possible domain id, 0-255. Without APXA it says nothing.
    pub nd: u8,
    /// The adapters of the host configuration (apm).
    pub adapters: AdapterMask,
    /// The usage domains of the host configuration (aqm).
    pub domains: DomainMask,
    /// The control domains of the host configuration (adm).
    pub control_domains: DomainMask,
}

impl HostConfig {
    /// Returns the three masks as a matrix: what the machine gives to this Linux.
    pub const fn matrix(&self) -> Matrix {
        Matrix { adapters: self.adapters, domains: self.domains, control_domains: self.control_domains }
    }
}

#[cfg(test)]
mod tests;
