//! The class `zcrypt` and its additional device nodes. (What zcryptctl and container plug-ins use.)

use ap_bus::zcdn::{NodeMask, ZcryptNode};

use crate::attribute::{Attribute, line, ro, rw, wo};
use crate::errno::Errno;
use crate::front::DeviceNumber;
use crate::object::Plain;
use crate::tree::{Root, Tree};

/// `/sys/class/zcrypt`.
pub(crate) const CLASS: &[Attribute<Plain>] = &[
    wo("create", |t, _, data, task| Ok(t.host.bus.create_zcrypt_node(name(data)?, task)?)),
    wo("destroy", |t, _, data, task| {
        // Other names than those of text none has (`DEV-022`).
        let name = name(data).map_err(|_| Errno::ENOENT)?;
        Ok(t.host.bus.destroy_zcrypt_node(name, task)?)
    }),
];

/// `/sys/devices/virtual/zcrypt/NAME`.
pub(crate) const NODE: &[Attribute<ZcryptNode>] = &[
    rw(
        "admask",
        |_, node, _| line(node.admask),
        |t, node, data, task| write(t, node, NodeMask::ControlDomains, data, task),
    ),
    rw(
        "apmask",
        |_, node, _| line(node.apmask),
        |t, node, data, task| write(t, node, NodeMask::Adapters, data, task),
    ),
    rw(
        "aqmask",
        |_, node, _| line(node.aqmask),
        |t, node, data, task| write(t, node, NodeMask::Domains, data, task),
    ),
    ro("dev", |_, node, _| line(DeviceNumber::zcrypt_node(node.minor))),
    rw(
        "ioctlmask",
        |_, node, _| line(node.ioctlmask),
        |t, node, data, task| write(t, node, NodeMask::Requests, data, task),
    ),
];

fn write(tree: &Tree, node: &ZcryptNode, which: NodeMask, data: &[u8], held: Root) -> Result<(), Errno> {
    Ok(tree.host.bus.write_zcrypt_mask(*node.id, which, data, held)?)
}

/// A name as it is written: up to a NUL.
fn name(data: &[u8]) -> Result<&str, Errno> {
    let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
    std::str::from_utf8(text).map_err(|_| Errno::EINVAL)
}
