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
