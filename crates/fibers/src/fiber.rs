//! A closure on a stack of its own.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::panics::{self, Panic};
use crate::pool::Pool;

type Inner = Coroutine<(), (), Option<Panic>, DefaultStack>;

thread_local! {
    /// The yielder of the fiber that runs on this thread now, null outside fibers.
    static CURRENT: Cell<*const Yielder<(), ()>> = const { Cell::new(ptr::null()) };
}

/// Why [`Fiber::resume`] returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The fiber called [`suspend`].
    Yielded,
    /// The closure returned; the fiber can't be resumed again.
    Returned,
    /// The closure panicked; the fiber can't be resumed again.
    Panicked(Panic),
}

/// A closure on a stack of its own; made by [`Pool::fiber`].
///
/// Dropping an unfinished fiber unwinds it.
pub struct Fiber {
    /// `None` only inside `drop`.
    inner: Option<Inner>,
    pool: Pool,
}

impl Fiber {
    pub(crate) fn new(pool: Pool, body: impl FnOnce() + 'static) -> Self {
        let inner = Inner::with_stack(pool.take(), move |yielder: &Yielder<(), ()>, ()| {
            CURRENT.set(yielder);
            catch_unwind(AssertUnwindSafe(body)).err().map(|payload| panics::caught(&*payload))
        });
        Fiber { inner: Some(inner), pool }
    }

    /// Runs the fiber until it suspends, returns or panics.
    ///
    /// # Panics
    /// If the fiber has returned or panicked before.
    pub fn resume(&mut self) -> Progress {
        let inner = self.inner.as_mut().expect("only `drop` takes it");
        assert!(!inner.done(), "a fiber that has ended can't be resumed");
        let resumer = CURRENT.get();
        let result = inner.resume(());
        CURRENT.set(resumer);
        match result {
            CoroutineResult::Yield(()) => Progress::Yielded,
            CoroutineResult::Return(None) => Progress::Returned,
            CoroutineResult::Return(Some(panic)) => Progress::Panicked(panic),
        }
    }

    /// Whether the closure has returned, panicked or been unwound.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.inner.as_ref().is_none_or(Coroutine::done)
    }

    /// Ends the fiber wherever it stands: its stack is unwound and everything on it dropped.
    ///
    /// Destructors that run then can't suspend: [`suspend`] returns at once while a thread unwinds.
    pub fn unwind(&mut self) {
        let Some(inner) = self.inner.as_mut() else { return };
        let resumer = CURRENT.get();
        inner.force_unwind();
        CURRENT.set(resumer);
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        self.unwind();
        if let Some(inner) = self.inner.take() {
            self.pool.give(inner.into_stack());
        }
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
/// While the thread unwinds (a panic inside the fiber, or [`Fiber::unwind`]) it returns at once.
///
/// # Panics
/// Outside a fiber.
#[inline]
pub fn suspend() {
    struct Back(*const Yielder<(), ()>);
    impl Drop for Back {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    if std::thread::panicking() {
        return;
    }
    let current = CURRENT.get();
    assert!(!current.is_null(), "`suspend` outside a fiber");
    let _back = Back(current);
    // SAFETY: `CURRENT` is set to the yielder of the fiber whose code runs now: when its closure starts, and by
    // `Back` after each of its suspensions (also those that end in an unwinding); `resume` puts the resumer's back.
    // A yielder lives on its fiber's stack until the closure ends.
    unsafe { (*current).suspend(()) };
}
