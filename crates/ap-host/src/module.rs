//! Driver modules: loading and unloading them. (Specification, pages 2 and 5.)

use std::sync::Arc;

use ap_bus::zcrypt::{CEX4CARD, CEX4QUEUE, Cex4Card, Cex4Queue};
use ap_bus::{ApDriver, Driver, LoadError, ParameterError, parameters};
use ap_task::order::Modules;
use ap_task::{Action, DriverName, Flag, Subject, Task, Work};
use ap_vfio::VFIO_AP;
use locks::Nothing;

use crate::core::MEMPOOL_THRESHOLD;
pub use crate::core::{Core, Loaded, Module};
use crate::host::Host;

/// Why a module was not loaded or unloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// A value is none for its parameter (`EINVAL`, `ERANGE`).
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

impl From<LoadError> for ModuleError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::NoInstructions => ModuleError::NoInstructions,
            LoadError::Parameter(error) => ModuleError::Parameter(error),
        }
    }
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
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), ModuleError> {
        let (_modules, mut task) = task.lock(&self.modules);
        let loaded = self.core.read(&mut task).0.loaded;
        if loaded.has(module) {
            return Err(ModuleError::Loaded);
        }
        if !module.needs().iter().all(|needed| loaded.has(*needed)) {
            return Err(ModuleError::NotLoaded);
        }
        let mut mempool_threshold = MEMPOOL_THRESHOLD;
        if module != Module::Ap {
            let has_pools = module == Module::Zcrypt && self.kernel().has(Flag::MessagePools);
            let log = |level, text| task.log(level, text);
            parameters::parse(module.name(), parameters, log, |name, value| match name {
                "mempool_threshold" if has_pools => Some(parameters::unsigned(value).map(|number| {
                    mempool_threshold = number;
                })),
                _ => None,
            })?;
        }
        if mempool_threshold == 0 {
            return Err(ParameterError::Invalid.into());
        }
        match module {
            Module::Ap => self.bus.load(parameters, &mut task)?,
            Module::Zcrypt => {
                self.core.write(&mut task).0.mempool_threshold = mempool_threshold;
                task.uevent(Action::Add, Subject::Class("zcrypt"));
                task.uevent(Action::Add, Subject::Z90crypt);
            }
            Module::ZcryptCex4 => {
                self.add_driver(Driver::new(Arc::new(Cex4Card)), &mut task);
                self.add_driver(
                    Driver::new(Arc::new(Cex4Queue::new(self.bus.hardware().clone()))),
                    &mut task,
                );
            }
            Module::Mdev => {
                self.core.write(&mut task).0.autoprobe_mdev = true;
                task.uevent(Action::Add, Subject::Bus("mdev"));
            }
            Module::VfioAp => {
                let load = {
                    let (mut core, _task) = task.write(&self.core);
                    core.autoprobe_matrix = true;
                    core.loads_of(module) + 1
                };
                self.vfio.load(&self.bus, load, &mut task);
            }
        }
        self.core.write(&mut task).0.has_loaded(module);
        task.uevent(Action::Add, Subject::Module(module.name()));
        if module == Module::Ap {
            task.due(Work::Scan, 0);
        }
        Ok(())
    }

    /// Registers a driver that is none of the modules', as loading its module would: it is tried on every device
    /// without a driver, is asked before queues become the host's, and shown in sysfs.
    ///
    /// # Errors
    /// [`ModuleError::NotLoaded`] (`ENOENT`): there is no bus. [`ModuleError::Loaded`] (`EEXIST`): one of that name
    /// is registered. [`ModuleError::InUse`] (`EAGAIN`): the name is that of a module or of a module's driver.
    ///
    /// # Locks
    /// The module lock, and under it what registering a driver takes.
    pub fn register(
        &self,
        driver: Arc<dyn ApDriver>,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), ModuleError> {
        let (_modules, mut task) = task.lock(&self.modules);
        if !self.core.read(&mut task).0.loaded.ap {
            return Err(ModuleError::NotLoaded);
        }
        if self.bus.has_driver(driver.name(), &mut task) {
            return Err(ModuleError::Loaded);
        }
        let taken = [CEX4CARD, CEX4QUEUE, VFIO_AP].contains(&driver.name());
        if taken || Module::from_name(driver.module()).is_some() {
            return Err(ModuleError::InUse);
        }
        self.add_driver(Driver::new(driver), &mut task);
        Ok(())
    }

    /// Unregisters a driver that [`Host::register`] registered: its devices lose it, last bound first.
    ///
    /// # Errors
    /// [`ModuleError::NotLoaded`] (`ENOENT`): none of that name is registered. [`ModuleError::InUse`] (`EAGAIN`): it
    /// belongs to a module that is loaded.
    ///
    /// # Locks
    /// The module lock, and under it what unregistering a driver takes.
    pub fn unregister(&self, driver: DriverName, task: &mut Task<'_, Nothing>) -> Result<(), ModuleError> {
        let (_modules, mut task) = task.lock(&self.modules);
        let Some(info) = self.bus.driver_info(driver, &mut task) else { return Err(ModuleError::NotLoaded) };
        if Module::from_name(info.module).is_some() {
            return Err(ModuleError::InUse);
        }
        self.remove_driver(driver, &mut task);
        Ok(())
    }

    fn remove_driver(&self, driver: DriverName, task: &mut Task<'_, Modules>) {
        self.bus.unregister_driver(driver, task);
        task.uevent(Action::Remove, Subject::Driver { bus: "ap", name: driver.0 });
    }

    /// Registers a driver on the bus and shows it: what a module that brings one does.
    fn add_driver(&self, driver: Driver, task: &mut Task<'_, Modules>) {
        let name = driver.name();
        self.bus.register_driver(driver, task);
        task.uevent(Action::Add, Subject::Driver { bus: "ap", name: name.0 });
        self.bus.announce_bindings(task);
    }

    /// Unloads a module.
    ///
    /// # Errors
    /// [`ModuleError`].
    ///
    /// # Locks
    /// The module lock, and under it what unregistering a driver takes.
    pub fn unload_module(&self, module: Module, task: &mut Task<'_, Nothing>) -> Result<(), ModuleError> {
        let (_modules, mut task) = task.lock(&self.modules);
        let loaded = self.core.read(&mut task).0.loaded;
        if !loaded.has(module) {
            return Err(ModuleError::NotLoaded);
        }
        let needed = Module::ALL.iter().any(|other| loaded.has(*other) && other.needs().contains(&module));
        // Whoever registered a driver of his own uses the bus, too.
        let driven = module == Module::Ap && !self.bus.drivers(&mut task).is_empty();
        if needed || driven {
            return Err(ModuleError::InUse);
        }
        match module {
            Module::VfioAp => {
                let gone = |task: &mut Task<'_, ap_task::order::Mdevs>| {
                    self.core.write(task).0.loaded.set(Module::VfioAp, false);
                };
                if !self.vfio.may_leave(&mut task, gone) {
                    return Err(ModuleError::InUse);
                }
                self.vfio.unload(&self.bus, &mut task);
            }
            Module::ZcryptCex4 => {
                for driver in [CEX4QUEUE, CEX4CARD] {
                    self.remove_driver(driver, &mut task);
                }
            }
            Module::Zcrypt => {
                self.bus.destroy_zcrypt_nodes(&mut task);
                task.uevent(Action::Remove, Subject::Class("zcrypt"));
                task.uevent(Action::Remove, Subject::Z90crypt);
            }
            Module::Mdev => task.uevent(Action::Remove, Subject::Bus("mdev")),
            Module::Ap => self.bus.unload(&mut task),
        }
        self.core.write(&mut task).0.loaded.set(module, false);
        task.uevent(Action::Remove, Subject::Module(module.name()));
        Ok(())
    }
}
