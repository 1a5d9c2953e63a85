//! The World over a [`Filesystem`]: opens, reads and writes as a process would, and waits in machine time.
//!
//! It knows neither scripts nor the shell that runs them.

use std::collections::BTreeMap;

use ap_sysfs::nearest::BELOW;
use ap_sysfs::{Answer, Called, Entry, Errno, Filesystem, Ino, Kind, Token};

use crate::operator::{ControlFiles, Operator, OperatorError};
use crate::world::{Failure, JobId, World, Written};

/// What one write(2) takes at most (spec 5).
const PAGE: usize = 4096;

/// The number of `/`, which is not of the tree; no file system gives it to a node.
const OUTSIDE: Ino = Ino(0);

/// How long [`World::wait`] lets machine time pass, unless told otherwise: a minute.
const PATIENCE: u64 = 60_000;

/// A [`Filesystem`] as the shell's World: opens with sysfs's rules, carries the verbs to an [`Operator`].
///
/// Its root directory is `/sys`; `/` contains nothing else.
pub struct FilesystemWorld<F, O = ControlFiles> {
    tree: F,
    operator: O,
    patience: u64,
    prompt: bool,
    next_job: u64,
    writes: BTreeMap<JobId, Pending>,
    answers: BTreeMap<Token, Answer>,
}

/// A write that has not returned.
struct Pending {
    token: Token,
    ino: Ino,
    /// What the store that waits was given, and what comes after it.
    data: Vec<u8>,
    /// How many bytes were taken before.
    taken: usize,
}

/// How far a write came.
enum Progress {
    Done(Result<usize, Failure>),
    Waits { token: Token, taken: usize },
}

impl<F: Filesystem> FilesystemWorld<F> {
    /// Over `tree`, with the verbs as writes to its control files.
    pub fn new(tree: F) -> FilesystemWorld<F> {
        FilesystemWorld::with_operator(tree, ControlFiles::default())
    }
}

