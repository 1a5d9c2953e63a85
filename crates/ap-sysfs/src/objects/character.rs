//! All character devices by their numbers, as `/sys/dev/char` lists them.

use ap_host::module::Module;
use ap_task::{Subject, ZCRYPT_MAJOR};

use crate::front::DeviceNumber;
use crate::node::Key;
use crate::object::{Members, Object, PutMember};
use crate::objects::mdev::{MdevView, Mdevs};
use crate::objects::node;
use crate::tree::{Root, Tree};

/// They, of the kinds that [`CharacterDevices`] are listed as.
pub(crate) struct CharacterDevices;

const Z90CRYPT: u8 = 0;
const VFIO_CONTAINER: u8 = 1;
const VFIO_GROUP: u8 = 2;
const ZCRYPT_NODE: u8 = 3;

fn has_z90crypt(tree: &Tree, held: Root) -> bool {
    tree.host.loaded(held).has(Module::Zcrypt)
}

/// Takes the locks of the modules' state, M, and the registry's, for reading, one at a time.
impl Members for CharacterDevices {
    fn all(&self, tree: &Tree, holder: Key, held: Root, put: &mut PutMember) {
        if has_z90crypt(tree, held) {
            put(Z90CRYPT, DeviceNumber::Z90CRYPT.to_string(), Key::NONE);
        }
        put(VFIO_CONTAINER, DeviceNumber::VFIO_CONTAINER.to_string(), Key::NONE);
        Mdevs::VFIO_GROUPS.all(tree, holder, held, &mut |_, number, key| {
            if let Ok(number) = number.parse() {
                put(VFIO_GROUP, DeviceNumber::vfio_group(number).to_string(), key);
            }
        });
        tree.host.bus.read(held, |registry| {
            registry.zcrypt_nodes.list.iter().for_each(|node| {
                put(ZCRYPT_NODE, DeviceNumber::zcrypt_node(node.minor).to_string(), node::key(*node.id));
            });
        });
    }

    fn named(&self, tree: &Tree, holder: Key, name: &str, held: Root) -> Option<(u8, Key)> {
        let number = DeviceNumber::parse(name)?;
        if number == DeviceNumber::VFIO_CONTAINER {
            return Some((VFIO_CONTAINER, Key::NONE));
        }
        if number == DeviceNumber::Z90CRYPT {
            return has_z90crypt(tree, held).then_some((Z90CRYPT, Key::NONE));
        }
        if number == DeviceNumber::vfio_group(number.minor) {
            let group = Mdevs::VFIO_GROUPS.named(tree, holder, &number.minor.to_string(), held);
            return group.map(|(_, key)| (VFIO_GROUP, key));
        }
        let of_zcrypt = number.major == ZCRYPT_MAJOR;
        let found = of_zcrypt.then(|| {
            tree.host.bus.look(held, |registry| {
                let mut nodes = registry.zcrypt_nodes.list.iter();
                nodes.find(|node| node.minor == number.minor).map(|node| node::key(*node.id))
            })
        });
        found.flatten().map(|key| (ZCRYPT_NODE, key))
    }

    fn name(&self, tree: &Tree, _: Key, which: u8, key: Key, held: Root) -> Option<String> {
        let number = match which {
            Z90CRYPT => has_z90crypt(tree, held).then_some(DeviceNumber::Z90CRYPT)?,
            VFIO_CONTAINER => DeviceNumber::VFIO_CONTAINER,
            VFIO_GROUP => {
                let mdev = MdevView::find(tree, key, held).filter(MdevView::has_groups)?;
                DeviceNumber::vfio_group(mdev.groups.vfio_group)
            }
            _ => {
                let id = u32::try_from(key.0).ok()?;
                let minor =
                    |registry: &ap_bus::registry::Registry| registry.zcrypt_nodes.get(id).map(|n| n.minor);
                DeviceNumber::zcrypt_node(tree.host.bus.look(held, minor)?)
            }
        };
        Some(number.to_string())
    }

    /// A device that comes with a module has no event of its own here.
    fn called(&self, subject: &Subject) -> Option<String> {
        let number = match subject {
            Subject::Module(_) | Subject::Z90crypt => DeviceNumber::Z90CRYPT,
            Subject::VfioGroup { number, .. } => DeviceNumber::vfio_group(*number),
            Subject::ZcryptNode { minor, .. } => DeviceNumber::zcrypt_node(*minor),
            _ => return None,
        };
        Some(number.to_string())
    }
}
