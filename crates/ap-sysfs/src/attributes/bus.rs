//! The attributes of the buses. (Specification, pages 2 and 5.)

use std::hash::Hash;

use ap_bus::Bindings;
use ap_bus::device::DeviceName;
use ap_bus::registry::Registry;
use ap_task::{Flag, Work};
use ap_types::grammar::{boolean_word, device_name, scanned_decimal, scanned_prefixed, strict};

use crate::attribute::{Attribute, line, ro, rw, wo};
use crate::attributes::driver::mdev_name;
use crate::errno::Errno;
use crate::object::Plain;
use crate::tree::{Doing, Root, Tree};

/// Most nanoseconds of `poll_timeout`.
const MAX_POLL_TIMEOUT: u64 = 120_000_000_000;

/// `/sys/bus/ap`.
pub(crate) const AP: &[Attribute<Plain>] = &[
    ro("ap_adapter_mask", |t, _, task| config(t, task, |c| c.adapters.to_string())),
    ro("ap_control_domain_mask", |t, _, task| config(t, task, |c| c.control_domains.to_string())),
    rw("ap_domain", |t, _, task| line(registry(t, task, default_domain)), store_domain),
    ro("ap_interrupts", |t, _, task| line(registry(t, task, |r| u8::from(r.interrupts)))),
    ro("ap_max_adapter_id", |t, _, task| line(registry(t, task, |r| r.max_adapter))),
    ro("ap_max_domain_id", |t, _, task| line(registry(t, task, |r| r.max_domain))),
    ro("ap_usage_domain_mask", |t, _, task| config(t, task, |c| c.domains.to_string())),
    rw(
        "apmask",
        |t, _, task| line(t.host.bus.masks(task).0),
        |t, _, data, task| Ok(t.host.bus.write_apmask(data, task)?),
    ),
    rw(
        "aqmask",
        |t, _, task| line(t.host.bus.masks(task).1),
        |t, _, data, task| Ok(t.host.bus.write_aqmask(data, task)?),
    ),
    ro("bindings", show_bindings),
    ro("bindings_complete_count", |t, _, task| line(registry(t, task, |r| *r.complete_count)))
        .when(|t, _| t.host.kernel().has(Flag::BindingsCount)),
    rw("config_time", |t, _, task| line(registry(t, task, |r| r.config_time)), store_config_time),
    rw("drivers_autoprobe", show_autoprobe, store_autoprobe),
    wo("drivers_probe", store_drivers_probe),
    ro("features", show_features),
    rw("poll_thread", |t, _, task| line(registry(t, task, |r| u8::from(r.poll_thread))), store_poll_thread),
    rw("poll_timeout", |t, _, task| line(registry(t, task, |r| r.poll_timeout)), store_poll_timeout),
    rw(
        "scans",
        |t, _, task| line(registry(t, task, |r| r.scans.0)),
        |t, _, _, task| {
            t.host.bus.force_scan(task);
            Ok(())
        },
    ),
];

/// `/sys/bus/matrix`.
pub(crate) const MATRIX: &[Attribute<Plain>] = &[
    rw(
        "drivers_autoprobe",
        |t, _, task| line(u8::from(t.host.core(task).autoprobe_matrix)),
        |t, _, data, task| {
            t.host.configure(task, |core| core.autoprobe_matrix = is_on(data));
            Ok(())
        },
    ),
    wo("drivers_probe", |_, _, data, _| match device_name(data) {
        Some("matrix") => Ok(()),
        _ => Err(Errno::ENODEV),
    }),
];

/// `/sys/bus/mdev`.
pub(crate) const MDEV: &[Attribute<Plain>] = &[
    rw(
        "drivers_autoprobe",
        |t, _, task| line(u8::from(t.host.core(task).autoprobe_mdev)),
        |t, _, data, task| {
            t.host.configure(task, |core| core.autoprobe_mdev = is_on(data));
            Ok(())
        },
    ),
    wo("drivers_probe", |t, _, data, task| {
        mdev_name(data)
            .filter(|uuid| {
                t.host.vfio.look(task, |m| m.find(uuid).is_some_and(|(_, mdev)| mdev.life.on_bus()))
            })
            .map(|_| ())
            .ok_or(Errno::ENODEV)
    }),
];

