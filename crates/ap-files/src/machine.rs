//! Machines as data: what a machine file says. (`INTERFACES.md`, Machine files.)
//!
//! [`MachineFile::load`] takes a built-in name or a file; [`MachineFile::hardware`] is what the machine's operator does
//! to an empty machine so that it becomes this one. [`crate::boot()`] does that, and loads the modules.

mod builtin;
pub(crate) mod check;
mod format;
pub(crate) mod ids;
pub(crate) mod masks;
mod model;
mod notes;
mod queues;
mod reserved;
mod text;

use std::path::Path;

use ap_sysfs::nearest::meant;

use crate::error::FileError;
use crate::problem;
use crate::read::read;

pub use builtin::{BUILT_IN, BuiltIn};
pub use format::{SCHEMA, schema};
pub use model::{Adapter, Facilities, Guest, MachineFile, Mdev, Queue, QueueState, kinds};
pub use notes::Notes;

/// The text of a built-in machine or of a machine file; a name wins over a file of that name.
///
/// # Errors
/// If there is no such file, or it cannot be read.
pub fn source(name: &str) -> Result<String, FileError> {
    match built_in(name) {
        Some(built_in) => Ok(built_in.text.to_owned()),
        None => text(Path::new(name)),
    }
}

/// The built-in machine of that name.
#[must_use]
pub fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|built_in| built_in.name == name)
}

fn text(path: &Path) -> Result<String, FileError> {
    read(path).map_err(|error| {
        let names: Vec<&str> = BUILT_IN.iter().map(|built_in| built_in.name).collect();
        // A file that is there is no mistyped name.
        let typed = path.to_str().filter(|_| error.is_missing());
        let near = typed.and_then(|name| meant(name, names.iter().copied()));
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let help = format!("expected a machine file or one of {}{near}", names.join(", "));
        FileError::unreadable(path, error, help)
    })
}

impl MachineFile {
    /// The machine of a built-in name or a file; a name wins over a file of that name.
    ///
    /// # Errors
    /// If there is no such file, or what it says is not a machine.
    pub fn load(name: &str) -> Result<MachineFile, FileError> {
        MachineFile::parse(name, &source(name)?)
    }

    /// The machine of a file.
    ///
    /// # Errors
    /// If it cannot be read, or what it says is not a machine.
    pub fn read(path: &Path) -> Result<MachineFile, FileError> {
        MachineFile::read_noted(path).map(|(machine, _)| machine)
    }

    /// The machine of a built-in name or a file, and what to beware of in it.
    ///
    /// # Errors
    /// As [`MachineFile::load`].
    pub fn load_noted(name: &str) -> Result<(MachineFile, Notes), FileError> {
        parse_noted(name, &source(name)?)
    }

    /// The machine of a file, and what to beware of in it.
    ///
    /// # Errors
    /// As [`MachineFile::read`].
    pub fn read_noted(path: &Path) -> Result<(MachineFile, Notes), FileError> {
        parse_noted(&path.display().to_string(), &text(path)?)
    }

    /// The machine that `text`, the content of `file`, describes.
    ///
    /// # Errors
    /// If it is not one: the error points to the place and says what was expected.
    pub fn parse(file: &str, text: &str) -> Result<MachineFile, FileError> {
        parse_noted(file, text).map(|(machine, _)| machine)
    }
}

fn parse_noted(file: &str, text: &str) -> Result<(MachineFile, Notes), FileError> {
    let stem = Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stem = stem.as_deref().unwrap_or(file);
    // A key that is not known is passed over, so that what else is wrong is found, too.
    let (parsed, mut problems) = problem::passing_over(text, format::parse);
    let checked = parsed.map_err(|problem| vec![problem]).and_then(|parsed| {
        let mut notes = Notes { ids: notes::masks(&parsed), ..Notes::default() };
        let naming = notes::Naming::of(&parsed);
        let machine = check::machine(parsed, stem)?;
        notes::named(&machine, naming, &mut notes);
        notes::mdevs(&machine, &mut notes);
        Ok((machine, notes))
    });
    match checked {
        Ok(noted) if problems.is_empty() => return Ok(noted),
        Ok(_) => {}
        // What is missing may be what was mistyped.
        Err(found) if !problems.is_empty() => problems
            .extend(found.into_iter().filter(|problem| problem.span.len() > 1 && !problem.is_missing())),
        Err(found) => problems.extend(found),
    }
    problems.sort_by_key(|problem| problem.span.start);
    Err(FileError::of(problems, file, text))
}

#[cfg(test)]
mod tests;
