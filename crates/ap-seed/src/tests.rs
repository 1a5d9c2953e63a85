//! What stands behind the crate's boundary: the circle in the lock order, and each oracle.

use ap_types::{AdapterId, DomainId};
use explore::{Explorer, Options};

use super::*;

#[test]
fn the_circle_is_in_the_lock_order_exactly_where_it_deadlocks() {
    for series in Series::all() {
        let options = Options { shrink: false, ..Options::default() };
        let report = Explorer::new(options).run(&mut *program(series, Question::ProtectedGuestCycle));
        assert_eq!(ask::circle(&report), series.expected(Question::ProtectedGuestCycle), "{series}");
        assert_eq!(report.verdict == "deadlock", series.has(12), "{series}");
    }
}

/// A state in which everything is as it should be: the queue is assigned, bound to vfio_ap, and a guest has it.
fn good() -> State {
    let mut setup = Setup::of_adapters(&[5]);
    setup.mdevs[0].adapters.insert(AdapterId(5));
    setup.mdevs.push(Default::default());
    let mut state = Model::new(&setup).look();
    state.mdevs[0].guest = true;
    state.guests[0].apcb = state.mdevs[0].shadow;
    state
}

fn verdicts(state: &State) -> Vec<&'static str> {
    let oracles: [fn(&State) -> Vec<explore::Finding>; 5] =
        [oracle::stolen, oracle::reserved, oracle::shared, oracle::unfiltered, oracle::unrevised];
    let mut verdicts: Vec<_> = oracles.iter().flat_map(|oracle| oracle(state)).map(|f| f.verdict).collect();
    verdicts.dedup();
    verdicts
}

#[test]
fn every_oracle_finds_what_it_is_there_for() {
    assert_eq!(verdicts(&good()), [""; 0]);
    let mut state = good();
    state.masks.adapters.insert(AdapterId(5));
    assert_eq!(verdicts(&state), ["stolen", "not-linearizable"], "reserved, and not revised");
    state.drivers[0] = Driver::Default;
    assert_eq!(verdicts(&state), ["stolen", "unfiltered"], "the host's driver has it, and the guest");
    let mut state = good();
    state.mdevs[1].matrix = state.mdevs[0].matrix;
    assert_eq!(verdicts(&state), ["shared"]);
    let mut state = good();
    state.guests[0].apcb.domains.remove(DomainId(4));
    assert_eq!(verdicts(&state), ["unfiltered"], "it has less than its shadow APCB");
    let mut state = good();
    state.drivers[0] = Driver::Gone;
    assert_eq!(verdicts(&state), ["unfiltered"], "it has a queue that is not there");
}
