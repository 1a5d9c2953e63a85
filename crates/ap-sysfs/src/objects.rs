//! The objects that directories are about, a module each.

pub(crate) mod card;
pub(crate) mod character;
pub(crate) mod device;
pub(crate) mod driver;
pub(crate) mod mdev;
pub(crate) mod module;
pub(crate) mod node;
pub(crate) mod queue;
