//! Mistakes that no row had: what a command line and files are told, and what status a find has.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{apmatrix, apmatrix_in, one_line};
use crate::running::can_run;

const MACHINE: &str = "schema = \"apmatrix.machine/1\"\ndomains = [6]\n";
const UUID: &str = "62177883-f1bb-47f0-914d-32a22e3a8804";

/// What a machine file that says that, too, is told.
fn checked(more: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("m.toml"), format!("{MACHINE}{more}\n")).expect("a file");
    one_line(&apmatrix_in(directory.path(), &["machine", "check", "m.toml"]).failed())
}

/// What a file that is planned is told, as one line.
fn planned(name: &str, text: impl AsRef<[u8]>) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join(name), text).expect("a file");
    one_line(&apmatrix_in(directory.path(), &["plan", name, "--machine", "tiny"]).failed())
}

fn says(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is not in {text}");
    }
    for raw in ["os error", "untagged", "expected u8", "expected u32", "struct ", "did not match any variant"]
    {
        assert!(!text.contains(raw), "{raw:?} is in {text}");
    }
}

#[test]
fn a_find_is_a_status_also_when_nobody_reads_it() {
    for arguments in
        [&["explore", "--specimen", "seed-theft"][..], &["explore", "--specimen", "seed-theft", "--json"]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
        let mut child =
            command.args(arguments).env_clear().stdout(Stdio::piped()).spawn().expect("the command starts");
        let mut byte = [0];
        // Whoever reads is gone at once, or after a byte.
        child.stdout.take().expect("a pipe").read_exact(&mut byte).expect("it prints");
        assert_eq!(child.wait().expect("it ends").code(), Some(1), "{arguments:?}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
        let mut child =
            command.args(arguments).env_clear().stdout(Stdio::piped()).spawn().expect("the command starts");
        drop(child.stdout.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn of_all_ends_those_that_are_wrong_say_so() {
    let ran = apmatrix(&["explore", "--specimen", "seed-theft"]);
    let (_, ends) = ran.out.split_once("all ways in which it ends:\n").expect("a list");
    let (mut wrong, mut right) = (0, 0);
    for end in ends.split("--replay").map(one_line).filter(|end| end.contains("the masks give")) {
        let stolen = end.contains("BANG STOLEN");
        assert_eq!(stolen, end.contains("bound to cex4queue") && end.contains("mdev has 05.0004"), "{end}");
        *(if stolen { &mut wrong } else { &mut right }) += 1;
    }
    assert!(wrong > 0 && right > 0, "{ends}");
}

#[test]
fn only_commands_that_take_a_machine_offer_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    fs::write(at.join("d.toml"), "schema = \"apmatrix.desired/1\"\n").expect("a file");
    for arguments in [&["apply", "d.toml"][..], &["import"], &["fits", "tiny"]] {
        let arguments = [arguments, &["--root", "nowhere"]].concat();
        let told = one_line(&apmatrix_in(at, &arguments).failed());
        assert!(told.contains("there is no AP bus") && !told.contains("--machine"), "{told}");
    }
    let told = one_line(&apmatrix_in(at, &["plan", "d.toml", "--root", "nowhere"]).failed());
    says(&told, &["there is no AP bus", "--machine M"]);
}

#[test]
fn a_built_in_machine_is_checked_by_its_name() {
    for name in ["default", "tiny", "wide", "max"] {
        assert!(apmatrix(&["machine", "check", name]).ok().starts_with(&format!("ok: {name}: ")));
    }
    // A file of that name is what is to be checked.
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("tiny"), "").expect("a file");
    let told = apmatrix_in(directory.path(), &["machine", "check", "tiny"]).failed();
    says(&told, &["the key `schema` is missing"]);
}

#[test]
fn a_guest_that_is_refused_by_the_machine_is_not_told_to_be_root() {
    if !can_run("a guest that is refused by the machine") {
        return;
    }
    let other = UUID.replace("62177883", "62177884");
    let script = format!(
        "D=/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough; echo {UUID} > $D/create; \
         echo {other} > $D/create; apmatrix guest start g1 {UUID}; apmatrix guest start g1 {other}; echo $?; \
         apmatrix guest show g2; echo $?"
    );
    let ran = apmatrix(&["run", "--machine", "tiny", "--", "/bin/sh", "-c", &script]);
    assert_eq!(ran.out, "1\n1\n", "{}", ran.err);
    says(
        &one_line(&ran.err),
        &["another guest can have it", "there are g1; `apmatrix guest start g2 UUID` makes one"],
    );
    assert!(!ran.err.contains("be root"), "{}", ran.err);
}

#[test]
fn what_is_wrong_with_a_file_is_said_in_words_of_files() {
    for mask in ["4.5", "true", "{a = 1}"] {
        says(&checked(&format!("apmask = {mask}")), &["this is no mask", "expected ids or a text"]);
        says(
            &planned("d.toml", format!("schema = \"apmatrix.desired/1\"\n[host]\napmask = {mask}\n")),
            &["this is no mask", "expected ids or a text"],
        );
    }
    for key in ["max_adapter", "max_domain"] {
        says(&checked(&format!("{key} = 300")), &["expected a whole number from 0 to 255"]);
    }
    let adapter = "[[adapter]]\nid = 4\n";
    for key in ["depth", "hwtype"] {
        says(&checked(&format!("{adapter}{key} = -1")), &["expected a whole number from 0 to 255"]);
    }
    says(&checked(&format!("{adapter}max_message = -1")), &["expected a whole number from 0 to 4294967295"]);
    let queue = "[[queue]]\napqn = \"04.0006\"\n";
    says(&checked(&format!("{queue}busy = -1")), &["expected a whole number from 0 to 4294967295"]);
    says(&checked("facilities = 3"), &["expected keys with values"]);
    says(&checked(&format!("{queue}keys = 3")), &["expected keys with values"]);
    says(&checked(&format!("{queue}zrc = 7")), &["expected a text in quotation marks: \"7:1\""]);
}

#[test]
fn other_commands_say_it_in_words_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let archive = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).expect("a file");
    fs::write(at.join("cut.tar.xz"), [&b"\xfd7zXZ\x00"[..], &archive[..100]].concat()).expect("a file");
    fs::write(at.join("empty.tar.xz"), "").expect("a file");
    fs::write(at.join("list.jsonl"), "[]\n").expect("a file");
    fs::write(at.join("none.jsonl"), "no json\n").expect("a file");
    fs::write(at.join("latin.sh"), b"echo a\necho caf\xe9\n").expect("a file");
    let told = |arguments: &[&str]| {
        let ran = apmatrix_in(at, arguments);
        assert_ne!(ran.status, 0, "{arguments:?}");
        one_line(&ran.err)
    };
    says(&told(&["replay", "cut.tar.xz"]), &["the archive is damaged, or cut off"]);
    says(&told(&["replay", "empty.tar.xz"]), &["the archive is damaged, or cut off"]);
    says(
        &told(&["replay", "list.jsonl"]),
        &["list.jsonl:1: expected a transcript's operation", "expected an object"],
    );
    says(&told(&["replay", "none.jsonl"]), &["this is no JSON", "each line of a transcript"]);
    says(&told(&["serve", "--patience", "0"]), &["expected a whole number from 1 to 3600"]);
    says(&told(&["serve", "--patience", "x"]), &["expected a whole number from 1 to 3600"]);
    says(&told(&["shell", "latin.sh"]), &["latin.sh:2: the text is not UTF-8", "iconv"]);
    let serve = told(&["serve", "--machine", "tiny", "--listen", "192.0.2.1:0", "--allow-remote"]);
    says(&serve, &["this host has no such address"]);
}

