//! Namespaces of one's own: for mounts, for the network, and for the user where that is the only way to get them.
//!
//! What happens inside them is not its business.

use std::io;

use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::error::Error;
use crate::uevent;

/// Who exists in the namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// Everybody, as on this host or in the container.
    WithEverybody,
    /// Only whoever runs this, as root.
    AsOnlyUser,
}

/// Enters namespaces for mounts and, with `network`, for the network: directly if we may, else in a user namespace
/// whose root we are.
pub fn enter(network: bool) -> Result<Entered, Error> {
    let mut flags = UnshareFlags::NEWNS;
    if network {
        flags |= UnshareFlags::NEWNET;
    }
    let entered = match unshare(flags) {
        Err(Errno::PERM) => {
            enter_as_only_user(flags)?;
            Entered::AsOnlyUser
        }
        other => other.map(|()| Entered::WithEverybody).map_err(|errno| refused(errno, network))?,
    };
    // What is mounted here stays here; what the outside unmounts goes here, too.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|errno| Error::MountDenied(errno.into()))?;
    if network && !uevent::loopback_up() {
        // The network is ours, but not the right to use it (a container with SYS_ADMIN only): in a user namespace it
        // is.
        let inside = enter_with_everybody(flags);
        if let Err(error) = &inside {
            tracing::debug!("no user namespace for the network: {error}");
        }
        if inside.is_err() || !uevent::loopback_up() {
            eprintln!(
                "apmatrix: there is no network, not even to oneself, and no events of udev: give the container \
                 `--cap-add NET_ADMIN`"
            );
        }
    }
    Ok(entered)
}

/// Enters a user namespace in which nobody exists but whoever makes it, as root.
fn enter_as_only_user(flags: UnshareFlags) -> Result<(), Error> {
    let network = flags.contains(UnshareFlags::NEWNET);
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let refused = |errno| refused(errno, network);
    unshare(UnshareFlags::NEWUSER).map_err(refused)?;
    let write = |file: &str, text: String| {
        // A namespace that may be made, but not used, is as good as none.
        std::fs::write(file, text).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => Error::NoProc,
            Some(errno @ (Errno::ACCESS | Errno::PERM)) => Error::NamespacesUnusable(errno.into()),
            Some(errno) => refused(errno),
            None => Error::Setup { what: "mapping the user into the user namespace", source: error },
        })
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))?;
    // Only now: the files of a network are its root's, who must exist by then.
    unshare(flags).map_err(refused)
}

/// Enters a user namespace in which everybody exists, as they are: a process outside has to say so, since whoever is
/// inside has no rights outside. A trial comes first, since nobody comes back.
fn enter_with_everybody(flags: UnshareFlags) -> io::Result<()> {
    let trial = in_child(|| map_from_outside(flags).is_ok())?;
    if !ended_well(trial) {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    map_from_outside(flags)
}

/// Enters the namespaces, and has a child that stays outside map everybody.
fn map_from_outside(flags: UnshareFlags) -> io::Result<()> {
    let process = std::process::id();
    let (entered, enter) = rustix::pipe::pipe()?;
    let child = in_child(|| {
        // Whether the parent is inside.
        let mut told = [0_u8];
        let _ = rustix::io::read(&entered, &mut told[..]);
        let map = |file: &str| std::fs::write(format!("/proc/{process}/{file}"), "0 0 4294967295");
        told == *b"+" && map("uid_map").and_then(|()| map("gid_map")).is_ok()
    })?;
    let unshared = unshare(UnshareFlags::NEWUSER);
    let told: &[u8] = if unshared.is_ok() { b"+" } else { b"-" };
    let _ = rustix::io::write(&enter, told);
    let mapped = ended_well(child);
    unshared?;
    if !mapped {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    Ok(unshare(flags)?)
}

fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: the process has one thread, whose file descriptors and memory stay as they are.
    unsafe { unshare_unsafe(flags) }
}

/// Does something in a child, which ends with it: well, if it says so. It is killed if this process dies.
fn in_child(work: impl FnOnce() -> bool) -> io::Result<i32> {
    child(|| {
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        work()
    })
}

/// The same in a child that may outlive this process, which has a single thread.
pub(super) fn child(work: impl FnOnce() -> bool) -> io::Result<i32> {
    // SAFETY: the process has one thread, so the child may do anything.
    match unsafe { libc::fork() } {
        0 => {
            let status = i32::from(!work());
            // SAFETY: ends the process; nothing of the parent's is to be flushed or dropped here.
            unsafe { libc::_exit(status) }
        }
        child if child < 0 => Err(io::Error::last_os_error()),
        child => Ok(child),
    }
}

fn ended_well(child: i32) -> bool {
    let child = rustix::process::Pid::from_raw(child);
    let status = rustix::process::waitpid(child, rustix::process::WaitOptions::empty());
    matches!(status, Ok(Some((_, status))) if status.exit_status() == Some(0))
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
