//! A small tree, and one helper that runs text on it.

#![allow(dead_code)]

use ap_shell::fake::{FakeOperator, FakeTree, FakeWorld, OnStore};
use ap_shell::{Shell, Stream};
use ap_sysfs::Errno;

/// The tree that the tests run on.
pub fn world() -> FakeWorld {
    let mut tree = FakeTree::default();
    tree.file("/sys/bus/ap/apmask", 0o644, "0xffff\n", OnStore::Keep);
    tree.file("/sys/bus/ap/ap_domain", 0o444, "4\n", OnStore::Keep);
    tree.file("/sys/bus/ap/rescan", 0o200, "", OnStore::Keep);
    tree.file("/sys/bus/ap/busy", 0o644, "", OnStore::Fail(Errno::EBUSY));
    tree.file("/sys/devices/ap/card04/online", 0o644, "1\n", OnStore::Keep);
    tree.file("/sys/devices/ap/card0a/online", 0o644, "0\n", OnStore::Keep);
    tree.link("/sys/bus/ap/devices/card04", "../../../devices/ap/card04");
    tree.link("/sys/bus/ap/devices/card0a", "../../../devices/ap/card0a");
    tree.link("/sys/broken", "nowhere");
    tree.file("/sys/m/remove", 0o200, "", OnStore::Wait);
    tree.file("/sys/n/remove", 0o200, "", OnStore::Wait);
    FakeWorld::with_operator(tree, FakeOperator::default())
}

/// A shell on it.
pub fn shell() -> Shell<FakeWorld> {
    Shell::new(world())
}

/// Runs `text` in `shell`: what it printed, messages marked with `! `, and the status if it is not 0.
pub fn run(shell: &mut Shell<FakeWorld>, text: &str) -> String {
    let script = match ap_shell::parse(text, "test") {
        Ok(script) => script,
        Err(error) => return format!("parse: {error}"),
    };
    let (mut log, mut errors) = (String::new(), String::new());
    let status = shell.run(&script, &mut |stream, text| match stream {
        Stream::Out => log.push_str(text),
        Stream::Err => {
            errors.push_str(text);
            for line in errors.split_inclusive('\n') {
                log.push_str(&format!("! {line}"));
            }
            errors.clear();
        }
    });
    if !status.is_ok() {
        let errno = status.errno.map(|errno| format!(" {}", errno.name())).unwrap_or_default();
        log.push_str(&format!("= {}{errno}\n", status.code));
    }
    log
}

/// Runs `text` in a fresh shell and compares.
#[track_caller]
pub fn check(text: &str, expected: &str) {
    let got = run(&mut shell(), text);
    assert_eq!(got, expected, "\n--- {text}");
}
