//! Puts up the sign that udev runs, in a mount namespace of our own. The events themselves come from elsewhere.

use std::ffi::{CString, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, OFlags, mkdir, open, symlink};
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::mounting::{attach, tmpfs};

/// Makes libudev believe that udev runs, so that it listens to udev's group: it looks for this file.
///
/// Where there is no `/run/udev` to cover, the whole `/run` is covered by one that has it, and everything else of
/// the real one. The command can do without: nothing of this is an error.
pub fn provide_control() {
    let made = || -> rustix::io::Result<()> {
        let udev = Path::new("/run/udev");
        if !udev.is_dir() {
            let real = parts_of("/run")?;
            attach(&tmpfs()?, Path::new("/run"))?;
            for (name, part) in real {
                let place = Path::new("/run").join(&name);
                match part {
                    Part::Directory(mount) => {
                        mkdir(&place, 0o755.into())?;
                        attach(&mount, &place)?;
                    }
                    Part::File(mount) => {
                        open(&place, OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, 0o600.into())?;
                        attach(&mount, &place)?;
                    }
                    Part::Link(target) => symlink(&target, &place)?,
                }
            }
            mkdir(udev, 0o755.into())?;
        }
        attach(&tmpfs()?, udev)?;
        open(udev.join("control"), OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, 0o600.into())?;
        mkdir(udev.join("data"), 0o755.into())
    };
    if let Err(errno) = made() {
        tracing::debug!("no /run/udev/control: {errno}");
    }
}

enum Part {
    Directory(OwnedFd),
    File(OwnedFd),
    Link(CString),
}

fn parts_of(directory: &str) -> rustix::io::Result<Vec<(OsString, Part)>> {
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let Ok(kind) = entry.file_type() else { continue };
        let part = if kind.is_symlink() {
            Part::Link(rustix::fs::readlink(entry.path(), Vec::new())?)
        } else if kind.is_dir() {
            Part::Directory(open_tree(CWD, entry.path(), flags)?)
        } else {
            Part::File(open_tree(CWD, entry.path(), flags)?)
        };
        parts.push((entry.file_name(), part));
    }
    Ok(parts)
}
