//! Where transcripts come from: `.jsonl` files, directories of them, and `.tar.xz` archives.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::replay::transcript::Line;

/// Why a transcript cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The file, with the archive that it is in.
    pub file: String,
    /// The line, from 1, if it is about one.
    pub line: Option<usize>,
    /// What was expected, or what the system said.
    pub message: String,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for InputError {}

impl InputError {
    fn of_file(path: &Path, error: &io::Error) -> InputError {
        InputError { file: path.display().to_string(), line: None, message: said(error) }
    }
}

/// The system's message, without Rust's `(os error N)`.
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// A source of transcripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// One transcript.
    Transcript(PathBuf),
    /// A compressed archive of transcripts.
    Archive(PathBuf),
}

/// What `paths` name: files as they are, of directories the transcripts and archives in them, names ascending.
///
/// # Errors
/// If a path cannot be read, is of another kind, or a directory has no transcripts.
pub fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, InputError> {
    let mut inputs = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| InputError::of_file(path, &error))?;
        if metadata.is_dir() {
            let before = inputs.len();
            let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let mut found: Vec<PathBuf> = entries
                .map_err(|error| InputError::of_file(path, &error))?
                .into_iter()
                .map(|entry| entry.path())
                .collect();
            found.sort();
            inputs.extend(found.into_iter().filter_map(input));
            if inputs.len() == before {
                return Err(expected(path, "a directory with transcripts (.jsonl or .tar.xz)"));
            }
        } else {
            let kind = "a transcript (.jsonl), an archive of transcripts (.tar.xz) or a directory";
            inputs.push(input(path.clone()).ok_or_else(|| expected(path, kind))?);
        }
    }
    Ok(inputs)
}

fn expected(path: &Path, what: &str) -> InputError {
    InputError { file: path.display().to_string(), line: None, message: format!("expected {what}") }
}

fn input(path: PathBuf) -> Option<Input> {
    let name = path.file_name()?.to_str()?;
    if name.ends_with(".jsonl") {
        Some(Input::Transcript(path))
    } else if name.ends_with(".tar.xz") {
        Some(Input::Archive(path))
    } else {
        None
    }
}

/// The lines of one transcript, as they are read.
pub type LineIterator<'i> = dyn Iterator<Item = Result<Line, InputError>> + 'i;

impl Input {
    /// Calls `each` with the name and the lines of every transcript of this source, until it says stop.
    ///
    /// # Errors
    /// Those of `each`, and an [`InputError`] if the source cannot be read.
    pub fn each<E: From<InputError>>(
        &self,
        each: &mut dyn FnMut(&str, &mut LineIterator<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Input::Transcript(path) => {
                let file = File::open(path).map_err(|error| InputError::of_file(path, &error))?;
                each(&name_of(path), &mut Lines::new(path.display().to_string(), Box::new(file)))
            }
            Input::Archive(path) => {
                let failed = |error: io::Error| InputError::of_file(path, &error);
                let file = File::open(path).map_err(failed)?;
                let unpacked = lzma_rust2::XzReader::new(BufReader::new(file), true);
                let mut archive = tar::Archive::new(unpacked);
                for entry in archive.entries().map_err(failed)? {
                    let entry = entry.map_err(failed)?;
                    let inner = entry.path().map_err(failed)?.into_owned();
                    if inner.extension().is_some_and(|extension| extension == "jsonl") {
                        let file = format!("{}/{}", path.display(), inner.display());
                        each(&name_of(&inner), &mut Lines::new(file, Box::new(entry)))?;
                    }
                }
                Ok(())
            }
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The lines of a transcript, read as they are asked for; ends after the first that is wrong.
pub struct Lines<'r> {
    file: String,
    reader: BufReader<Box<dyn Read + 'r>>,
    buffer: Vec<u8>,
    number: usize,
    least: u64,
    over: bool,
}

impl<'r> Lines<'r> {
    /// The lines that `reader` gives; `file` is named in messages.
    #[must_use]
    pub fn new(file: String, reader: Box<dyn Read + 'r>) -> Lines<'r> {
        let reader = BufReader::with_capacity(1 << 16, reader);
        Lines { file, reader, buffer: Vec::new(), number: 0, least: 0, over: false }
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
            let line = Line::parse(&self.buffer).map_err(|error| error.0)?;
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
}

impl Iterator for Lines<'_> {
    type Item = Result<Line, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let read = self.read();
        self.over = !matches!(read, Ok(Some(_)));
        match read {
            Ok(line) => line.map(Ok),
            Err(message) => {
                Some(Err(InputError { file: self.file.clone(), line: Some(self.number), message }))
            }
        }
    }
}
