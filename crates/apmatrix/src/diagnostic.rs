//! A wrong file on a terminal: what is wrong, the line with the place, what was expected, in the terminal's width.
//!
//! Who draws it wraps sentences, and neither the line of the file nor what stands beside the place: that is done here.

use std::fmt;

use ap_files::FileError;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan,
};
use textwrap::core::display_width;

use crate::terminal::wrapped;

/// What stands before a line of a file besides its number.
const GUTTER: usize = 5;
/// What joins the place and what was expected there.
const BRANCH: usize = 4;
/// With less room than that what was expected is said below.
const LEAST: usize = 24;
/// What stands before each line of the message, and of what helps; and a column of the drawing's own.
const HEAD: usize = 5;
const HELP: usize = 11;
/// How many columns a tab is drawn as, at most.
const TAB: usize = 4;

/// What is wrong with a file, all of it; nothing if it cannot be drawn.
#[must_use]
pub fn drawn(error: &FileError, width: usize, colour: bool) -> Option<String> {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_links(false).without_cause_chain().with_width(width);
    let mut text = String::new();
    for mistake in std::iter::once(error).chain(error.others()) {
        let fitted = Fitted::of(mistake, width);
        let mut report = String::new();
        handler.render_report(&mut report, &fitted).ok()?;
        text += &fitted.with_place(&report);
    }
    Some(text)
}

/// A mistake whose lines fit.
#[derive(Debug)]
struct Fitted<'a> {
    error: &'a FileError,
    message: String,
    help: Option<String>,
    place: Option<Place>,
}

/// Where it is.
#[derive(Debug)]
struct Place {
    /// The lines that are shown, and empty ones before them.
    source: NamedSource<String>,
    span: SourceSpan,
    label: String,
    /// The number of its line; its column there and in what is shown, all from 1.
    line: usize,
    columns: (usize, usize),
}

impl<'a> Fitted<'a> {
    fn of(error: &'a FileError, width: usize) -> Fitted<'a> {
        let (place, below) = Place::of(error, width).unzip();
        let help: Vec<&str> =
            [below.as_ref().and_then(Option::as_deref), error.hint()].into_iter().flatten().collect();
        // What is wrapped here is wrapped by nobody else: names stay whole.
        let within = |text: &str, margin: usize| wrapped(text, width.saturating_sub(margin), 0);
        let help = Some(within(&help.join("; "), HELP)).filter(|help| !help.is_empty());
        Fitted { error, message: within(&error.to_string(), HEAD), help, place }
    }

    /// The drawing with the column that the place has in the file, where its line is cut.
    fn with_place(&self, report: &str) -> String {
        let Some(Place { line, columns: (real, shown), .. }) = &self.place else { return report.to_owned() };
        let file = self.error.file();
        report.replacen(&format!("{file}:{line}:{shown}]"), &format!("{file}:{line}:{real}]"), 1)
    }
}

impl Place {
    /// The place, and what was expected if there is no room beside it.
    fn of(error: &FileError, width: usize) -> Option<(Place, Option<String>)> {
        let label = error.labels()?.next()?;
        let code = error.source_code()?;
        let (start, end) = (label.offset(), label.offset() + label.len());
        let contents = code.read_span(label.inner(), 1, 1).ok()?;
        let text = std::str::from_utf8(contents.data()).ok()?;
        let (first, mut offset) = (contents.line(), contents.span().offset());
        let numbers = (first + text.lines().count()).to_string().len();
        let room = width.saturating_sub(GUTTER + numbers).max(LEAST);
        let mut shown = "\n".repeat(first);
        let (mut place, mut line, mut columns, mut middle) = (None, first, (1, 1), 0);
        for (number, whole) in text.split('\n').enumerate() {
            let here = offset..offset + whole.len();
            let begins = here.contains(&start) || here.end == start;
            let inside = begins.then(|| start - here.start..end.min(here.end) - here.start);
            let window = Window::of(whole, inside.as_ref().map(|inside| (inside.start, inside.end)), room);
            let at = |place: usize| shown.len() + window.place(place);
            if let Some(inside) = inside.filter(|_| place.is_none()) {
                let (from, to) = (at(inside.start), at(inside.end));
                place = Some((from, to));
                line = first + number + 1;
                columns = (whole[..inside.start].len() + 1, from - shown.len() + 1);
                let before = |to: usize| columns_of(&window.text[..to - shown.len()]);
                middle = usize::midpoint(before(from), before(to.max(from)));
            }
            if end > here.end && start < here.start {
                place = place.map(|(from, _)| (from, at(whole.len())));
            }
            shown += &window.text;
            if here.end < contents.span().offset() + text.len() {
                shown.push('\n');
            }
            offset = here.end + 1;
        }
        let (from, to) = place?;
        let said = label.label().unwrap_or_default();
        let beside = room.saturating_sub(middle + BRANCH);
        let longest = said.split(' ').map(display_width).max().unwrap_or(0);
        let (label, below) = match display_width(said) <= beside {
            true => (said.to_owned(), None),
            false if beside >= LEAST.max(longest) => (wrapped(said, beside, 0), None),
            false => ("here".to_owned(), Some(said.to_owned())),
        };
        let source = NamedSource::new(error.file(), shown);
        Some((Place { source, span: (from..to.max(from)).into(), label, line, columns }, below))
    }
}

/// So much of a line as there is room for.
#[derive(Debug)]
struct Window {
    text: String,
    /// From where to where it is of the line, and how many bytes stand before that.
    from: usize,
    to: usize,
    before: usize,
}

impl Window {
    /// The part of a line around what is in these bytes of it.
    fn of(line: &str, inside: Option<(usize, usize)>, room: usize) -> Window {
        if columns_of(line) <= room {
            return Window { text: line.to_owned(), from: 0, to: line.len(), before: 0 };
        }
        let (start, end) = inside.unwrap_or((0, 0));
        let held = columns_of(&line[..start]) + columns_of(&line[start..end]).min(room / 2);
        let mut from = 0;
        if held + 1 > room {
            // A part of what stands before is shown, too.
            let mut left = room / 4;
            for (at, letter) in line[..start].char_indices().rev() {
                let Some(rest) = left.checked_sub(columns_of(letter.encode_utf8(&mut [0; 4]))) else { break };
                (from, left) = (at, rest);
            }
            if left == room / 4 {
                from = start;
            }
        }
        let lead = if from > 0 { "…" } else { "" };
        let (mut text, mut to) = (lead.to_owned(), from);
        let mut used = lead.chars().count();
        for letter in line[from..].chars() {
            used += columns_of(letter.encode_utf8(&mut [0; 4]));
            if used + 1 > room {
                break;
            }
            to += letter.len_utf8();
            text.push(letter);
        }
        if to < line.len() {
            text.push('…');
        }
        Window { text, from, to, before: lead.len() }
    }

