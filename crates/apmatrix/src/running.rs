//! The names of machines that run, and where they are written down: a file for each, of this user.
//!
//! Knows files; how a run is entered is `ap-fuse`'s.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use ap_files::said;
use ap_fuse::Entrance;
use ap_sysfs::nearest::meant;

use crate::error::CliError;
use crate::terminal::cut;

/// Where the names are: in the user's directory for such things; without one, root's are where only root can make
/// a directory, and others' below `/tmp`.
fn directory() -> PathBuf {
    let user = rustix::process::geteuid();
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty()) {
        Some(directory) => PathBuf::from(directory).join("apmatrix"),
        None if user.is_root() && Path::new("/run").is_dir() => PathBuf::from("/run/apmatrix-machines"),
        None => PathBuf::from(format!("/tmp/apmatrix-{}", user.as_raw())),
    }
}

/// The directory, if it is there and this user's alone: whoever else can write there would say what `exec` runs in.
fn trusted() -> Result<Option<PathBuf>, CliError> {
    let directory = directory();
    let entry = match fs::symlink_metadata(&directory) {
        Ok(entry) => entry,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&directory, error)),
    };
    let own = entry.uid() == rustix::process::geteuid().as_raw() && entry.mode() & 0o077 == 0;
    if !entry.is_dir() || !own {
        let what = format!("{} is no directory that only you can use", directory.display());
        return Err(CliError::environment(what).hint(
            "names of machines are kept there; set XDG_RUNTIME_DIR to a directory of yours, or remove it",
        ));
    }
    Ok(Some(directory))
}

fn failed(directory: &Path, error: io::Error) -> CliError {
    CliError::environment(format!("{}: {}", directory.display(), said(&error))).because(error)
}

/// The most letters of a name.
const LONGEST: usize = 64;

/// What would be a name for a machine, if this is none.
fn no_name(name: &str) -> Option<String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || !name.chars().all(plain) {
        Some("expected letters, digits, `-`, `_` and `.`".to_owned())
    } else if name.starts_with('.') {
        Some("expected a name that does not begin with a dot".to_owned())
    } else if name.len() > LONGEST {
        Some(format!("expected at most {LONGEST} letters; these are {}", name.len()))
    } else {
        None
    }
}

/// A name that is taken as long as this lives.
#[derive(Debug)]
pub struct Named {
    path: PathBuf,
}

impl Named {
    /// Takes a name.
    ///
    /// # Errors
    /// If it is none, or another machine that runs has it, or others can use the directory of names.
    pub fn take(name: &str) -> Result<Named, CliError> {
        if let Some(expected) = no_name(name) {
            return Err(
                CliError::usage(format!("`{}` is no name for a machine", cut(name, LONGEST))).hint(expected)
            );
        }
        let directory = directory();
        let failed = |error: io::Error| failed(&directory, error);
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(failed)?;
        trusted()?;
        let path = directory.join(name);
        let make = || OpenOptions::new().write(true).create_new(true).open(&path);
        match make() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if read(&path).is_some_and(|entrance| entrance.goes_on()) {
                    return Err(CliError::usage(format!("a machine called `{name}` runs already")).hint(
                        format!("`apmatrix exec {name} -- …` uses it; take another name for a second one"),
                    ));
                }
                // What a killed one left.
                fs::remove_file(&path).and_then(|()| make()).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(Named { path })
    }

    /// Where the run is written down.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn read(path: &Path) -> Option<Entrance> {
    Entrance::parse(&fs::read_to_string(path).ok()?)
}

/// The names of the machines that run, ascending.
///
/// # Errors
/// If others can use the directory of names.
pub fn names() -> Result<Vec<String>, CliError> {
    let Some(directory) = trusted()? else { return Ok(Vec::new()) };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| read(&entry.path()).is_some_and(|entrance| entrance.goes_on()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// The machine of that name.
///
/// # Errors
/// If none runs, or others can use the directory of names.
pub fn find(name: &str) -> Result<Entrance, CliError> {
    let names = names()?;
    if names.iter().any(|known| known == name)
        && let Some(entrance) = read(&directory().join(name))
    {
        return Ok(entrance);
    }
    if name.is_empty() {
        return Err(CliError::usage("the name of the machine is empty")
            .hint("`apmatrix exec --list` says which machines run"));
    }
    if let Some(expected) = no_name(name) {
        let error =
            CliError::usage(format!("`{}` is no name of a machine", cut(name, LONGEST))).hint(expected);
        return Err(error.hint("`apmatrix exec --list` says which machines run"));
    }
    let error = CliError::environment(format!("no machine called `{name}` runs"));
    Err(match (meant(name, names.iter().map(String::as_str)), names.as_slice()) {
        (Some(near), _) => error.hint(format!("did you mean `{near}`?")),
        (None, []) => error.hint(format!("`apmatrix run --name {name}` starts one")),
        (None, all) => error.hint(format!("there are {}", all.join(", "))),
    })
}
