//! A directory of this host in which a run may add names: it is covered by a tmpfs with everything of the real one in
//! it.
//!
//! What is added, and why, is not known here.

use std::ffi::{CString, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, mkdir, open, symlink};
use rustix::mount::{OpenTreeFlags, UnmountFlags, open_tree, unmount};

use crate::mounting::{Reach, attach, make_read_only, overlay, tmpfs};

/// Directories of `/dev` in which everybody makes files, on whatever file system they are.
const SHARED: [&str; 4] = ["shm", "mqueue", "pts", "hugepages"];
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

/// Covers `directory` by one, read only, that has links of these names in it, too.
///
/// An overlay of two layers does, where the kernel lets us have one: parts of the real one, mounted one by one as in
/// [`cover`], would be hundreds.
///
/// # Errors
/// If there can be no overlay here.
pub fn add_links(directory: &Path, links: &[(&str, &Path)]) -> rustix::io::Result<()> {
    let real = taken(directory)?;
    // On the place itself, where the overlay will hide it: nothing else has to be there.
    attach(&tmpfs()?, directory)?;
    let laid = || -> rustix::io::Result<()> {
        let [own, below] = ["own", "real"].map(|name| directory.join(name));
        mkdir(&own, 0o755.into())?;
        mkdir(&below, 0o755.into())?;
        attach(&real, &below)?;
        links.iter().try_for_each(|(name, target)| symlink(*target, own.join(name)))?;
        let layers = format!("{}:{}", own.display(), below.display());
        attach(&overlay(&layers)?, directory)
    };
    laid().inspect_err(|_| {
        let _ = unmount(directory, UnmountFlags::DETACH);
    })
}

/// Ends adding: what somebody else made there would be gone with the run, and he not know it.
///
/// # Errors
/// As mount_setattr(2).
pub fn close(directory: &Path) -> rustix::io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    make_read_only(&open(directory, flags, Mode::empty())?, Reach::Itself)
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
                if inside == Inside::ReadOnly && of_it && !SHARED.iter().any(|shared| name == *shared) {
                    make_read_only(&mount, Reach::AllBelow)?;
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
