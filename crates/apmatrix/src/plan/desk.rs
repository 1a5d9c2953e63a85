//! The lock and the journal of a real host, in `/run`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ap_apply::tree::{Desk, Fault};
use ap_sysfs::Errno;

use crate::plan::tree::fault;

/// The lock that s390-tools and mdevctl's call-out take, below the directory of what lives until the next boot.
const LOCK: &str = "lock/s390apconfig.lock";
/// The directory of the journal, and in it the journal and what tells two of our own apart.
const DIRECTORY: &str = "apmatrix";

/// A desk of files.
pub struct FileDesk {
    lock: PathBuf,
    journal: PathBuf,
    own: PathBuf,
    /// Held while the lock is: of two of our own only one takes over a lock whose owner is gone.
    turn: Option<File>,
}

/// Where the lock and the journal of the tree at `root` are, if nobody says it: `/run`; for an emulated host, which is not
/// this machine, a directory of its own for this user and this private `/sys`.
#[must_use]
pub fn usual_run_directory(root: &Path) -> PathBuf {
    if !root.join(crate::control::DIRECTORY).is_dir() {
        return PathBuf::from("/run");
    }
    let namespace = fs::read_link("/proc/self/ns/mnt").unwrap_or_default();
    let namespace: String = namespace.display().to_string().chars().filter(char::is_ascii_digit).collect();
    let user = fs::metadata("/proc/self").map_or(0, |metadata| metadata.uid());
    std::env::temp_dir().join(format!("apmatrix-run-{user}-{namespace}"))
}

impl FileDesk {
    /// The desk for a tree: in `run`, and of its own for a tree that is not `/sys`.
    #[must_use]
    pub fn new(run: &Path, root: &Path) -> FileDesk {
        let mut directory = run.join(DIRECTORY);
        if root != Path::new("/sys") {
            let name = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
            directory = directory.join(name.display().to_string().trim_start_matches('/').replace('/', "-"));
        }
        FileDesk {
            lock: run.join(LOCK),
            journal: directory.join("journal"),
            own: directory.join("turn"),
            turn: None,
        }
    }

    fn make_directories(&self) -> io::Result<()> {
        for path in [&self.lock, &self.journal] {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<bool> {
        if self.turn.is_some() {
            return Ok(true);
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.own)?;
        match file.try_lock() {
            Ok(()) => {
                self.turn = Some(file);
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn said<T>(path: &Path, answer: io::Result<T>) -> Result<T, Fault> {
        answer.map_err(|error| fault(&path.display().to_string(), &error))
    }

    /// Writes lines that are on the disk when this returns, and the directory's entry with them.
    fn keep(&self, open: &mut OpenOptions, path: &Path, line: &str) -> io::Result<()> {
        let mut file = open.open(path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()
    }
}

impl Desk for FileDesk {
    fn take_lock(&mut self) -> Result<(), Fault> {
        Self::said(&self.journal, self.make_directories())?;
        let own = self.own.clone();
        if !Self::said(&own, self.turn())? {
            return Err(Fault::of(&self.lock.display().to_string(), Errno::EEXIST));
        }
        let taken = OpenOptions::new().create_new(true).write(true).open(&self.lock).and_then(|mut file| {
            file.write_all(std::process::id().to_string().as_bytes())?;
            file.sync_all()
        });
        Self::said(&self.lock, taken)
    }

    fn lock_text(&mut self) -> Result<String, Fault> {
        match fs::read_to_string(&self.lock) {
            // Another one of ours has its turn and just makes or drops the lock.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.turn.is_none() => Ok(String::new()),
            text => Self::said(&self.lock, text),
        }
    }

    fn drop_lock(&mut self) -> Result<(), Fault> {
        if self.turn.is_none() {
            // Not ours, and not our turn: whoever has it drops it.
            return Ok(());
        }
        let dropped = Self::said(&self.lock, fs::remove_file(&self.lock));
        if self.lock_text().is_err() {
            self.turn = None;
        }
        dropped
    }

    fn lives(&mut self, pid: u32) -> bool {
        Path::new("/proc").join(pid.to_string()).exists()
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn journal(&mut self) -> Result<String, Fault> {
        match fs::read(&self.journal) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(fault(&self.journal.display().to_string(), &error)),
        }
    }

    fn append(&mut self, line: &str) -> Result<(), Fault> {
        Self::said(&self.journal, self.keep(OpenOptions::new().append(true), &self.journal, line))
    }

    fn begin(&mut self, line: &str) -> Result<(), Fault> {
        // A new file takes the old one's name once it is whole: a kill leaves the one or the other.
        let new = self.journal.with_extension("new");
        let kept = self
            .keep(OpenOptions::new().create(true).truncate(true).write(true), &new, line)
            .and_then(|()| fs::rename(&new, &self.journal))
            .and_then(|()| match self.journal.parent() {
                Some(directory) => File::open(directory)?.sync_all(),
                None => Ok(()),
            });
        Self::said(&self.journal, kept)
    }

    fn now(&mut self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn sleep(&mut self, milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }
}
