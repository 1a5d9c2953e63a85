//! What the tools look for, row by row: path, mode, format; what they write, and the errors that they know.
//!
//! Against the tree of a booted machine in this process, without FUSE.

use ap_files::{MachineFile, boot};
use ap_sysfs::{Called, Errno, Filesystem, Kind, Session};

const UUID: &str = "a0000000-0000-4000-8000-000000000001";

fn machine(name: &str) -> Session {
    let machine = MachineFile::load(name).expect("a built-in machine");
    boot(&machine).expect("it boots")
}

fn read(session: &mut Session, path: &str) -> Result<String, Errno> {
    let entry = session.resolve_following(path)?;
    if entry.mode & 0o444 == 0 {
        return Err(Errno::EACCES);
    }
    match session.show(entry.ino) {
        Called::Done(data) => data.map(|data| String::from_utf8(data).expect("text")),
        Called::Pending(_) => Err(Errno::EAGAIN),
    }
}

fn write(session: &mut Session, path: &str, data: &str) -> Result<(), Errno> {
    let entry = session.resolve_following(path)?;
    if entry.mode & 0o222 == 0 {
        return Err(Errno::EACCES);
    }
    match session.store(entry.ino, data.as_bytes()) {
        Called::Done(stored) => stored.map(|count| assert_eq!(count, data.len(), "{path}")),
        Called::Pending(_) => Err(Errno::EAGAIN),
    }
}

/// A text in which `#` is a run of decimal digits, `%` one of hex digits in lower case, `@` one in upper case, and
/// `*` anything within a line.
fn matches(text: &str, pattern: &str) -> bool {
    let Some(mark) = pattern.chars().next() else { return text.is_empty() };
    let rest = &pattern[mark.len_utf8()..];
    let class: fn(char) -> bool = match mark {
        '#' => |c| c.is_ascii_digit(),
        '%' => |c| c.is_ascii_digit() || ('a'..='f').contains(&c),
        '@' => |c| c.is_ascii_digit() || ('A'..='F').contains(&c),
        '*' => |c| c != '\n',
        plain => return text.strip_prefix(plain).is_some_and(|text| matches(text, rest)),
    };
    let length = text.find(|c| !class(c)).unwrap_or(text.len());
    let least = usize::from(mark != '*');
    (least..=length).rev().any(|at| text.is_char_boundary(at) && matches(&text[at..], rest))
}

const MASK: &str = "0x%\n";

