//! A tree in memory whose files do as they are told, for tests of scripts and of what runs them.
//!
//! It knows nothing of AP.

use std::collections::BTreeMap;

use ap_sysfs::{Answer, Called, Change, Entry, Errno, Event, Filesystem, Ino, Kind, Token};

use crate::filesystem::FilesystemWorld;
use crate::operator::{Operator, OperatorError};

/// What a file does when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStore {
    /// Keeps the text.
    Keep,
    /// Fails.
    Fail(Errno),
    /// Keeps at most so many bytes of each write(2).
    Short(usize),
    /// Does not return until [`FakeTree::answer`] says what it answers.
    Wait,
}

#[derive(Debug)]
struct Node {
    name: String,
    parent: usize,
    kind: Kind,
    mode: u16,
    /// A file's text, a link's target.
    content: Vec<u8>,
    on_store: OnStore,
}

/// A tree in memory.
#[derive(Debug)]
pub struct FakeTree {
    nodes: Vec<Node>,
    /// All stores: path and bytes.
    pub stores: Vec<(String, Vec<u8>)>,
    waiting: BTreeMap<Token, usize>,
    answers: Vec<(Token, Answer)>,
    due: Vec<(u64, String, Result<usize, Errno>)>,
    next_token: u64,
    /// Machine time, in milliseconds.
    pub now: u64,
}

impl Default for FakeTree {
    fn default() -> FakeTree {
        FakeTree {
            nodes: vec![Node {
                name: "sys".into(),
                parent: 0,
                kind: Kind::Directory,
                mode: 0o755,
                content: Vec::new(),
                on_store: OnStore::Keep,
            }],
            stores: Vec::new(),
            waiting: BTreeMap::new(),
            answers: Vec::new(),
            due: Vec::new(),
            next_token: 0,
            now: 0,
        }
    }
}

impl FakeTree {
    /// Adds a file, or changes the one that is there, and the directories above it.
    pub fn file(&mut self, path: &str, mode: u16, content: &str, on_store: OnStore) {
        let at = self.make(path, Kind::File);
        let node = &mut self.nodes[at];
        (node.mode, node.content, node.on_store) = (mode, content.as_bytes().to_vec(), on_store);
    }

    /// Adds a link and the directories above it.
    pub fn link(&mut self, path: &str, target: &str) {
        let at = self.make(path, Kind::Link);
        self.nodes[at].content = target.as_bytes().to_vec();
    }

    /// Adds a directory and those above it.
    pub fn directory(&mut self, path: &str) {
        self.make(path, Kind::Directory);
    }

    /// Answers the oldest write to `path` that waits; false if none does.
    pub fn answer(&mut self, path: &str, answer: Result<usize, Errno>) -> bool {
        let found = self.waiting.iter().find(|&(_, &node)| self.path(node) == path).map(|(&token, _)| token);
        if let Some(token) = found {
            self.waiting.remove(&token);
            self.answers.push((token, Answer::Stored(answer)));
        }
        found.is_some()
    }

    /// Does [`FakeTree::answer`] in so many milliseconds of machine time.
    pub fn answer_in(&mut self, milliseconds: u64, path: &str, answer: Result<usize, Errno>) {
        self.due.push((self.now + milliseconds, path.to_owned(), answer));
    }

    fn make(&mut self, path: &str, kind: Kind) -> usize {
        let names: Vec<&str> = path.trim_start_matches("/sys").split('/').filter(|n| !n.is_empty()).collect();
        let mut at = 0;
        for (i, name) in names.iter().enumerate() {
            at = match self.child(at, name) {
                Some(child) => child,
                None => {
                    let kind = if i + 1 == names.len() { kind } else { Kind::Directory };
                    let mode = match kind {
                        Kind::Directory => 0o755,
                        Kind::Link => 0o777,
                        Kind::File => 0o644,
                    };
                    let name = (*name).to_owned();
                    let on_store = OnStore::Keep;
                    self.nodes.push(Node { name, parent: at, kind, mode, content: Vec::new(), on_store });
                    self.nodes.len() - 1
                }
            };
        }
        at
    }

    fn child(&self, parent: usize, name: &str) -> Option<usize> {
        (1..self.nodes.len()).find(|&i| self.nodes[i].parent == parent && self.nodes[i].name == name)
    }

    fn path(&self, mut at: usize) -> String {
        let mut path = String::new();
        loop {
            path = format!("/{}{path}", self.nodes[at].name);
            if at == 0 {
                return path;
            }
            at = self.nodes[at].parent;
        }
    }

    fn index(&self, ino: Ino) -> Result<usize, Errno> {
        let index = (ino.0 as usize).wrapping_sub(1);
        if index < self.nodes.len() { Ok(index) } else { Err(Errno::ENOENT) }
    }

    fn entry_at(&self, at: usize) -> Entry {
        let node = &self.nodes[at];
        Entry { name: node.name.clone(), ino: Ino(at as u64 + 1), kind: node.kind, mode: node.mode }
    }
}

impl Filesystem for FakeTree {
    fn lookup(&mut self, parent: Ino, name: &str) -> Result<Entry, Errno> {
        let parent = self.index(parent)?;
        if self.nodes[parent].kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.child(parent, name).map(|at| self.entry_at(at)).ok_or(Errno::ENOENT)
    }