#[test]
fn json_that_says_no_desired_state_is_called_what_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    fs::write(at.join("d.toml"), "schema = \"apmatrix.desired/1\"\n[host]\napmask = \"-4\"\n")
        .expect("a file");
    let made = apmatrix_in(at, &["plan", "d.toml", "--machine", "tiny", "-o", "plan.json"]);
    assert_eq!(made.status, 0, "{}", made.err);
    let plan = fs::read_to_string(at.join("plan.json")).expect("it is there");
    says(&planned("p.json", &plan), &["apmatrix.plan/", "`apmatrix apply FILE` takes it"]);
    let listed = apmatrix(&["ls", "--machine", "tiny", "--json"]).ok();
    says(&planned("ls.json", &listed), &["apmatrix.ls/", "`apmatrix import`"]);
    says(&planned("cut.json", &plan[..plan.len() / 2]), &["JSON"]);
    let mdevs = format!(
        "[{{\"matrix\": [{{\"{UUID}\": {{\"mdev_type\": \"vfio_ap-passthrough\", \"attrs\": [{{\"assign_adaptr\": \
         \"5\"}}]}}}}]}}]"
    );
    says(&planned("m.json", &mdevs), &["did you mean `assign_adapter`?"]);
    says(&planned("m.json", &mdevs[..mdevs.len() - 3]), &["the JSON ends too soon"]);
    says(&planned("m.json", mdevs.replace(": [{", ": [{{")), &["this is no JSON"]);
}

