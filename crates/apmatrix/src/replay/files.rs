//! Where transcripts come from: `.jsonl` files, directories of them, and `.tar.xz` archives.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use ap_files::said;
use ap_files::transcript::{Lines, TranscriptError};

fn refused(path: &Path, error: &io::Error) -> TranscriptError {
    let message = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("{}: `ls -l {}` says who may read it", said(error), path.display())
        }
        // What unpacks and what reads the archive have words of their own.
        _ if error.raw_os_error().is_none() => "the archive is damaged, or cut off: fetch it anew".to_owned(),
        _ => said(error),
    };
    TranscriptError { file: path.display().to_string(), line: None, message }
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
pub fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, TranscriptError> {
    let mut inputs = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| refused(path, &error))?;
        if metadata.is_dir() {
            let before = inputs.len();
            let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let mut found: Vec<PathBuf> = entries
                .map_err(|error| refused(path, &error))?
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

fn expected(path: &Path, what: &str) -> TranscriptError {
    TranscriptError { file: path.display().to_string(), line: None, message: format!("expected {what}") }
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

impl Input {
    /// Calls `each` with the name and the lines of every transcript of this source, until it says stop.
    ///
    /// # Errors
    /// Those of `each`, and an [`TranscriptError`] if the source cannot be read.
    pub fn each<E: From<TranscriptError>>(
        &self,
        each: &mut dyn FnMut(&str, &mut Lines<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Input::Transcript(path) => {
                let file = File::open(path).map_err(|error| refused(path, &error))?;
                each(&name_of(path), &mut Lines::new(path.display().to_string(), Box::new(file)))
            }
            Input::Archive(path) => {
                let failed = |error: io::Error| refused(path, &error);
                let file = File::open(path).map_err(failed)?;
                let unpacked = lzma_rust2::XzReader::new(BufReader::new(file), true);
                let mut archive = tar::Archive::new(unpacked);
                let mut none = true;
                for entry in archive.entries().map_err(failed)? {
                    let entry = entry.map_err(failed)?;
                    let inner = entry.path().map_err(failed)?.into_owned();
                    if inner.extension().is_some_and(|extension| extension == "jsonl") {
                        none = false;
                        let file = format!("{}/{}", path.display(), inner.display());
                        each(&name_of(&inner), &mut Lines::new(file, Box::new(entry)))?;
                    }
                }
                if none {
                    Err(expected(path, "an archive with transcripts (.jsonl) in it").into())
                } else {
                    Ok(())
                }
            }
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
