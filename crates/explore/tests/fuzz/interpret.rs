//! Runs a random program on the real locks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use explore::{Finding, Scene};
use locks::hook::checkpoint;
use locks::mutex::{Guard, Kept};
use locks::rwlock::{ReadGuard, WriteGuard};
use locks::{Clock, Condvar, Ghost, Mark, Mutex, RwLock, Tracked, Unordered, marked, violation};

use crate::generate::{Op, Program};

locks::hierarchy! { mod order { M => R } }
use order::{M, R};

/// What executions can come by, all of which must be tried.
pub const FEATURES: [&str; 18] = [
    "blank",
    "checkpoint",
    "cycle",
    "cycle while one",
    "failed try",
    "finding",
    "freed",
    "ghost",
    "kept look",
    "look",
    "made anew",
    "mark",
    "mark under a lock",
    "notified",
    "reader-writer look",
    "section left out",
    "wait",
    "watched lock",
];

thread_local! {
    static USED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

fn used(feature: &'static str) {
    USED.with_borrow_mut(|used| used.insert(feature));
}

/// Which features executions came by since this was asked last.
pub fn taken() -> BTreeSet<&'static str> {
    USED.take()
}

/// Where an execution stands, written down beside it: at the beginning of each statement what its task knows and holds,
/// and what objects contain. Of two executions that stand alike the same can come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Standing {
    pub tasks: Vec<Vec<u8>>,
    contents: [u8; 6 + MUTEXES],
}

