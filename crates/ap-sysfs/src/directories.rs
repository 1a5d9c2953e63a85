//! The table of directories: a row for each kind. (Specification, page 5, "Directories".)
//!
//! A row says what a kind of directory is called, where it is, when it is there, what it has, what its uevents are
//! about, and which events are about it. That is all there is to say: numbers, paths, entries, link targets and
//! changes follow. The words of rows are those of [`crate::row`]; attributes stand in [`crate::attributes`], a table
//! for each kind of directory, and where objects are found in [`crate::objects`].

use ap_bus::device::DriverInfo;
use ap_bus::zcdn::ZcryptNode;
use ap_host::module::Module;
use ap_host::module::Module::{Ap, Mdev, VfioAp, Zcrypt};
use ap_task::{DriverName, Flag, Subject};

use crate::attributes::{bus, card, device, driver, mdev, module, node, queue};
use crate::control;
use crate::directory::{Children, Directory};
use crate::front::Ino;
use crate::node::{Dir, Key, Node, RowId};
use crate::object::{Object, Plain};
use crate::objects;
use crate::objects::card::{CardView, Cards};
use crate::objects::character::CharacterDevices;
use crate::objects::device::{Bound, Devices};
use crate::objects::driver::Drivers;
use crate::objects::mdev::{MatrixType, MdevView, Mdevs};
use crate::objects::module::{Holders, ModuleView, Modules};
use crate::objects::node::{Nodes, SomeNode};
use crate::objects::queue::{QueueView, Queues};
use crate::path::DEEPEST;
use crate::row::Listing::{Each, One, Same};
use crate::row::Name::{ByKey, Fixed, Of};
use crate::row::{Concerned, Row, Target, dir, each, each_in, link, one, within};
use crate::tree::Tree;

