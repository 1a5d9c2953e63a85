//! What values of arguments can be, for the completion of shells: the names that there are now.
//!
//! Knows names and where they are; how a shell asks is clap's.

use std::ffi::OsStr;
use std::path::Path;

use ap_files::machine::BUILT_IN;
use ap_proof::sequences::alphabets;
use ap_task::Version;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};

use crate::running;

/// The variable by which a shell asks.
pub const VARIABLE: &str = "APMATRIX_COMPLETE";

/// Where the tree is.
const SYS: &str = "/sys";
/// The directories of which `why` takes shorter paths.
const SHORT: [&str; 2] = ["bus/ap", "devices/vfio_ap/matrix"];

type Candidates = Vec<CompletionCandidate>;

/// Those of some names that begin with a word.
fn beginning(word: &OsStr, names: impl IntoIterator<Item = (String, Option<String>)>) -> Candidates {
    let word = word.to_string_lossy().into_owned();
    names
        .into_iter()
        .filter(|(name, _)| name.starts_with(&word))
        .map(|(name, about)| CompletionCandidate::new(name).help(about.map(Into::into)))
        .collect()
}

fn plain(names: impl IntoIterator<Item = String>) -> impl Iterator<Item = (String, Option<String>)> {
    names.into_iter().map(|name| (name, None))
}

/// Files of that ending, and directories.
fn files(word: &OsStr, ending: &'static str) -> Candidates {
    PathCompleter::any()
        .filter(move |path| path.is_dir() || path.extension().is_some_and(|extension| extension == ending))
        .complete(word)
}

/// A built-in machine, or a machine file.
#[must_use]
pub fn machines() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let built_in = BUILT_IN.iter().map(|known| (known.name.to_owned(), Some(known.about.to_owned())));
        let mut found = beginning(word, built_in);
        found.extend(files(word, "toml"));
        found
    })
}

/// A scenario file, or a name of one that stands in `scenarios/`.
#[must_use]
pub fn scenarios() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let entries = std::fs::read_dir("scenarios").into_iter().flatten().flatten();
        let stems = entries.filter_map(|entry| {
            let path = entry.path();
            let toml = path.extension().is_some_and(|extension| extension == "toml");
            Some(path.file_stem().filter(|_| toml)?.to_str()?.to_owned())
        });
        let mut found = beginning(word, plain(stems));
        found.sort();
        found.extend(files(word, "toml"));
        found
    })
}

/// A specimen.
#[must_use]
pub fn specimens() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let known = ap_seed::specimens();
        beginning(word, known.iter().map(|known| (known.id.to_string(), Some(known.title.to_string()))))
    })
}

/// An alphabet.
#[must_use]
pub fn alphabet_names() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        beginning(word, alphabets().iter().map(|known| (known.name.to_owned(), Some(known.about.to_owned()))))
    })
}

/// A kernel.
#[must_use]
pub fn kernels() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| beginning(word, plain(Version::NUMBERS.map(str::to_owned))))
}

/// A machine that runs.
#[must_use]
pub fn running_names() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| beginning(word, plain(running::names().unwrap_or_default())))
}

/// The path of an attribute: whole, or as short as `why` takes it.
#[must_use]
pub fn attributes() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        if word.to_string_lossy().starts_with('/') {
            return PathCompleter::any().complete(word);
        }
        let mut found = Vec::new();
        for directory in SHORT {
            found.extend(PathCompleter::any().current_dir(Path::new(SYS).join(directory)).complete(word));
        }
        found
    })
}

/// A card or a queue.
#[must_use]
pub fn devices() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let entries =
            std::fs::read_dir(Path::new(SYS).join("bus/ap/devices")).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut found = beginning(word, plain(names));
        found.sort();
        found
    })
}
