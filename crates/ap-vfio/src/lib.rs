//! The vfio_ap driver: mediated devices, the in-use veto, filtering, hot plug, resets, guests. (Page 3.)
//!
//! [`VfioAp`] is one driver of the AP bus among others ([`ap_bus::ApDriver`]): it takes queues that the masks leave to
//! it, and gives them to guests by way of mediated devices. It knows the bus only as whoever calls it, and as where
//! to ask who owns a queue.

#![forbid(unsafe_code)]

mod aqic;
mod assign;
mod driver;
mod guest;
mod hotplug;
mod links;
mod load;
mod mdev;
mod open;
mod probe;
mod reset;
mod state;
mod update;
mod whole;

pub use assign::{AssignError, Part};
pub use driver::{VFIO_AP, VfioAp};
pub use guest::{Guest, GuestMemory, GuestState};
pub use links::Links;
pub use mdev::{CreateError, UnbindMdevError};
pub use open::{CloseError, DeviceInfo, IRQ, IrqTarget, OpenError, OpenStage, RequestError, ResetFailed};
pub use probe::QueueStatus;
pub use state::{
    ByAge, ConfigIrq, Eventfd, Groups, IrqResources, Life, Limits, Mdev, MdevDevice, Mdevs, Opening,
    QueueRecord, Removing,
};
pub use whole::{GuestSnapshot, VfioState};
