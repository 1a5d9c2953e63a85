//! What is counted up to a level, in words.

use std::fmt::Write as _;
use std::time::Duration;

use super::at::At;
use crate::tally::{Kind, Met, Tally};

/// What is known of a level that is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    /// What is counted so far.
    pub tally: Tally,
    /// How many workers wrote it.
    pub workers: usize,
    /// Which pass it is of, not counting the first one.
    pub pass: u32,
    /// What all learned in it; of level 0, what all knew when the search began.
    pub lesson: Vec<u8>,
}

impl Level {
    /// Its number.
    pub(crate) fn number(&self) -> u32 {
        self.tally.levels.len().saturating_sub(1) as u32
    }

    /// Its pass and number.
    pub(crate) fn at(&self) -> At {
        At { pass: self.pass + 1, number: self.number() }
    }

    /// In words, for a file or another process.
    pub(crate) fn to_text(&self) -> String {
        let Level { tally, workers, pass, lesson } = self;
        let levels: Vec<String> = tally.levels.iter().map(u64::to_string).collect();
        let mut text = format!(
            "workers {workers}\nlevels {}\ntransitions {}\nmilliseconds {}\n",
            levels.join(" "),
            tally.transitions,
            tally.time.as_millis()
        );
        let counts = [("ends", tally.ends), ("deepest", tally.deepest), ("pass", u64::from(*pass))];
        for (word, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            writeln!(text, "{word} {count}").expect("a string takes all");
        }
        if !lesson.is_empty() {
            writeln!(text, "lesson {}", to_hex(lesson)).expect("a string takes all");
        }
        for Met { key, kind, count, way, place } in &tally.met {
            let word = WORDS.into_iter().find(|(_, of)| of == kind).map_or("wrong", |(word, _)| word);
            writeln!(text, "{word} {key:016x} {count} {place} {}", to_hex(way)).expect("a string takes all");
        }
        text
    }

    /// What was said by [`Level::to_text`].
    pub(crate) fn parse(text: &str) -> Option<Level> {
        let mut level = Level::default();
        for line in text.lines() {
            let (word, rest) = line.split_once(' ')?;
            let tally = &mut level.tally;
            match word {
                "workers" => level.workers = rest.parse().ok()?,
                "levels" => {
                    tally.levels = rest.split(' ').map(|count| count.parse().ok()).collect::<Option<_>>()?;
                }
                "transitions" => tally.transitions = rest.parse().ok()?,
                "milliseconds" => tally.time = Duration::from_millis(rest.parse().ok()?),
                "ends" => tally.ends = rest.parse().ok()?,
                "deepest" => tally.deepest = rest.parse().ok()?,
                "pass" => level.pass = rest.parse().ok()?,
                "lesson" => level.lesson = from_hex(rest)?,
                _ => {
                    let (_, kind) = WORDS.into_iter().find(|(of, _)| *of == word)?;
                    tally.met.push(met(kind, rest)?);
                }
            }
        }
        level.tally.states = level.tally.levels.iter().sum();
        Some(level).filter(|level| level.workers > 0 && !level.tally.levels.is_empty())
    }
}

/// The words for kinds of things that were met.
const WORDS: [(&str, Kind); 3] = [("wrong", Kind::Wrong), ("known", Kind::Known), ("end", Kind::Ends)];

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty())
}

fn met(kind: Kind, text: &str) -> Option<Met> {
    let mut words = text.split(' ');
    let mut word = || words.next();
    let key = u64::from_str_radix(word()?, 16).ok()?;
    let (count, place) = (word()?.parse().ok()?, word()?.parse().ok()?);
    let way = from_hex(word()?)?;
    Some(Met { key, kind, count, way, place }).filter(|met| !met.way.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_back() {
        let met = |kind, way: &[u8]| Met { key: 7, kind, count: 3, way: way.to_vec(), place: 1 };
        let tally = Tally {
            levels: vec![1, 20, 0],
            states: 21,
            transitions: 99,
            time: Duration::from_millis(1234),
            met: vec![met(Kind::Known, &[0, 255]), met(Kind::Wrong, &[1, 2, 3]), met(Kind::Ends, &[0])],
            cut: None,
            ends: 4,
            deepest: 5,
        };
        let level = Level { tally, workers: 2, pass: 3, lesson: vec![0, 17, 255] };
        assert_eq!(Level::parse(&level.to_text()), Some(level.clone()));
        let plain = Level { pass: 0, lesson: Vec::new(), ..level };
        assert_eq!(Level::parse(&plain.to_text()), Some(plain));
        for text in
            ["", "workers 2\n", "workers 0\nlevels 1\n", "workers 1\nlevels 1\nwrong 7 1 0 0\n", "lesson 0\n"]
        {
            assert_eq!(Level::parse(text), None, "{text}");
        }
    }
}
