//! A mistake in a scenario: status 4, file, line, what is wrong and what to do. None hangs.

use std::fs;
use std::path::Path;

use crate::common::{Ran, apmatrix_in};

const HEAD: &str = "schema = \"apmatrix.scenario/1\"\nmachine = \"tiny\"\n";
const OTHER: &str = "[[task]]\nname = \"b\"\nrun = \"cat /sys/bus/ap/aqmask\"\n";
/// A guest holds the mdev from line 3 to 7.
const HELD: &str = "setup = \"\"\"\n\
    M=/sys/devices/vfio_ap/matrix\n\
    echo a0000000-0000-4000-8000-000000000001 > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
    guest start g a0000000-0000-4000-8000-000000000001\n\
    \"\"\"\n";
const REMOVE: &str = "echo 1 > $M/a0000000-0000-4000-8000-000000000001/remove";
const COMMANDS: &str = "`apmatrix shell -c 'ls DIR'` lists what a directory has";
const MEND: &str = "mend the command; one that may fail so is followed by `||`";

/// A scenario with one task, which begins in line 3; its text is in line 5.
fn task(run: &str) -> String {
    format!("{HEAD}[[task]]\nname = \"a\"\nrun = {run}\n{OTHER}")
}

/// The same with a set-up in line 3.
fn setup(text: &str) -> String {
    format!("{HEAD}setup = {text}\n{OTHER}")
}

/// What is expected below the tasks: it begins in line 9.
fn expect(text: &str) -> String {
    format!("{}[expect]\n{text}\n", task("\"cat /sys/bus/ap/apmask\""))
}

/// `LINE: WHAT | REMEDY | HELP` of a rendered error; lines that were broken are put together.
fn said(err: &str, file: &str) -> String {
    let mut parts = [String::new(), String::new(), String::new()];
    let mut place = String::new();
    let mut part = Some(0);
    // What was expected may go on in further lines, or stand below.
    let mut goes_on = false;
    for line in err.lines() {
        let text = line.trim();
        if let Some((_, at)) = text.split_once(&format!("╭─[{file}:")) {
            place = at.split(':').next().expect("a line").to_owned();
            part = None;
        } else if let Some((_, label)) = text.split_once("╰── ") {
            parts[1] = label.trim().to_owned();
        } else if let Some((_, label)) = text.split_once("╰─┤ ") {
            parts[1] = label.trim().to_owned();
            goes_on = true;
        } else if let Some((_, label)) = text.split_once("│ ").filter(|_| goes_on && text.starts_with('·'))
        {
            parts[1] = format!("{} {}", parts[1], label.trim());
        } else if let Some(help) = text.strip_prefix("help: ") {
            part = Some(2);
            parts[2] = help.to_owned();
        } else if let Some(index) = part {
            let text = text.trim_start_matches("× ").trim_start_matches("│ ").trim();
            // A word that is too long was broken, too; nothing else ends with a hyphen.
            let blank = if parts[index].is_empty() || parts[index].ends_with(['-', '/']) { "" } else { " " };
            parts[index] = format!("{}{blank}{text}", parts[index]);
        }
    }
    if parts[1] == "here" {
        let below = std::mem::take(&mut parts[2]);
        let (expected, help) =
            below.split_once("; ").filter(|(first, _)| !first.contains('?')).unwrap_or((&below, ""));
        (parts[1], parts[2]) = (expected.to_owned(), help.to_owned());
    }
    parts.iter().filter(|part| !part.is_empty()).fold(place, |all, part| format!("{all} | {part}"))
}

fn explore(directory: &Path, text: &[u8]) -> Ran {
    fs::write(directory.join("s.toml"), text).expect("it can be written");
    apmatrix_in(directory, &["explore", "s.toml"])
}

