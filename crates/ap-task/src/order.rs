//! The one place that knows the lock order.

locks::hierarchy! {
    /// The levels, outermost first; `docs/locking.md` has a section for each. (Specification, page 4.)
    pub mod order {
        /// Loading and unloading of modules.
        Modules =>
        /// **S**: one scan of the bus at a time.
        Scan =>
        /// **D**: the binding of one device; held over probe, remove, bind, unbind.
        Device =>
        /// **P**: apmask and aqmask.
        Perms =>
        /// What a driver of somebody else's keeps (`docs/guide/write-a-driver.md`); ours have levels of their own.
        DriverData =>
        /// **G**: makes the choice of a guest's lock stable.
        Guests =>
        /// **K**: one guest's APCB.
        Kvm =>
        /// **V**: one guest's CPU while its instruction is intercepted.
        Vcpu =>
        /// **H**: one guest's AQIC hook.
        Hook =>
        /// **M**: every mdev and queue record of vfio_ap.
        Mdevs =>
        /// The list of guests that exist.
        Vms =>
        /// Switching cards and queues on and off: a card with all its queues, in one piece.
        Switches =>
        /// The lists of the driver core: devices, drivers, the host configuration.
        Devices =>
        /// **A**: the state of one queue or card.
        Queue =>
        /// One guest's memory as far as interrupts pin it.
        Memory =>
        /// The machine's configuration.
        HwConfig =>
        /// One queue of the machine.
        Hw
    }
}

pub use order::*;
