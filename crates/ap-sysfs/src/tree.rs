//! The tree over a host: what is where. (Specification, page 5, "Directories".)
//!
//! The tree is computed, not stored: a directory's entries are asked of the host each time.

mod contents;
mod links;

use std::sync::Arc;

use ap_host::device::{Card, CardState, QueueDevice, QueueState};
use ap_host::module::{Loaded, Module};
use ap_host::registry::DeviceRef;
use ap_host::vfio_ap::{Mdev, MdevPhase};
use ap_host::zcdn::ZcryptNode;
use ap_host::{Host, Machine, MdevId, Sink};
use ap_types::Uuid;
use locks::{Held, Nothing};

use crate::attributes::{self, Attribute};
use crate::control::Controls;
use crate::errno::Errno;
use crate::front::{Entry, Ino, Kind};
use crate::node::{Dir, Fixed, Listed, Node};

pub(crate) type Root<'a, 'b> = &'a mut Held<'b, Nothing>;

/// The tree of one host.
pub struct Tree {
    /// The host.
    pub host: Arc<Host>,
    /// The machine that it runs on, for the control files.
    pub machine: Arc<Machine>,
    /// What the control files show beside the host.
    pub controls: Controls,
}

/// The object of a directory, as it is now.
pub(crate) enum Object {
    /// A directory without one.
    None,
    Card(Arc<Card>, CardState),
    Queue(Arc<QueueDevice>, QueueState),
    Mdev(MdevView),
    ZcryptNode(ZcryptNode),
}

/// What attributes look at of an mdev.
#[derive(Clone, Copy)]
pub(crate) struct MdevView {
    pub id: MdevId,
    pub uuid: Uuid,
    pub phase: MdevPhase,
    pub iommu_group: u32,
    pub vfio_group: u32,
    pub vfio_device: u32,
}

impl MdevView {
    fn of(id: MdevId, mdev: &Mdev) -> MdevView {
        MdevView {
            id,
            uuid: mdev.uuid,
            phase: mdev.phase,
            iommu_group: mdev.iommu_group,
            vfio_group: mdev.vfio_group,
            vfio_device: mdev.vfio_device,
        }
    }
}

impl Tree {
    /// The tree of a host on a simulated machine.
    #[must_use]
    pub fn new(host: Arc<Host>, machine: Arc<Machine>) -> Self {
        Tree { host, machine, controls: Controls::default() }
    }

    fn loaded(&self, held: Root) -> Loaded {
        self.host.with_core(held, |core| core.loaded)
    }

    fn mdev(&self, id: MdevId, held: Root) -> Option<MdevView> {
        self.host.with_mdevs(held, |mdevs| mdevs.list.get(&id).map(|mdev| MdevView::of(id, mdev)))
    }

    fn mdevs(&self, held: Root, shown: fn(&MdevView) -> bool) -> Vec<MdevView> {
        self.host.with_mdevs(held, |mdevs| {
            mdevs.list.iter().map(|(id, mdev)| MdevView::of(*id, mdev)).filter(shown).collect()
        })
    }

    fn mdev_by_name(&self, name: &str, held: Root) -> Option<MdevView> {
        if name.len() != 36 || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let uuid = ap_types::grammar::uuid(name.as_bytes()).ok()?;
        self.host.with_mdevs(held, |mdevs| mdevs.find(&uuid).map(|(id, mdev)| MdevView::of(id, mdev)))
    }

