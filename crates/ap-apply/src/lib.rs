//! A.
#![forbid(unsafe_code)]
pub mod apply;
pub mod effect;
pub mod import;
pub mod lock;
pub mod memory;
pub mod promises;
pub mod prove;
pub mod report;
pub mod step;
pub mod tree;
pub mod twin;
