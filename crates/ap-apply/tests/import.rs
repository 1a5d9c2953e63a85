//! Import, boot, import: the same file, for random states of all built-in machines; and what a file cannot say is noted.

mod support;

use ap_apply::import::{ImportError, import};
use ap_apply::tree::Tree;
use ap_files::{MachineFile, boot};
use ap_sysfs::Session;
use support::{Rng, machine, random_host, read, rounds, settle};

fn again(text: &str) -> String {
    let machine = MachineFile::parse("again.toml", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut session = boot(&machine).unwrap_or_else(|error| panic!("{error}\n{text}"));
    read(&mut session).machine.to_text()
}

/// Things that happen to machines: queues and adapters that go, stop, come again.
fn happens(rng: &mut Rng, host: &mut Session, adapters: u64, domains: &[u64]) {
    for _ in 0..rng.below(4) {
        let adapter = rng.below(adapters);
        let domain = domains[rng.below(domains.len() as u64) as usize];
        let line = match rng.below(6) {
            0 => format!("deconfigure {adapter}"),
            1 => format!("checkstop {adapter}"),
            2 => format!("fault {adapter:02x}.{domain:04x} rc=1"),
            3 => format!("fault {adapter:02x}.{domain:04x} rc=4"),
            4 => format!("unplug {adapter}"),
            _ => format!("type {adapter} CEX7P"),
        };
        let _ = host.hw(&line);
    }
    let _ = Tree::write(host, "bus/ap/scans", "1");
    settle(host);
}

#[test]
fn import_boot_import_is_the_identity() {
    for (name, usual, adapters, domains) in [
        ("tiny", 150, 11, vec![6, 71]),
        ("default", 150, 8, vec![4, 6, 22, 23, 52, 71]),
        ("wide", 6, 64, (0..85).collect()),
        ("max", 1, 256, (0..256).collect::<Vec<u64>>()),
    ] {
        for seed in 0..rounds(usual, usual) {
            let mut rng = Rng::of(seed);
            let mut host = random_host(&mut rng, name, seed % 2 == 0);
            happens(&mut rng, &mut host, adapters, &domains);
            let first = read(&mut host).machine.to_text();
            assert_eq!(again(&first), first, "{name}, seed {seed}");
        }
    }
}

#[test]
fn a_built_in_machine_reads_as_its_own_file() {
    for name in ["tiny", "default", "wide"] {
        let machine = machine(name);
        let mut session = boot(&machine).expect("it boots");
        assert_eq!(read(&mut session).machine, machine);
    }
}

#[test]
fn what_a_file_cannot_say_is_noted() {
    let mut session = boot(&machine("tiny")).expect("it boots");
    Tree::write(&mut session, "bus/ap/drivers/cex4queue/unbind", "04.0006").expect("it is bound");
    let imported = read(&mut session);
    assert_eq!(imported.notes, ["queue 04.0006 is bound to no driver, which a machine file does not say"]);
    let mut empty = Session::new();
    assert_eq!(import(&mut empty).expect_err("there is no bus"), ImportError::NoBus);
}
