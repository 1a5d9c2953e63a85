//! A desired state as its file says it, checked.

use ap_types::{AdapterMask, DomainMask, Matrix, Uuid};

use crate::machine::masks::MaskWish;

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredFile {
    /// What becomes of mdevs that are not listed.
    pub unlisted: Unlisted,
    /// How queues are given to vfio_ap; `None`: as the host does it.
    pub give: Option<Give>,
    /// apmask; `None`: as it is.
    pub apmask: Option<MaskWish<AdapterMask>>,
    /// aqmask; `None`: as it is.
    pub aqmask: Option<MaskWish<DomainMask>>,
    /// The mdevs, in the order of the file.
    pub mdevs: Vec<DesiredMdev>,
}

/// What becomes of mdevs that are not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlisted {
    /// They stay as they are.
    #[default]
    Keep,
    /// They are removed.
    Remove,
}

/// How a host gives queues to vfio_ap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Give {
    /// By apmask and aqmask.
    Masks,
    /// By each queue's `driver_override`.
    Override,
}

/// An mdev as somebody wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DesiredMdev {
    /// Its name.
    pub uuid: Uuid,
    /// What is to be assigned to it.
    pub matrix: Matrix,
    /// The file does not say which control domains it is to have: in a desired state those of its domains, in a machine
    /// file none.
    pub control_by_default: bool,
    /// Its definition in mdevctl; `None`: as it is.
    pub boot: Option<Boot>,
}

/// How mdevctl starts an mdev.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// At boot.
    Auto,
    /// When told to.
    Manual,
    /// It is not defined.
    None,
}