    /// The object of a directory; `ENOENT` if it is gone.
    pub(crate) fn object(&self, dir: Dir, held: Root) -> Result<Object, Errno> {
        let here = |there: bool| if there { Ok(Object::None) } else { Err(Errno::ENOENT) };
        match dir {
            Dir::Card(id, generation) => {
                let card = self.host.card(id, held).filter(|card| card.generation == generation);
                let card = card.ok_or(Errno::ENOENT)?;
                let state = card.state.lock(held).0.clone();
                Ok(Object::Card(card, state))
            }
            Dir::Queue(apqn, generation) => {
                let queue = self.host.queue(apqn, held).filter(|queue| queue.generation == generation);
                let queue = queue.ok_or(Errno::ENOENT)?;
                let state = queue.state.lock(held).0.clone();
                Ok(Object::Queue(queue, state))
            }
            Dir::Mdev(id) => self.mdev(id, held).map(Object::Mdev).ok_or(Errno::ENOENT),
            Dir::MdevVfio(id) | Dir::MdevVfioDevice(id) => {
                self.mdev(id, held).filter(live).map(Object::Mdev).ok_or(Errno::ENOENT)
            }
            Dir::VfioGroup(id) | Dir::IommuGroup(id) | Dir::IommuGroupDevices(id) => {
                self.mdev(id, held).filter(grouped).map(Object::Mdev).ok_or(Errno::ENOENT)
            }
            Dir::BusAp | Dir::BusApDevices | Dir::BusApDrivers | Dir::DevicesAp => here(self.loaded(held).ap),
            Dir::ApDriver(driver) => here(self.host.with_core(held, |core| core.drivers.contains(&driver))),
            Dir::BusMatrix
            | Dir::BusMatrixDevices
            | Dir::BusMatrixDrivers
            | Dir::MatrixDriver
            | Dir::MdevDriver
            | Dir::DevicesVfioAp
            | Dir::Matrix
            | Dir::MatrixTypes
            | Dir::MatrixType
            | Dir::MatrixTypeDevices => here(self.loaded(held).vfio_ap),
            Dir::BusMdev | Dir::BusMdevDevices | Dir::BusMdevDrivers | Dir::ClassMdevBus => {
                here(self.loaded(held).mdev)
            }
            Dir::ClassZcrypt | Dir::Z90crypt | Dir::VirtualMisc | Dir::ClassMisc | Dir::VirtualZcrypt => {
                here(self.loaded(held).zcrypt)
            }
            Dir::ZcryptNode(id) => {
                let node = self.host.with_registry(held, |registry| registry.zcrypt_nodes.get(id).cloned());
                node.map(Object::ZcryptNode).ok_or(Errno::ENOENT)
            }
            Dir::Module(module) => here(self.loaded(held).has(module)),
            Dir::ApParameters => here(self.loaded(held).ap),
            Dir::Root
            | Dir::Bus
            | Dir::Devices
            | Dir::Virtual
            | Dir::VirtualVfio
            | Dir::Class
            | Dir::ClassVfio
            | Dir::ClassVfioDev
            | Dir::Kernel
            | Dir::IommuGroups
            | Dir::Debug
            | Dir::Control
            | Dir::Modules => Ok(Object::None),
        }
    }

    /// The entry of a name in a directory.
    ///
    /// # Errors
    /// `ENOENT`.
    pub fn lookup(&self, dir: Dir, name: &str, held: Root) -> Result<Entry, Errno> {
        let object = self.object(dir, held)?;
        for (known, sub) in Self::fixed_subdirectories(dir) {
            if *known == name {
                self.object(*sub, held)?;
                return Ok(directory(name, *sub));
            }
        }
        for (index, attribute) in attributes::of(dir).iter().enumerate() {
            if attribute.name == name {
                if !(attribute.present)(&object) {
                    return Err(Errno::ENOENT);
                }
                return Ok(file(dir, index, attribute));
            }
        }
        if let Some(fixed) = Fixed::ALL.into_iter().find(|fixed| fixed.name() == name) {
            return if self.has_fixed(dir, &object, fixed) {
                Ok(link(name, Node::Link(dir, fixed)))
            } else {
                Err(Errno::ENOENT)
            };
        }
        if let Some(sub) = self.find_subdirectory(dir, &object, name, held) {
            return Ok(directory(name, sub));
        }
        let listed = self.find_listed(dir, name, held).ok_or(Errno::ENOENT)?;
        Ok(link(name, Node::Listed(dir, listed)))
    }

