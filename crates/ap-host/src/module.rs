//! Driver modules: loading and unloading them. (Specification, pages 2 and 5.)

use ap_types::grammar::mask_parameter;
use ap_types::{AdapterMask, DomainMask, Features, HostConfig};
use locks::{Held, Nothing};

use crate::Host;
use crate::driver::DriverId;
use crate::event::{Action, Sink, Subject, Work};
use crate::order::{Modules, Queue};
use crate::perms::Perms;
use crate::registry::{Parameters, Registry};

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

    fn needs(self) -> &'static [Module] {
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

    fn set(&mut self, module: Module, on: bool) {
        match module {
            Module::Ap => self.ap = on,
            Module::Zcrypt => self.zcrypt = on,
            Module::ZcryptCex4 => self.zcrypt_cex4 = on,
            Module::Mdev => self.mdev = on,
            Module::VfioAp => self.vfio_ap = on,
        }
    }
}

/// Why a module was not loaded or unloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// It is loaded already (`EEXIST`).
    #[error("the module is loaded already")]
    Loaded,
    /// It is not loaded, or one that it needs is not (`ENOENT`).
    #[error("the module, or one that it needs, is not loaded")]
    NotLoaded,
    /// There are no AP instructions (`ENODEV`).
    #[error("the machine has no AP instructions")]
    NoInstructions,
    /// It is in use (`EAGAIN`).
    #[error("the module is in use")]
    InUse,
    /// A parameter is not one of the module's (`EINVAL`).
    #[error("unknown or unusable parameter")]
    Parameter,
}

impl Host {
    /// Loads a module.
    ///
    /// # Errors
    /// [`ModuleError`].
    ///
    /// # Locks
    /// The module lock, and under it what registering a driver takes.
    pub fn load_module(
        &self,
        module: Module,
        parameters: &str,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), ModuleError> {
        let (_modules, mut held) = self.modules.lock(held);
        let loaded = self.core.read(&mut held).0.loaded;
        if loaded.has(module) {
            return Err(ModuleError::Loaded);
        }
        if !module.needs().iter().all(|needed| loaded.has(*needed)) {
            return Err(ModuleError::NotLoaded);
        }
        match module {
            Module::Ap => self.load_ap(parameters, &mut held, out)?,
            Module::Zcrypt => {
                out.uevent(Action::Add, Subject::Class("zcrypt"));
                out.uevent(Action::Add, Subject::Z90crypt);
            }
            Module::ZcryptCex4 => {
                self.add_driver(DriverId::Cex4Card, &mut held, out);
                self.add_driver(DriverId::Cex4Queue, &mut held, out);
            }
            Module::Mdev => {
                self.registry.write(&mut held).0.autoprobe_mdev = true;
                out.uevent(Action::Add, Subject::Bus("mdev"));
            }
            Module::VfioAp => self.load_vfio_ap(&mut held, out),
        }
        self.core.write(&mut held).0.loaded.set(module, true);
        out.uevent(Action::Add, Subject::Module(module.name()));
        if module == Module::Ap {
            out.due(Work::Scan, 0);
        }
        Ok(())
    }

    fn add_driver(&self, driver: DriverId, held: &mut Held<'_, Modules>, out: &dyn Sink) {
        self.register_driver(driver, held, out);
        out.uevent(Action::Add, Subject::Driver { bus: "ap", name: driver.name() });
        self.announce_bindings(held, out);
    }