/// Path, mode, content.
const FILES: &[(&str, u16, &str)] = &[
    // The bus.
    ("bus/ap/apmask", 0o644, MASK),
    ("bus/ap/aqmask", 0o644, MASK),
    ("bus/ap/ap_domain", 0o644, "*\n"),
    ("bus/ap/ap_usage_domain_mask", 0o444, MASK),
    ("bus/ap/ap_control_domain_mask", 0o444, MASK),
    ("bus/ap/ap_adapter_mask", 0o444, MASK),
    ("bus/ap/features", 0o444, "APSC APXA QACT RC8A\n"),
    ("bus/ap/config_time", 0o644, "#\n"),
    ("bus/ap/poll_thread", 0o644, "#\n"),
    ("bus/ap/poll_timeout", 0o644, "#\n"),
    ("bus/ap/ap_interrupts", 0o444, "#\n"),
    ("bus/ap/ap_max_domain_id", 0o444, "#\n"),
    ("bus/ap/ap_max_adapter_id", 0o444, "#\n"),
    ("bus/ap/bindings", 0o444, "#/# (complete)\n"),
    ("bus/ap/scans", 0o644, "#\n"),
    // Cards: CCA, EP11, accelerator.
    ("devices/ap/card00/type", 0o444, "CEX8C\n"),
    ("devices/ap/card02/type", 0o444, "CEX8P\n"),
    ("devices/ap/card04/type", 0o444, "CEX8A\n"),
    ("devices/ap/card00/ap_functions", 0o444, "0x@\n"),
    ("devices/ap/card00/hwtype", 0o444, "14\n"),
    ("devices/ap/card00/raw_hwtype", 0o444, "#\n"),
    ("devices/ap/card00/depth", 0o444, "8\n"),
    ("devices/ap/card00/request_count", 0o644, "#\n"),
    ("devices/ap/card00/pendingq_count", 0o444, "#\n"),
    ("devices/ap/card00/requestq_count", 0o444, "#\n"),
    ("devices/ap/card00/load", 0o444, "#\n"),
    ("devices/ap/card00/max_msg_size", 0o444, "#\n"),
    ("devices/ap/card00/config", 0o644, "1\n"),
    ("devices/ap/card00/chkstop", 0o444, "0\n"),
    ("devices/ap/card00/online", 0o644, "1\n"),
    ("devices/ap/card00/modalias", 0o444, "ap:t0E\n"),
    (
        "devices/ap/card00/uevent",
        0o644,
        "DEVTYPE=ap_card\nDRIVER=cex4card\nDEV_TYPE=000E\nMODALIAS=ap:t0E\nMODE=cca\n",
    ),
    ("devices/ap/card00/serialnr", 0o444, "93AADX00*\n"),
    ("devices/ap/card02/serialnr", 0o444, "93AADX02*\n"),
    ("devices/ap/card02/API_ordinalnr", 0o444, "#\n"),
    ("devices/ap/card02/FW_version", 0o444, "#.#\n"),
    ("devices/ap/card02/op_modes", 0o444, "*\n"),
    // Queues.
    ("devices/ap/card00/00.0004/request_count", 0o644, "#\n"),
    ("devices/ap/card00/00.0004/requestq_count", 0o444, "#\n"),
    ("devices/ap/card00/00.0004/pendingq_count", 0o444, "#\n"),
    ("devices/ap/card00/00.0004/config", 0o444, "1\n"),
    ("devices/ap/card00/00.0004/chkstop", 0o444, "0\n"),
    ("devices/ap/card00/00.0004/reset", 0o644, "No Reset Timer set.\n"),
    ("devices/ap/card00/00.0004/interrupt", 0o444, "Interrupts enabled.\n"),
    ("devices/ap/card00/00.0004/ap_functions", 0o444, "0x@\n"),
    ("devices/ap/card00/00.0004/online", 0o644, "1\n"),
    ("devices/ap/card00/00.0004/load", 0o444, "#\n"),
    ("devices/ap/card00/00.0004/uevent", 0o644, "DEVTYPE=ap_queue\nDRIVER=cex4queue\nMODE=cca\n"),
    (
        "devices/ap/card00/00.0004/mkvps",
        0o444,
        "AES NEW: *\nAES CUR: valid 0x%\nAES OLD: *\nAPKA NEW: *\nAPKA CUR: valid 0x%\nAPKA OLD: *\n\
         ASYM NEW: *\nASYM CUR: valid 0x%\nASYM OLD: *\n",
    ),
    ("devices/ap/card02/02.0004/mkvps", 0o444, "WK CUR: valid 0x%\nWK NEW: empty -\n"),
    ("bus/ap/devices/card00/00.0004/online", 0o644, "1\n"),
    // vfio_ap and its mdev.
    ("class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/available_instances", 0o444, "#\n"),
    ("class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/device_api", 0o444, "vfio-ap\n"),
    (
        "class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/name",
        0o444,
        "VFIO AP Passthrough Device\n",
    ),
    ("devices/vfio_ap/matrix/features", 0o444, "guest_matrix hotplug ap_config\n"),
    ("devices/vfio_ap/matrix/uevent", 0o644, "DRIVER=vfio_ap\n"),
    ("bus/matrix/devices/matrix/features", 0o444, "*ap_config\n"),
    ("bus/mdev/devices/UUID/matrix", 0o444, ""),
    ("bus/mdev/devices/UUID/guest_matrix", 0o444, ""),
    ("bus/mdev/devices/UUID/control_domains", 0o444, ""),
    ("bus/mdev/devices/UUID/ap_config", 0o644, "0x%,0x%,0x%\n"),
    ("bus/mdev/devices/UUID/uevent", 0o644, "DRIVER=vfio_ap_mdev\n"),
    ("kernel/iommu_groups/0/devices/UUID/matrix", 0o444, ""),
];

