//! The class `zcrypt` and its additional device nodes. (What zcryptctl and container plug-ins use.)

use ap_host::zcdn::{MAJOR, NodeMask, ZcryptNode};

use super::{Attribute, line, ro, rw, synth, wo};
use crate::errno::Errno;
use crate::tree::{Object, Root, Tree};

pub(super) const CLASS: &[Attribute] = &[
    wo("create", |t, _, _, data, held, out| Ok(t.host.create_zcrypt_node(name(data)?, held, out)?)),
    wo("destroy", |t, _, _, data, held, out| Ok(t.host.destroy_zcrypt_node(name(data)?, held, out)?)),
];

pub(super) const NODE: &[Attribute] = &[
    rw(
        "admask",
        |_, _, o, _, _| line(node(o)?.admask),
        |t, _, o, data, held, _| write(t, o, NodeMask::ControlDomains, data, held),
    ),
    rw(
        "apmask",
        |_, _, o, _, _| line(node(o)?.apmask),
        |t, _, o, data, held, _| write(t, o, NodeMask::Adapters, data, held),
    ),
    rw(
        "aqmask",
        |_, _, o, _, _| line(node(o)?.aqmask),
        |t, _, o, data, held, _| write(t, o, NodeMask::Domains, data, held),
    ),
    ro("dev", |_, _, o, _, _| line(format_args!("{MAJOR}:{}", node(o)?.minor))),
    rw(
        "ioctlmask",
        |_, _, o, _, _| line(node(o)?.ioctlmask),
        |t, _, o, data, held, _| write(t, o, NodeMask::Requests, data, held),
    ),
    rw("uevent", synth::show, synth::store),
];

fn node(object: &Object) -> Result<&ZcryptNode, Errno> {
    match object {
        Object::ZcryptNode(node) => Ok(node),
        _ => Err(Errno::ENODEV),
    }
}

fn write(tree: &Tree, object: &Object, which: NodeMask, data: &[u8], held: Root) -> Result<(), Errno> {
    Ok(tree.host.write_zcrypt_mask(node(object)?.id, which, data, held)?)
}

/// A name as it is written: up to a NUL, without the newline at its end.
fn name(data: &[u8]) -> Result<&str, Errno> {
    let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
    std::str::from_utf8(text.strip_suffix(b"\n").unwrap_or(text)).map_err(|_| Errno::EINVAL)
}
