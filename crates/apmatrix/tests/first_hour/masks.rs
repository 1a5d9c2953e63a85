//! Masks and ids in files: what an administrator writes first, and that the remedy which is offered leads on.

use std::fs;

use crate::common::{apmatrix_in, one_line};

const ONE: &str = "62177883-f1bb-47f0-914d-32a22e3a8804";
const TWO: &str = "0a000000-0000-4000-8000-000000000001";

/// A machine of adapters 0 to 10 and four domains, all the host's.
const HOST: &str =
    "schema = \"apmatrix.machine/1\"\ndomains = \"0-3\"\n[[adapter]]\nids = \"0-10\"\ntype = \"CEX8P\"\n";

/// A desired state of these lines and mdevs.
fn wish(host: &str, mdevs: &[(&str, &str)]) -> String {
    let mdev = |(uuid, ids): &(&str, &str)| format!("[[mdev]]\nuuid = \"{uuid}\"\n{ids}\n");
    let mdevs: String = mdevs.iter().map(mdev).collect();
    format!("schema = \"apmatrix.desired/1\"\n[host]\n{host}\n{mdevs}")
}

/// What `plan` says of a desired state on a machine: its exit status and its errors.
fn plan(machine: &str, desired: &str) -> (i32, String) {
    let scratch = tempfile::tempdir().expect("a directory");
    fs::write(scratch.path().join("host.toml"), machine).expect("written");
    fs::write(scratch.path().join("want.toml"), desired).expect("written");
    let ran =
        apmatrix_in(scratch.path(), &["plan", "want.toml", "--machine", "host.toml", "--allow", "unplug"]);
    (ran.status, ran.err)
}

/// What `ls` says of a machine file: its exit status and its errors.
fn check(machine: &str) -> (i32, String) {
    let scratch = tempfile::tempdir().expect("a directory");
    fs::write(scratch.path().join("host.toml"), machine).expect("written");
    let ran = apmatrix_in(scratch.path(), &["ls", "--machine", "host.toml"]);
    (ran.status, format!("{}{}", ran.out, ran.err))
}

/// The mask that a message proposes: what stands in the quotation marks after `key = "`.
fn proposed<'a>(said: &'a str, key: &str) -> Vec<&'a str> {
    let parts = said.split(key).skip(1);
    parts.filter_map(|rest| rest.strip_prefix(" = \"")?.split('"').next()).collect()
}

#[test]
fn n1_an_adapter_that_is_not_there_is_noted_first_and_gets_no_mask() {
    let desired = wish("apmask = \"-8\"", &[(ONE, "adapters = [\"4-6\", 18]\ndomains = [0, 1]")]);
    let (status, said) = plan(HOST, &desired);
    assert_eq!(status, 1, "{said}");
    let (notes, _) = said.split_once("error: ").expect("there is no plan");
    assert!(notes.contains("adapter 18 is not there"), "{said}");
    assert_eq!(proposed(&said, "apmask"), ["all but 4-6, 8"], "{said}");
    assert!(said.contains(&format!("leave adapter 18 out of mdev {ONE}")), "{said}");
    assert!(!said.contains("0 queues"), "{said}");
    // Both put in, there is a plan.
    let desired = wish("apmask = \"all but 4-6, 8\"", &[(ONE, "adapters = [\"4-6\"]\ndomains = [0, 1]")]);
    assert_eq!(plan(HOST, &desired).0, 0);
}

#[test]
fn n2_one_proposal_for_the_masks_of_a_whole_desired_state_leads_to_a_plan() {
    let mdevs = [(ONE, "adapters = \"4-6\"\ndomains = [0, 1]"), (TWO, "adapters = [7]\ndomains = [0, 1]")];
    for (host, key, hint) in [
        ("apmask = \"all but 8\"", "apmask", "all but 4-8"),
        ("apmask = \"-8\"", "apmask", "all but 4-8"),
        // What the mdevs are to have, and not what the host keeps.
        ("apmask = \"4-7\"", "apmask", "all but 4-7"),
        ("aqmask = \"all but 3\"", "aqmask", "all but 0-1, 3"),
    ] {
        let (status, said) = plan(HOST, &wish(host, &mdevs));
        assert_eq!(status, 1, "{host}: {said}");
        assert_eq!(proposed(&said, key), [hint], "{host}: {said}");
        assert_eq!(said.contains("what the host keeps"), host.contains("\"4-7\""), "{said}");
        let (status, said) = plan(HOST, &wish(&format!("{key} = \"{hint}\""), &mdevs));
        assert_eq!(status, 0, "{hint}: {said}");
    }
}

