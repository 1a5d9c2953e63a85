//! The machine's modules among this kernel's, as kmod's tools and libkmod look for them: `/lib/modules/RELEASE`.
//!
//! Nothing in the files is ever loaded into the kernel; what happens when somebody tries is said in
//! [`crate::intercept`].

mod image;
mod index;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ap_sysfs::modules::ModuleFile;

use self::image::image;
use self::index::Index;
use super::cover::{Inside, close, cover};
use crate::mounting::{attach, tmpfs};

/// Where kernels keep their modules.
const MODULES: &str = "/lib/modules";

/// The indexes that name modules, and what the lines of their texts begin with.
const INDEXES: [&str; 5] = ["dep", "alias", "symbols", "builtin", "builtin.alias"];

/// Shows the modules' files beside those of this kernel, which stay as they are. A command can do without: nothing
/// of this is an error.
pub fn provide_modules(modules: &[ModuleFile]) {
    if modules.is_empty() {
        return;
    }
    if let Err(error) = provide(modules) {
        tracing::debug!("no module files: {error}");
    }
}

fn provide(modules: &[ModuleFile]) -> io::Result<()> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let top = Path::new(MODULES);
    let own = top.join(&release);
    let real = fs::canonicalize(&own).is_ok_and(|path| path.is_dir());
    // In a directory of its own where this kernel has modules: its others are seen as they are.
    let below = if real { Some("updates") } else { None };
    let (mut lists, mut covered) = (Lists::default(), None);
    if real {
        lists.read(&own);
        let names =
            INDEXES.iter().flat_map(|name| [format!("modules.{name}"), format!("modules.{name}.bin")]);
        let names: Vec<String> = names.chain(["updates".to_owned()]).collect();
        let except: Vec<&str> = names.iter().map(String::as_str).collect();
        cover(&own, &except, Inside::Writable)?;
    } else {
        if top.is_dir() {
            attach(&tmpfs()?, top)?;
        } else {
            // `/lib` is often a link, and mounts go where it leads.
            let lib = fs::canonicalize("/lib")?;
            cover(&lib, &[], Inside::Writable)?;
            covered = Some(lib);
        }
        fs::create_dir_all(&own)?;
    }
    for module in modules {
        let path = module_path(module, below);
        let place = own.join(&path);
        if let Some(directory) = place.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(place, image(&facts(module, &release)))?;
        lists.add(module, &path, modules, below);
    }
    lists.write(&own)?;
    Ok(covered.map_or(Ok(()), |lib| close(&lib))?)
}

fn module_path(module: &ModuleFile, below: Option<&str>) -> String {
    let directory =
        below.map_or(module.directory.to_owned(), |below| module.directory.replacen("kernel", below, 1));
    format!("{directory}/{}.ko", module.name)
}

/// What modinfo tells.
fn facts(module: &ModuleFile, release: &str) -> Vec<String> {
    let mut facts = vec![
        "license=GPL".to_owned(),
        format!("description={}", module.description),
        "author=apmatrix".to_owned(),
    ];
    facts.extend(module.aliases.iter().map(|alias| format!("alias={alias}")));
    let needs: Vec<&str> = module.needs.iter().map(|needed| needed.name()).collect();
    facts.push(format!("depends={}", needs.join(",")));
    facts.push(format!("name={}", module.name));
    facts.push(format!("vermagic={release} SMP mod_unload"));
    for (name, kind, meaning) in module.parameters {
        facts.push(format!("parm={name}:{meaning}"));
        facts.push(format!("parmtype={name}:{kind}"));
    }
    facts
}

/// The lists, as kmod's tools read them (`.bin`) and as others do (text).
#[derive(Default)]
struct Lists {
    indexes: [Index; INDEXES.len()],
    texts: [String; INDEXES.len()],
}

impl Lists {
    fn read(&mut self, directory: &Path) {
        for (at, name) in INDEXES.iter().enumerate() {
            let file = |suffix: &str| directory.join(format!("modules.{name}{suffix}"));
            self.indexes[at] = Index::parse(&fs::read(file(".bin")).unwrap_or_default());
            self.texts[at] = fs::read_to_string(file("")).unwrap_or_default();
        }
    }

