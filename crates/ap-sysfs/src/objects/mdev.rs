//! Mediated devices, as attributes see them.

use ap_host::module::Module;
use ap_task::{MdevId, Subject};
use ap_types::Uuid;
use ap_vfio::{Groups, Mdev, Mdevs as Records};

use crate::node::Key;
use crate::object::{Members, Object, PutMember};
use crate::tree::{Root, Tree};

/// What is looked at of an mdev at one moment.
#[derive(Hash)]
pub(crate) struct MdevView {
    /// Its number.
    pub id: MdevId,
    /// Its name.
    pub uuid: Uuid,
    /// Where it is in its life, as far as that is seen.
    live: bool,
    unbound: bool,
    on_bus: bool,
    /// Its numbers.
    pub groups: Groups,
}

/// The key of an mdev.
pub(crate) fn key(id: MdevId) -> Key {
    Key(u64::from(id.0))
}

impl MdevView {
    fn of(id: MdevId, mdev: &Mdev) -> MdevView {
        let life = &mdev.life;
        let (live, unbound, on_bus) = (life.is_live(), life.is_unbound(), life.on_bus());
        MdevView { id, uuid: mdev.uuid, live, unbound, on_bus, groups: mdev.groups }
    }

    /// Whether it is usable: with its driver, and not being removed.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Whether it has its groups, which it keeps until its removal has ended.
    pub(crate) fn has_groups(&self) -> bool {
        !self.unbound
    }

    /// Whether the device shows itself on its bus, which it does not while its removal waits.
    pub(crate) fn is_on_bus(&self) -> bool {
        self.on_bus
    }

    /// The name of its own directory.
    pub(crate) fn name(&self) -> String {
        self.uuid.to_string()
    }

    /// The name of its IOMMU group's directory.
    pub(crate) fn iommu_group(&self) -> String {
        IOMMU_GROUP.text(self)
    }

    /// The name of its VFIO group's directory.
    pub(crate) fn vfio_group(&self) -> String {
        VFIO_GROUP.text(self)
    }

    /// The name of its VFIO device's directory.
    pub(crate) fn vfio_device(&self) -> String {
        VFIO_DEVICE.text(self)
    }

    /// What events about the mdev are about.
    pub(crate) fn subject(&self) -> Subject {
        Subject::Mdev { id: self.id, uuid: self.uuid, bound: self.is_live() }
    }

    /// What events about its VFIO device are about.
    pub(crate) fn vfio_device_subject(&self) -> Subject {
        Subject::VfioDevice { id: self.id, uuid: self.uuid, number: self.groups.vfio_device }
    }

    /// What events about its VFIO group are about.
    pub(crate) fn vfio_group_subject(&self) -> Subject {
        let Groups { vfio_group, iommu_group, .. } = self.groups;
        Subject::VfioGroup { id: self.id, number: vfio_group, iommu_group }
    }
}

/// The type of mdevs, as it is for one load of vfio_ap.
pub(crate) struct MatrixType {
    /// Which load.
    pub load: u32,
}

impl Object for MatrixType {
    /// Takes the lock of the modules' state for reading.
    fn find(tree: &Tree, _: Key, held: Root) -> Option<MatrixType> {
        Some(MatrixType { load: tree.host.core(held).loads_of(Module::VfioAp) })
    }

    fn holders(_: &Tree, _: Key, visit: &mut dyn FnMut(Key)) {
        visit(Key::NONE);
    }
}

impl Object for MdevView {
    /// Takes M.
    fn find(tree: &Tree, key: Key, held: Root) -> Option<MdevView> {
        let id = MdevId(u32::try_from(key.0).ok()?);
        tree.host.vfio.look(held, |mdevs| mdevs.list.get(&id).map(|mdev| MdevView::of(id, mdev)))
    }

    /// What is listed in a directory of an mdev is of that same mdev.
    fn holders(_: &Tree, listed: Key, visit: &mut dyn FnMut(Key)) {
        visit(listed);
    }
}

/// A number of an mdev, and what stands before it in a name.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    before: &'static str,
    of: fn(&Groups) -> u32,
}

/// The number of its IOMMU group.
pub(crate) const IOMMU_GROUP: Number = Number { before: "", of: |groups| groups.iommu_group };
/// The number of its VFIO group.
pub(crate) const VFIO_GROUP: Number = Number { before: "", of: |groups| groups.vfio_group };
/// The number of its VFIO device.
pub(crate) const VFIO_DEVICE: Number = Number { before: "vfio", of: |groups| groups.vfio_device };

