//! The objects that steps were about, and what was learned of them.
//!
//! This module knows which steps others may go before, but not who holds what, nor what objects contain.

use locks::Object;
use locks::hook::{Key, Kind};
use rustc_hash::FxHashMap;
use std::panic::Location;

use super::tasks::{Tasks, members};

/// A place in the source.
pub(crate) type At = &'static Location<'static>;

/// An object's number: its place in [`Objects`].
pub(crate) type ObjectId = u32;

/// The kinds of step, as the engine tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OpKind {
    Lock,
    TryLock,
    Unlock,
    ReadLock,
    TryReadLock,
    ReadUnlock,
    Wait,
    Notify,
    Read,
    Write,
    Free,
    Ghost,
    Sleep,
    Look,
    Looked,
}

impl From<Kind> for OpKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Lock => OpKind::Lock,
            Kind::TryLock => OpKind::TryLock,
            Kind::Unlock => OpKind::Unlock,
            Kind::ReadLock => OpKind::ReadLock,
            Kind::TryReadLock => OpKind::TryReadLock,
            Kind::ReadUnlock => OpKind::ReadUnlock,
            Kind::Wait => OpKind::Wait,
            Kind::Notify => OpKind::Notify,
            Kind::Read => OpKind::Read,
            Kind::Write => OpKind::Write,
            Kind::Free => OpKind::Free,
            Kind::Ghost => OpKind::Ghost,
            Kind::Sleep(_) => OpKind::Sleep,
            Kind::Look => OpKind::Look,
            Kind::Looked => OpKind::Looked,
        }
    }
}

impl OpKind {
    /// The step in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            OpKind::Lock => "lock",
            OpKind::TryLock => "try-lock",
            OpKind::Unlock => "unlock",
            OpKind::ReadLock => "read-lock",
            OpKind::TryReadLock => "try-read-lock",
            OpKind::ReadUnlock => "read-unlock",
            OpKind::Wait => "wait",
            OpKind::Notify => "notify",
            OpKind::Read => "read",
            OpKind::Write => "write",
            OpKind::Free => "free",
            OpKind::Ghost => "oracle",
            OpKind::Sleep => "sleep",
            OpKind::Look => "look",
            OpKind::Looked => "looked",
        }
    }

    /// Whether it takes a lock for reading, if it takes one.
    pub(crate) fn is_read(self) -> bool {
        matches!(self, OpKind::ReadLock | OpKind::TryReadLock | OpKind::Look)
    }

    /// Whether it takes a lock, or releases one, with which nothing could be changed.
    pub(crate) fn only_reads(self) -> bool {
        self.is_read() || matches!(self, OpKind::ReadUnlock | OpKind::Looked)
    }

    pub(crate) fn is_wait(self) -> bool {
        self == OpKind::Wait
    }

    pub(crate) fn is_access(self) -> bool {
        matches!(self, OpKind::Read | OpKind::Write | OpKind::Free)
    }

    pub(crate) fn is_release(self) -> bool {
        matches!(self, OpKind::Unlock | OpKind::ReadUnlock | OpKind::Looked)
    }

    pub(crate) fn is_acquire(self) -> bool {
        matches!(self, OpKind::Lock | OpKind::TryLock | OpKind::ReadLock | OpKind::TryReadLock | OpKind::Look)
    }
}

/// A step that a task is about to take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub kind: OpKind,
    pub object: ObjectId,
    /// The mutex that a [`OpKind::Wait`] releases; else the object itself.
    pub mutex: ObjectId,
    pub at: At,
}

/// What is known of an object.
pub(crate) struct Info {
    pub object: Object,
    /// What it is called in every exploration: a fingerprint of the object itself, and not of when it was met.
    pub name: u64,
    /// It was try-locked once: its release is a step of its own (somebody can tell held from free).
    pub tried: bool,
    /// Accesses to it are not ordered: each is a step of its own.
    pub racy: bool,
    /// What is known besides that does not count yet, because what is known is frozen.
    news: Facts,
    /// The program's oracle looks at it.
    pub watched: bool,
    /// What sentences call it, if the program says so.
    called: Option<String>,
    /// Its number among tracked objects, if it is one.
    pub tracked: Option<u32>,
    /// The tasks that were seen to use it, and those among them that did more than take it for reading.
    users: Tasks,
    changers: Tasks,
}

