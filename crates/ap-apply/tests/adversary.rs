//! Somebody else works on the host while a plan is applied: masks, guests, adapters that go, that stop, resets that fail,
//! assignments. `APMATRIX_LONG=1`: 10,000 rounds.

mod support;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ap_apply::apply::{Options, Outcome, apply, recover};
use ap_apply::effect::{Stands, effect};
use ap_apply::memory::MemoryDesk;
use ap_apply::undo::Undoable;
use ap_plan::{Allow, Target, plan};
use ap_sysfs::Session;
use ap_types::{AdapterMask, DomainMask, Matrix, Uuid};
use support::{Life, Mortal, Rng, random_host, random_wish, read, rounds, settle};

/// What the adversary did, and to whom.
#[derive(Default)]
struct Done {
    ops: Vec<String>,
    /// Guests that were started, with what each got.
    started: BTreeMap<Uuid, Matrix>,
    /// Guests that were stopped.
    stopped: Vec<Uuid>,
    /// Mdevs that the adversary assigned to or from.
    assigned: Vec<Uuid>,
    /// Adapters that are not what they were.
    hardware: AdapterMask,
    next_guest: u32,
}

fn write(host: &mut Session, path: &str, text: &str) -> bool {
    ap_apply::tree::Tree::write(host, path, text).is_ok()
}

fn mdevs(host: &mut Session) -> Vec<(Uuid, Matrix, bool)> {
    let tree = host.tree().clone();
    locks::enter(|held| {
        tree.host.vfio.look(held, |mdevs| {
            mdevs.list.values().map(|mdev| (mdev.uuid, mdev.shadow, mdev.running())).collect()
        })
    })
}

/// Does one thing.
fn act(rng: &mut Rng, host: &mut Session, done: &mut Done) {
    let adapter = rng.below(8);
    let domain = [4, 6, 22, 23, 52, 71][rng.below(6) as usize];
    let all = mdevs(host);
    let some = (!all.is_empty()).then(|| all[rng.below(all.len() as u64) as usize]);
    let op = match (rng.below(8), some) {
        (0, _) => {
            let sign = if rng.chance(2) { '+' } else { '-' };
            let what = format!("{sign}{adapter}");
            let ok = write(host, "bus/ap/apmask", &what);
            format!("{what} > apmask: {ok}")
        }
        (1, _) => {
            let what = format!("-{domain}");
            let ok = write(host, "bus/ap/aqmask", &what);
            format!("{what} > aqmask: {ok}")
        }
        (2 | 3, Some((uuid, _, false))) => {
            done.next_guest += 1;
            let ok = host.guest(&format!("start x{} {uuid}", done.next_guest)).is_ok();
            if let Some((_, shadow, true)) = mdevs(host).into_iter().find(|(id, ..)| *id == uuid) {
                done.started.insert(uuid, shadow);
                done.stopped.retain(|id| *id != uuid);
            }
            format!("guest starts on {uuid}: {ok}")
        }
        (4, Some((uuid, _, true))) => {
            let name = ap_apply::tree::Tree::read(host, "kernel/debug/apmatrix/guests").unwrap_or_default();
            let line =
                name.lines().find(|line| line.contains(&uuid.to_string())).unwrap_or_default().to_owned();
            let guest = line.split(' ').next().unwrap_or_default().to_owned();
            let _ = host.guest(&format!("stop {guest}"));
            done.started.remove(&uuid);
            done.stopped.push(uuid);
            format!("guest {guest} stops on {uuid}")
        }
        (5, _) => {
            done.hardware.insert(ap_types::AdapterId(adapter as u8));
            let verb = if rng.chance(2) { "unplug" } else { "checkstop" };
            let _ = host.hw(&format!("{verb} {adapter}"));
            format!("hw {verb} {adapter}")
        }
        (6, _) => {
            done.hardware.insert(ap_types::AdapterId(adapter as u8));
            let _ = host.hw(&format!("fault {adapter:02x}.{domain:04x} zrc=0x10:1"));
            format!("hw fault {adapter}.{domain}")
        }
        (7, Some((uuid, ..))) => {
            done.assigned.push(uuid);
            let verb = if rng.chance(2) { "assign" } else { "unassign" };
            let ok =
                write(host, &format!("devices/vfio_ap/matrix/{uuid}/{verb}_domain"), &domain.to_string());
            format!("{verb}_domain {domain} of {uuid}: {ok}")
        }
        _ => return,
    };
    done.ops.push(op);
}

