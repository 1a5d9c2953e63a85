//! Mounts that are attached nowhere yet, and what may be in the way of one.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};

use crate::Error;

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

/// Whether there is a `/sys` to cover.
pub fn preflight_sys() -> Result<(), Error> {
    if std::path::Path::new("/sys").is_dir() { Ok(()) } else { Err(Error::NoSys) }
}

/// Opens `/dev/fuse`: in the user namespace in which it will be mounted, or the kernel refuses it.
pub fn open_device() -> Result<OwnedFd, Error> {
    rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(
        |errno| match errno {
            Errno::NOENT | Errno::NODEV | Errno::NXIO => Error::NoDevice,
            Errno::ACCESS | Errno::PERM => Error::DeviceDenied(errno.into()),
            _ => Error::Setup { what: "opening /dev/fuse", source: errno.into() },
        },
    )
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

/// Why namespaces were refused.
pub fn namespaces_refused(error: io::Error) -> Error {
    let sysctl = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    if sysctl("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        return Error::NamespacesOff;
    }
    if sysctl("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return Error::NamespacesForRoot;
    }
    if sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        return Error::NamespacesAppArmor;
    }
    let filtered = std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"])));
    if filtered { Error::NamespacesContainer(error) } else { Error::Namespaces(error) }
}
