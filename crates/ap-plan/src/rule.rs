//! The rules by which writes are refused: a name and a sentence each.
//!
//! Knows no state and no write.

/// A rule of the AP bus or of vfio_ap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The text of a file.
    Text,
    /// Who reserves queues.
    Reserved,
    /// One owner for each queue.
    Shared,
    /// The in-use veto.
    InUse,
    /// The highest ids.
    Highest,
    /// Names of mdevs, and how many there can be.
    Mdevs,
    /// Masks and overrides exclude each other.
    Overrides,
    /// Which driver a queue can be bound to.
    Binding,
    /// An mdev that is open stays.
    Open,
    /// What cannot be switched on.
    Off,
    /// What a running guest has is not reset.
    Lent,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 11] = [
        Rule::Text,
        Rule::Reserved,
        Rule::Shared,
        Rule::InUse,
        Rule::Highest,
        Rule::Mdevs,
        Rule::Overrides,
        Rule::Binding,
        Rule::Open,
        Rule::Off,
        Rule::Lent,
    ];

    /// Its name, for scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Rule::Text => "text",
            Rule::Reserved => "reserved",
            Rule::Shared => "shared",
            Rule::InUse => "in-use",
            Rule::Highest => "highest-id",
            Rule::Mdevs => "mdevs",
            Rule::Overrides => "overrides",
            Rule::Binding => "binding",
            Rule::Open => "open",
            Rule::Off => "off",
            Rule::Lent => "lent",
        }
    }

    /// What it says.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Rule::Text => {
                "Each file takes texts of one form. Any other text is refused, and nothing changes."
            }
            Rule::Reserved => {
                "A queue is the host's if apmask has its adapter and aqmask has its domain; one with an override, if \
                 the host's driver has it. An mdev gets no queue that is the host's."
            }
            Rule::Shared => "A queue is in one mdev at the most, also if it does not exist yet.",
            Rule::InUse => {
                "A mask gives the host no queue that an mdev has: whoever writes it has to take the queue from the \
                 mdev first."
            }
            Rule::Highest => "No id above the highest of the host's configuration can be assigned.",
            Rule::Mdevs => "An mdev has a UUID of its own, and there is none without the driver vfio_ap.",
            Rule::Overrides => {
                "A host gives queues by its masks or by driver_override. While one is used, the other one is refused."
            }
            Rule::Binding => {
                "A queue has one driver. It can be bound to the one that its override names, or without an override \
                 to the one that the masks say."
            }
            Rule::Open => {
                "An mdev that a guest has open is removed when the guest lets it go, and not before."
            }
            Rule::Off => {
                "Nothing is switched on that is deconfigured or checkstopped, and no queue whose card is switched off."
            }
            Rule::Lent => "The host resets no queue that a running guest has.",
        }
    }
}
