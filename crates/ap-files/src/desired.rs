//! Desired states: what somebody wants a host's queues to be. (`apmatrix.desired/1`.)
//!
//! Three kinds of file say that: a desired-state file, what `mdevctl list --dumpjson` prints, and a machine file (as an
//! import writes it). [`DesiredFile::parse`] tells them apart by what they say.

mod check;
mod format;
mod mdevctl;
mod model;

use std::path::Path;

use crate::error::FileError;
use crate::machine::{self, MachineFile};
use crate::read::read;

pub use crate::machine::masks::MaskWish;
pub use format::{SCHEMA, schema};
pub use model::{Boot, DesiredFile, DesiredMdev, Give, Unlisted};

impl DesiredFile {
    /// The desired state that a file says.
    ///
    /// # Errors
    /// If it cannot be read, or what it says is none.
    pub fn read(path: &Path) -> Result<DesiredFile, FileError> {
        let text = read(path).map_err(|error| {
            let help = "expected a desired state, what `mdevctl list --dumpjson` prints, or a machine file";
            FileError::unreadable(path, error, help.to_owned())
        })?;
        DesiredFile::parse(&path.display().to_string(), &text)
    }

    /// The desired state that `text`, the content of `file`, says.
    ///
    /// # Errors
    /// If it is none: the error points to the place and says what was expected.
    pub fn parse(file: &str, text: &str) -> Result<DesiredFile, FileError> {
        // In TOML a table's heading is a bracket, too.
        let json = text.trim_start().starts_with('{') || mdevctl::is_list(text);
        if json
            || text.trim_start().starts_with('[') && serde_json::from_str::<serde_json::Value>(text).is_ok()
        {
            return mdevctl::parse(text).map_err(|problem| problem.in_file(file, text));
        }
        let schema = toml::from_str::<toml::Table>(text).ok();
        let schema = schema.as_ref().and_then(|table| table.get("schema")?.as_str());
        if schema.is_some_and(|schema| schema.starts_with("apmatrix.machine/")) {
            return Ok(DesiredFile::from(&MachineFile::parse(file, text)?));
        }
        format::parse(text).and_then(check::desired).map_err(|problem| problem.in_file(file, text))
    }
}

/// A machine as it is right after boot: its masks and its mdevs; others stay.
impl From<&MachineFile> for DesiredFile {
    fn from(machine: &MachineFile) -> DesiredFile {
        let mdev = |mdev: &machine::Mdev| DesiredMdev {
            uuid: mdev.uuid,
            matrix: mdev.matrix,
            control_by_default: mdev.control_by_default,
            boot: None,
        };
        DesiredFile {
            unlisted: Unlisted::Keep,
            give: None,
            apmask: Some(MaskWish::Exactly(machine.apmask)),
            aqmask: Some(MaskWish::Exactly(machine.aqmask)),
            mdevs: machine.mdevs.iter().map(mdev).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
