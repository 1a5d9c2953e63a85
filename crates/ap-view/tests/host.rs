//! A host is read as it is, again where it was touched, and everything about it is said with its reason.

mod every;

use std::collections::BTreeSet;

use ap_sysfs::{Event, Filesystem, Session};
use ap_types::Apqn;
use ap_view::action::Sort;
use ap_view::{Cell, Host, Mark, Selection, Touched, Verdict, Whose, read};

use every::{every, host, machine, operate};

fn apqn(text: &str) -> Apqn {
    text.parse().expect("a queue")
}

fn select(text: &str) -> Option<Selection> {
    Some(Selection::parse(text).expect("a name"))
}

fn cell(host: &Host, queue: &str) -> (Whose, Option<Mark>) {
    let Cell { whose, mark } = host.cell(apqn(queue));
    (whose, mark)
}

#[test]
fn every_state_of_a_queue_is_a_cell() {
    let host = host(&mut every());
    for (queue, whose, mark) in [
        ("04.0016", Whose::Host, None),
        ("04.0006", Whose::Host, Some(Mark::Offline)),
        ("04.0047", Whose::Host, Some(Mark::Checkstopped)),
        ("05.0047", Whose::Host, Some(Mark::Deconfigured)),
        ("05.0006", Whose::Host, Some(Mark::Resetting)),
        ("0a.0006", Whose::Guest(1), None),
        ("0a.0016", Whose::Free, None),
        ("0b.0006", Whose::Mdev(2), None),
        ("0c.0006", Whose::Mdev(3), Some(Mark::Filtered)),
        ("0c.0016", Whose::Unbound, None),
        ("0c.0047", Whose::Wanted(3), None),
        ("1f.0006", Whose::Absent, None),
    ] {
        assert_eq!(cell(&host, queue), (whose, mark), "{queue}");
    }
    let rows = host.adapters().iter().flat_map(|id| {
        let domains: Vec<_> = host.domains().iter().collect();
        host.row(id, &domains)
    });
    let (owners, marks): (BTreeSet<_>, BTreeSet<_>) =
        rows.map(|cell| (cell.whose.letter(), cell.mark.map(Mark::letter))).unzip();
    assert_eq!(owners, BTreeSet::from(['F', 'G', 'H', 'M', 'U', 'W']));
    assert_eq!(marks.len(), 1 + Mark::ALL.len(), "each mark is there: {marks:?}");
}

#[test]
fn it_says_why() {
    let host = host(&mut every());
    let why = |name: &str| host.detail(select(name), None).reasons.join(" ");
    assert_eq!(
        why("0c.0006"),
        "mdev 3 has it assigned, and a guest would not get it: adapter 0c is filtered out because 0c.0047 is \
         missing. apmask does not have adapter 0c."
    );
    assert_eq!(why("0a.0006"), "guest g1 has it through mdev 1. apmask does not have adapter 0a.");
    assert_eq!(
        why("a0000003-0000-4000-8000-000000000003"),
        "No guest runs on it. One would get 0 of 2 queues. adapter 0c is filtered out because 0c.0047 is missing."
    );
    assert_eq!(why("0c.0016"), "No driver has it: it was unbound, or its driver is not loaded.");
    assert!(why("04.0047").contains("checkstop"), "{}", why("04.0047"));
}

/// The example of the design: the next write to apmask would be refused because of guest g1.
#[test]
fn the_next_write_says_what_it_would_answer() {
    let mut session = every();
    let host = host(&mut session);
    let actions = host.actions(select("0a"), None);
    let mask = actions.iter().find(|action| action.sort == Sort::Mask).expect("one for apmask");
    assert_eq!(mask.operation.to_string(), "echo +10 > /sys/bus/ap/apmask");
    let Verdict::Refused { answer, why, remedy } = &mask.verdict else { panic!("{mask:?}") };
    assert_eq!(answer.errno(), Some("EBUSY"));
    // By its number: so cells name it.
    assert_eq!(why, "queues 0a.0006, 0a.0047 are assigned to mdev 1, which guest g1 holds");
    assert_eq!(remedy, "take adapter 10 from mdev 1; guest g1 loses what is taken while it runs");
}

/// Not only the first mdev that has a queue of the adapter.
#[test]
fn a_refusal_names_all_that_is_in_the_way() {
    let mut session = every::machine("tiny");
    every::operate(&mut session, "echo -4 > /sys/bus/ap/apmask");
    for (number, domain) in [(1, 6), (2, 71)] {
        let uuid = format!("a000000{number}-0000-4000-8000-000000000001");
        let create = "devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create";
        every::operate(&mut session, &format!("echo {uuid} > /sys/{create}"));
        every::operate(&mut session, &format!("echo 4 > /sys/devices/vfio_ap/matrix/{uuid}/assign_adapter"));
        every::operate(
            &mut session,
            &format!("echo {domain} > /sys/devices/vfio_ap/matrix/{uuid}/assign_domain"),
        );
    }
    let actions = host(&mut session).actions(select("04"), None);
    let mask = actions.iter().find(|action| action.sort == Sort::Mask).expect("one for apmask");
    let Verdict::Refused { why, remedy, .. } = &mask.verdict else { panic!("{mask:?}") };
    assert_eq!(why, "queue 04.0006 is assigned to mdev 1; queue 04.0047 is assigned to mdev 2");
    assert!(remedy.contains("mdev 1") && remedy.contains("mdev 2"), "{remedy}");
}

