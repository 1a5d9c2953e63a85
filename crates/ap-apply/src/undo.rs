//! A step as a journal keeps it: the write, and what takes it back.

use ap_files::journal::{StepText, Text};
use ap_plan::state::Driver;
use ap_plan::{Step, Store, Write};
use ap_types::grammar::ap_config;
use ap_types::{Matrix, Uuid};

use crate::tree::{Fault, Kind, Tree};

/// A step as a journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undoable {
    /// The write.
    pub write: Write,
    /// What takes it back.
    pub back: Vec<Write>,
}

impl Undoable {
    /// A step of a plan.
    #[must_use]
    pub fn of(step: &Step) -> Undoable {
        Undoable { write: step.write, back: step.inverse.clone() }
    }

    /// A step of a journal; `None` if it is none that a plan consists of: each can be taken back.
    #[must_use]
    pub fn parse(text: &StepText) -> Option<Undoable> {
        let write = |text: &Text| Write::parse(&Store { path: text.path.clone(), text: text.text.clone() });
        let back: Vec<Write> = text.back.iter().map(write).collect::<Option<_>>()?;
        let write = write(&text.write)?;
        (!back.is_empty()).then_some(Undoable { write, back })
    }

    /// As a journal keeps it.
    #[must_use]
    pub fn text(&self) -> StepText {
        let text = |write: &Write| {
            let Store { path, text } = write.store();
            Text { path, text }
        };
        StepText { write: text(&self.write), back: self.back.iter().map(text).collect() }
    }

    /// The matrix that the step's mdev had before.
    pub(crate) fn old_matrix(&self) -> Matrix {
        let old = self.back.iter().find_map(|write| match write {
            Write::Config(_, matrix) => Some(*matrix),
            _ => None,
        });
        old.unwrap_or_default()
    }

    /// The driver that the step's override named before.
    pub(crate) fn old_override(&self) -> Option<Driver> {
        self.back.iter().find_map(|write| match write {
            Write::Override(_, driver) => Some(*driver),
            _ => None,
        })?
    }
}

/// What is assigned to an mdev; `None` if there is none of that name.
pub(crate) fn matrix_of(tree: &mut dyn Tree, uuid: Uuid) -> Result<Option<Matrix>, Fault> {
    let path = format!("devices/vfio_ap/matrix/{uuid}/ap_config");
    match tree.read(&path) {
        Ok(text) => Ok(Some(ap_config(text.as_bytes()).unwrap_or_default())),
        // The bus is there, and this is not: an mdev that is not there. The bus is not there: the whole tree is gone.
        Err(fault) if fault.kind == Kind::NotFound => match tree.read("bus/ap/apmask") {
            Ok(_) => Ok(None),
            Err(_) => Err(fault),
        },
        Err(fault) => Err(fault),
    }
}
