//! The attributes of buses, drivers and the module `ap`. (Specification, pages 2 and 5.)

use ap_host::driver::DeviceName;
use ap_host::registry::Registry;
use ap_host::{Sink, Work};
use ap_types::Uuid;
use ap_types::grammar::{boolean_word, device_name, scanned_decimal, scanned_prefixed, strict};

use super::{Attribute, line, ro, rw, synth, wo};
use crate::errno::Errno;
use crate::node::Dir;
use crate::tree::{Object, Root, Tree};

/// Most nanoseconds of `poll_timeout`.
const MAX_POLL_TIMEOUT: u64 = 120_000_000_000;

pub(super) const AP: &[Attribute] = &[
    ro("ap_adapter_mask", |t, _, _, held, _| config(t, held, |c| c.adapters.to_string())),
    ro("ap_control_domain_mask", |t, _, _, held, _| config(t, held, |c| c.control_domains.to_string())),
    rw("ap_domain", |t, _, _, held, _| line(registry(t, held, default_domain)), store_domain),
    ro("ap_interrupts", |t, _, _, held, _| line(registry(t, held, |r| u8::from(r.interrupts)))),
    ro("ap_max_adapter_id", |t, _, _, held, _| line(registry(t, held, |r| r.max_adapter))),
    ro("ap_max_domain_id", |t, _, _, held, _| line(registry(t, held, |r| r.max_domain))),
    ro("ap_usage_domain_mask", |t, _, _, held, _| config(t, held, |c| c.domains.to_string())),
    rw(
        "apmask",
        |t, _, _, held, _| line(t.host.masks(held).0),
        |t, _, _, data, held, out| Ok(t.host.write_apmask(data, held, out)?),
    ),
    rw(
        "aqmask",
        |t, _, _, held, _| line(t.host.masks(held).1),
        |t, _, _, data, held, out| Ok(t.host.write_aqmask(data, held, out)?),
    ),
    ro("bindings", show_bindings),
    rw("config_time", |t, _, _, held, _| line(registry(t, held, |r| r.config_time)), store_config_time),
    rw("drivers_autoprobe", show_autoprobe, store_autoprobe),
    wo("drivers_probe", store_drivers_probe),
    ro("features", show_features),
    rw(
        "poll_thread",
        |t, _, _, held, _| line(registry(t, held, |r| u8::from(r.poll_thread))),
        store_poll_thread,
    ),
    rw("poll_timeout", |t, _, _, held, _| line(registry(t, held, |r| r.poll_timeout)), store_poll_timeout),
    rw(
        "scans",
        |t, _, _, held, _| line(registry(t, held, |r| r.scans)),
        |t, _, _, _, held, out| {
            t.host.force_scan(held, out);
            Ok(())
        },
    ),
    wo("uevent", synth::store),
];

pub(super) const MATRIX: &[Attribute] = &[
    rw("drivers_autoprobe", show_autoprobe, store_autoprobe),
    wo("drivers_probe", |_, _, _, data, _, _| match device_name(data) {
        Some("matrix") => Ok(()),
        _ => Err(Errno::ENODEV),
    }),
    wo("uevent", synth::store),
];

pub(super) const MDEV: &[Attribute] = &[
    rw("drivers_autoprobe", show_autoprobe, store_autoprobe),
    wo("drivers_probe", |t, _, _, data, held, _| {
        mdev_name(data)
            .filter(|uuid| {
                t.host.with_mdevs(held, |m| m.find(uuid).is_some_and(|(_, mdev)| mdev.phase.on_bus()))
            })
            .map(|_| ())
            .ok_or(Errno::ENODEV)
    }),
    wo("uevent", synth::store),
];

pub(super) const DRIVER: &[Attribute] = &[
    wo("bind", |t, dir, _, data, held, out| {
        let (driver, name) = driver_and_name(dir, data)?;
        Ok(t.host.bind(driver, name, held, out)?)
    }),
    wo("uevent", synth::store),
    wo("unbind", |t, dir, _, data, held, out| {
        let (driver, name) = driver_and_name(dir, data)?;
        Ok(t.host.unbind(driver, name, held, out)?)
    }),
];

pub(super) const MATRIX_DRIVER: &[Attribute] = &[wo("uevent", synth::store)];

pub(super) const MDEV_DRIVER: &[Attribute] = &[
    // An mdev binds when it is made; nothing can be bound again by hand (page 3).
    wo("bind", |_, _, _, _, _, _| Err(Errno::ENODEV)),
    wo("uevent", synth::store),
    wo("unbind", |t, _, _, data, held, out| {
        let uuid = mdev_name(data).ok_or(Errno::ENODEV)?;
        Ok(t.host.unbind_mdev(&uuid, held, out)?)
    }),
];

pub(super) const PARAMETERS: &[Attribute] = &[
    ro("apmask", |t, _, _, held, _| line(registry(t, held, |r| given(&r.parameters.apmask)))).mode(0o440),
    ro("aqmask", |t, _, _, held, _| line(registry(t, held, |r| given(&r.parameters.aqmask)))).mode(0o440),
    ro("domain", |t, _, _, held, _| line(registry(t, held, default_domain))).mode(0o440),
    ro("msgpool_min_items", |_, _, _, _, _| line(8)).mode(0o440),
    ro("poll_thread", |t, _, _, held, _| line(registry(t, held, |r| r.parameters.poll_thread.unwrap_or(0))))
        .mode(0o440),
    ro("useirq", |t, _, _, held, _| line(registry(t, held, |r| r.parameters.useirq.unwrap_or(1))))
        .mode(0o440),
];

