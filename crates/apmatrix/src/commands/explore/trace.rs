//! A specimen's trace as the mail tells it: a column per task, a line per step.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use ap_seed::{MailStep, Place, names};
use explore::{DeadlockReport, Finding, TraceStep, Waiting};

/// What is shown.
pub struct Shown<'a> {
    /// The tasks: name, and what each does.
    pub cast: &'a [(String, String)],
    /// The steps that the mail numbers.
    pub mail: &'static [MailStep],
    /// The steps.
    pub trace: &'a [TraceStep],
    /// Who waits for whom at the end.
    pub deadlock: Option<&'a DeadlockReport>,
    /// What is wrong at the end.
    pub findings: Vec<&'a Finding>,
    /// How wide a line may be.
    pub width: usize,
}

/// The width of the columns beside the tasks'.
const NUMBER: usize = 4;
const HOLDS: usize = 6;
const SOURCE: usize = 19;
/// How wide a line is at the most, whatever the terminal: with two tasks, and with more.
const WIDEST: [usize; 2] = [106, 140];
/// The narrowest column of a task that can be read.
const NARROWEST: usize = 16;

/// A space that is no place to break a line; printed as a space.
const UNBROKEN: &str = "\u{a0}";

const HEAD: Style = Style::new().bold();
const BANG: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));

/// A line.
struct Line {
    number: Option<u8>,
    task: usize,
    words: String,
    holds: String,
    source: String,
    found: Vec<Finding>,
}

/// The trace as text.
pub fn columns(shown: &Shown<'_>) -> String {
    let lines = lines(shown);
    let used: Vec<usize> =
        (0..shown.cast.len()).filter(|task| lines.iter().any(|line| line.task == *task)).collect();
    let total = WIDEST[usize::from(used.len() > 2)].min(shown.width);
    let share = |rest: usize| {
        let each = total.saturating_sub(NUMBER + 1 + rest) / used.len().max(1);
        each.saturating_sub(2).min(60)
    };
    let (mut sources, mut width) = (true, share(HOLDS + SOURCE + 2));
    if width < NARROWEST {
        // The places in the source are what can be missed first.
        (sources, width) = (false, share(HOLDS).max(8));
    }
    let table = Table { used, width, sources };
    let mut text = String::new();
    let heads: Vec<&str> = table.used.iter().map(|&task| shown.cast[task].0.as_str()).collect();
    let number = if shown.mail.is_empty() { "" } else { "mail" };
    let _ = writeln!(text, "{HEAD}{}{HEAD:#}", table.row(number, &heads, "holds", "source"));
    let does: Vec<String> = table.used.iter().map(|&task| shown.cast[task].1.clone()).collect();
    for line in table.wrapped(&does) {
        let cells: Vec<&str> = line.iter().map(String::as_str).collect();
        let _ = writeln!(text, "{}", table.row("", &cells, "", ""));
    }
    for line in &lines {
        table.step(&mut text, line);
        for finding in &line.found {
            bang(&mut text, &finding.verdict.to_uppercase(), &finding.what, total);
        }
    }
    let legend =
        names::legend(|letter| lines.iter().any(|line| line.holds.split(' ').any(|held| held == letter)));
    if !legend.is_empty() {
        let legend = format!(
            "holds: {}; what each guards is in docs/locking.md; source: the model of what the mail says, \
             crates/ap-seed/src",
            legend.join(", ")
        );
        for line in wrap(&legend, total) {
            let _ = writeln!(text, "{line}");
        }
    }
    if let Some(deadlock) = shown.deadlock {
        bang(&mut text, "DEADLOCK", &circle(deadlock), total);
    }
    for finding in shown.findings.iter().filter(|finding| finding.verdict != "deadlock") {
        bang(&mut text, &finding.verdict.to_uppercase(), &finding.what, total);
    }
    text
}

fn bang(text: &mut String, verdict: &str, what: &str, width: usize) {
    for line in wrap(&format!("BANG {verdict}: {what}"), width) {
        let _ = writeln!(text, "{BANG}{line}{BANG:#}");
    }
}

