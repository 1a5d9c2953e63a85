//! The vocabulary of the table of directories: what a kind of directory consists of.
//!
//! A [`Row`] says all about one kind of directory, in terms of the object (a card, a queue, an mdev …) that such a
//! directory is about; a directory without an object is about [`Plain`]. Everything that the tree answers follows from
//! the rows; [`crate::derived`] derives it.

use ap_host::module::Module;
use ap_task::Subject;

use crate::attribute::Attribute;
use crate::directory::Directory;
use crate::node::{Key, MOST_ATTRIBUTES, MOST_LINKS, MOST_LISTED, RowId};
use crate::object::{Members, Object, Plain};
use crate::tree::Tree;

/// A kind of directory.
pub(crate) struct Row<O: Object> {
    /// Its place in the table.
    pub id: RowId,
    /// What such a directory is called.
    pub name: Name<O>,
    /// Where it is.
    pub parent: Parent<O>,
    /// When it is there, beside that its object is.
    pub there: There<O>,
    /// Its files, but for `uevent`.
    pub attributes: &'static [Attribute<O>],
    /// Its file `uevent`.
    pub uevent: Option<Uevent<O>>,
    /// Its links of fixed names.
    pub links: &'static [Link<O>],
    /// The directories that it lists as links.
    pub lists: &'static [Listing<O>],
    /// Which events are about it.
    pub concerns: Option<fn(&Tree, &Subject) -> Option<Concerned>>,
    /// Whether a read of its attributes gives more than a page.
    pub whole: bool,
}

