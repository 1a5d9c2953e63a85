//! Options as getopt_long(3) takes them: bundled, abbreviated to nothing, values joined or apart.

use std::ffi::OsString;

/// An option: its letter (a NUL: none), its long name, whether a value follows.
pub type Known = (char, &'static str, bool);

/// What was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Options by the letters, or by the first letters of those that have none, and their values.
    pub options: Vec<(&'static str, Option<String>)>,
    /// The rest.
    pub words: Vec<String>,
}

impl Given {
    /// Whether an option was given, by its long name.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(known, _)| *known == name)
    }

    /// The value that was given last with an option.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut given = self.options.iter().rev().filter(|(known, _)| *known == name);
        given.next().and_then(|(_, value)| value.as_deref())
    }
}

/// Arguments as text.
pub fn text(words: &[OsString]) -> Vec<String> {
    words.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Takes arguments apart. With `first_word_ends` what follows the first word is no option.
///
/// # Errors
/// What is wrong with them, as getopt_long(3) says it.
pub fn parse(arguments: &[String], known: &[Known], first_word_ends: bool) -> Result<Given, String> {
    let mut given = Given::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            given.words.extend(rest.by_ref().cloned());
        } else if let Some(long) = argument.strip_prefix("--") {
            let (name, joined) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let Some((_, name, takes)) = known.iter().find(|(_, known, _)| *known == name) else {
                return Err(format!("unrecognized option '{argument}'"));
            };
            let value = match (takes, joined) {
                (false, Some(_)) => return Err(format!("option '--{name}' doesn't allow an argument")),
                (false, None) => None,
                (true, Some(value)) => Some(value.to_owned()),
                (true, None) => match rest.next() {
                    Some(value) => Some(value.clone()),
                    None => return Err(format!("option '--{name}' requires an argument")),
                },
            };
            given.options.push((name, value));
        } else if argument.len() > 1 && argument.starts_with('-') {
            let mut letters = argument[1..].chars();
            while let Some(letter) = letters.next() {
                let Some((_, name, takes)) = known.iter().find(|(known, ..)| *known == letter) else {
                    return Err(format!("invalid option -- '{letter}'"));
                };
                if !takes {
                    given.options.push((name, None));
                    continue;
                }
                let joined = letters.as_str();
                let value = if joined.is_empty() { rest.next().cloned() } else { Some(joined.to_owned()) };
                match value {
                    Some(value) => given.options.push((name, Some(value))),
                    None => return Err(format!("option requires an argument -- '{letter}'")),
                }
                break;
            }
        } else {
            given.words.push(argument.clone());
            if first_word_ends {
                given.words.extend(rest.by_ref().cloned());
            }
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_as_getopt_takes_them() {
        const KNOWN: &[Known] = &[('v', "verbose", false), ('F', "field", true), ('n', "dry-run", false)];
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let given = parse(&words("-nv ap --field=name -Fx -F y -- -v"), KNOWN, false).expect("right");
        assert!(given.has("dry-run") && given.has("verbose"));
        assert_eq!(given.value("field"), Some("y"));
        assert_eq!(given.words, ["ap", "-v"]);
        assert_eq!(parse(&words("ap -x"), KNOWN, true).map(|g| g.words), Ok(words("ap -x")));
        assert_eq!(parse(&words("-x"), KNOWN, false), Err("invalid option -- 'x'".into()));
        assert_eq!(parse(&words("--x"), KNOWN, false), Err("unrecognized option '--x'".into()));
        assert_eq!(parse(&words("-F"), KNOWN, false), Err("option requires an argument -- 'F'".into()));
    }
}
