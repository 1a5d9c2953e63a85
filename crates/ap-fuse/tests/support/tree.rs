//! A small tree to serve in tests: static attributes, some that misbehave, and devices that come and go.

use std::collections::BTreeMap;

use ap_sysfs::{Answer, Called, Change, Entry, Errno, Event, Filesystem, Ino, Kind, ROOT, Token, Uevent};

/// What an attribute does.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// Shows what was stored last.
    Keeps(Vec<u8>),
    /// Shows how often it was shown.
    Counts,
    /// Its store makes the device whose name it gets.
    Creates,
    /// Its store removes the device that it is in.
    Removes,
    /// Its store waits until something is stored to the one that lets go.
    Waits,
    /// Its show waits, too.
    ShowWaits,
    LetsGo,
    /// Panics.
    Panics,
    /// Fails with the error that is stored, by name.
    Fails,
    /// Shows how often background work ran; a store makes it due in so many milliseconds.
    Works,
}

#[derive(Clone, Debug)]
enum Node {
    Directory(BTreeMap<String, Ino>),
    File(Does),
    Link(String),
}

struct Object {
    parent: Ino,
    entry: Entry,
    node: Node,
}

/// The tree.
pub struct TestTree {
    objects: BTreeMap<Ino, Object>,
    next: u64,
    changes: Vec<Change>,
    events: Vec<Event>,
    waiting: Vec<(Token, Option<usize>)>,
    finished: Vec<(Token, Answer)>,
    tokens: u64,
    shown: u64,
    now: u64,
    due: Option<u64>,
    worked: u64,
}

pub const DEVICES: &str = "devices/test";
pub const BUS: &str = "bus/test/devices";

impl TestTree {
    /// With `devices` devices from the start.
    pub fn new(devices: usize) -> TestTree {
        let root = Entry { name: String::new(), ino: ROOT, kind: Kind::Directory, mode: 0o755 };
        let mut tree = TestTree {
            objects: BTreeMap::from([(
                ROOT,
                Object { parent: ROOT, entry: root, node: Node::Directory(BTreeMap::new()) },
            )]),
            next: 2,
            changes: Vec::new(),
            events: Vec::new(),
            waiting: Vec::new(),
            finished: Vec::new(),
            tokens: 0,
            shown: 0,
            now: 0,
            due: None,
            worked: 0,
        };
        for directory in [DEVICES, BUS, "class", "kernel", "module"] {
            tree.directory(directory);
        }
        let test = tree.directory("bus/test");
        let page: Vec<u8> = (0..4096_u32).map(|at| b'a' + (at % 26) as u8).collect();
        for (name, mode, does) in [
            ("rw", 0o644, Does::Keeps(b"0\n".to_vec())),
            ("ro", 0o444, Does::Keeps(b"fixed\n".to_vec())),
            ("wo", 0o200, Does::Keeps(Vec::new())),
            ("empty", 0o444, Does::Keeps(Vec::new())),
            ("page", 0o644, Does::Keeps(page)),
            ("count", 0o444, Does::Counts),
            ("create", 0o200, Does::Creates),
            ("wait", 0o200, Does::Waits),
            ("show_wait", 0o444, Does::ShowWaits),
            ("let_go", 0o200, Does::LetsGo),
            ("panic", 0o644, Does::Panics),
            ("fail", 0o200, Does::Fails),
            ("work", 0o644, Does::Works),
        ] {
            tree.add(test, name, mode, Node::File(does));
        }
        for number in 0..devices {
            tree.create(&format!("dev{number:04}"));
        }
        tree.changes.clear();
        tree.events.clear();
        tree
    }

    fn directory(&mut self, path: &str) -> Ino {
        let mut at = ROOT;
        for name in path.split('/') {
            at = match self.child(at, name) {
                Some(ino) => ino,
                None => self.add(at, name, 0o755, Node::Directory(BTreeMap::new())),
            };
        }
        at
    }

    fn child(&self, parent: Ino, name: &str) -> Option<Ino> {
        match &self.objects.get(&parent)?.node {
            Node::Directory(children) => children.get(name).copied(),
            _ => None,
        }
    }

    fn add(&mut self, parent: Ino, name: &str, mode: u16, node: Node) -> Ino {
        let ino = Ino(self.next);
        self.next += 1;
        let kind = match node {
            Node::Directory(_) => Kind::Directory,
            Node::File(_) => Kind::File,
            Node::Link(_) => Kind::Link,
        };
        let entry = Entry { name: name.to_owned(), ino, kind, mode };
        self.objects.insert(ino, Object { parent, entry, node });
        if let Some(Object { node: Node::Directory(children), .. }) = self.objects.get_mut(&parent) {
            children.insert(name.to_owned(), ino);
        }
        self.changes.push(Change::Appeared { parent, name: name.to_owned() });
        ino
    }

    fn remove(&mut self, ino: Ino) {
        if let Some(Object { node: Node::Directory(children), .. }) = self.objects.get(&ino) {
            for child in children.clone().into_values() {
                self.remove(child);
            }
        }
        let Some(object) = self.objects.remove(&ino) else { return };
        if let Some(Object { node: Node::Directory(children), .. }) = self.objects.get_mut(&object.parent) {
            children.remove(&object.entry.name);
        }
        let directory = matches!(object.node, Node::Directory(_));
        self.changes.push(Change::Gone { parent: object.parent, name: object.entry.name, ino, directory });
    }

