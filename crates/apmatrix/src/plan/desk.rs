//! The lock and the journal of a real host, in `/run`.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ap_apply::tree::{Desk, Fault, Kind};
use ap_sysfs::Errno;

use crate::plan::tree::fault;

/// The lock that s390-tools and mdevctl's call-out take, below the directory of what lives until the next boot.
const LOCK: &str = "lock/s390apconfig.lock";
/// The directory of the journal, and in it the journal and what tells two of our own apart.
const DIRECTORY: &str = "apmatrix";

/// A desk of files.
pub struct FileDesk {
    run: PathBuf,
    lock: PathBuf,
    journal: PathBuf,
    own: PathBuf,
    /// Held while the lock is: of two of our own only one takes over a lock whose owner is gone.
    turn: Option<File>,
}

/// Where the lock and the journal of the tree at `root` are, if nobody says it: `/run`; for an emulated host, which is not
/// this machine, a directory that is that host's alone. In `apmatrix run` that goes with the host; a mounted tree is told
/// from others by when it was mounted, since numbers of mounts come again.
#[must_use]
pub fn usual_run_directory(root: &Path) -> PathBuf {
    if !root.join(crate::control::DIRECTORY).is_dir() {
        return PathBuf::from("/run");
    }
    let (own, tree) = (root.join(ap_fuse::RUN_DIRECTORY), fs::metadata(root));
    let device = tree.as_ref().map_or(0, |tree| tree.dev());
    if fs::metadata(&own).is_ok_and(|own| own.is_dir() && own.dev() != device) {
        return own;
    }
    let mounted =
        tree.map_or_else(|_| String::new(), |tree| format!("{}.{:09}", tree.ctime(), tree.ctime_nsec()));
    let user = user().unwrap_or_default();
    std::env::temp_dir().join(format!("apmatrix-{user}-{device}-{mounted}"))
}

/// The user that this process is.
fn user() -> io::Result<u32> {
    fs::metadata("/proc/self").map(|metadata| metadata.uid())
}

/// Who else may have made a directory, or may change what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    /// Nobody may: it is for us alone.
    Nobody,
    /// Root may have made it, and others may at most add to it.
    Add,
}

/// Makes a directory, or sees that one that is there is no trap: who may change it could have us write anywhere.
fn directory(path: &Path, others: Others) -> Result<(), Fault> {
    let said = |error: io::Error| fault(&path.display().to_string(), &error);
    let mode = if others == Others::Nobody { 0o700 } else { 0o755 };
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map_err(said),
    }
    let found = fs::symlink_metadata(path).map_err(said)?;
    let ours = found.uid() == user().map_err(said)?;
    let trap = match others {
        _ if !found.is_dir() => "is no directory",
        Others::Nobody if !ours => "belongs to another user",
        Others::Nobody if found.mode() & 0o077 != 0 => "is open to other users",
        Others::Add if !ours && found.uid() != 0 => "belongs to another user",
        // The sticky bit leaves names to their owners.
        Others::Add if found.mode() & 0o022 != 0 && found.mode() & 0o1000 == 0 => {
            "can be changed by other users"
        }
        _ => return Ok(()),
    };
    Err(Fault {
        path: path.display().to_string(),
        kind: Kind::Refused,
        name: "not ours".to_owned(),
        said: format!("it {trap}: remove it, or name another one with --run-dir"),
    })
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
            run: run.to_owned(),
            lock: run.join(LOCK),
            journal: directory.join("journal"),
            own: directory.join("turn"),
            turn: None,
        }
    }

    fn make_directories(&self) -> Result<(), Fault> {
        let above = match self.run.parent() {
            Some(above) if above.as_os_str().is_empty() => Path::new("."),
            Some(above) => above,
            None => Path::new("/"),
        };
        let said = |error: io::Error| fault(&above.display().to_string(), &error);
        fs::create_dir_all(above).map_err(said)?;
        if fs::metadata(above).map_err(said)?.mode() & 0o022 == 0 {
            // Who may put a link there is trusted: it leads to the place that is meant.
            let run = fs::canonicalize(&self.run).unwrap_or_else(|_| self.run.clone());
            directory(&run, Others::Add)?;
        } else {
            directory(&self.run, Others::Nobody)?;
        }
        if let Some(lock) = self.lock.parent() {
            // Others' as much as ours: a lock is only ever made anew in it.
            match fs::create_dir(lock) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(fault(&lock.display().to_string(), &error));
                }
                _ => {}
            }
        }
        directory(&self.run.join(DIRECTORY), Others::Nobody)?;
        self.journal.parent().map_or(Ok(()), |own| directory(own, Others::Nobody))
    }

    fn turn(&mut self) -> io::Result<bool> {
        if self.turn.is_some() {
            return Ok(true);
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.own)?;
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

    /// Adds a line, which is on the disk when this returns. A last one without end, which nobody wrote whole, goes.
    fn add(&self, line: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).open(&self.journal)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        if end < text.len() {
            file.set_len(end as u64)?;
        }
        file.seek(SeekFrom::Start(end as u64))?;
        write_whole(&mut file, line)
    }

    /// Makes a new journal, which takes the old one's name once it is whole: a kill leaves the one or the other.
    fn replace(&self, line: &str) -> io::Result<()> {
        let new = self.journal.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
        write_whole(&mut file, line)?;
        fs::rename(&new, &self.journal)?;
        self.journal.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }
}

