//! Unified diffs: as much of them as the specimens' patches use.

use std::collections::BTreeMap;
use std::fmt::Write;

/// How many lines of context a patch has around what it changes, and how many of them a hunk may have lost.
const CONTEXT: usize = 3;

/// A patch: hunks by the path that they are for.
#[derive(Debug, Default)]
pub struct Patch {
    comment: String,
    files: BTreeMap<String, Vec<Hunk>>,
}

/// Lines with what becomes of them: ` `, `-` or `+`.
#[derive(Debug, Default)]
struct Hunk(Vec<(char, String)>);

/// So many lines from there on are replaced by others.
struct Edit {
    at: usize,
    removed: usize,
    added: Vec<String>,
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
            if line.starts_with("--- ") {
                continue;
            }
            let Some(path) = &file else {
                patch.comment.push_str(line);
                patch.comment.push('\n');
                continue;
            };
            let hunks = patch.files.entry(path.clone()).or_default();
            if line.starts_with("@@") {
                hunks.push(Hunk::default());
                continue;
            }
            let Some(hunk) = hunks.last_mut() else { continue };
            let mut rest = line.chars();
            let sign = rest.next().unwrap_or(' ');
            hunk.0.push((sign, rest.as_str().to_owned()));
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
        let lines: Vec<&str> = text.lines().collect();
        Some(applied(&lines, &self.edits(path, &lines, 0)?))
    }

    /// The patch anew, with the line numbers and the context that the file has now; the hunks may have lost lines at
    /// the ends of their contexts. `None` if they are not found, or not for sure.
    pub fn refreshed(&self, read: impl Fn(&str) -> String) -> Option<String> {
        let mut patch = self.comment.clone();
        for path in self.paths() {
            let text = read(path);
            let lines: Vec<&str> = text.lines().collect();
            let edits = self.edits(path, &lines, CONTEXT)?;
            let wanted = applied(&lines, &edits);
            let certain = |diff: &String| Patch::parse(diff).apply(path, &text).as_ref() == Some(&wanted);
            let mut diffs = (CONTEXT..=4 * CONTEXT).map(|context| diff(path, &lines, &edits, context));
            patch.push_str(&diffs.find(certain)?);
        }
        Some(patch)
    }

    /// What it changes in a file, if every hunk is found there with at most `fuzz` lines less of context at an end.
    fn edits(&self, path: &str, lines: &[&str], fuzz: usize) -> Option<Vec<Edit>> {
        let mut edits = Vec::new();
        let mut from = 0;
        for hunk in self.files.get(path)? {
            let (kept, at) = (0..=fuzz).find_map(|fuzz| {
                let kept = hunk.without(fuzz);
                place(kept, lines, from).map(|at| (kept, at))
            })?;
            from = at;
            let mut edit: Option<Edit> = None;
            for (sign, text) in kept {
                if *sign == ' ' {
                    edits.extend(edit.take());
                    from += 1;
                    continue;
                }
                let edit = edit.get_or_insert_with(|| Edit { at: from, removed: 0, added: Vec::new() });
                if *sign == '-' {
                    edit.removed += 1;
                    from += 1;
                } else {
                    edit.added.push(text.clone());
                }
            }
            edits.extend(edit);
        }
        Some(edits)
    }
}

impl Hunk {
    /// Its lines without so many of context at each end, as far as there are any.
    fn without(&self, fuzz: usize) -> &[(char, String)] {
        let context = |line: &&(char, String)| line.0 == ' ';
        let before = self.0.iter().take(fuzz).take_while(context).count();
        let after = self.0[before..].iter().rev().take(fuzz).take_while(context).count();
        &self.0[before..self.0.len() - after]
    }
}

/// The only place of a hunk's old lines from `from` on.
fn place(hunk: &[(char, String)], lines: &[&str], from: usize) -> Option<usize> {
    let old: Vec<&str> =
        hunk.iter().filter(|(sign, _)| *sign != '+').map(|(_, text)| text.as_str()).collect();
    let last = lines.len().checked_sub(old.len())?;
    let mut places = (from..=last).filter(|at| lines[*at..*at + old.len()] == old);
    let only = places.next()?;
    places.next().is_none().then_some(only)
}

fn applied(lines: &[&str], edits: &[Edit]) -> String {
    let (mut text, mut from) = (String::new(), 0);
    let mut push = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    for edit in edits {
        lines[from..edit.at].iter().for_each(|line| push(line));
        edit.added.iter().for_each(|line| push(line));
        from = edit.at + edit.removed;
    }
    lines[from..].iter().for_each(|line| push(line));
    text
}

/// The edits as a unified diff.
fn diff(path: &str, lines: &[&str], edits: &[Edit], context: usize) -> String {
    let mut text = format!("--- a/{path}\n+++ b/{path}\n");
    let mut push = |sign: char, line: &str| {
        // An empty line of context stays empty, so that no line ends in a space.
        let _ = if sign == ' ' && line.is_empty() { writeln!(text) } else { writeln!(text, "{sign}{line}") };
    };
    let (mut more, mut less) = (0, 0);
    let close = |a: &Edit, b: &Edit| b.at - (a.at + a.removed) <= 2 * context;
    for group in edits.chunk_by(close) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let start = first.at.saturating_sub(context);
        let end = (last.at + last.removed + context).min(lines.len());
        let (removed, added) = group.iter().fold((0, 0), |(r, a), e| (r + e.removed, a + e.added.len()));
        let (old, new) = (end - start, end - start + added - removed);
        push('@', &format!("@ -{},{old} +{},{new} @@", start + 1, start + 1 + more - less));
        let mut from = start;
        for edit in group {
            lines[from..edit.at].iter().for_each(|line| push(' ', line));
            from = edit.at + edit.removed;
            lines[edit.at..from].iter().for_each(|line| push('-', line));
            edit.added.iter().for_each(|line| push('+', line));
        }
        lines[from..end].iter().for_each(|line| push(' ', line));
        (more, less) = (more + added, less + removed);
    }
    text
}