/// What is learned of how tasks use an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// See [`Info`].
    pub tried: bool,
    pub racy: bool,
    pub watched: bool,
    pub users: Tasks,
    pub changers: Tasks,
}

impl Facts {
    /// All that one of them says.
    pub(crate) fn or(self, other: Facts) -> Facts {
        Facts {
            tried: self.tried | other.tried,
            racy: self.racy | other.racy,
            watched: self.watched | other.watched,
            users: self.users | other.users,
            changers: self.changers | other.changers,
        }
    }

    /// Whether steps are told apart by this, which says more, in the same way as by `before`: for each task that is known
    /// to use the object [`Objects::is_point`] says the same of each step that it is known to take.
    pub(crate) fn tells_apart_as(self, before: Facts) -> bool {
        let others = |set: Tasks, task: usize| set & !(1 << task) != 0;
        let users = |&task: &usize| others(self.users, task) == others(before.users, task);
        let changers = |&task: &usize| others(self.changers, task) == others(before.changers, task);
        (self.tried, self.racy) == (before.tried, before.racy)
            && members(self.changers).all(|task| users(&task))
            && members(self.users).all(|task| changers(&task))
    }
}

impl Info {
    fn known(&self) -> Facts {
        let Info { tried, racy, watched, users, changers, news, .. } = *self;
        news.or(Facts { tried, racy, watched, users, changers })
    }

    /// (Whether it is watched is the program's to say.)
    fn set(&mut self, Facts { tried, racy, users, changers, .. }: Facts) {
        (self.tried, self.racy, self.users, self.changers) = (tried, racy, users, changers);
    }
}

/// All objects, numbered as they are met. Numbers stay the same over all executions of one exploration.
#[derive(Default)]
pub(crate) struct Objects {
    infos: Vec<Info>,
    /// By the address of the level's name: quick, but one name may have several addresses.
    quick: FxHashMap<(usize, u16, Key), ObjectId>,
    exact: FxHashMap<Object, ObjectId>,
    names: FxHashMap<u64, ObjectId>,
    trackeds: Vec<ObjectId>,
    watched: Vec<ObjectId>,
    /// What is learned counts from [`Objects::thaw`] on only.
    frozen: bool,
    /// What others know of objects that were not met yet, by their names.
    foretold: FxHashMap<u64, Facts>,
}

impl Objects {
    /// The object's number; a new one if it is met for the first time (`true`).
    #[inline]
    pub(crate) fn id(&mut self, object: Object) -> (ObjectId, bool) {
        let quick = (object.level.as_ptr() as usize, object.rank, object.key);
        if let Some(&id) = self.quick.get(&quick) {
            return (id, false);
        }
        self.id_slow(quick, object)
    }

    #[cold]
    fn id_slow(&mut self, quick: (usize, u16, Key), object: Object) -> (ObjectId, bool) {
        let known = self.exact.get(&object).copied();
        let id = known.unwrap_or_else(|| {
            let name = locks::hook::fingerprint(&object);
            let id = self.named(name, Facts::default());
            let info = &mut self.infos[id as usize];
            (info.object, info.watched) = (object, false);
            self.exact.insert(object, id);
            id
        });
        self.quick.insert(quick, id);
        (id, known.is_none())
    }

    /// The number of the object of that name; of one that was not met yet others know this.
    pub(crate) fn named(&mut self, name: u64, known: Facts) -> ObjectId {
        let Objects { infos, names, foretold, .. } = self;
        *names.entry(name).or_insert_with(|| {
            let Facts { tried, racy, users, changers, .. } = foretold.remove(&name).unwrap_or_default();
            infos.push(Info {
                object: Object {
                    level: "an object that only others met",
                    rank: u16::MAX,
                    key: Key::default(),
                },
                name,
                tried,
                racy,
                news: Facts::default(),
                watched: known.watched,
                called: None,
                tracked: None,
                users,
                changers,
            });
            ObjectId::try_from(infos.len() - 1).expect("fewer than 2^32 objects")
        })
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.infos.len()
    }

