//! Lessons as bytes: what explorations that share out a search tell each other, written and read.
//!
//! This module knows nothing of what is done with what a lesson says.

use super::objects::{Facts, OpKind};
use super::tasks::Tasks;

/// Kinds of steps, by the numbers that lessons have for them.
const KINDS: [OpKind; 15] = [
    OpKind::Lock,
    OpKind::TryLock,
    OpKind::Unlock,
    OpKind::ReadLock,
    OpKind::TryReadLock,
    OpKind::ReadUnlock,
    OpKind::Wait,
    OpKind::Notify,
    OpKind::Read,
    OpKind::Write,
    OpKind::Free,
    OpKind::Ghost,
    OpKind::Sleep,
    OpKind::Look,
    OpKind::Looked,
];

/// A lock by its name, and whether it is held for reading only.
pub(crate) type Lock = (u64, bool);

/// A step by the names of its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub kind: OpKind,
    pub object: u64,
    pub mutex: u64,
}

/// A place of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub task: u8,
    pub forced: bool,
    /// The step that it is about to take; none if it has ended.
    pub step: Option<Step>,
    /// What it holds.
    pub held: Vec<Lock>,
}

/// An edge: where it begins, and what the step lets the task observe; and what comes of that.
pub(crate) type Edge = (u64, u64, Does);

/// What comes of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Does {
    /// The place where it ends.
    pub to: u64,
    /// A fingerprint of all else that the task does up to there: what it publishes, what is found, whether it returns.
    pub print: u64,
}

/// That a task asked for a lock while it held others, with the tasks of the steps that lead there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asks {
    pub task: u8,
    pub kind: OpKind,
    pub object: u64,
    pub held: Vec<Lock>,
    pub path: Vec<u8>,
}

/// A lesson that is written.
#[derive(Default)]
pub(crate) struct Words(pub Vec<u8>);

impl Words {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn word(&mut self, word: u64) {
        self.0.extend(word.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &[u8]) {
        self.word(text.len() as u64);
        self.0.extend(text);
    }

    /// Writes how many there are, then each.
    pub(crate) fn each<T>(&mut self, all: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Words, T)) {
        let (mut words, mut count) = (Words::default(), 0);
        for one in all {
            write(&mut words, one);
            count += 1;
        }
        self.word(count);
        self.0.append(&mut words.0);
    }

    pub(crate) fn kind(&mut self, kind: OpKind) {
        let number = KINDS.iter().position(|of| *of == kind).unwrap_or_default();
        self.byte(number as u8);
    }

    pub(crate) fn locks(&mut self, locks: &[Lock]) {
        self.each(locks, |words, (name, read)| {
            words.word(*name);
            words.byte(u8::from(*read));
        });
    }

    pub(crate) fn fact(&mut self, name: u64, facts: Facts) {
        let Facts { tried, racy, watched, users, changers } = facts;
        let bits = u64::from(tried) | u64::from(racy) << 1 | u64::from(watched) << 2;
        self.word(name);
        self.word(bits | u64::from(users) << 16 | u64::from(changers) << 32);
    }

    pub(crate) fn place(&mut self, print: u64, place: &Place) {
        self.word(print);
        self.byte(place.task);
        self.byte(u8::from(place.forced) | u8::from(place.step.is_some()) << 1);
        if let Some(Step { kind, object, mutex }) = place.step {
            self.kind(kind);
            self.word(object);
            self.word(mutex);
        }
        self.locks(&place.held);
    }

    pub(crate) fn edge(&mut self, (from, input, does): Edge) {
        self.word(from);
        self.word(input);
        self.word(does.to);
        self.word(does.print);
    }

    pub(crate) fn asks(&mut self, name: u64, asks: &Asks) {
        self.word(name);
        self.byte(asks.task);
        self.kind(asks.kind);
        self.word(asks.object);
        self.locks(&asks.held);
        self.text(&asks.path);
    }
}

/// A lesson that is read.
pub(crate) struct Reader<'l>(pub &'l [u8]);

impl<'l> Reader<'l> {
    fn take(&mut self, bytes: usize) -> Option<&'l [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    pub(crate) fn word(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(crate) fn text(&mut self) -> Option<&'l [u8]> {
        let length = usize::try_from(self.word()?).ok()?;
        self.take(length)
    }

    pub(crate) fn kind(&mut self) -> Option<OpKind> {
        KINDS.get(usize::from(self.byte()?)).copied()
    }

    pub(crate) fn locks(&mut self) -> Option<Vec<Lock>> {
        let mut locks = Vec::new();
        for _ in 0..self.word()? {
            locks.push((self.word()?, self.byte()? != 0));
        }
        Some(locks)
    }

    pub(crate) fn fact(&mut self) -> Option<(u64, Facts)> {
        let (name, bits) = (self.word()?, self.word()?);
        let has = |bit: u32| bits >> bit & 1 != 0;
        let (users, changers) = ((bits >> 16) as Tasks, (bits >> 32) as Tasks);
        Some((name, Facts { tried: has(0), racy: has(1), watched: has(2), users, changers }))
    }

    pub(crate) fn place(&mut self) -> Option<(u64, Place)> {
        let (print, task, bits) = (self.word()?, self.byte()?, self.byte()?);
        let step = match bits & 2 {
            0 => None,
            _ => Some(Step { kind: self.kind()?, object: self.word()?, mutex: self.word()? }),
        };
        let place = Place { task, forced: bits & 1 != 0, step, held: self.locks()? };
        (usize::from(task) < super::tasks::MAX_TASKS).then_some((print, place))
    }

    pub(crate) fn edge(&mut self) -> Option<Edge> {
        Some((self.word()?, self.word()?, Does { to: self.word()?, print: self.word()? }))
    }

    pub(crate) fn asks(&mut self) -> Option<(u64, Asks)> {
        let name = self.word()?;
        let (task, kind, object) = (self.byte()?, self.kind()?, self.word()?);
        let asks = Asks { task, kind, object, held: self.locks()?, path: self.text()?.to_vec() };
        (usize::from(task) < super::tasks::MAX_TASKS).then_some((name, asks))
    }
}
