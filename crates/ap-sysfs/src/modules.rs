//! What a module's file says of it: for whoever writes one for kmod's tools.

use ap_host::module::Module;

/// A module's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleFile {
    /// The module's name.
    pub name: &'static str,
    /// Its directory among a kernel's modules.
    pub directory: &'static str,
    /// The modules that it needs, by name.
    pub needs: &'static [Module],
    /// What it is.
    pub description: &'static str,
    /// The devices that it drives, as patterns of their `MODALIAS`, and other names of it.
    pub aliases: &'static [&'static str],
    /// Its parameters: name, type, meaning.
    pub parameters: &'static [(&'static str, &'static str, &'static str)],
}

/// The modules' files.
#[must_use]
pub fn files() -> Vec<ModuleFile> {
    Module::ALL.into_iter().map(file).collect()
}

fn file(module: Module) -> ModuleFile {
    const CRYPTO: &str = "kernel/drivers/s390/crypto";
    const MDEV: &str = "kernel/drivers/vfio/mdev";
    const CARDS: &[&str] = &["ap:t0A", "ap:t0B", "ap:t0C", "ap:t0D", "ap:t0E"];
    let plain = ModuleFile {
        name: module.name(),
        directory: CRYPTO,
        needs: module.needs(),
        description: "",
        aliases: &[],
        parameters: &[],
    };
    match module {
        Module::Ap => ModuleFile {
            description: "The AP bus of an emulated machine",
            parameters: &[
                ("domain", "int", "the default domain"),
                ("poll_thread", "int", "whether a thread polls"),
                ("apmask", "charp", "the adapters that the host's drivers get"),
                ("aqmask", "charp", "the domains that the host's drivers get"),
                ("useirq", "int", "whether interrupts are used"),
                ("msgpool_min_items", "uint", "how many messages are kept ready"),
            ],
            ..plain
        },
        Module::Zcrypt => ModuleFile {
            description: "The host's interface to cards and queues of an emulated machine",
            aliases: &["z90crypt"],
            parameters: &[("mempool_threshold", "int", "how many requests are kept ready")],
            ..plain
        },
        Module::ZcryptCex4 => ModuleFile {
            description: "The host's drivers of cards and queues of an emulated machine",
            aliases: CARDS,
            ..plain
        },
        Module::Mdev => {
            ModuleFile { directory: MDEV, description: "Mediated devices of an emulated machine", ..plain }
        }
        Module::VfioAp => ModuleFile {
            description: "Gives queues of an emulated machine to guests",
            aliases: CARDS,
            ..plain
        },
    }
}
