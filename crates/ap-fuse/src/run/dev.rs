//! A private `/dev`: this host's, and the nodes of the machine's devices, which come and go with their events.
//!
//! What is behind a node is the tree's business ([`nodes`]). A node is a mount of the tree's own, since an ordinary
//! user may make none, and since whoever opened a real one would reach a driver of this host, if it has one of that
//! number.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ap_sysfs::{DeviceNumber, Uevent};
use rustix::fs::{FileType, Mode, lstat, mkdir, rmdir, symlink, unlink};
use rustix::mount::{OpenTreeFlags, UnmountFlags, open_tree, unmount};

use super::cover::{Inside, cover, make_file, taken};
use crate::mounting::{Reach, attach, make_read_only, tmpfs};
use crate::server::nodes;

/// What a real host with such devices has there itself, or a run around this one.
const OURS: [&str; 4] = ["vfio", "z90crypt", "zcrypt", ".apmatrix"];
/// Makes pseudo-terminals, where it is a device and no link to one of devpts.
const PTMX: &str = "/dev/ptmx";
/// Where all of the real `/dev` is, for it.
const REAL: &str = "/dev/.real";

/// Where programs of ours stand that this host lacks.
pub const PROGRAMS: &str = "/dev/.apmatrix";

/// The nodes in a private `/dev`.
pub struct Nodes {
    tree: OwnedFd,
    /// By number: where the node is, and the link to it.
    made: BTreeMap<DeviceNumber, (PathBuf, Option<PathBuf>)>,
}

/// Covers what a run has itself where the real `/dev` is shown, too: nobody in a run comes by a real host's crypto devices.
fn hide(real: &Path) -> rustix::io::Result<()> {
    let empty = Path::new("/dev/.empty");
    make_file(empty)?;
    for name in OURS {
        let place = real.join(name);
        let Ok(stat) = lstat(&place) else { continue };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => attach(&tmpfs()?, &place)?,
            // Whoever has the right to make one may as well open what it leads to.
            FileType::Symlink => {}
            _ => attach(&taken(empty)?, &place)?,
        }
    }
    unlink(empty)
}

impl Nodes {
    /// Makes `/dev` private. `tree` is the root of the tree.
    ///
    /// # Errors
    /// If it can't be covered.
    pub fn provide(tree: OwnedFd) -> rustix::io::Result<Nodes> {
        let terminals = real_for_terminals();
        let except: Vec<&str> = OURS.into_iter().chain(terminals.is_some().then_some("ptmx")).collect();
        // Read only: a udevd of root sets owners and modes of nodes that are there from the start.
        cover(Path::new("/dev"), &except, Inside::ReadOnly)?;
        if let Some(real) = terminals {
            mkdir(REAL, Mode::from_raw_mode(0o755))?;
            attach(&real, Path::new(REAL))?;
            symlink(Path::new(".real/ptmx"), Path::new(PTMX))?;
            hide(Path::new(REAL))?;
        }
        for name in ["vfio", "zcrypt"] {
            mkdir(Path::new("/dev").join(name), Mode::from_raw_mode(0o755))?;
        }
        Ok(Nodes { tree, made: BTreeMap::new() })
    }

    /// Does what the kernel does to `/dev` before it sends an event.
    pub fn follow(&mut self, uevent: &Uevent) {
        let value = |key: &str| uevent.env.iter().find(|(name, _)| name == key).map(|(_, v)| v.as_str());
        let number = || {
            Some(DeviceNumber { major: value("MAJOR")?.parse().ok()?, minor: value("MINOR")?.parse().ok()? })
        };
        let (Some(number), Some(name)) = (number(), value("DEVNAME")) else { return };
        match uevent.action.as_str() {
            "add" => self.add(number, name, value("SUBSYSTEM") == Some("zcrypt")),
            "remove" => self.remove(number),
            _ => {}
        }
    }

    /// Makes the node of a device; one of zcrypt's has a link in `/dev/zcrypt`, too. What `/dev` has already stays.
    pub fn add(&mut self, number: DeviceNumber, name: &str, of_zcrypt: bool) {
        let made = || -> rustix::io::Result<(PathBuf, Option<PathBuf>)> {
            if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(rustix::io::Errno::INVAL);
            }
            let path = Path::new("/dev").join(name);
            if let Some(directory) = path.parent() {
                let _ = std::fs::create_dir_all(directory);
            }
            make_file(&path)?;
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            let mounted =
                open_tree(&self.tree, nodes::path(number), flags).and_then(|mount| attach(&mount, &path));
            if let Err(errno) = mounted {
                let _ = unlink(&path);
                return Err(errno);
            }
            let link = of_zcrypt.then(|| Path::new("/dev/zcrypt").join(name.replace('/', "!")));
            if let Some(link) = &link {
                let _ = symlink(Path::new("..").join(name), link);
            }
            Ok((path, link))
        };
        match made() {
            Ok(made) => {
                self.made.insert(number, made);
            }
            Err(errno) => tracing::debug!("no node {name}: {errno}"),
        }
    }

    fn remove(&mut self, number: DeviceNumber) {
        let Some((path, link)) = self.made.remove(&number) else { return };
        let _ = unmount(&path, UnmountFlags::DETACH);
        let _ = unlink(&path);
        if let Some(link) = link {
            let _ = unlink(link);
        }
        // Directories that came with it.
        let up = path.ancestors().skip(1).take_while(|up| *up != Path::new("/dev"));
        for directory in up.filter(|up| !OURS.iter().any(|ours| up.ends_with(ours))) {
            let _ = rmdir(directory);
        }
    }
}

/// All of the real `/dev`, if pseudo-terminals need it: the device that makes them looks for `pts` beside itself, in the
/// mount by which it was reached, where a mount of it alone has nothing.
fn real_for_terminals() -> Option<OwnedFd> {
    let device = rustix::fs::lstat(PTMX).ok().map(|stat| FileType::from_raw_mode(stat.st_mode))?;
    if device != FileType::CharacterDevice {
        return None;
    }
    let real = taken(Path::new("/dev")).ok()?;
    make_read_only(&real, Reach::Itself).ok()?;
    Some(real)
}
