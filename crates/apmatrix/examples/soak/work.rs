//! What the workers do, over and over, and the ends that it may have. Each has its own adapters, mdevs and files, so
//! that what it changed must be as it says; only readers meet everything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use crate::load::Worker;

const APMASK: &str = "/sys/bus/ap/apmask";
const AQMASK: &str = "/sys/bus/ap/aqmask";
const BUS: &str = "/sys/bus/ap/devices";
const CARDS: &str = "/sys/devices/ap";
const MATRIX: &str = "/sys/devices/vfio_ap/matrix";
const CREATE: &str = "/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create";
const HW: &str = "/sys/kernel/debug/apmatrix/hw";
const GUESTS: &str = "/sys/kernel/debug/apmatrix/guests";

const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;
const ENODEV: i32 = 19;
const EISDIR: i32 = 21;
const EINVAL: i32 = 22;
const ENOTDIR: i32 = 20;
const EADDRINUSE: i32 = 98;
const EADDRNOTAVAIL: i32 = 99;

/// Work: one round of it.
pub type Work = fn(&mut Worker);

/// All workers, by the names of their threads.
pub const WORKERS: [(&str, Work); 9] = [
    ("reader", reader),
    ("second reader", reader),
    ("masks", masks),
    ("mdevs", |worker| mdevs(worker, 0, 1)),
    ("more mdevs", |worker| mdevs(worker, 2, 3)),
    ("guests", guests),
    ("operator", operator),
    ("listener", listener),
    ("short-lived", short_lived),
];

fn store(path: impl AsRef<Path>, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    // One write(2), whose errno counts.
    file.write(text.as_bytes()).map(drop)
}

