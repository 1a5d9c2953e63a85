//! Everything that a tree shows, as text: names, kinds, modes, link targets and values, at several stages of a host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ap_sysfs::{Called, Entry, Filesystem, Ino, Kind, ROOT, Session};

const TYPE: &str = "/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough";

fn uuid(n: u32) -> String {
    format!("a0000000-0000-4000-8000-00000000000{n}")
}

fn store(session: &mut Session, path: &str, text: &str) {
    let entry = session.resolve_following(path).unwrap_or_else(|errno| panic!("{path}: {errno}"));
    match session.store_within(entry.ino, format!("{text}\n").as_bytes(), 300) {
        Called::Done(Ok(_)) | Called::Pending(_) => {}
        Called::Done(Err(errno)) => panic!("{path} <- {text}: {errno:?}"),
    }
    session.advance(200);
}

fn insmod(session: &mut Session, module: &str, parameters: &str) {
    session.insmod(module, parameters).expect("it loads");
    session.advance(500);
}

/// One entry: what is shown of it, and that its number leads back to it.
fn visit(session: &mut Session, dir: Ino, path: &str, entry: &Entry, text: &mut String) {
    assert_eq!(session.lookup(dir, &entry.name).as_ref(), Ok(entry), "{path}: lookup");
    assert_eq!(session.entry(entry.ino).as_ref(), Ok(entry), "{path}: entry");
    assert_eq!(session.parent(entry.ino), Ok(dir), "{path}: parent");
    let _ = write!(text, "{path} {:04o}", entry.mode);
    match entry.kind {
        Kind::Directory => text.push_str(" directory"),
        Kind::Link => {
            let target = session.readlink(entry.ino).unwrap_or_else(|errno| panic!("{path}: {errno}"));
            let _ = write!(text, " -> {target}");
            assert!(session.resolve_following(path).is_ok(), "{path} leads nowhere: {target}");
        }
        Kind::File if entry.mode & 0o400 != 0 => match session.show(entry.ino) {
            Called::Done(Ok(_)) if path.ends_with("/apmatrix/events") || path.ends_with("/apmatrix/log") => {}
            Called::Done(Ok(value)) => {
                let _ = write!(text, " = {:?}", String::from_utf8(value).expect("text"));
            }
            Called::Done(Err(errno)) => {
                let _ = write!(text, " ! {errno:?}");
            }
            Called::Pending(_) => panic!("{path} waits"),
        },
        Kind::File => {}
    }
    text.push('\n');
}

/// Everything below `/sys`, a line each, in the order of the entries; no number stands for two nodes.
pub fn census(session: &mut Session) -> String {
    let mut text = String::new();
    let mut seen: BTreeMap<Ino, String> = BTreeMap::from([(ROOT, "/sys".to_owned())]);
    let mut todo = vec![(ROOT, "/sys".to_owned())];
    while let Some((dir, at)) = todo.pop() {
        let entries = session.entries(dir).expect("it is there");
        assert!(entries.is_sorted_by(|a, b| a.name < b.name), "{at}: {entries:?}");
        for entry in entries {
            let path = format!("{at}/{}", entry.name);
            assert_eq!(seen.insert(entry.ino, path.clone()), None, "{path}: {:?}", entry.ino);
            visit(session, dir, &path, &entry, &mut text);
            if entry.kind == Kind::Directory {
                todo.push((entry.ino, path));
            }
        }
    }
    text
}

/// The stages of two hosts, each as what the tree shows then and did not show before, and the other way round.
pub fn stages() -> String {
    let mut text = String::new();
    plain(&mut text);
    secure(&mut text);
    text
}

/// Writes down what is different from the stage before, whose lines are in `known`.
fn stage(session: &mut Session, name: &str, known: &mut BTreeSet<String>, text: &mut String) {
    let now: BTreeSet<String> = census(session).lines().map(str::to_owned).collect();
    let _ = writeln!(text, "# {name}");
    known.difference(&now).for_each(|line| {
        let _ = writeln!(text, "- {line}");
    });
    now.difference(known).for_each(|line| {
        let _ = writeln!(text, "+ {line}");
    });
    *known = now;
}

