//! How words are mixed into fingerprints. This module knows nothing of what the words mean.

/// Mixes two words into one, by the two halves of their product.
#[inline]
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let a = u128::from(a ^ 0x9E37_79B9_7F4A_7C15);
    let b = u128::from(b ^ 0xE703_7ED1_A0B4_28DB);
    let product = a * b;
    let folded = (product as u64) ^ ((product >> 64) as u64);
    let folded = (folded ^ (folded >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ b as u64;
    folded ^ (folded >> 32)
}
