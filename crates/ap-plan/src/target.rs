//! What is wanted of a host, everything said: masks, and every mdev that there is to be.

use std::collections::{BTreeMap, BTreeSet};

use ap_files::DesiredFile;
use ap_files::desired::{Give, Unlisted};
use ap_types::{Matrix, QueueSet, Uuid};

use crate::state::{Masks, State};

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// apmask and aqmask.
    pub masks: Masks,
    /// Every mdev that is to be there, listed or kept.
    pub mdevs: BTreeMap<Uuid, Matrix>,
    /// Those that the file lists.
    pub listed: BTreeSet<Uuid>,
    /// How queues are given to vfio_ap.
    pub give: Give,
}

impl Target {
    /// What a file wants of a host in that state.
    #[must_use]
    pub fn of(state: &State, desired: &DesiredFile) -> Target {
        let give = desired.give.or(state.way()).unwrap_or(Give::Masks);
        // Where overrides are to decide, masks of all ones are what is meant unless the file says otherwise.
        let now = if give == Give::Override { Masks::ALL } else { state.masks };
        let masks = Masks {
            adapters: desired.apmask.map_or(now.adapters, |wish| wish.resolve(now.adapters)),
            domains: desired.aqmask.map_or(now.domains, |wish| wish.resolve(now.domains)),
        };
        let mut mdevs: BTreeMap<Uuid, Matrix> = match desired.unlisted {
            Unlisted::Keep => state.mdevs.iter().map(|(uuid, mdev)| (*uuid, mdev.matrix)).collect(),
            Unlisted::Remove => BTreeMap::new(),
        };
        mdevs.extend(desired.mdevs.iter().map(|mdev| (mdev.uuid, mdev.matrix)));
        let listed = desired.mdevs.iter().map(|mdev| mdev.uuid).collect();
        Target { masks, mdevs, listed, give }
    }

    /// Exactly this state.
    #[must_use]
    pub fn exactly(state: &State) -> Target {
        Target {
            masks: state.masks,
            mdevs: state.mdevs.iter().map(|(uuid, mdev)| (*uuid, mdev.matrix)).collect(),
            listed: state.mdevs.keys().copied().collect(),
            give: state.way().unwrap_or(Give::Masks),
        }
    }

    /// Whether a host in that state has what is wanted.
    #[must_use]
    pub fn is_met_by(&self, state: &State) -> bool {
        self.masks == state.masks
            && self.mdevs.len() == state.mdevs.len()
            && state.mdevs.iter().all(|(uuid, mdev)| self.mdevs.get(uuid) == Some(&mdev.matrix))
    }

    /// The queues of all mdevs that are to be there.
    #[must_use]
    pub fn assigned(&self) -> QueueSet {
        let mut all = QueueSet::new();
        for matrix in self.mdevs.values() {
            all.insert_product(&matrix.adapters, &matrix.domains);
        }
        all
    }
}
