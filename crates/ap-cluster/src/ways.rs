//! Ways of one level: as many bytes each, one after the other in memory.
//!
//! This module knows nothing of what the bytes mean.

/// Equally long ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ways {
    length: usize,
    bytes: Vec<u8>,
}

impl Default for Ways {
    fn default() -> Ways {
        Ways::of_length(1)
    }
}

impl Ways {
    /// None yet, of that length, which is not 0.
    pub(crate) fn of_length(length: usize) -> Ways {
        Ways { length: length.max(1), bytes: Vec::new() }
    }

    /// Those, of that length.
    pub(crate) fn from_bytes(length: usize, bytes: Vec<u8>) -> Ways {
        let mut ways = Ways { bytes, ..Ways::of_length(length) };
        ways.bytes.truncate(ways.len() * ways.length);
        ways
    }

    /// How long each is.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// All of them, one after the other.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.length
    }

    /// The one of that number.
    pub(crate) fn get(&self, number: usize) -> &[u8] {
        &self.bytes[number * self.length..][..self.length]
    }

    /// The one of that number, to be written over.
    pub(crate) fn get_mut(&mut self, number: usize) -> &mut [u8] {
        &mut self.bytes[number * self.length..][..self.length]
    }

    /// Adds one.
    pub(crate) fn push(&mut self, way: &[u8]) {
        debug_assert_eq!(way.len(), self.length);
        self.bytes.extend_from_slice(way);
    }

    /// Adds several.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        debug_assert_eq!(bytes.len() % self.length, 0);
        self.bytes.extend_from_slice(bytes);
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.length)
    }

    /// Puts them in ascending order.
    pub(crate) fn sort(&mut self) {
        let mut order: Vec<&[u8]> = self.iter().collect();
        order.sort_unstable();
        self.bytes = order.concat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_sorted_whole() {
        let mut ways = Ways::of_length(3);
        for way in [b"bba", b"abc", b"bab", b"abb"] {
            ways.push(way);
        }
        ways.sort();
        assert_eq!(ways.bytes(), b"abbabcbabbba");
        assert_eq!((ways.len(), ways.get(2)), (4, b"bab".as_slice()));
    }
}
