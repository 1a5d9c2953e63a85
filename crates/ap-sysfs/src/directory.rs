//! What every kind of directory answers, whatever its objects are.
//!
//! The table holds rows of different object types as [`Directory`]; [`crate::derived`] answers for all of them. A
//! directory is told which kinds of directories can be in it ([`Children`]), since only the table knows all rows.

use std::any::Any;

use ap_host::module::Module;
use ap_task::Subject;

use crate::errno::Errno;
use crate::front::Entry;
use crate::node::{Dir, Key, Load, Node, RowId};
use crate::path::Path;
use crate::tree::{Doing, Root, Tree};

/// The kinds of directories whose parents are of one kind.
pub(crate) type Children = &'static [&'static dyn Directory];

/// Takes names and keys of directories, in any order.
pub(crate) type Put<'a> = dyn FnMut(String, Key) + 'a;

/// Takes directories, the place of a list of theirs, and a name.
pub(crate) type Visit<'a> = dyn FnMut(Dir, u8, Option<String>) + 'a;

/// How an event is about a directory.
pub(crate) struct Concern {
    /// The directory.
    pub dir: Dir,
    /// Where it is.
    pub parent: Dir,
    /// Its name there.
    pub name: String,
    /// Whether the event is about the directory itself, which then comes with `add` and goes with `remove`; or only
    /// about something that its contents depend on.
    pub own: bool,
}

/// A kind of directory, its object type forgotten.
pub(crate) trait Directory: Sync {
    /// Which kind it is.
    fn id(&self) -> RowId;

    /// The entry of a name in the directory of that key. `ENOENT`.
    fn lookup(
        &self,
        tree: &Tree,
        key: Key,
        name: &str,
        children: Children,
        held: Root,
    ) -> Result<Entry, Errno>;

    /// All entries of the directory of that key, names ascending. `ENOENT` if it is gone.
    fn entries(&self, tree: &Tree, key: Key, children: Children, held: Root) -> Result<Vec<Entry>, Errno>;

    /// How many directories the directory of that key holds. `ENOENT` if it is gone.
    fn directories(&self, tree: &Tree, key: Key, children: Children, held: Root) -> Result<usize, Errno>;

    /// What a node of such a directory was, but for its name; `None` if there is no such place.
    fn departed(&self, tree: &Tree, node: Node) -> Option<Entry>;

    /// The entry of a node: of the directory, or of something in it that is no other directory. `ENOENT` if it is
    /// gone.
    fn entry(&self, tree: &Tree, node: Node, held: Root) -> Result<Entry, Errno>;

    /// Where the directory of that key is. `ENOENT` if that depends on its object, and the object is gone.
    fn parent(&self, tree: &Tree, key: Key, held: Root) -> Result<Dir, Errno>;

    /// What a link in such a directory says. `EINVAL` if the node is no link, `ENOENT` if it is gone.
    fn readlink(&self, tree: &Tree, node: Node, held: Root) -> Result<String, Errno>;

    /// Runs the show of the attribute of that place and load. `ENODEV` if it is gone, `ENOENT` if there never was one, `EIO` if
    /// it can't be read, and what the attribute says.
    fn show(&self, tree: &Tree, key: Key, file: (u8, Load), task: Doing) -> Result<Vec<u8>, Errno>;

    /// Runs the store of the attribute of that place and load. As [`Directory::show`]; `EIO` if it can't be written.
    fn store(&self, tree: &Tree, key: Key, file: (u8, Load), data: &[u8], task: Doing) -> Result<(), Errno>;

    /// The key of the directory of this kind that has that name in its parent, if it is there. The parent is given by
    /// its key and its object.
    fn in_parent(&self, tree: &Tree, parent: (Key, &dyn Any), name: &str, held: Root) -> Option<Key>;

    /// All directories of this kind in a parent that is given by its key and its object.
    fn all_in_parent(&self, tree: &Tree, parent: (Key, &dyn Any), held: Root, put: &mut Put);

    /// Goes from the root to the directory of that key, whether or not it is there; `None` if the key doesn't say how.
    /// Takes no lock.
    fn go_by_key(&self, tree: &Tree, key: Key, path: &mut Path) -> Option<()>;

    /// Goes from the root to the directory of that key, if it is there.
    fn go_if_there(&self, tree: &Tree, key: Key, held: Root, path: &mut Path) -> Option<()>;

    /// Which directory of this kind an event is about, if it is.
    fn concern(&self, tree: &Tree, subject: &Subject) -> Option<Concern>;

    /// The module with which directories of this kind come and go, if they do.
    fn module(&self) -> Option<Module>;

    /// Visits every directory of this kind that may list the directory that an event is about: by which of its lists,
    /// and under which name, if that is not the directory's own.
    fn listing(&self, tree: &Tree, listed: Dir, subject: &Subject, visit: &mut Visit);

    /// Visits names and nodes of all attributes and links that the directory of that key can have.
    fn contents(&self, key: Key, visit: &mut dyn FnMut(&'static str, Node));

    /// The names of directories of this kind that are the same in every tree.
    fn names(&self) -> Vec<&'static str>;
}
