//! What `why` says of a write is what the host answers, and its change lets the write through. `APMATRIX_LONG=1`:
//! more hosts.

mod support;

use std::collections::BTreeMap;

use ap_apply::tree::{Kind, Tree};
use ap_files::boot;
use ap_plan::why::moved;
use ap_plan::{Holder, Mdev, Store, Why, why};
use ap_sysfs::Session;
use ap_sysfs::control::Refused;
use ap_task::Version;
use ap_types::Uuid;
use support::{Rng, machine, random_masks, random_mdevs, read, settle, uuid};

const MATRIX: &str = "devices/vfio_ap/matrix";
const CREATE: &str = "devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create";

fn hosts() -> u64 {
    if std::env::var_os("APMATRIX_LONG").is_some() { 4000 } else { 600 }
}

/// The kernels that differ in what is refused.
const KERNELS: [Version; 4] = [Version::V6_12, Version::V6_18, Version::V6_19, Version::V7_1];

/// A host in a random state: its kernel, the masks that it came up with, those that were written since, overrides, mdevs,
/// running guests, queues without a driver.
fn host(rng: &mut Rng) -> Session {
    let mut machine = machine(if rng.chance(3) { "default" } else { "tiny" });
    machine.kernel = ap_task::Kernel::of(KERNELS[rng.below(4) as usize]).into();
    if rng.chance(2) {
        (machine.apmask, machine.aqmask) = random_masks(rng, &machine);
    }
    machine.mdevs = random_mdevs(rng, &machine, 3, machine.apmask, machine.aqmask);
    let mut session = boot(&machine).expect("it boots");
    if rng.chance(3) {
        // Masks that are written are in use, also if they are written back; those that the host came up with are not.
        let (apmask, aqmask) = random_masks(rng, &machine);
        let _ = session.write("bus/ap/apmask", &apmask.to_string());
        let _ = session.write("bus/ap/aqmask", &aqmask.to_string());
        if rng.chance(2) {
            let _ = session.write("bus/ap/apmask", &machine.apmask.to_string());
            let _ = session.write("bus/ap/aqmask", &machine.aqmask.to_string());
        }
    }
    if rng.chance(3) {
        // Nothing is the host's, and there are mdevs to fight over queues.
        let _ = session.write("bus/ap/apmask", "0x0");
        for n in 1..=3 {
            let _ = session.write(CREATE, &uuid(n).to_string());
        }
        let one = format!("{MATRIX}/{}", uuid(rng.below(3) as u8 + 1));
        let _ = session.write(&format!("{one}/assign_adapter"), "4");
        let _ = session.write(&format!("{one}/assign_domain"), "6");
    }
    for _ in 0..rng.below(8) {
        meanwhile(rng, &mut session);
    }
    session
}

/// Something that happens between two writes: a guest starts or stops, the machine's operator does something, or
/// somebody writes something else.
fn meanwhile(rng: &mut Rng, session: &mut Session) {
    let name = format!("g{}", rng.below(3) + 1);
    match rng.below(6) {
        0 => {
            let mdev = uuid(rng.below(3) as u8 + 1);
            let state = read(session).state;
            let held = |holder: &Holder| holder.guest.as_deref() == Some(&name);
            let busy = state.mdevs.values().any(|mdev| mdev.holder.as_ref().is_some_and(held));
            let free = state.mdevs.get(&mdev).is_some_and(|mdev| mdev.holder.is_none());
            let started = session.guest(&format!("start {name} {mdev}"));
            assert_eq!(started.is_ok(), free && !busy, "{name} {mdev}: {started:?}");
        }
        1 => drop(session.guest(&format!("stop {name}"))),
        2 => {
            let what = ["deconfigure 4", "configure 4", "checkstop 04.0006", "repair 04.0006"];
            let _ = session.hw(what[rng.below(4) as usize]);
            settle(session);
        }
        _ => {
            let store = random_write(rng);
            let waits = session.write(&store.path, &store.text).is_err_and(|fault| fault.kind == Kind::Waits);
            if waits {
                let_go(session);
            }
        }
    }
}

/// All guests let go what they have open, so that no write waits any more.
fn let_go(session: &mut Session) {
    for n in 1..=3 {
        let _ = session.guest(&format!("stop g{n}"));
    }
    settle(session);
}

