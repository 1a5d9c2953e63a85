//! Cards and queues together, as directories of the bus list them: of kind 0 and 1.

use ap_bus::device::{DeviceName, DeviceRef};
use ap_task::DriverName;

use crate::node::Key;
use crate::object::{Members, PutMember};
use crate::objects::{card, queue};
use crate::tree::{Root, Tree};

const CARD: u8 = 0;

fn member(device: &DeviceRef) -> (u8, Key) {
    match device {
        DeviceRef::Card(card) => (CARD, card::key(card)),
        DeviceRef::Queue(queue) => (1, queue::key(queue)),
    }
}

fn name(device: &DeviceRef) -> String {
    match device {
        DeviceRef::Card(card) => format!("card{}", card.id),
        DeviceRef::Queue(queue) => queue.apqn.to_string(),
    }
}

fn of_key(tree: &Tree, which: u8, key: Key, held: Root) -> Option<DeviceRef> {
    match which {
        CARD => card::of_key(tree, key, held).map(DeviceRef::Card),
        _ => queue::of_key(tree, key, held).map(DeviceRef::Queue),
    }
}

/// All devices of the bus.
pub(crate) struct Devices;

/// Takes the registry's lock for reading.
impl Members for Devices {
    fn all(&self, tree: &Tree, _: Key, held: Root, put: &mut PutMember) {
        tree.host.bus.read(held, |registry| {
            registry.order.values().for_each(|device| {
                let (which, key) = member(device);
                put(which, name(device), key);
            });
        });
    }

    fn named(&self, tree: &Tree, _: Key, name: &str, held: Root) -> Option<(u8, Key)> {
        tree.host.bus.find(DeviceName::parse(name)?, held).map(|device| member(&device))
    }

    fn name(&self, tree: &Tree, _: Key, which: u8, key: Key, held: Root) -> Option<String> {
        of_key(tree, which, key, held).map(|device| name(&device))
    }
}

/// The devices that a driver has, which is the holder.
pub(crate) struct Bound;

fn has(driver: &'static str, device: &DeviceRef, held: Root) -> bool {
    device.binding(held).is_some_and(|binding| binding.driver.name() == DriverName(driver))
}

/// Takes the registry's lock for reading, then A of each device that is looked at.
impl Members for Bound {
    fn all(&self, tree: &Tree, driver: Key, held: Root, put: &mut PutMember) {
        let Some(driver) = tree.drivers.name(driver) else { return };
        for device in tree.host.bus.devices_in_order(held) {
            if has(driver, &device, held) {
                let (which, key) = member(&device);
                put(which, name(&device), key);
            }
        }
    }

    fn named(&self, tree: &Tree, driver: Key, name: &str, held: Root) -> Option<(u8, Key)> {
        let device = tree.host.bus.find(DeviceName::parse(name)?, held)?;
        has(tree.drivers.name(driver)?, &device, held).then(|| member(&device))
    }

    fn name(&self, tree: &Tree, driver: Key, which: u8, key: Key, held: Root) -> Option<String> {
        let device = of_key(tree, which, key, held)?;
        has(tree.drivers.name(driver)?, &device, held).then(|| name(&device))
    }
}
