//! H21, H24: manual pages, completion, and what `--help` has to say.

use std::fs;
use std::process::Command;

use crate::common::{apmatrix, apmatrix_in};
use crate::pseudo::Terminal;
use crate::running::can_run;
use crate::skip::skip;

#[test]
fn h24_help_of_run_says_who_one_is_and_what_one_reaches() {
    let help = apmatrix(&["run", "--help"]).ok();
    let help: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in ["uid 0", "a network of its own", "--no-uevents keeps the host's", "as an ordinary user"] {
        assert!(help.contains(said), "{said}: {help}");
    }
}

#[test]
fn h21_each_manual_page_has_its_sections() {
    let directory = tempfile::tempdir().expect("a directory");
    apmatrix_in(directory.path(), &["man", "."]).ok();
    let mut pages = 0;
    for entry in fs::read_dir(directory.path()).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a page");
        let sections: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let find = |section: &str| sections.iter().position(|known| known.trim_matches('"') == section);
        let needed = ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"];
        let places: Vec<Option<usize>> = needed.iter().map(|section| find(section)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{name}: {sections:?}");
        assert_eq!(find("EXTRA"), None, "{name}");
        // The pages of a command's own subcommands have no examples.
        if name.matches('-').count() <= 1 {
            assert!(find("EXAMPLES") > find("EXIT STATUS"), "{name}: {sections:?}");
        }
        if FILES.contains(&name.strip_prefix("apmatrix").expect("ours").trim_matches(['-', '.', '1'])) {
            assert!(find("FILES") > find("EXIT STATUS"), "{name}: {sections:?}");
        }
        assert!(text.is_ascii(), "{name}: it can be read in any locale");
        pages += 1;
    }
    assert!(pages > 20, "{pages}");
}

/// The commands that use files that are not named on their command lines; the first page is about all.
const FILES: [&str; 18] = [
    "", "run", "exec", "mount", "view", "serve", "ls", "hw", "guest", "events", "why", "explore", "import",
    "plan", "apply", "confirm", "revert", "recover",
];