/// Files that can only be written.
const STORES: &[&str] = &[
    "bus/ap/uevent",
    "bus/ap/drivers/cex4card/bind",
    "bus/ap/drivers/cex4queue/unbind",
    "bus/ap/drivers/vfio_ap/bind",
    "bus/ap/drivers/vfio_ap/uevent",
    "class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/create",
    "class/zcrypt/create",
    "class/zcrypt/destroy",
    "bus/mdev/devices/UUID/assign_adapter",
    "bus/mdev/devices/UUID/assign_control_domain",
    "bus/mdev/devices/UUID/assign_domain",
    "bus/mdev/devices/UUID/remove",
    "bus/mdev/devices/UUID/unassign_adapter",
    "bus/mdev/devices/UUID/unassign_control_domain",
    "bus/mdev/devices/UUID/unassign_domain",
];

const LINKS: &[(&str, &str)] = &[
    ("bus/ap/devices/card00", "../../../devices/ap/card00"),
    ("bus/ap/devices/00.0004", "../../../devices/ap/card00/00.0004"),
    ("devices/ap/card00/driver", "../../../bus/ap/drivers/cex4card"),
    ("devices/ap/card00/subsystem", "../../../bus/ap"),
    ("devices/ap/card00/00.0004/driver", "../../../../bus/ap/drivers/cex4queue"),
    ("devices/ap/card00/00.0004/subsystem", "../../../../bus/ap"),
    ("class/mdev_bus/matrix", "../../devices/vfio_ap/matrix"),
    ("bus/matrix/devices/matrix", "../../../devices/vfio_ap/matrix"),
    ("devices/vfio_ap/matrix/subsystem", "../../../bus/matrix"),
    ("devices/vfio_ap/matrix/driver", "../../../bus/matrix/drivers/vfio_ap"),
    ("devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/devices/UUID", "../../../UUID"),
    ("bus/mdev/devices/UUID", "../../../devices/vfio_ap/matrix/UUID"),
    ("devices/vfio_ap/matrix/UUID/mdev_type", "../mdev_supported_types/vfio_ap-passthrough"),
    ("devices/vfio_ap/matrix/UUID/driver", "../../../../bus/mdev/drivers/vfio_ap_mdev"),
    ("devices/vfio_ap/matrix/UUID/subsystem", "../../../../bus/mdev"),
    ("devices/vfio_ap/matrix/UUID/iommu_group", "../../../../kernel/iommu_groups/0"),
    ("kernel/iommu_groups/0/devices/UUID", "../../../../devices/vfio_ap/matrix/UUID"),
];

