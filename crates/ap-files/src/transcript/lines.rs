//! The lines of a transcript, one after the other, with their places.

use std::io::{BufRead, BufReader, Read};

use super::call::LineError;
use super::line::{Kernel, Line};
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

/// The lines of a transcript, read as they are asked for; ends after the first that is wrong.
pub struct Lines<'r> {
    file: String,
    reader: BufReader<Box<dyn Read + 'r>>,
    buffer: Vec<u8>,
    number: usize,
    least: u64,
    over: bool,
    /// The kernel that the first line names.
    kernel: Option<String>,
    /// The first operation, if it was read before it was asked for.
    ahead: Option<Result<Line, TranscriptError>>,
}

impl<'r> Lines<'r> {
    /// The lines that `reader` gives; `file` is named in messages.
    #[must_use]
    pub fn new(file: String, reader: Box<dyn Read + 'r>) -> Lines<'r> {
        let reader = BufReader::with_capacity(1 << 16, reader);
        Lines {
            file,
            reader,
            buffer: Vec::new(),
            number: 0,
            least: 0,
            over: false,
            kernel: None,
            ahead: None,
        }
    }

    /// The version of the kernel that was recorded, if the first line says it. (Page 7.)
    pub fn kernel(&mut self) -> Option<&str> {
        if self.number == 0 {
            self.ahead = self.advance();
        }
        self.kernel.as_deref()
    }

    fn read(&mut self) -> Result<Option<Line>, String> {
        loop {
            self.buffer.clear();
            self.number += 1;
            if self.reader.read_until(b'\n', &mut self.buffer).map_err(|error| said(&error))? == 0 {
                return Ok(None);
            }
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            if self.number == 1
                && let Ok(Kernel { version, .. }) = serde_json::from_slice(&self.buffer)
            {
                self.kernel = Some(version);
                continue;
            }
            let line = Line::parse(&self.buffer).map_err(|LineError(expected)| expected)?;
            if line.i < self.least {
                return Err(format!(
                    "expected an operation from {} on (`i` ascends), found {}",
                    self.least, line.i
                ));
            }
            self.least = line.i + 1;
            return Ok(Some(line));
        }
    }

    fn advance(&mut self) -> Option<Result<Line, TranscriptError>> {
        if self.over {
            return None;
        }
        let read = self.read();
        self.over = !matches!(read, Ok(Some(_)));
        match read {
            Ok(line) => line.map(Ok),
            Err(message) => {
                Some(Err(TranscriptError { file: self.file.clone(), line: Some(self.number), message }))
            }
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Line, TranscriptError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.ahead.take().or_else(|| self.advance())
    }
}
