//! `apmatrix demo`: the whole story in under ten seconds.

use crate::cli::Outcome;
use crate::commands::not_here;

/// Show the whole story in under ten seconds, without privileges
///
/// Boots the machine `default`, gives queues to vfio_ap, makes two mediated devices, starts a guest, tries to take a
/// queue back, unplugs and re-plugs an adapter under the running guest; then explores every interleaving of two
/// operations.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  apmatrix demo")]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args) -> Outcome {
    Err(not_here("demo"))
}
