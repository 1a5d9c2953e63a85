//! The AP bus: the mask write, and what follows it.

use ap_types::{AdapterMask, DomainMask};
use locks::hook::{checkpoint, note};

use crate::model::{Driver, Refused};
use crate::v12::kernel::Kernel;

impl Kernel<'_> {
    /// `echo +5 > /sys/bus/ap/apmask`: the bits are added to the mask.
    ///
    /// # Errors
    /// `EBUSY` if a driver says that a queue is in use, or (trylock) that it can't tell.
    ///
    /// # Locks
    /// P from the question to the store; inside it whatever the driver's callback takes. D, and P for short, after it.
    pub fn apmask_store(&self, add: AdapterMask) -> Result<(), Refused> {
        let mut perms = self.model.perms.lock_unordered(&self.order);
        let new = perms.adapters | add;
        let added = new & !perms.adapters;
        if self.series.bus_asks() && !added.is_empty() {
            self.ask_drivers(added, perms.domains)?;
        }
        perms.adapters = new;
        drop(perms);
        note(|| "the new apmask is stored".to_owned());
        self.ap_bus_revise_bindings();
        Ok(())
    }

    /// Asks each driver that has an in-use callback.
    fn ask_drivers(&self, adapters: AdapterMask, domains: DomainMask) -> Result<(), Refused> {
        if !self.series.vfio_answers() {
            return Ok(());
        }
        // Whatever the driver says, the mask write says this.
        self.vfio_ap_mdev_resource_in_use(adapters, domains).map_err(|_| Refused::Busy)
    }

    /// Binds every queue again that has another driver than the masks say.
    fn ap_bus_revise_bindings(&self) {
        for number in 0..self.model.queues.len() {
            checkpoint(number as u64);
            let queue = self.model.queues[number];
            let should = self.model.perms.lock_unordered(&self.order).owner(queue);
            let has = *self.model.devices[number].lock_unordered(&self.order);
            if matches!(has, Driver::Default | Driver::VfioAp) && has != should {
                note(|| format!("{queue} is bound to {has}, and should be to {should}"));
                self.device_reprobe(number);
            }
        }
    }

    /// Unbinds a queue and binds it anew.
    fn device_reprobe(&self, number: usize) {
        let queue = self.model.queues[number];
        let mut device = self.model.devices[number].lock_unordered(&self.order);
        if *device == Driver::VfioAp {
            self.vfio_ap_mdev_remove_queue(queue);
            self.model.bound.lock_unordered(&self.order).remove(&queue);
        }
        *device = Driver::None;
        note(|| format!("{queue} is unbound"));
        drop(device);
        self.device_attach(number);
    }

    /// Binds an unbound queue to the driver that the masks say.
    fn device_attach(&self, number: usize) {
        let mut device = self.model.devices[number].lock_unordered(&self.order);
        if *device != Driver::None {
            return;
        }
        let driver = self.ap_device_probe(number);
        *device = driver;
        note(|| format!("{} is bound to {driver}", self.model.queues[number]));
    }

    /// The bus's part of binding: D is held, P is taken for short.
    fn ap_device_probe(&self, number: usize) -> Driver {
        let queue = self.model.queues[number];
        let owner = self.model.perms.lock_unordered(&self.order).owner(queue);
        if owner == Driver::VfioAp {
            self.vfio_ap_mdev_probe_queue(queue);
            self.model.bound.lock_unordered(&self.order).insert(queue);
        }
        owner
    }
}