/// Who waits for whom, in the mail's names.
fn circle(deadlock: &DeadlockReport) -> String {
    let part = |waiting: &Waiting| {
        let lock = lock(&waiting.on, &waiting.object);
        match waiting.holders.first() {
            Some((holder, _)) => format!("{} waits for {lock}, which {holder} has", waiting.name),
            None => format!("{} waits for {lock}", waiting.name),
        }
    };
    deadlock.cycle.iter().chain(&deadlock.others).map(part).collect::<Vec<_>>().join("; ")
}

/// The name of a lock, whose words stay on one line.
fn lock(object: &locks::Object, name: &str) -> String {
    names::lock(object).map_or_else(|| name.to_owned(), |lock| lock.both()).replace(' ', UNBROKEN)
}

/// The numbers of the mail's steps, each told once.
pub struct Numbers {
    mail: &'static [MailStep],
    told: Vec<u8>,
}

impl Numbers {
    /// None was told yet.
    pub fn new(mail: &'static [MailStep]) -> Numbers {
        Numbers { mail, told: Vec::new() }
    }

    /// The number of such a step at that place, unless one before had it.
    pub fn of(&mut self, step: &str, level: &str, at: &str) -> Option<u8> {
        let found = self.mail.iter().find(|mail| mail.is(step, level, at))?.number;
        let new = !self.told.contains(&found);
        self.told.push(found);
        new.then_some(found)
    }
}

/// The steps, and what tasks wait for at the end.
fn lines(shown: &Shown<'_>) -> Vec<Line> {
    let mut functions = Functions { last: vec![None; shown.cast.len()], named: Vec::new() };
    let mut numbers = Numbers::new(shown.mail);
    let mut number = |step: &str, level: &str, at: &str| numbers.of(step, level, at);
    let mut lines: Vec<Line> = shown
        .trace
        .iter()
        .map(|step| Line {
            number: number(step.step, step.on.level, &step.at),
            task: step.task,
            words: words(step, &mut functions),
            holds: letters(step.held.iter()),
            source: source(&step.at),
            found: step.found.clone(),
        })
        .collect();
    let mut waiting: Vec<Line> = shown
        .deadlock
        .iter()
        .flat_map(|deadlock| deadlock.cycle.iter().chain(&deadlock.others))
        .map(|waiting| Line {
            number: number("lock", waiting.on.level, &waiting.at),
            task: waiting.task,
            words: waits(waiting, &mut functions),
            holds: letters(waiting.holds.iter().map(|(name, _)| name)),
            source: source(&waiting.at),
            found: Vec::new(),
        })
        .collect();
    waiting.sort_by_key(|line| line.number);
    lines.extend(waiting);
    lines
}

/// The functions that were told.
struct Functions {
    /// The last of each task.
    last: Vec<Option<&'static str>>,
    /// Those that were given both of their names.
    named: Vec<&'static str>,
}

impl Functions {
    /// The function of a place if it is another one than the task's last: the mail's name, and ours the first time.
    fn tell(&mut self, task: usize, at: &str) -> String {
        let Some(place) = Place::at(at) else { return String::new() };
        if self.last[task].replace(place.function) == Some(place.function) {
            return String::new();
        }
        match names::ours(place.function).filter(|_| !self.named.contains(&place.function)) {
            Some(ours) => {
                self.named.push(place.function);
                format!("{} [{ours}] ", place.function)
            }
            None => format!("{} ", place.function),
        }
    }
}

/// What a step does.
fn words(step: &TraceStep, functions: &mut Functions) -> String {
    let lock = lock(&step.on, &step.object);
    let does = match (step.step, step.ok) {
        ("lock", _) => format!("takes {lock}"),
        ("try-lock", true) => format!("tries {lock}, gets it"),
        ("try-lock", false) => format!("tries {lock}: BUSY"),
        ("unlock", _) => format!("releases {lock}"),
        (other, _) => format!("{other} {lock}"),
    };
    let mut words = functions.tell(step.task, &step.at) + &does;
    if !step.notes.is_empty() {
        let _ = write!(words, "; {}", step.notes.join("; "));
    }
    words
}

fn waits(waiting: &Waiting, functions: &mut Functions) -> String {
    let function = functions.tell(waiting.task, &waiting.at);
    let holder = waiting.holders.first().map_or_else(String::new, |(name, _)| format!(", which {name} has"));
    format!("{function}wants {}{holder}: waits for ever", lock(&waiting.on, &waiting.object))
}

