//! Directories in which tools keep what belongs to the machine: a run has copies of its own.
//!
//! mdevctl's definitions and udev's rules for the AP masks would otherwise outlive the machine that they are about,
//! and an ordinary user could not write them at all.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::mounting::{attach, tmpfs};

/// The directories: mdevctl's definitions and scripts, and `41-ap.rules` of `chzdev -p` and ap-check.
const DIRECTORIES: [&str; 2] = ["/etc/mdevctl.d", "/etc/udev/rules.d"];

/// Nothing in there is as large; what is, stays away.
const LARGEST: u64 = 1 << 20;
/// How deep copies go.
const DEPTH: usize = 6;

/// Covers the directories that exist with copies. A tool can do without: nothing of this is an error.
pub fn provide_copies() {
    for directory in DIRECTORIES {
        let directory = Path::new(directory);
        if directory.is_dir()
            && let Err(error) = cover(directory)
        {
            tracing::debug!("{} is not private: {error}", directory.display());
        }
    }
}

enum Copy {
    Directory(u32),
    File(u32, Vec<u8>),
    Link(PathBuf),
}

fn cover(directory: &Path) -> std::io::Result<()> {
    let mut copies = Vec::new();
    collect(directory, Path::new(""), DEPTH, &mut copies)?;
    attach(&tmpfs()?, directory)?;
    for (name, copy) in copies {
        let path = directory.join(name);
        match copy {
            Copy::Directory(mode) => DirBuilder::new().mode(mode).create(path)?,
            Copy::File(mode, bytes) => {
                OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(&bytes)?;
            }
            Copy::Link(target) => symlink(target, path)?,
        }
    }
    Ok(())
}

/// Everything below `top`/`below` that can be read, directories before what is in them.
fn collect(top: &Path, below: &Path, depth: usize, copies: &mut Vec<(PathBuf, Copy)>) -> std::io::Result<()> {
    for entry in fs::read_dir(top.join(below))? {
        let entry = entry?;
        let name = below.join(entry.file_name());
        let metadata = entry.metadata()?;
        // The owner, who we now are, may always do something with them.
        let mode = metadata.mode() & 0o777 | 0o600;
        if metadata.is_symlink() {
            copies.push((name, Copy::Link(fs::read_link(entry.path())?)));
        } else if metadata.is_dir() {
            copies.push((name.clone(), Copy::Directory(mode | 0o100)));
            if depth > 0 {
                // Of a directory that we may not read there is an empty one.
                let _ = collect(top, &name, depth - 1, copies);
            }
        } else if metadata.is_file()
            && metadata.len() <= LARGEST
            && let Ok(bytes) = fs::read(entry.path())
        {
            copies.push((name, Copy::File(mode, bytes)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_collected() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut copies = Vec::new();
        collect(top, Path::new(""), 1, &mut copies).expect("it can be read");
        let position = |name: &str| copies.iter().position(|(path, _)| path == Path::new(name));
        assert!(position("src") < position("src/lib.rs") && position("src").is_some());
        assert!(position("src/server/handles.rs").is_none());
        let (_, Copy::File(mode, bytes)) = &copies[position("Cargo.toml").expect("a file")] else {
            panic!("a file")
        };
        assert!(mode & 0o600 == 0o600 && bytes.starts_with(b"[package]"));
    }
}
