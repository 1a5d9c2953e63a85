//! H11: no line is longer than the terminal is wide, and a wide one is used.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;

use crate::common::apmatrix_in;
use crate::pseudo::Terminal;

const SCENARIO: &str = "schema = \"apmatrix.scenario/1\"\nmachine = \"default\"\n\
    title = \"a title that is so long that it would flood a terminal of eighty columns if nobody cut it\"\n\
    [[task]]\nname = \"a-task-with-a-long-name\"\nrun = \"echo -4 > /sys/bus/ap/apmask\"\n\
    [[task]]\nname = \"b\"\nrun = \"echo 6 > /sys/bus/ap/ap_domain\"\n\
    [expect]\noutcomes = [{ a-task-with-a-long-name = \"EBUSY\", b = \"ok\" }]\n";
const DESIRED: &str = "schema = \"apmatrix.desired/1\"\n[host]\napmask = \"-4\"\n\
    [[mdev]]\nuuid = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\nadapters = 4\ndomains = [6, 71]\n";
const STUCK: &str = "schema = \"apmatrix.desired/1\"\n\
    [[mdev]]\nuuid = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\nadapters = 4\ndomains = [6, 71]\n";
const WRONG: &str = "schema = \"apmatrix.machine/1\"\ndomain = [4]\nmax_adapter = 3\n[[adapter]]\nid = 64\ntype = \"CEX8C\"\n";

/// Commands that print for people: with the built-in machines, what is right and what is wrong.
const COMMANDS: &[&[&str]] = &[
    &["--help"],
    &["machine", "list"],
    &["machine", "list", "--kernels"],
    &["machine", "check", "wrong.toml"],
    &["explore", "--list"],
    &["explore", "s.toml"],
    &["explore", "s.toml", "s.toml"],
    &["explore", "--specimen", "seed-deadlock"],
    &["explore", "--specimen", "seed-theft"],
    &["explore", "--specimen", "shipped"],
    &["explore", "--sequences", "--depth", "1"],
    &["plan", "d.toml", "--machine", "default"],
    &["plan", "stuck.toml", "--machine", "default"],
    &["fits", "default", "tiny"],
    &["fits", "wide", "max"],
    &["schema"],
    &["why", "--machine", "default", "apmask", "zz"],
    &["why", "--machine", "wide", "aqmask", "-6"],
    &["exec", "nobody"],
    &["explore", "none.toml"],
    &["run", "--machine", "tini"],
    &["replay", "t.jsonl"],
    &["hw", "--root", "nowhere", "plug", "4"],
    &["ls", "--root", "nowhere"],
    &["shell", "--machine", "tiny", "-c", "help; hw --help; guest --help; apmatrix ls"],
    &["shell", "--machine", "default", "-c", "apmatrix ls; echo +zz > /sys/bus/ap/apmask; why"],
    &["shell", "--machine", "max", "-c", "apmatrix ls 255"],
];

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let transcript = "{\"i\":0,\"op\":\"hw\",\"cmd\":\"apm none\",\"errno\":0}\n\
        {\"i\":1,\"op\":\"stat\",\"path\":\"/sys/bus/ap\",\"errno\":0,\"mode\":\"040755\",\"size\":0}\n";
    for (name, text) in [
        ("s.toml", SCENARIO),
        ("d.toml", DESIRED),
        ("stuck.toml", STUCK),
        ("wrong.toml", WRONG),
        ("t.jsonl", transcript),
    ] {
        fs::write(directory.path().join(name), text).expect("a file");
    }
    directory
}

/// The columns of a line.
fn columns(line: &str) -> usize {
    line.chars().count()
}

/// What cannot be broken without harm: masks, paths and commands that are to be copied.
fn is_one_word(line: &str) -> bool {
    let text = line.trim_start();
    let longest = text.split(' ').map(columns).max().unwrap_or(0);
    longest > 60 || text.starts_with("echo ")
}

#[test]
fn h11_no_line_is_longer_than_eighty_columns() {
    let directory = directory();
    let mut commands: Vec<Vec<&str>> = COMMANDS.iter().map(|command| command.to_vec()).collect();
    let program = apmatrix::cli::Cli::command();
    let names = program.get_subcommands().filter(|command| !command.is_hide_set());
    let names: Vec<&str> = names.map(clap::Command::get_name).collect();
    commands.extend(names.iter().map(|name| vec![*name, "--help"]));
    let mut long = Vec::new();
    for command in &commands {
        let ran = apmatrix_in(directory.path(), command);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(!all.is_empty(), "{command:?} prints something");
        assert!(!all.contains('\u{1b}'), "{command:?}: no escapes where there is no terminal");
        for line in all.lines().filter(|line| columns(line) > 80 && !is_one_word(line)) {
            long.push(format!("{command:?}: {line}"));
        }
    }
    assert!(long.is_empty(), "{} lines:\n{}", long.len(), long.join("\n"));
}

/// What a command shows on a terminal, without the terminal's returns.
fn shown(width: u16, directory: &Path, command: &[&str]) -> String {
    let mut arguments: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    for word in &mut arguments {
        if word.ends_with(".toml") {
            *word = directory.join(&word).display().to_string();
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = Terminal::start(width, &arguments).end().1;
    // What is shown of a line is what was written last: progress goes again.
    let last = |line: &str| line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default().to_owned();
    text.split('\n').map(last).collect::<Vec<_>>().join("\n")
}

/// The lines without what colours them.
fn plain(text: &str) -> Vec<String> {
    let strip = |line: &str| {
        let (mut plain, mut inside) = (String::new(), false);
        for letter in line.chars() {
            match (inside, letter) {
                (false, '\u{1b}') => inside = true,
                (true, letter) => inside = !letter.is_ascii_alphabetic(),
                (false, letter) => plain.push(letter),
            }
        }
        plain
    };
    text.lines().map(strip).collect()
}

#[test]
fn h11_a_wide_terminal_is_used_and_a_narrow_one_kept_to() {
    let directory = directory();
    for command in [
        &["explore", "--list"][..],
        &["machine", "list"],
        &["schema"],
        &["explore", "--specimen", "seed-deadlock"],
        &["why", "--machine", "default", "apmask", "zz"],
    ] {
        let mut lengths = Vec::new();
        for width in [80, 200] {
            let lines = plain(&shown(width, directory.path(), command));
            let longest =
                lines.iter().filter(|line| !is_one_word(line)).map(|line| columns(line)).max().unwrap_or(0);
            assert!(longest <= usize::from(width), "{command:?} at {width}: {longest}\n{}", lines.join("\n"));
            lengths.push((lines.len(), longest));
        }
        assert!(lengths[1].0 <= lengths[0].0, "{command:?}: at 200 no more lines than at 80: {lengths:?}");
    }
    let wide = plain(&shown(200, directory.path(), &["explore", "--list"]));
    assert!(wide.iter().any(|line| columns(line) > 80), "the room is used");
}

#[test]
fn h11_no_colour_is_asked_for_by_its_variable() {
    let directory = directory();
    let coloured = shown(80, directory.path(), &["explore", "--specimen", "seed-theft"]);
    assert!(coloured.contains('\u{1b}'), "on a terminal there are colours");
    let plain = shown(80, directory.path(), &["--color", "never", "explore", "--specimen", "seed-theft"]);
    assert!(!plain.contains("\u{1b}[1m"), "{plain:?}");
}
