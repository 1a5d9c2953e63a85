//! What is wrong with a TOML text, in words for people: the same for every kind of file.

use std::ops::Range;

use ap_sysfs::nearest::meant;
use toml::Spanned;

use crate::error::Problem;

/// Reads the shapes and keys of a file of that schema.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(text: &str, schema: &str) -> Result<T, Problem> {
    toml::from_str(text).map_err(|error| {
        let found = problem(text, schema, &error);
        // Whoever has a file of another kind is told that, and not that its keys are unknown.
        if found.is_unknown_key() { of_another_kind(text, schema).unwrap_or(found) } else { found }
    })
}

/// That a text says another schema than the one that is read.
fn of_another_kind(text: &str, schema: &str) -> Option<Problem> {
    #[derive(serde::Deserialize)]
    struct Said {
        schema: Spanned<String>,
    }
    version(&toml::from_str::<Said>(text).ok()?.schema, schema).err()
}

/// Reads a text as `read` does, and passes over keys that are not known: what comes of the rest, and they.
pub(crate) fn passing_over<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, Problem>,
) -> (Result<T, Problem>, Vec<Problem>) {
    let (mut rest, mut passed) = (text.to_owned(), Vec::new());
    loop {
        match read(&rest) {
            Err(problem) if problem.is_unknown_key() => {
                let Some(entry) = entry_at(&rest, problem.span.start) else { return (Err(problem), passed) };
                // Blanks of the same length, so that places stay what they are.
                let blanks = |letter: char| {
                    if letter == '\n' { "\n".to_owned() } else { " ".repeat(letter.len_utf8()) }
                };
                let blank: String = rest[entry.clone()].chars().map(blanks).collect();
                rest.replace_range(entry, &blank);
                passed.push(problem);
            }
            other => return (other, passed),
        }
    }
}

/// From where to where the entry stands whose key begins at that place: `key = value`.
fn entry_at(text: &str, place: usize) -> Option<Range<usize>> {
    fn find(table: &toml::de::DeTable<'_>, place: usize) -> Option<Range<usize>> {
        table.iter().find_map(|(key, value)| {
            if key.span().start == place {
                // A table's own place is its heading; what is in it cannot be passed over as one piece.
                let plain =
                    !matches!(value.get_ref(), toml::de::DeValue::Table(_) | toml::de::DeValue::Array(_))
                        || value.span().start > key.span().end;
                return plain.then(|| place..value.span().end);
            }
            match value.get_ref() {
                toml::de::DeValue::Table(inner) => find(inner, place),
                toml::de::DeValue::Array(items) => items.iter().find_map(|item| match item.get_ref() {
                    toml::de::DeValue::Table(inner) => find(inner, place),
                    _ => None,
                }),
                _ => None,
            }
        })
    }
    find(toml::de::DeTable::parse(text).ok()?.get_ref(), place)
}

/// The file must say the version that is understood, `apmatrix.machine/1`.
pub(crate) fn version(found: &Spanned<String>, schema: &str) -> Result<(), Problem> {
    let text = found.get_ref();
    if text == schema {
        return Ok(());
    }
    let problem =
        Problem::new(found.span(), format!("unknown schema `{text}`"), format!("expected \"{schema}\""));
    let (kind, version) = schema.rsplit_once('/').unwrap_or((schema, ""));
    let other = text.strip_prefix(kind).is_some_and(|rest| rest.starts_with('/'));
    Err(match (other, kind.rsplit_once('.')) {
        (true, Some((_, kind))) => {
            problem.help(format!("this version of apmatrix reads version {version} of {kind} files only"))
        }
        _ => match KINDS
            .iter()
            .find(|(known, ..)| text.strip_prefix(known).is_some_and(|rest| rest.starts_with('/')))
        {
            Some((_, what, command)) => problem.help(format!("this is {what}: `{command}` takes it")),
            None => problem,
        },
    })
}

/// The kinds of files: what their schemas begin with, what they are, and what takes one.
const KINDS: [(&str, &str, &str); 3] = [
    ("apmatrix.machine", "a machine file", "apmatrix run --machine FILE"),
    ("apmatrix.scenario", "a scenario", "apmatrix explore FILE"),
    ("apmatrix.desired", "a desired state", "apmatrix plan FILE"),
];

