//! How executions are run. This module knows nothing of who asks for them, or why.

/// What is kept while executions run, and where tasks may be interrupted.
///
/// A search sets the mode before it begins an execution; it stays the same until the execution has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Contents are observed, and what tasks do is learned. Races are not looked for: walks over states do that.
    Learn,
    /// The same as [`Mode::Learn`]; of the pasts of one task that came to the same place so many are told apart.
    Audit {
        /// The task.
        task: usize,
        /// How many of its pasts are told apart at each place.
        pasts: usize,
    },
    /// Steps are only taken; clocks find races.
    Plain,
    /// The same as [`Mode::Plain`]; clocks also tell which steps depend on each other, for a search that leaves out
    /// executions that differ in the order of independent steps only.
    Reduced,
    /// Every step is one that others may go before, and clocks find races.
    Follow {
        /// What tasks say of their steps is kept.
        noting: bool,
    },
}

impl Mode {
    /// Whether contents are observed and automata learned.
    #[inline]
    pub(crate) fn learns(self) -> bool {
        matches!(self, Mode::Learn | Mode::Audit { .. })
    }

    /// Whether the search leaves out executions that differ in the order of independent steps only.
    #[inline]
    pub(crate) fn is_reduced(self) -> bool {
        self == Mode::Reduced
    }

    /// Whether others may go before every step.
    #[inline]
    pub(crate) fn stops_everywhere(self) -> bool {
        matches!(self, Mode::Follow { .. })
    }

    /// Whether what tasks say of their steps is kept.
    #[inline]
    pub(crate) fn notes(self) -> bool {
        matches!(self, Mode::Follow { noting: true })
    }

    /// Whether this task's pasts are told apart.
    #[inline]
    pub(crate) fn audits(self, of: usize) -> bool {
        matches!(self, Mode::Audit { task, .. } if task == of)
    }
}