fn write_whole(file: &mut File, line: &str) -> io::Result<()> {
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()
}

impl Desk for FileDesk {
    fn take_lock(&mut self) -> Result<(), Fault> {
        self.make_directories()?;
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
            return Err(Fault::of(&self.lock.display().to_string(), Errno::EEXIST));
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
        Self::said(&self.journal, self.add(line))
    }

    fn begin(&mut self, line: &str) -> Result<(), Fault> {
        Self::said(&self.journal, self.replace(line))
    }

    fn now(&mut self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn sleep(&mut self, milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }
}

#[cfg(test)]
mod tests {
    use ap_files::journal::{At, Begin, End, Journal, Record, SCHEMA};

    use super::*;

    /// A desk in a directory of its own.
    fn desk() -> (tempfile::TempDir, FileDesk) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut desk = FileDesk::new(&directory.path().join("run"), Path::new("/sys"));
        desk.take_lock().expect("nobody has it");
        (directory, desk)
    }

    #[test]
    fn a_line_that_was_not_written_whole_is_cut_wherever_it_ends() {
        let (_directory, mut desk) = desk();
        let begin = Begin {
            schema: SCHEMA.to_owned(),
            id: "1-2-3".to_owned(),
            at: 1,
            confirm: None,
            held: std::collections::BTreeMap::new(),
            steps: Vec::new(),
        };
        let line = Record::Begin(Box::new(begin)).line();
        let torn = Record::Doing(0).line();
        for cut in 0..=torn.len() {
            desk.begin(&line).expect("there is room");
            let text = desk.journal().expect("it is there");
            fs::write(&desk.journal, format!("{text}{}", &torn[..cut])).expect("it can be written");
            desk.append(&Record::Ended(End::Before).line()).expect("there is room");
            let text = desk.journal().expect("it is there");
            let found = Journal::parse(&text).expect("each line is whole").expect("it tells of one");
            assert!(matches!(found.at, At::Ended(End::Before)), "cut at {cut}: {text}");
        }
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("a directory");
        let run = directory.path().join("run");
        let trap = run.join(DIRECTORY);
        fs::create_dir_all(&trap).expect("a directory");
        fs::set_permissions(&trap, fs::Permissions::from_mode(0o777)).expect("its mode");
        let error = FileDesk::new(&run, Path::new("/sys")).take_lock().expect_err("it is a trap");
        assert!(error.to_string().contains("open to other users"), "{error}");
        fs::remove_dir(&trap).expect("it is empty");
        std::os::unix::fs::symlink(directory.path(), &trap).expect("a link");
        let error = FileDesk::new(&run, Path::new("/sys")).take_lock().expect_err("it is a trap");
        assert!(error.to_string().contains("is no directory"), "{error}");
    }
}
