//! The AP bus: cards and queues, who owns a queue, the scan, and the host's own drivers.
//!
//! A [`Bus`] finds the devices of a machine and gives each to a driver. Of drivers it knows the trait [`ApDriver`] and
//! nothing else: it asks those that are registered, before queues become the host's, whether one of them is in use,
//! and tells them what changes. The host's default drivers (module [`zcrypt`]) are registered like any other.
//!
//! The crate creates no threads and knows no clock but the machine's; which locks there are, and in which order they
//! are taken, says [`ap_task::order`]. Pages are those of the specification.

#![forbid(unsafe_code)]

mod ask;
mod asked;
pub mod bind;
mod bus;
pub mod device;
mod load;
pub mod masks;
mod nodes;
mod overrides;
mod owner;
mod ownership;
pub mod parameters;
pub mod queue;
pub mod registry;
pub mod remembered;
mod scan;
pub mod secure;
pub mod state;
pub mod zcdn;
pub mod zcrypt;

pub use ask::{AskError, Through};
pub use asked::{Asked, Holder};
pub use bus::{Bindings, Bus, DomainError};
pub use device::{ApDriver, Driver, Use};
pub use load::LoadError;
pub use overrides::{Override, Overrides};
pub use owner::OverrideError;
pub use ownership::Ownership;
pub use parameters::{ParameterError, Parameters};
pub use state::BusState;
