//! The hardware: the AP instructions as a machine answers them, and a simulated machine that does.
//!
//! [`Hardware`] is what a bus and its drivers use. [`Machine`] implements it; its operator changes it with
//! [`Change`]s, which are values, and at quiescence its whole state is plain data ([`MachineState`]). The crate knows
//! nothing of devices, drivers or masks, and no text: who reads commands makes changes of them.

#![forbid(unsafe_code)]

mod answer;
mod change;
mod hardware;
mod keys;
mod machine;

pub use change::{AdapterChange, Change, FacilityChange, Fault, Ids, Taken};
pub use hardware::{AdapterFacts, Facilities, Hardware, Unanswered};
pub use keys::{KeysChange, MasterKeys, Pattern};
pub use machine::{Adapter, Answers, HwQueue, Machine, MachineConfig, MachineState, functions_of};
