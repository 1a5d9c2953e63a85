//! Sequences by several workers: the same report, whatever their number.

use std::thread;

use ap_proof::sequences::{Options, Report, alphabet, explore, explore_by};

fn run(times: usize, f: &(dyn Fn(usize) + Sync)) {
    thread::scope(|scope| {
        for number in 0..times {
            scope.spawn(move || f(number));
        }
    });
}

/// All of a report but the time that it took.
fn told(report: &Report) -> String {
    let Report { alphabet, operations, transitions, states, depth, closed, cut, levels, time: _, violations } =
        report;
    format!("{:?}", (alphabet, operations, transitions, states, depth, closed, cut, levels, violations))
}

#[test]
fn any_number_of_workers_says_the_same() {
    for (name, depth) in [("core", 6), ("whole", 3), ("overrides", 3), ("removals", 3)] {
        let alphabet = alphabet(name).expect("it is there");
        let options = Options { depth: Some(depth), ..Options::default() };
        let alone = told(&explore(&alphabet, options, &mut |_| {}));
        for workers in [1, 2, 4] {
            assert_eq!(
                alone,
                told(&explore_by(workers, &run, &alphabet, options, &mut |_| {})),
                "{workers} of {name}"
            );
        }
    }
}
