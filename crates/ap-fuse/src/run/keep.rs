//! What stays visible of the real `/sys` is taken before it is covered, and put back into the tree that covers it.
//!
//! Of that tree only the paths are known that were grafted for it.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, open_tree, unmount,
};

use crate::error::Error;
use crate::graft::Stem;
use crate::mounting::attach;

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
pub struct Kept(Vec<Part>);

impl Kept {
    /// Takes them; those that this machine lacks are left out. `fresh`: we are in a network namespace of our own.
    pub fn take(fresh: bool, more: &[String]) -> Kept {
        let mut kept = Kept(Vec::new());
        let more = more.iter().map(|path| path.trim_matches('/'));
        for path in REAL.into_iter().chain(REAL_FILES).chain(more) {
            kept.add(path);
        }
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
        let real = Path::new("/sys").join(path);
        // Not what another part contains or is; and no link.
        let known = self.0.iter().any(|part| Path::new(path).starts_with(&part.path));
        let Ok(metadata) = real.symlink_metadata() else { return };
        if known || metadata.is_symlink() {
            return;
        }
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        match open_tree(CWD, &real, flags) {
            Ok(mount) => {
                let stem = if metadata.is_dir() { Stem::Directory } else { Stem::File };
                self.0.push(Part { path: path.to_owned(), stem, mount });
            }
            Err(errno) => tracing::debug!("/sys/{path} doesn't stay: {errno}"),
        }
    }

    /// The mount points that the tree has to have, and the empty directories.
    pub fn stems(&self) -> Vec<(String, Stem)> {
        let parts = self.0.iter().map(|part| (part.path.clone(), part.stem));
        let empty = EMPTY.iter().map(|path| ((*path).to_owned(), Stem::Directory));
        parts.chain(empty).collect()
    }

    /// Puts those that are among `grafted` (the tree may have a directory of its own there) back.
    pub fn put_back(self, grafted: &[String]) -> Result<(), Error> {
        for part in self.0 {
            if !grafted.contains(&part.path) {
                continue;
            }
            let target = Path::new("/sys").join(&part.path);
            attach(&part.mount, &target).map_err(Error::setup("putting a part of the real /sys back"))?;
        }
        Ok(())
    }
}

fn cover_with_sysfs() -> Result<(), Errno> {
    let context = fsopen("sysfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", "sysfs")?;
    fsconfig_create(&context)?;
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)?;
    attach(&mount, Path::new("/sys"))
}
