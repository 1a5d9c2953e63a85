//! H11: no line is longer than the terminal is wide, and a wide one is used.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;

use crate::common::apmatrix_in;
use crate::pseudo::Terminal;
use crate::running::can_run;

const SCENARIO: &str = "schema = \"apmatrix.scenario/1\"\nmachine = \"default\"\n\
    title = \"a title that is so long that it would flood a terminal of eighty columns if nobody cut it\"\n\
    [[task]]\nname = \"a-task-with-a-long-name\"\nrun = \"echo -4 > /sys/bus/ap/apmask\"\n\
    [[task]]\nname = \"b\"\nrun = \"echo 6 > /sys/bus/ap/ap_domain\"\n\
    [expect]\noutcomes = [{ a-task-with-a-long-name = \"EBUSY\", b = \"ok\" }]\n";
const DESIRED: &str = "schema = \"apmatrix.desired/1\"\n[host]\napmask = \"-4\"\n\
    [[mdev]]\nuuid = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\nadapters = 4\ndomains = [6, 71]\n";
const STUCK: &str = "schema = \"apmatrix.desired/1\"\n\
    [[mdev]]\nuuid = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\nadapters = 4\ndomains = [6, 71]\n";
const LONG: &str = "schema = \"apmatrix.machine/1\"\nkernel = { base = \"6.12\", drivr-override = true, mask-write-asks = true, \
    another-flag-that-is-none = true }\ndomains = [6, 300]\nfeatures = [\"APSC\", \"apxa\"]\n";
const TASK: &str = "schema = \"apmatrix.scenario/1\"\nmachine = \"tiny\"\n[[task]]\nname = \"a\"\nrun = \"hw plugg 4\"\n\
    [expect]\nverdict = \"cleen\"\n";
const MDEVCTL: &str = "[{\"matrix\": [{\"62177883-f1bb-47f0-914d-32a22e3a8804\": {\"mdev_type\": \"vfio_ap-passthrough\", \
    \"start\": \"auto\", \"attrs\": [{\"assign_adaptr\": \"5\"}, {\"assign_domain\": \"0x6\"}]}}]}]";
const WRONG: &str = "schema = \"apmatrix.machine/1\"\ndomain = [4]\nmax_adapter = 3\n[[adapter]]\nid = 64\ntype = \"CEX8C\"\n";

/// Commands that print for people: with the built-in machines, what is right and what is wrong.
const COMMANDS: &[&[&str]] = &[
    &["--help"],
    &["demo"],
    &["machine", "list"],
    &["machine", "list", "--kernels"],
    &["machine", "check", "wrong.toml"],
    &["machine", "check", "long.toml"],
    &["machine", "show", "tiny"],
    &["explore", "task.toml"],
    &["plan", "mdevs.json", "--machine", "tiny"],
    &["explore", "--sequences", "--alphabet", "removals", "--depth", "3"],
    &["explore", "--specimen", "v12-07-trylock-theft_race"],
    &["fits", "long.toml", "tiny"],
    &["shell", "--machine", "tiny", "-c", "why"],
    &["explore", "--list"],
    &["explore", "s.toml"],
    &["explore", "s.toml", "s.toml"],
    &["explore", "--specimen", "seed-deadlock"],
    &["explore", "--specimen", "seed-theft"],
    &["explore", "--specimen", "shipped"],
    &["explore", "--sequences", "--depth", "1"],
    &["plan", "d.toml", "--machine", "default"],
    &["plan", "d.toml", "--machine", "default", "--prove"],
    &["plan", "stuck.toml", "--machine", "default"],
    &["machine", "show", "max"],
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
    &["shell", "--machine", "tiny", "-c", REFUSED],
    &["run", "--kernel", "9"],
    &["explore", "--depth", "-1"],
    &["ls", "--machine", "tiny"],
    &["man", "/dev/null/deep/in/a/directory/that/is/nowhere/and/has/a/name/that/is/longer/than/the/line"],
];

