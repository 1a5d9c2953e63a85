//! What `why` says of a write is what the host answers, and its change lets the write through. `APMATRIX_LONG=1`: ten
//! times as many hosts.

mod support;

use std::collections::BTreeMap;

use ap_apply::tree::Tree;
use ap_files::boot;
use ap_plan::{Store, Why, why};
use ap_sysfs::Session;
use ap_sysfs::control::Refused;
use ap_task::Version;
use support::{Rng, machine, random_host, random_masks, read, uuid};

const MATRIX: &str = "devices/vfio_ap/matrix";
const CREATE: &str = "devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create";

fn hosts() -> u64 {
    if std::env::var_os("APMATRIX_LONG").is_some() { 2000 } else { 120 }
}

/// A host of a kernel that has overrides, with some of them.
fn overridden(rng: &mut Rng) -> Session {
    let mut machine = machine("tiny");
    machine.kernel = ap_task::Kernel::of(Version::V7_1).into();
    // Masks that are written: of those that the machine came up with no file says that they are not "in use".
    let (apmask, aqmask) = if rng.chance(2) { random_masks(rng, &machine) } else { Default::default() };
    let mut session = boot(&machine).expect("it boots");
    if apmask != Default::default() {
        session.write("bus/ap/apmask", &apmask.to_string()).expect("nothing is in use");
        session.write("bus/ap/aqmask", &aqmask.to_string()).expect("nothing is in use");
    }
    for _ in 0..rng.below(6) {
        let store = random_write(rng);
        let _ = session.write(&store.path, &store.text);
    }
    session
}

/// A write that somebody could try: most are sensible, some are mistyped.
fn random_write(rng: &mut Rng) -> Store {
    let id = |rng: &mut Rng| [4, 4, 4, 6, 6, 6, 5, 71, 200, 300][rng.below(10) as usize];
    let name = |rng: &mut Rng| {
        format!("{:02x}.{:04x}", [0, 4, 5, 9][rng.below(4) as usize], [4, 6, 71][rng.below(3) as usize])
    };
    let mdev = |rng: &mut Rng| uuid(rng.below(3) as u8 + 1);
    let (path, text) = match rng.below(14) {
        0 | 1 => ("bus/ap/apmask".to_owned(), format!("+{}\n", id(rng))),
        2 => (
            "bus/ap/aqmask".to_owned(),
            format!("{}{}", ["+", "-", "", "0x"][rng.below(4) as usize], id(rng)),
        ),
        3 => (CREATE.to_owned(), if rng.chance(5) { "nonsense".to_owned() } else { mdev(rng).to_string() }),
        4 => {
            let file = ["ap_config", "remove", "assign_control_domain"][rng.below(3) as usize];
            (format!("{MATRIX}/{}/{file}", mdev(rng)), format!("{}", id(rng)))
        }
        5 => {
            let file = ["bind", "unbind"][rng.below(2) as usize];
            let driver = ["cex4queue", "vfio_ap"][rng.below(2) as usize];
            (
                format!("bus/ap/drivers/{driver}/{file}"),
                if rng.chance(6) { "4.6".to_owned() } else { name(rng) },
            )
        }
        6 => {
            let name = name(rng);
            let text = ["vfio_ap", "cex4queue", "\n", "other"][rng.below(4) as usize];
            (format!("devices/ap/card{}/{name}/driver_override", &name[..2]), text.to_owned())
        }
        _ => {
            let file = ["assign_adapter", "assign_domain", "unassign_domain"][rng.below(3) as usize];
            let text = if rng.chance(16) { "0a".to_owned() } else { id(rng).to_string() };
            (format!("{MATRIX}/{}/{file}", mdev(rng)), text)
        }
    };
    Store { path, text }
}

#[test]
fn h9_why_says_what_the_host_answers_and_its_change_helps() {
    let (mut refused, mut helped) = (BTreeMap::<String, u32>::new(), BTreeMap::<String, u32>::new());
    for seed in 0..hosts() {
        let mut rng = Rng::of(seed);
        let name = if rng.chance(3) { "tiny" } else { "default" };
        let mut host = if rng.chance(3) { overridden(&mut rng) } else { random_host(&mut rng, name, true) };
        if rng.chance(2) {
            // Nothing is the host's, and there are mdevs to fight over queues.
            let _ = host.write("bus/ap/apmask", "0x0");
            for n in 1..=3 {
                let _ = host.write(CREATE, &uuid(n).to_string());
            }
        }
        for _ in 0..16 {
            let store = random_write(&mut rng);
            let (directory, file) = store.path.rsplit_once('/').expect("a path");
            if !host.list(directory).is_ok_and(|names| names.iter().any(|name| name == file)) {
                continue;
            }
            let state = read(&mut host).state;
            let said = why(&state, &store);
            if let Why::Waits(_) = said {
                continue;
            }
            let answered = host.write(&store.path, &store.text).err();
            let context = || format!("seed {seed}: {store}: {answered:?} {said:#?}");
            match &said {
                Why::Allowed => assert_eq!(answered, None, "{}", context()),
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
                    if !because.change.writes.is_empty() {
                        for step in &because.change.stores {
                            host.write(&step.path, &step.text)
                                .unwrap_or_else(|fault| panic!("{step}: {fault}\n{}", context()));
                        }
                        // There may be more than one thing in the way: then it is another one now.
                        match why(&read(&mut host).state, &store) {
                            Why::Refused(next) => assert_ne!(&next.reason, &because.reason, "{}", context()),
                            _ => *helped.entry(because.rule.name().to_owned()).or_default() += 1,
                        }
                    }
                }
                Why::Waits(_) => unreachable!("{}", context()),
                Why::Unknown => panic!("{}", context()),
            }
        }
    }
    println!("refused {refused:?}; let through by the change {helped:?}");
    for rule in ["text", "reserved", "shared", "in-use", "highest-id", "mdevs", "overrides", "binding"] {
        assert!(refused.get(rule).is_some_and(|count| *count >= 3), "{rule}: {refused:?}");
    }
    for rule in ["reserved", "shared", "in-use", "overrides"] {
        assert!(helped.get(rule).is_some_and(|count| *count >= 3), "{rule}: {helped:?}");
    }
}
