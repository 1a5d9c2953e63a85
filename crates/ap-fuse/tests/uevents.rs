//! Device events inside the namespace: both groups, in order, after the tree shows what they tell; none outside.

#[path = "support/mod.rs"]
mod support;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use support::{Skip, Suite, client, finish, need_mounts, outcome, own, role, run, serve};

const KERNEL: u32 = 1;
const UDEV: u32 = 2;
const ROUNDS: usize = 20;

fn main() {
    if let Some((role, arguments)) = role() {
        if role == serve::SERVE {
            serve::serve(arguments);
        }
        return listen_inside();
    }
    support::isolate();
    let mut suite = Suite::new();
    suite.case("both_groups_in_order", both_groups);
    suite.case("nothing_without_uevents", nothing_without);
    suite.case("nothing_outside", nothing_outside);
    suite.case("udevadm_monitor", udevadm_monitor);
    suite.end();
}

fn listener(group: u32) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(KOBJECT_UEVENT)).expect("a socket");
    bind(&socket, &SocketAddrNetlink::new(0, group)).expect("the group");
    socket
}

/// The variables of the next message, if one is there; of others than the tests' devices: none.
fn next(socket: &OwnedFd) -> Option<Vec<String>> {
    let mut bytes = [0; 8192];
    loop {
        let (_, length) = recv(socket, &mut bytes[..], RecvFlags::DONTWAIT).ok()?;
        let mut text = &bytes[..length];
        if let Some(rest) = text.strip_prefix(b"libudev\0\xfe\xed\xca\xfe") {
            let word = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().expect("four bytes"));
            assert_eq!((word(0), word(4) as usize + word(8) as usize), (40, length), "the header's lengths");
            text = &text[40..];
        }
        let fields: Vec<String> =
            text.split(|byte| *byte == 0).map(|field| String::from_utf8_lossy(field).into_owned()).collect();
        if fields.iter().any(|field| field.starts_with("DEVPATH=/devices/test/")) {
            return Some(fields);
        }
    }
}

fn value<'a>(fields: &'a [String], key: &str) -> &'a str {
    fields.iter().find_map(|field| field.strip_prefix(key)?.strip_prefix('=')).unwrap_or("")
}

/// Runs inside: makes and removes devices, and says what is heard.
fn listen_inside() {
    let (kernel, udev) = (listener(KERNEL), listener(UDEV));
    let store = |path: &str, text: &str| {
        OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .expect(path);
    };
    let (mut last, mut problems) = (0, 0_usize);
    for round in 0..ROUNDS {
        let name = format!("d{round}");
        let path = format!("/sys/devices/test/{name}");
        store("/sys/bus/test/create", &name);
        // The writer has its answer: both messages are there already.
        let added = (next(&kernel), next(&udev));
        assert!(std::path::Path::new(&path).exists());
        store(&format!("{path}/remove"), "1");
        let removed = (next(&kernel), next(&udev));
        for (action, (kernel, udev)) in [("add", added), ("remove", removed)] {
            let (Some(kernel), Some(udev)) = (kernel, udev) else {
                println!("{action} {name}: not both groups");
                problems += 1;
                continue;
            };
            let sequence: u64 = value(&kernel, "SEQNUM").parse().expect("a number");
            assert!(sequence > last, "sequence numbers grow");
            last = sequence;
            assert_eq!(kernel[0], format!("{action}@/devices/test/{name}"));
            for fields in [&kernel, &udev] {
                assert_eq!(value(fields, "ACTION"), action);
                assert_eq!(value(fields, "SUBSYSTEM"), "test");
                assert_eq!(value(fields, "DEVTYPE"), "test_device");
                assert_eq!(value(fields, "SEQNUM"), sequence.to_string());
            }
        }
    }
    // What the machine does by itself is heard while nobody asks anything.
    store("/sys/bus/test/work", "100");
    std::thread::sleep(std::time::Duration::from_millis(600));
    let worked = next(&kernel).is_some_and(|fields| fields[0] == "add@/devices/test/worked1");
    problems += usize::from(!worked || next(&udev).is_none());
    println!(
        "{ROUNDS} rounds, {problems} problems, others: {}",
        next(&kernel).is_some() || next(&udev).is_some()
    );
}

fn both_groups() -> Result<(), Skip> {
    need_mounts()?;
    let line = client("listen", &[]);
    let mut arguments = vec!["run", "--"];
    arguments.extend(line.iter().map(String::as_str));
    let (text, status) = outcome(&finish(own(&arguments)));
    assert_eq!((text.as_str(), status), ("20 rounds, 0 problems, others: false\n", 0));
    let (text, status) =
        outcome(&finish(support::as_user(&["run", "--", "/mnt/program", line[1].as_str(), "listen"])));
    assert_eq!((text.as_str(), status), ("20 rounds, 0 problems, others: false\n", 0), "as an ordinary user");
    Ok(())
}

const CHANGE: &str = "echo x > /sys/bus/test/create; echo 1 > /sys/devices/test/x/remove";

fn nothing_without() -> Result<(), Skip> {
    need_mounts()?;
    let (kernel, udev) = (listener(KERNEL), listener(UDEV));
    assert_eq!(run(&["--no-uevents"], CHANGE), (String::new(), 0));
    assert!(next(&kernel).is_none() && next(&udev).is_none(), "in the machine's own network namespace");
    Ok(())
}

fn nothing_outside() -> Result<(), Skip> {
    need_mounts()?;
    let (kernel, udev) = (listener(KERNEL), listener(UDEV));
    assert_eq!(run(&[], CHANGE), (String::new(), 0));
    assert!(next(&kernel).is_none() && next(&udev).is_none(), "in the machine's own network namespace");
    Ok(())
}

fn udevadm_monitor() -> Result<(), Skip> {
    need_mounts()?;
    if std::process::Command::new("udevadm").arg("--version").output().is_err() {
        return Err(Skip::Lacks("there is no udevadm (Debian's package udev)".to_owned()));
    }
    let text = format!(
        "udevadm monitor --kernel --udev --property > /run/udev/out & sleep 0.3; {CHANGE}; sleep 0.3
         kill $!; cat /run/udev/out; udevadm info --export-db | grep -c '^P: /devices/test/'"
    );
    let (text, status) = run(&[], &text);
    assert_eq!(status, 0, "{text}");
    for group in ["KERNEL", "UDEV"] {
        for action in ["add", "remove"] {
            let found = text.lines().any(|line| {
                line.starts_with(group)
                    && line.contains(&format!("{action} "))
                    && line.contains("/devices/test/x (test)")
            });
            assert!(found, "{group} {action} in\n{text}");
        }
    }
    assert!(text.ends_with("\n2\n"), "both devices are in the database: {text}");
    Ok(())
}