    fn create(&mut self, name: &str) {
        let devices = self.directory(DEVICES);
        let device = self.add(devices, name, 0o755, Node::Directory(BTreeMap::new()));
        self.add(device, "value", 0o644, Node::File(Does::Keeps(format!("{name}\n").into_bytes())));
        self.add(device, "remove", 0o200, Node::File(Does::Removes));
        let uevent = Does::Keeps(b"DEVTYPE=test_device\n".to_vec());
        self.add(device, "uevent", 0o644, Node::File(uevent));
        for number in 0..12 {
            let does = Does::Keeps(format!("{number}\n").into_bytes());
            self.add(device, &format!("attribute{number}"), 0o444, Node::File(does));
        }
        self.add(device, "subsystem", 0o777, Node::Link("../../../bus/test".to_owned()));
        let bus = self.directory(BUS);
        self.add(bus, name, 0o777, Node::Link(format!("../../../{DEVICES}/{name}")));
        self.event("add", name);
    }

    fn event(&mut self, action: &str, name: &str) {
        self.events.push(Event::Uevent(Uevent {
            action: action.to_owned(),
            devpath: format!("/{DEVICES}/{name}"),
            env: vec![
                ("SUBSYSTEM".to_owned(), "test".to_owned()),
                ("DEVTYPE".to_owned(), "test_device".to_owned()),
            ],
        }));
    }

    fn wait<T>(&mut self, count: Option<usize>) -> Called<T> {
        self.tokens += 1;
        self.waiting.push((Token(self.tokens), count));
        Called::Pending(Token(self.tokens))
    }

    fn stored(&mut self, ino: Ino, data: &[u8]) -> Result<(), Errno> {
        let Some(Object { node: Node::File(does), parent, .. }) = self.objects.get_mut(&ino) else {
            return Err(Errno::ENODEV);
        };
        let parent = *parent;
        let text = String::from_utf8_lossy(data).trim_end_matches('\n').to_owned();
        match does.clone() {
            Does::Keeps(_) => *does = Does::Keeps(data.to_vec()),
            Does::Creates => {
                if text.is_empty() || text.contains('/') {
                    return Err(Errno::EINVAL);
                }
                let devices = self.directory(DEVICES);
                if self.child(devices, &text).is_some() {
                    return Err(Errno::EEXIST);
                }
                self.create(&text);
            }
            Does::Removes => {
                let name = self.objects[&parent].entry.name.clone();
                self.remove(parent);
                let bus = self.directory(BUS);
                if let Some(link) = self.child(bus, &name) {
                    self.remove(link);
                }
                self.event("remove", &name);
            }
            Does::LetsGo => {
                for (token, count) in std::mem::take(&mut self.waiting) {
                    let answer = match count {
                        Some(count) => Answer::Stored(Ok(count)),
                        None => Answer::Shown(Ok(b"at last\n".to_vec())),
                    };
                    self.finished.push((token, answer));
                }
            }
            Does::Panics => panic!("an injected panic"),
            Does::Fails => return Err(Errno::from_name(&text).unwrap_or(Errno::EINVAL)),
            Does::Works => self.due = Some(self.now + text.parse::<u64>().map_err(|_| Errno::EINVAL)?),
            Does::Counts | Does::Waits | Does::ShowWaits => {}
        }
        Ok(())
    }
}

impl Filesystem for TestTree {
    fn lookup(&mut self, parent: Ino, name: &str) -> Result<Entry, Errno> {
        let object = self.objects.get(&parent).ok_or(Errno::ENOENT)?;
        let Node::Directory(children) = &object.node else { return Err(Errno::ENOTDIR) };
        self.entry(*children.get(name).ok_or(Errno::ENOENT)?)
    }

    fn entry(&mut self, ino: Ino) -> Result<Entry, Errno> {
        self.objects.get(&ino).map(|object| object.entry.clone()).ok_or(Errno::ENOENT)
    }

    fn parent(&mut self, ino: Ino) -> Result<Ino, Errno> {
        self.objects.get(&ino).map(|object| object.parent).ok_or(Errno::ENOENT)
    }

    fn entries(&mut self, directory: Ino) -> Result<Vec<Entry>, Errno> {
        match &self.objects.get(&directory).ok_or(Errno::ENOENT)?.node {
            Node::Directory(children) => {
                Ok(children.values().map(|ino| self.objects[ino].entry.clone()).collect())
            }
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn readlink(&mut self, ino: Ino) -> Result<String, Errno> {
        match &self.objects.get(&ino).ok_or(Errno::ENOENT)?.node {
            Node::Link(target) => Ok(target.clone()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn show(&mut self, ino: Ino) -> Called<Vec<u8>> {
        let Some(Object { node: Node::File(does), .. }) = self.objects.get(&ino) else {
            return Called::Done(Err(Errno::ENODEV));
        };
        match does.clone() {
            Does::Keeps(text) => Called::Done(Ok(text)),
            Does::Counts => {
                self.shown += 1;
                Called::Done(Ok(format!("{}\n", self.shown).into_bytes()))
            }
            Does::ShowWaits => self.wait(None),
            Does::Panics => panic!("an injected panic"),
            Does::Works => Called::Done(Ok(format!("{}\n", self.worked).into_bytes())),
            _ => Called::Done(Err(Errno::EIO)),
        }
    }

    fn store(&mut self, ino: Ino, data: &[u8]) -> Called<usize> {
        if matches!(self.objects.get(&ino), Some(Object { node: Node::File(Does::Waits), .. })) {
            return self.wait(Some(data.len()));
        }
        Called::Done(self.stored(ino, data).map(|()| data.len()))
    }

    fn finished(&mut self) -> Vec<(Token, Answer)> {
        std::mem::take(&mut self.finished)
    }

    fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn advance(&mut self, milliseconds: u64) {
        self.now += milliseconds;
        if self.due.is_some_and(|due| due <= self.now) {
            self.due = None;
            self.worked += 1;
            self.create(&format!("worked{}", self.worked));
        }
    }

    fn next_due(&self) -> Option<u64> {
        self.due.map(|due| due.saturating_sub(self.now))
    }
}
