//! Random small lock programs.

use std::fmt;

/// A small generator (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A statement. Objects are numbers; a statement that doesn't fit what is held does nothing.
#[derive(Clone, Debug)]
pub enum Op {
    Lock(usize),
    TryLock(usize),
    Unlock(usize),
    Read(usize),
    Write(usize),
    TryRead(usize),
    TryWrite(usize),
    ReleaseRw(usize),
    /// Reads or changes all that is held.
    Look,
    Change,
    /// Waits on the condition with the mutex of the same number, if it is held and its value is small.
    Wait(usize),
    Notify(usize),
    Get(usize),
    Set(usize),
    Free(usize),
    Ghost(usize),
    Sleep,
    /// Says that something is wrong, if the local value is this one.
    Complain(u8),
    Panic(u8),
    /// Forgets the local value, and says so: what was observed no longer counts.
    Forget,
    /// From here on there is a mark.
    Mark,
    /// Says what is remembered: what was observed since the last mark besides no longer counts.
    Only,
    /// Looks at a mutex or an rwlock: whether its value is odd counts, and nothing else.
    Peek(usize),
    PeekRw(usize),
    /// The same with a mutex that is kept.
    Keep(usize),
    /// Comes back to the same place until a mutex has another value than 0: a cycle, unless somebody changes it.
    Until(usize),
    /// Makes one of two objects that only this task knows, anew if it was there, with a value of two.
    Make(usize),
    /// Skips the next statement if the local value is even.
    SkipIfEven,
    /// If the local value is `guard`: locks a mutex, whose value becomes the local one; if that is `when`, lets it be
    /// `sets`; and unlocks it. (What is none says nothing.)
    Section {
        mutex: usize,
        guard: Option<u8>,
        when: Option<u8>,
        sets: Option<u8>,
    },
    /// Forgets the local value, and says so by the mark.
    Blank,
    /// Comes back to the same place as long as a mutex has the value 1.
    While(usize),
}

#[derive(Clone, Debug)]
pub struct Program {
    pub tasks: Vec<Vec<Op>>,
    /// Whether an oracle watches the mutexes 0 and 1, and the rwlock 0.
    pub watched: bool,
    /// Whether locks are only taken in the order of their numbers.
    pub ordered: bool,
    /// Whether what is said to be forgotten is kept, and what is said to be remembered leaves the local value out.
    pub forgetful: bool,
}

impl Program {
    /// Whether tasks say anywhere what they remember.
    pub fn forgets(&self) -> bool {
        let says = |op: &Op| {
            let looks = matches!(op, Op::Peek(_) | Op::PeekRw(_) | Op::Keep(_) | Op::Until(_) | Op::While(_));
            looks || matches!(op, Op::Forget | Op::Only | Op::Blank)
        };
        self.tasks.iter().flatten().any(says)
    }

    /// Whether a task may come to a place again.
    pub fn cycles(&self) -> bool {
        self.tasks.iter().flatten().any(|op| matches!(op, Op::Until(_) | Op::While(_)))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Program { tasks: _, watched, ordered, forgetful } = self;
        writeln!(f, "watched: {watched}, ordered: {ordered}, forgetful: {forgetful}")?;
        for (task, ops) in self.tasks.iter().enumerate() {
            writeln!(f, "task {task}: {ops:?}")?;
        }
        Ok(())
    }
}

/// What a program is made of: each feature is in some programs only, so that they stay small.
struct Flavour {
    mutexes: u64,
    rwlocks: u64,
    tries: bool,
    waits: bool,
    tracked: bool,
    ghosts: bool,
    trouble: bool,
    marks: bool,
    looks: bool,
    cycles: bool,
    makes: bool,
}

/// The program with this number: one in four is of sections, the others are of anything.
pub fn generate(number: u64) -> Program {
    let mut random = Random(number.wrapping_mul(0x9E37_79B9));
    if number % 4 == 1 { guarded(&mut random) } else { mixed(&mut random) }
}

