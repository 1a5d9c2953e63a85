//! How an operation runs by itself: time passes where it sleeps, and it is stopped where it would not return.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;

use ap_host::Host;
use ap_task::Notice;
use locks::hook::{self, Hook, Kind, Object, Step as LockStep};

use crate::oracle::NotReturned;
use crate::sequences::recorder::{Recorder, Step};

/// A time, in milliseconds, that no sequence reaches: each operation takes a few hundred at the most.
const FOREVER: u64 = 3_600_000;

/// The hook under which operations run, one at a time.
pub(super) struct Alone {
    host: Arc<Host>,
    out: Rc<Recorder>,
    root: Cell<bool>,
    /// The locks that it holds, in the order in which it took them.
    held: RefCell<Vec<Object>>,
}

impl Alone {
    /// The hook for operations on that host, which report to `out`.
    pub(super) fn new(host: Arc<Host>, out: Rc<Recorder>) -> Rc<Alone> {
        Rc::new(Alone { host, out, root: Cell::new(false), held: RefCell::default() })
    }
}

/// Runs something under the hook: an operation, or what is left to be done after one. Where it does not return, or
/// keeps a lock, what it was done to is of no use any more.
pub(super) fn run_alone<R>(alone: &Rc<Alone>, run: impl FnOnce() -> R) -> Result<R, NotReturned> {
    let hook = alone.clone();
    let result = catch_unwind(AssertUnwindSafe(|| hook::install(hook, run))).map_err(why)?;
    match alone.held.borrow().last() {
        Some(kept) => Err(NotReturned::Keeps(kept.level)),
        None => Ok(result),
    }
}

fn why(panic: Box<dyn Any + Send>) -> NotReturned {
    match panic.downcast::<NotReturned>() {
        Ok(not_returned) => *not_returned,
        Err(panic) => NotReturned::Panicked(text_of(&*panic)),
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic".to_owned())
}

fn stop(why: NotReturned) -> ! {
    resume_unwind(Box::new(why))
}

impl Hook for Alone {
    fn step(&self, step: LockStep) -> bool {
        let mut held = self.held.borrow_mut();
        match step.kind {
            Kind::Lock | Kind::ReadLock | Kind::Look => held.push(step.object),
            Kind::TryLock | Kind::TryReadLock => {
                if held.contains(&step.object) {
                    return false;
                }
                held.push(step.object);
            }
            Kind::Unlock | Kind::ReadUnlock | Kind::Looked => {
                if let Some(at) = held.iter().rposition(|object| *object == step.object) {
                    held.remove(at);
                }
            }
            Kind::Sleep(until) => {
                self.host.clock().advance_to(until);
                if until >= FOREVER {
                    drop(held);
                    stop(NotReturned::NeverStops);
                }
            }
            Kind::Wait | Kind::Notify | Kind::Read | Kind::Write | Kind::Free | Kind::Ghost => {}
        }
        true
    }

    fn blocked(&self, step: LockStep) {
        stop(NotReturned::Waits(format!(
            "lock {} at {}, which nobody will release",
            step.object.level, step.at
        )));
    }

    fn wait(&self, condvar: LockStep, _mutex: Object) {
        stop(NotReturned::Waits(format!(
            "`{}` at {}, which nobody will notify",
            condvar.object.level, condvar.at
        )));
    }

    fn violation(&self, _verdict: &'static str, _what: String) {}

    fn claim_root(&self) -> bool {
        !self.root.replace(true)
    }

    fn release_root(&self) {
        self.root.set(false);
    }

    fn announced(&self, what: &dyn Any) {
        let Some(notice) = what.downcast_ref::<Notice>() else { return };
        match *notice {
            Notice::ResetEnded { queue, noted } => self.out.step(Step::ResetEnded { queue, noted }),
            Notice::Asked { signalled } => self.out.asked(signalled),
            Notice::MachineChanged | Notice::Committed | Notice::Free | Notice::LetGo { .. } => {}
        }
    }

    fn exploring(&self) -> bool {
        true
    }
}
