//! Character devices: which there are, and what ioctl(2) answers.
//!
//! Numbers, structures and meanings are those of the user API's headers (`asm/zcrypt.h`, `linux/vfio.h`). Questions
//! about the machine's cards and queues are answered; a request to a card is refused as one is that no card takes
//! (`ENODEV`), and of VFIO there is only what asks for its version: no memory is mapped, and no device handed out.

use ap_bus::device::{Card, QueueDevice};
use ap_bus::registry::Registry;
use ap_bus::zcdn::ZcryptNode;
use ap_host::module::Module;
use ap_types::{AdapterId, Mode};
use std::sync::Arc;

use crate::attributes::{card, queue};
use crate::errno::Errno;
use crate::front::{Device, DeviceNumber};
use crate::object::Object;
use crate::objects::card::CardView;
use crate::objects::queue::QueueView;
use crate::tree::{Root, Tree};

/// All character devices.
pub(crate) fn all(tree: &Tree, held: Root) -> Vec<Device> {
    let mut devices = vec![device(DeviceNumber::VFIO_CONTAINER, "vfio/vfio", 0o666)];
    if tree.host.loaded(held).has(Module::Zcrypt) {
        devices.push(device(DeviceNumber::Z90CRYPT, "z90crypt", 0o666));
    }
    tree.host.vfio.read(held, |mdevs| {
        for mdev in mdevs.list.values().filter(|mdev| !mdev.life.is_unbound()) {
            let number = mdev.groups.vfio_group;
            devices.push(device(DeviceNumber::vfio_group(number), format!("vfio/{number}"), 0o600));
        }
    });
    tree.host.bus.read(held, |registry| {
        for node in &registry.zcrypt_nodes.list {
            devices.push(device(DeviceNumber::zcrypt_node(node.minor), node.name.clone(), 0o600));
        }
    });
    devices
}

fn device(number: DeviceNumber, name: impl Into<String>, mode: u16) -> Device {
    Device { number, name: name.into(), mode }
}

/// What a device answers to a request; `ENODEV` if it is gone, `ENOTTY` if it has no such request.
pub(crate) fn ioctl(tree: &Tree, number: DeviceNumber, request: u32, held: Root) -> Result<Vec<u8>, Errno> {
    if !all(tree, held).iter().any(|device| device.number == number) {
        return Err(Errno::ENODEV);
    }
    if number == DeviceNumber::VFIO_CONTAINER {
        return vfio(request);
    }
    if number == DeviceNumber::vfio_group(number.minor) {
        return Err(Errno::ENOTTY);
    }
    if number != DeviceNumber::Z90CRYPT {
        let of_number = |node: &&ZcryptNode| node.minor == number.minor;
        let mask =
            |registry: &Registry| registry.zcrypt_nodes.list.iter().find(of_number).map(|n| n.ioctlmask);
        let mask = tree.host.bus.look(held, mask).ok_or(Errno::ENODEV)?;
        if !mask.contains(AdapterId(request as u8)) {
            return Err(Errno::EPERM);
        }
    }
    zcrypt(tree, request, held)
}

/// `VFIO_GET_API_VERSION` (version 0) and `VFIO_CHECK_EXTENSION` (none).
fn vfio(request: u32) -> Result<Vec<u8>, Errno> {
    const VERSION: u32 = (b';' as u32) << 8 | 100;
    const EXTENSION: u32 = VERSION + 1;
    match request {
        VERSION | EXTENSION => Ok(Vec::new()),
        _ => Err(Errno::ENOTTY),
    }
}

/// The zcrypt interface's requests, by what the letter `z` and a number mean; the sizes that some of them encode in
/// it follow from the number.
fn zcrypt(tree: &Tree, request: u32, held: Root) -> Result<Vec<u8>, Errno> {
    if request >> 8 & 0xff != u32::from(b'z') {
        return Err(Errno::ENOTTY);
    }
    match request as u8 {
        // RSA, CCA and EP11 requests.
        0x04..=0x06 | 0x81 => Err(Errno::ENODEV),
        // Requests that wait, that a card has; how often the device is open.
        0x44 | 0x45 => Ok(0_i32.to_ne_bytes().to_vec()),
        0x46 => Ok(1_i32.to_ne_bytes().to_vec()),
        0x47 => {
            let domain = tree.host.bus.look(held, |registry| registry.default_domain);
            Ok(domain.map_or(-1, i32::from).to_ne_bytes().to_vec())
        }
        0x48 => Ok(status_mask(tree, 64, held)),
        0x49 => Ok(vec![0; 64]),
        0x4a => Ok(vec![0; 64 * size_of::<i32>()]),
        0x4f => Ok(matrix(tree, 64, 14, held)),
        0x58 => Ok(status_mask(tree, 256, held)),
        0x59 => Ok(vec![0; 256]),
        0x5a => Ok(vec![0; 256 * size_of::<i32>()]),
        0x5f => Ok(matrix(tree, 256, 16, held)),
        _ => Err(Errno::ENOTTY),
    }
}

fn view(device: &Arc<QueueDevice>, held: Root) -> QueueView {
    let state = device.state.lock(held).0.clone();
    QueueView { device: device.clone(), state }
}

/// Whether the host can use a queue: its driver has it, and both it and its card are on.
fn is_usable(tree: &Tree, device: &Arc<QueueDevice>, held: Root) -> bool {
    let own = view(device, held);
    let on = own.is_hosts() && queue::is_online(&own);
    on && CardView::find(tree, own.card(), held).is_some_and(|view| card::is_online(&view))
}

