//! `apmatrix man`: manual pages.
//!
//! Name, synopsis, description and options are clap's; what help says below the options becomes sections of its own,
//! each line as it stands there.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap_mangen::Man;
use roff::{Roff, bold, roman};

use crate::error::{CliError, Outcome};

/// Write manual pages, one per command
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    apmatrix man ~/.local/share/man/man1                and then: man apmatrix-run")]
pub struct Args {
    /// Where to; it is made if it isn't there
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub directory: PathBuf,
}

/// What each exit status means.
const STATUS: [(&str, &str); 5] = [
    ("0", "Done, nothing wrong."),
    ("1", "A check failed, or the machine refused what it was told."),
    ("2", "The command line is wrong."),
    ("3", "The environment lacks something; the message says what, and what to do."),
    ("4", "An input file is wrong; the message points to the place."),
];

/// The same for commands that run another one.
const STATUS_OF_RUNS: [(&str, &str); 6] = [
    ("the command's", "The command was run. 128 and the signal's number if a signal ended it."),
    ("125", "It could not be started."),
    ("126, 127", "It is no program that may be run; there is no such command."),
    ("2", "The command line is wrong."),
    ("3", "The environment lacks something; the message says what, and what to do."),
    ("4", "The machine file is wrong; the message points to the place."),
];

/// Files: the commands that use each, its name, what it is for.
const FILES: [(&[&str], &str, &str); 7] = [
    (
        &["apmatrix", "ls", "view", "serve", "why", "import", "plan", "apply"],
        "/sys/bus/ap",
        "The AP bus that is looked at.",
    ),
    (
        &["apmatrix", "hw", "guest", "events", "why", "mount", "view", "serve"],
        "/sys/kernel/debug/apmatrix",
        "The control files of an emulated machine; they tell it from a real one.",
    ),
    (&["apmatrix", "explore"], "scenarios/*.toml", "Scenarios that are found by their names."),
    (
        &["run"],
        "/etc/mdevctl.d, /etc/udev/rules.d",
        "Copied into the run: what the command changes there goes with it.",
    ),
    (
        &["run", "exec"],
        "$XDG_RUNTIME_DIR/apmatrix/NAME",
        "A machine that runs under a name; without that variable below /run/apmatrix-machines (root) or /tmp/apmatrix-UID.",
    ),
    (
        &["apply", "confirm", "revert", "recover"],
        "/run/lock/s390apconfig.lock",
        "The lock that chzdev takes, too.",
    ),
    (
        &["apply", "confirm", "revert", "recover"],
        "/run/apmatrix",
        "The journal of an apply, by which it is taken back or recovered.",
    ),
];

/// The examples of the first page; help says instead where to begin.
const EXAMPLES: [&str; 5] = [
    "  apmatrix demo                                       what it is for",
    "  apmatrix run --machine tiny -- ls /sys/bus/ap/devices",
    "  apmatrix shell --machine tiny",
    "  apmatrix why --machine tiny apmask 0x0              what would that do?",
    "  apmatrix explore --specimen seed-deadlock",
];

/// How many columns a line has that stands as it is, where a page has 80.
const ROOM: usize = 73;

/// Where less room than that is left beside a column, what belongs there stands below it.
const NARROW: usize = 16;

/// Runs the command, for the command line that is described.
pub fn run(args: &Args, described: clap::Command) -> Outcome {
    let failed = |error: io::Error| CliError::unwritten(&args.directory, error);
    fs::create_dir_all(&args.directory).map_err(failed)?;
    for (name, text) in pages(described).map_err(failed)? {
        fs::write(args.directory.join(name), text).map_err(failed)?;
    }
    Ok(0)
}

/// The pages: the name of each file, and its text.
fn pages(described: clap::Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    fn collect(command: &clap::Command, all: &mut Vec<clap::Command>) {
        all.push(command.clone());
        command.get_subcommands().filter(|inner| !inner.is_hide_set()).for_each(|inner| collect(inner, all));
    }
    let mut described = described.disable_help_subcommand(true);
    described.build();
    let mut all = Vec::new();
    collect(&described, &mut all);
    let names: Vec<String> = all.iter().map(page_name).collect();
    all.iter().map(|command| page(command, &names)).collect()
}

fn page_name(command: &clap::Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &clap::Command, names: &[String]) -> io::Result<(String, Vec<u8>)> {
    let name = page_name(command);
    let man = Man::new(command.clone()).manual("apmatrix");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().next().is_some() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut roff = Roff::default();
    let (mut examples, others): (Vec<_>, Vec<_>) =
        sections(command).into_iter().partition(|(title, _)| title.starts_with("EXAMPLE"));
    if names.first() == Some(&name) {
        examples.push(("EXAMPLES".to_owned(), EXAMPLES.map(str::to_owned).to_vec()));
    }
    others.iter().for_each(|(title, lines)| section(&mut roff, title, lines));
    status(&mut roff, &name);
    files(&mut roff, &name);
    examples.iter().for_each(|(_, lines)| section(&mut roff, "EXAMPLES", lines));
    see_also(&mut roff, &name, names);
    roff.to_writer(&mut text)?;
    Ok((man.get_filename(), plain(&String::from_utf8_lossy(&text)).into_bytes()))
}

