//! The differential fuzzer: random small lock programs, and explorers that must agree on them.
//!
//! `APMATRIX_FUZZ_PROGRAMS=20000 cargo test --release -p apmatrix-explore --test fuzz` runs the long form;
//! `APMATRIX_FUZZ_SEED=N` begins with program N. A mismatch prints the program.
//!
//! Some programs say what they remember (checkpoints, marks and looks). The audit must accuse none of them. In a second
//! form they leave something out: then the audit must say so, unless it makes no difference.

mod crew;
#[path = "fuzz/generate.rs"]
mod generate;
#[path = "fuzz/interpret.rs"]
mod interpret;
#[path = "fuzz/third.rs"]
mod third;

use std::collections::{BTreeMap, BTreeSet};

use explore::{Audit, Explorer, Finding, Mistake, Options, Reach, Report, Strategy};

use generate::{Op, Program, generate};

/// What a strategy says of a program.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    outcomes: BTreeSet<(Vec<String>, String)>,
    findings: BTreeSet<Finding>,
}

fn explore(program: &Program, options: Options) -> Report {
    Explorer::new(options).run(&mut interpret::scene(program.clone()))
}

fn said(report: &Report) -> Said {
    Said {
        outcomes: report.outcomes.iter().map(|o| (o.results.clone(), o.state.clone())).collect(),
        findings: report.violations.iter().map(|v| v.finding.clone()).collect(),
    }
}

/// Explores a program in all ways; says how it was compared and how many executions its warm-ups had, or what differs.
/// What only large programs need, and had to be done for a small one.
struct Work {
    warm_up: u64,
    chosen_again: u64,
}

fn compare(program: &Program, mistake: Option<Mistake>) -> Result<(&'static str, Work), String> {
    let plain = |strategy, most| Options {
        strategy,
        shrink: false,
        max_executions: Some(most),
        max_steps: 500,
        ..Options::default()
    };
    let cached =
        |strategy| Options { strategy, mistake, max_steps: 500, reach: Reach::ALWAYS, ..Options::default() };
    let cache = explore(program, cached(Strategy::StateCache));
    let every = explore(program, Options { shrink: false, ..cached(Strategy::EveryState) });
    if !every.exhausted || said(&cache) != said(&every) {
        return Err(format!(
            "state cache {:#?}\nevery state {:#?} {:?}",
            said(&cache),
            said(&every),
            every.why
        ));
    }
    leads(program, &every)?;
    let mut work = Work { warm_up: 0, chosen_again: 0 };
    for (name, reach) in reaches(program) {
        let other = explore(program, Options { reach, ..cached(Strategy::StateCache) });
        if said(&other) != said(&every) || other.exhausted != cache.exhausted {
            let (said, whole) = (said(&other), said(&every));
            return Err(format!("{name} {said:#?}\nevery state {whole:#?} {:?}", other.why));
        }
        replays(program, &other)?;
        work.warm_up += other.warm_up;
        work.chosen_again += other.chosen_again;
    }
    by_ways(program, &every)?;
    if program.cycles() {
        let how = third_opinion(program, &said(&cache))?;
        return Ok((how, work));
    }
    let dpor = explore(program, plain(Strategy::Dpor, 40_000));
    let dfs = explore(program, plain(Strategy::Dfs, 40_000));
    if !cache.exhausted {
        return Err(format!("the state cache is not exhausted: {:?}", cache.why));
    }
    for violation in &cache.violations {
        if !violation.fewest {
            return Err(format!("not shrunk: {violation:#?}"));
        }
    }
    if dpor.exhausted && said(&cache) != said(&dpor) {
        return Err(format!("state cache {:#?}\nDPOR {:#?}", said(&cache), said(&dpor)));
    }
    if dfs.exhausted {
        if said(&cache) != said(&dfs) {
            return Err(format!("state cache {:#?}\nDFS {:#?}", said(&cache), said(&dfs)));
        }
        let switches = |report: &Report| -> BTreeMap<Finding, u32> {
            report.violations.iter().map(|v| (v.finding.clone(), v.switches)).collect()
        };
        if switches(&cache) != switches(&dfs) {
            return Err(format!("fewest switches: {:#?}, DFS {:#?}", switches(&cache), switches(&dfs)));
        }
        if dpor.exhausted && !program.watched && dpor.executions > dfs.executions {
            return Err(format!("DPOR took {} executions, DFS {}", dpor.executions, dfs.executions));
        }
    }
    let how = match (dpor.exhausted, dfs.exhausted) {
        (true, true) => "all three",
        (true, false) => "state cache and DPOR",
        _ => "none",
    };
    Ok((how, work))
}

