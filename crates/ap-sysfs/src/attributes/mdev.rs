//! The attributes of the matrix device, its type and mediated devices. (Specification, page 3.)

use ap_host::MdevId;
use ap_host::vfio_ap::{MdevPhase, Part};
use ap_types::grammar::{ap_config, strict, uuid};
use ap_types::{AdapterId, DomainId, Matrix};

use super::{Attribute, line, ro, rw, synth, wo};
use crate::errno::Errno;
use crate::tree::{Object, Root, Tree};

/// A read gives at most one page, and whole lines of it.
const PAGE: usize = 4096;

pub(super) const MATRIX_DEVICE: &[Attribute] = &[
    ro("features", |_, _, _, _, _| line("guest_matrix hotplug ap_config")),
    rw("uevent", synth::show, synth::store),
];

pub(super) const TYPE: &[Attribute] = &[
    ro("available_instances", |t, _, _, held, _| line(t.host.with_mdevs(held, |mdevs| mdevs.available()))),
    wo("create", |t, _, _, data, held, out| {
        let uuid = uuid(data)?;
        Ok(t.host.create_mdev(uuid, held, out).map(|_| ())?)
    }),
    ro("device_api", |_, _, _, _, _| line("vfio-ap")),
    ro("name", |_, _, _, _, _| line("VFIO AP Passthrough Device")),
];

pub(super) const IOMMU_GROUP: &[Attribute] =
    &[ro("name", |_, _, _, _, _| line("vfio-noiommu")), ro("type", |_, _, _, _, _| line("unknown"))];

const fn adapter(id: u8) -> Part {
    Part::Adapter(AdapterId(id))
}

const fn domain(id: u8) -> Part {
    Part::Domain(DomainId(id))
}

pub(super) const MDEV: &[Attribute] = &[
    rw(
        "ap_config",
        |t, _, o, held, _| {
            let m = matrix(t, o, held)?.0;
            line(format_args!("{},{},{}", m.adapters, m.domains, m.control_domains))
        },
        |t, _, o, data, held, out| {
            let new = ap_config(data)?;
            Ok(t.host.write_ap_config(id(o)?, new, held, out)?)
        },
    )
    .when(live),
    wo("assign_adapter", |t, _, o, data, held, out| {
        Ok(t.host.assign(id(o)?, adapter, strict(data)?, held, out)?)
    })
    .when(live),
    wo("assign_control_domain", |t, _, o, data, held, out| {
        Ok(t.host.assign_control_domain(id(o)?, true, strict(data)?, held, out)?)
    })
    .when(live),
    wo("assign_domain", |t, _, o, data, held, out| {
        Ok(t.host.assign(id(o)?, domain, strict(data)?, held, out)?)
    })
    .when(live),
    ro("control_domains", |t, _, o, held, _| {
        let m = matrix(t, o, held)?.0;
        let mut text = String::new();
        m.control_domains.iter().for_each(|domain| text.push_str(&format!("{domain}\n")));
        Ok(text.into_bytes())
    })
    .when(live),
    ro("guest_matrix", |t, _, o, held, _| Ok(lines(&matrix(t, o, held)?.1))).when(live),
    ro("matrix", |t, _, o, held, _| Ok(lines(&matrix(t, o, held)?.0))).when(live),
    wo("remove", |t, _, o, data, held, out| {
        let number = strict(data).map_err(|_| Errno::EINVAL)?;
        if number == 0 {
            return Ok(());
        }
        Ok(t.host.remove_mdev(id(o)?, held, out)?)
    })
    .when(present),
    rw("uevent", synth::show, synth::store).when(present),
    wo("unassign_adapter", |t, _, o, data, held, out| {
        Ok(t.host.unassign(id(o)?, adapter, strict(data)?, held, out)?)
    })
    .when(live),
    wo("unassign_control_domain", |t, _, o, data, held, out| {
        Ok(t.host.assign_control_domain(id(o)?, false, strict(data)?, held, out)?)
    })
    .when(live),
    wo("unassign_domain", |t, _, o, data, held, out| {
        Ok(t.host.unassign(id(o)?, domain, strict(data)?, held, out)?)
    })
    .when(live),
];

fn live(object: &Object) -> bool {
    matches!(object, Object::Mdev(mdev) if mdev.phase == MdevPhase::Live)
}

fn present(object: &Object) -> bool {
    matches!(object, Object::Mdev(mdev) if mdev.phase.on_bus())
}

fn id(object: &Object) -> Result<MdevId, Errno> {
    match object {
        Object::Mdev(mdev) => Ok(mdev.id),
        _ => Err(Errno::ENODEV),
    }
}

/// The matrix and the shadow APCB.
fn matrix(tree: &Tree, object: &Object, held: Root) -> Result<(Matrix, Matrix), Errno> {
    let id = id(object)?;
    tree.host
        .with_mdevs(held, |mdevs| mdevs.live(id).map(|mdev| (mdev.matrix, mdev.shadow)))
        .ok_or(Errno::ENODEV)
}

/// A line per queue; with only adapters or only domains a line for each of them.
fn lines(matrix: &Matrix) -> Vec<u8> {
    let mut text = String::with_capacity(PAGE);
    if matrix.domains.is_empty() {
        matrix.adapters.iter().for_each(|adapter| text.push_str(&format!("{adapter}.\n")));
    } else if matrix.adapters.is_empty() {
        matrix.domains.iter().for_each(|domain| text.push_str(&format!(".{domain}\n")));
    } else {
        for apqn in matrix.queues().take(PAGE / 8) {
            text.push_str(&format!("{apqn}\n"));
        }
    }
    text.into_bytes()
}
