//! A search that workers share out: of sequences, or of a scenario's states.
//!
//! Options become what is wanted of `ap-cluster`, its news a line on the terminal, its errors the command's. This module knows
//! nothing of what is explored.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ap_cluster::{CheckpointError, ClusterError, Hosts, HostsError, News, Progress, Space, Wanted};

use crate::error::CliError;
use crate::progress;
use crate::terminal::{cut, width};

/// Who is to explore.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// At most this long.
    pub budget: Option<Duration>,
    /// How many workers in each process; `None`: one for each processor.
    pub workers: Option<u16>,
    /// The host file, and which of its processes this is.
    pub hosts: Option<(&'a Path, usize)>,
    /// Where levels are kept.
    pub checkpoint: Option<&'a Path>,
}

/// Explores a space; gives what came of it, and the number of this process.
///
/// # Errors
/// If the search can't be done.
pub fn search<S: Space>(
    space: Arc<S>,
    depth: Option<u32>,
    asked: Asked<'_>,
    said: &dyn Fn(&Progress) -> String,
) -> Result<(S::Report, usize), CliError> {
    let hosts = asked.hosts.map(|(file, process)| Hosts::read(file, process)).transpose();
    let hosts = hosts.map_err(|error| refused(error.into()))?;
    let process = hosts.as_ref().map_or(0, Hosts::process);
    let bar = progress::line();
    let mut waiting = None;
    let report = ap_cluster::search(
        Wanted {
            space,
            depth,
            budget: asked.budget,
            workers: asked.workers.map(usize::from),
            hosts,
            checkpoint: asked.checkpoint.map(Path::to_owned),
        },
        &mut |news| {
            let waits = matches!(news, News::Waiting(_));
            let line = match news {
                News::Waiting(address) => format!("waiting for the process at {address}"),
                News::Progress(progress) => said(&progress),
            };
            // Whoever starts a process by a script sees nothing else until all are there.
            if waits && bar.is_hidden() && waiting.as_ref() != Some(&line) {
                eprintln!("{line}");
                waiting = Some(line.clone());
            }
            bar.set_message(cut(&line, width().saturating_sub(4)));
        },
    );
    bar.finish_and_clear();
    Ok((report.map_err(refused)?, process))
}

/// Says that a process is done which has no report to print.
pub fn print_done(process: usize, verdict: &str) {
    eprintln!("process {process} is done, verdict: {verdict}; process 0 has the report");
}

/// What kind of error it is that nothing was explored, and what to do.
fn refused(error: ClusterError) -> CliError {
    let message = error.to_string();
    match &error {
        ClusterError::Hosts(
            HostsError::NoAddress { .. } | HostsError::NoSuchProcess { .. } | HostsError::Unreadable { .. },
        ) => CliError::input(message)
            .hint("the host file has a line HOST:PORT for each process, and --process counts them from 0"),
        ClusterError::Hosts(HostsError::Differs { .. } | HostsError::Twice { .. }) => CliError::environment(
            message,
        )
        .hint("start the same program with the same options on all machines, and an own --process each"),
        ClusterError::Hosts(_) => CliError::environment(message),
        ClusterError::Lost { .. } | ClusterError::Other { .. } => CliError::environment(message).hint(
            "start all processes again; with --checkpoint they go on from the last level that was finished",
        ),
        ClusterError::Checkpoint(error) => {
            let hint = match error {
                CheckpointError::Torn { .. } | CheckpointError::Foreign { .. } => {
                    "remove the folder to begin anew, or put the file back as it was"
                }
                CheckpointError::NotOurs { .. }
                | CheckpointError::Other { .. }
                | CheckpointError::Version { .. } => "give another folder, or remove this one to begin anew",
                CheckpointError::InUse { .. } => "wait for that search, or give another folder",
                _ => "give another folder, or mend this one",
            };
            match error {
                CheckpointError::Io { .. } | CheckpointError::InUse { .. } => CliError::environment(message),
                _ => CliError::input(message),
            }
            .hint(hint)
        }
        ClusterError::Start(_) => CliError::environment(message).hint("give fewer workers with --workers"),
        _ => CliError::failed(message),
    }
}
