//! The nodes of the tree and the numbers that encode them.
//!
//! A number holds the kind of directory, the object that it belongs to with its generation, and the place in the
//! directory: nothing is stored, and no number is used again for another object.

use ap_host::MdevId;
use ap_host::driver::DriverId;
use ap_host::module::Module;
use ap_types::{AdapterId, Apqn};

use crate::front::{Ino, ROOT};

/// A directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dir {
    /// `/sys`, and the directories that only hold others.
    Root,
    /// `bus`.
    Bus,
    /// `bus/ap`.
    BusAp,
    /// `bus/ap/devices`.
    BusApDevices,
    /// `bus/ap/drivers`.
    BusApDrivers,
    /// `bus/ap/drivers/NAME`.
    ApDriver(DriverId),
    /// `bus/matrix`.
    BusMatrix,
    /// `bus/matrix/devices`.
    BusMatrixDevices,
    /// `bus/matrix/drivers`.
    BusMatrixDrivers,
    /// `bus/matrix/drivers/vfio_ap`.
    MatrixDriver,
    /// `bus/mdev`.
    BusMdev,
    /// `bus/mdev/devices`.
    BusMdevDevices,
    /// `bus/mdev/drivers`.
    BusMdevDrivers,
    /// `bus/mdev/drivers/vfio_ap_mdev`.
    MdevDriver,
    /// `devices`.
    Devices,
    /// `devices/ap`.
    DevicesAp,
    /// `devices/ap/cardAA`.
    Card(AdapterId, u32),
    /// `devices/ap/cardAA/AA.DDDD`.
    Queue(Apqn, u32),
    /// `devices/vfio_ap`.
    DevicesVfioAp,
    /// `devices/vfio_ap/matrix`.
    Matrix,
    /// `…/mdev_supported_types`.
    MatrixTypes,
    /// `…/mdev_supported_types/vfio_ap-passthrough`.
    MatrixType,
    /// `…/vfio_ap-passthrough/devices`.
    MatrixTypeDevices,
    /// `devices/vfio_ap/matrix/UUID`.
    Mdev(MdevId),
    /// `…/UUID/vfio-dev`.
    MdevVfio(MdevId),
    /// `…/UUID/vfio-dev/vfioN`.
    MdevVfioDevice(MdevId),
    /// `devices/virtual`.
    Virtual,
    /// `devices/virtual/misc`.
    VirtualMisc,
    /// `devices/virtual/misc/z90crypt`.
    Z90crypt,
    /// `devices/virtual/zcrypt`.
    VirtualZcrypt,
    /// `devices/virtual/zcrypt/NAME`.
    ZcryptNode(u32),
    /// `devices/virtual/vfio`.
    VirtualVfio,
    /// `devices/virtual/vfio/N`.
    VfioGroup(MdevId),
    /// `class`.
    Class,
    /// `class/mdev_bus`.
    ClassMdevBus,
    /// `class/vfio`.
    ClassVfio,
    /// `class/vfio-dev`.
    ClassVfioDev,
    /// `class/zcrypt`.
    ClassZcrypt,
    /// `class/misc`.
    ClassMisc,
    /// `kernel`.
    Kernel,
    /// `kernel/iommu_groups`.
    IommuGroups,
    /// `kernel/iommu_groups/N`.
    IommuGroup(MdevId),
    /// `kernel/iommu_groups/N/devices`.
    IommuGroupDevices(MdevId),
    /// `kernel/debug`.
    Debug,
    /// `kernel/debug/apmatrix`: the control files.
    Control,
    /// `module`.
    Modules,
    /// `module/NAME`.
    Module(Module),
    /// `module/ap/parameters`.
    ApParameters,
}

/// A node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A directory.
    Dir(Dir),
    /// The attribute of that place in its directory's table.
    Attribute(Dir, u8),
    /// The link of that fixed name in a directory.
    Link(Dir, Fixed),
    /// The link to a device in a directory that lists devices.
    Listed(Dir, Listed),
}

