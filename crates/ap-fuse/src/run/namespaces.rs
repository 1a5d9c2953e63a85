//! Namespaces of one's own: for mounts, for the network, and for the user where that is the only way to get them.
//!
//! What happens inside them is not its business.

use std::io;

use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::error::Error;
use crate::uevent;

/// Whose root we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// This host's, or the container's.
    Host,
    /// That of a user namespace of our own.
    UserNamespace,
}

/// Who exists in a user namespace.
enum Mapping {
    /// Only whoever makes it, as root.
    OnlyRoot { user: u32, group: u32 },
    /// Everybody, as they are.
    Everybody,
}

/// Enters namespaces for mounts and, with `network`, for the network: directly if we may, else in a user namespace
/// whose root we are.
pub fn enter(network: bool) -> Result<Entered, Error> {
    let mut flags = UnshareFlags::NEWNS;
    if network {
        flags |= UnshareFlags::NEWNET;
    }
    // SAFETY: the process has one thread, whose file descriptors and memory stay as they are.
    let mut entered = match unsafe { unshare_unsafe(flags) } {
        Err(Errno::PERM) => {
            let user = rustix::process::geteuid().as_raw();
            let group = rustix::process::getegid().as_raw();
            enter_user_namespace(flags, &Mapping::OnlyRoot { user, group })?;
            Entered::UserNamespace
        }
        other => other.map(|()| Entered::Host).map_err(|errno| refused(errno, network))?,
    };
    // What is mounted here stays here; what the outside unmounts goes here, too.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|errno| Error::MountDenied(errno.into()))?;
    if network && !uevent::loopback_up() {
        // The network is ours, but not the right to use it (a container with SYS_ADMIN only): in a user namespace it
        // is.
        match enter_user_namespace(flags, &Mapping::Everybody) {
            Ok(()) => entered = Entered::UserNamespace,
            Err(error) => tracing::debug!("no user namespace for the network: {error}"),
        }
        if entered == Entered::Host || !uevent::loopback_up() {
            eprintln!(
                "apmatrix: there is no network, not even to oneself, and no events of udev: give the container \
                 `--cap-add NET_ADMIN`"
            );
        }
    }
    Ok(entered)
}

fn enter_user_namespace(flags: UnshareFlags, mapping: &Mapping) -> Result<(), Error> {
    let network = flags.contains(UnshareFlags::NEWNET);
    // SAFETY: as above.
    unsafe { unshare_unsafe(flags | UnshareFlags::NEWUSER) }.map_err(|errno| refused(errno, network))?;
    let write = |file: &str, text: String| {
        // A namespace that may be made, but not used, is as good as none.
        std::fs::write(file, text).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => Error::NoProc,
            Some(errno) => refused(errno, network),
            None => Error::Setup { what: "mapping the user into the user namespace", source: error },
        })
    };
    match mapping {
        Mapping::OnlyRoot { user, group } => {
            write("/proc/self/setgroups", "deny".to_owned())?;
            write("/proc/self/uid_map", format!("0 {user} 1"))?;
            write("/proc/self/gid_map", format!("0 {group} 1"))
        }
        Mapping::Everybody => {
            write("/proc/self/uid_map", "0 0 4294967295".to_owned())?;
            write("/proc/self/gid_map", "0 0 4294967295".to_owned())
        }
    }
}

/// Why namespaces were refused.
fn refused(errno: Errno, network: bool) -> Error {
    let sysctl = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let is_off = |path| sysctl(path).as_deref() == Some("0");
    if is_off("/proc/sys/user/max_user_namespaces") {
        return Error::NamespacesOff;
    }
    if network && is_off("/proc/sys/user/max_net_namespaces") {
        return Error::NetworksOff;
    }
    if is_off("/proc/sys/user/max_mnt_namespaces") {
        return Error::MountsOff;
    }
    if is_off("/proc/sys/kernel/unprivileged_userns_clone") {
        return Error::NamespacesForRoot;
    }
    if sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        return Error::NamespacesAppArmor;
    }
    if errno == Errno::NOSPC || errno == Errno::USERS {
        return Error::NamespacesUsedUp;
    }
    let error = io::Error::from(errno);
    let filtered = std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"])));
    if filtered { Error::NamespacesContainer(error) } else { Error::Namespaces(error) }
}
