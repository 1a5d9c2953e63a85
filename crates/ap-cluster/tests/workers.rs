//! Sequences by several workers: the same report as of a search that is as plain as can be, whatever their number.

use std::collections::HashSet;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ap_cluster::{ClusterError, Explores, Hosts, HostsError, Share, Space, Tally, Wanted, search};
use ap_proof::sequences::{Alphabet, Operation, Report, ResetFault, alphabet};
use ap_types::{AdapterId, Apqn, DomainId};
use ap_vfio::VFIO_AP;

fn wanted(name: &str, depth: u32, workers: usize) -> Wanted<Alphabet> {
    wanted_of(alphabet(name).expect("it is there"), depth, workers)
}

fn wanted_of(alphabet: Alphabet, depth: u32, workers: usize) -> Wanted<Alphabet> {
    Wanted { depth: Some(depth), workers: Some(workers), ..Wanted::of(Arc::new(alphabet)) }
}

/// All of a report but the time that it took.
fn told(report: &Report) -> String {
    let Report { alphabet, operations, transitions, states, depth, closed, cut, levels, time: _, violations } =
        report;
    format!("{:?}", (alphabet, operations, transitions, states, depth, closed, cut, levels, violations))
}

/// Breadth first by a queue and a set: the second opinion.
fn plain(alphabet: &Alphabet, depth: u32) -> Report {
    let mut report = None;
    alphabet.enter(&mut |explorer| report = Some(breadth_first(explorer, depth))).expect("it boots");
    report.expect("it was entered")
}

fn breadth_first<R>(explorer: &mut dyn Explores<Report = R>, depth: u32) -> R {
    let (mut seen, mut level) = (HashSet::new(), Vec::new());
    for (root, print) in explorer.begin().expect("it begins") {
        if seen.insert(print) {
            level.push(vec![root]);
        }
    }
    let mut tally = Tally::beginning(level.len() as u64);
    while tally.goes_on(depth) {
        let (mut share, mut next) = (Share::default(), Vec::new());
        for way in &level {
            let expanded = explorer.expand(way, &mut share, &mut |number, print| {
                if seen.insert(print) {
                    next.push([way.as_slice(), &[number]].concat());
                }
            });
            expanded.expect("the same again");
        }
        share.states = next.len() as u64;
        tally.add(share);
        level = next;
    }
    explorer.report(&tally, true).expect("the same again")
}

#[test]
fn any_number_of_workers_says_the_same() {
    for (name, depth) in [("core", 6), ("whole", 3), ("overrides", 3), ("removals", 3)] {
        let plain = told(&plain(&alphabet(name).expect("it is there"), depth));
        for workers in [1, 2, 4] {
            let report = search(wanted(name, depth, workers), &mut |_| {}).expect("it runs");
            assert_eq!(plain, told(&report), "{workers} of {name}");
        }
    }
}

#[test]
fn short_sequences_of_all_alphabets_are_clean() {
    for (name, depth, states) in
        [("core", 5, 3_900), ("whole", 3, 4_000), ("overrides", 4, 100), ("removals", 5, 100)]
    {
        let report = search(wanted(name, depth, 2), &mut |_| {}).expect("it runs");
        assert!(report.clean(), "{name}: {:?}", report.violations);
        assert_eq!(report.depth, depth);
        assert!(report.states > states, "{name}: {} states", report.states);
    }
}

/// A guest with two queues, its own from the beginning or given up by the host, and what goes wrong when resets fail or
/// take long: two known deviations are met again and again.
fn deviating() -> Alphabet {
    let apqn = |domain| Apqn::new(AdapterId(4), DomainId(domain));
    let mut operations = vec![
        Operation::Start { guest: 1, mdev: 0 },
        Operation::Start { guest: 0, mdev: 0 },
        Operation::Stop { guest: 1 },
        Operation::Stop { guest: 0 },
        Operation::Apmask { on: false, id: 4 },
        Operation::Adapter { mdev: 0, on: true, id: 4 },
    ];
    for domain in [71, 6] {
        operations.extend([
            Operation::Fault { apqn: apqn(domain), fault: ResetFault::Lasts(6) },
            Operation::Fault { apqn: apqn(domain), fault: ResetFault::Fails },
            Operation::Bind { driver: VFIO_AP, on: false, apqn: apqn(domain) },
            Operation::Bind { driver: VFIO_AP, on: true, apqn: apqn(domain) },
        ]);
    }
    let create = Operation::Create { mdev: 0 };
    let config = |adapters| Operation::Config { mdev: 0, adapters, domains: &[6, 71], control: &[] };
    let (none, reserved) = (config(&[]), Operation::Apmask { on: false, id: 4 });
    Alphabet {
        name: "deviating",
        beginnings: vec![vec![reserved, create, config(&[4])], vec![create, none]],
        operations,
        ..alphabet("core").expect("it is there")
    }
}

