//! Scenarios at the crate's boundary: outcomes, what their authors did wrong, and what is not one piece.

use ap_proof::scenario::{Ended, Mistake, Part, Ready, Scenario, SetupError, Sweeps, Task};
use ap_sysfs::{Errno, Filesystem, Session};
use explore::Options;

const MDEV: &str = "/sys/devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000001";

/// One adapter (4), one domain (6), all modules loaded.
fn boot() -> Session {
    let mut session = Session::new();
    for command in ["ap 4 type=14 mode=ep11", "apm 4", "aqm 6", "adm 6,71"] {
        session.machine(command).expect("a command of the machine");
    }
    for module in ["ap", "zcrypt", "zcrypt_cex4", "mdev", "vfio_ap"] {
        session.insmod(module, "").expect("the module loads");
        session.advance(500);
    }
    session
}

/// An mdev that lacks adapter 4.
fn setup() -> String {
    format!(
        "echo 0x0 > /sys/bus/ap/apmask\n\
         echo a0000000-0000-4000-8000-000000000001 > /sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo 6 > {MDEV}/assign_domain\n"
    )
}

fn scenario(setup: &str, tasks: &[(&str, &str)]) -> Scenario {
    let script = |text: &str| ap_shell::parse(text, "test").expect("shell text");
    let task = |(name, run): &(&str, &str)| Task { name: (*name).to_owned(), script: script(run) };
    Scenario { title: "a test".into(), setup: script(setup), tasks: tasks.iter().map(task).collect() }
}

fn ready(setup: &str, tasks: &[(&str, &str)]) -> Result<Ready, SetupError> {
    Ready::new(&scenario(setup, tasks), boot(), &|| false)
}

fn mistake(setup: &str, tasks: &[(&str, &str)]) -> Mistake {
    match ready(setup, tasks) {
        Err(SetupError::Mistake(mistake)) => mistake,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the scenario has no mistake"),
    }
}

#[test]
fn a_mask_write_against_an_assignment_is_clean_and_one_of_them_wins() {
    let assign = format!("echo 4 > {MDEV}/assign_adapter");
    let tasks = [("bus", "echo +4 > /sys/bus/ap/apmask"), ("admin", assign.as_str())];
    let ready = ready(&setup(), &tasks).expect("it has no mistake");
    let results: Vec<Vec<Ended>> =
        ready.serial().outcomes.iter().map(|outcome| outcome.results.clone()).collect();
    let expected = [
        vec![Ended::Ok, Ended::Refused(Errno::EADDRNOTAVAIL)],
        vec![Ended::Refused(Errno::EBUSY), Ended::Ok],
    ];
    assert_eq!(results.len(), 2);
    assert!(expected.iter().all(|expected| results.contains(expected)), "{results:?}");
    assert_eq!(ready.serial().sweeps, Sweeps::default());

    let explored = ready.explore(Options::default(), None);
    assert_eq!(explored.report.verdict, "clean", "{:?}", explored.report.violations);
    assert!(explored.report.exhausted);
    assert_eq!(explored.report.outcomes.len(), 2);
}

/// The bus takes the queue from the host and waits for nothing (KNOWN-009), which no exploration reports.
#[test]
fn a_queue_that_comes_from_the_host_is_known() {
    let setup = format!("{}echo +4 > /sys/bus/ap/apmask\n", setup());
    let assign = format!("echo -4 > /sys/bus/ap/apmask; echo 4 > {MDEV}/assign_adapter");
    let start = format!("guest start g {}", MDEV.rsplit('/').next().expect("a name"));
    let ready = ready(&setup, &[("admin", &assign), ("guest", &start)]).expect("it has no mistake");
    let explored = ready.explore(Options::default(), None);
    assert_eq!(explored.report.verdict, "clean", "{:?}", explored.report.violations);
}

/// What the oracle of clean hand-over is for: the queue must be reset, and that waited for, before the other guest has
/// it.
#[test]
fn a_queue_goes_from_one_running_guest_to_another() {
    let other = "a0000000-0000-4000-8000-000000000002";
    let path = format!("/sys/devices/vfio_ap/matrix/{other}");
    let setup = format!(
        "{}echo 4 > {MDEV}/assign_adapter\n\
         echo {other} > /sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo 6 > {path}/assign_domain\n\
         guest start a {}\n\
         guest start b {other}\n\
         hw fault 04.0006 resetlat=1\n",
        setup(),
        MDEV.rsplit('/').next().expect("a name"),
    );
    let from = format!("echo 4 > {MDEV}/unassign_adapter");
    let to = format!("echo 4 > {path}/assign_adapter");
    let ready = ready(&setup, &[("from", &from), ("to", &to)]).expect("it has no mistake");
    let explored = ready.explore(Options::default(), None);
    assert_eq!(explored.report.verdict, "clean", "{:?}", explored.report.violations);
    assert_eq!(explored.report.outcomes.len(), 2);
}

