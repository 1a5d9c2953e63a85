//! `modprobe`, `insmod` and `rmmod`.

use std::path::Path;

use ap_sysfs::modules::{ModuleFile, files};

use super::arguments::{Given, Known, parse};
use super::modules::{self, Loaded, control, host_has, named, needs, normal};
use super::output::print;

const MODPROBE: &[Known] = &[
    ('a', "all", false),
    ('r', "remove", false),
    ('\0', "remove-dependencies", false),
    ('\0', "remove-holders", false),
    ('w', "wait", true),
    ('\0', "first-time", false),
    ('i', "ignore-install", false),
    ('i', "ignore-remove", false),
    ('b', "use-blacklist", false),
    ('f', "force", false),
    ('\0', "force-modversion", false),
    ('\0', "force-vermagic", false),
    ('D', "show-depends", false),
    ('c', "showconfig", false),
    ('c', "show-config", false),
    ('\0', "show-modversions", true),
    ('\0', "dump-modversions", true),
    ('\0', "show-exports", true),
    ('n', "dry-run", false),
    ('n', "show", false),
    ('C', "config", true),
    ('d', "dirname", true),
    ('S', "set-version", true),
    ('R', "resolve-alias", false),
    ('s', "syslog", false),
    ('q', "quiet", false),
    ('v', "verbose", false),
    ('V', "version", false),
    ('h', "help", false),
];

const OTHERS: &[Known] = &[
    ('f', "force", false),
    ('s', "syslog", false),
    ('v', "verbose", false),
    ('w', "wait", false),
    ('V', "version", false),
    ('h', "help", false),
];

/// A program's mistake in its own words, and the status that goes with it.
fn wrong(program: &str, text: &str) -> u8 {
    eprintln!("{program}: {text}");
    1
}

/// What `-V` and `-h` say; none if neither was asked for.
fn told(given: &Given, usage: &str) -> Option<u8> {
    if given.has("version") {
        print("kmod version 30 (apmatrix: the machine's modules)");
    } else if given.has("help") {
        print(&format!("Usage:\n\t{usage}"));
    } else {
        return None;
    }
    Some(0)
}

/// Loads modules and those that they need, or unloads them and those that nobody needs any more.
pub fn modprobe(arguments: &[String]) -> u8 {
    let given = match parse(arguments, MODPROBE, false) {
        Ok(given) => given,
        Err(text) => return wrong("modprobe", &text),
    };
    if let Some(status) = told(&given, "modprobe [options] [-a|-r|-R] modulename [parameters]") {
        return status;
    }
    if given.has("showconfig") || given.has("show-config") {
        return 0;
    }
    let Some((first, rest)) = given.words.split_first() else {
        return wrong("modprobe", "ERROR: missing parameters. See -h.");
    };
    let probe = Probe {
        dry: ["dry-run", "show", "show-depends"].iter().any(|name| given.has(name)),
        verbose: given.has("verbose"),
        quiet: given.has("quiet"),
        first_time: given.has("first-time"),
        depends: given.has("show-depends"),
    };
    if given.has("resolve-alias") {
        return probe.resolve(first);
    }
    if given.has("remove") || given.has("remove-dependencies") || given.has("remove-holders") {
        let done = given.words.iter().map(|name| probe.remove(name)).max();
        return done.unwrap_or(0);
    }
    if given.has("all") || given.has("use-blacklist") {
        let done = given.words.iter().map(|name| probe.insert(name, "")).max();
        return done.unwrap_or(0);
    }
    probe.insert(first, &rest.join(" "))
}

struct Probe {
    dry: bool,
    verbose: bool,
    quiet: bool,
    first_time: bool,
    depends: bool,
}

impl Probe {
    fn fatal(&self, text: &str) -> u8 {
        if self.quiet { 1 } else { wrong("modprobe", &format!("FATAL: {text}")) }
    }

    fn not_found(&self, name: &str) -> u8 {
        let directory = modules::directory();
        self.fatal(&format!("Module {name} not found in directory {}", directory.display()))
    }

    fn resolve(&self, name: &str) -> u8 {
        let found = named(name);
        found.iter().for_each(|module| print(module.name));
        if !found.is_empty() {
            return 0;
        }
        if host_has(name) {
            print(&normal(name));
            return 0;
        }
        self.not_found(name)
    }

    fn insert(&self, name: &str, parameters: &str) -> u8 {
        let found = named(name);
        if found.is_empty() {
            // This host's own: nothing is done to it.
            return if host_has(name) { 0 } else { self.not_found(name) };
        }
        for module in found {
            let is_loaded = Loaded::find(module.name).is_some();
            if is_loaded && self.first_time {
                let text = format!("ERROR: could not insert '{name}': Module already in kernel");
                return wrong("modprobe", &text);
            }
            if is_loaded && !self.depends {
                continue;
            }
            for needed in needs(&module) {
                if let Err(status) = self.insert_one(&needed, "") {
                    return status;
                }
            }
            if let Err(status) = self.insert_one(&module, parameters) {
                return status;
            }
        }
        0
    }