/// Something is there twice.
pub(crate) fn twice(span: Range<usize>, what: &str) -> Problem {
    Problem::new(span, format!("{what} is there twice"), "expected each only once")
}

/// What the parser says, in words for people.
fn problem(text: &str, schema: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let message = error.message().trim();
    let first = message.lines().next().unwrap_or_default();
    if let Some(rest) = first.strip_prefix("unknown field ") {
        return unknown_key(span, rest);
    }
    if let Some(rest) = first.strip_prefix("unknown variant ") {
        let (found, known) = quoted(rest);
        return Problem::new(
            span,
            format!("`{found}` is not known here"),
            format!("expected {}", known.join(", ")),
        );
    }
    if let Some(rest) = first.strip_prefix("missing field ") {
        let key = rest.trim_matches('`');
        let problem =
            Problem::new(span, format!("the key `{key}` is missing"), format!("expected `{key} = …` here"));
        return if key == "schema" {
            problem.help(format!("begin with `schema = \"{schema}\"`"))
        } else {
            problem
        };
    }
    if let Some((span, range)) = bare_range(text, &span) {
        return Problem::new(span, "a range without quotation marks", format!("expected \"{range}\""))
            .help(format!("a range is a text: \"{range}\""));
    }
    if let Some(problem) = no_value(text, &span, first.split(", expected ").next().unwrap_or_default()) {
        return problem;
    }
    if let Some((what, expected)) = first.split_once(", expected ") {
        return unexpected(text, span, what, expected);
    }
    // The TOML itself is wrong; its parser says what it wanted in further lines.
    let expected = message.lines().skip(1).collect::<Vec<_>>().join("; ");
    let expected = if expected.is_empty() { "not TOML".to_owned() } else { expected };
    let span = if span.start >= text.len() { text.len().saturating_sub(1)..text.len() } else { span };
    let problem = Problem::new(span, first, expected);
    if text.contains("schema") {
        problem
    } else {
        problem.help(format!("the file is TOML, and begins with `schema = \"{schema}\"`"))
    }
}

/// A value that TOML does not have: a number that begins with 0 or has no digits, a word without quotation marks, numbers
/// without a comma between them.
fn no_value(text: &str, at: &Range<usize>, said: &str) -> Option<Problem> {
    let ends = |letter: char| letter.is_whitespace() || ",[]{}#=\"'".contains(letter);
    let start = text.get(..at.start)?.rfind(ends).map_or(0, |place| place + 1);
    let end = text.get(at.start..)?.find(ends).map_or(text.len(), |length| at.start + length);
    let word = text.get(start..end)?;
    match said {
        "unexpected leading zero" => {
            let number: u64 = word.replace('_', "").parse().ok()?;
            let problem =
                Problem::new(start..end, format!("`{word}` begins with 0"), format!("expected {number}"));
            Some(problem.help(format!(
                "a number that begins with 0 is none in TOML; {number} in hex is {number:#04x}"
            )))
        }
        "integer number overflowed" if word.starts_with("0x") => {
            Some(Problem::new(start..end, format!("`{word}` is no number"), "expected digits after 0x: 0x0a"))
        }
        "string values must be quoted" => {
            let line = text.get(start..)?.lines().next()?;
            let list = line.split([']', '#']).next()?.trim();
            let numbers: Vec<&str> = list.split([',', ' ']).filter(|word| !word.is_empty()).collect();
            let digits = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
            if numbers.len() > 1 && numbers.iter().all(digits) {
                let span = start..start + list.len();
                return Some(Problem::new(
                    span,
                    "numbers without a comma between them",
                    format!("expected {}", numbers.join(", ")),
                ));
            }
            (!word.is_empty()).then(|| {
                Problem::new(
                    start..end,
                    format!("`{word}` is not in quotation marks"),
                    format!("expected \"{word}\""),
                )
            })
        }
        _ => None,
    }
}

