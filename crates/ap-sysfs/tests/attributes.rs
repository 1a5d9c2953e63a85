//! Every attribute with every kind of bad text: no panic, the errno of the specification, and nothing changes.

mod support;

use ap_sysfs::errno::Errno;
use support::Rig;

/// Texts that are right for no attribute that looks at its text.
const GARBAGE: &[&[u8]] = &[
    b"\n",
    b"junk\n",
    b"x",
    b" ",
    b"\xff\xfe",
    b"-",
    b"+",
    b"0xg\n",
    b",",
    b"\0",
    b"999999999999999999999999\n",
];

/// Attributes whose store takes any text (pages 2 and 5).
fn takes_anything(path: &str) -> bool {
    // Almost any text is a name for a device node.
    ["/scans", "/reset", "/request_count", "/drivers_autoprobe", "/class/zcrypt/create"]
        .iter()
        .any(|name| path.ends_with(name))
}

fn control(path: &str) -> bool {
    path.contains("/debug/apmatrix/")
}

/// What a bad text may answer.
fn allowed(path: &str, errno: Errno) -> bool {
    match path.rsplit('/').next().unwrap_or("") {
        "bind" | "unbind" | "drivers_probe" => errno == Errno::ENODEV,
        "destroy" => matches!(errno, Errno::EINVAL | Errno::ENOENT),
        "assign_adapter"
        | "unassign_adapter"
        | "assign_domain"
        | "unassign_domain"
        | "assign_control_domain"
        | "unassign_control_domain"
        | "poll_timeout"
        | "se_associate" => {
            matches!(errno, Errno::EINVAL | Errno::ERANGE)
        }
        _ => errno == Errno::EINVAL,
    }
}

/// Whether the attribute takes this text all the same: the zero mask, a number followed by something.
fn is_right(path: &str, text: &[u8]) -> bool {
    let number = text[0].is_ascii_digit();
    match path.rsplit('/').next().unwrap_or("") {
        "apmask" | "aqmask" => matches!(text, b"\n" | b"x" | b"\0") || text[0] == b'9',
        "ap_domain" | "config_time" | "config" | "online" | "poll_thread" | "se_bind" => number,
        _ => false,
    }
}

fn rig() -> Rig {
    let machine = format!("hw qci flags=0xc0800000\nhw opt se=1\n{}", support::SMALL);
    let mut rig = Rig::boot(&machine, "apmask=+10");
    rig.run(
        "
        TYPE/create <- $M1
        M1/assign_adapter <- 4
        M1/assign_domain <- 6
        M1/assign_control_domain <- 6
        open 1 g1
        TYPE/create <- $M2
        AP/scans <- 1
        clear
        ",
    );
    rig
}

#[test]
fn a_bad_text_is_refused_and_changes_nothing() {
    let mut rig = rig();
    let attributes = rig.attributes();
    assert!(attributes.len() > 150, "{}", attributes.len());
    for (path, entry) in &attributes {
        if entry.mode & 0o200 == 0 || control(path) || takes_anything(path) {
            continue;
        }
        let before = rig.snapshot();
        for text in GARBAGE {
            if is_right(path, text) {
                continue;
            }
            let answer = rig.write(path, text);
            match answer {
                Err(errno) => {
                    assert!(allowed(path, errno), "{path} <- {text:?}: {errno:?}");
                    assert!(rig.snapshot().same(&before), "{path} <- {text:?} changed something");
                }
                Ok(taken) => panic!("{path} took {taken} bytes of {text:?}"),
            }
        }
    }
}

#[test]
fn a_write_of_no_bytes_does_nothing_and_succeeds() {
    let mut rig = rig();
    for (path, entry) in rig.attributes() {
        if entry.mode & 0o200 == 0 {
            continue;
        }
        let before = rig.snapshot();
        assert_eq!(rig.write(&path, b""), Ok(0), "{path}");
        assert!(rig.snapshot().same(&before), "{path}");
    }
    rig.run("instructions\nuevents\nlog");
}