/// Compares a walk over every state with the same by ways, and with one over as few states as are enough: by one explorer and
/// by three that share it out and learn in other orders.
fn by_ways(program: &Program, every: &Report) -> Result<(), String> {
    for strategy in [Strategy::EveryState, Strategy::StateCache] {
        let options =
            Options { strategy, max_steps: 500, audit: Audit::Off, shrink: false, ..Options::default() };
        let mut first: Option<crew::Searched> = None;
        for workers in [1, 3] {
            let searched = crew::search(workers, &options, || interpret::scene(program.clone()))?;
            let report = &searched.report;
            if said(report) != said(every) || report.exhausted != every.exhausted {
                let (said, whole) = (said(report), said(every));
                return Err(format!("by ways {said:#?} {:?}\nevery state {whole:#?}", report.why));
            }
            replays(program, report)?;
            if let Some(first) = &first
                && (searched.levels != first.levels || searched.sum != first.sum)
            {
                let (levels, others) = (&searched.levels, &first.levels);
                return Err(format!(
                    "{strategy:?}, {workers} workers: levels {levels:?} instead of {others:?}"
                ));
            }
            let fewer = (report.states, report.executions) < (every.states, every.executions);
            let differs = (report.states, report.executions) != (every.states, every.executions);
            if differs && !program.cycles() && !(fewer && strategy == Strategy::StateCache) {
                return Err(format!(
                    "{strategy:?}: {} states and {} executions instead of {} and {}",
                    report.states, report.executions, every.states, every.executions
                ));
            }
            first.get_or_insert(searched);
        }
    }
    Ok(())
}

/// Compares what was said of a program with cycles with what real executions come to; says whether they could be asked.
fn third_opinion(program: &Program, said: &Said) -> Result<&'static str, String> {
    let endless = |finding: &Finding| finding.verdict == "livelock";
    let Some(third) = third::search(program) else { return Ok("both caches") };
    let findings: BTreeSet<Finding> =
        said.findings.iter().filter(|finding| !endless(finding)).cloned().collect();
    // A real execution ends where something is wrong, and the caches go on.
    let ends = findings.iter().any(|finding| finding.verdict != "deadlock");
    let agree = if ends {
        !third.findings.is_empty()
            && third.findings.is_subset(&findings)
            && third.outcomes.is_subset(&said.outcomes)
    } else {
        (&third.outcomes, &third.findings) == (&said.outcomes, &findings)
    };
    if !agree {
        return Err(format!("state cache {said:#?}\nreal executions {third:#?}"));
    }
    // What else is wrong may end every real execution before it comes back.
    if findings.is_empty() && !said.findings.is_empty() && !third.returns {
        return Err(format!("state cache {said:#?}\nno real execution comes back to where it was"));
    }
    Ok("both caches and real executions")
}

/// Follows the schedule of each outcome, which must lead there.
fn replays(program: &Program, report: &Report) -> Result<(), String> {
    for outcome in &report.outcomes {
        let options = Options { max_steps: 500, ..Options::default() };
        let replayed =
            Explorer::new(options).replay(&mut interpret::scene(program.clone()), &outcome.schedule);
        let right = Some((outcome.results.clone(), outcome.state.clone()));
        if replayed.as_ref().is_ok_and(|replay| replay.outcome == right) {
            continue;
        }
        let led = replayed.map(|replay| replay.outcome);
        return Err(format!("{} leads to {led:?} instead of {right:?}", outcome.schedule));
    }
    Ok(())
}

/// Explores what comes after each schedule that a report tells: its own outcome and no other, or what is wrong there.
fn leads(program: &Program, report: &Report) -> Result<(), String> {
    let after = |schedule| {
        let options = Options { max_steps: 500, audit: Audit::Off, ..Options::default() };
        Explorer::new(options).after(schedule).run(&mut interpret::scene(program.clone()))
    };
    for outcome in &report.outcomes {
        let then = after(&outcome.schedule);
        let own = BTreeSet::from([(outcome.results.clone(), outcome.state.clone())]);
        if !then.exhausted || said(&then).outcomes != own {
            return Err(format!(
                "{} leads to {:#?} {:?} instead of {own:#?}",
                outcome.schedule,
                said(&then),
                then.why
            ));
        }
    }
    for violation in &report.violations {
        let then = after(&violation.schedule);
        if violation.finding.verdict != "livelock" && !said(&then).findings.contains(&violation.finding) {
            return Err(format!(
                "{} leads to {:#?} {:?}, and not to {violation:#?}",
                violation.schedule,
                said(&then),
                then.why
            ));
        }
        // What goes on for ever is shown by its schedule alone.
        let replayed = Explorer::new(Options { max_steps: 500, ..Options::default() })
            .replay(&mut interpret::scene(program.clone()), &violation.schedule);
        let good = replayed.as_ref().is_ok_and(|replay| {
            replay.findings.iter().any(|found| found.verdict == violation.finding.verdict)
        });
        if !good {
            return Err(format!(
                "{violation:#?} is not replayed: {:?}",
                replayed.map(|replay| replay.findings)
            ));
        }
    }
    Ok(())
}