/// What tools write one after the other, and the answers.
const WRITES: &[(&str, &str, Result<(), Errno>)] = &[
    // chzcrypt: no newline.
    ("bus/ap/poll_thread", "0", Ok(())),
    ("bus/ap/config_time", "4", Err(Errno::EINVAL)),
    ("bus/ap/config_time", "121", Err(Errno::EINVAL)),
    ("bus/ap/config_time", "5", Ok(())),
    ("bus/ap/poll_timeout", "120000000001", Err(Errno::EINVAL)),
    ("bus/ap/poll_timeout", "120000000000", Ok(())),
    ("bus/ap/ap_domain", "85", Err(Errno::EINVAL)),
    ("bus/ap/ap_domain", "6", Ok(())),
    ("bus/ap/devices/card06/online", "0", Ok(())),
    ("bus/ap/devices/card06/06.0004/online", "1", Err(Errno::EINVAL)),
    ("bus/ap/devices/card06/online", "1", Ok(())),
    ("bus/ap/devices/card07/config", "0", Ok(())),
    ("bus/ap/devices/card07/config", "1", Ok(())),
    ("bus/ap/ap_interrupts", "1", Err(Errno::EACCES)),
    ("bus/ap/scans", "1", Ok(())),
    // avocado-vt: repeats of the same bit.
    ("bus/ap/apmask", "-0x05\n", Ok(())),
    ("bus/ap/apmask", "-0x05\n", Ok(())),
    ("bus/ap/aqmask", "-0x0004\n", Ok(())),
    ("bus/ap/aqmask", "-0x0004\n", Ok(())),
    ("bus/ap/apmask", "rubbish", Err(Errno::EINVAL)),
    ("bus/ap/apmask", "+256", Err(Errno::EINVAL)),
    ("class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/create", "UUID\n", Err(Errno::EEXIST)),
    ("class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/create", "rubbish", Err(Errno::EINVAL)),
    ("TYPE/devices/UUID/assign_adapter", "0x05", Ok(())),
    ("TYPE/devices/UUID/assign_adapter", "5\n", Ok(())),
    ("TYPE/devices/UUID/assign_domain", "0x0004\n", Ok(())),
    ("TYPE/devices/UUID/assign_domain", "4", Ok(())),
    ("TYPE/devices/UUID/assign_control_domain", "4", Ok(())),
    ("TYPE/devices/UUID/assign_adapter", "0", Ok(())),
    ("TYPE/devices/UUID/assign_domain", "6", Err(Errno::EADDRNOTAVAIL)),
    ("TYPE/devices/UUID/assign_adapter", "64", Err(Errno::ENODEV)),
    ("TYPE/devices/UUID/assign_adapter", "five", Err(Errno::EINVAL)),
    ("TYPE/devices/UUID/unassign_adapter", "0", Ok(())),
    ("TYPE/devices/UUID/unassign_adapter", "0", Ok(())),
    ("TYPE/create", "b0000000-0000-4000-8000-000000000001", Ok(())),
    ("TYPE/devices/b0000000-0000-4000-8000-000000000001/assign_adapter", "5", Ok(())),
    ("TYPE/devices/b0000000-0000-4000-8000-000000000001/assign_domain", "4", Err(Errno::EADDRINUSE)),
    ("bus/ap/apmask", "+5", Ok(())),
    ("bus/ap/aqmask", "+4", Err(Errno::EBUSY)),
    ("bus/ap/apmask", "-5", Ok(())),
    // The container plug-in; zcryptctl.
    ("class/zcrypt/create", "zcrypt-apqn-0-4-0", Ok(())),
    ("class/zcrypt/create", "zcrypt-apqn-0-4-0", Err(Errno::EEXIST)),
    ("class/zcrypt/zcrypt-apqn-0-4-0/apmask", "+0x00\n", Ok(())),
    ("class/zcrypt/zcrypt-apqn-0-4-0/ioctlmask", "0xffffffffffffffffffffffffffffffff\n", Ok(())),
    ("class/zcrypt/zcrypt-apqn-0-4-0/dev", "1", Err(Errno::EACCES)),
    ("class/zcrypt/destroy", "zcrypt-apqn-0-4-0", Ok(())),
    ("class/zcrypt/destroy", "zcrypt-apqn-0-4-0", Err(Errno::ENOENT)),
    // mdevctl stop.
    ("bus/mdev/devices/b0000000-0000-4000-8000-000000000001/remove", "1", Ok(())),
    ("bus/mdev/devices/b0000000-0000-4000-8000-000000000001/remove", "1", Err(Errno::ENOENT)),
];

fn path(path: &str) -> String {
    let kind = "devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough";
    format!("/sys/{path}").replace("TYPE", kind).replace("UUID", UUID)
}

fn with_mdev() -> Session {
    let mut session = machine("default");
    let create = path("TYPE/create");
    write(&mut session, &create, UUID).expect("an mdev is made");
    session
}