/// Every running guest has its queues, but for what the adversary himself took: those on adapters that he broke.
fn guests_have_theirs(host: &mut Session, done: &Done, kept: &BTreeMap<Uuid, Matrix>, context: &str) {
    let now = mdevs(host);
    for (uuid, keeps) in kept.iter().chain(&done.started) {
        if done.stopped.contains(uuid) || done.assigned.contains(uuid) {
            continue;
        }
        let Some((_, shadow, running)) = now.iter().find(|(id, ..)| id == uuid) else {
            panic!("{context}: the mdev of a running guest, {uuid}, is gone: {:?}", done.ops);
        };
        if !running {
            continue;
        }
        let adapters = keeps.adapters - done.hardware;
        if adapters.is_empty() || keeps.domains.is_empty() {
            continue;
        }
        let lost = (adapters - shadow.adapters, keeps.domains - shadow.domains);
        assert_eq!(lost, (AdapterMask::EMPTY, DomainMask::EMPTY), "{context}: mdev {uuid}: {:?}", done.ops);
    }
}

#[test]
fn an_adversary_finds_no_end_between() {
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut acts, mut seed, mut played) = (0, 0, 0);
    while played < rounds(1_000, 10_000) {
        seed += 1;
        let mut rng = Rng::of(seed);
        let mut host = random_host(&mut rng, "default", true);
        let before = read(&mut host);
        let target = Target::of(&before.state, &random_wish(&mut rng, &before.machine));
        let Ok(plan) = plan(&before.state, &target, &Allow::default()) else { continue };
        if plan.steps.len() < 2 {
            continue;
        }
        played += 1;
        let held = before.state.mdevs.iter().filter(|(_, mdev)| mdev.holder.is_some());
        let kept: BTreeMap<Uuid, Matrix> = held.map(|(uuid, mdev)| (*uuid, mdev.shadow)).collect();
        let steps: Vec<Undoable> = plan.steps.iter().map(Undoable::of).collect();
        let done = Rc::new(RefCell::new(Done::default()));
        // Calls of an import are most of all; what comes at the first ones only makes the plan stale.
        let first = rng.below(180) + 60;
        let times: Vec<u64> = (0..=rng.below(3)).map(|n| first + n * (rng.below(40) + 1)).collect();
        let calls = Cell::new(0u64);
        let mut desk = MemoryDesk::new(7);
        let outcome = {
            let done = done.clone();
            let mut meanwhile = |host: &mut Session| {
                calls.set(calls.get() + 1);
                if times.contains(&calls.get()) {
                    act(&mut rng, host, &mut done.borrow_mut());
                }
            };
            let mut tree = Mortal::new(&mut host, &Life::of(u64::MAX));
            tree.meanwhile = Some(&mut meanwhile);
            apply(&mut tree, &mut desk, &plan, &Options::default(), &mut |_| {})
        };
        acts += done.borrow().ops.len();
        settle(&mut host);
        let context = format!("seed {seed}, {outcome:?}");
        guests_have_theirs(&mut host, &done.borrow(), &kept, &context);
        let found = effect(&mut host, &steps).expect("it can be read");
        let late = calls.get() < times[times.len() - 1] + 160;
        let end = match outcome {
            Err(_) => "not begun",
            Ok(Outcome::Nothing) => panic!("{context}"),
            Ok(Outcome::After { .. }) => {
                let all = found.iter().all(|stands| *stands == Stands::After);
                assert!(all || late, "{context}: {found:?} {:?}", done.borrow().ops);
                "after"
            }
            Ok(Outcome::Before { why, .. }) => {
                // What the adversary wrote after it was taken back is his.
                let theirs = |at: usize| match &steps[at].write {
                    ap_plan::Write::Config(uuid, _) | ap_plan::Write::Remove(uuid) => {
                        done.borrow().assigned.contains(uuid)
                    }
                    ap_plan::Write::Apmask(_) | ap_plan::Write::Aqmask(_) => {
                        done.borrow().ops.iter().any(|op| op.contains("mask: true"))
                    }
                    _ => false,
                };
                let mut all = found.iter().enumerate();
                let none = all.all(|(at, stands)| *stands == Stands::Before || theirs(at));
                assert!(none && !why.is_empty(), "{context}: {found:?} {:?}", done.borrow().ops);
                "before, with the reason"
            }
            Ok(Outcome::Stopped(stop)) => {
                assert!(stop.go_on.ends_with("`apmatrix recover`"), "{context}");
                let told: Vec<usize> = stop.in_effect.iter().map(|(number, _)| number - 1).collect();
                for (at, stands) in found.iter().enumerate().filter(|_| !late) {
                    assert_eq!(
                        told.contains(&at),
                        *stands != Stands::Before,
                        "{context}: {:?}",
                        done.borrow().ops
                    );
                }
                let outcome = recover(&mut host, &mut desk, &Options::default(), &mut |_| {});
                assert!(outcome.is_ok(), "{context}");
                guests_have_theirs(&mut host, &done.borrow(), &kept, &context);
                "a stop that says where and how to go on"
            }
        };
        *ends.entry(end).or_default() += 1;
    }
    println!("{played} rounds, {acts} acts of the adversary: {ends:?}");
}
