//! Two names for everything: the mail's and ours. (Page 4, "The story".)

use ap_types::Apqn;
use locks::Object;

/// What the mail calls a lock, and what we call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockName {
    /// Our letter.
    pub ours: &'static str,
    /// The mail's name.
    pub mail: &'static str,
    /// Which one, where there are several.
    pub which: Option<String>,
}

impl LockName {
    /// The mail's name and our letter: ``ap_perms_mutex (P)``.
    #[must_use]
    pub fn both(&self) -> String {
        let which = self.which.as_ref().map_or_else(String::new, |which| format!(" {which}"));
        if self.ours.is_empty() {
            return format!("{}{which}", self.mail);
        }
        format!("{}{which} ({})", self.mail, self.ours)
    }
}

/// Our letter and the mail's name for each level.
const LOCKS: &[(&str, &str, &str)] = &[
    ("Turn", "", "its turn"),
    ("Scan", "S", "ap_scan_bus_mutex"),
    ("Device", "D", "device_lock"),
    ("Perms", "P", "ap_perms_mutex"),
    ("Guests", "G", "guests_lock"),
    ("Kvm", "K", "kvm->lock"),
    ("Vcpu", "V", "vcpu->mutex"),
    ("Mdevs", "M", "matrix_dev->lock"),
    ("Devices", "L", "the driver's list"),
];

/// The names of a lock of the models.
#[must_use]
pub fn lock(object: &Object) -> Option<LockName> {
    let (level, ours, mail) = LOCKS.iter().find(|(level, ..)| *level == object.level)?;
    let which = match *level {
        "Device" => u16::try_from(object.key.id).ok().map(|id| Apqn::from_u16(id).to_string()),
        "Kvm" if object.key.id > 0 => Some(format!("of guest {}", object.key.id + 1)),
        _ => None,
    };
    Some(LockName { ours, mail, which })
}

/// What sentences call a lock of the models: the mail's name and our letter.
#[must_use]
pub fn called(object: &Object) -> Option<String> {
    lock(object).map(|lock| lock.both())
}

/// Our letter for a lock, by its level's name; the level's name if it has none.
#[must_use]
pub fn letter(level: &str) -> &str {
    match LOCKS.iter().find(|(known, ..)| *known == level) {
        Some((_, "", mail)) => mail,
        Some((_, ours, _)) => ours,
        None => level,
    }
}

/// The letters of locks, each with the mail's name, as far as `wanted` says: `M matrix_dev->lock`.
pub fn legend(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let locks = LOCKS.iter().filter(|(_, ours, _)| !ours.is_empty() && wanted(ours));
    locks.map(|(_, ours, mail)| format!("{ours} {mail}")).collect()
}

/// The mail's name and ours, for functions that have both.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("apmask_store", "mask write"),
    ("assign_adapter_store", "assign"),
    ("vfio_ap_mdev_resource_in_use", "in-use"),
    ("ap_apqn_in_matrix_owned_by_def_drv", "is it owned by the default driver?"),
    ("device_reprobe", "re-probe"),
    ("vfio_ap_mdev_remove_queue", "remove callback"),
];

/// Our name for a function of the mail's.
#[must_use]
pub fn ours(function: &str) -> Option<&'static str> {
    FUNCTIONS.iter().find(|(mail, _)| *mail == function).map(|(_, ours)| *ours)
}
