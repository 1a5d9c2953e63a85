//! What front ends ask of the tree, by node numbers.

use crate::attribute::PAGE;
use crate::directories::{children, row};
use crate::errno::Errno;
use crate::front::{Entry, Ino, ROOT};
use crate::node::{Dir, Node};
use crate::tree::{Doing, Refused, Root, Tree};

/// The control files, which say themselves why they refuse a line.
const CONTROLS: &str = "kernel/debug/apmatrix/";

impl Tree {
    /// The entry of a name in a directory.
    ///
    /// It costs as much as finding the directory's object and, of devices and mdevs, that one by its name: what else
    /// the directory holds or lists is not looked at.
    ///
    /// # Errors
    /// `ENOENT` if there is no such name, or the directory is gone.
    ///
    /// # Locks
    /// Those that say whether the directory is there, then those that say whether the entry is, one at a time: the
    /// registry's, A of a device, that of the modules' state or of the list of drivers, M.
    pub fn lookup(&self, dir: Dir, name: &str, held: Root) -> Result<Entry, Errno> {
        row(dir.row).ok_or(Errno::ENOENT)?.lookup(self, dir.key, name, children(dir.row), held)
    }

    /// All entries of a directory, names ascending.
    ///
    /// # Errors
    /// `ENOENT` if it is gone.
    ///
    /// # Locks
    /// As [`Tree::lookup`]; of a driver's directory A of every device, one at a time.
    pub fn entries(&self, dir: Dir, held: Root) -> Result<Vec<Entry>, Errno> {
        row(dir.row).ok_or(Errno::ENOENT)?.entries(self, dir.key, children(dir.row), held)
    }

    /// Whether such a directory can hold others.
    #[must_use]
    pub fn may_have_directories(dir: Dir) -> bool {
        !children(dir.row).is_empty()
    }

    /// How many directories a directory holds.
    ///
    /// # Errors
    /// `ENOENT` if it is gone.
    ///
    /// # Locks
    /// As [`Tree::entries`], but of a driver's directory none of a device.
    pub fn directories(&self, dir: Dir, held: Root) -> Result<usize, Errno> {
        row(dir.row).ok_or(Errno::ENOENT)?.directories(self, dir.key, children(dir.row), held)
    }

    /// What a node was that is gone, but for its name. Takes no lock.
    #[must_use]
    pub fn departed(&self, ino: Ino) -> Option<Entry> {
        let node = Node::from_ino(ino);
        row(node.dir().row)?.departed(self, node)
    }

    /// The entry of a node.
    ///
    /// # Errors
    /// `ENOENT` if it is gone.
    ///
    /// # Locks
    /// As [`Tree::lookup`].
    pub fn entry(&self, ino: Ino, held: Root) -> Result<Entry, Errno> {
        let node = Node::from_ino(ino);
        row(node.dir().row).ok_or(Errno::ENOENT)?.entry(self, node, held)
    }

    /// The directory that a node is in; the root's is itself.
    ///
    /// # Errors
    /// `ENOENT` for the directory of a queue that is gone, and for a number that is no node's.
    ///
    /// # Locks
    /// For the directory of a queue the registry's, for reading, and A of the queue.
    pub fn parent(&self, ino: Ino, held: Root) -> Result<Ino, Errno> {
        let node = Node::from_ino(ino);
        let dir = node.dir();
        let row = row(dir.row).ok_or(Errno::ENOENT)?;
        let parent = if matches!(node, Node::Dir(_)) { row.parent(self, dir.key, held)? } else { dir };
        Ok(Node::Dir(parent).ino())
    }

    /// Where a link leads, relative, as in sysfs.
    ///
    /// # Errors
    /// `EINVAL` if it is no link, `ENOENT` if it, or the device that a list of links names, is gone.
    ///
    /// # Locks
    /// As [`Tree::lookup`].
    pub fn readlink(&self, ino: Ino, held: Root) -> Result<String, Errno> {
        let node = Node::from_ino(ino);
        row(node.dir().row).ok_or(Errno::ENOENT)?.readlink(self, node, held)
    }

    /// Runs an attribute's show. At most a page is read, but of the control files.
    ///
    /// # Errors
    /// `EISDIR` if it is no attribute, `ENODEV` if it or its object is gone, `EIO` if it can't be read, and what the
    /// attribute says.
    ///
    /// # Locks
    /// Those that [`Tree::lookup`] takes for its directory, then what the attribute's operation takes.
    pub fn show(&self, ino: Ino, task: Doing) -> Result<Vec<u8>, Errno> {
        let Node::Attribute(dir, place, load) = Node::from_ino(ino) else { return Err(Errno::EISDIR) };
        row(dir.row).ok_or(Errno::ENOENT)?.show(self, dir.key, (place, load), task)
    }

