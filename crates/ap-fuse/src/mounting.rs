//! Mounts that are attached nowhere yet, and what may be in the way of one.
//!
//! It knows neither who serves a tree nor who will use it.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};

use crate::error::Error;

/// What `mount` and `/proc/mounts` show as source.
pub const SOURCE: &str = "apmatrix";

/// Finds out what is missing for a private `/sys`, without doing anything.
///
/// # Errors
/// The first thing that is missing.
pub fn preflight() -> Result<(), Error> {
    preflight_sys()?;
    open_device().map(drop)
}

/// Whether there is a `/sys` to cover, and the calls to do so.
pub fn preflight_sys() -> Result<(), Error> {
    preflight_calls()?;
    if Path::new("/sys").is_dir() { Ok(()) } else { Err(Error::NoSys) }
}

/// Whether the kernel has the calls with which mounts are made: an old one has not, nor has an emulator of another
/// processor (where the messages of `/dev/fuse` would have the wrong byte order besides).
pub fn preflight_calls() -> Result<(), Error> {
    // There is no such file system, and whoever may not mount is told that first.
    match fsopen("", FsOpenFlags::FSOPEN_CLOEXEC) {
        Err(Errno::NOSYS) => Err(Error::OldKernel),
        _ => Ok(()),
    }
}

/// The FUSE device.
const DEVICE: &str = "/dev/fuse";
/// Its number, on every Linux.
const NUMBER: (u32, u32) = (10, 229);

/// Opens `/dev/fuse`: in the user namespace in which it will be mounted, or the kernel refuses it.
pub fn open_device() -> Result<OwnedFd, Error> {
    let device = rustix::fs::open(DEVICE, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let device = device.map_err(|errno| match errno {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => Error::NoDevice,
        Errno::ISDIR => Error::NotTheDevice("a directory"),
        Errno::ACCESS | Errno::PERM => Error::DeviceDenied(errno.into()),
        _ => Error::Setup { what: "opening /dev/fuse", source: errno.into() },
    })?;
    let stat = rustix::fs::fstat(&device).map_err(Error::setup("looking at /dev/fuse"))?;
    let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice if number == NUMBER => {}
        FileType::CharacterDevice => return Err(Error::NotTheDevice("another device")),
        FileType::RegularFile => return Err(Error::NotTheDevice("a file")),
        _ => return Err(Error::NotTheDevice("something else")),
    }
    Ok(device)
}

/// Mounts an opened device, nowhere.
pub fn detached(device: &OwnedFd) -> Result<OwnedFd, Error> {
    let refused = |errno: Errno| match errno {
        Errno::NOSYS => Error::OldKernel,
        Errno::PERM | Errno::ACCESS => Error::MountDenied(errno.into()),
        // The type is unknown: no FUSE in this kernel.
        Errno::NODEV => Error::NoDevice,
        _ => Error::Setup { what: "mounting the tree", source: errno.into() },
    };
    let mount = || -> Result<OwnedFd, Errno> {
        let context = fsopen("fuse", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&context, "source", SOURCE)?;
        fsconfig_set_string(&context, "subtype", SOURCE)?;
        fsconfig_set_string(&context, "fd", device.as_raw_fd().to_string())?;
        fsconfig_set_string(&context, "rootmode", "40755")?;
        fsconfig_set_string(&context, "user_id", rustix::process::geteuid().as_raw().to_string())?;
        fsconfig_set_string(&context, "group_id", rustix::process::getegid().as_raw().to_string())?;
        fsconfig_set_flag(&context, "default_permissions")?;
        fsconfig_set_flag(&context, "allow_other")?;
        fsconfig_create(&context)?;
        let flags = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC
            | MountAttrFlags::MOUNT_ATTR_RELATIME;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)
    };
    mount().map_err(refused)
}

/// A new tmpfs that is mounted nowhere.
pub fn tmpfs() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", "tmpfs")?;
    fsconfig_set_string(&context, "mode", "0755")?;
    fsconfig_create(&context)?;
    fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV,
    )
}

/// A new mount, read only, of directories on top of each other, the first on top; nowhere attached.
///
/// # Errors
/// Where the kernel has no overlays, or not for us (in a user namespace before Linux 5.11).
pub fn overlay(layers: &str) -> rustix::io::Result<OwnedFd> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", SOURCE)?;
    fsconfig_set_string(&context, "lowerdir", layers)?;
    fsconfig_create(&context)?;
    let flags = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)
}

/// Which mounts are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One.
    Itself,
    /// It, and those below it.
    AllBelow,
}

/// Makes mounts read only.
///
/// # Errors
/// `ENOSYS` before Linux 5.12.
pub fn make_read_only(mount: &OwnedFd, reach: Reach) -> rustix::io::Result<()> {
    let recursive: u64 = if reach == Reach::AllBelow { 0x8000 } else { 0 };
    // `struct mount_attr`: what to set, what to clear, the propagation, a user namespace.
    let attributes: [u64; 4] = [1, 0, 0, 0];
    // SAFETY: the structure has that size, and is only read.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH as u64 | recursive,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    };
    if done < 0 { Err(Errno::from_raw_os_error(last_errno())) } else { Ok(()) }
}

fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// Attaches a mount to a place.
pub fn attach(mount: &OwnedFd, place: &Path) -> rustix::io::Result<()> {
    move_mount(mount, "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}