    /// All entries of a directory, names ascending.
    ///
    /// # Errors
    /// `ENOENT` if it is gone.
    pub fn entries(&self, dir: Dir, held: Root) -> Result<Vec<Entry>, Errno> {
        let object = self.object(dir, held)?;
        let mut entries = Vec::new();
        for (name, sub) in Self::fixed_subdirectories(dir) {
            if self.object(*sub, held).is_ok() {
                entries.push(directory(name, *sub));
            }
        }
        for (index, attribute) in attributes::of(dir).iter().enumerate() {
            if (attribute.present)(&object) {
                entries.push(file(dir, index, attribute));
            }
        }
        for fixed in Fixed::ALL {
            if self.has_fixed(dir, &object, fixed) {
                entries.push(link(fixed.name(), Node::Link(dir, fixed)));
            }
        }
        for (name, sub) in self.device_subdirectories(dir, &object, held) {
            entries.push(directory(&name, sub));
        }
        for (name, listed) in self.listed(dir, held) {
            entries.push(link(&name, Node::Listed(dir, listed)));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// The entry of a node.
    ///
    /// # Errors
    /// `ENOENT` if it is gone.
    pub fn entry(&self, ino: Ino, held: Root) -> Result<Entry, Errno> {
        let node = Node::from_ino(ino).ok_or(Errno::ENOENT)?;
        match node {
            Node::Dir(dir) => {
                let object = self.object(dir, held)?;
                Ok(directory(&self.name(dir, &object), dir))
            }
            Node::Attribute(dir, index) => {
                let object = self.object(dir, held)?;
                let attribute = attributes::of(dir).get(usize::from(index)).ok_or(Errno::ENOENT)?;
                if !(attribute.present)(&object) {
                    return Err(Errno::ENOENT);
                }
                Ok(file(dir, usize::from(index), attribute))
            }
            Node::Link(dir, fixed) => {
                let object = self.object(dir, held)?;
                if !self.has_fixed(dir, &object, fixed) {
                    return Err(Errno::ENOENT);
                }
                Ok(link(fixed.name(), node))
            }
            Node::Listed(dir, listed) => {
                let found = self.listed(dir, held).into_iter().find(|(_, known)| *known == listed);
                found.map(|(name, _)| link(&name, node)).ok_or(Errno::ENOENT)
            }
        }
    }

    /// The directory that a node is in.
    ///
    /// # Errors
    /// `ENOENT` if it is gone.
    pub fn parent(&self, ino: Ino, held: Root) -> Result<Ino, Errno> {
        let node = Node::from_ino(ino).ok_or(Errno::ENOENT)?;
        let Node::Dir(dir) = node else { return Ok(Node::Dir(node.dir()).ino()) };
        Ok(Node::Dir(self.parent_dir(dir, held)).ino())
    }

    fn parent_dir(&self, dir: Dir, _held: Root) -> Dir {
        match dir {
            Dir::Card(..) => Dir::DevicesAp,
            Dir::Queue(apqn, _) => {
                let generation = self.host.card(apqn.adapter, _held).map_or(0, |card| card.generation);
                Dir::Card(apqn.adapter, generation)
            }
            Dir::Mdev(_) => Dir::Matrix,
            Dir::MdevVfio(id) => Dir::Mdev(id),
            Dir::MdevVfioDevice(id) => Dir::MdevVfio(id),
            Dir::ZcryptNode(_) => Dir::VirtualZcrypt,
            Dir::VfioGroup(_) => Dir::VirtualVfio,
            Dir::IommuGroup(_) => Dir::IommuGroups,
            Dir::IommuGroupDevices(id) => Dir::IommuGroup(id),
            Dir::Root => Dir::Root,
            other => {
                let fixed =
                    |parent: &Dir| Self::fixed_subdirectories(*parent).iter().any(|(_, d)| *d == other);
                HOLDERS.iter().copied().find(fixed).unwrap_or(Dir::Root)
            }
        }
    }

    fn name(&self, dir: Dir, object: &Object) -> String {
        match (dir, object) {
            (Dir::Card(id, _), _) => format!("card{id}"),
            (Dir::Queue(apqn, _), _) => apqn.to_string(),
            (Dir::Mdev(_), Object::Mdev(mdev)) => mdev.uuid.to_string(),
            (Dir::MdevVfio(_), _) => "vfio-dev".into(),
            (Dir::MdevVfioDevice(_), Object::Mdev(mdev)) => format!("vfio{}", mdev.vfio_device),
            (Dir::ZcryptNode(_), Object::ZcryptNode(node)) => node.name.clone(),
            (Dir::VfioGroup(_), Object::Mdev(mdev)) => mdev.vfio_group.to_string(),
            (Dir::IommuGroup(_), Object::Mdev(mdev)) => mdev.iommu_group.to_string(),
            (Dir::IommuGroupDevices(_), _) => "devices".into(),
            _ => {
                let found = HOLDERS
                    .iter()
                    .flat_map(|parent| Self::fixed_subdirectories(*parent))
                    .find(|(_, known)| *known == dir);
                found.map_or_else(String::new, |(name, _)| (*name).to_owned())
            }
        }
    }

    /// An attribute of a node, and its object. `ENODEV` if that is gone.
    fn attribute(&self, ino: Ino, held: Root) -> Result<(Dir, &'static Attribute, Object), Errno> {
        let Some(Node::Attribute(dir, index)) = Node::from_ino(ino) else { return Err(Errno::EISDIR) };
        let attribute = attributes::of(dir).get(usize::from(index)).ok_or(Errno::ENOENT)?;
        let object = self.object(dir, held).map_err(|_| Errno::ENODEV)?;
        if !(attribute.present)(&object) {
            return Err(Errno::ENODEV);
        }
        Ok((dir, attribute, object))
    }

    /// Runs an attribute's show.
    ///
    /// # Errors
    /// `ENODEV` if its object is gone, `EIO` if it can't be read, and what the attribute says.
    pub fn show(&self, ino: Ino, held: Root, out: &dyn Sink) -> Result<Vec<u8>, Errno> {
        let (dir, attribute, object) = self.attribute(ino, held)?;
        let show = attribute.show.ok_or(Errno::EIO)?;
        let mut text = show(self, dir, &object, held, out)?;
        if dir != Dir::Control {
            text.truncate(4096);
        }
        Ok(text)
    }

    /// Runs an attribute's store with the bytes of one write(2).
    ///
    /// # Errors
    /// `ENODEV` if its object is gone, `EIO` if it can't be written, and what the attribute says.
    pub fn store(&self, ino: Ino, data: &[u8], held: Root, out: &dyn Sink) -> Result<usize, Errno> {
        let data = &data[..data.len().min(4096)];
        if data.is_empty() {
            return Ok(0);
        }
        let (dir, attribute, object) = self.attribute(ino, held)?;
        let store = attribute.store.ok_or(Errno::EIO)?;
        store(self, dir, &object, data, held, out)?;
        Ok(data.len())
    }
}

/// Directories that hold others of fixed names.
const HOLDERS: &[Dir] = &[
    Dir::Root,
    Dir::Bus,
    Dir::BusAp,
    Dir::BusApDrivers,
    Dir::BusMatrix,
    Dir::BusMatrixDrivers,
    Dir::BusMdev,
    Dir::BusMdevDrivers,
    Dir::Devices,
    Dir::DevicesVfioAp,
    Dir::Matrix,
    Dir::MatrixTypes,
    Dir::MatrixType,
    Dir::Virtual,
    Dir::VirtualMisc,
    Dir::Class,
    Dir::Kernel,
    Dir::Debug,
    Dir::Modules,
    Dir::Module(Module::Ap),
];

fn live(mdev: &MdevView) -> bool {
    mdev.phase == MdevPhase::Live
}

/// It has its groups: until its removal has ended.
fn grouped(mdev: &MdevView) -> bool {
    mdev.phase != MdevPhase::Unbound
}

/// The device shows itself: not while its removal waits.
fn present(mdev: &MdevView) -> bool {
    mdev.phase.on_bus()
}

fn directory(name: &str, dir: Dir) -> Entry {
    Entry { name: name.to_owned(), ino: Node::Dir(dir).ino(), kind: Kind::Directory, mode: 0o755 }
}

fn file(dir: Dir, index: usize, attribute: &Attribute) -> Entry {
    Entry {
        name: attribute.name.to_owned(),
        ino: Node::Attribute(dir, index as u8).ino(),
        kind: Kind::File,
        mode: attribute.mode,
    }
}

fn link(name: &str, node: Node) -> Entry {
    Entry { name: name.to_owned(), ino: node.ino(), kind: Kind::Link, mode: 0o777 }
}

fn listed_device(device: &DeviceRef) -> (String, Listed) {
    match device {
        DeviceRef::Card(card) => (format!("card{}", card.id), Listed::Card(card.id, card.generation)),
        DeviceRef::Queue(queue) => (queue.apqn.to_string(), Listed::Queue(queue.apqn, queue.generation)),
    }
}
