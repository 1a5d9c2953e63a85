//! The control files that no real host has: what the machine's operator and the guests do, and what happened.
//!
//! A line written to `hw` or `guests` is that verb's arguments (`INTERFACES.md`); `events`, `log`, `state` and
//! `refusal` (the last write to an attribute that was refused) are read.

pub mod command;
mod error;
mod guest;
mod hw;
mod there;
mod verb;

use crate::attribute::{Attribute, ro, rw, wo};
use crate::attributes::module::listing;
use crate::errno::Errno;
use crate::object::Plain;
use crate::ring::Ring;
use crate::tree::{Doing, Tree};

pub use crate::control::error::ControlError;
pub use crate::control::guest::{GUEST, guest};
pub use crate::control::hw::{HW, hw};
pub use crate::control::verb::{Verb, Verbs};
pub use crate::tree::{Controls, Refused, StateText};

/// The control files.
pub(crate) const FILES: &[Attribute<Plain>] = &[
    ro("answer", |t, _, _| Ok(t.controls.answer.borrow().clone().into_bytes())),
    ro("events", |t, _, _| Ok(kept(t, Ring::events_text))),
    rw("guests", show_guests, |t, _, data, task| run(t, data, |line| guest(t, line, task))),
    wo("hw", |t, _, data, task| run(t, data, |line| hw(t, line, task))),
    ro("last_error", |t, _, _| Ok(t.controls.last_error.borrow().clone().into_bytes())),
    ro("log", |t, _, _| Ok(kept(t, Ring::log_text))),
    ro("modules", |t, _, task| Ok(listing(t, task))),
    ro("refusal", show_refusal),
    ro("state", show_state),
];

fn kept(tree: &Tree, text: impl FnOnce(&Ring) -> String) -> Vec<u8> {
    tree.controls.ring.borrow().as_ref().map(|ring| text(ring)).unwrap_or_default().into_bytes()
}

/// Carries out the lines of a text until one fails; keeps what they answered, and why the last one failed.
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

fn show_guests(tree: &Tree, _: &Plain, task: Doing) -> Result<Vec<u8>, Errno> {
    Ok(guest::guests(tree, task).into_bytes())
}

fn show_refusal(tree: &Tree, _: &Plain, _: Doing) -> Result<Vec<u8>, Errno> {
    let refusal = tree.controls.refusal.borrow();
    Ok(refusal.as_ref().map(ToString::to_string).unwrap_or_default().into_bytes())
}

fn show_state(tree: &Tree, _: &Plain, task: Doing) -> Result<Vec<u8>, Errno> {
    let state = tree.controls.state.borrow();
    let text = state.as_ref().ok_or(Errno::EOPNOTSUPP)?;
    Ok(text(tree, task).into_bytes())
}
