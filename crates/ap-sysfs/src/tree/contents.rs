//! What a directory holds: directories, devices, links of fixed names. (Specification, page 5, "Directories".)

use ap_host::driver::{DeviceName, DriverId};
use ap_host::module::Module;

use super::{Object, Root, Tree, grouped, listed_device, live, present};
use crate::node::{Dir, Fixed, Listed};

impl Tree {
    /// The directories inside a directory that don't depend on devices.
    pub(super) fn fixed_subdirectories(dir: Dir) -> &'static [(&'static str, Dir)] {
        match dir {
            Dir::Root => &[
                ("bus", Dir::Bus),
                ("class", Dir::Class),
                ("devices", Dir::Devices),
                ("kernel", Dir::Kernel),
                ("module", Dir::Modules),
            ],
            Dir::Bus => &[("ap", Dir::BusAp), ("matrix", Dir::BusMatrix), ("mdev", Dir::BusMdev)],
            Dir::BusAp => &[("devices", Dir::BusApDevices), ("drivers", Dir::BusApDrivers)],
            Dir::BusApDrivers => &[
                ("cex4card", Dir::ApDriver(DriverId::Cex4Card)),
                ("cex4queue", Dir::ApDriver(DriverId::Cex4Queue)),
                ("vfio_ap", Dir::ApDriver(DriverId::VfioAp)),
            ],
            Dir::BusMatrix => &[("devices", Dir::BusMatrixDevices), ("drivers", Dir::BusMatrixDrivers)],
            Dir::BusMatrixDrivers => &[("vfio_ap", Dir::MatrixDriver)],
            Dir::BusMdev => &[("devices", Dir::BusMdevDevices), ("drivers", Dir::BusMdevDrivers)],
            Dir::BusMdevDrivers => &[("vfio_ap_mdev", Dir::MdevDriver)],
            Dir::Devices => {
                &[("ap", Dir::DevicesAp), ("vfio_ap", Dir::DevicesVfioAp), ("virtual", Dir::Virtual)]
            }
            Dir::DevicesVfioAp => &[("matrix", Dir::Matrix)],
            Dir::Matrix => &[("mdev_supported_types", Dir::MatrixTypes)],
            Dir::MatrixTypes => &[("vfio_ap-passthrough", Dir::MatrixType)],
            Dir::MatrixType => &[("devices", Dir::MatrixTypeDevices)],
            Dir::Virtual => {
                &[("misc", Dir::VirtualMisc), ("vfio", Dir::VirtualVfio), ("zcrypt", Dir::VirtualZcrypt)]
            }
            Dir::VirtualMisc => &[("z90crypt", Dir::Z90crypt)],
            Dir::Class => &[
                ("mdev_bus", Dir::ClassMdevBus),
                ("misc", Dir::ClassMisc),
                ("vfio", Dir::ClassVfio),
                ("vfio-dev", Dir::ClassVfioDev),
                ("zcrypt", Dir::ClassZcrypt),
            ],
            Dir::Kernel => &[("debug", Dir::Debug), ("iommu_groups", Dir::IommuGroups)],
            Dir::Debug => &[("apmatrix", Dir::Control)],
            Dir::Modules => &[
                ("ap", Dir::Module(Module::Ap)),
                ("mdev", Dir::Module(Module::Mdev)),
                ("vfio_ap", Dir::Module(Module::VfioAp)),
                ("zcrypt", Dir::Module(Module::Zcrypt)),
                ("zcrypt_cex4", Dir::Module(Module::ZcryptCex4)),
            ],
            Dir::Module(Module::Ap) => &[("parameters", Dir::ApParameters)],
            _ => &[],
        }
    }

    /// The directories inside a directory that belong to devices.
    pub(super) fn device_subdirectories(&self, dir: Dir, object: &Object, held: Root) -> Vec<(String, Dir)> {
        match (dir, object) {
            (Dir::DevicesAp, _) => self.host.with_registry(held, |registry| {
                let cards = registry.cards.values();
                cards.map(|card| (format!("card{}", card.id), Dir::Card(card.id, card.generation))).collect()
            }),
            (Dir::Card(id, _), _) => self.host.with_registry(held, |registry| {
                let queues = registry.queues_of(id);
                queues.map(|q| (q.apqn.to_string(), Dir::Queue(q.apqn, q.generation))).collect()
            }),
            (Dir::Matrix, _) => {
                let mdevs = self.mdevs(held, |_| true);
                mdevs.into_iter().map(|mdev| (mdev.uuid.to_string(), Dir::Mdev(mdev.id))).collect()
            }
            (Dir::Mdev(id), Object::Mdev(mdev)) if live(mdev) => vec![("vfio-dev".into(), Dir::MdevVfio(id))],
            (Dir::MdevVfio(id), Object::Mdev(mdev)) => {
                vec![(format!("vfio{}", mdev.vfio_device), Dir::MdevVfioDevice(id))]
            }
            (Dir::IommuGroups, _) => {
                let mdevs = self.mdevs(held, grouped);
                mdevs.into_iter().map(|m| (m.iommu_group.to_string(), Dir::IommuGroup(m.id))).collect()
            }
            (Dir::IommuGroup(id), _) => vec![("devices".into(), Dir::IommuGroupDevices(id))],
            (Dir::VirtualVfio, _) => {
                let mdevs = self.mdevs(held, grouped);
                mdevs.into_iter().map(|m| (m.vfio_group.to_string(), Dir::VfioGroup(m.id))).collect()
            }
            (Dir::VirtualZcrypt, _) => self.host.with_registry(held, |registry| {
                let nodes = registry.zcrypt_nodes.list.iter();
                nodes.map(|node| (node.name.clone(), Dir::ZcryptNode(node.id))).collect()
            }),
            _ => Vec::new(),
        }
    }

    /// The devices that a directory lists as links, by name.
    pub(super) fn listed(&self, dir: Dir, held: Root) -> Vec<(String, Listed)> {
        match dir {
            Dir::BusApDevices => self.host.devices_in_order(held).iter().map(listed_device).collect(),
            Dir::ApDriver(driver) => {
                let devices = self.host.devices_in_order(held);
                devices.iter().filter(|d| d.binding(held).0 == Some(driver)).map(listed_device).collect()
            }
            Dir::BusMdevDevices | Dir::MatrixTypeDevices | Dir::MdevDriver => {
                let shown = if dir == Dir::MdevDriver { live } else { present };
                let mdevs = self.mdevs(held, shown);
                mdevs.into_iter().map(|mdev| (mdev.uuid.to_string(), Listed::Mdev(mdev.id))).collect()
            }
            Dir::IommuGroupDevices(id) => {
                let mdev = self.mdev(id, held).filter(grouped);
                mdev.into_iter().map(|mdev| (mdev.uuid.to_string(), Listed::Mdev(id))).collect()
            }
            Dir::ClassVfioDev => {
                let mdevs = self.mdevs(held, live);
                mdevs.into_iter().map(|m| (format!("vfio{}", m.vfio_device), Listed::Mdev(m.id))).collect()
            }
            Dir::ClassVfio => {
                let mdevs = self.mdevs(held, grouped);
                mdevs.into_iter().map(|m| (m.vfio_group.to_string(), Listed::Mdev(m.id))).collect()
            }
            Dir::BusMatrixDevices | Dir::MatrixDriver => vec![("matrix".into(), Listed::Matrix)],
            Dir::ClassMdevBus if self.loaded(held).vfio_ap => vec![("matrix".into(), Listed::Matrix)],
            Dir::ClassMisc => vec![("z90crypt".into(), Listed::Z90crypt)],
            Dir::ClassZcrypt => self.host.with_registry(held, |registry| {
                let nodes = registry.zcrypt_nodes.list.iter();
                nodes.map(|node| (node.name.clone(), Listed::ZcryptNode(node.id))).collect()
            }),
            _ => Vec::new(),
        }
    }

    /// One device that a directory lists, without listing all.
    pub(super) fn find_listed(&self, dir: Dir, name: &str, held: Root) -> Option<Listed> {
        match dir {
            Dir::BusApDevices | Dir::ApDriver(_) => {
                let device = self.host.find(DeviceName::parse(name)?, held)?;
                let shown = match dir {
                    Dir::ApDriver(driver) => device.binding(held).0 == Some(driver),
                    _ => true,
                };
                shown.then(|| listed_device(&device).1)
            }
            Dir::BusMdevDevices | Dir::MatrixTypeDevices | Dir::MdevDriver => {
                let shown = if dir == Dir::MdevDriver { live } else { present };
                self.mdev_by_name(name, held).filter(shown).map(|mdev| Listed::Mdev(mdev.id))
            }
            _ => {
                self.listed(dir, held).into_iter().find(|(known, _)| known == name).map(|(_, device)| device)
            }
        }
    }

    /// One directory of a device, without listing all.
    pub(super) fn find_subdirectory(&self, dir: Dir, object: &Object, name: &str, held: Root) -> Option<Dir> {
        match (dir, DeviceName::parse(name)) {
            (Dir::DevicesAp, Some(DeviceName::Card(id))) => {
                self.host.card(id, held).map(|card| Dir::Card(id, card.generation))
            }
            (Dir::Card(id, _), Some(DeviceName::Queue(apqn))) if apqn.adapter == id => {
                self.host.queue(apqn, held).map(|queue| Dir::Queue(apqn, queue.generation))
            }
            (Dir::DevicesAp | Dir::Card(..), _) => None,
            (Dir::Matrix, _) => self.mdev_by_name(name, held).map(|mdev| Dir::Mdev(mdev.id)),
            _ => {
                let all = self.device_subdirectories(dir, object, held);
                all.into_iter().find(|(known, _)| known == name).map(|(_, dir)| dir)
            }
        }
    }

    /// Whether a directory has a link of a fixed name now.
    pub(super) fn has_fixed(&self, dir: Dir, object: &Object, fixed: Fixed) -> bool {
        match (dir, fixed) {
            (
                Dir::Card(..) | Dir::Queue(..) | Dir::Z90crypt | Dir::VfioGroup(_) | Dir::ZcryptNode(_),
                Fixed::Subsystem,
            )
            | (Dir::Matrix, Fixed::Subsystem | Fixed::Driver)
            | (Dir::MdevVfioDevice(_), Fixed::Subsystem | Fixed::Device)
            | (Dir::ApDriver(_) | Dir::MdevDriver | Dir::DevicesAp | Dir::DevicesVfioAp, Fixed::Module) => {
                true
            }
            (Dir::Card(..), Fixed::Driver) => {
                matches!(object, Object::Card(_, state) if state.driver.is_some())
            }
            (Dir::Queue(..), Fixed::Driver) => {
                matches!(object, Object::Queue(_, state) if state.driver.is_some())
            }
            (Dir::Mdev(_), fixed) => match (object, fixed) {
                (Object::Mdev(mdev), Fixed::Driver) => live(mdev),
                (Object::Mdev(mdev), Fixed::IommuGroup) => grouped(mdev),
                (Object::Mdev(mdev), Fixed::Subsystem | Fixed::MdevType) => present(mdev),
                _ => false,
            },
            _ => false,
        }
    }
}
