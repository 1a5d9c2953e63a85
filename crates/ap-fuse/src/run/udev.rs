//! Puts up the sign that udev runs, in a mount namespace of our own. The events themselves come from elsewhere.

use std::path::Path;

use rustix::fs::mkdir;

use super::cover::{Inside, cover, make_file};
use crate::mounting::{attach, tmpfs};

/// Makes libudev believe that udev runs, so that it listens to udev's group: it looks for this file.
///
/// Where there is no `/run/udev` to cover, the whole `/run` is covered by one that has it, and everything else of
/// the real one. The command can do without: nothing of this is an error.
pub fn provide_control() {
    let made = || -> rustix::io::Result<()> {
        let udev = Path::new("/run/udev");
        if !udev.is_dir() {
            cover(Path::new("/run"), &[], Inside::Writable)?;
            mkdir(udev, 0o755.into())?;
        }
        attach(&tmpfs()?, udev)?;
        make_file(&udev.join("control"))?;
        mkdir(udev.join("data"), 0o755.into())
    };
    if let Err(errno) = made() {
        tracing::debug!("no /run/udev/control: {errno}");
    }
}
