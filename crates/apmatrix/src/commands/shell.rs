//! `apmatrix shell`: the tree in this process, without FUSE.

use std::cell::RefCell;
use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;
use std::rc::Rc;

use ap_files::{MachineFile, boot, said};
use ap_shell::{FilesystemWorld, Operator, OperatorError, Shell, Stream};
use ap_sysfs::control::{GUEST, HW};
use ap_sysfs::{Errno, Filesystem as _, Session};

use rustyline::error::ReadlineError;

use crate::commands::{MachineArgs, events, ls, verbs, why};
use crate::editor::{Prompt, Read, Sitting};
use crate::error::{CliError, Kind, Outcome};
use crate::terminal::{told, width};

/// Operate a machine in this process: no FUSE, no privileges, machine time
///
/// Knows echo X > PATH, cat, ls, readlink, stat, tree, $VARS, #, &&, ||, ;, &, wait, sleep (of machine time), and the
/// verbs of `apmatrix hw`, `apmatrix guest`, `apmatrix events`, `apmatrix ls` and `apmatrix why`. A write that is refused
/// is told with its line and its file, and `why` says the reason.
///
/// On a terminal lines can be edited: the arrows bring earlier ones back, Tab completes commands, verbs and paths, ^C
/// drops a line or ends a command, ^D ends the shell. A write that waits (an mdev is removed that a guest has open) is
/// waited for; after ^C it goes on as a job.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix shell                                      on a terminal: a prompt\n  \
    apmatrix shell --machine tiny -c 'echo -4 > /sys/bus/ap/apmask; events'\n  \
    apmatrix shell try.sh")]
pub struct Args {
    /// Which machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// What to do, as text
    #[arg(short = 'c', value_name = "TEXT", conflicts_with = "script")]
    pub text: Option<String>,
    /// What to do, as a file
    #[arg(value_name = "SCRIPT", value_hint = clap::ValueHint::FilePath)]
    pub script: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let machine = args.machine.load()?;
    let mut shell = Shell::new(world(boot(&machine)?));
    shell.set_layout(told);
    if let Some(text) = &args.text {
        return script(&mut shell, text, "-c");
    }
    if let Some(path) = &args.script {
        let name = path.display().to_string();
        let bytes = fs::read(path).map_err(|error| CliError::unread(path, error))?;
        return script(&mut shell, &text(bytes, &name)?, &name);
    }
    if io::stdin().is_terminal() {
        return prompt(shell, &machine);
    }
    let (mut bytes, name) = (Vec::new(), "standard input");
    let read = io::stdin().read_to_end(&mut bytes);
    read.map_err(|error| CliError::input(format!("{name}: {}", said(&error))).because(error))?;
    script(&mut shell, &text(bytes, name)?, name)
}

/// A script's text.
fn text(bytes: Vec<u8>, name: &str) -> Result<String, CliError> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        CliError::input(format!("{name}:{line}: the text is not UTF-8"))
            .hint("expected a text in UTF-8: `iconv -f latin1 -t utf-8` makes one of a text in Latin-1")
            .because(error)
    })
}

/// The machine as the shell operates it.
pub fn world(session: Session) -> World {
    let mut world = FilesystemWorld::with_operator(session, Verbs);
    world.set_prompt(true);
    world
}

/// A session in the shell.
pub type World = FilesystemWorld<Session, Verbs>;

/// The verbs, carried out by the session itself: they answer with sentences.
#[derive(Clone, Copy, Debug)]
pub struct Verbs;

impl Operator<Session> for Verbs {
    fn hw(&mut self, session: &mut Session, args: &str) -> Result<String, OperatorError> {
        if asks_for_help(args) {
            return Ok(verbs(&HW));
        }
        session.hw(args).map_err(|error| OperatorError::new(error.errno, error.text))
    }

    fn guest(&mut self, session: &mut Session, args: &str) -> Result<String, OperatorError> {
        if asks_for_help(args) {
            return Ok(verbs(&GUEST));
        }
        if let Some(option) = args.split_whitespace().find(|word| word.starts_with("--")) {
            return Err(OperatorError::new(
                Errno::EINVAL,
                format!(
                    "in the shell `guest` has no option `{option}`: `apmatrix guest {option}` has it, in `apmatrix run`"
                ),
            ));
        }
        session.guest(args).map_err(|error| OperatorError::new(error.errno, error.text))
    }

