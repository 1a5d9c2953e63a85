//! What a directory is about, and where such objects are found.

use ap_task::Subject;

use crate::node::{Key, Load};
use crate::tree::{Root, Tree};

/// What a directory is about, as attributes see it: the object as it was at one moment.
pub(crate) trait Object: Sized + 'static {
    /// The object of that key; `None` if it is gone. Every look into a directory begins with it.
    fn find(tree: &Tree, key: Key, held: Root) -> Option<Self>;

    /// The load of the module that the object of that key comes with.
    fn load(tree: &Tree, key: Key, held: Root) -> Load {
        let _ = (tree, key, held);
        Load::default()
    }

    /// Visits the keys of those objects of this type whose directories may list the directory of an object with the
    /// key `listed`. Nobody's, where such directories list nothing.
    fn holders(tree: &Tree, listed: Key, visit: &mut dyn FnMut(Key)) {
        let _ = (tree, listed, visit);
    }
}

/// Takes what [`Members`] find: which of their kinds it is (0 if there is one only), its name, its key.
pub(crate) type PutMember<'a> = dyn FnMut(u8, String, Key) + 'a;

/// Objects that are found by name: those whose directories another directory holds, or lists as links.
///
/// `holder` is the key of that directory.
pub(crate) trait Members: Sync {
    /// All of them, in any order. What it takes is proportional to how many there are.
    fn all(&self, tree: &Tree, holder: Key, held: Root, put: &mut PutMember);

    /// The one of that name. It must not look at all of them where there can be many.
    fn named(&self, tree: &Tree, holder: Key, name: &str, held: Root) -> Option<(u8, Key)>;

    /// The name of one, if it is among them. As [`Members::named`].
    fn name(&self, tree: &Tree, holder: Key, which: u8, key: Key, held: Root) -> Option<String>;

    /// What the subject of an event is called here, if that is not the name of its own directory.
    fn called(&self, _subject: &Subject) -> Option<String> {
        None
    }

    /// Names that some of them have in every tree.
    fn known(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

/// What a directory without an object is about.
pub(crate) struct Plain;

impl Object for Plain {
    fn find(_: &Tree, _: Key, _: Root) -> Option<Plain> {
        Some(Plain)
    }

    fn holders(_: &Tree, _: Key, visit: &mut dyn FnMut(Key)) {
        visit(Key::NONE);
    }
}
