//! Hosts whose queues have `driver_override`: plans by overrides, by masks, and from one to the other, each rehearsed,
//! applied and taken back. `APMATRIX_LONG=1`: 5,000 rounds.

mod support;

use std::collections::BTreeMap;

use ap_apply::apply::{Options, Outcome, apply, recover, revert};
use ap_apply::memory::MemoryDesk;
use ap_apply::promises::rehearse;
use ap_apply::tree::Tree;
use ap_apply::twin::Twin;
use ap_files::boot;
use ap_files::desired::{DesiredFile, Give, MaskWish};
use ap_plan::{Allow, Plan, Target, Write, plan};
use ap_sysfs::Session;
use ap_task::{Kernel, Version};
use ap_types::{AdapterMask, DomainMask};
use support::{Life, Mortal, Rng, allow, machine, random_mdevs, random_wish, read, rounds, settle, uuid};

fn host(name: &str) -> Session {
    let mut machine = machine(name);
    machine.kernel = Kernel::of(Version::V7_1).into();
    boot(&machine).expect("it boots")
}

/// A random wish that overrides are to bring.
fn by_override(rng: &mut Rng, name: &str) -> DesiredFile {
    let machine = machine(name);
    let none = (AdapterMask::EMPTY, DomainMask::EMPTY);
    let mdevs = random_mdevs(rng, &machine, 3, none.0, none.1);
    let mdev = |mdev: &ap_files::machine::Mdev| ap_files::desired::DesiredMdev {
        uuid: mdev.uuid,
        matrix: mdev.matrix,
        control_by_default: false,
        boot: None,
    };
    DesiredFile {
        unlisted: ap_files::desired::Unlisted::Remove,
        give: Some(Give::Override),
        apmask: None,
        aqmask: None,
        mdevs: mdevs.iter().map(mdev).collect(),
    }
}

fn bring(host: &mut Session, wish: &DesiredFile) -> Option<Plan> {
    let before = read(host);
    let plan = plan(&before.state, &Target::of(&before.state, wish), &Allow::default()).ok()?;
    let mut desk = MemoryDesk::new(1);
    let outcome = apply(host, &mut desk, &plan, &Options::default(), &mut |_| {}).expect("it begins");
    assert!(matches!(outcome, Outcome::After { .. } | Outcome::Nothing), "{outcome:?}");
    settle(host);
    Some(plan)
}