#[test]
fn a_name_that_is_refused_is_told_why_and_not_offered() {
    let told = |arguments: &[&str]| one_line(&apmatrix(arguments).failed());
    let long = "x".repeat(300);
    says(&told(&["run", "--name", &long, "--", "true"]), &["expected at most 64 letters; these are 300"]);
    says(&told(&["run", "--name", "..", "--", "true"]), &["does not begin with a dot"]);
    for name in ["..", "a/b"] {
        let text = told(&["exec", name, "--", "true"]);
        assert!(!text.contains("run --name"), "{text}");
        says(&text, &["is no name of a machine", "exec --list"]);
    }
    says(&told(&["exec", "--list", "x"]), &["cannot be used with"]);
}

#[test]
fn a_directory_that_is_there_is_not_to_be_made() {
    let text = one_line(&apmatrix(&["man", "/proc/x"]).failed());
    assert!(!text.contains("there is no directory"), "{text}");
    says(&text, &["nothing can be made there"]);
}

#[test]
fn another_case_is_a_mistyped_name_and_a_file_that_is_there_is_none() {
    says(&checked("features = [\"apxa\"]"), &["mean \"APXA\"?"]);
    says(&checked("[facilities]\nQCI = true"), &["did you mean `qci`?"]);
    says(&checked("[[adapter]]\nid = 4\ntype = \"cex8p\""), &["did you mean \"CEX8P\"?"]);
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    fs::write(at.join("bin"), b"\xff\xfe\n").expect("a file");
    let text = one_line(&apmatrix_in(at, &["machine", "check", "bin"]).failed());
    assert!(!text.contains("did you mean"), "{text}");
    fs::create_dir(at.join("scenarios")).expect("a directory");
    fs::write(at.join("scenarios/mask-against-assign.toml"), "").expect("a file");
    let text = one_line(&apmatrix_in(at, &["explore", "mask-against-asign"]).failed());
    says(&text, &["did you mean the scenario `mask-against-assign`?"]);
    let text = one_line(&apmatrix(&["explore", "--specimen", "v12-PP-LOCK-QUESTION"]).failed());
    assert!(!text.contains("did you mean"), "{text}");
    says(&text, &["v12-07-trylock-theft_race"]);
}

#[test]
fn what_a_verb_is_given_too_few_of_is_said() {
    let told = |text: &str| {
        let ran = apmatrix(&["shell", "--machine", "tiny", "-c", text]);
        assert_ne!(ran.status, 0, "{text}: {}", ran.out);
        one_line(&ran.err)
    };
    for few in ["hw fault 04.0006", "hw type 4", "guest start g2", "guest aqic g 04.0006", "hw plug"] {
        says(&told(few), &["needs more words"]);
    }
    for many in ["hw plug 4 5", "guest start a b c", "guest list x"] {
        says(&told(many), &["does not take these words"]);
    }
    says(&told("hw plug -1"), &["`-1` is no range"]);
    says(&told("hw plug 9-"), &["`9-` is no range"]);
    says(&told("hw plug .9-"), &["`9-` is no range"]);
    says(&told("hw set flags=x"), &["a word of 32 bits"]);
    for words in ["events foo", "events --json", "events --follow", "guest list --json"] {
        says(&told(words), &["in the shell"]);
    }
    assert!(!told("\u{1b}[31mx").contains('\u{1b}'));
    assert!(!told("echo \u{1b}[31m > /sys/bus/ap/apmask; cat \u{1b}[31m").contains('\u{1b}'));
}

#[test]
fn what_is_not_used_is_said_and_no_directory_is_made_to_look_into_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    for verb in ["confirm", "revert"] {
        for run in ["mistyped", "/proc/nope"] {
            let text = one_line(&apmatrix_in(at, &[verb, "--run-dir", run]).failed());
            says(&text, &[&format!("there is no directory {run}"), "--run-dir"]);
        }
        assert!(!at.join("mistyped").exists(), "{verb}");
    }
    let text = one_line(&apmatrix_in(at, &["fits", "--root", "D", "tiny", "default"]).failed());
    says(&text, &["`--root` is the source"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
    let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
    let ended = command.arg("--help").env_clear().stdout(full).output().expect("it runs");
    assert_eq!(ended.status.code(), Some(3));
    says(&String::from_utf8_lossy(&ended.stderr), &["No space left on device"]);
}