    fn add(&mut self, module: &ModuleFile, path: &str, modules: &[ModuleFile], below: Option<&str>) {
        const DEP: usize = 0;
        const ALIAS: usize = 1;
        const BUILTIN: usize = 3;
        let needed = all_needs(module, modules).into_iter().map(|needed| module_path(needed, below));
        let line = format!("{path}:{}", needed.map(|needed| format!(" {needed}")).collect::<String>());
        // A real module of that name is hidden, also one that this kernel has built in.
        for at in [DEP, BUILTIN] {
            self.indexes[at].entries.remove(module.name.as_bytes());
            self.texts[at] = without(&self.texts[at], module.name);
        }
        self.indexes[DEP].add(module.name, 0, &line);
        self.texts[DEP] += &format!("{line}\n");
        for alias in module.aliases {
            self.indexes[ALIAS].add(alias, 0, module.name);
            self.texts[ALIAS] += &format!("alias {alias} {}\n", module.name);
        }
    }

    fn write(&self, directory: &Path) -> io::Result<()> {
        for (at, name) in INDEXES.iter().enumerate() {
            let file = |suffix: &str| -> PathBuf { directory.join(format!("modules.{name}{suffix}")) };
            fs::write(file(".bin"), self.indexes[at].write())?;
            fs::write(file(""), &self.texts[at])?;
        }
        for name in ["softdep", "devname", "order"] {
            let path = directory.join(format!("modules.{name}"));
            if !path.exists() {
                fs::write(path, "")?;
            }
        }
        Ok(())
    }
}

/// What must be loaded before a module, the last first, as depmod writes it.
fn all_needs<'a>(module: &ModuleFile, modules: &'a [ModuleFile]) -> Vec<&'a ModuleFile> {
    let mut found: Vec<&ModuleFile> = Vec::new();
    let mut next: Vec<&str> = module.needs.iter().rev().map(|needed| needed.name()).collect();
    while let Some(name) = next.pop() {
        let Some(needed) = modules.iter().find(|known| known.name == name) else { continue };
        found.retain(|known| known.name != name);
        found.push(needed);
        next.extend(needed.needs.iter().rev().map(|needed| needed.name()));
    }
    // What is needed most comes last.
    let order = |one: &&ModuleFile| modules.iter().position(|known| known.name == one.name);
    found.sort_by_key(|one| std::cmp::Reverse(order(one)));
    found
}

/// The lines but those of the file of that module.
fn without(text: &str, module: &str) -> String {
    let is_of = |line: &str| {
        let path = line.split(':').next().unwrap_or_default();
        let stem = path.rsplit('/').next().unwrap_or_default().split(".ko").next().unwrap_or_default();
        stem.replace('-', "_") == module
    };
    text.lines().filter(|line| !is_of(line)).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_needs() {
        let files = ap_sysfs::modules::files();
        let of = |name: &str| files.iter().find(|file| file.name == name).expect("a module");
        let needs = |name: &str| -> Vec<&str> {
            all_needs(of(name), &files).into_iter().map(|file| file.name).collect()
        };
        assert_eq!(needs("zcrypt_cex4"), ["zcrypt", "ap"]);
        assert_eq!(needs("vfio_ap"), ["mdev", "ap"]);
        assert_eq!(needs("ap"), Vec::<&str>::new());
    }

    #[test]
    fn a_real_module_of_the_name_is_hidden() {
        let text =
            "kernel/a/vfio-ap.ko.xz: kernel/b.ko\nkernel/vfio_ap2.ko:\nkernel/c.ko: kernel/a/vfio-ap.ko.xz\n";
        assert_eq!(without(text, "vfio_ap"), "kernel/vfio_ap2.ko:\nkernel/c.ko: kernel/a/vfio-ap.ko.xz\n");
    }
}
