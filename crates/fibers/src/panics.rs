//! Panics inside fibers: caught, silent, their text kept.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::sync::Once;

use crate::fiber;

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
            if !fiber::in_fiber() {
                return former(info);
            }
            let at = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
            LAST.with_borrow_mut(|last| *last = Some(Panic { message: text(info.payload()), at }));
        }));
    });
}

/// The panic that ended a fiber with this payload.
pub(crate) fn caught(payload: &(dyn Any + Send)) -> Panic {
    let message = text(payload);
    match LAST.take() {
        Some(last) if last.message == message => last,
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
