//! Why a search could not be done.

use crate::checkpoint::CheckpointError;
use crate::meeting::HostsError;

/// Why a search could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// A worker panicked, which is a defect.
    #[error("a worker panicked; this is a defect of apmatrix")]
    Panicked,
    /// Another process ended in the middle.
    #[error("process {process} is gone")]
    Lost {
        /// Its number: a line of the host file, counted from 0.
        process: usize,
    },
    /// Another worker could not go on.
    #[error("worker {worker} can't go on: {why}")]
    Other {
        /// Its number, over all processes.
        worker: usize,
        /// What it says.
        why: String,
    },
    /// No worker can be started.
    #[error("the workers can't be started: {0}")]
    Start(String),
    /// What is explored says why it can't be: a way does not lead where it led, for instance.
    #[error("{0}")]
    Astray(String),
    /// The checkpoint can't be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The processes don't find each other.
    #[error(transparent)]
    Hosts(#[from] HostsError),
}
