//! Random small lock programs.

use std::fmt;

/// A small generator (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) % bound
    }

    pub fn chance(&mut self, percent: u64) -> bool {
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
            matches!(op, Op::Forget | Op::Only | Op::Peek(_) | Op::PeekRw(_) | Op::Keep(_) | Op::Until(_))
        };
        self.tasks.iter().flatten().any(says)
    }

    /// Whether a task may come to a place again.
    pub fn cycles(&self) -> bool {
        self.tasks.iter().flatten().any(|op| matches!(op, Op::Until(_)))
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

pub fn generate(random: &mut Random) -> Program {
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
