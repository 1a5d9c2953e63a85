//! Each promise of a plan, by its own test: it holds for random plans, and a plan that breaks it is found out.

mod support;

use ap_apply::import::Imported;
use ap_apply::promises::{Promise, rehearse};
use ap_apply::prove::prove;
use ap_apply::twin::Twin;
use ap_files::desired::DesiredFile;
use ap_files::{MachineFile, boot};
use ap_plan::{Allow, Delta, Plan, State, Step, Target, Write, plan};
use ap_sysfs::Session;
use ap_types::{AdapterId, AdapterMask, DomainId, DomainMask, Matrix};
use support::{Rng, allow, random_host, random_wish, read, settle, uuid};

/// The machine `tiny` with that in its file, as it was read; a guest on each mdev that is named.
fn tiny(more: &str, guests: &[u8]) -> Imported {
    let text = format!(
        "schema = \"apmatrix.machine/1\"\ndomains = [6, 71]\n{more}\n[[adapter]]\nid = 4\ntype = \"CEX8P\"\n\
         [[adapter]]\nid = 10\ntype = \"CEX7C\"\n"
    );
    let machine = MachineFile::parse("m.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    let mut session: Session = boot(&machine).expect("it boots");
    for n in guests {
        session.guest(&format!("start g{n} {}", uuid(*n))).expect("it starts");
    }
    settle(&mut session);
    read(&mut session)
}

fn mdev(n: u8, adapter: u8, domains: &str) -> String {
    format!("mdev = [{{ uuid = \"{}\", adapters = {adapter}, domains = {domains} }}]", uuid(n))
}

fn matrix(adapters: &[u8], domains: &[u8]) -> Matrix {
    Matrix {
        adapters: adapters.iter().copied().map(AdapterId).collect(),
        domains: domains.iter().copied().map(DomainId).collect(),
        ..Matrix::default()
    }
}

fn apmask(set: &[u8], clear: &[u8]) -> Write {
    let mask = |ids: &[u8]| ids.iter().copied().map(AdapterId).collect::<AdapterMask>();
    Write::Apmask(Delta::between(mask(clear), mask(set)))
}

/// A plan made by hand.
fn by_hand(host: &Imported, writes: &[Write]) -> Plan {
    let (mut now, mut steps) = (host.state.clone(), Vec::new());
    for write in writes {
        let after = now.after(write).unwrap_or_else(|refusal| panic!("{write:?}: {refusal}"));
        let inverse = write.inverse(&now);
        steps.push(Step { write: *write, why: String::new(), inverse, before: now, after: after.clone() });
        now = after;
    }
    let target = Target::exactly(&now);
    Plan {
        before: host.state.clone(),
        after: now,
        target,
        least: steps.len(),
        most: steps.len(),
        steps,
        fewest: true,
    }
}

fn broken(host: &Imported, plan: &Plan) -> (Promise, String) {
    let mut twin = Twin::of(host).unwrap_or_else(|error| panic!("{error}"));
    let broken = rehearse(&mut twin, plan).expect_err("it breaks a promise");
    (broken.promise, broken.what)
}

/// Random plans, each with the host that it is for.
fn random(count: u64, look: impl Fn(u64, &Imported, &Plan)) {
    let mut found = 0;
    for seed in 0.. {
        let mut rng = Rng::of(seed + 50_000);
        let mut session = random_host(&mut rng, "default", true);
        let host = read(&mut session);
        let target = Target::of(&host.state, &random_wish(&mut rng, &host.machine));
        if let Ok(plan) = plan(&host.state, &target, &allow(rng.chance(2)))
            && !plan.steps.is_empty()
        {
            look(seed, &host, &plan);
            found += 1;
        }
        if found == count {
            return;
        }
    }
}

#[test]
fn promise_1_no_step_is_refused() {
    random(60, |seed, host, plan| {
        let mut twin = Twin::of(host).expect("it boots");
        for step in &plan.steps {
            assert_eq!(twin.write(&step.write, &|_| {}), Ok(()), "seed {seed}");
        }
    });
    // A plan for another host: there the adapter is still the host's.
    let (mine, other) = (tiny("apmask = \"-4\"", &[]), tiny("", &[]));
    let plan = by_hand(&mine, &[Write::Create(uuid(1)), Write::Config(uuid(1), matrix(&[4], &[6]))]);
    let mut twin = Twin::of(&other).expect("it boots");
    let broken = rehearse(&mut twin, &plan).expect_err("it is another host");
    assert_eq!(broken.promise, Promise::Accepted);
    assert!(broken.what.starts_with("the masks are"), "{broken}");
    // And one whose model is wrong: what it says to be after a step is not.
    let mut plan = by_hand(&mine, &[Write::Create(uuid(1)), Write::Config(uuid(1), matrix(&[4], &[6]))]);
    plan.steps[1].after = plan.steps[0].after.clone();
    let (promise, what) = self::broken(&mine, &plan);
    assert_eq!(promise, Promise::Accepted);
    assert!(what.ends_with("is not as the plan says"), "{what}");
}

#[test]
fn promise_2_what_goes_to_an_mdev_is_never_the_hosts_on_the_way() {
    random(60, |seed, _, plan| {
        let mut assigned = plan.target.assigned();
        for apqn in plan.before.queues.none.iter().filter(|apqn| plan.before.reserved(*apqn)) {
            // The host's by the masks already, and unbound by somebody.
            assigned.remove(apqn);
        }
        for step in &plan.steps {
            for adapter in step.after.queues.host.adapters() {
                let gained = step.after.queues.host.row(adapter) - step.before.queues.host.row(adapter);
                assert!(!gained.intersects(&assigned.row(adapter)), "seed {seed}");
            }
        }
        // No exchange of neighbours that is allowed has queues without owner for a shorter time.
        for at in 0..plan.steps.len() - 1 {
            let mut writes: Vec<Write> = plan.steps.iter().map(|step| step.write).collect();
            writes.swap(at, at + 1);
            if let Some(other) = rebuilt(plan, &writes) {
                assert!(other.nobodys() >= plan.nobodys(), "seed {seed}, {at}");
            }
        }
    });
    let host = tiny("apmask = \"-4\"", &[]);
    let config = Write::Config(uuid(1), matrix(&[4], &[6]));
    let writes = [apmask(&[4], &[]), apmask(&[], &[4]), Write::Create(uuid(1)), config];
    let (promise, what) = broken(&host, &by_hand(&host, &writes));
    assert_eq!(promise, Promise::NotByTheHost);
    assert_eq!(what, "queue 04.0006, which is to be an mdev's, becomes the host's");
}

/// The plan with its writes in another order, if that is one that keeps the other promises.
fn rebuilt(plan: &Plan, writes: &[Write]) -> Option<Plan> {
    let (mut now, mut steps) = (plan.before.clone(), Vec::new());
    let assigned = plan.target.assigned();
    for write in writes {
        let after = now.after(write).ok()?;
        let host = &after.queues.host;
        let stolen = host.adapters().iter().any(|adapter| {
            (host.row(adapter) - now.queues.host.row(adapter)).intersects(&assigned.row(adapter))
        });
        let blinks =
            plan.before.mdevs.iter().filter(|(_, mdev)| mdev.holder.is_some()).any(|(uuid, mdev)| {
                let wanted = plan.target.mdevs.get(uuid).copied().unwrap_or_default();
                let has = after.mdevs.get(uuid).map(|mdev| mdev.shadow).unwrap_or_default();
                let keeps = mdev.shadow.shared(&wanted);
                keeps.has_queues()
                    && !(keeps.adapters.is_subset(&has.adapters) && keeps.domains.is_subset(&has.domains))
            });
        if stolen || blinks {
            return None;
        }
        steps.push(Step {
            write: *write,
            why: String::new(),
            inverse: Vec::new(),
            before: now,
            after: after.clone(),
        });
        now = after;
    }
    (now == plan.after).then(|| Plan { steps, ..plan.clone() })
}

#[test]
fn promise_3_guests_keep_their_queues_and_none_blinks() {
    random(60, |seed, _, plan| {
        for (uuid, before) in plan.before.mdevs.iter().filter(|(_, mdev)| mdev.holder.is_some()) {
            let keeps = before.shadow.shared(&plan.target.mdevs[uuid]);
            for step in plan.steps.iter().filter(|_| keeps.has_queues()) {
                let has = step.after.mdevs[uuid].shadow;
                assert_eq!(has.shared(&keeps), keeps.shared(&keeps.shared(&has)), "seed {seed}");
                assert!(keeps.adapters.is_subset(&has.adapters), "seed {seed}");
                assert!(keeps.domains.is_subset(&has.domains), "seed {seed}");
            }
        }
    });
    let host = tiny(&format!("apmask = \"-4\"\n{}", mdev(1, 4, "[6, 71]")), &[1]);
    let writes =
        [Write::Config(uuid(1), matrix(&[4], &[71])), Write::Config(uuid(1), matrix(&[4], &[6, 71]))];
    let (promise, what) = broken(&host, &by_hand(&host, &writes));
    assert_eq!(promise, Promise::GuestsKeep);
    assert_eq!(what, format!("guest g1 loses queues of mdev {} that it is to keep", uuid(1)));
}

#[test]
fn promise_4_who_changes_owner_is_reset_in_between() {
    random(40, |seed, host, plan| {
        let mut twin = Twin::of(host).expect("it boots");
        let found = rehearse(&mut twin, plan).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        assert!(found.guarantees.iter().any(|found| found.promise == Promise::Reset), "seed {seed}");
    });
    // The reset with which the bus takes the queue from the host fails, and the guest gets it all the same.
    let host = tiny(&format!("apmask = \"-10\"\n{}", mdev(1, 10, "[6]")), &[1]);
    let plan = by_hand(&host, &[apmask(&[], &[4]), Write::Config(uuid(1), matrix(&[4, 10], &[6]))]);
    let mut twin = Twin::of(&host).expect("it boots");
    twin.session().hw("fault 04.0006 zrc=0x10:1").expect("a fault");
    let broken = rehearse(&mut twin, &plan).expect_err("the reset fails");
    assert_eq!(broken.promise, Promise::Reset);
    assert_eq!(broken.what, "queue 04.0006 comes to guest g1 without a reset");
}

#[test]
fn promise_5_fewest_writes() {
    // All pairs of states of the tiny machine are in `ap-plan`'s test `tiny`. Here: a circle, and the stated bound.
    random(200, |seed, _, plan| {
        assert!(plan.fewest, "seed {seed}");
        assert!(plan.least <= plan.steps.len() && plan.steps.len() <= plan.most, "seed {seed}");
    });
    let host = tiny(
        &format!(
            "apmask = \"-4,-10\"\nmdev = [{{ uuid = \"{}\", adapters = 4, domains = 6 }}, {{ uuid = \"{}\", adapters = \
             10, domains = 6 }}]",
            uuid(1),
            uuid(2)
        ),
        &[],
    );
    let mut target = Target::exactly(&host.state);
    target.mdevs.insert(uuid(1), matrix(&[10], &[6]));
    target.mdevs.insert(uuid(2), matrix(&[4], &[6]));
    let plan = plan(&host.state, &target, &Allow::default()).expect("they exchange adapters");
    assert_eq!((plan.steps.len(), plan.least, plan.most), (3, 2, 4));
}

#[test]
fn promise_6_every_prefix_can_be_taken_back() {
    random(60, |seed, host, plan| {
        for prefix in 0..=plan.steps.len() {
            let mut twin = Twin::of(host).expect("it boots");
            let start = twin.seen();
            for step in &plan.steps[..prefix] {
                assert_eq!(twin.write(&step.write, &|_| {}), Ok(()), "seed {seed}");
            }
            for write in plan.steps[..prefix].iter().rev().flat_map(|step| &step.inverse) {
                assert_eq!(twin.write(write, &|_| {}), Ok(()), "seed {seed}, prefix {prefix}");
            }
            assert!(twin.seen().has_at_least(&start), "seed {seed}, prefix {prefix}");
        }
    });
    let host = tiny("apmask = \"-4\"", &[]);
    let mut plan = by_hand(&host, &[Write::Create(uuid(1)), Write::Config(uuid(1), matrix(&[4], &[6]))]);
    plan.steps[1].inverse.clear();
    let (promise, what) = broken(&host, &plan);
    assert_eq!(promise, Promise::Reversible);
    assert!(what.starts_with("after step 2 was taken back"), "{what}");
}

#[test]
fn promise_7_what_others_do_makes_nothing_worse_than_a_refused_step() {
    let host = tiny(&format!("apmask = \"-4\"\n{}", mdev(1, 4, "[6]")), &[]);
    let wish = format!(
        "schema = \"apmatrix.desired/1\"\n[[mdev]]\nuuid = \"{}\"\nadapters = 4\ndomains = [6, 71]\n",
        uuid(1)
    );
    let desired = DesiredFile::parse("w.toml", &wish).expect("it is right");
    let target = Target::of(&host.state, &desired);
    let plan = plan(&host.state, &target, &Allow::default()).expect("it is possible");
    let proof = prove(&host, &plan).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(proof.worse, Vec::<String>::new());
    let all: Vec<String> = proof.outcomes.iter().map(ToString::to_string).collect();
    let own = format!("/sys/devices/vfio_ap/matrix/{}/assign_domain", uuid(1));
    assert_eq!(
        all,
        [
            format!("`guest start other {}` (ok): the plan ends ok", uuid(1)),
            format!("`echo 6 > {own}` (ok): the plan ends ok"),
            "`echo 1 > /sys/bus/ap/scans` (ok): the plan ends ok".to_owned(),
            "`echo +4 > /sys/bus/ap/apmask` (EBUSY): the plan ends ok".to_owned(),
        ]
    );
    assert!(proof.how.contains("every interleaving"), "{}", proof.how);
    // Somebody gives the host what the plan has just freed: the next step is refused, and nothing worse.
    let host = tiny("", &[]);
    let mut target = Target::exactly(&host.state);
    target.masks.adapters -= AdapterMask::single(AdapterId(4));
    target.mdevs.insert(uuid(1), Matrix { control_domains: DomainMask::EMPTY, ..matrix(&[4], &[6]) });
    let plan = ap_plan::plan(&host.state, &target, &Allow::default()).expect("it is possible");
    let proof = prove(&host, &plan).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(proof.worse, Vec::<String>::new());
    let refused: Vec<_> =
        proof.outcomes.iter().filter_map(|end| Some((end.refused?, end.plan.clone()))).collect();
    assert_eq!(refused, [(3, "EADDRNOTAVAIL".to_owned())]);
    let _: &State = &plan.before;
}
