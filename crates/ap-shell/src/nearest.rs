//! The known name that is nearest to an unknown one.

/// The name out of `names` that is nearest to `name`, if it is near enough to have been meant.
pub(crate) fn nearest(name: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let length = name.chars().count();
    if length > 32 {
        return None;
    }
    names
        .map(|known| (distance(name, known), known))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, known)| distance <= 1 + length / 3 && distance < known.len())
        .map(|(_, known)| known)
}

/// How many characters must be inserted, removed, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_proposed_only_when_it_is_near() {
        let names = || ["cat", "echo", "readlink", "["].into_iter();
        assert_eq!(nearest("ehco", names()), Some("echo"));
        assert_eq!(nearest("catt", names()), Some("cat"));
        assert_eq!(nearest("redlnk", names()), Some("readlink"));
        assert_eq!(nearest("x", names()), None);
        assert_eq!(nearest("mdevctl", names()), None);
    }
}