/// What a verdict says is what the host answers, for everything that can be selected.
#[test]
fn verdicts_are_what_the_host_answers() {
    let selections: Vec<Option<Selection>> = {
        let host = host(&mut every());
        let queues = host.adapters().iter().flat_map(|a| host.domains().iter().map(move |d| Apqn::new(a, d)));
        let queues = queues.collect::<Vec<_>>().into_iter().map(Selection::Queue);
        let mdevs = host.state.mdevs.keys().copied().map(Selection::Mdev);
        let adapters = host.adapters().iter().map(Selection::Adapter);
        let domains = host.domains().iter().map(Selection::Domain);
        queues.chain(mdevs).chain(adapters).chain(domains).map(Some).chain([None]).collect()
    };
    let (mut done, mut refused) = (0, 0);
    for selection in selections {
        let actions = host(&mut every()).actions(selection, None);
        for action in actions.iter().filter(|action| action.verdict != Verdict::Unasked) {
            let ap_view::Operation::Write { path, text } = &action.operation else { panic!("{action:?}") };
            let mut session = every();
            let answer = ap_apply::tree::Tree::write(&mut session, path, text);
            match (&action.verdict, answer) {
                (Verdict::Done(_), Ok(())) => done += 1,
                (Verdict::Refused { answer, .. }, Err(fault)) => {
                    assert_eq!(answer.errno().unwrap_or("waits"), fault.name, "{action:?}");
                    refused += 1;
                }
                (_, answer) => panic!("{action:?}: {answer:?}"),
            }
        }
    }
    assert!(done > 20 && refused > 5, "{done} were done, {refused} refused: both are to be seen");
}

/// Reading again what was touched gives what reading everything gives, after each of many operations.
#[test]
fn reading_again_what_was_touched_is_reading_everything() {
    let mut session = every();
    let mut live = host(&mut session);
    let lines = [
        "echo -5 > /sys/bus/ap/apmask",
        "echo -71 > /sys/bus/ap/aqmask",
        "echo +5,+10 > /sys/bus/ap/apmask",
        "hw plug 0c.0047",
        "hw unplug 4",
        "hw plug 4",
        "hw unplug .22",
        "hw plug .22",
        "hw plug 20-21",
        "hw control plug 3",
        "hw deconfigure 5",
        "hw configure 5",
        "hw repair 04.0047",
        "hw checkstop 11",
        "hw checkstop 0a.0006",
        "hw repair 0a.0006",
        "hw repair 11",
        "hw type 4 CEX6A",
        "guest stop g1",
        "guest start g2 a0000002-0000-4000-8000-000000000002",
        "echo 12 > /sys/devices/vfio_ap/matrix/a0000001-0000-4000-8000-000000000001/assign_adapter",
        "echo 1 > /sys/devices/vfio_ap/matrix/a0000003-0000-4000-8000-000000000003/remove",
        "hw fault 05.0006 resetlat=0",
        "hw advance 1000",
        "hw modules unload vfio_ap",
        "hw modules load vfio_ap",
        "hw unplug 10-12",
    ];
    for line in lines {
        happens(&mut session, &mut live, line);
    }
}

/// The same on a kernel where queues are given by `driver_override`, whose files have two paths.
#[test]
fn reading_again_what_an_override_touched_is_reading_everything() {
    let mut machine = ap_files::MachineFile::load("default").expect("a machine");
    machine.kernel = ap_task::Kernel::of(ap_task::Version::V7_1).into();
    let mut session = ap_files::boot(&machine).expect("it boots");
    let mut live = host(&mut session);
    let matrix = "/sys/devices/vfio_ap/matrix";
    let mdev = "a0000001-0000-4000-8000-000000000001";
    for line in [
        "echo vfio_ap > /sys/bus/ap/devices/04.0006/driver_override".to_owned(),
        "echo 04.0006 > /sys/bus/ap/drivers/cex4queue/unbind".to_owned(),
        "echo 04.0006 > /sys/bus/ap/drivers/vfio_ap/bind".to_owned(),
        "echo nobody > /sys/devices/ap/card04/04.0016/driver_override".to_owned(),
        format!("echo {mdev} > {matrix}/mdev_supported_types/vfio_ap-passthrough/create"),
        format!("echo 4 > {matrix}/{mdev}/assign_adapter"),
        format!("echo 6 > {matrix}/{mdev}/assign_domain"),
        format!("guest start g1 {mdev}"),
        "echo '' > /sys/bus/ap/devices/04.0006/driver_override".to_owned(),
        "echo vfio_ap > /sys/bus/ap/devices/04.0006/driver_override".to_owned(),
        "echo '' > /sys/bus/ap/devices/04.0016/driver_override".to_owned(),
        "guest stop g1".to_owned(),
        "echo 04.0006 > /sys/bus/ap/drivers/vfio_ap/unbind".to_owned(),
        "hw unplug 5".to_owned(),
    ] {
        happens(&mut session, &mut live, &line);
    }
    assert!(live.state.queues.none.contains(apqn("04.0006")), "it did not all go wrong");
}

