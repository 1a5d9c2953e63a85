//! Sequences by several workers: the same report, whatever their number.

use std::{io, thread};

use ap_proof::sequences::{Options, Report, alphabet, explore, explore_by};

fn run(times: usize, f: &(dyn Fn(usize) + Sync)) -> io::Result<()> {
    thread::scope(|scope| {
        for number in 0..times {
            scope.spawn(move || f(number));
        }
    });
    Ok(())
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
            let report = explore_by(workers, &run, &alphabet, options, &mut |_| {}).expect("they run");
            assert_eq!(alone, told(&report), "{workers} of {name}");
        }
    }
}

/// A machine may give no more threads: two do the work of ten, and without a second one nothing waits for it.
#[test]
fn fewer_workers_than_asked_for_do_the_same() {
    let alphabet = alphabet("core").expect("it is there");
    let options = Options { depth: Some(4), ..Options::default() };
    let alone = told(&explore(&alphabet, options, &mut |_| {}));
    let two = explore_by(10, &|_, f| run(2, f), &alphabet, options, &mut |_| {}).expect("they run");
    assert_eq!(alone, told(&two));
    let none = |_: usize, _: &(dyn Fn(usize) + Sync)| Err(io::Error::from(io::ErrorKind::WouldBlock));
    assert!(explore_by(10, &none, &alphabet, options, &mut |_| {}).is_err());
}
