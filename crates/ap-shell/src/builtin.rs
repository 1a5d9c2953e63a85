//! The commands.

mod files;
mod flow;
mod help;
mod job;
mod list;
mod operator;
mod printf;
mod test;
mod text;

use crate::run::{Flow, Interp};
use crate::shell::Status;

type Run = fn(&mut Interp<'_>, &[String]) -> Result<Status, Flow>;

/// A command of the shell.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    effects: bool,
    run: Run,
}

impl Command {
    /// Whether running it does more than printing what it was told.
    pub(crate) fn has_effects(&self) -> bool {
        self.effects
    }

    pub(crate) fn run(&self, interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
        (self.run)(interp, args)
    }
}

macro_rules! commands {
    ($($name:literal $effects:literal $run:path, $usage:literal, $summary:literal;)*) => {
        static COMMANDS: &[Command] = &[$(Command {
            name: $name, usage: $usage, summary: $summary, effects: $effects, run: $run,
        }),*];
    };
}

commands! {
    ":" false flow::yes, ": [WORD…]", "does nothing, successfully";
    "[" false test::bracket, "[ EXPRESSION ]", "the same as test";
    "break" false flow::leave, "break", "leaves the innermost loop";
    "cat" true files::cat, "cat PATH…", "prints files";
    "cd" true files::cd, "cd [PATH]", "changes the current directory (to /sys without PATH)";
    "continue" false flow::again, "continue", "goes on with the loop's next word";
    "echo" false text::echo, "echo [-n] WORD…", "prints its words and a newline (not with -n)";
    "events" true operator::events, "events [OPTION…]", "tells what happened: uevents, log lines, instructions";
    "exit" true flow::exit, "exit [N]", "ends the shell with status N";
    "false" false flow::no, "false", "does nothing, unsuccessfully";
    "guest" true operator::guest, "guest VERB …", "guests: start, stop, reset, list, show, aqic, protect, unmap";
    "help" false help::help, "help [COMMAND]", "lists the commands";
    "hw" true operator::hw, "hw VERB …", "the machine's operator: plug, unplug, control, configure, deconfigure, checkstop, repair, type, fault, set, modules, advance";
    "jobs" true job::jobs, "jobs", "lists what runs in the background";
    "ls" true list::ls, "ls [-adl1] [PATH…]", "lists directories";
    "printf" false printf::printf, "printf FORMAT [WORD…]", "prints by a format: %s %d %i %u %o %x %X %c %b %%, and \\n \\t \\0NNN \\xHH";
    "pwd" false files::pwd, "pwd", "prints the current directory";
    "readlink" true files::readlink, "readlink PATH…", "prints where links lead";
    "set" true flow::set, "set [-+eux]…", "options: -e stops at a failure, -u at an unknown variable, -x prints commands";
    "sleep" true job::sleep, "sleep N", "lets machine time pass: 2, 0.5, 250ms, 3s, 1m";
    "stat" true files::stat, "stat [-L] [-c FORMAT] PATH…", "prints type, size and mode; in FORMAT %n %N %F %s %a %A";
    "test" true test::test, "test EXPRESSION", "-e -f -d -L -h -r -w PATH, -n -z TEXT, A = B, A != B, N -eq -ne -lt -le -gt -ge M, !";
    "tree" true list::tree, "tree [-d] [-L DEPTH] [PATH…]", "prints directories with all that is in them";
    "true" false flow::yes, "true", "does nothing, successfully";
    "unset" true flow::unset, "unset NAME…", "forgets variables";
    "wait" true job::wait, "wait [N…]", "waits for background jobs";
}

/// All commands, by name.
pub fn commands() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter()
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    commands().map(|command| command.name)
}

pub(crate) fn find(name: &str) -> Option<&'static Command> {
    commands().find(|command| command.name == name)
}

impl Interp<'_> {
    /// Says how `command` is used.
    fn misused(&mut self, command: &str, what: &str) -> Status {
        let usage = find(command).map_or("", |command| command.usage);
        self.complain(&format!("{command}: {what} (usage: {usage})"));
        Status::of(2)
    }

    /// Says why `command` failed on `path`.
    fn failed_on(&mut self, command: &str, path: &str, errno: ap_sysfs::Errno) -> Status {
        self.complain(&format!("{command}: {path}: {errno}"));
        Status::failed(errno)
    }
}

/// Takes the options, words of `-` and letters out of `known`, from the start of `args`.
fn options<'w>(args: &'w [String], known: &str) -> Result<(Vec<char>, &'w [String]), String> {
    let mut letters = Vec::new();
    let mut rest = args;
    while let Some((first, more)) = rest.split_first() {
        if first == "--" {
            return Ok((letters, more));
        }
        let Some(word) = first.strip_prefix('-').filter(|word| !word.is_empty()) else { break };
        if let Some(letter) = word.chars().find(|&letter| !known.contains(letter)) {
            return Err(format!("there is no option -{letter}"));
        }
        letters.extend(word.chars());
        rest = more;
    }
    Ok((letters, rest))
}
