//! The control files that no real host has: what the machine's operator and the guests do, and what happened.
//!
//! A line written to `hw` or `guests` is that verb's arguments (`INTERFACES.md`); `events`, `log` and `state` are
//! read.

mod guest;
mod hw;

use std::cell::RefCell;
use std::rc::Rc;

use ap_host::Sink;

use crate::attributes::{Attribute, ro, rw, wo};
use crate::errno::Errno;
use crate::node::Dir;
use crate::ring::Ring;
use crate::tree::{Object, Root, Tree};

pub use guest::guest;
pub use hw::hw;

/// A verb that could not be carried out: an error number, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ControlError {
    /// What a write to the control file answers.
    pub errno: Errno,
    /// What was wrong, with the remedy.
    pub text: String,
}

impl ControlError {
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        ControlError { errno: Errno::EINVAL, text: text.into() }
    }

    pub(crate) fn errno(errno: Errno, text: impl Into<String>) -> Self {
        ControlError { errno, text: text.into() }
    }
}

/// The text of the file `state`.
pub type StateText = Box<dyn Fn(&Tree, Root) -> String>;

/// What the control files show beside the host.
#[derive(Default)]
pub struct Controls {
    /// Where events are kept.
    pub ring: RefCell<Option<Rc<Ring>>>,
    /// What `state` says: whoever knows how to write it down registers it here.
    pub state: RefCell<Option<StateText>>,
    /// What the last text written to `hw` or `guests` answered.
    pub answer: RefCell<String>,
    /// Why the last line written to `hw` or `guests` failed.
    pub last_error: RefCell<String>,
}

pub(crate) const FILES: &[Attribute] = &[
    ro("answer", |t, _, _, _, _| Ok(t.controls.answer.borrow().clone().into_bytes())),
    ro("events", |t, _, _, _, _| Ok(t.kept(Ring::events_text))),
    rw("guests", show_guests, |t, _, _, data, held, out| run(t, data, |line| guest(t, line, held, out))),
    wo("hw", |t, _, _, data, held, out| run(t, data, |line| hw(t, line, held, out))),
    ro("last_error", |t, _, _, _, _| Ok(t.controls.last_error.borrow().clone().into_bytes())),
    ro("log", |t, _, _, _, _| Ok(t.kept(Ring::log_text))),
    ro("state", show_state),
];

impl Tree {
    fn kept(&self, text: impl FnOnce(&Ring) -> String) -> Vec<u8> {
        self.controls.ring.borrow().as_ref().map(|ring| text(ring)).unwrap_or_default().into_bytes()
    }
}

fn run(
    tree: &Tree,
    data: &[u8],
    mut verb: impl FnMut(&str) -> Result<String, ControlError>,
) -> Result<(), Errno> {
    let text = std::str::from_utf8(data).map_err(|_| Errno::EINVAL)?;
    tree.controls.answer.borrow_mut().clear();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match verb(line) {
            Ok(answer) => tree.controls.answer.borrow_mut().push_str(&answer),
            Err(error) => {
                *tree.controls.last_error.borrow_mut() = format!("{line}: {error}\n");
                return Err(error.errno);
            }
        }
    }
    tree.controls.last_error.borrow_mut().clear();
    Ok(())
}

fn show_guests(tree: &Tree, _: Dir, _: &Object, held: Root, out: &dyn Sink) -> Result<Vec<u8>, Errno> {
    guest(tree, "list", held, out).map(String::into_bytes).map_err(|error| error.errno)
}

fn show_state(tree: &Tree, _: Dir, _: &Object, held: Root, _: &dyn Sink) -> Result<Vec<u8>, Errno> {
    let state = tree.controls.state.borrow();
    let text = state.as_ref().ok_or(Errno::EOPNOTSUPP)?;
    Ok(text(tree, held).into_bytes())
}
