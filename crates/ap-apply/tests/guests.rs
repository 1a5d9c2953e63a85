//! What running guests have after an apply, a revert, and on a host of which something is broken.

mod support;

use ap_apply::apply::{Options, Outcome, apply, revert};
use ap_apply::memory::MemoryDesk;
use ap_apply::promises::rehearse;
use ap_apply::twin::Twin;
use ap_files::desired::DesiredFile;
use ap_files::{MachineFile, boot};
use ap_plan::{Plan, Target, plan};
use ap_sysfs::Session;
use support::{allow, read, settle, uuid};

/// Guest `prod` has adapters 1 and 2 with domains 3 and 4.
fn host(more: &str) -> Session {
    let text = format!(
        "schema = \"apmatrix.machine/1\"\ndomains = [3, 4]\napmask = \"-1,-2\"\n[[adapter]]\nids = \"1-2\"\n\
         type = \"CEX8C\"\n{more}[[mdev]]\nuuid = \"{0}\"\nadapters = [1, 2]\ndomains = [3, 4]\n\
         [[guest]]\nname = \"prod\"\nmdev = \"{0}\"\n",
        uuid(1)
    );
    let machine = MachineFile::parse("m.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    let mut session: Session = boot(&machine).expect("it boots");
    settle(&mut session);
    session
}

/// Domain 4 is to go from `prod` to another mdev.
fn wish() -> DesiredFile {
    let wish = format!(
        "schema = \"apmatrix.desired/1\"\n[[mdev]]\nuuid = \"{}\"\nadapters = [1, 2]\ndomains = 3\ncontrol_domains = []\n\
         [[mdev]]\nuuid = \"{}\"\nadapters = 1\ndomains = 4\ncontrol_domains = []\n",
        uuid(1),
        uuid(2)
    );
    DesiredFile::parse("d.toml", &wish).unwrap_or_else(|error| panic!("{error}"))
}

fn planned(host: &mut Session) -> Plan {
    let before = read(host);
    let allow = allow(true);
    plan(&before.state, &Target::of(&before.state, &wish()), &allow).unwrap_or_else(|none| panic!("{none:?}"))
}

/// A revert said that the host is as it was before, while a guest had lost an adapter by a reset that failed.
#[test]
fn a_guest_that_lacks_what_it_had_after_a_revert_is_named() {
    let mut host = host("");
    let plan = planned(&mut host);
    host.hw("fault 01.0004 zrc=0x10:1").expect("a fault");
    let mut desk = MemoryDesk::new(1);
    let outcome =
        apply(&mut host, &mut desk, &plan, &Options::default(), &mut |_| {}).expect("it is applied");
    assert_eq!(outcome, Outcome::After { confirm_by: None });
    let outcome = revert(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("it is taken back");
    let Outcome::Before { lacking, .. } = outcome else { panic!("{outcome:?}") };
    let said = format!(
        "guest prod lacks adapter 1 of mdev {}, which perhaps a reset that failed keeps out: to give it back write its id \
         to unassign_adapter (the guest has nothing of it to lose) and then to assign_adapter; if it does not come, unbind \
         queues 01.0003, 01.0004 and bind them again (/sys/bus/ap/drivers/vfio_ap); last of all reset the guest",
        uuid(1)
    );
    assert_eq!(lacking, [said.as_str()]);
    // Whoever plans or imports is told the same, until it is mended as it says.
    settle(&mut host);
    assert!(read(&mut host).notes.contains(&said), "{:?}", read(&mut host).notes);
    for file in ["unassign_adapter", "assign_adapter"] {
        let path = format!("devices/vfio_ap/matrix/{}/{file}", uuid(1));
        ap_apply::tree::Tree::write(&mut host, &path, "1").expect("it is written");
    }
    settle(&mut host);
    assert_eq!(read(&mut host).state.lacking().count(), 0);
}

#[test]
fn a_guest_that_has_all_again_is_not_named() {
    let mut host = host("");
    let plan = planned(&mut host);
    let mut desk = MemoryDesk::new(1);
    apply(&mut host, &mut desk, &plan, &Options::default(), &mut |_| {}).expect("it is applied");
    let outcome = revert(&mut host, &mut desk, &Options::default(), &mut |_| {}).expect("it is taken back");
    let Outcome::Before { lacking, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(lacking, [""; 0]);
}

/// A queue that is checkstopped cannot be reset: a plan that moves it was called a defect of the planner.
#[test]
fn a_checkstopped_queue_is_moved_and_said_to_be_broken() {
    let mut host = host("[[queue]]\napqn = \"01.0004\"\nstate = \"checkstopped\"\n");
    let plan = planned(&mut host);
    let before = read(&mut host);
    let said = format!("queue 01.0004 of mdev {} is checkstopped: it is broken", uuid(1));
    assert!(before.notes.contains(&said), "{:?}", before.notes);
    // Who is to get it is told before, too.
    let notes = ap_plan::notes(&before.state, &wish());
    let said = format!("mdev {}: queue 01.0004, which it is to have, is checkstopped: it is broken", uuid(2));
    assert!(notes.contains(&said), "{notes:?}");
    let mut twin = Twin::of(&before).unwrap_or_else(|error| panic!("{error}"));
    rehearse(&mut twin, &plan).unwrap_or_else(|broken| panic!("{broken}"));
    // And of one that is switched off.
    let before = read(&mut self::host("[[queue]]\napqn = \"01.0004\"\nstate = \"deconfigured\"\n"));
    let notes = ap_plan::notes(&before.state, &wish());
    let said =
        "queue 01.0004, which it is to have, is deconfigured: it is switched off, and takes no requests";
    assert!(notes.contains(&format!("mdev {}: {said}", uuid(2))), "{notes:?}");
}

/// A forgotten `domains` line left a running guest nothing, without a word.
#[test]
fn a_guest_that_is_left_no_queue_is_noted() {
    let state = read(&mut host("")).state;
    let noted = |domains: &str| {
        let wish = format!(
            "schema = \"apmatrix.desired/1\"\n[[mdev]]\nuuid = \"{}\"\nadapters = [1, 2]\n{domains}control_domains = []\n",
            uuid(1)
        );
        ap_plan::notes(&state, &DesiredFile::parse("d.toml", &wish).unwrap_or_else(|error| panic!("{error}")))
    };
    assert_eq!(noted(""), [format!("mdev {}: guest prod, which runs, keeps no queue of it", uuid(1))]);
    assert_eq!(noted("domains = 3\n"), [""; 0]);
    let mistyped = noted("domains = 30\n");
    let keeps = "guest prod, which runs, keeps no queue of it: those that it is to have are not there";
    assert!(mistyped.iter().any(|note| note.ends_with(keeps)), "{mistyped:#?}");
}

/// An adapter was unplugged under a running guest, and `plan --check` said that all is well.
#[test]
fn what_a_running_guest_lacks_as_it_is_not_there_is_named() {
    let mut host = host("");
    host.hw("unplug 2").expect("it goes");
    ap_apply::tree::Tree::write(&mut host, "bus/ap/scans", "1").expect("it is written");
    settle(&mut host);
    let said = format!("adapter 2 of mdev {} is not there: guest prod gets it when it comes", uuid(1));
    assert!(read(&mut host).notes.contains(&said), "{:?}", read(&mut host).notes);
    host.hw("plug 2").expect("it comes");
    ap_apply::tree::Tree::write(&mut host, "bus/ap/scans", "1").expect("it is written");
    settle(&mut host);
    assert!(!read(&mut host).notes.contains(&said));
}