#[test]
fn n3_one_proposal_for_the_masks_of_a_whole_machine_file_leads_to_a_machine() {
    let file = |mask: &str| {
        let mdev = |uuid, ids| format!("[[mdev]]\nuuid = \"{uuid}\"\nadapters = {ids}\ndomains = [0, 1]\n");
        let head = HOST.replacen('\n', &format!("\n{mask}\n"), 1);
        format!("{head}{}{}", mdev(ONE, "\"4-6\""), mdev(TWO, "7"))
    };
    for (mask, key, hint) in [
        ("apmask = \"4-7\"", "apmask", "all but 4-7"),
        ("", "apmask", "all but 4-7"),
        ("apmask = \"-8\"", "apmask", "all but 4-8"),
        ("apmask = \"all but 8\"", "apmask", "all but 4-8"),
        ("aqmask = \"-3\"", "aqmask", "all but 0-1, 3"),
    ] {
        let (status, said) = check(&file(mask));
        assert_ne!(status, 0, "{mask}: {said}");
        assert_eq!(proposed(&said.replace("\n        ", " "), key).last(), Some(&hint), "{mask}: {said}");
        assert_eq!(said.matches("all but").count(), 1, "{mask}: {said}");
        assert_eq!(said.contains("what the host keeps"), mask.contains("\"4-7\""), "{said}");
        let (status, said) = check(&file(&format!("{key} = \"{hint}\"")));
        assert_eq!(status, 0, "{hint}: {said}");
    }
}

/// A mask in hex with id 0 at the right: what was proposed was its inverse, which is another mistake.
#[test]
fn a_mask_in_the_wrong_order_is_not_answered_with_its_inverse() {
    for mask in ["0x0fd1", "0xd1ff"] {
        let file = |mask: &str| {
            let head = HOST.replacen('\n', &format!("\napmask = \"{mask}\"\n"), 1);
            format!(
                "{head}[[mdev]]\nuuid = \"{ONE}\"\nadapters = [1, 2]\ndomains = [0, 1]\n\
                 [[mdev]]\nuuid = \"{TWO}\"\nadapters = [3, 5]\ndomains = 3\n"
            )
        };
        let (status, said) = check(&file(mask));
        let said = said.replace("\n        ", " ");
        assert_ne!(status, 0, "{mask}: {said}");
        assert!(said.contains("in hex the first digit is that of the ids 0-3"), "{mask}: {said}");
        assert!(!said.contains("all but"), "{mask}: {said}");
        let hint = proposed(&said, "apmask").last().copied().expect("a proposal").to_owned();
        assert_eq!(check(&file(&hint)).0, 0, "{hint}");
    }
}

/// `apmask = "8"` is the kernel's mask of adapter 0, in a machine file.
#[test]
fn a_proposed_mask_of_one_id_is_none_of_the_kernels() {
    for (mask, left) in [("0,8", "08"), ("0,5", "05")] {
        let file = |mask: &str| {
            let head = HOST.replacen('\n', &format!("\napmask = {mask}\n"), 1);
            format!("{head}[[mdev]]\nuuid = \"{ONE}\"\nadapters = [0, 6]\ndomains = [0, 1]\n")
        };
        let (status, said) = check(&file(&format!("\"{mask}\"")));
        assert_ne!(status, 0, "{mask}: {said}");
        let (_, after) = said.split_once("`apmask = ").expect("a proposal");
        let (proposed, _) = after.split_once('`').expect("a proposal");
        let (status, listed) = check(&file(proposed));
        assert_eq!(status, 0, "{proposed}: {listed}");
        let hosts = listed.lines().filter(|line| line.ends_with(" host"));
        assert!(hosts.clone().count() > 0 && hosts.clone().all(|line| line.starts_with(left)), "{listed}");
    }
}

