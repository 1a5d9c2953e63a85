//! Which names there can be in a tree, for whoever checks a text for misspelt ones.

use ap_bus::device::DeviceName;

use crate::directories;
use crate::front::DeviceNumber;

/// All names that are the same in every tree, ascending: of directories, attributes and links. Made anew at each call:
/// who asks often keeps them.
#[must_use]
pub fn fixed() -> Vec<&'static str> {
    let rows = directories::all();
    let mut names: Vec<&'static str> = rows.iter().flat_map(|row| row.names()).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a name could be one of a device, an mdev or a group, or a device's number, whether or not it is there.
#[must_use]
pub fn varies(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let uuid = || name.len() == 36 && ap_types::grammar::uuid(name.as_bytes()).is_ok();
    DeviceName::parse(name).is_some()
        || DeviceNumber::parse(name).is_some()
        || uuid()
        || number(name)
        || name.strip_prefix("vfio").is_some_and(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::{Filesystem, Ino, Kind, ROOT};
    use crate::session::Session;

    fn crawl(session: &mut Session, dir: Ino, found: &mut Vec<String>) {
        for entry in session.entries(dir).expect("it is there") {
            if entry.kind == Kind::Directory {
                crawl(session, entry.ino, found);
            }
            found.push(entry.name);
        }
    }

    #[test]
    fn every_name_of_a_tree_is_known() {
        let mut session = Session::new();
        for command in ["ap 4 type=14 mode=ep11", "apm 4", "aqm 6"] {
            session.machine(command).expect("a command");
        }
        for module in ["ap", "zcrypt", "zcrypt_cex4", "mdev", "vfio_ap"] {
            session.insmod(module, "").expect("it loads");
            session.advance(500);
        }
        let create = "/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create";
        let create = session.resolve(create).expect("it is there").ino;
        let uuid = b"62177883-f1bb-47f0-914d-32a22e3a8804";
        assert_eq!(session.store(create, uuid), crate::front::Called::Done(Ok(36)));
        let mut found = Vec::new();
        crawl(&mut session, ROOT, &mut found);
        assert!(found.len() > 100);
        let known = fixed();
        for name in found {
            assert!(known.contains(&name.as_str()) || varies(&name), "{name}");
        }
    }

    #[test]
    fn names_are_known_or_vary() {
        for name in
            ["bus", "apmask", "assign_adapter", "create", "hw", "driver", "vfio_ap", "z90crypt", "status"]
        {
            assert!(fixed().contains(&name), "{name}");
        }
        for name in ["card04", "04.0047", "62177883-f1bb-47f0-914d-32a22e3a8804", "0", "vfio0"] {
            assert!(varies(name), "{name}");
        }
        assert!(!fixed().contains(&"apmsk") && !varies("assign_adaptor") && !varies("card4"));
    }
}