/// A range that is no text, `0-19`, in the line or the list where the parser stopped: where it is, and as it is written. TOML
/// takes one for the beginning of a date.
fn bare_range(text: &str, at: &Range<usize>) -> Option<(Range<usize>, String)> {
    let end = at.end.max(at.start).min(text.len());
    let from = text.get(..at.start.min(text.len()))?.rfind('\n').map_or(0, |newline| newline + 1);
    let to = text.get(end..)?.find('\n').map_or(text.len(), |newline| end + newline);
    let line = text.get(from..to)?;
    let (mut quoted, mut begin) = (None, None);
    let found = |begin: usize, end: usize| {
        let word = line.get(begin..end)?.trim();
        let (first, last) = word.split_once('-')?;
        let id = |text: &str| text.trim().parse::<u8>().ok().filter(|_| !text.trim().starts_with('+'));
        let start = from + begin;
        Some((start..from + end, format!("{}-{}", id(first)?, id(last)?)))
    };
    for (at, letter) in line.char_indices().chain([(line.len(), ',')]) {
        match (quoted, letter) {
            (Some(mark), _) if mark == letter => quoted = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => (quoted, begin) = (Some(letter), None),
            (None, '0'..='9' | '-' | ' ' | 'x') => begin = begin.or((letter != ' ').then_some(at)),
            (None, _) => {
                if let Some(range) = begin.take().and_then(|begin| found(begin, at)) {
                    return Some(range);
                }
                if letter == '#' {
                    return None;
                }
            }
        }
    }
    None
}

/// A value of another type than its key takes, in the words of files and not of the parser's types.
fn unexpected(text: &str, span: Range<usize>, what: &str, expected: &str) -> Problem {
    let what = what.strip_suffix(" as i128").unwrap_or(what);
    let said = text.get(span.clone()).unwrap_or_default();
    match expected {
        "a sequence" if what == "invalid type: map" && said.starts_with('[') => {
            let key = said.trim_matches(['[', ']']);
            let message = format!("`[{key}]` is one table, and there can be several");
            Problem::new(span, message, format!("expected `[[{key}]]`"))
        }
        "a sequence" => Problem::new(span, what, format!("expected a list: [{said}]")),
        "a string" => {
            let quoted = said.chars().all(|letter| letter.is_ascii_alphanumeric());
            let example = match key_before(text, span.start) {
                // Quotation marks alone would not do.
                "zrc" | "trc" => ": \"7:1\"".to_owned(),
                "functions" | "new" | "current" | "old" => ": \"0x7\"".to_owned(),
                "apqn" => ": \"04.0006\"".to_owned(),
                _ if quoted && !said.is_empty() => format!(": \"{said}\""),
                _ => String::new(),
            };
            Problem::new(span, what, format!("expected a text in quotation marks{example}"))
        }
        _ => Problem::new(span, what, format!("expected {}", in_words(expected))),
    }
}

/// The key whose value begins at that place, if it stands before it in its line.
fn key_before(text: &str, place: usize) -> &str {
    let before = text.get(..place).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let key = line.trim_end().strip_suffix('=').unwrap_or_default().trim_end();
    key.rsplit(|letter: char| letter.is_whitespace() || "{,.".contains(letter)).next().unwrap_or_default()
}

/// What the parser calls a type, in words.
fn in_words(expected: &str) -> String {
    match expected {
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "a boolean" => "true or false".to_owned(),
        _ if expected.starts_with("struct ") => "keys with values: { key = value, … }".to_owned(),
        _ => expected.to_owned(),
    }
}

/// `rest` is what the parser says after `unknown field `: the key and the known ones, in backticks.
fn unknown_key(span: Range<usize>, rest: &str) -> Problem {
    let (key, known) = quoted(rest);
    let message = format!("unknown key `{key}`");
    if known.is_empty() {
        return Problem::new(span, message, "expected no key here");
    }
    let expected = match meant(key, known.iter().copied()) {
        Some(near) => format!("expected a known key; did you mean `{near}`?"),
        None => "expected a known key".to_owned(),
    };
    Problem::new(span, message, expected).help(format!("known here: {}", known.join(", ")))
}

/// The words in backticks: the first, and the others.
fn quoted(text: &str) -> (&str, Vec<&str>) {
    let mut words = text.split('`').skip(1).step_by(2);
    (words.next().unwrap_or_default(), words.collect())
}
