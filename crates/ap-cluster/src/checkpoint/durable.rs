//! A file that is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use crate::checkpoint::error::CheckpointError;

/// Writes a file under another name, makes it durable, and gives it its own. Several processes may write the same one.
pub(super) fn write(
    file: &Path,
    process: usize,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), CheckpointError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let draft = file.with_file_name(format!(".{name}.{process}"));
    let write = || {
        let mut out = BufWriter::new(File::create(&draft)?);
        fill(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&draft, file)
    };
    write().map_err(|why| CheckpointError::io(file, why))
}