/// A write that somebody could try: most are sensible, some are mistyped.
fn random_write(rng: &mut Rng) -> Store {
    let id = |rng: &mut Rng| [4, 4, 4, 6, 6, 6, 5, 71, 200, 300][rng.below(10) as usize];
    let name = |rng: &mut Rng| {
        format!("{:02x}.{:04x}", [0, 4, 5, 9][rng.below(4) as usize], [4, 6, 71][rng.below(3) as usize])
    };
    let mdev = |rng: &mut Rng| uuid(rng.below(3) as u8 + 1);
    let one = |rng: &mut Rng, of: &[&str]| of[rng.below(of.len() as u64) as usize].to_owned();
    let (path, text) = match rng.below(23) {
        20..=22 => {
            // Mostly the queue that guests have.
            let name = if rng.chance(4) { name(rng) } else { "04.0006".to_owned() };
            (format!("devices/ap/card{}/{name}/reset", &name[..2]), one(rng, &["1", "0", "x"]))
        }
        0 | 1 => {
            let sign = one(rng, &["+", "+", "-", "", "0x"]);
            let text = match rng.below(8) {
                0 => "0x0".to_owned(),
                // All that there is: more than one mdev may be in the way.
                1 | 2 => "+0-63".to_owned(),
                _ => format!("{sign}{}\n", id(rng)),
            };
            ("bus/ap/apmask".to_owned(), text)
        }
        2 => {
            let sign = one(rng, &["+", "-", "", "0x"]);
            let all = format!("0x{}", "f".repeat(64));
            let text = if rng.chance(8) { all } else { format!("{sign}{}", id(rng)) };
            ("bus/ap/aqmask".to_owned(), text)
        }
        3 => (CREATE.to_owned(), if rng.chance(5) { "nonsense".to_owned() } else { mdev(rng).to_string() }),
        4 | 13 => {
            let file = one(rng, &["ap_config", "remove", "remove", "assign_control_domain"]);
            let text = if file == "ap_config" && rng.chance(2) {
                // Queues of the host and of several mdevs at once.
                let masks = ["0x0c40", "0xff", "0x0a00", "0x0"];
                let mut mask = || format!("{:0<66}", masks[rng.below(4) as usize]);
                format!("{},{},{}", mask(), mask(), mask())
            } else if rng.chance(4) {
                one(rng, &["0", "", "\n", "yes", "-1", "0x4"])
            } else {
                id(rng).to_string()
            };
            (format!("{MATRIX}/{}/{file}", mdev(rng)), text)
        }
        5..=7 => {
            let file = one(rng, &["bind", "unbind"]);
            let driver = one(rng, &["cex4queue", "vfio_ap"]);
            let text =
                if rng.chance(6) { one(rng, &["4.6", "card04", "", "\n", "04.00066"]) } else { name(rng) };
            (format!("bus/ap/drivers/{driver}/{file}"), text)
        }
        8..=10 => {
            let name = name(rng);
            let text = one(rng, &["vfio_ap", "vfio_ap\n", "cex4queue", "\n", "other", ""]);
            (format!("devices/ap/card{}/{name}/driver_override", &name[..2]), text)
        }
        11 => {
            let file = one(rng, &["ap_domain", "config_time", "poll_timeout", "poll_thread"]);
            let text = one(
                rng,
                &["6", "1", "0", "-1", "yes", "200", "121", "0x10", " 6", "6 ", "", "+6", "99999999999"],
            );
            (format!("bus/ap/{file}"), text)
        }
        12 | 14 => {
            let name = name(rng);
            let queue = if rng.chance(4) { String::new() } else { format!("/{name}") };
            (
                format!("devices/ap/card{}{queue}/online", &name[..2]),
                one(rng, &["0", "1", "1\n", "2", "x", " 1"]),
            )
        }
        _ => {
            let files =
                ["assign_adapter", "assign_adapter", "assign_domain", "unassign_domain", "unassign_adapter"];
            let file = one(rng, &files);
            let text = if rng.chance(12) {
                one(rng, &["0a", "", "-1", "+4", "4 ", "0x4"])
            } else {
                id(rng).to_string()
            };
            (format!("{MATRIX}/{}/{file}", mdev(rng)), text)
        }
    };
    Store { path, text }
}

