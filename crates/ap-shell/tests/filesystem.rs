//! The World over a file system: opens, modes, pages, answers that come late.

mod common;

use ap_shell::fake::{FakeTree, FakeWorld, OnStore};
use ap_shell::{ControlFiles, Failure, FilesystemWorld, Shell, World, Written};
use ap_sysfs::Errno;

#[test]
fn a_write_is_one_store_per_page() {
    let mut world = common::world();
    assert_eq!(world.write("/sys/bus/ap/apmask", &[b'x'; 4096]), Written::Done(Ok(4096)));
    assert_eq!(world.write("/sys/bus/ap/apmask", &[b'y'; 4097]), Written::Done(Ok(4097)));
    assert_eq!(world.write("/sys/bus/ap/apmask", b""), Written::Done(Ok(0)));
    let sizes: Vec<usize> = world.tree().stores.iter().map(|(_, data)| data.len()).collect();
    assert_eq!(sizes, [4096, 4096, 1]);
}

#[test]
fn a_short_write_goes_on_with_the_rest() {
    let mut world = common::world();
    world.tree().file("/sys/short", 0o200, "", OnStore::Short(3));
    assert_eq!(world.write("/sys/short", b"abcdefgh"), Written::Done(Ok(8)));
    let stores: Vec<&[u8]> = world.tree().stores.iter().map(|(_, data)| &data[..]).collect();
    assert_eq!(stores, [&b"abcdefgh"[..], b"defgh", b"gh"]);
    world.tree().file("/sys/short", 0o200, "", OnStore::Short(0));
    assert_eq!(world.write("/sys/short", b"x"), Written::Done(Err(Failure::write(Errno::EIO))));
}

#[test]
fn opens_check_what_sysfs_checks() {
    let mut world = common::world();
    let mut open = |path: &str| match world.write(path, b"") {
        Written::Done(Err(Failure { errno, at_open: true })) => errno.name(),
        other => panic!("{path}: {other:?}"),
    };
    assert_eq!(open("/sys/bus/ap/ap_domain"), "EACCES");
    assert_eq!(open("/sys/bus/ap/none"), "EACCES");
    assert_eq!(open("/sys/broken"), "EACCES");
    assert_eq!(open("/sys/none/none"), "ENOENT");
    assert_eq!(open("/sys/bus/ap/apmask/none"), "ENOTDIR");
    assert_eq!(open("/sys/bus/ap/apmask/"), "ENOTDIR");
    assert_eq!(open("/sys"), "EISDIR");
    assert_eq!(open("/"), "EISDIR");
    assert_eq!(open("/dev/x"), "ENOENT");
    assert_eq!(world.read("/sys/bus/ap/rescan"), Err(Errno::EACCES));
    assert_eq!(world.read("/sys//bus/./ap/../ap/apmask").as_deref(), Ok(&b"0xffff\n"[..]));
    assert_eq!(world.read("/../sys/bus/ap/devices/card04/online").as_deref(), Ok(&b"1\n"[..]));
    assert_eq!(world.read("/sys/bus"), Err(Errno::EISDIR));
    assert_eq!(world.read("/bus/ap/apmask"), Err(Errno::ENOENT));
}

#[test]
fn a_slash_at_the_end_asks_for_a_directory() {
    let mut world = common::world();
    use ap_sysfs::Kind::{Directory, Link};
    let card = "/sys/bus/ap/devices/card04";
    assert_eq!(world.stat(card, false).map(|entry| entry.kind), Ok(Link));
    assert_eq!(world.stat(&format!("{card}/"), false).map(|entry| entry.kind), Ok(Directory));
    assert_eq!(world.stat("/sys/bus/ap/apmask/.", false).map(|entry| entry.kind), Err(Errno::ENOTDIR));
    assert_eq!(world.list("/sys/bus/ap/apmask"), Err(Errno::ENOTDIR));
    assert_eq!(world.readlink(card).as_deref(), Ok("../../../devices/ap/card04"));
    assert_eq!(world.readlink("/sys"), Err(Errno::EINVAL));
}

#[test]
fn late_answers_are_found_by_poll_and_by_wait() {
    let mut world = common::world();
    let Written::Pending(first) = world.write("/sys/m/remove", b"1\n") else { panic!() };
    let Written::Pending(second) = world.write("/sys/n/remove", &[b'x'; 5000]) else { panic!() };
    assert_ne!(first, second);
    assert_eq!(world.poll(first), None);
    assert_eq!(world.wait(first), None);
    world.tree().answer("/sys/m/remove", Err(Errno::EBUSY));
    assert_eq!(world.poll(first), Some(Err(Failure::write(Errno::EBUSY))));
    assert_eq!(world.poll(first), None, "an answer is given once");
    // The rest of a long write is a store of its own, which waits, too.
    world.tree().answer("/sys/n/remove", Ok(4096));
    assert_eq!(world.poll(second), None);
    world.tree().answer_in(10, "/sys/n/remove", Ok(904));
    assert_eq!(world.wait(second), Some(Ok(5000)));
    assert_eq!(world.tree().now, 10);
}

#[test]
fn patience_is_what_was_set() {
    let mut world = common::world();
    world.set_patience(5);
    let Written::Pending(job) = world.write("/sys/m/remove", b"1") else { panic!() };
    world.tree().answer_in(6, "/sys/m/remove", Ok(1));
    assert_eq!(world.wait(job), None);
    assert_eq!(world.tree().now, 0);
    world.set_patience(6);
    assert_eq!(world.wait(job), Some(Ok(1)));
}

#[test]
fn verbs_are_lines_of_control_files() {
    let mut tree = FakeTree::default();
    tree.file("/sys/kernel/debug/apmatrix/hw", 0o644, "", OnStore::Keep);
    tree.file("/sys/kernel/debug/apmatrix/guests", 0o644, "g1 running\n", OnStore::Fail(Errno::EBUSY));
    let mut shell = Shell::new(FilesystemWorld::new(tree));
    let mut printed = String::new();
    let script = ap_shell::parse("hw plug 04; guest list; guest stop g1; events; hw", "t").unwrap();
    shell.run(&script, &mut |_, text| printed.push_str(text));
    assert_eq!(
        printed,
        "g1 running\nguest: Device or resource busy\nevents: No such file or directory\nplug 04\n"
    );
    let (tree, _): (FakeTree, ControlFiles) = shell.into_world().into_parts();
    assert_eq!(tree.stores[0], ("/sys/kernel/debug/apmatrix/hw".to_owned(), b"plug 04\n".to_vec()));
}

#[test]
fn borrowed_worlds_are_worlds() {
    let mut world = FakeWorld::with_files(&[("/sys/a", "1\n")]);
    let script =
        ap_shell::parse("echo 2 > a; cat a; hw x; guest y; events z; sleep 1; readlink a; stat a; ls", "t")
            .unwrap();
    let mut lines = 0;
    Shell::new(&mut world).run(&script, &mut |_, text| lines += text.lines().count());
    assert_eq!(lines, 10);
    assert_eq!(world.operator().said, ["hw x", "guest y", "events z"]);
}
