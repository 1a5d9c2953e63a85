//! What switches stacks: two crates behind one small face, of which one is chosen when this crate is built.
//!
//! corosensei knows most processors and passes values in registers, but not s390x; the fibers of Wasmtime know it.
//! Everything else in this crate is above the face and the same for both: `cargo test -p apmatrix-fibers` and
//! `cargo test -p apmatrix-fibers --features wasmtime` run the same tests.
//!
//! The face: a `Stack` (`new` with at least so many bytes), a `Coroutine` (`new`, `resume`: `None` if it yielded,
//! else what ended it; `done`, `unwind`, `into_stack` once it is done) and a `Yielder` (`suspend`). Suspending a
//! coroutine that is being unwound unwinds its stack with a payload that the panic hook never sees.
//!
//! Whoever makes a coroutine resumes it at once: a closure that never begins is no coroutine's, but its maker's.

#[cfg(not(any(target_arch = "s390x", feature = "wasmtime")))]
mod corosensei;
#[cfg(not(any(target_arch = "s390x", feature = "wasmtime")))]
pub(crate) use corosensei::{Coroutine, Stack, Yielder};

#[cfg(any(target_arch = "s390x", feature = "wasmtime"))]
mod wasmtime;
#[cfg(any(target_arch = "s390x", feature = "wasmtime"))]
pub(crate) use wasmtime::{Coroutine, Stack, Yielder};