#[test]
fn plans_by_overrides_by_masks_and_from_one_to_the_other() {
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..rounds(300, 5_000) {
        let mut rng = Rng::of(seed + 7_000);
        let name = if rng.chance(2) { "tiny" } else { "default" };
        let mut host = host(name);
        let first = match rng.below(3) {
            0 => random_wish(&mut rng, &machine(name)),
            _ => by_override(&mut rng, name),
        };
        bring(&mut host, &first);
        let mut cleared = 0;
        for (uuid, mdev) in read(&mut host).state.mdevs {
            if rng.chance(4) {
                host.guest(&format!("start g{} {uuid}", uuid.0[0])).expect("it starts");
            } else if let Some(apqn) = mdev.matrix.queues().next().filter(|_| rng.chance(4)) {
                // Somebody clears an override of an assigned queue (N26).
                let path = format!("devices/ap/card{}/{apqn}/driver_override", apqn.adapter);
                cleared += u32::from(Tree::write(&mut host, &path, "\n").is_ok());
            }
        }
        settle(&mut host);
        let before = read(&mut host);
        let mut wish = match rng.below(2) {
            0 => random_wish(&mut rng, &before.machine),
            _ => by_override(&mut rng, name),
        };
        if rng.chance(3) {
            wish.give = Some(Give::Masks);
            wish.apmask.get_or_insert(MaskWish::Exactly(AdapterMask::ALL - rng.some(AdapterMask::ALL, 2)));
        }
        let target = Target::of(&before.state, &wish);
        let kind = format!("{:?} -> {:?}", before.state.way(), target.give);
        let plan = match plan(&before.state, &target, &allow(rng.chance(2))) {
            Ok(plan) => plan,
            Err(none) => {
                assert!(!none.obstacles.is_empty(), "seed {seed}: {kind}");
                *kinds.entry(format!("{kind}: no plan")).or_default() += 1;
                continue;
            }
        };
        let no_theft = |step: &ap_plan::Step| {
            !matches!(step.write, Write::Apmask(_) | Write::Aqmask(_)) || step.before.unprotected().is_empty()
        };
        assert!(
            plan.steps.iter().all(no_theft),
            "seed {seed}: a mask write while a queue has lost its override"
        );
        let kept = |step: &ap_plan::Step| match step.write {
            Write::Override(apqn, None) => !step.before.mdevs.values().any(|mdev| mdev.matrix.contains(apqn)),
            _ => true,
        };
        assert!(
            plan.steps.iter().all(kept),
            "seed {seed}: an override is cleared while its queue is assigned"
        );
        let mut twin = Twin::of(&before).unwrap_or_else(|error| panic!("seed {seed}: {kind}: {error}"));
        rehearse(&mut twin, &plan).unwrap_or_else(|broken| panic!("seed {seed}: {kind}: {broken}"));
        *kinds.entry(format!("{kind}{}", if cleared > 0 { ", mended" } else { "" })).or_default() += 1;
        let mut desk = MemoryDesk::new(7);
        let outcome = apply(&mut host, &mut desk, &plan, &Options::default(), &mut |_| {});
        let outcome = outcome.unwrap_or_else(|error| panic!("seed {seed}: {kind}: {error}"));
        if outcome == Outcome::Nothing {
            continue;
        }
        assert_eq!(outcome, Outcome::After { confirm_by: None }, "seed {seed}: {kind}");
        settle(&mut host);
        let after = read(&mut host).state;
        assert!(target.is_met_by(&after), "seed {seed}: {kind}");
        assert!(after.unprotected().is_empty(), "seed {seed}: {kind}");
        let outcome =
            revert(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("it can be taken back");
        assert!(matches!(outcome, Outcome::Before { .. }), "seed {seed}: {kind}: {outcome:?}");
        settle(&mut host);
        let again = read(&mut host).state;
        assert_eq!(Target::exactly(&again), Target::exactly(&before.state), "seed {seed}: {kind}");
        assert_eq!(again.queues, before.state.queues, "seed {seed}: {kind}");
        assert_eq!(again.overrides, before.state.overrides, "seed {seed}: {kind}");
    }
    println!("{kinds:?}");
}

#[test]
fn a_plan_by_overrides_that_is_killed_at_any_call_ends_before_or_after() {
    let wish = |n: u8, adapter: u8| {
        let text = format!(
            "schema = \"apmatrix.desired/1\"\nunlisted = \"remove\"\n[host]\ngive = \"override\"\n[[mdev]]\nuuid = \
             \"{}\"\nadapters = {adapter}\ndomains = 6\n",
            uuid(n)
        );
        DesiredFile::parse("w.toml", &text).expect("it is right")
    };
    let (mut kills, mut before, mut after, mut at) = (0, 0, 0, 1);
    loop {
        let mut host = host("tiny");
        bring(&mut host, &wish(1, 4)).expect("it is possible");
        let start = read(&mut host);
        let target = Target::of(&start.state, &wish(2, 10));
        let plan = plan(&start.state, &target, &Allow::default()).expect("it is possible");
        assert_eq!(plan.steps.len(), 9, "two mdevs, and three writes for each queue");
        let life = Life::of(at);
        let desk = MemoryDesk::new(100);
        {
            let mut same = desk.other(100);
            let (mut tree, mut desk) = (Mortal::new(&mut host, &life), Mortal::new(&mut same, &life));
            let _ = apply(&mut tree, &mut desk, &plan, &Options::default(), &mut |_| {});
        }
        desk.dies();
        let mut desk = desk.other(101);
        // The recovery is killed, too, at a call that goes with it.
        let second = Life::of(at % 23 + 1);
        {
            let (mut tree, mut same) = (Mortal::new(&mut host, &second), desk.clone());
            let mut mortal = Mortal::new(&mut same, &second);
            let _ = recover(&mut tree, &mut mortal, &Options::default(), &mut |_| {});
        }
        desk.dies();
        desk = desk.other(102);
        let outcome =
            recover(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("it can be read");
        settle(&mut host);
        let now = read(&mut host).state.facts();
        let (first, last) = (start.state.facts(), plan.after.facts());
        assert!(
            now == first || now == last,
            "killed at {at}: {outcome:?}: {:?}",
            ap_plan::difference::differences(&first, &now)
        );
        before += u32::from(now == first);
        after += u32::from(now == last);
        if life.calls() < at {
            break;
        }
        kills += 1;
        at += 1;
    }
    println!("killed at each of {kills} calls, and each recovery once: {before} × before, {after} × after");
}
