//! The five questions that are asked of every prefix of the series.

/// Something that may be wrong with a prefix of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Question {
    /// Whether a queue is stolen by a plain sequence: one call after the other.
    TheftSequence,
    /// Whether a queue is stolen by an interleaving, in a way in which no sequence steals it.
    TheftRace,
    /// Whether the mask write and the assignment can wait for each other for ever.
    Deadlock,
    /// Whether V, M and K are taken in a circle while a guest becomes protected.
    ProtectedGuestCycle,
    /// Whether a call is refused with `EBUSY` though nothing that it wants is in use.
    SpuriousBusy,
}

impl Question {
    /// All five, in the order of the table.
    pub const ALL: [Question; 5] = [
        Question::TheftSequence,
        Question::TheftRace,
        Question::Deadlock,
        Question::ProtectedGuestCycle,
        Question::SpuriousBusy,
    ];

    /// The word that identifiers and documents use.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Question::TheftSequence => "theft_sequence",
            Question::TheftRace => "theft_race",
            Question::Deadlock => "deadlock",
            Question::ProtectedGuestCycle => "protected_guest_cycle",
            Question::SpuriousBusy => "spurious_busy",
        }
    }

    /// What was found if the answer is yes: what the column of the table is called, and a sentence without full stop.
    #[must_use]
    pub fn found(self) -> (&'static str, &'static str) {
        match self {
            Question::TheftSequence => (
                "theft by a sequence",
                "a mask write takes a queue that an mdev has, and each call is made when the one before has returned",
            ),
            Question::TheftRace => {
                ("theft by an interleaving", "the same, and only while both calls are under way at once")
            }
            Question::Deadlock => (
                "deadlock P and M",
                "a mask write has P and wants M, an assignment has M and wants P: neither goes on",
            ),
            Question::ProtectedGuestCycle => (
                "protected guest V-M-K",
                "while a guest becomes protected, three tasks wait in a circle: each has one of V, M and K and wants another",
            ),
            Question::SpuriousBusy => {
                ("spurious EBUSY", "a call is refused with EBUSY though nobody uses what it wants")
            }
        }
    }

    /// The verdict of an exploration that means yes.
    #[must_use]
    pub fn verdict(self) -> &'static str {
        match self {
            Question::TheftSequence | Question::TheftRace => "stolen",
            Question::Deadlock | Question::ProtectedGuestCycle => "deadlock",
            Question::SpuriousBusy => "spurious-busy",
        }
    }

    /// Its tasks: name, and what each does.
    #[must_use]
    pub fn cast(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Question::SpuriousBusy => &[("BUS", "echo +6 > apmask"), ("ADMIN", "echo 5 > assign_adapter")],
            Question::ProtectedGuestCycle => &[
                ("GUEST", "starts, executes PQAP"),
                ("ADMIN", "echo 5 > assign_adapter"),
                ("KVM", "protects the guest"),
            ],
            _ => &[("BUS", "echo +5 > apmask"), ("ADMIN", "echo 5 > assign_adapter")],
        }
    }
}