/// A program of sections, some of which depend on what was seen in the one before: what tasks do is learned late, and by
/// it transactions become shorter and circles are closed. Little is remembered, so that branches meet again.
fn guarded(random: &mut Random) -> Program {
    let mut tasks = match random.below(10) {
        0..=3 => circle(),
        4..=7 => shorter(),
        _ => sections(random),
    };
    let mut mutexes = [0, 1, 2, 3, 4];
    for at in 1..mutexes.len() {
        mutexes.swap(at, random.below(at as u64 + 1) as usize);
    }
    for op in tasks.iter_mut().flatten() {
        if let Op::Section { mutex, .. } | Op::Lock(mutex) | Op::Unlock(mutex) | Op::While(mutex) = op {
            *mutex = mutexes[*mutex];
        }
        vary(random, op);
    }
    if random.chance(50) {
        for at in 1..tasks.len() {
            tasks.swap(at, random.below(at as u64 + 1) as usize);
        }
    }
    Program { tasks, watched: random.chance(8), ordered: false, forgetful: false }
}

fn section(mutex: usize, guard: Option<u8>, sets: Option<u8>) -> Op {
    Op::Section { mutex, guard, when: None, sets }
}

/// Each of three does its last section only after another one's, and one waits in a circle for the first one's.
fn circle() -> Vec<Vec<Op>> {
    let task = |mutexes: [usize; 3], sets, last| {
        let sections = mutexes.map(|mutex| section(mutex, None, if mutex == 1 { sets } else { None }));
        sections.into_iter().chain([last]).flat_map(|section| [section, Op::Only]).collect()
    };
    vec![
        task([0, 1, 2], Some(1), section(0, Some(1), Some(1))),
        task([3, 4, 1], None, section(4, Some(0), Some(1))),
        task([2, 3, 4], None, section(2, Some(1), Some(1))),
        vec![Op::While(0)],
    ]
}

/// A section in a section that is done only sometimes, which ends the transaction; after it nobody remembers.
fn shorter() -> Vec<Vec<Op>> {
    let then = [
        section(0, None, None),
        Op::Lock(1),
        section(2, Some(1), Some(1)),
        Op::Blank,
        section(3, None, None),
    ];
    vec![
        [1, 0, 2].map(|mutex| section(mutex, None, None)).to_vec(),
        vec![section(2, None, None), Op::Lock(3), Op::Change, Op::Unlock(3)],
        then.to_vec(),
        vec![section(0, None, Some(1))],
    ]
}

/// Any sections.
fn sections(random: &mut Random) -> Vec<Vec<Op>> {
    let many = 3 + random.below(2);
    let turns = if random.chance(45) { random.below(many) } else { many };
    let task = |number| {
        let mut ops = Vec::new();
        let length = if number == turns { random.below(2) } else { 2 + random.below(6 - many) };
        let holds = if random.chance(30) { random.below(length.max(1)) } else { length };
        for at in 0..length {
            if at == holds {
                ops.push(Op::Lock(random.below(5) as usize));
            }
            let guard = (at > 0 && random.chance(50)).then(|| u8::from(random.chance(70)));
            let sets = random.chance(if guard.is_some() { 80 } else { 30 }).then_some(1);
            let when = random.chance(25).then(|| random.below(2) as u8);
            ops.push(Op::Section { mutex: random.below(5) as usize, guard, when, sets });
            match random.below(10) {
                0..=4 => ops.push(Op::Only),
                5 | 6 => ops.push(Op::Blank),
                _ => {}
            }
        }
        if number == turns {
            let at = random.below(ops.len() as u64 + 1) as usize;
            ops.insert(at, Op::While(random.below(5) as usize));
        }
        ops
    };
    (0..many).map(task).collect()
}

/// Lets a statement be another one, if it comes to that.
fn vary(random: &mut Random, op: &mut Op) {
    match (random.below(60), op) {
        (0, Op::Section { mutex, .. } | Op::Lock(mutex) | Op::While(mutex)) => {
            *mutex = random.below(5) as usize
        }
        (1, Op::Section { guard, .. }) => *guard = random.chance(60).then(|| random.below(2) as u8),
        (2, Op::Section { sets, .. }) => *sets = random.chance(60).then(|| random.below(2) as u8),
        (3, Op::Section { when, .. }) => *when = Some(random.below(2) as u8),
        (4, op @ (Op::Only | Op::Blank)) => *op = if random.chance(50) { Op::Forget } else { Op::Look },
        (5, op @ (Op::Only | Op::Blank)) => *op = if random.chance(50) { Op::Blank } else { Op::Only },
        _ => {}
    }
}

