//! What follows from a row of the table, the same way for every kind of directory.

use std::any::Any;

use ap_host::module::Module;
use ap_task::Subject;

use crate::attribute::{Attribute, PAGE};
use crate::directory::{Children, Concern, Directory, Put, Visit};
use crate::errno::Errno;
use crate::front::{Entry, Kind};
use crate::node::{Dir, Key, Load, Node, RowId};
use crate::object::{Object, Plain};
use crate::path::Path;
use crate::row::{Concerned, KINDS, Link, Listing, Name, Parent, Row, Target, There, Uevent};
use crate::tree::{Doing, Root, Tree};
use crate::uevent;

/// A file of a directory.
enum File<'r, O> {
    Uevent(&'r Uevent<O>),
    Attribute(&'r Attribute<O>),
}

impl<O: Object> File<'_, O> {
    fn name(&self) -> &'static str {
        match self {
            File::Uevent(_) => "uevent",
            File::Attribute(attribute) => attribute.name,
        }
    }

    fn mode(&self, tree: &Tree) -> u16 {
        match self {
            File::Uevent(uevent) => uevent.mode,
            File::Attribute(attribute) => attribute.mode_on(tree.host.kernel()),
        }
    }

    fn present(&self, tree: &Tree, object: &O) -> bool {
        match self {
            File::Uevent(uevent) => (uevent.present)(object),
            File::Attribute(attribute) => (attribute.present)(tree, object),
        }
    }
}

fn entry(name: impl Into<String>, node: Node, kind: Kind, mode: u16) -> Entry {
    Entry { name: name.into(), ino: node.ino(), kind, mode }
}

fn directory(name: impl Into<String>, row: RowId, key: Key) -> Entry {
    entry(name, Node::Dir(Dir { row, key }), Kind::Directory, 0o755)
}

fn link(name: impl Into<String>, node: Node) -> Entry {
    entry(name, node, Kind::Link, 0o777)
}

/// The place of the `which`th kind of a directory's list `number`.
fn listed_place(number: usize, which: u8) -> u8 {
    (number * KINDS) as u8 + which
}

impl<O: Object> Row<O> {
    fn at(&self, key: Key) -> Dir {
        Dir { row: self.id, key }
    }

    /// The object of a directory that is there.
    fn open(&self, tree: &Tree, key: Key, held: Root) -> Option<O> {
        O::find(tree, key, held).filter(|object| self.is_there(tree, object, held))
    }

    /// The object of a directory that is there, and which load of its module its files belong to.
    fn open_files(&self, tree: &Tree, key: Key, held: Root) -> Option<(O, Load)> {
        let object = O::find(tree, key, held)?;
        if let There::While(module) = &self.there {
            let core = tree.host.core(held);
            let load = Load::number(core.loads_of(*module));
            return core.loaded.has(*module).then_some((object, load));
        }
        let load = O::load(tree, key, held);
        self.is_there(tree, &object, held).then_some((object, load))
    }

    fn is_there(&self, tree: &Tree, object: &O, held: Root) -> bool {
        match &self.there {
            There::Always => true,
            There::While(module) => tree.host.loaded(held).has(*module),
            There::If(there) => there(tree, object),
        }
    }

    /// Appends the name of an object's directory.
    fn write_name(&self, tree: &Tree, key: Key, object: &O, text: &mut String) {
        match &self.name {
            Name::Fixed(name) => text.push_str(name),
            Name::ByKey(name) => name(tree, key, text),
            Name::Of(name) => text.push_str(&name(object)),
        }
    }

    fn name_of(&self, tree: &Tree, key: Key, object: &O) -> String {
        match &self.name {
            Name::Of(name) => name(object),
            Name::Fixed(_) | Name::ByKey(_) => {
                let mut text = String::new();
                self.write_name(tree, key, object, &mut text);
                text
            }
        }
    }

    fn is_named(&self, name: &str, tree: &Tree, key: Key, object: &O) -> bool {
        match &self.name {
            Name::Fixed(fixed) => *fixed == name,
            Name::ByKey(_) | Name::Of(_) => self.name_of(tree, key, object) == name,
        }
    }

