//! The files `modules.*.bin` in which kmod looks names up: a tree of characters, big-endian.
//!
//! ```text
//! file:  magic, version, offset of the root (words), nodes
//! node:  [text of the characters that all below have in common, NUL]
//!        [first and last character (bytes), an offset for each between (words)]
//!        [number of values (word), and for each its priority (word), its text, NUL]
//! ```
//! An offset's highest bits say which of the three a node has.

use std::collections::BTreeMap;

const MAGIC: u32 = 0xb007_f457;
const VERSION: u32 = 0x0002_0001;
const PREFIX: u32 = 1 << 31;
const VALUES: u32 = 1 << 30;
const CHILDREN: u32 = 1 << 29;
const OFFSET: u32 = (1 << 28) - 1;
/// The deepest tree that is read.
const DEPTH: usize = 256;

/// Names and what is known of each: a priority, the lowest first, and a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// They.
    pub entries: BTreeMap<Vec<u8>, Vec<(u32, Vec<u8>)>>,
}

impl Index {
    /// Adds what is known of a name.
    pub fn add(&mut self, name: &str, priority: u32, text: &str) {
        let known = self.entries.entry(name.as_bytes().to_vec()).or_default();
        known.push((priority, text.as_bytes().to_vec()));
        known.sort();
    }

    /// Reads a file; nothing, if it is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Index {
        let mut index = Index::default();
        if word(bytes, 0) == Some(MAGIC) && word(bytes, 4).is_some_and(|v| v >> 16 == VERSION >> 16) {
            let root = word(bytes, 8).unwrap_or_default();
            let _ = index.read(bytes, root, &mut Vec::new(), DEPTH);
        }
        index
    }

    fn read(&mut self, bytes: &[u8], node: u32, name: &mut Vec<u8>, depth: usize) -> Option<()> {
        let mut at = (node & OFFSET) as usize;
        let length = name.len();
        if node & PREFIX != 0 {
            let prefix = text(bytes, &mut at)?;
            name.extend_from_slice(prefix);
        }
        let mut children = Vec::new();
        if node & CHILDREN != 0 {
            let (first, last) = (*bytes.get(at)?, *bytes.get(at + 1)?);
            at += 2;
            for character in first..=last {
                children.push((character, word(bytes, at)?));
                at += 4;
            }
        }
        if node & VALUES != 0 {
            let count = word(bytes, at)?;
            at += 4;
            for _ in 0..count {
                let priority = word(bytes, at)?;
                at += 4;
                let value = text(bytes, &mut at)?.to_vec();
                self.entries.entry(name.clone()).or_default().push((priority, value));
            }
        }
        for (character, child) in children {
            if child & (PREFIX | VALUES | CHILDREN) != 0 && depth > 0 {
                name.push(character);
                self.read(bytes, child, name, depth - 1);
                name.pop();
            }
        }
        name.truncate(length);
        Some(())
    }

    /// The file.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = [MAGIC, VERSION, 0].map(u32::to_be_bytes).concat();
        let entries: Vec<Entry<'_>> = self.entries.iter().map(|(name, known)| (&name[..], known)).collect();
        let root = write_node(&entries, 0, &mut bytes);
        bytes[8..12].copy_from_slice(&root.to_be_bytes());
        bytes
    }
}

type Entry<'a> = (&'a [u8], &'a Vec<(u32, Vec<u8>)>);

/// Writes the node of those entries, ascending, whose names have `from` characters in common that stand above it.
fn write_node(entries: &[Entry<'_>], from: usize, bytes: &mut Vec<u8>) -> u32 {
    let (Some((first, _)), Some((last, _))) = (entries.first(), entries.last()) else {
        return write_parts(&[], &[], &[], bytes);
    };
    let common = first[from..].iter().zip(&last[from..]).take_while(|(one, other)| one == other).count();
    let prefix = &first[from..from + common];
    let here = from + common;
    let (values, rest): (&[(u32, Vec<u8>)], _) =
        if first.len() == here { (entries[0].1, &entries[1..]) } else { (&[], entries) };
    let mut children = Vec::new();
    for group in rest.chunk_by(|one, other| one.0[here] == other.0[here]) {
        children.push((group[0].0[here], write_node(group, here + 1, bytes)));
    }
    write_parts(prefix, &children, values, bytes)
}

fn write_parts(prefix: &[u8], children: &[(u8, u32)], values: &[(u32, Vec<u8>)], bytes: &mut Vec<u8>) -> u32 {
    let mut node = bytes.len() as u32 & OFFSET;
    if !prefix.is_empty() {
        node |= PREFIX;
        bytes.extend_from_slice(prefix);
        bytes.push(0);
    }
    if let (Some((first, _)), Some((last, _))) = (children.first(), children.last()) {
        node |= CHILDREN;
        bytes.extend([*first, *last]);
        for character in *first..=*last {
            let child = children.iter().find(|(known, _)| *known == character);
            bytes.extend(child.map_or(0, |(_, offset)| *offset).to_be_bytes());
        }
    }
    if !values.is_empty() {
        node |= VALUES;
        bytes.extend((values.len() as u32).to_be_bytes());
        for (priority, text) in values {
            bytes.extend(priority.to_be_bytes());
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
    }
    node
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
}

fn text<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = bytes.get(*at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    *at += end + 1;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut index = Index::default();
        for (name, text) in
            [("ap", "a.ko:"), ("apm", "b.ko: a.ko"), ("vfio_ap", "v.ko:"), ("zcrypt", "z"), ("ap:t0*", "x")]
        {
            index.add(name, 3, text);
        }
        index.add("ap", 1, "first");
        assert_eq!(Index::parse(&index.write()), index);
        assert_eq!(index.entries[&b"ap"[..]][0].0, 1);
        assert_eq!(Index::parse(&Index::default().write()), Index::default());
    }

    #[test]
    fn a_file_byte_for_byte() {
        let mut index = Index::default();
        index.add("ab", 0, "x");
        let expected = [
            &[0xb0, 0x07, 0xf4, 0x57, 0, 2, 0, 1, 0xc0, 0, 0, 12][..],
            b"ab\0",
            &[0, 0, 0, 1, 0, 0, 0, 0],
            b"x\0",
        ];
        assert_eq!(index.write(), expected.concat());
    }

    #[test]
    fn rubbish_is_no_index() {
        let mut index = Index::default();
        index.add("vfio_ap", 0, "x");
        index.add("vfio", 0, "y");
        let file = index.write();
        for length in 0..file.len() {
            let _ = Index::parse(&file[..length]);
        }
        for at in 0..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 0xff;
            let _ = Index::parse(&broken);
        }
    }
}
