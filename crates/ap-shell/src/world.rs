//! What the shell runs against: a machine's files, its operator and its time, as a trait.
//!
//! It knows no script and no shell; whoever has a machine can be a World.

use ap_sysfs::{Entry, Errno};

use crate::operator::OperatorError;
use crate::place::Place;

/// A write that had not returned, by the number that its World gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Why a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error.
    pub errno: Errno,
    /// Whether open(2) failed, not write(2).
    pub at_open: bool,
}

impl Failure {
    /// Of open(2).
    #[must_use]
    pub fn open(errno: Errno) -> Failure {
        Failure { errno, at_open: true }
    }

    /// Of write(2).
    #[must_use]
    pub fn write(errno: Errno) -> Failure {
        Failure { errno, at_open: false }
    }
}

/// The answer to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// It returned.
    Done(Result<usize, Failure>),
    /// It waits for something; [`World::poll`] and [`World::wait`] know it by this number.
    Pending(JobId),
}

/// A machine, its tree and its time, as the shell operates them.
///
/// Paths are absolute and may contain `.`, `..`, double and trailing slashes. A call may take long (a World on an
/// explorer's fiber returns when the operation has); only a write may be answered later.
pub trait World {
    /// The shell is about to run the simple command at this place; for whoever tells where a script stands.
    fn begins(&mut self, _place: Place) {}

    /// Opens, reads to the end, closes. `EACCES` for what may not be read, `EISDIR` for a directory.
    ///
    /// # Errors
    ///
    /// The errno of open(2) or read(2).
    fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno>;

    /// Opens as `>` does, writes all of `data`, closes. No bytes: opens and closes only.
    fn write(&mut self, path: &str, data: &[u8]) -> Written;

    /// A directory's entries, names ascending, without `.` and `..`. A last link is followed.
    ///
    /// # Errors
    ///
    /// The errno of opendir(3): `ENOENT`, `ENOTDIR`.
    fn list(&mut self, path: &str) -> Result<Vec<Entry>, Errno>;

    /// The entry at `path`; `follow` says whether a last link is followed.
    ///
    /// # Errors
    ///
    /// The errno of stat(2).
    fn stat(&mut self, path: &str, follow: bool) -> Result<Entry, Errno>;

    /// A link's target. `EINVAL` if it is no link.
    ///
    /// # Errors
    ///
    /// The errno of readlink(2).
    fn readlink(&mut self, path: &str) -> Result<String, Errno>;

    /// Does what the machine's operator does: `plug 04`. The answer is text to print.
    ///
    /// # Errors
    ///
    /// The verb's error.
    fn hw(&mut self, args: &str) -> Result<String, OperatorError>;

    /// Does what a guest or its hypervisor does: `start NAME UUID`.
    ///
    /// # Errors
    ///
    /// The verb's error.
    fn guest(&mut self, args: &str) -> Result<String, OperatorError>;

    /// Tells what happened.
    ///
    /// # Errors
    ///
    /// The verb's error.
    fn events(&mut self, args: &str) -> Result<String, OperatorError>;

    /// The cards and queues, as `apmatrix ls` prints them.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP`, unless this world makes lists.
    fn inventory(&mut self, _args: &[String]) -> Result<String, OperatorError> {
        Err(OperatorError::new(Errno::EOPNOTSUPP, "nothing here makes lists: `apmatrix shell` does"))
    }

    /// Tells why a write to a file would be refused (its absolute path, and the text), or why the last one was.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP`, unless this world knows rules.
    fn why(&mut self, _write: Option<(&str, &str)>) -> Result<String, OperatorError> {
        Err(OperatorError::new(Errno::EOPNOTSUPP, "nothing here knows the rules: `apmatrix shell` does"))
    }

    /// The directories below which somebody may mean a short path, whole, each with a slash at its end.
    fn places(&self) -> Vec<String> {
        Vec::new()
    }

    /// Lets machine time pass.
    fn sleep(&mut self, milliseconds: u64);

    /// The answer to a pending write, if there is one now. It is given once.
    fn poll(&mut self, job: JobId) -> Option<Result<usize, Failure>>;

    /// Waits for the answer to a pending write; `None` if nothing is due that could bring it.
    fn wait(&mut self, job: JobId) -> Option<Result<usize, Failure>>;

    /// What a pending write waits for, and what ends that, a sentence without full stop; `None` if nobody knows.
    fn waits_for(&mut self, _job: JobId) -> Option<String> {
        None
    }
}

impl<W: World + ?Sized> World for &mut W {
    fn begins(&mut self, place: Place) {
        (**self).begins(place);
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        (**self).read(path)
    }

    fn write(&mut self, path: &str, data: &[u8]) -> Written {
        (**self).write(path, data)
    }

    fn list(&mut self, path: &str) -> Result<Vec<Entry>, Errno> {
        (**self).list(path)
    }

    fn stat(&mut self, path: &str, follow: bool) -> Result<Entry, Errno> {
        (**self).stat(path, follow)
    }

    fn readlink(&mut self, path: &str) -> Result<String, Errno> {
        (**self).readlink(path)
    }

    fn hw(&mut self, args: &str) -> Result<String, OperatorError> {
        (**self).hw(args)
    }

    fn guest(&mut self, args: &str) -> Result<String, OperatorError> {
        (**self).guest(args)
    }

    fn events(&mut self, args: &str) -> Result<String, OperatorError> {
        (**self).events(args)
    }

    fn inventory(&mut self, args: &[String]) -> Result<String, OperatorError> {
        (**self).inventory(args)
    }

    fn why(&mut self, write: Option<(&str, &str)>) -> Result<String, OperatorError> {
        (**self).why(write)
    }

    fn places(&self) -> Vec<String> {
        (**self).places()
    }

    fn sleep(&mut self, milliseconds: u64) {
        (**self).sleep(milliseconds);
    }

    fn poll(&mut self, job: JobId) -> Option<Result<usize, Failure>> {
        (**self).poll(job)
    }

    fn wait(&mut self, job: JobId) -> Option<Result<usize, Failure>> {
        (**self).wait(job)
    }

    fn waits_for(&mut self, job: JobId) -> Option<String> {
        (**self).waits_for(job)
    }
}