/// What a directory is called.
pub(crate) enum Name<O> {
    /// Always the same.
    Fixed(&'static str),
    /// What its key says: it is appended to a text; nothing, of a key that was never given.
    ByKey(fn(&Tree, Key, &mut String)),
    /// What its object says.
    Of(fn(&O) -> String),
}

/// Where a directory is.
pub(crate) enum Parent<O: Object> {
    /// It is the root.
    None,
    /// The one of its kind in a directory without object.
    In(&'static Row<Plain>),
    /// The one of its kind in another directory of the same object.
    Within(&'static Row<O>),
    /// One of many in a directory of another object.
    Each {
        /// Which kind of directory that is.
        id: RowId,
        /// The same, to ask for its path.
        row: &'static dyn Directory,
        /// The key of that other object; `None` where the directory is without object.
        key: Option<fn(&O) -> Key>,
        /// The objects that have such a directory.
        members: &'static dyn Members,
    },
}

/// When a directory is there.
pub(crate) enum There<O> {
    /// Whenever its object is.
    Always,
    /// While that module is loaded.
    While(Module),
    /// While that is so: of the object, or of what the host was made with.
    If(fn(&Tree, &O) -> bool),
}

/// The file `uevent` of a directory.
pub(crate) struct Uevent<O> {
    /// Its permission bits.
    pub mode: u16,
    /// Whether it is there.
    pub present: fn(&O) -> bool,
    /// What events that are written to it are about, and whose variables a read gives.
    pub subject: fn(&O) -> Subject,
}

/// A link of a fixed name.
pub(crate) struct Link<O: Object> {
    /// The name.
    pub name: &'static str,
    /// The directory that it leads to; `None` if the link is not there.
    pub target: fn(&Tree, &O) -> Option<Target<O>>,
}

/// The directory that a link leads to.
pub(crate) enum Target<O: Object> {
    /// One without an object.
    Plain(&'static Row<Plain>),
    /// One of the same object.
    Same(&'static Row<O>),
    /// One of another object, whose key says its name.
    Other(&'static dyn Directory, Key),
}

/// Directories that a directory lists as links, each under its name.
pub(crate) enum Listing<O: Object> {
    /// The one of that kind, while it is there.
    One(&'static Row<Plain>),
    /// The one of that kind that has the same object.
    Same(&'static Row<O>),
    /// Those of several objects, of the first, second … of these kinds.
    Each(&'static [&'static dyn Directory], &'static dyn Members),
}

/// How an event is about a directory.
pub(crate) struct Concerned {
    /// The key of the directory's object.
    pub key: Key,
    /// The key of the object of its parent, where that is another one.
    pub parent: Key,
    /// The directory's name.
    pub name: String,
    /// Whether the event is about the directory itself, which then comes with `add` and goes with `remove`; or only
    /// about something that its contents depend on.
    pub own: bool,
}

/// How many places a [`Listing`] has for kinds of what it lists.
pub(crate) const KINDS: usize = 4;

impl Row<Plain> {
    /// The root of the tree.
    pub(crate) const fn root() -> Row<Plain> {
        Row::new(Name::Fixed(""), Parent::None)
    }
}

/// A directory without object, of that name in another one.
pub(crate) const fn dir(name: &'static str, parent: &'static Row<Plain>) -> Row<Plain> {
    Row::new(Name::Fixed(name), Parent::In(parent))
}

/// A directory of that name in one without object, of the only object of its type, whose key is [`Key::NONE`].
pub(crate) const fn one<O: Object>(name: &'static str, parent: &'static Row<Plain>) -> Row<O> {
    Row::new(Name::Fixed(name), Parent::In(parent))
}

/// A directory inside another one of the same object.
pub(crate) const fn within<O: Object>(name: Name<O>, parent: &'static Row<O>) -> Row<O> {
    Row::new(name, Parent::Within(parent))
}

/// A directory for each of these objects, all in one directory without object.
pub(crate) const fn each<O: Object>(
    name: Name<O>,
    parent: &'static Row<Plain>,
    members: &'static dyn Members,
) -> Row<O> {
    Row::new(name, Parent::Each { id: parent.id, row: parent, key: None, members })
}

/// A directory for each of these objects, in that of another object, whose key `key` tells.
pub(crate) const fn each_in<O: Object, P: Object>(
    name: Name<O>,
    parent: &'static Row<P>,
    key: fn(&O) -> Key,
    members: &'static dyn Members,
) -> Row<O> {
    Row::new(name, Parent::Each { id: parent.id, row: parent, key: Some(key), members })
}

/// A link of that name.
pub(crate) const fn link<O: Object>(
    name: &'static str,
    target: fn(&Tree, &O) -> Option<Target<O>>,
) -> Link<O> {
    Link { name, target }
}

impl<O: Object> Row<O> {
    const fn new(name: Name<O>, parent: Parent<O>) -> Row<O> {
        Row {
            id: RowId(0),
            name,
            parent,
            there: There::Always,
            attributes: &[],
            uevent: None,
            links: &[],
            lists: &[],
            concerns: None,
            whole: false,
        }
    }

    /// The same at that place of the table.
    pub(crate) const fn numbered(mut self, id: u8) -> Row<O> {
        self.id = RowId(id);
        self
    }

    /// The same, there only while that module is loaded. It comes and goes with the module's own event.
    pub(crate) const fn while_loaded(mut self, module: Module) -> Row<O> {
        self.there = There::While(module);
        self
    }

    /// The same, there only while that is so.
    pub(crate) const fn there_if(mut self, there: fn(&Tree, &O) -> bool) -> Row<O> {
        self.there = There::If(there);
        self
    }

    /// The same with these attributes.
    pub(crate) const fn attributes(mut self, attributes: &'static [Attribute<O>]) -> Row<O> {
        assert!(attributes.len() < MOST_ATTRIBUTES, "more attributes than numbers have room for");
        self.attributes = attributes;
        self
    }

    /// The same with a file `uevent` (0644) about that subject.
    pub(crate) const fn uevent(self, subject: fn(&O) -> Subject) -> Row<O> {
        const fn always<O>(_: &O) -> bool {
            true
        }
        self.uevent_while(always, subject)
    }

    /// The same with a file `uevent` (0644) about that subject, there only while `present` says so.
    pub(crate) const fn uevent_while(
        mut self,
        present: fn(&O) -> bool,
        subject: fn(&O) -> Subject,
    ) -> Row<O> {
        self.uevent = Some(Uevent { mode: 0o644, present, subject });
        self
    }

    /// The same with a file `uevent` (0200) about that subject.
    pub(crate) const fn uevent_only_written(self, subject: fn(&O) -> Subject) -> Row<O> {
        let mut row = self.uevent(subject);
        if let Some(uevent) = &mut row.uevent {
            uevent.mode = 0o200;
        }
        row
    }

    /// The same with these links of fixed names.
    pub(crate) const fn links(mut self, links: &'static [Link<O>]) -> Row<O> {
        assert!(links.len() <= MOST_LINKS, "more links than numbers have room for");
        self.links = links;
        self
    }

    /// The same, listing these directories as links.
    pub(crate) const fn lists(mut self, lists: &'static [Listing<O>]) -> Row<O> {
        assert!(lists.len() * KINDS <= MOST_LISTED, "more lists than numbers have room for");
        self.lists = lists;
        self
    }

    /// The same, concerned by events as `concerns` says. A directory that has nothing to say here, and comes and goes
    /// with a module, needs it not.
    pub(crate) const fn concerned(mut self, concerns: fn(&Tree, &Subject) -> Option<Concerned>) -> Row<O> {
        self.concerns = Some(concerns);
        self
    }

    /// The same, its attributes read whole, however long they are.
    pub(crate) const fn whole(mut self) -> Row<O> {
        self.whole = true;
        self
    }

    /// Which kind of directory its parent is; of the root itself.
    pub(crate) const fn parent_id(&self) -> RowId {
        match &self.parent {
            Parent::None => self.id,
            Parent::In(row) => row.id,
            Parent::Within(row) => row.id,
            Parent::Each { id, .. } => *id,
        }
    }
}
