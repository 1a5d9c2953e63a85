//! Patterns over the tree's names, and the World's calls with relative paths.

use ap_sysfs::{Entry, Errno};

use crate::expand::{Field, MAX_FIELDS};
use crate::run::{Flow, Interp};
use crate::world::{Failure, Written};

/// The longest path that is looked up.
const MAX_PATH: usize = 4096;

impl Interp<'_> {
    /// The paths that a pattern matches; `None` if it is none or nothing matches.
    pub fn matching(&mut self, field: &Field) -> Result<Option<Vec<String>>, Flow> {
        if field.wild.is_empty() || field.text.len() > MAX_PATH {
            return Ok(None);
        }
        let mut found = vec![String::new()];
        let (mut at, mut listed) = (0, false);
        let mut check = false;
        for (i, part) in field.text.split('/').enumerate() {
            let slash = if i > 0 { "/" } else { "" };
            let wild: Vec<usize> =
                field.wild.iter().filter(|&&w| w >= at && w < at + part.len()).map(|w| w - at).collect();
            at += part.len() + 1;
            if wild.is_empty() {
                found.iter_mut().for_each(|path| *path += &format!("{slash}{part}"));
                check = listed;
                continue;
            }
            let mut more = Vec::new();
            for path in found {
                let directory = format!("{path}{slash}");
                let entries = self.list_directory(if directory.is_empty() { "." } else { &directory });
                let entries = entries.unwrap_or_default();
                self.charge(1 + entries.len() as u64)?;
                let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
                names.retain(|name| {
                    (part.starts_with('.') || !name.starts_with('.')) && fits(part, &wild, name)
                });
                names.sort_unstable();
                more.extend(names.iter().map(|name| format!("{directory}{name}")));
                if more.len() > MAX_FIELDS {
                    return Err(self.abort("a pattern matches too many paths"));
                }
            }
            (found, listed, check) = (more, true, false);
        }
        if check {
            found.retain(|path| self.stat(path, false).is_ok());
        }
        Ok(if found.is_empty() { None } else { Some(found) })
    }

    /// Makes a path absolute.
    pub fn absolute(&self, path: &str) -> Result<String, Errno> {
        let full = match path.chars().next() {
            None => return Err(Errno::ENOENT),
            Some('/') => path.to_owned(),
            Some(_) => format!("{}/{path}", self.state.env.cwd.trim_end_matches('/')),
        };
        if full.len() > MAX_PATH { Err(Errno::ENAMETOOLONG) } else { Ok(full) }
    }

    pub fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        self.world.read(&self.absolute(path)?)
    }

    pub fn write(&mut self, path: &str, data: &[u8]) -> Written {
        match self.absolute(path) {
            Ok(path) => self.world.write(&path, data),
            Err(errno) => Written::Done(Err(Failure::open(errno))),
        }
    }

    pub fn list_directory(&mut self, path: &str) -> Result<Vec<Entry>, Errno> {
        self.world.list(&self.absolute(path)?)
    }

    pub fn stat(&mut self, path: &str, follow: bool) -> Result<Entry, Errno> {
        self.world.stat(&self.absolute(path)?, follow)
    }

    pub fn readlink(&mut self, path: &str) -> Result<String, Errno> {
        self.world.readlink(&self.absolute(path)?)
    }
}

/// Whether `name` fits `pattern`, whose characters at the offsets `wild` are patterns.
fn fits(pattern: &str, wild: &[usize], name: &str) -> bool {
    let pattern: Vec<(char, bool)> =
        pattern.char_indices().map(|(at, c)| (c, wild.binary_search(&at).is_ok())).collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where the last star was, and up to where it took the name.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(('*', true)) => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(&(c, is_wild)) if is_wild || c == name[n] => {
                p += 1;
                n += 1;
                continue;
            }
            _ => {}
        }
        let Some((at, taken)) = star else { return false };
        star = Some((at, taken + 1));
        (p, n) = (at + 1, taken + 1);
    }
    pattern[p..].iter().all(|&last| last == ('*', true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pattern: &str, name: &str) -> bool {
        let wild: Vec<usize> = pattern.match_indices(['*', '?']).map(|(at, _)| at).collect();
        fits(pattern, &wild, name)
    }

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        assert!(all("card*", "card00"));
        assert!(all("??.00*6", "04.0006"));
        assert!(all("*", "x"));
        assert!(all("*a*b*", "xxaybz"));
        assert!(all("é?", "éa"));
        assert!(!all("card?", "card00"));
        assert!(!all("*a*b", "xxaybz"));
        assert!(!all("?", ""));
    }

    #[test]
    fn quoted_stars_are_themselves() {
        assert!(fits("a*", &[], "a*"));
        assert!(!fits("a*", &[], "ab"));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        assert!(!all(&"*a".repeat(200), &"a".repeat(199)));
    }
}
