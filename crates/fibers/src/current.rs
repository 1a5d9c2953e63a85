//! Which fiber runs on this thread, and how it lets go of it.
//!
//! It knows a fiber's yielder only: neither its closure nor its stack nor who resumes it.

use std::cell::Cell;
use std::ptr;

use crate::switch::Yielder;

thread_local! {
    /// The yielder of the fiber that runs on this thread now, null outside fibers.
    static CURRENT: Cell<*const Yielder> = const { Cell::new(ptr::null()) };
}

/// Says that a fiber's closure starts. Whoever resumed it has a [`Back`].
pub(crate) fn begins(yielder: &Yielder) {
    CURRENT.set(yielder);
}

/// Says again whose code runs when it is dropped, also by an unwinding.
pub(crate) struct Back(*const Yielder);

impl Back {
    /// Whoever runs now will run again.
    pub(crate) fn here() -> Back {
        Back(CURRENT.get())
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Whether the caller runs inside a fiber.
#[inline]
#[must_use]
pub fn in_fiber() -> bool {
    !CURRENT.get().is_null()
}

/// Suspends the fiber that calls it; returns when it is resumed.
///
/// While the thread unwinds (a panic inside the fiber, or [`Fiber::unwind`](crate::Fiber::unwind)) it returns at once.
///
/// # Panics
/// Outside a fiber.
#[inline]
pub fn suspend() {
    if std::thread::panicking() {
        return;
    }
    let current = CURRENT.get();
    assert!(!current.is_null(), "`suspend` outside a fiber");
    let _back = Back(current);
    // SAFETY: `CURRENT` is the yielder of the innermost fiber whose code runs on this thread. It is set when the
    // fiber's closure starts; by `Back` in this function when it is resumed, also where that ends in an unwinding; and
    // by `Back` in `Fiber::resume` and `unwind` to that of the resumer (or null), whether the fiber suspended, ended, or a panic
    // came out of the switch. So it never stays behind when a fiber is left. A yielder lies on its fiber's stack until
    // the closure ends, and the stack is given back to the pool, or unmapped, only after that; a fiber that is leaked
    // leaks its stack. Neither fibers nor pools can be sent, so the fiber that runs here was begun here.
    unsafe { (*current).suspend(()) };
}
