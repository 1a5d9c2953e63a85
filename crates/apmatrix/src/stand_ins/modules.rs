//! The modules that there are and that are loaded, as kmod's programs see them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ap_files::said;
use ap_sysfs::modules::{ModuleFile, files};

use crate::control::Control;

/// The kernel's release, which names the directory of its modules.
pub fn release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim_end().to_owned()
}

/// The directory of this kernel's modules.
pub fn directory() -> PathBuf {
    Path::new("/lib/modules").join(release())
}

/// A module's name, however it is written.
pub fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// The machine's modules that a name or an alias means.
pub fn named(name: &str) -> Vec<ModuleFile> {
    let own = normal(name);
    let (by_name, by_alias): (Vec<_>, Vec<_>) = files().into_iter().partition(|file| file.name == own);
    if by_name.is_empty() {
        return by_alias.into_iter().filter(|file| file.aliases.contains(&name)).collect();
    }
    by_name
}

/// Whether this kernel has a module of that name, as a file or built in.
pub fn host_has(name: &str) -> bool {
    let own = normal(name);
    if own.is_empty() || own.contains('/') {
        return false;
    }
    let stem = |line: &str| {
        let path = line.split(':').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        normal(file.split(".ko").next().unwrap_or_default())
    };
    let mut lists = ["modules.dep", "modules.builtin"].into_iter();
    Path::new("/sys/module").join(&own).is_dir()
        || lists.any(|list| {
            let text = fs::read_to_string(directory().join(list)).unwrap_or_default();
            text.lines().any(|line| stem(line) == own)
        })
}

/// Where a module's file is; where it would be, if there is none.
pub fn path(module: &ModuleFile) -> PathBuf {
    let file = |top: &str| {
        let below = module.directory.replacen("kernel", top, 1);
        directory().join(below).join(format!("{}.ko", module.name))
    };
    let updates = file("updates");
    if updates.is_file() { updates } else { file("kernel") }
}

/// What a module needs, the first to be loaded first.
pub fn needs(module: &ModuleFile) -> Vec<ModuleFile> {
    files().into_iter().filter(|file| module.needs.iter().any(|needed| needed.name() == file.name)).collect()
}

/// A module that is loaded.
pub struct Loaded(PathBuf);

impl Loaded {
    /// The one of that name, if it is.
    pub fn find(name: &str) -> Option<Loaded> {
        let directory = Path::new("/sys/module").join(normal(name));
        directory.join("initstate").is_file().then_some(Loaded(directory))
    }

    /// One of its attributes.
    pub fn read(&self, attribute: &str) -> String {
        let text = fs::read_to_string(self.0.join(attribute)).unwrap_or_default();
        text.trim_end().to_owned()
    }

    /// How many use it.
    pub fn users(&self) -> u32 {
        self.read("refcnt").parse().unwrap_or(0)
    }

    /// Which modules need it.
    pub fn holders(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.join("holders")).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// Loads or unloads a module.
///
/// # Errors
/// What the machine says, in the system's words.
pub fn control(line: &str) -> Result<(), String> {
    let control = Control::of(Path::new("/sys")).map_err(|error| error.message)?;
    // One line is one command.
    control
        .write("hw", &format!("modules {}", line.replace('\n', " ")))
        .map_err(|error: io::Error| said(&error))
}
