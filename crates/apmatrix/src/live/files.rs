//! A host as a tree of files: a real one, one in `apmatrix run` or mounted, a recorded one.
//!
//! A host that is not emulated is only read: no file of it is opened for writing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ap_apply::tree::Tree;
use ap_view::{Answer, Operation, Touched, shown};
use rustix::system::uname;

use crate::control::Control;
use crate::live::backend::Backend;
use crate::live::lane::Lane;
use crate::live::uevents::Uevents;
use crate::plan::tree::FileTree;

/// A tree of files.
pub(super) struct Files {
    root: PathBuf,
    tree: FileTree,
    control: Option<Control>,
    /// What the kernel tells; of trees that are not this host's it tells nothing.
    uevents: Option<Uevents>,
    /// A write may wait for a guest; the verb that stops the guest goes beside it.
    writes: Lane,
    verbs: Lane,
    /// Whether something was done since the last question, of which nothing is heard.
    operated: bool,
}

impl Files {
    /// Whether the tree is an emulated host's.
    pub(super) fn emulated(root: &Path) -> bool {
        Control::if_there(root).is_some()
    }

    pub(super) fn open(root: &Path) -> Files {
        let uevents = if root == Path::new("/sys") { Uevents::open().ok() } else { None };
        Files {
            root: root.to_owned(),
            tree: FileTree::new(root),
            control: Control::if_there(root),
            uevents,
            writes: Lane::default(),
            verbs: Lane::default(),
            operated: false,
        }
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
        let mut lines: Vec<String> =
            [&mut self.writes, &mut self.verbs].into_iter().filter_map(Lane::returned).collect();
        let Some(uevents) = &mut self.uevents else {
            touched.everything |= std::mem::take(&mut self.operated) || !lines.is_empty();
            return lines;
        };
        let heard = uevents.heard();
        // In a run without device events nothing is heard at all.
        touched.everything |= std::mem::take(&mut self.operated) && heard.is_empty();
        for uevent in heard {
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

    fn operate(&mut self, operation: &Operation) -> Answer {
        let Some(control) = self.control.clone() else {
            return Answer::Refused("this host is only read here".to_owned());
        };
        self.operated = true;
        let called = operation.clone();
        match operation {
            Operation::Write { path, text } => {
                let (root, path, text) = (self.root.clone(), path.clone(), format!("{text}\n"));
                self.writes.call(operation, move || {
                    let written = FileTree::new(&root).write(&path, &text);
                    written.map(|()| String::new()).map_err(|fault| format!("{called}: {}", fault.said))
                })
            }
            Operation::Hw(line) => {
                let line = line.clone();
                self.verbs
                    .call(operation, move || control.verb("hw", "hw", &line).map_err(|error| error.message))
            }
            Operation::Guest(line) => {
                let line = line.clone();
                self.verbs.call(operation, move || {
                    control.verb("guest", "guests", &line).map_err(|error| error.message)
                })
            }
        }
    }

    fn rhythm(&self) -> (Duration, Duration) {
        match self.uevents {
            Some(_) => (Duration::from_secs(1), Duration::from_secs(30)),
            None => (Duration::from_secs(1), Duration::from_secs(2)),
        }
    }
}
