//! Which names come and go with an event, for front ends that cache names.

use ap_host::driver::DriverId;
use ap_host::event::{Action, Event, Subject};
use ap_host::module::Module;

use crate::attributes;
use crate::front::Change;
use crate::node::{Dir, Fixed, Listed, Node};

/// Appends the changes that go with an event.
pub(crate) fn changes_of(event: &Event, changes: &mut Vec<Change>) {
    let Event::Uevent(uevent) = event else { return };
    let mut list = List { changes, action: uevent.action };
    match &uevent.subject {
        Subject::Bus("ap") => {
            list.directory(Dir::Bus, "ap", Dir::BusAp);
            list.directory(Dir::Devices, "ap", Dir::DevicesAp);
        }
        Subject::Bus("matrix") => {
            list.directory(Dir::Bus, "matrix", Dir::BusMatrix);
            list.directory(Dir::Devices, "vfio_ap", Dir::DevicesVfioAp);
            list.node(Dir::ClassMdevBus, "matrix", Node::Listed(Dir::ClassMdevBus, Listed::Matrix));
        }
        Subject::Bus(_) => {
            list.directory(Dir::Bus, "mdev", Dir::BusMdev);
            list.directory(Dir::Class, "mdev_bus", Dir::ClassMdevBus);
        }
        Subject::Module(name) => {
            if let Some(module) = Module::from_name(name) {
                list.directory(Dir::Modules, name, Dir::Module(module));
            }
        }
        Subject::Class(name) => list.directory(Dir::Class, name, Dir::ClassZcrypt),
        Subject::Z90crypt => {
            list.directory(Dir::Virtual, "misc", Dir::VirtualMisc);
            list.directory(Dir::Class, "misc", Dir::ClassMisc);
            list.directory(Dir::Virtual, "zcrypt", Dir::VirtualZcrypt);
        }
        Subject::ZcryptNode { id, name, .. } => {
            list.directory(Dir::VirtualZcrypt, name, Dir::ZcryptNode(*id));
            if matches!(uevent.action, Action::Add | Action::Remove) {
                let listed = Node::Listed(Dir::ClassZcrypt, Listed::ZcryptNode(*id));
                list.node(Dir::ClassZcrypt, name, listed);
            }
        }
        Subject::Driver { bus: "ap", name } => {
            if let Some(driver) = DriverId::from_name(name) {
                list.directory(Dir::BusApDrivers, name, Dir::ApDriver(driver));
            }
        }
        Subject::Driver { bus: "mdev", name } => list.directory(Dir::BusMdevDrivers, name, Dir::MdevDriver),
        Subject::Driver { name, .. } => list.directory(Dir::BusMatrixDrivers, name, Dir::MatrixDriver),
        Subject::Card { adapter, generation, .. } => {
            let name = format!("card{adapter}");
            let (dir, listed) = (Dir::Card(*adapter, *generation), Listed::Card(*adapter, *generation));
            list.ap_device(&name, Dir::DevicesAp, dir, listed);
        }
        Subject::Queue { apqn, generation, card_generation, .. } => {
            let name = apqn.to_string();
            let (dir, listed) = (Dir::Queue(*apqn, *generation), Listed::Queue(*apqn, *generation));
            list.ap_device(&name, Dir::Card(apqn.adapter, *card_generation), dir, listed);
        }
        Subject::Mdev { id, uuid, .. } => {
            let name = uuid.to_string();
            match uevent.action {
                Action::Add | Action::Remove => {
                    list.directory(Dir::Matrix, &name, Dir::Mdev(*id));
                    list.listed_mdev(&name, *id);
                }
                Action::Bind | Action::Unbind => {
                    list.contents(Dir::Mdev(*id));
                    list.listed_mdev(&name, *id);
                }
                _ => {}
            }
        }
        Subject::VfioDevice { id, uuid, number } => {
            // A removal begins with this event: all but the group's link goes from the mdev's directory.
            list.contents(Dir::Mdev(*id));
            list.listed_mdev(&uuid.to_string(), *id);
            list.directory(Dir::Mdev(*id), "vfio-dev", Dir::MdevVfio(*id));
            let name = format!("vfio{number}");
            list.node(Dir::ClassVfioDev, &name, Node::Listed(Dir::ClassVfioDev, Listed::Mdev(*id)));
        }
        Subject::VfioGroup { id, number, iommu_group } => {
            list.directory(Dir::VirtualVfio, &number.to_string(), Dir::VfioGroup(*id));
            let name = number.to_string();
            list.node(Dir::ClassVfio, &name, Node::Listed(Dir::ClassVfio, Listed::Mdev(*id)));
            list.directory(Dir::IommuGroups, &iommu_group.to_string(), Dir::IommuGroup(*id));
            list.node(Dir::Mdev(*id), "iommu_group", Node::Link(Dir::Mdev(*id), Fixed::IommuGroup));
        }
        Subject::ApRoot | Subject::VfioRoot | Subject::Matrix { .. } => {}
    }
}

struct List<'a> {
    changes: &'a mut Vec<Change>,
    action: Action,
}

impl List<'_> {
    fn gone(&self) -> bool {
        matches!(self.action, Action::Remove | Action::Unbind)
    }

    fn push(&mut self, parent: Dir, name: &str, node: Node, directory: bool) {
        let parent = Node::Dir(parent).ino();
        let name = name.to_owned();
        self.changes.push(if self.gone() {
            Change::Gone { parent, name, ino: node.ino(), directory }
        } else {
            Change::Appeared { parent, name }
        });
    }

    fn directory(&mut self, parent: Dir, name: &str, dir: Dir) {
        if matches!(self.action, Action::Add | Action::Remove) {
            self.push(parent, name, Node::Dir(dir), true);
        }
    }

    fn node(&mut self, parent: Dir, name: &str, node: Node) {
        self.push(parent, name, node, false);
    }

    /// Everything in a device's directory that depends on its driver or phase.
    fn contents(&mut self, dir: Dir) {
        for (index, attribute) in attributes::of(dir).iter().enumerate() {
            self.push(dir, attribute.name, Node::Attribute(dir, index as u8), false);
        }
        for fixed in Fixed::ALL {
            self.push(dir, fixed.name(), Node::Link(dir, fixed), false);
        }
    }

    fn listed_mdev(&mut self, name: &str, id: ap_host::MdevId) {
        for dir in [Dir::BusMdevDevices, Dir::MatrixTypeDevices, Dir::MdevDriver] {
            self.push(dir, name, Node::Listed(dir, Listed::Mdev(id)), false);
        }
    }

    fn ap_device(&mut self, name: &str, parent: Dir, dir: Dir, listed: Listed) {
        match self.action {
            Action::Add | Action::Remove => {
                self.push(parent, name, Node::Dir(dir), true);
                self.push(Dir::BusApDevices, name, Node::Listed(Dir::BusApDevices, listed), false);
            }
            Action::Bind | Action::Unbind => {
                self.contents(dir);
                for driver in DriverId::ALL {
                    let holder = Dir::ApDriver(driver);
                    self.push(holder, name, Node::Listed(holder, listed), false);
                }
            }
            _ => {}
        }
    }
}