/// Refusals whose change is in files with long names; the shell's own lines are for those who read `FILE:LINE: …`.
const REFUSED: &str = "M=/sys/devices/vfio_ap/matrix; U=62177883-f1bb-47f0-914d-32a22e3a8804\n\
    echo $U > $M/mdev_supported_types/vfio_ap-passthrough/create; echo -4 > /sys/bus/ap/apmask\n\
    echo 4 > $M/$U/assign_adapter; echo 6 > $M/$U/assign_domain\n\
    echo +4 > /sys/bus/ap/apmask; why; echo zz > $M/$U/unassign_control_domain 2> /dev/null; why";

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let transcript = "{\"i\":0,\"op\":\"hw\",\"cmd\":\"apm none\",\"errno\":0}\n\
        {\"i\":1,\"op\":\"stat\",\"path\":\"/sys/bus/ap\",\"errno\":0,\"mode\":\"040755\",\"size\":0}\n";
    for (name, text) in [
        ("s.toml", SCENARIO),
        ("d.toml", DESIRED),
        ("stuck.toml", STUCK),
        ("wrong.toml", WRONG),
        ("long.toml", LONG),
        ("task.toml", TASK),
        ("mdevs.json", MDEVCTL),
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
        // Where no terminal is, the shell's refusals stay one line for those who read `FILE:LINE: …`.
        for line in all.lines().filter(|line| columns(line) > 80 && !line.starts_with("-c:")) {
            long.push(format!("{command:?}: {line}"));
        }
    }
    assert!(long.is_empty(), "{} lines:\n{}", long.len(), long.join("\n"));
}

/// Commands with no line of their own in [`COMMANDS`]: they show their errors there, or nothing, or what a program reads.
const ELSEWHERE: &[(&str, &str)] = &[
    ("apply", "within a run, below"),
    ("revert", "within a run, below"),
    ("confirm", "within a run, below"),
    ("recover", "within a run, below"),
    ("events", "within a run, below; elsewhere lines are for grep"),
    ("guest", "within a run, below"),
    ("import", "a machine file, whose lines are the format's"),
    ("completions", "a shell's script"),
    ("mount", "says nothing"),
    ("view", "frames of its own, tested with them"),
    ("serve", "an address"),
];

#[test]
fn h11_every_command_is_looked_at() {
    let program = apmatrix::cli::Cli::command();
    for name in
        program.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name)
    {
        let here = COMMANDS.iter().any(|command| command.first() == Some(&name));
        let elsewhere = ELSEWHERE.iter().any(|(other, _)| *other == name);
        assert!(here != elsewhere, "{name}: in COMMANDS {here}, in ELSEWHERE {elsewhere}");
    }
}

#[test]
fn h11_what_is_told_within_a_run_keeps_to_the_width() {
    if !can_run("h11, within a run") {
        return;
    }
    let directory = directory();
    let file = directory.path().join("d.toml").display().to_string();
    let script = format!(
        "apmatrix apply {file}; apmatrix revert; apmatrix confirm; apmatrix recover; apmatrix guest --help; \
         apmatrix apply {file} --confirm 60; apmatrix confirm; apmatrix events"
    );
    for width in [80, 120] {
        let text = raw(
            width,
            &[("TERM", "xterm")],
            directory.path(),
            &["run", "--machine", "default", "--", "sh", "-c", &script],
        );
        let lines = plain(&text);
        let long: Vec<&String> =
            lines.iter().filter(|line| columns(line.trim_end()) > usize::from(width)).collect();
        assert!(long.is_empty(), "at {width}: {long:#?}");
        for said in ["step 1 of", "step 1 back", "uevent"] {
            assert!(text.contains(said), "{said:?} is among what was told: {text}");
        }
    }
}

/// What a command shows on a terminal, without the terminal's returns.
fn shown(width: u16, directory: &Path, command: &[&str]) -> String {
    let text = raw(width, &[("TERM", "xterm")], directory, command);
    // What is shown of a line is what was written last: progress goes again.
    let last = |line: &str| line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default().to_owned();
    text.split('\n').map(last).collect::<Vec<_>>().join("\n")
}

/// All that a command sends to a terminal, with these variables.
fn raw(width: u16, variables: &[(&str, &str)], directory: &Path, command: &[&str]) -> String {
    let mut arguments: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    for word in &mut arguments {
        if word.ends_with(".toml") || word.ends_with(".jsonl") {
            *word = directory.join(&word).display().to_string();
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Terminal::with(width, variables, &arguments).end().1
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
            let longest = lines.iter().map(|line| columns(line)).max().unwrap_or(0);
            assert!(longest <= usize::from(width), "{command:?} at {width}: {longest}\n{}", lines.join("\n"));
            lengths.push((lines.len(), longest));
        }
        assert!(lengths[1].0 <= lengths[0].0, "{command:?}: at 200 no more lines than at 80: {lengths:?}");
    }
    let wide = plain(&shown(200, directory.path(), &["explore", "--list"]));
    assert!(wide.iter().any(|line| columns(line) > 80), "the room is used");
}

