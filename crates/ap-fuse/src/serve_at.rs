//! Mounts the tree on a directory and serves it until a signal comes, with no namespace and no command.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ap_sysfs::Filesystem;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use crate::channel::DevFuse;
use crate::error::Error;
use crate::guard::{Guard, Watch};
use crate::mounting::{attach, detached, open_device, preflight_calls};
use crate::processor::pin;
use crate::session::{Factory, Session};
use crate::signal;

/// Where to mount, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MountOptions {
    /// The directory.
    pub dir: PathBuf,
    /// The processor for the server.
    pub cpu: Option<usize>,
}

impl MountOptions {
    /// The defaults, for a directory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> MountOptions {
        MountOptions { dir: dir.into(), cpu: None }
    }
}

/// Mounts a tree on a directory and serves it until SIGINT, SIGTERM or SIGHUP comes or somebody unmounts it.
///
/// To be called while the process has a single thread. `mounted` is called when the tree can be used.
///
/// # Errors
/// What is in the way; [`Error::exit_status`] is what to exit with.
pub fn mount<F>(options: &MountOptions, factory: F, mounted: impl FnOnce()) -> Result<(), Error>
where
    F: FnOnce() -> Box<dyn Filesystem> + Send + 'static,
{
    let signals = signal::block(&[libc::SIGINT, libc::SIGTERM, libc::SIGHUP]);
    preflight_calls()?;
    check(&options.dir)?;
    let dir = options.dir.canonicalize().map_err(Error::setup("looking for the directory"))?;
    if let Some(cpu) = options.cpu {
        pin(cpu)?;
    }
    let guard = Guard::start(&Watch::Mount(dir.clone()))?;
    let served = serve(&dir, Box::new(factory), mounted, &signals);
    guard.end();
    served
}

fn serve(
    dir: &Path,
    factory: Factory,
    mounted: impl FnOnce(),
    signals: &libc::sigset_t,
) -> Result<(), Error> {
    let device = open_device()?;
    let tree = detached(&device).map_err(|error| match error {
        Error::MountDenied(_) if !rustix::process::geteuid().is_root() => Error::NeedsRoot,
        other => other,
    })?;
    let session = DevFuse::new(device)
        .and_then(|channel| Session::start(channel, factory, None, open_proc(), None))
        .map_err(Error::setup("serving the tree"))?;
    attach(&tree, dir).map_err(Error::setup("mounting on the directory"))?;
    drop(tree);
    mounted();
    // The end of the serving thread (somebody unmounted) is a SIGTERM to ourselves.
    let own = rustix::process::getpid();
    let waiter = std::thread::spawn(move || {
        let ended = session.wait();
        let _ = rustix::process::kill_process(own, rustix::process::Signal::TERM);
        ended
    });
    signal::wait(signals);
    // Whoever is still inside keeps what they have open; nobody finds it any more.
    match unmount(dir, UnmountFlags::DETACH) {
        Ok(()) => Ok(()),
        // Somebody else did.
        Err(Errno::INVAL) if waiter.is_finished() => {
            waiter.join().unwrap_or(Ok(())).map_err(Error::setup("serving the tree"))
        }
        Err(Errno::INVAL) => Ok(()),
        Err(errno) => Err(Error::Setup { what: "unmounting", source: errno.into() }),
    }
}

fn open_proc() -> Option<OwnedFd> {
    rustix::fs::open("/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// Finds out whether a tree can be mounted on `dir`.
fn check(dir: &Path) -> Result<(), Error> {
    let show = || dir.to_path_buf();
    match rustix::fs::stat(dir) {
        Ok(stat) if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() => {}
        Ok(_) | Err(Errno::NOTDIR) => return Err(Error::NotADirectory(show())),
        Err(Errno::NOENT) => return Err(Error::Missing(show())),
        Err(Errno::NOTCONN | Errno::CONNABORTED) => return Err(Error::DeadMount(show())),
        Err(errno) => return Err(Error::Setup { what: "looking at the directory", source: errno.into() }),
    }
    let path = dir.canonicalize().map_err(Error::setup("looking for the directory"))?;
    match mounted_on(&path) {
        Some(what) => Err(Error::Busy { path, what }),
        None => empty(&path),
    }
}

/// What is in a directory would be hidden by the mount until its end.
fn empty(path: &Path) -> Result<(), Error> {
    let mut entries = std::fs::read_dir(path).map_err(Error::setup("looking into the directory"))?;
    match entries.next() {
        None => Ok(()),
        Some(entry) => {
            let entry = entry.map_err(Error::setup("looking into the directory"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Err(Error::NotEmpty { path: path.to_owned(), name })
        }
    }
}

/// What is mounted on a directory, if anything is.
fn mounted_on(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().rev().find_map(|line| {
        let mut fields = line.split(' ');
        let (source, target, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (Path::new(&unescape(target)) == path).then(|| format!("{source} ({kind})"))
    })
}

/// `/proc/self/mounts` writes blanks and the like as octal numbers.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let number = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match number {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_mount_points_are_read_back() {
        assert_eq!(unescape(r"/a\040b\134c"), r"/a b\c");
        assert_eq!(unescape(r"/plain\"), r"/plain\");
    }

    #[test]
    fn h8_what_is_in_a_directory_is_not_hidden() {
        assert!(matches!(check(Path::new("/etc")), Err(Error::NotEmpty { .. })));
    }

    #[test]
    fn what_is_in_the_way_is_said() {
        assert!(matches!(check(Path::new("/proc")), Err(Error::Busy { .. })));
        assert!(matches!(check(Path::new("/proc/self/status")), Err(Error::NotADirectory(_))));
        assert!(matches!(check(Path::new("/proc/no-such-thing")), Err(Error::Missing(_))));
    }
}
