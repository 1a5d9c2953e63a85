//! The commands, one file each.

pub mod again;
pub mod apply;
pub mod completions;
pub mod demo;
pub mod events;
pub mod exec;
pub mod explore;
pub mod explore_levels;
pub mod explore_scenarios;
pub mod explore_sequences;
pub mod fits;
pub mod guest;
pub mod hw;
pub mod import;
pub mod ls;
pub mod machine;
pub mod man;
pub mod mount;
pub mod plan;
pub mod replay;
pub mod run;
pub mod schema;
pub mod serve;
pub mod shell;
pub mod view;
pub mod why;

use ap_files::{KernelChoice, MachineFile};
use ap_sysfs::control::Verbs;

use crate::complete;
use crate::error::CliError;
use crate::terminal::{Table, findings, width};

/// Where the tree is, if nobody says so.
pub const SYS: &str = "/sys";

/// Where a mounted tree is, for those who look at it from outside.
#[derive(Clone, Debug, clap::Args)]
pub struct Root {
    /// Where the tree is
    #[arg(long, value_name = "DIR", default_value = SYS, value_hint = clap::ValueHint::DirPath)]
    pub root: std::path::PathBuf,
}

/// Which machine to boot.
#[derive(Clone, Debug, clap::Args)]
pub struct MachineArgs {
    /// A built-in machine (default, tiny, wide, max) or a machine file
    #[arg(long, value_name = "M", default_value = "default", add = complete::machines())]
    pub machine: String,
    /// Which kernel it runs.
    #[command(flatten)]
    pub kernel: KernelArgs,
}

/// Which kernel a machine runs.
#[derive(Clone, Debug, clap::Args)]
pub struct KernelArgs {
    /// The kernel: a version that `apmatrix machine list --kernels` lists; default: what the machine says, else 6.12
    #[arg(long, value_name = "VERSION", add = complete::kernels())]
    kernel: Option<KernelChoice>,
}

impl KernelArgs {
    /// The kernel that was asked for, if one was. Says which is taken for it, if that is another.
    #[must_use]
    pub fn choice(&self) -> Option<KernelChoice> {
        let choice = self.kernel.clone()?;
        if let Some(taken) = choice.taken() {
            eprintln!("{taken}");
        }
        Some(choice)
    }

    /// A machine, checked, with the kernel that was asked for.
    ///
    /// # Errors
    /// If there is no such machine, or its file is wrong.
    pub fn load(&self, name: &str) -> Result<MachineFile, CliError> {
        let mut loaded = MachineFile::load(name)?;
        match self.choice() {
            Some(kernel) => loaded.kernel = kernel,
            None => loaded.kernel.taken().iter().for_each(|taken| eprintln!("{taken}")),
        }
        Ok(loaded)
    }
}

impl MachineArgs {
    /// That machine, with the kernel that it names.
    #[must_use]
    pub fn named(name: &str) -> MachineArgs {
        MachineArgs { machine: name.to_owned(), kernel: KernelArgs { kernel: None } }
    }

    /// The machine, checked.
    ///
    /// # Errors
    /// If there is no such machine, or its file is wrong.
    pub fn load(&self) -> Result<MachineFile, CliError> {
        self.kernel.load(&self.machine)
    }
}

/// Prints a document for scripts.
fn print_json(document: &impl serde::Serialize) -> Result<(), CliError> {
    use std::io::Write as _;
    let text = serde_json::to_string_pretty(document).map_err(std::io::Error::from)?;
    writeln!(findings(), "{text}")?;
    Ok(())
}

/// Writes a page that stands alone.
fn write_page(path: &std::path::Path, page: &ap_serve::page::Frozen) -> Result<(), CliError> {
    std::fs::write(path, page.page()).map_err(|error| CliError::unwritten(path, error))
}

/// What `--help` says of the verbs of a control file, a line each.
fn verbs(verbs: &Verbs) -> String {
    let mut table = Table::indented(2);
    for verb in verbs.shown() {
        table.row([verb.name, verb.arguments, verb.help]);
    }
    table.render(width())
}
