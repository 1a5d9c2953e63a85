//! Which names come and go with an event, for front ends that cache names.

use ap_task::{Action, Event, Subject};

use crate::directories;
use crate::directory::{Concern, Directory};
use crate::front::Change;
use crate::node::{Dir, Node};
use crate::tree::Tree;

/// Appends the changes that go with an event: those names that may have come or gone, and some that have not, since
/// whoever caches names only forgets them.
///
/// For each directory that the event is about: with `add` and `remove` its own name, and the links to it in all
/// directories that list such ones; with `bind` and `unbind`, and with all of these where only its contents depend on
/// the event, everything that such a directory can have, and the same links. Takes no lock: what an event says of its
/// subject is all that counts, for by now it may be gone.
pub(crate) fn changes_of(tree: &Tree, event: &Event, changes: &mut Vec<Change>) {
    let Event::Uevent(uevent) = event else { return };
    let gone = match uevent.action {
        Action::Add | Action::Bind => false,
        Action::Remove | Action::Unbind => true,
        Action::Change | Action::Move | Action::Online | Action::Offline => return,
    };
    let comes_or_goes = matches!(uevent.action, Action::Add | Action::Remove);
    let mut list = List { tree, changes, gone, comes_or_goes };
    match &uevent.subject {
        Subject::Module(_) => directories::all().iter().for_each(|row| list.row(*row, &uevent.subject)),
        subject => directories::concerned().for_each(|row| list.row(row, subject)),
    }
}

/// Whether a directory comes and goes with a module, and the directory that it is in does, too.
fn goes_with_parent(row: &dyn Directory, concern: &Concern) -> bool {
    let parent = directories::row(concern.parent.row).and_then(Directory::module);
    row.module().is_some() && row.module() == parent
}

struct List<'a> {
    tree: &'a Tree,
    changes: &'a mut Vec<Change>,
    gone: bool,
    comes_or_goes: bool,
}

impl List<'_> {
    /// The changes of a kind of directory, if the event is about one of them.
    fn row(&mut self, row: &dyn Directory, subject: &Subject) {
        let Some(concern) = row.concern(self.tree, subject) else { return };
        if !concern.own || !self.comes_or_goes {
            row.contents(concern.dir.key, &mut |name, node| self.push(concern.dir, name, node, false));
        } else if !goes_with_parent(row, &concern) {
            self.push(concern.parent, &concern.name, Node::Dir(concern.dir), true);
        }
        self.links(&concern, subject);
    }

    fn push(&mut self, parent: Dir, name: &str, node: Node, directory: bool) {
        let parent = Node::Dir(parent).ino();
        let name = name.to_owned();
        self.changes.push(if self.gone {
            Change::Gone { parent, name, ino: node.ino(), directory }
        } else {
            Change::Appeared { parent, name }
        });
    }

    /// The links to a directory in those that list it.
    fn links(&mut self, concern: &Concern, subject: &Subject) {
        let tree = self.tree;
        for lister in directories::listers() {
            lister.listing(tree, concern.dir, subject, &mut |dir, place, name| {
                let name = name.as_deref().unwrap_or(&concern.name);
                self.push(dir, name, Node::Listed(dir, place, concern.dir.key), false);
            });
        }
    }
}
