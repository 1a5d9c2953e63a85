//! What a search is, in words: two of them are one search only if all of these are equal.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use crate::space::Space;

/// Facts, each with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity(Vec<(String, String)>);

impl Identity {
    /// Of a space as this program explores it. Its fingerprints are those of this build on this kind
    /// of machine: another build may tell other states apart, and other machines order bytes in other ways.
    pub(crate) fn of(space: &impl Space) -> io::Result<Identity> {
        let order = if cfg!(target_endian = "big") { "big" } else { "little" };
        let machine = format!("{} {order}-endian {}-bit", std::env::consts::ARCH, usize::BITS);
        let mut facts = space.facts();
        facts.extend([("build", build()?), ("machine", machine)]);
        Ok(Identity(facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
    }

    /// The same with one more fact.
    pub(crate) fn with(mut self, name: &str, value: impl fmt::Display) -> Identity {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// What was said by [`fmt::Display`].
    pub(crate) fn parse(text: &str) -> Option<Identity> {
        let fact = |line: &str| line.split_once(' ').map(|(name, value)| (name.to_owned(), value.to_owned()));
        text.lines().map(fact).collect::<Option<_>>().map(Identity)
    }

    /// The first fact that is another one there: its name, what it is here, and what it is there.
    pub(crate) fn difference(&self, there: &Identity) -> Option<(String, String, String)> {
        let value = |of: &Identity, name: &str| {
            let fact = of.0.iter().find(|(known, _)| known == name);
            fact.map_or_else(|| "nothing".to_owned(), |(_, value)| value.clone())
        };
        let names = self.0.iter().chain(&there.0).map(|(name, _)| name);
        names
            .map(|name| (name.clone(), value(self, name), value(there, name)))
            .find(|(_, here, there)| here != there)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "{name} {value}"))
    }
}

/// The length and checksum of the program that runs.
fn build() -> io::Result<String> {
    let mut program = File::open("/proc/self/exe").or_else(|_| File::open(std::env::current_exe()?))?;
    let (mut sum, mut length, mut buffer) = (crc32fast::Hasher::new(), 0, vec![0; 1 << 16]);
    loop {
        match program.read(&mut buffer)? {
            0 => return Ok(format!("{length}-{:08x}", sum.finalize())),
            read => {
                sum.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named() {
        let alphabet = ap_proof::sequences::alphabet("core").expect("it is there");
        let one = Identity::of(&alphabet).expect("the program can be read");
        assert_eq!(Identity::parse(&one.to_string()), Some(one.clone()));
        assert_eq!(one.difference(&one), None);
        let (two, three) = (one.clone().with("workers", 2), one.clone().with("workers", 3));
        let told = ("workers".to_owned(), "2".to_owned(), "3".to_owned());
        assert_eq!(two.difference(&three), Some(told));
        let told = ("workers".to_owned(), "nothing".to_owned(), "3".to_owned());
        assert_eq!(one.difference(&three), Some(told));
    }
}
