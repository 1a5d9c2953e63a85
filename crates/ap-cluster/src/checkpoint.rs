//! What a search has found, level by level, in files: a search that is killed goes on from its last level.
//!
//! ```text
//! DIR/search                        what is searched: alphabet or scenario, kernel, build, machine
//! DIR/process-0.lock                held while process 0 runs
//! DIR/level-7/worker-1-of-4.states  the fingerprints of the states first met at that level that the worker remembers
//! DIR/level-7/worker-1-of-4.ways    the ways to those that it explores from next
//! DIR/level-7/tally-0               what is counted so far, written by process 0
//! ```
//!
//! Each file is written under another name, made durable, and renamed. Tallies come last, when every worker has written
//! its files: a level with a tally is whole, whoever wrote it, and the ways of the level before it go. Processes may share
//! the folder, or have one each. If they share it (or there is one), the number of workers may be another one when the
//! search goes on.
//!
//! A search that learns what it should have known from the beginning begins anew: its second *pass* has folders
//! `pass-2-level-0`, which holds what is known by now and no states, and so on. When all processes have written that one, the
//! folders of the pass before go. Whatever is left of them after a kill does not count.
//!
//! This module knows nothing of workers' talk: who calls it sees to the order.

mod at;
mod durable;
mod error;
mod level;
mod records;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::identity::Identity;
use crate::ways::Ways;

pub(crate) use at::At;
pub use error::CheckpointError;
pub(crate) use level::Level;

/// The first line of `search`; another one is another format.
const VERSION: &str = "apmatrix.checkpoint/1";

/// A folder with the files of a search.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    folder: PathBuf,
    /// The checksum of what is searched; each file has it.
    search: u32,
    process: usize,
    _lock: File,
}

