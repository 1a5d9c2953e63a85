//! Where the links of the tree lead, relative, as in sysfs. (Specification, page 5, "Directories".)

use ap_host::driver::DriverId;

use super::{Object, Root, Tree};
use crate::errno::Errno;
use crate::front::Ino;
use crate::node::{Dir, Fixed, Listed, Node};

impl Tree {
    /// Where a link leads, relative, as in sysfs.
    ///
    /// # Errors
    /// `EINVAL` if it is no link, `ENOENT` if it is gone.
    pub fn readlink(&self, ino: Ino, held: Root) -> Result<String, Errno> {
        let node = Node::from_ino(ino).ok_or(Errno::ENOENT)?;
        match node {
            Node::Link(dir, fixed) => self.fixed_target(dir, fixed, held),
            Node::Listed(dir, listed) => self.listed_target(dir, listed, held),
            _ => Err(Errno::EINVAL),
        }
    }

    fn fixed_target(&self, dir: Dir, fixed: Fixed, held: Root) -> Result<String, Errno> {
        let object = self.object(dir, held)?;
        if !self.has_fixed(dir, &object, fixed) {
            return Err(Errno::ENOENT);
        }
        let target: String = match (dir, &object, fixed) {
            (Dir::Card(..), _, Fixed::Subsystem) => "../../../bus/ap".into(),
            (Dir::Queue(..), _, Fixed::Subsystem) => "../../../../bus/ap".into(),
            (Dir::Card(..), Object::Card(_, state), Fixed::Driver) => {
                format!("../../../bus/ap/drivers/{}", state.driver.map_or("", DriverId::name))
            }
            (Dir::Queue(..), Object::Queue(_, state), Fixed::Driver) => {
                format!("../../../../bus/ap/drivers/{}", state.driver.map_or("", DriverId::name))
            }
            (Dir::Matrix, _, Fixed::Subsystem) => "../../../bus/matrix".into(),
            (Dir::Matrix, _, _) => "../../../bus/matrix/drivers/vfio_ap".into(),
            (Dir::Mdev(_), _, Fixed::Subsystem) => "../../../../bus/mdev".into(),
            (Dir::Mdev(_), _, Fixed::Driver) => "../../../../bus/mdev/drivers/vfio_ap_mdev".into(),
            (Dir::Mdev(_), _, Fixed::MdevType) => "../mdev_supported_types/vfio_ap-passthrough".into(),
            (Dir::Mdev(_), Object::Mdev(mdev), Fixed::IommuGroup) => {
                format!("../../../../kernel/iommu_groups/{}", mdev.iommu_group)
            }
            (Dir::MdevVfioDevice(_), Object::Mdev(mdev), Fixed::Device) => format!("../../../{}", mdev.uuid),
            (Dir::MdevVfioDevice(_), _, _) => "../../../../../../class/vfio-dev".into(),
            (Dir::Z90crypt, ..) => "../../../../class/misc".into(),
            (Dir::ZcryptNode(_), ..) => "../../../../class/zcrypt".into(),
            (Dir::VfioGroup(_), ..) => "../../../../class/vfio".into(),
            (Dir::ApDriver(driver), ..) => format!("../../../../module/{}", driver.module()),
            (Dir::MdevDriver, ..) => "../../../../module/vfio_ap".into(),
            (Dir::DevicesAp, ..) => "../../module/ap".into(),
            (Dir::DevicesVfioAp, ..) => "../../module/vfio_ap".into(),
            _ => return Err(Errno::ENOENT),
        };
        Ok(target)
    }

    fn listed_target(&self, dir: Dir, listed: Listed, held: Root) -> Result<String, Errno> {
        let path = match listed {
            Listed::Card(id, generation) => {
                self.object(Dir::Card(id, generation), held)?;
                format!("devices/ap/card{id}")
            }
            Listed::Queue(apqn, generation) => {
                self.object(Dir::Queue(apqn, generation), held)?;
                format!("devices/ap/card{}/{apqn}", apqn.adapter)
            }
            Listed::Mdev(id) => {
                let mdev = self.mdev(id, held).ok_or(Errno::ENOENT)?;
                match dir {
                    Dir::MatrixTypeDevices => return Ok(format!("../../../{}", mdev.uuid)),
                    Dir::ClassVfioDev => {
                        format!("devices/vfio_ap/matrix/{}/vfio-dev/vfio{}", mdev.uuid, mdev.vfio_device)
                    }
                    Dir::ClassVfio => format!("devices/virtual/vfio/{}", mdev.vfio_group),
                    _ => format!("devices/vfio_ap/matrix/{}", mdev.uuid),
                }
            }
            Listed::Matrix => {
                self.object(Dir::Matrix, held)?;
                "devices/vfio_ap/matrix".into()
            }
            Listed::Z90crypt => "devices/virtual/misc/z90crypt".into(),
            Listed::ZcryptNode(id) => {
                let object = self.object(Dir::ZcryptNode(id), held)?;
                format!("devices/virtual/zcrypt/{}", self.name(Dir::ZcryptNode(id), &object))
            }
        };
        let up = match dir {
            Dir::ClassMdevBus | Dir::ClassMisc | Dir::ClassVfio | Dir::ClassVfioDev | Dir::ClassZcrypt => 2,
            Dir::BusApDevices | Dir::BusMatrixDevices | Dir::BusMdevDevices => 3,
            _ => 4,
        };
        Ok("../".repeat(up) + &path)
    }
}