    fn load_ap(&self, text: &str, held: &mut Held<'_, Modules>, out: &dyn Sink) -> Result<(), ModuleError> {
        let (has, qci) = {
            let mut held = held.at::<Queue>();
            (self.hw.facilities(&mut held), self.hw.qci(&mut held))
        };
        if !has.instructions {
            out.log(4, "ap: The hardware system does not support AP instructions".into());
            return Err(ModuleError::NoInstructions);
        }
        let (parameters, domain) = parse_parameters(text)?;
        let config = has.qci.then_some(qci);
        let (max_adapter, max_domain) = highest_ids(config.as_ref());
        let mut perms = Perms::default();
        if let Some(text) = &parameters.apmask {
            perms.adapters = mask_parameter::<AdapterMask>(text.as_bytes());
        }
        if let Some(text) = &parameters.aqmask {
            perms.domains = mask_parameter::<DomainMask>(text.as_bytes());
        }
        let fits = |domain: i32| {
            u8::try_from(domain).ok().filter(|id| *id <= max_domain && perms.domains.contains((*id).into()))
        };
        let default_domain = domain.and_then(fits);
        if let Some(domain) = domain.filter(|domain| *domain != -1 && default_domain.is_none()) {
            out.log(4, format!("ap: {domain} is not a valid cryptographic domain"));
        }
        *self.perms.lock(held).0 = perms;
        let interrupts = has.interrupts && parameters.useirq.is_none_or(|on| on != 0);
        let (mut registry, _held) = self.registry.write(held);
        let generations = std::mem::take(&mut registry.generations);
        let zcrypt_nodes = std::mem::take(&mut registry.zcrypt_nodes);
        *registry = Registry {
            config,
            max_adapter,
            max_domain,
            default_domain,
            poll_timeout: if has.zvm { 1_500_000 } else { 250_000 },
            // The thread is not started while interrupts are used (page 2).
            poll_thread: parameters.poll_thread.is_some_and(|on| on != 0) && !interrupts,
            interrupts,
            secure_execution: has.secure_execution
                && config.is_some_and(|config| config.features.contains(Features::APSB)),
            parameters,
            generations,
            zcrypt_nodes,
            autoprobe_mdev: registry.autoprobe_mdev,
            autoprobe_matrix: registry.autoprobe_matrix,
            ..Registry::default()
        };
        out.uevent(Action::Add, Subject::Bus("ap"));
        Ok(())
    }

    fn load_vfio_ap(&self, held: &mut Held<'_, Modules>, out: &dyn Sink) {
        self.registry.write(held).0.autoprobe_matrix = true;
        out.uevent(Action::Add, Subject::Bus("matrix"));
        out.uevent(Action::Add, Subject::Matrix { bound: false });
        out.uevent(Action::Bind, Subject::Matrix { bound: true });
        out.uevent(Action::Add, Subject::Driver { bus: "matrix", name: "vfio_ap" });
        {
            // S is held from the look at the host configuration until the driver is on the list: a scan before does
            // not matter, and one afterwards tells the driver what changed (defect N23 of the reference).
            let (_scan, mut held) = self.scan.lock(held);
            let qci = {
                let mut held = held.at::<Queue>();
                self.hw.facilities(&mut held).qci.then(|| self.hw.qci(&mut held))
            };
            {
                let (mut mdevs, _held) = self.mdevs.lock(&mut held);
                (mdevs.config, mdevs.leaving) = (qci, false);
            }
            self.core.write(&mut held).0.drivers.push(DriverId::VfioAp);
        }
        self.offer_devices(DriverId::VfioAp, held, out);
        out.uevent(Action::Add, Subject::Driver { bus: "ap", name: "vfio_ap" });
        self.announce_bindings(held, out);
        out.uevent(Action::Add, Subject::Driver { bus: "mdev", name: "vfio_ap_mdev" });
        let state = vec![("MDEV_STATE".into(), "registered".into())];
        out.uevent_with(Action::Change, Subject::Matrix { bound: true }, state);
        out.log(6, "vfio_ap matrix: MDEV: Registered".into());
    }

