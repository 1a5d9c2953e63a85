//! The `uevent` attribute of every device. (Specification, page 5.)

use ap_host::Sink;
use ap_host::event::{Action, Event, Subject, Uevent};
use ap_types::grammar::{device_name, uuid};

use super::{Attribute, rw, wo};
use crate::errno::Errno;
use crate::node::Dir;
use crate::tree::{Object, Root, Tree};

/// Devices that have nothing but `uevent`.
pub(super) const ONLY: &[Attribute] = &[rw("uevent", show, store)];

/// Modules: write-only.
pub(super) const MODULE: &[Attribute] = &[wo("uevent", store)];

/// What the events of a directory are about.
fn subject(dir: Dir, object: &Object) -> Option<Subject> {
    Some(match (dir, object) {
        (Dir::Card(..), Object::Card(card, state)) => card.subject(state.driver),
        (Dir::Queue(..), Object::Queue(queue, state)) => queue.subject(state.driver),
        (Dir::Mdev(_), Object::Mdev(mdev)) => Subject::Mdev {
            id: mdev.id,
            uuid: mdev.uuid,
            bound: mdev.phase == ap_host::vfio_ap::MdevPhase::Live,
        },
        (Dir::MdevVfioDevice(_), Object::Mdev(mdev)) => {
            Subject::VfioDevice { id: mdev.id, uuid: mdev.uuid, number: mdev.vfio_device }
        }
        (Dir::VfioGroup(_), Object::Mdev(mdev)) => {
            Subject::VfioGroup { id: mdev.id, number: mdev.vfio_group, iommu_group: mdev.iommu_group }
        }
        (Dir::Matrix, _) => Subject::Matrix { bound: true },
        (Dir::DevicesAp, _) => Subject::ApRoot,
        (Dir::DevicesVfioAp, _) => Subject::VfioRoot,
        (Dir::Z90crypt, _) => Subject::Z90crypt,
        (Dir::ZcryptNode(_), Object::ZcryptNode(node)) => node.subject(),
        (Dir::BusAp, _) => Subject::Bus("ap"),
        (Dir::BusMatrix, _) => Subject::Bus("matrix"),
        (Dir::BusMdev, _) => Subject::Bus("mdev"),
        (Dir::ApDriver(driver), _) => Subject::Driver { bus: "ap", name: driver.name() },
        (Dir::MatrixDriver, _) => Subject::Driver { bus: "matrix", name: "vfio_ap" },
        (Dir::MdevDriver, _) => Subject::Driver { bus: "mdev", name: "vfio_ap_mdev" },
        (Dir::Module(module), _) => Subject::Module(module.name()),
        _ => return None,
    })
}

/// The variables of a `change` event, a line each.
pub(super) fn show(_: &Tree, dir: Dir, object: &Object, _: Root, _: &dyn Sink) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    if let Some(subject) = subject(dir, object) {
        subject.variables(Action::Change, |key, value| text.push_str(&format!("{key}={value}\n")));
    }
    Ok(text.into_bytes())
}

/// Sends a synthetic event.
pub(super) fn store(
    _: &Tree,
    dir: Dir,
    object: &Object,
    data: &[u8],
    _: Root,
    out: &dyn Sink,
) -> Result<(), Errno> {
    let (action, extra) = device_name(data).and_then(parse).ok_or(Errno::EINVAL)?;
    let subject = subject(dir, object).ok_or(Errno::EINVAL)?;
    out.event(Event::Uevent(Uevent { action, subject, extra }));
    Ok(())
}

fn parse(text: &str) -> Option<(Action, Vec<(String, String)>)> {
    let mut words = text.split(' ');
    let action = Action::from_word(words.next()?)?;
    let Some(id) = words.next() else { return Some((action, vec![("SYNTH_UUID".into(), "0".into())])) };
    uuid(id.as_bytes()).ok().filter(|_| id.len() == 36)?;
    let mut extra = vec![("SYNTH_UUID".to_owned(), id.to_owned())];
    for word in words {
        let (key, value) = word.split_once('=')?;
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain(key) || !plain(value) {
            return None;
        }
        extra.push((format!("SYNTH_ARG_{key}"), value.to_owned()));
    }
    Some((action, extra))
}
