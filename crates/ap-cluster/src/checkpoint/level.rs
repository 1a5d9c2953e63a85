//! What is counted up to a level, in words.

use std::fmt::Write as _;
use std::time::Duration;

use ap_proof::sequences::{Tally, Wrong};

/// What is known of a level that is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    /// What is counted so far.
    pub tally: Tally,
    /// How many workers wrote it.
    pub workers: usize,
}

impl Level {
    /// Its number.
    pub(crate) fn number(&self) -> u32 {
        self.tally.levels.len().saturating_sub(1) as u32
    }

    /// In words, for a file or another process.
    pub(crate) fn to_text(&self) -> String {
        let Level { tally, workers } = self;
        let levels: Vec<String> = tally.levels.iter().map(u64::to_string).collect();
        let mut text = format!(
            "workers {workers}\nlevels {}\ntransitions {}\nmilliseconds {}\n",
            levels.join(" "),
            tally.transitions,
            tally.time.as_millis()
        );
        for Wrong { key, known, count, way, place } in &tally.wrong {
            let known = if *known { "known" } else { "wrong" };
            let way: String = way.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "{known} {key:016x} {count} {place} {way}").expect("a string takes all");
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
                "known" | "wrong" => tally.wrong.push(wrong(word == "known", rest)?),
                _ => return None,
            }
        }
        level.tally.states = level.tally.levels.iter().sum();
        Some(level).filter(|level| level.workers > 0 && !level.tally.levels.is_empty())
    }
}

fn wrong(known: bool, text: &str) -> Option<Wrong> {
    let mut words = text.split(' ');
    let mut word = || words.next();
    let key = u64::from_str_radix(word()?, 16).ok()?;
    let (count, place) = (word()?.parse().ok()?, word()?.parse().ok()?);
    let (pairs, rest) = word()?.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let way = pairs.iter().map(byte).collect::<Option<Vec<u8>>>()?;
    Some(Wrong { key, known, count, way, place }).filter(|wrong| rest.is_empty() && wrong.way.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_back() {
        let wrong = |known, way: &[u8]| Wrong { key: 7, known, count: 3, way: way.to_vec(), place: 1 };
        let tally = Tally {
            levels: vec![1, 20, 0],
            states: 21,
            transitions: 99,
            time: Duration::from_millis(1234),
            wrong: vec![wrong(true, &[0, 255]), wrong(false, &[1, 2, 3])],
            cut: None,
        };
        let level = Level { tally, workers: 2 };
        assert_eq!(Level::parse(&level.to_text()), Some(level));
        for text in ["", "workers 2\n", "workers 0\nlevels 1\n", "workers 1\nlevels 1\nwrong 7 1 0 0\n"] {
            assert_eq!(Level::parse(text), None, "{text}");
        }
    }
}
