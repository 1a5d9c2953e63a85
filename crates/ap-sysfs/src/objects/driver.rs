//! Drivers that are registered on the AP bus, whoever registered them.

use ap_bus::device::DriverInfo;
use ap_bus::zcrypt::{CEX4CARD, CEX4QUEUE};
use ap_host::module::Module;
use ap_task::DriverName;
use ap_vfio::VFIO_AP;

use crate::node::{Key, Load};
use crate::object::{Members, Object, PutMember};
use crate::tree::{Root, Tree};

impl Object for DriverInfo {
    /// Takes the lock of the list of drivers for reading.
    fn find(tree: &Tree, key: Key, held: Root) -> Option<DriverInfo> {
        tree.host.bus.driver_info(DriverName(tree.drivers.name(key)?), held)
    }

    /// That of the driver's module. Takes the lock of the list of drivers, then that of the modules' state, for reading.
    fn load(tree: &Tree, key: Key, held: Root) -> Load {
        let module = DriverInfo::find(tree, key, held).and_then(|driver| Module::from_name(driver.module));
        module.map(|module| Load::number(tree.host.core(held).loads_of(module))).unwrap_or_default()
    }

    /// A device may be in the directory of any driver.
    fn holders(tree: &Tree, _: Key, visit: &mut dyn FnMut(Key)) {
        tree.drivers.keys().for_each(visit);
    }
}

/// Appends the directory's name of the driver of that key.
pub(crate) fn name(tree: &Tree, key: Key, text: &mut String) {
    text.push_str(tree.drivers.name(key).unwrap_or_default());
}

/// All drivers of the bus.
pub(crate) struct Drivers;

/// Takes the lock of the list of drivers for reading.
impl Members for Drivers {
    fn all(&self, tree: &Tree, _: Key, held: Root, put: &mut PutMember) {
        for driver in tree.host.bus.drivers(held) {
            if let Some(key) = tree.drivers.key(driver.name.0) {
                put(0, driver.name.0.to_owned(), key);
            }
        }
    }

    fn named(&self, tree: &Tree, _: Key, name: &str, held: Root) -> Option<(u8, Key)> {
        let driver = tree.host.bus.drivers(held).into_iter().find(|driver| driver.name.0 == name)?;
        tree.drivers.key(driver.name.0).map(|key| (0, key))
    }

    fn name(&self, tree: &Tree, _: Key, _: u8, key: Key, held: Root) -> Option<String> {
        DriverInfo::find(tree, key, held).map(|driver| driver.name.0.to_owned())
    }

    fn known(&self) -> Vec<&'static str> {
        vec![CEX4CARD.0, CEX4QUEUE.0, VFIO_AP.0]
    }
}
