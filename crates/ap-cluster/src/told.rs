//! What workers tell each other after a level, as it travels. This module knows nothing of who tells whom.

use crate::borders::Sample;
use crate::tally::{Kind, Met, Share};

/// A worker's counts, a sample of the new states' ways, and what it learned.
pub(crate) type Told = (Counts, Sample, Vec<u8>);

/// A worker's counts: transitions, states, ends and the deepest; the way of what did not end, whether it was late, and what
/// was met.
pub(crate) type Counts = ((u64, u64, u64, u64), Option<Vec<u8>>, bool, Vec<(u64, u8, u64, Vec<u8>, u32)>);

/// Kinds of things that are met, by the numbers that travel.
const KINDS: [Kind; 3] = [Kind::Wrong, Kind::Known, Kind::Ends];

/// A share as it travels.
pub(crate) fn counts(share: &Share) -> Counts {
    let number = |kind: Kind| (0..).zip(KINDS).find(|(_, of)| *of == kind).map_or(0, |(number, _)| number);
    let met = share.met().into_iter();
    let met = met.map(|met| (met.key, number(met.kind), met.count, met.way.clone(), met.place)).collect();
    let sums = (share.transitions, share.states, share.ends, share.deepest);
    (sums, share.stuck.clone(), share.late, met)
}

/// The share that travelled.
pub(crate) fn share((sums, stuck, late, met): Counts) -> Share {
    let kind = |number: u8| KINDS.get(usize::from(number)).copied().unwrap_or(Kind::Wrong);
    let met = met.into_iter();
    let met = met.map(|(key, number, count, way, place)| Met { key, kind: kind(number), count, way, place });
    let mut share = Share::default();
    (share.stuck, share.late) = (stuck, late);
    (share.transitions, share.states, share.ends, share.deepest) = sums;
    share.with(met)
}

/// Lessons as one text: each after its length; nothing if there is nothing in them.
pub(crate) fn pack(lessons: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    for lesson in lessons.iter().filter(|lesson| !lesson.is_empty()) {
        text.extend((lesson.len() as u64).to_le_bytes());
        text.extend(lesson);
    }
    text
}

/// The lessons of a text.
pub(crate) fn unpack(mut text: &[u8]) -> Vec<Vec<u8>> {
    let mut lessons = Vec::new();
    while let Some((length, rest)) = text.split_first_chunk() {
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (lesson, rest) = rest.split_at(length.min(rest.len()));
        lessons.push(lesson.to_vec());
        text = rest;
    }
    lessons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_travels_arrives() {
        let met = |kind, key| Met { key, kind, count: 2, way: vec![0, 1], place: key as u32 };
        let all = [met(Kind::Wrong, 1), met(Kind::Known, 2), met(Kind::Ends, 3)];
        let mut one = Share::default().with(all);
        (one.transitions, one.ends, one.deepest, one.late) = (4, 5, 6, true);
        assert_eq!(format!("{:?}", counts(&share(counts(&one)))), format!("{:?}", counts(&one)));
        let lessons = [vec![1, 2], Vec::new(), vec![3]];
        assert_eq!(unpack(&pack(&lessons)), [vec![1, 2], vec![3]]);
        assert!(pack(&[Vec::new()]).is_empty());
    }
}
