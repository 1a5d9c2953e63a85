//! What stays visible of the real `/sys` is taken before it is covered, and put back into the tree that covers it.
//!
//! Of that tree only the paths are known that were grafted for it.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, mkdir};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, open_tree, unmount,
};

use super::cover::taken;
use crate::error::Error;
use crate::graft::Stem;
use crate::mounting::{Reach, attach, make_read_only, tmpfs};

/// What programs look for that have nothing to do with AP.
///
/// `fs`: control groups with what is mounted below them, security modules. `devices/system`: processors, which C
/// libraries and run times count. `kernel/mm`: huge pages. `kernel/security`, `module/apparmor`: whether AppArmor
/// confines us. `module/kvm*`: what libvirt asks before it offers virtualization.
const REAL: [&str; 11] = [
    "fs",
    "devices/system",
    "kernel/mm",
    "kernel/security",
    "kernel/cgroup",
    "module/apparmor",
    "module/fuse",
    "module/kvm",
    "module/kvm_amd",
    "module/kvm_intel",
    "hypervisor",
];

/// The parts that may be written: control groups are made by whoever has the right to, and the network is our own. The
/// others are read only, so that nobody switches a real processor off, or has the real kernel send an event.
const WRITABLE: [&str; 3] = ["fs", NETWORK[0], NETWORK[1]];

/// Where the buses are, and how links of their devices are found.
const BUSES: &str = "/sys/bus";
/// How deep links are looked for below `devices/system`: a bus, its devices, what is in them.
const DEEP: usize = 3;
/// So many links of one directory's devices are looked at: on machines with more the rest are of a kind.
const MANY: usize = 4096;

/// Files of it: `udevadm settle` reads the first.
const REAL_FILES: [&str; 3] = ["kernel/uevent_seqnum", "kernel/cpu_byteorder", "kernel/address_bits"];

/// The network's part, of the network namespace that the command will be in.
const NETWORK: [&str; 2] = ["class/net", "devices/virtual/net"];

/// What every sysfs has, though here empty: the machine has no block devices, and programs that list them (lsblk,
/// findmnt, udevadm) stumble over absent directories only. The modules are those that chzdev would otherwise load.
const EMPTY: [&str; 10] = [
    "block",
    "class/block",
    "dev/block",
    "firmware",
    "power",
    "module/ctcm",
    "module/dasd_eckd_mod",
    "module/dasd_fba_mod",
    "module/qeth",
    "module/zfcp",
];

/// A part of the real `/sys`, in hand.
struct Part {
    path: String,
    stem: Stem,
    mount: OwnedFd,
}

/// The parts that stay.
pub struct Kept {
    parts: Vec<Part>,
    /// Where links of theirs lead that lead to nothing that stays: there are directories, and nothing is in them.
    ends: Vec<String>,
}

impl Kept {
    /// Takes them; those that this machine lacks are left out. `fresh`: we are in a network namespace of our own.
    pub fn take(fresh: bool, more: &[String]) -> Kept {
        let mut kept = Kept { parts: Vec::new(), ends: Vec::new() };
        let more = more.iter().map(|path| path.trim_matches('/'));
        for path in REAL.into_iter().chain(REAL_FILES).chain(more) {
            kept.add(path);
        }
        kept.add_buses();
        kept.ends = kept.find_ends();
        // A sysfs shows the network namespace in which it was mounted: ours needs another one.
        let covered = fresh && cover_with_sysfs().is_ok();
        for path in NETWORK {
            kept.add(path);
        }
        if covered {
            let _ = unmount("/sys", UnmountFlags::DETACH);
        }
        kept
    }

    fn add(&mut self, path: &str) {
        self.add_as(path, true);
    }

    /// Adds a path of the real tree; whether its directory lists it.
    fn add_as(&mut self, path: &str, listed: bool) {
        let real = Path::new("/sys").join(path);
        // Not what another part contains or is; and no link.
        let Ok(metadata) = real.symlink_metadata() else { return };
        if self.has(Path::new(path)) || metadata.is_symlink() {
            return;
        }
        match taken(&real) {
            Ok(mount) => {
                if REAL.contains(&path) | path.starts_with("bus/")
                    && !WRITABLE.contains(&path)
                    && let Err(errno) = make_read_only(&mount, Reach::AllBelow)
                {
                    tracing::debug!("/sys/{path} can be written: {errno}");
                }
                let stem = match (metadata.is_dir(), listed) {
                    (false, _) => Stem::File,
                    (true, true) => Stem::Directory,
                    (true, false) => Stem::Unlisted,
                };
                self.parts.push(Part { path: path.to_owned(), stem, mount });
            }
            Err(errno) => tracing::debug!("/sys/{path} doesn't stay: {errno}"),
        }
    }

