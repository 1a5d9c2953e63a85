//! Import, boot, import: the same file, for random states of all built-in machines; and what a file cannot say is noted.

mod support;

use ap_apply::import::{ImportError, import};
use ap_apply::tree::{Fault, Opener, Tree};
use ap_files::{MachineFile, boot};
use ap_sysfs::Session;
use support::{Rng, machine, random_host, read, rounds, settle, uuid};

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

/// A host that says something else of what a guest gets than the rules do.
struct Says<'s> {
    host: &'s mut Session,
    guest_matrix: String,
}

impl Tree for Says<'_> {
    fn read(&mut self, path: &str) -> Result<String, Fault> {
        if path.ends_with("/guest_matrix") {
            Ok(self.guest_matrix.clone())
        } else {
            Tree::read(self.host, path)
        }
    }

    fn write(&mut self, path: &str, text: &str) -> Result<(), Fault> {
        Tree::write(self.host, path, text)
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, Fault> {
        Tree::list(self.host, path)
    }

    fn link(&mut self, path: &str) -> Result<String, Fault> {
        Tree::link(self.host, path)
    }

    fn openers(&mut self, group: &str) -> Vec<Opener> {
        Tree::openers(self.host, group)
    }

    fn sleep(&mut self, milliseconds: u64) {
        Tree::sleep(self.host, milliseconds);
    }
}

#[test]
fn what_a_guest_gets_is_what_the_host_says_unless_its_file_is_full() {
    let text = "schema = \"apmatrix.machine/1\"\ndomains = [6, 71]\napmask = \"-4,-5\"\n[[adapter]]\nids = [4, 5]\n\
                type = \"CEX8P\"\n[[mdev]]\nuuid = \"01010101-0101-0101-0101-010101010101\"\nadapters = [4, 5]\n\
                domains = [6, 71]\n";
    let machine = MachineFile::parse("m.toml", text).unwrap_or_else(|error| panic!("{error}"));
    let mut host = boot(&machine).expect("it boots");
    let mut shadow = |guest_matrix: String| {
        let mut tree = Says { host: &mut host, guest_matrix };
        import(&mut tree).expect("it is read").state.mdevs[&uuid(1)].shadow.queue_count()
    };
    let line = "04.0006\n";
    assert_eq!(shadow(String::new()), 0);
    assert_eq!(shadow(line.to_owned()), 1);
    // Lines that had no room are not in the file: the rules tell.
    assert_eq!(shadow(line.repeat(512)), 4);
}