impl Checkpoint {
    /// Opens a folder for a process of a search, or makes it.
    ///
    /// # Errors
    /// If it holds anything else, or the same process of a search has it open.
    pub(crate) fn open(
        folder: &Path,
        identity: &Identity,
        process: usize,
    ) -> Result<Checkpoint, CheckpointError> {
        let failed = |why| CheckpointError::io(folder, why);
        fs::create_dir_all(folder).map_err(failed)?;
        let text = format!("{VERSION}\n{identity}");
        let file = folder.join("search");
        // Nothing is left in somebody else's folder: this comes before the lock.
        if !file.exists()
            && let Some(strange) = strange(folder).map_err(failed)?
        {
            return Err(CheckpointError::NotOurs { folder: folder.to_owned(), strange });
        }
        let lock = lock(folder, process)?;
        match fs::read_to_string(&file) {
            Ok(there) => same_search(folder, identity, &there)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                durable::write(&file, process, |out| out.write_all(text.as_bytes()))?;
            }
            Err(error) => return Err(CheckpointError::io(&file, error)),
        }
        let search = crc32fast::hash(text.as_bytes());
        Ok(Checkpoint { folder: folder.to_owned(), search, process, _lock: lock })
    }

    /// The last level that is whole, of those up to `limit`, as far as this folder knows.
    pub(crate) fn last(&self, limit: u32) -> Result<Option<Level>, CheckpointError> {
        let failed = |why| CheckpointError::io(&self.folder, why);
        let mut passes = vec![1];
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            let begins = name.strip_prefix("pass-").and_then(|rest| rest.strip_suffix("-level-0"));
            passes.extend(begins.and_then(|pass| pass.parse::<u32>().ok()));
        }
        passes.sort_unstable();
        for pass in passes.into_iter().rev() {
            let mut last = self.level(At { pass, number: 0 })?;
            if pass > 1 && last.is_none() {
                continue;
            }
            for number in 1..=limit {
                match self.level(At { pass, number })? {
                    Some(level) => last = Some(level),
                    None => break,
                }
            }
            return Ok(last);
        }
        Ok(None)
    }

    /// What is known of a level; `None` if nobody has written its tally here.
    pub(crate) fn level(&self, number: impl Into<At>) -> Result<Option<Level>, CheckpointError> {
        let number = number.into();
        let folder = self.folder_of(number);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CheckpointError::io(&folder, error)),
        };
        let mut tallies = Vec::new();
        for entry in entries {
            let name = entry.map_err(|why| CheckpointError::io(&folder, why))?.file_name();
            if name.to_str().is_some_and(|name| name.starts_with("tally-")) {
                tallies.push(folder.join(name));
            }
        }
        tallies.sort();
        // All of them say the same.
        let Some(file) = tallies.first() else { return Ok(None) };
        let bytes = records::read(file, &self.label("tally", number, None))?;
        let level = String::from_utf8(bytes).ok().and_then(|text| Level::parse(&text));
        level.map(Some).ok_or_else(|| CheckpointError::Torn { file: file.clone() })
    }

    /// Writes a worker's part of a level.
    pub(crate) fn write_part(
        &self,
        number: impl Into<At>,
        part: Part,
        prints: &[u128],
        ways: &Ways,
    ) -> Result<(), CheckpointError> {
        let number = number.into();
        let folder = self.folder_of(number);
        fs::create_dir_all(&folder).map_err(|why| CheckpointError::io(&folder, why))?;
        let label = self.label("states", number, Some(part));
        let bytes = prints.iter().map(|print| print.to_le_bytes());
        records::write(&part.file(&folder, "states"), &label, self.process, bytes)?;
        let label = self.label("ways", number, Some(part));
        records::write(&part.file(&folder, "ways"), &label, self.process, [ways.bytes()])
    }

    /// Says that a level is whole; the ways of the one before it, whoever wrote them, are not needed any more.
    pub(crate) fn write_tally(&self, number: impl Into<At>, level: &Level) -> Result<(), CheckpointError> {
        let number = number.into();
        let folder = self.folder_of(number);
        fs::create_dir_all(&folder).map_err(|why| CheckpointError::io(&folder, why))?;
        let file = folder.join(format!("tally-{}", self.process));
        let label = self.label("tally", number, None);
        records::write(&file, &label, self.process, [level.to_text()])?;
        for folder in [self.folder_of(number), self.folder.clone()] {
            let durable = File::open(&folder).and_then(|folder| folder.sync_all());
            durable.map_err(|why| CheckpointError::io(&folder, why))?;
        }
        match number.number.checked_sub(1) {
            Some(before) => self.remove_ways(At { number: before, ..number }),
            None => Ok(()),
        }
    }

    /// Removes what passes before that one have written, whoever did.
    pub(crate) fn forget_before(&self, pass: u32) -> Result<(), CheckpointError> {
        let failed = |why| CheckpointError::io(&self.folder, why);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let of = match name.strip_prefix("pass-").and_then(|rest| rest.split_once("-level-")) {
                Some((of, _)) => of.parse().unwrap_or(pass),
                None if name.starts_with("level-") => 1,
                None => pass,
            };
            if of < pass {
                match fs::remove_dir_all(entry.path()) {
                    // Who shares it may be removing the same.
                    Err(why) if why.kind() != io::ErrorKind::NotFound => {
                        return Err(CheckpointError::io(&entry.path(), why));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn remove_ways(&self, number: At) -> Result<(), CheckpointError> {
        let folder = self.folder_of(number);
        let failed = |why| CheckpointError::io(&folder, why);
        // Level 0 has no folder, and who shares it may be removing the same.
        let gone = |why: &io::Error| why.kind() == io::ErrorKind::NotFound;
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(why) if gone(&why) => return Ok(()),
            Err(why) => return Err(failed(why)),
        };
        for entry in entries {
            let file = entry.map_err(failed)?.path();
            if file.extension().is_some_and(|end| end == "ways") {
                match fs::remove_file(&file) {
                    Err(why) if !gone(&why) => return Err(CheckpointError::io(&file, why)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Which workers' parts of a level one of now needs, if so many wrote it: its own, or all of them.
    pub(crate) fn parts(
        &self,
        level: impl Into<At>,
        me: Part,
        workers: usize,
    ) -> Result<Vec<Part>, CheckpointError> {
        let level = level.into();
        if me.of == workers {
            return Ok(vec![me]);
        }
        let parts: Vec<Part> = (0..workers).map(|worker| Part { worker, of: workers }).collect();
        let folder = self.folder_of(level);
        if parts.iter().all(|part| part.file(&folder, "states").exists()) {
            return Ok(parts);
        }
        Err(CheckpointError::NotWhole { folder: self.folder.clone(), level: level.number, workers })
    }

    /// The fingerprints that a worker of a level remembered.
    pub(crate) fn states(&self, number: impl Into<At>, part: Part) -> Result<Vec<u128>, CheckpointError> {
        let number = number.into();
        let file = part.file(&self.folder_of(number), "states");
        let bytes = records::read(&file, &self.label("states", number, Some(part)))?;
        let (prints, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return Err(CheckpointError::Torn { file });
        }
        Ok(prints.iter().map(|print| u128::from_le_bytes(*print)).collect())
    }

    /// The ways from which a worker of a level would have explored next.
    pub(crate) fn ways(&self, number: impl Into<At>, part: Part) -> Result<Ways, CheckpointError> {
        let number = number.into();
        let file = part.file(&self.folder_of(number), "ways");
        let bytes = records::read(&file, &self.label("ways", number, Some(part)))?;
        let length = number.number as usize + 1;
        if bytes.len() % length != 0 {
            return Err(CheckpointError::Torn { file });
        }
        Ok(Ways::from_bytes(length, bytes))
    }

    fn folder_of(&self, At { pass, number }: At) -> PathBuf {
        self.folder.join(match pass {
            1 => format!("level-{number}"),
            _ => format!("pass-{pass}-level-{number}"),
        })
    }

    /// What a file says that it is.
    fn label(&self, what: &str, At { pass, number }: At, part: Option<Part>) -> String {
        let part =
            part.map_or_else(String::new, |Part { worker, of }| format!(" of worker {worker} of {of}"));
        let pass = if pass == 1 { String::new() } else { format!(" of pass {pass}") };
        format!("{VERSION} {:08x} {what} of level {number}{pass}{part}", self.search)
    }
}

/// A worker, of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its number.
    pub worker: usize,
    /// How many there are.
    pub of: usize,
}

impl Part {
    fn file(self, folder: &Path, what: &str) -> PathBuf {
        folder.join(format!("worker-{}-of-{}.{what}", self.worker, self.of))
    }
}

fn lock(folder: &Path, process: usize) -> Result<File, CheckpointError> {
    let file = folder.join(format!("process-{process}.lock"));
    let lock = File::create(&file).map_err(|why| CheckpointError::io(&file, why))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => {
            Err(CheckpointError::InUse { folder: folder.to_owned(), process })
        }
        Err(fs::TryLockError::Error(why)) => Err(CheckpointError::io(&file, why)),
    }
}

/// Something in a folder that no checkpoint begins with.
fn strange(folder: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // Another process may have begun already.
        let ours = name.starts_with("process-") || name.starts_with(".search") || name == "search";
        if !ours {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn same_search(folder: &Path, identity: &Identity, there: &str) -> Result<(), CheckpointError> {
    let folder = folder.to_owned();
    let Some((version, facts)) = there.split_once('\n') else {
        return Err(CheckpointError::Torn { file: folder.join("search") });
    };
    if version != VERSION {
        let version = version.to_owned();
        return Err(CheckpointError::Version { folder, version });
    }
    let Some(theirs) = Identity::parse(facts) else {
        return Err(CheckpointError::Torn { file: folder.join("search") });
    };
    match identity.difference(&theirs) {
        None => Ok(()),
        Some((fact, ours, theirs)) => Err(CheckpointError::Other { folder, fact, theirs, ours }),
    }
}

#[cfg(test)]
mod tests;