#[test]
fn files_have_modes_and_formats() {
    let mut session = with_mdev();
    let mut wrong = Vec::new();
    for (file, mode, pattern) in FILES {
        let found = session.resolve_following(&path(file)).map(|entry| (entry.kind, entry.mode));
        if found != Ok((Kind::File, *mode)) {
            wrong.push(format!("{file}: {found:?}, not mode {mode:o}"));
            continue;
        }
        match read(&mut session, &path(file)) {
            Ok(text) if matches(&text, pattern) => {}
            other => wrong.push(format!("{file}: {other:?}, not {pattern:?}")),
        }
    }
    for file in STORES {
        let found = session.resolve_following(&path(file)).map(|entry| (entry.kind, entry.mode));
        if found != Ok((Kind::File, 0o200)) {
            wrong.push(format!("{file}: {found:?}, not mode 200"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn links_lead_where_tools_look() {
    let mut session = with_mdev();
    for (link, target) in LINKS {
        let entry = session.resolve(&path(link)).unwrap_or_else(|errno| panic!("{link}: {errno:?}"));
        assert_eq!(entry.kind, Kind::Link, "{link}");
        assert_eq!(session.readlink(entry.ino), Ok(target.replace("UUID", UUID)), "{link}");
    }
    // mdevctl takes no link for a type.
    let kind = session.resolve(&path("class/mdev_bus/matrix")).map(|entry| entry.kind);
    assert_eq!(kind, Ok(Kind::Link));
    assert_eq!(session.resolve(&path("TYPE")).map(|entry| entry.kind), Ok(Kind::Directory));
}

#[test]
fn writes_are_answered_as_tools_expect() {
    let mut session = with_mdev();
    for (at, (file, data, expected)) in WRITES.iter().enumerate() {
        let done = write(&mut session, &path(file), &data.replace("UUID", UUID));
        assert_eq!(done, *expected, "row {at}: {data:?} to {file}");
        session.advance(200);
    }
}

/// lszcrypt: rows for every card and queue, no warning, no directory in a card that is no queue but looks like one.
#[test]
fn every_row_of_a_table_can_be_made() {
    for name in ["default", "tiny", "wide"] {
        let mut session = machine(name);
        let domain: u32 =
            read(&mut session, "/sys/bus/ap/ap_domain").expect("it is there").trim().parse().unwrap_or(0);
        let mask = read(&mut session, "/sys/bus/ap/ap_usage_domain_mask").expect("it is there");
        let digit = mask[2..].chars().nth(domain as usize / 4).and_then(|digit| digit.to_digit(16));
        let default = read(&mut session, "/sys/bus/ap/ap_domain").expect("it is there");
        assert!(
            default == "-1\n" || digit.is_some_and(|digit| digit & (8 >> (domain % 4)) != 0),
            "{name}: {default}"
        );
        let root = session.resolve("/sys/devices/ap").expect("it is there").ino;
        let cards = session.entries(root).expect("a list");
        for card in cards.iter().filter(|card| card.name.starts_with("card")) {
            let entries = session.entries(card.ino).expect("a list");
            let queues = entries.iter().filter(|entry| entry.kind == Kind::Directory).count();
            assert!(queues > 0, "{name}: {} has no queue", card.name);
            for entry in entries {
                // `..\....` without anchors: two characters, a dot, four characters, anywhere.
                let dot = entry.name.find('.').is_some_and(|at| at >= 2 && entry.name.len() >= at + 5);
                assert_eq!(dot, entry.kind == Kind::Directory, "{name}: {}/{}", card.name, entry.name);
            }
            let path = |file: &str| format!("/sys/devices/ap/{}/{file}", card.name);
            let kind = read(&mut session, &path("type")).expect("a type");
            if !kind.ends_with("A\n") {
                assert!(
                    read(&mut session, &path("serialnr")).is_ok_and(|serial| serial.trim().len() >= 8),
                    "{name}"
                );
            }
        }
    }
}

/// The words of the column STATUS.
#[test]
fn a_queue_says_whose_it_is() {
    let mut session = with_mdev();
    let status = "/sys/bus/ap/devices/05.0004/status";
    assert_eq!(read(&mut session, status), Err(Errno::ENOENT));
    write(&mut session, "/sys/bus/ap/apmask", "-5").expect("a mask");
    assert_eq!(read(&mut session, status).as_deref(), Ok("unassigned\n"));
    assert_eq!(read(&mut session, "/sys/bus/ap/devices/05.0004/online"), Err(Errno::ENOENT));
    for (file, id) in [("assign_adapter", "5"), ("assign_domain", "4")] {
        write(&mut session, &path(&format!("bus/mdev/devices/UUID/{file}")), id).expect("it is free");
    }
    assert_eq!(read(&mut session, status).as_deref(), Ok("assigned\n"));
    session.guest(&format!("start g1 {UUID}")).expect("a guest");
    assert_eq!(read(&mut session, status).as_deref(), Ok("in use\n"));
    assert_eq!(read(&mut session, &path("bus/mdev/devices/UUID/guest_matrix")).as_deref(), Ok("05.0004\n"));
}

#[test]
fn patterns_match_as_they_say() {
    for (text, pattern, expected) in [
        ("12\n", "#\n", true),
        ("\n", "#\n", false),
        ("0xAB\n", "0x@\n", true),
        ("0xab\n", "0x@\n", false),
        ("a b\n", "*\n", true),
        ("a\nb\n", "*\n", false),
        ("", "", true),
        ("x", "", false),
    ] {
        assert_eq!(matches(text, pattern), expected, "{text:?} {pattern:?}");
    }
}
