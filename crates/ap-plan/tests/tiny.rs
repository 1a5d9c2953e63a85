//! Every plan between two states of the tiny machine has as few writes as any sequence of writes can have.
//!
//! The optimum is found without the planner: breadth first, from each target back, over all writes that there are, under
//! the same promises that a queue which is to be an mdev's is never given to the host on the way, and that each write
//! can be taken back.
//! `APMATRIX_LONG=1` takes all pairs of states with two mdevs; without it, all with one, and every 97th with two (every
//! 1009th with `APMATRIX_SHORT=1`, which is for machines that are emulated).

use std::collections::{BTreeMap, VecDeque};

use ap_files::MachineFile;
use ap_files::machine::built_in;
use ap_plan::{Allow, Kernel, Masks, Mdev, State, Target, plan};
use ap_types::{AdapterId, AdapterMask, DomainId, DomainMask, Matrix, Uuid};

/// Adapters 4 and 10, domains 6 and 71, as two bits each; queues as four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Small {
    apmask: u8,
    aqmask: u8,
    /// Absent, or adapters and domains.
    mdevs: [Option<(u8, u8)>; 2],
}

fn product(a: u8, d: u8) -> u8 {
    (if a & 1 != 0 { d } else { 0 }) | (if a & 2 != 0 { d << 2 } else { 0 })
}

impl Small {
    fn host(&self) -> u8 {
        product(self.apmask, self.aqmask)
    }

    fn mdev(&self, at: usize) -> u8 {
        self.mdevs[at].map_or(0, |(a, d)| product(a, d))
    }

    fn valid(&self) -> bool {
        let (host, a, b) = (self.host(), self.mdev(0), self.mdev(1));
        host & a == 0 && host & b == 0 && a & b == 0
    }

    /// All states, with at most so many mdevs.
    fn all(mdevs: usize) -> Vec<Small> {
        let each: Vec<Option<(u8, u8)>> =
            std::iter::once(None).chain((0..16).map(|n| Some((n >> 2, n & 3)))).collect();
        let mut all = Vec::new();
        for masks in 0..16u8 {
            for first in &each {
                for second in each.iter().take(if mdevs == 2 { 17 } else { 1 }) {
                    let state = Small { apmask: masks >> 2, aqmask: masks & 3, mdevs: [*first, *second] };
                    all.extend(Some(state).filter(Small::valid));
                }
            }
        }
        all
    }

    /// Whether one write leads from here to there.
    fn writes_to(&self, to: &Small, whole: bool, assigned: u8) -> bool {
        if to.host() & !self.host() & assigned != 0 {
            return false;
        }
        let vetoes = |asked: u8| self.mdev(0) & asked != 0 || self.mdev(1) & asked != 0;
        let differs = [
            self.apmask != to.apmask,
            self.aqmask != to.aqmask,
            self.mdevs[0] != to.mdevs[0],
            self.mdevs[1] != to.mdevs[1],
        ];
        match differs {
            [true, false, false, false] => {
                let others = if whole { 3 } else { self.aqmask };
                let asked = if whole { to.apmask ^ self.apmask } else { to.apmask & !self.apmask };
                !vetoes(product(asked, others))
            }
            [false, true, false, false] => {
                let others = if whole { 3 } else { self.apmask };
                let asked = if whole { to.aqmask ^ self.aqmask } else { to.aqmask & !self.aqmask };
                !vetoes(product(others, asked))
            }
            [false, false, true, false] => one_write(self.mdevs[0], to.mdevs[0]),
            [false, false, false, true] => one_write(self.mdevs[1], to.mdevs[1]),
            _ => false,
        }
    }

    fn state(&self, base: &State) -> State {
        let mut state = base.clone();
        let adapters = |bits: u8| {
            AdapterMask::of(
                [4, 10]
                    .into_iter()
                    .enumerate()
                    .filter(|(at, _)| bits & 1 << at != 0)
                    .map(|(_, id)| AdapterId(id)),
            )
        };
        let domains = |bits: u8| {
            DomainMask::of(
                [6, 71]
                    .into_iter()
                    .enumerate()
                    .filter(|(at, _)| bits & 1 << at != 0)
                    .map(|(_, id)| DomainId(id)),
            )
        };
        let masks = Masks {
            adapters: (AdapterMask::ALL - adapters(3)) | adapters(self.apmask),
            domains: (DomainMask::ALL - domains(3)) | domains(self.aqmask),
        };
        state = with_masks(&state, masks);
        for (at, mdev) in self.mdevs.iter().enumerate() {
            if let Some((a, d)) = mdev {
                let matrix = Matrix {
                    adapters: adapters(*a),
                    domains: domains(*d),
                    control_domains: DomainMask::EMPTY,
                };
                let shadow = state.filtered(&matrix);
                state.mdevs.insert(uuid(at), Mdev { matrix, shadow, holder: None });
            }
        }
        state
    }
}

fn uuid(at: usize) -> Uuid {
    Uuid([at as u8 + 1; 16])
}

/// Through the model's own writes, so that bindings follow.
fn with_masks(state: &State, masks: Masks) -> State {
    let clear = ap_plan::Write::Apmask(ap_plan::Delta::between(state.masks.adapters, masks.adapters));
    let next = state.after(&clear).expect("no mdev is there");
    let clear = ap_plan::Write::Aqmask(ap_plan::Delta::between(next.masks.domains, masks.domains));
    next.after(&clear).expect("no mdev is there")
}

