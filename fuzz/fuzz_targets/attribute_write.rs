//! Writes of any bytes to any attribute of a small machine: no panic, and the machine goes on.
#![no_main]

use std::cell::RefCell;

use ap_sysfs::{Called, Filesystem, Kind, ROOT, Session};
use libfuzzer_sys::fuzz_target;

fn files(session: &mut Session) -> Vec<ap_sysfs::Ino> {
    let (mut found, mut open) = (Vec::new(), vec![ROOT]);
    while let Some(directory) = open.pop() {
        for entry in session.entries(directory).unwrap_or_default() {
            match entry.kind {
                Kind::Directory => open.push(entry.ino),
                Kind::File if entry.mode & 0o222 != 0 => found.push(entry.ino),
                _ => {}
            }
        }
    }
    found
}

fn machine() -> Session {
    let machine = ap_files::MachineFile::load("tiny").expect("a built-in machine");
    let mut session = ap_files::boot(&machine).expect("it boots");
    let create = "/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create";
    let ino = session.resolve(create).expect("there").ino;
    let _: Called<usize> = session.store(ino, b"a0000000-0000-4000-8000-000000000001");
    session
}

thread_local! {
    static SESSION: RefCell<(Session, u32)> = RefCell::new((machine(), 0));
}

fuzz_target!(|data: &[u8]| {
    SESSION.with_borrow_mut(|(session, rounds)| {
        *rounds += 1;
        if *rounds % 256 == 0 {
            *session = machine();
        }
        for write in data.split(|byte| *byte == 0xff).take(16) {
            let Some((which, text)) = write.split_first() else { continue };
            let files = files(session);
            let ino = files[usize::from(*which) * files.len() / 256];
            if let Called::Done(Ok(taken)) = session.store(ino, text) {
                assert!(taken <= text.len());
            }
            session.advance(50);
            assert!(session.panics().is_empty(), "{:?}", session.panics());
        }
    });
});
