//! Directories whose files are about processes of one system: a run has empty ones of its own.

use std::path::Path;

use crate::mounting::{attach, tmpfs};

/// Locks: of other namespaces' processes, whose numbers mean others here.
const DIRECTORIES: [&str; 2] = ["/run/lock", "/var/lock"];

/// Covers them, where they are directories of their own.
pub fn provide_private() {
    for directory in DIRECTORIES.map(Path::new) {
        let own = directory.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        if own {
            provide_directory(directory);
        }
    }
}

/// Covers one.
pub fn provide_directory(directory: &Path) {
    if let Err(errno) = tmpfs().and_then(|mount| attach(&mount, directory)) {
        tracing::debug!("{} is not private: {errno}", directory.display());
    }
}
