//! The words that an exploration ends with.

use std::fmt;

/// What an exploration says of what it explored: nothing is wrong, or what kind of thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything was explored and nothing is wrong.
    Clean,
    /// Tasks wait for each other, or one waits for what nobody will do.
    Deadlock,
    /// Tasks go on for ever and complete nothing.
    Livelock,
    /// Two tasks touch the same data, and no lock orders them.
    Race,
    /// Data is touched after it was freed.
    UseAfterFree,
    /// A queue was taken from an mdev or from a running guest, or disturbed under it.
    Stolen,
    /// Two mdevs or two guests have one queue.
    Shared,
    /// A guest has what the filter must keep from it, or lacks what the filter lets pass.
    Unfiltered,
    /// A queue changed hands with the data of its last user in it.
    Unreset,
    /// Something that was taken is not given back.
    Leak,
    /// An operation is refused though nothing that it wants is in use.
    SpuriousBusy,
    /// Results, masks and matrices are those of no order of one operation after the other.
    NotLinearizable,
    /// An operation panicked.
    Panic,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 13] = [
        Verdict::Clean,
        Verdict::Deadlock,
        Verdict::Livelock,
        Verdict::Race,
        Verdict::UseAfterFree,
        Verdict::Stolen,
        Verdict::Shared,
        Verdict::Unfiltered,
        Verdict::Unreset,
        Verdict::Leak,
        Verdict::SpuriousBusy,
        Verdict::NotLinearizable,
        Verdict::Panic,
    ];

    /// The word that files, documents and reports use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Deadlock => "deadlock",
            Verdict::Livelock => "livelock",
            Verdict::Race => "race",
            Verdict::UseAfterFree => "use-after-free",
            Verdict::Stolen => "stolen",
            Verdict::Shared => "shared",
            Verdict::Unfiltered => "unfiltered",
            Verdict::Unreset => "unreset",
            Verdict::Leak => "leak",
            Verdict::SpuriousBusy => "spurious-busy",
            Verdict::NotLinearizable => "not-linearizable",
            Verdict::Panic => "panic",
        }
    }

    /// The verdict of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.word() == word)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