/// An operation happens, and what it touched is read again: the host is then as if all of it were read.
fn happens(session: &mut Session, live: &mut Host, line: &str) {
    // What is refused changes nothing, and is an operation like any other.
    let operation = ap_view::Operation::parse(line).expect("an operation");
    let mut touched = Touched::default();
    touched.operation(&operation, &live.adapters());
    match operation {
        ap_view::Operation::Write { path, text } => {
            let _ = ap_apply::tree::Tree::write(session, &path, &format!("{text}\n"));
        }
        ap_view::Operation::Hw(verb) => {
            let _ = session.hw(&verb);
        }
        ap_view::Operation::Guest(verb) => {
            let _ = session.guest(&verb);
        }
    }
    for event in session.events() {
        if let Event::Uevent(uevent) = event {
            touched.add(&uevent.action, &uevent.devpath);
        }
    }
    read::refresh(session, live, &touched).expect("it can be read");
    assert_same(session, live, line);
}

fn assert_same(session: &mut Session, live: &Host, line: &str) {
    let whole = host(session);
    assert_eq!(live.state.facts(), whole.state.facts(), "after {line}");
    assert_eq!(live.cards, whole.cards, "after {line}");
    assert_eq!(live.configured, whole.configured, "after {line}");
    assert!(live.marks == whole.marks, "after {line}: marks");
    assert!(live.state == whole.state, "after {line}: state");
    assert_eq!(live.notes, whole.notes, "after {line}");
}

#[test]
fn everything_can_be_found() {
    let host = host(&mut every());
    let find = |text: &str, from: Option<&str>| {
        host.find(text, from.map(|from| select(from).expect("a name"))).map(|found| found.to_string())
    };
    assert_eq!(find("04.0047", None).as_deref(), Some("04.0047"));
    assert_eq!(find("card0a", None).as_deref(), Some("0a"));
    assert_eq!(find(".0047", None).as_deref(), Some(".0047"));
    assert_eq!(find("g1", None).as_deref(), Some("a0000001-0000-4000-8000-000000000001"));
    assert_eq!(find("a0000002", None).as_deref(), Some("a0000002-0000-4000-8000-000000000002"));
    assert_eq!(find("free", None).as_deref(), Some("0a.0016"));
    assert_eq!(find("free", Some("0a.0016")).as_deref(), Some("0b.0047"));
    assert_eq!(find("free", Some("0b.0047")).as_deref(), Some("0a.0016"), "it begins again");
    assert_eq!(find("filtered", None).as_deref(), Some("0c.0006"));
    assert_eq!(find("checkstopped", None).as_deref(), Some("04.0047"));
    assert_eq!(find("cex8c", None).as_deref(), Some("05.0006"));
    assert_eq!(find("nonsense", None), None);
    assert_eq!(find("  ", None), None);
}

/// A machine that tells its configuration and has given the host no adapters is not one that tells nothing.
#[test]
fn without_adapters_the_domains_are_there_still() {
    let mut session = machine("tiny");
    let mdev = "a0000001-0000-4000-8000-000000000001";
    operate(&mut session, "echo -4 > /sys/bus/ap/apmask");
    let matrix = "/sys/devices/vfio_ap/matrix";
    operate(&mut session, &format!("echo {mdev} > {matrix}/mdev_supported_types/vfio_ap-passthrough/create"));
    operate(&mut session, &format!("echo 4 > {matrix}/{mdev}/assign_adapter"));
    operate(&mut session, &format!("echo 6 > {matrix}/{mdev}/assign_domain"));
    operate(&mut session, "hw unplug 4");
    operate(&mut session, "hw unplug 10");
    let host = host(&mut session);
    let reasons = host.detail(select(mdev), None).reasons;
    assert_eq!(
        reasons[1..],
        ["adapter 04 is filtered out because the host does not have it."],
        "{reasons:?}"
    );
}

#[test]
fn a_host_without_anything_is_shown_as_such() {
    let mut session = machine("tiny");
    operate(&mut session, "hw unplug 4");
    operate(&mut session, "hw unplug 10");
    let host = host(&mut session);
    assert_eq!((host.queue_count(), host.adapters().count()), (0, 0));
    let detail = host.detail(None, None);
    assert_eq!(detail.title, "tiny");
    assert_eq!(detail.actions.len(), 1, "an mdev can be made: {:?}", detail.actions);
}
