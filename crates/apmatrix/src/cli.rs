//! The command line: what there is, and how it ends.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::CompleteEnv;

use crate::commands;
use crate::complete::VARIABLE;
use crate::error::{CliError, Kind, Outcome};
use crate::terminal::{examples, lines_wrapped, width};

/// Longer lines of help are hard to read, however wide the terminal is.
const WIDEST: usize = 120;

/// The Linux s390 AP bus and vfio_ap in user space: try it, replay it, explore it.
#[derive(Debug, Parser)]
#[command(
    name = "apmatrix",
    version,
    arg_required_else_help = true,
    after_help = "Begin with `apmatrix demo`. `apmatrix help COMMAND` says more about each.\n\n\
                  Exit status: 0 done, nothing wrong; 1 a check failed; 2 usage; 3 the environment lacks \
                  something; 4 bad input file."
)]
pub struct Cli {
    /// When to use colours: auto, always, never; NO_COLOR is respected
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t = Colour::Auto,
        hide_possible_values = true,
        hide_default_value = true,
        display_order = 900
    )]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(commands::demo::Args),
    Run(commands::run::Args),
    Exec(commands::exec::Args),
    Mount(commands::mount::Args),
    Shell(commands::shell::Args),
    View(commands::view::Args),
    Serve(commands::serve::Args),
    Ls(commands::ls::Args),
    Hw(commands::hw::Args),
    Guest(commands::guest::Args),
    Events(commands::events::Args),
    Why(commands::why::Args),
    Explore(commands::explore::Args),
    Replay(commands::replay::Args),
    Machine(commands::machine::Args),
    Import(commands::import::Args),
    Plan(commands::plan::Args),
    Apply(commands::apply::Args),
    Confirm(commands::again::ConfirmArgs),
    Revert(commands::again::RevertArgs),
    Recover(commands::again::RecoverArgs),
    Fits(commands::fits::Args),
    Completions(commands::completions::Args),
    Schema(commands::schema::Args),
    Man(commands::man::Args),
}

/// The names of all commands.
fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// The command line as it is described in that width.
fn described(width: usize) -> clap::Command {
    fn fit(command: clap::Command, width: usize) -> clap::Command {
        let help = command.get_after_help().map(|help| examples(&help.to_string(), width));
        let command = match help {
            Some(help) => command.after_help(help),
            None => command,
        };
        command.mut_subcommands(|inner| fit(inner, width))
    }
    fit(Cli::command(), width).term_width(width)
}

/// The error of an option that only other commands have says which they are; that of one with a single dash that it has
/// two.
fn pointed(mut error: clap::Error, words: &[OsString], all: &clap::Command) -> clap::Error {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return error };
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    if !option.starts_with("--") {
        let long = |word: &OsString| {
            let name = word.to_str()?.strip_prefix('-')?.split('=').next()?.to_owned();
            let known =
                |command: &clap::Command| command.get_arguments().any(|a| a.get_long() == Some(&name));
            (name.len() > 1 && all.get_subcommands().any(known)).then_some(name)
        };
        if let Some(name) = words.iter().filter(|word| word.to_str() != Some("--")).find_map(long) {
            let tip = format!("did you mean `--{name}`?");
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        }
        return error;
    }
    let name = option.trim_start_matches("--").to_owned();
    let has = |command: &&clap::Command| {
        command.get_arguments().any(|argument| argument.get_long() == Some(name.as_str()))
    };
    let others: Vec<&str> = all.get_subcommands().filter(has).map(clap::Command::get_name).collect();
    if !others.is_empty() {
        let tip = format!("`--{name}` is an option of {}", others.join(", "));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Whether the command of that name has the option `--machine`.
fn takes_machine(name: Option<&str>) -> bool {
    let all = Cli::command();
    let command = name.and_then(|name| all.find_subcommand(name));
    command.is_some_and(|command| {
        command.get_arguments().any(|argument| argument.get_id() == "machine" && !argument.is_positional())
    })
}

/// Does what the arguments say; the first is the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
    let help = width().min(WIDEST);
    let words: Vec<OsString> = arguments.into_iter().collect();
    let parsed = described(help).try_get_matches_from(&words);
    let mut machine = false;
    let parsed = parsed.and_then(|mut matches| {
        machine = takes_machine(matches.subcommand_name());
        Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut described(help)))
    });
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() {
                let text = pointed(error, &words, &described(help)).render().ansi().to_string();
                let _ = write!(anstream::stderr(), "{}", lines_wrapped(&text, width()));
                return ExitCode::from(Kind::Usage.status());
            }
            // Usage lines are not wrapped by who makes them.
            let text = lines_wrapped(&error.render().ansi().to_string(), width());
            let mut out = anstream::stdout();
            let printed = write!(out, "{text}").and_then(|()| out.flush());
            let status = u8::try_from(error.exit_code()).unwrap_or(Kind::Usage.status());
            return ExitCode::from(printed.map_or_else(|error| shown(&error.into()), |()| status));
        }
    };
    match cli.color {
        Colour::Auto => ColorChoice::Auto,
        Colour::Always => ColorChoice::Always,
        Colour::Never => ColorChoice::Never,
    }
    .write_global();
    match run(cli.command, cli.color) {
        Ok(status) => ExitCode::from(status),
        Err(error) => ExitCode::from(shown(&if machine { error.with_machine() } else { error })),
    }
}

/// Says what is wrong, and gives the exit status.
fn shown(error: &CliError) -> u8 {
    if error.kind != Kind::BrokenPipe {
        let mut stderr = anstream::stderr();
        let colour = stderr.current_choice() != ColorChoice::Never;
        let _ = write!(stderr, "{}", error.render(colour));
    }
    error.kind.status()
}

fn run(command: Command, colour: Colour) -> Outcome {
    match command {
        Command::Demo(args) => commands::demo::run(&args),
        Command::Run(args) => commands::run::run(&args, &commands()),
        Command::Exec(args) => commands::exec::run(&args),
        Command::Mount(args) => commands::mount::run(&args),
        Command::Shell(args) => commands::shell::run(&args),
        Command::View(args) => commands::view::run(&args, colour != Colour::Never),
        Command::Serve(args) => commands::serve::run(&args),
        Command::Ls(args) => commands::ls::run(&args),
        Command::Hw(args) => commands::hw::run(&args),
        Command::Guest(args) => commands::guest::run(&args),
        Command::Events(args) => commands::events::run(&args),
        Command::Why(args) => commands::why::run(&args),
        Command::Explore(args) => commands::explore::run(&args),
        Command::Replay(args) => commands::replay::run(&args),
        Command::Machine(args) => commands::machine::run(&args),
        Command::Import(args) => commands::import::run(&args),
        Command::Plan(args) => commands::plan::run(&args),
        Command::Apply(args) => commands::apply::run(&args),
        Command::Confirm(args) => commands::again::run_confirm(&args),
        Command::Revert(args) => commands::again::run_revert(&args),
        Command::Recover(args) => commands::again::run_recover(&args),
        Command::Fits(args) => commands::fits::run(&args),
        Command::Schema(args) => commands::schema::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Man(args) => commands::man::run(&args, described(80)),
    }
}