    /// Unloads a module.
    ///
    /// # Errors
    /// [`ModuleError`].
    ///
    /// # Locks
    /// The module lock, and under it what unregistering a driver takes.
    pub fn unload_module(
        &self,
        module: Module,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), ModuleError> {
        let (_modules, mut held) = self.modules.lock(held);
        let loaded = self.core.read(&mut held).0.loaded;
        if !loaded.has(module) {
            return Err(ModuleError::NotLoaded);
        }
        let needed = Module::ALL.iter().any(|other| loaded.has(*other) && other.needs().contains(&module));
        if needed {
            return Err(ModuleError::InUse);
        }
        match module {
            Module::VfioAp => {
                if !self.may_leave(&mut held) {
                    return Err(ModuleError::InUse);
                }
                self.unload_vfio_ap(&mut held, out);
            }
            Module::ZcryptCex4 => {
                for driver in [DriverId::Cex4Queue, DriverId::Cex4Card] {
                    self.unregister_driver(driver, &mut held, out);
                    out.uevent(Action::Remove, Subject::Driver { bus: "ap", name: driver.name() });
                }
            }
            Module::Zcrypt => {
                let nodes = std::mem::take(&mut self.registry.write(&mut held).0.zcrypt_nodes.list);
                nodes.iter().for_each(|node| out.uevent(Action::Remove, node.subject()));
                out.uevent(Action::Remove, Subject::Z90crypt);
                out.uevent(Action::Remove, Subject::Class("zcrypt"));
            }
            Module::Mdev => out.uevent(Action::Remove, Subject::Bus("mdev")),
            Module::Ap => self.unload_ap(&mut held, out),
        }
        self.core.write(&mut held).0.loaded.set(module, false);
        out.uevent(Action::Remove, Subject::Module(module.name()));
        Ok(())
    }

    fn unload_vfio_ap(&self, held: &mut Held<'_, Modules>, out: &dyn Sink) {
        out.log(6, "vfio_ap matrix: MDEV: Unregistering".into());
        self.remove_all_mdevs(held, out);
        let state = vec![("MDEV_STATE".into(), "unregistered".into())];
        out.uevent_with(Action::Change, Subject::Matrix { bound: true }, state);
        out.uevent(Action::Remove, Subject::Driver { bus: "mdev", name: "vfio_ap_mdev" });
        self.unregister_driver(DriverId::VfioAp, held, out);
        out.uevent(Action::Remove, Subject::Driver { bus: "ap", name: "vfio_ap" });
        self.mdevs.lock(held).0.config = None;
        out.uevent(Action::Unbind, Subject::Matrix { bound: false });
        out.uevent(Action::Remove, Subject::Driver { bus: "matrix", name: "vfio_ap" });
        out.uevent(Action::Remove, Subject::Matrix { bound: false });
        out.uevent(Action::Remove, Subject::Bus("matrix"));
    }

    fn unload_ap(&self, held: &mut Held<'_, Modules>, out: &dyn Sink) {
        let (_scan, mut held) = self.scan.lock(held);
        for device in self.devices_in_order(&mut held) {
            if let crate::registry::DeviceRef::Card(card) = device {
                self.remove_card(&card, &mut held, out);
            }
        }
        let (mut registry, _held) = self.registry.write(&mut held);
        registry.scans = 0;
        registry.config = None;
        registry.default_domain = None;
        out.uevent(Action::Remove, Subject::Bus("ap"));
    }
}

/// The highest ids, taken once when `ap` is loaded. (Page 1.)
fn highest_ids(config: Option<&HostConfig>) -> (u8, u8) {
    match config {
        Some(config) if config.features.contains(Features::APXA) => {
            (if config.na == 0 { 63 } else { config.na }, if config.nd == 0 { 15 } else { config.nd })
        }
        _ => (63, 15),
    }
}

fn parse_parameters(text: &str) -> Result<(Parameters, Option<i32>), ModuleError> {
    let mut parameters = Parameters::default();
    let mut domain = None;
    for word in text.split_ascii_whitespace() {
        let (key, value) = word.split_once('=').ok_or(ModuleError::Parameter)?;
        let number = || integer(value).ok_or(ModuleError::Parameter);
        match key {
            "apmask" => parameters.apmask = Some(value.to_owned()),
            "aqmask" => parameters.aqmask = Some(value.to_owned()),
            "domain" => domain = Some(number()?),
            "poll_thread" => parameters.poll_thread = Some(number()?),
            "useirq" => parameters.useirq = Some(number()?),
            _ => return Err(ModuleError::Parameter),
        }
    }
    Ok((parameters, domain))
}

/// A number as module parameters take it: optional sign, then the digits of a strict number (page 5).
fn integer(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) if !rest.starts_with('+') => (-1, rest),
        Some(_) => return None,
        None => (1, text),
    };
    let number = i64::try_from(ap_types::grammar::strict(digits.as_bytes()).ok()?).ok()?;
    i32::try_from(sign * number).ok()
}
