//! Tasks on stacks of their own.
//!
//! A [`Fiber`] runs a closure on a stack taken from a [`Pool`] until the closure calls [`suspend`], returns or
//! panics; whoever called [`Fiber::resume`] learns which. Switching costs a few nanoseconds, and a stack is used
//! again by the next fiber, so a program may start millions of them. The crate decides nothing about order: that
//! is the caller's affair.
//!
//! Panics end the fiber, not its caller, and print nothing: their text is in [`Progress::Panicked`]. A fiber that
//! is dropped before its end is unwound, so guards on its stack are released.
//!
//! ```
//! use fibers::{Pool, Progress, suspend};
//!
//! let pool = Pool::default();
//! let mut fiber = pool.fiber(|| {
//!     suspend();
//! });
//! assert_eq!(fiber.resume(), Progress::Yielded);
//! assert_eq!(fiber.resume(), Progress::Returned);
//! ```
//!
//! # Limits
//! A fiber stays on the thread that made it. A stack has a fixed size; the page below it is not mapped, so an
//! overflow ends the process instead of corrupting it.

mod current;
mod fiber;
mod panics;
mod pool;
mod switch;

pub use current::{in_fiber, suspend};
pub use fiber::{Fiber, Progress};
pub use panics::Panic;
pub use pool::{DEFAULT_STACK, Pool};

#[cfg(test)]
mod tests;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
