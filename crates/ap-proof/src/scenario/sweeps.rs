//! Calls that go from device to device, and so are not one piece.

use ap_host::Module;
use ap_sysfs::Ino;
use ap_sysfs::node::Dir;

/// What of a scenario's calls goes from device to device: page 4 (I8) promises nothing in one piece of it but masks and
/// matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweeps {
    /// `drivers_autoprobe` is switched, or the host's drivers come or go: bindings.
    pub bindings: bool,
    /// A scan takes over what the machine says of a device: configured, checkstopped, and what is switched on then.
    pub flags: bool,
}

impl Sweeps {
    /// What is in one of them.
    #[must_use]
    pub fn or(self, other: Sweeps) -> Sweeps {
        Sweeps { bindings: self.bindings || other.bindings, flags: self.flags || other.flags }
    }

    /// What a write to a file does.
    pub(super) fn of_store(file: Ino) -> Sweeps {
        let attribute = Dir::and_attribute(file);
        Sweeps {
            bindings: attribute.is_some_and(|(dir, name)| {
                [Dir::BUS_AP, Dir::BUS_MATRIX, Dir::BUS_MDEV].contains(&dir) && name == "drivers_autoprobe"
            }),
            flags: attribute == Some((Dir::BUS_AP, "scans")),
        }
    }

    /// What a verb of the machine's operator does: all but those of modules change the machine, which then tells the
    /// host.
    pub(super) fn of_hw(args: &str) -> Sweeps {
        let words: Vec<&str> = args.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["modules", _verb, module, ..] => {
                let brings_host_drivers = |module: Module| match module {
                    Module::Zcrypt | Module::ZcryptCex4 => true,
                    Module::Ap | Module::Mdev | Module::VfioAp => false,
                };
                let bindings = Module::from_name(module).is_some_and(brings_host_drivers);
                Sweeps { bindings, flags: false }
            }
            ["modules", ..] => Sweeps::default(),
            [..] => Sweeps { bindings: false, flags: true },
        }
    }
}
