//! H21, H24: manual pages, completion, and what `--help` has to say.

use std::fs;
use std::process::Command;

use crate::common::{apmatrix, apmatrix_in};
use crate::pseudo::Terminal;

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
        if name.matches('-').count() == 1 {
            assert!(find("EXAMPLES") > find("EXIT STATUS"), "{name}: {sections:?}");
        }
        pages += 1;
    }
    assert!(pages > 20, "{pages}");
    // As it is shown: examples stand in columns, as they were written.
    let Ok(shown) = Command::new("man")
        .env("MANWIDTH", "80")
        .args(["-l", "apmatrix-run.1"])
        .current_dir(directory.path())
        .output()
    else {
        eprintln!("SKIPPED h21: man is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&shown.stdout).replace('\u{8}', "");
    let example = "apmatrix run --machine tiny -- ls /sys/bus/ap/devices";
    assert!(text.lines().any(|line| line.trim() == example), "{text}");
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

/// Whether a shell is installed; says so if it is not.
fn is_there(shell: &str) -> bool {
    let there = Command::new(shell).args(["-c", "true"]).output().is_ok();
    if !there {
        eprintln!("SKIPPED h21: {shell} is not installed, so its completion is not tried");
    }
    there
}

/// A path that begins with the folder of the program.
fn path() -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_apmatrix"));
    format!("{}:/usr/bin:/bin", program.parent().expect("a folder").display())
}

#[test]
fn h21_zsh_completes_as_it_is_told() {
    if !is_there("zsh") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path().display().to_string();
    let path = path();
    let variables = [("TERM", "xterm"), ("PATH", &path), ("HOME", &home), ("ZDOTDIR", &home)];
    // As a user has it: the file that `--help` names, in a folder of `fpath`.
    fs::write(directory.path().join("_apmatrix"), apmatrix(&["completions", "zsh"]).ok()).expect("a file");
    let mut terminal = Terminal::of(120, &variables, "zsh", &["-f", "-i"]);
    terminal.press("PS1='rea''dy> '; fpath=($HOME $fpath); autoload -U compinit; compinit -u -D\r");
    terminal.until("ready> ");
    for (typed, completed) in [
        ("apmatrix run --machine ti", "tiny"),
        ("apmatrix explore --specimen seed-dead", "seed-deadlock"),
        ("apmatrix hw unpl", "unplug"),
        ("apmatrix schema machine-ch", "machine-check"),
    ] {
        terminal.press(&format!("{typed}\t"));
        terminal.until(completed);
        // The next one in its place; ^C would throw away what is typed before the prompt is back.
        terminal.press("\u{15}");
    }
    terminal.press("exit\r");
    terminal.end();
}

#[test]
fn h21_fish_completes_as_it_is_told() {
    if !is_there("fish") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    for (typed, completed) in [
        ("apmatrix run --machine ti", "tiny"),
        ("apmatrix explore --specimen seed-dead", "seed-deadlock"),
        ("apmatrix hw unpl", "unplug"),
        ("apmatrix schema machine-ch", "machine-check"),
    ] {
        let script = format!("apmatrix completions fish | source; complete -C '{typed}'");
        let output = Command::new("fish")
            .args(["--no-config", "-c", &script])
            .env_clear()
            .env("PATH", path())
            .env("HOME", directory.path())
            .output()
            .expect("fish is there");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).collect();
        assert!(words.contains(&completed), "{typed}: {said} {}", String::from_utf8_lossy(&output.stderr));
    }
}