/// Explores every state, with an audit. (Without a warm-up, which notices many things by chance.)
fn audit(program: &Program, audit: Audit) -> Report {
    let strategy = Strategy::EveryState;
    explore(program, Options { strategy, shrink: false, max_steps: 500, audit, ..Options::default() })
}

/// More pasts than any place of these programs has.
const ALL: Audit = Audit::Histories(100_000);

/// Explores a program that leaves something out of what it says to remember; says what came of it, or how it went
/// unnoticed.
fn forgets(program: &Program) -> Result<&'static str, String> {
    let program = &Program { forgetful: true, ..program.clone() };
    let cache = audit(program, Audit::Off);
    if cache.why.is_some() {
        return Ok("noticed by chance");
    }
    for (pasts, caught) in [(2, "found with 2 pasts"), (4, "found with 4"), (16, "found with 16")] {
        if audit(program, Audit::Histories(pasts)).why.is_some() {
            return Ok(caught);
        }
    }
    let audited = audit(program, ALL);
    if audited.why.is_some() {
        return Ok("found with all pasts");
    }
    if program.cycles() {
        return Ok("not compared");
    }
    assert!(audited.audit.is_none_or(|audit| audit.finished && audit.beyond == 0), "{:?}", audited.audit);
    let plain = |strategy| {
        let most = Some(40_000);
        explore(
            program,
            Options { strategy, shrink: false, max_executions: most, max_steps: 500, ..Options::default() },
        )
    };
    for other in [plain(Strategy::Dpor), plain(Strategy::Dfs)] {
        if other.exhausted && said(&cache) != said(&other) {
            return Err(format!("missed: state cache {:#?}\nnot so {:#?}", said(&cache), said(&other)));
        }
        if other.exhausted {
            return Ok("makes no difference");
        }
    }
    Ok("not compared")
}

/// How far searches go that are compared with a walk over every state: a small program needs what large ones need, too, and a
/// search that knows nothing at first, or little, chooses again.
fn reaches(program: &Program) -> [(&'static str, Reach); 6] {
    let steps = 1 + program.tasks.iter().map(Vec::len).sum::<usize>() * 5 % 13;
    [
        ("at once", Reach::SHORT),
        ("late", Reach::LATE),
        ("lazy", Reach::LAZY),
        ("scant", Reach::scant(steps)),
        ("midway", Reach::MIDWAY),
        ("midway, lazy", Reach::MIDWAY_LAZY),
    ]
}

/// With which reach the two caches differ, if the first makes a mistake on purpose. (Without an audit, which would notice
/// some of it.)
fn shows(program: &Program, mistake: Mistake) -> Option<&'static str> {
    let options = |strategy, mistake| Options {
        strategy,
        mistake,
        audit: Audit::Off,
        shrink: false,
        max_steps: 500,
        ..Options::default()
    };
    let right = explore(program, options(Strategy::EveryState, None));
    let differs = |reach| {
        let wrong = explore(program, Options { reach, ..options(Strategy::StateCache, Some(mistake)) });
        wrong.why != right.why || said(&wrong) != said(&right)
    };
    let mut all = [("always", Reach::ALWAYS)].into_iter().chain(reaches(program));
    all.find(|(_, reach)| differs(*reach)).map(|(name, _)| name)
}

/// The mistakes that were made when the reductions were built: each is found by a program among the first so many, and a
/// mistake that nobody has made yet hopefully, too.
#[test]
fn each_mistake_is_found() {
    let most = number("APMATRIX_FUZZ_PROGRAMS").unwrap_or(6000).max(6000);
    let mut missing = Vec::new();
    for mistake in [
        Mistake::LearnedSilence,
        Mistake::StaleSharing,
        Mistake::PrivateBegins,
        Mistake::SilentMaking,
        Mistake::FirstStepOnly,
        Mistake::OneRound,
        Mistake::ChosenOnce,
        Mistake::RoundOnce,
        Mistake::UnknownRest,
        Mistake::IgnoredCycles,
        Mistake::HiddenDeadlocks,
    ] {
        let found = (0..most).find_map(|seed| Some((seed, shows(&generate(seed), mistake)?)));
        println!("{mistake:?}: program {found:?}");
        missing.extend(found.is_none().then_some(mistake));
    }
    assert!(missing.is_empty(), "{missing:?} are not found by {most} programs");
}

