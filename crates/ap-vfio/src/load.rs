//! vfio_ap comes and goes with its module. (Page 3; page 5, modules.)

use ap_bus::{Bus, Driver};
use ap_task::order::{Mdevs as MdevsLevel, Modules};
use ap_task::{Action, Subject, Task};
use std::sync::Arc;

use crate::driver::{VFIO_AP, VfioAp};

impl VfioAp {
    /// Loads the driver, for the `load`th time: it copies the host configuration and is registered on the bus. Only
    /// then mdevs can be made.
    ///
    /// # Locks
    /// S, and under it M, P; then what registering a driver takes.
    pub fn load(self: &Arc<Self>, bus: &Bus, load: u32, task: &mut Task<'_, Modules>) {
        task.uevent(Action::Add, Subject::Bus("matrix"));
        task.uevent(Action::Add, Subject::Matrix { bound: false });
        task.uevent(Action::Bind, Subject::Matrix { bound: true });
        task.uevent(Action::Add, Subject::Driver { bus: "matrix", name: "vfio_ap" });
        {
            // S is held from the look at the host configuration until the driver is on the list: a scan before does
            // not matter, and one afterwards tells the driver what changed (defect N23 of the reference).
            let (_scan, mut task) = task.lock(bus.scanning());
            let qci = {
                let mut task = task.at();
                self.hw.facilities(&mut task).qci.then(|| self.hw.qci(&mut task))
            };
            {
                let (mut mdevs, _task) = task.write(&self.mdevs);
                mdevs.config = qci;
                *mdevs.load = load;
            }
            bus.list_driver(Driver::new(self.clone()), &mut task);
        }
        bus.offer_devices(VFIO_AP, task);
        task.uevent(Action::Add, Subject::Driver { bus: "ap", name: "vfio_ap" });
        bus.announce_bindings(task);
        task.uevent(Action::Add, Subject::Driver { bus: "mdev", name: "vfio_ap_mdev" });
        *task.write(&self.mdevs).0.leaving = false;
        let state = vec![("MDEV_STATE".into(), "registered".into())];
        task.uevent_with(Action::Change, Subject::Matrix { bound: true }, state);
        task.log(6, "vfio_ap matrix: MDEV: Registered".into());
    }

    /// Whether the driver may be unloaded: no guest has an mdev open, and from now on none can. `gone` runs with M
    /// held when it may: its files go in the same step.
    ///
    /// # Locks
    /// G, M.
    pub fn may_leave(
        &self,
        task: &mut Task<'_, Modules>,
        gone: impl FnOnce(&mut Task<'_, MdevsLevel>),
    ) -> bool {
        // Lock order: G -> M
        let (_guests, mut task) = task.lock(&self.guests);
        let (mut mdevs, mut task) = task.write(&self.mdevs);
        let leaving = mdevs.list.values().all(|mdev| mdev.opening().is_none());
        *mdevs.leaving = leaving;
        if leaving {
            gone(&mut task);
        }
        leaving
    }

    /// Unloads the driver, which may leave: all mdevs go, then all queues.
    ///
    /// # Locks
    /// As removing all mdevs and unregistering a driver.
    pub fn unload(&self, bus: &Bus, task: &mut Task<'_, Modules>) {
        task.log(6, "vfio_ap matrix: MDEV: Unregistering".into());
        self.remove_all_mdevs(task);
        let state = vec![("MDEV_STATE".into(), "unregistered".into())];
        task.uevent_with(Action::Change, Subject::Matrix { bound: true }, state);
        task.uevent(Action::Remove, Subject::Driver { bus: "mdev", name: "vfio_ap_mdev" });
        bus.unregister_driver(VFIO_AP, task);
        task.uevent(Action::Remove, Subject::Driver { bus: "ap", name: "vfio_ap" });
        self.mdevs.write(task).0.config = None;
        task.uevent(Action::Unbind, Subject::Matrix { bound: false });
        task.uevent(Action::Remove, Subject::Driver { bus: "matrix", name: "vfio_ap" });
        task.uevent(Action::Remove, Subject::Matrix { bound: false });
        task.uevent(Action::Remove, Subject::Bus("matrix"));
    }
}
