//! A tree of files: a real `/sys`, one in `apmatrix run`, a mounted one.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ap_apply::tree::{Fault, Kind, Opener, Tree};
use ap_files::said;
use ap_sysfs::Errno;

/// The errors that a host's files answer.
const KNOWN: [Errno; 14] = [
    Errno::EPERM,
    Errno::ENOENT,
    Errno::EINTR,
    Errno::EIO,
    Errno::EAGAIN,
    Errno::EACCES,
    Errno::EBUSY,
    Errno::EEXIST,
    Errno::ENODEV,
    Errno::EINVAL,
    Errno::ENOSPC,
    Errno::EROFS,
    Errno::EADDRINUSE,
    Errno::EADDRNOTAVAIL,
];

/// What the system said about a path.
#[must_use]
pub fn fault(path: &str, error: &io::Error) -> Fault {
    let known = KNOWN.into_iter().find(|errno| error.raw_os_error() == Some(errno.number()));
    match known {
        Some(errno) => Fault::of(path, errno),
        None => {
            let kind = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Kind::NotFound,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
                io::ErrorKind::AlreadyExists => Kind::Exists,
                _ => Kind::Refused,
            };
            let name = error.raw_os_error().map_or_else(|| "an error".to_owned(), |n| format!("error {n}"));
            Fault { path: path.to_owned(), kind, name, said: said(error) }
        }
    }
}

/// A tree of files.
pub struct FileTree {
    root: PathBuf,
    /// By group, once they were looked for.
    openers: Option<BTreeMap<String, Vec<Opener>>>,
}

impl FileTree {
    /// The tree at `root`.
    #[must_use]
    pub fn new(root: &Path) -> FileTree {
        FileTree { root: root.to_owned(), openers: None }
    }

    /// Forgets who had which group open.
    pub fn forget(&mut self) {
        self.openers = None;
    }

    fn place(&self, path: &str) -> (PathBuf, String) {
        let full = self.root.join(path);
        let name = full.display().to_string();
        (full, name)
    }
}

impl Tree for FileTree {
    fn read(&mut self, path: &str) -> Result<String, Fault> {
        let (full, name) = self.place(path);
        let bytes = fs::read(full).map_err(|error| fault(&name, &error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn write(&mut self, path: &str, text: &str) -> Result<(), Fault> {
        let (full, name) = self.place(path);
        let written = OpenOptions::new().write(true).open(full).and_then(|mut file| {
            // One write(2): the whole text is one store.
            match file.write(text.as_bytes())? {
                taken if taken == text.len() => Ok(()),
                _ => Err(io::Error::from(io::ErrorKind::WriteZero)),
            }
        });
        // Who has which group open may change with it.
        self.openers = None;
        written.map_err(|error| fault(&name, &error))
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, Fault> {
        let (full, name) = self.place(path);
        let fault = |error: io::Error| fault(&name, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(full).map_err(fault)? {
            names.extend(entry.map_err(fault)?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn link(&mut self, path: &str) -> Result<String, Fault> {
        let (full, name) = self.place(path);
        let target = fs::read_link(full).map_err(|error| fault(&name, &error))?;
        Ok(target.display().to_string())
    }

    fn is_writable(&mut self, path: &str) -> Option<bool> {
        let metadata = fs::metadata(self.place(path).0).ok()?;
        Some(metadata.permissions().mode() & 0o222 != 0)
    }

    fn openers(&mut self, group: &str) -> Vec<Opener> {
        // An emulated tree tells its guests itself, and its groups have no files.
        if self.root != Path::new("/sys") || self.root.join(crate::control::DIRECTORY).is_dir() {
            return Vec::new();
        }
        let all = self.openers.get_or_insert_with(|| openers(Path::new("/proc")));
        all.get(group).cloned().unwrap_or_default()
    }

    fn sleep(&mut self, milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds));
        self.openers = None;
    }
}

/// The processes that have the file of a VFIO group open, by group. What this user may not see is not there.
#[must_use]
pub fn openers(proc: &Path) -> BTreeMap<String, Vec<Opener>> {
    let mut found: BTreeMap<String, Vec<Opener>> = BTreeMap::new();
    let processes = fs::read_dir(proc).into_iter().flatten().flatten();
    for process in processes {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let files = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let mut groups: Vec<String> = files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .filter_map(|target| {
                let group =
                    target.to_str()?.strip_prefix("/dev/vfio/")?.strip_prefix("noiommu-").map_or_else(
                        || {
                            target
                                .to_str()
                                .and_then(|path| path.strip_prefix("/dev/vfio/"))
                                .map(str::to_owned)
                        },
                        |group| Some(group.to_owned()),
                    );
                group.filter(|group| group.bytes().all(|byte| byte.is_ascii_digit()))
            })
            .collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.is_empty() {
            continue;
        }
        let guest = fs::read(process.path().join("cmdline")).ok().and_then(|text| guest_of(&text));
        for group in groups {
            found.entry(group).or_default().push(Opener { pid, guest: guest.clone() });
        }
    }
    found
}

/// The machine's name in QEMU's command line: `-name guest=NAME,…` or `-name NAME`.
fn guest_of(cmdline: &[u8]) -> Option<String> {
    let words: Vec<String> =
        cmdline.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let at = words.iter().position(|word| word == "-name")?;
    let value = words.get(at + 1)?.split(',').next()?;
    let name = value.strip_prefix("guest=").unwrap_or(value);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_guest_is_told_by_the_process_that_has_its_group_open() {
        let proc = tempfile::tempdir().expect("a directory");
        let process = proc.path().join("4711");
        fs::create_dir_all(process.join("fd")).expect("a directory");
        symlink("/dev/vfio/12", process.join("fd/30")).expect("a link");
        symlink("/dev/vfio/vfio", process.join("fd/31")).expect("a link");
        fs::write(process.join("cmdline"), b"qemu\0-name\0guest=prod,debug-threads=on\0").expect("a file");
        let found = openers(proc.path());
        let wanted = Opener { pid: 4711, guest: Some("prod".to_owned()) };
        assert_eq!(found, BTreeMap::from([("12".to_owned(), vec![wanted])]));
    }
}
