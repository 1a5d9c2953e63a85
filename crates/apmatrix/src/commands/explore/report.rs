//! What an exploration of a specimen says, for people.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use ap_seed::{PATCHES, Question, Specimen, Table, names};
use explore::{Finding, OutcomeReport, Replay, Report, Violation};

use super::trace::{Shown, columns};
use crate::terminal::{command, wrapped};

const GOOD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));

/// Prints the report of a specimen.
pub fn print(out: &mut dyn Write, specimen: &Specimen, report: &Report, width: usize) -> io::Result<()> {
    let style = if report.is_clean() { GOOD } else { BAD };
    let title = wrapped(&format!("{}  {}", report.verdict, specimen.title), width, 2);
    let (verdict, title) = title.split_at(report.verdict.len().min(title.len()));
    writeln!(out, "{style}{verdict}{style:#}{title}")?;
    writeln!(out, "{}", wrapped(&counts(report), width, 2))?;
    if !report.violations.is_empty() && !specimen.mail.is_empty() {
        writeln!(out, "\nthe mail, condensed:")?;
        print_mail(out, specimen, width)?;
    }
    for violation in &report.violations {
        writeln!(out)?;
        print_violation(out, specimen, violation, width)?;
    }
    if !report.outcomes.is_empty() {
        writeln!(out, "\nall ways in which it ends:")?;
        for outcome in &report.outcomes {
            print_outcome(out, specimen, outcome, width)?;
        }
    }
    Ok(())
}

/// How much was explored, in a sentence.
pub fn counts(report: &Report) -> String {
    let mut text = format!(
        "{} of {} tasks, {} states, {}",
        several(report.executions, "interleaving"),
        report.tasks.len(),
        count(report.states),
        time(report.elapsed.as_secs_f64())
    );
    match &report.why {
        _ if report.exhausted => text.push_str(": exhausted, there are no others"),
        Some(why) => {
            let _ = write!(text, ": not exhausted, {why}");
        }
        None => text.push_str(": not exhausted"),
    }
    text
}

/// A violation: its trace, how short it is, and how to see it again.
pub fn print_violation(
    out: &mut dyn Write,
    specimen: &Specimen,
    violation: &Violation,
    width: usize,
) -> io::Result<()> {
    let shown = Shown {
        cast: &specimen.cast,
        mail: specimen.mail,
        trace: &violation.trace,
        deadlock: violation.deadlock.as_ref(),
        findings: vec![&violation.finding],
        width,
    };
    write!(out, "{}", columns(&shown))?;
    let fewest = if violation.fewest { "the fewest possible" } else { "perhaps not the fewest possible" };
    let switches = several(violation.switches.into(), "context switch");
    let (line, again) = (format!("{switches}, {fewest}; again:"), again(specimen, violation));
    if line.len() + 1 + again.len() <= width {
        writeln!(out, "{line} {again}")
    } else {
        writeln!(out, "{line}\n  {}", command(&again, width.saturating_sub(2), 6).trim_start())
    }
}

fn again(specimen: &Specimen, violation: &Violation) -> String {
    format!("apmatrix explore --specimen {} --replay {}", specimen.id, violation.schedule)
}

fn print_outcome(
    out: &mut dyn Write,
    specimen: &Specimen,
    outcome: &OutcomeReport,
    width: usize,
) -> io::Result<()> {
    let results: Vec<String> = specimen
        .cast
        .iter()
        .zip(&outcome.results)
        .map(|((name, _), result)| format!("{name} {result}"))
        .collect();
    writeln!(out, "{}", wrapped(&format!("  {}", results.join(", ")), width, 4))?;
    writeln!(out, "{}", wrapped(&format!("    {}", outcome.state), width, 6))?;
    for Finding { verdict, what } in &outcome.findings {
        let line = wrapped(&format!("    BANG {}: {what}", verdict.to_uppercase()), width, 6);
        writeln!(out, "{BAD}{line}{BAD:#}")?;
    }
    writeln!(out, "    --replay {}", outcome.schedule)
}

/// The mail's own words for the steps.
pub fn print_mail(out: &mut dyn Write, specimen: &Specimen, width: usize) -> io::Result<()> {
    let line = |step: &ap_seed::MailStep| format!("  ({}) {}", step.number, step.says);
    specimen.mail.iter().try_for_each(|step| writeln!(out, "{}", wrapped(&line(step), width, 6)))
}