/// What shows colours, or could: what is right, what is wrong, a wrong file, a wrong option.
const COLOURED: &[&[&str]] = &[
    &["--help"],
    &["explore", "--help"],
    &["explore", "--specimen", "seed-theft"],
    &["explore", "--specimen", "shipped"],
    &["explore", "s.toml"],
    &["explore", "--sequences", "--depth", "2"],
    &["plan", "d.toml", "--machine", "default"],
    &["plan", "stuck.toml", "--machine", "default"],
    &["why", "--machine", "default", "apmask", "zz"],
    &["machine", "check", "wrong.toml"],
    &["machine", "list"],
    &["replay", "t.jsonl"],
    &["machine", "check", "long.toml"],
    &["ls", "--jsn"],
    &["ls", "tiny"],
];

#[test]
fn h11_no_color_asks_for_no_escape_sequence() {
    let directory = directory();
    let mut coloured = 0;
    for command in COLOURED {
        for plain in [&[("TERM", "xterm"), ("NO_COLOR", "1")][..], &[("TERM", "dumb")]] {
            let text = raw(80, plain, directory.path(), command);
            assert!(!text.is_empty(), "{command:?}: it says something");
            assert!(!text.contains('\u{1b}'), "{command:?} with {plain:?}: {text:?}");
        }
        // Empty means nothing, as is usual.
        let text = raw(80, &[("TERM", "xterm"), ("NO_COLOR", "")], directory.path(), command);
        coloured += usize::from(text.contains('\u{1b}'));
    }
    assert!(coloured > COLOURED.len() / 2, "on a terminal there are colours: {coloured}");
}

#[test]
fn h11_at_forty_columns_nothing_breaks() {
    let directory = directory();
    let variables = [("TERM", "xterm"), ("NO_COLOR", "1")];
    for command in COLOURED {
        let mut arguments: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        for word in arguments.iter_mut().filter(|word| word.ends_with(".toml") || word.ends_with(".jsonl")) {
            *word = directory.path().join(&word).display().to_string();
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (status, text) = Terminal::with(40, &variables, &arguments).end();
        assert!(status.is_some_and(|status| status < 100), "{command:?}: {status:?} {text}");
        assert!(!text.trim().is_empty() && !text.contains("panicked"), "{command:?}: {text}");
    }
    // What is said, and not to be copied, keeps to it.
    let why = raw(40, &variables, directory.path(), &["why", "--machine", "default", "apmask", "zz"]);
    let longest = why.lines().map(|line| columns(line.trim_end())).max();
    assert!(longest <= Some(40), "{longest:?}\n{why}");
}

#[test]
fn h11_no_color_leaves_the_line_editor_its_cursor() {
    let mut terminal =
        Terminal::with(80, &[("TERM", "xterm"), ("NO_COLOR", "1")], &["shell", "--machine", "tiny"]);
    terminal.until("tiny:/sys# ");
    terminal.press("apmatrix ls; why apmask zz\r");
    let mut text = terminal.until("terms like");
    let (status, rest) = terminal.leave();
    text += &rest;
    assert_eq!(status, Some(0), "{text:?}");
    // What sets colours ends in `m`; what moves the cursor does not.
    for sequence in text.split('\u{1b}').skip(1) {
        let end =
            sequence.find(|letter: char| letter.is_ascii_alphabetic() || letter == '=' || letter == '>');
        let end = end.and_then(|at| sequence[at..].chars().next());
        assert_ne!(end, Some('m'), "{sequence:?} in {text:?}");
    }
}

#[test]
fn h11_no_colour_is_asked_for_by_its_option() {
    let directory = directory();
    let coloured = shown(80, directory.path(), &["explore", "--specimen", "seed-theft"]);
    assert!(coloured.contains('\u{1b}'), "on a terminal there are colours");
    let plain = shown(80, directory.path(), &["--color", "never", "explore", "--specimen", "seed-theft"]);
    assert!(!plain.contains("\u{1b}[1m"), "{plain:?}");
}
