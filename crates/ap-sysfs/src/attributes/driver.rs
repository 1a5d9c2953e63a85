//! The attributes of drivers. (Specification, pages 3 and 5.)

use ap_bus::device::{DeviceName, DriverInfo};
use ap_types::Uuid;
use ap_types::grammar::device_name;

use crate::attribute::{Attribute, wo};
use crate::errno::Errno;
use crate::object::Plain;

/// `/sys/bus/ap/drivers/NAME`, whoever registered the driver.
pub(crate) const AP: &[Attribute<DriverInfo>] = &[
    wo("bind", |t, driver, data, task| Ok(t.host.bus.bind(driver.name, device(data)?, task)?)),
    wo("unbind", |t, driver, data, task| Ok(t.host.bus.unbind(driver.name, device(data)?, task)?)),
];

/// `/sys/bus/mdev/drivers/vfio_ap_mdev`.
pub(crate) const MDEV: &[Attribute<Plain>] = &[
    // An mdev binds when it is made; nothing can be bound again by hand (page 3).
    wo("bind", |_, _, _, _| Err(Errno::ENODEV)),
    wo("unbind", |t, _, data, task| {
        let uuid = mdev_name(data).ok_or(Errno::ENODEV)?;
        Ok(t.host.vfio.unbind_mdev(&uuid, task)?)
    }),
];

/// A device of the AP bus, exactly as its directory is called; `ENODEV` if it can be none.
fn device(data: &[u8]) -> Result<DeviceName, Errno> {
    device_name(data).and_then(DeviceName::parse).ok_or(Errno::ENODEV)
}

/// An mdev's name, exactly as its directory is called.
pub(crate) fn mdev_name(data: &[u8]) -> Option<Uuid> {
    let name = device_name(data)?;
    let uuid = ap_types::grammar::uuid(name.as_bytes()).ok()?;
    (uuid.to_string() == name).then_some(uuid)
}
