//! The vocabulary of the AP architecture: ids, masks, matrices, sets of queues, the texts that are
//! written to attributes, and the words the hardware answers with.
//!
//! The crate is plain data and pure functions: it takes no locks, does no input or output, knows no
//! clock and serialises nothing. It works the same on machines of either endianness, because masks
//! are 64-bit words and never bytes.
//!
//! Pages mentioned in the documentation are those of the specification (`spec/`).
#![no_std]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bits;
mod config;
pub mod grammar;
mod id;
mod info;
mod mask;
mod matrix;
mod queue_set;
mod response;
mod shown;

pub use crate::config::{Features, HostConfig};
pub use crate::grammar::{ConfigError, MaskError, NumberError, Uuid, UuidError};
pub use crate::id::{AdapterId, Apqn, DomainId, ParseApqnError, zapq_order_key};
pub use crate::info::{BindState, HardwareInfo, Mode, NEWEST_TYPE, OLDEST_TYPE, functions, type_string};
pub use crate::mask::{AdapterMask, DomainMask, Ids, Mask};
pub use crate::matrix::{Matrix, Queues};
pub use crate::queue_set::{Members, QueueSet};
pub use crate::response::{ResponseCode, Status};
