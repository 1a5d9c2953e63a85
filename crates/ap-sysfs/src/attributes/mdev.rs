//! The attributes of the matrix device, its type and mediated devices. (Specification, page 3.)

use ap_types::grammar::{ap_config, strict, uuid};
use ap_types::{AdapterId, DomainId, Matrix};
use ap_vfio::Part;

use crate::attribute::{Attribute, PAGE, line, ro, rw, wo};
use crate::errno::Errno;
use crate::object::Plain;
use crate::objects::mdev::{MatrixType, MdevView};
use crate::tree::{Root, Tree};

/// `/sys/devices/vfio_ap/matrix`.
pub(crate) const MATRIX_DEVICE: &[Attribute<Plain>] =
    &[ro("features", |_, _, _| line("guest_matrix hotplug ap_config"))];

/// `…/mdev_supported_types/vfio_ap-passthrough`.
pub(crate) const TYPE: &[Attribute<MatrixType>] = &[
    ro("available_instances", |t, _, task| line(t.host.vfio.look(task, |mdevs| mdevs.available()))),
    wo("create", |t, of: &MatrixType, data, task| {
        let uuid = uuid(data)?;
        Ok(t.host.vfio.create_mdev_in(uuid, Some(of.load), task).map(|_| ())?)
    }),
    ro("device_api", |_, _, _| line("vfio-ap")),
    ro("name", |_, _, _| line("VFIO AP Passthrough Device")),
];

/// `/sys/kernel/iommu_groups/N`.
pub(crate) const IOMMU_GROUP: &[Attribute<MdevView>] = &[
    ro("name", |_, _, _| line("vfio-noiommu")),
    // An emulated IOMMU has none.
    ro("reserved_regions", |_, _, _| Ok(Vec::new())),
    ro("type", |_, _, _| line("unknown")),
];

const fn adapter(id: u8) -> Part {
    Part::Adapter(AdapterId(id))
}

const fn domain(id: u8) -> Part {
    Part::Domain(DomainId(id))
}

/// `/sys/devices/vfio_ap/matrix/UUID`.
pub(crate) const MDEV: &[Attribute<MdevView>] = &[
    rw(
        "ap_config",
        |t, mdev: &MdevView, task| {
            let m = matrix(t, mdev, task)?.0;
            line(format_args!("{},{},{}", m.adapters, m.domains, m.control_domains))
        },
        |t, mdev: &MdevView, data, task| {
            let new = ap_config(data)?;
            Ok(t.host.vfio.write_ap_config(&t.host.bus, mdev.id, new, task)?)
        },
    )
    .when(live),
    wo("assign_adapter", |t, mdev: &MdevView, data, task| {
        Ok(t.host.vfio.assign(&t.host.bus, mdev.id, adapter, strict(data)?, task)?)
    })
    .when(live),
    wo("assign_control_domain", |t, mdev: &MdevView, data, task| {
        Ok(t.host.vfio.assign_control_domain(mdev.id, true, strict(data)?, task)?)
    })
    .when(live),
    wo("assign_domain", |t, mdev: &MdevView, data, task| {
        Ok(t.host.vfio.assign(&t.host.bus, mdev.id, domain, strict(data)?, task)?)
    })
    .when(live),
    ro("control_domains", |t, mdev: &MdevView, task| {
        let m = matrix(t, mdev, task)?.0;
        let mut text = String::new();
        m.control_domains.iter().for_each(|domain| text.push_str(&format!("{domain}\n")));
        Ok(text.into_bytes())
    })
    .when(live),
    ro("guest_matrix", |t, mdev: &MdevView, task| Ok(lines(&matrix(t, mdev, task)?.1))).when(live),
    ro("matrix", |t, mdev: &MdevView, task| Ok(lines(&matrix(t, mdev, task)?.0))).when(live),
    wo("remove", |t, mdev: &MdevView, data, task| {
        let number = strict(data).map_err(|_| Errno::EINVAL)?;
        if number == 0 {
            return Ok(());
        }
        Ok(t.host.vfio.remove_mdev(mdev.id, task)?)
    })
    .when(on_bus),
    wo("unassign_adapter", |t, mdev: &MdevView, data, task| {
        Ok(t.host.vfio.unassign(mdev.id, adapter, strict(data)?, task)?)
    })
    .when(live),
    wo("unassign_control_domain", |t, mdev: &MdevView, data, task| {
        Ok(t.host.vfio.assign_control_domain(mdev.id, false, strict(data)?, task)?)
    })
    .when(live),
    wo("unassign_domain", |t, mdev: &MdevView, data, task| {
        Ok(t.host.vfio.unassign(mdev.id, domain, strict(data)?, task)?)
    })
    .when(live),
];

fn live(_: &Tree, mdev: &MdevView) -> bool {
    mdev.is_live()
}

fn on_bus(_: &Tree, mdev: &MdevView) -> bool {
    mdev.is_on_bus()
}

/// The matrix and what is shown of the shadow APCB, as they are now; `ENODEV` if the mdev is no longer usable. Takes M.
fn matrix(tree: &Tree, mdev: &MdevView, held: Root) -> Result<(Matrix, Matrix), Errno> {
    let now =
        tree.host.vfio.look(held, |mdevs| mdevs.live(mdev.id).map(|mdev| (mdev.matrix, mdev.shown_shadow())));
    now.ok_or(Errno::ENODEV)
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