    /// Runs an attribute's store with the bytes of one write(2), of which at most a page is taken; the answer is how
    /// many. Without bytes nothing is done.
    ///
    /// # Errors
    /// `EISDIR` if it is no attribute, `ENODEV` if it or its object is gone, `EIO` if it can't be written, and what
    /// the attribute says.
    ///
    /// # Locks
    /// As [`Tree::show`].
    pub fn store(&self, ino: Ino, data: &[u8], task: Doing) -> Result<usize, Errno> {
        let data = &data[..data.len().min(PAGE)];
        if data.is_empty() {
            return Ok(0);
        }
        let Node::Attribute(dir, place, load) = Node::from_ino(ino) else { return Err(Errno::EISDIR) };
        row(dir.row).ok_or(Errno::ENOENT)?.store(self, dir.key, (place, load), data, task)?;
        Ok(data.len())
    }
    /// The path of a node below `/sys`.
    ///
    /// # Errors
    /// `ENOENT` if it is gone.
    ///
    /// # Locks
    /// As [`Tree::lookup`], for each directory on the way.
    pub fn path(&self, ino: Ino, held: Root) -> Result<String, Errno> {
        let mut names = Vec::new();
        let mut at = ino;
        while at != ROOT {
            names.push(self.entry(at, held)?.name);
            at = self.parent(at, held)?;
        }
        names.reverse();
        Ok(names.join("/"))
    }

    /// [`Tree::store`], and the control file `refusal` keeps it if it is refused, and then counts those that are not. For
    /// front ends: an exploration, which goes back in time, has no last write.
    ///
    /// # Errors
    /// As [`Tree::store`].
    ///
    /// # Locks
    /// As [`Tree::store`]; after it, once something was refused, as [`Tree::path`]; M.
    pub fn store_and_keep(&self, ino: Ino, data: &[u8], task: Doing) -> Result<usize, Errno> {
        let stored = self.store(ino, data, task);
        if stored.is_ok() && self.controls.refusal.borrow().is_none() {
            return stored;
        }
        let path = self.path(ino, task);
        if path.as_ref().is_ok_and(|path| path.starts_with(CONTROLS)) {
            return stored;
        }
        match (&stored, path) {
            (Err(errno), Ok(path)) => {
                let text = String::from_utf8_lossy(&data[..data.len().min(PAGE)]).into_owned();
                let at_ms = self.host.clock().now();
                let mut refused = Refused { path, text, errno: *errno, at_ms, since: 0, matrix: None };
                refused.matrix = refused.mdev().and_then(|uuid| {
                    self.host.vfio.look(task, |mdevs| {
                        mdevs.list.values().find(|mdev| mdev.uuid == uuid).map(|mdev| mdev.matrix)
                    })
                });
                *self.controls.refusal.borrow_mut() = Some(refused);
            }
            // What was removed has no path any more.
            (Ok(_), _) => {
                self.controls.refusal.borrow_mut().iter_mut().for_each(|refused| refused.since += 1);
            }
            (Err(_), Err(_)) => {}
        }
        stored
    }

    /// What a call to a file waits for that does not return: the guest that has the mdev of its directory open, or any
    /// guest that has one open.
    ///
    /// # Locks
    /// As [`Tree::path`]; M.
    pub(crate) fn waits_for(&self, ino: Ino, held: Root) -> Option<String> {
        // A file that is being removed has no name any more; its directory has.
        let directory = self.parent(ino, held).and_then(|parent| self.path(parent, held)).ok()?;
        let name = directory.rsplit('/').next().unwrap_or_default().to_owned();
        let open = self.host.vfio.look(held, |mdevs| {
            let open =
                mdevs.list.values().filter_map(|mdev| Some((mdev.uuid, mdev.opening()?.by.name.clone())));
            open.collect::<Vec<_>>()
        });
        let own = open.iter().find(|(uuid, _)| uuid.to_string() == name);
        let (uuid, guest) = own.or(open.first())?;
        Some(format!(
            "a call below /sys/{directory} waits until guest {guest} lets mdev {uuid} go, which it has open; \
             `apmatrix guest stop {guest}` ends that"
        ))
    }
}