/// Looks at the bus's lists. Takes the registry's lock for reading.
pub(crate) fn registry<R: Hash>(tree: &Tree, held: Root, look: impl Fn(&Registry) -> R) -> R {
    tree.host.bus.look(held, look)
}

/// The default domain as it is shown: -1 if there is none.
pub(crate) fn default_domain(registry: &Registry) -> i32 {
    registry.default_domain.map_or(-1, i32::from)
}

fn config(tree: &Tree, held: Root, look: impl Fn(&ap_types::HostConfig) -> String) -> Result<Vec<u8>, Errno> {
    let text = registry(tree, held, |r| r.config.filter(|c| !c.features.is_empty()).as_ref().map(&look));
    line(text.unwrap_or_else(|| "not supported".into()))
}

fn show_features(tree: &Tree, _: &Plain, task: Doing) -> Result<Vec<u8>, Errno> {
    let text =
        registry(tree, task, |r| r.config.filter(|c| !c.features.is_empty()).map(|c| c.features.to_string()));
    line(text.unwrap_or_else(|| "-".into()))
}

fn show_bindings(tree: &Tree, _: &Plain, task: Doing) -> Result<Vec<u8>, Errno> {
    let Bindings { bound, queues, scanned } = tree.host.bus.bindings(task);
    let complete = if bound == queues && scanned { " (complete)" } else { "" };
    line(format_args!("{bound}/{queues}{complete}"))
}

fn store_domain(tree: &Tree, _: &Plain, data: &[u8], task: Doing) -> Result<(), Errno> {
    let domain = u8::try_from(scanned_prefixed(data)?).map_err(|_| Errno::EINVAL)?;
    Ok(tree.host.bus.choose_domain(domain, task)?)
}

fn store_config_time(tree: &Tree, _: &Plain, data: &[u8], task: Doing) -> Result<(), Errno> {
    let seconds = scanned_decimal(data)?;
    let seconds = u32::try_from(seconds).ok().filter(|s| (5..=120).contains(s)).ok_or(Errno::EINVAL)?;
    tree.host.bus.configure(task, |registry| registry.config_time = seconds);
    task.due(Work::Scan, u64::from(seconds) * 1000);
    Ok(())
}

fn store_poll_thread(tree: &Tree, _: &Plain, data: &[u8], task: Doing) -> Result<(), Errno> {
    let on = boolean_word(data)?;
    // While interrupts are used the thread is not started, and the write succeeds all the same.
    tree.host.bus.configure(task, |registry| registry.poll_thread = on && !registry.interrupts);
    Ok(())
}

fn store_poll_timeout(tree: &Tree, _: &Plain, data: &[u8], task: Doing) -> Result<(), Errno> {
    let nanoseconds = strict(data)?;
    if nanoseconds > MAX_POLL_TIMEOUT {
        return Err(Errno::EINVAL);
    }
    tree.host.bus.configure(task, |registry| registry.poll_timeout = nanoseconds);
    task.due(Work::Poll, 0);
    Ok(())
}

fn show_autoprobe(tree: &Tree, _: &Plain, task: Doing) -> Result<Vec<u8>, Errno> {
    line(u8::from(registry(tree, task, |registry| registry.autoprobe)))
}

fn store_autoprobe(tree: &Tree, _: &Plain, data: &[u8], task: Doing) -> Result<(), Errno> {
    tree.host.bus.configure(task, |registry| registry.autoprobe = is_on(data));
    Ok(())
}

/// How `drivers_autoprobe` reads what is written: `0…` is off, everything else is on.
fn is_on(data: &[u8]) -> bool {
    data.first() != Some(&b'0')
}

fn store_drivers_probe(tree: &Tree, _: &Plain, data: &[u8], task: Doing) -> Result<(), Errno> {
    let name = device_name(data).and_then(DeviceName::parse).ok_or(Errno::ENODEV)?;
    Ok(tree.host.bus.drivers_probe(name, task)?)
}
