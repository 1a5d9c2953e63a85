//! What can be explored: a space of states, and what each worker has of it.
//!
//! A way is the number of a beginning, and the numbers of what was chosen after it, a byte each. This module knows nothing of
//! who explores from which ways, nor of what the numbers mean.

use crate::tally::{Share, Tally};

/// Something that is explored, the same for all workers.
pub trait Space: Send + Sync + 'static {
    /// What comes of it.
    type Report: Send + 'static;

    /// What it is, in words, each with a name: two searches are one only if all of these are equal.
    fn facts(&self) -> Vec<(&'static str, String)>;

    /// How far it is explored if nobody says how far.
    fn depth(&self) -> Option<u32> {
        None
    }

    /// Gives `work` what a worker explores with, on the worker's own thread; once, and returns when it does.
    ///
    /// # Errors
    /// If there can't be any: `work` is not called then.
    fn enter(&self, work: &mut dyn FnMut(&mut dyn Explores<Report = Self::Report>)) -> Result<(), String>;
}

/// What a worker explores with.
pub trait Explores {
    /// What comes of it.
    type Report;

    /// Begins a search by all that was learned so far; gives the beginnings: their numbers and their states' fingerprints, the
    /// same for all workers.
    ///
    /// # Errors
    /// In words why it can't.
    fn begin(&mut self) -> Result<Vec<(u8, u128)>, String>;

    /// Takes every step from the state to which `way` leads, counts what comes of it, and sends the number and the state's
    /// fingerprint of each that is to be gone on from.
    ///
    /// # Errors
    /// In words why the way leads nowhere.
    fn expand(&mut self, way: &[u8], share: &mut Share, send: &mut dyn FnMut(u8, u128))
    -> Result<(), String>;

    /// What was learned since this was asked last, for the others.
    fn lesson(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes over what all have learned; whether what was explored does not count, and the search begins anew. All decide
    /// alike.
    ///
    /// # Errors
    /// If a lesson can't be read.
    fn learn(&mut self, _lessons: &[Vec<u8>]) -> Result<bool, String> {
        Ok(false)
    }

    /// No states are left to be explored from, and all have learned what all have learned: whether the search begins anew all the
    /// same. All decide alike.
    ///
    /// # Errors
    /// In words why it can't be said.
    fn close(&mut self) -> Result<bool, String> {
        Ok(false)
    }

    /// All that all know, as a lesson.
    fn knowledge(&self) -> Vec<u8> {
        Vec::new()
    }

    /// In full: what was met is made to happen again. `speaks`: somebody will read it, and not only its verdict.
    ///
    /// # Errors
    /// If it does not happen again.
    fn report(&mut self, tally: &Tally, speaks: bool) -> Result<Self::Report, String>;
}
