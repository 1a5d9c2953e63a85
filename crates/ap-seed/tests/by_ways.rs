//! The specimens by ways, shared out: found like by one, in the fewest context switches.

#[path = "../../explore/tests/crew/mod.rs"]
mod crew;

use ap_seed::specimen;
use explore::{Audit, Finding, Options, Outcome, Program, Task};
use locks::Object;

/// A program that somebody else made.
struct Of(Box<dyn Program>);

impl Program for Of {
    fn begin(&mut self) -> Vec<Task> {
        self.0.begin()
    }
    fn finish(&mut self, results: &[String]) -> Outcome {
        self.0.finish(results)
    }
    fn called(&self, object: &Object) -> Option<String> {
        self.0.called(object)
    }
    fn watches(&self, object: &Object) -> bool {
        self.0.watches(object)
    }
    fn settled(&mut self) -> Vec<Finding> {
        self.0.settled()
    }
}

#[test]
fn specimens_are_found_by_any_number_of_workers() {
    for (id, verdict, switches) in [
        ("seed-deadlock", "deadlock", 1),
        ("seed-theft", "stolen", 2),
        ("seed-busy", "spurious-busy", 2),
        ("override-theft", "stolen", 1),
    ] {
        let options = Options { audit: Audit::Off, ..Options::default() };
        let shown = [1, 2, 4].map(|workers| {
            let make = || Of(specimen(id).expect("it is there").program);
            let searched = crew::search(workers, &options, make).expect("it is explored");
            let first = &searched.report.violations[0];
            assert_eq!(
                (searched.report.verdict, first.switches, first.fewest),
                (verdict, switches, true),
                "{id}"
            );
            assert!(searched.report.exhausted, "{id}: {:?}", searched.report.why);
            (searched.levels, searched.sum, first.schedule.to_string())
        });
        assert_eq!(shown[0], shown[1], "{id}");
        assert_eq!(shown[0], shown[2], "{id}");
    }
}
