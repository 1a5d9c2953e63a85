//! How wide what people read may be: the width of the terminal, and texts and tables that keep to it.
//!
//! Knows columns, and nothing of what stands in them.

use std::io::{self, IsTerminal as _};

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

/// The width where there is no terminal.
const USUAL: usize = 80;
/// Narrower than this nothing can be shown.
const LEAST: usize = 40;

/// The width of the terminal that standard output or standard error is; 80 where neither is one.
#[must_use]
pub fn width() -> usize {
    let size = terminal_size::terminal_size_of(io::stdout())
        .or_else(|| terminal_size::terminal_size_of(io::stderr()));
    // A terminal that does not know its width says 0.
    size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0).unwrap_or(USUAL).max(LEAST)
}

/// A text in lines of that width, each after the first indented by so many blanks. Paths, masks and UUIDs stay whole, to
/// be copied; only one that is longer than a line goes on in the next, if it can after a `/`.
#[must_use]
pub fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let blanks = " ".repeat(indent.min(width / 2));
    let room = width.saturating_sub(blanks.len()).max(1);
    let text = &broken(text, room);
    let options = Options::new(width)
        .subsequent_indent(&blanks)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    text.split('\n').map(|line| textwrap::fill(line, &options)).collect::<Vec<_>>().join("\n")
}

/// Words that are longer than a line as several: as much of each as a line holds, up to a `/` if there is one.
fn broken(text: &str, room: usize) -> String {
    let word = |word: &str| {
        if display_width(word) <= room {
            return word.to_owned();
        }
        let (mut pieces, mut piece, mut columns) = (vec![], String::new(), 0);
        for letter in word.chars() {
            let wide = display_width(letter.encode_utf8(&mut [0; 4]));
            if columns + wide > room {
                let keep = piece.rfind('/').map_or(piece.len(), |slash| slash + 1);
                let rest = piece.split_off(keep);
                pieces.push(std::mem::replace(&mut piece, rest));
                columns = display_width(&piece);
            }
            piece.push(letter);
            columns += wide;
        }
        pieces.push(piece);
        pieces.join(" ")
    };
    if text.split([' ', '\n']).all(|word| display_width(word) <= room) {
        return text.to_owned();
    }
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The lines of a text, each wrapped where it is too long, and indented further than it was.
#[must_use]
pub fn lines_wrapped(text: &str, width: usize) -> String {
    let line = |line: &str| {
        let indent = line.chars().take_while(|letter| *letter == ' ').count();
        wrapped(line, width, indent + 2) + "\n"
    };
    text.lines().map(line).collect()
}

/// A writer whose lines are wrapped as [`lines_wrapped`] does it. What is after the last end of a line is written when it is
/// dropped.
#[derive(Debug)]
pub struct Wrapping<W: io::Write> {
    out: W,
    width: usize,
    line: Vec<u8>,
}

impl<W: io::Write> Wrapping<W> {
    /// Writes to `out`, in lines of that width.
    pub fn new(out: W, width: usize) -> Wrapping<W> {
        Wrapping { out, width, line: Vec::new() }
    }

    fn line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        match text.is_empty() {
            true => self.out.write_all(b"\n"),
            false => self.out.write_all(lines_wrapped(&text, self.width).as_bytes()),
        }
    }
}

impl<W: io::Write> io::Write for Wrapping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(rest) => {
                    self.line.extend_from_slice(rest);
                    self.line()?;
                }
                None => self.line.extend_from_slice(piece),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: io::Write> Drop for Wrapping<W> {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            // Nobody is left to be told.
            let _unheard = self.line();
        }
    }
}

/// What a command found goes there: its exit status says it, too, when nobody reads on.
#[must_use]
pub fn findings() -> Heard<anstream::Stdout> {
    Heard { out: anstream::stdout(), gone: false }
}

/// A writer that drops what nobody reads, instead of failing.
#[derive(Debug)]
pub struct Heard<W: io::Write> {
    out: W,
    gone: bool,
}

impl<W: io::Write> Heard<W> {
    fn unless_gone<T>(&mut self, instead: T, write: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.gone {
            return Ok(instead);
        }
        match write(&mut self.out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(instead)
            }
            other => other,
        }
    }
}

impl<W: io::Write> io::Write for Heard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_gone(bytes.len(), |out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_gone((), io::Write::flush)
    }
}

/// A line for standard error: in the terminal's width if it is one, else as it is, for those who read lines.
#[must_use]
pub fn told(line: &str) -> String {
    if io::stderr().is_terminal() { wrapped(line, width(), 2) } else { line.to_owned() }
}

