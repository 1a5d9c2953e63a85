//! Stacks switched by Wasmtime's fibers, which know s390x.
//!
//! They can't unwind a suspended fiber: here it is resumed with the order to do so, and [`Yielder::suspend`] throws.
//! Their `Fiber` never drops a closure that hasn't started: whoever makes a coroutine resumes it at once.

use std::io;
use std::panic::resume_unwind;

use wasmtime_internal_fiber::{Fiber, FiberStack, Suspend};

/// What a fiber is resumed with.
enum Turn {
    GoOn,
    Unwind,
}

/// The payload that unwinds a stack.
struct Unwinding;

/// Lets go of a fiber, whatever that will end with.
trait LetGo {
    /// Returns when the fiber is resumed.
    fn let_go(&mut self) -> Turn;
}

impl<R> LetGo for Suspend<Turn, (), R> {
    #[inline]
    fn let_go(&mut self) -> Turn {
        self.suspend(())
    }
}

/// What the code of a coroutine suspends itself with; lives on its stack.
pub(crate) struct Yielder(*mut dyn LetGo);

impl Yielder {
    #[inline]
    pub(crate) fn suspend(&self, (): ()) {
        // SAFETY: the pointer is of the `Suspend` that Wasmtime's fiber lends to the closure in `Coroutine::new`, whose
        // frame outlives this value. The reference lives during this call only, and the fiber to which it belongs is
        // the one that runs, so there is no second one.
        let turn = unsafe { (*self.0).let_go() };
        match turn {
            Turn::GoOn => {}
            Turn::Unwind => resume_unwind(Box::new(Unwinding)),
        }
    }
}

pub(crate) struct Stack(FiberStack);

impl Stack {
    pub(crate) fn new(bytes: usize) -> io::Result<Stack> {
        FiberStack::new(bytes, false).map(Stack)
    }
}

pub(crate) struct Coroutine<R: 'static>(Fiber<'static, Turn, (), R>);

impl<R> Coroutine<R> {
    pub(crate) fn new(stack: Stack, body: impl FnOnce(&Yielder) -> R + 'static) -> Coroutine<R> {
        let fiber = Fiber::new(stack.0, move |turn, suspend: &mut Suspend<Turn, (), R>| match turn {
            Turn::GoOn => body(&Yielder(suspend)),
            Turn::Unwind => unreachable!("whoever makes a coroutine resumes it at once"),
        });
        Coroutine(fiber.expect("this processor is known"))
    }

    #[inline]
    pub(crate) fn resume(&mut self) -> Option<R> {
        self.0.resume(Turn::GoOn).ok()
    }

    #[inline]
    pub(crate) fn done(&self) -> bool {
        self.0.done()
    }

    pub(crate) fn unwind(&mut self) {
        while !self.done() {
            // Whoever catches the unwinding and suspends again is unwound again.
            let _ = self.0.resume(Turn::Unwind);
        }
    }

    pub(crate) fn into_stack(self) -> Stack {
        Stack(self.0.into_stack())
    }
}
