//! Ways from the root to a directory, and the relative texts of links between directories.

use crate::node::{Dir, Key, RowId};

/// How deep directories can be: a row's depth is checked where the table is made.
pub(crate) const DEEPEST: usize = 12;

/// The way from `/sys` to a directory: the directories on it, that one included, and their names.
///
/// Of where a link stands only the directories count, and nobody need write their names ([`Path::unnamed`]).
pub(crate) struct Path {
    dirs: [Dir; DEEPEST],
    /// Where in the text each name ends.
    ends: [u16; DEEPEST],
    length: usize,
    /// The names, with slashes between them; `None` if they don't count.
    text: Option<String>,
}

/// Longer than most paths.
const ROOM: usize = 96;

impl Path {
    fn new(text: Option<String>) -> Path {
        Path { dirs: [Dir { row: RowId(0), key: Key::NONE }; DEEPEST], ends: [0; DEEPEST], length: 0, text }
    }

    /// `/sys`, from where names are noted.
    pub(crate) fn named() -> Path {
        Path::new(Some(String::with_capacity(ROOM)))
    }

    /// `/sys`, from where only directories are noted.
    pub(crate) fn unnamed() -> Path {
        Path::new(None)
    }

    /// Goes on into a directory, whose name `name` writes.
    pub(crate) fn enter(&mut self, dir: Dir, name: impl FnOnce(&mut String)) {
        debug_assert!(self.length < DEEPEST, "{dir:?} is too deep");
        let at = self.length.min(DEEPEST - 1);
        if let Some(text) = &mut self.text {
            if !text.is_empty() {
                text.push('/');
            }
            name(text);
            self.ends[at] = text.len() as u16;
        }
        self.dirs[at] = dir;
        self.length = at + 1;
    }

    /// What a link in this directory says that leads to `target`, as sysfs writes it: up to the lowest directory
    /// above both, and down again. The target's own name always stands there, also if the target is above the link.
    /// (Page 5, "Directories".)
    pub(crate) fn link_to(&self, target: &Path) -> String {
        let here = &self.dirs[..self.length];
        let above = &target.dirs[..target.length.saturating_sub(1)];
        let shared = here.iter().zip(above).take_while(|(here, there)| here == there).count();
        let start = match shared {
            0 => 0,
            _ => usize::from(target.ends[shared - 1]) + 1,
        };
        let down = target.text.as_deref().and_then(|text| text.get(start..)).unwrap_or_default();
        let up = self.length - shared;
        let mut text = String::with_capacity(3 * up + down.len());
        (0..up).for_each(|_| text.push_str("../"));
        text.push_str(down);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path in which a directory is known by its name's letters.
    fn path(mut from: Path, text: &str) -> Path {
        for name in text.split('/') {
            let number = name.bytes().fold(7, |sum: u64, byte| sum * 31 % 1000 + u64::from(byte));
            from.enter(Dir { row: RowId(1), key: Key(number) }, |text| text.push_str(name));
        }
        from
    }

    #[test]
    fn links_are_relative_and_name_their_target() {
        for (dir, target, text) in [
            ("devices/ap/card04", "bus/ap", "../../../bus/ap"),
            ("a/b/type/devices", "a/b/dev", "../../dev"),
            ("a/b/dev", "a/b/types/t", "../types/t"),
            ("a/b/dev/sub/vfio0", "a/b/dev", "../../../dev"),
            ("a", "a", "../a"),
            ("a/b", "ab/c", "../../ab/c"),
        ] {
            let here = path(Path::unnamed(), dir);
            assert_eq!(here.link_to(&path(Path::named(), target)), text, "{dir} to {target}");
        }
    }
}
