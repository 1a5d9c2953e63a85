//! What is wrong with a file, and where.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};

use crate::read::ReadError;

/// A file that cannot be used; points to the place.
///
/// It is a [`Diagnostic`]: whoever shows it can show the line with it.
#[derive(Debug)]
pub struct FileError(Box<Details>);

#[derive(Debug)]
struct Details {
    message: String,
    label: String,
    help: Option<String>,
    place: Option<Place>,
    file: String,
    source: Option<ReadError>,
    /// What else is wrong.
    others: Vec<FileError>,
}

#[derive(Debug)]
struct Place {
    source: NamedSource<String>,
    span: Range<usize>,
    line: usize,
}

impl FileError {
    /// A file that cannot even be read; `help` says what was expected.
    pub(crate) fn unreadable(path: &Path, error: ReadError, help: String) -> FileError {
        FileError(Box::new(Details {
            message: error.to_string(),
            label: String::new(),
            help: Some(help),
            place: None,
            file: path.display().to_string(),
            source: Some(error),
            others: Vec::new(),
        }))
    }

    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.0.source.as_ref().is_some_and(ReadError::is_missing)
    }

    /// A file whose text is wrong in that line, from 1.
    #[must_use]
    pub fn at_line(
        file: &str,
        text: &str,
        line: usize,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> FileError {
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let end = text[start.min(text.len())..].find('\n').map_or(text.len(), |length| start + length);
        Problem::new(start..end, message, expected).in_file(file, text)
    }

    /// All that is wrong with a file, of which there is something.
    pub(crate) fn of(problems: Vec<Problem>, file: &str, text: &str) -> FileError {
        let mut all = problems.into_iter().map(|problem| problem.in_file(file, text));
        let mut first = all.next().unwrap_or_else(|| FileError::at_line(file, text, 1, "it is wrong", ""));
        first.0.others = all.collect();
        first
    }

    /// What else is wrong with the file, by place.
    #[must_use]
    pub fn others(&self) -> &[FileError] {
        &self.0.others
    }

    /// The file concerned.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The line, from 1, if the file could be read.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.0.place.as_ref().map(|place| place.line)
    }

    /// What was expected at that place.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.0.label
    }

    /// What could be done.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl std::fmt::Display for FileError {
    /// What is wrong, without the place.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref()?.source()
    }
}

impl Diagnostic for FileError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.0.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.place.as_ref().map(|place| &place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.0.place.as_ref()?.span.clone();
        let label = LabeledSpan::new_with_span(Some(self.0.label.clone()), SourceSpan::from(span));
        Some(Box::new(std::iter::once(label)))
    }
}

/// A problem with a text, before it is known which file the text is from.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub message: String,
    pub expected: String,
    pub help: Option<String>,
    pub span: Range<usize>,
}

impl Problem {
    pub fn new(span: Range<usize>, message: impl Into<String>, expected: impl Into<String>) -> Problem {
        Problem { message: message.into(), expected: expected.into(), help: None, span }
    }

    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// Whether it is a key that is not known.
    pub fn is_unknown_key(&self) -> bool {
        self.message.starts_with("unknown key ")
    }

    /// Whether a key is missing.
    pub fn is_missing(&self) -> bool {
        self.message.ends_with(" is missing")
    }

    /// The error, once the file's name and text are known.
    pub fn in_file(self, file: &str, text: &str) -> FileError {
        let start = self.span.start.min(text.len());
        let end = self.span.end.clamp(start, text.len());
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        let source = NamedSource::new(file, text.to_owned());
        FileError(Box::new(Details {
            message: self.message,
            label: self.expected,
            help: self.help,
            place: Some(Place { source, span: start..end, line }),
            file: file.to_owned(),
            source: None,
            others: Vec::new(),
        }))
    }
}

/// The mistakes that were found so far.
#[derive(Default)]
pub(crate) struct Mistakes(pub Vec<Problem>);

impl Mistakes {
    /// What was found, or after a mistake something in its place.
    pub fn or<T>(&mut self, found: Result<T, Problem>, instead: T) -> T {
        found.unwrap_or_else(|problem| {
            self.0.push(problem);
            instead
        })
    }

    /// What was found, if it was no mistake.
    pub fn ok<T>(&mut self, found: Result<T, Problem>) -> Option<T> {
        found.map_err(|problem| self.0.push(problem)).ok()
    }
}
