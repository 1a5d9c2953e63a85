//! The control files of a mounted tree: what its operator and guests do, said through files.
//!
//! A line that is written is exactly the verb's arguments. What a verb answers, besides success, and why one failed
//! is in files of the same directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ap_files::said;

use crate::error::CliError;

/// Where the control files are below the tree's root.
pub const DIRECTORY: &str = "kernel/debug/apmatrix";

/// The control files of one tree.
#[derive(Clone, Debug)]
pub struct Control {
    directory: PathBuf,
}

impl Control {
    /// Those of the tree at `root`.
    ///
    /// # Errors
    /// If it is not a tree of apmatrix.
    pub fn of(root: &Path) -> Result<Control, CliError> {
        let directory = root.join(DIRECTORY);
        match fs::metadata(&directory) {
            Ok(metadata) if metadata.is_dir() => Ok(Control { directory }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let text = format!("{}: {}", directory.display(), said(&error));
                Err(CliError::environment(text).because(error))
            }
            _ => Err(CliError::environment(format!("{} is not an emulated machine", root.display()))
                .hint("run this inside `apmatrix run`, or name a mounted tree: `--root DIR`")),
        }
    }

    /// Those of the tree at `root`, if it is one of apmatrix.
    #[must_use]
    pub fn if_there(root: &Path) -> Option<Control> {
        let directory = root.join(DIRECTORY);
        directory.is_dir().then_some(Control { directory })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(self.directory.join(file))
    }

    /// Reads a file, for people.
    ///
    /// # Errors
    /// With the file's path.
    pub fn show(&self, file: &str) -> Result<String, CliError> {
        let failed = |error| {
            let path = self.directory.join(file);
            CliError::environment(format!("{}: {}", path.display(), said(&error))).because(error)
        };
        self.read(file).map_err(failed)
    }

    /// Writes a line.
    ///
    /// # Errors
    /// What the machine answers.
    pub fn write(&self, file: &str, line: &str) -> io::Result<()> {
        let mut open = OpenOptions::new().write(true).open(self.directory.join(file))?;
        // One write(2): the whole line is one command.
        let text = format!("{line}\n");
        match open.write(text.as_bytes())? {
            taken if taken == text.len() => Ok(()),
            _ => Err(io::Error::from(io::ErrorKind::WriteZero)),
        }
    }

    /// Carries out a verb and gives what it answers.
    ///
    /// # Errors
    /// 2 if the machine does not understand it, 1 if it refuses, 3 if the control file cannot be used.
    pub fn verb(&self, command: &str, file: &str, line: &str) -> Result<String, CliError> {
        match self.write(file, line) {
            Ok(()) => Ok(self.read("answer").unwrap_or_default()),
            Err(error) => Err(self.refused(command, file, line, error)),
        }
    }

    /// Whether the file can be opened, so that what it refuses is its own answer.
    fn may_write(&self, file: &str) -> bool {
        OpenOptions::new().write(true).open(self.directory.join(file)).is_ok()
    }

    fn refused(&self, command: &str, file: &str, line: &str, error: io::Error) -> CliError {
        let reason = self.read("last_error").ok();
        let reason = reason.as_deref().and_then(|reason| reason.strip_prefix(line)?.strip_prefix(": "));
        let reason = reason.map_or_else(|| said(&error), |reason| reason.trim_end().to_owned());
        let message = format!("{command} {line}: {reason}");
        let shown = match error.kind() {
            io::ErrorKind::InvalidInput => CliError::usage(message)
                .hint(format!("`apmatrix {command} --help` tells what each verb takes")),
            // Whoever may write it is told by the machine.
            io::ErrorKind::PermissionDenied if !self.may_write(file) => {
                CliError::environment(message).hint("be root of the machine's namespace")
            }
            _ => CliError::failed(message),
        };
        shown.because(error)
    }
}