#[test]
fn ends_have_words() {
    for (ended, word) in [
        (Ended::Ok, "ok"),
        (Ended::Refused(Errno::EBUSY), "EBUSY"),
        (Ended::Failed, "failed"),
        (Ended::Panicked, "panic"),
    ] {
        assert_eq!((ended.word(), Ended::from_word(word)), (word, Some(ended)));
    }
    assert_eq!(Ended::from_word("EVERYTHING"), None);
}

#[test]
fn what_goes_from_device_to_device_is_told_by_what_is_written() {
    let (bindings, flags) = (true, true);
    for (run, sweeps) in [
        ("echo 0 > /sys/bus/ap/drivers_autoprobe", Sweeps { bindings, flags: false }),
        ("echo 0 > /sys/bus/matrix/drivers_autoprobe", Sweeps { bindings, flags: false }),
        ("hw modules unload zcrypt_cex4", Sweeps { bindings, flags: false }),
        ("hw modules unload vfio_ap", Sweeps::default()),
        ("echo 1 > /sys/bus/ap/scans", Sweeps { bindings: false, flags }),
        ("cat /sys/bus/ap/scans", Sweeps::default()),
        ("hw deconfigure 4", Sweeps { bindings: false, flags }),
        ("echo +4 > /sys/bus/ap/apmask", Sweeps::default()),
    ] {
        let ready = ready("", &[("task", run)]).unwrap_or_else(|error| panic!("{run}: {error}"));
        assert_eq!(ready.serial().sweeps, sweeps, "{run}");
    }
}

#[test]
fn mistakes_of_authors_are_told_from_answers_of_the_system() {
    let task = |run: &str| mistake("", &[("task", run)]);
    let wrong = task("hw plugg 4");
    assert_eq!((wrong.part, wrong.line), (Part::Task(0), 1));
    assert_eq!(wrong.what, "`hw plugg 4` is not understood");
    assert_eq!(task("guest start g").what, "`guest start g` is not understood");
    assert_eq!(task("echo 4 > /sys/bus/ap/apmaks").what, "there is no attribute `apmaks`");
    assert_eq!(task("events").what, "a scenario keeps no events");

    let long = "for a in 1 2 3 4 5 6 7 8 9 0; do for b in 1 2 3 4 5 6 7 8 9 0; do for c in 1 2 3 4 5 6 7 8 9 0; do \
                for d in 1 2 3 4 5 6 7 8 9 0; do for e in 1 2 3 4 5 6 7 8 9 0; do true; done; done; done; done; done";
    let mistake = task(long);
    assert_eq!(
        mistake.remedy,
        "let it do less: a scenario's task has a few commands, every order of which is tried"
    );

    // A guest without KVM is refused with the errno of a verb that is not understood: it is an answer all the same.
    let start = format!("guest start - {}", MDEV.rsplit('/').next().expect("a name"));
    let answered = ready(&setup(), &[("task", &start)]).expect("it has no mistake");
    let results: Vec<&[Ended]> =
        answered.serial().outcomes.iter().map(|outcome| outcome.results.as_slice()).collect();
    assert_eq!(results, [[Ended::Refused(Errno::EINVAL)]]);
}

#[test]
fn a_task_that_goes_on_for_very_many_turns_is_named_with_its_line() {
    let digits = "1 2 3 4 5 6 7 8 9 0";
    let many = format!(
        "true\nfor a in {digits}; do for b in {digits}; do for c in {digits}; do for d in 1 2 3; do\n\
         cat /sys/bus/ap/apmask; done; done; done; done"
    );
    let wrong = mistake("", &[("other", "cat /sys/bus/ap/aqmask"), ("many", &many)]);
    assert_eq!(wrong.what, "the task never ends: it goes on after very many steps");
    assert_eq!((wrong.part, wrong.line), (Part::Task(1), 3));
}

#[test]
fn a_setup_that_fails_names_its_line() {
    let wrong = mistake("true\necho nonsense > /sys/bus/ap/apmask\n", &[("task", "true")]);
    assert_eq!((wrong.part, wrong.line), (Part::Setup, 2));
    assert!(
        wrong.remedy.contains("every command succeeds") && wrong.remedy.contains("`why`"),
        "{}",
        wrong.remedy
    );
    let wrong = mistake("sleep 4000", &[("task", "true")]);
    assert_eq!(wrong.what, "the set-up lets more than an hour of machine time pass");
}