#[test]
fn at_most_a_page_of_a_write_is_taken() {
    let mut rig = rig();
    for length in [4096, 4097, 10_000] {
        let text = vec![b'z'; length];
        for (path, entry) in rig.attributes() {
            if entry.mode & 0o200 == 0 || control(&path) {
                continue;
            }
            let before = rig.snapshot();
            match rig.write(&path, &text) {
                Ok(taken) => {
                    // What was created of that text is destroyed by it.
                    assert!(takes_anything(&path) || path.ends_with("zcrypt/destroy"), "{path}");
                    assert_eq!(taken, 4096, "{path}");
                }
                Err(errno) => {
                    let reset = path.ends_with("04.0006/reset") && errno == Errno::EBUSY;
                    assert!(reset || allowed(&path, errno), "{path}: {errno:?}");
                    assert!(rig.snapshot().same(&before), "{path}");
                }
            }
        }
    }
}

#[test]
fn a_page_of_separators_is_one_relative_mask() {
    let mut rig = rig();
    let mut text = b"-5".to_vec();
    text.resize(4096, b',');
    text.extend(b"-6");
    assert_eq!(rig.write("/sys/bus/ap/aqmask", &text), Ok(4096));
    rig.run("AP/aqmask = 0xfbffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
}

#[test]
fn modes_are_checked_for_everybody() {
    let mut rig = rig();
    for (path, entry) in rig.attributes() {
        if entry.mode & 0o200 == 0 {
            assert_eq!(rig.write(&path, b"1\n"), Err(Errno::EACCES), "{path}");
        }
        if entry.mode & 0o400 == 0 {
            assert_eq!(rig.read(&path), Err(Errno::EACCES), "{path}");
        } else if path.ends_with("/se_associate") {
            // The queue was bound before this bus saw it (page 6, F04b).
            assert_eq!(rig.read(&path), Err(Errno::EIO), "{path}");
        } else if !path.ends_with("/state") {
            let text = rig.read(&path).unwrap_or_else(|errno| panic!("{path}: {errno:?}"));
            assert!(control(&path) || text.len() <= 4096, "{path}");
        }
        assert_eq!(entry.size(), 4096);
    }
}

#[test]
fn an_open_file_of_a_removed_device_answers_enodev() {
    use ap_sysfs::front::{Called, Filesystem};
    let mut rig = rig();
    let open = ["/sys/devices/ap/card0a/0a.0006/config", "/sys/devices/ap/card0a/config"]
        .map(|path| rig.session.resolve(path).unwrap());
    rig.run("hw apm -10\nAP/scans <- 1\nhw apm +10\nAP/scans <- 1\nQ/0a.0006/config = 1");
    for entry in open {
        assert!(matches!(rig.session.show(entry.ino), Called::Done(Err(Errno::ENODEV))));
        assert!(matches!(rig.session.store(entry.ino, b"1"), Called::Done(Err(Errno::ENODEV | Errno::EIO))));
    }
    let config =
        rig.session.resolve("/sys/devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000002/matrix");
    let config = config.unwrap();
    rig.run("M2/remove <- 1\nTYPE/create <- $M2");
    assert!(matches!(rig.session.show(config.ino), Called::Done(Err(Errno::ENODEV))));
}

#[test]
fn a_long_matrix_gives_the_whole_lines_that_fit() {
    let mut machine = String::from("hw qci na=63 nd=84 flags=0xc0000000\nhw ap 0-63 type=14 mode=cca\n");
    machine.push_str("hw apm 0-31\nhw aqm 0-16\n");
    let mut rig = Rig::boot(&machine, "apmask=0x0");
    rig.run("TYPE/create <- $M1\nM1/ap_config <- 0xffffffff,0xffff,0");
    let path = format!("/sys/devices/vfio_ap/matrix/{}/matrix", support::uuid("1"));
    let text = rig.read(&path).unwrap();
    assert_eq!((text.len(), text.lines().count(), text.ends_with("1f.000f\n")), (4096, 512, true));
    rig.run("M1/assign_domain <- 16");
    let text = rig.read(&path).unwrap();
    assert_eq!((text.len(), text.lines().count(), text.ends_with('\n')), (4096, 512, true));
}
