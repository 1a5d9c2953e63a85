//! What a machine's tree shows, as files: such as a real host's that was recorded.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ap_sysfs::{Called, Entry, Filesystem as _, Kind, ROOT, Session};

/// Writes all of it below a directory.
pub fn write(session: &mut Session, to: &Path) {
    let root = session.entry(ROOT).expect("a root");
    copy(session, &root, to);
}

/// Copies a directory of the tree to files.
fn copy(session: &mut Session, from: &Entry, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in session.entries(from.ino).expect("a directory") {
        let path = to.join(&entry.name);
        match entry.kind {
            Kind::Directory => copy(session, &entry, &path),
            Kind::Link => symlink(session.readlink(entry.ino).expect("a link"), path).expect("a link"),
            Kind::File => {
                let shown = if entry.mode & 0o400 != 0 {
                    session.show(entry.ino)
                } else {
                    Called::Done(Ok(Vec::new()))
                };
                match shown {
                    Called::Done(Ok(data)) => fs::write(path, data).expect("a file"),
                    // What cannot be read is not there.
                    Called::Done(Err(_)) => {}
                    Called::Pending(_) => panic!("{}: pending", path.display()),
                }
            }
        }
    }
}
