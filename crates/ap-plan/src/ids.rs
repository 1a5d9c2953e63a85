//! Ids as ranges: in texts for the kernel, and for people.

/// Ascending ids as ranges.
pub(crate) fn ranges(ids: impl Iterator<Item = u8>) -> Vec<(u8, u8)> {
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for id in ids {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => ranges.push((id, id)),
        }
    }
    ranges
}

/// Ids for people: `4, 6-8`.
pub(crate) fn ids(ids: impl Iterator<Item = u8>) -> String {
    let one = |(first, last): (u8, u8)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges(ids).into_iter().map(one).collect::<Vec<_>>().join(", ")
}
