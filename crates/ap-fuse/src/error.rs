//! Why a mount could not be made or a command not be started, in one sentence and with what to do.
//!
//! Who finds it out is not known here.

use std::io;
use std::path::PathBuf;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No FUSE device.
    #[error(
        "there is no /dev/fuse: load the module (`modprobe fuse`) or, in a container, give it the device \
         (`--device /dev/fuse`)"
    )]
    NoDevice,
    /// The FUSE device may not be opened.
    #[error(
        "/dev/fuse may not be opened ({0}): for ordinary users run `chmod 0666 /dev/fuse` as root; start a container \
         with `--device /dev/fuse`"
    )]
    DeviceDenied(io::Error),
    /// What is called `/dev/fuse` is something else.
    #[error(
        "/dev/fuse is {0} and not the FUSE device: as root `rm -r /dev/fuse; mknod -m 0666 /dev/fuse c 10 229`; start a \
         container with `--device /dev/fuse`"
    )]
    NotTheDevice(&'static str),
    /// Switched off by `user.max_user_namespaces`.
    #[error(
        "user namespaces are switched off: `sysctl -w user.max_user_namespaces=15000` as root, or run this as root"
    )]
    NamespacesOff,
    /// Switched off by `kernel.unprivileged_userns_clone`.
    #[error(
        "ordinary users may not make user namespaces: `sysctl -w kernel.unprivileged_userns_clone=1` as root, or \
         run this as root"
    )]
    NamespacesForRoot,
    /// Switched off by `user.max_net_namespaces`.
    #[error(
        "network namespaces are switched off: `sysctl -w user.max_net_namespaces=15000` as root, or do without \
         device events: `apmatrix run --no-uevents …`"
    )]
    NetworksOff,
    /// Switched off by `user.max_mnt_namespaces`.
    #[error("mount namespaces are switched off: `sysctl -w user.max_mnt_namespaces=15000` as root")]
    MountsOff,
    /// As many as are allowed are in use.
    #[error(
        "there are as many namespaces as are allowed: raise `user.max_user_namespaces`, `user.max_mnt_namespaces` \
         and `user.max_net_namespaces` with `sysctl -w` as root, or end what uses them"
    )]
    NamespacesUsedUp,
    /// No `/proc`.
    #[error("there is no /proc, through which namespaces are set up: `mount -t proc proc /proc` as root")]
    NoProc,
    /// Refused by AppArmor.
    #[error(
        "AppArmor refuses user namespaces: run this as root, `sudo apmatrix run …`, or once \
         `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
    )]
    NamespacesAppArmor,
    /// Made, and then not to be used: what AppArmor does.
    #[error(
        "user namespaces may not be used ({0}), as AppArmor has it from Ubuntu 23.10 on: run this as root, `sudo \
         apmatrix run …`, or once `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
    )]
    NamespacesUnusable(io::Error),
    /// Refused by a container.
    #[error(
        "the container refuses namespaces ({0}): start it with `--cap-add SYS_ADMIN --device /dev/fuse --security-opt \
         apparmor=unconfined --security-opt seccomp=unconfined`"
    )]
    NamespacesContainer(io::Error),
    /// Refused by something else.
    #[error(
        "namespaces are refused ({0}): run this as root, `sudo apmatrix run …`, or where ordinary users may make \
         user namespaces"
    )]
    Namespaces(io::Error),
    /// Mounts are refused.
    #[error(
        "mounting is refused ({0}): in a container add `--cap-add SYS_ADMIN --security-opt apparmor=unconfined`; \
         otherwise a security module forbids it"
    )]
    MountDenied(io::Error),
    /// The kernel lacks the new mount calls.
    #[error(
        "the kernel has no fsopen(2): Linux 5.4 or later is needed, a seccomp profile that knows the call, and no \
         emulator of another processor"
    )]
    OldKernel,
    /// `/sys` is missing.
    #[error("there is no directory /sys to cover: `mkdir /sys` in the container's image")]
    NoSys,
    /// Mounting on a directory without the right to.
    #[error("mounting on a directory needs root: `sudo apmatrix mount …`, or `apmatrix run`, which does not")]
    NeedsRoot,
    /// The mount point does not exist.
    #[error("{0} does not exist: `mkdir {0}`")]
    Missing(PathBuf),
    /// The mount point is no directory.
    #[error("{0} is not a directory: the tree needs one")]
    NotADirectory(PathBuf),
    /// The mount point is one already.
    #[error("{path} is in use: {what} is mounted there; `umount {path}` or take another directory")]
    Busy {
        /// The directory.
        path: PathBuf,
        /// What is mounted there.
        what: String,
    },
    /// The mount point has something in it, which the tree would hide.
    #[error("{path} is not empty ({name} is in it), and a mount would hide that: name an empty directory")]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// Something that is in it.
        name: String,
    },
    /// A mount whose server is gone.
    #[error("{0} is a dead mount (its server is gone): clear it with `umount -l {0}`")]
    DeadMount(PathBuf),
    /// The processor is not one that this process may use.
    #[error("there is no processor {cpu} for this process: `--cpu` takes one of {usable}")]
    NoProcessor {
        /// Which was asked for.
        cpu: usize,
        /// Those that there are.
        usable: String,
    },
    /// The command does not exist.
    #[error("{0}: command not found")]
    CommandNotFound(String),
    /// The command can't be executed.
    #[error("{command}: {source}")]
    CommandNotExecutable {
        /// The command.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// A system call that a run can't do without.
    #[error(
        "{what} is refused ({source}): run this as root, `sudo apmatrix run …`; in a container add `--cap-add \
         SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined`"
    )]
    Refused {
        /// What was tried.
        what: &'static str,
        /// How it was refused.
        source: io::Error,
    },
    /// Anything else.
    #[error("{what}: {source}")]
    Setup {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        source: io::Error,
    },
}

impl Error {
    /// The exit status that goes with it: 3 if the environment lacks something, 125 if the command could not be
    /// started, for whatever other reason (`INTERFACES.md`; 126 and 127 are a command's own).
    #[must_use]
    pub fn exit_status(&self) -> i32 {
        match self {
            Error::CommandNotFound(_)
            | Error::CommandNotExecutable { .. }
            | Error::NoProcessor { .. }
            | Error::Setup { .. } => 125,
            _ => 3,
        }
    }

    pub(crate) fn setup<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Error {
        move |source| {
            let source = source.into();
            match source.raw_os_error() {
                Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => Error::Refused { what, source },
                _ => Error::Setup { what, source },
            }
        }
    }
}