    /// Sentences call the object so.
    pub(crate) fn call(&mut self, id: ObjectId, name: String) {
        self.get_mut(id).called = Some(name);
    }

    /// The program's oracle looks at the object.
    pub(crate) fn watch(&mut self, id: ObjectId) {
        if !std::mem::replace(&mut self.get_mut(id).watched, true) {
            self.watched.push(id);
        }
    }

    /// The objects that the program's oracle looks at.
    pub(crate) fn watched(&self) -> &[ObjectId] {
        &self.watched
    }

    /// Whether steps of different tasks on the object can depend on each other.
    pub(crate) fn is_shared(&self, id: ObjectId) -> bool {
        let info = self.get(id);
        info.racy || (info.users.count_ones() > 1 && info.changers != 0)
    }

    /// Whether no task but this one changes the object, or, if this one does, uses it.
    pub(crate) fn is_private(&self, task: usize, id: ObjectId) -> bool {
        let (info, others) = (self.get(id), !(1 << task));
        info.users & others == 0 || info.changers == 0
    }

    pub(crate) fn get(&self, id: ObjectId) -> &Info {
        &self.infos[id as usize]
    }

    pub(crate) fn get_mut(&mut self, id: ObjectId) -> &mut Info {
        &mut self.infos[id as usize]
    }

    /// Notes that the object was try-locked; says whether this is new, so that its releases become points.
    pub(crate) fn tries(&mut self, id: ObjectId) -> bool {
        if self.frozen {
            self.get_mut(id).news.tried = true;
            return false;
        }
        !std::mem::replace(&mut self.get_mut(id).tried, true)
    }

    /// Notes that accesses to the object race; says whether this is new, so that they become points.
    pub(crate) fn races(&mut self, id: ObjectId) -> bool {
        if self.frozen {
            self.get_mut(id).news.racy = true;
            return false;
        }
        !std::mem::replace(&mut self.get_mut(id).racy, true)
    }

    /// Notes that the object is tracked data.
    pub(crate) fn track(&mut self, id: ObjectId) {
        let info = &mut self.infos[id as usize];
        if info.tracked.is_none() {
            info.tracked = Some(self.trackeds.len() as u32);
            self.trackeds.push(id);
        }
    }

    /// The name of the tracked object of that number.
    pub(crate) fn tracked_name(&self, tracked: usize) -> u64 {
        self.get(self.trackeds[tracked]).name
    }

    /// Notes that a task uses an object; says whether steps on it become points that were none before.
    #[inline]
    pub(crate) fn uses(&mut self, task: usize, op: &Op) -> bool {
        let info = &mut self.infos[op.object as usize];
        let (users, changers) = (info.users, info.changers);
        let (uses, changes): (Tasks, Tasks) = match op.kind {
            OpKind::ReadLock | OpKind::TryReadLock | OpKind::Look => (1 << task, 0),
            OpKind::Lock | OpKind::TryLock | OpKind::Wait | OpKind::Notify | OpKind::Ghost => {
                (1 << task, 1 << task)
            }
            _ => return false,
        };
        if self.frozen {
            info.news.users |= uses;
            info.news.changers |= changes;
            return false;
        }
        info.users |= uses;
        info.changers |= changes;
        if (info.users, info.changers) == (users, changers) || info.changers == 0 {
            return false;
        }
        let second_user = users.count_ones() == 1 && info.users != users;
        let few_changers = changers.count_ones() < 2 && info.changers != changers;
        second_user || (few_changers && info.users.count_ones() > 1)
    }

    /// Notes that a task takes this step again and again; says whether it becomes a point by that.
    pub(crate) fn spun(&mut self, op: &Op) -> bool {
        let info = &mut self.infos[op.object as usize];
        if self.frozen {
            if op.kind.is_access() {
                info.news.racy = true;
            } else {
                (info.news.users, info.news.changers) = (Tasks::MAX, Tasks::MAX);
            }
            return false;
        }
        let before = (info.racy, info.users, info.changers);
        if op.kind.is_access() {
            info.racy = true;
        } else {
            (info.users, info.changers) = (Tasks::MAX, Tasks::MAX);
        }
        before != (info.racy, info.users, info.changers)
    }

