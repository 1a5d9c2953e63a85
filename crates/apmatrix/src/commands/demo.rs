//! `apmatrix demo`: the whole story in under ten seconds.

use std::io::{self, Write};

use anstyle::Style;
use ap_seed::Specimen;
use explore::{Explorer, Report};

use super::explore::{report, specimen};
use crate::demo_system;
use crate::error::{CliError, Outcome};
use crate::terminal::{Wrapping, width};

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
    let mut out = Wrapping::new(anstream::stdout().lock(), width());
    head(&mut out, "The system, as anybody can operate it in `apmatrix shell`:")?;
    demo_system::tell(&mut out)?;
    demo_explorer(&mut out)?;
    Ok(0)
}

const HEAD: Style = Style::new().bold();

/// Tells the explorer's part: the deadlock, the theft, and the protocol that has neither; all of it explored now.
///
/// # Errors
/// If the explorer finds something else than the story says, or the output can't be written.
pub fn demo_explorer(out: &mut dyn Write) -> Result<(), CliError> {
    head(out, "November 2020: the bus may ask vfio_ap whether a queue is in use; plain locks:")?;
    tell(out, "seed-deadlock", "deadlock")?;
    head(out, "So both sides only try to lock. What the answer to the mail saw:")?;
    tell(out, "seed-theft", "stolen")?;
    head(out, "What was merged two years later: ap_perms_mutex (P) before each vfio_ap lock.")?;
    for id in ["shipped", "shipped-5"] {
        let (specimen, found) = explored(id, "clean")?;
        writeln!(out, "{}: {}", specimen.title, found.verdict)?;
        writeln!(out, "  {}", report::counts(&found))?;
        for outcome in &found.outcomes {
            let results = specimen.cast.iter().zip(&outcome.results);
            let results: Vec<String> =
                results.map(|((_, does), result)| format!("{does}: {result}")).collect();
            writeln!(out, "  - {}", results.join("; "))?;
        }
    }
    Ok(())
}

fn head(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{HEAD}{text}{HEAD:#}\n")
}

/// Explores a specimen in which something is wrong, and shows it beside the mail's words.
fn tell(out: &mut dyn Write, id: &str, verdict: &str) -> Result<(), CliError> {
    let (specimen, found) = explored(id, verdict)?;
    report::print_mail(out, &specimen, width())?;
    writeln!(out, "\nexplored: {}\n{}", specimen.title, report::counts(&found))?;
    if let Some(violation) = found.violations.first() {
        writeln!(out)?;
        report::print_violation(out, &specimen, violation, width())?;
    }
    Ok(())
}

/// The report of a specimen, which must say what the story says.
fn explored(id: &str, verdict: &str) -> Result<(Specimen, Report), CliError> {
    let mut specimen = specimen::find(id)?;
    let found = specimen.explore(&mut Explorer::default());
    if found.verdict != verdict || !found.exhausted {
        return Err(CliError::failed(format!("`{id}` is {}, and should be {verdict}", found.verdict)));
    }
    Ok((specimen, found))
}
