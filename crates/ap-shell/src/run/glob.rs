//! Patterns over the tree's names.
//!
//! It knows a text and where its patterns are, and not what it was expanded from.

use super::context::{Context, Flow, MAX_FIELDS, MAX_PATH};

/// A text, and where in it there are patterns.
#[derive(Default)]
pub(super) struct Field {
    pub text: String,
    /// Byte offsets of `*` and `?` that stand for other characters.
    pub wild: Vec<usize>,
}

/// The paths that a pattern matches; `None` if it is none or nothing matches.
pub(super) fn matching(context: &mut Context<'_>, field: &Field) -> Result<Option<Vec<String>>, Flow> {
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
            let entries = context.list_directory(if directory.is_empty() { "." } else { &directory });
            let entries = entries.unwrap_or_default();
            context.charge(1 + entries.len() as u64)?;
            let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
            names.retain(|name| (part.starts_with('.') || !name.starts_with('.')) && fits(part, &wild, name));
            names.sort_unstable();
            more.extend(names.iter().map(|name| format!("{directory}{name}")));
            if more.len() > MAX_FIELDS {
                return Err(context.abort("a pattern matches too many paths"));
            }
        }
        (found, listed, check) = (more, true, false);
    }
    if check {
        found.retain(|path| context.stat(path, false).is_ok());
    }
    Ok(if found.is_empty() { None } else { Some(found) })
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
