use std::fs;
use std::sync::Arc;
use std::time::Duration;

use ap_files::MachineFile;
use ap_view::{Live as _, Operation, Selection, Whose};

use super::Hosted;

const PATIENCE: Duration = Duration::from_secs(60);

fn tiny(operable: bool) -> Hosted {
    Hosted::machine(MachineFile::load("tiny").expect("a machine"), operable).expect("it boots")
}

fn operate(live: &Hosted, line: &str) -> Result<String, String> {
    live.operate(&Operation::parse(line).expect("an operation"))
}

fn whose(live: &Hosted, queue: &str) -> Whose {
    live.now().host.cell(queue.parse().expect("a queue")).whose
}

#[test]
fn what_is_shown_after_an_operation_has_it() {
    let live = tiny(true);
    for _ in 0..20 {
        operate(&live, "echo -4 > /sys/bus/ap/apmask").expect("it is done");
        assert_eq!(whose(&live, "04.0006"), Whose::Free);
        operate(&live, "echo +4 > /sys/bus/ap/apmask").expect("it is done");
        assert_eq!(whose(&live, "04.0006"), Whose::Host);
    }
    let refused = operate(&live, "echo nonsense > /sys/bus/ap/apmask").expect_err("no mask");
    assert!(refused.contains("EINVAL"), "{refused}");
    let events: Vec<u64> = live.now().events.iter().map(|event| event.number).collect();
    assert!(!events.is_empty() && events.len() <= ap_view::shown::EVENTS);
    assert!(events.windows(2).all(|two| two[1] == two[0] + 1), "none is left out in between: {events:?}");
}

/// A terminal or a browser that takes long misses moments in between, and holds up nobody.
#[test]
fn whoever_looks_slowly_slows_nothing() {
    let live = Arc::new(tiny(true));
    let first = live.now();
    let (begin, begun) = std::sync::mpsc::channel::<()>();
    let slow = {
        let live = live.clone();
        std::thread::spawn(move || {
            let held = live.now();
            // As long as it draws, it asks for nothing.
            let _ = begun.recv();
            let next = live.later(held.moment, PATIENCE).expect("there is a later one");
            (held.moment, next)
        })
    };
    for turn in 0..500 {
        let sign = if turn % 2 == 0 { '-' } else { '+' };
        operate(&live, &format!("echo {sign}4 > /sys/bus/ap/apmask")).expect("nobody holds it up");
    }
    operate(&live, "hw unplug 10").expect("it is done");
    begin.send(()).expect("it waits");
    let (held, next) = slow.join().expect("it ends");
    assert!(next.moment >= held + 500, "it missed what was in between: {held}, {}", next.moment);
    assert!(!next.host.has(Selection::parse("0a").expect("a name")), "and sees the newest");
    assert!(first.host.has(Selection::parse("0a").expect("a name")), "what was taken stays as it was");
}

#[test]
fn what_is_only_read_is_not_operated() {
    let live = tiny(false);
    let moment = live.now().moment;
    operate(&live, "hw unplug 4").expect_err("it is only read");
    assert_eq!(live.now().moment, moment);
}

#[test]
fn a_tree_that_goes_is_trouble_and_one_that_comes_back_is_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().join("sys");
    let bus = root.join("bus/ap");
    fs::create_dir_all(bus.join("devices")).expect("a directory");
    fs::create_dir_all(bus.join("drivers")).expect("a directory");
    let all = format!("0x{}\n", "f".repeat(64));
    for (name, text) in [("apmask", all.as_str()), ("aqmask", &all), ("ap_max_adapter_id", "63\n")]
        .into_iter()
        .chain([("ap_max_domain_id", "84\n"), ("ap_usage_domain_mask", all.as_str())])
        .chain([("ap_control_domain_mask", all.as_str()), ("ap_adapter_mask", "not supported\n")])
    {
        fs::write(bus.join(name), text).expect("a file");
    }
    let live = Hosted::root(root.clone(), true).expect("a host without adapters");
    assert!(!live.now().operable, "it is no emulated host");
    let away = directory.path().join("away");
    fs::rename(&root, &away).expect("it goes");
    let gone = live.later(live.now().moment, PATIENCE).expect("that is seen");
    assert!(gone.trouble.is_some(), "{:?}", gone.trouble);
    fs::rename(&away, &root).expect("it comes back");
    let back = live.later(gone.moment, PATIENCE).expect("that is seen");
    assert_eq!(back.trouble, None);
}

#[test]
fn a_host_that_is_not_there_is_said() {
    let error = Hosted::root("/nowhere".into(), false).err().expect("there is none");
    assert!(error.to_string().contains("there is no AP bus at /nowhere/bus/ap"), "{error}");
}