    fn insert_one(&self, module: &ModuleFile, parameters: &str) -> Result<(), u8> {
        if Loaded::find(module.name).is_some() && !self.depends {
            return Ok(());
        }
        if self.verbose || self.depends {
            print(&format!("insmod {} {parameters}", modules::path(module).display()));
        }
        if self.dry {
            return Ok(());
        }
        let loaded = control(&format!("load {} {parameters}", module.name));
        loaded
            .map_err(|said| wrong("modprobe", &format!("ERROR: could not insert '{}': {said}", module.name)))
    }

    fn remove(&self, name: &str) -> u8 {
        let found = named(name);
        if found.is_empty() {
            return if host_has(name) { 0 } else { self.fatal(&format!("Module {name} not found.")) };
        }
        for module in &found {
            let Some(loaded) = Loaded::find(module.name) else {
                if self.first_time {
                    return self.fatal(&format!("Module {} is not in kernel.", module.name));
                }
                continue;
            };
            if loaded.users() > 0 {
                return self.fatal(&format!("Module {} is in use.", module.name));
            }
            if let Err(said) = self.remove_one(module.name) {
                return wrong("modprobe", &format!("ERROR: could not remove '{}': {said}", module.name));
            }
            for needed in needs(module).iter().rev() {
                if Loaded::find(needed.name).is_some_and(|needed| needed.users() == 0) {
                    let _ = self.remove_one(needed.name);
                }
            }
        }
        0
    }

    fn remove_one(&self, name: &str) -> Result<(), String> {
        if self.verbose {
            print(&format!("rmmod {name}"));
        }
        if self.dry { Ok(()) } else { control(&format!("unload {name}")) }
    }
}

/// A module's name in a file's.
fn stem(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or_default();
    normal(file.split(".ko").next().unwrap_or_default())
}

/// Whether a file could be one, compressed or not.
fn is_module(path: &str) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    let magic: [&[u8]; 4] = [b"\x7fELF", b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    magic.iter().any(|magic| bytes.starts_with(magic))
}

/// Loads the module of a file.
pub fn insmod(arguments: &[String]) -> u8 {
    let given = match parse(arguments, OTHERS, true) {
        Ok(given) => given,
        Err(text) => return wrong("insmod", &text),
    };
    if let Some(status) = told(&given, "insmod [options] filename [args]") {
        return status;
    }
    let Some((path, parameters)) = given.words.split_first() else {
        return wrong("insmod", "ERROR: missing filename.");
    };
    if !Path::new(path).is_file() {
        return wrong("insmod", &format!("ERROR: could not load module {path}: No such file or directory"));
    }
    let name = stem(path);
    if !files().iter().any(|file| file.name == name) {
        // This host's own: nothing is done with it.
        return if is_module(path) {
            0
        } else {
            wrong("insmod", &format!("ERROR: could not insert module {path}: Invalid module format"))
        };
    }
    match control(&format!("load {name} {}", parameters.join(" "))) {
        Ok(()) => 0,
        Err(said) if said == "No such file or directory" => {
            wrong("insmod", &format!("ERROR: could not insert module {path}: Unknown symbol in module"))
        }
        Err(said) => wrong("insmod", &format!("ERROR: could not insert module {path}: {said}")),
    }
}

/// Unloads modules.
pub fn rmmod(arguments: &[String]) -> u8 {
    let given = match parse(arguments, OTHERS, false) {
        Ok(given) => given,
        Err(text) => return wrong("rmmod", &text),
    };
    if let Some(status) = told(&given, "rmmod [options] modulename ...") {
        return status;
    }
    if given.words.is_empty() {
        return wrong("rmmod", "ERROR: missing module name.");
    }
    let removed = given.words.iter().map(|word| {
        let name = stem(word);
        let Some(loaded) = Loaded::find(&name) else {
            return wrong("rmmod", &format!("ERROR: Module {name} is not currently loaded"));
        };
        let holders = loaded.holders();
        if !holders.is_empty() {
            return wrong("rmmod", &format!("ERROR: Module {name} is in use by: {}", holders.join(" ")));
        }
        if loaded.users() > 0 {
            return wrong("rmmod", &format!("ERROR: Module {name} is in use"));
        }
        if !files().iter().any(|file| file.name == name) {
            return 0;
        }
        match control(&format!("unload {name}")) {
            Ok(()) => 0,
            Err(said) => wrong("rmmod", &format!("ERROR: could not remove module {name}: {said}")),
        }
    });
    removed.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::modprobe;

    #[test]
    fn a_configuration_that_is_asked_for_is_empty_and_no_module_is_needed() {
        for option in ["--showconfig", "--show-config", "-c"] {
            assert_eq!(modprobe(&[option.to_owned()]), 0, "{option}");
        }
        assert_ne!(modprobe(&[]), 0);
    }
}
