//! Why a verb was not carried out.

use crate::errno::Errno;

/// A verb that could not be carried out: an error number, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{text}")]
pub struct ControlError {
    /// What a write to the control file answers.
    pub errno: Errno,
    /// What was wrong, with the remedy.
    pub text: String,
    /// Whether the verb and its words were understood: if so, this is the system's answer.
    pub understood: bool,
}

impl ControlError {
    /// A line that is not understood (`EINVAL`).
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        ControlError { errno: Errno::EINVAL, text: text.into(), understood: false }
    }

    /// What was understood, and refused with that error number.
    pub(crate) fn errno(errno: Errno, text: impl Into<String>) -> Self {
        ControlError { errno, text: text.into(), understood: true }
    }
}
