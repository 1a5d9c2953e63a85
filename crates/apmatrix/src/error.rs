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

use std::fmt;
use std::io;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use crate::boot::BootError;
use crate::machine::MachineError;
use crate::replay::{InputError, TargetError};

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

/// An error with what could be done about it.
#[derive(Debug)]
pub struct CliError {
    /// What kind it is.
    pub kind: Kind,
    /// One sentence, without full stop.
    pub message: String,
    /// What could be done, a sentence each.
    pub hints: Vec<String>,
    diagnostic: Option<Box<dyn Diagnostic + Send + Sync>>,
}

impl CliError {
    fn new(kind: Kind, message: impl Into<String>) -> CliError {
        CliError { kind, message: message.into(), hints: Vec::new(), diagnostic: None }
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

    /// Adds what could be done.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> CliError {
        self.hints.push(hint.into());
        self
    }

    /// The text for standard error.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        if let Some(diagnostic) = &self.diagnostic {
            let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
            let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100);
            let mut text = String::new();
            if handler.render_report(&mut text, &**diagnostic).is_ok() {
                return text;
            }
        }
        self.to_string()
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        self.hints.iter().try_for_each(|hint| writeln!(f, "hint: {hint}"))
    }
}

impl std::error::Error for CliError {}

impl From<MachineError> for CliError {
    fn from(error: MachineError) -> CliError {
        CliError { diagnostic: Some(Box::new(error)), ..CliError::input("the machine file cannot be used") }
    }
}

impl From<InputError> for CliError {
    fn from(error: InputError) -> CliError {
        CliError::input(error.to_string())
    }
}

impl From<TargetError> for CliError {
    fn from(error: TargetError) -> CliError {
        CliError::environment(error.to_string())
    }
}

impl From<BootError> for CliError {
    fn from(error: BootError) -> CliError {
        CliError::failed(error.to_string())
            .hint("machine files are checked, so this is a defect: please report it")
    }
}

impl From<ap_fuse::Error> for CliError {
    fn from(error: ap_fuse::Error) -> CliError {
        let status = u8::try_from(error.exit_status()).unwrap_or(125);
        if status == Kind::Environment.status() {
            CliError::environment(error.to_string())
        } else {
            CliError::status(status, error.to_string())
        }
    }
}

/// Errors of standard output; those of files are given a path where they happen.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> CliError {
        let kind =
            if error.kind() == io::ErrorKind::BrokenPipe { Kind::BrokenPipe } else { Kind::Environment };
        CliError::new(kind, format!("writing to standard output: {}", said(&error)))
    }
}

/// What the system says of an error, without Rust's `(os error N)`.
#[must_use]
pub fn said(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
