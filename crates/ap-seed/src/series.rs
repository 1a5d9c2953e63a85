//! The series `[PATCH v12 00/17] s390/vfio-ap: dynamic configuration support`, patch by patch.

use std::fmt;

use crate::question::Question;

/// How vfio_ap takes its own lock M where the bus may wait for it (from patch 07 on).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Locking {
    /// `mutex_trylock`, and `-EBUSY` if somebody has it: what the series proposes.
    Trylock,
    /// `mutex_lock`: what the mail says must not be.
    Blocking,
}

impl Locking {
    /// Both.
    pub const ALL: [Locking; 2] = [Locking::Trylock, Locking::Blocking];

    /// The word that identifiers and documents use.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Locking::Trylock => "trylock",
            Locking::Blocking => "blocking",
        }
    }
}

/// A patch of the series.
#[derive(Clone, Copy, Debug)]
pub struct Patch {
    /// Its number.
    pub number: u8,
    /// Its title, without `s390/vfio-ap: `.
    pub title: &'static str,
    /// What it changes in the model.
    pub changes: &'static str,
}

/// The patches, and what each changes in the model ([`v12`](crate::v12)).
///
/// A patch that is said to change nothing changes nothing that the actors of the five questions do.
pub const PATCHES: [Patch; 17] = [
    Patch {
        number: 1,
        title: "move probe/remove callbacks to vfio_ap_ops.c",
        changes: "nothing: code moves. Before and after it, nobody asks vfio_ap before a mask write",
    },
    Patch {
        number: 2,
        title: "decrement reference count to KVM",
        changes: "nothing here: references are no part of the model",
    },
    Patch {
        number: 3,
        title: "use new AP bus interface to search for queue devices",
        changes: "nothing: the same list of bound queues is looked at by another way",
    },
    Patch {
        number: 4,
        title: "no need to disable IRQ after queue reset",
        changes: "nothing here: a reset is one step",
    },
    Patch {
        number: 5,
        title: "manage link between queue struct and matrix mdev",
        changes: "assign links bound queues to the mdev, the remove callback unlinks them, both under M",
    },
    Patch {
        number: 6,
        title: "introduce callback to driver to indicate resource in use",
        changes: "a mask write asks the drivers' callbacks under P; vfio_ap has none yet",
    },
    Patch {
        number: 7,
        title: "implement in-use callback for vfio_ap driver",
        changes: "vfio_ap_mdev_resource_in_use answers under M; it and assign take M by trylock (or mutex_lock)",
    },
    Patch {
        number: 8,
        title: "introduce shadow APCB",
        changes: "an mdev has a shadow APCB beside its matrix, under M",
    },
    Patch {
        number: 9,
        title: "sysfs attribute to display the guest's matrix",
        changes: "nothing: no actor reads it",
    },
    Patch {
        number: 10,
        title: "initialize the guest apcb",
        changes: "a guest that starts gets the shadow APCB, not the matrix",
    },
    Patch {
        number: 11,
        title: "allow assignment of unavailable AP queues to mdev device",
        changes: "assign no longer asks whether queues are bound to vfio_ap; it sets the bits first and asks the masks, \
                  by ap_apqn_in_matrix_owned_by_def_drv, which takes P inside M",
    },
    Patch {
        number: 12,
        title: "allow hot plug/unplug of AP resources using mdev device",
        changes: "assign no longer refuses while a guest runs; it updates the guest's APCB by \
                  kvm_arch_crypto_set_masks, which takes K inside M",
    },
    Patch {
        number: 13,
        title: "hot plug/unplug queues on bind/unbind of queue device",
        changes: "the probe callback takes M, too; probe and remove update the guest's APCB: K inside M inside D",
    },
    Patch {
        number: 14,
        title: "notify drivers on config changed and scan complete callbacks",
        changes: "nothing: it is about scans, and no actor scans",
    },
    Patch {
        number: 15,
        title: "handle host AP config change notification",
        changes: "nothing: it is about scans, and no actor scans",
    },
    Patch {
        number: 16,
        title: "handle AP bus scan completed notification",
        changes: "nothing: it is about scans, and no actor scans",
    },
    Patch {
        number: 17,
        title: "update docs to include dynamic config support",
        changes: "nothing: documentation",
    },
];

/// A prefix of the series, with one of the two ways to take M.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Series {
    /// How many of the patches are applied, 0 to 17.
    pub prefix: u8,
    /// How M is taken from patch 07 on.
    pub locking: Locking,
}

impl Series {
    /// The longest prefix: all patches.
    pub const ALL_PATCHES: u8 = 17;

    /// A prefix of the series.
    ///
    /// # Panics
    /// If the series has fewer patches.
    #[must_use]
    pub fn new(prefix: u8, locking: Locking) -> Self {
        assert!(prefix <= Self::ALL_PATCHES, "the series has {} patches", Self::ALL_PATCHES);
        Series { prefix, locking }
    }

    /// All 36 variants, prefix by prefix.
    pub fn all() -> impl Iterator<Item = Series> {
        (0..=Self::ALL_PATCHES)
            .flat_map(|prefix| Locking::ALL.into_iter().map(move |locking| Series { prefix, locking }))
    }

    /// Whether a patch is applied.
    #[must_use]
    pub fn has(self, patch: u8) -> bool {
        self.prefix >= patch
    }

    /// What is expected of it: history, section 5.5.
    #[must_use]
    pub fn expected(self, question: Question) -> bool {
        let (p, blocking) = (self.prefix, self.locking == Locking::Blocking);
        match question {
            Question::TheftSequence => p <= 6,
            Question::TheftRace => (7..=10).contains(&p),
            Question::Deadlock => blocking && p >= 11,
            Question::ProtectedGuestCycle => p >= 12,
            Question::SpuriousBusy => !blocking && p >= 7,
        }
    }

    /// Patch 06: a mask write asks the drivers that have a callback.
    pub(super) fn bus_asks(self) -> bool {
        self.has(6)
    }

    /// Patch 07: vfio_ap has the callback.
    pub(super) fn vfio_answers(self) -> bool {
        self.has(7)
    }

    /// Patch 05: queues are linked to mdevs.
    pub(super) fn links(self) -> bool {
        self.has(5)
    }

    /// Patches 08 and 10: a guest gets the shadow APCB.
    pub(super) fn guest_gets_shadow(self) -> bool {
        self.has(10)
    }

    /// Patch 11: assign looks at masks, not at bindings.
    pub(super) fn masks_decide(self) -> bool {
        self.has(11)
    }

    /// Patch 12: assign plugs into a running guest.
    pub(super) fn assign_plugs(self) -> bool {
        self.has(12)
    }

    /// Patch 13: so do bind and unbind.
    pub(super) fn binding_plugs(self) -> bool {
        self.has(13)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.locking {
            Locking::Trylock => "mutex_trylock",
            Locking::Blocking => "mutex_lock",
        };
        match self.prefix {
            0 => write!(f, "before v12 01/17"),
            prefix => write!(f, "v12 01-{prefix:02}/17"),
        }?;
        write!(f, " with {how}")
    }
}
