//! Stacks that are used again. What runs on them is not known here.

use std::cell::RefCell;
use std::rc::Rc;

use crate::panics;
use crate::switch::Stack;

/// The size of a stack unless another is asked for: real code runs on it. Where frames are larger, so is the stack.
pub const DEFAULT_STACK: usize = if cfg!(target_arch = "s390x") { 512 } else { 256 } * 1024;

/// A pool of stacks of one size, each with a guard page. Cloning gives another handle to the same pool.
#[derive(Clone)]
pub struct Pool {
    shared: Rc<Shared>,
}

struct Shared {
    bytes: usize,
    free: RefCell<Vec<Stack>>,
}

impl Default for Pool {
    fn default() -> Self {
        Pool::new(DEFAULT_STACK)
    }
}

impl Pool {
    /// A pool of stacks of at least `bytes`.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        panics::capture();
        Pool { shared: Rc::new(Shared { bytes, free: RefCell::new(Vec::new()) }) }
    }

    /// This thread's pool of stacks of at least `bytes`: who asks again finds the stacks of who is done. They lie ready
    /// until the thread ends, as many as were in use at the same time.
    #[must_use]
    pub fn of_thread(bytes: usize) -> Self {
        thread_local! {
            static POOLS: RefCell<Vec<Pool>> = const { RefCell::new(Vec::new()) };
        }
        POOLS.with_borrow_mut(|pools| {
            let known = pools.iter().find(|pool| pool.shared.bytes == bytes).cloned();
            known.unwrap_or_else(|| {
                let pool = Pool::new(bytes);
                pools.push(pool.clone());
                pool
            })
        })
    }

    /// How many stacks lie ready.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.shared.free.borrow().len()
    }

    pub(crate) fn take(&self) -> Stack {
        let idle = self.shared.free.borrow_mut().pop();
        idle.unwrap_or_else(|| Stack::new(self.shared.bytes).expect("memory for a stack"))
    }

    pub(crate) fn give(&self, stack: Stack) {
        self.shared.free.borrow_mut().push(stack);
    }
}