    /// What is learned from now on does not count until [`Objects::thaw`]: which steps others may go before stays as it
    /// is.
    pub(crate) fn freeze(&mut self) {
        self.frozen = true;
    }

    /// All that was learned counts.
    pub(crate) fn thaw(&mut self) {
        self.frozen = false;
        for info in &mut self.infos {
            info.set(info.known());
        }
    }

    /// What is known by now of each object, counting or not, by the objects' names and in their order.
    pub(crate) fn facts(&self) -> Vec<(u64, Facts)> {
        let mut facts: Vec<(u64, Facts)> = self.infos.iter().map(|info| (info.name, info.known())).collect();
        facts.extend(self.foretold.iter().map(|(name, facts)| (*name, *facts)));
        facts.retain(|(_, facts)| *facts != Facts::default());
        facts.sort_unstable_by_key(|(name, _)| *name);
        facts
    }

    /// What counts from now on.
    pub(crate) fn tell(&mut self, facts: &FxHashMap<u64, Facts>) {
        self.foretold.clone_from(facts);
        for info in &mut self.infos {
            info.news = Facts::default();
            info.set(self.foretold.remove(&info.name).unwrap_or_default());
        }
    }

    /// Whether others may go first when a task is about to take this step.
    ///
    /// They need not where the step commutes with every step of every other task: on an object that no other task
    /// uses, or that none but takes for reading. It is then taken together with the step before. (What tasks use is
    /// learned; a search that learns otherwise begins anew.)
    #[inline]
    pub(crate) fn is_point(&self, task: usize, op: &Op, reduced: bool) -> bool {
        let info = &self.infos[op.object as usize];
        let others = !(1 << task);
        match op.kind {
            OpKind::Unlock => info.tried || (info.watched && reduced),
            OpKind::ReadUnlock | OpKind::Looked => info.tried,
            OpKind::Read | OpKind::Write | OpKind::Free => info.racy,
            OpKind::ReadLock | OpKind::TryReadLock | OpKind::Look => info.changers & others != 0,
            OpKind::Lock | OpKind::TryLock | OpKind::Notify | OpKind::Ghost => {
                info.watched || info.users & others != 0
            }
            OpKind::Wait | OpKind::Sleep => true,
        }
    }

    /// Whether the program's oracle looks after this step, if nobody may change what it watches then.
    ///
    /// Not after a step with which nothing could have been changed.
    #[inline]
    pub(crate) fn settles(&self, op: &Op, waits: bool) -> bool {
        (waits || op.kind.is_release()) && self.is_watched_by(op.kind, op.mutex)
    }

    /// Whether the program's oracle can tell steps of this kind on the object from none at all.
    #[inline]
    pub(crate) fn is_watched_by(&self, kind: OpKind, id: ObjectId) -> bool {
        self.infos[id as usize].watched && !kind.only_reads()
    }

    /// What sentences call the object: as the program does, or by its name.
    pub(crate) fn called(&self, id: ObjectId) -> String {
        let info = &self.infos[id as usize];
        info.called.clone().unwrap_or_else(|| name(&info.object))
    }

    /// The object's name for people: its level, and its key where that says anything.
    pub(crate) fn name(&self, id: ObjectId) -> String {
        name(&self.infos[id as usize].object)
    }
}

/// An object's name for people: its level, and its key where that says anything.
pub(crate) fn name(object: &Object) -> String {
    match object.key {
        Key { id: 0, generation: 0 } => object.level.to_owned(),
        Key { id, generation: 0 } => format!("{} {id}", object.level),
        Key { id, generation } => format!("{} {id}/{generation}", object.level),
    }
}

/// A place in the source for people: `file:line`.
pub(crate) fn place(at: &Location<'_>) -> String {
    format!("{}:{}", at.file(), at.line())
}
