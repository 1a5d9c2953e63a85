//! A tree with a few more directories and files in it: mount points for what stays visible of the real `/sys`.
//!
//! It is a file system like any other, and knows neither mounts nor what will stand on its grafts.

use std::collections::HashMap;

use ap_sysfs::{
    Answer, Called, Change, Device, DeviceNumber, Entry, Errno, Event, Filesystem, Ino, Kind, ROOT, Token,
};

/// Numbers of grafted nodes: far from those that trees use, and positive as file offsets.
const FIRST: u64 = 0x7fff_ffff_0000_0000;

/// What is grafted at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stem {
    /// An empty directory (and those above it).
    Directory,
    /// The same, which is there for whoever names it, and in no listing.
    Unlisted,
    /// An empty file, 0444.
    File,
}

struct Node {
    parent: Ino,
    entry: Entry,
    listed: bool,
}

/// The tree that shows another one and the grafts.
pub struct Graft {
    inner: Box<dyn Filesystem>,
    nodes: Vec<Node>,
    /// The grafted entries of each directory, own or inner.
    children: HashMap<Ino, Vec<usize>>,
    paths: Vec<String>,
}

impl Graft {
    /// Grafts `paths` (relative to the root) onto `inner`; what `inner` has stays as it is.
    #[must_use]
    pub fn new(mut inner: Box<dyn Filesystem>, paths: &[(String, Stem)]) -> Graft {
        let mut missing = Vec::new();
        for (path, stem) in paths {
            if inner.resolve(path).is_err() {
                missing.push((path, *stem));
            }
        }
        let mut graft = Graft { inner, nodes: Vec::new(), children: HashMap::new(), paths: Vec::new() };
        for (path, stem) in missing {
            graft.paths.push(path.clone());
            graft.add(path, stem);
        }
        graft
    }

    /// What was grafted.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.paths.clone()
    }

    fn add(&mut self, path: &str, stem: Stem) {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let mut parent = ROOT;
        for (depth, name) in names.iter().enumerate() {
            if let Ok(entry) = self.lookup(parent, name) {
                if entry.kind != Kind::Directory {
                    return;
                }
                parent = entry.ino;
                continue;
            }
            let directory = stem != Stem::File || depth + 1 < names.len();
            let ino = Ino(FIRST + self.nodes.len() as u64);
            let (kind, mode) = if directory { (Kind::Directory, 0o755) } else { (Kind::File, 0o444) };
            self.children.entry(parent).or_default().push(self.nodes.len());
            let entry = Entry { name: (*name).to_owned(), ino, kind, mode };
            self.nodes.push(Node { parent, entry, listed: stem != Stem::Unlisted });
            parent = ino;
        }
    }

    fn own(&self, ino: Ino) -> Option<&Node> {
        ino.0.checked_sub(FIRST).and_then(|index| self.nodes.get(usize::try_from(index).ok()?))
    }
}

impl Filesystem for Graft {
    fn lookup(&mut self, parent: Ino, name: &str) -> Result<Entry, Errno> {
        if let Some(children) = self.children.get(&parent)
            && let Some(child) = children.iter().find(|child| self.nodes[**child].entry.name == name)
        {
            return Ok(self.nodes[*child].entry.clone());
        }
        match self.own(parent) {
            Some(node) if node.entry.kind == Kind::Directory => Err(Errno::ENOENT),
            Some(_) => Err(Errno::ENOTDIR),
            None => self.inner.lookup(parent, name),
        }
    }

    fn entry(&mut self, ino: Ino) -> Result<Entry, Errno> {
        match self.own(ino) {
            Some(node) => Ok(node.entry.clone()),
            None => self.inner.entry(ino),
        }
    }

    fn parent(&mut self, ino: Ino) -> Result<Ino, Errno> {
        match self.own(ino) {
            Some(node) => Ok(node.parent),
            None => self.inner.parent(ino),
        }
    }

    fn entries(&mut self, directory: Ino) -> Result<Vec<Entry>, Errno> {
        let mut entries = match self.own(directory) {
            Some(node) if node.entry.kind == Kind::Directory => Vec::new(),
            Some(_) => return Err(Errno::ENOTDIR),
            None => self.inner.entries(directory)?,
        };
        if let Some(children) = self.children.get(&directory) {
            for child in children {
                let entry = &self.nodes[*child].entry;
                // What the machine has meanwhile got by itself would be here twice.
                entries.retain(|other| other.name != entry.name);
                if self.nodes[*child].listed {
                    entries.push(entry.clone());
                }
            }
            entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        }
        Ok(entries)
    }

    fn readlink(&mut self, ino: Ino) -> Result<String, Errno> {
        match self.own(ino) {
            Some(_) => Err(Errno::EINVAL),
            None => self.inner.readlink(ino),
        }
    }

    fn show(&mut self, ino: Ino) -> Called<Vec<u8>> {
        match self.own(ino) {
            Some(_) => Called::Done(Ok(Vec::new())),
            None => self.inner.show(ino),
        }
    }

    fn store(&mut self, ino: Ino, data: &[u8]) -> Called<usize> {
        match self.own(ino) {
            Some(_) => Called::Done(Err(Errno::EACCES)),
            None => self.inner.store(ino, data),
        }
    }

    fn finished(&mut self) -> Vec<(Token, Answer)> {
        self.inner.finished()
    }

    fn changes(&mut self) -> Vec<Change> {
        self.inner.changes()
    }

    fn events(&mut self) -> Vec<Event> {
        self.inner.events()
    }

    fn devices(&mut self) -> Vec<Device> {
        self.inner.devices()
    }

    fn waits_for(&mut self, token: Token) -> Option<String> {
        self.inner.waits_for(token)
    }

    fn ioctl(&mut self, device: DeviceNumber, request: u32, input: &[u8]) -> Result<Vec<u8>, Errno> {
        self.inner.ioctl(device, request, input)
    }

    fn directories(&mut self, directory: Ino) -> Result<usize, Errno> {
        let own = self.children.get(&directory).map_or(&[][..], Vec::as_slice);
        let own = own.iter().map(|child| &self.nodes[*child]);
        let own = own.filter(|node| node.listed && node.entry.kind == Kind::Directory).count();
        let inner = if self.own(directory).is_some() { 0 } else { self.inner.directories(directory)? };
        Ok(own + inner)
    }

    fn departed(&mut self, ino: Ino) -> Option<Entry> {
        self.inner.departed(ino)
    }

    fn advance(&mut self, milliseconds: u64) {
        self.inner.advance(milliseconds);
    }

    fn next_due(&self) -> Option<u64> {
        self.inner.next_due()
    }
}