/// A command for a shell, in lines of that width if it can be: each but the last ends with `\\`, and the others are
/// indented by so many blanks. It is broken where blanks are that are in no quotes.
#[must_use]
pub fn command(text: &str, width: usize, indent: usize) -> String {
    let (mut words, mut quote, mut word) = (Vec::new(), None, String::new());
    for letter in text.chars() {
        match (quote, letter) {
            (None, ' ') if !word.ends_with('\\') => words.push(std::mem::take(&mut word)),
            (Some(open), _) if open == letter => (quote, _) = (None, word.push(letter)),
            (None, '"' | '\'') => (quote, _) = (Some(letter), word.push(letter)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    let (mut lines, mut line) = (String::new(), String::new());
    let last = words.len() - 1;
    for (at, word) in words.iter().enumerate() {
        // What is not at the end needs room for ` \`.
        let needed = display_width(&line) + 1 + display_width(word) + if at < last { 2 } else { 0 };
        if !line.trim().is_empty() && needed > width {
            lines += &line;
            lines += " \\\n";
            line = " ".repeat(indent);
        } else if at > 0 {
            line.push(' ');
        }
        line += word;
    }
    lines + &line
}

/// The examples that help shows, in that width: what is typed, and beside it what is said of it, which two blanks or
/// more stand before.
#[must_use]
pub fn examples(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut table: Option<Table> = None;
    for line in text.lines() {
        let typed = line.strip_prefix("  ").filter(|rest| rest.starts_with("apmatrix "));
        match typed {
            Some(typed) => {
                let table = table.get_or_insert_with(|| Table::indented(2));
                match typed.split_once("  ") {
                    Some((command, said)) => table.row([command, said.trim_start()]),
                    None => table.row([typed]),
                }
            }
            None => {
                out.extend(table.take().map(|table| table.render(width)));
                out += line;
                out.push('\n');
            }
        }
    }
    out.extend(table.take().map(|table| table.render(width)));
    out.trim_end().to_owned()
}

/// A text cut to so many columns, with an ellipsis where something is left out.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    for letter in text.chars() {
        if display_width(&shown) + display_width(letter.encode_utf8(&mut [0; 4])) + 1 > width {
            break;
        }
        shown.push(letter);
    }
    shown + "…"
}

/// Lines of columns, of which the last one is wrapped where it stands.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    indent: usize,
}

impl Table {
    /// An empty table, each line of which begins with so many blanks.
    #[must_use]
    pub fn indented(indent: usize) -> Table {
        Table { rows: Vec::new(), indent }
    }

    /// Adds a line.
    pub fn row<I>(&mut self, cells: I)
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table in that width: columns as wide as what stands in them, the last one wrapped. Where even one word of
    /// it would not fit beside the others, it goes below them.
    #[must_use]
    pub fn render(&self, width: usize) -> String {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..count)
            .map(|column| {
                // What nothing stands beside needs no column.
                let cells = self.rows.iter().filter(|row| row.len() > column + 1);
                cells.filter_map(|row| row.get(column)).map(|cell| display_width(cell)).max().unwrap_or(0)
            })
            .collect();
        let before =
            self.indent + widths.iter().take(count.saturating_sub(1)).map(|width| width + 2).sum::<usize>();
        let room = width.saturating_sub(before);
        let wide = room >= 24.min(width / 3);
        let longest = |cell: &str| cell.split([' ', '\n']).map(display_width).max().unwrap_or(0);
        let margin = " ".repeat(self.indent);
        let mut text = String::new();
        for row in &self.rows {
            let mut line = margin.clone();
            for (column, cell) in row.iter().enumerate() {
                if row.len() == 1 {
                    line += cell;
                } else if column + 1 < count {
                    line += cell;
                    line += &" ".repeat(widths[column].saturating_sub(display_width(cell)) + 2);
                } else if cell.is_empty() || wide && longest(cell) <= room {
                    let lines = wrapped(cell, room.max(1), 0);
                    let hanging = format!("\n{}", " ".repeat(before));
                    line += &lines.replace('\n', &hanging);
                } else {
                    let below = self.indent + 4;
                    let lines = wrapped(cell, width.saturating_sub(below).max(1), 0);
                    let hanging = format!("\n{}", " ".repeat(below));
                    line = format!("{}{hanging}{}", line.trim_end(), lines.replace('\n', &hanging));
                }
            }
            for line in line.split('\n') {
                text += line.trim_end();
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_wraps_lines_however_they_come() {
        let mut out = Vec::new();
        {
            let mut writer = Wrapping::new(&mut out, 12);
            for piece in ["  one tw", "o three\n\nfo", "ur\n", "five six seven"] {
                io::Write::write_all(&mut writer, piece.as_bytes()).expect("it is kept");
            }
        }
        assert_eq!(String::from_utf8_lossy(&out), "  one two\n    three\n\nfour\nfive six\n  seven\n");
    }

    #[test]
    fn no_line_is_longer_than_the_width_and_the_room_is_used() {
        let mut table = Table::indented(2);
        table.row([
            "plug",
            "AP[-AP] | .DOM",
            "adapters and usage domains come into the configuration, all at once",
        ]);
        table.row(["a-very-long-name", "X", "y"]);
        for width in [40, 60, 80, 200] {
            let text = table.render(width);
            assert!(text.lines().all(|line| display_width(line) <= width), "{width}:\n{text}");
        }
        assert_eq!(table.render(200).lines().count(), 2);
        assert!(table.render(80).lines().count() > 2);
        let path = "no /sys/devices/vfio_ap/matrix/62177883-f1bb-47f0-914d-32a22e3a8804/assign_adapter: so";
        assert_eq!(
            wrapped(path, 60, 2),
            "no /sys/devices/vfio_ap/matrix/\n  62177883-f1bb-47f0-914d-32a22e3a8804/assign_adapter: so"
        );
        let mask = format!("0x{}", "f".repeat(64));
        assert_eq!(wrapped(&mask, 80, 2), mask);
        for width in [1, 3, 40, 60] {
            let text = wrapped(&format!("{path} {mask} ééééé"), width, 2);
            assert!(text.lines().all(|line| display_width(line) <= width), "{width}:\n{text}");
        }
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
