//! The vfio_ap driver: mediated devices, the in-use veto, filtering, hot plug, resets, guests. (Page 3.)

mod aqic;
mod assign;
mod guest;
mod hotplug;
mod in_use;
mod links;
mod mdev;
mod queue;
mod reset;
mod state;
mod update;

pub use assign::{AssignError, Part};
pub use guest::{
    CloseError, DeviceInfo, Guest, GuestMemory, GuestState, OpenError, OpenStage, RequestError, ResetFailed,
};
pub use links::Links;
pub use mdev::{CreateError, MdevDevice, UnbindMdevError};
pub use queue::QueueStatus;
pub use state::{IrqResources, Mdev, MdevId, MdevPhase, Mdevs, QueueRecord};