#[test]
fn a_mistake_in_a_scenario_is_pointed_out_by_line_and_remedy() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let machine = "schema = \"apmatrix.machine/1\"\nname = \"m\"\nadaptor = 5\n";
    fs::write(directory.path().join("m.toml"), machine).expect("it can be written");
    let machines = "expected one of tiny, default, wide, max, or a machine file relative to this file";
    let sequence = "[[task]]\nname = \"a\"\nrun = \"true\"\n";
    #[rustfmt::skip]
    let rows: Vec<(String, String)> = vec![
        // Attributes, commands, verbs.
        (task("\"echo 4 > /sys/bus/ap/apmsk\""), "5 | there is no attribute `apmsk` | did you mean `apmask`? (/sys/bus/ap/apmsk)".into()),
        (task("\"\"\"\ncat /sys/bus/ap/apmask\n\n# c\ncat /sys/bus/ap/nothing\n\"\"\""), format!("9 | there is no attribute `nothing` | {COMMANDS} (/sys/bus/ap/nothing)")),
        (task("'''\ncat /sys/bus/ap/nothing'''"), format!("6 | there is no attribute `nothing` | {COMMANDS} (/sys/bus/ap/nothing)")),
        (task("\"\"\"\r\n\r\ncat /sys/bus/ap/nothing\r\n\"\"\""), format!("7 | there is no attribute `nothing` | {COMMANDS} (/sys/bus/ap/nothing)")),
        (task("\"cat /sys/bus/pa/apmask\""), "5 | there is no directory `pa` | did you mean `ap`? (/sys/bus/pa/apmask)".into()),
        (task("\"echo 1 > /tmp/x\""), "5 | there is no `/tmp/x` | expected a path below /sys: nothing else is there".into()),
        (task("\"echo 1 > $NOT_SET/assign_adapter\""), "5 | there is no `/assign_adapter` | expected a path below /sys: nothing else is there".into()),
        (task("\"plugg 4\""), "5 | there is no command `plugg` | expected a command of `apmatrix shell`; its `help` lists them".into()),
        (task("\"hw plugg 4\""), "5 | `hw plugg 4` is not understood | `plugg` is no hw verb: expected plug, unplug, control, configure, deconfigure, checkstop, repair, type, fault, keys, set, modules or advance; did you mean `plug`?".into()),
        (task("\"guest start g no-uuid\""), "5 | `guest start g no-uuid` is not understood | `no-uuid` is no UUID: expected 36 characters like 62177883-f1bb-47f0-914d-32a22e3a8804".into()),
        (task("\"hw modules load vfio\""), "5 | `hw modules load vfio` is not understood | `vfio` is no module: expected ap, zcrypt, zcrypt_cex4, mdev or vfio_ap".into()),
        (task("\"cat\""), format!("5 | `cat` fails: cat: a path is missing, there is no standard input (usage: cat PATH…) | {MEND}")),
        (task("\"sleep abc\""), format!("5 | `sleep abc` fails: sleep: abc is no time up to a year (usage: sleep N) | {MEND}")),
        (task("\"events\""), "5 | a scenario keeps no events | leave it out: the report's traces tell what happened".into()),
        (task("\"cat /sys/bus/ap/apmask | cat\""), "5 | pipes are not supported | use $(COMMAND), or run programs under `apmatrix run`".into()),
        (task("\"while true; do true; done\""), "5 | `while` is not supported | loops run over words only: for X in WORDS; do …; done".into()),
        (task("\"\"\"\ntrue\necho 'x > /sys/bus/ap/apmask\n\"\"\""), "7 | this ' is never closed | add a closing '".into()),
        (task("\"cat /sys/bus/ap/apmask &\""), "5 | a task can't put a command into the background | expected a task of its own for what runs at the same time".into()),
        // What never ends.
        (task("\"\"\"\nD='1 2 3 4 5 6 7 8 9 0'\nfor a in $D; do for b in $D; do for c in $D; do for d in $D; do for e in $D; do for f in $D; do\ntrue; done; done; done; done; done; done\n\"\"\""), "8 | `true` fails: sh: the script does more than it may: stopped | let it do less: a scenario's task has a few commands, every order of which is tried".into()),
        (format!("{HEAD}{HELD}[[task]]\nname = \"a\"\nrun = \"{REMOVE}\"\n{OTHER}"), "10 | the task never ends: this command waits, and nobody is left to end its wait | add a task that does (a removal waits until `guest stop`), or order the commands".into()),
        (format!("{HEAD}{HELD}[[task]]\nname = \"a\"\nrun = \"\"\"\n{REMOVE}\nguest stop g\n\"\"\"\n{OTHER}"), "11 | the task never ends: this command waits, and nobody is left to end its wait | add a task that does (a removal waits until `guest stop`), or order the commands".into()),
        (format!("{HEAD}{}{OTHER}", HELD.replace("001\n\"\"\"", &format!("001\n{REMOVE} &\n\"\"\""))), "7 | the set-up fails: it never returned | do it in a task, where others can end its wait".into()),
        (setup("\"sleep 2m; sleep 59m\""), "3 | the set-up lets more than an hour of machine time pass | expected less: a machine that was booted waits for nothing".into()),
        (setup("\"hw advance 9999999999\""), "3 | the set-up lets more than an hour of machine time pass | expected less: a machine that was booted waits for nothing".into()),
        // The set-up.
        (setup("\"\"\"\n# c\necho 0x0 > /sys/bus/ap/apmask\necho zz > /sys/bus/ap/apmask\n\"\"\""), "6 | the set-up fails: scenario:3: /sys/bus/ap/apmask: Invalid argument (EINVAL) | expected a set-up whose every command succeeds; the same lines in `apmatrix shell`, and then `why`, tell what is in the way".into()),
        (setup("\"\"\"\n\necho 0 > /sys/bus/ap/aqmsk\n\"\"\""), "5 | there is no attribute `aqmsk` | did you mean `aqmask`? (/sys/bus/ap/aqmsk)".into()),
        (setup("\"hw plug\""), "3 | `hw plug` is not understood | `hw plug` needs more words: expected AP[-AP] | .DOM[-DOM] | APQN".into()),
        (setup("\"\"\"\nhw plug 4\nhw checkstop 999\n\"\"\""), "5 | `hw checkstop 999` is not understood | `999` is no id: expected 0-255, or 0x and hex digits".into()),
        (setup("\"hw fault 04.0006 foo=1\""), "3 | `hw fault 04.0006 foo=1` is not understood | `foo` is no key of a queue's faults: expected rc, busy, rip, resetlat, zrc, trc, bs, irq".into()),
        // The machine.
        (HEAD.replace("tiny", "tinny") + OTHER, format!("2 | there is no machine `tinny` | {machines} | did you mean `tiny`?")),
        (HEAD.replace("tiny", "../x/n.toml") + OTHER, format!("2 | there is no machine `../x/n.toml` | {machines} | ../x/n.toml does not exist")),
        (HEAD.replace("tiny", "") + OTHER, format!("2 | there is no machine `` | {machines}")),
        (HEAD.replace("tiny", "m.toml") + OTHER, "2 | the machine file m.toml:3 cannot be used: unknown key `adaptor` | expected a known key; did you mean `adapter`? | `apmatrix machine check m.toml` says more".into()),
        (HEAD.replace("tiny", "s.toml") + OTHER, "2 | the machine file s.toml:1 cannot be used: unknown schema `apmatrix.scenario/1` | expected \"apmatrix.machine/1\" | `apmatrix machine check s.toml` says more".into()),
        // Keys and shapes.
        (String::new(), "1 | the key `schema` is missing | begin with `schema = \"apmatrix.scenario/1\"`".into()),
        (HEAD.replace("scenario/1", "scenario/2") + OTHER, "1 | unknown schema `apmatrix.scenario/2` | expected \"apmatrix.scenario/1\" | this version of apmatrix reads version 1 of scenario files only".into()),
        (HEAD.replace("machine =", "machin =") + OTHER, "2 | unknown key `machin` | expected a known key; did you mean `machine`? | known here: schema, title, machine, kernel, setup, task, expect".into()),
        (HEAD.replace("\"tiny\"", "5") + OTHER, "2 | invalid type: integer `5` | expected a text in quotation marks: \"5\"".into()),
        (format!("{HEAD}machine = \"tiny\"\n{OTHER}"), "3 | duplicate key | not TOML".into()),
        (HEAD.into(), "2 | the scenario has no task | expected at least one `[[task]]` with `name` and `run`".into()),
        (HEAD.to_owned() + &OTHER.replace("[[task]]", "[task]"), "3 | `[task]` is one table, and there can be several | expected `[[task]]`".into()),
        (HEAD.to_owned() + &OTHER.replace("run =", "rum ="), "5 | unknown key `rum` | expected a known key; did you mean `run`? | known here: name, run".into()),
        (format!("{HEAD}[[task]]\nname = \"a\"\n"), "3 | the key `run` is missing | expected `run = …` here".into()),
        (task("\"\""), "5 | the task does nothing | expected a command".into()),
        (task("\"# nothing\""), "5 | the task does nothing | expected a command".into()),
        (format!("{HEAD}{OTHER}{OTHER}"), "7 | two tasks are called `b` | expected a name of its own".into()),
        (HEAD.to_owned() + &OTHER.replace("\"b\"", "\"a b\""), "4 | `a b` is no task's name | expected a word without blanks".into()),
        (HEAD.to_owned() + &(0..16).map(|n| sequence.replace("\"a\"", &format!("\"t{n}\""))).collect::<String>(), "48 | 16 tasks are too many | expected at most 15".into()),
        // What is expected.
        (expect("verdict = \"claen\""), "10 | `claen` is no verdict | expected one of clean, deadlock, livelock, race, use-after-free, stolen, shared, unfiltered, unreset, leak, spurious-busy, not-linearizable, panic | did you mean `clean`?".into()),
        (expect("verdct = \"clean\""), "10 | unknown key `verdct` | expected a known key; did you mean `verdict`? | known here: verdict, outcomes".into()),
        (expect("outcomes = [\n  { a = \"ok\", b = \"ok\" },\n  { a = \"EBUSSY\", b = \"ok\" },\n]"), "12 | `EBUSSY` is no result | expected `ok`, the name of an errno like `EBUSY`, or `failed`".into()),
        (expect("outcomes = [\n  { a = \"ok\", c = \"ok\" },\n]"), "11 | no task is called `c` | expected one of a, b".into()),
        (expect("outcomes = [\n  { a = \"ok\" },\n]"), "11 | the outcome says nothing of task `b` | expected a result of every task".into()),
    ];
    for (text, expected) in rows {
        let Ran { status, out, err } = explore(directory.path(), text.as_bytes());
        assert_eq!((status, out.as_str()), (4, ""), "{text}\n{err}");
        assert_eq!(said(&err, "s.toml"), expected, "{text}\n{err}");
    }
}

