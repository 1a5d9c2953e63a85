//! Panics inside fibers are caught and silent, and their text is kept.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::current::in_fiber;

/// What a fiber panicked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// The message, as `panic!` formatted it.
    pub message: String,
    /// `file:line` of the panic, where known.
    pub at: Option<String>,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{} ({at})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

thread_local! {
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Makes the process's panic hook keep silent inside fibers, once; elsewhere the former hook is called.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let former = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !in_fiber() {
                return former(info);
            }
            let at = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
            let panic = Panic { message: text(info.payload()), at };
            // Where the thread's data is destroyed already, the place of the panic is lost.
            let _ = LAST.try_with(|last| last.replace(Some(panic)));
        }));
    });
}

/// Runs the closure of a fiber; what it panicked with, if it did. No panic comes out, whatever the payload's destructor
/// does.
#[inline]
pub(crate) fn catch(body: impl FnOnce()) -> Option<Panic> {
    let payload = catch_unwind(AssertUnwindSafe(body)).err()?;
    let panic = caught(&*payload);
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A destructor that panics with a payload whose destructor panics, and so on: nobody misses the value.
        mem::forget(another);
    }
    Some(panic)
}

/// The panic that ended a fiber with this payload.
fn caught(payload: &(dyn Any + Send)) -> Panic {
    let message = text(payload);
    match LAST.try_with(RefCell::take) {
        Ok(Some(last)) if last.message == message => last,
        _ => Panic { message, at: None },
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