#[test]
fn the_first_counterexamples_are_the_same_whatever_the_number_of_workers() {
    let plain = plain(&deviating(), 5);
    let known: Vec<_> = plain.violations.iter().map(|violation| violation.known).collect();
    assert!(known.len() > 1 && plain.violations.iter().all(|violation| violation.count > 1), "{known:?}");
    for workers in [1, 2, 4] {
        let report = search(wanted_of(deviating(), 5, workers), &mut |_| {}).expect("it runs");
        assert_eq!(told(&plain), told(&report), "{workers}");
    }
}

#[test]
fn the_budget_is_looked_at_within_a_level() {
    let wanted = Wanted { budget: Some(Duration::ZERO), ..wanted("whole", 4, 2) };
    let report = search(wanted, &mut |_| {}).expect("it runs");
    assert_eq!((report.cut, report.depth, report.verdict()), (Some("the time is up"), 0, "unknown"));
    assert_eq!(report.transitions, 0, "nobody begins with a state when the time is up");
}

/// Its files hold stretches of ways: each way is one worker's, whoever wrote it. What was wrong before is still told.
#[test]
fn any_number_of_workers_goes_on_from_a_checkpoint() {
    for alphabet in [alphabet("core").expect("it is there"), deviating()] {
        let folder = tempfile::tempdir().expect("a folder");
        for (depth, workers) in [(2, 2), (3, 2), (4, 3), (5, 1), (6, 4)] {
            let kept = Some(folder.path().to_owned());
            let kept = Wanted { checkpoint: kept, ..wanted_of(alphabet.clone(), depth, workers) };
            let report = search(kept, &mut |_| {}).expect("it goes on");
            let plain = plain(&alphabet, depth);
            assert_eq!(told(&plain), told(&report), "{}: {workers} workers go on to {depth}", alphabet.name);
        }
    }
}

