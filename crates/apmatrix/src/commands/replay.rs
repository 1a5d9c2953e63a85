//! `apmatrix replay`: recorded transcripts.

use std::io::Write as _;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use ap_task::Kernel;

use crate::error::{CliError, Outcome, instead_of};
use crate::replay::{
    self, FileResult, InProcess, Input, Options, ReplayError, Report, Target, Through, report,
};
use crate::terminal::findings;

/// Replay recorded transcripts and compare
///
/// Every operation is carried out on an emulated machine that begins empty; its answer, uevents, log lines and AP
/// instructions must be as recorded from the real driver. Exits with 1 if a transcript differs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix replay transcripts.tar.xz\n  \
    apmatrix replay --keep-going scenario-21-host-config-change.jsonl\n  \
    apmatrix replay --json transcripts/ | jq .failed")]
pub struct Args {
    /// Transcripts (.jsonl), archives of them (.tar.xz), directories of either
    #[arg(required = true, value_name = "FILE|DIR", value_hint = clap::ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Go on with a transcript after a difference; what follows may be its consequence
    #[arg(long)]
    keep_going: bool,
    /// Replay one transcript through the files of a mounted, fresh machine without adapters
    ///
    /// Instead of in this process. Events are not compared then.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    through: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let inputs = replay::inputs(&args.paths).map_err(|error| {
        let missing = args.paths.iter().find(|path| !path.exists());
        let error = CliError::from(error);
        match missing {
            Some(path) => error.hint(instead_of(path)),
            None => error,
        }
    })?;
    if args.through.is_some() && !matches!(inputs.as_slice(), [Input::Transcript(_)]) {
        return Err(CliError::usage(
            "`--through` replays one transcript: the next one needs a fresh machine",
        ));
    }
    let mut all = Report::default();
    let options = Options { keep_going: args.keep_going };
    for input in inputs {
        input.each::<CliError>(&mut |name, lines| {
            let mut target = fresh(args, lines.kernel()?)?;
            let result = replay::replay(name, lines, &mut *target, options).map_err(|error| match error {
                ReplayError::Input(error) => CliError::from(error),
                ReplayError::Target(error) => CliError::from(error),
            })?;
            if !args.json {
                print(&result)?;
            }
            all.files.push(result);
            Ok(())
        })?;
    }
    let mut out = findings();
    if args.json {
        writeln!(out, "{}", all.json())?;
    } else {
        writeln!(out, "{}", all.summary())?;
    }
    Ok(all.status())
}

/// An empty machine.
fn fresh(args: &Args, kernel: Kernel) -> Result<Box<dyn Target>, CliError> {
    match &args.through {
        None => Ok(Box::new(InProcess::new(kernel))),
        Some(root) => Ok(Box::new(Through::new(root, kernel)?)),
    }
}

fn print(result: &FileResult) -> Result<(), CliError> {
    let colour = if result.ok() { AnsiColor::Green } else { AnsiColor::Red };
    let style = Style::new().fg_color(Some(colour.into()));
    let mut out = findings();
    for line in report::lines(result).lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        writeln!(out, "{style}{word}{style:#} {rest}")?;
    }
    Ok(())
}