#[test]
fn h9_why_says_what_the_host_answers_and_its_change_helps() {
    let [mut refused, mut helped, mut words] = [const { BTreeMap::<String, u32>::new() }; 3];
    let (mut guests, mut others) = (0, 0);
    for seed in 0..hosts() {
        let mut rng = Rng::of(seed);
        let mut host = host(&mut rng);
        for _ in 0..16 {
            if rng.chance(3) {
                meanwhile(&mut rng, &mut host);
            }
            let store = random_write(&mut rng);
            let (directory, file) = store.path.rsplit_once('/').expect("a path");
            if !host.list(directory).is_ok_and(|names| names.iter().any(|name| name == file)) {
                continue;
            }
            let state = read(&mut host).state;
            let said = why(&state, &store);
            let answered = host.write(&store.path, &store.text).err();
            let context = || format!("seed {seed}: {store}: {answered:?} {said:#?}");
            match &said {
                Why::Allowed => {
                    assert_eq!(answered, None, "{}", context());
                    let told = moved(&state, &store).is_some_and(|told| told.contains(", which runs, "));
                    let after = read(&mut host).state;
                    let held = state.mdevs.iter().filter(|(_, mdev)| mdev.holder.is_some());
                    let changes = |(uuid, mdev): (&Uuid, &Mdev)| {
                        after.mdevs.get(uuid).is_none_or(|now| !now.shadow.queues().eq(mdev.shadow.queues()))
                    };
                    let changed = { held }.any(changes);
                    assert_eq!(told, changed, "{}", context());
                    guests += u32::from(changed);
                }
                Why::Refused(because) => {
                    let name = answered.as_ref().map(|fault| fault.name.as_str());
                    assert_eq!(name, because.errno, "{}", context());
                    let kept = Refused::parse(&host.read("kernel/debug/apmatrix/refusal").expect("a text"));
                    let kept = kept.unwrap_or_else(|| panic!("{}", context()));
                    assert_eq!(
                        (kept.path.as_str(), kept.text.as_str()),
                        (store.path.as_str(), store.text.as_str())
                    );
                    *refused.entry(because.rule.name().to_owned()).or_default() += 1;
                    let rule = because.rule.name().to_owned();
                    if because.change.stores.is_empty() {
                        // No write helps; then it is something that is no write that has to be done.
                        assert!(!because.change.text.is_empty(), "{}", context());
                        let masks_or_mdevs =
                            ["reserved", "shared", "in-use", "overrides"].contains(&rule.as_str());
                        // A mask that looks like an id is answered with what is meant.
                        let an_id = because.change.text.starts_with("write -");
                        let above = because.reason.contains(" is above ");
                        assert!(!masks_or_mdevs || above || an_id, "{}", context());
                        *words.entry(rule).or_default() += 1;
                        continue;
                    }
                    // Either way lets it through.
                    let other = because.or.as_ref().filter(|_| rng.chance(2));
                    others += u32::from(other.is_some());
                    for step in &other.unwrap_or(&because.change).stores {
                        host.write(&step.path, &step.text)
                            .unwrap_or_else(|fault| panic!("{step}: {fault}\n{}", context()));
                    }
                    if because.reason.matches(" assigned to mdev ").count() > 1 {
                        *helped.entry("several mdevs".to_owned()).or_default() += 1;
                    }
                    *helped.entry(rule).or_default() += 1;
                    host.write(&store.path, &store.text)
                        .unwrap_or_else(|fault| panic!("still refused: {fault}\n{}", context()));
                }
                Why::Waits(because) => {
                    let kind = answered.as_ref().map(|fault| fault.kind);
                    assert_eq!(kind, Some(Kind::Waits), "{}", context());
                    *refused.entry(because.rule.name().to_owned()).or_default() += 1;
                    let_go(&mut host);
                }
                Why::Unknown => panic!("{}", context()),
            }
        }
    }
    assert!(others >= 20, "only {others} times the other mask was written");
    assert!(guests >= 20, "only {guests} writes changed what a running guest has");
    println!("refused {refused:?}; let through by the change {helped:?}; not by writes {words:?}");
    for rule in [
        "text",
        "reserved",
        "shared",
        "in-use",
        "highest-id",
        "mdevs",
        "overrides",
        "binding",
        "open",
        "off",
        "lent",
    ] {
        assert!(refused.get(rule).is_some_and(|count| *count >= 3), "{rule}: {refused:?}");
    }
    for rule in ["reserved", "shared", "in-use", "overrides", "binding", "several mdevs"] {
        assert!(helped.get(rule).is_some_and(|count| *count >= 3), "{rule}: {helped:?}");
    }
}
