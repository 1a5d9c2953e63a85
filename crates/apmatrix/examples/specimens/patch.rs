//! Unified diffs: as much of them as the specimens' patches use.

use std::collections::BTreeMap;

/// A patch: hunks by the path that they are for.
#[derive(Debug, Default)]
pub struct Patch {
    files: BTreeMap<String, Vec<Hunk>>,
}

#[derive(Debug, Default)]
struct Hunk {
    old: Vec<String>,
    new: Vec<String>,
}

impl Patch {
    /// Reads a patch; whatever comes before the first file is a comment.
    pub fn parse(text: &str) -> Patch {
        let mut patch = Patch::default();
        let mut file = None;
        for line in text.lines() {
            if let Some(path) = line.strip_prefix("+++ b/") {
                file = Some(path.split_whitespace().next().unwrap_or(path).to_owned());
                continue;
            }
            let Some(path) = &file else { continue };
            if line.starts_with("--- ") {
                continue;
            }
            let hunks = patch.files.entry(path.clone()).or_default();
            if line.starts_with("@@") {
                hunks.push(Hunk::default());
                continue;
            }
            let Some(hunk) = hunks.last_mut() else { continue };
            let (sign, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
            match sign {
                "-" => hunk.old.push(rest.to_owned()),
                "+" => hunk.new.push(rest.to_owned()),
                _ => {
                    hunk.old.push(rest.to_owned());
                    hunk.new.push(rest.to_owned());
                }
            }
        }
        patch
    }

    /// The paths that it changes.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// What it makes of a file; `None` if it does not apply. Each hunk must be found exactly once after the one
    /// before, wherever it is now.
    pub fn apply(&self, path: &str, text: &str) -> Option<String> {
        let mut lines: Vec<&str> = text.lines().collect();
        let mut from = 0;
        for hunk in self.files.get(path)? {
            let length = hunk.old.len();
            let is_at = |at: &usize| lines[*at..*at + length].iter().zip(&hunk.old).all(|(a, b)| a == b);
            let last = lines.len().checked_sub(length)?;
            let mut places = (from..=last).filter(is_at);
            let (Some(at), None) = (places.next(), places.next()) else { return None };
            drop(places);
            lines.splice(at..at + length, hunk.new.iter().map(String::as_str));
            from = at + hunk.new.len();
        }
        let mut result = lines.join("\n");
        result.push('\n');
        Some(result)
    }
}
