//! Numbers of adapters, domains and queues (page 1, "Terms").

use core::error::Error;
use core::fmt;
use core::str::FromStr;

/// The number of an adapter (APID), 0-255.
///
/// Shown as two lower-case hex digits, as in the device name `card05`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdapterId(pub u8);

/// The number of a domain (APQI), 0-255.
///
/// Shown as four lower-case hex digits, as in the device name `05.0047`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainId(pub u8);

impl From<u8> for AdapterId {
    fn from(id: u8) -> Self {
        Self(id)
    }
}

impl From<u8> for DomainId {
    fn from(id: u8) -> Self {
        Self(id)
    }
}

impl From<AdapterId> for u8 {
    fn from(id: AdapterId) -> Self {
        id.0
    }
}

impl From<DomainId> for u8 {
    fn from(id: DomainId) -> Self {
        id.0
    }
}

impl fmt::Display for AdapterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

/// The number of a queue (APQN): one usage domain on one adapter.
///
/// Ordered by adapter, then domain. Shown and parsed in the form of the device name, `AA.DDDD` in
/// lower-case hex.
///
/// # Examples
/// ```
/// use ap_types::{AdapterId, Apqn, DomainId};
///
/// let apqn = Apqn::new(AdapterId(5), DomainId(71));
/// assert_eq!(apqn.to_string(), "05.0047");
/// assert_eq!(apqn.to_u16(), 0x0547);
/// assert_eq!("05.0047".parse(), Ok(apqn));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Apqn {
    /// The adapter that the queue is on.
    pub adapter: AdapterId,
    /// The usage domain that the queue is.
    pub domain: DomainId,
}

impl Apqn {
    /// Makes the number of the queue of one domain on one adapter.
    pub const fn new(adapter: AdapterId, domain: DomainId) -> Self {
        Self { adapter, domain }
    }

    /// Returns the 16-bit form, `APID << 8 | APQI` (page 1).
    pub const fn to_u16(self) -> u16 {
        u16::from_be_bytes([self.adapter.0, self.domain.0])
    }

    /// Takes the 16-bit form apart; every value is a queue number.
    pub const fn from_u16(apqn: u16) -> Self {
        let [adapter, domain] = apqn.to_be_bytes();
        Self::new(AdapterId(adapter), DomainId(domain))
    }
}

/// Ascending by adapter, then by domain: one comparison of the 16 bits, since maps are keyed by it.
impl Ord for Apqn {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.to_u16().cmp(&other.to_u16())
    }
}

impl PartialOrd for Apqn {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Apqn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.adapter, self.domain)
    }
}

/// The text is not the device name of a queue, `AA.DDDD` in lower-case hex with `DDDD` up to `00ff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseApqnError;

impl fmt::Display for ParseApqnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a queue name of the form AA.DDDD in lower-case hex")
    }
}

impl Error for ParseApqnError {}

impl FromStr for Apqn {
    type Err = ParseApqnError;

    /// Parses exactly the form of the device name: nothing that `Display` doesn't write is taken.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let &[a, b, b'.', b'0', b'0', c, d] = text.as_bytes() else {
            return Err(ParseApqnError);
        };
        let byte = |high, low| Some(lower_hex(high)? << 4 | lower_hex(low)?);
        match (byte(a, b), byte(c, d)) {
            (Some(adapter), Some(domain)) => Ok(Self::new(adapter.into(), domain.into())),
            _ => Err(ParseApqnError),
        }
    }
}

/// Returns the value of a hex digit; upper-case ones are not taken, device names have none.
const fn lower_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Returns the key by which "all linked queues" of an mdev are ordered when they are reset at close,
/// `RESET` and removal (page 3, "Order of all linked queues").
///
/// Ascending by this key; queues with equal keys come last linked first, which this crate cannot know.
pub const fn zapq_order_key(apqn: Apqn) -> u8 {
    ((apqn.to_u16() as u32).wrapping_mul(0x61C8_8647) >> 24) as u8
}

#[cfg(test)]
mod tests;