/// Our letters for the locks held.
fn letters<'n>(held: impl Iterator<Item = &'n String>) -> String {
    let letters: Vec<&str> = held.map(|name| names::letter(name.split(' ').next().unwrap_or(name))).collect();
    letters.join(" ")
}

fn source(at: &str) -> String {
    match Place::at(at) {
        Some(place) => format!("{}:{}", place.file.trim_start_matches("seed/"), place.line),
        None => at.rsplit('/').next().unwrap_or(at).to_owned(),
    }
}

struct Table {
    used: Vec<usize>,
    width: usize,
    /// Whether there is room for the places in the source.
    sources: bool,
}

impl Table {
    fn step(&self, text: &mut String, line: &Line) {
        let cells: Vec<String> = self
            .used
            .iter()
            .map(|task| if *task == line.task { line.words.clone() } else { String::new() })
            .collect();
        let number = line.number.map_or_else(String::new, |number| format!("({number})"));
        for (index, wrapped) in self.wrapped(&cells).into_iter().enumerate() {
            let cells: Vec<&str> = wrapped.iter().map(String::as_str).collect();
            let row = match index {
                0 => self.row(&number, &cells, &line.holds, &line.source),
                _ => self.row("", &cells, "", ""),
            };
            let _ = writeln!(text, "{row}");
        }
    }

    /// One line of the text.
    fn row(&self, number: &str, cells: &[&str], holds: &str, source: &str) -> String {
        let mut row = format!("{number:NUMBER$} ");
        for cell in cells {
            let _ = write!(row, "{cell:width$}  ", width = self.width);
        }
        let source = if self.sources { source } else { "" };
        let _ = write!(row, "{holds:HOLDS$} {source}");
        row.truncate(row.trim_end().len());
        row
    }

    /// The cells, in as many lines as the longest needs.
    fn wrapped(&self, cells: &[String]) -> Vec<Vec<String>> {
        let columns: Vec<Vec<String>> = cells.iter().map(|cell| wrap(cell, self.width)).collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        let line = |index: usize| columns.iter().map(|c| c.get(index).cloned().unwrap_or_default()).collect();
        (0..height).map(line).collect()
    }
}

/// A text in lines of this width at most; continued lines are indented.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        loop {
            let used = line.chars().count();
            let gap = usize::from(!line.trim().is_empty());
            if used + gap + word.chars().count() <= width {
                line.push_str(&" "[..gap]);
                line.push_str(word);
                break;
            }
            if !line.trim().is_empty() {
                lines.push(std::mem::replace(&mut line, "  ".to_owned()));
                continue;
            }
            // Words that stand together and are wider than the column, one by one after all.
            let room = width - used;
            let head = word.char_indices().nth(room + 1).map_or(word.len(), |(at, _)| at);
            if let Some(at) = word[..head].rfind(UNBROKEN).filter(|at| *at > 0) {
                lines.push(format!("{line}{}", &word[..at]));
                line = "  ".to_owned();
                word = &word[at + UNBROKEN.len()..];
                continue;
            }
            // A name that is wider than the column: broken behind an underscore, or where the column ends.
            let cut = (0..=room).rev().find(|at| word.is_char_boundary(*at)).unwrap_or(0);
            let cut = word[..cut].rfind('_').map_or(cut, |at| at + 1);
            lines.push(format!("{line}{}", &word[..cut]));
            line = "  ".to_owned();
            word = &word[cut..];
        }
    }
    if !line.trim().is_empty() {
        lines.push(line);
    }
    lines.into_iter().map(|line| line.replace(UNBROKEN, " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn long_texts_are_wrapped_and_long_names_broken() {
        assert_eq!(wrap("one two three", 8), ["one two", "  three"]);
        assert_eq!(wrap("takes vfio_ap_mdev_resource", 16), ["takes", "  vfio_ap_mdev_", "  resource"]);
        assert_eq!(
            wrap("takes matrix_dev->lock\u{a0}(M); x", 18),
            ["takes", "  matrix_dev->lock", "  (M); x"]
        );
        assert_eq!(
            wrap("takes matrix_dev->lock\u{a0}(M); x", 24),
            ["takes", "  matrix_dev->lock (M);", "  x"]
        );
        assert!(wrap("", 10).is_empty());
    }
}