/// Links that every directory of a kind has under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fixed {
    /// `subsystem`.
    Subsystem,
    /// `driver`.
    Driver,
    /// `module`.
    Module,
    /// `device`.
    Device,
    /// `iommu_group`.
    IommuGroup,
    /// `mdev_type`.
    MdevType,
}

impl Fixed {
    pub(crate) const ALL: [Fixed; 6] =
        [Fixed::Subsystem, Fixed::Driver, Fixed::Module, Fixed::Device, Fixed::IommuGroup, Fixed::MdevType];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fixed::Subsystem => "subsystem",
            Fixed::Driver => "driver",
            Fixed::Module => "module",
            Fixed::Device => "device",
            Fixed::IommuGroup => "iommu_group",
            Fixed::MdevType => "mdev_type",
        }
    }
}

/// A device that a directory lists as a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Listed {
    /// A card.
    Card(AdapterId, u32),
    /// A queue.
    Queue(Apqn, u32),
    /// An mdev.
    Mdev(MdevId),
    /// The matrix device.
    Matrix,
    /// The zcrypt node.
    Z90crypt,
    /// An additional zcrypt node.
    ZcryptNode(u32),
}

/// How the bits of a number are used: 8 of them say what kind of directory, 16 which place in it, 40 which object.
mod bits {
    pub(super) const OBJECT: u32 = 40;
    pub(super) const KIND: u32 = 56;
    pub(super) const GENERATION: u64 = 0xff_ffff;
}

impl Dir {
    /// The plain directories, by number.
    const PLAIN: [Dir; 41] = [
        Dir::Root,
        Dir::Bus,
        Dir::BusAp,
        Dir::BusApDevices,
        Dir::BusApDrivers,
        Dir::ApDriver(DriverId::Cex4Card),
        Dir::ApDriver(DriverId::Cex4Queue),
        Dir::ApDriver(DriverId::VfioAp),
        Dir::BusMatrix,
        Dir::BusMatrixDevices,
        Dir::BusMatrixDrivers,
        Dir::MatrixDriver,
        Dir::BusMdev,
        Dir::BusMdevDevices,
        Dir::BusMdevDrivers,
        Dir::MdevDriver,
        Dir::Devices,
        Dir::DevicesAp,
        Dir::DevicesVfioAp,
        Dir::Matrix,
        Dir::MatrixTypes,
        Dir::MatrixType,
        Dir::MatrixTypeDevices,
        Dir::Virtual,
        Dir::VirtualMisc,
        Dir::Z90crypt,
        Dir::VirtualVfio,
        Dir::Class,
        Dir::ClassMdevBus,
        Dir::ClassVfio,
        Dir::ClassVfioDev,
        Dir::ClassZcrypt,
        Dir::ClassMisc,
        Dir::Kernel,
        Dir::IommuGroups,
        Dir::Debug,
        Dir::Control,
        Dir::Modules,
        Dir::Module(Module::Ap),
        Dir::ApParameters,
        Dir::VirtualZcrypt,
    ];
    const MODULES: [Module; 4] = [Module::Zcrypt, Module::ZcryptCex4, Module::Mdev, Module::VfioAp];

    fn code(self) -> (u64, u64) {
        let device = |id: u64, generation: u32| id | (u64::from(generation) & bits::GENERATION) << 16;
        match self {
            Dir::Card(id, generation) => (50, device(u64::from(id.0), generation)),
            Dir::Queue(apqn, generation) => (51, device(u64::from(apqn.to_u16()), generation)),
            Dir::Mdev(id) => (52, u64::from(id.0)),
            Dir::MdevVfio(id) => (53, u64::from(id.0)),
            Dir::MdevVfioDevice(id) => (54, u64::from(id.0)),
            Dir::VfioGroup(id) => (55, u64::from(id.0)),
            Dir::IommuGroup(id) => (56, u64::from(id.0)),
            Dir::IommuGroupDevices(id) => (57, u64::from(id.0)),
            Dir::Module(module) if module != Module::Ap => {
                (58, Self::MODULES.iter().position(|m| *m == module).unwrap_or(0) as u64)
            }
            Dir::ZcryptNode(id) => (59, u64::from(id)),
            plain => (Self::PLAIN.iter().position(|dir| *dir == plain).unwrap_or(0) as u64, 0),
        }
    }

