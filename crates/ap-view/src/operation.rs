//! What one can do to an emulated host, as a line of text: a write, or a verb of its operator or its guests.

use std::fmt;

use ap_plan::Store;

/// What one can do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `echo TEXT > /sys/PATH`.
    Write {
        /// The file, without a leading `/sys/`.
        path: String,
        /// What is written, without the newline.
        text: String,
    },
    /// `hw …`: what the machine's operator does.
    Hw(String),
    /// `guest …`: what guests do.
    Guest(String),
}

/// The longest line that is read.
pub const LONGEST: usize = 4096;

/// Why a line is no operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is longer than [`LONGEST`], or holds a control character.
    Line,
    /// It begins with another word.
    Verb(String),
    /// An `echo` without a file.
    NoFile,
    /// A file that is not below `/sys`.
    Outside(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Line => write!(f, "this is not one line of at most {LONGEST} bytes"),
            Wrong::Verb(word) => {
                write!(
                    f,
                    "`{word}` is not known here: expected `echo TEXT > /sys/PATH`, `hw …`, `guest …` or `why PATH TEXT`"
                )
            }
            Wrong::NoFile => f.write_str("this echo writes to no file: expected `echo TEXT > /sys/PATH`"),
            Wrong::Outside(path) => write!(f, "`{path}` is not below /sys, or goes up by `..`"),
        }
    }
}

impl std::error::Error for Wrong {}

impl Operation {
    /// Reads a line.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn parse(line: &str) -> Result<Operation, Wrong> {
        let line = line.trim();
        if line.len() > LONGEST || line.chars().any(char::is_control) {
            return Err(Wrong::Line);
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match verb {
            "hw" => Ok(Operation::Hw(rest.to_owned())),
            "guest" => Ok(Operation::Guest(rest.to_owned())),
            "echo" => {
                let (text, path) = rest.rsplit_once('>').ok_or(Wrong::NoFile)?;
                let (text, path) = (text.trim(), path.trim());
                if path.is_empty() {
                    return Err(Wrong::NoFile);
                }
                let below = path.strip_prefix("/sys/").filter(|below| !below.split('/').any(|n| n == ".."));
                let below = below.ok_or_else(|| Wrong::Outside(path.to_owned()))?;
                Ok(Operation::Write { path: below.to_owned(), text: unquoted(text).to_owned() })
            }
            _ => Err(Wrong::Verb(verb.to_owned())),
        }
    }
}

impl Operation {
    /// The write, if it is one.
    #[must_use]
    pub fn store(&self) -> Option<Store> {
        let Operation::Write { path, text } = self else { return None };
        Some(Store { path: path.clone(), text: format!("{text}\n") })
    }
}

/// What `why PATH TEXT` asks about, without its first word: the write of that text to that file. A name alone is a file of
/// the bus.
#[must_use]
pub fn question(line: &str) -> Option<Store> {
    let (path, text) = line.trim().split_once(' ')?;
    let path = path.strip_prefix("/sys/").unwrap_or(path);
    let path = if path.contains('/') { path.to_owned() } else { format!("bus/ap/{path}") };
    Some(Store { path, text: format!("{}\n", unquoted(text.trim())) })
}

/// A text without the quotes around it.
fn unquoted(text: &str) -> &str {
    ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text)
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Write { path, text } if text.is_empty() => write!(f, "echo '' > /sys/{path}"),
            Operation::Write { path, text } => write!(f, "echo {text} > /sys/{path}"),
            Operation::Hw(line) => write!(f, "hw {line}"),
            Operation::Guest(line) => write!(f, "guest {line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_is_written() {
        for line in ["echo -4 > /sys/bus/ap/apmask", "hw plug 4", "guest start g1 x", "echo '' > /sys/a/b"] {
            assert_eq!(Operation::parse(line).map(|operation| operation.to_string()), Ok(line.to_owned()));
        }
        let quoted = Operation::parse("  echo '+4' >/sys/bus/ap/apmask ");
        assert_eq!(quoted, Ok(Operation::Write { path: "bus/ap/apmask".to_owned(), text: "+4".to_owned() }));
    }

    #[test]
    fn a_question_is_about_a_write() {
        let store = |path: &str, text: &str| Some(Store { path: path.to_owned(), text: text.to_owned() });
        assert_eq!(question("apmask +4"), store("bus/ap/apmask", "+4\n"));
        assert_eq!(question("/sys/bus/ap/apmask '+4'"), store("bus/ap/apmask", "+4\n"));
        assert_eq!(
            question("devices/vfio_ap/matrix/x/assign_adapter 4"),
            store("devices/vfio_ap/matrix/x/assign_adapter", "4\n")
        );
        assert_eq!(question("apmask"), None);
    }

    #[test]
    fn what_is_no_operation_is_said() {
        assert_eq!(Operation::parse("rm -r /"), Err(Wrong::Verb("rm".to_owned())));
        assert_eq!(Operation::parse(""), Err(Wrong::Verb(String::new())));
        assert_eq!(Operation::parse("echo 4"), Err(Wrong::NoFile));
        assert_eq!(Operation::parse("echo 4 >"), Err(Wrong::NoFile));
        let up = "/sys/../etc/passwd".to_owned();
        assert_eq!(Operation::parse("echo 4 > /sys/../etc/passwd"), Err(Wrong::Outside(up)));
        assert_eq!(Operation::parse("echo 4 > /etc/x"), Err(Wrong::Outside("/etc/x".to_owned())));
        assert_eq!(Operation::parse("hw plug\n4"), Err(Wrong::Line));
        assert_eq!(Operation::parse(&format!("hw {}", "4".repeat(LONGEST))), Err(Wrong::Line));
    }
}
