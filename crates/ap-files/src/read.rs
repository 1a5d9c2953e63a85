//! Reading a file that somebody named: the only input of this crate.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The most bytes of a file that is read as a whole.
const LONGEST: u64 = 64 << 20;

/// A file whose text cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refuses.
    #[error("{}: {}", path.display(), said(source))]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is longer than any file that people write.
    #[error("{}: more than {} MiB, which no input of apmatrix is", path.display(), LONGEST >> 20)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// What is in it is not UTF-8.
    #[error("{}:{line}: the text is not UTF-8", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// The line of the first wrong byte, from 1.
        line: usize,
        /// What is wrong with it.
        source: std::string::FromUtf8Error,
    },
}

impl ReadError {
    /// Whether there is no such file.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, ReadError::Refused { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// The text of a file.
///
/// # Errors
/// If the system refuses, or the content is not UTF-8, or longer than 64 MiB: a device that never ends, for example.
pub fn read(path: &Path) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    let taken = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    taken.map_err(|source| ReadError::Refused { path: path.to_owned(), source })?;
    if bytes.len() as u64 > LONGEST {
        return Err(ReadError::TooLong { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|source| {
        let good = &source.as_bytes()[..source.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        ReadError::NoText { path: path.to_owned(), line, source }
    })
}

/// What the system says of an error, without Rust's `(os error N)`.
#[must_use]
pub fn said(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
