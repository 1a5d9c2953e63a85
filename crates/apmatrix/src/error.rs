//! Errors as the command line shows them, and the exit status of each kind.
//!
//! | status | kind | meaning |
//! | --- | --- | --- |
//! | 0 | | done, nothing wrong |
//! | 1 | [`Kind::Failed`] | a check failed, or the machine refused what it was told |
//! | 2 | [`Kind::Usage`] | the command line is wrong |
//! | 3 | [`Kind::Environment`] | the environment lacks something |
//! | 4 | [`Kind::Input`] | an input file is wrong |
//! | other | [`Kind::Status`] | the status of a command that was run, or why it was not |

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use ap_files::transcript::TranscriptError;
use ap_files::{BootError, FileError, said};
use ap_sysfs::nearest::meant;

use crate::diagnostic::drawn;
use crate::terminal::wrapped;

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A check failed, or the machine refused something.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The environment lacks something.
    Environment,
    /// An input file is wrong.
    Input,
    /// An exit status of its own.
    Status(u8),
    /// Whoever read the output is gone: nothing is said.
    BrokenPipe,
}

impl Kind {
    /// The exit status.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Environment => 3,
            Kind::Input => 4,
            Kind::Status(status) => status,
            Kind::BrokenPipe => 0,
        }
    }
}

/// What a command ends with: the exit status, or an error.
pub type Outcome = Result<u8, CliError>;

/// An error with what could be done about it, and the error that it comes from.
#[derive(Debug)]
pub struct CliError {
    /// What kind it is.
    pub kind: Kind,
    /// One sentence, without full stop.
    pub message: String,
    /// What could be done, a sentence each.
    pub hints: Vec<String>,
    cause: Option<Cause>,
    /// Whether another machine would do.
    elsewhere: bool,
}

/// What an error comes from.
#[derive(Debug)]
enum Cause {
    /// A file; the error shows the place.
    File(FileError),
    /// Anything else.
    Other(Box<dyn Error + Send + Sync>),
}

impl CliError {
    fn new(kind: Kind, message: impl Into<String>) -> CliError {
        CliError {
            kind,
            message: unnumbered(&message.into()),
            hints: Vec::new(),
            cause: None,
            elsewhere: false,
        }
    }

    /// Keeps the error that this one comes from, as its [source](Error::source).
    #[must_use]
    pub fn because(mut self, error: impl Error + Send + Sync + 'static) -> CliError {
        self.cause = Some(Cause::Other(Box::new(error)));
        self
    }

    /// A check failed, or the machine refused something.
    pub fn failed(message: impl Into<String>) -> CliError {
        CliError::new(Kind::Failed, message)
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> CliError {
        CliError::new(Kind::Usage, message)
    }

    /// The environment lacks something.
    pub fn environment(message: impl Into<String>) -> CliError {
        CliError::new(Kind::Environment, message)
    }

    /// An input file is wrong.
    pub fn input(message: impl Into<String>) -> CliError {
        CliError::new(Kind::Input, message)
    }

    /// Something that has an exit status of its own.
    pub fn status(status: u8, message: impl Into<String>) -> CliError {
        CliError::new(Kind::Status(status), message)
    }

    /// A file cannot be read.
    #[must_use]
    pub fn unread(path: &Path, error: io::Error) -> CliError {
        let shown = CliError::input(format!("{}: {}", path.display(), said(&error)));
        let shown = match error.kind() {
            io::ErrorKind::NotFound => shown.hint(instead_of(path)),
            io::ErrorKind::InvalidData => shown.hint("expected a text in UTF-8"),
            io::ErrorKind::IsADirectory => shown.hint("it is a directory: name a file"),
            io::ErrorKind::PermissionDenied => {
                shown.hint(format!("`ls -l {}` says who may read it", path.display()))
            }
            _ => shown,
        };
        shown.because(error)
    }

    /// A file or a directory cannot be written.
    #[must_use]
    pub fn unwritten(path: &Path, error: io::Error) -> CliError {
        let shown = CliError::environment(format!("{} cannot be written: {}", path.display(), said(&error)));
        let shown = match error.kind() {
            // A file system that is not kept on a disk says so of every name that it does not make itself.
            io::ErrorKind::NotFound if path.parent().is_some_and(Path::is_dir) => {
                shown.hint("nothing can be made there: name another directory")
            }
            io::ErrorKind::NotFound => {
                let directory = path.parent().unwrap_or(path).display();
                shown.hint(format!("there is no directory {directory}: `mkdir -p {directory}` makes it"))
            }
            io::ErrorKind::IsADirectory => shown.hint("it is a directory: name a file in it"),
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                shown.hint("there is a file where a directory is needed: name another directory")
            }
            _ => shown.hint("name a file that you may write"),
        };
        shown.because(error)
    }

    /// There is no machine where one was looked for: commands that take another one say how.
    #[must_use]
    pub fn elsewhere(mut self) -> CliError {
        self.elsewhere = true;
        self
    }

    /// The error of a command that takes `--machine`.
    #[must_use]
    pub fn with_machine(self) -> CliError {
        if self.elsewhere { self.hint("or name a machine: `--machine M`") } else { self }
    }

    /// Adds what could be done.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> CliError {
        self.hints.push(hint.into());
        self
    }

    /// The text for standard error.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        if let Some(Cause::File(file)) = &self.cause {
            let width = crate::terminal::width().min(100);
            if let Some(mut text) = drawn(file, width, colour) {
                for hint in &self.hints {
                    text += &wrapped(&format!("  help: {hint}"), width, 8);
                    text.push('\n');
                }
                let count = file.others().len() + 1;
                if count > 1 {
                    text += &format!("{count} mistakes in {}\n", file.file());
                }
                return text;
            }
        }
        self.to_string()
    }
}

