//! Situations in which there is no plan: who holds what, and the smallest change.

use std::collections::BTreeMap;

use ap_files::desired::DesiredFile;
use ap_files::machine::Mdev as FileMdev;
use ap_files::{MachineFile, machine::built_in};
use ap_plan::state::Driver;
use ap_plan::{Allow, Holder, Kernel, Masks, Mdev, State, Target, Unplug, Why, Write, plan, why};
use ap_types::{AdapterId, Apqn, DomainId, Matrix, QueueSet, Uuid};

fn uuid(n: u8) -> Uuid {
    Uuid([n; 16])
}

/// The machine `default`: adapters 0-7, domains 4, 6, 22, 23, 52, 71; the host has all but adapters 4 to 7, mdev 1 has
/// adapter 4 with domains 4 and 6, mdev 2 adapter 5 with domain 4.
fn host() -> State {
    let mut machine =
        MachineFile::parse("default", built_in("default").expect("it is there").text).expect("right");
    machine.apmask -= (4..=7).map(AdapterId).collect();
    let matrix = |adapter: u8, domains: &[u8]| Matrix {
        adapters: [AdapterId(adapter)].into_iter().collect(),
        domains: domains.iter().copied().map(DomainId).collect(),
        ..Matrix::default()
    };
    machine.mdevs = vec![
        FileMdev { uuid: uuid(1), matrix: matrix(4, &[4, 6]), control_by_default: false },
        FileMdev { uuid: uuid(2), matrix: matrix(5, &[4]), control_by_default: false },
    ];
    State::of(&machine)
}

fn held(mut state: State, n: u8, holder: Holder) -> State {
    if let Some(mdev) = state.mdevs.get_mut(&uuid(n)) {
        mdev.holder = Some(holder);
    }
    state
}

fn guest(name: &str) -> Holder {
    Holder { guest: Some(name.to_owned()), process: None }
}

fn process(name: Option<&str>, pid: u32) -> Holder {
    Holder { guest: name.map(str::to_owned), process: Some(pid) }
}

fn mdev(n: u8, adapters: &str, domains: &str) -> String {
    format!("[[mdev]]\nuuid = \"{}\"\nadapters = {adapters}\ndomains = {domains}\n", uuid(n))
}

const ONE: &str = "01010101-0101-0101-0101-010101010101";
const TWO: &str = "02020202-0202-0202-0202-020202020202";
const NINE: &str = "09090909-0909-0909-0909-090909090909";

