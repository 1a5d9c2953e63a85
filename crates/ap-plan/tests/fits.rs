//! Whether mdevs fit another host: a pair of machines for each kind of reason.

use ap_files::MachineFile;
use ap_plan::fits::fits;
use ap_plan::{Holder, State};
use ap_types::Uuid;

const UUID: &str = "01010101-0101-0101-0101-010101010101";
const OTHER: &str = "02020202-0202-0202-0202-020202020202";

fn machine(text: &str) -> State {
    let text = format!("schema = \"apmatrix.machine/1\"\n{text}");
    State::of(&MachineFile::parse("m.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}")))
}

/// Adapters 4 and 5, domains 6 and 71; the mdev has all of them.
fn source() -> State {
    machine(&format!(
        "domains = [6, 71]\ncontrol_domains = [6, 71]\napmask = \"-4,-5\"\n[[adapter]]\nids = [4, 5]\ntype = \"CEX8P\"\n\
         [[mdev]]\nuuid = \"{UUID}\"\nadapters = [4, 5]\ndomains = [6, 71]\ncontrol_domains = [6]\n"
    ))
}

/// The same without the mdev, with something else.
fn target(head: &str, adapters: &str, tail: &str) -> State {
    let mask = if head.contains("apmask") { "" } else { "apmask = \"-4,-5\"\n" };
    let domains =
        if head.lines().any(|line| line.starts_with("domains = ")) { "" } else { "domains = [6, 71]\n" };
    machine(&format!("{domains}{mask}{head}{adapters}{tail}"))
}

const BOTH: &str = "[[adapter]]\nids = [4, 5]\ntype = \"CEX8P\"\n";

fn reasons(target: &State) -> Vec<String> {
    let found = fits(&source(), target);
    assert_eq!(found.len(), 1);
    found[0].misfits.iter().map(ToString::to_string).collect()
}

#[test]
fn twelve_pairs_of_machines_and_a_thirteenth() {
    let check = |target: &State, wanted: &[&str]| assert_eq!(reasons(target), wanted);
    // 1: it fits.
    check(&target("", BOTH, ""), &[]);
    // 2: an adapter is missing.
    check(&target("", "[[adapter]]\nid = 4\ntype = \"CEX8P\"\n", ""), &["adapter 5 is not there"]);
    // 3: a domain is missing, and with it its control domain stays.
    check(&target("domains = [6]\ncontrol_domains = [6]\n", BOTH, ""), &["domain 71 is not there"]);
    // 4: a control domain is missing.
    check(&target("control_domains = [71]\n", BOTH, ""), &["control domain 6 is not there"]);
    // 5: another type.
    check(
        &target("", "[[adapter]]\nid = 4\ntype = \"CEX7P\"\n[[adapter]]\nid = 5\ntype = \"CEX8P\"\n", ""),
        &["adapter 4 is a CEX8P here and a CEX7P there"],
    );
    // 6: another mode.
    check(
        &target("", "[[adapter]]\nid = 4\ntype = \"CEX8P\"\n[[adapter]]\nid = 5\ntype = \"CEX8C\"\n", ""),
        &["adapter 5 is a CEX8P here and a CEX8C there"],
    );
    // 7: reserved there.
    check(
        &target("apmask = \"-4\"\n", BOTH, ""),
        &["queues 05.0006, 05.0047 are reserved for the host there, by apmask and aqmask"],
    );
    // 8: held there, by an mdev, and by one that a guest holds.
    let other = format!("[[mdev]]\nuuid = \"{OTHER}\"\nadapters = 4\ndomains = 6\n");
    let mut held = target("", BOTH, &other);
    check(&held, &[&format!("queue 04.0006 is in mdev {OTHER} there")]);
    held.mdevs.get_mut(&Uuid([2; 16])).expect("it is there").holder =
        Some(Holder { guest: Some("prod".to_owned()), process: Some(12) });
    check(&held, &[&format!("queue 04.0006 is in mdev {OTHER} there, which guest prod (process 12) holds")]);
    // 9: deconfigured, checkstopped there.
    check(
        &target("", BOTH, "[[queue]]\napqn = \"04.0047\"\nstate = \"deconfigured\"\n"),
        &["queue 04.0047 is deconfigured or checkstopped there"],
    );
    // 10: a queue is not there.
    check(
        &target("", BOTH, "[[queue]]\napqn = \"05.0006\"\nstate = \"absent\"\n"),
        &["queue 05.0006 does not exist there"],
    );
    // 11: ids above the highest.
    check(
        &target("max_domain = 60\ndomains = [6]\ncontrol_domains = [6]\n", BOTH, ""),
        &["domain 71 is above the highest there, 60", "domain 71 is not there"],
    );
    // 12: the mdev is there, and a guest holds it.
    let same = format!("[[mdev]]\nuuid = \"{UUID}\"\nadapters = 4\ndomains = 6\n");
    let mut running = target("", BOTH, &same);
    running.mdevs.get_mut(&Uuid([1; 16])).expect("it is there").holder = Some(Holder::default());
    check(&running, &["there is an mdev of that name there, and a running guest holds it"]);
    // 13: no driver; and a queue without one.
    let mut bare = target("", BOTH, "");
    let queue = "04.0006".parse().expect("a queue");
    bare.queues.vfio.remove(queue);
    bare.queues.none.insert(queue);
    check(&bare, &["queue 04.0006 is bound to no driver there"]);
    bare.vfio_ap = false;
    check(&bare, &["the driver vfio_ap is not loaded there"]);
    // 14: several at once.
    check(
        &target("apmask = \"-4\"\n", "[[adapter]]\nid = 4\ntype = \"CEX7P\"\n", ""),
        &[
            "adapter 5 is not there",
            "adapter 4 is a CEX8P here and a CEX7P there",
            "queues 05.0006, 05.0047 are reserved for the host there, by apmask and aqmask",
        ],
    );
}