fn registry<R>(tree: &Tree, held: Root, look: impl FnOnce(&Registry) -> R) -> R {
    tree.host.with_registry(held, look)
}

fn default_domain(registry: &Registry) -> i32 {
    registry.default_domain.map_or(-1, i32::from)
}

fn given(parameter: &Option<String>) -> String {
    parameter.clone().unwrap_or_else(|| "(null)".into())
}

fn config(
    tree: &Tree,
    held: Root,
    look: impl FnOnce(&ap_types::HostConfig) -> String,
) -> Result<Vec<u8>, Errno> {
    let text = registry(tree, held, |r| r.config.filter(|c| !c.features.is_empty()).as_ref().map(look));
    line(text.unwrap_or_else(|| "not supported".into()))
}

fn show_features(tree: &Tree, _: Dir, _: &Object, held: Root, _: &dyn Sink) -> Result<Vec<u8>, Errno> {
    let text =
        registry(tree, held, |r| r.config.filter(|c| !c.features.is_empty()).map(|c| c.features.to_string()));
    line(text.unwrap_or_else(|| "-".into()))
}

fn show_bindings(tree: &Tree, _: Dir, _: &Object, held: Root, _: &dyn Sink) -> Result<Vec<u8>, Errno> {
    let (bound, all, scanned) = tree.host.bindings(held);
    if bound == all && scanned {
        line(format_args!("{bound}/{all} (complete)"))
    } else {
        line(format_args!("{bound}/{all}"))
    }
}

fn store_domain(tree: &Tree, _: Dir, _: &Object, data: &[u8], held: Root, _: &dyn Sink) -> Result<(), Errno> {
    let domain = u8::try_from(scanned_prefixed(data)?).map_err(|_| Errno::EINVAL)?;
    let aqmask = tree.host.masks(held).1;
    tree.host.configure_bus(held, |registry| {
        if domain > registry.max_domain || !aqmask.contains(domain.into()) {
            return Err(Errno::EINVAL);
        }
        registry.default_domain = Some(domain);
        Ok(())
    })
}

fn store_config_time(
    tree: &Tree,
    _: Dir,
    _: &Object,
    data: &[u8],
    held: Root,
    out: &dyn Sink,
) -> Result<(), Errno> {
    let seconds = scanned_decimal(data)?;
    let seconds = u32::try_from(seconds).ok().filter(|s| (5..=120).contains(s)).ok_or(Errno::EINVAL)?;
    tree.host.configure_bus(held, |registry| registry.config_time = seconds);
    out.due(Work::Scan, u64::from(seconds) * 1000);
    Ok(())
}

fn store_poll_thread(
    tree: &Tree,
    _: Dir,
    _: &Object,
    data: &[u8],
    held: Root,
    _: &dyn Sink,
) -> Result<(), Errno> {
    let on = boolean_word(data)?;
    // While interrupts are used the thread is not started, and the write succeeds all the same.
    tree.host.configure_bus(held, |registry| registry.poll_thread = on && !registry.interrupts);
    Ok(())
}

fn store_poll_timeout(
    tree: &Tree,
    _: Dir,
    _: &Object,
    data: &[u8],
    held: Root,
    out: &dyn Sink,
) -> Result<(), Errno> {
    let nanoseconds = strict(data)?;
    if nanoseconds > MAX_POLL_TIMEOUT {
        return Err(Errno::EINVAL);
    }
    tree.host.configure_bus(held, |registry| registry.poll_timeout = nanoseconds);
    out.due(Work::Poll, 0);
    Ok(())
}

fn autoprobe(dir: Dir, registry: &mut Registry) -> &mut bool {
    match dir {
        Dir::BusMatrix => &mut registry.autoprobe_matrix,
        Dir::BusMdev => &mut registry.autoprobe_mdev,
        _ => &mut registry.autoprobe,
    }
}

fn show_autoprobe(tree: &Tree, dir: Dir, _: &Object, held: Root, _: &dyn Sink) -> Result<Vec<u8>, Errno> {
    line(tree.host.configure_bus(held, |registry| u8::from(*autoprobe(dir, registry))))
}

fn store_autoprobe(
    tree: &Tree,
    dir: Dir,
    _: &Object,
    data: &[u8],
    held: Root,
    _: &dyn Sink,
) -> Result<(), Errno> {
    tree.host.configure_bus(held, |registry| *autoprobe(dir, registry) = data[0] != b'0');
    Ok(())
}

fn store_drivers_probe(
    tree: &Tree,
    _: Dir,
    _: &Object,
    data: &[u8],
    held: Root,
    out: &dyn Sink,
) -> Result<(), Errno> {
    let name = device_name(data).and_then(DeviceName::parse).ok_or(Errno::ENODEV)?;
    Ok(tree.host.drivers_probe(name, held, out)?)
}

fn driver_and_name(dir: Dir, data: &[u8]) -> Result<(ap_host::driver::DriverId, DeviceName), Errno> {
    let Dir::ApDriver(driver) = dir else { return Err(Errno::ENODEV) };
    let name = device_name(data).and_then(DeviceName::parse).ok_or(Errno::ENODEV)?;
    Ok((driver, name))
}

/// An mdev's name, exactly as its directory is called.
fn mdev_name(data: &[u8]) -> Option<Uuid> {
    let name = device_name(data)?;
    let uuid = ap_types::grammar::uuid(name.as_bytes()).ok()?;
    (uuid.to_string() == name).then_some(uuid)
}