#[test]
fn n4_a_range_without_quotation_marks_is_said_to_be_a_text() {
    for ids in ["0-19", "[0-4, 9]", "[9, 0 - 4]", "[\n  0-4,\n]", "00-13"] {
        let machine = format!("schema = \"apmatrix.machine/1\"\ndomains = {ids}\n");
        let desired = wish("", &[(ONE, &format!("adapters = 4\ndomains = {ids}"))]);
        for (status, said) in [check(&machine), plan(HOST, &desired)] {
            assert_ne!(status, 0, "{ids}: {said}");
            let range = if ids.starts_with("00") {
                "0-13"
            } else if ids.contains("19") {
                "0-19"
            } else {
                "0-4"
            };
            assert!(said.contains(&format!("a range is a text: \"{range}\"")), "{ids}: {said}");
            assert!(!said.contains("date"), "{ids}: {said}");
        }
    }
}

/// Without a plan only the mdev in the way was named, and not that three adapters had been meant to be given up.
#[test]
fn a_mask_that_keeps_little_is_noted_where_there_is_no_plan_too() {
    let lent = HOST.replacen("domains", "apmask = \"-4\"\ndomains", 1)
        + &format!("[[mdev]]\nuuid = \"{ONE}\"\nadapters = 4\ndomains = 0\n");
    let (status, said) = plan(&lent, &wish("apmask = \"4-6\"", &[]));
    assert_eq!(status, 1, "{said}");
    assert_eq!(said.matches("a list is what the host keeps").count(), 1, "{said}");
    // A proposal that says so is enough.
    let (_, said) = plan(HOST, &wish("apmask = \"4-6\"", &[(ONE, "adapters = \"4-6\"\ndomains = [0, 1]")]));
    assert_eq!(said.matches("what the host keeps").count(), 1, "{said}");
}

#[test]
fn a_value_that_toml_does_not_have_is_said_in_words_for_people() {
    for (value, what, expected) in [
        ("[1, 2, 010]", "`010` begins with 0", "expected 10"),
        ("007", "`007` begins with 0", "expected 7"),
        ("[0x]", "`0x` is no number", "expected digits after 0x"),
        ("[1 2]", "numbers without a comma between them", "expected 1, 2"),
        ("prod", "`prod` is not in quotation marks", "expected \"prod\""),
    ] {
        let machine = format!("schema = \"apmatrix.machine/1\"\ndomains = {value}\n");
        let (status, said) = check(&machine);
        assert_ne!(status, 0, "{value}: {said}");
        for part in [what, expected] {
            assert!(said.contains(part), "{value}: {said}");
        }
    }
}

#[test]
fn n6_a_mask_that_reads_well_and_is_refused_says_what_to_write() {
    let why = |text: &str| {
        let ran = apmatrix_in(std::path::Path::new("/"), &["why", "--machine", "tiny", "apmask", text]);
        (ran.status, one_line(&ran.out))
    };
    let (status, said) = why("-08");
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("it is octal to the kernel") && said.contains("write -8"), "{said}");
    for text in ["-8, -9", " -8,-9"] {
        let (status, said) = why(text);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("blanks are not taken") && said.contains("write -8,-9"), "{said}");
    }
    let (status, said) = plan(HOST, &wish("aqmask = \"all but 1, 16-90\"", &[]));
    assert_eq!(status, 0, "{said}");
    assert!(one_line(&said).contains("note: aqmask: domains 16-90 are not there"), "{said}");
}

#[test]
fn n7_why_says_which_writes_are_counted_and_what_a_whole_mask_is() {
    let shell = "echo 4 > /sys/bus/ap/apmaks; apmatrix why";
    let ran = apmatrix_in(std::path::Path::new("/"), &["shell", "--machine", "tiny", "-c", shell]);
    let said = one_line(&ran.out);
    assert!(said.contains("only writes to attributes that exist are counted"), "{said}{}", ran.err);
    for text in ["8", "0x8"] {
        let ran = apmatrix_in(std::path::Path::new("/"), &["why", "--machine", "tiny", "apmask", text]);
        let said = one_line(&ran.out);
        assert!(said.contains(&format!("{text} is the left end of a mask")), "{said}");
    }
}