fn names(directory: &str) -> io::Result<Vec<String>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn exists(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Looks at everything below the directories that matter; what goes meanwhile may be absent.
fn reader(worker: &mut Worker) {
    for top in [CARDS, "/sys/devices/vfio_ap", "/sys/bus/ap", "/sys/kernel/debug/apmatrix"] {
        walk(worker, top);
    }
}

fn walk(worker: &mut Worker, directory: &str) {
    const GONE: &[i32] = &[ENOENT, ENODEV];
    let Ok(entries) = worker.try_one(directory, GONE, || names(directory)) else { return };
    for name in entries {
        let path = format!("{directory}/{name}");
        let Ok(metadata) = worker.try_one(&path, GONE, || fs::symlink_metadata(&path)) else { continue };
        if metadata.is_dir() {
            walk(worker, &path);
        } else if metadata.is_symlink() {
            let _ = worker.try_one(&path, GONE, || fs::read_link(&path));
        } else if metadata.mode() & 0o444 == 0 {
            // A name may have gone, and come again as something else.
            if worker.try_one(&path, &[EACCES, ENOENT, ENODEV], || File::open(&path)).is_ok() {
                worker.must(false, &format!("{path} of mode 0200 was opened for reading"));
            }
        } else {
            let _ = worker.try_one(&path, GONE, || fs::read(&path));
        }
    }
}

/// Masks to and fro: of an adapter that nobody assigns, and of one that an mdev may have; and nonsense.
fn masks(worker: &mut Worker) {
    let (free, contended) = (6, 2 + worker.random(2));
    for text in [format!("-{free}"), format!("+{free}")] {
        let _ = worker.try_one("apmask of a free adapter", &[], || store(APMASK, &text));
        let _ = worker.try_one("apmask", &[], || fs::read(APMASK));
    }
    let _ =
        worker.try_one("apmask of an assigned adapter", &[EBUSY], || store(APMASK, &format!("+{contended}")));
    let _ = worker.try_one("apmask of an adapter", &[], || store(APMASK, &format!("-{contended}")));
    let _ = worker.try_one("aqmask", &[EBUSY], || store(AQMASK, "-200"));
    let _ = worker.try_one("aqmask", &[EBUSY], || store(AQMASK, "+200"));
    let scan = |file: &str| store(format!("/sys/bus/ap/{file}"), "1");
    let _ = worker.try_one("a scan", &[], || scan("scans"));
    for bad in ["xyz", "+5x", "-256", "0x1g", ","] {
        worker.must_fail(&format!("apmask {bad}"), EINVAL, || store(APMASK, bad));
    }
    worker.must_fail("writing a 0444 file", EACCES, || store("/sys/bus/ap/features", "1"));
    worker.must_fail("writing what is not there", ENOENT, || store("/sys/bus/ap/no_such", "1"));
    worker.must_fail("a name below a file", ENOTDIR, || store("/sys/bus/ap/features/x", "1"));
    worker.must_fail("writing a directory", EISDIR, || store(BUS, "1"));
}

/// An mdev's whole life, on two adapters of its own.
fn mdevs(worker: &mut Worker, one: u8, other: u8) {
    const TAKEN: &[i32] = &[EADDRNOTAVAIL, EADDRINUSE];
    let uuid = format!("a0000000-0000-4000-8000-{:012x}", u64::from(one) << 32 | worker.random(1000));
    let path = format!("{MATRIX}/{uuid}");
    let at = |file: &str| format!("{path}/{file}");
    for adapter in [one, other] {
        let _ = worker.try_one("apmask", &[], || store(APMASK, &format!("-{adapter}")));
    }
    if worker.try_one("create", &[], || store(CREATE, &uuid)).is_err() {
        return;
    }
    worker.must(exists(&path), "a new mdev is there");
    let listed = |worker: &mut Worker| worker.try_one(MATRIX, &[], || names(MATRIX)).unwrap_or_default();
    let new = listed(worker);
    worker.must(new.contains(&uuid), "a new mdev is listed");
    worker.must_fail("create again", 17, || store(CREATE, &uuid));
    let Ok(mut open) = worker.try_one("matrix", &[], || File::open(at("matrix"))) else { return };
    let _ = worker.try_one("chmod", &[], || {
        fs::set_permissions(at("assign_adapter"), fs::Permissions::from_mode(0o220))
    });
    for round in 0..6 {
        let (adapter, domain) = (if worker.random(2) == 0 { one } else { other }, [4, 6, 22][round / 2]);
        let verb = if worker.random(4) == 0 { "unassign" } else { "assign" };
        let _ = worker
            .try_one("an adapter", TAKEN, || store(at(&format!("{verb}_adapter")), &adapter.to_string()));
        let _ =
            worker.try_one("a domain", TAKEN, || store(at(&format!("{verb}_domain")), &domain.to_string()));
        let control = || store(at(&format!("{verb}_control_domain")), "0x17");
        let _ = worker.try_one("a control domain", &[], control);
        let mut text = String::new();
        let _ = worker.try_one("matrix, from the start", &[], || {
            let mut bytes = [0; 4096];
            let length = open.read_at(&mut bytes, 0)?;
            text.push_str(&String::from_utf8_lossy(&bytes[..length]));
            Ok(())
        });
        worker.must(text.lines().all(|line| line.len() <= 7), "the matrix has queues");
        let _ = worker.try_one("guest_matrix", &[], || fs::read(at("guest_matrix")));
    }
    worker.must_fail("an adapter of the host", EADDRNOTAVAIL, || {
        store(at("assign_domain"), "4")?;
        store(at("assign_adapter"), "4")
    });
    worker.must_fail("no number", EINVAL, || store(at("assign_adapter"), "four"));
    worker.must_fail("a domain too high", ENODEV, || store(at("assign_domain"), "85"));
    let _ = worker.try_one("remove", &[], || store(at("remove"), "1"));
    worker.must(!exists(&path), "a removed mdev is gone");
    let left = listed(worker);
    worker.must(!left.contains(&uuid), "a removed mdev is not listed");
    worker.must_fail("an open file of a removed mdev", ENODEV, || open.read(&mut [0; 64]));
}

/// A guest's life, and a removal that waits for its end.
fn guests(worker: &mut Worker) {
    let uuid = format!("b0000000-0000-4000-8000-{:012x}", worker.random(1000));
    let path = format!("{MATRIX}/{uuid}");
    if worker.try_one("create", &[], || store(CREATE, &uuid)).is_err() {
        return;
    }
    let _ = worker.try_one("assign", &[], || store(format!("{path}/assign_domain"), "23"));
    let _ = worker.try_one("start", &[], || store(GUESTS, &format!("start soak {uuid}")));
    worker.must_fail("a second guest", EBUSY, || store(GUESTS, &format!("start second {uuid}")));
    let _ = worker.try_one("reset", &[], || store(GUESTS, "reset soak"));
    let _ = worker.try_one("guest_matrix", &[], || fs::read(format!("{path}/guest_matrix")));
    let _ = worker.try_one("state", &[], || fs::read("/sys/kernel/debug/apmatrix/state"));
    if worker.random(2) == 0 {
        let _ = worker.try_one("stop", &[], || store(GUESTS, "stop soak"));
        let _ = worker.try_one("remove", &[], || store(format!("{path}/remove"), "1"));
    } else {
        let remove = format!("{path}/remove");
        let waits = std::thread::spawn(move || store(remove, "1"));
        while exists(&path) {
            std::thread::sleep(Duration::from_millis(2));
        }
        worker.must(!waits.is_finished(), "a removal waits for the guest");
        let _ = worker.try_one("stop", &[], || store(GUESTS, "stop soak"));
        let _ = worker.try_one("the removal that waited", &[], || waits.join().expect("it does not panic"));
    }
    worker.must(!exists(&path), "a removed mdev is gone");
    std::thread::sleep(Duration::from_millis(50));
}

/// Hot plug of adapters and domains, faults and changes of types; what came and went must be seen at once.
fn operator(worker: &mut Worker) {
    let adapter = if worker.random(3) == 0 { worker.random(4) } else { 7 };
    let (card, queue) = (format!("card{adapter:02x}"), format!("{adapter:02x}.0004"));
    let path = format!("{CARDS}/{card}");
    let there = |worker: &mut Worker, yes: bool, what: &str| {
        let listed = |worker: &mut Worker, directory: &str| {
            worker.try_one(directory, &[], || names(directory)).unwrap_or_default()
        };
        let (cards, devices) = (listed(worker, CARDS), listed(worker, BUS));
        worker.must(exists(&path) == yes, &format!("{what}: {path}"));
        worker.must(exists(&format!("{BUS}/{queue}")) == yes, &format!("{what}: {queue}"));
        worker.must(cards.contains(&card) == yes, &format!("{what}: the list of cards"));
        worker.must(devices.contains(&queue) == yes, &format!("{what}: the list of queues"));
    };
    let Ok(mut open) = worker.try_one("hwtype", &[], || File::open(format!("{path}/hwtype"))) else { return };
    let _ = worker.try_one("unplug", &[], || store(HW, &format!("unplug {adapter}")));
    there(worker, false, "unplugged");
    worker.must_fail("an open file of an unplugged card", ENODEV, || open.read(&mut [0; 64]));
    let _ = worker.try_one("plug", &[], || store(HW, &format!("plug {adapter}")));
    there(worker, true, "plugged");
    worker.must_fail("an open file of a card that came again", ENODEV, || open.read(&mut [0; 64]));
    for line in [
        format!("deconfigure {adapter}"),
        format!("configure {adapter}"),
        format!("checkstop {adapter}"),
        format!("repair {adapter}"),
        format!("fault {adapter:02x}.0004 busy=2"),
        "unplug .71".to_owned(),
        "plug .71".to_owned(),
        "control unplug 52".to_owned(),
        "control plug 52".to_owned(),
        "type 5 CEX7C".to_owned(),
        "type 5 CEX8A".to_owned(),
    ] {
        let _ = worker.try_one(&line, &[], || store(HW, &line));
    }
    worker.must_fail("no verb", EINVAL, || store(HW, "explode 7"));
    let _ = worker.try_one("last_error", &[], || fs::read("/sys/kernel/debug/apmatrix/last_error"));
    std::thread::sleep(Duration::from_millis(50));
}

/// Hears the device events of both groups, for a second; then listens anew.
fn listener(worker: &mut Worker) {
    let socket = |group: u32| -> rustix::io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(KOBJECT_UEVENT))?;
        bind(&socket, &SocketAddrNetlink::new(0, group))?;
        Ok(socket)
    };
    let sockets: Vec<OwnedFd> = (1..=2).map(|group| socket(group).expect("a socket")).collect();
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(50));
        for socket in &sockets {
            loop {
                match recv(socket, &mut [0; 8192][..], RecvFlags::DONTWAIT) {
                    Ok(_) => worker.shared().uevents.fetch_add(1, Ordering::Relaxed),
                    // More came than fits, which a listener has to live with.
                    Err(Errno::NOBUFS) => continue,
                    Err(_) => break,
                };
            }
        }
    }
}

/// A process that reads and writes, and is killed in the middle.
fn short_lived(worker: &mut Worker) {
    std::thread::sleep(Duration::from_millis(900));
    let start = || {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("once").stdin(Stdio::null()).stdout(Stdio::null()).spawn()
    };
    let Ok(mut child) = worker.try_one("a process", &[], start) else { return };
    std::thread::sleep(Duration::from_micros(worker.random(60_000)));
    let _ = worker.try_one("its end", &[], || {
        child.kill()?;
        child.wait()
    });
}

/// That process: it writes what changes nothing, and lists.
pub fn once() -> ExitCode {
    loop {
        let _ = store(APMASK, "-0");
        let _ = store("/sys/bus/ap/scans", "1");
        for directory in [CARDS, BUS, MATRIX] {
            for name in names(directory).unwrap_or_default() {
                let _ = fs::read(format!("{directory}/{name}/uevent"));
            }
        }
    }
}