impl Number {
    fn text(self, mdev: &MdevView) -> String {
        format!("{}{}", self.before, (self.of)(&mdev.groups))
    }

    /// The number that a name says, written as names are.
    fn parse(self, name: &str) -> Option<u32> {
        let digits = name.strip_prefix(self.before)?;
        let number: u32 = digits.parse().ok()?;
        (number.to_string() == digits).then_some(number)
    }
}

/// Mdevs, by their own names or by a number.
pub(crate) struct Mdevs {
    /// Which of them.
    pub shown: fn(&MdevView) -> bool,
    /// By which number; `None`: by their own names.
    pub by: Option<Number>,
}

impl Mdevs {
    /// All mdevs by their names.
    pub(crate) const ALL: Mdevs = Mdevs { shown: |_| true, by: None };
    /// Those that show themselves on their bus.
    pub(crate) const ON_BUS: Mdevs = Mdevs { shown: MdevView::is_on_bus, by: None };
    /// Those that their driver has.
    pub(crate) const BOUND: Mdevs = Mdevs { shown: MdevView::is_live, by: None };
    /// Those that have groups, by the number of their IOMMU group.
    pub(crate) const IOMMU_GROUPS: Mdevs = Mdevs { shown: MdevView::has_groups, by: Some(IOMMU_GROUP) };
    /// The same by the number of their VFIO group.
    pub(crate) const VFIO_GROUPS: Mdevs = Mdevs { shown: MdevView::has_groups, by: Some(VFIO_GROUP) };
    /// Those that have a VFIO device, by its number.
    pub(crate) const VFIO_DEVICES: Mdevs = Mdevs { shown: MdevView::is_live, by: Some(VFIO_DEVICE) };

    fn text(&self, mdev: &MdevView) -> String {
        self.by.map_or_else(|| mdev.name(), |number| number.text(mdev))
    }

    /// What a name asks for; `None` if it can be no name of one.
    fn wanted(&self, name: &str) -> Option<Wanted> {
        match self.by {
            Some(number) => number.parse(name).map(|wanted| Wanted::Number(number, wanted)),
            None if name.len() != 36 || name.bytes().any(|byte| byte.is_ascii_uppercase()) => None,
            None => ap_types::grammar::uuid(name.as_bytes()).ok().map(Wanted::Uuid),
        }
    }
}

/// What is looked for among mdevs.
enum Wanted {
    Uuid(Uuid),
    Number(Number, u32),
}

impl Wanted {
    /// The mdev, if it is one that is shown. By a number, the numbers of all mdevs are looked at: one that was unbound
    /// keeps what it had, though another one may have it by now.
    fn find(&self, mdevs: &Records, shown: fn(&MdevView) -> bool) -> Option<MdevView> {
        match self {
            Wanted::Uuid(uuid) => mdevs.find(uuid).map(|(id, mdev)| MdevView::of(id, mdev)).filter(shown),
            Wanted::Number(number, wanted) => {
                let same = mdevs.list.iter().filter(|(_, mdev)| (number.of)(&mdev.groups) == *wanted);
                same.map(|(id, mdev)| MdevView::of(*id, mdev)).find(shown)
            }
        }
    }
}

/// Takes M.
impl Members for Mdevs {
    fn all(&self, tree: &Tree, _: Key, held: Root, put: &mut PutMember) {
        tree.host.vfio.read(held, |mdevs| {
            let views = mdevs.list.iter().map(|(id, mdev)| MdevView::of(*id, mdev));
            views.filter(self.shown).for_each(|mdev| put(0, self.text(&mdev), key(mdev.id)));
        });
    }

    fn named(&self, tree: &Tree, _: Key, name: &str, held: Root) -> Option<(u8, Key)> {
        let wanted = self.wanted(name)?;
        tree.host
            .vfio
            .look(held, |mdevs| wanted.find(mdevs, self.shown).map(|mdev| mdev.id))
            .map(|id| (0, key(id)))
    }

    fn name(&self, tree: &Tree, _: Key, _: u8, key: Key, held: Root) -> Option<String> {
        MdevView::find(tree, key, held).filter(self.shown).map(|mdev| self.text(&mdev))
    }
}
