//! The attribute tables: name, mode, show, store, per kind of directory. (Specification, pages 2, 3 and 5.)

mod bus;
mod card;
mod mdev;
mod queue;
mod synth;
mod zcrypt;

use ap_host::Sink;

use crate::control;
use crate::errno::Errno;
use crate::node::Dir;
use crate::tree::{Object, Root, Tree};

pub(crate) type Show = fn(&Tree, Dir, &Object, Root, &dyn Sink) -> Result<Vec<u8>, Errno>;
pub(crate) type Store = fn(&Tree, Dir, &Object, &[u8], Root, &dyn Sink) -> Result<(), Errno>;

/// An attribute.
pub(crate) struct Attribute {
    pub name: &'static str,
    pub mode: u16,
    /// Whether the directory has it now.
    pub present: fn(&Object) -> bool,
    pub show: Option<Show>,
    pub store: Option<Store>,
}

pub(crate) fn always(_: &Object) -> bool {
    true
}

/// A read-only attribute that is always there.
pub(crate) const fn ro(name: &'static str, show: Show) -> Attribute {
    Attribute { name, mode: 0o444, present: always, show: Some(show), store: None }
}

/// A readable and writable one.
pub(crate) const fn rw(name: &'static str, show: Show, store: Store) -> Attribute {
    Attribute { name, mode: 0o644, present: always, show: Some(show), store: Some(store) }
}

/// A write-only one.
pub(crate) const fn wo(name: &'static str, store: Store) -> Attribute {
    Attribute { name, mode: 0o200, present: always, show: None, store: Some(store) }
}

impl Attribute {
    /// The same, but only there if `present` says so.
    pub(crate) const fn when(self, present: fn(&Object) -> bool) -> Attribute {
        Attribute { name: self.name, mode: self.mode, present, show: self.show, store: self.store }
    }

    const fn mode(self, mode: u16) -> Attribute {
        Attribute { name: self.name, mode, present: self.present, show: self.show, store: self.store }
    }
}

/// A line of text.
pub(crate) fn line(text: impl std::fmt::Display) -> Result<Vec<u8>, Errno> {
    Ok(format!("{text}\n").into_bytes())
}

/// The attributes of a directory.
pub(crate) fn of(dir: Dir) -> &'static [Attribute] {
    match dir {
        Dir::BusAp => bus::AP,
        Dir::BusMatrix => bus::MATRIX,
        Dir::BusMdev => bus::MDEV,
        Dir::ApDriver(_) => bus::DRIVER,
        Dir::MdevDriver => bus::MDEV_DRIVER,
        Dir::MatrixDriver => bus::MATRIX_DRIVER,
        Dir::ApParameters => bus::PARAMETERS,
        Dir::DevicesAp | Dir::DevicesVfioAp | Dir::Z90crypt | Dir::VfioGroup(_) | Dir::MdevVfioDevice(_) => {
            synth::ONLY
        }
        Dir::ClassZcrypt => zcrypt::CLASS,
        Dir::ZcryptNode(_) => zcrypt::NODE,
        Dir::IommuGroup(_) => mdev::IOMMU_GROUP,
        Dir::Module(_) => synth::MODULE,
        Dir::Card(..) => card::CARD,
        Dir::Queue(..) => queue::QUEUE,
        Dir::Matrix => mdev::MATRIX_DEVICE,
        Dir::MatrixType => mdev::TYPE,
        Dir::Mdev(_) => mdev::MDEV,
        Dir::Control => control::FILES,
        _ => &[],
    }
}