/// A host with mdevs in every phase of their life, guests, and devices in every state.
fn plain(text: &mut String) {
    let mut known = BTreeSet::new();
    let mut session = Session::new();
    stage(&mut session, "nothing is loaded", &mut known, text);
    for command in [
        "ap 4 type=14 mode=ep11 serial=93AADX04",
        "ap 5 type=14 mode=accel",
        "ap 10 type=13 mode=cca",
        "ap 11 type=13 mode=none",
        "ap 12 type=14 mode=cca deconf=1",
        "ap 13 type=14 mode=cca chkstop=1",
        "apm 4,5,10-13",
        "aqm 6,71",
        "adm 6,71",
    ] {
        session.machine(command).expect("a command");
    }
    insmod(&mut session, "ap", "apmask=+10-13 domain=6");
    stage(&mut session, "ap is loaded", &mut known, text);
    insmod(&mut session, "zcrypt", "");
    insmod(&mut session, "zcrypt_cex4", "");
    stage(&mut session, "the host's drivers are loaded", &mut known, text);
    insmod(&mut session, "mdev", "");
    insmod(&mut session, "vfio_ap", "");
    store(&mut session, "/sys/class/zcrypt/create", "");
    store(&mut session, "/sys/class/zcrypt/create", "my");
    for n in 1..=5 {
        store(&mut session, &format!("{TYPE}/create"), &uuid(n));
    }
    store(&mut session, &format!("{TYPE}/devices/{}/assign_adapter", uuid(1)), "4");
    store(&mut session, &format!("{TYPE}/devices/{}/assign_domain", uuid(1)), "6");
    store(&mut session, &format!("{TYPE}/devices/{}/assign_control_domain", uuid(1)), "71");
    store(&mut session, &format!("{TYPE}/devices/{}/assign_adapter", uuid(2)), "5");
    session.guest_open(&uuid(1), "g1").expect("it opens");
    session.make_guest("gz", false);
    for n in [3, 4] {
        session.guest_open(&uuid(n), "gz").expect("it opens");
    }
    stage(&mut session, "all is loaded", &mut known, text);
    store(&mut session, "/sys/bus/mdev/drivers/vfio_ap_mdev/unbind", &uuid(2));
    store(&mut session, &format!("/sys/devices/vfio_ap/matrix/{}/remove", uuid(3)), "1");
    store(&mut session, "/sys/bus/mdev/drivers/vfio_ap_mdev/unbind", &uuid(4));
    store(&mut session, &format!("/sys/devices/vfio_ap/matrix/{}/remove", uuid(5)), "1");
    store(&mut session, "/sys/bus/ap/drivers/cex4queue/unbind", "0a.0006");
    store(&mut session, "/sys/bus/ap/drivers/vfio_ap/unbind", "05.0047");
    stage(&mut session, "some mdevs go", &mut known, text);
    for n in [1, 3, 4] {
        session.guest_close(&uuid(n)).expect("it closes");
        session.advance(200);
    }
    store(&mut session, "/sys/class/zcrypt/destroy", "my");
    stage(&mut session, "they are gone", &mut known, text);
    session.machine("apm -10").expect("a command");
    store(&mut session, "/sys/bus/ap/scans", "1");
    session.rmmod("vfio_ap").expect("it goes");
    session.advance(500);
    stage(&mut session, "vfio_ap is unloaded", &mut known, text);
    for module in ["mdev", "zcrypt_cex4", "zcrypt", "ap"] {
        session.rmmod(module).expect("it goes");
        session.advance(500);
    }
    stage(&mut session, "all is unloaded", &mut known, text);
}

/// A host under Secure Execution, with the whole parameters of `ap`.
fn secure(text: &mut String) {
    let mut known = BTreeSet::new();
    let mut session = Session::new();
    for command in [
        "qci na=63 nd=84 flags=0xc0800000",
        "opt se=1 fac65=1",
        "ap 4 type=14 mode=ep11",
        "apm 4",
        "aqm 6",
        "adm 6",
    ] {
        session.machine(command).expect("a command");
    }
    insmod(&mut session, "ap", "apmask=+4 aqmask=0xff useirq=1 poll_thread=1");
    for module in ["zcrypt", "zcrypt_cex4", "mdev", "vfio_ap"] {
        insmod(&mut session, module, "");
    }
    stage(&mut session, "Secure Execution", &mut known, text);
}
