//! The attribute tables, a module for each type of object. (Specification, pages 2, 3 and 5.)

pub(crate) mod bus;
pub(crate) mod card;
pub(crate) mod device;
pub(crate) mod driver;
pub(crate) mod mdev;
pub(crate) mod module;
pub(crate) mod node;
pub(crate) mod queue;
