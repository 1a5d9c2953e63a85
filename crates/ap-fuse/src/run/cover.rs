//! A directory of this host in which a run may add names: it is covered by a tmpfs with everything of the real one in
//! it.
//!
//! What is added, and why, is not known here.

use std::ffi::{CString, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, mkdir, open, symlink};
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::mounting::{attach, make_read_only, tmpfs};

/// So many parts are taken; what has more is left as it is.
const MOST: usize = 2000;

/// Something of the real directory, in hand.
enum Part {
    Directory(OwnedFd),
    File(OwnedFd),
    Link(CString),
}

/// What of the real directory's content can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Everything, by whoever has the right to.
    Writable,
    /// Nothing, but for what is on other file systems. Device nodes can be used all the same.
    ReadOnly,
}

/// Covers `directory`, leaving those out that are called like `except`.
///
/// # Errors
/// If it can't be read, or not be covered.
pub fn cover(directory: &Path, except: &[&str], inside: Inside) -> rustix::io::Result<()> {
    let parts = parts(directory, except, inside)?;
    attach(&tmpfs()?, directory)?;
    for (name, part) in parts {
        let place = directory.join(&name);
        match part {
            Part::Directory(mount) => {
                mkdir(&place, 0o755.into())?;
                attach(&mount, &place)?;
            }
            Part::File(mount) => {
                make_file(&place)?;
                attach(&mount, &place)?;
            }
            Part::Link(target) => symlink(&target, &place)?,
        }
    }
    Ok(())
}

/// Makes an empty file, as the place of a mount or as a sign.
///
/// # Errors
/// As open(2).
pub fn make_file(path: &Path) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    open(path, flags, Mode::from_raw_mode(0o600)).map(drop)
}

/// A mount of a part of the real tree, attached nowhere.
///
/// # Errors
/// As open_tree(2).
pub fn taken(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, path, flags)
}

fn parts(directory: &Path, except: &[&str], inside: Inside) -> rustix::io::Result<Vec<(OsString, Part)>> {
    let entries = std::fs::read_dir(directory)
        .map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))?;
    let device = rustix::fs::stat(directory)?.st_dev;
    let mut parts = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        if except.iter().any(|left_out| name == *left_out) {
            continue;
        }
        if parts.len() == MOST {
            return Err(rustix::io::Errno::TOOBIG);
        }
        let Ok(kind) = entry.file_type() else { continue };
        let part = if kind.is_symlink() {
            Part::Link(rustix::fs::readlink(entry.path(), Vec::new())?)
        } else {
            let path = entry.path();
            let of_it = rustix::fs::lstat(&path).is_ok_and(|stat| stat.st_dev == device);
            let taken = taken(&path).and_then(|mount| {
                if inside == Inside::ReadOnly && of_it {
                    make_read_only(&mount)?;
                }
                Ok(mount)
            });
            match taken {
                Ok(mount) if kind.is_dir() => Part::Directory(mount),
                Ok(mount) => Part::File(mount),
                // It went meanwhile.
                Err(rustix::io::Errno::NOENT) => continue,
                // Better all of the real one than a part of it.
                Err(errno) => return Err(errno),
            }
        };
        parts.push((name, part));
    }
    Ok(parts)
}