/// Makes the table: each row is a static of its own, and has its place in the table as its number.
macro_rules! directories {
    ($($(#[doc = $path:literal])+ $name:ident: $object:ty = $row:expr;)+) => {
        /// The places of the rows.
        #[allow(clippy::upper_case_acronyms, non_camel_case_types, reason = "named as the rows")]
        enum Place { $($name),+ }

        $($(#[doc = $path])+ static $name: Row<$object> = $row.numbered(Place::$name as u8);)+

        /// How many rows there are.
        const COUNT: usize = [$(Place::$name as u8),+].len();

        /// All rows.
        static ROWS: [&dyn Directory; COUNT] = [$(&$name),+];

        /// Which of them have a word on events.
        static CONCERNED: [bool; COUNT] = [$($name.concerns.is_some()),+];

        /// Which of them list directories.
        static LISTERS: [bool; COUNT] = [$(!$name.lists.is_empty()),+];

        /// The kinds of their parents.
        static PARENTS: [RowId; COUNT] = [$($name.parent_id()),+];
    };
}

directories! {
    /// `/sys`
    ROOT: Plain = Row::root();
    /// `bus`
    BUS: Plain = dir("bus", &ROOT);
    /// `bus/ap`
    BUS_AP: Plain = dir("ap", &BUS)
        .while_loaded(Ap)
        .attributes(bus::AP)
        .uevent_only_written(|_| Subject::Bus("ap"));
    /// `bus/ap/devices`
    BUS_AP_DEVICES: Plain = dir("devices", &BUS_AP)
        .while_loaded(Ap)
        .lists(&[Each(&[&CARD, &QUEUE], &Devices)]);
    /// `bus/ap/drivers`
    BUS_AP_DRIVERS: Plain = dir("drivers", &BUS_AP).while_loaded(Ap);
    /// `bus/ap/drivers/NAME`
    AP_DRIVER: DriverInfo = each(ByKey(objects::driver::name), &BUS_AP_DRIVERS, &Drivers)
        .attributes(driver::AP)
        .uevent_only_written(|driver| Subject::Driver { bus: "ap", name: driver.name.0 })
        .links(&[link("module", |tree, driver| Some(Target::Other(&MODULE, tree.modules.key(driver.module)?)))])
        .lists(&[Each(&[&CARD, &QUEUE], &Bound)])
        .concerned(|tree, subject| match subject {
            Subject::Driver { bus: "ap", name } => own(tree.drivers.key(name)?, name.to_owned()),
            _ => None,
        });
    /// `bus/matrix`
    BUS_MATRIX: Plain = dir("matrix", &BUS)
        .while_loaded(VfioAp)
        .attributes(bus::MATRIX)
        .uevent_only_written(|_| Subject::Bus("matrix"));
    /// `bus/matrix/devices`
    BUS_MATRIX_DEVICES: Plain = dir("devices", &BUS_MATRIX).while_loaded(VfioAp).lists(&[One(&MATRIX)]);
    /// `bus/matrix/drivers`
    BUS_MATRIX_DRIVERS: Plain = dir("drivers", &BUS_MATRIX).while_loaded(VfioAp);
    /// `bus/matrix/drivers/vfio_ap`
    MATRIX_DRIVER: Plain = dir("vfio_ap", &BUS_MATRIX_DRIVERS)
        .while_loaded(VfioAp)
        .uevent_only_written(|_| Subject::Driver { bus: "matrix", name: "vfio_ap" })
        .lists(&[One(&MATRIX)]);
    /// `bus/mdev`
    BUS_MDEV: Plain = dir("mdev", &BUS)
        .while_loaded(Mdev)
        .attributes(bus::MDEV)
        .uevent_only_written(|_| Subject::Bus("mdev"));
    /// `bus/mdev/devices`
    BUS_MDEV_DEVICES: Plain = dir("devices", &BUS_MDEV)
        .while_loaded(Mdev)
        .lists(&[Each(&[&MDEV], &Mdevs::ON_BUS)]);
    /// `bus/mdev/drivers`
    BUS_MDEV_DRIVERS: Plain = dir("drivers", &BUS_MDEV).while_loaded(Mdev);
    /// `bus/mdev/drivers/vfio_ap_mdev`
    MDEV_DRIVER: Plain = dir("vfio_ap_mdev", &BUS_MDEV_DRIVERS)
        .while_loaded(VfioAp)
        .attributes(driver::MDEV)
        .uevent_only_written(|_| Subject::Driver { bus: "mdev", name: "vfio_ap_mdev" })
        .links(&[link("module", |tree, _| module_of(tree, VfioAp))])
        .lists(&[Each(&[&MDEV], &Mdevs::BOUND)]);

    /// `class`
    CLASS: Plain = dir("class", &ROOT);
    /// `class/mdev_bus`
    CLASS_MDEV_BUS: Plain = dir("mdev_bus", &CLASS).while_loaded(Mdev).lists(&[One(&MATRIX)]);
    /// `class/misc`
    CLASS_MISC: Plain = dir("misc", &CLASS).lists(&[One(&VFIO_CONTAINER), One(&Z90CRYPT)]);
    /// `class/vfio`
    CLASS_VFIO: Plain = dir("vfio", &CLASS).lists(&[Each(&[&VFIO_GROUP], &Mdevs::VFIO_GROUPS)]);
    /// `class/vfio-dev`
    CLASS_VFIO_DEV: Plain = dir("vfio-dev", &CLASS).lists(&[Each(&[&VFIO_DEVICE], &Mdevs::VFIO_DEVICES)]);
    /// `class/zcrypt`
    CLASS_ZCRYPT: Plain = dir("zcrypt", &CLASS)
        .while_loaded(Zcrypt)
        .attributes(node::CLASS)
        .lists(&[Each(&[&ZCRYPT_NODE], &Nodes)]);

    /// `devices`
    DEVICES: Plain = dir("devices", &ROOT);
    /// `devices/ap`
    DEVICES_AP: Plain = dir("ap", &DEVICES)
        .while_loaded(Ap)
        .uevent(|_| Subject::ApRoot)
        .links(&[link("module", |tree, _| module_of(tree, Ap))]);
    /// `devices/ap/cardAA`
    CARD: CardView = each(ByKey(objects::card::name), &DEVICES_AP, &Cards)
        .attributes(card::CARD)
        .uevent(CardView::subject)
        .links(&[
            link("subsystem", |_, _| Some(Target::Plain(&BUS_AP))),
            link("driver", |tree, card| driver_of(tree, card.driver()?)),
        ])
        .concerned(|_, subject| match subject {
            Subject::Card { adapter, generation, .. } => {
                own(Key::device(u16::from(adapter.0), *generation), format!("card{adapter}"))
            }
            _ => None,
        });
    /// `devices/ap/cardAA/AA.DDDD`
    QUEUE: QueueView = each_in(ByKey(objects::queue::name), &CARD, QueueView::card, &Queues)
        .attributes(queue::QUEUE)
        .uevent(QueueView::subject)
        .links(&[
            link("subsystem", |_, _| Some(Target::Plain(&BUS_AP))),
            link("driver", |tree, queue| driver_of(tree, queue.driver()?)),
        ])
        .concerned(|_, subject| match subject {
            Subject::Queue { apqn, generation, card_generation, .. } => Some(Concerned {
                key: Key::device(apqn.to_u16(), *generation),
                parent: Key::device(u16::from(apqn.adapter.0), *card_generation),
                name: apqn.to_string(),
                own: true,
            }),
            _ => None,
        });
    /// `devices/vfio_ap`
    DEVICES_VFIO_AP: Plain = dir("vfio_ap", &DEVICES)
        .while_loaded(VfioAp)
        .uevent(|_| Subject::VfioRoot)
        .links(&[link("module", |tree, _| module_of(tree, VfioAp))]);
    /// `devices/vfio_ap/matrix`
    MATRIX: Plain = dir("matrix", &DEVICES_VFIO_AP)
        .while_loaded(VfioAp)
        .attributes(mdev::MATRIX_DEVICE)
        .uevent(|_| Subject::Matrix { bound: true })
        .links(&[
            link("subsystem", |_, _| Some(Target::Plain(&BUS_MATRIX))),
            link("driver", |_, _| Some(Target::Plain(&MATRIX_DRIVER))),
        ]);
    /// `devices/vfio_ap/matrix/mdev_supported_types`
    MATRIX_TYPES: Plain = dir("mdev_supported_types", &MATRIX).while_loaded(VfioAp);
    /// `…/mdev_supported_types/vfio_ap-passthrough`
    MATRIX_TYPE: MatrixType = one("vfio_ap-passthrough", &MATRIX_TYPES)
        .while_loaded(VfioAp)
        .attributes(mdev::TYPE);
    /// `…/vfio_ap-passthrough/devices`
    MATRIX_TYPE_DEVICES: MatrixType = within(Fixed("devices"), &MATRIX_TYPE)
        .while_loaded(VfioAp)
        .lists(&[Each(&[&MDEV], &Mdevs::ON_BUS)]);
    /// `devices/vfio_ap/matrix/UUID`
    MDEV: MdevView = each(Of(MdevView::name), &MATRIX, &Mdevs::ALL)
        .attributes(mdev::MDEV)
        .uevent_while(MdevView::is_on_bus, MdevView::subject)
        .links(&[
            link("subsystem", |_, mdev| mdev.is_on_bus().then_some(Target::Plain(&BUS_MDEV))),
            link("driver", |_, mdev| mdev.is_live().then_some(Target::Plain(&MDEV_DRIVER))),
            link("mdev_type", |_, mdev| mdev.is_on_bus().then_some(Target::Other(&MATRIX_TYPE, Key::NONE))),
            link("iommu_group", |_, mdev| mdev.has_groups().then_some(Target::Same(&IOMMU_GROUP))),
        ])
        .concerned(|_, subject| match subject {
            Subject::Mdev { id, uuid, .. } => own(objects::mdev::key(*id), uuid.to_string()),
            // A removal begins with this event: all but the link to the group goes.
            Subject::VfioDevice { id, uuid, .. } => altered(objects::mdev::key(*id), uuid.to_string()),
            _ => None,
        });
    /// `…/UUID/vfio-dev`
    VFIO_DEVICES: MdevView = within(Fixed("vfio-dev"), &MDEV)
        .there_if(|_, mdev| mdev.is_live())
        .concerned(|_, subject| match subject {
            Subject::VfioDevice { id, .. } => own(objects::mdev::key(*id), "vfio-dev"),
            _ => None,
        });
    /// `…/UUID/vfio-dev/vfioN`
    VFIO_DEVICE: MdevView = within(Of(MdevView::vfio_device), &VFIO_DEVICES)
        .there_if(|_, mdev| mdev.is_live())
        .uevent(MdevView::vfio_device_subject)
        .links(&[
            link("subsystem", |_, _| Some(Target::Plain(&CLASS_VFIO_DEV))),
            link("device", |_, _| Some(Target::Same(&MDEV))),
        ])
        .concerned(|_, subject| match subject {
            Subject::VfioDevice { id, number, .. } => own(objects::mdev::key(*id), format!("vfio{number}")),
            _ => None,
        });
    /// `devices/virtual`
    VIRTUAL: Plain = dir("virtual", &DEVICES);
    /// `devices/virtual/misc`
    VIRTUAL_MISC: Plain = dir("misc", &VIRTUAL);
    /// `devices/virtual/misc/vfio`
    VFIO_CONTAINER: Plain = dir("vfio", &VIRTUAL_MISC)
        .attributes(device::VFIO_CONTAINER)
        .uevent(|_| Subject::VfioContainer)
        .links(&[link("subsystem", |_, _| Some(Target::Plain(&CLASS_MISC)))]);
    /// `devices/virtual/misc/z90crypt`
    Z90CRYPT: Plain = dir("z90crypt", &VIRTUAL_MISC)
        .while_loaded(Zcrypt)
        .attributes(device::Z90CRYPT)
        .uevent(|_| Subject::Z90crypt)
        .links(&[link("subsystem", |_, _| Some(Target::Plain(&CLASS_MISC)))]);
    /// `devices/virtual/vfio`
    VIRTUAL_VFIO: Plain = dir("vfio", &VIRTUAL);
    /// `devices/virtual/vfio/N`
    VFIO_GROUP: MdevView = each(Of(MdevView::vfio_group), &VIRTUAL_VFIO, &Mdevs::VFIO_GROUPS)
        .there_if(|_, mdev| mdev.has_groups())
        .attributes(device::VFIO_GROUP)
        .uevent(MdevView::vfio_group_subject)
        .links(&[link("subsystem", |_, _| Some(Target::Plain(&CLASS_VFIO)))])
        .concerned(|_, subject| match subject {
            Subject::VfioGroup { id, number, .. } => own(objects::mdev::key(*id), number.to_string()),
            _ => None,
        });
    /// `devices/virtual/zcrypt`, there only while a node is (page 6, F11)
    VIRTUAL_ZCRYPT: SomeNode = one("zcrypt", &VIRTUAL).concerned(|_, subject| match subject {
        Subject::ZcryptNode { alone: true, .. } => own(Key::NONE, "zcrypt"),
        _ => None,
    });
    /// `devices/virtual/zcrypt/NAME`
    ZCRYPT_NODE: ZcryptNode = each_in(Of(|node: &ZcryptNode| node.name.clone()), &VIRTUAL_ZCRYPT, |_| Key::NONE, &Nodes)
        .attributes(node::NODE)
        .uevent(|node| node.subject(false))
        .links(&[link("subsystem", |_, _| Some(Target::Plain(&CLASS_ZCRYPT)))])
        .concerned(|_, subject| match subject {
            Subject::ZcryptNode { id, name, .. } => own(objects::node::key(*id), name.clone()),
            _ => None,
        });

    /// `dev`
    DEV: Plain = dir("dev", &ROOT);
    /// `dev/char`
    DEV_CHAR: Plain = dir("char", &DEV).lists(&[Each(
        &[&Z90CRYPT, &VFIO_CONTAINER, &VFIO_GROUP, &ZCRYPT_NODE],
        &CharacterDevices,
    )]);

    /// `kernel`
    KERNEL: Plain = dir("kernel", &ROOT);
    /// `kernel/debug`
    DEBUG: Plain = dir("debug", &KERNEL);
    /// `kernel/debug/apmatrix`: the control files.
    CONTROL: Plain = dir("apmatrix", &DEBUG).attributes(control::FILES).whole();
    /// `kernel/iommu_groups`
    IOMMU_GROUPS: Plain = dir("iommu_groups", &KERNEL);
    /// `kernel/iommu_groups/N`
    IOMMU_GROUP: MdevView = each(Of(MdevView::iommu_group), &IOMMU_GROUPS, &Mdevs::IOMMU_GROUPS)
        .there_if(|_, mdev| mdev.has_groups())
        .attributes(mdev::IOMMU_GROUP)
        .concerned(|_, subject| match subject {
            Subject::VfioGroup { id, iommu_group, .. } => {
                own(objects::mdev::key(*id), iommu_group.to_string())
            }
            _ => None,
        });
    /// `kernel/iommu_groups/N/devices`
    IOMMU_GROUP_DEVICES: MdevView = within(Fixed("devices"), &IOMMU_GROUP)
        .there_if(|_, mdev| mdev.has_groups())
        .lists(&[Same(&MDEV)]);

    /// `module`
    MODULES: Plain = dir("module", &ROOT);
    /// `module/NAME`
    MODULE: ModuleView = each(ByKey(objects::module::name), &MODULES, &Modules)
        .attributes(module::MODULE)
        .uevent_only_written(|module: &ModuleView| Subject::Module(module.name))
        .concerned(|tree, subject| match subject {
            Subject::Module(name) => own(tree.modules.key(name)?, name.to_owned()),
            _ => None,
        });
    /// `module/NAME/holders`
    MODULE_HOLDERS: ModuleView = within(Fixed("holders"), &MODULE).lists(&[Each(&[&MODULE], &Holders)]);
    /// `module/ap/parameters`
    AP_PARAMETERS: ModuleView = within(Fixed("parameters"), &MODULE)
        .there_if(|_, module| module.is(Ap))
        .attributes(module::AP_PARAMETERS);
    /// `module/zcrypt/parameters`
    ZCRYPT_PARAMETERS: ModuleView = within(Fixed("parameters"), &MODULE)
        .there_if(|tree, module| module.is(Zcrypt) && tree.host.kernel().has(Flag::MessagePools))
        .attributes(module::ZCRYPT_PARAMETERS);
}

/// The directory of that key comes and goes with the event.
fn own(key: Key, name: impl Into<String>) -> Option<Concerned> {
    Some(Concerned { key, parent: Key::NONE, name: name.into(), own: true })
}

/// What is in the directory of that key depends on what the event is about.
fn altered(key: Key, name: impl Into<String>) -> Option<Concerned> {
    Some(Concerned { key, parent: Key::NONE, name: name.into(), own: false })
}

/// The directory of a module.
fn module_of<O: Object>(tree: &Tree, module: Module) -> Option<Target<O>> {
    Some(Target::Other(&MODULE, tree.modules.key(module.name())?))
}

/// The directory of a driver of the AP bus.
fn driver_of<O: Object>(tree: &Tree, driver: DriverName) -> Option<Target<O>> {
    Some(Target::Other(&AP_DRIVER, tree.drivers.key(driver.0)?))
}

/// Directories that others than the tree must know.
impl Dir {
    /// `/sys/bus/ap`.
    pub const BUS_AP: Dir = Dir { row: RowId(Place::BUS_AP as u8), key: Key::NONE };
    /// `/sys/bus/matrix`.
    pub const BUS_MATRIX: Dir = Dir { row: RowId(Place::BUS_MATRIX as u8), key: Key::NONE };
    /// `/sys/bus/mdev`.
    pub const BUS_MDEV: Dir = Dir { row: RowId(Place::BUS_MDEV as u8), key: Key::NONE };

    /// The directory and the name of the attribute of that number, whether or not it is there; `None` of any other
    /// node.
    #[must_use]
    pub fn and_attribute(ino: Ino) -> Option<(Dir, &'static str)> {
        let node = Node::from_ino(ino);
        let Node::Attribute(dir, place, _) = node else { return None };
        let mut found = None;
        row(dir.row)?.contents(dir.key, &mut |name, known| {
            if matches!(known, Node::Attribute(_, known, _) if known == place) {
                found = Some((dir, name));
            }
        });
        found
    }
}

/// Where each kind's children begin in [`CHILDREN`]; at the end, where the last one's end.
static FIRST: [usize; COUNT + 1] = first_children(&PARENTS);

/// All rows but the root, by their parents.
static CHILDREN: [&dyn Directory; COUNT] = by_parent(ROWS, &PARENTS);

/// Paths have room for every row's directories.
const _: () = {
    const fn depth(of: usize) -> usize {
        if of == 0 { 0 } else { 1 + depth(PARENTS[of].0 as usize) }
    }
    let mut row = 0;
    while row < COUNT {
        assert!(depth(row) <= DEEPEST, "a directory is deeper than paths have room for");
        row += 1;
    }
};

const fn first_children(parents: &[RowId; COUNT]) -> [usize; COUNT + 1] {
    let mut first = [0; COUNT + 1];
    // The root is its own parent, and nobody's child.
    let mut row = 1;
    while row < COUNT {
        first[parents[row].0 as usize + 1] += 1;
        row += 1;
    }
    let mut row = 0;
    while row < COUNT {
        first[row + 1] += first[row];
        row += 1;
    }
    first
}

const fn by_parent(
    rows: [&'static dyn Directory; COUNT],
    parents: &[RowId; COUNT],
) -> [&'static dyn Directory; COUNT] {
    let mut sorted = rows;
    let mut next = first_children(parents);
    let mut row = 1;
    while row < COUNT {
        let parent = parents[row].0 as usize;
        sorted[next[parent]] = rows[row];
        next[parent] += 1;
        row += 1;
    }
    sorted
}

/// All kinds of directories.
pub(crate) fn all() -> Children {
    &ROWS
}

/// The kinds of directories that an event which is no module's can be about.
pub(crate) fn concerned() -> impl Iterator<Item = &'static dyn Directory> {
    ROWS.iter().zip(&CONCERNED).filter(|(_, concerned)| **concerned).map(|(row, _)| *row)
}

/// The kinds of directories that list others as links.
pub(crate) fn listers() -> impl Iterator<Item = &'static dyn Directory> {
    ROWS.iter().zip(&LISTERS).filter(|(_, lists)| **lists).map(|(row, _)| *row)
}

/// A kind of directory; `None` if no row has that number.
pub(crate) fn row(id: RowId) -> Option<&'static dyn Directory> {
    ROWS.get(usize::from(id.0)).copied()
}

/// The kinds of directories that can be in directories of that kind.
pub(crate) fn children(id: RowId) -> Children {
    match FIRST.get(usize::from(id.0)..usize::from(id.0) + 2) {
        Some([from, to]) => CHILDREN.get(*from..*to).unwrap_or_default(),
        _ => &[],
    }
}
