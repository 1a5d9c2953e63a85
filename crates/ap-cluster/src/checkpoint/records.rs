//! A file that says what it is and how long, and shows whether it is as it was written.
//!
//! A line with what it is, a line with its length in bytes, the bytes, and their checksum.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;

use crate::checkpoint::durable;
use crate::checkpoint::error::CheckpointError;

/// Lines at the beginning are not longer.
const LINE: u64 = 512;

/// Writes the pieces, one after the other, for that process.
pub(super) fn write<P: AsRef<[u8]>>(
    file: &Path,
    label: &str,
    process: usize,
    pieces: impl IntoIterator<Item = P, IntoIter: Clone>,
) -> Result<(), CheckpointError> {
    let pieces = pieces.into_iter();
    let length: u64 = pieces.clone().map(|piece| piece.as_ref().len() as u64).sum();
    durable::write(file, process, |out| {
        write!(out, "{label}\n{length}\n")?;
        let mut sum = crc32fast::Hasher::new();
        for piece in pieces {
            sum.update(piece.as_ref());
            out.write_all(piece.as_ref())?;
        }
        out.write_all(&sum.finalize().to_be_bytes())
    })
}

/// Reads the bytes of a file that must be what `label` says.
pub(super) fn read(file: &Path, label: &str) -> Result<Vec<u8>, CheckpointError> {
    let failed = |why| CheckpointError::io(file, why);
    let torn = || CheckpointError::Torn { file: file.to_owned() };
    let mut input = BufReader::new(File::open(file).map_err(failed)?);
    let mut line = || -> Result<String, CheckpointError> {
        let mut line = Vec::new();
        (&mut input).take(LINE).read_until(b'\n', &mut line).map_err(failed)?;
        let line = String::from_utf8(line).map_err(|_| torn())?;
        line.strip_suffix('\n').map(str::to_owned).ok_or_else(torn)
    };
    let is = line()?;
    if is != label {
        let (file, expected) = (file.to_owned(), label.to_owned());
        return Err(CheckpointError::Foreign { file, is, expected });
    }
    let length: u64 = line()?.parse().map_err(|_| torn())?;
    let mut bytes = Vec::new();
    (&mut input).take(length).read_to_end(&mut bytes).map_err(failed)?;
    let mut sum = Vec::new();
    input.read_to_end(&mut sum).map_err(failed)?;
    if bytes.len() as u64 != length || sum != crc32fast::hash(&bytes).to_be_bytes() {
        return Err(torn());
    }
    Ok(bytes)
}
