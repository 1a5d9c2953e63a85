//! One scenario by several workers (`--hosts`, `--checkpoint`): what a walk over every state says, whatever the
//! number of workers, also if they are killed and started again.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use ap_cluster::{Wanted, search};
use ap_proof::scenario::Explored;
use apmatrix::scenario::Playable;
use apmatrix::states::States;
use explore::{Audit, Options, Strategy};
use killed::{kill, wait_for};

mod killed;

/// Scenarios of all kinds that are small: two to four tasks, guests, removals that wait, resets, modules, both kernels.
const SAMPLE: [&str; 12] = [
    "ap-config-in-one-piece",
    "bind-against-mask",
    "blocked-remove",
    "cleared-override-against-drivers-probe",
    "create-against-remove",
    "fault-against-reset",
    "module-unload-against-guest",
    "override-against-mask",
    "override-against-scan",
    "protected-guest",
    "removal-asks",
    "unbind-against-scan",
];

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn playable(name: &str) -> Playable {
    Playable::read(&scenarios().join(format!("{name}.toml"))).unwrap_or_else(|error| panic!("{error:?}"))
}

fn options(strategy: Strategy) -> Options {
    Options { strategy, audit: Audit::Off, ..Options::default() }
}

fn by_workers(play: &Playable, strategy: Strategy, workers: usize) -> Explored {
    let ready = play.ready(None).expect("it is right");
    let states = Arc::new(States::new(play, &ready, options(strategy)));
    let wanted = Wanted { workers: Some(workers), ..Wanted::of(states.clone()) };
    let report = search(wanted, &mut |_| {}).expect("it is explored");
    states.judged(&ready, report)
}

type Said = (&'static str, bool, BTreeSet<(Vec<String>, String)>, BTreeSet<String>);

/// The verdict, the outcomes, and what is wrong.
fn said(explored: &Explored) -> Said {
    let report = &explored.report;
    let outcomes = report.outcomes.iter().map(|o| (o.results.clone(), o.state.clone()));
    let violations = report.violations.iter().map(|v| format!("{:?}", v.finding));
    (report.verdict, report.exhausted, outcomes.collect(), violations.collect())
}

/// Everything that does not say how long it took, or how much had to be executed for it.
fn counted(explored: &Explored) -> String {
    let report = &explored.report;
    let outcomes: Vec<_> = report
        .outcomes
        .iter()
        .map(|o| (o.results.clone(), o.state.clone(), o.executions, o.schedule.to_string()))
        .collect();
    let violations: Vec<_> =
        report.violations.iter().map(|v| (v.finding.clone(), v.schedule.to_string(), v.executions)).collect();
    format!("{:?}", (report.verdict, report.states, report.executions, report.deepest, outcomes, violations))
}

#[test]
fn any_number_of_workers_says_what_every_state_says() {
    for name in SAMPLE {
        let play = playable(name);
        let every = play.ready(None).expect("it is right").explore(options(Strategy::EveryState), None);
        for strategy in [Strategy::EveryState, Strategy::StateCache] {
            let one = by_workers(&play, strategy, 1);
            assert_eq!(said(&one), said(&every), "{name}");
            let (counts, all) =
                ((one.report.states, one.report.executions), (every.report.states, every.report.executions));
            assert!(
                counts == all || (strategy == Strategy::StateCache && counts < all),
                "{name}: {counts:?}, {all:?}"
            );
            // (Every state by two is every state by three, as the other strategy shows.)
            for workers in if strategy == Strategy::StateCache { &[2, 4][..] } else { &[2] } {
                let several = by_workers(&play, strategy, *workers);
                assert_eq!(counted(&several), counted(&one), "{name}, {workers} workers");
            }
        }
    }
}

/// Of several outcomes each is shown by the same execution.
#[test]
fn outcomes_are_shown_by_the_same_executions() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("s.toml");
    fs::write(&file, SEVERAL).expect("it is written");
    let play = Playable::read(&file).unwrap_or_else(|error| panic!("{error:?}"));
    let every = play.ready(None).expect("it is right").explore(options(Strategy::EveryState), None);
    let one = by_workers(&play, Strategy::StateCache, 1);
    assert_eq!(said(&one), said(&every));
    for workers in [2, 4] {
        let several = by_workers(&play, Strategy::StateCache, workers);
        assert_eq!(counted(&several), counted(&one), "{workers} workers");
    }
}

/// Three tasks whose order tells.
const SEVERAL: &str = r#"
schema = "apmatrix.scenario/1"
title = "two masks and a reader"
machine = "tiny"
setup = "true"

[[task]]
name = "adapters"
run = "echo -1 > /sys/bus/ap/apmask"

[[task]]
name = "domains"
run = "echo -6 > /sys/bus/ap/aqmask"

[[task]]
name = "reader"
run = "cat /sys/bus/ap/apmask && cat /sys/bus/ap/aqmask"
"#;

