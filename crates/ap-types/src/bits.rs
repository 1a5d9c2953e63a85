//! Operations on the four words of a 256-bit mask, shared by the two mask types.
//!
//! Word 0 holds ids 0-63, id 0 its most significant bit (page 1, "Masks").

/// The memory form of a mask.
pub(crate) type Words = [u64; 4];

pub(crate) const NONE: Words = [0; 4];
pub(crate) const ALL: Words = [u64::MAX; 4];

const TOP: u64 = 1 << 63;

/// Returns the index of the word that holds an id, and the id's bit in it.
const fn place(id: u8) -> (usize, u64) {
    ((id >> 6) as usize, TOP >> (id & 63))
}

pub(crate) const fn contains(words: &Words, id: u8) -> bool {
    let (word, bit) = place(id);
    words[word] & bit != 0
}

pub(crate) const fn with(mut words: Words, id: u8) -> Words {
    let (word, bit) = place(id);
    words[word] |= bit;
    words
}

pub(crate) const fn without(mut words: Words, id: u8) -> Words {
    let (word, bit) = place(id);
    words[word] &= !bit;
    words
}

/// Returns the ids `0..=max`.
pub(crate) const fn up_to(max: u8) -> Words {
    let mut words = NONE;
    let (last, bit) = place(max);
    let mut word = 0;
    while word < last {
        words[word] = u64::MAX;
        word += 1;
    }
    // The bit of `max` and everything to its left: all ones but for what is right of the bit.
    words[last] = !(bit - 1);
    words
}

/// Returns the ids `first..=last`, none if `first` is the larger one.
pub(crate) const fn range(first: u8, last: u8) -> Words {
    if first > last {
        return NONE;
    }
    match first.checked_sub(1) {
        Some(before) => and_not(&up_to(last), &up_to(before)),
        None => up_to(last),
    }
}

pub(crate) const fn is_empty(words: &Words) -> bool {
    words[0] | words[1] | words[2] | words[3] == 0
}

pub(crate) const fn count(words: &Words) -> u32 {
    words[0].count_ones() + words[1].count_ones() + words[2].count_ones() + words[3].count_ones()
}

pub(crate) const fn first(words: &Words) -> Option<u8> {
    let mut word = 0;
    while word < 4 {
        if words[word] != 0 {
            return Some((word as u8) << 6 | words[word].leading_zeros() as u8);
        }
        word += 1;
    }
    None
}

pub(crate) const fn last(words: &Words) -> Option<u8> {
    let mut word = 4;
    while word > 0 {
        word -= 1;
        if words[word] != 0 {
            return Some((word as u8) << 6 | (63 - words[word].trailing_zeros() as u8));
        }
    }
    None
}

pub(crate) const fn and(a: &Words, b: &Words) -> Words {
    [a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]]
}

pub(crate) const fn or(a: &Words, b: &Words) -> Words {
    [a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]]
}

pub(crate) const fn xor(a: &Words, b: &Words) -> Words {
    [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]]
}

pub(crate) const fn and_not(a: &Words, b: &Words) -> Words {
    [a[0] & !b[0], a[1] & !b[1], a[2] & !b[2], a[3] & !b[3]]
}

pub(crate) const fn not(a: &Words) -> Words {
    [!a[0], !a[1], !a[2], !a[3]]
}

pub(crate) const fn intersects(a: &Words, b: &Words) -> bool {
    !is_empty(&and(a, b))
}

pub(crate) const fn is_subset(a: &Words, b: &Words) -> bool {
    is_empty(&and_not(a, b))
}

/// Returns the text form without its `0x`: 64 lower-case hex digits, most significant first.
///
/// A table instead of the formatting machinery: mask attributes are read in tight loops.
pub(crate) const fn hex(words: &Words) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    let mut at = 0;
    while at < 64 {
        let nibble = words[at / 16] >> (60 - 4 * (at % 16)) & 0xf;
        text[at] = DIGITS[nibble as usize];
        at += 1;
    }
    text
}
