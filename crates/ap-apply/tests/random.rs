//! Random hosts and wishes: import, plan, rehearse on the twin, apply, take back. `APMATRIX_LONG=1`: 10,000 pairs.

mod support;

use std::collections::BTreeMap;

use ap_apply::apply::{Options, Outcome, apply, revert};
use ap_apply::memory::MemoryDesk;
use ap_apply::promises::{Promise, rehearse};
use ap_apply::twin::Twin;
use ap_plan::{Target, plan};
use support::{Rng, allow, random_host, random_wish, read, rounds, settle};

#[test]
fn plans_keep_their_promises_and_are_applied_and_taken_back() {
    let (mut planned, mut steps, mut none) = (0, 0, BTreeMap::<String, u32>::new());
    let mut over = BTreeMap::<usize, u32>::new();
    for seed in 0..rounds(1_000, 10_000) {
        let mut rng = Rng::of(seed);
        let name = if rng.chance(3) { "tiny" } else { "default" };
        let mut host = random_host(&mut rng, name, true);
        let before = read(&mut host);
        let wish = random_wish(&mut rng, &before.machine);
        let target = Target::of(&before.state, &wish);
        let allow = allow(rng.chance(2));
        let plan = match plan(&before.state, &target, &allow) {
            Ok(plan) => plan,
            Err(why) => {
                assert!(!why.obstacles.is_empty(), "seed {seed}");
                let what = format!("{:?}", why.obstacles[0].what);
                *none
                    .entry(what.split([' ', '{', '(']).next().unwrap_or_default().to_owned())
                    .or_default() += 1;
                continue;
            }
        };
        assert!(plan.steps.len() <= plan.most, "seed {seed}");
        assert!(plan.fewest, "seed {seed}");
        *over.entry(plan.steps.len() - plan.least).or_default() += 1;
        let mut twin = Twin::of(&before).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let rehearsed = rehearse(&mut twin, &plan).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        assert_eq!(rehearsed.guarantees.len(), Promise::ALL.len() - 1, "seed {seed}");
        planned += 1;
        steps += plan.steps.len();

        let mut desk = MemoryDesk::new(7);
        let outcome = apply(&mut host, &mut desk, &plan, &Options::default(), &mut |_| {});
        let outcome = outcome.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        if plan.steps.is_empty() {
            assert_eq!(outcome, Outcome::Nothing, "seed {seed}");
            continue;
        }
        assert_eq!(outcome, Outcome::After { confirm_by: None }, "seed {seed}");
        settle(&mut host);
        let after = read(&mut host);
        assert!(target.is_met_by(&after.state), "seed {seed}");
        let outcome =
            revert(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("it can be taken back");
        assert!(matches!(outcome, Outcome::Before { .. }), "seed {seed}: {outcome:?}");
        settle(&mut host);
        let again = read(&mut host);
        let masks_and_mdevs = |state: &ap_plan::State| Target::exactly(state);
        assert_eq!(masks_and_mdevs(&again.state), masks_and_mdevs(&before.state), "seed {seed}");
        assert_eq!(again.state.queues, before.state.queues, "seed {seed}");
    }
    println!(
        "{} pairs: {planned} plans with {steps} steps; writes above the least: {over:?}; none: {none:?}",
        rounds(1_000, 10_000)
    );
    assert!(planned * 3 > rounds(1_000, 10_000), "most wishes have a plan");
}