/// What is said of a wish that has no plan: a line for each obstacle, with its remedy.
fn said(state: &State, wish: &str, allow: &Allow) -> Vec<String> {
    let text = format!("schema = \"apmatrix.desired/1\"\n{wish}");
    let desired = DesiredFile::parse("wish.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    let target = Target::of(state, &desired);
    match plan(state, &target, allow) {
        Ok(plan) => {
            panic!("{wish}: {:?}", plan.steps.iter().map(|step| step.write.store()).collect::<Vec<_>>())
        }
        Err(none) => {
            none.obstacles.iter().map(|found| format!("{} | {}", found.what, found.remedy)).collect()
        }
    }
}

#[test]
#[allow(clippy::too_many_lines)]
fn each_of_twenty_says_who_is_in_the_way_and_the_smallest_change() {
    let no = &Allow::default();
    let unplug = &Allow { unplug: Unplug::Everybody };
    let check = |state: &State, wish: &str, allow: &Allow, wanted: &[String]| {
        assert_eq!(said(state, wish, allow), wanted, "{wish}");
    };
    let plain = host();

    // 1, 2: the host's by the masks as they are; the cheaper of the two masks.
    check(
        &plain,
        &mdev(9, "0", "4"),
        no,
        &[format!(
            "mdev {NINE} is to have queue 00.0004, which apmask and aqmask reserve for the host | [host] aqmask = \
             \"-4\" (the host gives up 4 queues), or apmask = \"-0\" (6 queues)"
        )],
    );
    check(
        &plain,
        &mdev(9, "0", "[4, 6, 22]"),
        no,
        &[format!(
            "mdev {NINE} is to have queues 00.0004, 00.0006, 00.0016, which apmask and aqmask reserve for the host | \
             [host] apmask = \"-0\" (the host gives up 6 queues), or aqmask = \"-4,-6,-22\" (12 queues)"
        )],
    );
    // 3: by the masks that are wanted.
    check(
        &plain,
        &format!("[host]\napmask = \"+6\"\n{}", mdev(9, "6", "4")),
        no,
        &[format!(
            "mdev {NINE} is to have queue 06.0004, which apmask and aqmask are to reserve for the host | [host] apmask \
             = \"all but 4-7\""
        )],
    );
    // 4: many queues.
    check(
        &plain,
        &mdev(9, "[0, 1]", "[4, 6]"),
        no,
        &[format!(
            "mdev {NINE} is to have queues 00.0004, 00.0006, 01.0004 and 1 more, which apmask and aqmask reserve for \
             the host | [host] aqmask = \"-4,-6\" (the host gives up 8 queues), or apmask = \"-0,-1\" (12 queues)"
        )],
    );
    // 5, 6, 7: another mdev has it, that is not listed; nobody, a guest, a process that holds it.
    let wish = mdev(9, "4", "[6, 22]");
    let in_the_way = |holder: &str, stop: &str| {
        vec![format!(
            "mdev {NINE} is to have queue 04.0006, which mdev {ONE} has{holder}; it is not listed and stays as it is | \
             list mdev {ONE} without domain 6{stop}"
        )]
    };
    check(&plain, &wish, no, &in_the_way("", ""));
    check(
        &held(host(), 1, guest("prod")),
        &wish,
        no,
        &in_the_way(" and guest prod holds", ", with --allow unplug=prod or after you stop guest prod"),
    );
    let qemu = held(host(), 1, process(Some("prod"), 4711));
    check(
        &qemu,
        &wish,
        no,
        &in_the_way(
            " and guest prod (process 4711) holds",
            ", with --allow unplug=prod or after you stop guest prod (process 4711)",
        ),
    );
    // 8, 9: the masks would take from an mdev that is not listed.
    let wish = "[host]\napmask = \"+5\"\n";
    let kept = |holder: &str, stop: &str| {
        vec![format!(
            "the host is to have queue 05.0004, which mdev {TWO} has{holder}; it is not listed and stays as it is | list \
             mdev {TWO} without adapter 5{stop}; or leave them out of the masks"
        )]
    };
    check(&plain, wish, no, &kept("", ""));
    check(
        &held(host(), 2, process(None, 99)),
        wish,
        no,
        &kept(" and process 99 holds", &format!(", with --allow unplug={TWO} or after you stop process 99")),
    );
    // 10: two mdevs are in the way of one mask.
    assert_eq!(said(&plain, "[host]\napmask = \"+4,+5\"\n", no).len(), 2);
    // 11, 12: a running guest would lose queues: one domain of two; the whole adapter.
    let running = held(host(), 1, guest("prod"));
    check(
        &running,
        &mdev(1, "4", "4"),
        no,
        &[format!(
            "guest prod would lose queue 04.0006 of mdev {ONE} while it runs | --allow unplug=prod, or stop guest prod first"
        )],
    );
    check(
        &running,
        &mdev(1, "6", "[4, 6]"),
        no,
        &[format!(
            "guest prod would lose queues 04.0004, 04.0006 of mdev {ONE} while it runs | --allow unplug=prod, or stop guest \
             prod first"
        )],
    );
    // 13: an mdev that a guest holds is never removed, also not with --allow unplug.
    for allow in [no, unplug] {
        check(
            &held(host(), 2, guest("prod")),
            &format!("unlisted = \"remove\"\n{}", mdev(1, "4", "[4, 6]")),
            allow,
            &[format!(
                "mdev {TWO} is to be removed, and guest prod holds it | stop guest prod, or keep mdev {TWO}"
            )],
        );
    }
    // 14, 15: a guest would lose an adapter that it is to keep, since a new queue of it is missing.
    let mut unbound = held(host(), 1, guest("prod"));
    let queue = Apqn::new(AdapterId(4), DomainId(22));
    unbound.queues.vfio.remove(queue);
    unbound.queues.none.insert(queue);
    let lost = |lack: &str, remedy: &str| {
        vec![format!(
            "guest prod would lose adapter 4 of mdev {ONE}, which it is to keep: queue 04.0016 {lack}, and an adapter is \
             passed whole or not at all | {remedy}"
        )]
    };
    let wish = mdev(1, "4", "[4, 6, 22]");
    check(
        &unbound,
        &wish,
        unplug,
        &lost("is bound to no driver", "echo 04.0016 > /sys/bus/ap/drivers/vfio_ap/bind"),
    );
    unbound.queues.none.remove(queue);
    check(&unbound, &wish, unplug, &lost("does not exist", &format!("leave domain 22 out of mdev {ONE}")));
    // 16, 17, 18: ids above the highest.
    let mut small = host();
    small.limits.adapter = 7;
    small.limits.domain = 71;
    check(
        &small,
        &mdev(9, "8", "4"),
        no,
        &[format!(
            "mdev {NINE} is to have queue 08.0004, which apmask and aqmask reserve for the host | leave adapter 8 out of \
             mdev {NINE}, as long as there is nothing of that id"
        ), format!("mdev {NINE} is to be changed: adapter 8 is above the highest that this host can assign, 7 | choose a adapter up to 7").replace("a adapter", "an adapter")],
    );
    check(
        &small,
        &mdev(9, "7", "72"),
        no,
        &[format!(
            "mdev {NINE} is to be changed: domain 72 is above the highest that this host can assign, 71 | choose a \
             domain up to 71"
        )],
    );
    check(
        &small,
        &format!("{}control_domains = 80\n", mdev(9, "7", "4")),
        no,
        &[format!(
            "mdev {NINE} is to be changed: control domain 80 is above the highest that this host can assign, 71 | choose \
             a control domain up to 71"
        )],
    );
    // 19: the driver is not there.
    let mut bare = host();
    bare.vfio_ap = false;
    bare.mdevs = BTreeMap::new();
    check(
        &bare,
        &mdev(9, "7", "4"),
        no,
        &[format!("mdev {NINE} is to be changed: the driver vfio_ap is not loaded | modprobe vfio_ap")],
    );
    // 20: as many mdevs as there can be.
    let mut full = host();
    let empty = Mdev { matrix: Matrix::default(), shadow: Matrix::default(), holder: None };
    for n in 0..65_534u32 {
        let mut id = [0xaa; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        full.mdevs.insert(Uuid(id), empty.clone());
    }
    check(
        &full,
        &mdev(9, "7", "4"),
        no,
        &[format!(
            "mdev {NINE} is to be changed: there are 65536 mdevs already, and no more can be made | remove an mdev that \
             is not used"
        )],
    );
    // 21: where in-use asks wider, a running guest's adapter stays out of apmask, whatever aqmask says.
    let mut newer = held(host(), 1, guest("prod"));
    newer.kernel = Kernel { in_use_whole: true, driver_override: false };
    check(
        &newer,
        "[host]\naqmask = \"-4,-6\"\napmask = \"+4\"\n",
        no,
        &[format!(
            "apmask is to be changed: queues 04.0004, 04.0006 are assigned to mdev {ONE}, which guest prod holds | take \
             adapter 4 from mdev {ONE} (held by guest prod)"
        )],
    );
}

#[test]
fn a_queue_that_the_masks_are_to_take_from_a_guest_is_not_told_to_be_bound() {
    let host = held(host(), 1, guest("prod"));
    let unplug = &Allow { unplug: Unplug::Everybody };
    let wish = format!("[host]\napmask = \"all\"\n{}", mdev(1, "4", "[4, 6, 22]"));
    let all = said(&host, &wish, unplug);
    assert!(all.iter().any(|said| said.contains("which apmask and aqmask are to reserve")), "{all:#?}");
    assert!(all.iter().all(|said| !said.contains("is bound to") && !said.contains("/bind")), "{all:#?}");
}

#[test]
fn queues_are_taken_from_that_guest_only_that_is_named() {
    let host = held(held(host(), 1, guest("prod")), 2, process(None, 99));
    let wish = format!("{}{}", mdev(1, "4", "4"), mdev(2, "5", "[6, 22]"));
    let allow = |words: &[&str]| Allow::parse(words.iter().copied()).expect("they are words");
    let losers = |words: &[&str]| {
        let all = said(&host, &wish, &allow(words));
        all.iter().map(|said| said.split(" would").next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(losers(&[]), ["guest prod", "process 99"]);
    assert_eq!(losers(&["unplug=prod"]), ["process 99"]);
    assert_eq!(losers(&[&format!("unplug={TWO}")]), ["guest prod"]);
    assert_eq!(losers(&["unplug=prd"]), ["guest prod", "process 99"]);
    assert_eq!(allow(&["unplug=prd", "unplug=prod"]).strangers(&host), ["prd"]);
    assert_eq!(allow(&["unplug=prod", "unplug"]), allow(&["unplug"]));
    let desired = DesiredFile::parse("wish.toml", &format!("schema = \"apmatrix.desired/1\"\n{wish}"));
    let target = Target::of(&host, &desired.expect("it is right"));
    for words in [&["unplug"][..], &["unplug=prod", &format!("unplug={TWO}")]] {
        let allow = allow(words);
        assert!(plan(&host, &target, &allow).is_ok(), "{words:?}");
        assert_eq!(Allow::parse(allow.words().iter().map(String::as_str)), Ok(allow.clone()));
    }
    for word in ["unplg", "unplug=", "", "plug=prod"] {
        assert!(Allow::parse([word]).is_err(), "{word}");
    }
}

/// A queue can be bound against the masks by its override, where queues have overrides and masks do not give them already.
#[test]
fn what_cannot_be_bound_gets_an_override_only_where_that_is_how_queues_are_given() {
    let change = |driver_override: bool, masks: bool| {
        let mut state = host();
        state.kernel.driver_override = driver_override;
        state.mdevs.clear();
        if !masks {
            (state.masks, state.queues.vfio) = (Masks::ALL, QueueSet::new());
        }
        let queue: Apqn = "00.0004".parse().expect("a queue");
        let state = state.after(&Write::Unbind(queue, Driver::Host)).expect("the host has it");
        let store = Write::Bind(queue, Driver::Vfio).store();
        match why(&state, &store) {
            Why::Refused(because) => because.change.text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(change(true, false), "let its override name vfio_ap");
    let by_masks = "let an override or the masks give queue 00.0004 to vfio_ap: echo -4 > /sys/bus/ap/aqmask, and no bind is \
                    needed";
    for (driver_override, masks) in [(true, true), (false, true), (false, false)] {
        assert_eq!(change(driver_override, masks), by_masks, "{driver_override} {masks}");
    }
}