    fn has(&self, path: &Path) -> bool {
        self.parts.iter().any(|part| path.starts_with(&part.path))
    }

    /// Takes the buses whose devices stay: `subsystem` of each of these leads there. They are not listed: who looks
    /// for devices finds the machine's.
    fn add_buses(&mut self) {
        for bus in std::fs::read_dir(BUSES).into_iter().flatten().flatten() {
            let mut devices = std::fs::read_dir(bus.path().join("devices")).into_iter().flatten().flatten();
            let stays = devices.next().and_then(|device| below_sys(&device.path()));
            if stays.is_some_and(|path| self.has(&path))
                && let Some(name) = bus.file_name().to_str()
            {
                self.add_as(&format!("bus/{name}"), false);
            }
        }
    }

    /// Where links of the devices that stay lead to nothing that does.
    fn find_ends(&self) -> Vec<String> {
        let mut links = Vec::new();
        collect_links(Path::new("/sys/devices/system"), DEEP, &mut links);
        let mut ends: Vec<String> = links
            .iter()
            .filter_map(|link| below_sys(link))
            .filter(|path| !self.has(path) && Path::new("/sys").join(path).exists())
            .filter_map(|path| path.to_str().map(str::to_owned))
            .collect();
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    /// The mount points that the tree has to have, and the empty directories.
    pub fn stems(&self) -> Vec<(String, Stem)> {
        let parts = self.parts.iter().map(|part| (part.path.clone(), part.stem));
        let ends = self.ends.iter().map(|path| (path.clone(), Stem::Unlisted));
        let empty = EMPTY.iter().map(|path| ((*path).to_owned(), Stem::Directory));
        parts.chain(empty).chain(ends).collect()
    }

    /// Puts those that are among `grafted` (the tree may have a directory of its own there) back.
    pub fn put_back(self, grafted: &[String]) -> Result<(), Error> {
        for part in self.parts {
            if !grafted.contains(&part.path) {
                continue;
            }
            let target = Path::new("/sys").join(&part.path);
            attach(&part.mount, &target).map_err(Error::setup("putting a part of the real /sys back"))?;
        }
        Ok(())
    }
}

/// Where a link leads, relative to `/sys`; `None` if it leads out of it.
fn below_sys(link: &Path) -> Option<PathBuf> {
    // Links of a sysfs are relative, and lead through no others.
    let mut path = link.parent()?.to_path_buf();
    for part in std::fs::read_link(link).ok()?.components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    path.strip_prefix("/sys").ok().map(Path::to_path_buf)
}

/// The links in a directory and those below it. Blocks of memory, of which there can be many thousands, have but links
/// that stay.
fn collect_links(directory: &Path, depth: usize, links: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten().take(MANY) {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_symlink() && entry.file_name() != "subsystem" {
            links.push(entry.path());
        } else if kind.is_dir() && depth > 0 && !entry.file_name().as_bytes().starts_with(b"memory") {
            collect_links(&entry.path(), depth - 1, links);
        }
    }
}

/// Hides a sysfs and a proc in a directory that will be covered.
///
/// A nested user namespace may mount one afresh only where it sees one of which nothing is covered, reachable or not:
/// the kernel does not want it to see what somebody hid. Of ours parts are covered.
pub fn hide_whole_ones() {
    let hidden = || -> rustix::io::Result<()> {
        let whole = [("sysfs", "/sys"), ("proc", "/proc")].map(|(kind, place)| {
            // One with mounts of others in it can't be taken alone.
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            (kind, open_tree(CWD, place, flags).or_else(|_| fresh(kind)))
        });
        attach(&tmpfs()?, Path::new("/sys"))?;
        for (kind, mount) in whole {
            let place = Path::new("/sys").join(kind);
            let attached = mount.and_then(|mount| {
                mkdir(&place, 0o755.into())?;
                attach(&mount, &place)
            });
            if let Err(errno) = attached {
                tracing::debug!("no whole {kind} for nested namespaces: {errno}");
            }
        }
        Ok(())
    };
    if let Err(errno) = hidden() {
        tracing::debug!("nothing for nested namespaces: {errno}");
    }
}

/// A new mount of one of the kernel's own file systems.
fn fresh(kind: &str) -> rustix::io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", kind)?;
    fsconfig_create(&context)?;
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)
}

fn cover_with_sysfs() -> Result<(), Errno> {
    attach(&fresh("sysfs")?, Path::new("/sys"))
}
