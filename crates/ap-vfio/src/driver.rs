//! The driver: its data under its locks, and the one way to an mdev and the APCB of its guest.

use std::hash::Hash;
use std::sync::Arc;

use ap_machine::Hardware;
use ap_task::order;
use ap_task::order::{Guests, Mdevs as MdevsLevel};
use ap_task::{DriverName, Kernel, MdevId, Task};
use locks::hook::fingerprint;
use locks::{After, Clock, Condvar, Held, Mutex, RwLock};

use crate::guest::{Attached, Guest};
use crate::state::Mdevs;

/// The driver's name.
pub const VFIO_AP: DriverName = DriverName("vfio_ap");

/// The vfio_ap driver of a host. See the crate's page.
pub struct VfioAp {
    pub(crate) hw: Arc<dyn Hardware>,
    pub(crate) kernel: Kernel,
    /// **G**: guards nothing by itself; makes the choice of a guest's lock stable.
    pub(crate) guests: Mutex<order::Guests, ()>,
    /// **M**: many may look at a time.
    pub(crate) mdevs: RwLock<order::Mdevs, Mdevs>,
    /// A guest has closed an mdev.
    pub(crate) released: Condvar,
    /// The guests that exist, in the order in which they were made.
    pub(crate) vms: RwLock<order::Vms, Vec<Arc<Guest>>>,
}

impl VfioAp {
    /// The driver on that machine, of that kernel, without mdevs, not loaded.
    #[must_use]
    pub fn new(hw: Arc<dyn Hardware>, kernel: Kernel) -> Self {
        VfioAp {
            hw,
            kernel,
            guests: Mutex::new(0, ()),
            mdevs: RwLock::with_fingerprint(0, Mdevs::default(), Mdevs::exactly),
            released: Condvar::new("released", 0),
            vms: RwLock::new(0, Vec::new()),
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.hw.clock()
    }

    /// Looks at what the driver knows; of what was seen only the answer counts (`locks::mark`).
    ///
    /// # Locks
    /// M.
    #[track_caller]
    pub fn look<H, R: Hash>(&self, held: &mut Held<'_, H>, look: impl Fn(&Mdevs) -> R) -> R
    where
        MdevsLevel: After<H>,
    {
        self.mdevs.look(held, look)
    }

    /// Goes through what the driver knows; all that was seen counts.
    ///
    /// # Locks
    /// M.
    #[track_caller]
    pub fn read<H, R>(&self, held: &mut Held<'_, H>, read: impl FnOnce(&Mdevs) -> R) -> R
    where
        MdevsLevel: After<H>,
    {
        read(&self.mdevs.read(held).0)
    }

    /// Runs `f` with the locks of an operation that changes an mdev and perhaps its guest's APCB: K if a guest holds
    /// the mdev that `choose` names, and M.
    ///
    /// G must be held: it keeps true, while M is released, which guest holds the mdev. (Page 4, rule 1.)
    ///
    /// # Locks
    /// M for the choice; then K and M.
    pub(crate) fn with_guest_of<T: Hash, R, E: Hash>(
        &self,
        choose: impl Fn(&Mdevs) -> Result<(T, Option<MdevId>), E>,
        task: &mut Task<'_, Guests>,
        f: impl FnOnce(T, &mut Mdevs, &mut Option<Attached<'_>>, &mut Task<'_, MdevsLevel>) -> Result<R, E>,
    ) -> Result<R, E> {
        // Lock order: (G ->) M, then K -> M
        let (chosen, guest) = self.mdevs.look_by(
            task,
            |mdevs| {
                let (chosen, id) = choose(mdevs)?;
                Ok((chosen, id.and_then(|id| mdevs.guest_of(id))))
            },
            |found: &Result<(T, Option<Arc<Guest>>), E>| {
                let which = |guest: &Option<Arc<Guest>>| fingerprint(&guest.as_deref().map(Guest::which));
                fingerprint(&found.as_ref().map(|(chosen, guest)| (chosen, which(guest))))
            },
        )?;
        let (kvm, mut task) = task.lock_opt(guest.as_deref().map(|guest| &guest.kvm));
        let mut attached = Attached::new(guest.as_deref(), kvm);
        let (mut mdevs, mut task) = task.write(&self.mdevs);
        f(chosen, &mut mdevs, &mut attached, &mut task)
    }
}