/// A program of anything.
fn mixed(random: &mut Random) -> Program {
    let flavour = Flavour {
        mutexes: 1 + random.below(3),
        rwlocks: if random.chance(40) { 1 + random.below(2) } else { 0 },
        tries: random.chance(40),
        waits: random.chance(30),
        tracked: random.chance(35),
        ghosts: random.chance(30),
        trouble: random.chance(30),
        marks: random.chance(40),
        looks: random.chance(50),
        cycles: random.chance(8),
        makes: random.chance(20),
    };
    let watched = random.chance(25);
    let tasks = if random.chance(55) { 2 } else { 3 + usize::from(random.chance(15)) };
    let length = match tasks {
        2 => 4 + random.below(11),
        3 => 2 + random.below(7),
        _ => 2 + random.below(3),
    };
    let ordered = random.chance(55);
    let tasks = (0..tasks).map(|_| task(random, &flavour, length)).collect();
    Program { tasks, watched, ordered, forgetful: false }
}

fn task(random: &mut Random, flavour: &Flavour, length: u64) -> Vec<Op> {
    let mut ops: Vec<Op> = (0..length).map(|_| op(random, flavour)).collect();
    // What comes together by chance too rarely.
    let at = random.below(length + 1) as usize;
    if flavour.makes && random.chance(60) {
        // A thing is made of what was seen, which is forgotten, and it is made anew.
        let n = random.below(2) as usize;
        let between = op(random, flavour);
        ops.splice(at..at, [Op::Make(n), Op::Forget, between, Op::Make(n)]);
    } else if random.chance(15) {
        // A section changes something with some contents only.
        let m = random.below(flavour.mutexes) as usize;
        ops.splice(at..at, [Op::Lock(m), Op::SkipIfEven, Op::Change, Op::Unlock(m)]);
    }
    ops
}

fn op(random: &mut Random, flavour: &Flavour) -> Op {
    loop {
        let mutex = random.below(flavour.mutexes) as usize;
        let rwlock = random.below(flavour.rwlocks.max(1)) as usize;
        let datum = random.below(2) as usize;
        let rw = flavour.rwlocks > 0;
        let op = match random.below(48) {
            0..=5 => Op::Lock(mutex),
            6..=8 => Op::Unlock(mutex),
            9 | 10 if flavour.tries => Op::TryLock(mutex),
            11 if rw => Op::Read(rwlock),
            12 | 13 if rw => Op::Write(rwlock),
            14 if rw && flavour.tries => Op::TryRead(rwlock),
            15 if rw && flavour.tries => Op::TryWrite(rwlock),
            16 if rw => Op::ReleaseRw(rwlock),
            17 => Op::Look,
            18 | 19 => Op::Change,
            20 | 21 if flavour.waits => Op::Wait(mutex),
            22 if flavour.waits => Op::Notify(mutex),
            23 if flavour.tracked => Op::Get(datum),
            24 if flavour.tracked => Op::Set(datum),
            25 if flavour.tracked && random.chance(20) => Op::Free(datum),
            26 if flavour.ghosts => Op::Ghost(datum),
            27 if random.chance(30) => Op::Sleep,
            28 if flavour.trouble => Op::Complain(random.below(8) as u8),
            29 if flavour.trouble && random.chance(40) => Op::Panic(random.below(8) as u8),
            30 if random.chance(if flavour.marks || flavour.makes { 60 } else { 15 }) => Op::Forget,
            31 if random.chance(50) => Op::SkipIfEven,
            32..=34 if flavour.marks => Op::Only,
            35 if flavour.marks => Op::Mark,
            36..=39 if flavour.looks => Op::Peek(mutex),
            40 if rw && flavour.looks => Op::PeekRw(rwlock),
            41 | 42 if flavour.looks => Op::Keep(mutex),
            43 if flavour.cycles => Op::Until(mutex),
            44..=47 if flavour.makes => Op::Make(datum),
            _ => continue,
        };
        return op;
    }
}
