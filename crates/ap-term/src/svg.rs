//! A frame as a picture: SVG of text and rectangles.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

const CELL: (usize, usize) = (8, 17);
const BACKGROUND: &str = "#14161c";
const FOREGROUND: &str = "#d8dce4";

/// The colours of a terminal that has sixteen.
const SIXTEEN: [&str; 16] = [
    "#14161c", "#c4463a", "#4f9a55", "#c8a02c", "#3465a4", "#a0288a", "#2c8c99", "#bcbcbc", "#707684",
    "#f06058", "#7cc47c", "#f0c85a", "#6f9fd8", "#d060b8", "#60b8c4", "#ffffff",
];

/// A buffer as an SVG document, with a title for those who do not see it.
#[must_use]
pub fn svg(buffer: &Buffer, title: &str) -> String {
    let (width, height) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\">\n\
         <title>{}</title>\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACKGROUND}\"/>",
        width * CELL.0 + 16,
        height * CELL.1 + 16,
        escaped(title),
    );
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let look = Look::of(buffer, x, y);
            let mut text = String::new();
            let from = x;
            while x < buffer.area.width && Look::of(buffer, x, y) == look {
                text.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            look.write(&mut out, (usize::from(from), usize::from(y)), usize::from(x - from), &text);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// How a run of cells looks.
#[derive(PartialEq, Eq)]
struct Look {
    front: String,
    back: Option<String>,
    bold: bool,
    underlined: bool,
}

impl Look {
    fn of(buffer: &Buffer, x: u16, y: u16) -> Look {
        let cell = &buffer[(x, y)];
        let front = colour(cell.fg).unwrap_or_else(|| FOREGROUND.to_owned());
        let (front, back) = if cell.modifier.contains(Modifier::REVERSED) {
            (colour(cell.bg).unwrap_or_else(|| BACKGROUND.to_owned()), Some(front))
        } else {
            (front, colour(cell.bg))
        };
        Look {
            front,
            back,
            bold: cell.modifier.contains(Modifier::BOLD),
            underlined: cell.modifier.contains(Modifier::UNDERLINED),
        }
    }

    fn write(&self, out: &mut String, (x, y): (usize, usize), cells: usize, text: &str) {
        let (left, top) = (x * CELL.0 + 8, y * CELL.1 + 8);
        if let Some(back) = &self.back {
            let _ = writeln!(
                out,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"{back}\"/>",
                cells * CELL.0,
                CELL.1,
            );
        }
        if text.trim().is_empty() {
            return;
        }
        let bold = if self.bold { " font-weight=\"bold\"" } else { "" };
        let under = if self.underlined { " text-decoration=\"underline\"" } else { "" };
        let _ = writeln!(
            out,
            "<text x=\"{left}\" y=\"{}\" fill=\"{}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" \
             xml:space=\"preserve\"{bold}{under}>{}</text>",
            top + 13,
            self.front,
            cells * CELL.0,
            escaped(text),
        );
    }
}

fn colour(color: Color) -> Option<String> {
    let named = |place: usize| Some(SIXTEEN[place].to_owned());
    match color {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(15),
        Color::Indexed(place) => Some(indexed(place)),
    }
}

/// A colour of the 256: sixteen, a cube, greys.
fn indexed(place: u8) -> String {
    let place = usize::from(place);
    match place {
        0..=15 => SIXTEEN[place].to_owned(),
        16..=231 => {
            let level = |part: usize| if part == 0 { 0 } else { 55 + 40 * part };
            let cube = place - 16;
            format!("#{:02x}{:02x}{:02x}", level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        _ => {
            let grey = 8 + 10 * (place - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::indexed;

    #[test]
    fn the_colours_of_the_cube_and_the_greys_are_those_of_terminals() {
        let colours = [16, 21, 46, 196, 231, 232, 244, 255].map(indexed);
        let wanted = ["#000000", "#0000ff", "#00ff00", "#ff0000", "#ffffff", "#080808", "#808080", "#eeeeee"];
        assert_eq!(colours, wanted.map(str::to_owned));
    }
}