/// A text without the `(os error N)` that Rust adds to what the system says.
fn unnumbered(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| match part.split_once(')') {
        Some((number, rest)) if number.bytes().all(|digit| digit.is_ascii_digit()) => shown + rest,
        _ => format!("{shown} (os error {part}"),
    })
}

/// What to do about a file that is not there: the one beside it that is probably meant, or where to look.
#[must_use]
pub fn instead_of(path: &Path) -> String {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Ok(entries) = std::fs::read_dir(directory) else {
        return format!("there is no directory {} either", directory.display());
    };
    let names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match meant(&name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{}`?", path.with_file_name(near).display()),
        None if directory == Path::new(".") => "`ls` lists the files of this directory".to_owned(),
        None => format!("`ls {}` lists the files there", directory.display()),
    }
}

/// The file beside one that is not there that is probably meant.
fn near_file(path: &Path) -> Option<String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names =
        std::fs::read_dir(directory).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let names: Vec<String> = names.collect();
    let near = meant(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}

/// A text as a terminal may show it: what would move its cursor or change its colours is shown as an escape.
fn shown(text: &str) -> String {
    let one = |letter: char| match letter {
        '\n' => letter.to_string(),
        letter if letter.is_control() => letter.escape_default().to_string(),
        letter => letter.to_string(),
    };
    text.chars().map(one).collect()
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = crate::terminal::width();
        writeln!(f, "{}", wrapped(&shown(&format!("error: {}", self.message)), width, 2))?;
        let mut hints = self.hints.iter();
        hints.try_for_each(|hint| writeln!(f, "{}", wrapped(&shown(&format!("hint: {hint}")), width, 2)))
    }
}

impl Error for CliError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.cause.as_ref()? {
            Cause::File(error) => Some(error),
            Cause::Other(error) => Some(&**error),
        }
    }
}

impl From<FileError> for CliError {
    fn from(error: FileError) -> CliError {
        let error_text = format!("{} cannot be used: {error}", error.file());
        let near = error.is_missing().then(|| near_file(Path::new(error.file()))).flatten();
        let hints = near.map(|near| format!("did you mean the file `{near}`?")).into_iter().collect();
        CliError { cause: Some(Cause::File(error)), hints, ..CliError::input(error_text) }
    }
}

impl From<TranscriptError> for CliError {
    fn from(error: TranscriptError) -> CliError {
        let shown = CliError::input(error.to_string());
        let shown = match error.message.starts_with("expected a transcript's operation") {
            true => shown
                .hint("each line of a transcript is an operation in JSON: {\"i\": 0, \"op\": \"read\", …}"),
            false => shown,
        };
        shown.because(error)
    }
}

impl From<BootError> for CliError {
    fn from(error: BootError) -> CliError {
        CliError::failed(error.to_string())
            .hint("machine files are checked, so this is a defect: please report it")
            .because(error)
    }
}

impl From<ap_fuse::Error> for CliError {
    fn from(error: ap_fuse::Error) -> CliError {
        let status = u8::try_from(error.exit_status()).unwrap_or(125);
        let text = error.to_string();
        let shown = if status == Kind::Environment.status() {
            CliError::environment(text).hint(
                "`apmatrix shell` needs none of it: the same machine in one process, for scripts of its own",
            )
        } else {
            CliError::status(status, text)
        };
        shown.because(error)
    }
}

/// Errors of standard output; those of files are given a path where they happen.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> CliError {
        let kind =
            if error.kind() == io::ErrorKind::BrokenPipe { Kind::BrokenPipe } else { Kind::Environment };
        CliError::new(kind, format!("writing to standard output: {}", said(&error))).because(error)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ap_files::MachineFile;

    use super::*;

    /// The errors that an error comes from, outermost first.
    fn chain(error: &CliError) -> Vec<String> {
        let mut chain = Vec::new();
        let mut next = error.source();
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        chain
    }

    #[test]
    fn what_is_shown_changes_no_terminal() {
        let text = CliError::failed("no `\u{1b}[31m\u{7}\u{9b}x`").to_string();
        assert_eq!(text, "error: no `\\u{1b}[31m\\u{7}\\u{9b}x`\n");
    }

    #[test]
    fn no_number_of_rust_is_shown() {
        let refused = io::Error::from_raw_os_error(13);
        let text = CliError::failed(format!("a: {refused}; b: {refused}: (os error x)")).to_string();
        assert_eq!(text, "error: a: Permission denied; b: Permission denied: (os error x)\n");
    }

    #[test]
    fn errors_keep_what_they_come_from() {
        let missing = MachineFile::read(Path::new("no/such.toml")).expect_err("there is none");
        let refused = "No such file or directory (os error 2)";
        assert_eq!(chain(&missing.into()), [&format!("no/such.toml: {}", &refused[..25]), refused]);
        let wrong = MachineFile::parse("m.toml", "").expect_err("it is wrong");
        assert_eq!(chain(&wrong.into()), ["the key `schema` is missing"]);
        let broken = CliError::from(io::Error::from_raw_os_error(28));
        assert_eq!(chain(&broken), ["No space left on device (os error 28)"]);
        assert!(chain(&CliError::failed("no")).is_empty());
    }
}
