//! The arguments of `apmatrix explore`.

use std::path::PathBuf;

use ap_files::KernelChoice;

use crate::arguments::{number, whole};
use crate::complete;

/// Explore every interleaving of operations that run at the same time
///
/// Proves that the invariants hold, or prints the shortest trace that breaks one. Exits with 1 if a violation was
/// found, if an outcome is not as the scenario expects, or if the time was up before everything was explored.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix explore --list                             what there is\n  \
    apmatrix explore mask-against-assign.toml\n  \
    apmatrix explore --specimen seed-theft --html theft.html\n  \
    apmatrix explore --specimen v12                     a table: which patches of a series are safe\n  \
    apmatrix explore --sequences --budget 60")]
pub struct Args {
    /// Scenario files, or names that --list tells
    #[arg(value_name = "SCENARIO", add = complete::scenarios())]
    pub scenarios: Vec<PathBuf>,
    /// Explore a specimen: a lock protocol as a patch series had it
    #[arg(long, value_name = "ID", add = complete::specimens(), conflicts_with_all = ["scenarios", "sequences"])]
    pub specimen: Option<String>,
    /// Explore every sequence of operations on a tiny machine instead
    #[arg(long, conflicts_with = "scenarios")]
    pub sequences: bool,
    /// Which operations: core (the default, which is explored to its end), whole (to depth 6), busy (to depth 5), or on Linux 7.1 overrides or removals
    #[arg(long, value_name = "NAME", requires = "sequences", add = complete::alphabet_names())]
    #[arg(conflicts_with_all = ["scenarios", "specimen", "list"])]
    pub alphabet: Option<String>,
    /// The kernel, instead of the scenario's or the alphabet's; see `apmatrix machine list --kernels`
    #[arg(long, value_name = "VERSION", add = complete::kernels(), conflicts_with_all = ["specimen", "list"])]
    pub kernel: Option<KernelChoice>,
    /// Only sequences of at most so many operations
    #[arg(long, value_name = "N", requires = "sequences", value_parser = whole::<u32>, allow_negative_numbers = true)]
    #[arg(conflicts_with_all = ["scenarios", "specimen", "list"])]
    pub depth: Option<u32>,
    /// Which explorer is used: cache visits as few states as show everything, every visits every state once, dpor takes every order of dependent steps once, both runs two that must agree
    #[arg(long, value_name = "NAME", conflicts_with_all = ["specimen", "sequences", "replay", "list"])]
    #[arg(default_value = "cache", hide_default_value = true)]
    pub engine: Engine,
    /// Then also audit what tasks say they remember: at each place to which they come with different pasts so many are followed for real, and must do the same
    #[arg(long, value_name = "N", conflicts_with_all = ["specimen", "sequences", "replay", "list"])]
    #[arg(value_parser = number(1..=1_000_000_u32), allow_negative_numbers = true)]
    pub audit: Option<u32>,
    /// Say what can be explored
    #[arg(long, conflicts_with_all = ["scenarios", "specimen", "sequences", "replay"])]
    pub list: bool,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = whole::<u64>, allow_negative_numbers = true)]
    pub budget: Option<u64>,
    /// How many threads, 256 at most: of sequences the workers, of scenario files how many are explored at once (each by
    /// one thread); else as many as there are processors
    #[arg(long, value_name = "N", conflicts_with_all = ["specimen", "replay", "list"])]
    #[arg(value_parser = number(1..=256_u16), allow_negative_numbers = true)]
    pub jobs: Option<u16>,
    /// How many threads share out sequences, or with --hosts or --checkpoint the states of one scenario file; else the same as
    /// --jobs
    #[arg(long, value_name = "N", conflicts_with_all = ["specimen", "replay", "list", "jobs"])]
    #[arg(value_parser = number(1..=256_u16), allow_negative_numbers = true)]
    pub workers: Option<u16>,
    /// Sequences, or one scenario file, by several processes: their addresses, HOST:PORT in each line; each is started with its own --process
    #[arg(long, value_name = "FILE", requires = "process", conflicts_with_all = ["specimen", "list", "replay"])]
    pub hosts: Option<PathBuf>,
    /// Which of them this one is: a line of the file, counted from 0; process 0 reports
    #[arg(long, value_name = "I", requires = "hosts", value_parser = whole::<usize>)]
    pub process: Option<usize>,
    /// Keep each finished level of sequences, or of one scenario file, in this folder, and go on from the last one that is there
    #[arg(long, value_name = "DIR", conflicts_with_all = ["specimen", "list", "replay"], value_hint = clap::ValueHint::DirPath)]
    pub checkpoint: Option<PathBuf>,
    /// Follow this schedule, as a report names it, step by step: 0x13.1x2 is 13 steps of the first task, then 2 of the second, and what follows a ~ a checksum
    #[arg(long, value_name = "SCHEDULE", conflicts_with = "sequences")]
    pub replay: Option<String>,
    /// With `--replay`, of a scenario file: follow the schedule as far as it fits, and explore everything that can come after it
    #[arg(long, requires = "replay", conflicts_with = "specimen")]
    pub explore: bool,
    /// Also write a page to this file that shows each outcome and each find step by step; it needs no network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sequences", "list"], value_hint = clap::ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// How many threads were asked for, by either name.
    #[must_use]
    pub fn threads(&self) -> Option<u16> {
        self.workers.or(self.jobs)
    }
}

/// An explorer of interleavings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// As few states as show everything, each once; the quickest by far.
    #[value(help = "as few states as show everything, each once; the quickest by far (the default)")]
    Cache,
    /// Every state once, and none left out.
    #[value(help = "every state once, and none left out; what the cache is checked by")]
    Every,
    /// Every order of dependent steps once.
    #[value(help = "every order of dependent steps once; relies on nothing but the steps")]
    Dpor,
    /// One after the other; they must agree.
    #[value(help = "one after the other, each within the budget; they must agree")]
    Both,
}