#[test]
fn h21_each_manual_page_is_shown_without_a_warning_and_fits() {
    if !is_there("man", &["--version"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    apmatrix_in(directory.path(), &["man", "."]).ok();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(directory.path()).expect("a directory") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let shown = Command::new("man")
            .args(["--warnings=w", "-l", &name])
            .envs([("MANWIDTH", "80"), ("LC_ALL", "C.UTF-8"), ("MANPAGER", "cat")])
            .current_dir(directory.path())
            .output()
            .expect("man is there");
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        let warned = String::from_utf8_lossy(&shown.stderr).into_owned();
        if !shown.status.success() || !warned.is_empty() {
            wrong.push(format!("{name}: {} {warned}", shown.status));
        }
        assert!(text.lines().any(|line| line == "SEE ALSO"), "{name}: {text}");
        let long = text.lines().filter(|line| line.chars().count() > 80);
        wrong.extend(long.map(|line| format!("{name}: {line}")));
        // Examples stand in columns, as they were written.
        let example = "apmatrix run --machine tiny -- ls /sys/bus/ap/devices";
        if ["apmatrix.1", "apmatrix-run.1"].contains(&name.as_str()) {
            assert!(text.lines().any(|line| line.trim() == example), "{name}: {text}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What a shell completes, as it asks.
fn completed(directory: &std::path::Path, words: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_apmatrix"))
        .env_clear()
        .env("APMATRIX_COMPLETE", "fish")
        .current_dir(directory)
        .arg("--")
        .args(words)
        .output()
        .expect("it starts");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn h21_shells_complete_what_there_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    fs::create_dir(at.join("scenarios")).expect("a directory");
    fs::write(at.join("scenarios/mask-against-assign.toml"), "").expect("a file");
    fs::write(at.join("mine.toml"), "").expect("a file");
    let has = |words: &[&str], wanted: &str| {
        let found = completed(at, words);
        assert!(found.iter().any(|word| word == wanted), "{words:?}: {wanted} is not in {found:?}");
    };
    has(&["apmatrix", "run", "--machine", "ti"], "tiny");
    has(&["apmatrix", "run", "--machine", "mi"], "mine.toml");
    has(&["apmatrix", "explore", "--specimen", "seed-d"], "seed-deadlock");
    has(&["apmatrix", "explore", "mask-"], "mask-against-assign");
    has(&["apmatrix", "explore", "--sequences", "--alphabet", "c"], "core");
    has(&["apmatrix", "run", "--kernel", "7"], "7.1");
    has(&["apmatrix", "hw", "unp"], "unplug");
    has(&["apmatrix", "schema", "machine-"], "machine-check");
    has(&["apmatrix", "why", "/dev/nul"], "/dev/null");
    // And each shell is told how to ask.
    for shell in ["bash", "zsh", "fish"] {
        let script = apmatrix(&["completions", shell]).ok();
        assert!(script.contains("APMATRIX_COMPLETE"), "{shell}: {script}");
    }
    let script = "source <(\"$APMATRIX\" completions bash | sed \"s|=\\\"*apmatrix\\\"*\\( \\|$\\)|=$APMATRIX\\1|\"); \
        PATH=$(dirname \"$APMATRIX\"):$PATH; COMP_WORDS=(apmatrix run --machine ti); COMP_CWORD=3; COMP_TYPE=9; \
        IFS=$'\\n'; _clap_complete_apmatrix apmatrix ti --machine; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["-c", script])
        .env("APMATRIX", env!("CARGO_BIN_EXE_apmatrix"))
        .output()
        .expect("bash is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.trim(), "tiny", "{}", String::from_utf8_lossy(&output.stderr));
}

/// Whether a program is installed, tried with these arguments; says so if it is not.
fn is_there(program: &str, arguments: &[&str]) -> bool {
    let there = Command::new(program).args(arguments).output().is_ok();
    if !there {
        skip("h21", format!("{program} is not installed"));
    }
    there
}

/// A path that begins with the folder of the program.
fn path() -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_apmatrix"));
    format!("{}:/usr/bin:/bin", program.parent().expect("a folder").display())
}

/// What is typed before Tab, and what stands there then.
const TYPED: [(&str, &str); 11] = [
    ("apmatrix run --machine ti", "tiny"),
    ("apmatrix run --machine=ti", "=tiny"),
    ("apmatrix explore --specimen=seed-dead", "=seed-deadlock"),
    ("apmatrix why --machine=tiny apm", "apmask"),
    ("apmatrix explore --specimen seed-dead", "seed-deadlock"),
    ("apmatrix hw unpl", "unplug"),
    ("apmatrix schema machine-ch", "machine-check"),
    // Attributes of a machine that boots for it: there is no bus here.
    ("apmatrix why --machine tiny apm", "apmask"),
    ("apmatrix why --machine tiny bus/ap/aqm", "bus/ap/aqmask"),
    ("apmatrix why --machine tiny /sys/bus/ap/apm", "/sys/bus/ap/apmask"),
    ("apmatrix why --machine tiny 04.0006/onl", "04.0006/online"),
];

/// The same in a run, where an mdev is.
const IN_A_RUN: [(&str, &str); 3] = [
    ("apmatrix why apm", "apmask"),
    ("apmatrix why 62177883-f1bb-47f0-914d-32a22e3a8804/assign_ad", "/assign_adapter"),
    (
        "apmatrix why /sys/devices/vfio_ap/matrix/62177883-f1bb-47f0-914d-32a22e3a8804/unassign_ad",
        "/unassign_adapter",
    ),
];

/// A machine with an mdev; its file.
fn with_an_mdev(directory: &std::path::Path) -> String {
    let file = directory.join("with-an-mdev.toml");
    let text = "schema = \"apmatrix.machine/1\"\ndomains = [6]\napmask = \"-4\"\n[[adapter]]\nid = 4\ntype = \"CEX8P\"\n\
                [[mdev]]\nuuid = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\n";
    fs::write(&file, text).expect("a file");
    file.display().to_string()
}

/// Makes a shell ready, which then has the prompt `ready> `, presses Tab after each text, and ends it.
fn each_is_completed(mut terminal: Terminal, ready: &str, typed: &[(&str, &str)]) {
    terminal.press(ready);
    terminal.until("ready> ");
    for (typed, completed) in typed {
        terminal.press(&format!("{typed}\t"));
        terminal.until(completed);
        // The next one in its place; ^C would throw away what is typed before the prompt is back.
        terminal.press("\u{15}");
    }
    terminal.press("exit\r");
    terminal.end();
}

#[test]
fn h21_bash_completes_as_it_is_told() {
    if !is_there("bash", &["-c", "true"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let (home, path) = (directory.path().display().to_string(), path());
    let variables = [("TERM", "dumb"), ("PATH", &*path), ("HOME", &*home), ("XDG_RUNTIME_DIR", &*home)];
    let ready =
        "PS1='rea''dy> '; bind 'set enable-bracketed-paste off'; source <(apmatrix completions bash)\r";
    let shell = ["--norc", "--noprofile", "-i"];
    let terminal = Terminal::of(200, &variables, "bash", &shell);
    each_is_completed(terminal, ready, &TYPED);
    if can_run("h21 in bash") {
        let machine = with_an_mdev(directory.path());
        let arguments = [&["run", "--machine", &machine, "--", "bash"][..], &shell].concat();
        let terminal = Terminal::with(200, &variables, &arguments);
        each_is_completed(terminal, ready, &IN_A_RUN);
    }
}

#[test]
fn h21_zsh_completes_as_it_is_told() {
    if !is_there("zsh", &["-c", "true"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path().display().to_string();
    let path = path();
    let variables = [
        ("TERM", "xterm"),
        ("PATH", &*path),
        ("HOME", &*home),
        ("ZDOTDIR", &*home),
        ("XDG_RUNTIME_DIR", &*home),
    ];
    // As a user has it: the file that `--help` names, in a folder of `fpath`.
    fs::write(directory.path().join("_apmatrix"), apmatrix(&["completions", "zsh"]).ok()).expect("a file");
    let terminal = Terminal::of(200, &variables, "zsh", &["-f", "-i"]);
    let ready = "PS1='rea''dy> '; fpath=($HOME $fpath); autoload -U compinit; compinit -u -D\r";
    each_is_completed(terminal, ready, &TYPED);
    if can_run("h21 in zsh") {
        let machine = with_an_mdev(directory.path());
        let arguments = ["run", "--machine", &machine, "--", "zsh", "-f", "-i"];
        let terminal = Terminal::with(200, &variables, &arguments);
        each_is_completed(terminal, ready, &IN_A_RUN);
    }
}

#[test]
fn h21_fish_completes_as_it_is_told() {
    if !is_there("fish", &["-c", "true"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let machine = with_an_mdev(directory.path());
    let run = ["apmatrix", "run", "--machine", &machine, "--"];
    let inside: &[(&str, &str)] = if can_run("h21 in fish") { &IN_A_RUN } else { &[] };
    let all = TYPED.iter().map(|typed| (&[][..], typed)).chain(inside.iter().map(|typed| (&run[..], typed)));
    for (run, (typed, completed)) in all {
        let script = format!("apmatrix completions fish | source; complete -C '{typed}'");
        let output = Command::new("env")
            .args(run)
            .args(["fish", "--no-config", "-c", &script])
            .env_clear()
            .env("PATH", path())
            .env("HOME", directory.path())
            .env("XDG_RUNTIME_DIR", directory.path())
            .output()
            .expect("fish is there");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).collect();
        assert!(
            words.iter().any(|word| word.ends_with(completed)),
            "{typed}: {said} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