fn one_write(from: Option<(u8, u8)>, to: Option<(u8, u8)>) -> bool {
    match (from, to) {
        (None, Some((a, d))) => a == 0 && d == 0,
        _ => true,
    }
}

/// The fewest writes from every state to one; 255: there is no way.
fn distances(all: &[Small], neighbours: &[Vec<u16>], target: usize, whole: bool) -> Vec<u8> {
    let goal = &all[target];
    let assigned = goal.mdev(0) | goal.mdev(1);
    let mut far = vec![u8::MAX; all.len()];
    far[target] = 0;
    let mut queue = VecDeque::from([target]);
    while let Some(at) = queue.pop_front() {
        for before in &neighbours[at] {
            let before = usize::from(*before);
            if far[before] == u8::MAX && all[before].writes_to(&all[at], whole, assigned) {
                far[before] = far[at] + 1;
                queue.push_back(before);
            }
        }
    }
    far
}

/// Which states one write could lead from, for any target.
fn neighbours(all: &[Small], whole: bool) -> Vec<Vec<u16>> {
    let before = |to: &Small| {
        let froms = all.iter().enumerate().filter(|(_, from)| *from != to && from.writes_to(to, whole, 0));
        froms.map(|(at, _)| at as u16).collect()
    };
    all.iter().map(before).collect()
}

fn check(mdevs: usize, whole: bool, every: usize) -> (usize, usize) {
    let machine =
        MachineFile::parse("tiny", built_in("tiny").expect("it is there").text).expect("it is right");
    let mut base = State::of(&machine);
    base.kernel = Kernel { in_use_whole: whole, driver_override: false };
    let all = Small::all(mdevs);
    let neighbours = neighbours(&all, whole);
    let states: Vec<State> = all.iter().map(|small| small.state(&base)).collect();
    let targets: Vec<Target> = states.iter().map(Target::exactly).collect();
    let (mut pairs, mut without) = (0, 0);
    let mut histogram: BTreeMap<usize, usize> = BTreeMap::new();
    for (to, target) in targets.iter().enumerate() {
        let far = distances(&all, &neighbours, to, whole);
        for (from, state) in states.iter().enumerate() {
            if !(from * states.len() + to).is_multiple_of(every) {
                continue;
            }
            pairs += 1;
            match plan(state, target, &Allow::default()) {
                Ok(plan) => {
                    assert_eq!(
                        plan.steps.len(),
                        usize::from(far[from]),
                        "{:?} -> {:?}: {:#?}",
                        all[from],
                        all[to],
                        plan.steps.iter().map(|s| s.write.store().to_string()).collect::<Vec<_>>()
                    );
                    assert!(target.is_met_by(&plan.after));
                    *histogram.entry(plan.steps.len() - plan.least).or_default() += 1;
                }
                Err(none) => {
                    assert_eq!(far[from], u8::MAX, "{:?} -> {:?}: {none}", all[from], all[to]);
                    assert!(!none.obstacles.is_empty(), "{:?} -> {:?}", all[from], all[to]);
                    without += 1;
                }
            }
        }
    }
    println!(
        "{mdevs} mdevs, in-use-whole {whole}: {} states, {pairs} pairs, {without} without a plan; writes above the least: {histogram:?}",
        all.len()
    );
    (all.len(), pairs)
}

/// Of how many states with two mdevs one is taken.
fn step() -> usize {
    let set = |name: &str| std::env::var_os(name).is_some();
    match (set("APMATRIX_LONG"), set("APMATRIX_SHORT")) {
        (true, _) => 1,
        (false, true) => 1009,
        (false, false) => 97,
    }
}

#[test]
fn plans_have_the_fewest_writes_between_all_states_with_one_mdev() {
    assert_eq!(check(1, false, 1), (223, 223 * 223));
}

#[test]
fn plans_have_the_fewest_writes_between_states_with_two_mdevs() {
    check(2, false, step());
}

#[test]
fn plans_have_the_fewest_writes_where_in_use_asks_wider() {
    check(1, true, 1);
    check(2, true, step());
}

/// A mask that only gives queues up, or only takes some, is written once; one that does both may have to stop over.
#[test]
fn the_most_writes_of_a_mask_are_two_if_it_gives_and_takes() {
    let mut state = State::of(
        &MachineFile::parse("tiny", built_in("tiny").expect("it is there").text).expect("it is right"),
    );
    state.kernel.in_use_whole = false;
    let count = |from: &[u8], to: &[u8]| {
        let without = |ids: &[u8]| AdapterMask::ALL - AdapterMask::of(ids.iter().copied().map(AdapterId));
        let mut state = state.clone();
        state.masks.adapters = without(from);
        let mut target = Target::exactly(&state);
        target.masks.adapters = without(to);
        let plan = plan(&state, &target, &Allow::default()).unwrap_or_else(|none| panic!("{none:?}"));
        (plan.least, plan.most)
    };
    assert_eq!(count(&[], &[4]), (1, 1), "it gives");
    assert_eq!(count(&[4], &[]), (1, 1), "it takes");
    assert_eq!(count(&[4], &[10]), (1, 2), "it does both");
}
