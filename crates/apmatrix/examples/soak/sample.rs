//! What can be seen of the server from outside, and whether it grew.

use std::fs;

/// One look at the server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Resident memory, kB.
    pub resident: u64,
    /// Open files.
    pub files: usize,
    /// Threads.
    pub threads: u64,
    /// Processor time so far, in ticks of 10 ms.
    pub ticks: u64,
}

/// Looks at a process; `None` if it is gone.
pub fn sample(pid: u32) -> Option<Sample> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let number = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may have blanks in it; user and system time are the 12th and 13th fields after it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Sample {
        resident: number("VmRSS:")?,
        threads: number("Threads:")?,
        files: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
        ticks: fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?,
    })
}

/// The kernel's inodes of all FUSE mounts of this machine, where one may see that; they are the only table of nodes
/// that there is, as the server computes its tree.
pub fn kernel_inodes() -> Option<u64> {
    let text = fs::read_to_string("/proc/slabinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("fuse_inode "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Whether the last quarter's samples have more than the end of the first one had, beyond a margin of 5 % and 1 MiB
/// for memory and none for open files and threads; in words.
pub fn growth(samples: &[Sample]) -> Vec<String> {
    let quarter = samples.len() / 4;
    if quarter == 0 {
        return vec!["too short to tell whether anything grew".to_owned()];
    }
    let (first, last) = (&samples[..quarter], &samples[samples.len() - quarter..]);
    let mut grown = Vec::new();
    let before = first[quarter - 1].resident;
    let after = last.iter().map(|sample| sample.resident).max().unwrap_or(0);
    if after > before + before / 20 + 1024 {
        grown.push(format!("memory grew from {before} kB to {after} kB"));
    }
    // What is open for a moment only is no growth: the least of the end counts.
    for (what, of) in [("open files", |s: &Sample| s.files as u64), ("threads", |s: &Sample| s.threads)]
        as [(&str, fn(&Sample) -> u64); 2]
    {
        let before = first.iter().map(of).max().unwrap_or(0);
        let after = last.iter().map(of).min().unwrap_or(0);
        if after > before {
            grown.push(format!("{what} grew from {before} to {after}"));
        }
    }
    grown
}