fn apmatrix(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
    command.args(["explore", "--json"]).args(words).current_dir(scenarios().join(".."));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a search prints, but for how long it took and how much memory.
fn told(output: &Output) -> serde_json::Value {
    killed::told(output, &["seconds", "memory_bytes"])
}

/// One that takes some seconds in a build for debugging.
const LONGER: &str = "scenarios/mask-against-assign.toml";

/// What a search says that nobody kills.
fn in_one_go(folder: &Path) -> serde_json::Value {
    let kept = folder.join("in-one-go");
    let search = [LONGER, "--workers", "2", "--checkpoint", kept.to_str().expect("text")];
    told(&apmatrix(&search).output().expect("it runs"))
}

#[test]
fn a_search_that_is_killed_goes_on_from_its_last_level() {
    let folder = tempfile::tempdir().expect("a folder");
    let levels = folder.path().join("levels");
    let kept = levels.to_str().expect("text");
    let whole = in_one_go(folder.path());

    let search = [LONGER, "--workers", "2", "--checkpoint", kept];
    let mut child = apmatrix(&search).spawn().expect("it runs");
    wait_for(&levels.join("level-20/tally-0"), &mut child);
    kill(child);
    let file = levels.join("level-20/worker-1-of-2.states");
    let before = fs::metadata(&file).expect("it is kept").modified().expect("it is known");

    assert_eq!(told(&apmatrix(&search).output().expect("it runs")), whole);
    let after = fs::metadata(&file).expect("it is kept").modified().expect("it is known");
    assert_eq!(after, before, "the level was not explored again");
    let others = [LONGER, "--workers", "3", "--checkpoint", kept];
    assert_eq!(told(&apmatrix(&others).output().expect("it runs")), whole, "nothing is left to be done");

    let other = ["scenarios/bind-against-mask.toml", "--workers", "2", "--checkpoint", kept];
    let refused = apmatrix(&other).output().expect("it runs");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{text}");
    assert!(text.contains("of another search"), "{text}");
}

/// What a search with no time had learned before was taken for all that there is to know.
#[test]
fn a_search_that_had_no_time_to_warm_up_knows_as_much_as_any_when_it_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = in_one_go(folder.path());
    let levels = folder.path().join("levels");
    let search = [LONGER, "--workers", "2", "--checkpoint", levels.to_str().expect("text")];
    let cut = apmatrix(&[search.as_slice(), &["--budget", "0"]].concat()).output().expect("it runs");
    assert_eq!(cut.status.code(), Some(1), "{}", String::from_utf8_lossy(&cut.stderr));
    assert_eq!(told(&apmatrix(&search).output().expect("it runs")), whole);
}

#[test]
fn two_processes_of_which_one_is_killed_go_on_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let lines = listeners.iter().map(|one| format!("{}\n", one.local_addr().expect("it has one")));
    let file = folder.path().join("hosts");
    fs::write(&file, lines.collect::<String>()).expect("it is written");
    drop(listeners);
    let levels = folder.path().join("levels");
    let (file, kept) = (file.to_str().expect("text"), levels.to_str().expect("text"));
    let whole = in_one_go(folder.path());
    let start = |process| {
        let words = [LONGER, "--workers", "1", "--hosts", file, "--process", process, "--checkpoint", kept];
        apmatrix(&words).spawn().expect("it runs")
    };

    let (zero, mut one) = (start("0"), start("1"));
    wait_for(&levels.join("level-20/tally-1"), &mut one);
    kill(one);
    let ended = zero.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{text}");
    assert!(text.contains("process 1 is gone") && !text.contains("panicked"), "{text}");

    let (zero, one) = (start("0"), start("1"));
    let (zero, one) = (zero.wait_with_output().expect("it ends"), one.wait_with_output().expect("it ends"));
    assert_eq!(told(&zero), whole);
    assert_eq!((one.status.code(), one.stdout.len()), (Some(0), 0), "process 0 has the report");
    let text = String::from_utf8_lossy(&one.stderr);
    assert!(text.contains("process 1 is done, verdict: clean; process 0 has the report"), "{text}");
}

/// What does not fit together is refused, with what to do.
#[test]
fn options_that_do_not_fit_are_refused() {
    let one = "scenarios/bind-against-mask.toml";
    for (words, says) in [
        (
            &[one, "scenarios/two-stops.toml", "--checkpoint", "there"][..],
            "`--checkpoint` is about one scenario",
        ),
        (&[one, "--checkpoint", "there", "--engine", "dpor"], "`--checkpoint` visits states"),
        (&[one, "--checkpoint", "there", "--engine", "both"], "`--checkpoint` visits states"),
        (&[one, "--checkpoint", "there", "--audit", "3"], "`--audit` is done by one thread"),
        (&[one, "--workers", "2", "--jobs", "2"], "--jobs"),
        (&[one, "--workers", "2", "--replay", "0x1"], "--replay"),
        (&["--workers", "2"], "say what the workers are to explore"),
    ] {
        let refused = apmatrix(words).output().expect("it runs");
        let text = String::from_utf8_lossy(&refused.stderr);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(refused.status.code(), Some(2), "{words:?}: {text}");
        assert!(text.contains(says), "{words:?}: {text}");
    }
    assert!(!scenarios().join("../there").exists());
}

/// One thread is the quickest as long as it is enough, so `--workers` alone is `--jobs`, whatever goes with that.
#[test]
fn workers_without_hosts_and_checkpoint_are_jobs() {
    let one = "scenarios/bind-against-mask.toml";
    let said = |words: &[&str]| told(&apmatrix(words).output().expect("it runs"));
    assert_eq!(said(&[one, "--workers", "2"]), said(&[one, "--jobs", "2"]));
    assert_eq!(said(&[one, "--workers", "2", "--engine", "dpor"]), said(&[one, "--engine", "dpor"]));
}
