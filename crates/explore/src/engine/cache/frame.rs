//! A state of the path that a walk is on. This module knows nothing of what is done there.

use super::super::log::Number;
use super::super::state::State;
use super::super::tasks::Tasks;

/// A state of the path, and what is still to be taken from it.
pub(super) struct Frame {
    pub state: State,
    pub todo: Tasks,
    pub width: u32,
    /// The task of the step before, and how often tasks took turns up to here.
    pub last: Option<usize>,
    pub switches: u32,
    /// The length of the path up to here, and how many places before which others could go the last step ran through.
    pub steps: usize,
    pub points: usize,
    /// It is watched for cycles.
    pub marked: bool,
    /// The state's number, if steps are taken from it.
    pub number: Option<Number>,
}

impl Frame {
    pub(super) fn new(state: State) -> Self {
        Frame {
            state,
            todo: 0,
            width: 0,
            last: None,
            switches: 0,
            steps: 0,
            points: 0,
            marked: false,
            number: None,
        }
    }
}
