//! What values of arguments can be, for the completion of shells: the names that there are now.
//!
//! Knows names and where they are; how a shell asks is clap's.

use std::ffi::OsStr;
use std::path::Path;

use ap_apply::tree::Tree;
use ap_files::machine::BUILT_IN;
use ap_files::{MachineFile, boot};
use ap_proof::sequences::alphabets;
use ap_sysfs::nearest::BELOW;
use ap_task::Version;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};

use crate::plan::tree::FileTree;
use crate::running;

/// The variable by which a shell asks.
pub const VARIABLE: &str = "APMATRIX_COMPLETE";

/// Where the tree is.
const SYS: &str = "/sys";

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

/// A built-in machine, or what is a host as a file: a machine file, an archive, a directory.
#[must_use]
pub fn hosts() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let built_in = BUILT_IN.iter().map(|known| (known.name.to_owned(), Some(known.about.to_owned())));
        let mut found = beginning(word, built_in);
        found.extend(PathCompleter::any().complete(word));
        found
    })
}

/// What may be allowed.
#[must_use]
pub fn allowed() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let words = [
            ("unplug", "running guests lose queues that are wanted elsewhere"),
            ("unplug=", "only that guest does, by its name or its mdev's UUID"),
        ];
        beginning(word, words.map(|(word, about)| (word.to_owned(), Some(about.to_owned()))))
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
        let known = ap_seed::specimens().iter().filter(|known| ap_seed::specimen(known.id).is_some());
        beginning(word, known.map(|known| (known.id.to_string(), Some(known.title.to_string()))))
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

/// What stands after an option on the line that is completed: the shell gives its words as arguments, after `--`.
fn option(name: &str) -> Option<String> {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let line = words.iter().position(|word| word == "--").map_or(&[][..], |at| &words[at + 1..]);
    line.iter().enumerate().find_map(|(at, word)| match word.strip_prefix(name)? {
        "" => line.get(at + 1).cloned(),
        rest => rest.strip_prefix('=').map(str::to_owned),
    })
}

/// The files of a tree that can be written, and its directories: whole paths, or as short as `why` takes them.
fn paths(tree: &mut dyn Tree, root: &str, word: &str) -> Candidates {
    let (typed, name) =
        word.rsplit_once('/').map_or(("", word), |(typed, name)| (&word[..=typed.len()], name));
    let places: Vec<String> = match typed.strip_prefix(root).or_else(|| typed.strip_prefix(SYS)) {
        Some(inside) => vec![inside.trim_matches('/').to_owned()],
        None if typed.starts_with('/') => Vec::new(),
        None => {
            BELOW.iter().map(|below| format!("{below}{typed}").trim_end_matches('/').to_owned()).collect()
        }
    };
    let mut found = Vec::new();
    for place in places {
        for known in tree.list(&place).unwrap_or_default() {
            if !known.starts_with(name) {
                continue;
            }
            let path = format!("{place}/{known}");
            let path = path.trim_start_matches('/');
            if tree.list(path).is_ok() {
                found.push(format!("{typed}{known}/"));
            } else if tree.is_writable(path) != Some(false) {
                found.push(format!("{typed}{known}"));
            }
        }
    }
    found.sort();
    found.dedup();
    found.into_iter().map(CompletionCandidate::new).collect()
}

/// The path of an attribute, whole or as short as `why` takes it: of the machine that the line names, or of the tree.
#[must_use]
pub fn attributes() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let text = word.to_string_lossy();
        if let Some(name) = option("--machine") {
            let session = MachineFile::load(&name).ok().and_then(|machine| boot(&machine).ok());
            return session.map(|mut session| paths(&mut session, SYS, &text)).unwrap_or_default();
        }
        if text.starts_with('/') {
            return PathCompleter::any().complete(word);
        }
        let root = option("--root").unwrap_or_else(|| SYS.to_owned());
        paths(&mut FileTree::new(Path::new(&root)), &root, &text)
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
