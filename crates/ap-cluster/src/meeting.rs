//! Why processes don't find each other. This module knows nothing of how they look for each other.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How long the others may take to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// Why the processes don't find each other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostsError {
    /// The host file can't be read.
    #[error("the host file {} can't be read: {why}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// A line is no address.
    #[error("{}:{line}: `{text}` is no address, expected HOST:PORT", file.display())]
    NoAddress {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// The file has no line for this process.
    #[error("the host file {} names {count} processes, counted from 0: there is no process {process}", file.display())]
    NoSuchProcess {
        /// The file.
        file: PathBuf,
        /// How many it has.
        count: usize,
        /// The one that was asked for.
        process: usize,
    },
    /// This process can't be connected to.
    #[error("process {process} can't listen at {address}: {why}")]
    Listen {
        /// This process.
        process: usize,
        /// Its address.
        address: String,
        /// Why.
        why: io::Error,
    },
    /// Another process did not come.
    #[error("process {process} at {address} did not come within {} s", PATIENCE.as_secs())]
    Absent {
        /// It.
        process: usize,
        /// Its address.
        address: String,
    },
    /// Another process does another search.
    #[error("process {process} does not do the same: its {fact} is `{theirs}`, and here it is `{ours}`")]
    Differs {
        /// It.
        process: usize,
        /// What differs.
        fact: String,
        /// What it is there.
        theirs: String,
        /// What it is here.
        ours: String,
    },
    /// Two processes say that they are the same one.
    #[error("two processes say that they are process {process}")]
    Twice {
        /// That one.
        process: usize,
    },
}
