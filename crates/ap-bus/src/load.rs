//! The bus comes and goes with its module `ap`. (Specification, pages 1, 2 and 5.)

use ap_task::order::Modules;
use ap_task::{Action, Flag, Subject, Task};
use ap_types::grammar::mask_parameter;
use ap_types::{AdapterMask, DomainMask, Features, HostConfig};

use crate::bus::Bus;
use crate::device::DeviceRef;
use crate::ownership::Ownership;
use crate::parameters::{self, ParameterError, Parameters};
use crate::registry::Registry;

/// Why the bus was not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There are no AP instructions (`ENODEV`).
    #[error("the machine has no AP instructions")]
    NoInstructions,
    /// A value is none for its parameter (`EINVAL`, `ERANGE`).
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

impl Bus {
    /// Loads the bus: takes what the machine has and the parameters as they are now. The first scan is the caller's
    /// to ask for, after it has announced the module.
    ///
    /// # Errors
    /// [`LoadError`].
    ///
    /// # Locks
    /// P; the registry's, for writing.
    pub fn load(&self, text: &str, task: &mut Task<'_, Modules>) -> Result<(), LoadError> {
        let mut parameters = Parameters::default();
        let log = |level, text| task.log(level, text);
        parameters::parse("ap", text, log, |name, value| parameters.take(name, value))?;
        let (has, qci) = {
            let mut task = task.at();
            (self.hw.facilities(&mut task), self.hw.qci(&mut task))
        };
        if !has.instructions {
            task.log(4, "ap: The hardware system does not support AP instructions".into());
            return Err(LoadError::NoInstructions);
        }
        // Whether there is QCI is decided here, once (page 6, F03).
        let config = Some(qci).filter(|qci| has.qci && !qci.features.is_empty());
        let (max_adapter, max_domain) = highest_ids(config.as_ref());
        let mut masks = (AdapterMask::ALL, DomainMask::ALL);
        if let Some(text) = &parameters.apmask {
            masks.0 = mask_parameter::<AdapterMask>(text.as_bytes());
        }
        if let Some(text) = &parameters.aqmask {
            masks.1 = mask_parameter::<DomainMask>(text.as_bytes());
        }
        let fits = |domain: i32| {
            u8::try_from(domain).ok().filter(|id| *id <= max_domain && masks.1.contains((*id).into()))
        };
        let default_domain = parameters.domain.and_then(fits);
        if let Some(domain) = parameters.domain.filter(|domain| *domain != -1 && default_domain.is_none()) {
            task.log(4, format!("ap: {domain} is not a valid cryptographic domain"));
        }
        {
            let (mut ownership, _task) = task.lock(&self.ownership);
            let drivers = std::mem::take(&mut ownership.drivers);
            *ownership = Ownership { adapters: masks.0, domains: masks.1, drivers, ..Ownership::default() };
        }
        let interrupts = has.interrupts && parameters.useirq.is_none_or(|on| on != 0);
        let (mut registry, task) = task.write(&self.registry);
        *registry = Registry {
            present: true,
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
            count_shown: self.kernel.has(Flag::BindingsCount),
            parameters,
            generations: std::mem::take(&mut registry.generations),
            zcrypt_nodes: std::mem::take(&mut registry.zcrypt_nodes),
            ..Registry::default()
        };
        task.uevent(Action::Add, Subject::Bus("ap"));
        Ok(())
    }

    /// Unloads the bus: all its devices go.
    ///
    /// # Locks
    /// S, and under it what removing a card takes; the registry's, for writing.
    pub fn unload(&self, task: &mut Task<'_, Modules>) {
        let (_scan, mut task) = task.lock(&self.scan);
        for device in self.devices_in_order(&mut task) {
            if let DeviceRef::Card(card) = device {
                self.remove_card(&card, &mut task);
            }
        }
        let (mut registry, task) = task.write(&self.registry);
        registry.present = false;
        registry.scans.0 = 0;
        registry.config = None;
        registry.default_domain = None;
        task.uevent(Action::Remove, Subject::ApRoot);
        task.uevent(Action::Remove, Subject::Bus("ap"));
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
