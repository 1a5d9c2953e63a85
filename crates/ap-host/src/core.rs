//! Which driver modules there are and which are loaded. (Specification, page 5.)

use ap_task::state::Unhashed;

/// `mempool_threshold` if nothing else is asked for. (Page 7.)
pub(crate) const MEMPOOL_THRESHOLD: u32 = 5;

/// Which modules are loaded, and the settings of the buses that come with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Core {
    /// How often each module was loaded, in the order of [`Module::ALL`].
    pub loads: Unhashed<[u32; 5]>,
    /// Modules that are loaded.
    pub loaded: Loaded,
    /// `drivers_autoprobe` of the bus matrix.
    pub autoprobe_matrix: bool,
    /// … of the bus mdev.
    pub autoprobe_mdev: bool,
    /// `mempool_threshold` of zcrypt, where the kernel has it.
    pub mempool_threshold: u32,
}

impl Default for Core {
    fn default() -> Self {
        Core {
            loads: Unhashed([0; 5]),
            loaded: Loaded::default(),
            autoprobe_matrix: true,
            autoprobe_mdev: true,
            mempool_threshold: MEMPOOL_THRESHOLD,
        }
    }
}

impl Core {
    /// How often a module was loaded so far.
    #[must_use]
    pub fn loads_of(&self, module: Module) -> u32 {
        self.loads[module as usize]
    }

    /// A module was loaded.
    pub(crate) fn has_loaded(&mut self, module: Module) {
        self.loaded.set(module, true);
        self.loads[module as usize] += 1;
    }

    /// A fingerprint of all that operations decide by, also of what `Hash` leaves out.
    pub(crate) fn exactly(&self) -> u64 {
        let Core { loads, loaded, autoprobe_matrix, autoprobe_mdev, mempool_threshold } = self;
        locks::hook::fingerprint(&(loads.0, loaded, autoprobe_matrix, autoprobe_mdev, mempool_threshold))
    }
}

/// Which modules are loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Loaded {
    /// The bus.
    pub ap: bool,
    /// The host's crypto interface.
    pub zcrypt: bool,
    /// The host's drivers.
    pub zcrypt_cex4: bool,
    /// Mediated devices.
    pub mdev: bool,
    /// The driver that gives queues to guests.
    pub vfio_ap: bool,
}

/// A driver module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Module {
    /// The bus.
    Ap,
    /// The host's crypto interface.
    Zcrypt,
    /// The host's drivers.
    ZcryptCex4,
    /// Mediated devices.
    Mdev,
    /// The driver that gives queues to guests.
    VfioAp,
}

impl Module {
    /// All of them, each after those that it needs.
    pub const ALL: [Module; 5] =
        [Module::Ap, Module::Zcrypt, Module::ZcryptCex4, Module::Mdev, Module::VfioAp];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Module::Ap => "ap",
            Module::Zcrypt => "zcrypt",
            Module::ZcryptCex4 => "zcrypt_cex4",
            Module::Mdev => "mdev",
            Module::VfioAp => "vfio_ap",
        }
    }

    /// The module of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Module> {
        Self::ALL.into_iter().find(|module| module.name() == name)
    }

    /// The modules that must be loaded before it is.
    #[must_use]
    pub fn needs(self) -> &'static [Module] {
        match self {
            Module::Ap | Module::Mdev => &[],
            Module::Zcrypt => &[Module::Ap],
            Module::ZcryptCex4 => &[Module::Ap, Module::Zcrypt],
            Module::VfioAp => &[Module::Ap, Module::Mdev],
        }
    }
}

impl Loaded {
    /// Whether a module is loaded.
    #[must_use]
    pub fn has(&self, module: Module) -> bool {
        match module {
            Module::Ap => self.ap,
            Module::Zcrypt => self.zcrypt,
            Module::ZcryptCex4 => self.zcrypt_cex4,
            Module::Mdev => self.mdev,
            Module::VfioAp => self.vfio_ap,
        }
    }

    pub(crate) fn set(&mut self, module: Module, on: bool) {
        match module {
            Module::Ap => self.ap = on,
            Module::Zcrypt => self.zcrypt = on,
            Module::ZcryptCex4 => self.zcrypt_cex4 = on,
            Module::Mdev => self.mdev = on,
            Module::VfioAp => self.vfio_ap = on,
        }
    }
}
