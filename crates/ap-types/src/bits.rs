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

/// Says whether there is at most one id; cheaper than counting where there is no instruction for that.
pub(crate) const fn at_most_one(words: &Words) -> bool {
    let (mut word, mut seen) = (0, false);
    while word < 4 {
        let bits = words[word];
        if bits != 0 {
            if seen || bits & (bits - 1) != 0 {
                return false;
            }
            seen = true;
        }
        word += 1;
    }
    true
}

/// Calls a function with each id, in no promised order, until it says true; says whether it did.
///
/// Questions to dense sets take at most a quarter of the time that they take with an iterator: that looks
/// for the word of the next id at each step, and from the left, where taking a bit away takes longer than
/// from the right.
#[inline]
pub(crate) fn any(words: &Words, mut found: impl FnMut(u8) -> bool) -> bool {
    for (at, &word) in words.iter().enumerate() {
        let mut left = word;
        while left != 0 {
            let id = 63 - left.trailing_zeros();
            left &= left - 1;
            if found((at as u8) << 6 | id as u8) {
                return true;
            }
        }
    }
    false
}

/// Returns those ids for which a function, called in no promised order, says true.
#[inline]
pub(crate) fn filter(words: &Words, mut keep: impl FnMut(u8) -> bool) -> Words {
    let mut kept = NONE;
    for (at, &word) in words.iter().enumerate() {
        let (mut left, mut bits) = (word, 0);
        while left != 0 {
            let id = 63 - left.trailing_zeros();
            let rest = left & (left - 1);
            // Without a branch: what is kept is hard to predict.
            bits |= (left ^ rest) * u64::from(keep((at as u8) << 6 | id as u8));
            left = rest;
        }
        kept[at] = bits;
    }
    kept
}

/// The length of the text form.
pub(crate) const TEXT_LEN: usize = 66;

/// Returns the text form: `0x` and 64 lower-case hex digits, most significant first.
///
/// Without the formatting machinery: mask attributes are read in tight loops.
pub(crate) fn text(words: &Words) -> [u8; TEXT_LEN] {
    let mut text = [b'0'; TEXT_LEN];
    text[1] = b'x';
    for (digits, word) in text[2..].chunks_exact_mut(16).zip(words) {
        digits[..8].copy_from_slice(&hex((word >> 32) as u32));
        digits[8..].copy_from_slice(&hex(*word as u32));
    }
    text
}

/// Returns the eight hex digits of half a word, all computed at once, a byte each.
const fn hex(half: u32) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut nibbles = half as u64;
    nibbles = (nibbles << 16 | nibbles) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles << 8 | nibbles) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles << 4 | nibbles) & (EACH * 0xf);
    // 1 in each byte whose nibble is 10 or more; letters are 39 further on than digits.
    let letters = (nibbles + EACH * 6) >> 4 & EACH;
    (nibbles + EACH * b'0' as u64 + letters * (b'a' - b'0' - 10) as u64).to_be_bytes()
}
