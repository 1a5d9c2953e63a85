//! The lines of a transcript, one after the other, with their places.

use std::io::{BufRead, BufReader, Read};

use ap_task::{Kernel, Version};

use super::call::LineError;
use super::line::{Kernel as Header, KernelWord, Line};
use crate::read::said;

/// Why a transcript cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {message}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct TranscriptError {
    /// The file, with the archive that it is in.
    pub file: String,
    /// The line, from 1, if it is about one.
    pub line: Option<usize>,
    /// What was expected, or what the system said.
    pub message: String,
}

/// The kernel that a line names, if it is a header.
fn kernel(text: &[u8]) -> Option<Result<Kernel, String>> {
    let Header { op: KernelWord::Kernel, version } = serde_json::from_slice(text).ok()?;
    let known = Version::NUMBERS.join(", ");
    Some(
        Version::from_number(&version)
            .map(Kernel::of)
            .ok_or_else(|| format!("expected one of {known} in `version`, found `{version}`")),
    )
}

/// The lines of a transcript, read as they are asked for; ends after the first that is wrong.
pub struct Lines<'r> {
    file: String,
    reader: BufReader<Box<dyn Read + 'r>>,
    buffer: Vec<u8>,
    number: usize,
    least: u64,
    over: bool,
    /// The first line, if it was read to see whether it is a header, and is none.
    ahead: bool,
}

impl<'r> Lines<'r> {
    /// The lines that `reader` gives; `file` is named in messages.
    #[must_use]
    pub fn new(file: String, reader: Box<dyn Read + 'r>) -> Lines<'r> {
        let reader = BufReader::with_capacity(1 << 16, reader);
        Lines { file, reader, buffer: Vec::new(), number: 0, least: 0, over: false, ahead: false }
    }

    /// The kernel that the transcript was recorded with: its first line says so, or it is the default one. Asked
    /// before the first line is read.
    ///
    /// # Errors
    /// If the version is unknown, or nothing can be read.
    pub fn kernel(&mut self) -> Result<Kernel, TranscriptError> {
        let found = self.fill().and_then(|there| {
            let header = there.then(|| kernel(&self.buffer)).flatten();
            self.ahead = there && header.is_none();
            header.transpose()
        });
        match found {
            Ok(kernel) => Ok(kernel.unwrap_or_default()),
            Err(message) => {
                self.over = true;
                Err(self.wrong(message))
            }
        }
    }

    /// Reads the next line that is not empty; whether there is one.
    fn fill(&mut self) -> Result<bool, String> {
        if std::mem::take(&mut self.ahead) {
            return Ok(true);
        }
        loop {
            self.buffer.clear();
            self.number += 1;
            if self.reader.read_until(b'\n', &mut self.buffer).map_err(|error| said(&error))? == 0 {
                return Ok(false);
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn read(&mut self) -> Result<Option<Line>, String> {
        if !self.fill()? {
            return Ok(None);
        }
        if kernel(&self.buffer).is_some() {
            return Err("expected an operation: the kernel is said in the first line".into());
        }
        let line = Line::parse(&self.buffer).map_err(|LineError(expected)| expected)?;
        if line.i < self.least {
            return Err(format!(
                "expected an operation from {} on (`i` ascends), found {}",
                self.least, line.i
            ));
        }
        self.least = line.i + 1;
        Ok(Some(line))
    }

    fn wrong(&self, message: String) -> TranscriptError {
        TranscriptError { file: self.file.clone(), line: Some(self.number), message }
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Line, TranscriptError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let read = self.read();
        self.over = !matches!(read, Ok(Some(_)));
        match read {
            Ok(line) => line.map(Ok),
            Err(message) => Some(Err(self.wrong(message))),
        }
    }
}