/// A byte for each of the first `cards` adapters: the type that programs know, or that it is disabled.
fn status_mask(tree: &Tree, cards: usize, held: Root) -> Vec<u8> {
    const DISABLED: u8 = 0x0d;
    let domain = tree.host.bus.look(held, |registry| registry.default_domain);
    let mut mask = vec![0; cards];
    for device in tree.host.bus.queues_in_order(held) {
        let adapter = usize::from(device.apqn.adapter.0);
        if adapter < cards && Some(device.apqn.domain.0) == domain {
            mask[adapter] =
                if is_usable(tree, &device, held) { known_type(device.card.hwtype) } else { DISABLED };
        }
    }
    mask
}

/// The type that programs know a card by: newer ones are CEX6 to them.
fn known_type(hwtype: u8) -> u8 {
    hwtype.min(0x0c)
}

/// The functions of a card: a CCA coprocessor, an accelerator, an EP11 coprocessor.
fn functions(card: &Card) -> u32 {
    match card.mode {
        Mode::Cca => 0b100,
        Mode::Accelerator => 0b010,
        Mode::Ep11 => 0b001,
        Mode::None => 0,
    }
}

/// A word for each queue of the first `cards` adapters, 256 each: type (8 bits), number (so many bits), whether it is
/// online, functions (6 bits), as the compiler lays bit fields out on this machine.
fn matrix(tree: &Tree, cards: usize, id_bits: u32, held: Root) -> Vec<u8> {
    let mut matrix = vec![0; cards * 256 * size_of::<u32>()];
    for device in tree.host.bus.queues_in_order(held) {
        let apqn = device.apqn;
        let place = usize::from(apqn.adapter.0) * 256 + usize::from(apqn.domain.0);
        let online = is_usable(tree, &device, held);
        let id = u32::from(apqn.to_u16()) & ((1 << id_bits) - 1);
        let fields = [
            (u32::from(device.card.hwtype), 8),
            (id, id_bits),
            (u32::from(online), 1),
            (functions(&device.card), 6),
        ];
        if let Some(word) = matrix.get_mut(place * 4..place * 4 + 4) {
            word.copy_from_slice(&bit_fields(&fields, cfg!(target_endian = "big")).to_ne_bytes());
        }
    }
    matrix
}

/// A word of bit fields, the first in the lowest bits, or in the highest.
fn bit_fields(fields: &[(u32, u32)], from_above: bool) -> u32 {
    let (mut word, mut used) = (0, 0);
    for (value, bits) in fields {
        used += bits;
        word |= value << if from_above { 32 - used } else { used - bits };
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::{Called, Filesystem};
    use crate::session::Session;

    const fn z(number: u32) -> u32 {
        3 << 30 | (b'z' as u32) << 8 | number
    }

    fn booted() -> Session {
        let mut session = Session::new();
        for command in ["ap 4 type=14 mode=ep11", "ap 10 type=13 mode=cca", "apm 4,10", "aqm 6,71"] {
            session.machine(command).expect("a command");
        }
        for module in ["ap", "zcrypt", "zcrypt_cex4", "mdev", "vfio_ap"] {
            session.insmod(module, "").expect("it loads");
            session.advance(500);
        }
        session
    }

    #[test]
    fn bit_fields_are_where_the_compiler_puts_them() {
        let fields = [(0x0e, 8), (0x0406, 16), (1, 1), (0b100, 6)];
        assert_eq!(bit_fields(&fields, false), 0x0e | 0x0406 << 8 | 1 << 24 | 0b100 << 25);
        assert_eq!(bit_fields(&fields, true), 0x0e << 24 | 0x0406 << 8 | 1 << 7 | 0b100 << 1);
    }

    #[test]
    fn status_is_the_machines() {
        let mut session = booted();
        let z90crypt = DeviceNumber::Z90CRYPT;
        let matrix = session.ioctl(z90crypt, z(0x5f), &[]).expect("it answers");
        assert_eq!(matrix.len(), 1 << 18);
        let words: Vec<usize> =
            (0..1 << 16).filter(|place| matrix[place * 4..place * 4 + 4] != [0; 4]).collect();
        assert_eq!(words, [0x0406, 0x0447, 0x0a06, 0x0a47]);
        let mask = session.ioctl(z90crypt, z(0x58), &[]).expect("it answers");
        assert_eq!((mask[4], mask[10], mask[5]), (0x0c, 0x0c, 0));
        for request in [4, 5, 6, 0x81] {
            assert_eq!(session.ioctl(z90crypt, z(request), &[]), Err(Errno::ENODEV));
        }
        assert_eq!(session.ioctl(z90crypt, 0x5401, &[]), Err(Errno::ENOTTY));
        for module in ["zcrypt_cex4", "zcrypt"] {
            session.rmmod(module).expect("it unloads");
        }
        assert_eq!(session.ioctl(z90crypt, z(0x58), &[]), Err(Errno::ENODEV));
    }

    #[test]
    fn a_node_takes_what_its_mask_says() {
        let mut session = booted();
        let create = session.resolve("/sys/class/zcrypt/create").expect("it is there").ino;
        assert_eq!(session.store(create, b"my"), Called::Done(Ok(2)));
        let node = session.devices().into_iter().find(|device| device.name == "my").expect("a node").number;
        assert_eq!(session.ioctl(node, z(0x58), &[]), Err(Errno::EPERM));
        let mask = session.resolve("/sys/class/zcrypt/my/ioctlmask").expect("it is there").ino;
        assert_eq!(session.store(mask, b"+0x58"), Called::Done(Ok(5)));
        assert_eq!(session.ioctl(node, z(0x58), &[]).map(|mask| mask.len()), Ok(256));
        assert_eq!(session.ioctl(node, z(0x5f), &[]), Err(Errno::EPERM));
    }
}