    fn decode(kind: u64, object: u64) -> Option<Dir> {
        let generation = (object >> 16 & bits::GENERATION) as u32;
        let mdev = || MdevId(object as u32);
        Some(match kind {
            50 => Dir::Card(AdapterId(object as u8), generation),
            51 => Dir::Queue(Apqn::from_u16(object as u16), generation),
            52 => Dir::Mdev(mdev()),
            53 => Dir::MdevVfio(mdev()),
            54 => Dir::MdevVfioDevice(mdev()),
            55 => Dir::VfioGroup(mdev()),
            56 => Dir::IommuGroup(mdev()),
            57 => Dir::IommuGroupDevices(mdev()),
            58 => Dir::Module(*Self::MODULES.get(object as usize)?),
            59 => Dir::ZcryptNode(object as u32),
            kind => *Self::PLAIN.get(kind as usize)?,
        })
    }
}

/// Places from here on are fixed links, then listed devices.
const FIXED_PLACE: u64 = 0x100;
const LISTED_PLACE: u64 = 0x200;

impl Node {
    /// The node's number.
    #[must_use]
    pub fn ino(self) -> Ino {
        let (dir, place, object) = match self {
            Node::Dir(Dir::Root) => return ROOT,
            Node::Dir(dir) => (dir, 0, None),
            Node::Attribute(dir, index) => (dir, 1 + u64::from(index), None),
            Node::Link(dir, fixed) => (dir, FIXED_PLACE + fixed as u64, None),
            Node::Listed(dir, listed) => {
                let (kind, object) = match listed {
                    Listed::Card(id, generation) => (0, Dir::Card(id, generation).code().1),
                    Listed::Queue(apqn, generation) => (1, Dir::Queue(apqn, generation).code().1),
                    Listed::Mdev(id) => (2, u64::from(id.0)),
                    Listed::Matrix => (3, 0),
                    Listed::Z90crypt => (4, 0),
                    Listed::ZcryptNode(id) => (5, u64::from(id)),
                };
                (dir, LISTED_PLACE + kind, Some(object))
            }
        };
        let (kind, own) = dir.code();
        // The one directory of its own object that lists a device lists that very object.
        let object = object.unwrap_or(own);
        Ino(kind << bits::KIND | place << bits::OBJECT | object)
    }

    /// The node of that number, whether or not its object still lives.
    #[must_use]
    pub fn from_ino(ino: Ino) -> Option<Node> {
        if ino == ROOT {
            return Some(Node::Dir(Dir::Root));
        }
        let kind = ino.0 >> bits::KIND;
        let place = ino.0 >> bits::OBJECT & 0xffff;
        let object = ino.0 & ((1 << bits::OBJECT) - 1);
        let dir = Dir::decode(kind, object)?;
        Some(match place {
            0 => Node::Dir(dir),
            1..FIXED_PLACE => Node::Attribute(dir, (place - 1) as u8),
            FIXED_PLACE..LISTED_PLACE => Node::Link(dir, *Fixed::ALL.get((place - FIXED_PLACE) as usize)?),
            _ => {
                let generation = (object >> 16 & bits::GENERATION) as u32;
                let listed = match place - LISTED_PLACE {
                    0 => Listed::Card(AdapterId(object as u8), generation),
                    1 => Listed::Queue(Apqn::from_u16(object as u16), generation),
                    2 => Listed::Mdev(MdevId(object as u32)),
                    3 => Listed::Matrix,
                    4 => Listed::Z90crypt,
                    5 => Listed::ZcryptNode(object as u32),
                    _ => return None,
                };
                Node::Listed(dir, listed)
            }
        })
    }

    /// The directory that it is in.
    #[must_use]
    pub fn dir(self) -> Dir {
        match self {
            Node::Dir(dir) | Node::Attribute(dir, _) | Node::Link(dir, _) | Node::Listed(dir, _) => dir,
        }
    }
}
