//! Whoever caches names is told of every name that comes or goes.

mod support;

use std::collections::BTreeMap;

use ap_sysfs::{Change, Filesystem, Ino, Kind, ROOT};
use support::Rig;

/// Every name below `/sys` by its directory, with its node, its kind and what a link says.
fn names(rig: &mut Rig) -> BTreeMap<(Ino, String), (Ino, Kind, String)> {
    let mut found = BTreeMap::new();
    let mut todo = vec![ROOT];
    while let Some(dir) = todo.pop() {
        for entry in rig.session.entries(dir).unwrap() {
            let target = match entry.kind {
                Kind::Link => rig.session.readlink(entry.ino).unwrap(),
                Kind::Directory | Kind::File => String::new(),
            };
            if entry.kind == Kind::Directory {
                todo.push(entry.ino);
            }
            found.insert((dir, entry.name), (entry.ino, entry.kind, target));
        }
    }
    found
}

/// Does what a line says, and asks for the changes: each name that is new must be among those that appeared, each that
/// is gone (or leads elsewhere) among those that are gone, but for what went with its directory.
fn check(rig: &mut Rig, line: &str) {
    let before = names(rig);
    rig.run(line);
    rig.pass(500);
    let changes = rig.session.changes();
    let after = names(rig);
    let directories: Vec<Ino> = before.values().map(|(ino, ..)| *ino).chain([ROOT]).collect();
    for ((parent, name), _) in after.iter().filter(|(key, _)| !before.contains_key(key)) {
        let told = Change::Appeared { parent: *parent, name: name.clone() };
        assert!(!directories.contains(parent) || changes.contains(&told), "{line}: {name} appears");
    }
    let remain: Vec<Ino> = after.values().map(|(ino, ..)| *ino).chain([ROOT]).collect();
    for ((parent, name), was) in before.iter().filter(|(key, was)| after.get(key) != Some(was)) {
        let (ino, kind, _) = was;
        let directory = *kind == Kind::Directory;
        let told = Change::Gone { parent: *parent, name: name.clone(), ino: *ino, directory };
        assert!(!remain.contains(parent) || changes.contains(&told), "{line}: {name} goes");
    }
    for change in &changes {
        if let Change::Gone { parent, name, ino, directory: true } = change {
            let key = (*parent, name.clone());
            assert!(after.get(&key).is_none_or(|(now, ..)| now != ino), "{line}: {name} is still there");
        }
    }
}

#[test]
fn every_name_that_comes_or_goes_is_told() {
    let mut rig = Rig::boot(support::SMALL, "apmask=+10");
    rig.session.changes();
    for line in [
        "TYPE/create <- $M1",
        "TYPE/create <- $M2",
        "TYPE/create <- $M3",
        "M1/assign_adapter <- 4",
        "M1/assign_domain <- 6",
        "open 1 g1",
        "close 1",
        "guest make gz noapcb\nopen 2 gz",
        "M2/remove <<- 1",
        "close 2\ndone",
        "/sys/bus/mdev/drivers/vfio_ap_mdev/unbind <- $M3",
        "M3/remove <- 1",
        "AP/drivers/cex4queue/unbind <- 0a.0006",
        "AP/drivers/cex4queue/bind <- 0a.0006",
        "AP/drivers/cex4card/unbind <- card0a",
        "AP/drivers_probe <- card0a",
        "AP/apmask <- -10",
        "AP/apmask <- +10",
        "/sys/class/zcrypt/create <- my",
        "/sys/class/zcrypt/destroy <- my",
        "hw apm -10\nAP/scans <- 1",
        "hw apm +10\nAP/scans <- 1",
        "hw aqm -71\nAP/scans <- 1",
        "hw ap 10 type=14 mode=cca\nAP/scans <- 1",
        "unload zcrypt_cex4",
        "unload zcrypt",
        "load zcrypt",
        "load zcrypt_cex4",
        "unload vfio_ap",
        "unload mdev",
        "unload zcrypt_cex4\nunload zcrypt\nunload ap",
        "load ap",
        "load mdev",
        "load vfio_ap",
    ] {
        check(&mut rig, line);
    }
}
