//! Why a checkpoint can't be used.

use std::io;
use std::path::{Path, PathBuf};

/// Why a checkpoint can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file or folder can't be read or written.
    #[error("the checkpoint's {}: {why}", path.display())]
    Io {
        /// It.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// A folder holds something else.
    #[error("{} is no checkpoint: it holds `{strange}`", folder.display())]
    NotOurs {
        /// The folder.
        folder: PathBuf,
        /// One of the things that it holds.
        strange: String,
    },
    /// The format is another one.
    #[error("the checkpoint {} has the format `{version}`, which this version does not read", folder.display())]
    Version {
        /// The folder.
        folder: PathBuf,
        /// What it says.
        version: String,
    },
    /// It is a checkpoint of another search.
    #[error("the checkpoint {} is of another search: its {fact} is `{theirs}`, and here it is `{ours}`", folder.display())]
    Other {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        fact: String,
        /// What it is there.
        theirs: String,
        /// What it is here.
        ours: String,
    },
    /// A search uses it.
    #[error("the checkpoint {} is in use by process {process} of another search", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Which process has it open.
        process: usize,
    },
    /// A file is shorter or longer than it says, or its checksum is another one.
    #[error("{} is torn: it is not as it was written", file.display())]
    Torn {
        /// The file.
        file: PathBuf,
    },
    /// A file says that it is something else.
    #[error("{} says that it is `{is}`, expected `{expected}`", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it says.
        is: String,
        /// What was expected.
        expected: String,
    },
    /// A level was written by other processes with folders of their own.
    #[error("{} does not hold all of level {level}, which {workers} workers wrote: go on with as many, in as many processes", folder.display())]
    NotWhole {
        /// The folder.
        folder: PathBuf,
        /// The level.
        level: u32,
        /// How many wrote it.
        workers: usize,
    },
}

impl CheckpointError {
    pub(super) fn io(path: &Path, why: io::Error) -> CheckpointError {
        CheckpointError::Io { path: path.to_owned(), why }
    }
}
