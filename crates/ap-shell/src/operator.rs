//! Who carries out the verbs `hw`, `guest` and `events` on a tree: a trait, and one way to do it by control files.
//!
//! What a verb means is known here to nobody.

use ap_sysfs::{Called, ControlError, Errno, Filesystem};

/// Why a verb failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OperatorError {
    /// The errno, for scripts and scenario results.
    pub errno: Errno,
    /// What to print.
    pub message: String,
    /// Whether the verb and its words were understood: if not, whoever wrote them made a mistake; if so, it is the
    /// system's answer.
    pub understood: bool,
}

impl OperatorError {
    /// With a message of its own.
    pub fn new(errno: Errno, message: impl Into<String>) -> OperatorError {
        OperatorError { errno, message: message.into(), understood: true }
    }
}

impl From<Errno> for OperatorError {
    fn from(errno: Errno) -> OperatorError {
        OperatorError::new(errno, errno.message())
    }
}

impl From<ControlError> for OperatorError {
    fn from(error: ControlError) -> OperatorError {
        let ControlError { errno, text, understood } = error;
        OperatorError { errno, message: text, understood }
    }
}

/// Who carries out the verbs on the tree `F`.
///
/// A call gets the arguments as one line, blanks reduced to one, and answers with text to print.
pub trait Operator<F: ?Sized> {
    /// What the machine's operator does.
    ///
    /// # Errors
    ///
    /// The verb's error.
    fn hw(&mut self, tree: &mut F, args: &str) -> Result<String, OperatorError>;

    /// What guests do.
    ///
    /// # Errors
    ///
    /// The verb's error.
    fn guest(&mut self, tree: &mut F, args: &str) -> Result<String, OperatorError>;

    /// What happened.
    ///
    /// # Errors
    ///
    /// The verb's error.
    fn events(&mut self, tree: &mut F, args: &str) -> Result<String, OperatorError>;

    /// The cards and queues, as `apmatrix ls` prints them.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP`, unless the operator makes lists.
    fn list(&mut self, _tree: &mut F, _args: &[String]) -> Result<String, OperatorError> {
        Err(OperatorError::new(Errno::EOPNOTSUPP, "nothing here makes lists: `apmatrix shell` does"))
    }

    /// Why a write to a file would be refused, or why the last one was.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP`, unless the operator knows rules.
    fn why(&mut self, _tree: &mut F, _write: Option<(&str, &str)>) -> Result<String, OperatorError> {
        Err(OperatorError::new(Errno::EOPNOTSUPP, "nothing here knows the rules: `apmatrix shell` does"))
    }
}

/// The verbs as lines for the tree's control files `hw`, `guests` and `events`, which is how other processes say them.
///
/// `hw`, `events` and `guest list` without arguments read the file.
#[derive(Clone, Debug)]
pub struct ControlFiles {
    directory: String,
}

impl ControlFiles {
    /// Over the files in `directory`.
    pub fn new(directory: impl Into<String>) -> ControlFiles {
        ControlFiles { directory: directory.into() }
    }

    fn say<F: Filesystem>(&self, tree: &mut F, file: &str, args: &str) -> Result<String, OperatorError> {
        let entry = tree.resolve_following(&format!("{}/{file}", self.directory))?;
        if args.is_empty() {
            return match tree.show(entry.ino) {
                Called::Done(shown) => Ok(String::from_utf8_lossy(&shown?).into_owned()),
                Called::Pending(_) => Err(Errno::EAGAIN.into()),
            };
        }
        match tree.store(entry.ino, format!("{args}\n").as_bytes()) {
            Called::Done(stored) => stored.map(|_| String::new()).map_err(OperatorError::from),
            Called::Pending(_) => Err(Errno::EAGAIN.into()),
        }
    }
}

impl Default for ControlFiles {
    fn default() -> ControlFiles {
        ControlFiles::new("/sys/kernel/debug/apmatrix")
    }
}

impl<F: Filesystem> Operator<F> for ControlFiles {
    fn hw(&mut self, tree: &mut F, args: &str) -> Result<String, OperatorError> {
        self.say(tree, "hw", args)
    }

    fn guest(&mut self, tree: &mut F, args: &str) -> Result<String, OperatorError> {
        self.say(tree, "guests", if args == "list" { "" } else { args })
    }

    fn events(&mut self, tree: &mut F, args: &str) -> Result<String, OperatorError> {
        self.say(tree, "events", args)
    }
}
