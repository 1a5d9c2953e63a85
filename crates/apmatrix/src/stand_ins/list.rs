//! `lsmod` and `modinfo`.

use ap_sysfs::modules::ModuleFile;

use super::arguments::{Known, parse};
use super::modules::{self, Loaded, named, release};
use super::output::{print, print_raw};

/// Lists the modules that are loaded, the last first.
pub fn lsmod(_: &[String]) -> u8 {
    print("Module                  Size  Used by");
    // The file that `/proc/modules` shows, where this kernel has one.
    let text = std::fs::read_to_string("/sys/kernel/debug/apmatrix/modules").unwrap_or_default();
    for name in text.lines().filter_map(|line| line.split(' ').next()) {
        if let Some(loaded) = Loaded::find(name) {
            let holders = loaded.holders().join(",");
            let (size, users) = (loaded.read("coresize"), loaded.users());
            print(&format!("{name:<19} {size:>8}  {users} {holders}"));
        }
    }
    0
}

const MODINFO: &[Known] = &[
    ('a', "author", false),
    ('d', "description", false),
    ('l', "license", false),
    ('p', "parameters", false),
    ('n', "filename", false),
    ('0', "null", false),
    ('m', "modname", false),
    ('F', "field", true),
    ('k', "set-version", true),
    ('b', "basedir", true),
    ('V', "version", false),
    ('h', "help", false),
];

/// What is known of modules.
pub fn modinfo(arguments: &[String]) -> u8 {
    let given = match parse(arguments, MODINFO, false) {
        Ok(given) => given,
        Err(text) => {
            eprintln!("modinfo: {text}");
            return 1;
        }
    };
    if given.has("version") {
        print("kmod version 30 (apmatrix: the machine's modules)");
        return 0;
    }
    if given.words.is_empty() {
        eprintln!("modinfo: ERROR: missing module or filename.");
        return 1;
    }
    let short = [("author", "author"), ("description", "description"), ("license", "license")];
    let short = short.into_iter().chain([("parameters", "parm"), ("filename", "filename")]);
    let asked = short.filter(|(option, _)| given.has(option)).map(|(_, field)| field).next_back();
    let field = given.value("field").or(asked);
    let end = if given.has("null") { '\0' } else { '\n' };
    let mut status = 0;
    for word in &given.words {
        let name = word.rsplit('/').next().unwrap_or_default().split(".ko").next().unwrap_or_default();
        let found = named(name);
        if found.is_empty() {
            eprintln!("modinfo: ERROR: Module {word} not found.");
            status = 1;
        }
        for module in found {
            for (key, value) in facts(&module) {
                match field {
                    None => print_raw(&format!("{:<16}{value}{end}", format!("{key}:"))),
                    Some(field) if field == key => print_raw(&format!("{value}{end}")),
                    Some(_) => {}
                }
            }
        }
    }
    status
}

fn facts(module: &ModuleFile) -> Vec<(&'static str, String)> {
    let needs: Vec<&str> = module.needs.iter().map(|needed| needed.name()).collect();
    let mut facts = vec![
        ("filename", modules::path(module).display().to_string()),
        ("license", "GPL".to_owned()),
        ("description", module.description.to_owned()),
        ("author", "apmatrix".to_owned()),
    ];
    facts.extend(module.aliases.iter().map(|alias| ("alias", (*alias).to_owned())));
    facts.push(("depends", needs.join(",")));
    facts.push(("name", module.name.to_owned()));
    facts.push(("vermagic", format!("{} SMP mod_unload", release())));
    let parameters = module.parameters.iter();
    facts.extend(parameters.map(|(name, kind, meaning)| ("parm", format!("{name}:{meaning} ({kind})"))));
    facts
}
