//! Locks whose order is a type, and whose every step can be announced to an explorer.
//!
//! A program lists its lock levels once, outermost first, with [`hierarchy!`]. Taking a [`Mutex`] or [`RwLock`]
//! needs a [`Held`] token and gives back a narrower one: a lock out of order does not compile. The same compiled
//! code runs in production, where each operation costs a look at a thread-local pointer, and under an explorer
//! ([`hook::Hook`]), which decides at every step which task goes on.
//!
//! The crate knows nothing of what is locked: no word of any field appears here.
//!
//! ```
//! locks::hierarchy! { pub mod order { Outer => Inner } }
//! use order::{Inner, Outer};
//!
//! let outer = locks::Mutex::<Outer, u32>::new(0, 1);
//! let inner = locks::Mutex::<Inner, u32>::new(0, 2);
//! let sum = locks::enter(|held| {
//!     let (a, mut held) = outer.lock(held);
//!     let (b, _held) = inner.lock(&mut held);
//!     *a + *b
//! });
//! assert_eq!(sum, 3);
//! ```

pub mod clock;
pub mod condvar;
pub mod ghost;
pub mod hook;
pub mod mark;
pub mod mutex;
pub mod order;
pub mod rwlock;
pub mod ticket;
pub mod tracked;

pub use clock::Clock;
pub use condvar::Condvar;
pub use ghost::{Ghost, violation};
pub use hook::{Key, Object};
pub use mark::{Mark, marked, only, only_by};
pub use mutex::{Guard, Kept, Mutex};
pub use order::{After, Held, Level, Nothing, Unordered, enter};
pub use rwlock::{KeptRead, ReadGuard, RwLock, WriteGuard};
pub use ticket::Ticket;
pub use tracked::Tracked;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