#[test]
fn what_is_no_text_or_no_file_is_status_4() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hint = "expected a scenario file; `apmatrix explore --list` names those in\n  `scenarios/`";
    let text = b"schema = \"apmatrix.scenario/1\"\ntitle = \"\xff\"\n";
    let Ran { status, err, .. } = explore(directory.path(), text);
    assert_eq!((status, err), (4, format!("error: s.toml:2: the text is not UTF-8\nhint: {hint}\n")));
    for (name, what) in [("none.toml", "No such file or directory"), (".", "Is a directory")] {
        let Ran { status, err, .. } = apmatrix_in(directory.path(), &["explore", name]);
        assert_eq!((status, err), (4, format!("error: {name}: {what}\nhint: {hint}\n")));
    }
}

/// More than ten thousand steps were called a livelock once.
#[test]
fn a_task_that_takes_many_steps_is_no_livelock() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let words = "1 2 3 4 5 6 7 8 9 0 ".repeat(4);
    let run = format!("\"for a in {words}; do tree /sys/bus/ap; done\"");
    let Ran { status, out, err } = explore(directory.path(), task(&run).as_bytes());
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert!(out.starts_with("clean"), "{out}");
}

/// What is not as expected is said of each outcome, whichever order they are listed in; a budget that is too small is
/// no proof.
#[test]
fn outcomes_that_are_missing_or_too_many_are_told_and_no_proof_is_unknown() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let text = format!(
        "{HEAD}[[task]]\nname = \"a\"\nrun = \"echo -6 > /sys/bus/ap/aqmask\"\n[[task]]\nname = \"b\"\n\
        run = \"echo 6 > /sys/bus/ap/ap_domain\"\n[expect]\noutcomes = [{{ b = \"EBUSY\", a = \"ok\" }}, {{ a = \"ok\", b = \"ok\" }}]\n"
    );
    let Ran { status, out, .. } = explore(directory.path(), text.as_bytes());
    assert_eq!(status, 1);
    let lines: Vec<&str> = out.lines().take(3).collect();
    assert!(lines[0].starts_with("not as expected "), "{out}");
    assert_eq!(
        lines[1..],
        ["  + a=ok b=EINVAL   (found, not expected)", "  - a=ok b=EBUSY   (expected, never found)"]
    );
    let Ran { status, out, .. } =
        apmatrix_in(directory.path(), &["explore", "s.toml", "--budget", "0", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&out).expect("a document");
    assert_eq!((status, &document["verdict"], &document["exhausted"]), (1, &"unknown".into(), &false.into()));
}
