use std::fs;
use std::sync::Arc;
use std::time::Duration;

use ap_apply::tree::{Fault, Opener, Tree};
use ap_files::MachineFile;
use ap_view::{Answer, Live as _, Operation, Selection, Touched, Whose, read};

use super::backend::Backend;
use super::machine::Machine;
use super::{Engine, Hosted, Shared, due};

const PATIENCE: Duration = Duration::from_secs(60);

fn tiny(operable: bool) -> Hosted {
    Hosted::machine(MachineFile::load("tiny").expect("a machine"), operable).expect("it boots")
}

fn operate(live: &Hosted, line: &str) -> Result<String, String> {
    match live.operate(&Operation::parse(line).expect("an operation")) {
        Answer::Done(said) => Ok(said),
        Answer::Waits => panic!("{line}: waits"),
        Answer::Refused(why) => Err(why),
    }
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
        let (live, held) = (live.clone(), first.clone());
        std::thread::spawn(move || {
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

/// A machine one of whose files cannot be read, as long as somebody says so.
struct Failing {
    machine: Machine,
    fails: bool,
}

impl Tree for Failing {
    fn read(&mut self, path: &str) -> Result<String, Fault> {
        if self.fails && path == "bus/ap/apmask" {
            return Err(Fault::of(path, ap_sysfs::Errno::EIO));
        }
        self.machine.tree().read(path)
    }

    fn write(&mut self, path: &str, text: &str) -> Result<(), Fault> {
        self.machine.tree().write(path, text)
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, Fault> {
        self.machine.tree().list(path)
    }

    fn link(&mut self, path: &str) -> Result<String, Fault> {
        self.machine.tree().link(path)
    }

    fn openers(&mut self, group: &str) -> Vec<Opener> {
        self.machine.tree().openers(group)
    }

    fn sleep(&mut self, milliseconds: u64) {
        self.machine.tree().sleep(milliseconds);
    }
}

impl Backend for Failing {
    fn tree(&mut self) -> &mut dyn Tree {
        self
    }

    fn name(&self) -> String {
        self.machine.name()
    }

    fn place(&self) -> String {
        self.machine.place()
    }

    fn happened(&mut self, touched: &mut Touched) -> Vec<String> {
        self.machine.happened(touched)
    }

    fn operate(&mut self, operation: &Operation) -> Answer {
        self.machine.operate(operation)
    }

    fn rhythm(&self) -> (Duration, Duration) {
        (Duration::MAX, Duration::MAX)
    }
}

/// What was touched when a reading failed is read with the next one, whatever that is for.
#[test]
fn what_could_not_be_read_is_read_later() {
    let machine = Machine::boot(&MachineFile::load("tiny").expect("a machine")).expect("it boots");
    let mut backend = Failing { machine, fails: false };
    let host = read::read(backend.tree(), "tiny").expect("it can be read");
    let shared = Arc::new(Shared::new(&host, true));
    let mut engine = Engine::new(backend, host, shared.clone());
    let operation = |line: &str| Operation::parse(line).expect("an operation");
    let unplug = operation("hw unplug 10");
    engine.backend.fails = true;
    assert!(matches!(engine.backend.operate(&unplug), Answer::Done(_)));
    engine.look(Some(&unplug));
    assert!(shared.now().trouble.is_some());
    engine.backend.fails = false;
    // Something else, which touches nothing of it.
    let list = operation("guest list");
    assert!(matches!(engine.backend.operate(&list), Answer::Done(_)));
    engine.look(Some(&list));
    let now = shared.now();
    assert_eq!(now.trouble, None);
    assert!(!now.host.has(Selection::parse("0a").expect("a name")), "the adapter that went is gone");
}

/// A write that waits for a guest keeps nobody, also in this process.
#[test]
fn what_waits_is_answered() {
    let live = tiny(true);
    let mdev = "a0000001-0000-4000-8000-000000000001";
    let matrix = "/sys/devices/vfio_ap/matrix";
    operate(&live, &format!("echo {mdev} > {matrix}/mdev_supported_types/vfio_ap-passthrough/create"))
        .expect("it is made");
    operate(&live, &format!("guest start g1 {mdev}")).expect("it starts");
    let remove = Operation::parse(&format!("echo 1 > {matrix}/{mdev}/remove")).expect("an operation");
    assert_eq!(live.operate(&remove), Answer::Waits);
    operate(&live, "guest stop g1").expect("it stops");
    assert!(live.now().host.state.mdevs.is_empty(), "and then it is removed");
}

/// Another terminal's checkstop, of which the kernel tells nothing, was not shown for half a minute.
#[test]
fn everything_is_read_again_the_sooner_the_less_it_takes() {
    let longest = Duration::from_secs(30);
    let seconds = |takes: u64| due(Duration::from_millis(takes), longest).as_secs();
    assert_eq!((seconds(0), seconds(50), seconds(500), seconds(3000)), (2, 2, 10, 30));
    assert_eq!(due(Duration::from_secs(3), Duration::from_secs(1)), Duration::from_secs(1));
    assert_eq!(due(Duration::ZERO, Duration::MAX), Duration::MAX);
}
