//! Other names of this program: it does inside a run what these programs do, where this host lacks them.
//!
//! | name | when | what |
//! | --- | --- | --- |
//! | `modprobe`, `rmmod`, `insmod`, `lsmod`, `modinfo` | this host has no kmod, or its system calls can't be intercepted | what kmod's do, on the machine's modules: options, messages and exit statuses are kmod's |
//! | `sudo` | an ordinary user's run | executes: everybody is root there already |
//!
//! Where kmod is installed it is what runs, unmodified.

mod arguments;
mod insert;
mod list;
mod modules;
mod output;
mod sudo;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use ap_fuse::{Instead, StandIn};

use self::arguments::text;

/// What a program is called, when it is there, and what it does with its arguments.
type Program = (&'static str, Instead, Does);

/// What it does with its arguments: as text, or as they are, to hand them on.
#[derive(Clone, Copy)]
enum Does {
    Text(fn(&[String]) -> u8),
    Raw(fn(&[OsString]) -> u8),
}

const PROGRAMS: [Program; 6] = [
    ("modprobe", Instead::OfNone, Does::Text(insert::modprobe)),
    ("rmmod", Instead::OfNone, Does::Text(insert::rmmod)),
    ("insmod", Instead::OfNone, Does::Text(insert::insmod)),
    ("lsmod", Instead::OfOneThatReads("/proc/modules"), Does::Text(list::lsmod)),
    ("modinfo", Instead::OfNone, Does::Text(list::modinfo)),
    ("sudo", Instead::OfASetIdProgram, Does::Raw(sudo::sudo)),
];

/// The programs, as names of this one.
#[must_use]
pub fn all() -> Vec<StandIn> {
    let Ok(program) = std::env::current_exe() else { return Vec::new() };
    let stand_in = |(name, instead, _): Program| StandIn { name, program: program.clone(), instead };
    PROGRAMS.map(stand_in).to_vec()
}

/// Does what the program of that name does, if it is one of these.
pub fn main(arguments: &[OsString]) -> Option<ExitCode> {
    let (called, rest) = arguments.split_first()?;
    let name = Path::new(called).file_name()?;
    let (.., does) = PROGRAMS.into_iter().find(|(known, ..)| name == *known)?;
    let status = match does {
        Does::Text(run) => run(&text(rest)),
        Does::Raw(run) => run(rest),
    };
    Some(ExitCode::from(status))
}