    /// Where a place of the line is in what is shown.
    fn place(&self, place: usize) -> usize {
        place.clamp(self.from, self.to) - self.from + self.before
    }
}

/// How many columns a part of a line takes at most.
fn columns_of(text: &str) -> usize {
    display_width(text) + text.matches('\t').count() * TAB
}

impl fmt::Display for Fitted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fitted<'_> {}

impl Diagnostic for Fitted<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        let label = LabeledSpan::new_with_span(Some(place.label.clone()), place.span);
        Some(Box::new(std::iter::once(label)))
    }
}

#[cfg(test)]
mod tests {
    use ap_files::MachineFile;

    use super::*;

    #[test]
    fn no_line_of_a_wrong_file_is_wider_than_the_terminal_and_the_place_is_shown() {
        let long = "x = 1, ".repeat(30);
        let head = "schema = \"apmatrix.machine/1\"\n";
        for (text, seen) in [
            (format!("{head}kernel = {{ base = \"6.12\", {long}drivr-override = true }}\n"), ":2:"),
            (format!("{head}domains = [6]\nnam = \"{}\"\n", "n".repeat(200)), "nam"),
            (format!("{head}domains = [{}300, 6]\n", "6, ".repeat(60)), "300"),
            (format!("{head}\tdomains = [{}300, 6]\n", "6,\t".repeat(60)), "300"),
            (format!("{head}domains = [6]\napmask = 4.5\n"), "4.5"),
            (format!("{head}kernel = \"6.1é\"\n# {}\n", "é".repeat(200)), "6.1é"),
        ] {
            let error = MachineFile::parse("m.toml", &text).expect_err("it is wrong");
            for width in [40, 60, 80, 100] {
                let drawn = drawn(&error, width, false).expect("it is drawn");
                assert!(drawn.lines().all(|line| display_width(line) <= width), "{width}:\n{drawn}");
                assert!(drawn.contains(seen), "{width}: {seen}:\n{drawn}");
            }
        }
    }

    #[test]
    fn a_place_in_a_cut_line_is_called_by_its_column_in_the_file() {
        let text = format!("schema = \"apmatrix.machine/1\"\ndomains = [{}300]\n", "6, ".repeat(60));
        let error = MachineFile::parse("m.toml", &text).expect_err("it is wrong");
        let drawn = drawn(&error, 80, false).expect("it is drawn");
        assert!(drawn.contains("[m.toml:2:192]"), "{drawn}");
        assert!(drawn.contains("2 │ …"), "{drawn}");
    }
}
