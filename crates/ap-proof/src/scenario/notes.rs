//! Where a task stands, and what its author did wrong.

use std::cell::{Cell, RefCell};
use std::sync::LazyLock;

use ap_shell::{Cause, Failing, OperatorError};
use ap_sysfs::nearest::meant;
use ap_sysfs::{Errno, names};

use crate::scenario::definition::{Mistake, Part};

/// The names that are the same in every tree: asked for in every execution.
static KNOWN: LazyLock<Vec<&'static str>> = LazyLock::new(names::fixed);

/// Where a task stands, and the first mistake of its author that it came to.
#[derive(Default)]
pub(super) struct Notes {
    /// The line of the command that runs.
    pub line: Cell<u32>,
    /// The first mistake.
    pub mistake: RefCell<Option<Misuse>>,
    /// In a set-up: how many milliseconds of machine time it let pass.
    pub passed: Cell<u64>,
    /// It was too many.
    pub too_long: RefCell<Option<Misuse>>,
}

/// What is wrong with a command.
#[derive(Clone, Debug)]
pub(super) struct Misuse {
    /// Its line.
    pub line: u32,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Misuse {
    /// The same as a mistake in that part of the scenario.
    pub(super) fn in_part(self, part: Part) -> Mistake {
        let Misuse { line, what, remedy } = self;
        Mistake { part, line, what, remedy }
    }
}

/// How many milliseconds of machine time a set-up may let pass: an hour.
const LONGEST_SETUP: u64 = 3_600_000;

impl Notes {
    /// A command failed that can't have failed for a reason that is in the system: it was used in a wrong way, or the
    /// task does too much.
    pub(super) fn misused(&self, failing: &Failing) {
        if failing.errno.is_some() || failing.message.is_empty() {
            return;
        }
        let what = format!("`{}` fails: {}", failing.command, failing.message);
        let remedy = match failing.cause {
            Cause::Budget => {
                "let it do less: a scenario's task has a few commands, every order of which is tried"
            }
            Cause::Command | Cause::Waits => "mend the command; one that may fail so is followed by `||`",
        };
        let remedy = remedy.to_owned();
        self.mistake.borrow_mut().get_or_insert(Misuse { line: failing.line, what, remedy });
    }

    /// Whether so many more milliseconds may pass in a set-up.
    pub(super) fn may_pass(&self, milliseconds: u64) -> bool {
        let passed = self.passed.get().saturating_add(milliseconds);
        self.passed.set(passed);
        if passed > LONGEST_SETUP {
            self.too_long.borrow_mut().get_or_insert(Misuse {
                line: self.line.get(),
                what: "the set-up lets more than an hour of machine time pass".to_owned(),
                remedy: "expected less: a machine that was booted waits for nothing".to_owned(),
            });
        }
        passed <= LONGEST_SETUP
    }

    pub(super) fn mistake(&self, what: String, remedy: String) {
        let line = self.line.get();
        self.mistake.borrow_mut().get_or_insert(Misuse { line, what, remedy });
    }

    /// A file was not there: can it ever be?
    pub(super) fn missing(&self, path: &str, errno: Errno) {
        if !matches!(errno, Errno::ENOENT | Errno::EACCES | Errno::ENOTDIR) {
            return;
        }
        let mut parts = path.split('/').filter(|name| !matches!(*name, "" | "." | "..")).peekable();
        let unknown = match parts.next() {
            Some("sys") => parts.find(|name| KNOWN.binary_search(name).is_err() && !names::varies(name)),
            Some("dev") | None => None,
            Some(_) => {
                return self.mistake(
                    format!("there is no `{path}`"),
                    "expected a path below /sys: nothing else is there".to_owned(),
                );
            }
        };
        if let Some(name) = unknown {
            let last = parts.peek().is_none();
            let what = format!("there is no {} `{name}`", if last { "attribute" } else { "directory" });
            let remedy = match meant(name, KNOWN.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`apmatrix shell -c 'ls DIR'` lists what a directory has".to_owned(),
            };
            self.mistake(what, format!("{remedy} ({path})"));
        }
    }

    /// A verb was refused: because it is none?
    pub(super) fn refused(&self, verb: &str, args: &str, error: &OperatorError) {
        if !error.understood {
            self.mistake(format!("`{verb} {args}` is not understood"), error.message.clone());
        }
    }
}
