//! `apmatrix events`: uevents, log lines, AP instructions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::commands::{Root, print_json};
use crate::control::Control;
use crate::error::{CliError, Outcome};
use crate::schema::{Named, of};
use crate::terminal::{lines_wrapped, width};

/// How often the file is read while following.
const POLL: Duration = Duration::from_millis(100);

/// Show uevents, log lines and AP instructions of a mounted tree
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix events                                     the last ones\n  \
    apmatrix events --follow                            and those to come, until interrupted\n  \
    apmatrix events --json | jq '.events[] | select(.kind == \"uevent\")'")]
pub struct Args {
    #[command(flatten)]
    root: Root,
    /// Go on with what happens from now on, until interrupted
    #[arg(long)]
    follow: bool,
    /// Print one JSON document; while following, one per event and line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Events<'a> {
    schema: &'static str,
    events: Vec<Event<'a>>,
}

#[derive(Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Event<'a> {
    Uevent { action: &'a str, devpath: &'a str, env: BTreeMap<&'a str, &'a str> },
    Log { level: u8, text: &'a str },
    Instruction { text: &'a str },
}

/// What it prints.
pub const SCHEMAS: [Named; 1] =
    [Named::new("events", "what happened: `apmatrix events --json`", of::<Events<'static>>)];

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let control = Control::of(&args.root.root)?;
    let text = control.show("events")?;
    if args.follow {
        return follow(&control, &text, args.json);
    }
    if args.json {
        print_json(&Events {
            schema: "apmatrix.events/1",
            events: text.lines().filter_map(event).collect(),
        })?;
    } else {
        write!(anstream::stdout(), "{}", for_whom(&text))?;
    }
    Ok(0)
}

/// Lines as they are for `grep`; in the terminal's width for people.
fn for_whom(text: &str) -> Cow<'_, str> {
    match std::io::stdout().is_terminal() {
        true => lines_wrapped(text, width()).into(),
        false => text.into(),
    }
}

/// Prints what there is, then what comes, until the tree goes away.
fn follow(control: &Control, text: &str, json: bool) -> Outcome {
    let mut known: Vec<String> = Vec::new();
    let mut text = text.to_owned();
    loop {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let fresh = &lines[overlap(&known, &lines)..];
        let mut out = anstream::stdout().lock();
        for line in fresh {
            match event(line).filter(|_| json) {
                Some(event) => {
                    writeln!(out, "{}", serde_json::to_string(&event).map_err(std::io::Error::from)?)?
                }
                None => write!(out, "{}", for_whom(&format!("{line}\n")))?,
            }
        }
        out.flush()?;
        drop(out);
        known = lines;
        thread::sleep(POLL);
        text = match control.read("events") {
            Ok(text) => text,
            Err(_) => return Err(CliError::environment("the machine is gone")),
        };
    }
}

/// How many lines at the beginning of `now` are known: the file keeps a limited number and drops the oldest.
fn overlap(known: &[String], now: &[String]) -> usize {
    (0..=known.len()).map(|from| &known[from..]).find(|rest| now.starts_with(rest)).map_or(0, <[String]>::len)
}

/// An event as a line of the file.
pub(super) fn line(event: &ap_sysfs::Event) -> String {
    match event {
        ap_sysfs::Event::Uevent(uevent) => {
            let mut line = format!("uevent {} {}", uevent.action, uevent.devpath);
            for (key, value) in &uevent.env {
                line.push_str(&format!(" {key}={}", value.trim_end()));
            }
            line
        }
        ap_sysfs::Event::Log { level, text } => format!("log <{level}> {text}"),
        ap_sysfs::Event::Instruction(text) => format!("instruction {text}"),
    }
}

/// A line of the file: `uevent ACTION DEVPATH KEY=VALUE…`, `log <LEVEL> TEXT` or `instruction TEXT`.
fn event(line: &str) -> Option<Event<'_>> {
    let (kind, rest) = line.split_once(' ')?;
    match kind {
        "uevent" => {
            let mut words = rest.split(' ');
            let (action, devpath) = (words.next()?, words.next()?);
            Some(Event::Uevent {
                action,
                devpath,
                env: words.filter_map(|word| word.split_once('=')).collect(),
            })
        }
        "log" => {
            let (level, text) = rest.strip_prefix('<')?.split_once("> ")?;
            Some(Event::Log { level: level.parse().ok()?, text })
        }
        "instruction" => Some(Event::Instruction { text: rest }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn only_new_lines_are_shown() {
        assert_eq!(overlap(&lines(""), &lines("a b")), 0);
        assert_eq!(overlap(&lines("a b"), &lines("a b c")), 2);
        assert_eq!(overlap(&lines("a b c"), &lines("b c d")), 2);
        assert_eq!(overlap(&lines("a b c"), &lines("x y z")), 0);
    }

    #[test]
    fn lines_are_events() {
        let uevent = event("uevent add /devices/ap/card04 SUBSYSTEM=ap DEV_TYPE=000E");
        let env = BTreeMap::from([("SUBSYSTEM", "ap"), ("DEV_TYPE", "000E")]);
        assert_eq!(uevent, Some(Event::Uevent { action: "add", devpath: "/devices/ap/card04", env }));
        assert_eq!(event("log <6> a text"), Some(Event::Log { level: 6, text: "a text" }));
        assert_eq!(
            event("instruction zapq 04.0006 rc=00"),
            Some(Event::Instruction { text: "zapq 04.0006 rc=00" })
        );
        assert_eq!(event("else"), None);
    }
}