    /// Goes from the root to the directory of an object, whether or not it is there. Takes no lock.
    fn go(&self, tree: &Tree, key: Key, object: &O, path: &mut Path) {
        match &self.parent {
            Parent::None => return,
            Parent::In(row) => row.go(tree, Key::NONE, &Plain, path),
            Parent::Within(row) => row.go(tree, key, object, path),
            Parent::Each { row, key, .. } => {
                let _ = row.go_by_key(tree, key.map_or(Key::NONE, |key| key(object)), path);
            }
        }
        path.enter(self.at(key), |text| self.write_name(tree, key, object, text));
    }

    /// The file of that name, if it is there.
    fn file_named(&self, name: &str, tree: &Tree, object: &O) -> Option<(u8, u16)> {
        if name == "uevent"
            && let Some(uevent) = &self.uevent
            && (uevent.present)(object)
        {
            return Some((0, uevent.mode));
        }
        let mut of_name = (1..).zip(self.attributes).filter(|(_, attribute)| attribute.name == name);
        let found = of_name.find(|(_, attribute)| (attribute.present)(tree, object));
        found.map(|(place, attribute)| (place, attribute.mode_on(tree.host.kernel())))
    }

    /// Its files, by place.
    fn files(&self) -> impl Iterator<Item = (u8, File<'_, O>)> {
        let uevent = self.uevent.iter().map(|uevent| (0, File::Uevent(uevent)));
        uevent.chain((1..).zip(self.attributes.iter().map(File::Attribute)))
    }

    fn file(&self, place: u8) -> Option<File<'_, O>> {
        match place {
            0 => self.uevent.as_ref().map(File::Uevent),
            _ => self.attributes.get(usize::from(place) - 1).map(File::Attribute),
        }
    }

    /// The file of that place and its object, for whoever reads or writes it.
    fn opened(
        &self,
        tree: &Tree,
        key: Key,
        (place, load): (u8, Load),
        held: Root,
    ) -> Result<(File<'_, O>, O), Errno> {
        let file = self.file(place).ok_or(Errno::ENOENT)?;
        let (object, now) = self.open_files(tree, key, held).ok_or(Errno::ENODEV)?;
        let there = now == load && file.present(tree, &object);
        if there { Ok((file, object)) } else { Err(Errno::ENODEV) }
    }

    /// Goes from the root to where a link of this directory leads; `None` if the link is not there.
    fn go_to_target(&self, link: &Link<O>, tree: &Tree, key: Key, object: &O) -> Option<Path> {
        let mut path = Path::named();
        match (link.target)(tree, object)? {
            Target::Plain(row) => row.go(tree, Key::NONE, &Plain, &mut path),
            Target::Same(row) => row.go(tree, key, object, &mut path),
            Target::Other(row, other) => row.go_by_key(tree, other, &mut path)?,
        }
        Some(path)
    }

    /// The name and the node of a directory that this one lists, if it does.
    fn listed(
        &self,
        tree: &Tree,
        (key, object): (Key, &O),
        (place, target): (u8, Key),
        held: Root,
    ) -> Option<String> {
        let which = place % KINDS as u8;
        match (self.lists.get(usize::from(place) / KINDS)?, which) {
            (Listing::One(row), 0) => row.open(tree, target, held).map(|one| row.name_of(tree, target, &one)),
            (Listing::Same(row), 0) => Some(row.name_of(tree, key, object)),
            (Listing::Each(_, members), _) => members.name(tree, key, which, target, held),
            _ => None,
        }
    }

    /// The kind of directory that is listed at a place.
    fn listed_row(&self, place: u8) -> Option<&'static dyn Directory> {
        let which = usize::from(place) % KINDS;
        match (self.lists.get(usize::from(place) / KINDS)?, which) {
            (Listing::One(row), 0) => Some(*row),
            (Listing::Same(row), 0) => Some(*row),
            (Listing::Each(rows, _), _) => rows.get(which).copied(),
            _ => None,
        }
    }

    /// The directory of that name that this one lists.
    fn find_listed(&self, tree: &Tree, key: Key, object: &O, name: &str, held: Root) -> Option<Node> {
        self.lists.iter().enumerate().find_map(|(number, list)| {
            let (which, target) = match list {
                Listing::One(row) => (row.is_named(name, tree, Key::NONE, &Plain)
                    && row.open(tree, Key::NONE, held).is_some())
                .then_some((0, Key::NONE))?,
                Listing::Same(row) => row.is_named(name, tree, key, object).then_some((0, key))?,
                Listing::Each(_, members) => members.named(tree, key, name, held)?,
            };
            Some(Node::Listed(self.at(key), listed_place(number, which), target))
        })
    }

    /// All directories that this one lists.
    fn all_listed(&self, tree: &Tree, key: Key, object: &O, held: Root, put: &mut dyn FnMut(String, Node)) {
        let dir = self.at(key);
        for (number, list) in self.lists.iter().enumerate() {
            let mut put = |which, name, target| {
                put(name, Node::Listed(dir, listed_place(number, which), target));
            };
            match list {
                Listing::One(row) => {
                    if let Some(one) = row.open(tree, Key::NONE, held) {
                        put(0, row.name_of(tree, Key::NONE, &one), Key::NONE);
                    }
                }
                Listing::Same(row) => put(0, row.name_of(tree, key, object), key),
                Listing::Each(_, members) => members.all(tree, key, held, &mut put),
            }
        }
    }

    /// Where the directory of that key is.
    fn parent_dir(&self, key: Key, object: Option<&O>) -> Option<Dir> {
        Some(match &self.parent {
            Parent::None => self.at(key),
            Parent::In(row) => row.at(Key::NONE),
            Parent::Within(row) => row.at(key),
            Parent::Each { id, key: None, .. } => Dir { row: *id, key: Key::NONE },
            Parent::Each { id, key: Some(key), .. } => Dir { row: *id, key: key(object?) },
        })
    }
}

