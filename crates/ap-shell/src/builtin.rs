//! The commands: a table of their names, their help, and what each does with its arguments.
//!
//! A command works on the context that it is given. It knows neither the script that it stands in nor the runner, but
//! for `wait` and `jobs`, which are about the runner's jobs.

mod files;
mod flow;
mod help;
mod jobs;
mod list;
mod operator;
mod options;
mod printf;
mod test;
mod text;

use crate::run::context::Command;

macro_rules! commands {
    ($($name:literal $effects:literal $run:path, $usage:literal, $summary:literal;)*) => {
        /// All commands, by name.
        pub(crate) static COMMANDS: &[Command] = &[$(Command {
            name: $name, usage: $usage, summary: $summary, effects: $effects, run: $run,
        }),*];
    };
}

commands! {
    ":" false flow::yes, ": [WORD…]", "does nothing, successfully";
    "[" false test::bracket, "[ EXPRESSION ]", "the same as test";
    "apmatrix" true operator::program, "apmatrix VERB …", "what the program has as commands: ls, hw, guest, events, why";
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
    "jobs" true jobs::jobs, "jobs", "lists what runs in the background";
    "ls" true list::ls, "ls [-adl1] [PATH…]", "lists directories; `apmatrix ls` shows cards and queues";
    "printf" false printf::printf, "printf FORMAT [WORD…]", "prints by a format: %s %d %i %u %o %x %X %c %b %%, and \\n \\t \\0NNN \\xHH";
    "pwd" false files::pwd, "pwd", "prints the current directory";
    "readlink" true files::readlink, "readlink PATH…", "prints where links lead";
    "set" true flow::set, "set [-+eux]…", "options: -e stops at a failure, -u at an unknown variable, -x prints commands";
    "sleep" true jobs::sleep, "sleep N", "lets machine time pass: 2, 0.5, 250ms, 3s, 1m";
    "stat" true files::stat, "stat [-L] [-c FORMAT] PATH…", "prints type, size and mode; in FORMAT %n %N %F %s %a %A";
    "test" true test::test, "test EXPRESSION", "-e -f -d -L -h -r -w PATH, -n -z TEXT, A = B, A != B, N -eq -ne -lt -le -gt -ge M, !";
    "tree" true list::tree, "tree [-d] [-L DEPTH] [PATH…]", "prints directories with all that is in them";
    "true" false flow::yes, "true", "does nothing, successfully";
    "unset" true flow::unset, "unset NAME…", "forgets variables";
    "wait" true jobs::wait, "wait [N…]", "waits for background jobs";
    "why" true operator::why, "why [PATH TEXT]", "says why the last write was refused, or why TEXT to PATH would be";
}

/// All commands, by name.
pub fn commands() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter()
}