/// What both caches could do wrong alike is noticed by real executions: an outcome too few, an outcome too many.
#[test]
fn the_third_opinion_can_differ() {
    let programs = (0..1000).map(generate);
    let mut tried = 0;
    for program in programs.filter(Program::cycles) {
        let right = said(&explore(&program, Options { max_steps: 500, ..Options::default() }));
        if third_opinion(&program, &right) != Ok("both caches and real executions")
            || !right.findings.is_empty()
        {
            continue;
        }
        let Said { mut outcomes, findings } = right;
        let one = outcomes.pop_first().expect("a program that nothing is wrong with ends");
        let few = Said { outcomes: outcomes.clone(), findings: findings.clone() };
        assert!(third_opinion(&program, &few).is_err(), "one outcome is missing:\n{program}");
        let (results, state) = one.clone();
        outcomes.extend([one, (results, state + " and more")]);
        let many = Said { outcomes, findings };
        assert!(third_opinion(&program, &many).is_err(), "one outcome is invented:\n{program}");
        tried += 1;
    }
    assert!(tried > 2, "{tried} programs with cycles were tried");
}

/// A thing that a task makes is as it was before in some of its pasts only, which it has forgotten: the shortest such program.
#[test]
fn what_is_made_as_it_was_is_found() {
    use generate::Op::{Change, Forget, Get, Lock, Make, Unlock};
    let makes = vec![Lock(0), Unlock(0), Make(1), Forget, Get(0), Make(1)];
    let tasks = vec![makes, vec![Lock(0), Change]];
    let program = Program { tasks, watched: false, ordered: true, forgetful: false };
    assert_eq!(compare(&program, None).map(|(how, _)| how), Ok("all three"));
    assert!(shows(&program, Mistake::SilentMaking).is_some());
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn explorers_agree_on_random_programs() {
    let programs = number("APMATRIX_FUZZ_PROGRAMS").unwrap_or(1000);
    let first = number("APMATRIX_FUZZ_SEED").unwrap_or(0);
    let mut compared: BTreeMap<&str, u64> = BTreeMap::new();
    let mut wrong: BTreeMap<&str, u64> = BTreeMap::new();
    let mut forgetful: BTreeMap<&str, u64> = BTreeMap::new();
    let mut used: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in first..first + programs {
        let program = generate(seed);
        interpret::taken();
        match compare(&program, None) {
            Ok((how, work)) => {
                *compared.entry(how).or_default() += 1;
                for (count, name) in [(work.warm_up, "warm-up"), (work.chosen_again, "chosen again")] {
                    if count > 0 {
                        *used.entry(name).or_default() += 1;
                    }
                }
            }
            Err(difference) => panic!("program {seed} differs:\n{program}\n{difference}"),
        }
        for feature in interpret::taken() {
            *used.entry(feature).or_default() += 1;
        }
        let report = audit(&program, Audit::Histories(3));
        assert_eq!(report.why, None, "program {seed} is accused:\n{program}");
        if program.forgets() {
            match forgets(&program) {
                Ok(how) => *forgetful.entry(how).or_default() += 1,
                Err(difference) => panic!("forgetful program {seed}:\n{program}\n{difference}"),
            }
        }
        for verdict in report.violations.iter().map(|v| v.finding.verdict).collect::<BTreeSet<_>>() {
            *wrong.entry(verdict).or_default() += 1;
        }
    }
    println!("{programs} programs: compared {compared:?}; found {wrong:?}");
    println!("forgetful ones: {forgetful:?}");
    println!("that used: {used:?}");
    for feature in interpret::FEATURES.into_iter().chain(["warm-up", "chosen again"]) {
        assert!(used.contains_key(feature), "no program has used: {feature}");
    }
    let found = |(how, count): (&&str, &u64)| if how.starts_with("found") { *count } else { 0 };
    let found: u64 = forgetful.iter().map(found).sum();
    assert!(found * 250 >= programs, "too few programs have anything to forget: {forgetful:?}");
    let all = compared.get("all three").copied().unwrap_or(0);
    assert!(all * 10 >= programs * 7, "too few programs are small enough for all three: {compared:?}");
    let cyclic = |how| compared.get(how).copied().unwrap_or(0);
    let (third, two) = (cyclic("both caches and real executions"), cyclic("both caches"));
    assert!(third * 3 >= third + two, "too few programs with cycles are small enough: {compared:?}");
}

/// Program 538,318, as far as it takes. DPOR let a task sleep that a failed try-lock woke, though by the clocks the two were not
/// ordered, and then took what the sleeper could do for a choice that was made: it missed an outcome.
#[test]
fn dpor_orders_a_failed_try_with_what_it_depends_on() {
    let tasks = vec![
        vec![Op::TryRead(0), Op::TryLock(0)],
        vec![Op::Read(0), Op::TryLock(0)],
        vec![Op::Lock(0), Op::TryWrite(0)],
    ];
    let program = Program { tasks, watched: false, ordered: true, forgetful: false };
    if let Err(difference) = compare(&program, None) {
        panic!("{program}\n{difference}");
    }
}
