//! Stacks switched by corosensei.

use std::io;

use corosensei::CoroutineResult;
use corosensei::stack::DefaultStack;

/// What the code of a coroutine suspends itself with.
pub(crate) type Yielder = corosensei::Yielder<(), ()>;

pub(crate) struct Stack(DefaultStack);

impl Stack {
    pub(crate) fn new(bytes: usize) -> io::Result<Stack> {
        DefaultStack::new(bytes).map(Stack)
    }
}

pub(crate) struct Coroutine<R: 'static>(corosensei::Coroutine<(), (), R, DefaultStack>);

impl<R> Coroutine<R> {
    pub(crate) fn new(stack: Stack, body: impl FnOnce(&Yielder) -> R + 'static) -> Coroutine<R> {
        Coroutine(corosensei::Coroutine::with_stack(stack.0, move |yielder: &Yielder, ()| body(yielder)))
    }

    #[inline]
    pub(crate) fn resume(&mut self) -> Option<R> {
        match self.0.resume(()) {
            CoroutineResult::Yield(()) => None,
            CoroutineResult::Return(end) => Some(end),
        }
    }

    #[inline]
    pub(crate) fn done(&self) -> bool {
        self.0.done()
    }

    pub(crate) fn unwind(&mut self) {
        self.0.force_unwind();
    }

    pub(crate) fn into_stack(self) -> Stack {
        Stack(self.0.into_stack())
    }
}
