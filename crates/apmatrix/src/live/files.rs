//! A host as a tree of files: a real one, one in `apmatrix run` or mounted, a recorded one.
//!
//! A host that is not emulated is only read: no file of it is opened for writing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ap_apply::tree::Tree;
use ap_view::{Operation, Touched, shown};
use rustix::system::uname;

use crate::control::Control;
use crate::live::backend::Backend;
use crate::live::uevents::Uevents;
use crate::plan::tree::FileTree;

/// A tree of files.
pub(super) struct Files {
    root: PathBuf,
    tree: FileTree,
    control: Option<Control>,
    /// What the kernel tells; of trees that are not this host's it tells nothing.
    uevents: Option<Uevents>,
}

impl Files {
    /// Whether the tree is an emulated host's.
    pub(super) fn emulated(root: &Path) -> bool {
        Control::if_there(root).is_some()
    }

    pub(super) fn open(root: &Path) -> Files {
        let uevents = if root == Path::new("/sys") { Uevents::open().ok() } else { None };
        Files { root: root.to_owned(), tree: FileTree::new(root), control: Control::if_there(root), uevents }
    }
}

impl Backend for Files {
    fn tree(&mut self) -> &mut dyn Tree {
        &mut self.tree
    }

    /// The tree of this host is called as the host is.
    fn name(&self) -> String {
        if self.root == Path::new("/sys") {
            return uname().nodename().to_string_lossy().into_owned();
        }
        self.place()
    }

    fn place(&self) -> String {
        self.root.display().to_string()
    }

    fn happened(&mut self, touched: &mut Touched) -> Vec<String> {
        // Who has which group open is looked up again with every reading.
        self.tree.forget();
        let Some(uevents) = &mut self.uevents else { return Vec::new() };
        let mut lines = Vec::new();
        for uevent in uevents.heard() {
            let Some(uevent) = uevent else {
                touched.everything = true;
                continue;
            };
            if ["/devices/ap", "/devices/vfio_ap", "/bus/ap", "/module/vfio_ap", "/module/zcrypt"]
                .iter()
                .any(|ours| uevent.devpath.starts_with(ours))
            {
                touched.add(&uevent.action, &uevent.devpath);
                lines.push(shown::uevent_line(&uevent.action, &uevent.devpath, |name| uevent.variable(name)));
            }
        }
        lines
    }

    fn operate(&mut self, operation: &Operation) -> Result<String, String> {
        let Some(control) = &self.control else { return Err("this host is only read here".to_owned()) };
        match operation {
            Operation::Write { path, text } => {
                let written = self.tree.write(path, &format!("{text}\n"));
                written.map(|()| String::new()).map_err(|fault| format!("{operation}: {}", fault.said))
            }
            Operation::Hw(line) => control.verb("hw", "hw", line).map_err(|error| error.message),
            Operation::Guest(line) => control.verb("guest", "guests", line).map_err(|error| error.message),
        }
    }

    fn rhythm(&self) -> (Duration, Duration) {
        match self.uevents {
            Some(_) => (Duration::from_secs(1), Duration::from_secs(30)),
            None => (Duration::from_secs(1), Duration::from_secs(2)),
        }
    }
}