thread_local! {
    static STANDING: RefCell<Standing> = RefCell::default();
    /// How many statements each task has begun.
    static BEGUN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Where the last execution stood when it ended, and how many statements each task had begun.
pub fn standing() -> (Standing, Vec<u64>) {
    (STANDING.with_borrow(Clone::clone), BEGUN.with_borrow(Clone::clone))
}

/// How many mutexes there are.
const MUTEXES: usize = 5;

/// Where contents begin: mutexes, rwlocks, tracked data, ghosts.
const CONTENTS: [usize; 4] = [0, MUTEXES, MUTEXES + 2, MUTEXES + 4];

fn contains(kind: usize, number: usize, value: u8) {
    STANDING.with_borrow_mut(|standing| standing.contents[CONTENTS[kind] + number] = value);
}

pub struct World {
    mutexes: [Mutex<M, u8>; MUTEXES],
    rwlocks: [RwLock<R, u8>; 2],
    conditions: [Condvar; 3],
    tracked: [Tracked<u8>; 2],
    ghosts: [Ghost<u8>; 2],
    clock: Clock,
}

fn world() -> World {
    STANDING.set(Standing::default());
    BEGUN.take();
    World {
        mutexes: [0, 1, 2, 3, 4].map(|key: u32| Mutex::new(key, 0)),
        rwlocks: [0, 1].map(|key: u32| RwLock::new(key, 0)),
        conditions: [0, 1, 2].map(|key: u32| Condvar::new("condition", key)),
        tracked: [0, 1].map(|key: u32| Tracked::new("tracked", key, 0)),
        ghosts: [0, 1].map(|key: u32| Ghost::new("ghost", key, 0)),
        clock: Clock::new(0),
    }
}

/// A task on its way.
struct Local<'w> {
    task: usize,
    value: u8,
    mutexes: [Option<Guard<'w, M, u8>>; MUTEXES],
    kept: [Option<Kept<'w, M, u8>>; MUTEXES],
    readers: [Option<ReadGuard<'w, R, u8>>; 2],
    writers: [Option<WriteGuard<'w, R, u8>>; 2],
    /// What it holds may differ from what it found there.
    changed: bool,
    /// Locks are only taken after those of lower numbers.
    ordered: bool,
    /// Which objects it made, for what is counted only.
    made: [bool; 2],
    /// It says less of what it remembers than it should.
    forgetful: bool,
}

impl<'w> Local<'w> {
    fn observe(&mut self, value: u8) {
        self.value = self.value.wrapping_mul(3).wrapping_add(value).wrapping_add(1) % 8;
    }

    fn change(&mut self) {
        self.changed = true;
        let new = |old: u8, value: u8, task: usize| (old * 3 + value + task as u8 + 1) % 8;
        for (number, guard) in self.mutexes.iter_mut().enumerate() {
            if let Some(guard) = guard {
                **guard = new(**guard, self.value, self.task);
                contains(0, number, **guard);
            }
        }
        for (number, guard) in self.writers.iter_mut().enumerate() {
            if let Some(guard) = guard {
                **guard = new(**guard, self.value, self.task);
                contains(1, number, **guard);
            }
        }
    }

    /// Writes down where it stands: a statement begins.
    fn stands(&self, place: usize) {
        let has = |has: bool| u8::from(has);
        let mut all = vec![place as u8, self.value, has(self.changed), has(self.made[0]), has(self.made[1])];
        all.extend(self.mutexes.iter().map(|guard| has(guard.is_some())));
        all.extend(self.kept.iter().map(|kept| has(kept.is_some())));
        all.extend(self.readers.iter().map(|guard| has(guard.is_some())));
        all.extend(self.writers.iter().map(|guard| has(guard.is_some())));
        STANDING.with_borrow_mut(|standing| {
            let tasks = standing.tasks.len().max(self.task + 1);
            standing.tasks.resize(tasks, Vec::new());
            standing.tasks[self.task] = all;
        });
        BEGUN.with_borrow_mut(|begun| {
            begun.resize(begun.len().max(self.task + 1), 0);
            begun[self.task] += 1;
        });
    }

    /// Writes down what it has seen in the middle of a statement.
    fn knows(&self) {
        STANDING.with_borrow_mut(|standing| standing.tasks[self.task][1] = self.value);
    }

    fn look(&mut self) {
        let values: Vec<u8> = self
            .mutexes
            .iter()
            .flatten()
            .map(|guard| **guard)
            .chain(self.readers.iter().flatten().map(|guard| **guard))
            .chain(self.writers.iter().flatten().map(|guard| **guard))
            .collect();
        values.into_iter().for_each(|value| self.observe(value));
    }

    /// Whether it may take the mutex: it has not got it, nor, if there is an order, one that comes later.
    fn is_free(&self, m: usize) -> bool {
        let has = |at: usize| self.mutexes[at].is_some() || self.kept[at].is_some();
        let later = (m..MUTEXES).any(has)
            || self.readers.iter().any(Option::is_some)
            || self.writers.iter().any(Option::is_some);
        !(has(m) || self.ordered && later)
    }

    fn is_free_rw(&self, r: usize) -> bool {
        !(self.holds_rw(r) || self.ordered && (r..2).any(|at| self.holds_rw(at)))
    }

    fn holds(&self) -> bool {
        self.mutexes.iter().any(Option::is_some)
            || self.kept.iter().any(Option::is_some)
            || (0..2).any(|r| self.holds_rw(r))
    }

    fn holds_rw(&self, index: usize) -> bool {
        self.readers[index].is_some() || self.writers[index].is_some()
    }

    /// What is held and the value: all that a task's future depends on, besides the place in its program. One that is
    /// forgetful leaves the value out.
    fn key(&self, place: usize) -> u64 {
        let held = |held: bool| u64::from(held);
        let value = if self.forgetful { 0 } else { self.value };
        let mut key = (place as u64) << 4 | u64::from(self.changed) << 3 | u64::from(value);
        for kept in &self.kept {
            key = key << 1 | held(kept.is_some());
        }
        for guard in &self.mutexes {
            let value = guard.as_ref().filter(|_| self.changed).map_or(0, |guard| u64::from(**guard));
            key = key << 5 | held(guard.is_some()) << 4 | value;
        }
        for index in 0..2 {
            let writer = self.writers[index].as_ref();
            let value = writer.filter(|_| self.changed).map_or(0, |guard| u64::from(**guard));
            // Whether for reading or writing needs no word, either.
            key = key << 5 | held(self.holds_rw(index)) << 4 | value;
        }
        key
    }

    fn run(
        &mut self,
        world: &'w World,
        token: &'w Unordered,
        ops: &[Op],
        mut place: usize,
        mark: &mut Mark<'_>,
    ) {
        while place < ops.len() {
            self.stands(place);
            let op = &ops[place];
            place += 1;
            match *op {
                Op::SkipIfEven => place += usize::from(self.value.is_multiple_of(2)),
                Op::Forget => {
                    if !self.forgetful {
                        self.value = 0;
                    }
                    used("checkpoint");
                    checkpoint(self.key(place));
                }
                Op::Only => {
                    used("mark");
                    if self.holds() {
                        used("mark under a lock");
                    }
                    mark.only(|| self.key(place));
                }
                Op::Blank => {
                    used("blank");
                    if !self.forgetful {
                        self.value = 0;
                    }
                    mark.only(|| self.key(place));
                }
                Op::While(m) if self.is_free(m) => {
                    if !self.forgetful {
                        self.value = 0;
                    }
                    checkpoint(self.key(place));
                    self.value = world.mutexes[m].look_unordered(token, |value| *value);
                    if self.value == 1 {
                        used("cycle while one");
                        place -= 1;
                    }
                }
                Op::Mark => return marked(|mark| self.run(world, token, ops, place, mark)),
                Op::Until(m) if self.is_free(m) => {
                    if !self.forgetful {
                        self.value = 0;
                    }
                    checkpoint(self.key(place));
                    if m == 1 {
                        world.clock.sleep(1);
                    }
                    let value = world.mutexes[m].look_unordered(token, |value| *value);
                    if value == 0 {
                        used(if m == 1 { "cycle with a sleep" } else { "cycle" });
                        place -= 1;
                    } else {
                        self.observe(value);
                    }
                }
                _ => self.step(world, token, op),
            }
        }
        self.stands(place);
    }

    fn step(&mut self, world: &'w World, token: &'w Unordered, op: &Op) {
        match *op {
            // A mutex that is held already deadlocks with itself in some programs.
            Op::Lock(m) if self.is_free(m) || (self.value == 5 && !self.ordered) => {
                let guard = world.mutexes[m].lock_unordered(token);
                self.observe(*guard);
                self.mutexes[m] = Some(guard);
            }
            Op::Section { guard: Some(guard), .. } if guard != self.value => used("section left out"),
            Op::Section { mutex, when, sets, .. } if self.is_free(mutex) => {
                let mut content = world.mutexes[mutex].lock_unordered(token);
                self.value = *content;
                self.knows();
                if let Some(new) = sets.filter(|_| when.is_none_or(|when| when == self.value)) {
                    *content = new;
                    contains(0, mutex, new);
                }
            }
            Op::TryLock(m) => match world.mutexes[m].try_lock_unordered(token) {
                Some(guard) => {
                    self.observe(1);
                    self.mutexes[m] = Some(guard);
                }
                None => {
                    used("failed try");
                    self.observe(2);
                }
            },
            Op::Unlock(m) => {
                self.mutexes[m] = None;
                self.kept[m] = None;
            }
            Op::Peek(m) if self.is_free(m) || (self.value == 5 && !self.ordered) => {
                // One that is forgetful sees more than it says.
                let (seen, forgetful) = (Cell::new(0), self.forgetful);
                let odd = world.mutexes[m].look_unordered(token, |value| {
                    seen.set(*value);
                    *value % 2
                });
                used("look");
                self.observe(if forgetful { seen.get() } else { odd });
            }
            Op::PeekRw(r) if self.is_free_rw(r) => {
                let odd = world.rwlocks[r].look_unordered(token, |value| *value % 2);
                used("reader-writer look");
                self.observe(odd);
            }
            Op::Keep(m) if self.is_free(m) => {
                let (odd, kept) = world.mutexes[m].look_and_keep_unordered(token, |value| *value % 2);
                used("kept look");
                self.observe(odd);
                self.kept[m] = Some(kept);
            }
            Op::Make(n) => {
                if std::mem::replace(&mut self.made[n], true) {
                    used("made anew");
                }
                let key = ((self.task as u32) << 8) | n as u32;
                let made = Mutex::<M, u8>::new(16 + key, self.value % 2);
                let mut guard = made.lock_unordered(token);
                *guard += 1;
                let value = *guard;
                drop(guard);
                self.observe(value);
            }
            Op::Read(r) if self.is_free_rw(r) => {
                let guard = world.rwlocks[r].read_unordered(token);
                self.observe(*guard);
                self.readers[r] = Some(guard);
            }
            Op::Write(r) if self.is_free_rw(r) || (self.value == 5 && !self.ordered) => {
                let guard = world.rwlocks[r].write_unordered(token);
                self.observe(*guard);
                self.writers[r] = Some(guard);
            }
            Op::TryRead(r) if !self.holds_rw(r) => match world.rwlocks[r].try_read_unordered(token) {
                Some(guard) => {
                    self.observe(3);
                    self.readers[r] = Some(guard);
                }
                None => {
                    used("failed try");
                    self.observe(4);
                }
            },
            Op::TryWrite(r) => match world.rwlocks[r].try_write_unordered(token) {
                Some(guard) => {
                    self.observe(5);
                    self.writers[r] = Some(guard);
                }
                None => {
                    used("failed try");
                    self.observe(6);
                }
            },
            Op::ReleaseRw(r) => {
                self.readers[r] = None;
                self.writers[r] = None;
            }
            Op::Look => self.look(),
            Op::Change => self.change(),
            Op::Wait(m) => {
                if let Some(guard) = self.mutexes[m].take_if(|guard| **guard < 4) {
                    used("wait");
                    let guard = world.conditions[m].wait(guard);
                    used("notified");
                    self.observe(*guard);
                    self.mutexes[m] = Some(guard);
                }
            }
            Op::Notify(m) => world.conditions[m].notify_all(),
            Op::Get(t) => {
                let value = world.tracked[t].with(|value| *value);
                self.observe(value);
            }
            Op::Set(t) => world.tracked[t].with_mut(|value| {
                *value = (*value + self.value + 1) % 8;
                contains(2, t, *value);
            }),
            Op::Free(t) => {
                used("freed");
                contains(2, t, u8::MAX);
                world.tracked[t].free();
            }
            Op::Ghost(g) => {
                used("ghost");
                let (task, mine) = (self.task as u8, self.value);
                world.ghosts[g].update(|value| {
                    *value = (*value * 3 + task + mine + 1) % 8;
                    contains(3, g, *value);
                    if *value == 6 {
                        violation("stolen", || format!("ghost {g} is 6 by task {task}"));
                    }
                });
            }
            Op::Sleep => world.clock.sleep(10),
            Op::Complain(value) if self.value == value => {
                used("finding");
                violation("leak", || format!("task {} is at {value}", self.task));
            }
            Op::Panic(value) => assert!(self.value != value, "task {} panics at {value}", self.task),
            _ => {}
        }
    }
}

fn settled(world: &World) -> Vec<Finding> {
    used("watched lock");
    let token = Unordered::specimen();
    let (a, b) = (*world.mutexes[0].lock_unordered(&token), *world.mutexes[1].lock_unordered(&token));
    let c = *world.rwlocks[0].read_unordered(&token);
    if (a + b + c) % 4 == 3 {
        return vec![Finding::new("unfiltered", format!("{a}, {b} and {c} are seen together"))];
    }
    Vec::new()
}

pub fn scene(program: Program) -> Scene<World> {
    let program = Rc::new(program);
    let watched = program.watched;
    let mut scene = Scene::new(world)
        .state(|world| {
            let token = Unordered::specimen();
            let mutexes: Vec<u8> = world.mutexes.iter().map(|m| *m.lock_unordered(&token)).collect();
            let rwlocks: Vec<u8> = world.rwlocks.iter().map(|r| *r.read_unordered(&token)).collect();
            let tracked: Vec<u8> = world.tracked.iter().map(|t| t.with(|value| *value)).collect();
            format!("{mutexes:?} {rwlocks:?} {tracked:?}")
        })
        .settled(
            move |object| watched && matches!((object.level, object.key.id), ("M", 0 | 1) | ("R", 0)),
            settled,
        );
    for task in 0..program.tasks.len() {
        let program = program.clone();
        scene = scene.task(format!("t{task}"), move |world| {
            let token = Unordered::specimen();
            let mut local = Local {
                task,
                value: 0,
                mutexes: [const { None }; MUTEXES],
                kept: [const { None }; MUTEXES],
                readers: [None, None],
                writers: [None, None],
                changed: false,
                ordered: program.ordered,
                made: [false; 2],
                forgetful: program.forgetful,
            };
            marked(|mark| local.run(world, &token, &program.tasks[task], 0, mark));
            local.value.to_string()
        });
    }
    scene
}