/// A page in ASCII: other letters by their numbers, so that it can be read in any locale.
fn plain(page: &str) -> String {
    let letter = |letter: char| match letter {
        letter if letter.is_ascii() => letter.to_string(),
        letter => format!("\\[u{:04X}]", u32::from(letter)),
    };
    page.chars().map(letter).collect()
}

/// What stands below the options, by its headings: lines that end with a colon and begin at the margin.
fn sections(command: &clap::Command) -> Vec<(String, Vec<String>)> {
    let after = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for line in after.as_deref().unwrap_or_default().lines() {
        let heading = line.strip_suffix(':').filter(|title| !title.starts_with(' '));
        match (heading, all.last_mut()) {
            (Some(title), _) => all.push((title.to_uppercase().replace('`', ""), Vec::new())),
            // The exit status has a section that says more.
            (None, _) if line.starts_with("Exit status") => {}
            (None, Some((title, lines))) if title != "NOTES" || !line.is_empty() => {
                lines.push(line.to_owned())
            }
            (None, None) if !line.trim().is_empty() => {
                all.push(("NOTES".to_owned(), vec![line.to_owned()]));
            }
            (None, _) => {}
        }
    }
    all.retain(|(_, lines)| lines.iter().any(|line| !line.trim().is_empty()));
    all
}

/// A section whose lines stand as they are, in columns.
fn section(roff: &mut Roff, title: &str, lines: &[String]) {
    roff.control("SH", [title]);
    roff.control("nf", []);
    let last = lines.iter().rposition(|line| !line.trim().is_empty()).unwrap_or(0);
    let mut rows: Vec<Row> = Vec::new();
    for line in &lines[..=last] {
        let line = line.strip_prefix("  ").unwrap_or(line);
        if !rows.last_mut().is_some_and(|row| row.goes_on(line)) {
            rows.push(Row::of(line));
        }
    }
    for line in rows.iter().flat_map(Row::lines) {
        if line.trim().is_empty() {
            roff.control("sp", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    roff.control("fi", []);
}

/// A line of columns, and what its last column says, which may have been wrapped.
struct Row {
    /// What stands before the last column, and the blanks after it.
    before: String,
    last: String,
}

impl Row {
    /// Columns are where two blanks or more are.
    fn of(line: &str) -> Row {
        let indent = line.len() - line.trim_start().len();
        let gap = line[indent..].rfind("  ").map_or(indent, |at| indent + at + 2);
        Row { before: line[..gap].to_owned(), last: line[gap..].to_owned() }
    }

    fn column(&self) -> usize {
        self.before.chars().count()
    }

    /// Whether that line is more of the last column; then it is taken.
    fn goes_on(&mut self, line: &str) -> bool {
        let indent = line.len() - line.trim_start().len();
        let more = !self.before.trim().is_empty() && indent == self.column() && indent < line.len();
        if more {
            self.last = format!("{} {}", self.last, line.trim());
        }
        more
    }

    /// The lines of a page. A command alone is never broken: it would be another one.
    fn lines(&self) -> Vec<String> {
        let whole = format!("{}{}", self.before, self.last);
        if whole.chars().count() <= ROOM || whole.starts_with("apmatrix ") && self.before.is_empty() {
            return vec![whole.trim_end().to_owned()];
        }
        let below = ROOM.saturating_sub(self.column()) < NARROW;
        let indent = " ".repeat(if below { 4 } else { self.column() });
        let first = if below { &indent } else { &self.before };
        let options = textwrap::Options::new(ROOM).initial_indent(first).subsequent_indent(&indent);
        let wrapped = textwrap::wrap(&self.last, options).into_iter().map(|line| line.into_owned());
        below.then(|| self.before.trim_end().to_owned()).into_iter().chain(wrapped).collect()
    }
}

/// A list of words, and what each means.
fn list<'t>(roff: &mut Roff, title: &str, rows: impl IntoIterator<Item = (&'t str, &'t str)>) {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return;
    }
    roff.control("SH", [title]);
    for (word, meaning) in rows {
        roff.control("TP", []);
        roff.text([bold(word)]);
        roff.text([roman(meaning)]);
    }
}

fn status(roff: &mut Roff, name: &str) {
    match name {
        "apmatrix-run" => list(roff, "EXIT STATUS", STATUS_OF_RUNS),
        // It reads no file.
        "apmatrix-exec" => {
            list(roff, "EXIT STATUS", STATUS_OF_RUNS.into_iter().filter(|(status, _)| *status != "4"));
        }
        _ => list(roff, "EXIT STATUS", STATUS),
    }
}

fn files(roff: &mut Roff, name: &str) {
    let short = name.strip_prefix("apmatrix-").unwrap_or(name);
    let rows = FILES.iter().filter(|(commands, ..)| commands.contains(&short));
    list(roff, "FILES", rows.map(|(_, file, meaning)| (*file, *meaning)));
}

fn see_also(roff: &mut Roff, name: &str, names: &[String]) {
    roff.control("SH", ["SEE ALSO"]);
    // Names are not broken.
    roff.control("nh", []);
    roff.control("ad", ["l"]);
    let own = names.iter().filter(|other| *other != name).map(|other| format!("{other}(1)"));
    let others = ["mdevctl(8)", "lszcrypt(8)", "chzcrypt(8)", "chzdev(8)"].map(str::to_owned);
    let all: Vec<String> = own.chain(others).collect();
    roff.text([roman(all.join(", "))]);
}
