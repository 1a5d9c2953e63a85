//! Programs of ours, first on the command's path: for those that this host lacks, or that can't work here.
//!
//! What they do is not known here: they are other names of one program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::{mkdir, symlink};

use super::cover::add_links;
use super::dev::PROGRAMS;
use super::namespaces::Entered;

/// Where programs are that stand in nobody's path but root's.
const MORE_PLACES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Where the system's own programs are.
const SYSTEM: &str = "/sbin";

/// A program of ours.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// What it is called.
    pub name: &'static str,
    /// What it is: a program that does what it is called.
    pub program: PathBuf,
    /// When it is there.
    pub instead: Instead,
}

/// When a program of ours is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Where this host has none, or where the calls that its own makes are not intercepted.
    OfNone,
    /// The same, and where this kernel lacks a file that its own reads.
    OfOneThatReads(&'static str),
    /// In a user namespace: its own gets its rights from its file, which has none here.
    OfASetIdProgram,
}

/// The programs that are there.
#[derive(Debug, Default)]
pub struct Programs {
    directory: Option<PathBuf>,
    own: Option<PathBuf>,
}

impl Programs {
    /// Puts them up: those that are needed.
    ///
    /// `own` is this program, as it was found before there was another `/proc`.
    pub fn provide(
        stand_ins: &[StandIn],
        intercepted: bool,
        entered: Entered,
        own: Option<&Path>,
    ) -> Programs {
        let needed: Vec<&StandIn> = stand_ins
            .iter()
            .filter(|program| match program.instead {
                Instead::OfNone => !intercepted || find(program.name).is_none(),
                Instead::OfOneThatReads(file) => {
                    !intercepted || find(program.name).is_none() || !Path::new(file).exists()
                }
                Instead::OfASetIdProgram => entered == Entered::AsOnlyUser,
            })
            .collect();
        let directory = Path::new(PROGRAMS);
        let put = || -> rustix::io::Result<()> {
            mkdir(directory, 0o755.into())?;
            needed.iter().try_for_each(|program| symlink(&program.program, directory.join(program.name)))
        };
        let directory = (!needed.is_empty() && put().is_ok()).then(|| directory.to_owned());
        // What this host has none of is where it would be, too: for whoever has another path, or names it whole.
        let absent: Vec<(&str, &Path)> = needed
            .iter()
            .filter(|program| program.instead != Instead::OfASetIdProgram && find(program.name).is_none())
            .map(|program| (program.name, program.program.as_path()))
            .collect();
        if !absent.is_empty()
            && let Ok(place) = Path::new(SYSTEM).canonicalize()
            && let Err(errno) = add_links(&place, &absent)
        {
            tracing::debug!("nothing in {SYSTEM}: {errno}");
        }
        let own = own.filter(|own| {
            own.file_name().and_then(|name| name.to_str()).is_some_and(|name| find(name).is_none())
        });
        Programs { directory, own: own.and_then(Path::parent).map(Path::to_owned) }
    }

    /// The path on which the command finds programs: ours first, this program's own directory last, if it is not
    /// there anyway.
    pub fn path(&self) -> Option<OsString> {
        let path = std::env::var_os("PATH");
        let given: Vec<PathBuf> = path.iter().flat_map(std::env::split_paths).collect();
        let all = self.directory.iter().chain(&given).chain(&self.own);
        std::env::join_paths(all).ok().filter(|joined| path.as_ref() != Some(joined))
    }
}

/// A program of that name.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(MORE_PLACES.map(PathBuf::from));
    places.map(|place| place.join(name)).find(|program| program.is_file())
}
