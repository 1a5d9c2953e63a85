//! Namespaces of one's own: for mounts, for the network, and for the user where that is the only way to get them.
//!
//! What happens inside them is not its business.

use std::io;

use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::error::Error;
use crate::uevent;

/// Enters namespaces for mounts and, with `network`, for the network: directly if we may, else in a user namespace
/// whose root we are.
pub fn enter(network: bool) -> Result<(), Error> {
    let mut flags = UnshareFlags::NEWNS;
    if network {
        flags |= UnshareFlags::NEWNET;
    }
    // SAFETY: the process has one thread, whose file descriptors and memory stay as they are.
    match unsafe { unshare_unsafe(flags) } {
        Err(Errno::PERM) => enter_user_namespace(flags)?,
        other => other.map_err(|errno| refused(errno.into()))?,
    }
    // What is mounted here stays here; what the outside unmounts goes here, too.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|errno| Error::MountDenied(errno.into()))?;
    if network {
        uevent::loopback_up();
    }
    Ok(())
}

fn enter_user_namespace(flags: UnshareFlags) -> Result<(), Error> {
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    // SAFETY: as above.
    unsafe { unshare_unsafe(flags | UnshareFlags::NEWUSER) }.map_err(|errno| refused(errno.into()))?;
    let write = |file: &str, text: String| {
        std::fs::write(file, text).map_err(Error::setup("mapping the user into the user namespace"))
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// Why namespaces were refused.
fn refused(error: io::Error) -> Error {
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
