//! A closure on a stack of its own, from its start to its end or its unwinding.
//!
//! Where the stack comes from is the pool's business; that fibers are asked of a pool is said here, above it.

use std::mem;

use crate::current::{self, Back};
use crate::panics::{self, Panic};
use crate::pool::Pool;
use crate::switch::{Coroutine, Stack, Yielder};

type Inner = Coroutine<Option<Panic>>;

/// Why [`Fiber::resume`] returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The fiber called [`suspend`](crate::suspend).
    Yielded,
    /// The closure returned; the fiber can't be resumed again.
    Returned,
    /// The closure panicked; the fiber can't be resumed again.
    Panicked(Panic),
}

/// A closure on a stack of its own; made by [`Pool::fiber`].
///
/// Dropping an unfinished fiber unwinds it. A fiber stays on its thread:
///
/// ```compile_fail
/// let fiber = fibers::Pool::default().fiber(|| ());
/// std::thread::spawn(move || drop(fiber));
/// ```
pub struct Fiber {
    state: State,
    pool: Pool,
}

/// What a fiber runs: its closure, and what that panicked with. (The panic is caught in here, not around it: a frame less
/// to unwind for each fiber that is dropped before its end.)
type Body = Box<dyn FnOnce() -> Option<Panic>>;

enum State {
    /// It was never resumed: the closure, and no stack yet.
    ///
    /// So the stack never holds a closure that has not begun. It would have to be small, of an ordinary alignment, and
    /// its destructor must not panic: corosensei copies it to the stack without a look at where the stack ends, and
    /// drops it once more after such a panic. Wasmtime's fibers would leak it.
    New(Body),
    /// It was resumed; the coroutine knows whether it is done.
    Begun(Inner),
    /// It was unwound before it was ever resumed, or is being dropped.
    Over,
}

impl Pool {
    /// A fiber that will run `body` when it is resumed for the first time, which is also when it takes a stack.
    /// What the closure captures is moved to that stack then, and must fit on it.
    pub fn fiber(&self, body: impl FnOnce() + 'static) -> Fiber {
        Fiber { state: State::New(Box::new(move || panics::catch(body))), pool: self.clone() }
    }
}

impl Fiber {
    /// Runs the fiber until it suspends, returns or panics.
    ///
    /// # Panics
    /// If the fiber has returned, panicked or been unwound before, or if the system has no memory for another stack.
    pub fn resume(&mut self) -> Progress {
        if matches!(self.state, State::New(_)) {
            let stack = self.pool.take();
            if let State::New(body) = mem::replace(&mut self.state, State::Over) {
                self.state = State::Begun(begin(stack, body));
            }
        }
        let State::Begun(inner) = &mut self.state else { panic!("{ENDED}") };
        assert!(!inner.done(), "{ENDED}");
        let back = Back::here();
        let result = inner.resume();
        drop(back);
        match result {
            None => Progress::Yielded,
            Some(None) => Progress::Returned,
            Some(Some(panic)) => Progress::Panicked(panic),
        }
    }

    /// Whether the closure has returned, panicked or been unwound.
    #[must_use]
    pub fn ended(&self) -> bool {
        match &self.state {
            State::New(_) => false,
            State::Begun(inner) => inner.done(),
            State::Over => true,
        }
    }

    /// Ends the fiber wherever it stands: its stack is unwound and everything on it dropped.
    ///
    /// Destructors that run then can't suspend: [`suspend`](crate::suspend) returns at once while a thread unwinds. A
    /// fiber that was never resumed has nothing on its stack: its closure is dropped like any other value, on the
    /// caller's stack.
    pub fn unwind(&mut self) {
        match &mut self.state {
            State::New(_) => drop(mem::replace(&mut self.state, State::Over)),
            State::Begun(inner) => {
                let _back = Back::here();
                inner.unwind();
            }
            State::Over => {}
        }
    }
}

const ENDED: &str = "a fiber that has ended can't be resumed";

/// A coroutine that will run `body`. Whoever calls it resumes it at once.
fn begin(stack: Stack, body: Body) -> Inner {
    Inner::new(stack, move |yielder: &Yielder| {
        current::begins(yielder);
        body()
    })
}

impl Drop for Fiber {
    fn drop(&mut self) {
        self.unwind();
        if let State::Begun(inner) = mem::replace(&mut self.state, State::Over) {
            self.pool.give(inner.into_stack());
        }
    }
}