    /// What happened since the last question, a line each, as in the control file.
    fn events(&mut self, session: &mut Session, args: &str) -> Result<String, OperatorError> {
        if asks_for_help(args) {
            return Ok("  events    what happened since the last question, a line each\n".to_owned());
        }
        if !args.trim().is_empty() {
            return Err(OperatorError::new(
                Errno::EINVAL,
                "in the shell `events` takes no words: it says what happened since the last question",
            ));
        }
        let events = session.events();
        session.changes();
        Ok(events.iter().map(|event| events::line(event) + "\n").collect())
    }

    fn why(&mut self, session: &mut Session, write: Option<(&str, &str)>) -> Result<String, OperatorError> {
        match why::explain(session, "/sys", write) {
            Ok(Some(explained)) => Ok(explained.text(width())),
            Ok(None) => crate::why::nothing(session, "/sys", width()).map_err(|error| answer(&error)),
            Err(error) => Err(answer(&error)),
        }
    }

    /// What `apmatrix ls` prints.
    fn list(&mut self, session: &mut Session, args: &[String]) -> Result<String, OperatorError> {
        let only = match args {
            [] => None,
            [only] => Some(only.as_str()),
            _ => {
                return Err(OperatorError::new(
                    Errno::EINVAL,
                    "one card or queue at the most: apmatrix ls 04",
                ));
            }
        };
        ls::text(session, "/sys", only, width()).map_err(|error| answer(&error))
    }
}

/// An error of the command line as the shell says it.
fn answer(error: &CliError) -> OperatorError {
    let errno = if error.kind == Kind::Usage { Errno::EINVAL } else { Errno::ENOENT };
    let hints: String = error.hints.iter().map(|hint| format!("; {hint}")).collect();
    OperatorError::new(errno, format!("{}{hints}", error.message))
}

fn asks_for_help(args: &str) -> bool {
    matches!(args.trim(), "--help" | "-h" | "help")
}

fn script(shell: &mut Shell<World>, text: &str, name: &str) -> Outcome {
    // Editors of other systems put a mark before a text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let script =
        ap_shell::parse(text, name).map_err(|error| CliError::input(error.to_string()).because(error))?;
    let mut printed = Ok(());
    let status = shell.run(&script, &mut |stream, text| print(stream, text, &mut printed));
    printed?;
    Ok(status.code)
}

fn print(stream: Stream, text: &str, printed: &mut io::Result<()>) {
    let written = match stream {
        Stream::Out => {
            let mut out = io::stdout();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }
        Stream::Err => io::stderr().write_all(text.as_bytes()),
    };
    if printed.is_ok() {
        *printed = written;
    }
}

/// Reads commands from a terminal until `exit` or the end. ^C drops a line, and ends a command.
fn prompt(shell: Shell<World>, machine: &MachineFile) -> Outcome {
    let unusable = |error: ReadlineError| CliError::environment(format!("the terminal: {error}"));
    eprintln!("{}: {machine}. `help` tells the commands, `exit` ends.", machine.name);
    let shell = Rc::new(RefCell::new(shell));
    let sitting = Sitting::new()
        .map_err(|error| CliError::environment(format!("signals: {}", said(&error))).because(error))?;
    shell.borrow_mut().set_interactive(true);
    shell.borrow_mut().set_foreground(Box::new(sitting.clone()));
    let mut prompt = Prompt::new(Rc::clone(&shell)).map_err(unusable)?;
    let mut status = 0;
    loop {
        let asked = format!("{}:{}# ", machine.name, shell.borrow().current_directory());
        let text = match prompt.read(&asked).map_err(unusable)? {
            Read::Text(text) => text,
            Read::Dropped => {
                status = 130;
                continue;
            }
            Read::Garbled => {
                let text = "sh: a byte came that is not UTF-8: the line is dropped, and what was typed or pasted with it";
                eprintln!("{}", told(text));
                status = 2;
                continue;
            }
            Read::End => return Ok(status),
        };
        let script = match ap_shell::parse(&text, "sh") {
            Ok(script) => script,
            Err(error) => {
                eprintln!("{}", told(&ap_shell::visible(&error.to_string())));
                status = 2;
                continue;
            }
        };
        let mut shell = shell.borrow_mut();
        let mut printed = Ok(());
        sitting.forget();
        status = shell.run(&script, &mut |stream, text| print(stream, text, &mut printed)).code;
        shell.notify(&mut |stream, text| print(stream, text, &mut printed));
        printed?;
        if shell.exited() {
            return Ok(status);
        }
        if sitting.heeded() {
            // What was typed after a command that was not to go on was meant for after it.
            prompt.discard().map_err(unusable)?;
        }
    }
}