/// Ports that nobody uses.
fn hosts(folder: &Path, processes: usize) -> std::path::PathBuf {
    let listeners: Vec<TcpListener> =
        (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let lines = listeners.iter().map(|one| format!("{}\n", one.local_addr().expect("an address")));
    let file = folder.join("hosts");
    std::fs::write(&file, format!("# processes\n\n{}", lines.collect::<String>())).expect("it is written");
    file
}

#[test]
fn processes_say_the_same_each() {
    let folder = tempfile::tempdir().expect("a folder");
    for alphabet in [alphabet("core").expect("it is there"), deviating()] {
        let plain = told(&plain(&alphabet, 5));
        for (processes, workers) in [(2, 1), (3, 2)] {
            let file = hosts(folder.path(), processes);
            thread::scope(|scope| {
                for process in (0..processes).rev() {
                    let hosts = Some(Hosts::read(&file, process).expect("it is right"));
                    let wanted = Wanted { hosts, ..wanted_of(alphabet.clone(), 5, workers) };
                    let plain = &plain;
                    scope.spawn(move || {
                        let report = search(wanted, &mut |_| {}).expect("it runs");
                        assert_eq!(*plain, told(&report), "process {process} of {processes}");
                    });
                }
            });
        }
    }
}

/// The environment of a process that is a part of a search: where its folder is, and which one it is.
const PART: &str = "APMATRIX_TEST_PART";

/// How many operations the sequences of the parts have, and after how many of them one is killed.
const PARTS: (u32, u32) = (7, 4);

/// This program again, as one of two processes.
fn part(folder: &Path, process: usize) -> Child {
    Command::new(std::env::current_exe().expect("its own name"))
        .args(["--exact", "a_part_of_a_search", "--ignored"])
        .env(PART, format!("{process} {}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

#[test]
#[ignore = "no test, but what a process does that another test starts"]
fn a_part_of_a_search() {
    let part = std::env::var(PART).expect("who starts it says which part it is");
    let (process, folder) = part.split_once(' ').expect("two words");
    let (process, folder) = (process.parse().expect("a number"), Path::new(folder));
    let hosts = Some(Hosts::read(&folder.join("hosts"), process).expect("it is right"));
    let checkpoint = Some(folder.join("levels"));
    let wanted = Wanted { hosts, checkpoint, ..wanted_of(deviating(), PARTS.0, 1) };
    let text = match search(wanted, &mut |_| {}) {
        Ok(report) => told(&report),
        Err(error) => error.to_string(),
    };
    std::fs::write(folder.join(format!("told-{process}")), text).expect("it is written");
}

/// What is wrong was found before the kill and after it, and by both processes.
#[test]
fn counterexamples_outlive_a_process_that_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    hosts(folder.path(), 2);
    let kept = folder.path().join(format!("levels/level-{}/tally-1", PARTS.1));
    let said = |process: usize| std::fs::read_to_string(folder.path().join(format!("told-{process}")));

    let (mut zero, mut one) = (part(folder.path(), 0), part(folder.path(), 1));
    while !kept.exists() {
        assert_eq!(one.try_wait().expect("it can be waited for"), None, "it runs until it is killed");
        thread::sleep(Duration::from_millis(1));
    }
    one.kill().expect("it runs");
    assert_eq!(one.wait().expect("it ends").signal(), Some(9), "it was killed before it had ended");
    assert!(zero.wait().expect("it ends").success(), "it said what became of it");
    assert!(said(0).expect("it was written").contains("process 1 is gone"), "{:?}", said(0));
    assert!(said(1).is_err(), "it was killed before it had said anything");

    let parts = [part(folder.path(), 0), part(folder.path(), 1)];
    for part in parts {
        let output = part.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let plain = plain(&deviating(), PARTS.0);
    let before = plain.violations.iter().filter(|wrong| wrong.sequence.len() <= PARTS.1 as usize).count();
    assert!(before > 0 && plain.violations.iter().all(|violation| violation.count > 1), "{}", told(&plain));
    for process in [0, 1] {
        assert_eq!(said(process).expect("it was written"), told(&plain), "process {process}");
    }
}

#[test]
fn processes_that_do_not_do_the_same_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = hosts(folder.path(), 2);
    let run = |process: usize, depth: u32| {
        let hosts = Some(Hosts::read(&file, process).expect("it is right"));
        search(Wanted { hosts, ..wanted("core", depth, 1) }, &mut |_| {})
            .expect_err("they differ")
            .to_string()
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| run(1, 4));
        assert_eq!(run(0, 3), "process 1 does not do the same: its depth is `4`, and here it is `3`");
        assert_eq!(
            other.join().expect("it ends"),
            "process 0 does not do the same: its depth is `3`, and here it is `4`"
        );
    });
}

#[test]
fn a_wrong_host_file_is_told_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hosts");
    for (text, process, says) in [
        ("a:1\nb\n", 0, "hosts:2: `b` is no address, expected HOST:PORT"),
        ("a:1\nb:70000\n", 0, "hosts:2: `b:70000` is no address, expected HOST:PORT"),
        ("a:1\n# b\n", 1, "hosts names 1 processes, counted from 0: there is no process 1"),
        ("", 0, "hosts names 0 processes, counted from 0: there is no process 0"),
    ] {
        std::fs::write(&file, text).expect("it is written");
        let error = Hosts::read(&file, process).expect_err("it is wrong").to_string();
        assert!(error.ends_with(says), "{error}");
    }
    let missing = Hosts::read(&folder.path().join("none"), 0).map_err(ClusterError::from);
    assert!(matches!(missing, Err(ClusterError::Hosts(HostsError::Unreadable { .. }))));
}