impl<O: Object> Directory for Row<O> {
    fn id(&self) -> RowId {
        self.id
    }

    fn lookup(
        &self,
        tree: &Tree,
        key: Key,
        name: &str,
        children: Children,
        held: Root,
    ) -> Result<Entry, Errno> {
        let (object, load) = self.open_files(tree, key, held).ok_or(Errno::ENOENT)?;
        let dir = self.at(key);
        if let Some((place, mode)) = self.file_named(name, tree, &object) {
            return Ok(entry(name, Node::Attribute(dir, place, load), Kind::File, mode));
        }
        for (place, known) in (0..).zip(self.links) {
            if known.name == name && (known.target)(tree, &object).is_some() {
                return Ok(link(name, Node::Link(dir, place)));
            }
        }
        for child in children {
            if let Some(key) = child.in_parent(tree, (key, &object), name, held) {
                return Ok(directory(name, child.id(), key));
            }
        }
        let listed = self.find_listed(tree, key, &object, name, held);
        listed.map(|node| link(name, node)).ok_or(Errno::ENOENT)
    }

    fn entries(&self, tree: &Tree, key: Key, children: Children, held: Root) -> Result<Vec<Entry>, Errno> {
        let (object, load) = self.open_files(tree, key, held).ok_or(Errno::ENOENT)?;
        let dir = self.at(key);
        let mut entries = Vec::new();
        for child in children {
            let put = &mut |name, key| entries.push(directory(name, child.id(), key));
            child.all_in_parent(tree, (key, &object), held, put);
        }
        for (place, file) in self.files() {
            if file.present(tree, &object) {
                entries.push(entry(
                    file.name(),
                    Node::Attribute(dir, place, load),
                    Kind::File,
                    file.mode(tree),
                ));
            }
        }
        for (place, known) in (0..).zip(self.links) {
            if (known.target)(tree, &object).is_some() {
                entries.push(link(known.name, Node::Link(dir, place)));
            }
        }
        self.all_listed(tree, key, &object, held, &mut |name, node| entries.push(link(name, node)));
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn directories(&self, tree: &Tree, key: Key, children: Children, held: Root) -> Result<usize, Errno> {
        let object = self.open(tree, key, held).ok_or(Errno::ENOENT)?;
        let mut count = 0;
        for child in children {
            child.all_in_parent(tree, (key, &object), held, &mut |_, _| count += 1);
        }
        Ok(count)
    }

    fn departed(&self, tree: &Tree, node: Node) -> Option<Entry> {
        Some(match node {
            Node::Dir(Dir { key, .. }) => directory("", self.id, key),
            Node::Attribute(_, place, _) => entry("", node, Kind::File, self.file(place)?.mode(tree)),
            Node::Link(..) | Node::Listed(..) => link("", node),
        })
    }

    fn entry(&self, tree: &Tree, node: Node, held: Root) -> Result<Entry, Errno> {
        let Dir { key, .. } = node.dir();
        let (object, now) = self.open_files(tree, key, held).ok_or(Errno::ENOENT)?;
        let found = match node {
            Node::Dir(_) => Some(directory(self.name_of(tree, key, &object), self.id, key)),
            Node::Attribute(_, place, load) => self
                .file(place)
                .filter(|file| load == now && file.present(tree, &object))
                .map(|file| entry(file.name(), node, Kind::File, file.mode(tree))),
            Node::Link(_, place) => self
                .links
                .get(usize::from(place))
                .filter(|known| (known.target)(tree, &object).is_some())
                .map(|known| link(known.name, node)),
            Node::Listed(_, place, target) => {
                self.listed(tree, (key, &object), (place, target), held).map(|name| link(name, node))
            }
        };
        found.ok_or(Errno::ENOENT)
    }

    fn parent(&self, tree: &Tree, key: Key, held: Root) -> Result<Dir, Errno> {
        let depends = matches!(self.parent, Parent::Each { key: Some(_), .. });
        let object = if depends { O::find(tree, key, held) } else { None };
        self.parent_dir(key, object.as_ref()).ok_or(Errno::ENOENT)
    }

    fn readlink(&self, tree: &Tree, node: Node, held: Root) -> Result<String, Errno> {
        let Dir { key, .. } = node.dir();
        match node {
            Node::Dir(_) | Node::Attribute(..) => Err(Errno::EINVAL),
            Node::Link(_, place) => {
                let object = self.open(tree, key, held).ok_or(Errno::ENOENT)?;
                let known = self.links.get(usize::from(place)).ok_or(Errno::ENOENT)?;
                let target = self.go_to_target(known, tree, key, &object).ok_or(Errno::ENOENT)?;
                let mut here = Path::unnamed();
                self.go(tree, key, &object, &mut here);
                Ok(here.link_to(&target))
            }
            Node::Listed(_, place, listed) => {
                let row = self.listed_row(place).ok_or(Errno::ENOENT)?;
                let (mut here, mut target) = (Path::unnamed(), Path::named());
                row.go_if_there(tree, listed, held, &mut target).ok_or(Errno::ENOENT)?;
                if self.go_by_key(tree, key, &mut here).is_none() {
                    here = Path::unnamed();
                    self.go_if_there(tree, key, held, &mut here).ok_or(Errno::ENOENT)?;
                }
                Ok(here.link_to(&target))
            }
        }
    }

    fn show(&self, tree: &Tree, key: Key, file: (u8, Load), task: Doing) -> Result<Vec<u8>, Errno> {
        let (file, object) = self.opened(tree, key, file, task)?;
        let mut text = match file {
            File::Uevent(uevent) if uevent.mode & 0o400 == 0 => return Err(Errno::EIO),
            File::Uevent(uevent) => uevent::variables(&(uevent.subject)(&object)),
            File::Attribute(attribute) => attribute.show.ok_or(Errno::EIO)?(tree, &object, task)?,
        };
        if !self.whole {
            text.truncate(PAGE);
        }
        Ok(text)
    }

    fn store(&self, tree: &Tree, key: Key, file: (u8, Load), data: &[u8], task: Doing) -> Result<(), Errno> {
        let (file, object) = self.opened(tree, key, file, task)?;
        match file {
            File::Uevent(uevent) => uevent::send((uevent.subject)(&object), data, task),
            File::Attribute(attribute) => attribute.store.ok_or(Errno::EIO)?(tree, &object, data, task),
        }
    }

    fn in_parent(&self, tree: &Tree, parent: (Key, &dyn Any), name: &str, held: Root) -> Option<Key> {
        match &self.parent {
            Parent::None => None,
            Parent::In(_) => {
                let named = matches!(self.name, Name::Fixed(fixed) if fixed == name);
                (named && self.open(tree, Key::NONE, held).is_some()).then_some(Key::NONE)
            }
            Parent::Within(_) => {
                let object: &O = parent.1.downcast_ref()?;
                let named = self.is_named(name, tree, parent.0, object);
                (named && self.is_there(tree, object, held)).then_some(parent.0)
            }
            Parent::Each { members, .. } => members.named(tree, parent.0, name, held).map(|(_, key)| key),
        }
    }

    fn all_in_parent(&self, tree: &Tree, parent: (Key, &dyn Any), held: Root, put: &mut Put) {
        match &self.parent {
            Parent::None => {}
            Parent::In(_) => {
                if let Some(object) = self.open(tree, Key::NONE, held) {
                    put(self.name_of(tree, Key::NONE, &object), Key::NONE);
                }
            }
            Parent::Within(_) => {
                if let Some(object) = parent.1.downcast_ref::<O>()
                    && self.is_there(tree, object, held)
                {
                    put(self.name_of(tree, parent.0, object), parent.0);
                }
            }
            Parent::Each { members, .. } => {
                members.all(tree, parent.0, held, &mut |_, name, key| put(name, key));
            }
        }
    }

    fn go_by_key(&self, tree: &Tree, key: Key, path: &mut Path) -> Option<()> {
        match &self.parent {
            Parent::None => return Some(()),
            Parent::In(row) => row.go(tree, Key::NONE, &Plain, path),
            Parent::Within(row) => row.go_by_key(tree, key, path)?,
            Parent::Each { row, key: None, .. } => row.go_by_key(tree, Key::NONE, path)?,
            Parent::Each { key: Some(_), .. } => return None,
        }
        let dir = self.at(key);
        match &self.name {
            Name::Fixed(name) => path.enter(dir, |text| text.push_str(name)),
            Name::ByKey(name) => path.enter(dir, |text| name(tree, key, text)),
            Name::Of(_) => return None,
        }
        Some(())
    }

    fn go_if_there(&self, tree: &Tree, key: Key, held: Root, path: &mut Path) -> Option<()> {
        let object = self.open(tree, key, held)?;
        self.go(tree, key, &object, path);
        Some(())
    }

    fn concern(&self, tree: &Tree, subject: &Subject) -> Option<Concern> {
        if let (There::While(module), Subject::Module(event)) = (&self.there, subject) {
            let (Name::Fixed(name), Parent::In(parent)) = (&self.name, &self.parent) else { return None };
            return (module.name() == *event).then(|| Concern {
                dir: self.at(Key::NONE),
                parent: parent.at(Key::NONE),
                name: (*name).to_owned(),
                own: true,
            });
        }
        let Concerned { key, parent, name, own } = self.concerns?(tree, subject)?;
        let parent = match self.parent {
            Parent::Within(_) => key,
            Parent::None | Parent::In(_) | Parent::Each { .. } => parent,
        };
        Some(Concern { dir: self.at(key), parent: Dir { row: self.parent_id(), key: parent }, name, own })
    }

    fn module(&self) -> Option<Module> {
        match self.there {
            There::While(module) => Some(module),
            There::Always | There::If(_) => None,
        }
    }

    fn listing(&self, tree: &Tree, listed: Dir, subject: &Subject, visit: &mut Visit) {
        for place in 0..(self.lists.len() * KINDS) as u8 {
            if self.listed_row(place).is_some_and(|row| row.id() == listed.row) {
                let name = || match self.lists.get(usize::from(place) / KINDS)? {
                    Listing::Each(_, members) => members.called(subject),
                    Listing::One(_) | Listing::Same(_) => None,
                };
                O::holders(tree, listed.key, &mut |holder| visit(self.at(holder), place, name()));
            }
        }
    }

    fn contents(&self, key: Key, visit: &mut dyn FnMut(&'static str, Node)) {
        let dir = self.at(key);
        self.files().for_each(|(place, file)| {
            // Files that come with a module come and go with their directory, and are never told of one by one.
            visit(file.name(), Node::Attribute(dir, place, Load::default()));
        });
        (0..).zip(self.links).for_each(|(place, link)| visit(link.name, Node::Link(dir, place)));
    }

    fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        self.contents(Key::NONE, &mut |name, _| names.push(name));
        if let Name::Fixed(name) = self.name {
            names.push(name);
        }
        if let Parent::Each { members, .. } = self.parent {
            names.extend(members.known());
        }
        names
    }
}