/// Prints an execution that was replayed.
pub fn print_replay(
    out: &mut dyn Write,
    specimen: &Specimen,
    replay: &Replay,
    width: usize,
) -> io::Result<()> {
    let shown = Shown {
        cast: &specimen.cast,
        mail: specimen.mail,
        trace: &replay.trace,
        deadlock: replay.deadlock.as_ref(),
        findings: replay.findings.iter().collect(),
        width,
    };
    write!(out, "{}", columns(&shown))?;
    if let Some((results, state)) = &replay.outcome {
        let results: Vec<String> =
            specimen.cast.iter().zip(results).map(|((name, _), result)| format!("{name} {result}")).collect();
        writeln!(out, "{}", wrapped(&format!("{}: {state}", results.join(", ")), width, 2))?;
    }
    Ok(())
}

/// Prints the table of the series.
pub fn print_table(out: &mut dyn Write, table: &Table, took: Duration, width: usize) -> io::Result<()> {
    writeln!(out, "            theft by a  theft by an   deadlock  protected    spurious")?;
    writeln!(out, "patches     sequence    interleaving  P and M   guest V-M-K  EBUSY")?;
    for row in &table.rows {
        let mut line = match row.series.locking.key() {
            "trylock" => format!("{:02} trylock ", row.series.prefix),
            _ => "   blocking".to_owned(),
        };
        line.push_str("  ");
        let mut used = line.chars().count();
        for (question, answer) in row.iter() {
            let columns = match question {
                Question::TheftSequence => 12,
                Question::TheftRace => 14,
                Question::Deadlock => 10,
                Question::ProtectedGuestCycle => 13,
                Question::SpuriousBusy => 10,
            };
            let word = match (answer.found, answer.exhausted) {
                (true, _) => "found",
                (false, true) => "·",
                (false, false) => "unknown",
            };
            let certain = answer.found || answer.exhausted;
            let mark = if certain && answer.found != row.series.expected(question) { "!" } else { "" };
            let style = if answer.found { BAD } else { Style::new() };
            used += columns;
            let pad = columns - (word.chars().count() + mark.len()).min(columns);
            let _ = write!(line, "{style}{word}{mark}{style:#}{:pad$}", "");
        }
        let patch = PATCHES.iter().find(|patch| patch.number == row.series.prefix);
        let title = match (row.series.locking.key(), patch) {
            ("trylock", Some(patch)) => patch.title,
            ("trylock", None) => "(before the series)",
            _ => "",
        };
        // Beside the row where there is room, below it where there is none.
        if used + title.chars().count() <= width {
            writeln!(out, "{}", format!("{line}{title}").trim_end())?;
        } else {
            writeln!(out, "{}", line.trim_end())?;
            writeln!(out, "{}", wrapped(&format!("{:10}{title}", ""), width, 10))?;
        }
    }
    let all = table.rows.len() * Question::ALL.len();
    let executions: u64 =
        table.rows.iter().flat_map(|row| row.iter()).map(|(_, answer)| answer.executions).sum();
    let sum = format!(
        "{} of {all} as expected; {}, {}. \"·\" is not found, with all interleavings explored.",
        table.as_expected(),
        several(executions, "interleaving"),
        time(took.as_secs_f64())
    );
    writeln!(out, "\n{}", wrapped(&sum, width, 2))?;
    for (series, question) in table.unexpected() {
        writeln!(out, "{BAD}not as expected{BAD:#}: {}", ap_seed::id_of(series, question))?;
    }
    for line in LEGEND {
        writeln!(out, "{}", wrapped(line, width, 2))?;
    }
    for question in Question::ALL {
        let (column, means) = question.found();
        writeln!(out, "{}", wrapped(&format!("  {column}: {means}."), width, 4))?;
    }
    let letters = ["P", "M", "V", "K"];
    let legend = names::legend(|letter| letters.contains(&letter)).join(", ");
    writeln!(out, "{}", wrapped(&format!("  {legend}; what each guards is in docs/locking.md."), width, 4))?;
    writeln!(out, "A cell with its trace: apmatrix explore --specimen v12-07-trylock-theft_race")
}

/// How the table of the series is read.
const LEGEND: [&str; 3] = [
    "A row is the series up to that patch: this patch, whose title it has, and all before it are applied.",
    "trylock: from patch 07 on vfio_ap only tries to take its lock M, and answers EBUSY if somebody has it, as the series \
     proposes. blocking: it waits for M, as the mail says that it must not.",
    "A column is something that may be wrong. \"found\": some interleaving of that row shows it. \"!\" behind a word: not what \
     the history of the series lets expect. The columns:",
];

/// So many of something.
pub fn several(number: u64, what: &str) -> String {
    let many = if what.ends_with("ch") { "es" } else { "s" };
    format!("{} {what}{}", count(number), if number == 1 { "" } else { many })
}

/// A number with separators for thousands.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") }
}
