//! What can be wrong with a script's text, and where.

use crate::place::Place;

/// A text that is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}:{line}:{column}: {what} ({remedy})")]
pub struct ParseError {
    /// The script's name, as given to [`parse`](crate::parse()).
    pub name: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub remedy: String,
    /// Whether more text could complete it: a prompt then asks for another line.
    pub incomplete: bool,
}

/// A message as a terminal may show it: what would move its cursor or change its colours is shown as an escape.
#[must_use]
pub fn visible(text: &str) -> String {
    let one = |letter: char| match letter {
        '\n' | '\t' => letter.to_string(),
        letter if letter.is_control() => letter.escape_default().to_string(),
        letter => letter.to_string(),
    };
    text.chars().map(one).collect()
}

/// A problem at a place, before the script's name is known.
#[derive(Debug)]
pub(crate) struct Problem {
    pub place: Place,
    pub what: String,
    pub remedy: String,
    pub incomplete: bool,
}

impl Problem {
    pub fn new(place: Place, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { place, what: what.into(), remedy: remedy.into(), incomplete: false }
    }

    /// One that more text may mend.
    pub fn incomplete(place: Place, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { incomplete: true, ..Problem::new(place, what, remedy) }
    }

    pub fn named(self, name: &str) -> ParseError {
        ParseError {
            name: name.to_owned(),
            line: self.place.line,
            column: self.place.column,
            what: self.what,
            remedy: self.remedy,
            incomplete: self.incomplete,
        }
    }
}