    fn entry(&mut self, ino: Ino) -> Result<Entry, Errno> {
        self.index(ino).map(|at| self.entry_at(at))
    }

    fn parent(&mut self, ino: Ino) -> Result<Ino, Errno> {
        self.index(ino).map(|at| Ino(self.nodes[at].parent as u64 + 1))
    }

    fn entries(&mut self, directory: Ino) -> Result<Vec<Entry>, Errno> {
        let parent = self.index(directory)?;
        let children = (1..self.nodes.len()).filter(|&i| self.nodes[i].parent == parent);
        let mut entries: Vec<Entry> = children.map(|at| self.entry_at(at)).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn readlink(&mut self, ino: Ino) -> Result<String, Errno> {
        let at = self.index(ino)?;
        Ok(String::from_utf8_lossy(&self.nodes[at].content).into_owned())
    }

    fn show(&mut self, ino: Ino) -> Called<Vec<u8>> {
        Called::Done(self.index(ino).map(|at| self.nodes[at].content.clone()))
    }

    fn store(&mut self, ino: Ino, data: &[u8]) -> Called<usize> {
        let at = match self.index(ino) {
            Ok(at) => at,
            Err(errno) => return Called::Done(Err(errno)),
        };
        self.stores.push((self.path(at), data.to_vec()));
        match self.nodes[at].on_store {
            OnStore::Keep => {
                self.nodes[at].content = data.to_vec();
                Called::Done(Ok(data.len()))
            }
            OnStore::Fail(errno) => Called::Done(Err(errno)),
            OnStore::Short(most) => Called::Done(Ok(data.len().min(most))),
            OnStore::Wait => {
                self.next_token += 1;
                self.waiting.insert(Token(self.next_token), at);
                Called::Pending(Token(self.next_token))
            }
        }
    }

    fn finished(&mut self) -> Vec<(Token, Answer)> {
        std::mem::take(&mut self.answers)
    }

    fn changes(&mut self) -> Vec<Change> {
        Vec::new()
    }

    fn events(&mut self) -> Vec<Event> {
        Vec::new()
    }

    fn advance(&mut self, milliseconds: u64) {
        self.now = self.now.saturating_add(milliseconds);
        let (due, later) = std::mem::take(&mut self.due).into_iter().partition(|&(at, ..)| at <= self.now);
        self.due = later;
        let due: Vec<(u64, String, Result<usize, Errno>)> = due;
        for (_, path, answer) in due {
            self.answer(&path, answer);
        }
    }

    fn next_due(&self) -> Option<u64> {
        self.due.iter().map(|&(at, ..)| at.saturating_sub(self.now)).min()
    }
}

/// An operator that remembers what it was told, and does little of it.
///
/// `hw answer PATH N|ERRNO` answers a write that waits, `… in MS` later; any verb with the argument `fail` fails
/// with `EINVAL`; every other one answers itself, as a line.
#[derive(Debug, Default)]
pub struct FakeOperator {
    /// All verbs with their arguments.
    pub said: Vec<String>,
}

impl FakeOperator {
    fn say(&mut self, verb: &str, args: &str) -> Result<String, OperatorError> {
        self.said.push(format!("{verb} {args}"));
        if args == "fail" {
            return Err(OperatorError::new(Errno::EINVAL, "fail: as it was told"));
        }
        Ok(format!("{verb} {args}\n"))
    }
}

impl Operator<FakeTree> for FakeOperator {
    fn hw(&mut self, tree: &mut FakeTree, args: &str) -> Result<String, OperatorError> {
        let words: Vec<&str> = args.split(' ').collect();
        let ["answer", path, answer, rest @ ..] = &words[..] else { return self.say("hw", args) };
        let answer = match Errno::from_name(answer) {
            Some(errno) => Err(errno),
            None => Ok(answer.parse().unwrap_or(0)),
        };
        match rest {
            ["in", time] => tree.answer_in(time.parse().unwrap_or(0), path, answer),
            _ if tree.answer(path, answer) => {}
            _ => return Err(OperatorError::new(Errno::ENOENT, format!("{path}: nothing waits"))),
        }
        Ok(String::new())
    }

    fn guest(&mut self, _: &mut FakeTree, args: &str) -> Result<String, OperatorError> {
        self.say("guest", args)
    }

    fn events(&mut self, _: &mut FakeTree, args: &str) -> Result<String, OperatorError> {
        self.say("events", args)
    }

    fn why(&mut self, _: &mut FakeTree, write: Option<(&str, &str)>) -> Result<String, OperatorError> {
        match write {
            Some((path, text)) => self.say("why", &format!("{path} {text:?}")),
            None => self.say("why", "the last"),
        }
    }
}

/// The World over a [`FakeTree`].
pub type FakeWorld = FilesystemWorld<FakeTree, FakeOperator>;

impl FakeWorld {
    /// With these files, of mode 0644.
    #[must_use]
    pub fn with_files(files: &[(&str, &str)]) -> FakeWorld {
        let mut tree = FakeTree::default();
        for (path, content) in files {
            tree.file(path, 0o644, content, OnStore::Keep);
        }
        FilesystemWorld::with_operator(tree, FakeOperator::default())
    }
}