impl<F: Filesystem, O: Operator<F>> FilesystemWorld<F, O> {
    /// Over `tree`, with the verbs carried out by `operator`.
    pub fn with_operator(tree: F, operator: O) -> FilesystemWorld<F, O> {
        FilesystemWorld {
            tree,
            operator,
            patience: PATIENCE,
            prompt: false,
            next_job: 0,
            writes: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    /// Sets how much machine time a wait lets pass before it says that the call does not return.
    pub fn set_patience(&mut self, milliseconds: u64) {
        self.patience = milliseconds;
    }

    /// Sets whether work that is due at once is done before the next command, as on a machine whose time runs. Whoever
    /// explores decides himself when it is done.
    pub fn set_prompt(&mut self, prompt: bool) {
        self.prompt = prompt;
    }

    /// Does what is due at once.
    fn settle<T>(&mut self, done: T) -> T {
        if self.prompt {
            self.tree.advance(0);
        }
        done
    }

    /// The tree.
    pub fn tree(&mut self) -> &mut F {
        &mut self.tree
    }

    /// The operator.
    pub fn operator(&mut self) -> &mut O {
        &mut self.operator
    }

    /// Gives both back.
    pub fn into_parts(self) -> (F, O) {
        (self.tree, self.operator)
    }

    fn find(&mut self, path: &str, follow: bool) -> Result<Entry, Errno> {
        let mut names = path.split('/').peekable();
        while names.next_if(|name| matches!(*name, "" | "." | "..")).is_some() {}
        match names.next() {
            None => return Ok(Entry { name: "/".into(), ino: OUTSIDE, kind: Kind::Directory, mode: 0o755 }),
            Some("sys") => {}
            Some(_) => return Err(Errno::ENOENT),
        }
        // A slash at the end, and `/.`, ask for a directory, through a link.
        let directory = path.ends_with('/') || path.ends_with("/.");
        let inside = names.collect::<Vec<_>>().join("/");
        let found = self.tree.walk(&format!("/sys/{inside}"), follow || directory)?;
        if directory && found.kind != Kind::Directory { Err(Errno::ENOTDIR) } else { Ok(found) }
    }

    /// Opens for reading or writing, and checks the mode, which root is not exempt from.
    fn open(&mut self, path: &str, bits: u16) -> Result<Entry, Errno> {
        let entry = match self.find(path, true) {
            Err(Errno::ENOENT) if bits == 0o222 => self.create(path)?,
            found => found?,
        };
        match entry.kind {
            Kind::Directory => Err(Errno::EISDIR),
            _ if entry.mode & bits == 0 => Err(Errno::EACCES),
            _ => Ok(entry),
        }
    }

    /// Opens a file that was not there, as one that is to be created: in a directory that is there `EACCES` (page 5),
    /// unless the file has come with its directory in the meantime.
    fn create(&mut self, path: &str) -> Result<Entry, Errno> {
        let path = path.trim_end_matches('/');
        let directory = path.rsplit_once('/').map_or("/", |(directory, _)| directory);
        let directory = self.find(if directory.is_empty() { "/" } else { directory }, true)?;
        if directory.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        match self.find(path, true) {
            // A directory that is gone by now has no other by its number.
            Err(Errno::ENOENT) if directory.ino == OUTSIDE || self.tree.entry(directory.ino).is_ok() => {
                Err(Errno::EACCES)
            }
            found => found,
        }
    }

    /// Stores all of `data`, a write(2) for each page and for what a short one left.
    fn store(&mut self, ino: Ino, data: &[u8]) -> Progress {
        let mut taken = 0;
        while taken < data.len() {
            let piece = &data[taken..data.len().min(taken + PAGE)];
            match self.tree.store(ino, piece) {
                // A write that takes nothing would be repeated for ever.
                Called::Done(Ok(0)) => return Progress::Done(Err(Failure::write(Errno::EIO))),
                Called::Done(Ok(count)) => taken += count.min(piece.len()),
                Called::Done(Err(errno)) => return Progress::Done(Err(Failure::write(errno))),
                Called::Pending(token) => return Progress::Waits { token, taken },
            }
        }
        Progress::Done(Ok(taken))
    }

    /// Fetches the answers that came.
    fn collect(&mut self) {
        self.answers.extend(self.tree.finished());
    }

    /// Goes on with a write whose store was answered.
    fn go_on(&mut self, job: JobId) -> Option<Result<usize, Failure>> {
        loop {
            let token = self.writes.get(&job)?.token;
            let answer = self.answers.remove(&token)?;
            let mut pending = self.writes.remove(&job)?;
            let count = match answer {
                Answer::Stored(Ok(0)) => return Some(Err(Failure::write(Errno::EIO))),
                Answer::Stored(Ok(count)) => count.min(pending.data.len()),
                Answer::Stored(Err(errno)) => return Some(Err(Failure::write(errno))),
                Answer::Shown(_) => return Some(Err(Failure::write(Errno::EIO))),
            };
            pending.taken += count;
            pending.data.drain(..count);
            match self.store(pending.ino, &pending.data) {
                Progress::Done(result) => return Some(result.map(|count| pending.taken + count)),
                Progress::Waits { token, taken } => {
                    pending.data.drain(..taken);
                    pending.taken += taken;
                    pending.token = token;
                    self.writes.insert(job, pending);
                    self.collect();
                }
            }
        }
    }

    /// Lets machine time pass from one due work to the next until `found` has something, or patience ends.
    fn until<T>(&mut self, mut found: impl FnMut(&mut Self) -> Option<T>) -> Option<T> {
        let mut left = self.patience;
        loop {
            self.collect();
            if let Some(found) = found(self) {
                return Some(found);
            }
            // Work that is due now takes a millisecond, so that this ends.
            let due = self.tree.next_due()?.max(1);
            left = left.checked_sub(due)?;
            self.tree.advance(due);
        }
    }
}

impl<F: Filesystem, O: Operator<F>> World for FilesystemWorld<F, O> {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        let entry = self.open(path, 0o444)?;
        match self.tree.show(entry.ino) {
            Called::Done(shown) => shown,
            Called::Pending(token) => match self.until(|world| world.answers.remove(&token)) {
                Some(Answer::Shown(shown)) => shown,
                Some(Answer::Stored(_)) => Err(Errno::EIO),
                None => Err(Errno::EINTR),
            },
        }
    }

    fn write(&mut self, path: &str, data: &[u8]) -> Written {
        let ino = match self.open(path, 0o222) {
            Ok(entry) => entry.ino,
            Err(errno) => return Written::Done(Err(Failure::open(errno))),
        };
        let stored = self.store(ino, data);
        match self.settle(stored) {
            Progress::Done(result) => Written::Done(result),
            Progress::Waits { token, taken } => {
                self.next_job += 1;
                let job = JobId(self.next_job);
                self.writes.insert(job, Pending { token, ino, data: data[taken..].to_vec(), taken });
                Written::Pending(job)
            }
        }
    }

    fn list(&mut self, path: &str) -> Result<Vec<Entry>, Errno> {
        let entry = self.find(path, true)?;
        if entry.ino == OUTSIDE {
            return Ok(vec![Entry { name: "sys".into(), ..self.find("/sys", true)? }]);
        }
        if entry.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.tree.entries(entry.ino)
    }

    fn stat(&mut self, path: &str, follow: bool) -> Result<Entry, Errno> {
        self.find(path, follow)
    }

    fn readlink(&mut self, path: &str) -> Result<String, Errno> {
        let entry = self.find(path, false)?;
        if entry.kind == Kind::Link { self.tree.readlink(entry.ino) } else { Err(Errno::EINVAL) }
    }

    fn hw(&mut self, args: &str) -> Result<String, OperatorError> {
        let done = self.operator.hw(&mut self.tree, args);
        self.settle(done)
    }

    fn guest(&mut self, args: &str) -> Result<String, OperatorError> {
        let done = self.operator.guest(&mut self.tree, args);
        self.settle(done)
    }

    fn events(&mut self, args: &str) -> Result<String, OperatorError> {
        self.operator.events(&mut self.tree, args)
    }

    fn inventory(&mut self, args: &[String]) -> Result<String, OperatorError> {
        self.operator.list(&mut self.tree, args)
    }

    fn why(&mut self, write: Option<(&str, &str)>) -> Result<String, OperatorError> {
        self.operator.why(&mut self.tree, write)
    }

    fn places(&self) -> Vec<String> {
        BELOW.iter().map(|below| format!("/sys/{below}")).collect()
    }

    fn sleep(&mut self, milliseconds: u64) {
        self.tree.advance(milliseconds);
    }

    fn poll(&mut self, job: JobId) -> Option<Result<usize, Failure>> {
        self.collect();
        self.go_on(job)
    }

    fn wait(&mut self, job: JobId) -> Option<Result<usize, Failure>> {
        self.until(|world| world.go_on(job))
    }

    fn waits_for(&mut self, job: JobId) -> Option<String> {
        let token = self.writes.get(&job)?.token;
        self.tree.waits_for(token)
    }
}
